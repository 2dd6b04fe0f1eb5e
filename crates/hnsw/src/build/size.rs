//! How large the file of a shard will be.

use iscc_metrics::DenseMetric;
use iscc_metrics::bits::length_bytes;
use iscc_metrics::dense::rows::{Encoding, RowKind};

use crate::params::{BuildParams, ShardValues};
use crate::shard::format;
use crate::shard::words;
use crate::space::LOCATOR_BYTES;

/// Expected size of the file of `entries` values, all distinct, without the entry ranges: an upper bound but for the
/// random number of upper-level links, which varies by a fraction of a percent. Of vectors whose rows may be of one
/// kind or another, that of the usual kind.
pub fn estimated_file_bytes(entries: u64, params: &BuildParams) -> u64 {
    file_bytes(entries, entries, &params.clone().clamped())
}

/// The same if the rows of vectors turn out to be the widest kind that [`ShardBuilder`](super::ShardBuilder) may
/// choose.
pub fn largest_file_bytes(entries: u64, params: &BuildParams) -> u64 {
    let mut params = params.clone().clamped();
    if let ShardValues::Dense { metric, rows, .. } = &mut params.values {
        rows.get_or_insert(widest_rows(*metric));
    }
    file_bytes(entries, entries, &params)
}

/// The widest rows that are chosen for vectors: 16 bits hold the numbers of each vector of length 1.
fn widest_rows(metric: DenseMetric) -> RowKind {
    match metric {
        DenseMetric::Cosine | DenseMetric::Pearson => RowKind::F16,
        _ => RowKind::F32,
    }
}

/// Expected file size for distinct rows (`nodes`) with `entries` ordinals.
pub(crate) fn file_bytes(nodes: u64, entries: u64, params: &BuildParams) -> u64 {
    let (row, others) = match params.values {
        ShardValues::Codes { max_bytes, .. } => (
            length_bytes(max_bytes.into()) + usize::from(max_bytes),
            words::estimated_bytes(nodes, max_bytes),
        ),
        ShardValues::Dense {
            metric,
            scalar,
            dimensions,
            rows,
        } => {
            let usual = metric.row_kinds()[0];
            let (kind, dimensions) = (rows.unwrap_or(usual), usize::from(dimensions));
            let scales = vec![0.0; if kind == RowKind::I8 { dimensions } else { 0 }];
            let encoding = Encoding::from_parts(metric, scalar, kind, dimensions, &scales);
            (
                encoding.map_or(0, |encoding| encoding.row_bytes()),
                4 * scales.len() as u64,
            )
        }
        ShardValues::Opaque { max_bytes, .. } => (LOCATOR_BYTES, nodes * u64::from(max_bytes)),
    };
    let m = u64::from(params.m);
    // A node has on average 1 / (m - 1) upper lists.
    let upper = (nodes * format::upper_list_bytes(m)).div_ceil(m - 1);
    nodes * (row as u64 + 2 + format::base_node_bytes(m) + 4) + upper + entries * 4 + others + format::FIXED_BYTES
}
