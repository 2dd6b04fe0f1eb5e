//! Distances between binary codes of any length, and their fixed-point keys.
//!
//! All metrics look at the common prefix only: `m` is the smaller of the two lengths in bytes. Over codes of mixed
//! lengths none is a metric in the mathematical sense (a short code is at distance 0 from every code that it is a
//! prefix of), so nothing here or in the graph prunes by the triangle inequality.

use std::ops::Range;

use crate::kernels::{Column, HALF_SCALE_BITS, Kernel, Words, hamming_key, jaccard_key, nphd_key};
use crate::words::{Group, WORD_BYTES};

/// Longest code in bytes.
pub const MAX_CODE_BYTES: usize = 4096;

/// 2^31: the scale of a key, see [`Query::key`].
pub(crate) const KEY_SCALE: f64 = 2_147_483_648.0;

/// How two codes are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    /// Normalized prefix Hamming distance: differing bits over the common prefix, divided by its bits.
    Nphd,
    /// Jaccard distance of the sets of one bits, over the common prefix.
    Jaccard,
    /// Number of differing bits over the common prefix.
    Hamming,
}

impl Metric {
    /// Distance of two codes, 0.0 to 1.0, or a number of bits; 0.0 if either is empty (or, for Jaccard, no bit is set in
    /// either).
    pub fn distance(self, a: &[u8], b: &[u8]) -> f64 {
        match self {
            Self::Nphd => {
                let m = a.len().min(b.len());
                if m == 0 {
                    0.0
                } else {
                    f64::from(hamming(a, b)) / (8 * m) as f64
                }
            }
            Self::Jaccard => {
                let (both, either) = jaccard_counts(a, b);
                if either == 0 {
                    0.0
                } else {
                    f64::from(either - both) / f64::from(either)
                }
            }
            Self::Hamming => f64::from(hamming(a, b)),
        }
    }

    /// The distance that a key was made from, see [`Query::key`]: rounded down to a multiple of 2^-31, or the very number of
    /// bits. Of any other key the least number of bits whose key is not smaller.
    pub fn distance_of_key(self, key: u32) -> f64 {
        let fraction = f64::from(key) / KEY_SCALE;
        match self {
            Self::Nphd | Self::Jaccard => fraction,
            Self::Hamming => {
                let bits = f64::from(HALF_SCALE_BITS) * fraction / (1.0 - fraction);
                bits.ceil().clamp(0.0, (8 * MAX_CODE_BYTES) as f64)
            }
        }
    }
}

/// Number of differing bits over the common prefix.
pub fn hamming(a: &[u8], b: &[u8]) -> u32 {
    Kernel::active().hamming(a, b)
}

/// Number of bits set in both, and in either, over the common prefix.
pub fn jaccard_counts(a: &[u8], b: &[u8]) -> (u32, u32) {
    Kernel::active().jaccard_counts(a, b)
}

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
    /// Copies the code, of at most [`MAX_CODE_BYTES`].
    pub fn new(metric: Metric, code: &[u8]) -> Query {
        Query {
            metric,
            code: code.into(),
            words: code.chunks(WORD_BYTES).map(padded_word).collect(),
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
    pub(crate) fn near_words(&self, group: &Group<'_>, range: Range<usize>, below: u32, near: &mut Vec<(u32, u32)>) {
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

fn padded_word(bytes: &[u8]) -> u64 {
    let mut word = [0; WORD_BYTES];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}
