//! The loops over codes, generic over the instruction set's [`Popcount`] and the metric's [`Measure`].
//!
//! All of them check their bounds, so the only promise that a caller makes is that the instruction set exists.

use super::{Measure, Popcount};

/// Bytes of one entry of a column: a heap TID, and the code's length in the last two.
pub(crate) const ENTRY_BYTES: usize = 8;

/// The two columns of a log page: codes from the front, zero-padded to the stride, and entries from the back.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    codes: &'a [u8],
    stride: usize,
    entries: &'a [u8],
    count: usize,
    ahead: Ahead,
}

/// Where codes and entries will be read next, for the processor to load them meanwhile. The addresses need not be valid.
#[derive(Clone, Copy)]
struct Ahead {
    /// Start of the codes.
    codes: *const u8,
    /// End of the entries.
    entries: *const u8,
    /// Bytes of an entry, or 0 for none to be loaded.
    entry_bytes: usize,
}

impl<'a> Column<'a> {
    /// Code `i` is at the start of `codes[i * stride..]`. The last 8 bytes of `entries` belong to code 0, the 8 before
    /// them to code 1, and so on; the last two of these are the code's length in bytes, little-endian. What has no
    /// counterpart is left out.
    pub fn new(codes: &'a [u8], stride: usize, entries: &'a [u8]) -> Self {
        let cells = codes.len().checked_div(stride).unwrap_or(0);
        let count = cells.min(entries.len() / ENTRY_BYTES);
        Self {
            codes: &codes[..count * stride],
            stride,
            entries: &entries[entries.len() - count * ENTRY_BYTES..],
            count,
            ahead: Ahead {
                codes: codes.as_ptr(),
                entries: codes.as_ptr(),
                entry_bytes: 0,
            },
        }
    }

    /// While this column is looked at, another one of the same stride is on its way into the processor's cache, as far as
    /// that pays: from the start of its codes on, and if asked for from the end of its entries. The addresses need not be
    /// valid.
    pub fn with_next(self, codes: *const u8, entries: *const u8, with_entries: bool) -> Self {
        let entry_bytes = if with_entries { ENTRY_BYTES } else { 0 };
        let ahead = Ahead {
            codes,
            entries,
            entry_bytes,
        };
        Self { ahead, ..self }
    }

    /// Asks the processor to load of the next column what this one has as `count` codes, at most a cache line of entries.
    #[inline(always)]
    pub(super) fn prefetch_next(&self, first: usize, count: usize) {
        const LINE: usize = 64;
        for at in (0..count * self.stride).step_by(LINE) {
            prefetch_at(self.ahead.codes.wrapping_add(first * self.stride + at));
        }
        let entries = (first + count) * self.ahead.entry_bytes;
        prefetch_at(self.ahead.entries.wrapping_sub(entries));
    }

    /// Number of codes.
    pub fn count(&self) -> usize {
        self.count
    }

    /// `count` codes.
    #[inline(always)]
    pub(super) fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// Entries of as many codes, the last one first.
    #[inline(always)]
    pub(super) fn entries(&self) -> &'a [u8] {
        self.entries
    }
}

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
    let entries = column.entries.rchunks_exact(ENTRY_BYTES).skip(done);
    for (slot, entry) in (done..column.count).zip(entries) {
        let length = usize::from(u16::from_le_bytes([entry[6], entry[7]]));
        // SAFETY: a column has `count` codes, and the length is cut to the stride and to the query.
        let is_near = unsafe {
            M::is_near::<P>(
                query.as_ptr(),
                column.codes.as_ptr().add(slot * column.stride),
                length.min(limit),
                bound,
            )
        };
        // Both asked without a branch for each: nearly always the key is too large.
        if is_near & (length != 0) {
            near.push(slot as u32);
        }
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
    if let Some(item) = items.get(offset) {
        prefetch_at(item);
    }
}

/// Asks the processor to load a cache line. The address need not be valid.
#[inline(always)]
pub(crate) fn prefetch_at<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults, and SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Keys of the rows `ids`; `u32::MAX` for an id out of range.
///
/// # Safety
/// The processor has the instruction set of `P`.
#[inline(always)]
pub(crate) unsafe fn rows<P: Popcount, M: Measure>(query: &[u8], rows: Rows<'_>, ids: &[u32], out: &mut [u32]) {
    for (key, &id) in out.iter_mut().zip(ids) {
        if id >= rows.count {
            *key = u32::MAX;
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
        if id >= rows.count {
            return false;
        }
        // SAFETY: the id was checked.
        let (code, length) = unsafe { rows.code_at(id) };
        // SAFETY: both codes hold the common prefix.
        let key = unsafe { M::key::<P>(query.as_ptr(), code, length.min(query.len())) };
        length >= min_length && key < limit
    })
}
