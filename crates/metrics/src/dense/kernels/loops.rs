//! The loops over values and rows, generic over the instruction set and what is compared.
//!
//! All of them check their bounds, so the only promise that a caller makes is that the instruction set exists.

use std::ops::Range;

use super::element::{Element, F32};
use super::row_keys::{Center, RowKey};
use super::simd::Simd;
use super::sums;
use super::values::Measure;
use crate::bits::NO_KEY;
use crate::dense::key::key_of;
use crate::dense::rows::Rows;

/// Values that lie `stride` bytes apart.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'a> {
    pub(crate) values: &'a [u8],
    pub(crate) stride: usize,
}

/// Distance of two values, over the numbers that both have.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn distance<S: Simd, M: Measure, E: Element>(a: &[u8], b: &[u8]) -> f64 {
    let count = a.len().min(b.len()) / E::BYTES;
    let (a, b) = (a.as_ptr(), b.as_ptr());
    // SAFETY: both have `count` numbers.
    unsafe {
        let square = if M::WITH_SQUARE {
            sums::sums::<S, E, E, sums::Products, 1>(a, a, count)[0]
        } else {
            0.0
        };
        M::distance::<S, E, E>(a, b, count, square)
    }
}

/// Distance of a query to a value, over the numbers that both have.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn distance_to<S: Simd, M: Measure, E: Element>(query: &[f32], square: f64, value: &[u8]) -> f64 {
    let count = query.len().min(value.len() / E::BYTES);
    // SAFETY: both have `count` numbers.
    unsafe { M::distance::<S, F32, E>(query.as_ptr().cast(), value.as_ptr(), count, square) }
}

/// Adds keys and numbers of the values with a key less than `below` to `keys`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn near<S: Simd, M: Measure, E: Element>(
    query: &[f32],
    square: f64,
    cells: Cells<'_>,
    below: u64,
    keys: &mut Vec<(u64, u32)>,
) {
    if cells.stride == 0 {
        return;
    }
    for (cell, number) in cells.values.chunks_exact(cells.stride).zip(0..) {
        // SAFETY: promised by the caller.
        let key = key_of(unsafe { distance_to::<S, M, E>(query, square, cell) });
        if key < below {
            keys.push((key, number));
        }
    }
}

/// Keys of the rows `ids`; [`NO_KEY`] for an id out of range.
///
/// # Safety
/// The processor has the instruction set of `S`, and the center is of the kind and comparison of `K`.
#[inline(always)]
pub(crate) unsafe fn keys<S: Simd, K: RowKey>(center: &Center, rows: Rows<'_>, ids: &[u32], keys: &mut [u32]) {
    // SAFETY: promised by the caller.
    unsafe {
        each_key::<S, K>(center, rows, ids, |i, key| {
            keys[i] = key;
            false
        })
    };
}

/// Whether any of the rows `ids` has a key below `limit`.
///
/// # Safety
/// As for [`keys`].
#[inline(always)]
pub(crate) unsafe fn any_below<S: Simd, K: RowKey>(center: &Center, rows: Rows<'_>, ids: &[u32], limit: u32) -> bool {
    // SAFETY: promised by the caller.
    unsafe { each_key::<S, K>(center, rows, ids, |_, key| (key < limit) & (key != NO_KEY)) }
}

/// Bytes of rows that are on their way into the cache while one is looked at.
const AHEAD_BYTES: usize = 1536;

/// Calls `is_last` with the place and key of each of `ids`, until it is true; whether that happened.
///
/// # Safety
/// As for [`keys`].
#[inline(always)]
unsafe fn each_key<S: Simd, K: RowKey>(
    center: &Center,
    rows: Rows<'_>,
    ids: &[u32],
    mut is_last: impl FnMut(usize, u32) -> bool,
) -> bool {
    let row_bytes = center.row_bytes();
    let is_comparable = row_bytes <= rows.stride() && center.is_complete();
    let ahead = (AHEAD_BYTES / row_bytes.max(1)).clamp(1, 8);
    ids.iter().take(ahead).for_each(|&id| rows.prefetch(id, row_bytes));
    // No closure, which would be compiled for any processor.
    for (i, &id) in ids.iter().enumerate() {
        if let Some(&next) = ids.get(i + ahead) {
            rows.prefetch(next, row_bytes);
        }
        let key = match rows.row(id) {
            // SAFETY: promised by the caller; the row is at least as long as it must be.
            Some(row) if is_comparable => unsafe { K::key::<S>(center, row.as_ptr()) },
            _ => NO_KEY,
        };
        if is_last(i, key) {
            return true;
        }
    }
    false
}

/// Adds keys and numbers of the rows in a range that have a key less than `below` to `near`.
///
/// # Safety
/// As for [`keys`].
#[inline(always)]
pub(crate) unsafe fn near_rows<S: Simd, K: RowKey>(
    center: &Center,
    rows: Rows<'_>,
    range: Range<u32>,
    below: u32,
    near: &mut Vec<(u32, u32)>,
) {
    if center.row_bytes() > rows.stride() || !center.is_complete() {
        return;
    }
    for id in range.start..range.end.min(rows.count()) {
        let Some(row) = rows.row(id) else { return };
        // SAFETY: promised by the caller; the row is at least as long as it must be.
        let key = unsafe { K::key::<S>(center, row.as_ptr()) };
        if key < below {
            near.push((key, id));
        }
    }
}

/// The integers that make a row the center: as products with the factors, of 15 binary digits, one digit fewer than all.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn scaled_integers(row: &[u8], factors: &[i16], integers: &mut [i16]) {
    for ((integer, &byte), &factor) in integers.iter_mut().zip(row).zip(factors) {
        let product = (i32::from(byte as i8) << 8) * i32::from(factor);
        *integer = ((product + (1 << 14)) >> 15) as i16;
    }
}
