//! What the planner has to know of an index of dense vectors: how many bytes a scan reads.

use iscc_hnsw::cost::Vectors;

use super::nodes::IndexInfo;
use crate::metrics::opclass::comparison_of;
use crate::relation::OpenRelation;
use crate::storage::directory;
use crate::storage::open_segment::length_of_vectors;

/// An index of vectors as the cost model sees it; None for one of codes, and for one that is not there.
pub fn vectors_of(info: IndexInfo<'_>) -> Option<Vectors> {
    if info.is_hypothetical() {
        return None;
    }
    // SAFETY: the planner has locked each index that it knows, for as long as it plans.
    let opened = unsafe { OpenRelation::open_locked(info.oid()) };
    let index = opened.handle();
    let scalar = comparison_of(index).value.scalar()?;
    if !index.is_readable() {
        return None;
    }
    let directory = directory::try_read(index)?;
    let value_bytes = length_of_vectors(&directory).unwrap_or(0);
    let unsealed = directory.segments().filter(|segment| !segment.is_sealed());
    let entries = info.entries().max(1.0);
    let room: u64 = unsealed.map(|segment| segment.room()).sum();
    let tail = (room as f64).min(entries);
    Some(Vectors {
        sealed: entries - tail,
        tail,
        value_bytes: value_bytes as f64,
        row_bytes: (value_bytes / scalar.bytes()) as f64,
    })
}
