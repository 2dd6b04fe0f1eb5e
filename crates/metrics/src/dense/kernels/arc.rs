//! Arcs between points on a sphere.

use super::element::Element;

/// The haversine of the angle between two points, from 0 to 1: (1 − its cosine) / 2. A point is its latitude and its longitude,
/// in degrees; what is missing is 0, and what follows does not count.
///
/// # Safety
/// `a` and `b` are readable for `count` numbers.
#[inline(always)]
pub(crate) unsafe fn haversine<A: Element, B: Element>(a: *const u8, b: *const u8, count: usize) -> f64 {
    let [mut from, mut to] = [[0.0; 2]; 2];
    for (i, (x, y)) in from.iter_mut().zip(&mut to).enumerate().take(count) {
        // SAFETY: `i` is less than `count`.
        (*x, *y) = unsafe { (A::number(a, i).into(), B::number(b, i).into()) };
    }
    between([from, to])
}

fn between([[latitude_a, longitude_a], [latitude_b, longitude_b]]: [[f64; 2]; 2]) -> f64 {
    let half_sine = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin();
    let cosines = latitude_a.to_radians().cos() * latitude_b.to_radians().cos();
    let (north, east) = (half_sine(latitude_a, latitude_b), half_sine(longitude_a, longitude_b));
    // Rounding may lead out of the range.
    (north * north + cosines * (east * east)).clamp(0.0, 1.0)
}

/// The angle of which this is the haversine, in radians.
pub(crate) fn of_haversine(haversine: f64) -> f64 {
    2.0 * haversine.sqrt().asin()
}
