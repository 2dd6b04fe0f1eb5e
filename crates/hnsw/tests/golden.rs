//! The format does not change by accident: a shard of fixed codes has fixed bytes.

mod common;

use common::{build, clusters, params, to_bytes};
use iscc_hnsw::params::BuildParams;
use iscc_metrics::Metric;

#[test]
fn three_codes_byte_by_byte() {
    let codes = [vec![0x10, 0x20], vec![0xFF], vec![0x10, 0x20], vec![0x10]];
    let parameters = BuildParams {
        metric: Metric::Nphd,
        m: 2,
        ef_construction: 8,
        max_code_bytes: 2,
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
fn a_small_shard_has_a_fixed_checksum() {
    let bytes = to_bytes(&build(&clusters(300, 9), params(1)));
    assert_eq!((bytes.len(), crc32c::crc32c(&bytes)), (63_936, 2_034_251_008));
}

/// Shard files that version 0.1.0 has written open, are whole, and answer.
#[test]
fn shards_of_version_0_1_0() {
    use iscc_hnsw::search::GraphSearch;
    use iscc_hnsw::shard::Shard;
    use iscc_metrics::Query;

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
        let mut search = GraphSearch::default();
        let mut found = Vec::new();
        for node in (0..shard.nodes()).step_by(7) {
            search.start(&shard, &Query::new(metric, shard.code(node).unwrap()), 64, &mut found);
            let nearest = found.iter().min().unwrap();
            assert_eq!(nearest.key, 0);
        }
    }
}
