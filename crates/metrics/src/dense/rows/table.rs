//! Rows in memory.

use crate::prefetch::{CACHE_LINE, prefetch};

/// Rows of the same size one after the other; row = node number.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    bytes: &'a [u8],
    stride: usize,
    count: u32,
}

impl<'a> Rows<'a> {
    /// Row `i` is at the start of `bytes[i * stride..]`; a partial row at the end is left out.
    pub fn new(bytes: &'a [u8], stride: usize) -> Self {
        let count = bytes.len().checked_div(stride).unwrap_or(0);
        Self {
            bytes,
            stride,
            count: u32::try_from(count).unwrap_or(u32::MAX),
        }
    }

    /// Number of rows.
    #[inline(always)]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes from one row to the next.
    #[inline(always)]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// A row, or `None` beyond the last one.
    #[inline(always)]
    pub fn row(&self, id: u32) -> Option<&'a [u8]> {
        if id >= self.count {
            return None;
        }
        let start = id as usize * self.stride;
        self.bytes.get(start..start + self.stride)
    }

    /// Asks the processor to load the first bytes of a row soon.
    #[inline(always)]
    pub fn prefetch(&self, id: u32, bytes: usize) {
        let start = id as usize * self.stride;
        for at in (0..bytes).step_by(CACHE_LINE) {
            prefetch(self.bytes, start + at);
        }
        // A row rarely starts on a cache line, so its end is often in the next one.
        prefetch(self.bytes, start + bytes.saturating_sub(1));
    }
}
