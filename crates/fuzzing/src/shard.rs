//! Shard files.

use iscc_hnsw::opaque::Distance;
use iscc_hnsw::search::{FlatSearch, GraphSearch, ShardQuery, ValueQuery, WithinSearch};
use iscc_hnsw::shard::Shard;
use iscc_hnsw::shard::format::{FOOTER_BYTES, FOOTER_CRC_BYTES};
use iscc_metrics::{Metric, Query};

/// Uses everything that a file offers, as it is and with a checksum that matches its footer.
pub fn shard_file(input: &[u8]) {
    exercise(input);
    if let Some(footer) = input.len().checked_sub(FOOTER_BYTES) {
        let mut forged = input.to_vec();
        let crc = crc32c::crc32c(&forged[footer..][..FOOTER_CRC_BYTES]);
        forged[footer + FOOTER_CRC_BYTES..][..4].copy_from_slice(&crc.to_le_bytes());
        exercise(&forged);
    }
}

fn exercise(file: &[u8]) {
    let Ok(shard) = Shard::open(file) else { return };
    for metric in Metric::of_codes() {
        for bytes in [3, 9, 32] {
            let query = Query::new(metric, &[0x5a; 32][..bytes]);
            search(&shard, &query);
            let mut found = Vec::new();
            WithinSearch::default().find(&shard, &query, 1 << 26, &mut found);
            assert!(found.iter().all(|candidate| candidate.key < 1 << 26));
        }
    }
    if let Some(encoding) = shard.encoding() {
        for bytes in [0, 9, 64] {
            search(&shard, &encoding.query(&[0x3e; 64][..bytes]));
        }
        if let Some(row) = shard.row(0) {
            search(&shard, &encoding.query_of_row(row));
        }
    }
    search(&shard, &ValueQuery::new(Lengths, b"opaque"));
    let calibration = shard.calibration();
    let _ = (
        calibration.favours_graph(32, 0.99),
        calibration.effort(32, 5, 0.99),
        calibration.effort(usize::MAX, 5, 0.99),
    );
    let _ = (shard.verify(&|| {}), shard.has_sound_codes(&|| {}), shard.ranges());
    let _ = (
        shard.code(u32::MAX),
        shard.row(u32::MAX),
        shard.stored_value(u32::MAX),
        shard.postings(u32::MAX).count(),
        shard.word_part(),
    );
}

/// The difference of the lengths of opaque values.
#[derive(Clone, Copy)]
struct Lengths;

impl Distance for Lengths {
    type Query = usize;

    fn prepare(&self, value: &[u8], query: &mut usize) {
        *query = value.len();
    }

    fn distance(&self, row: &[u8], query: &usize) -> f64 {
        row.len() as f64 - *query as f64
    }
}

/// Searches for everything, by the graph and without it.
fn search(shard: &Shard<&[u8]>, query: &impl ShardQuery) {
    let mut found = Vec::new();
    let mut graph = GraphSearch::default();
    graph.start(shard, query, 10, &mut found);
    let mut returned = 0;
    while !found.is_empty() {
        returned += found.len();
        assert!(returned <= shard.nodes() as usize, "a node came twice");
        for candidate in &found {
            assert!(shard.row(candidate.node).is_some());
            assert!(shard.postings(candidate.node).len() <= shard.entries() as usize);
        }
        graph.resume(shard, query, 50, &mut found);
    }
    let mut flat = FlatSearch::default();
    flat.start(u32::MAX);
    let mut returned = 0;
    while !flat.is_complete() {
        flat.next(shard, query, 64, u32::MAX, &mut found);
        returned += found.len();
        assert!(returned <= shard.bytes().len(), "more rows than bytes");
    }
}
