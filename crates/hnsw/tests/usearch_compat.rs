//! USearch itself opens our files, and its search agrees with ours.
#![cfg(not(miri))] // which runs no C++

mod common;

use common::{clusters, codes_of, dense_params, in_domain, open, params, search, to_bytes, value, values, vectors};
use iscc_hnsw::build::Keys;
use iscc_hnsw::shard::Shard;
use iscc_metrics::dense::rows::RowKind;
use iscc_metrics::{DenseMetric, Metric, Query, dense};
use usearch::{Index, IndexOptions, MetricKind, ScalarKind, b1x8};

/// Bytes of a row: length byte and code.
const ROW: usize = 33;

/// NPHD as iscc-usearch computes it on rows: the length byte first.
fn row_distance(a: *const b1x8, b: *const b1x8) -> f32 {
    // SAFETY: USearch passes rows of `ROW` bytes, and `b1x8` is a byte.
    let (a, b) = unsafe { (&*a.cast::<[u8; ROW]>(), &*b.cast::<[u8; ROW]>()) };
    let end = |row: &[u8; ROW]| usize::from(row[0]).min(ROW - 1) + 1;
    Metric::Nphd.distance(&a[1..end(a)], &b[1..end(b)]) as f32
}

fn new_index() -> Index {
    Index::new(&IndexOptions {
        dimensions: ROW * 8,
        metric: MetricKind::Hamming,
        quantization: ScalarKind::B1,
        connectivity: 16,
        expansion_add: 128,
        expansion_search: 256,
        multi: false,
    })
    .unwrap()
}

fn row_of(code: &[u8]) -> Vec<u8> {
    let mut row = vec![code.len() as u8];
    row.extend_from_slice(code);
    row.resize(ROW, 0);
    row
}

#[test]
fn usearch_loads_views_and_searches_our_file() {
    let codes = clusters(3_000, 1);
    let bytes = to_bytes(&common::build(&codes, params(2)));
    let shard = Shard::open(bytes.clone()).unwrap();
    let path = std::env::temp_dir().join(format!("iscc-hnsw-compat-{}.usearch", std::process::id()));
    std::fs::write(&path, &bytes).unwrap();
    let name = path.to_str().unwrap();
    for view in [false, true] {
        let mut index = new_index();
        if view {
            index.view(name).unwrap()
        } else {
            index.load(name).unwrap()
        }
        assert_eq!(
            (index.size(), index.connectivity(), index.dimensions()),
            (shard.nodes() as usize, 16, ROW * 8)
        );
        index.change_metric::<b1x8>(Box::new(row_distance));
        index.change_expansion_search(256);
        check_rows(&index, &shard);
        check_search(&index, &shard, &codes);
    }
    std::fs::remove_file(&path).unwrap();
}

fn check_rows(index: &Index, shard: &Shard<Vec<u8>>) {
    for node in 0..shard.nodes() {
        // The binding takes the length of the buffer for the number of dimensions, which are bits here.
        let mut row = [0u8; ROW * 8];
        assert_eq!(index.get(u64::from(node), b1x8::from_mut_u8s(&mut row)).unwrap(), 1);
        assert_eq!(row[..ROW].to_vec(), row_of(shard.code(node).unwrap()));
        assert_eq!(index.count(u64::from(node)), 1);
    }
}

fn check_search(index: &Index, shard: &Shard<Vec<u8>>, codes: &[Vec<u8>]) {
    let (mut agreed, mut compared) = (0, 0);
    for code in codes.iter().step_by(30) {
        let theirs = index.search(b1x8::from_u8s(&row_of(code)), 10).unwrap();
        let query = Query::new(Metric::Nphd, code);
        let ours = search(shard, &query, 256);
        assert_eq!(theirs.distances[0], 0.0);
        for (candidate, (&key, &distance)) in ours.iter().zip(theirs.keys.iter().zip(&theirs.distances)) {
            assert_eq!(query.distance(shard.code(key as u32).unwrap()) as f32, distance);
            agreed += usize::from(query.distance(shard.code(candidate.node).unwrap()) as f32 == distance);
            compared += 1;
        }
    }
    assert!(
        agreed * 1000 >= compared * 995,
        "{agreed} of {compared} distances agree"
    );
}

#[test]
fn usearch_reads_the_metadata() {
    for (metric, max_code_bytes) in [
        (Metric::Jaccard, 32),
        (Metric::Nphd, 300),
        (Metric::Hamming, 32),
        (Metric::Sorensen, 32),
    ] {
        let parameters = iscc_hnsw::params::BuildParams {
            values: codes_of(metric, max_code_bytes),
            ..params(1)
        };
        let bytes = to_bytes(&common::build(&clusters(100, 2), parameters));
        let index = new_index();
        index.load_from_buffer(&bytes).unwrap();
        assert_eq!(index.size(), Shard::open(bytes).unwrap().nodes() as usize);
    }
    assert_eq!(open(&clusters(10, 3), params(1)).verify(&|| {}), Vec::<String>::new());
}

/// Rows of 16 and 32 bits are USearch's own, and so are its metrics: it finds the same neighbours by its own distances.
#[test]
fn usearch_searches_our_vectors() {
    let wide = vectors(2_000, 24, 4);
    // L1 is none of its metrics.
    for metric in DenseMetric::all().filter(|&metric| metric != DenseMetric::L1) {
        let vectors = in_domain(metric, &wide);
        let (all, dimensions) = (values(&vectors), vectors[0].len());
        for &kind in metric.row_kinds().iter().filter(|&&kind| kind != RowKind::I8) {
            let bytes = to_bytes(&common::build(&all, dense_params(metric, dimensions, Some(kind), 2)));
            let shard = Shard::open(bytes.clone()).unwrap();
            // What the index is made for does not matter: the file says what it is.
            let index = new_index();
            index.load_from_buffer(&bytes).unwrap();
            assert_eq!((index.size(), index.dimensions()), (shard.nodes() as usize, dimensions));
            index.change_expansion_search(256);
            let mut agreed = 0;
            for vector in vectors.iter().step_by(40) {
                let found = index.search(vector, 10).unwrap();
                let query = dense::Query::new(metric, dense::Scalar::F32, &value(vector));
                let mut keys: Vec<u64> = all.iter().map(|value| query.key(value)).collect();
                keys.sort_unstable();
                for (&node, &distance) in found.keys.iter().zip(&found.distances) {
                    let stored = &all[shard.postings(node as u32).next().unwrap() as usize];
                    let ours = match metric {
                        DenseMetric::L2 => query.distance(stored).powi(2),
                        // Theirs is one more.
                        DenseMetric::InnerProduct => query.distance(stored) + 1.0,
                        _ => query.distance(stored),
                    };
                    assert!(
                        (ours - f64::from(distance)).abs() < 0.01 * ours.abs().max(1.0),
                        "{ours} {distance}"
                    );
                    agreed += usize::from(query.key(stored) <= keys[9]);
                }
            }
            assert!(agreed >= 490, "{metric:?} {kind:?}: {agreed} of 500");
        }
    }
}

/// A plain file has an entry per key, also of codes that many share. USearch finds them, and goes on from there.
#[test]
fn usearch_loads_and_changes_a_plain_file() {
    let mut codes = clusters(2_000, 7);
    for n in 0..600 {
        // One code 301 times, some twice, some three times.
        let copied = if n < 300 { 40 } else { 50 + n % 200 };
        codes.push(codes[copied].clone());
    }
    let keys: Vec<u64> = (0..codes.len() as u64).map(|n| n * 7 + 5).collect();
    let mut file = Vec::new();
    let built = common::build(&codes, params(2));
    built.write_usearch(&mut file, Keys::Numbers(&keys)).unwrap();
    let mut index = new_index();
    index.load_from_buffer(&file).unwrap();
    assert_eq!(index.size(), codes.len());
    index.change_metric::<b1x8>(Box::new(row_distance));
    index.change_expansion_search(64);
    for (code, key) in codes.iter().zip(&keys) {
        let mut row = [0u8; ROW * 8];
        assert_eq!(index.get(*key, b1x8::from_mut_u8s(&mut row)).unwrap(), 1);
        assert_eq!(row[..ROW].to_vec(), row_of(code));
    }
    let code_of = |key: u64| &codes[(key as usize - 5) / 7];
    let recall = |index: &Index, is_live: &dyn Fn(u64) -> bool| {
        let (mut found, mut wanted) = (0, 0);
        for code in codes.iter().step_by(13) {
            let query = Query::new(Metric::Nphd, code);
            let live = keys.iter().filter(|key| is_live(**key));
            let mut exact: Vec<f32> = live.map(|key| query.distance(code_of(*key)) as f32).collect();
            exact.sort_by(f32::total_cmp);
            let answer = index.search(b1x8::from_u8s(&row_of(code)), 10).unwrap();
            assert!(answer.keys.iter().all(|key| is_live(*key)));
            found += answer
                .distances
                .iter()
                .filter(|distance| **distance <= exact[9])
                .count();
            wanted += 10;
        }
        f64::from(found as u32) / f64::from(wanted)
    };
    assert!(recall(&index, &|_| true) > 0.97, "{}", recall(&index, &|_| true));
    // All of the many equal codes are there for a search that wants them.
    index.change_expansion_search(400);
    let answer = index.search(b1x8::from_u8s(&row_of(&codes[40])), 301).unwrap();
    let nearest = answer.distances.iter().filter(|distance| **distance == 0.0).count();
    assert_eq!(nearest, 301);
    index.change_expansion_search(64);
    // Removed, and their places given to others: the code's first node too.
    let removed: Vec<u64> = keys.iter().copied().filter(|key| key % 3 == 0).collect();
    for key in &removed {
        assert_eq!(index.remove(*key).unwrap(), 1);
    }
    assert!(recall(&index, &|key| key % 3 != 0) > 0.95);
    index.reserve(codes.len()).unwrap();
    for key in &removed {
        index.add(*key, b1x8::from_u8s(&row_of(code_of(*key)))).unwrap();
    }
    assert!(recall(&index, &|_| true) > 0.95, "{}", recall(&index, &|_| true));
}

/// Codes of other metrics have no length byte, and so must have one length.
#[test]
fn plain_files_of_other_metrics() {
    let codes: Vec<Vec<u8>> = clusters(500, 8).into_iter().map(|code| code[..8].to_vec()).collect();
    let keys: Vec<u64> = (0..codes.len() as u64).collect();
    let parameters = |metric, bytes| iscc_hnsw::params::BuildParams {
        values: codes_of(metric, bytes),
        ..params(1)
    };
    let write = |codes: &[Vec<u8>], metric, bytes| {
        let mut file = Vec::new();
        let built = common::build(codes, parameters(metric, bytes));
        built.write_usearch(&mut file, Keys::Numbers(&keys)).map(|()| file)
    };
    for metric in [Metric::Hamming, Metric::Jaccard] {
        let index = new_index();
        index.load_from_buffer(&write(&codes, metric, 8).unwrap()).unwrap();
        assert_eq!((index.size(), index.dimensions()), (codes.len(), 64));
        let answer = index.search(b1x8::from_u8s(&codes[3]), 3).unwrap();
        assert_eq!(answer.distances[0], 0.0);
        // One is shorter.
        let mixed = [&codes[..100], &[vec![1; 4]]].concat();
        assert!(write(&mixed, metric, 8).is_err());
    }
    // NPHD has no room for lengths beyond a byte, and no codes are no error.
    assert!(write(&codes, Metric::Nphd, 300).is_err());
    let index = new_index();
    index.load_from_buffer(&write(&[], Metric::Nphd, 32).unwrap()).unwrap();
    assert_eq!((index.size(), index.dimensions()), (0, ROW * 8));
}
