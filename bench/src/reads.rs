//! Recall, latency and memory of queries.

use cluster_tests::codes::{Row, sample};
use cluster_tests::{Cluster, search};
use postgres::{Client, Statement};

use crate::measure::{Binary, median, milliseconds, private_kilobytes, quantile};

const QUERY: &str = "SELECT id, code <~> $1 AS distance FROM mixed ORDER BY code <~> $1 LIMIT 10";

/// Distances of a query's answer.
fn distances(client: &mut Client, statement: &Statement, query: &Binary) -> Vec<f64> {
    client
        .query(statement, &[query])
        .expect("query")
        .iter()
        .map(|row| row.get(1))
        .collect()
}

/// The share of the true `k` nearest that was found: rows not farther than the k-th of the truth.
fn recall_at(k: usize, got: &[f64], truth: &[f64]) -> f64 {
    let Some(&last) = truth.get(k - 1) else { return 1.0 };
    got.iter().take(k).filter(|&&d| d <= last).count() as f64 / k as f64
}

/// A connection that must use the index in this mode, or must not use it at all.
fn client_for(cluster: &Cluster, mode: Option<&str>) -> Client {
    let mut client = cluster.client();
    let settings = match mode {
        Some(mode) => format!("SET enable_seqscan = off; SET iscc_usearch.search_mode = {mode}"),
        None => "SET enable_indexscan = off; SET max_parallel_workers_per_gather = 0".into(),
    };
    client.batch_execute(&settings).expect("SET");
    client
}

/// Queries per kind of query.
const QUERIES: usize = 1000;

/// Recall by kind and length of the query, default settings, against the sequential scan.
pub fn recall(cluster: &Cluster, kinds: &[(&str, &[Row])]) {
    println!("Recall against the sequential scan, default settings, {QUERIES} queries of each kind");
    println!("| queries | mode | recall@1 | recall@10 | recall@10 by query bits: 64, 128, 192, 256 |");
    println!("|---|---|---|---|---|");
    let mut truth_client = client_for(cluster, None);
    let statement = truth_client.prepare(QUERY).expect("prepare");
    for (kind, rows) in kinds {
        let queries = sample(rows, QUERIES);
        let ask = |client: &mut Client, statement: &Statement| -> Vec<Vec<f64>> {
            queries
                .iter()
                .map(|q| distances(client, statement, &Binary::bitvec(&q.code)))
                .collect()
        };
        let truth = ask(&mut truth_client, &statement);
        for mode in ["auto", "graph"] {
            let mut client = client_for(cluster, Some(mode));
            let statement = client.prepare(QUERY).expect("prepare");
            let got = ask(&mut client, &statement);
            let mean = |k: usize, bytes: Option<usize>| {
                let of = (0..queries.len()).filter(|&i| bytes.is_none_or(|b| queries[i].code.len() == b));
                let found: Vec<f64> = of.map(|i| recall_at(k, &got[i], &truth[i])).collect();
                found.iter().sum::<f64>() / found.len().max(1) as f64
            };
            let by_bits: Vec<String> = [8, 16, 24, 32]
                .iter()
                .map(|&bytes| format!("{:.4}", mean(10, Some(bytes))))
                .collect();
            println!(
                "| {kind} | {mode} | {:.4} | {:.4} | {} |",
                mean(1, None),
                mean(10, None),
                by_bits.join(", ")
            );
        }
    }
    println!();
}

/// Latencies of `rounds` executions after a warm-up, in milliseconds.
fn time(client: &mut Client, statement: &Statement, queries: &[Binary], rounds: usize) -> Vec<f64> {
    for query in queries.iter().take(50) {
        client.query(statement, &[query]).expect("query");
    }
    (0..rounds)
        .map(|i| {
            milliseconds(|| {
                client.query(statement, &[&queries[i % queries.len()]]).expect("query");
            })
        })
        .collect()
}

fn round_trip(client: &mut Client) -> f64 {
    let statement = client.prepare("SELECT 1").expect("prepare");
    let mut times = Vec::new();
    for _ in 0..3000 {
        times.push(milliseconds(|| {
            client.query(&statement, &[]).expect("SELECT 1");
        }));
    }
    median(&times)
}

/// One client, prepared statement: beside the round trip of SELECT 1.
pub fn latency(cluster: &Cluster, stored: &[Row], held_out: &[Row]) {
    let mut queries: Vec<Binary> = Vec::new();
    for row in sample(stored, 250).iter().chain(&sample(held_out, 250)) {
        queries.push(Binary::bitvec(&row.code));
    }
    println!("Latency of ORDER BY code <~> $1 LIMIT 10, prepared, one client, default settings");
    println!("| mode | median ms | p95 ms | of (3 x round trip + 0.3 ms) |");
    println!("|---|---|---|---|");
    for mode in ["auto", "graph", "exact"] {
        let mut client = client_for(cluster, Some(mode));
        let trip = round_trip(&mut client);
        let statement = client.prepare(QUERY).expect("prepare");
        let times = time(&mut client, &statement, &queries, 3000);
        let middle = median(&times);
        println!(
            "| {mode} | {middle:.3} | {:.3} | {:.2} (round trip {trip:.3} ms) |",
            quantile(&times, 0.95),
            middle / (3.0 * trip + 0.3)
        );
    }
    let mut client = client_for(cluster, None);
    let statement = client.prepare(QUERY).expect("prepare");
    let times = time(&mut client, &statement, &queries[..20], 100);
    println!(
        "| sequential scan | {:.3} | {:.3} | |\n",
        median(&times),
        quantile(&times, 0.95)
    );
}

/// A filter that one row in a hundred passes.
pub fn filter(cluster: &Cluster, stored: &[Row]) {
    let sql = "SELECT id, code <~> $1 FROM mixed WHERE id % 100 = 7 ORDER BY code <~> $1 LIMIT 10";
    let mut truth_client = client_for(cluster, None);
    let truth_statement = truth_client.prepare(sql).expect("prepare");
    let mut client = client_for(cluster, Some("auto"));
    let statement = client.prepare(sql).expect("prepare");
    let queries = sample(stored, 200);
    let (mut recall, mut fewest) = (0.0, usize::MAX);
    let mut times = Vec::new();
    for query in &queries {
        let query = Binary::bitvec(&query.code);
        let truth = distances(&mut truth_client, &truth_statement, &query);
        let mut got = Vec::new();
        times.push(milliseconds(|| got = distances(&mut client, &statement, &query)));
        fewest = fewest.min(got.len());
        recall += recall_at(10, &got, &truth);
    }
    println!(
        "WHERE matching 1 % of the rows, LIMIT 10: at least {fewest} rows, recall@10 {:.4}, median {:.3} ms\n",
        recall / queries.len() as f64,
        median(&times)
    );
}

/// What the first index query of a connection costs more than a later one.
pub fn first_query(cluster: &Cluster, stored: &[Row]) {
    let queries = sample(stored, 30);
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for query in &queries {
        let mut client = cluster.client();
        client.query_one("SELECT count(*) FROM pg_class", &[]).expect("warm-up");
        let sql = format!(
            "SELECT id FROM mixed ORDER BY code <~> '{}' LIMIT 10",
            cluster_tests::codes::hex(&query.code)
        );
        let mut run = || milliseconds(|| drop(client.query(sql.as_str(), &[]).expect("query")));
        first.push(run());
        let again: Vec<f64> = (0..9).map(|_| run()).collect();
        later.push(median(&again));
    }
    println!(
        "First index query of a connection: {:.2} ms, a later one: {:.2} ms, difference {:.2} ms (library loading included)\n",
        median(&first),
        median(&later),
        median(&first) - median(&later)
    );
}

/// Private memory of a backend before and after 1,000 queries.
pub fn memory(cluster: &Cluster, stored: &[Row]) {
    let mut client = client_for(cluster, Some("graph"));
    let pid: i32 = search::value(&mut client, "SELECT pg_backend_pid()");
    let statement = client.prepare(QUERY).expect("prepare");
    let before = private_kilobytes(pid);
    for query in sample(stored, 1000) {
        client
            .query(&statement, &[&Binary::bitvec(&query.code)])
            .expect("query");
    }
    let after = private_kilobytes(pid);
    println!(
        "Private memory of a backend: {before} kB, after 1,000 queries {after} kB ({:+} kB)\n",
        after - before
    );
}
