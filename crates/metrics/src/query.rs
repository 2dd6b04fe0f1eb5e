//! A code to search for, and order-preserving integer keys of distances to it.

use std::ops::Range;

use crate::bits::key::least_nphd_bits;
use crate::bits::{Column, Kernel, WordGroup, Words};
use crate::code::words_of;
use crate::metric::Metric;

/// A code to search for, prepared once.
#[derive(Clone, Debug)]
pub struct Query {
    metric: Metric,
    code: Box<[u8]>,
    /// The code in words, zero-padded.
    words: Box<[u64]>,
    kernel: Kernel,
}

impl Query {
    /// Copies the code, of at most [`MAX_CODE_BYTES`](crate::code::MAX_CODE_BYTES).
    pub fn new(metric: Metric, code: &[u8]) -> Query {
        Query {
            metric,
            code: code.into(),
            words: words_of(code),
            kernel: Kernel::active(),
        }
    }

    /// The code.
    pub fn code(&self) -> &[u8] {
        &self.code
    }

    /// The code in words, zero-padded.
    #[cfg(test)]
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// [`Metric::distance`] to another code: the very same value, bit for bit.
    pub fn distance(&self, code: &[u8]) -> f64 {
        self.metric.distance(&self.code, code)
    }

    /// The distance as an integer: of two codes the nearer one has the smaller key, equally near ones have equal keys. Less
    /// than [`NO_KEY`](crate::NO_KEY); how it is made is the metric's affair, see [`Metric::distance_of_key`].
    pub fn key(&self, code: &[u8]) -> u32 {
        self.kernel.key(self.metric, &self.code, code)
    }

    /// The most bits of `bytes` bytes that may differ where the key is less than `below`; `None` if no key is, or if the metric
    /// does not follow from their number.
    pub fn most_differing_bits(&self, bytes: usize, below: u32) -> Option<u32> {
        let least = (self.metric == Metric::Nphd).then(|| least_nphd_bits(below, bytes))?;
        least.checked_sub(1)
    }

    /// Fills `near` with keys and numbers of codes in a range of a group that have a key less than `below`, in ascending
    /// order of the numbers.
    pub fn near_words(&self, group: &WordGroup<'_>, range: Range<usize>, below: u32, near: &mut Vec<(u32, u32)>) {
        let words = Words::new(&self.words, self.code.len(), group);
        self.kernel.near_words(self.metric, &words, range, below, near);
    }

    /// Adds the numbers of codes in a column whose key is less than `below` to `near`, in ascending order. A code without
    /// bytes (a NULL) is never among them; a length above the stride counts as the stride.
    ///
    /// A code is meant to be followed by zeros up to the stride. One that is not, on a damaged page, may be compared in
    /// its whole cell instead.
    pub fn near(&self, column: Column<'_>, below: u32, near: &mut Vec<u32>) {
        self.kernel.near(self.metric, &self.code, column, below, near);
    }
}
