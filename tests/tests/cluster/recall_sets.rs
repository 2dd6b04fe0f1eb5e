//! Default settings find the nearest codes of every kind, and of every length whatever the length of the query; and the
//! nearest vectors by every metric.

use std::io::Write;

use cluster_tests::codes::{create_table, literal, load};
use cluster_tests::embeddings::{self, Vector};
use cluster_tests::exact::{kth_distances, recall};
use cluster_tests::sets::{self, LENGTHS, Set};
use cluster_tests::{Cluster, Random, search};
use postgres::Client;

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

/// Real embeddings, as they are and with lengths that differ, by each metric; and longer vectors.
#[test]
fn embeddings_by_each_metric() {
    const QUERIES: usize = 100;
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let mut random = Random(1);
    let mut stretched = |vectors: Vec<Vector>| -> Vec<Vector> {
        let mut stretch = |vector: Vector| {
            let factor = 0.5 + random.below(1500) as f32 / 1000.0;
            vector.into_iter().map(|number| number * factor).collect()
        };
        vectors.into_iter().map(&mut stretch).collect()
    };
    let embeddings = stretched(embeddings::stored(20_480));
    let windows = embeddings::windows(&embeddings::stored(6000), 4);
    let sets = [
        ("embeddings", &embeddings, embeddings::queries(QUERIES), &METRICS[..]),
        (
            "windows",
            &windows,
            embeddings::windows(&embeddings::queries(QUERIES + 3), 4),
            &METRICS[..1],
        ),
    ];
    let mut misses = Vec::new();
    for (name, stored, queries, metrics) in sets {
        let create =
            "DROP TABLE IF EXISTS v; CREATE TABLE v (id bigint, v real[]); ALTER TABLE v ALTER v SET STORAGE PLAIN";
        client.batch_execute(create).expect("CREATE TABLE");
        let mut writer = client.copy_in("COPY v FROM STDIN").expect("COPY");
        for (id, vector) in (1..).zip(stored) {
            writeln!(writer, "{id}\t{{{}}}", embeddings::listed(vector)).expect("COPY");
        }
        writer.finish().expect("COPY");
        for (operator, class) in metrics {
            let index = format!("DROP INDEX IF EXISTS v_v; CREATE INDEX v_v ON v USING usearch (v {class}); ANALYZE v");
            client.batch_execute(&index).expect("CREATE INDEX");
            let mut index = search::index_client(&cluster, "auto");
            let mut truth = search::truth_client(&cluster);
            let found: f64 = queries
                .iter()
                .map(|query| recall_of(&mut index, &mut truth, operator, query))
                .sum();
            let mean = found / queries.len() as f64;
            if mean < LEAST {
                misses.push(format!("{name} by {class}: recall@10 is {mean:.4}"));
            }
        }
    }
    assert!(misses.is_empty(), "{misses:#?}");
}

/// Operators of real[] and their operator classes.
const METRICS: [(&str, &str); 5] = [
    ("<=>", "real_cosine_ops"),
    ("<->", "real_l2_ops"),
    ("<#>", "real_ip_ops"),
    ("<+>", "real_l1_ops"),
    ("<=~>", "real_pearson_ops"),
];

fn recall_of(index: &mut Client, truth: &mut Client, operator: &str, query: &[f32]) -> f64 {
    let query = embeddings::array(query);
    let sql = format!(
        "SELECT id, v {operator} {query}::real[] FROM v ORDER BY v {operator} {query}::real[] LIMIT {NEIGHBOURS}"
    );
    let got = search::hits(index, &sql);
    assert_eq!(got.len(), NEIGHBOURS, "too few rows");
    search::recall(&got, &search::hits(truth, &sql))
}
