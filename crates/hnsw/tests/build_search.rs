//! Building, reading and searching shards.
#![cfg(not(miri))] // too slow there

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use common::{build, clusters, codes_of, collect, open, params, recall, search, to_bytes};
use iscc_hnsw::build::{NextStep, ShardBuilder, estimated_file_bytes};
use iscc_hnsw::control::{BuildControl, Cancelled};
use iscc_hnsw::params::BuildParams;
use iscc_hnsw::search::GraphSearch;
use iscc_hnsw::shard::Shard;
use iscc_metrics::{Metric, Query};
use test_random::Random;

const NO_PROBLEMS: [String; 0] = [];

#[test]
fn recall_by_query_length_and_threads() {
    let codes = clusters(6_000, 11);
    let mut random = Random(12);
    for threads in [1, 2] {
        let shard = open(&codes, params(threads));
        assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
        for bytes in [8, 16, 24, 32] {
            // Near-duplicates of stored codes, three bits away over the whole length.
            let mut near = |code: &Vec<u8>| {
                let mut code = code.clone();
                for _ in 0..3 {
                    let bit = random.below(code.len() * 8);
                    code[bit / 8] ^= 1 << (bit % 8);
                }
                Query::new(Metric::Nphd, &code[..bytes])
            };
            let queries: Vec<Query> = codes
                .iter()
                .filter(|code| code.len() >= bytes)
                .step_by(15)
                .map(&mut near)
                .collect();
            let (first, ten) = (
                recall(&shard, &codes, &queries, 128, 1),
                recall(&shard, &codes, &queries, 128, 10),
            );
            assert!(
                first >= 0.99 && ten >= 0.99,
                "{threads} threads, {bytes} bytes: {first} {ten}"
            );
        }
    }
}

#[test]
fn other_metrics_and_wide_codes() {
    let mut random = Random(3);
    for (metric, max_code_bytes) in [
        (Metric::Jaccard, 32),
        (Metric::Nphd, 300),
        (Metric::Jaccard, 255),
        (Metric::Hamming, 300),
        (Metric::Sorensen, 40),
    ] {
        let codes: Vec<Vec<u8>> = (0..1500).map(|i| random.bytes(1 + i % max_code_bytes)).collect();
        let shard = open(
            &codes,
            BuildParams {
                values: codes_of(metric, max_code_bytes as u16),
                ..params(1)
            },
        );
        assert_eq!(shard.metric(), metric);
        assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
        for code in codes.iter().step_by(50).filter(|code| code.len() > 8) {
            let query = Query::new(metric, code);
            assert_eq!(search(&shard, &query, 1500)[0].key, 0);
        }
    }
}

/// Thousands of codes a bit or two apart, at all lengths, make selection drop links and threads collide.
#[test]
fn every_node_is_reachable_among_near_equals() {
    let mut random = Random(5);
    let codes: Vec<Vec<u8>> = (0..8_000)
        .map(|_| {
            let mut code = vec![0xA5; 1 + random.below(32)];
            for _ in 0..random.below(3) {
                let bit = random.below(code.len() * 8);
                code[bit / 8] ^= 1 << (bit % 8);
            }
            code
        })
        .collect();
    for (m, ef_construction, threads) in [(16, 128, 1), (16, 128, 2), (2, 4, 1), (2, 4, 2), (5, 10, 2)] {
        let shard = open(
            &codes,
            BuildParams {
                m,
                ef_construction,
                ..params(threads)
            },
        );
        assert_eq!(shard.verify(&|| {}), NO_PROBLEMS, "m {m}, {threads} threads");
    }
}

#[test]
fn equal_codes_are_one_node_with_all_ordinals() {
    let distinct = clusters(200, 21);
    let mut builder = ShardBuilder::new(params(1));
    let mut expected: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
    // Descending ordinals, so that the lists have to be sorted.
    for ordinal in (0..3_000u32).rev() {
        let code = &distinct[ordinal as usize * 7 % distinct.len()];
        builder.push(ordinal, code);
        expected.entry(code.clone()).or_default().insert(0, ordinal);
    }
    builder.push(9_999, &[]);
    let NextStep::Build(collected) = builder.end_pass() else {
        panic!("codes take one pass");
    };
    assert_eq!((collected.len(), collected.nodes() as usize), (3_000, expected.len()));
    let estimate = collected.estimated_file_bytes();
    let bytes = to_bytes(&collected.build(&BuildControl::new()).unwrap());
    assert!(bytes.len() as u64 <= estimate * 11 / 10 && bytes.len() as u64 * 11 / 10 >= estimate);
    let shard = Shard::open(bytes).unwrap();
    let found: BTreeMap<Vec<u8>, Vec<u32>> = (0..shard.nodes())
        .map(|node| (shard.code(node).unwrap().to_vec(), shard.postings(node).collect()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(shard.entries(), 3_000);
    assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
}

#[test]
fn one_thread_is_deterministic() {
    let codes = clusters(2_000, 31);
    let bytes = to_bytes(&build(&codes, params(1)));
    assert!(bytes == to_bytes(&build(&codes, params(1))));
    assert!(bytes != to_bytes(&build(&codes, BuildParams { seed: 8, ..params(1) })));
    // The ordinals differ with the order of arrival, the graph does not.
    let reversed: Vec<Vec<u8>> = codes.iter().rev().cloned().collect();
    let other = to_bytes(&build(&reversed, params(1)));
    let payload = Shard::open(bytes.clone()).unwrap().nodes() as usize * 100;
    assert!(bytes[..payload] == other[..payload]);
}

#[test]
fn accessors_say_what_was_written() {
    let shard = open(&clusters(500, 41), params(1));
    let identity = common::identity();
    assert_eq!(
        (shard.id(), shard.built_at(), shard.ranges()),
        (identity.id, identity.built_at, identity.ranges)
    );
    assert_eq!(
        (shard.m(), shard.ef_construction(), shard.max_code_bytes()),
        (16, 128, 32)
    );
    assert_eq!(shard.metric(), Metric::Nphd);
    assert_eq!(shard.entries(), 500);
    assert!(shard.file_bytes() <= estimated_file_bytes(500, &params(1)) * 11 / 10);
    assert_eq!(shard.code(shard.nodes()), None);
    assert_eq!(shard.postings(u32::MAX).count(), 0);
}

#[test]
fn empty_and_single() {
    let empty = open(&[], params(2));
    assert_eq!((empty.nodes(), empty.entries(), empty.verify(&|| {})), (0, 0, vec![]));
    let query = Query::new(Metric::Nphd, &[1, 2]);
    assert_eq!(search(&empty, &query, 10), []);
    let single = open(&[vec![1, 2, 3], vec![1, 2, 3]], params(2));
    assert_eq!(
        (single.nodes(), single.entries(), single.verify(&|| {})),
        (1, 2, vec![])
    );
    assert_eq!(search(&single, &query, 10).len(), 1);
    assert_eq!(single.postings(0).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn resumed_to_the_end_each_node_comes_once() {
    let codes = clusters(3_000, 51);
    let mut random = Random(52);
    let mut state = GraphSearch::new();
    for (m, threads) in [(16, 1), (3, 2)] {
        let shard = open(&codes, BuildParams { m, ..params(threads) });
        for bytes in [1, 8, 32] {
            let query = Query::new(Metric::Nphd, &random.bytes(bytes));
            let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
            state.start(&shard, &query, 40, &mut out);
            while !out.is_empty() {
                assert!(out.is_sorted());
                for candidate in &out {
                    assert!(seen.insert(candidate.node), "node {} came twice", candidate.node);
                    assert_eq!(candidate.key, query.key(shard.code(candidate.node).unwrap()));
                }
                state.resume(&shard, &query, 1 + random.below(100), &mut out);
            }
            assert_eq!(seen.len(), shard.nodes() as usize);
            assert_eq!(seen.len(), shard.nodes() as usize);
            assert!(state.visited() >= seen.len());
            state.resume(&shard, &query, 10, &mut out);
            assert!(out.is_empty());
        }
    }
}

/// What a search resumed in steps returns first is as good as one search of the whole effort.
#[test]
fn resuming_keeps_recall() {
    let codes = clusters(4_000, 61);
    let shard = open(&codes, params(1));
    let mut state = GraphSearch::new();
    for code in codes.iter().step_by(400) {
        let query = Query::new(Metric::Nphd, code);
        let (mut out, mut stepwise) = (Vec::new(), Vec::new());
        state.start(&shard, &query, 64, &mut out);
        for _ in 0..8 {
            stepwise.append(&mut out);
            state.resume(&shard, &query, 64, &mut out);
        }
        stepwise.sort_unstable();
        let whole = search(&shard, &query, 512);
        let worst = whole[99].key;
        assert!(stepwise.iter().filter(|candidate| candidate.key <= worst).count() >= 98);
    }
}

#[test]
fn cancelled_soon() {
    let codes = clusters(60_000, 71);
    let collected = collect(&codes, params(2));
    let control = BuildControl::new();
    let result = std::thread::scope(|scope| {
        let build = scope.spawn(|| (collected.build(&control).map(|_| ()), Instant::now()));
        while control.done() < 1_000 {
            std::thread::yield_now();
        }
        assert!(control.total() > 1_000);
        control.cancel();
        let cancelled = Instant::now();
        let (result, ended) = build.join().unwrap();
        // Generous: a loaded test machine may not run the threads at once.
        assert!(ended.saturating_duration_since(cancelled) < Duration::from_millis(500));
        result
    });
    assert_eq!(result, Err(Cancelled));
    assert!(control.done() < control.total());
}

#[test]
fn progress_reaches_the_total() {
    let control = BuildControl::new();
    let collected = collect(&clusters(3_000, 81), params(2));
    let nodes = u64::from(collected.nodes());
    collected.build(&control).unwrap();
    assert_eq!((control.done(), control.total()), (nodes, nodes));
}
