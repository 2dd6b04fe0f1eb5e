//! From operator classes to metrics.

pub mod opclass;
