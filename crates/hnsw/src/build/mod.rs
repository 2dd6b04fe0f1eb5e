//! Building a shard: codes in, a file out.

mod builder;
mod measure;
mod writer;

pub use builder::{BuiltShard, ShardBuilder, estimated_file_bytes};
