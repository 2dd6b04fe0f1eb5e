//! Time of searches within a radius, by tables of pieces and by comparing all codes.
//!
//! Usage: `measure_within SIMPRINTS.tsv [CODES]`, where the file has a 256-bit code in hexadecimal at the start of each
//! line. The codes stored (1,000,000) and 500 others to search for are variants of these: each bit is flipped with
//! probability 0.02, 0.05 or 0.1. The graph is of the smallest kind, as it is not searched.

mod variants;

use std::time::Instant;

use iscc_hnsw::build::{NextStep, ShardBuilder};
use iscc_hnsw::control::BuildControl;
use iscc_hnsw::params::{BuildParams, ShardValues};
use iscc_hnsw::search::{FlatSearch, WithinSearch};
use iscc_hnsw::shard::{Shard, ShardIdentity};
use iscc_metrics::Metric;
use iscc_metrics::ball::Ball;
use test_random::Random;
use variants::{flip, read};

const QUERIES: usize = 500;
const RADII: [f64; 7] = [0.0, 0.023, 0.047, 0.059, 0.098, 0.148, 0.2];

fn build(codes: &[Vec<u8>]) -> Shard<Vec<u8>> {
    let params = BuildParams {
        values: ShardValues::Codes {
            metric: Metric::Nphd,
            max_bytes: 32,
        },
        m: 2,
        ef_construction: 4,
        threads: 2,
        seed: 7,
    };
    let mut builder = ShardBuilder::new(params);
    for (ordinal, code) in (0..).zip(codes) {
        builder.push(ordinal, code);
    }
    let NextStep::Build(collected) = builder.end_pass() else {
        unreachable!("codes need one pass")
    };
    let built = collected.build(&BuildControl::new()).expect("nobody cancels");
    let identity = ShardIdentity {
        id: [7; 16],
        ranges: vec![],
        built_at: 0,
        lsn: 0,
    };
    let mut bytes = Vec::new();
    built.write(&mut bytes, &identity).expect("writes to memory");
    Shard::open(bytes).expect("opens")
}

fn quantiles(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("{:8.1} {:8.1} {:8.1}", at(0.5), at(0.95), at(0.99))
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let simprints = read(&arguments.next().expect("a file"));
    let count = arguments.next().map_or(1_000_000, |n| n.parse().expect("a number"));
    let mut random = Random(7);
    let mut variants = |count: usize| -> Vec<Vec<u8>> {
        let mut variant = |at: usize| flip(&simprints[at % simprints.len()], &mut random);
        (0..count).map(&mut variant).collect()
    };
    let stored = variants(count);
    // Of simprints from all over the file.
    let queries: Vec<Vec<u8>> = variants(simprints.len())
        .into_iter()
        .step_by(simprints.len() / QUERIES)
        .collect();
    let start = Instant::now();
    let shard = build(&stored);
    println!(
        "{} nodes, {:.1} bytes each, built in {:.1} s",
        shard.nodes(),
        shard.file_bytes() as f64 / f64::from(shard.nodes()),
        start.elapsed().as_secs_f64()
    );
    println!("us: median, 95 %, 99 % by tables; the same by comparing all; rows, share by tables");
    for radius in RADII {
        let (mut by_tables, mut by_all, mut rows, mut used) = (Vec::new(), Vec::new(), 0, 0);
        let (mut search, mut flat) = (WithinSearch::default(), FlatSearch::default());
        let (mut found, mut all) = (Vec::new(), Vec::new());
        for query in &queries {
            let ball = Ball::new(query, radius);
            let start = Instant::now();
            flat.start(ball.below());
            flat.next(&shard, ball.query(), 1024, u32::MAX, &mut all);
            by_all.push(start.elapsed().as_secs_f64() * 1e6);
            let start = Instant::now();
            let is_by_tables = search.find(&shard, ball.query(), ball.below(), &mut found);
            if !is_by_tables {
                flat.start(ball.below());
                flat.next(&shard, ball.query(), 1024, u32::MAX, &mut found);
            }
            by_tables.push(start.elapsed().as_secs_f64() * 1e6);
            assert!(found.len() >= 1024 || found == all, "other codes");
            rows += found.len();
            used += usize::from(is_by_tables);
        }
        println!(
            "{radius:.3}: {} | {} | {:6.1} {:4.0} %",
            quantiles(&mut by_tables),
            quantiles(&mut by_all),
            rows as f64 / queries.len() as f64,
            100.0 * used as f64 / queries.len() as f64
        );
    }
}
