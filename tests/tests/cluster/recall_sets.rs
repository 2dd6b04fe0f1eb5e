//! Default settings find the nearest codes of every kind, and of every length whatever the length of the query.

use cluster_tests::codes::{create_table, literal, load};
use cluster_tests::exact::{kth_distances, recall};
use cluster_tests::sets::{self, LENGTHS, Set};
use cluster_tests::{Cluster, search};

/// Neighbours asked for.
const NEIGHBOURS: usize = 10;
/// The recall that is the goal of default settings.
const LEAST: f64 = 0.99;

/// A line for each kind of query whose recall is too low.
fn misses(cluster: &Cluster, set: &Set) -> Vec<String> {
    let mut client = cluster.client();
    client
        .batch_execute("DROP TABLE IF EXISTS t; SET max_parallel_maintenance_workers = 0")
        .expect("DROP");
    create_table(&mut client, "t");
    load(&mut client, "t", &set.stored);
    client
        .batch_execute("CREATE INDEX t_code ON t USING usearch (code); ANALYZE t")
        .expect("CREATE INDEX");
    search::use_index(&mut client, "auto");
    let mut misses = Vec::new();
    for (kind, queries) in &set.queries {
        let truth = kth_distances(&set.stored, queries, NEIGHBOURS);
        let mut sum = 0.0;
        for (query, kth) in queries.iter().zip(truth) {
            let code = literal(&query.code);
            let sql = format!("SELECT code <~> {code} FROM t ORDER BY code <~> {code} LIMIT {NEIGHBOURS}");
            let rows = client.query(&sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
            let distances: Vec<f64> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(distances.len(), NEIGHBOURS, "too few rows");
            sum += recall(&distances, NEIGHBOURS, kth);
        }
        let mean = sum / queries.len() as f64;
        if mean < LEAST {
            misses.push(format!("{} rows, {kind} queries: recall@10 is {mean:.4}", set.name));
        }
    }
    misses
}

/// Near-duplicates, thousands of equal codes, codes that a graph serves badly, and random bits.
#[test]
fn every_kind_of_code() {
    let cluster = Cluster::start();
    let sets = sets::kinds(100_000, 150);
    let misses: Vec<_> = sets.iter().flat_map(|set| misses(&cluster, set)).collect();
    assert!(misses.is_empty(), "{misses:#?}");
}

/// A query may be shorter or longer than what is stored.
#[test]
fn every_pair_of_lengths() {
    let cluster = Cluster::start();
    let lengths = LENGTHS.map(Some).into_iter().chain([None]);
    let misses: Vec<_> = lengths
        .flat_map(|bytes| misses(&cluster, &sets::of_length(bytes, 30_000, 150)))
        .collect();
    assert!(misses.is_empty(), "{misses:#?}");
}
