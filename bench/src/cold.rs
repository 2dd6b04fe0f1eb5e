//! Searches of an index that is not in memory, or only in part, beside pgvector under the same limit. Writes
//! `docs/larger-than-memory.md`.

mod group;
mod page;
mod server;
mod systems;

use cluster_tests::Cluster;
use cluster_tests::Random;
use cluster_tests::codes::{self, Row};
use cluster_tests::disk::is_on_disk;
use cluster_tests::search::value;

use crate::measure::{median, quantile};
use group::Group;
use server::{Limited, State};
use systems::{Asked, System};

/// Codes, unless another number is given.
pub const ROWS: usize = 1_000_000;
/// Queries whose times count, and those before them that leave in memory what queries read.
const QUERIES: usize = 500;
const WARM_UP: usize = 1_500;
/// Queries that are each the first after a start of the server.
const FIRST: usize = 20;
/// Memory of the server besides the index: shared buffers of half of it, and its processes.
const SERVER_BYTES: u64 = 64 << 20;

/// What is stored and searched for: variants of the same simprints.
struct Data {
    base: Vec<Row>,
    queries: Vec<Row>,
}

/// Queries of one kind in one state of the memory.
struct Measured {
    system: String,
    state: String,
    recall: f64,
    times: Vec<f64>,
    /// Of each query, on average.
    faults: f64,
    bytes: f64,
}

impl Data {
    fn new() -> Self {
        let base: Vec<Row> = codes::simprints().into_iter().map(|(row, _)| row).collect();
        let mut shuffled = base.clone();
        let mut random = Random(5);
        (1..shuffled.len()).for_each(|i| shuffled.swap(i, random.below(i + 1)));
        let queries = codes::variants_of(&shuffled, 11).take(QUERIES + WARM_UP).collect();
        Self { base, queries }
    }

    fn counted(&self) -> &[Row] {
        &self.queries[..QUERIES]
    }

    fn warm_up(&self) -> &[Row] {
        &self.queries[QUERIES..]
    }
}

/// Measures a table of so many codes.
pub fn run(rows: usize) {
    let group = match Group::new() {
        Ok(group) => group,
        Err(why) => return eprintln!("left out: larger than memory, which needs a control group of its own: {why}"),
    };
    let cluster = Cluster::with(&[
        ("shared_buffers", "32MB"),
        ("maintenance_work_mem", "2GB"),
        ("max_wal_size", "1GB"),
        ("max_parallel_workers_per_gather", "0"),
    ]);
    if !is_on_disk(&cluster.data_dir()) {
        return eprintln!("left out: larger than memory, for the data directory is in memory: set TMPDIR to a disk's");
    }
    let data = Data::new();
    let mut client = cluster.client();
    let version: String = value(&mut client, "SHOW server_version");
    let mut systems = systems::load(&mut client, &data, rows);
    drop(client);
    let truth = systems::truth(&cluster, &mut systems, data.counted());
    let index_bytes = systems[0].bytes;
    let limits = [("half", index_bytes / 2), ("a quarter", index_bytes / 4)].map(|(name, b)| (name, b + SERVER_BYTES));
    let mut server = Limited::new(cluster, group);
    let mut measured = Vec::new();
    for system in &systems {
        measured.push(steady(&mut server, system, &data, &truth, ("all", State::Cached)));
        for (name, bytes) in limits {
            measured.push(steady(
                &mut server,
                system,
                &data,
                &truth,
                (name, State::Limited(bytes)),
            ));
        }
        measured.push(first(&mut server, system, data.counted()));
    }
    server.cluster().assert_no_crash();
    page::write(&version, rows, &systems, &limits, &measured);
}

/// Queries after many others.
fn steady(server: &mut Limited, system: &System, data: &Data, truth: &[f64], (name, state): (&str, State)) -> Measured {
    server.restart_in(state);
    let mut asked = Asked::new(server.cluster(), system);
    asked.all(data.warm_up());
    let before = server.reads();
    let (answers, times) = asked.all(data.counted());
    let after = server.reads();
    let measured = Measured {
        system: system.name.clone(),
        state: name.into(),
        recall: system.recall(&answers, truth),
        faults: (after.faults - before.faults) as f64 / times.len() as f64,
        bytes: (after.bytes - before.bytes) as f64 / times.len() as f64,
        times,
    };
    measured.report();
    measured
}

/// Queries that are each the first of a server.
fn first(server: &mut Limited, system: &System, queries: &[Row]) -> Measured {
    let (mut faults, mut bytes, mut times) = (0.0, 0.0, Vec::new());
    for query in codes::sample(queries, FIRST) {
        server.restart_in(State::Cold);
        let mut asked = Asked::new(server.cluster(), system);
        let before = server.reads();
        times.extend(asked.all(&[query]).1);
        let after = server.reads();
        faults += (after.faults - before.faults) as f64;
        bytes += (after.bytes - before.bytes) as f64;
    }
    let measured = Measured {
        system: system.name.clone(),
        state: "none".into(),
        recall: f64::NAN,
        faults: faults / FIRST as f64,
        bytes: bytes / FIRST as f64,
        times,
    };
    measured.report();
    measured
}

impl Measured {
    fn report(&self) {
        eprintln!(
            "{}, {} in memory: median {:.3} ms, 95 % {:.2}, 99 % {:.2}; recall {:.4}; {:.0} faults, {:.0} kB read",
            self.system,
            self.state,
            median(&self.times),
            quantile(&self.times, 0.95),
            quantile(&self.times, 0.99),
            self.recall,
            self.faults,
            self.bytes / 1024.0
        );
    }
}
