//! Searching a shard, nearest first, as far as the caller likes.

mod flat_search;
mod graph_search;
mod query;
mod together;
mod within_plan;
mod within_search;

pub use flat_search::FlatSearch;
pub(crate) use flat_search::WordPass;
pub use graph_search::{Candidate, GraphSearch, looked_up};
pub use query::{ShardQuery, ValueQuery};
pub use together::{Part, start_together, widen_together};
pub use within_plan::within_ns;
pub use within_search::WithinSearch;
