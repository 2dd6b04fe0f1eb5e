//! What a shard file says about itself beyond its content.

use super::ranges::EntryRange;

/// What a shard file says about itself beyond its content.
#[derive(Clone, Debug)]
pub struct ShardIdentity {
    /// Random, from the caller.
    pub id: [u8; 16],
    /// Where the ordinals are in the log.
    pub ranges: Vec<EntryRange>,
    /// Unix seconds.
    pub built_at: i64,
    /// Where in the write-ahead log the last change of the entries ends; 0 if nobody has to know.
    pub lsn: u64,
}
