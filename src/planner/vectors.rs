//! What the planner has to know of an index of dense vectors: what its operator class says, and how many bytes a scan
//! reads.

use iscc_hnsw::cost::Vectors;
use pgrx::pg_sys::{self, Oid};

use super::functions::support_function;
use super::nodes::IndexInfo;
use crate::metrics::opclass::{Comparison, DISTANCE_PROC, TYPE_INFO_PROC, described_by};
use crate::storage::directory;
use crate::storage::open_segment::length_of_vectors;

/// An index of vectors as the cost model sees it; None for one of codes, and for one that is not there.
pub fn vectors_of(info: IndexInfo<'_>) -> Option<Vectors> {
    if info.is_hypothetical() {
        return None;
    }
    let comparison = comparison_of_info(info)?;
    let (scalar, metric) = comparison.value.scalar().zip(comparison.metric.dense())?;
    let opened = info.open();
    let index = opened.handle();
    if !index.is_readable() {
        return None;
    }
    let directory = directory::try_read(index)?;
    let value_bytes = length_of_vectors(&directory).unwrap_or(0);
    let dimensions = value_bytes / scalar.bytes();
    let unsealed = directory.segments().filter(|segment| !segment.is_sealed());
    let entries = info.entries().max(1.0);
    let room: u64 = unsealed.map(|segment| segment.room()).sum();
    let tail = (room as f64).min(entries);
    Some(Vectors {
        metric,
        dimensions,
        sealed: entries - tail,
        tail,
        value_bytes,
        // The smallest kind: few vectors need more.
        row_bytes: metric.row_kinds()[0].bytes() * dimensions,
        has_calls: !comparison.is_ours(),
    })
}

/// How an index that the planner knows compares values; None unless its operator class says so.
pub fn comparison_of_info(index: IndexInfo<'_>) -> Option<Comparison> {
    let (_, info, input) = support_of(index)?;
    described_by(info, input)
}

/// Support functions 1 and 2 of an index's operator class, and its type.
pub fn support_of(index: IndexInfo<'_>) -> Option<(Oid, Oid, Oid)> {
    let (family, input) = (index.families().get(0)?, index.types().get(0)?);
    let support = |number: u16| support_function(family, input, input, number as i16);
    let (distance, info) = (support(DISTANCE_PROC), support(TYPE_INFO_PROC));
    (distance != pg_sys::InvalidOid && info != pg_sys::InvalidOid).then_some((distance, info, input))
}
