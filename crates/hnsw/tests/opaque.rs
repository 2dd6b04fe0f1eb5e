//! Shards of values that only a function of the caller's understands.
#![cfg(not(miri))] // too slow there

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;

use common::{Function, build_opaque, collect_opaque, levenshtein, opaque_params, search, stored, to_bytes, words};
use iscc_hnsw::build::BuiltShard;
use iscc_hnsw::control::{BuildControl, Cancelled};
use iscc_hnsw::opaque::Layout;
use iscc_hnsw::search::{GraphSearch, ValueQuery};
use iscc_hnsw::shard::Shard;
use iscc_metrics::Metric;

/// The 10 smallest distances of the distinct values.
fn nearest(values: &[Vec<u8>], distance: impl Fn(&[u8], &[u8]) -> f64, query: &[u8]) -> Vec<f64> {
    let distinct: BTreeSet<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let mut distances: Vec<f64> = distinct.iter().map(|value| distance(value, query)).collect();
    distances.sort_by(f64::total_cmp);
    distances.truncate(10);
    distances
}

/// Share of the 10 nearest that searches with this effort find.
fn recall(values: &[Vec<u8>], queries: &[Vec<u8>], distance: &dyn Fn(&[u8], &[u8]) -> f64, effort: usize) -> f64 {
    let shard = Shard::open(to_bytes(&build_opaque(values, Function(distance)))).unwrap();
    assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
    let mut found = 0;
    for query in queries {
        let expected = nearest(values, distance, query);
        let searched = ValueQuery::new(Function(distance), query);
        let candidates = search(&shard, &searched, effort);
        let near = candidates.iter().take(10).filter(|candidate| {
            let value = &shard.stored_value(candidate.node).unwrap()[4..];
            distance(value, query) <= expected[9]
        });
        found += near.count();
        assert!(!searched.has_found_damage());
    }
    found as f64 / (10 * queries.len()) as f64
}

#[test]
fn neighbours_are_found() {
    let (values, queries) = (words(3000, 1), words(60, 99));
    assert!(recall(&values, &queries, &levenshtein, 128) > 0.97);
}

#[test]
fn any_number_is_a_distance() {
    let values: Vec<Vec<u8>> = (0u32..2000).map(|n| n.to_be_bytes().to_vec()).collect();
    let number = |bytes: &[u8]| f64::from(u32::from_be_bytes(bytes.try_into().unwrap()));
    let queries: Vec<Vec<u8>> = [3u32, 700, 1999].map(|n| n.to_be_bytes().to_vec()).to_vec();
    let negative = move |row: &[u8], query: &[u8]| (number(row) - number(query)).abs() - 1e6;
    assert_eq!(recall(&values, &queries, &negative, 64), 1.0);
    // Of another distance in each direction.
    let asymmetric = move |row: &[u8], query: &[u8]| {
        let ahead = number(row) - number(query);
        if ahead < 0.0 { -3.0 * ahead } else { ahead }
    };
    assert!(recall(&values, &queries, &asymmetric, 64) > 0.95);
    // NaN comes last.
    let mostly_nan = move |row: &[u8], query: &[u8]| match (number(row) - number(query)).abs() {
        far if far > 500.0 => f64::NAN,
        far => far,
    };
    assert!(recall(&values, &queries, &mostly_nan, 64) > 0.9);
}

#[test]
fn every_row_is_reached_under_any_function() {
    let values = words(500, 4);
    let distinct: BTreeSet<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let nonsense = |row: &[u8], query: &[u8]| f64::from(crc32c::crc32c_append(crc32c::crc32c(row), query));
    for distance in [&nonsense as &dyn Fn(&[u8], &[u8]) -> f64, &|_, _| f64::NAN, &|_, _| {
        f64::NEG_INFINITY
    }] {
        let shard = Shard::open(to_bytes(&build_opaque(&values, Function(distance)))).unwrap();
        assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
        let query = ValueQuery::new(Function(distance), b"query");
        let (mut state, mut batch, mut found) = (GraphSearch::new(), Vec::new(), BTreeSet::new());
        state.start(&shard, &query, 10, &mut batch);
        while !batch.is_empty() {
            found.extend(batch.iter().map(|candidate| candidate.node));
            state.resume(&shard, &query, 10, &mut batch);
        }
        assert_eq!(found.len(), distinct.len());
        let postings = (0..shard.nodes()).map(|node| shard.postings(node).count());
        assert_eq!(postings.sum::<usize>(), values.len());
    }
}

#[test]
fn the_function_is_called_as_row_and_query() {
    let rows: BTreeSet<Vec<u8>> = words(300, 5).into_iter().collect();
    let values: Vec<Vec<u8>> = rows.iter().cloned().collect();
    let shard = Shard::open(to_bytes(&build_opaque(&values, Function(&levenshtein)))).unwrap();
    let check = |row: &[u8], query: &[u8]| {
        assert!(rows.contains(row) && query == b"QUERY");
        levenshtein(row, query)
    };
    search(&shard, &ValueQuery::new(Function(&check), b"QUERY"), 50);
}

#[test]
fn few_calls_build_it_and_each_can_end_it() {
    let values = words(2000, 6);
    let calls = Cell::new(0u64);
    let counted = |row: &[u8], query: &[u8]| {
        calls.set(calls.get() + 1);
        levenshtein(row, query)
    };
    build_opaque(&values, Function(&counted));
    let per_row = calls.get() / 2000;
    assert!(per_row < 900, "{per_row} calls per row");

    calls.set(0);
    let control = BuildControl::new();
    let ended = |row: &[u8], query: &[u8]| {
        calls.set(calls.get() + 1);
        if calls.get() == 1000 {
            control.cancel();
        }
        levenshtein(row, query)
    };
    let collected = collect_opaque(&values, Layout::Varying);
    assert_eq!(collected.build(Function(&ended), &control).err(), Some(Cancelled));
    assert!(calls.get() < 6000, "{} calls", calls.get());
}

#[test]
fn calibration_comes_from_nodes_that_the_graph_lacks() {
    let values = words(4000, 7);
    let shard = Shard::open(to_bytes(&build_opaque(&values, Function(&levenshtein)))).unwrap();
    let calibration = shard.calibration();
    let queries = |class: &iscc_hnsw::shard::Curve| u32::from(class.queries.get());
    let sum: u32 = calibration.lengths()[0].classes.iter().map(queries).sum();
    assert_eq!(sum, 60);
    assert!(calibration.effort(1, 0, 0.5).is_some());
    assert_eq!(
        (shard.metric(), shard.value_layout()),
        (Metric::User, Some(Layout::Varying))
    );
}

#[test]
fn a_shard_can_refuse() {
    let refused = BuiltShard::refused(&opaque_params(Layout::Varying));
    let shard = Shard::open(to_bytes(&refused)).unwrap();
    assert!(shard.is_refused());
    assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
    assert!(search(&shard, &ValueQuery::new(Function(&levenshtein), b"x"), 10).is_empty());
}

#[test]
fn what_does_not_match_its_checksum_is_left_out() {
    let mut values: Vec<Vec<u8>> = (0u64..100).map(|n| n.to_le_bytes().to_vec()).collect();
    values[7].pop();
    let collected = collect_opaque(&values, Layout::Number(8));
    assert_eq!(collected.len(), 99);
    let constant = |_: &[u8], _: &[u8]| 1.0;
    let mut file = to_bytes(&collected.build(Function(&constant), &BuildControl::new()).unwrap());
    // A byte of a value, found by its stored form.
    let value = stored(&5u64.to_le_bytes());
    let at = file.windows(value.len()).position(|window| window == value).unwrap();
    file[at + 6] ^= 1;
    let shard = Shard::open(file).unwrap();
    assert!(!shard.verify(&|| {}).is_empty());
    let query = ValueQuery::new(Function(&constant), &[0; 8]);
    assert_eq!(search(&shard, &query, 100).len(), 99);
    assert!(query.has_found_damage());
}
