//! How a shard is built.

use iscc_metrics::{MAX_CODE_BYTES, Metric};

/// Fewest links of a node on the upper levels.
pub const MIN_M: u16 = 2;

/// Most links of a node on the upper levels.
pub const MAX_M: u16 = 100;

/// How to build a shard.
#[derive(Clone, Debug)]
pub struct BuildParams {
    /// Distance that the graph is built for.
    pub metric: Metric,
    /// Links of a node on the upper levels, 2 to 100; twice that on the base level.
    pub m: u16,
    /// Candidates kept while a node's neighbours are searched, at least 1; less than `m` is raised to `m`.
    pub ef_construction: u16,
    /// Longest code in bytes, 1 to [`MAX_CODE_BYTES`]; every stored code takes this much.
    pub max_code_bytes: u16,
    /// Threads to insert with; 0 counts as 1, and 1 makes the result a function of the codes and the seed.
    pub threads: usize,
    /// Seed of the levels and of the order of insertion.
    pub seed: u64,
}

impl BuildParams {
    /// The same with every field inside its range.
    pub(crate) fn clamped(mut self) -> Self {
        self.m = self.m.clamp(MIN_M, MAX_M);
        self.ef_construction = self.ef_construction.max(self.m);
        self.max_code_bytes = self.max_code_bytes.clamp(1, MAX_CODE_BYTES as u16);
        self.threads = self.threads.max(1);
        self
    }
}
