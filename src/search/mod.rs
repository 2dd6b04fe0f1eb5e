//! Answering a query: the rows of an index in order of distance.

mod ahead;
mod begin;
pub mod conditions;
pub mod counters;
pub mod demand;
mod log_stream;
pub mod plan;
pub mod query;
mod returned;
pub mod scan;
mod shard_stream;
mod streams;
mod vector_stream;
