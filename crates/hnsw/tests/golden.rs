//! The format does not change by accident: a shard of fixed codes has fixed bytes.

mod common;

use common::{build, clusters, codes_of, dense_params, exact_keys, params, search, to_bytes, value};
use iscc_hnsw::params::BuildParams;
use iscc_hnsw::search::{Candidate, FlatSearch, GraphSearch};
use iscc_hnsw::shard::Shard;
use iscc_metrics::dense::rows::RowKind;
use iscc_metrics::{DenseMetric, Metric, Query};
use test_random::Random;

#[test]
#[cfg_attr(miri, ignore = "another calibration there")]
fn three_codes_byte_by_byte() {
    let codes = [vec![0x10, 0x20], vec![0xFF], vec![0x10, 0x20], vec![0x10]];
    let parameters = BuildParams {
        values: codes_of(Metric::Nphd, 2),
        m: 2,
        ef_construction: 8,
        threads: 1,
        seed: 1,
    };
    let bytes = to_bytes(&build(&codes, parameters));
    let payload = [
        &[3, 0, 0, 0, 3, 0, 0, 0][..],
        &[2, 0x10, 0x20, 1, 0x10, 0, 1, 0xFF, 0], // the first is on a higher level
        b"usearch\x02\0\x1A\0\x06\0n\x01\x0E\x0F",
        &[3, 0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(bytes[..payload.concat().len()], payload.concat());
    assert_eq!((bytes.len(), crc32c::crc32c(&bytes)), (1392, 1_587_537_386));
}

/// A change here that is meant needs a new format version, or none if only the graph's links differ.
#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn a_small_shard_has_a_fixed_checksum() {
    let bytes = to_bytes(&build(&clusters(300, 9), params(1)));
    assert_eq!((bytes.len(), crc32c::crc32c(&bytes)), (63_936, 1_569_919_313));
}

/// The same for rows derived from vectors of small integers, whose distances are exact on every processor.
#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn small_shards_of_vectors_have_fixed_checksums() {
    let mut random = Random(5);
    let mut vector = || -> Vec<f32> { (0..12).map(|_| random.below(17) as f32 - 8.0).collect() };
    let values: Vec<Vec<u8>> = (0..300).map(|_| value(&vector())).collect();
    let expected = [
        (RowKind::I8, DenseMetric::L2, (52_504, 3_982_038_066)),
        (RowKind::F16, DenseMetric::L2, (54_584, 1_130_974_839)),
        (RowKind::F32, DenseMetric::InnerProduct, (62_328, 782_042_974)),
    ];
    for (kind, metric, sum) in expected {
        let bytes = to_bytes(&build(&values, dense_params(metric, 12, Some(kind), 1)));
        assert_eq!((bytes.len(), crc32c::crc32c(&bytes)), sum, "{kind:?}");
    }
}

/// A file of vectors byte by byte, where that is short.
#[test]
#[cfg_attr(miri, ignore = "another calibration there")]
fn two_vectors_byte_by_byte() {
    let values = [value(&[1.0, 127.0]), value(&[-1.0, 2.0]), value(&[1.0, 127.0])];
    let parameters = BuildParams {
        m: 2,
        ef_construction: 8,
        ..dense_params(DenseMetric::L2, 2, Some(RowKind::I8), 1)
    };
    let bytes = to_bytes(&build(&values, parameters));
    let squares = [16_130f32, 5.0].map(f32::to_le_bytes);
    let payload = [
        &[2, 0, 0, 0, 6, 0, 0, 0][..],
        &[127, 127],
        &squares[0],
        &[0x81, 2],
        &squares[1],
        b"usearch\x02\0\x1A\0\x06\0e\x17\x0E\x0F",
        &[2, 0, 0, 0, 0, 0, 0, 0],
        &[0; 8],
        &[2, 0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(bytes[..payload.concat().len()], payload.concat());
    let shard = Shard::open(bytes).unwrap();
    assert_eq!(shard.encoding().unwrap().scales(), [1.0 / 127.0, 1.0]);
}

/// Shard files that version 0.1.0 has written open, are whole, and answer as all their codes say.
#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn shards_of_version_0_1_0() {
    let files: [(&[u8], Metric); 2] = [
        (
            include_bytes!("../../../tests/data/v0.1.0/t_code.cf07d4fcd027456294066d91dc87a351.usearch"),
            Metric::Nphd,
        ),
        (
            include_bytes!("../../../tests/data/v0.1.0/t_jaccard.733dd0b52ae89d933e5bb3f0052188df.usearch"),
            Metric::Jaccard,
        ),
    ];
    for (file, metric) in files {
        let shard = Shard::open(file).unwrap();
        assert_eq!((shard.metric(), shard.nodes(), shard.entries()), (metric, 245, 245));
        assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
        let codes: Vec<Vec<u8>> = (0..shard.nodes())
            .map(|node| shard.code(node).unwrap().to_vec())
            .collect();
        let (mut graph, mut flat) = (GraphSearch::default(), FlatSearch::default());
        let mut found = Vec::new();
        for code in codes
            .iter()
            .step_by(7)
            .map(Vec::as_slice)
            .chain([&[0x5a; 16][..], &[0xff]])
        {
            let query = Query::new(metric, code);
            let expected = exact_keys(&codes, &query, 10);
            let keys = |found: &[Candidate]| found.iter().take(10).map(|found| found.key).collect::<Vec<_>>();
            graph.start(&shard, &query, 245, &mut found);
            assert_eq!(keys(&found), expected, "by the graph");
            flat.start(u32::MAX);
            flat.next(&shard, &query, 10, u32::MAX, &mut found);
            assert_eq!(keys(&found), expected, "by all codes");
        }
    }
}

/// Row 3 of the table that `tests/data/v0.1.0/table.sql` makes is SHA-256 of "1", and ordinal 2 of the log.
#[test]
fn a_known_neighbour_of_version_0_1_0() {
    let file: &[u8] = include_bytes!("../../../tests/data/v0.1.0/t_code.cf07d4fcd027456294066d91dc87a351.usearch");
    let shard = Shard::open(file).unwrap();
    let code = [
        0x6b, 0x86, 0xb2, 0x73, 0xff, 0x34, 0xfc, 0xe1, 0x9d, 0x6b, 0x80, 0x4e, 0xff, 0x5a, 0x3f, 0x57, 0x47, 0xad,
        0xa4, 0xea, 0xa2, 0x2f, 0x1d, 0x49, 0xc0, 0x1e, 0x52, 0xdd, 0xb7, 0x87, 0x5b, 0x4b,
    ];
    let found = search(&shard, &Query::new(Metric::Nphd, &code), 64);
    let same: Vec<_> = found
        .iter()
        .filter(|found| shard.code(found.node) == Some(&code))
        .collect();
    assert_eq!((same.len(), same[0].key), (1, 0));
    assert!(shard.postings(same[0].node).eq([2]));
}
