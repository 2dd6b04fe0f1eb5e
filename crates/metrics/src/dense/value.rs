//! Distances of values: what operators return, and what decides the order of results.
//!
//! They are sums of 32-bit numbers in 32 lanes, 16 terms each, which are added up in 64 bits: the relative error is less
//! than 1e-6 (of |a| |b| for products, which may cancel out). No multiplication is fused with an addition and all kernels
//! have the same lanes, so a distance is the same float8 in each process and on each processor. Where the 32 bits overflow,
//! or nearly all of the sum is below their range, the sum is made in 64 bits from the start. Correlations and arcs are made in
//! 64 bits always; the sines of an arc are the system's, so its last bits may differ between machines.

use super::kernels::{Cells, Kernel};
use super::key::key_of;
use super::scalar::Scalar;
use crate::metric::DenseMetric;

/// Distance of two values; NaN where one has no direction, of zeros for a cosine, of equal numbers for a correlation. Of
/// unequal dimensions those that both have are compared.
pub fn distance(metric: DenseMetric, scalar: Scalar, a: &[u8], b: &[u8]) -> f64 {
    Kernel::active().distance(metric, scalar, a, b)
}

/// A value to search for, prepared once.
#[derive(Clone, Debug)]
pub struct Query {
    metric: DenseMetric,
    scalar: Scalar,
    numbers: Box<[f32]>,
    /// Its product with itself, for cosines.
    square: f64,
    kernel: Kernel,
}

impl Query {
    /// Copies the value.
    pub fn new(metric: DenseMetric, scalar: Scalar, value: &[u8]) -> Query {
        Self::with_kernel(Kernel::active(), metric, scalar, value)
    }

    /// The same for one kernel.
    pub fn with_kernel(kernel: Kernel, metric: DenseMetric, scalar: Scalar, value: &[u8]) -> Query {
        let numbers: Box<[f32]> = scalar.numbers(value).collect();
        Query {
            metric,
            scalar,
            square: kernel.square(&numbers),
            numbers,
            kernel,
        }
    }

    /// The metric.
    pub fn metric(&self) -> DenseMetric {
        self.metric
    }

    /// The type of the numbers of the values that this one is compared with.
    pub fn scalar(&self) -> Scalar {
        self.scalar
    }

    /// Number of dimensions.
    pub fn dimensions(&self) -> usize {
        self.numbers.len()
    }

    /// The numbers.
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// [`distance`] to another value: the very same, bit for bit.
    pub fn distance(&self, value: &[u8]) -> f64 {
        let (numbers, square) = self.common(value.len());
        self.kernel
            .distance_to(self.metric, self.scalar, numbers, square, value)
    }

    /// [`key_of`] that distance.
    pub fn key(&self, value: &[u8]) -> u64 {
        key_of(self.distance(value))
    }

    /// Adds keys and numbers of the values with a key less than `below` to `keys`, in ascending order of the numbers. Value
    /// `i` is at the start of `values[i * stride..]`; one with less than `stride` bytes left does not count.
    pub fn near(&self, values: &[u8], stride: usize, below: u64, keys: &mut Vec<(u64, u32)>) {
        let (numbers, square) = self.common(stride);
        let cells = Cells { values, stride };
        self.kernel
            .near(self.metric, self.scalar, numbers, square, cells, below, keys);
    }

    /// The part of the query that values of this many bytes are compared with.
    fn common(&self, bytes: usize) -> (&[f32], f64) {
        match self.numbers.get(..bytes / self.scalar.bytes()) {
            Some(numbers) if numbers.len() < self.numbers.len() => (numbers, self.kernel.square(numbers)),
            _ => (&self.numbers, self.square),
        }
    }
}
