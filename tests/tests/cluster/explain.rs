//! EXPLAIN (ANALYZE) shows what an index scan did, from PostgreSQL 18 on.

use cluster_tests::Cluster;
use cluster_tests::codes::{self, create_indexed, literal};
use cluster_tests::search::{explain_with, server_version, value};
use postgres::Client;

const OPTIONS: &str = "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF";
const SETTINGS: &str = "SET enable_seqscan = off; SET enable_sort = off";

/// The line that the first scan of our index has in a plan.
fn line(client: &mut Client, sql: &str) -> String {
    let plan = explain_with(client, OPTIONS, sql);
    let line = plan.lines().find(|line| line.contains("Shards: "));
    line.unwrap_or_else(|| panic!("{sql}:\n{plan}")).trim().to_string()
}

/// The number that follows a label.
fn number(text: &str, label: &str) -> i64 {
    let (_, rest) = text.split_once(label).unwrap_or_else(|| panic!("{label}:\n{text}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{label}:\n{text}"))
}

/// The counters are those of the shards and the tail, in each mode, summed over rescans.
#[test]
fn counters() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let rows = codes::text(10_000);
    create_indexed(&mut client, &rows);
    let q = literal(&rows[0].code);
    let nearest = format!("SELECT id FROM t ORDER BY code <~> {q} LIMIT 10");
    client.batch_execute(SETTINGS).expect("SET");
    if server_version(&mut client) < 18 {
        assert!(!explain_with(&mut client, OPTIONS, &nearest).contains("Shards"));
        return;
    }
    let shards: i64 = value(&mut client, "SELECT count(*) FROM usearch_shards('t_code')");
    let (entries, tail) = (8_000, 2_000);
    assert!(shards > 1);

    client
        .batch_execute("SET iscc_usearch.search_mode = exact")
        .expect("SET");
    let exact = format!("Shards: 0 graph, {shards} exact; Nodes Visited: {entries}; Tail Rows: {tail}");
    assert_eq!(line(&mut client, &nearest), exact);
    let lateral = format!("SELECT * FROM generate_series(1, 3) i, LATERAL ({nearest} OFFSET i - i) x");
    let thrice = format!(
        "Shards: 0 graph, {} exact; Nodes Visited: {}; Tail Rows: {}",
        3 * shards,
        3 * entries,
        3 * tail
    );
    assert_eq!(line(&mut client, &lateral), thrice);
    let nothing = "Shards: 0 graph, 0 exact; Nodes Visited: 0; Tail Rows: 0";
    let null = "SELECT id FROM t ORDER BY code <~> (SELECT NULL::bitvec) LIMIT 10";
    assert_eq!(line(&mut client, null), nothing);

    // A threshold search, by an index scan and by a bitmap.
    for setting in ["enable_bitmapscan", "enable_indexscan"] {
        client.batch_execute(&format!("SET {setting} = off")).expect("SET");
        let within = line(
            &mut client,
            &format!("SELECT id FROM t WHERE nphd_within(code, {q}, 0.1)"),
        );
        assert_eq!(within, exact, "{setting} = off");
        client.batch_execute(&format!("RESET {setting}")).expect("RESET");
    }

    client
        .batch_execute("SET iscc_usearch.search_mode = graph; SET iscc_usearch.ef_search = 20")
        .expect("SET");
    let searched = line(&mut client, &nearest);
    let start = format!("Shards: {shards} graph, 0 exact; ");
    assert!(searched.starts_with(&start), "{searched}");
    assert!(
        (20..entries).contains(&number(&searched, "Nodes Visited: ")),
        "{searched}"
    );
    assert_eq!(number(&searched, "Tail Rows: "), tail);
    // All rows: the graphs first, then what they have left.
    let all = line(&mut client, &format!("SELECT id FROM t ORDER BY code <~> {q}"));
    assert!(all.starts_with(&format!("Shards: 0 graph, {shards} exact; ")), "{all}");
    assert!(number(&all, "Nodes Visited: ") >= entries, "{all}");
}

/// Each format has the counters, in a session that has loaded the library by this statement only; what did not run, or
/// is no index of ours, has none.
#[test]
fn formats() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    if server_version(&mut client) < 18 {
        return;
    }
    let rows = codes::text(2_000);
    create_indexed(&mut client, &rows);
    let q = codes::hex(&rows[0].code);
    let nearest = format!("SELECT id FROM t ORDER BY code <~> '{q}' LIMIT 10");
    let formats = [
        ("TEXT", "Shards: ", "Nodes Visited: ", "Tail Rows: "),
        ("JSON", "\"Exact Shards\": ", "\"Nodes Visited\": ", "\"Tail Rows\": "),
        ("YAML", "Exact Shards: ", "Nodes Visited: ", "Tail Rows: "),
        ("XML", "<Exact-Shards>", "<Nodes-Visited>", "<Tail-Rows>"),
    ];
    for (format, shards, nodes, tail) in formats {
        let mut fresh = cluster.client();
        fresh.batch_execute(SETTINGS).expect("SET");
        let options = format!("{OPTIONS}, FORMAT {format}");
        let plan = explain_with(&mut fresh, &options, &nearest);
        number(&plan, shards);
        assert!(number(&plan, nodes) > 0, "{plan}");
        assert_eq!(number(&plan, tail), 400, "{plan}");
    }
    client.batch_execute(SETTINGS).expect("SET");
    let without = [
        ("COSTS OFF", nearest.clone()),
        (OPTIONS, "SELECT id FROM t WHERE id = 5".into()),
        (OPTIONS, format!("SELECT * FROM ({nearest}) x WHERE false")),
        (
            OPTIONS,
            format!("SELECT * FROM (SELECT 1 LIMIT 0) y, LATERAL ({nearest}) x"),
        ),
    ];
    for (options, sql) in without {
        let plan = explain_with(&mut client, options, &sql);
        assert!(!plan.contains("Shards"), "{plan}");
    }
}
