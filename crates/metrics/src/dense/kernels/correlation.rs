//! Pearson's correlation.

use super::element::Element;

/// Sums that are made side by side, so that the compiler makes vectors of them.
const LANES: usize = 8;

/// Pearson's correlation of two vectors, in 64 bits: from -1 to 1 but for errors of rounding; NaN if the numbers of one are all
/// the same.
///
/// # Safety
/// `a` and `b` are readable for `count` numbers.
#[inline(always)]
pub(crate) unsafe fn of<A: Element, B: Element>(a: *const u8, b: *const u8, count: usize) -> f64 {
    // The means first: the sums of products less the product of sums would cancel out.
    let (mut a_sums, mut b_sums) = ([0.0; LANES], [0.0; LANES]);
    for at in (0..count).step_by(LANES) {
        for lane in 0..LANES.min(count - at) {
            // SAFETY: less than `count`.
            let (x, y) = unsafe { (A::number(a, at + lane), B::number(b, at + lane)) };
            a_sums[lane] += f64::from(x);
            b_sums[lane] += f64::from(y);
        }
    }
    // Of equal numbers this is the number itself: their sums are exact.
    let (a_mean, b_mean) = (total(a_sums) / count as f64, total(b_sums) / count as f64);
    let [mut products, mut a_squares, mut b_squares] = [[0.0; LANES]; 3];
    for at in (0..count).step_by(LANES) {
        for lane in 0..LANES.min(count - at) {
            // SAFETY: less than `count`.
            let (x, y) = unsafe { (A::number(a, at + lane), B::number(b, at + lane)) };
            let (x, y) = (f64::from(x) - a_mean, f64::from(y) - b_mean);
            products[lane] += x * y;
            a_squares[lane] += x * x;
            b_squares[lane] += y * y;
        }
    }
    total(products) / (total(a_squares).sqrt() * total(b_squares).sqrt())
}

#[inline(always)]
fn total(sums: [f64; LANES]) -> f64 {
    sums.iter().sum()
}
