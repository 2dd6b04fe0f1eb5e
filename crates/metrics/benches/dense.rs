//! What the kernels of each instruction set take for dense vectors: exact distances of values in a page, and keys of rows.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use iscc_metrics::DenseMetric;
use iscc_metrics::dense::rows::{RowKind, Rows, Survey};
use iscc_metrics::dense::{Kernel, Query, Scalar};

const DIMENSIONS: [usize; 3] = [384, 768, 1536];
/// Values of a pass, and rows of a table: as many as the cache holds.
const MANY: usize = 256;

/// The dimensions to measure: all, or the only one that the metric has.
fn dimensions_of(metric: DenseMetric) -> Vec<usize> {
    metric.dimensions().map_or(DIMENSIONS.to_vec(), |only| vec![only])
}

/// Numbers of 16 bits that look random, from -2 to 2, the same in each run.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 53) as f32 / 512.0 - 2.0
    };
    (0..count).map(|_| next()).collect()
}

fn values(scalar: Scalar, numbers: &[f32]) -> Vec<u8> {
    match scalar {
        Scalar::F32 => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        // Any will do, if it is finite and of usual size.
        Scalar::F16 => numbers
            .iter()
            .flat_map(|number| ((number * 512.0) as i16 & 0x7FF | 0x3800).to_le_bytes())
            .collect(),
    }
}

fn pages(criterion: &mut Criterion) {
    for metric in DenseMetric::all() {
        for scalar in [Scalar::F32, Scalar::F16] {
            let mut group = criterion.benchmark_group(format!("values {} {scalar:?}", metric.name()));
            group.throughput(Throughput::Elements(MANY as u64));
            for kernel in Kernel::available() {
                for dimensions in dimensions_of(metric) {
                    let page = values(scalar, &numbers(MANY * dimensions));
                    let query = Query::with_kernel(kernel, metric, scalar, &values(scalar, &numbers(dimensions)));
                    let mut keys = Vec::new();
                    group.bench_function(BenchmarkId::new(kernel.name(), dimensions), |bencher| {
                        bencher.iter(|| {
                            keys.clear();
                            query.near(black_box(&page), dimensions * scalar.bytes(), 0, &mut keys);
                            keys.len()
                        });
                    });
                }
            }
        }
    }
}

fn rows(criterion: &mut Criterion) {
    for metric in DenseMetric::all() {
        for &kind in metric.row_kinds() {
            let mut group = criterion.benchmark_group(format!("rows {} {}", metric.name(), kind.name()));
            let ids: Vec<u32> = (0..MANY as u32).map(|i| i * 149 % MANY as u32).collect();
            group.throughput(Throughput::Elements(ids.len() as u64));
            for kernel in Kernel::available() {
                for dimensions in dimensions_of(metric) {
                    let values = values(Scalar::F32, &numbers(MANY * dimensions));
                    let mut survey = Survey::new(metric, Scalar::F32, dimensions);
                    let values: Vec<&[u8]> = values.chunks_exact(4 * dimensions).collect();
                    values.iter().for_each(|value| survey.add(value));
                    let Some(encoding) = survey.encoding(kind) else {
                        continue;
                    };
                    let mut table = Vec::new();
                    values.iter().for_each(|value| encoding.encode(value, &mut table));
                    let rows = Rows::new(&table, encoding.row_bytes());
                    let query = encoding.query(values[1]).with_kernel(kernel);
                    let mut keys = Vec::new();
                    group.bench_function(BenchmarkId::new(kernel.name(), dimensions), |bencher| {
                        bencher.iter(|| query.keys(rows, black_box(&ids), &mut keys));
                    });
                }
            }
        }
    }
}

/// What else a build does with each value and row.
fn preparations(criterion: &mut Criterion) {
    for kind in RowKind::ALL {
        let mut group = criterion.benchmark_group(format!("prepare {}", kind.name()));
        for dimensions in DIMENSIONS {
            let value = values(Scalar::F32, &numbers(dimensions));
            let mut survey = Survey::new(DenseMetric::Cosine, Scalar::F32, dimensions);
            survey.add(&value);
            let Some(encoding) = survey.encoding(kind) else {
                continue;
            };
            let (mut row, mut query) = (Vec::new(), encoding.query(&value));
            group.bench_function(BenchmarkId::new("survey", dimensions), |bencher| {
                bencher.iter(|| survey.add(black_box(&value)));
            });
            group.bench_function(BenchmarkId::new("encode", dimensions), |bencher| {
                bencher.iter(|| {
                    row.clear();
                    encoding.encode(black_box(&value), &mut row);
                });
            });
            group.bench_function(BenchmarkId::new("center of a value", dimensions), |bencher| {
                bencher.iter(|| encoding.center_value(black_box(&value), &mut query));
            });
            group.bench_function(BenchmarkId::new("center of a row", dimensions), |bencher| {
                bencher.iter(|| encoding.center_row(black_box(&row), &mut query));
            });
        }
    }
}

criterion_group!(benches, pages, rows, preparations);
criterion_main!(benches);
