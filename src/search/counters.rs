//! What scans count for EXPLAIN.

use std::ops::AddAssign;

/// Work of a scan since it began, other queries of it (a rescan's) included.
#[derive(Clone, Copy, Default)]
pub struct Counters {
    /// Shards of which the graph alone was searched.
    pub graph_shards: u64,
    /// Shards of which all codes were compared, be it after a search of the graph.
    pub exact_shards: u64,
    /// Codes of shards compared, in graphs and by exact scans.
    pub nodes: u64,
    /// Entries of the log without a shard that were compared.
    pub tail_rows: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.graph_shards += other.graph_shards;
        self.exact_shards += other.exact_shards;
        self.nodes += other.nodes;
        self.tail_rows += other.tail_rows;
    }
}
