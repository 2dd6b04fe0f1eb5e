//! A look at all values before rows are derived from them.

use super::{Encoding, RowKind, prepare};
use crate::dense::scalar::{F16_MAX, Scalar};
use crate::metric::DenseMetric;

/// What there is to know of all values before rows are derived from them.
#[derive(Clone, Debug)]
pub struct Survey {
    metric: DenseMetric,
    scalar: Scalar,
    /// Greatest magnitude in each dimension.
    greatest: Vec<f32>,
    values: u64,
    zeros: u64,
    numbers: Vec<f32>,
}

impl Survey {
    /// Of values of this many dimensions, at most [`MAX_DIMENSIONS`](crate::dense::MAX_DIMENSIONS).
    pub fn new(metric: DenseMetric, scalar: Scalar, dimensions: usize) -> Survey {
        Survey {
            metric,
            scalar,
            greatest: vec![0.0; dimensions],
            values: 0,
            zeros: 0,
            numbers: vec![0.0; dimensions],
        }
    }

    /// Looks at a value.
    pub fn add(&mut self, value: &[u8]) {
        prepare(self.metric, self.scalar, value, &mut self.numbers);
        let mut any = 0;
        for (greatest, number) in self.greatest.iter_mut().zip(&self.numbers) {
            let magnitude = number.abs();
            *greatest = if magnitude > *greatest { magnitude } else { *greatest };
            any |= magnitude.to_bits();
        }
        self.values += 1;
        self.zeros += u64::from(any == 0);
    }

    /// Takes what another survey of values of the same dimensions has seen.
    pub fn merge(&mut self, other: &Survey) {
        for (greatest, other) in self.greatest.iter_mut().zip(&other.greatest) {
            *greatest = greatest.max(*other);
        }
        self.values += other.values;
        self.zeros += other.zeros;
    }

    /// Number of values.
    pub fn values(&self) -> u64 {
        self.values
    }

    /// Number of vectors of zeros.
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// Greatest magnitude in each dimension; under the cosine distance of vectors with the length 1, and so on.
    pub fn greatest(&self) -> &[f32] {
        &self.greatest
    }

    /// Whether numbers of 16 bits hold the values with the digits that they are meant to have: none is beyond their range, and
    /// not all are below it.
    pub fn fits_f16(&self) -> bool {
        /// Of this one the subnormal numbers have as many binary digits as a normal one.
        const LEAST: f32 = 1.0 / 4096.0;
        let greatest = self.greatest.iter().fold(0.0f32, |a, b| a.max(*b));
        greatest <= F16_MAX && (greatest >= LEAST || greatest == 0.0)
    }

    /// How to make rows of the values; None for a number of dimensions that rows cannot have.
    pub fn encoding(&self, kind: RowKind) -> Option<Encoding> {
        let scale = |greatest: &f32| greatest.min(f32::MAX) / 127.0;
        let scales: Vec<f32> = match kind {
            RowKind::I8 => self.greatest.iter().map(scale).collect(),
            RowKind::F16 | RowKind::F32 => Vec::new(),
        };
        Encoding::from_parts(self.metric, self.scalar, kind, self.greatest.len(), &scales)
    }
}
