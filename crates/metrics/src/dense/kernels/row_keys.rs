//! Keys of rows, as the loops are compiled for them.

use std::marker::PhantomData;
use std::sync::Arc;

use super::arc;
use super::divergence::Divergences;
use super::element::{Element, F32};
use super::simd::{LANES, Simd};
use super::sums::{self, Differences, Products, SquaredDifferences, Terms};
use crate::dense::key::{row_key, signed_row_key};
use crate::dense::rows::RowKind;
use crate::metric::DenseMetric;

/// Integers of 16 bits that one of 8 bits is divided into where differences are taken.
pub(crate) const STEPS: i16 = 16;

/// Bytes of a row's own square, after its integers.
pub(crate) const SQUARE_BYTES: usize = 4;

/// What rows are compared by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(crate) enum Comparison {
    /// Products: the greater, the nearer.
    #[default]
    Products = 0,
    /// Squares of differences.
    Squares = 1,
    /// Differences.
    Differences = 2,
    /// Divergences of weights, and halves of arcs: both only of rows of numbers.
    Divergences = 3,
    /// See above.
    Arcs = 4,
}

impl Comparison {
    pub(crate) const COUNT: usize = 5;

    pub(crate) fn of(metric: DenseMetric) -> Self {
        match metric {
            DenseMetric::Cosine | DenseMetric::InnerProduct | DenseMetric::Pearson => Self::Products,
            DenseMetric::L2 => Self::Squares,
            DenseMetric::L1 => Self::Differences,
            DenseMetric::JensenShannon => Self::Divergences,
            DenseMetric::Haversine => Self::Arcs,
        }
    }
}

/// What rows are compared with.
#[derive(Clone, Debug)]
pub(crate) struct Center {
    pub(crate) kind: RowKind,
    pub(crate) comparison: Comparison,
    pub(crate) dimensions: usize,
    /// For rows of numbers: a number for each dimension.
    pub(crate) numbers: Vec<f32>,
    /// For rows of integers: see [`Center::set_integers`].
    pub(crate) integers: Vec<i16>,
    /// The same for [`Comparison::Differences`]: how much a dimension counts.
    pub(crate) weights: Arc<[i16]>,
    /// For rows of integers: what is added to all distances, and what a sum of integers is multiplied by.
    pub(crate) constant: f64,
    pub(crate) scale: f64,
}

impl Default for Center {
    fn default() -> Self {
        Self {
            kind: RowKind::F32,
            comparison: Comparison::Products,
            dimensions: 0,
            numbers: Vec::new(),
            integers: Vec::new(),
            weights: Arc::new([]),
            constant: 0.0,
            scale: 0.0,
        }
    }
}

impl Center {
    /// Bytes of a row.
    pub(crate) fn row_bytes(&self) -> usize {
        row_bytes(self.kind, self.comparison, self.dimensions)
    }

    /// Whether it has all the numbers that the loops read.
    #[inline(always)]
    pub(super) fn is_complete(&self) -> bool {
        let integers = padded(self.dimensions);
        match (self.kind, self.comparison) {
            (RowKind::I8, Comparison::Differences) => self.integers.len() == integers && self.weights.len() == integers,
            (RowKind::I8, Comparison::Products | Comparison::Squares) => self.integers.len() == integers,
            (RowKind::I8, Comparison::Divergences | Comparison::Arcs) => false,
            _ => self.numbers.len() == self.dimensions,
        }
    }
}

/// Bytes of a row.
pub(crate) fn row_bytes(kind: RowKind, comparison: Comparison, dimensions: usize) -> usize {
    match (kind, comparison) {
        (RowKind::I8, Comparison::Squares) => dimensions + SQUARE_BYTES,
        _ => kind.bytes() * dimensions,
    }
}

/// Integers that stand for as many dimensions: a multiple of [`LANES`].
pub(crate) fn padded(dimensions: usize) -> usize {
    dimensions.next_multiple_of(LANES)
}

/// Where the integer of a dimension stands. What is left of the dimensions after the last multiple of [`LANES`] is compared
/// with the last [`LANES`] bytes of the row, so it stands at the end, after zeros; unless the row is shorter than that.
#[inline(always)]
pub(crate) fn place(dimensions: usize, dimension: usize) -> usize {
    let whole = dimensions - dimensions % LANES;
    if dimension < whole || whole == 0 {
        dimension
    } else {
        dimension + padded(dimensions) - dimensions
    }
}

/// A row's key, for one kind of rows and one comparison.
pub(crate) trait RowKey {
    /// The key of a row.
    ///
    /// # Safety
    /// The center is complete and of this kind and comparison, `row` is readable for a row's bytes, and the processor has the
    /// instruction set.
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32;
}

/// Rows of numbers.
pub(crate) struct Numbers<E, T>(PhantomData<(E, T)>);
/// Rows of integers of 8 bits.
pub(crate) struct Integers<T>(PhantomData<T>);

/// Sum of terms over the center's and a row's numbers.
///
/// # Safety
/// As for [`RowKey::key`].
#[inline(always)]
unsafe fn sum<S: Simd, E: Element, T: Terms<1>>(center: &Center, row: *const u8) -> f32 {
    let numbers = center.numbers.as_ptr().cast();
    // SAFETY: promised by the caller.
    unsafe { sums::sums::<S, F32, E, T, 1>(numbers, row, center.dimensions)[0] as f32 }
}

impl<E: Element> RowKey for Numbers<E, Products> {
    #[inline(always)]
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32 {
        // SAFETY: promised by the caller.
        signed_row_key(-unsafe { sum::<S, E, Products>(center, row) })
    }
}

impl<E: Element> RowKey for Numbers<E, SquaredDifferences> {
    #[inline(always)]
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32 {
        // SAFETY: promised by the caller.
        row_key(unsafe { sum::<S, E, SquaredDifferences>(center, row) })
    }
}

impl<E: Element> RowKey for Numbers<E, Differences> {
    #[inline(always)]
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32 {
        // SAFETY: promised by the caller.
        row_key(unsafe { sum::<S, E, Differences>(center, row) })
    }
}

impl<E: Element> RowKey for Numbers<E, Divergences> {
    #[inline(always)]
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32 {
        // SAFETY: promised by the caller.
        row_key(unsafe { sum::<S, E, Divergences>(center, row) })
    }
}

/// [`Comparison::Arcs`].
pub(crate) struct Arcs;

impl<E: Element> RowKey for Numbers<E, Arcs> {
    #[inline(always)]
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32 {
        let numbers = center.numbers.as_ptr().cast();
        // SAFETY: promised by the caller.
        row_key(unsafe { arc::haversine::<F32, E>(numbers, row, center.dimensions) } as f32)
    }
}

/// Sum of the products of the center's and a row's integers, as numbers.
///
/// # Safety
/// As for [`RowKey::key`].
#[inline(always)]
unsafe fn product<S: Simd>(center: &Center, row: *const u8) -> f64 {
    // SAFETY: promised by the caller.
    let sum = unsafe { sums::integer_products::<S>(center.integers.as_ptr(), row.cast(), center.dimensions) };
    center.scale * f64::from(sum)
}

impl RowKey for Integers<Products> {
    #[inline(always)]
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32 {
        // SAFETY: promised by the caller.
        signed_row_key(-unsafe { product::<S>(center, row) } as f32)
    }
}

impl RowKey for Integers<SquaredDifferences> {
    #[inline(always)]
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32 {
        // SAFETY: promised by the caller; a row's square follows its integers.
        let (square, product) = unsafe { (F32::number(row.add(center.dimensions), 0), product::<S>(center, row)) };
        // Errors of rounding can make it negative.
        row_key((center.constant + f64::from(square) - 2.0 * product).max(0.0) as f32)
    }
}

impl RowKey for Integers<Differences> {
    #[inline(always)]
    unsafe fn key<S: Simd>(center: &Center, row: *const u8) -> u32 {
        let (integers, weights) = (center.integers.as_ptr(), center.weights.as_ptr());
        // SAFETY: promised by the caller.
        let sum = unsafe { sums::integer_differences::<S>(integers, weights, row.cast(), center.dimensions) };
        row_key((center.constant + center.scale * sum as f64) as f32)
    }
}

/// A function for each kind of rows and each comparison, by their numbers.
macro_rules! by_row {
    ($function:ident) => {
        [
            [
                $function::<Integers<Products>>,
                $function::<Integers<SquaredDifferences>>,
                $function::<Integers<Differences>>,
                // Never called: such a center is not complete.
                $function::<Integers<Differences>>,
                $function::<Integers<Differences>>,
            ],
            [
                $function::<Numbers<F16, Products>>,
                $function::<Numbers<F16, SquaredDifferences>>,
                $function::<Numbers<F16, Differences>>,
                $function::<Numbers<F16, Divergences>>,
                $function::<Numbers<F16, Arcs>>,
            ],
            [
                $function::<Numbers<F32, Products>>,
                $function::<Numbers<F32, SquaredDifferences>>,
                $function::<Numbers<F32, Differences>>,
                $function::<Numbers<F32, Divergences>>,
                $function::<Numbers<F32, Arcs>>,
            ],
        ]
    };
}
pub(super) use by_row;
