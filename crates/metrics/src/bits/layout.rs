//! How codes lie in memory where many are compared: pages of the log, rows and word columns of a shard.

use crate::code::WORD_BYTES;
use crate::prefetch::{prefetch, prefetch_at, prefetch_lines};

/// Bytes of one entry of a column: a heap TID, and the code's length in the last two.
pub const ENTRY_BYTES: usize = 8;

/// The two columns of a log page: codes from the front, zero-padded to the stride, and entries from the back.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    codes: &'a [u8],
    pub(super) stride: usize,
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

    /// While this column is looked at, another column of the same stride is on its way into the processor's cache, as far as
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
    pub(crate) fn prefetch_next(&self, first: usize, count: usize) {
        prefetch_lines(self.ahead.codes.wrapping_add(first * self.stride), count * self.stride);
        let entries = (first + count) * self.ahead.entry_bytes;
        prefetch_at(self.ahead.entries.wrapping_sub(entries));
    }

    /// Number of codes.
    pub fn count(&self) -> usize {
        self.count
    }

    /// `count` codes.
    #[inline(always)]
    pub(crate) fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// Entries of as many codes, the last one first.
    #[inline(always)]
    pub(crate) fn entries(&self) -> &'a [u8] {
        self.entries
    }
}

/// Fixed-size rows of `[length][code][zero padding]`, the vectors of a shard; row = node number.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    bytes: &'a [u8],
    count: u32,
    stride: usize,
    length_bytes: usize,
}

impl<'a> Rows<'a> {
    /// Rows of codes of at most `max_code_bytes`; a partial row at the end is left out.
    pub fn new(bytes: &'a [u8], max_code_bytes: usize) -> Self {
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
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Length and address of the code in `row`; the length is clamped to the row.
    ///
    /// # Safety
    /// `row < self.count()`.
    #[inline(always)]
    pub(super) unsafe fn code_at(&self, row: u32) -> (*const u8, usize) {
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
    pub fn code(&self, row: u32) -> Option<&'a [u8]> {
        if row >= self.count {
            return None;
        }
        // SAFETY: the row was checked; `code_at` clamps the length to the row, which lives as long as `bytes`.
        Some(unsafe {
            let (start, length) = self.code_at(row);
            std::slice::from_raw_parts(start, length)
        })
    }

    /// Where a row is; nothing is read. Empty beyond the last row.
    pub fn row(&self, row: u32) -> &'a [u8] {
        let start = row as usize * self.stride;
        self.bytes.get(start..start + self.stride).unwrap_or_default()
    }

    /// Asks the processor to load a row soon.
    #[inline(always)]
    pub fn prefetch(&self, row: u32) {
        let start = row as usize * self.stride;
        prefetch(self.bytes, start);
        // A row rarely starts on a cache line, so its end is often in the next one.
        prefetch(self.bytes, start + self.stride - 1);
    }
}

/// Size of a row's length field: one byte as iscc-usearch has it, two where the codes are too long for that.
pub const fn length_bytes(max_code_bytes: usize) -> usize {
    if max_code_bytes <= 255 { 1 } else { 2 }
}

/// Codes of one length, in columns of words.
#[derive(Clone, Copy, Debug)]
pub struct WordGroup<'a> {
    /// Length of the codes.
    pub code_bytes: usize,
    /// Node of each code; none when the codes are all nodes in their order.
    pub numbers: Option<&'a [[u8; 4]]>,
    /// Columns of `count` words.
    pub words: &'a [[u8; WORD_BYTES]],
    /// Number of codes.
    pub count: usize,
}

impl WordGroup<'_> {
    /// Whether the words of a code are these bytes.
    pub fn holds(&self, index: usize, code: &[u8]) -> bool {
        let padded = |(column, part): (usize, &[u8])| {
            let mut word = [0; WORD_BYTES];
            word[..part.len()].copy_from_slice(part);
            self.words.get(column * self.count + index) == Some(&word)
        };
        code.len() == self.code_bytes && code.chunks(WORD_BYTES).enumerate().all(padded)
    }

    /// Node of a code, unchecked; `u32::MAX` beyond the last one.
    pub fn node(&self, index: usize) -> u32 {
        match self.numbers {
            None => index as u32,
            Some(numbers) => numbers.get(index).map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes)),
        }
    }
}
