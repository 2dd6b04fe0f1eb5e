//! The metrics between values, as the loops are compiled for them.

use super::arc;
use super::correlation;
use super::divergence::Divergences;
use super::element::Element;
use super::simd::Simd;
use super::sums::{Differences, Products, ProductsAndSquares, SquaredDifferences, sums, wide_sums};

/// A metric of values.
pub(crate) trait Measure {
    /// Whether the product of a query with itself takes part.
    const WITH_SQUARE: bool = false;

    /// Distance of two vectors of `count` numbers. `square` is the product of `a` with itself.
    ///
    /// # Safety
    /// As for [`sums`].
    unsafe fn distance<S: Simd, A: Element, B: Element>(a: *const u8, b: *const u8, count: usize, square: f64) -> f64;
}

/// [`DenseMetric::Cosine`](crate::DenseMetric::Cosine).
pub(crate) struct Cosine;
/// [`DenseMetric::InnerProduct`](crate::DenseMetric::InnerProduct).
pub(crate) struct InnerProduct;
/// [`DenseMetric::L2`](crate::DenseMetric::L2).
pub(crate) struct L2;
/// [`DenseMetric::L1`](crate::DenseMetric::L1).
pub(crate) struct L1;

/// [`DenseMetric::Pearson`](crate::DenseMetric::Pearson).
pub(crate) struct Pearson;
/// [`DenseMetric::JensenShannon`](crate::DenseMetric::JensenShannon).
pub(crate) struct JensenShannon;
/// [`DenseMetric::Haversine`](crate::DenseMetric::Haversine).
pub(crate) struct Haversine;

/// A function for each metric, by the metric's number.
macro_rules! by_metric {
    ($function:ident $(, $element:ident)*) => {
        [
            $function::<$crate::dense::kernels::values::Cosine $(, $element)*>,
            $function::<$crate::dense::kernels::values::InnerProduct $(, $element)*>,
            $function::<$crate::dense::kernels::values::L2 $(, $element)*>,
            $function::<$crate::dense::kernels::values::L1 $(, $element)*>,
            $function::<$crate::dense::kernels::values::Pearson $(, $element)*>,
            $function::<$crate::dense::kernels::values::JensenShannon $(, $element)*>,
            $function::<$crate::dense::kernels::values::Haversine $(, $element)*>,
        ]
    };
}
pub(super) use by_metric;

/// Sums of squares that are not made of terms below the range of 32 bits, or above it.
const LEAST_SQUARES: f64 = 1e-25;

/// The same for sums of terms that are no squares.
const LEAST_TERMS: f64 = 1e-30;

/// Whether a sum of squares is what it should be.
#[inline(always)]
fn is_sound(squares: f64) -> bool {
    (LEAST_SQUARES..f64::INFINITY).contains(&squares)
}

impl Measure for Cosine {
    const WITH_SQUARE: bool = true;

    #[inline(always)]
    unsafe fn distance<S: Simd, A: Element, B: Element>(a: *const u8, b: *const u8, count: usize, square: f64) -> f64 {
        // SAFETY: promised by the caller.
        let [mut product, mut other] = unsafe { sums::<S, A, B, ProductsAndSquares, 2>(a, b, count) };
        let mut square = square;
        if !(is_sound(square) & is_sound(other) & product.is_finite()) {
            // SAFETY: promised by the caller.
            unsafe {
                [product, other] = wide_sums::<A, B, ProductsAndSquares, 2>(a, b, count);
                [square] = wide_sums::<A, A, Products, 1>(a, a, count);
            }
        }
        // NaN stays NaN.
        1.0 - (product / (square * other).sqrt()).clamp(-1.0, 1.0)
    }
}

impl Measure for InnerProduct {
    #[inline(always)]
    unsafe fn distance<S: Simd, A: Element, B: Element>(a: *const u8, b: *const u8, count: usize, _: f64) -> f64 {
        // SAFETY: promised by the caller.
        let [mut product] = unsafe { sums::<S, A, B, Products, 1>(a, b, count) };
        if !product.is_finite() {
            // SAFETY: promised by the caller.
            [product] = unsafe { wide_sums::<A, B, Products, 1>(a, b, count) };
        }
        0.0 - product
    }
}

impl Measure for L2 {
    #[inline(always)]
    unsafe fn distance<S: Simd, A: Element, B: Element>(a: *const u8, b: *const u8, count: usize, _: f64) -> f64 {
        // SAFETY: promised by the caller.
        let [mut squares] = unsafe { sums::<S, A, B, SquaredDifferences, 1>(a, b, count) };
        if !is_sound(squares) {
            // SAFETY: promised by the caller.
            [squares] = unsafe { wide_sums::<A, B, SquaredDifferences, 1>(a, b, count) };
        }
        squares.sqrt()
    }
}

impl Measure for L1 {
    #[inline(always)]
    unsafe fn distance<S: Simd, A: Element, B: Element>(a: *const u8, b: *const u8, count: usize, _: f64) -> f64 {
        // SAFETY: promised by the caller.
        let [mut sum] = unsafe { sums::<S, A, B, Differences, 1>(a, b, count) };
        if !sum.is_finite() {
            // SAFETY: promised by the caller.
            [sum] = unsafe { wide_sums::<A, B, Differences, 1>(a, b, count) };
        }
        sum
    }
}

impl Measure for Pearson {
    #[inline(always)]
    unsafe fn distance<S: Simd, A: Element, B: Element>(a: *const u8, b: *const u8, count: usize, _: f64) -> f64 {
        // SAFETY: promised by the caller. NaN stays NaN.
        1.0 - unsafe { correlation::of::<A, B>(a, b, count) }.clamp(-1.0, 1.0)
    }
}

impl Measure for JensenShannon {
    #[inline(always)]
    unsafe fn distance<S: Simd, A: Element, B: Element>(a: *const u8, b: *const u8, count: usize, _: f64) -> f64 {
        // SAFETY: promised by the caller.
        let [mut sum] = unsafe { sums::<S, A, B, Divergences, 1>(a, b, count) };
        if !(LEAST_TERMS..f64::INFINITY).contains(&sum) {
            // SAFETY: promised by the caller.
            [sum] = unsafe { wide_sums::<A, B, Divergences, 1>(a, b, count) };
        }
        sum
    }
}

impl Measure for Haversine {
    #[inline(always)]
    unsafe fn distance<S: Simd, A: Element, B: Element>(a: *const u8, b: *const u8, count: usize, _: f64) -> f64 {
        // SAFETY: promised by the caller.
        arc::of_haversine(unsafe { arc::haversine::<A, B>(a, b, count) })
    }
}
