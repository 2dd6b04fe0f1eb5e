//! Any processor: arrays of 32 lanes, whose loops the compiler makes vectors of.

use super::element::{Element, F16, F32};
use super::simd::{LANES, Simd};

pub(crate) struct Portable;

/// The first `count` numbers at `p`, and zeros.
///
/// # Safety
/// They are readable, and at most [`LANES`].
#[inline(always)]
unsafe fn load<E: Element>(p: *const u8, count: usize) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    for (i, lane) in lanes[..count].iter_mut().enumerate() {
        // SAFETY: promised by the caller.
        *lane = unsafe { E::number(p, i) };
    }
    lanes
}

/// Adds a term to each lane.
#[inline(always)]
fn add(mut sum: [f32; LANES], term: impl Fn(usize) -> f32) -> [f32; LANES] {
    for (i, lane) in sum.iter_mut().enumerate() {
        *lane += term(i);
    }
    sum
}

impl Simd for Portable {
    type Lanes = [f32; LANES];
    type Sums = [f64; 8];
    type Integers = i32;

    #[inline(always)]
    unsafe fn zero() -> Self::Lanes {
        [0.0; LANES]
    }

    #[inline(always)]
    unsafe fn load_f32(p: *const u8) -> Self::Lanes {
        // SAFETY: promised by the caller.
        unsafe { load::<F32>(p, LANES) }
    }

    #[inline(always)]
    unsafe fn load_f16(p: *const u8) -> Self::Lanes {
        // SAFETY: promised by the caller.
        unsafe { load::<F16>(p, LANES) }
    }

    #[inline(always)]
    unsafe fn load_part_f32(p: *const u8, count: usize) -> Self::Lanes {
        // SAFETY: promised by the caller.
        unsafe { load::<F32>(p, count) }
    }

    #[inline(always)]
    unsafe fn load_part_f16(p: *const u8, count: usize) -> Self::Lanes {
        // SAFETY: promised by the caller.
        unsafe { load::<F16>(p, count) }
    }

    #[inline(always)]
    unsafe fn store(lanes: Self::Lanes, p: *mut f32) {
        // SAFETY: promised by the caller; an array is aligned as its numbers are.
        unsafe { p.cast::<Self::Lanes>().write(lanes) }
    }

    #[inline(always)]
    unsafe fn add_products(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        add(sum, |i| a[i] * b[i])
    }

    #[inline(always)]
    unsafe fn add_squares(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        add(sum, |i| (a[i] - b[i]) * (a[i] - b[i]))
    }

    #[inline(always)]
    unsafe fn add_differences(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        add(sum, |i| (a[i] - b[i]).abs())
    }

    #[inline(always)]
    unsafe fn no_sums() -> Self::Sums {
        [0.0; 8]
    }

    #[inline(always)]
    unsafe fn fold(mut sums: Self::Sums, lanes: Self::Lanes) -> Self::Sums {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += f64::from((lanes[i] + lanes[i + 16]) + (lanes[i + 8] + lanes[i + 24]));
        }
        sums
    }

    #[inline(always)]
    unsafe fn total(sums: Self::Sums) -> f64 {
        let four = |i: usize| sums[i] + sums[i + 4];
        (four(0) + four(2)) + (four(1) + four(3))
    }

    #[inline(always)]
    unsafe fn no_integers() -> i32 {
        0
    }

    #[inline(always)]
    unsafe fn add_integer_products(mut sum: i32, query: *const i16, row: *const i8) -> i32 {
        for i in 0..LANES {
            // SAFETY: promised by the caller.
            let (x, y) = unsafe { (*query.add(i), *row.add(i)) };
            sum = sum.wrapping_add(i32::from(x) * i32::from(y));
        }
        sum
    }

    #[inline(always)]
    unsafe fn add_integer_differences(mut sum: i32, query: *const i16, weights: *const i16, row: *const i8) -> i32 {
        for i in 0..LANES {
            // SAFETY: promised by the caller.
            let (x, weight, y) = unsafe { (*query.add(i), *weights.add(i), *row.add(i)) };
            let difference = (i32::from(x) - 16 * i32::from(y)).abs();
            sum = sum.wrapping_add(difference.wrapping_mul(i32::from(weight)));
        }
        sum
    }

    #[inline(always)]
    unsafe fn integer_total(sum: i32) -> i32 {
        sum
    }
}
