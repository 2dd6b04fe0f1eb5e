//! Shards of dense vectors.
#![cfg(not(miri))] // too slow there

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::{build, collect, dense_params, in_domain, open, to_bytes, value, values, vectors};
use iscc_hnsw::build::{estimated_file_bytes, largest_file_bytes};
use iscc_hnsw::control::{BuildControl, Cancelled};
use iscc_hnsw::params::{BuildParams, ShardValues};
use iscc_hnsw::search::{Candidate, FlatSearch, GraphSearch, looked_up};
use iscc_hnsw::shard::{EFFORTS, Shard};
use iscc_metrics::DenseMetric;
use iscc_metrics::dense::rows::RowKind;
use iscc_metrics::dense::{Query, Scalar};
use test_random::Random;

const NO_PROBLEMS: [String; 0] = [];

/// Values of a shard, and queries that are not among them.
struct Set {
    values: Vec<Vec<u8>>,
    queries: Vec<Vec<u8>>,
    dimensions: usize,
}

fn set(count: usize, dimensions: usize, seed: u64) -> Set {
    set_of(DenseMetric::L2, count, dimensions, seed)
}

/// A set of vectors that this metric compares.
fn set_of(metric: DenseMetric, count: usize, dimensions: usize, seed: u64) -> Set {
    let dimensions = metric.dimensions().unwrap_or(dimensions);
    let mut values = values(&in_domain(metric, &vectors(count, dimensions, seed)));
    let is_query = |at: usize| at % 20 == 7;
    let queries = (0..count)
        .filter(|&at| is_query(at))
        .map(|at| values[at].clone())
        .collect();
    let mut at = 0;
    values.retain(|_| {
        at += 1;
        !is_query(at - 1)
    });
    Set {
        values,
        queries,
        dimensions,
    }
}

/// How many of the ten nearest values are among those that a search has found.
fn hits(shard: &Shard<Vec<u8>>, set: &Set, query: &[u8], found: &[Candidate]) -> usize {
    let ShardKind { metric, scalar } = kind_of(shard);
    let query = Query::new(metric, scalar, query);
    let mut keys: Vec<u64> = set.values.iter().map(|value| query.key(value)).collect();
    keys.sort_unstable();
    let ordinals = found.iter().flat_map(|found| shard.postings(found.node));
    let mut found: Vec<u64> = ordinals
        .map(|ordinal| query.key(&set.values[ordinal as usize]))
        .collect();
    found.sort_unstable();
    found.iter().take(10).filter(|&&key| key <= keys[9]).count()
}

struct ShardKind {
    metric: DenseMetric,
    scalar: Scalar,
}

fn kind_of(shard: &Shard<Vec<u8>>) -> ShardKind {
    let encoding = shard.encoding().unwrap();
    ShardKind {
        metric: encoding.metric(),
        scalar: encoding.scalar(),
    }
}

fn recall(shard: &Shard<Vec<u8>>, set: &Set, mut search: impl FnMut(&[u8], &mut Vec<Candidate>)) -> f64 {
    let (mut found, mut sum) = (Vec::new(), 0);
    for query in &set.queries {
        search(query, &mut found);
        sum += hits(shard, set, query, &found);
    }
    sum as f64 / (10 * set.queries.len()) as f64
}

#[test]
fn recall_by_metric_and_kind_of_rows() {
    for metric in DenseMetric::all() {
        let set = set_of(metric, 3_000, 40, 11);
        for &kind in metric.row_kinds() {
            for threads in [1, 2] {
                let shard = open(&set.values, dense_params(metric, set.dimensions, Some(kind), threads));
                assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
                assert_eq!(shard.encoding().unwrap().kind(), kind);
                assert_eq!((shard.metric(), shard.max_code_bytes()), (metric.metric(), 0));
                let mut graph = GraphSearch::new();
                let recall = recall(&shard, &set, |query, found| {
                    let query = shard.encoding().unwrap().query(query);
                    graph.start(&shard, &query, 128, found);
                    found.truncate(looked_up(128));
                });
                assert!(recall >= 0.99, "{metric:?} {kind:?}, {threads} threads: {recall}");
            }
        }
    }
}

#[test]
fn calibrated_searches_reach_their_recall() {
    for metric in DenseMetric::all() {
        calibrated_searches_of(metric);
    }
}

fn calibrated_searches_of(metric: DenseMetric) {
    let set = set_of(metric, 12_000, 32, 5);
    let shard = open(&set.values, dense_params(metric, set.dimensions, None, 2));
    assert_eq!(shard.encoding().unwrap().kind(), metric.row_kinds()[0]);
    let (calibration, mut graph, mut flat) = (shard.calibration(), GraphSearch::new(), FlatSearch::default());
    let mut by_graph = 0;
    for target in [0.9, 0.99] {
        let recall = recall(&shard, &set, |query, found| {
            let bytes = query.len();
            let query = shard.encoding().unwrap().query(query);
            graph.start(&shard, &query, EFFORTS[0], found);
            match calibration.effort(bytes, found[9].key, target) {
                Some(effort) => {
                    by_graph += 1;
                    graph.widen(&shard, &query, effort, found);
                    found.truncate(looked_up(effort));
                }
                None => {
                    flat.start(u32::MAX);
                    flat.next(&shard, &query, 40, u32::MAX, found);
                }
            }
        });
        assert!(recall >= target, "{metric:?}: {recall} for {target}");
    }
    // Comparing all points is cheap.
    let is_cheap = metric == DenseMetric::Haversine;
    assert!(
        is_cheap || by_graph > set.queries.len(),
        "{metric:?}: {by_graph} searches of the graph"
    );
    assert!(!calibration.favours_graph(4, 0.5), "no query is so short");
    assert!(!calibration.favours_graph(128, 1.0));
}

/// Rows of integers hold for long vectors, too, and so do the sums of their products.
#[test]
fn long_vectors() {
    for (count, dimensions) in [(800, 3_072), (160, 16_000)] {
        for metric in DenseMetric::all().filter(|metric| metric.takes(dimensions)) {
            let set = set_of(metric, count, dimensions, 71);
            let shard = open(&set.values, dense_params(metric, dimensions, None, 2));
            assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
            let encoding = shard.encoding().unwrap();
            assert_eq!(
                (encoding.kind(), encoding.dimensions()),
                (metric.row_kinds()[0], dimensions)
            );
            let (mut graph, mut flat) = (GraphSearch::new(), FlatSearch::default());
            let by_graph = recall(&shard, &set, |query, found| {
                let (bytes, query) = (query.len(), encoding.query(query));
                graph.start(&shard, &query, EFFORTS[0], found);
                let effort = shard.calibration().effort(bytes, found[9].key, 0.99).unwrap_or(320);
                graph.widen(&shard, &query, effort, found);
                found.truncate(looked_up(effort));
            });
            let by_rows = recall(&shard, &set, |query, found| {
                flat.start(u32::MAX);
                flat.next(&shard, &encoding.query(query), 40, u32::MAX, found);
            });
            assert!(by_graph >= 0.99 && by_rows >= 0.99, "{metric:?}: {by_graph}, {by_rows}");
        }
    }
}

#[test]
fn one_thread_is_deterministic() {
    let set = set(1_500, 24, 31);
    let params = |seed| BuildParams {
        seed,
        ..dense_params(DenseMetric::L2, set.dimensions, None, 1)
    };
    let bytes = to_bytes(&build(&set.values, params(7)));
    assert!(bytes == to_bytes(&build(&set.values, params(7))));
    assert!(bytes != to_bytes(&build(&set.values, params(8))));
}

#[test]
fn rows_and_postings_are_those_of_the_values() {
    let set = set(700, 9, 41);
    for kind in RowKind::ALL {
        let params = dense_params(DenseMetric::InnerProduct, set.dimensions, Some(kind), 2);
        let shard = open(&set.values, params.clone());
        let mut ordinals = BTreeSet::new();
        for node in 0..shard.nodes() {
            for ordinal in shard.postings(node) {
                assert!(ordinals.insert(ordinal));
                let mut row = Vec::new();
                shard
                    .encoding()
                    .unwrap()
                    .encode(&set.values[ordinal as usize], &mut row);
                assert_eq!(shard.row(node), Some(&row[..]));
            }
        }
        assert_eq!(
            (ordinals.len(), shard.entries() as usize),
            (set.values.len(), set.values.len())
        );
        assert_eq!(shard.code(0), None);
        let (bytes, estimate) = (
            shard.file_bytes(),
            estimated_file_bytes(set.values.len() as u64, &params),
        );
        assert!(
            bytes <= estimate * 11 / 10 && estimate <= bytes * 11 / 10,
            "{bytes} {estimate}"
        );
        // Codes find nothing among vectors.
        let code = iscc_metrics::Query::new(iscc_metrics::Metric::Nphd, &[1, 2, 3]);
        assert_eq!(common::search(&shard, &code, 10), []);
    }
}

#[test]
fn resumed_to_the_end_each_node_comes_once() {
    let set = set(2_500, 16, 51);
    let mut random = Random(52);
    let mut state = GraphSearch::new();
    for (m, kind, threads) in [(16, RowKind::I8, 1), (3, RowKind::F16, 2)] {
        let params = BuildParams {
            m,
            ..dense_params(DenseMetric::L1, set.dimensions, Some(kind), threads)
        };
        let shard = open(&set.values, params);
        for query in set.queries.iter().take(3) {
            let query = shard.encoding().unwrap().query(query);
            let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
            state.start(&shard, &query, 40, &mut out);
            while !out.is_empty() {
                assert!(out.is_sorted());
                assert!(out.iter().all(|candidate| seen.insert(candidate.node)));
                state.resume(&shard, &query, 1 + random.below(100), &mut out);
            }
            assert_eq!(seen.len(), shard.nodes() as usize);
        }
    }
}

/// Ten thousand equal values, vectors of zeros among others, and one value alone.
#[test]
fn equal_values_zeros_and_single_ones() {
    for metric in DenseMetric::all() {
        for kind in [None, Some(RowKind::F16), Some(RowKind::F32)] {
            let value = |vector: [f32; 3]| value(&in_domain(metric, &[vector.to_vec()])[0]);
            let mut many = vec![value([1.0, 2.0, -3.0]); 10_000];
            many.push(value([0.0; 3]));
            many.push(value([-1.0, 2.0, 4.0]));
            let shard = open(&many, dense_params(metric, 3, kind, 2));
            assert_eq!((shard.nodes(), shard.entries()), (3, 10_002), "{metric:?}");
            assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
            let query = shard.encoding().unwrap().query(&many[0]);
            let found = common::search(&shard, &query, 5);
            assert_eq!(found.len(), 3, "none is left out, zeros neither");
            assert_eq!(shard.postings(found[0].node).count(), 10_000);

            for values in [vec![], vec![value([0.0; 3]); 4], vec![value([5.0, 0.0, 1.0])]] {
                let shard = open(&values, dense_params(metric, 3, kind, 2));
                assert_eq!(shard.entries() as usize, values.len());
                assert_eq!(shard.nodes() as usize, values.len().min(1));
                assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
                assert_eq!(common::search(&shard, &query, 5).len(), values.len().min(1));
            }
        }
    }
}

#[test]
fn one_dimension_and_sixteen_thousand() {
    for (count, dimensions) in [(2_000, 1), (30, 16_000)] {
        let set = set(count, dimensions, 61);
        for kind in RowKind::ALL {
            for metric in [DenseMetric::L2, DenseMetric::L1] {
                let shard = open(&set.values, dense_params(metric, dimensions, Some(kind), 2));
                assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
                let recall = recall(&shard, &set, |query, found| {
                    let query = shard.encoding().unwrap().query(query);
                    *found = common::search(&shard, &query, 128);
                });
                // Rows of one integer stand for some ten values each.
                assert!(recall >= 0.99, "{metric:?} {kind:?} {dimensions}: {recall}");
            }
        }
    }
}

/// Values of other dimensions are not indexed, wherever they come.
#[test]
fn other_dimensions_are_left_out() {
    let mut values = values(&vectors(50, 8, 1));
    values.insert(0, value(&[1.0; 7]));
    values.insert(20, value(&[1.0; 9]));
    values.push(Vec::new());
    let shard = open(&values, dense_params(DenseMetric::L2, 8, None, 1));
    assert_eq!((shard.entries(), shard.verify(&|| {})), (50, vec![]));
}

#[test]
fn rows_are_wider_where_integers_lose_neighbours() {
    let kind_of = |values: &[Vec<u8>], rows| {
        let shard = open(values, dense_params(DenseMetric::L2, 12, rows, 2));
        assert_eq!(shard.verify(&|| {}), NO_PROBLEMS);
        (
            shard.encoding().unwrap().kind(),
            shard.entries() as usize,
            shard.nodes() as usize,
        )
    };
    let plain = vectors(2_000, 12, 71);
    assert_eq!(kind_of(&values(&plain), None).0, RowKind::I8);
    // One value so far out that the rest fall together as integers.
    let outlier = |far: f32| {
        let mut vectors = plain.clone();
        vectors.push(vec![far; 12]);
        values(&vectors)
    };
    let (kind, entries, nodes) = kind_of(&outlier(1e4), None);
    assert_eq!((kind, entries), (RowKind::F16, 2_001));
    assert!(nodes > 1_990, "{nodes} nodes");
    assert_eq!(kind_of(&outlier(1e6), None), (RowKind::F32, 2_001, 2_001));
    // Whoever asks for integers gets them.
    assert_eq!(kind_of(&outlier(1e6), Some(RowKind::I8)).0, RowKind::I8);
}

#[test]
fn values_of_16_bit_numbers() {
    let exact = [0x3C00u16, 0x4000, 0xC200, 0x0000, 0xBC00]; // 1, 2, -3, 0, -1
    let mut random = Random(81);
    let values: Vec<Vec<u8>> = (0..800)
        .map(|_| (0..20).flat_map(|_| exact[random.below(5)].to_le_bytes()).collect())
        .collect();
    let params = |rows| BuildParams {
        values: ShardValues::Dense {
            metric: DenseMetric::L2,
            scalar: Scalar::F16,
            dimensions: 20,
            rows,
        },
        ..common::params(1)
    };
    let set = Set {
        queries: values.iter().step_by(40).cloned().collect(),
        values,
        dimensions: 20,
    };
    for rows in [None, Some(RowKind::F16), Some(RowKind::F32)] {
        let shard = open(&set.values, params(rows));
        let recall = recall(&shard, &set, |query, found| {
            let query = shard.encoding().unwrap().query(query);
            *found = common::search(&shard, &query, 256);
        });
        assert!(recall >= 0.99, "{rows:?}: {recall}");
    }
}

#[test]
fn cancelled_soon() {
    let collected = collect(
        &values(&vectors(20_000, 64, 91)),
        dense_params(DenseMetric::Cosine, 64, None, 2),
    );
    let control = BuildControl::new();
    let result = std::thread::scope(|scope| {
        let build = scope.spawn(|| (collected.build(&control).map(|_| ()), Instant::now()));
        while control.done() < 500 {
            std::thread::yield_now();
        }
        control.cancel();
        let cancelled = Instant::now();
        let (result, ended) = build.join().unwrap();
        // Generous: a loaded test machine may not run the threads at once.
        assert!(ended.saturating_duration_since(cancelled) < Duration::from_millis(500));
        result
    });
    assert_eq!(result, Err(Cancelled));
}

#[test]
fn the_largest_estimate_holds_for_the_widest_rows() {
    for metric in DenseMetric::all() {
        let estimate = |rows| estimated_file_bytes(10_000, &dense_params(metric, 100, rows, 1));
        let widest = largest_file_bytes(10_000, &dense_params(metric, 100, None, 1));
        let expected = if metric.is_angular() {
            RowKind::F16
        } else {
            RowKind::F32
        };
        assert_eq!(widest, estimate(Some(expected)), "{metric:?}");
        for &kind in metric.row_kinds() {
            let largest = largest_file_bytes(10_000, &dense_params(metric, 100, Some(kind), 1));
            assert_eq!(largest, estimate(Some(kind)), "{metric:?} {kind:?}");
        }
    }
    // 32 bits are what numbers are given that 16 cannot hold.
    let tiny: Vec<Vec<u8>> = (0..300)
        .map(|at| value(&[1e-9 * at as f32, 1e-9 * (at * at) as f32]))
        .collect();
    let params = dense_params(DenseMetric::L2, 2, None, 1);
    assert_eq!(open(&tiny, params.clone()).encoding().unwrap().kind(), RowKind::F32);
    assert!(open(&tiny, params.clone()).file_bytes() <= largest_file_bytes(300, &params) * 11 / 10);
}
