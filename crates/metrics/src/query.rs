//! A code to search for, and order-preserving integer keys of distances to it.

use std::ops::Range;

use crate::bits::key::{hamming_key, jaccard_key, nphd_key};
use crate::bits::{Column, Group, Kernel, Words};
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

    /// The distance in fixed point: `(distance * 2^31) as u32`, at most 2^31. For a number of bits it is the fraction
    /// `bits / (bits + 128)` instead, which grows with the bits.
    ///
    /// Keys are ordered as the exact fractions are, and equal only for equal ones: denominators are at most 32,768, so
    /// distinct fractions differ by more than 2^-30. (Those of numbers of bits differ by more than 2^-24.)
    pub fn key(&self, code: &[u8]) -> u32 {
        match self.metric {
            Metric::Nphd => nphd_key(self.kernel.hamming(&self.code, code), self.code.len().min(code.len())),
            Metric::Jaccard => {
                let (both, either) = self.kernel.jaccard_counts(&self.code, code);
                jaccard_key(both, either)
            }
            Metric::Hamming => hamming_key(self.kernel.hamming(&self.code, code)),
        }
    }

    /// Fills `near` with keys and numbers of codes in a range of a group that have a key less than `below`, in ascending
    /// order of the numbers.
    pub fn near_words(&self, group: &Group<'_>, range: Range<usize>, below: u32, near: &mut Vec<(u32, u32)>) {
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
