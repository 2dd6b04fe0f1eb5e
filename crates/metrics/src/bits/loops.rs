//! The loops over codes, generic over the instruction set's [`Popcount`] and the metric's [`Measure`].
//!
//! All of them check their bounds, so the only promise that a caller makes is that the instruction set exists.

use std::ops::Range;

use super::key::NO_KEY;
use super::layout::{Column, ENTRY_BYTES, Rows};
use super::measure::Measure;
use super::popcount::Popcount;
use super::word_columns::{BLOCK, Words};

/// Adds the numbers of codes whose key is less than `below` to `near`.
///
/// # Safety
/// The processor has the instruction set of `P`.
#[inline(always)]
pub(crate) unsafe fn near<P: Popcount, M: Measure>(query: &[u8], column: Column<'_>, below: u32, near: &mut Vec<u32>) {
    if below == 0 {
        return;
    }
    let limit = query.len().min(column.stride);
    let bound = M::bound(below);
    let mut done = 0;
    if column.stride == 32 {
        // SAFETY: promised by the caller.
        done = unsafe { M::near_32::<P>(query, column, below, near) };
    }
    let entries = column.entries().rchunks_exact(ENTRY_BYTES).skip(done);
    for (slot, entry) in (done..column.count()).zip(entries) {
        let length = usize::from(u16::from_le_bytes([entry[6], entry[7]]));
        // SAFETY: a column has `count` codes, and the length is cut to the stride and to the query.
        let is_near = unsafe {
            M::is_near::<P>(
                query.as_ptr(),
                column.codes().as_ptr().add(slot * column.stride),
                length.min(limit),
                bound,
            )
        };
        // Tested together, without branches: nearly always the key is too large.
        if is_near & (length != 0) {
            near.push(slot as u32);
        }
    }
}

/// Keys of the rows `ids`; [`NO_KEY`] for an id out of range.
///
/// # Safety
/// The processor has the instruction set of `P`.
#[inline(always)]
pub(crate) unsafe fn rows<P: Popcount, M: Measure>(query: &[u8], rows: Rows<'_>, ids: &[u32], out: &mut [u32]) {
    for (key, &id) in out.iter_mut().zip(ids) {
        if id >= rows.count() {
            *key = NO_KEY;
            continue;
        }
        // SAFETY: the id was checked.
        let (code, length) = unsafe { rows.code_at(id) };
        // SAFETY: both codes hold the common prefix.
        *key = unsafe { M::key::<P>(query.as_ptr(), code, length.min(query.len())) };
    }
}

/// Whether any of the rows `ids` with a code of at least `min_length` bytes has a key below `limit`.
///
/// # Safety
/// The processor has the instruction set of `P`.
#[inline(always)]
pub(crate) unsafe fn any_below<P: Popcount, M: Measure>(
    query: &[u8],
    rows: Rows<'_>,
    ids: &[u32],
    min_length: usize,
    limit: u32,
) -> bool {
    ids.iter().any(|&id| {
        if id >= rows.count() {
            return false;
        }
        // SAFETY: the id was checked.
        let (code, length) = unsafe { rows.code_at(id) };
        // SAFETY: both codes hold the common prefix.
        let key = unsafe { M::key::<P>(query.as_ptr(), code, length.min(query.len())) };
        length >= min_length && key < limit
    })
}

/// Fills `near` with keys and numbers of codes in the range that have a key less than `below`.
#[inline(always)]
pub(crate) fn near_words<M: Measure>(words: &Words<'_>, range: Range<usize>, below: u32, near: &mut Vec<(u32, u32)>) {
    near.clear();
    if below == 0 {
        return;
    }
    let end = range.end.min(words.count);
    let mut first = range.start;
    while first + BLOCK <= end {
        M::near_block(words, first, BLOCK, below, near);
        first += BLOCK;
    }
    if first < end {
        M::near_block(words, first, end - first, below, near);
    }
}
