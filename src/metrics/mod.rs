//! From operator classes to metrics.

pub mod opclass;
mod type_info;
