//! Build rate, recall and latency on a file of real codes.
//!
//! Usage: `measure FILE [ROWS] [M] [EF_CONSTRUCTION] [THREADS]`, where FILE is an uncompressed TSV of `id<TAB>bits<TAB>hex`. The
//! first ROWS rows (100,000) are stored, cut to `bits`; of the rest up to 500 per length are queries, and as many stored.

use std::collections::HashSet;
use std::time::Instant;

use iscc_hnsw::build::{BuildControl, BuildParams, BuiltShard, ShardBuilder, ShardIdentity};
use iscc_hnsw::distance::{Metric, Query};
use iscc_hnsw::kernels::Kernel;
use iscc_hnsw::search::GraphSearch;
use iscc_hnsw::shard::Shard;

/// Queries of each length and kind.
const QUERIES: usize = 2000;

type Row = (usize, Vec<u8>);

fn read_rows(path: &str) -> Vec<Row> {
    let text = std::fs::read_to_string(path).expect("readable file");
    let parse = |line: &str| {
        let mut fields = line.split('\t');
        let (_, bits, hex) = (fields.next(), fields.next()?, fields.next()?);
        let hex = hex.trim_start_matches("\\x");
        let byte = |i: usize| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok();
        let code: Option<Vec<u8>> = (0..hex.len() / 2).map(byte).collect();
        Some((bits.parse::<usize>().ok()? / 8, code?))
    };
    text.lines().filter_map(parse).collect()
}

/// Processor time of all threads so far, which other load on the machine disturbs less than the time of day (Linux).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

fn build(rows: &[Row], m: u16, ef_construction: u16, threads: usize) -> BuiltShard {
    let params = BuildParams {
        metric: Metric::Nphd,
        m,
        ef_construction,
        max_code_bytes: 32,
        threads,
        seed: 42,
    };
    let mut builder = ShardBuilder::new(params);
    for (ordinal, (bytes, code)) in (0..).zip(rows) {
        builder.push(ordinal, &code[..*bytes]);
    }
    let (start, cpu_start) = (Instant::now(), cpu_seconds());
    let shard = builder.build(&BuildControl::new()).expect("nobody cancels");
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu_start);
    let (nodes, entries) = (shard.nodes(), shard.entries());
    let (rate, cpu_rate) = (f64::from(nodes) / seconds, f64::from(nodes) / cpu);
    println!(
        "build, {threads} threads: {nodes} nodes, {entries} entries, {seconds:.2} s, {rate:.0}/s, {cpu_rate:.0}/cpu s"
    );
    shard
}

/// Ten smallest keys, by brute force over the nodes.
fn truth(shard: &Shard<Vec<u8>>, query: &Query) -> Vec<u32> {
    let mut keys: Vec<u32> = (0..shard.nodes())
        .map(|node| query.key(shard.code(node).expect("in range")))
        .collect();
    keys.select_nth_unstable(9);
    keys.truncate(10);
    keys.sort_unstable();
    keys
}

fn measure(shard: &Shard<Vec<u8>>, queries: &[Query], label: &str) {
    let truths: Vec<Vec<u32>> = queries.iter().map(|query| truth(shard, query)).collect();
    let mut search = GraphSearch::new();
    let mut out = Vec::new();
    print!("{label:>12}");
    for ef in [64, 128, 192, 256, 384, 512] {
        let (mut first, mut ten, mut visited) = (0, 0, 0);
        let start = Instant::now();
        for (query, truth) in queries.iter().zip(&truths) {
            search.start(shard, query, ef, &mut out);
            visited += search.visited();
            first += usize::from(out[0].key == truth[0]);
            ten += out
                .iter()
                .take(10)
                .zip(truth)
                .filter(|(found, _)| found.key <= truth[9])
                .count();
        }
        let n = queries.len() as f64;
        let micros = start.elapsed().as_secs_f64() * 1e6 / n;
        let (first, ten) = (first as f64 / n, ten as f64 / (10.0 * n));
        print!(" | {ef}: {first:.4} {ten:.4} {micros:.0}us {}", visited / queries.len());
    }
    println!();
}

/// Time of the exact scan of a column, per kernel.
fn measure_scan(rows: &[Row]) {
    let mut codes = vec![0; rows.len() * 32];
    for (place, (bytes, code)) in codes.chunks_mut(32).zip(rows) {
        place[..*bytes].copy_from_slice(&code[..*bytes]);
    }
    let lengths: Vec<u16> = rows.iter().map(|row| row.0 as u16).collect();
    let mut out = vec![0; rows.len()];
    for kernel in Kernel::available() {
        for bytes in [8, 32] {
            let mut best = f64::INFINITY;
            for row in rows.iter().take(50) {
                let start = Instant::now();
                kernel.keys(Metric::Nphd, &row.1[..bytes], &codes, 32, &lengths, &mut out);
                std::hint::black_box(&out);
                best = best.min(start.elapsed().as_secs_f64());
            }
            println!(
                "scan, {}, {} bits: {:.2} ns a code",
                kernel.name(),
                bytes * 8,
                best * 1e9 / rows.len() as f64
            );
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, default| arguments.get(i).and_then(|s| s.parse().ok()).unwrap_or(default);
    let rows = read_rows(&arguments[1]);
    let stored = &rows[..rows.len().min(number(2, 100_000))];
    let held_out = &rows[stored.len()..];
    measure_scan(&stored[..stored.len().min(10_000)]);
    let (m, ef_construction) = (number(3, 16) as u16, number(4, 128) as u16);
    let threads = number(5, 2);
    if threads > 1 {
        report(&build(stored, m, ef_construction, threads), stored, held_out);
    }
    report(&build(stored, m, ef_construction, 1), stored, held_out);
}

fn report(built: &BuiltShard, stored: &[Row], held_out: &[Row]) {
    let mut bytes = Vec::new();
    let start = Instant::now();
    built
        .write(
            &mut bytes,
            &ShardIdentity {
                id: [7; 16],
                ranges: vec![],
                built_at: 0,
            },
        )
        .expect("writes to memory");
    let written = start.elapsed();
    let shard = Shard::open(bytes).expect("opens");
    println!(
        "written in {written:.1?}, {} bytes, verify: {:?}",
        shard.file_bytes(),
        shard.verify()
    );
    let lengths: HashSet<usize> = stored.iter().map(|row| row.0).collect();
    let mut lengths: Vec<usize> = lengths.into_iter().collect();
    lengths.sort_unstable();
    for &bytes in &lengths {
        // Every length cut from any row, which is what an application asks, not only from rows stored at that length.
        for (label, rows) in [("held out", held_out), ("stored", stored)] {
            let step = (rows.len() / QUERIES).max(1);
            let query = |row: &Row| Query::new(Metric::Nphd, &row.1[..bytes.min(row.1.len())]);
            let queries: Vec<Query> = rows.iter().step_by(step).map(query).collect();
            if !queries.is_empty() {
                measure(&shard, &queries, &format!("{label} {}", bytes * 8));
            }
        }
    }
}
