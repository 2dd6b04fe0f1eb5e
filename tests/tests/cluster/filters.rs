//! WHERE clauses that leave few rows: the LIMIT is filled, with the right rows, and with bounded work.

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row, create_table, literal, load};
use cluster_tests::search::{each, explain, explain_with, nearest_where, recall, truth_client, value};
use postgres::Client;

/// Of so many rows the conditions leave one.
const SHARES: [i64; 5] = [2, 10, 100, 1_000, 10_000];
const K: usize = 10;

/// 100,000 Text-Codes, an index with default settings, and a column of random numbers to filter by.
fn create(cluster: &Cluster) -> Vec<Row> {
    let (rows, queries) = codes::hold_out(codes::text(100_100), 1_001);
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows);
    each(
        &mut client,
        "ALTER TABLE t ADD n int;
         UPDATE t SET n = hashint8extended(id, 1) & 1073741823;
         SET max_parallel_maintenance_workers = 0;
         CREATE INDEX t_code ON t USING usearch (code);
         VACUUM ANALYZE t",
    );
    let mut queries = codes::sample(&queries, 50);
    queries.extend(codes::sample(&rows, 50));
    queries
}

/// Makes a connection's plans order by the index and filter its rows.
fn by_index(cluster: &Cluster) -> Client {
    let mut client = cluster.client();
    each(
        &mut client,
        "SET jit = off; SET enable_sort = off; SET enable_seqscan = off",
    );
    client
}

/// As many rows as there are, up to LIMIT 10, and the nearest ones, whatever share of the rows passes the filter, with
/// the index and with what the planner takes.
#[test]
fn filtered_recall() {
    let cluster = Cluster::start();
    let queries = create(&cluster);
    let mut truth = truth_client(&cluster);
    let (mut forced, mut default) = (by_index(&cluster), cluster.client());
    for share in SHARES {
        let condition = format!("n % {share} = 0");
        let exist: i64 = value(&mut truth, &format!("SELECT count(*) FROM t WHERE {condition}"));
        let sql = format!("SELECT id FROM t WHERE {condition} ORDER BY code <~> '\\x00ff' LIMIT {K}");
        let plan = explain(&mut forced, &sql);
        assert!(plan.contains("Index Scan using t_code"), "{plan}");
        let expected: Vec<_> = queries
            .iter()
            .map(|query| nearest_where(&mut truth, "t", &query.code, &condition, "LIMIT 10"))
            .collect();
        for (name, client) in [("forced", &mut forced), ("default", &mut default)] {
            let mut sum = 0.0;
            for (query, expected) in queries.iter().zip(&expected) {
                let got = nearest_where(client, "t", &query.code, &condition, "LIMIT 10");
                assert_eq!(got.len(), K.min(exist as usize), "{name}, 1 of {share}");
                sum += recall(&got, expected);
            }
            let recall = sum / queries.len() as f64;
            eprintln!("filters: 1 of {share} rows ({exist}), {name} plan: recall@{K} {recall:.4}");
            assert!(recall >= 0.99, "1 of {share} rows, {name} plan: recall@{K} is {recall}");
        }
    }
}

/// A filter that nearly no row passes makes an ordered scan read the whole index and fetch the whole table: each row
/// once, and no page of the index more than a few times.
#[test]
fn worst_filter() {
    let cluster = Cluster::start();
    let queries = create(&cluster);
    let mut forced = by_index(&cluster);
    let rows: i64 = value(&mut forced, "SELECT count(*) FROM t");
    let blocks: i64 = value(&mut forced, "SELECT pg_relation_size('t_code') / 8192");
    for query in &queries[..5] {
        // One row of 100,000, which no statistics tell.
        let code = literal(&query.code);
        let sql = format!("SELECT id FROM t WHERE id % 1000000 = 77 ORDER BY code <~> {code} LIMIT 10");
        let plan = explain_with(
            &mut forced,
            "ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF",
            &sql,
        );
        assert!(plan.contains("Index Scan using t_code"), "{plan}");
        let number = |label: &str| number_after(&plan, label).unwrap_or_else(|| panic!("{label}:\n{plan}"));
        assert_eq!(number("Rows Removed by Filter: "), rows - 1, "{plan}");
        let pages = number("shared hit=") + number_after(&plan, " read=").unwrap_or(0);
        assert!(
            pages <= rows + 4 * blocks,
            "{pages} of {rows} rows and {blocks} blocks:\n{plan}"
        );
        if let Some(nodes) = number_after(&plan, "Nodes Visited: ") {
            assert!(nodes <= 4 * rows, "{plan}");
        }
    }
}

/// The first number that follows a label.
fn number_after(plan: &str, label: &str) -> Option<i64> {
    let (_, rest) = plan.split_once(label)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
