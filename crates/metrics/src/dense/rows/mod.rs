//! Rows derived from values, to walk a graph on: their distances are approximate, and their keys have 31 bits.
//!
//! | kind | bytes a dimension | what a row has |
//! |---|---|---|
//! | [`RowKind::I8`] | 1 | integers from −127 to 127, in units of a scale per dimension; for L2 also the sum of the row's squares |
//! | [`RowKind::F16`] | 2 | numbers |
//! | [`RowKind::F32`] | 4 | numbers |
//!
//! Under the cosine distance the vectors have the length 1; so they have under Pearson's, and the mean 0. Not every metric has
//! rows of all kinds, see [`DenseMetric::row_kinds`]. Rows are compared with a vector of more digits, not with each
//! other, so only one of the two is rounded. The keys of all [queries](RowQuery) of an [`Encoding`] can be compared.

mod encoding;
mod query;
mod survey;
mod table;

pub use encoding::Encoding;
pub use query::RowQuery;
pub use survey::Survey;
pub use table::Rows;

use super::kernels::Kernel;
use super::scalar::Scalar;
use crate::metric::DenseMetric;

/// What a row is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RowKind {
    /// Integers of 8 bits, and a scale for each dimension.
    I8 = 0,
    /// Numbers of 16 bits.
    F16 = 1,
    /// Numbers of 32 bits.
    F32 = 2,
}

impl RowKind {
    /// Number of kinds.
    pub const COUNT: usize = 3;

    /// All kinds, from small to large.
    pub const ALL: [RowKind; Self::COUNT] = [Self::I8, Self::F16, Self::F32];

    /// Bytes of a row per dimension.
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// The name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }
}

impl DenseMetric {
    /// What rows can be made of, from small to large.
    pub const fn row_kinds(self) -> &'static [RowKind] {
        match self {
            // The logarithm of a weight, however small, counts as much as its own digits.
            Self::JensenShannon => &[RowKind::F16, RowKind::F32],
            // 16 bits hold degrees to within kilometres.
            Self::Haversine => &[RowKind::F32],
            _ => &RowKind::ALL,
        }
    }
}

/// Fills `numbers` with those of a value, zeros where it has none; under the cosine distance divided by the
/// vector's length, and before that under Pearson's less their mean.
fn prepare(metric: DenseMetric, scalar: Scalar, value: &[u8], numbers: &mut [f32]) {
    let kernel = Kernel::active();
    let count = numbers.len().min(value.len() / scalar.bytes());
    kernel.widen(scalar, value, numbers);
    numbers[count..].fill(0.0);
    if metric == DenseMetric::Pearson {
        normalize_deviations(numbers);
    } else if metric == DenseMetric::Cosine {
        let mut square = kernel.square(numbers);
        if !(1e-25..f64::INFINITY).contains(&square) {
            square = numbers.iter().map(|&number| f64::from(number).powi(2)).sum();
        }
        let factor = if square > 0.0 { square.sqrt().recip() } else { 0.0 };
        numbers
            .iter_mut()
            .for_each(|number| *number = (f64::from(*number) * factor) as f32);
    }
}

/// Takes the mean from the numbers, and gives what is left the length 1, or zeros if they are all the same.
fn normalize_deviations(numbers: &mut [f32]) {
    // Of equal numbers this is the number itself: their sum is exact.
    let mean = numbers.iter().map(|&number| f64::from(number)).sum::<f64>() / numbers.len().max(1) as f64;
    let deviation = |number: f32| f64::from(number) - mean;
    let square: f64 = numbers.iter().map(|&number| deviation(number).powi(2)).sum();
    let factor = if square > 0.0 { square.sqrt().recip() } else { 0.0 };
    numbers
        .iter_mut()
        .for_each(|number| *number = (deviation(*number) * factor) as f32);
}
