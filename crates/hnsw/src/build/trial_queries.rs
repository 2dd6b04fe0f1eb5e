//! Queries for a shard of dense vectors, made of its own values: every other one is a value itself, looked for as if it
//! were not stored, the others lie between two of them.

use iscc_metrics::DenseMetric;
use iscc_metrics::dense::Scalar;
use iscc_metrics::dense::rows::{Encoding, RowKind};

use super::measure::QUERIES;
use crate::random::Random;

/// How far a query lies on the way from one value to another, taken in turn. A line between two values stays near where
/// values are; noise would not.
const SHARES: [f32; 6] = [0.0, 0.05, 0.1, 0.2, 0.35, 0.5];

/// Values that a sample has at most: two for each query.
const SAMPLE: usize = 2 * QUERIES as usize;

/// Values taken at random from a stream, all with the same probability.
pub(crate) struct Sample {
    values: Vec<Vec<u8>>,
    offered: u64,
    random: Random,
}

impl Sample {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            values: Vec::new(),
            offered: 0,
            random: Random(seed ^ 0x7361_6D70_6C65),
        }
    }

    pub(crate) fn offer(&mut self, value: &[u8]) {
        self.offered += 1;
        if self.values.len() < SAMPLE {
            self.values.push(value.to_vec());
        } else {
            let at = self.random.below(self.offered) as usize;
            if let Some(place) = self.values.get_mut(at) {
                place.copy_from_slice(value);
            }
        }
    }

    pub(crate) fn values(&self) -> &[Vec<u8>] {
        &self.values
    }
}

/// A query.
pub(crate) struct TrialQuery {
    /// As values are.
    pub(crate) value: Vec<u8>,
    /// Whether it is one of them, which must not be found.
    pub(crate) is_stored: bool,
}

/// Queries of a sample of values. `prepare` makes rows of 32-bit numbers: under the cosine distance they have the
/// length 1, so that each of two values has its share of one that lies between them.
pub(crate) fn queries(prepare: &Encoding, sample: &[Vec<u8>], seed: u64) -> Vec<TrialQuery> {
    let numbers = |value: &Vec<u8>| {
        let mut row = Vec::new();
        prepare.encode(value, &mut row);
        let numbers: Vec<f32> = row
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        numbers
    };
    let vectors: Vec<Vec<f32>> = sample.iter().map(numbers).collect();
    let mut random = Random(seed ^ 0x006D_6978);
    let query = |number: u32| {
        let at = number as usize * vectors.len() / QUERIES as usize;
        if number % 2 == 1 {
            let value = sample.get(at)?.clone();
            let is_stored = true;
            return Some(TrialQuery { value, is_stored });
        }
        let first = vectors.get(at)?;
        let second = vectors.get(random.below(vectors.len() as u64) as usize)?;
        let share = SHARES[number as usize / 2 % SHARES.len()];
        let pairs = first.iter().zip(second);
        let mixed: Vec<f32> = pairs.map(|(a, b)| a + share * (b - a)).collect();
        // A vector of zeros has no direction, so no neighbours.
        let has_neighbours = !prepare.metric().is_angular() || mixed.iter().any(|&number| number != 0.0);
        has_neighbours.then(|| TrialQuery {
            value: value_of(prepare.scalar(), &mixed),
            is_stored: false,
        })
    };
    (0..QUERIES).filter_map(query).collect()
}

/// These numbers as a value.
fn value_of(scalar: Scalar, numbers: &[f32]) -> Vec<u8> {
    let wide: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    match scalar {
        Scalar::F32 => wide,
        Scalar::F16 => {
            // Rows for inner products are the numbers as they are.
            let mut narrow = Vec::new();
            let metric = DenseMetric::InnerProduct;
            if let Some(encoding) = Encoding::from_parts(metric, Scalar::F32, RowKind::F16, numbers.len(), &[]) {
                encoding.encode(&wide, &mut narrow);
            }
            narrow
        }
    }
}
