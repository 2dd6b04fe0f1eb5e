//! Vectors that look random, and distances in 64 bits.

use iscc_metrics::DenseMetric;
use iscc_metrics::dense::Scalar;

/// Reproducible random numbers (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From -1 to 1, with few digits: numbers of 16 bits hold it.
    pub fn number(&mut self) -> f32 {
        (self.next() % 2001) as f32 / 1024.0 - 1000.0 / 1024.0
    }

    pub fn vector(&mut self, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| self.number()).collect()
    }
}

/// Numbers of dimensions that use all parts of the loops.
pub fn all_dimensions() -> Vec<usize> {
    if cfg!(miri) {
        vec![1, 31, 33, 70]
    } else {
        (1..=70).chain([127, 128, 129, 384, 513, 1000, 16_000]).collect()
    }
}

/// The value, which is not aligned, and nothing follows: an over-read would be found by Miri.
pub fn value(scalar: Scalar, numbers: &[f32]) -> Vec<u8> {
    match scalar {
        Scalar::F32 => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        Scalar::F16 => numbers.iter().flat_map(|number| half(*number).to_le_bytes()).collect(),
    }
}

/// A number of 16 bits that is one exactly, and normal or 0.
fn half(number: f32) -> u16 {
    let bits = number.to_bits();
    if number == 0.0 {
        return 0;
    }
    let half = (bits >> 16 & 0x8000) | ((bits & 0x7FFF_FFFF) - (112 << 23)) >> 13;
    half as u16
}

pub fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The distance, and what its error is measured by.
pub fn oracle(metric: DenseMetric, a: &[f32], b: &[f32]) -> (f64, f64) {
    let length = |v| product(v, v).sqrt();
    let differences = || a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b));
    match metric {
        DenseMetric::Cosine => (1.0 - (product(a, b) / (length(a) * length(b))).clamp(-1.0, 1.0), 1.0),
        DenseMetric::InnerProduct => (-product(a, b), length(a) * length(b)),
        DenseMetric::L2 => {
            let distance = differences().map(|d| d * d).sum::<f64>().sqrt();
            (distance, distance)
        }
        DenseMetric::L1 => {
            let distance = differences().map(f64::abs).sum();
            (distance, distance)
        }
    }
}
