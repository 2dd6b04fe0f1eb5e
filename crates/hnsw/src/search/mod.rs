//! Searching a shard, nearest first, as far as the caller likes.

mod flat_search;
mod graph_search;

pub use flat_search::FlatSearch;
pub use graph_search::{Candidate, GraphSearch};
