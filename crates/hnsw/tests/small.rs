//! All that the crate does, with few codes: for Miri, which looks for races of the threads that build, too.

mod common;

use common::{build, clusters, codes_of, dense_params, exact_keys, to_bytes, values, vectors};
use iscc_hnsw::params::BuildParams;
use iscc_hnsw::search::{FlatSearch, GraphSearch};
use iscc_hnsw::shard::Shard;
use iscc_metrics::dense::rows::RowKind;
use iscc_metrics::{DenseMetric, Metric, Query};

#[test]
fn built_by_two_threads_written_opened_searched() {
    let (count, metrics) = if cfg!(miri) { (16, 1) } else { (40, usize::MAX) };
    let codes = clusters(count, 3);
    for metric in Metric::of_codes().take(metrics) {
        let params = BuildParams {
            values: codes_of(metric, 32),
            m: 3,
            ef_construction: 8,
            threads: 2,
            seed: 5,
        };
        let file = to_bytes(&build(&codes, params));
        let shard = Shard::open(file).unwrap();
        assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
        for code in [&codes[7][..], &[0x5a; 32]] {
            let query = Query::new(metric, code);
            let expected = exact_keys(&codes, &query, codes.len());
            let (mut batch, mut found) = (Vec::new(), Vec::new());
            let mut graph = GraphSearch::default();
            graph.start(&shard, &query, 5, &mut batch);
            while !batch.is_empty() {
                found.extend(batch.iter().map(|found| found.key));
                graph.resume(&shard, &query, 5, &mut batch);
            }
            found.sort_unstable();
            assert_eq!(found, expected, "{metric:?} by the graph");

            found.clear();
            let mut flat = FlatSearch::default();
            flat.start(u32::MAX);
            while !flat.is_complete() {
                flat.next(&shard, &query, 7, u32::MAX, &mut batch);
                found.extend(batch.iter().map(|found| found.key));
            }
            assert_eq!(found, expected, "{metric:?} by all codes");
        }
    }
}

#[test]
fn vectors_built_by_two_threads_written_opened_searched() {
    let (count, kinds) = if cfg!(miri) { (12, 1) } else { (40, RowKind::COUNT) };
    let values = values(&vectors(count, 33, 3));
    for kind in RowKind::ALL.into_iter().take(kinds) {
        let params = BuildParams {
            m: 3,
            ef_construction: 8,
            ..dense_params(DenseMetric::L2, 33, Some(kind), 2)
        };
        let shard = Shard::open(to_bytes(&build(&values, params))).unwrap();
        assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
        assert!(shard.has_sound_codes(&|| {}));
        let query = shard.encoding().unwrap().query(&values[7]);
        let (mut batch, mut by_graph, mut by_all) = (Vec::new(), Vec::new(), Vec::new());
        let mut graph = GraphSearch::default();
        graph.start(&shard, &query, 5, &mut batch);
        while !batch.is_empty() {
            by_graph.append(&mut batch);
            graph.resume(&shard, &query, 5, &mut batch);
        }
        by_graph.sort_unstable();
        let mut flat = FlatSearch::default();
        flat.start(u32::MAX);
        while !flat.is_complete() {
            flat.next(&shard, &query, 7, u32::MAX, &mut batch);
            by_all.append(&mut batch);
        }
        assert_eq!(by_graph, by_all, "{kind:?}");
        assert_eq!(by_all.len(), count);
        // What is derived from the value itself is nearest.
        assert!(shard.postings(by_all[0].node).eq([7]), "{kind:?}");
    }
}
