//! Exact search of a shard, and what its calibration says.
#![cfg(not(miri))] // too slow there

mod common;

use common::{clusters, codes_of, open, params};
use iscc_hnsw::params::BuildParams;
use iscc_hnsw::search::FlatSearch;
use iscc_hnsw::search::{Candidate, GraphSearch, Part, start_together, widen_together};
use iscc_hnsw::shard::EFFORTS;
use iscc_hnsw::shard::Shard;
use iscc_metrics::{Metric, Query};
use test_random::Random;

fn keys_of(shard: &Shard<Vec<u8>>, query: &Query) -> Vec<u32> {
    let key = |node| query.key(shard.code(node).unwrap());
    let mut keys: Vec<u32> = (0..shard.nodes()).map(key).collect();
    keys.sort_unstable();
    keys
}

/// All of a search, in batches of these sizes, the last one again and again.
fn all(shard: &Shard<Vec<u8>>, query: &Query, bound: u32, sizes: &[usize]) -> Vec<Candidate> {
    let (mut flat, mut batch, mut found) = (FlatSearch::default(), Vec::new(), Vec::new());
    flat.start(bound);
    for &size in sizes.iter().chain(std::iter::repeat(sizes.last().unwrap())) {
        flat.next(shard, query, size, u32::MAX, &mut batch);
        found.append(&mut batch);
        if flat.is_complete() {
            return found;
        }
    }
    unreachable!()
}

#[test]
fn every_node_once_and_in_order() {
    for (metric, max_code_bytes) in [
        (Metric::Nphd, 32),
        (Metric::Jaccard, 32),
        (Metric::Hamming, 32),
        (Metric::Sorensen, 32),
        (Metric::Nphd, 300),
    ] {
        let mut codes = clusters(3000, 5);
        let mut random = Random(8);
        // Lengths that are no whole words, and, where there is room, long ones.
        codes.extend((0..500).map(|_| {
            let bytes = 1 + random.below(usize::from(max_code_bytes));
            random.bytes(bytes)
        }));
        let shard = open(
            &codes,
            BuildParams {
                values: codes_of(metric, max_code_bytes),
                ..params(1)
            },
        );
        assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
        for bytes in [1, 7, 8, 9, 24, 31, 32, 40, 300] {
            let query = Query::new(metric, &random.bytes(bytes));
            let found = all(&shard, &query, u32::MAX, &[10, 100, 1000]);
            let keys: Vec<u32> = found.iter().map(|candidate| candidate.key).collect();
            assert_eq!(keys, keys_of(&shard, &query), "{metric:?} {bytes}");
            let mut nodes: Vec<u32> = found.iter().map(|candidate| candidate.node).collect();
            nodes.sort_unstable();
            assert!(nodes.iter().copied().eq(0..shard.nodes()));
            for candidate in found {
                assert_eq!(candidate.key, query.key(shard.code(candidate.node).unwrap()));
            }
        }
    }
}

#[test]
fn a_bound_leaves_out_what_is_farther() {
    let codes = clusters(5000, 6);
    let shard = open(&codes, params(1));
    for code in codes.iter().step_by(500) {
        let query = Query::new(Metric::Nphd, code);
        for bound in [0, 1, 1 << 27, 1 << 29, 1 << 30] {
            let found = all(&shard, &query, bound, &[7, 50]);
            let expected = keys_of(&shard, &query);
            let near = expected.iter().take_while(|&&key| key < bound);
            assert!(found.iter().map(|candidate| &candidate.key).eq(near), "{bound}");
        }
    }
}

#[test]
fn a_hint_changes_nothing_even_if_it_is_wrong() {
    let codes = clusters(5000, 6);
    let shard = open(&codes, params(1));
    let query = Query::new(Metric::Nphd, &codes[77]);
    let keys = keys_of(&shard, &query);
    for hint in [1, keys[31], keys[31] + 1, keys[100], u32::MAX] {
        let (mut flat, mut found) = (FlatSearch::default(), Vec::new());
        flat.start(u32::MAX);
        flat.next(&shard, &query, 32, hint, &mut found);
        assert!(found.iter().map(|candidate| &candidate.key).eq(&keys[..32]), "{hint}");
    }
}

#[test]
fn widened_searches_find_what_wider_ones_do() {
    let codes = clusters(20_000, 12);
    let shard = open(&codes, params(2));
    let (mut narrow, mut wide) = (GraphSearch::new(), GraphSearch::new());
    let (mut found, mut at_once) = (Vec::new(), Vec::new());
    let (mut equal, mut queries) = (0, 0);
    for code in codes.iter().step_by(200) {
        let query = Query::new(Metric::Nphd, code);
        narrow.start(&shard, &query, 32, &mut found);
        narrow.widen(&shard, &query, 256, &mut found);
        wide.start(&shard, &query, 256, &mut at_once);
        assert_eq!(found.len(), at_once.len());
        assert!(found.is_sorted());
        let tenth = at_once[9].key;
        equal += usize::from(found[9].key <= tenth);
        queries += 1;
        // What is left comes when the search is resumed, once.
        let mut nodes: Vec<u32> = found.iter().map(|candidate| candidate.node).collect();
        narrow.resume(&shard, &query, 100, &mut found);
        nodes.extend(found.iter().map(|candidate| candidate.node));
        let count = nodes.len();
        nodes.sort_unstable();
        nodes.dedup();
        assert_eq!((nodes.len(), count), (356, 356));
    }
    assert!(equal * 100 >= queries * 99, "{equal} of {queries}");
}

/// Mean recall of the ten nearest by the way that the calibration chooses, and the share of exact searches.
fn calibrated(shard: &Shard<Vec<u8>>, queries: &[Query]) -> (f64, f64) {
    let calibration = shard.calibration();
    let (mut search, mut flat, mut found) = (GraphSearch::new(), FlatSearch::default(), Vec::new());
    let (mut hits, mut exact) = (0, 0);
    for query in queries {
        let bytes = query.code().len();
        let mut effort = None;
        if calibration.favours_graph(bytes, 0.99) {
            search.start(shard, query, EFFORTS[0], &mut found);
            effort = calibration.effort(bytes, found[9].key, 0.99);
        }
        match effort {
            Some(effort) => search.widen(shard, query, effort, &mut found),
            None => {
                flat.start(u32::MAX);
                flat.next(shard, query, 10, u32::MAX, &mut found);
                exact += 1;
            }
        }
        let farthest = keys_of(shard, query)[9];
        hits += found
            .iter()
            .take(10)
            .filter(|candidate| candidate.key <= farthest)
            .count();
    }
    let n = queries.len() as f64;
    (hits as f64 / (10.0 * n), f64::from(exact) / n)
}

#[test]
fn easy_codes_get_the_graph_and_random_ones_the_exact_search() {
    let mut random = Random(4);
    let easy = clusters(30_000, 12);
    let hard: Vec<Vec<u8>> = (0..30_000).map(|_| random.bytes(32)).collect();
    let queries = |codes: &[Vec<u8>]| -> Vec<Query> {
        let code = |code: &Vec<u8>| Query::new(Metric::Nphd, code);
        codes.iter().step_by(150).map(code).collect()
    };
    let (recall, exact) = calibrated(&open(&hard, params(2)), &queries(&hard));
    assert_eq!((recall, exact), (1.0, 1.0));
    let (recall, exact) = calibrated(&open(&easy, params(2)), &queries(&easy));
    assert!(recall >= 0.99 && exact < 0.9, "recall {recall}, exact {exact}");
}

#[test]
fn nothing_is_promised_without_queries_or_for_shorter_ones() {
    let codes = clusters(2000, 3);
    let shard = open(&codes, params(1));
    let calibration = shard.calibration();
    assert!(!calibration.favours_graph(3, 0.99));
    assert!(calibration.favours_graph(100, 0.5));
    assert!(!calibration.favours_graph(32, 1.0));
    assert_eq!(calibration.effort(32, u32::MAX, 0.99), None);
}

#[test]
fn searches_together_find_what_each_finds_alone() {
    let shards = [(20_000, 3), (300, 4), (1, 5), (0, 6), (9_000, 7)]
        .map(|(count, seed)| open(&clusters(count, seed), params(2)));
    let mut random = Random(9);
    let mut together: Vec<(GraphSearch, Vec<Candidate>)> = shards.iter().map(|_| Default::default()).collect();
    for bytes in [32, 32, 16, 8, 32] {
        let query = Query::new(Metric::Nphd, &random.bytes(bytes));
        let mut alone: Vec<(GraphSearch, Vec<Candidate>)> = shards.iter().map(|_| Default::default()).collect();
        for (round, effort) in [32, 100].into_iter().enumerate() {
            let pairs = shards.iter().zip(&mut together);
            let mut parts: Vec<Part<'_, Vec<u8>>> = pairs
                .map(|(shard, (search, found))| Part {
                    search,
                    shard,
                    effort,
                    found,
                })
                .collect();
            match round {
                0 => start_together(&query, &mut parts),
                _ => widen_together(&query, &mut parts),
            }
            for ((shard, (_, found)), (search, expected)) in shards.iter().zip(&together).zip(&mut alone) {
                match round {
                    0 => search.start(shard, &query, effort, expected),
                    _ => search.widen(shard, &query, effort, expected),
                }
                assert_eq!(found, expected, "effort {effort}, {} nodes", shard.nodes());
            }
        }
    }
}

#[test]
fn clusters_far_from_each_other_are_found_with_little_effort() {
    let mut random = Random(31);
    let centres: Vec<Vec<u8>> = (0..2000).map(|_| random.bytes(32)).collect();
    let mut near = |centre: &[u8]| {
        let mut code = centre.to_vec();
        (0..15).for_each(|_| {
            let bit = random.below(256);
            code[bit / 8] ^= 1 << (bit % 8);
        });
        code
    };
    let codes: Vec<Vec<u8>> = centres
        .iter()
        .flat_map(|centre| vec![centre; 20])
        .map(|c| near(c))
        .collect();
    let queries: Vec<Query> = centres.iter().map(|c| Query::new(Metric::Nphd, &near(c))).collect();
    // A weak graph, as that of many more codes is.
    let weak = BuildParams {
        m: 4,
        ef_construction: 8,
        ..params(2)
    };
    let shard = open(&codes, weak);
    let (mut search, mut found) = (GraphSearch::new(), Vec::new());
    let mut astray = 0;
    for query in &queries {
        search.start(&shard, query, EFFORTS[0], &mut found);
        // All of a cluster are within 30 of 256 bits; those of others are not.
        astray += usize::from(query.key(shard.code(found[9].node).unwrap()) > u32::MAX / 10);
    }
    // By its upper levels alone, this graph leads 1,633 of them astray.
    assert!(
        astray < queries.len() / 5,
        "{astray} of {} queries were led astray",
        queries.len()
    );
}
