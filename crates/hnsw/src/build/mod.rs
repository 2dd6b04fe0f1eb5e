//! Building a shard: values in, a file out.

mod builder;
mod collect_dense;
mod collect_values;
mod link;
mod measure;
mod measure_codes;
mod measure_dense;
mod postings;
mod size;
mod trial_queries;
mod usearch;
mod writer;

pub use builder::{BuiltShard, CollectedShard, NextStep, ShardBuilder};
pub use collect_values::CollectedValues;
pub use size::{estimated_file_bytes, largest_file_bytes};
pub use usearch::Keys;
