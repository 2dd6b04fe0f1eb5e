//! From operator classes to values and metrics.

pub mod function;
pub mod opaque;
pub mod opclass;
mod type_info;
pub mod value;
pub mod vector_query;
