//! Vectors that look random, and distances in 64 bits.

use iscc_metrics::DenseMetric;
use iscc_metrics::dense::Scalar;
use test_random::Random;

/// From -1 to 1, with few digits: numbers of 16 bits hold it.
pub fn number(random: &mut Random) -> f32 {
    random.below(2001) as f32 / 1024.0 - 1000.0 / 1024.0
}

pub fn vector(dimensions: usize, random: &mut Random) -> Vec<f32> {
    (0..dimensions).map(|_| number(random)).collect()
}

/// Numbers of dimensions that use all parts of the loops.
pub fn all_dimensions() -> Vec<usize> {
    if cfg!(miri) {
        vec![1, 31, 33, 70]
    } else {
        (1..=70).chain([127, 128, 129, 384, 513, 1000, 16_000]).collect()
    }
}

/// The value, which is not aligned, and nothing follows: an over-read would be found by Miri.
pub fn value(scalar: Scalar, numbers: &[f32]) -> Vec<u8> {
    match scalar {
        Scalar::F32 => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        Scalar::F16 => numbers.iter().flat_map(|number| half(*number).to_le_bytes()).collect(),
    }
}

/// A number of 16 bits that is one exactly, and normal or 0.
fn half(number: f32) -> u16 {
    let bits = number.to_bits();
    if number == 0.0 {
        return 0;
    }
    let half = (bits >> 16 & 0x8000) | ((bits & 0x7FFF_FFFF) - (112 << 23)) >> 13;
    half as u16
}

pub fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The numbers as the metric takes them: weights are not negative.
pub fn domain(metric: DenseMetric, numbers: &[f32]) -> Vec<f32> {
    let most = |number: &f32| match metric {
        DenseMetric::JensenShannon => number.max(0.0),
        _ => *number,
    };
    numbers.iter().map(most).collect()
}

/// Without its mean; of equal numbers exactly zeros.
fn deviations(numbers: &[f32]) -> Vec<f64> {
    let mean = numbers.iter().map(|&x| f64::from(x)).sum::<f64>() / numbers.len() as f64;
    numbers.iter().map(|&x| f64::from(x) - mean).collect()
}

/// The point on the sphere at a latitude and a longitude.
fn on_sphere(point: &[f32]) -> [f64; 3] {
    let angle = |i| f64::from(point.get(i).copied().unwrap_or(0.0)).to_radians();
    let ((sin, cos), (east, front)) = (f64::sin_cos(angle(0)), f64::sin_cos(angle(1)));
    [cos * front, cos * east, sin]
}

/// The distance, and what its error is measured by.
pub fn oracle(metric: DenseMetric, a: &[f32], b: &[f32]) -> (f64, f64) {
    let length = |v| product(v, v).sqrt();
    let differences = || a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b));
    match metric {
        DenseMetric::Cosine => (1.0 - (product(a, b) / (length(a) * length(b))).clamp(-1.0, 1.0), 1.0),
        DenseMetric::InnerProduct => (-product(a, b), length(a) * length(b)),
        DenseMetric::L2 => {
            let distance = differences().map(|d| d * d).sum::<f64>().sqrt();
            (distance, distance)
        }
        DenseMetric::Pearson => {
            let (a, b) = (deviations(a), deviations(b));
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let correlation = product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt();
            (1.0 - correlation.clamp(-1.0, 1.0), 1.0)
        }
        DenseMetric::JensenShannon => {
            let divergence = |a: f64, mean: f64| if a > 0.0 { a * (a / mean).ln() } else { 0.0 };
            let pairs = a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
            let terms = pairs.map(|(a, b)| divergence(a, (a + b) / 2.0) + divergence(b, (a + b) / 2.0));
            let distance = terms.sum::<f64>() / 2.0;
            (distance, distance.max(1e-9 * product(a, a).sqrt()))
        }
        DenseMetric::Haversine => {
            let (a, b) = (on_sphere(a), on_sphere(b));
            let cross = |i: usize, j: usize| a[i] * b[j] - a[j] * b[i];
            let sine = cross(0, 1).hypot(cross(1, 2)).hypot(cross(2, 0));
            let angle = sine.atan2(a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
            (angle, angle.max(1e-6))
        }
        DenseMetric::L1 => {
            let distance = differences().map(f64::abs).sum();
            (distance, distance)
        }
    }
}
