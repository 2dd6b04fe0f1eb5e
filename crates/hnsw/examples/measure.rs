//! Build rate, recall and latency on a file of real codes.
//!
//! Usage: `measure FILE [ROWS] [M] [EF_CONSTRUCTION] [THREADS] [--usearch]`, where FILE is an uncompressed TSV of
//! `id<TAB>bits<TAB>hex`. The first ROWS rows (100,000) are stored, cut to `bits`; of the rest up to 2,000 per length
//! are queries, and as many stored. With `--usearch`, the only other thing measured is USearch on the same distinct
//! codes.

use std::collections::HashSet;
use std::time::Instant;

use iscc_hnsw::build::{BuiltShard, NextStep, ShardBuilder};
use iscc_hnsw::control::BuildControl;
use iscc_hnsw::params::{BuildParams, ShardValues};
use iscc_hnsw::search::FlatSearch;
use iscc_hnsw::search::GraphSearch;
use iscc_hnsw::shard::Shard;
use iscc_hnsw::shard::ShardIdentity;
use iscc_hnsw::shard::{CLASSES, EFFORTS};
use iscc_metrics::bits::{Column, Kernel};
use iscc_metrics::{Metric, Query};
use usearch::{Index, IndexOptions, MetricKind, ScalarKind, b1x8};

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
        values: ShardValues::Codes {
            metric: Metric::Nphd,
            max_bytes: 32,
        },
        m,
        ef_construction,
        threads,
        seed: 42,
    };
    let mut builder = ShardBuilder::new(params);
    for (ordinal, (bytes, code)) in (0..).zip(rows) {
        builder.push(ordinal, &code[..*bytes]);
    }
    let NextStep::Build(collected) = builder.end_pass() else {
        unreachable!("codes take one pass");
    };
    let (start, cpu_start) = (Instant::now(), cpu_seconds());
    let shard = collected.build(&BuildControl::new()).expect("nobody cancels");
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

fn measure_flat(shard: &Shard<Vec<u8>>, queries: &[Query], truths: &[Vec<u32>]) {
    let (mut flat, mut out) = (FlatSearch::default(), Vec::new());
    let start = Instant::now();
    for (query, truth) in queries.iter().zip(truths) {
        flat.start(u32::MAX);
        flat.next(shard, query, EFFORTS[0], u32::MAX, &mut out);
        let keys: Vec<u32> = out.iter().take(10).map(|c| c.key).collect();
        assert_eq!(&keys, truth);
    }
    let micros = start.elapsed().as_secs_f64() * 1e6 / queries.len() as f64;
    print!(
        " | flat: {micros:.0}us {:.2} ns",
        micros * 1e3 / f64::from(shard.nodes())
    );
}

/// The way that a search takes by the shard's calibration.
fn measure_calibrated(shard: &Shard<Vec<u8>>, queries: &[Query], truths: &[Vec<u32>]) {
    let calibration = shard.calibration();
    let (mut search, mut flat, mut out) = (GraphSearch::new(), FlatSearch::default(), Vec::new());
    let (mut hits, mut worst, mut exact, mut efforts) = (0, 10, 0, 0);
    let start = Instant::now();
    for (query, truth) in queries.iter().zip(truths) {
        let bytes = query.code().len();
        let mut effort = None;
        out.clear();
        if calibration.favours_graph(bytes, 0.99) {
            search.start(shard, query, EFFORTS[0], &mut out);
            let tenth = out.get(9).or(out.last()).map_or(0, |tenth| tenth.key);
            effort = calibration.effort(bytes, tenth, 0.99);
        }
        match effort {
            Some(effort) if effort > EFFORTS[0] => search.widen(shard, query, effort, &mut out),
            Some(_) => {}
            None => {
                let hint = out
                    .last()
                    .filter(|_| out.len() == EFFORTS[0])
                    .map_or(u32::MAX, |last| last.key + 1);
                flat.start(u32::MAX);
                flat.next(shard, query, EFFORTS[0], hint, &mut out);
                exact += 1;
            }
        }
        efforts += effort.unwrap_or(0);
        let found = out.iter().take(10).filter(|found| found.key <= truth[9]).count();
        hits += found;
        worst = worst.min(found);
    }
    let n = queries.len() as f64;
    let micros = start.elapsed().as_secs_f64() * 1e6 / n;
    println!(
        " | calibrated: {:.4} (worst {worst}) {micros:.0}us, {:.0} % exact, effort {:.0}",
        hits as f64 / (10.0 * n),
        100.0 * f64::from(exact) / n,
        efforts as f64 / n
    );
}

fn print_calibration(shard: &Shard<Vec<u8>>) {
    for curves in shard.calibration().lengths() {
        for class in 0..CLASSES {
            let curve = curves.classes[class];
            if curve.queries > 0 {
                print!(
                    "{:>4} bits, to {:.3}: {:3} |",
                    curves.query_bytes * 8,
                    shard.metric().class_end(class),
                    curve.queries
                );
                for (effort, found) in EFFORTS.iter().zip(curve.found) {
                    print!(
                        " {effort}: {:.3}",
                        f64::from(found.get()) / f64::from(curve.expected.get())
                    );
                }
                println!();
            }
        }
    }
}

fn measure(shard: &Shard<Vec<u8>>, queries: &[Query], label: &str) {
    let truths: Vec<Vec<u32>> = queries.iter().map(|query| truth(shard, query)).collect();
    let mut search = GraphSearch::new();
    let mut out = Vec::new();
    print!("{label:>12}");
    measure_flat(shard, queries, &truths);
    measure_calibrated(shard, queries, &truths);
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
    let entry = |row: &Row| [[1; 6].as_slice(), &(row.0 as u16).to_le_bytes()].concat();
    let entries: Vec<u8> = rows.iter().rev().flat_map(entry).collect();
    let column = Column::new(&codes, 32, &entries);
    for kernel in Kernel::available() {
        for bytes in [8, 32] {
            let mut best = f64::INFINITY;
            for row in rows.iter().take(50) {
                let start = Instant::now();
                let mut near = Vec::new();
                kernel.near(Metric::Nphd, &row.1[..bytes], column, 1 << 26, &mut near);
                std::hint::black_box(&near);
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

/// Bytes of a row of USearch: length byte and code.
const ROW: usize = 33;

/// NPHD of rows as USearch passes them.
fn row_distance(a: *const b1x8, b: *const b1x8) -> f32 {
    // SAFETY: USearch passes rows of `ROW` bytes, and `b1x8` is a byte.
    let (a, b) = unsafe { (&*a.cast::<[u8; ROW]>(), &*b.cast::<[u8; ROW]>()) };
    let end = |row: &[u8; ROW]| usize::from(row[0]).min(ROW - 1) + 1;
    Metric::Nphd.distance(&a[1..end(a)], &b[1..end(b)]) as f32
}

fn row_of(code: &[u8]) -> Vec<u8> {
    let mut row = vec![code.len() as u8];
    row.extend_from_slice(code);
    row.resize(ROW, 0);
    row
}

/// USearch's index of the nodes of a shard, added by one thread in the order in which their codes first came.
fn build_usearch(shard: &Shard<Vec<u8>>, stored: &[Row], m: u16, ef_construction: u16) -> Index {
    let mut index = Index::new(&IndexOptions {
        dimensions: ROW * 8,
        metric: MetricKind::Hamming,
        quantization: ScalarKind::B1,
        connectivity: m.into(),
        expansion_add: ef_construction.into(),
        expansion_search: 64,
        multi: false,
    })
    .expect("valid options");
    index.change_metric::<b1x8>(Box::new(row_distance));
    let count = shard.nodes() as usize;
    index.reserve_capacity_and_threads(count, 1).expect("memory");
    let mut seen = HashSet::new();
    let cpu_start = cpu_seconds();
    for (bytes, code) in stored {
        if seen.insert(&code[..*bytes]) {
            let row = row_of(&code[..*bytes]);
            index.add(seen.len() as u64, b1x8::from_u8s(&row)).expect("reserved");
        }
    }
    let cpu = cpu_seconds() - cpu_start;
    assert_eq!(index.size(), count);
    println!("build, usearch: {count} nodes, {:.0}/cpu s", count as f64 / cpu);
    index
}

/// Recall of the ten nearest and processor time of a query, USearch on its index against us on ours.
fn compare(shard: &Shard<Vec<u8>>, index: &Index, queries: &[Query], label: &str) {
    let truths: Vec<f64> = queries
        .iter()
        .map(|query| Metric::Nphd.distance_of_key(truth(shard, query)[9]))
        .collect();
    let (mut search, mut out) = (GraphSearch::new(), Vec::new());
    for ef in [32, 64, 128, 256, 512] {
        index.change_expansion_search(ef);
        // A key is rounded down, and so may be the distance: no two fractions are as close as this.
        let is_hit = |distance: f64, truth: f64| usize::from(distance < truth + 1e-6);
        let (mut theirs, mut ours) = (0, 0);
        let start = cpu_seconds();
        for (query, &truth) in queries.iter().zip(&truths) {
            let found = index.search(b1x8::from_u8s(&row_of(query.code())), 10).expect("valid");
            theirs += found.distances.iter().map(|&d| is_hit(d.into(), truth)).sum::<usize>();
        }
        let middle = cpu_seconds();
        for (query, &truth) in queries.iter().zip(&truths) {
            search.start(shard, query, ef, &mut out);
            let nearest = out.iter().take(10);
            ours += nearest
                .map(|c| is_hit(Metric::Nphd.distance_of_key(c.key), truth))
                .sum::<usize>();
        }
        let end = cpu_seconds();
        let n = queries.len() as f64;
        let (recall, micros) = (|hits| hits as f64 / (10.0 * n), |seconds: f64| seconds * 1e6 / n);
        println!(
            "{label:>12} | ef {ef:3} | usearch {:.4} {:4.0} us | ours {:.4} {:4.0} us",
            recall(theirs),
            micros(middle - start),
            recall(ours),
            micros(end - middle)
        );
    }
}

fn against_usearch(stored: &[Row], held_out: &[Row], m: u16, ef_construction: u16) {
    let shard = open(&build(stored, m, ef_construction, 1));
    let index = build_usearch(&shard, stored, m, ef_construction);
    for bytes in lengths_of(stored) {
        compare(
            &shard,
            &index,
            &queries(held_out, bytes),
            &format!("held out {}", bytes * 8),
        );
    }
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().collect();
    let with_usearch = arguments.iter().any(|argument| argument == "--usearch");
    arguments.retain(|argument| argument != "--usearch");
    let number = |i: usize, default| arguments.get(i).and_then(|s| s.parse().ok()).unwrap_or(default);
    let rows = read_rows(&arguments[1]);
    let stored = &rows[..rows.len().min(number(2, 100_000))];
    let held_out = &rows[stored.len()..];
    let (m, ef_construction) = (number(3, 16) as u16, number(4, 128) as u16);
    if with_usearch {
        return against_usearch(stored, held_out, m, ef_construction);
    }
    measure_scan(&stored[..stored.len().min(10_000)]);
    let threads = number(5, 2);
    if threads > 1 {
        report(&build(stored, m, ef_construction, threads), stored, held_out);
    }
    if threads <= 1 {
        report(&build(stored, m, ef_construction, 1), stored, held_out);
    }
}

/// The lengths that occur, ascending.
fn lengths_of(rows: &[Row]) -> Vec<usize> {
    let lengths: HashSet<usize> = rows.iter().map(|row| row.0).collect();
    let mut lengths: Vec<usize> = lengths.into_iter().collect();
    lengths.sort_unstable();
    lengths
}

/// Queries of a length cut from any row, which is what an application asks, not only from rows stored at that length.
fn queries(rows: &[Row], bytes: usize) -> Vec<Query> {
    let step = (rows.len() / QUERIES).max(1);
    let query = |row: &Row| Query::new(Metric::Nphd, &row.1[..bytes.min(row.1.len())]);
    rows.iter().step_by(step).map(query).collect()
}

/// Writes the file to memory and opens it.
fn open(built: &BuiltShard) -> Shard<Vec<u8>> {
    let mut bytes = Vec::new();
    let start = Instant::now();
    let identity = ShardIdentity {
        id: [7; 16],
        ranges: vec![],
        built_at: 0,
        lsn: 0,
    };
    built.write(&mut bytes, &identity).expect("writes to memory");
    println!("written in {:.1?}, {} bytes", start.elapsed(), bytes.len());
    Shard::open(bytes).expect("opens")
}

fn report(built: &BuiltShard, stored: &[Row], held_out: &[Row]) {
    let shard = open(built);
    println!("verify: {:?}", shard.verify(&|| {}));
    print_calibration(&shard);
    for bytes in lengths_of(stored) {
        for (label, rows) in [("held out", held_out), ("stored", stored)] {
            let queries = queries(rows, bytes);
            if !queries.is_empty() {
                measure(&shard, &queries, &format!("{label} {}", bytes * 8));
            }
        }
    }
}
