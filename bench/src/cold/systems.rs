//! The indexes: ours, and that of pgvector.

use std::io::Write;

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row};
use cluster_tests::search::value;
use postgres::{Client, Statement};

use super::Data;
use crate::measure::{Binary, milliseconds};
use crate::scale::Progress;

const NEIGHBOURS: usize = 10;
/// Rows of a COPY.
const BATCH: usize = 100_000;
/// Efforts of pgvector, of which the least is taken that finds as much as ours, or nearly so.
const EFFORTS: [u32; 7] = [40, 64, 100, 150, 200, 400, 800];
const NEARLY: f64 = 0.01;
/// Queries that an effort is tried with.
const TRIED: usize = 200;
/// Rows of a table that makes a connection know the library and the catalogs.
const FEW: usize = 1_000;

/// A table with an index.
pub struct System {
    pub name: String,
    pub bytes: u64,
    table: &'static str,
    operator: &'static str,
    /// What a distance is divided by to be a share of the bits.
    scale: f64,
    binary: fn(&[u8]) -> Binary,
    settings: String,
}

/// A connection with a prepared statement.
pub struct Asked {
    client: Client,
    statement: Statement,
    scale: f64,
    binary: fn(&[u8]) -> Binary,
}

/// Loads the tables and builds the indexes; ours is the first.
pub fn load(client: &mut Client, data: &Data, rows: usize) -> Vec<System> {
    let has_pgvector = client.batch_execute("CREATE EXTENSION vector").is_ok();
    if !has_pgvector {
        eprintln!("left out: pgvector, which this installation does not have");
    }
    let ours = System {
        name: "iscc_usearch".into(),
        bytes: 0,
        table: "ours",
        operator: "<~>",
        scale: 1.0,
        binary: Binary::bitvec,
        settings: String::new(),
    };
    let theirs = System {
        name: "pgvector".into(),
        bytes: 0,
        table: "theirs",
        operator: "<~>",
        scale: 256.0,
        binary: Binary::bit,
        settings: String::new(),
    };
    let mut systems = vec![ours];
    systems.extend(has_pgvector.then_some(theirs));
    for system in &mut systems {
        let size = match system.table {
            "ours" => "SELECT usearch_total_size('ours_code')",
            _ => "SELECT pg_relation_size('theirs_code')",
        };
        for (suffix, rows) in [("_few", FEW), ("", rows)] {
            system.fill(client, data, rows, suffix);
        }
        system.bytes = value::<i64>(client, size) as u64;
    }
    client.batch_execute("CHECKPOINT").expect("CHECKPOINT");
    systems
}

/// Distances of the tenth neighbours, and the least effort of pgvector that is enough.
pub fn truth(cluster: &Cluster, systems: &mut [System], queries: &[Row]) -> Vec<f64> {
    let exact = "SET iscc_usearch.search_mode = exact";
    let mut asked = Asked::with(cluster, &systems[0], exact);
    let last = |answer: &Vec<f64>| answer.last().copied().unwrap_or_default();
    let truth: Vec<f64> = asked.all(queries).0.iter().map(last).collect();
    let tried = &queries[..TRIED.min(queries.len())];
    let recall = |system: &System, settings: &str| {
        let (answers, _) = Asked::with(cluster, system, settings).all(tried);
        system.recall(&answers, &truth)
    };
    let wanted = recall(&systems[0], "") - NEARLY;
    if let Some(theirs) = systems.get_mut(1) {
        let setting = |effort: u32| format!("SET hnsw.ef_search = {effort}");
        let enough = |&effort: &u32| recall(theirs, &setting(effort)) >= wanted;
        let effort = EFFORTS.into_iter().find(enough).unwrap_or(EFFORTS[EFFORTS.len() - 1]);
        theirs.settings = setting(effort);
        theirs.name = format!("pgvector, `ef_search` {effort}");
    }
    truth
}

impl System {
    fn fill(&self, client: &mut Client, data: &Data, rows: usize, suffix: &str) {
        let table = format!("{}{suffix}", self.table);
        let is_ours = self.table == "ours";
        let column = if is_ours { "bitvec(256)" } else { "bit(256)" };
        client
            .batch_execute(&format!("CREATE TABLE {table} (id bigint, code {column})"))
            .expect("CREATE TABLE");
        let mut stored = codes::variants_of(&data.base, 2).take(rows);
        for _ in 0..rows.div_ceil(BATCH) {
            let mut writer = client.copy_in(&format!("COPY {table} FROM STDIN")).expect("COPY");
            for row in stored.by_ref().take(BATCH) {
                let prefix = if is_ours { "\\\\x" } else { "x" };
                let digits = &codes::hex(&row.code)[2..];
                writeln!(writer, "{}\t{prefix}{digits}", row.id).expect("COPY data");
            }
            writer.finish().expect("COPY");
        }
        let method = if is_ours {
            "usearch (code)"
        } else {
            "hnsw (code bit_hamming_ops)"
        };
        let progress = Progress::new(format!("building the index of {table}"), rows);
        client
            .batch_execute(&format!("CREATE INDEX {table}_code ON {table} USING {method}"))
            .expect("CREATE INDEX");
        client
            .batch_execute(&format!("VACUUM ANALYZE {table}"))
            .expect("VACUUM");
        progress.finish();
    }

    fn query(&self, suffix: &str) -> String {
        let distance = format!("code {} $1", self.operator);
        format!(
            "SELECT {distance} FROM {}{suffix} ORDER BY {distance} LIMIT {NEIGHBOURS}",
            self.table
        )
    }

    /// The share of the nearest that is among the answers.
    pub fn recall(&self, answers: &[Vec<f64>], truth: &[f64]) -> f64 {
        let found = |(answer, &farthest): (&Vec<f64>, &f64)| {
            answer.iter().filter(|&&distance| distance <= farthest + 1e-9).count()
        };
        let found: usize = answers.iter().zip(truth).map(found).sum();
        found as f64 / (NEIGHBOURS * answers.len()) as f64
    }
}

impl Asked {
    /// A connection that has queried a small table.
    pub fn new(cluster: &Cluster, system: &System) -> Self {
        Self::with(cluster, system, "")
    }

    fn with(cluster: &Cluster, system: &System, settings: &str) -> Self {
        let mut client = cluster.client();
        let mut prepared = |suffix: &str| client.prepare(&system.query(suffix)).expect("prepare");
        let (small, statement) = (prepared("_few"), prepared(""));
        let code = (system.binary)(&[0; 32]);
        client.batch_execute("SET enable_seqscan = off").expect("SET");
        client.query(&small, &[&code]).expect("warm-up");
        let settings = format!("{}; {settings}", system.settings);
        client.batch_execute(&settings).expect("SET");
        Self {
            client,
            statement,
            scale: system.scale,
            binary: system.binary,
        }
    }

    /// Each query's distances and milliseconds.
    pub fn all(&mut self, queries: &[Row]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut one = |row: &Row| {
            let code = (self.binary)(&row.code);
            let mut answer = Vec::new();
            let time = milliseconds(|| answer = self.client.query(&self.statement, &[&code]).expect("search"));
            let distances = answer.iter().map(|row| row.get::<_, f64>(0) / self.scale);
            (distances.collect(), time)
        };
        queries.iter().map(&mut one).unzip()
    }
}
