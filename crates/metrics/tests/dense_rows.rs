//! Rows derived from dense vectors: their keys against distances in 64 bits, on every kernel.

mod common;

use common::{all_dimensions, domain, oracle, product, value, vector};
use iscc_metrics::dense::rows::{Encoding, RowKind, RowQuery, Rows, Survey};
use iscc_metrics::dense::{Kernel, Scalar};
use iscc_metrics::{DenseMetric, NO_KEY};
use test_random::Random;

/// Rows of vectors.
struct Set {
    vectors: Vec<Vec<f32>>,
    /// Greatest magnitude in each dimension: what integers are a part of.
    greatest: Vec<f32>,
    encoding: Encoding,
    bytes: Vec<u8>,
}

impl Set {
    fn new(metric: DenseMetric, kind: RowKind, vectors: Vec<Vec<f32>>) -> Set {
        let vectors: Vec<Vec<f32>> = vectors.iter().map(|vector| domain(metric, vector)).collect();
        let mut survey = Survey::new(metric, Scalar::F32, vectors[0].len());
        vectors.iter().for_each(|v| survey.add(&value(Scalar::F32, v)));
        assert_eq!(survey.values(), vectors.len() as u64);
        let encoding = survey.encoding(kind).expect("encoding");
        let mut bytes = Vec::new();
        vectors
            .iter()
            .for_each(|v| encoding.encode(&value(Scalar::F32, v), &mut bytes));
        assert_eq!(bytes.len(), vectors.len() * encoding.row_bytes());
        Set {
            vectors,
            greatest: survey.greatest().to_vec(),
            encoding,
            bytes,
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows::new(&self.bytes, self.encoding.row_bytes())
    }

    /// Keys by the portable kernel; all other kernels and all ways return the same.
    fn keys(&self, query: &RowQuery) -> Vec<u32> {
        let ids: Vec<u32> = (0..self.rows().count())
            .rev()
            .chain([u32::MAX, self.rows().count()])
            .collect();
        let mut expected = Vec::new();
        for kernel in Kernel::available() {
            let query = query.clone().with_kernel(kernel);
            let mut keys = vec![1, 2, 3];
            query.keys(self.rows(), &ids, &mut keys);
            assert_eq!(keys.split_off(ids.len() - 2), [NO_KEY; 2]);
            keys.reverse();
            if expected.is_empty() {
                expected = keys.clone();
            }
            assert_eq!(keys, expected, "{kernel:?} {:?}", self.encoding.kind());
            let least = *keys.iter().min().expect("rows");
            assert!(least < 1 << 31);
            assert!(!query.any_below(self.rows(), &ids, least));
            assert!(query.any_below(self.rows(), &ids, least + 1));
            let mut near = Vec::new();
            query.near_rows(self.rows(), 1..u32::MAX, least + 1, &mut near);
            let found = keys.iter().copied().zip(0..).skip(1).filter(|&(key, _)| key <= least);
            assert_eq!(near, found.collect::<Vec<_>>());
            assert!(keys.iter().zip(0..).all(|(&key, id)| query.key(self.rows(), id) == key));
        }
        expected
    }

    /// Checks the keys of a query for a vector; errors are relative to the lengths, or sums, of its size and
    /// of the greatest one that there could be.
    fn check(&self, query: &RowQuery, vector: &[f32], size: &[f32], tolerance: f64) {
        let (metric, greatest) = (self.encoding.metric(), self.greatest.as_slice());
        for (other, key) in self.vectors.iter().zip(self.keys(query)) {
            let (expected, _) = oracle(metric, vector, other);
            if expected.is_nan() {
                // One of the two has no direction.
                assert!(vector.len() == 1 && metric == DenseMetric::Pearson);
                continue;
            }
            let length = |v| product(v, v).sqrt();
            let sum = |v: &[f32]| v.iter().map(|x| f64::from(x.abs())).sum::<f64>();
            let distance = self.encoding.distance_of_key(key);
            let (error, scale) = match metric {
                DenseMetric::Cosine | DenseMetric::Pearson => {
                    (distance - expected, length(size).max(1.0) * length(greatest))
                }
                DenseMetric::InnerProduct => (distance - expected, length(size) * length(greatest)),
                // Squares, as the difference of two lengths may vanish.
                DenseMetric::L2 => (
                    distance.powi(2) - expected.powi(2),
                    (length(size) + length(greatest)).powi(2),
                ),
                DenseMetric::L1 | DenseMetric::JensenShannon => (distance - expected, sum(size) + sum(greatest)),
                DenseMetric::Haversine => (distance - expected, 1.0),
            };
            assert!(
                error.abs() <= tolerance * scale,
                "{metric:?} {:?} {}: {distance} {expected}",
                self.encoding.kind(),
                vector.len()
            );
        }
    }
}

fn tolerance(kind: RowKind) -> f64 {
    match kind {
        RowKind::F32 => 1e-5,
        RowKind::F16 => 1e-3,
        RowKind::I8 => 8e-3,
    }
}

#[test]
fn keys_agree_with_distances() {
    let mut random = Random(1);
    for dimensions in all_dimensions() {
        // Dimensions of unequal size.
        let sizes: Vec<f32> = (0..dimensions).map(|i| [1.0, 0.25, 8.0][i % 3]).collect();
        let mut vector = || -> Vec<f32> {
            let numbers = vector(dimensions, &mut random);
            numbers.iter().zip(&sizes).map(|(number, size)| number * size).collect()
        };
        let vectors: Vec<Vec<f32>> = (0..5).map(|_| vector()).collect();
        let others = [vector(), vector()];
        for metric in DenseMetric::all().filter(|metric| metric.takes(dimensions)) {
            for &kind in metric.row_kinds() {
                let set = Set::new(metric, kind, vectors.clone());
                for other in &others.clone().map(|other| domain(metric, &other)) {
                    let query = set.encoding.query(&value(Scalar::F32, other));
                    set.check(&query, other, other, tolerance(kind));
                }
                for (row, vector) in (0..).zip(&set.vectors) {
                    let query = set.encoding.query_of_row(set.rows().row(row).expect("row"));
                    set.check(&query, vector, &set.greatest, 2.0 * tolerance(kind));
                }
            }
        }
    }
}

#[test]
fn vectors_of_zeros_are_rows_of_zeros() {
    for metric in DenseMetric::all() {
        for &kind in metric.row_kinds() {
            let dimensions = metric.dimensions().unwrap_or(37);
            let zeros = vec![0.0; dimensions];
            let set = Set::new(metric, kind, vec![zeros.clone(), zeros.clone()]);
            assert!(set.bytes.iter().all(|&byte| byte == 0));
            let keys = set.keys(&set.encoding.query(&value(Scalar::F32, &zeros)));
            assert_eq!(keys[0], keys[1]);
            assert_eq!(set.keys(&set.encoding.query_of_row(&set.bytes)), keys);
            // One among others, and one that is not like those that were looked at.
            let ones = vec![1.0; dimensions];
            let set = Set::new(metric, kind, vec![zeros.clone(), ones.clone()]);
            for vector in [zeros, ones, vec![1e30; dimensions], vec![-1e-30; dimensions]] {
                set.keys(&set.encoding.query(&value(Scalar::F32, &vector)));
            }
        }
    }
}

#[test]
fn extremes_neither_overflow_nor_lose_their_order() {
    for dimensions in if cfg!(miri) { vec![40] } else { vec![40, 384, 16_000] } {
        // The first one has no correlation with others.
        let is_meant = |metric: &DenseMetric| metric.takes(dimensions) && *metric != DenseMetric::Pearson;
        for metric in DenseMetric::all().filter(is_meant) {
            let sizes = [
                (RowKind::I8, 1e15),
                (RowKind::F16, 65_504.0),
                (RowKind::F32, 1e15),
                (RowKind::I8, 1e-15),
            ];
            for (kind, size) in sizes.into_iter().filter(|(kind, _)| metric.row_kinds().contains(kind)) {
                let steps: Vec<Vec<f32>> = (0..5)
                    .map(|step| {
                        (0..dimensions)
                            .map(|i| if i % 5 < step { -size } else { size })
                            .collect()
                    })
                    .collect();
                let set = Set::new(metric, kind, steps);
                // Ever farther from the first one, whichever way.
                let keys = set.keys(&set.encoding.query(&value(Scalar::F32, &set.vectors[0])));
                assert!(
                    keys.is_sorted_by(|a, b| a < b),
                    "{metric:?} {kind:?} {dimensions}: {keys:?}"
                );
                let keys = set.keys(&set.encoding.query_of_row(&set.bytes));
                assert!(
                    keys.is_sorted_by(|a, b| a < b),
                    "{metric:?} {kind:?} {dimensions}: {keys:?}"
                );
            }
        }
    }
}

#[test]
fn surveys_tell_what_rows_can_hold() {
    let survey = |numbers: &[f32]| {
        let mut survey = Survey::new(DenseMetric::L2, Scalar::F32, numbers.len());
        survey.add(&value(Scalar::F32, numbers));
        survey
    };
    assert!(survey(&[1.0, -65_504.0]).fits_f16() && survey(&[0.0]).fits_f16() && survey(&[0.0, 0.001]).fits_f16());
    assert!(!survey(&[1.0, -65_505.0]).fits_f16() && !survey(&[1e-5, 0.0]).fits_f16());
    let mut all = survey(&[1.0, 0.0]);
    all.merge(&survey(&[0.0, 0.0]));
    all.merge(&survey(&[0.5, -3.0]));
    assert_eq!((all.values(), all.zeros(), all.greatest()), (3, 1, &[1.0, 3.0][..]));
    // Beyond the range is the nearest within.
    let mut row = Vec::new();
    let encoding = survey(&[1.0]).encoding(RowKind::F16).expect("encoding");
    encoding.encode(&value(Scalar::F32, &[-1e9]), &mut row);
    assert_eq!(row, 0xFBFFu16.to_le_bytes());
}

#[test]
fn damaged_parts_are_no_encoding() {
    let parts = |kind, dimensions, scales: &[f32]| {
        Encoding::from_parts(DenseMetric::L1, Scalar::F32, kind, dimensions, scales).is_some()
    };
    assert!(parts(RowKind::I8, 2, &[0.0, 1.0]) && parts(RowKind::F16, 16_000, &[]) && parts(RowKind::F32, 1, &[]));
    assert!(!parts(RowKind::F16, 16_001, &[]) && !parts(RowKind::F32, 0, &[]) && !parts(RowKind::I8, 0, &[]));
    assert!(!parts(RowKind::I8, 2, &[1.0]) && !parts(RowKind::F16, 2, &[1.0, 1.0]));
    for scale in [-1.0, f32::NAN, f32::INFINITY, f32::MAX] {
        assert!(!parts(RowKind::I8, 2, &[1.0, scale]));
    }
    let of_metric = |metric, kind, dimensions, scales: &[f32]| {
        Encoding::from_parts(metric, Scalar::F32, kind, dimensions, scales).is_some()
    };
    assert!(of_metric(DenseMetric::Haversine, RowKind::F32, 2, &[]));
    assert!(!of_metric(DenseMetric::Haversine, RowKind::F32, 3, &[]));
    assert!(!of_metric(DenseMetric::Haversine, RowKind::F16, 2, &[]));
    assert!(of_metric(DenseMetric::JensenShannon, RowKind::F16, 2, &[]));
    assert!(!of_metric(DenseMetric::JensenShannon, RowKind::I8, 2, &[1.0, 1.0]));
}

/// Rows and queries that do not belong together: no key, and no access outside.
#[test]
fn foreign_rows_have_no_keys() {
    let set = Set::new(DenseMetric::L2, RowKind::I8, vec![vec![1.0; 37], vec![2.0; 37]]);
    let query = set.encoding.query(&value(Scalar::F32, &[1.0; 37]));
    let (mut keys, mut near) = (Vec::new(), Vec::new());
    for stride in [0, 1, 40] {
        let rows = Rows::new(&set.bytes, stride);
        query.keys(rows, &[0, 1], &mut keys);
        query.near_rows(rows, 0..9, u32::MAX, &mut near);
        assert_eq!(keys, [NO_KEY; 2]);
        assert!(near.is_empty() && !query.any_below(rows, &[0, 1], NO_KEY));
    }
    // Longer rows than the encoding's are compared in part.
    assert_eq!(
        query.key(Rows::new(&set.bytes, set.bytes.len()), 0),
        query.key(set.rows(), 0)
    );
    let none = set.encoding.query_of_row(&set.bytes[..40]);
    assert_eq!(none.key(set.rows(), 0), NO_KEY);
    assert_eq!(RowQuery::default().key(Rows::new(&[], 1), 0), NO_KEY);
    // Damaged rows: any bytes.
    let rows = [0x80; 82];
    let set = Set {
        bytes: rows.to_vec(),
        ..set
    };
    set.keys(&set.encoding.query_of_row(&rows[..41]));
}

/// Values with fewer or more numbers than the encoding has dimensions are taken as far as they go.
#[test]
fn values_of_other_dimensions_are_cut_or_padded() {
    for kind in RowKind::ALL {
        let set = Set::new(DenseMetric::InnerProduct, kind, vec![vec![1.0, 2.0, 0.0]]);
        let same = [&[1.0, 2.0][..], &[1.0, 2.0, 0.0], &[1.0, 2.0, 0.0, 9.0]].map(|numbers| {
            let mut row = Vec::new();
            set.encoding.encode(&value(Scalar::F32, numbers), &mut row);
            (row, set.keys(&set.encoding.query(&value(Scalar::F32, numbers))))
        });
        assert!(same[0] == same[1] && same[1] == same[2]);
    }
}
