//! Rows derived from values, to walk a graph on: their distances are approximate, and their keys have 31 bits.
//!
//! | kind | bytes a dimension | what a row has |
//! |---|---|---|
//! | [`RowKind::I8`] | 1 | integers from −127 to 127, in units of a scale per dimension; for L2 also the sum of the row's squares |
//! | [`RowKind::F16`] | 2 | numbers |
//! | [`RowKind::F32`] | 4 | numbers |
//!
//! Under the cosine distance the vectors have the length 1. Rows are compared with a vector of more digits, not with each
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

    /// The name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }
}

/// Fills `numbers` with those of a value, zeros where it has none; under the cosine distance divided by the vector's length.
fn prepare(metric: DenseMetric, scalar: Scalar, value: &[u8], numbers: &mut [f32]) {
    let kernel = Kernel::active();
    let count = numbers.len().min(value.len() / scalar.bytes());
    kernel.widen(scalar, value, numbers);
    numbers[count..].fill(0.0);
    if metric == DenseMetric::Cosine {
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
