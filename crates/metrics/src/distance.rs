//! Distances between two codes.

use crate::bits::Kernel;
use crate::bits::key::{HALF_SCALE_BITS, KEY_SCALE};
use crate::code::MAX_CODE_BYTES;
use crate::metric::Metric;

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
