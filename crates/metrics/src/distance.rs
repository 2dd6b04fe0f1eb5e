//! Distances between two codes.

use crate::bits::Kernel;
use crate::bits::key::{ONE, fraction_of, least_count};
use crate::metric::{BitMetric, Keys, Metric};

impl Metric {
    /// Distance of two codes, 0.0 to 1.0, or a number of bits; 0.0 if either is empty (or, for Jaccard and Sørensen, no bit is set
    /// in either). For metrics of codes, as all that follows; dense vectors have [distances](crate::dense::distance) of their own.
    pub fn distance(self, a: &[u8], b: &[u8]) -> f64 {
        match self.bits() {
            BitMetric::Nphd => {
                let m = a.len().min(b.len());
                if m == 0 {
                    0.0
                } else {
                    f64::from(hamming(a, b)) / (8 * m) as f64
                }
            }
            BitMetric::Jaccard => {
                let (both, either) = jaccard_counts(a, b);
                if either == 0 {
                    0.0
                } else {
                    f64::from(either - both) / f64::from(either)
                }
            }
            BitMetric::Sorensen => {
                let (both, either) = jaccard_counts(a, b);
                if either == 0 {
                    0.0
                } else {
                    f64::from(either - both) / f64::from(either + both)
                }
            }
            BitMetric::Hamming => f64::from(hamming(a, b)),
        }
    }

    /// The distance that a key was made from, see [`Query::key`](crate::Query::key): a fraction rounded down to a multiple of
    /// 2^-31, or the very number of bits. For any other key it is the least number of bits whose key is not smaller.
    pub fn distance_of_key(self, key: u32) -> f64 {
        match self.bits().keys() {
            Keys::Fraction => fraction_of(key),
            Keys::Count => least_count(key),
        }
    }

    /// Number of classes that distances are sorted into, from near to far.
    pub const CLASSES: usize = 8;

    /// The key at which a class of distance ends.
    pub fn class_end_key(self, class: usize) -> u32 {
        match self.bits().keys() {
            Keys::Fraction | Keys::Count if class + 1 < Self::CLASSES => (class as u32 + 1) * CLASS_WIDTH,
            Keys::Fraction | Keys::Count => ONE,
        }
    }

    /// The distance at which a class ends.
    pub fn class_end(self, class: usize) -> f64 {
        self.distance_of_key(self.class_end_key(class))
    }
}

/// Width of all classes but the last, as a key: a sixteenth. For numbers of bits the first ones end before 9, 19 and 30 bits.
const CLASS_WIDTH: u32 = ONE / 16;

/// Number of differing bits over the common prefix.
pub fn hamming(a: &[u8], b: &[u8]) -> u32 {
    Kernel::active().hamming(a, b)
}

/// Number of bits set in both, and in either, over the common prefix.
pub fn jaccard_counts(a: &[u8], b: &[u8]) -> (u32, u32) {
    Kernel::active().jaccard_counts(a, b)
}
