//! Searches and thresholds at one size of the table.

use std::fs;

use cluster_tests::Cluster;
use cluster_tests::Random;
use cluster_tests::codes::{self, Row};
use cluster_tests::search::value;
use postgres::{Client, Statement};

use crate::measure::{Binary, median, milliseconds, private_kilobytes, quantile};

/// Queries of each kind.
const QUERIES: usize = 500;
/// Queries before those that count: a connection maps the pages of a file as it comes to them, which takes microseconds for
/// each until most of those that searches read are mapped.
const WARM_UP: usize = 1_500;
/// The same where all of a file is read by each.
const WARM_UP_EXACT: usize = 20;
/// Every so many rows of the first million one is searched for.
pub const STORED_STEP: usize = 1_000_000 / QUERIES;
const NEIGHBOURS: usize = 10;
/// Radii of thresholds: 6, 12, 15 and 25 of 256 bits.
pub const RADII: [f64; 4] = [0.024, 0.047, 0.059, 0.098];
/// Rows of which near-duplicates are joined, and their radius.
const JOINED: i64 = 20_000;
const JOIN_RADIUS: f64 = 0.05;
/// Connections that are open at once.
const CONNECTIONS: usize = 200;

const SEARCH: &str = "SELECT code <~> $1 FROM s ORDER BY code <~> $1 LIMIT 10";

/// What is stored and searched for: variants of the simprints. One third of these is in no way in the table.
pub struct Queries {
    /// Two thirds of the simprints.
    base: Vec<Row>,
    kinds: [(&'static str, Vec<Row>); 3],
    /// Other variants of the same simprints.
    warm_up: Vec<Row>,
}

/// Latencies in milliseconds.
pub struct Times {
    pub median: f64,
    pub p95: f64,
    pub p99: f64,
}

/// Searches of one kind.
pub struct Search {
    pub kind: &'static str,
    pub recall: f64,
    pub times: Times,
}

/// Our own, at default settings and exact.
pub struct OwnSearch {
    pub default: Search,
    pub exact: Times,
}

/// Thresholds of one radius, by default and comparing all codes.
pub struct Threshold {
    pub radius: f64,
    pub rows: f64,
    pub times: Times,
    pub exact: Times,
}

/// What connections cost.
pub struct Connections {
    /// The first query of a connection, and a later one, in milliseconds.
    pub first: f64,
    pub later: f64,
    /// Memory of its own and files of each backend after it.
    pub kilobytes: i64,
    pub files: usize,
}

impl Times {
    /// Of all queries.
    pub fn of(times: &[f64]) -> Self {
        Self {
            median: median(times),
            p95: quantile(times, 0.95),
            p99: quantile(times, 0.99),
        }
    }
}

impl Queries {
    /// The kinds of queries that are not in the table.
    pub fn new() -> Self {
        let mut base: Vec<Row> = codes::simprints().into_iter().map(|(row, _)| row).collect();
        let foreign = base.split_off(base.len() / 3 * 2);
        let spread = |codes: &[Row], seed, count| {
            let of = codes::sample(codes, count);
            codes::variants_of(&of, seed).take(count).collect::<Vec<_>>()
        };
        let mut random = Random(7);
        let at_random = |id: usize| {
            let code = random.bytes(32);
            Row {
                id: id as i64,
                full: code.clone(),
                code,
            }
        };
        Self {
            kinds: [
                ("held out", spread(&base, 11, QUERIES)),
                ("of other files", spread(&foreign, 12, QUERIES)),
                ("random bits", (0..QUERIES).map(at_random).collect()),
            ],
            warm_up: spread(&base, 13, WARM_UP),
            base,
        }
    }

    /// The codes of the table, without end.
    pub fn stored(&self) -> impl Iterator<Item = Row> {
        codes::variants_of(&self.base, 2)
    }

    /// All kinds, with some of the table's codes.
    pub fn kinds<'a>(&'a self, stored: &'a [Row]) -> Vec<(&'static str, &'a [Row])> {
        let kinds = self.kinds.iter().map(|(kind, rows)| (*kind, rows.as_slice()));
        [("stored", stored)].into_iter().chain(kinds).collect()
    }

    /// Searches of each kind.
    pub fn searches(&self, cluster: &Cluster, stored: &[Row]) -> Vec<OwnSearch> {
        let all = self.kinds(stored).into_iter();
        all.map(|(kind, rows)| {
            let (answers, times) = self.ask(cluster, "auto", SEARCH, rows, distances);
            let (truth, exact) = self.ask(cluster, "exact", SEARCH, rows, distances);
            let recalls = answers.iter().zip(&truth).map(|(answer, truth)| {
                let farthest = truth.last().copied().unwrap_or_default();
                answer.iter().filter(|&&distance| distance <= farthest).count() as f64 / NEIGHBOURS as f64
            });
            OwnSearch {
                default: Search {
                    kind,
                    recall: recalls.sum::<f64>() / rows.len() as f64,
                    times: Times::of(&times),
                },
                exact: Times::of(&exact),
            }
        })
        .collect()
    }

    /// Each query's answer and milliseconds, on a connection of its own after queries that are not counted.
    fn ask<T>(
        &self,
        cluster: &Cluster,
        mode: &str,
        sql: &str,
        rows: &[Row],
        ask: impl Fn(&mut Client, &Statement, &Binary) -> T,
    ) -> (Vec<T>, Vec<f64>) {
        let mut client = cluster.client();
        let settings = format!("SET iscc_usearch.search_mode = {mode}; SET enable_seqscan = off");
        client.batch_execute(&settings).expect("SET");
        let statement = client.prepare(sql).expect("prepare");
        let mut one = |row: &Row| {
            let code = Binary::bitvec(&row.code);
            let mut answer = None;
            let time = milliseconds(|| answer = Some(ask(&mut client, &statement, &code)));
            (answer.expect("an answer"), time)
        };
        let count = if mode == "exact" { WARM_UP_EXACT } else { WARM_UP };
        codes::sample(&self.warm_up, count)
            .iter()
            .for_each(|row| drop(one(row)));
        rows.iter().map(one).unzip()
    }

    /// Thresholds of each radius, for queries that are stored or held out.
    pub fn thresholds(&self, cluster: &Cluster, stored: &[Row]) -> Vec<Threshold> {
        let rows = [&stored[..QUERIES / 2], &self.kinds[0].1[..QUERIES / 2]].concat();
        let count = |client: &mut Client, statement: &Statement, code: &Binary| -> i64 {
            client.query_one(statement, &[code]).expect("threshold").get(0)
        };
        RADII
            .into_iter()
            .map(|radius| {
                let sql = format!("SELECT count(*) FROM s WHERE nphd_within(code, $1, {radius})");
                let (found, times) = self.ask(cluster, "auto", &sql, &rows, count);
                let (truth, exact) = self.ask(cluster, "exact", &sql, &rows, count);
                assert_eq!(found, truth, "radius {radius}");
                Threshold {
                    radius,
                    rows: found.iter().sum::<i64>() as f64 / rows.len() as f64,
                    times: Times::of(&times),
                    exact: Times::of(&exact),
                }
            })
            .collect()
    }
}

fn distances(client: &mut Client, statement: &Statement, code: &Binary) -> Vec<f64> {
    let rows = client.query(statement, &[code]).expect("search");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Rows a second of a join with all that are near, in one process.
pub fn join_rate(cluster: &Cluster) -> f64 {
    let mut client = cluster.client();
    let sql = format!(
        "SELECT count(*) FROM (SELECT code FROM s LIMIT {JOINED}) o JOIN s ON nphd_within(s.code, o.code, {JOIN_RADIUS})"
    );
    let plan = cluster_tests::search::explain(&mut client, &sql);
    assert!(plan.contains("Index Scan using s_code"), "not by the index:\n{plan}");
    let time = milliseconds(|| {
        let _: i64 = value(&mut client, &sql);
    });
    JOINED as f64 / time * 1000.0
}

/// First and later queries of many connections, all of them open.
pub fn connections(cluster: &Cluster, stored: &[Row]) -> Connections {
    let (mut first, mut later) = (Vec::new(), Vec::new());
    let mut open = Vec::new();
    for row in codes::sample(stored, CONNECTIONS) {
        let mut client = cluster.client();
        client.query_one("SELECT count(*) FROM pg_class", &[]).expect("warm-up");
        let sql = SEARCH.replace("$1", &codes::literal(&row.code));
        let mut ask = || milliseconds(|| drop(client.query(&sql, &[]).expect("search")));
        first.push(ask());
        later.push(median(&[ask(), ask(), ask()]));
        open.push(client);
    }
    let mut last = open.pop().expect("connections");
    let pid: i32 = value(&mut last, "SELECT pg_backend_pid()");
    Connections {
        first: median(&first),
        later: median(&later),
        kilobytes: private_kilobytes(pid),
        files: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
    }
}
