//! The loops over codes, generic over the instruction set's [`Popcount`].
//!
//! All of them check their bounds, so the only promise that a caller makes is that the instruction set exists.

use super::Popcount;
use crate::distance::MAX_CODE_BYTES;

/// Fractional bits of [`RECIPROCALS`] beyond those of a key.
pub(super) const RECIPROCAL_SHIFT: u32 = 28;

/// `RECIPROCALS[m]` = ceil(2^56 / m), so that `(bits * RECIPROCALS[m]) >> 28` is exactly floor(bits / (8 m) * 2^31).
///
/// The rounding error is below `bits / 2^28 <= 2^-13`, and a quotient that is no integer lies at least `1 / m >= 2^-12`
/// under the next one; the product stays below 2^60 because `bits <= 8 m`.
pub(super) static RECIPROCALS: [u64; MAX_CODE_BYTES + 1] = {
    let mut table = [0; MAX_CODE_BYTES + 1];
    let mut m = 1;
    while m <= MAX_CODE_BYTES {
        table[m] = (1u64 << (28 + RECIPROCAL_SHIFT)).div_ceil(m as u64);
        m += 1;
    }
    table
};

/// Key of an NPHD distance of `bits` differing bits in `m` bytes: floor(bits / (8 m) * 2^31).
#[inline(always)]
pub(crate) fn nphd_key(bits: u32, m: usize) -> u32 {
    match RECIPROCALS.get(m) {
        Some(&reciprocal) => ((u64::from(bits) * reciprocal) >> RECIPROCAL_SHIFT) as u32,
        None => ((u64::from(bits) << RECIPROCAL_SHIFT) / m as u64) as u32,
    }
}

/// Key of a Jaccard distance: floor((either - both) / either * 2^31).
#[inline(always)]
pub(crate) fn jaccard_key(both: u32, either: u32) -> u32 {
    if either == 0 {
        return 0;
    }
    (f64::from(either - both) / f64::from(either) * 2_147_483_648.0) as u32
}

/// Key of two codes over `m` bytes.
///
/// # Safety
/// As for [`Popcount::xor`].
#[inline(always)]
unsafe fn pair<P: Popcount, const JACCARD: bool>(a: *const u8, b: *const u8, m: usize) -> u32 {
    if JACCARD {
        // SAFETY: promised by the caller.
        let (both, either) = unsafe { P::and_or(a, b, m) };
        jaccard_key(both, either)
    } else {
        // SAFETY: promised by the caller.
        nphd_key(unsafe { P::xor(a, b, m) }, m)
    }
}

/// Keys of a contiguous column of codes; the tail of `out` without a code gets `u32::MAX`, as a length of 0 does.
///
/// # Safety
/// The processor has the instruction set of `P`.
#[inline(always)]
pub(crate) unsafe fn column<P: Popcount, const JACCARD: bool>(
    query: &[u8],
    codes: &[u8],
    stride: usize,
    lengths: &[u16],
    out: &mut [u32],
) {
    let count = codes
        .len()
        .checked_div(stride)
        .unwrap_or(0)
        .min(lengths.len())
        .min(out.len());
    let (out, rest) = out.split_at_mut(count);
    rest.fill(u32::MAX);
    let limit = query.len().min(stride);
    let mut done = 0;
    if !JACCARD && stride == 32 {
        // SAFETY: promised by the caller.
        done = unsafe { P::nphd_keys_32(query, codes, lengths, out) };
    }
    for (i, (key, &length)) in out.iter_mut().zip(lengths).enumerate().skip(done) {
        let m = usize::from(length).min(limit);
        // SAFETY: `i < count` and `m <= stride`, so the code lies inside `codes`; `m <= query.len()`.
        let distance = unsafe { pair::<P, JACCARD>(query.as_ptr(), codes.as_ptr().add(i * stride), m) };
        *key = if length == 0 { u32::MAX } else { distance };
    }
}

/// Fixed-size rows of `[length][code][zero padding]`, the vectors of a shard; row = node number.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    bytes: &'a [u8],
    count: u32,
    stride: usize,
    length_bytes: usize,
}

impl<'a> Rows<'a> {
    /// Rows of codes of at most `max_code_bytes`; a partial row at the end is left out.
    pub(crate) fn new(bytes: &'a [u8], max_code_bytes: usize) -> Self {
        let length_bytes = length_bytes(max_code_bytes);
        let stride = length_bytes + max_code_bytes;
        let count = u32::try_from(bytes.len() / stride).unwrap_or(u32::MAX);
        Self {
            bytes,
            count,
            stride,
            length_bytes,
        }
    }

    /// Number of rows.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Length and address of the code in `row`; the length is clamped to the row.
    ///
    /// # Safety
    /// `row < self.count()`.
    #[inline(always)]
    unsafe fn code_at(&self, row: u32) -> (*const u8, usize) {
        // SAFETY: the row lies inside `bytes`.
        let start = unsafe { self.bytes.as_ptr().add(row as usize * self.stride) };
        // SAFETY: a row starts with its length field.
        let length = unsafe {
            if self.length_bytes == 1 {
                usize::from(*start)
            } else {
                usize::from(u16::from_le_bytes([*start, *start.add(1)]))
            }
        };
        // SAFETY: the length field lies inside the row.
        (
            unsafe { start.add(self.length_bytes) },
            length.min(self.stride - self.length_bytes),
        )
    }

    /// The code of `row`, or `None` beyond the last row.
    #[inline(always)]
    pub(crate) fn code(&self, row: u32) -> Option<&'a [u8]> {
        if row >= self.count {
            return None;
        }
        // SAFETY: the row was checked; `code_at` clamps the length to the row, which lives as long as `bytes`.
        Some(unsafe {
            let (start, length) = self.code_at(row);
            std::slice::from_raw_parts(start, length)
        })
    }

    /// Asks the processor to load a row soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: u32) {
        let start = row as usize * self.stride;
        prefetch(self.bytes, start);
        // A row rarely starts on a cache line, so its end is often in the next one.
        prefetch(self.bytes, start + self.stride - 1);
    }
}

/// Size of a row's length field: one byte as iscc-usearch has it, two where the codes are too long for that.
pub(crate) const fn length_bytes(max_code_bytes: usize) -> usize {
    if max_code_bytes <= 255 { 1 } else { 2 }
}

/// Asks the processor to load the cache line of `bytes[offset]`; does nothing where that is out of range.
#[inline(always)]
pub(crate) fn prefetch<T>(items: &[T], offset: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = items.get(offset) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults, and SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, offset);
}

/// Keys of the rows `ids`; `u32::MAX` for an id out of range.
///
/// # Safety
/// The processor has the instruction set of `P`.
#[inline(always)]
pub(crate) unsafe fn rows<P: Popcount, const JACCARD: bool>(
    query: &[u8],
    rows: Rows<'_>,
    ids: &[u32],
    out: &mut [u32],
) {
    for (key, &id) in out.iter_mut().zip(ids) {
        if id >= rows.count {
            *key = u32::MAX;
            continue;
        }
        // SAFETY: the id was checked.
        let (code, length) = unsafe { rows.code_at(id) };
        // SAFETY: both codes hold the common prefix.
        *key = unsafe { pair::<P, JACCARD>(query.as_ptr(), code, length.min(query.len())) };
    }
}

/// Whether any of the rows `ids` with a code of at least `min_length` bytes has a key below `limit`.
///
/// # Safety
/// The processor has the instruction set of `P`.
#[inline(always)]
pub(crate) unsafe fn any_below<P: Popcount, const JACCARD: bool>(
    query: &[u8],
    rows: Rows<'_>,
    ids: &[u32],
    min_length: usize,
    limit: u32,
) -> bool {
    ids.iter().any(|&id| {
        if id >= rows.count {
            return false;
        }
        // SAFETY: the id was checked.
        let (code, length) = unsafe { rows.code_at(id) };
        // SAFETY: both codes hold the common prefix.
        let key = unsafe { pair::<P, JACCARD>(query.as_ptr(), code, length.min(query.len())) };
        length >= min_length && key < limit
    })
}
