//! The Jensen-Shannon divergence, number by number.
//!
//! With the mean m of two weights a and b, and x = (a − b) / (a + b), the term a ln(a / m) + b ln(b / m) is m f(x), where f(x) is
//! (1 + x) ln(1 + x) + (1 − x) ln(1 − x). For a small x the two logarithms cancel out, so f is the sum of its series instead,
//! x² + x⁴ / 6 + x⁶ / 15 + … It is the same sequence of operations on all processors, and the compiler makes vectors of it.

use super::simd::{LANES, Simd};
use super::sums::Terms;

/// Half of a ln(a / m) + b ln(b / m), where m is the mean of a and b.
pub(crate) struct Divergences;

impl Terms<1> for Divergences {
    #[inline(always)]
    unsafe fn add<S: Simd>([sum]: [S::Lanes; 1], a: S::Lanes, b: S::Lanes) -> [S::Lanes; 1] {
        let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
        // SAFETY: promised by the caller; arrays have as many numbers.
        unsafe {
            S::store(a, x.as_mut_ptr());
            S::store(b, y.as_mut_ptr());
            for (x, &y) in x.iter_mut().zip(&y) {
                *x = term(*x, y);
            }
            // No term is negative.
            [S::add_differences(sum, S::load_f32(x.as_ptr().cast()), S::zero())]
        }
    }

    fn of_pair(a: f64, b: f64) -> [f64; 1] {
        let sum = a + b;
        let x = (a - b) / sum;
        let of = |part: f64| if part > 0.0 { part * part.ln() } else { 0.0 };
        let f = if x.abs() < 0.5 {
            (1.0 + x) * x.ln_1p() + (1.0 - x) * (-x).ln_1p()
        } else {
            of(2.0 * a / sum) + of(2.0 * b / sum)
        };
        [if sum > 0.0 { (sum / 4.0 * f).max(0.0) } else { 0.0 }]
    }
}

/// Up to here the series is used: the next term would be less than 2e-8 of the sum.
const MOST_SQUARE: f32 = 0.36;

/// Terms of the series.
const TERMS: usize = 12;

/// 1 / (k (2k − 1)).
const SERIES: [f32; TERMS] = {
    let mut series = [0.0; TERMS];
    let mut k = 1;
    while k <= TERMS {
        series[k - 1] = 1.0 / (k * (2 * k - 1)) as f32;
        k += 1;
    }
    series
};

#[inline(always)]
fn term(a: f32, b: f32) -> f32 {
    let sum = a + b;
    let x = (a - b) / sum;
    let square = x * x;
    let mut near = SERIES[TERMS - 1];
    for k in (0..TERMS - 1).rev() {
        near = near * square + SERIES[k];
    }
    let (first, second) = (2.0 * (a / sum), 2.0 * (b / sum));
    let far = first * logarithm(first) + second * logarithm(second);
    let f = if square <= MOST_SQUARE { square * near } else { far };
    if sum > 0.0 { 0.25 * sum * f } else { 0.0 }
}

/// The natural logarithm of a number from 0 to 2; that of 0 is some number.
#[inline(always)]
fn logarithm(number: f32) -> f32 {
    let bits = number.to_bits();
    // number = 2^exponent · part, with the part from about 0.71 to 1.41.
    const HALF_ROOT: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    let exponent = (bits.wrapping_sub(HALF_ROOT) as i32) >> 23;
    let part = f32::from_bits(bits.wrapping_sub((exponent << 23) as u32));
    // ln(part) = 2 artanh(s), with s at most 0.172: the next term would be less than 1e-8 of the sum.
    let s = (part - 1.0) / (part + 1.0);
    let square = s * s;
    let series = 1.0 + square * (1.0 / 3.0 + square * (1.0 / 5.0 + square * (1.0 / 7.0 + square * (1.0 / 9.0))));
    2.0 * s * series + exponent as f32 * std::f32::consts::LN_2
}
