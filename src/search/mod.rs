//! Answering a query: the rows of an index in order of distance.

pub mod conditions;
pub mod counters;
pub mod demand;
mod log_stream;
mod returned;
mod shard_stream;
pub mod streams;
