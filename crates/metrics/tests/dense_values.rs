//! Distances of dense vectors against 64 bits, on every kernel.

mod common;

use common::{all_dimensions, domain, number, oracle, value, vector};
use iscc_metrics::DenseMetric;
use iscc_metrics::dense::{Kernel, Query, Scalar, distance, key_of};
use test_random::Random;

const SCALARS: [Scalar; 2] = [Scalar::F32, Scalar::F16];

/// Checks a pair on all kernels, and that all of them and all ways return the same bits.
fn check_pair(metric: DenseMetric, scalar: Scalar, a: &[f32], b: &[f32]) {
    let (a, b) = (&*domain(metric, a), &*domain(metric, b));
    let (expected, scale) = oracle(metric, a, b);
    let (a, b) = (value(scalar, a), value(scalar, b));
    let portable = Kernel::available()[0].distance(metric, scalar, &a, &b);
    assert!(
        (portable - expected).abs() <= 1e-6 * scale || portable.is_nan() && expected.is_nan(),
        "{metric:?} {scalar:?}: {portable} {expected}"
    );
    for kernel in Kernel::available() {
        let query = Query::with_kernel(kernel, metric, scalar, &a);
        let mut near = vec![(1, 1)];
        query.near(&b, b.len(), u64::MAX, &mut near);
        assert_eq!(near, [(1, 1), (key_of(portable), 0)], "{kernel:?}");
        for same in [kernel.distance(metric, scalar, &a, &b), query.distance(&b)] {
            assert_eq!(same.to_bits(), portable.to_bits(), "{kernel:?} {metric:?} {scalar:?}");
        }
    }
}

#[test]
fn all_dimensions_agree_with_64_bits() {
    let mut random = Random(1);
    for dimensions in all_dimensions() {
        let (a, b) = (vector(dimensions, &mut random), vector(dimensions, &mut random));
        for metric in DenseMetric::all() {
            for scalar in SCALARS {
                check_pair(metric, scalar, &a, &b);
                check_pair(metric, scalar, &a, &a);
            }
        }
    }
}

/// Sums of terms that all have the same sign and size: the worst case of adding up many in 32 bits.
#[test]
fn long_sums_keep_their_digits() {
    let dimensions = if cfg!(miri) { 600 } else { 16_000 };
    let (a, b) = (vec![0.1f32; dimensions], vec![-0.3f32; dimensions]);
    for metric in DenseMetric::all() {
        check_pair(metric, Scalar::F32, &a, &b);
    }
}

#[test]
fn numbers_beyond_the_range_of_32_bits_are_added_up_in_64() {
    for size in [1e-45f32, 1e-40, 1e-30, 1e-21, 1e-15, 1e15, 1e19, 1e30, f32::MAX] {
        let a: Vec<f32> = (0..40).map(|i| if i % 3 == 0 { size } else { -size / 2.0 }).collect();
        let b: Vec<f32> = (0..40).map(|i| if i % 2 == 0 { -size } else { size / 3.0 }).collect();
        for metric in DenseMetric::all() {
            let is_sound = match metric {
                // One so small is rounded as numbers of 32 bits are.
                DenseMetric::InnerProduct => size > 1e-15,
                // Of angles so large, the position on the circle is anybody's guess.
                DenseMetric::Haversine => size < 1e6,
                _ => true,
            };
            if is_sound {
                check_pair(metric, Scalar::F32, &a, &b);
                check_pair(metric, Scalar::F32, &a, &a);
            }
        }
    }
}

#[test]
fn cosine_of_zeros_is_not_a_number() {
    let (zeros, other) = (vec![0.0; 50], vec![1.0; 50]);
    for scalar in SCALARS {
        check_pair(DenseMetric::Cosine, scalar, &zeros, &other);
        check_pair(DenseMetric::Cosine, scalar, &other, &zeros);
        check_pair(DenseMetric::Cosine, scalar, &zeros, &zeros);
        check_pair(DenseMetric::Cosine, scalar, &other, &other);
        let other = value(scalar, &other);
        assert_eq!(distance(DenseMetric::Cosine, scalar, &other, &other), 0.0);
    }
}

#[test]
fn unequal_dimensions_are_compared_over_the_common_ones() {
    let mut random = Random(2);
    let (long, short) = (vector(70, &mut random), vector(37, &mut random));
    for metric in DenseMetric::all() {
        for scalar in SCALARS {
            let (long, short, cut) = (value(scalar, &long), value(scalar, &short), value(scalar, &long[..37]));
            let expected = distance(metric, scalar, &cut, &short);
            assert_eq!(distance(metric, scalar, &long, &short), expected);
            // A byte more is no number.
            let odd = [short.clone(), vec![7]].concat();
            assert_eq!(distance(metric, scalar, &long, &odd), expected);
            assert_eq!(Query::new(metric, scalar, &long).distance(&short), expected);
            assert_eq!(
                Query::new(metric, scalar, &short).distance(&long),
                distance(metric, scalar, &short, &long)
            );
            let empty = distance(metric, scalar, &[], &long);
            assert!(empty == 0.0 || metric.is_angular() && empty.is_nan());
        }
    }
}

#[test]
fn passes_find_what_is_below() {
    let mut random = Random(3);
    let (dimensions, count) = (37, 20);
    for metric in DenseMetric::all() {
        for scalar in SCALARS {
            let query = Query::new(metric, scalar, &value(scalar, &vector(dimensions, &mut random)));
            let vectors: Vec<Vec<u8>> = (0..count)
                .map(|_| value(scalar, &vector(dimensions, &mut random)))
                .collect();
            for padding in [0, 3, 8] {
                let mut page: Vec<u8> = vectors
                    .iter()
                    .flat_map(|v| [v.clone(), vec![9; padding]].concat())
                    .collect();
                // A part of one more.
                page.extend([1, 2, 3]);
                let keys: Vec<u64> = vectors.iter().map(|v| query.key(v)).collect();
                for &below in keys.iter().chain([&0, &u64::MAX]) {
                    let mut near = Vec::new();
                    query.near(&page, dimensions * scalar.bytes() + padding, below, &mut near);
                    let expected: Vec<(u64, u32)> =
                        keys.iter().copied().zip(0..).filter(|&(key, _)| key < below).collect();
                    assert_eq!(near, expected);
                }
            }
            let mut near = Vec::new();
            query.near(&[1; 9], 0, u64::MAX, &mut near);
            query.near(&[], 8, u64::MAX, &mut near);
            assert!(near.is_empty());
        }
    }
}

#[test]
fn correlation_with_equal_numbers_is_not_a_number() {
    let other = vector(50, &mut Random(5));
    for scalar in SCALARS {
        // So that numbers of 16 bits hold both exactly.
        let other: Vec<f32> = other.iter().map(|number| (number * 64.0).round()).collect();
        let equal = [0.375; 50];
        check_pair(DenseMetric::Pearson, scalar, &equal, &other);
        check_pair(DenseMetric::Pearson, scalar, &other, &equal);
        check_pair(DenseMetric::Pearson, scalar, &equal, &equal);
        // Neither a factor nor a constant counts.
        let moved: Vec<f32> = other.iter().map(|number| 2.0 * number + 1.0).collect();
        let distance = distance(
            DenseMetric::Pearson,
            scalar,
            &value(scalar, &other),
            &value(scalar, &moved),
        );
        assert!(distance.abs() < 1e-12, "{distance}");
    }
}

/// Weights that are nearly the same, and some that only one of the two has.
#[test]
fn divergences_keep_their_digits() {
    let mut random = Random(6);
    let a: Vec<f32> = vector(300, &mut random).iter().map(|number| number.abs()).collect();
    for step in 1..=24 {
        let share = 2f32.powi(-step);
        let b: Vec<f32> = a
            .iter()
            .map(|weight| weight * (1.0 + share * number(&mut random)))
            .collect();
        check_pair(DenseMetric::JensenShannon, Scalar::F32, &a, &b);
        check_pair(DenseMetric::JensenShannon, Scalar::F32, &b, &a);
    }
    let apart = |first: usize| -> Vec<f32> {
        (0..300)
            .map(|i| if i % 2 == first { 1.0 / 150.0 } else { 0.0 })
            .collect()
    };
    let [a, b] = [apart(0), apart(1)].map(|numbers| value(Scalar::F32, &numbers));
    let most = distance(DenseMetric::JensenShannon, Scalar::F32, &a, &b);
    assert!((most - std::f64::consts::LN_2).abs() < 1e-6, "{most}");
    assert_eq!(distance(DenseMetric::JensenShannon, Scalar::F32, &a, &a), 0.0);
}

/// Known arcs: a quarter and half of the circle, and one across the date line.
#[test]
fn arcs_are_those_of_the_sphere() {
    let arc = |a: [f32; 2], b: [f32; 2]| {
        let [a, b] = [a, b].map(|point| value(Scalar::F32, &point));
        distance(DenseMetric::Haversine, Scalar::F32, &a, &b)
    };
    let degrees = |number: f64| number.to_radians();
    for (a, b, expected) in [
        ([0.0, 0.0], [0.0, 90.0], degrees(90.0)),
        ([90.0, 17.0], [0.0, -60.0], degrees(90.0)),
        ([40.0, 10.0], [-40.0, -170.0], degrees(180.0)),
        ([0.0, 179.5], [0.0, -179.5], degrees(1.0)),
        ([12.5, 7.0], [12.5, 7.0], 0.0),
    ] {
        let found = arc(a, b);
        assert!((found - expected).abs() < 1e-7, "{a:?} {b:?}: {found}");
    }
}
