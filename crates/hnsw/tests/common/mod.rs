//! Seeded codes and small shards for the tests.
#![allow(dead_code)] // each test file uses a part

use std::collections::BTreeSet;

use iscc_hnsw::build::{BuiltShard, CollectedShard, CollectedValues, NextStep, ShardBuilder};
use iscc_hnsw::control::BuildControl;
use iscc_hnsw::opaque::{Distance, Layout, checksum_of};
use iscc_hnsw::params::{BuildParams, ShardValues};
use iscc_hnsw::search::{Candidate, GraphSearch, ShardQuery};
use iscc_hnsw::shard::Shard;
use iscc_hnsw::shard::ShardIdentity;
use iscc_hnsw::shard::ranges::EntryRange;
use iscc_metrics::dense::Scalar;
use iscc_metrics::dense::rows::RowKind;
use iscc_metrics::{DenseMetric, Metric, Query};
use test_random::Random;

/// Near-duplicate clusters of up to 20 members: each one a centre with up to 8 bits flipped, cut to 8, 16, 24 or 32
/// bytes for 10, 20, 10 and 60 percent of the codes.
pub fn clusters(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut random = Random(seed);
    let mut codes = Vec::with_capacity(count);
    while codes.len() < count {
        let centre = random.bytes(32);
        for _ in 0..1 + random.below(20).min(count - codes.len()) {
            let mut code = centre.clone();
            for _ in 0..random.below(9) {
                let bit = random.below(256);
                code[bit / 8] ^= 1 << (bit % 8);
            }
            code.truncate([8, 16, 16, 24, 32, 32, 32, 32, 32, 32][random.below(10)]);
            codes.push(code);
        }
    }
    codes.truncate(count);
    codes
}

/// Codes of at most `max_bytes` bytes.
pub fn codes_of(metric: Metric, max_bytes: u16) -> ShardValues {
    ShardValues::Codes { metric, max_bytes }
}

pub fn params(threads: usize) -> BuildParams {
    BuildParams {
        values: codes_of(Metric::Nphd, 32),
        m: 16,
        ef_construction: 128,
        threads,
        seed: 7,
    }
}

/// As many passes over the values as it takes.
pub fn collect(values: &[Vec<u8>], params: BuildParams) -> CollectedShard {
    let mut builder = ShardBuilder::new(params);
    loop {
        for (ordinal, value) in (0..).zip(values) {
            builder.push(ordinal, value);
        }
        match builder.end_pass() {
            NextStep::Pass(again) => builder = again,
            NextStep::Build(collected) => return collected,
            NextStep::BuildHere(_) => panic!("these values are opaque"),
        }
    }
}

pub fn build(values: &[Vec<u8>], params: BuildParams) -> BuiltShard {
    collect(values, params).build(&BuildControl::new()).unwrap()
}

pub fn identity() -> ShardIdentity {
    let ranges = vec![
        EntryRange {
            start_block: 1,
            block_count: 3,
            slots_per_page: 100,
            part_blocks: 0,
        },
        EntryRange {
            start_block: 9,
            block_count: 100,
            slots_per_page: 100,
            part_blocks: 0,
        },
    ];
    ShardIdentity {
        id: *b"0123456789abcdef",
        ranges,
        built_at: 1_700_000_000,
        lsn: 0,
    }
}

pub fn to_bytes(shard: &BuiltShard) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = shard.write(&mut bytes, &identity()).unwrap();
    assert_eq!(written, bytes.len() as u64);
    bytes
}

pub fn open(codes: &[Vec<u8>], params: BuildParams) -> Shard<Vec<u8>> {
    Shard::open(to_bytes(&build(codes, params))).unwrap()
}

pub fn search<B: AsRef<[u8]>>(shard: &Shard<B>, query: &impl ShardQuery, ef: usize) -> Vec<Candidate> {
    let mut out = Vec::new();
    GraphSearch::new().start(shard, query, ef, &mut out);
    out
}

/// The `k` smallest keys of the distinct codes.
pub fn exact_keys(codes: &[Vec<u8>], query: &Query, k: usize) -> Vec<u32> {
    let distinct: BTreeSet<&[u8]> = codes.iter().map(Vec::as_slice).collect();
    let mut keys: Vec<u32> = distinct.into_iter().map(|code| query.key(code)).collect();
    keys.sort_unstable();
    keys.truncate(k);
    keys
}

/// Share of the `k` nearest that a search finds, by distance, averaged over the queries.
pub fn recall<B: AsRef<[u8]>>(shard: &Shard<B>, codes: &[Vec<u8>], queries: &[Query], ef: usize, k: usize) -> f64 {
    let (mut found, mut wanted) = (0, 0);
    for query in queries {
        let exact = exact_keys(codes, query, k);
        let worst = *exact.last().unwrap();
        found += search(shard, query, ef)
            .iter()
            .take(k)
            .filter(|candidate| candidate.key <= worst)
            .count();
        wanted += exact.len();
    }
    found as f64 / wanted as f64
}

/// Vectors around centres, with noise that differs between clusters; of any length.
pub fn vectors(count: usize, dimensions: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random(seed);
    // About normal: a sum of uniform numbers.
    let mut normal = move || {
        (0..4)
            .map(|_| (random.bits() >> 40) as f32 / (1 << 24) as f32 - 0.5)
            .sum::<f32>()
    };
    let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let centre: Vec<f32> = (0..dimensions).map(|_| normal()).collect();
        let (noise, length) = (0.2 + 0.6 * normal().abs(), 1.0 + normal().abs());
        for _ in 0..40.min(count - vectors.len()) {
            vectors.push(
                centre
                    .iter()
                    .map(|number| length * (number + noise * normal()))
                    .collect(),
            );
        }
    }
    vectors
}

/// 32-bit numbers as a value.
pub fn value(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub fn values(vectors: &[Vec<f32>]) -> Vec<Vec<u8>> {
    vectors.iter().map(|vector| value(vector)).collect()
}

/// The vectors as a metric takes them: weights are not negative, and points have two numbers, which are degrees.
pub fn in_domain(metric: DenseMetric, vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut vectors = vectors.to_vec();
    for vector in &mut vectors {
        match metric {
            DenseMetric::JensenShannon => vector.iter_mut().for_each(|number| *number = number.abs()),
            DenseMetric::Haversine => {
                vector.truncate(2);
                vector
                    .iter_mut()
                    .zip([30.0, 60.0])
                    .for_each(|(number, degrees)| *number *= degrees);
            }
            _ => {}
        }
    }
    vectors
}

pub fn dense_params(metric: DenseMetric, dimensions: usize, rows: Option<RowKind>, threads: usize) -> BuildParams {
    BuildParams {
        values: ShardValues::Dense {
            metric,
            scalar: Scalar::F32,
            dimensions: dimensions as u16,
            rows,
        },
        ..params(threads)
    }
}

/// The edit distance of byte strings.
pub fn levenshtein(a: &[u8], b: &[u8]) -> f64 {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()] as f64
}

/// Any function of a row and a query.
#[derive(Clone, Copy)]
pub struct Function<'a>(pub &'a dyn Fn(&[u8], &[u8]) -> f64);

impl Distance for Function<'_> {
    type Query = Vec<u8>;

    fn prepare(&self, value: &[u8], query: &mut Vec<u8>) {
        query.clear();
        query.extend_from_slice(value);
    }

    fn distance(&self, row: &[u8], query: &Vec<u8>) -> f64 {
        (self.0)(row, query)
    }
}

/// Words of a few letters, some of them alike.
pub fn words(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut random = Random(seed);
    let mut letters = move |n: usize| -> Vec<u8> { (0..n).map(|_| b'a' + random.below(12) as u8).collect() };
    let stems: Vec<Vec<u8>> = (0..count / 8 + 1).map(|at| letters(3 + at % 9)).collect();
    (0..count)
        .map(|at| [&stems[at % stems.len()][..], &letters(at % 5)].concat())
        .collect()
}

pub fn opaque_params(layout: Layout) -> BuildParams {
    BuildParams {
        values: ShardValues::Opaque { layout, max_bytes: 64 },
        m: 12,
        ef_construction: 64,
        ..params(1)
    }
}

/// A value as the log has it.
pub fn stored(value: &[u8]) -> Vec<u8> {
    [&checksum_of(value)[..], value].concat()
}

pub fn collect_opaque(values: &[Vec<u8>], layout: Layout) -> CollectedValues {
    let mut builder = ShardBuilder::new(opaque_params(layout));
    for (ordinal, value) in (0..).zip(values) {
        builder.push(ordinal, &stored(value));
    }
    match builder.end_pass() {
        NextStep::BuildHere(collected) => collected,
        NextStep::Pass(_) | NextStep::Build(_) => panic!("opaque values are built at once, here"),
    }
}

pub fn build_opaque(values: &[Vec<u8>], distance: impl Distance) -> BuiltShard {
    let collected = collect_opaque(values, Layout::Varying);
    collected.build(distance, &BuildControl::new()).unwrap()
}
