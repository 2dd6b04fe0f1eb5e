//! Codes within a radius, by the tables of their pieces.
#![cfg(not(miri))] // too slow there

mod common;

use common::{clusters, codes_of, open, params};
use iscc_hnsw::params::BuildParams;
use iscc_hnsw::search::{Candidate, WithinSearch};
use iscc_hnsw::shard::Shard;
use iscc_metrics::ball::Ball;
use iscc_metrics::{Metric, Query};
use test_random::Random;

/// Codes of two lengths that get tables, and some of others that do not.
fn codes() -> Vec<Vec<u8>> {
    let mut random = Random(17);
    let mut codes = clusters(30_000, 3);
    codes.retain(|code| code.len() >= 8);
    // Pieces that many codes have.
    for at in (0..codes.len()).step_by(3) {
        let length = codes[at].len();
        codes[at][4..8].fill(0);
        codes[at][length - 4..].fill(0xff);
    }
    codes.extend((0..20_000).map(|_| random.bytes(32)));
    codes.extend((0..20_000).map(|_| random.bytes(8)));
    codes.extend((0..1000).map(|at| random.bytes(1 + at % 40)));
    codes
}

fn shard(metric: Metric) -> Shard<Vec<u8>> {
    let params = BuildParams {
        values: codes_of(metric, 40),
        m: 4,
        ef_construction: 8,
        ..params(2)
    };
    open(&codes(), params)
}

fn by_comparing(shard: &Shard<Vec<u8>>, query: &Query, below: u32) -> Vec<Candidate> {
    let candidate = |node| Candidate {
        key: query.key(shard.code(node).unwrap()),
        node,
    };
    let mut found: Vec<Candidate> = (0..shard.nodes())
        .map(candidate)
        .filter(|candidate| candidate.key < below)
        .collect();
    found.sort_unstable();
    found
}

/// Queries of all lengths, near stored codes and far from all.
fn queries(shard: &Shard<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut random = Random(23);
    let mut queries: Vec<Vec<u8>> = [1, 3, 4, 5, 7, 8, 9, 12, 16, 24, 31, 32, 33, 40]
        .map(|bytes| random.bytes(bytes))
        .into();
    for _ in 0..60 {
        let mut code = shard
            .code(random.below(shard.nodes() as usize) as u32)
            .unwrap()
            .to_vec();
        for _ in 0..random.below(12) {
            let bit = random.below(8 * code.len());
            code[bit / 8] ^= 1 << (bit % 8);
        }
        let bytes = 1 + random.below(code.len());
        queries.push(code[..bytes].to_vec());
        queries.push(code);
    }
    queries.push(vec![0; 32]);
    queries.push(vec![0xff; 32]);
    queries
}

#[test]
fn what_is_found_is_what_comparing_all_finds() {
    let shard = shard(Metric::Nphd);
    assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
    let (mut search, mut found, mut answered) = (WithinSearch::default(), Vec::new(), 0);
    for query in queries(&shard) {
        for radius in [0.0, 0.01, 1.0 / 64.0, 0.023, 0.05, 0.098, 0.125, 0.15, 0.25, 0.6, 1.0] {
            let ball = Ball::new(&query, radius);
            if search.find(&shard, ball.query(), ball.below(), &mut found) {
                answered += 1;
                let expected = by_comparing(&shard, ball.query(), ball.below());
                assert_eq!(found, expected, "{} bytes, radius {radius}", query.len());
            } else {
                assert!(found.is_empty());
            }
        }
    }
    assert!(answered > 300, "{answered}");
}

#[test]
fn others_are_refused() {
    let mut search = WithinSearch::default();
    let mut found = Vec::new();
    // Neither the metric nor the number of codes is for tables.
    let other = shard(Metric::Jaccard);
    let few = open(&codes()[..5000], params(1));
    let query = [0x5a; 32];
    for (shard, metric) in [(&other, Metric::Jaccard), (&other, Metric::Nphd), (&few, Metric::Nphd)] {
        assert!(!search.find(shard, &Query::new(metric, &query), 1 << 20, &mut found));
    }
    let shard = shard(Metric::Nphd);
    for below in [0, u32::MAX] {
        assert!(!search.find(&shard, &Query::new(Metric::Nphd, &query), below, &mut found));
    }
}

/// Whatever the tables say, a search ends and returns nothing that is not within the radius.
#[test]
fn damaged_tables_are_harmless() {
    let shard = shard(Metric::Nphd);
    let (offset, words) = shard.word_part().expect("words");
    let original = shard.bytes().clone();
    // Calibration and footer come last.
    let tables = offset + words..original.len() - 1024;
    let mut random = Random(5);
    let mut search = WithinSearch::default();
    let mut found = Vec::new();
    for _ in 0..200 {
        let mut damaged = original.clone();
        for _ in 0..1 + random.below(2000) {
            let at = tables.start + random.below(tables.len());
            damaged[at] = random.below(256) as u8;
        }
        let damaged = Shard::open(damaged).expect("the footer is as it was");
        let node = random.below(damaged.nodes() as usize) as u32;
        let ball = Ball::new(damaged.code(node).unwrap(), 0.05);
        search.find(&damaged, ball.query(), ball.below(), &mut found);
        assert!(found.iter().all(|candidate| candidate.key < ball.below()));
    }
}
