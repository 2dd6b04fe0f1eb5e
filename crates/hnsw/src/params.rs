//! How a shard is built.

use iscc_metrics::dense::rows::RowKind;
use iscc_metrics::dense::{MAX_DIMENSIONS, Scalar};
use iscc_metrics::{DenseMetric, MAX_CODE_BYTES, Metric};

use crate::opaque::Layout;

/// Fewest links of a node on the upper levels.
pub const MIN_M: u16 = 2;

/// Most links of a node on the upper levels.
pub const MAX_M: u16 = 100;

/// What a shard is built of.
#[derive(Clone, Debug)]
pub enum ShardValues {
    /// Codes.
    Codes {
        /// Distance that the graph is built for; one of codes.
        metric: Metric,
        /// Longest code in bytes, 1 to [`MAX_CODE_BYTES`]; every stored code takes this much.
        max_bytes: u16,
    },
    /// Dense vectors.
    Dense {
        /// Distance that the graph is built for.
        metric: DenseMetric,
        /// Type of their numbers.
        scalar: Scalar,
        /// 1 to [`MAX_DIMENSIONS`].
        dimensions: u16,
        /// What is derived from them. `None`, or a kind that the metric does not have: [`RowKind::I8`], if that is good enough
        /// for these vectors; if not, [`RowKind::F16`], or [`RowKind::F32`] where numbers are too large for 16 bits.
        rows: Option<RowKind>,
    },
    /// Values that only a function of the caller's understands, as [`opaque`](crate::opaque) stores them.
    Opaque {
        /// How long they are.
        layout: Layout,
        /// Bytes that a stored one takes at most.
        max_bytes: u16,
    },
}

/// How to build a shard.
#[derive(Clone, Debug)]
pub struct BuildParams {
    /// What it is built of.
    pub values: ShardValues,
    /// Links of a node on the upper levels, 2 to 100; twice that on the base level.
    pub m: u16,
    /// Candidates kept while a node's neighbours are searched, at least 1; less than `m` is raised to `m`.
    pub ef_construction: u16,
    /// Threads to insert with; 0 counts as 1, and 1 makes the result a function of the values and the seed.
    pub threads: usize,
    /// Seed of the levels and of the order of insertion.
    pub seed: u64,
}

impl BuildParams {
    /// The same with every field inside its range.
    pub(crate) fn clamped(mut self) -> Self {
        self.m = self.m.clamp(MIN_M, MAX_M);
        self.ef_construction = self.ef_construction.max(self.m);
        self.threads = self.threads.max(1);
        match &mut self.values {
            ShardValues::Codes { max_bytes, .. } => *max_bytes = (*max_bytes).clamp(1, MAX_CODE_BYTES as u16),
            ShardValues::Dense {
                metric,
                dimensions,
                rows,
                ..
            } => {
                let most = (*dimensions).clamp(1, MAX_DIMENSIONS as u16);
                *dimensions = metric.dimensions().map_or(most, |only| only as u16);
                *rows = rows.filter(|kind| metric.row_kinds().contains(kind));
            }
            ShardValues::Opaque { .. } => {}
        }
        self
    }
}
