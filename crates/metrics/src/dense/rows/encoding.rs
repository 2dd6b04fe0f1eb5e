//! How rows are made of values.

use std::sync::Arc;

use super::query::RowQuery;
use super::{RowKind, prepare};
use crate::dense::MAX_DIMENSIONS;
use crate::dense::kernels::{Comparison, of_haversine, padded, place, row_bytes};
use crate::dense::key::{of_row_key, signed_of_row_key};
use crate::dense::scalar::{F16_MAX, Scalar, f16_of_f32};
use crate::metric::DenseMetric;

/// How rows are made of values. Made by a [`Survey`](super::Survey), or from what was stored of one.
#[derive(Clone, Debug)]
pub struct Encoding {
    pub(super) metric: DenseMetric,
    pub(super) scalar: Scalar,
    pub(super) kind: RowKind,
    pub(super) dimensions: usize,
    /// For integers: what 1 stands for in each dimension.
    pub(super) scales: Arc<[f32]>,
    pub(super) integers: Integers,
}

/// What makes rows of integers, and centers of them.
#[derive(Clone, Debug)]
pub(super) struct Integers {
    /// 1 / scale, or 0 where all rows are 0.
    inverses: Vec<f32>,
    /// For products and squares: the squares of the scales in units of `unit`.
    pub(super) factors: Vec<i16>,
    /// For differences: the scales in units of `unit`, placed as a center's integers.
    pub(super) weights: Arc<[i16]>,
    pub(super) unit: f64,
}

/// What the magnitudes of a center's integers may add up to: times 128, the greatest magnitude of a row's, less than 2^31.
pub(super) const MOST_INTEGERS: f64 = (1 << 23) as f64;

/// Greatest weight: times the greatest difference, 127 + 128 of 16 steps, and 512 dimensions less than 2^31.
const MOST_WEIGHT: f64 = 1000.0;

impl Integers {
    fn of(comparison: Comparison, scales: &[f32]) -> Integers {
        let greatest = scales.iter().fold(0.0, |a: f64, &b| a.max(b.into()));
        let inverse = |&scale: &f32| if scale >= f32::MIN_POSITIVE { scale.recip() } else { 0.0 };
        let mut integers = Integers {
            inverses: scales.iter().map(inverse).collect(),
            factors: Vec::new(),
            weights: Arc::new([]),
            unit: 0.0,
        };
        // A unit of 0 has no part of the scales; all rows are zeros then.
        let parts = |whole: f64, unit: f64| if unit > 0.0 { (whole / unit).round() as i16 } else { 0 };
        if comparison == Comparison::Differences {
            integers.unit = greatest / MOST_WEIGHT;
            let mut weights = vec![0; padded(scales.len())];
            for (dimension, &scale) in scales.iter().enumerate() {
                weights[place(scales.len(), dimension)] = parts(scale.into(), integers.unit);
            }
            integers.weights = weights.into();
        } else {
            let square = |scale: &f32| f64::from(*scale).powi(2);
            // Each is rounded, and so is its product with the integer of a row.
            let most = MOST_INTEGERS - 2.0 * scales.len() as f64;
            let sum: f64 = scales.iter().map(square).sum();
            integers.unit = (greatest * greatest / f64::from(i16::MAX)).max(sum / most);
            integers.factors = scales.iter().map(|scale| parts(square(scale), integers.unit)).collect();
        }
        integers
    }
}

impl Encoding {
    /// From stored parts; None for those that no encoding has: another kind of rows or number of dimensions than the metric
    /// has, too many dimensions or none, another number of scales than
    /// dimensions (none at all unless rows are integers), or a scale that is negative or not finite.
    pub fn from_parts(
        metric: DenseMetric,
        scalar: Scalar,
        kind: RowKind,
        dimensions: usize,
        scales: &[f32],
    ) -> Option<Encoding> {
        let expected = if kind == RowKind::I8 { dimensions } else { 0 };
        let is_scale = |scale: &f32| (0.0..=f32::MAX / 127.0).contains(scale);
        let is_of_metric = metric.row_kinds().contains(&kind) && metric.takes(dimensions);
        let is_sound = is_of_metric && (1..=MAX_DIMENSIONS).contains(&dimensions) && scales.len() == expected;
        (is_sound && scales.iter().all(is_scale)).then(|| Encoding {
            metric,
            scalar,
            kind,
            dimensions,
            scales: scales.into(),
            integers: Integers::of(Comparison::of(metric), scales),
        })
    }

    /// The metric.
    pub fn metric(&self) -> DenseMetric {
        self.metric
    }

    /// The type of the values' numbers.
    pub fn scalar(&self) -> Scalar {
        self.scalar
    }

    /// What rows are made of.
    pub fn kind(&self) -> RowKind {
        self.kind
    }

    /// Number of dimensions.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// What 1 stands for in each dimension; empty unless rows are integers.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        row_bytes(self.kind, Comparison::of(self.metric), self.dimensions)
    }

    /// About the distance that a row's key stands for.
    pub fn distance_of_key(&self, key: u32) -> f64 {
        match self.metric {
            DenseMetric::Cosine | DenseMetric::Pearson => 1.0 + f64::from(signed_of_row_key(key)),
            DenseMetric::InnerProduct => signed_of_row_key(key).into(),
            DenseMetric::L2 => f64::from(of_row_key(key)).sqrt(),
            DenseMetric::L1 | DenseMetric::JensenShannon => of_row_key(key).into(),
            DenseMetric::Haversine => of_haversine(of_row_key(key).into()),
        }
    }

    /// Appends the row of a value. A number beyond the range of a row's becomes the nearest that is not.
    pub fn encode(&self, value: &[u8], row: &mut Vec<u8>) {
        let mut numbers = vec![0.0; self.dimensions];
        prepare(self.metric, self.scalar, value, &mut numbers);
        match self.kind {
            RowKind::I8 => self.encode_integers(&numbers, row),
            RowKind::F16 => row.extend(numbers.iter().flat_map(|number| {
                let number = number.clamp(-F16_MAX, F16_MAX);
                f16_of_f32(number).to_le_bytes()
            })),
            RowKind::F32 => row.extend(numbers.iter().flat_map(|number| number.to_le_bytes())),
        }
    }

    fn encode_integers(&self, numbers: &[f32], row: &mut Vec<u8>) {
        let start = row.len();
        row.resize(start + self.dimensions, 0);
        for ((byte, &number), &per_unit) in row[start..].iter_mut().zip(numbers).zip(&self.integers.inverses) {
            *byte = nearest_integer(number * per_unit, 127.0) as u8;
        }
        if Comparison::of(self.metric) == Comparison::Squares {
            let numbers = row[start..].iter().zip(&*self.scales);
            let squares = numbers.map(|(&byte, &scale)| (f64::from(byte as i8) * f64::from(scale)).powi(2));
            let square: f64 = squares.sum();
            row.extend((square as f32).to_le_bytes());
        }
    }

    /// A query for the rows near a value.
    pub fn query(&self, value: &[u8]) -> RowQuery {
        let mut query = RowQuery::default();
        self.center_value(value, &mut query);
        query
    }

    /// A query for the rows near a row.
    pub fn query_of_row(&self, row: &[u8]) -> RowQuery {
        let mut query = RowQuery::default();
        self.center_row(row, &mut query);
        query
    }
}

/// The nearest integer of at most a magnitude below 2^21; of two equally near the even one.
#[inline(always)]
pub(super) fn nearest_integer(number: f32, most: f32) -> i32 {
    /// From here to twice this, numbers of 32 bits are the integers.
    const INTEGERS: f32 = 1.5 * (1 << 23) as f32;
    let sum = number.clamp(-most, most) + INTEGERS;
    sum.to_bits() as i32 - INTEGERS.to_bits() as i32
}
