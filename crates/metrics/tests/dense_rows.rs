//! Rows derived from dense vectors: their keys against distances in 64 bits, on every kernel.

mod common;

use common::{Random, all_dimensions, oracle, product, value};
use iscc_metrics::dense::rows::{Encoding, RowKind, RowQuery, Rows, Survey};
use iscc_metrics::dense::{Kernel, Scalar};
use iscc_metrics::{DenseMetric, NO_KEY};

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
            let length = |v| product(v, v).sqrt();
            let sum = |v: &[f32]| v.iter().map(|x| f64::from(x.abs())).sum::<f64>();
            let distance = self.encoding.distance_of_key(key);
            let (error, scale) = match metric {
                DenseMetric::Cosine => (distance - expected, length(size).max(1.0) * length(greatest)),
                DenseMetric::InnerProduct => (distance - expected, length(size) * length(greatest)),
                // Squares, as the difference of two lengths may vanish.
                DenseMetric::L2 => (
                    distance.powi(2) - expected.powi(2),
                    (length(size) + length(greatest)).powi(2),
                ),
                DenseMetric::L1 => (distance - expected, sum(size) + sum(greatest)),
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
            let numbers = random.vector(dimensions);
            numbers.iter().zip(&sizes).map(|(number, size)| number * size).collect()
        };
        let vectors: Vec<Vec<f32>> = (0..5).map(|_| vector()).collect();
        let others = [vector(), vector()];
        for metric in DenseMetric::all() {
            for kind in RowKind::ALL {
                let set = Set::new(metric, kind, vectors.clone());
                for other in &others {
                    let query = set.encoding.query(&value(Scalar::F32, other));
                    set.check(&query, other, other, tolerance(kind));
                }
                for (row, vector) in (0..).zip(&vectors) {
                    let query = set.encoding.query_of_row(set.rows().row(row).expect("row"));
                    set.check(&query, vector, &set.greatest, 2.0 * tolerance(kind));
                }
            }
        }
    }
}
