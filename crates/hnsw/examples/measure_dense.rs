//! Build rate, recall and time of searches on dense vectors.
//!
//! Usage: `measure_dense ROWS.npy QUERIES.npy [METRIC] [KIND] [THREADS] [SEED]`, where the files are two-dimensional
//! arrays of half precision, METRIC is `cosine`, `ip`, `l2` or `l1`, and KIND is `auto`, `i8`, `f16` or `f32`.
//! Candidates are compared again by the distance of their values, from memory.

use std::time::Instant;

use iscc_hnsw::build::{CollectedShard, NextStep, ShardBuilder};
use iscc_hnsw::control::BuildControl;
use iscc_hnsw::params::{BuildParams, ShardValues};
use iscc_hnsw::search::{Candidate, FlatSearch, GraphSearch, looked_up};
use iscc_hnsw::shard::{CLASSES, EFFORTS, Shard, ShardIdentity};
use iscc_metrics::DenseMetric;
use iscc_metrics::dense::rows::{RowKind, RowQuery};
use iscc_metrics::dense::{Query, Scalar};

/// Neighbours that are wanted.
const NEIGHBOURS: usize = 10;

/// Values of 16-bit numbers, one after the other.
struct Values {
    bytes: Vec<u8>,
    dimensions: usize,
}

impl Values {
    fn read(path: &str) -> Values {
        let file = std::fs::read(path).expect("a readable file");
        let header_bytes = usize::from(u16::from_le_bytes([file[8], file[9]]));
        let header = String::from_utf8_lossy(&file[10..10 + header_bytes]).into_owned();
        assert!(header.contains("<f2"), "half precision");
        let shape = header.split(['(', ')']).nth(1).expect("a shape");
        let dimensions = shape.split(',').nth(1).and_then(|number| number.trim().parse().ok());
        Values {
            bytes: file[10 + header_bytes..].to_vec(),
            dimensions: dimensions.expect("two dimensions"),
        }
    }

    fn stride(&self) -> usize {
        2 * self.dimensions
    }

    fn all(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.stride())
    }

    fn get(&self, number: u32) -> &[u8] {
        &self.bytes[number as usize * self.stride()..][..self.stride()]
    }
}

/// Processor time of all threads so far (Linux).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn collect(values: &Values, params: BuildParams) -> CollectedShard {
    let mut builder = ShardBuilder::new(params);
    for pass in 1.. {
        let start = cpu_seconds();
        for (ordinal, value) in (0..).zip(values.all()) {
            builder.push(ordinal, value);
        }
        let next = builder.end_pass();
        let micros = (cpu_seconds() - start) * 1e6 / values.all().len() as f64;
        println!("pass {pass}: {micros:.1} us a value");
        match next {
            NextStep::Pass(again) => builder = again,
            NextStep::Build(collected) => return collected,
            NextStep::BuildHere(_) => unreachable!("vectors are not opaque"),
        }
    }
    unreachable!("few passes are enough")
}

fn build(values: &Values, params: BuildParams) -> Shard<Vec<u8>> {
    let rows = values.all().len() as f64;
    let start = cpu_seconds();
    let collected = collect(values, params);
    let collected_at = cpu_seconds();
    let built = collected.build(&BuildControl::new()).expect("nobody cancels");
    let (whole, graph) = (cpu_seconds() - start, cpu_seconds() - collected_at);
    let identity = ShardIdentity {
        id: [7; 16],
        ranges: vec![],
        built_at: 0,
        lsn: 0,
    };
    let mut bytes = Vec::new();
    built.write(&mut bytes, &identity).expect("writes to memory");
    println!(
        "build: {:.0} rows/cpu s, {:.0} without passes; {:.0} bytes a row",
        rows / whole,
        rows / graph,
        bytes.len() as f64 / rows
    );
    Shard::open(bytes).expect("opens")
}

/// A query, as it is compared with rows and with values, and the key of its tenth neighbour.
struct Trial {
    row_query: RowQuery,
    query: Query,
    tenth: u64,
}

/// Compares candidates by their values: how many of the true neighbours are among them.
fn rank(shard: &Shard<Vec<u8>>, values: &Values, trial: &Trial, found: &[Candidate], keys: &mut Vec<u64>) -> usize {
    keys.clear();
    let ordinals = found.iter().flat_map(|found| shard.postings(found.node));
    keys.extend(ordinals.map(|ordinal| trial.query.key(values.get(ordinal))));
    keys.sort_unstable();
    let nearest = keys.iter().take(NEIGHBOURS);
    nearest.filter(|&&key| key <= trial.tenth).count()
}

/// Recall and microseconds of a way to search.
fn run(trials: &[Trial], mut search: impl FnMut(&Trial) -> usize) -> (f64, f64) {
    let start = cpu_seconds();
    let mut hits = 0;
    for trial in trials {
        hits += search(trial);
    }
    let n = trials.len() as f64;
    (hits as f64 / (NEIGHBOURS as f64 * n), (cpu_seconds() - start) * 1e6 / n)
}

fn report(shard: &Shard<Vec<u8>>, values: &Values, trials: &[Trial]) {
    let (mut graph, mut flat) = (GraphSearch::new(), FlatSearch::default());
    let (mut found, mut keys) = (Vec::new(), Vec::new());
    let (recall, micros) = run(trials, |trial| {
        flat.start(u32::MAX);
        flat.next(shard, &trial.row_query, 40, u32::MAX, &mut found);
        rank(shard, values, trial, &found, &mut keys)
    });
    println!("flat: {recall:.4} {micros:.0} us");
    for ef in [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512] {
        let mut visited = 0;
        let (recall, micros) = run(trials, |trial| {
            graph.start(shard, &trial.row_query, ef, &mut found);
            visited += graph.visited();
            found.truncate(looked_up(ef));
            rank(shard, values, trial, &found, &mut keys)
        });
        println!(
            "effort {ef}: {recall:.4} {micros:.0} us, {} rows",
            visited / trials.len()
        );
    }
    let (calibration, query_bytes) = (shard.calibration(), values.stride());
    for target in [0.9, 0.95, 0.99, 0.995] {
        let (mut exact, mut efforts) = (0, 0);
        let (recall, micros) = run(trials, |trial| {
            let mut effort = None;
            if calibration.favours_graph(query_bytes, target) {
                graph.start(shard, &trial.row_query, EFFORTS[0], &mut found);
                let tenth = found.get(NEIGHBOURS - 1).map_or(0, |tenth| tenth.key);
                effort = calibration.effort(query_bytes, tenth, target);
            }
            match effort {
                Some(effort) => {
                    if effort > EFFORTS[0] {
                        graph.widen(shard, &trial.row_query, effort, &mut found);
                    }
                    efforts += effort;
                    found.truncate(looked_up(effort));
                }
                None => {
                    flat.start(u32::MAX);
                    flat.next(shard, &trial.row_query, 40, u32::MAX, &mut found);
                    exact += 1;
                }
            }
            rank(shard, values, trial, &found, &mut keys)
        });
        let (exact, efforts) = (100 * exact / trials.len(), efforts / trials.len());
        println!("calibrated for {target}: {recall:.4} {micros:.0} us, {exact} % flat, effort {efforts}");
    }
}

fn print_calibration(shard: &Shard<Vec<u8>>) {
    let calibration = shard.calibration();
    for curves in calibration.lengths() {
        for class in 0..CLASSES {
            let curve = curves.classes[class];
            let share = |found: u16| f64::from(found) / f64::from(curve.expected.get().max(1));
            let shares = curve.found.map(|found| format!("{:.3}", share(found.get())));
            println!("class {class}: {} queries, {}", curve.queries.get(), shares.join(" "));
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let word = |at: usize, default| arguments.get(at).map_or(default, String::as_str).to_string();
    let (values, queries) = (Values::read(&arguments[1]), Values::read(&arguments[2]));
    let metric = DenseMetric::all().find(|metric| metric.name() == word(3, "cosine"));
    let metric = metric.expect("a metric");
    let params = BuildParams {
        values: ShardValues::Dense {
            metric,
            scalar: Scalar::F16,
            dimensions: values.dimensions as u16,
            rows: RowKind::ALL.into_iter().find(|kind| kind.name() == word(4, "i8")),
        },
        m: 16,
        ef_construction: 128,
        threads: word(5, "1").parse().expect("a number"),
        seed: word(6, "42").parse().expect("a number"),
    };
    let shard = build(&values, params);
    let encoding = shard.encoding().expect("vectors");
    println!("{} rows, verified: {:?}", encoding.kind().name(), shard.verify(&|| {}));
    print_calibration(&shard);
    let trial = |value: &[u8]| {
        let query = Query::new(metric, Scalar::F16, value);
        let mut keys: Vec<u64> = values.all().map(|value| query.key(value)).collect();
        let (_, tenth, _) = keys.select_nth_unstable(NEIGHBOURS - 1);
        Trial {
            row_query: encoding.query(value),
            tenth: *tenth,
            query,
        }
    };
    let start = Instant::now();
    let trials: Vec<Trial> = queries.all().map(trial).collect();
    let nanos = start.elapsed().as_secs_f64() * 1e9 / (trials.len() * values.all().len()) as f64;
    println!("true neighbours: {nanos:.0} ns a value");
    report(&shard, &values, &trials);
}
