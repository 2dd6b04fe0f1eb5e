//! What the kernels of each instruction set take: pairs, the column of a log page, rows of a shard; and word columns with
//! the kernel that is active.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use iscc_metrics::bits::{Column, ENTRY_BYTES, Kernel, Rows, WordGroup, length_bytes};
use iscc_metrics::{Metric, Query};

/// Lengths of codes in bytes.
const LENGTHS: [usize; 4] = [8, 16, 24, 32];
/// Codes of a column, a log page's worth; and of rows and word columns, as many as the cache holds.
const PAGE: usize = 200;
const MANY: usize = 10_000;

/// Bytes that look random, the same in each run.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// A bound that few codes have a smaller key than.
fn few(query: &Query, codes: &[u8], length: usize) -> u32 {
    let mut keys: Vec<u32> = codes.chunks_exact(length).map(|code| query.key(code)).collect();
    keys.sort_unstable();
    keys[keys.len() / 50]
}

fn pairs(criterion: &mut Criterion) {
    for (name, metric) in [("hamming", Metric::Hamming), ("jaccard", Metric::Jaccard)] {
        let mut group = criterion.benchmark_group(format!("pair {name}"));
        for kernel in Kernel::available() {
            for length in LENGTHS {
                let (a, b) = (bytes(length), bytes(2 * length));
                group.bench_function(BenchmarkId::new(kernel.name(), 8 * length), |bencher| match metric {
                    Metric::Jaccard => bencher.iter(|| kernel.jaccard_counts(black_box(&a), black_box(&b[length..]))),
                    _ => bencher.iter(|| kernel.hamming(black_box(&a), black_box(&b[length..]))),
                });
            }
        }
    }
}

fn column(criterion: &mut Criterion) {
    for metric in Metric::of_codes() {
        let mut group = criterion.benchmark_group(format!("column {}", metric.name()));
        group.throughput(Throughput::Elements(PAGE as u64));
        for kernel in Kernel::available() {
            for length in LENGTHS {
                let (query, codes) = (bytes(length), bytes((PAGE + 1) * length).split_off(length));
                let mut entries = vec![0; PAGE * ENTRY_BYTES];
                for entry in entries.chunks_exact_mut(ENTRY_BYTES) {
                    entry[ENTRY_BYTES - 2..].copy_from_slice(&(length as u16).to_le_bytes());
                }
                let below = few(&Query::new(metric, &query), &codes, length);
                let column = Column::new(&codes, length, &entries);
                let mut near = Vec::new();
                group.bench_function(BenchmarkId::new(kernel.name(), 8 * length), |bencher| {
                    bencher.iter(|| {
                        near.clear();
                        kernel.near(metric, black_box(&query), column, below, &mut near);
                        near.len()
                    });
                });
            }
        }
    }
}

fn rows(criterion: &mut Criterion) {
    for metric in Metric::of_codes() {
        let mut group = criterion.benchmark_group(format!("rows {}", metric.name()));
        // As many as a node has neighbours.
        let ids: Vec<u32> = (0..32).map(|i| i * 7_919 % MANY as u32).collect();
        group.throughput(Throughput::Elements(ids.len() as u64));
        for kernel in Kernel::available() {
            for length in LENGTHS {
                let (query, mut table) = (bytes(length), bytes(MANY * (length_bytes(length) + length)));
                for row in table.chunks_exact_mut(length_bytes(length) + length) {
                    row[0] = length as u8;
                }
                let rows = Rows::new(&table, length);
                let mut keys = vec![0; ids.len()];
                group.bench_function(BenchmarkId::new(kernel.name(), 8 * length), |bencher| {
                    bencher.iter(|| kernel.row_keys(metric, black_box(&query), rows, black_box(&ids), &mut keys));
                });
            }
        }
    }
}

fn words(criterion: &mut Criterion) {
    for metric in Metric::of_codes() {
        let mut group = criterion.benchmark_group(format!("words {}", metric.name()));
        group.throughput(Throughput::Elements(MANY as u64));
        for length in LENGTHS {
            let codes = bytes((MANY + 1) * length).split_off(length);
            let query = Query::new(metric, &bytes(length));
            let columns: Vec<[u8; 8]> = (0..length / 8)
                .flat_map(|column| codes.chunks_exact(length).map(move |code| code.as_chunks().0[column]))
                .collect();
            let table = WordGroup {
                code_bytes: length,
                numbers: None,
                words: &columns,
                count: MANY,
            };
            let below = few(&query, &codes, length);
            let mut near = Vec::new();
            group.bench_function(BenchmarkId::new(Kernel::active().name(), 8 * length), |bencher| {
                bencher.iter(|| {
                    near.clear();
                    black_box(&query).near_words(&table, 0..MANY, below, &mut near);
                    near.len()
                });
            });
        }
    }
}

criterion_group!(benches, pairs, column, rows, words);
criterion_main!(benches);
