//! Threshold search on real codes: by the index exactly what a sequential scan finds, whatever the statement.

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row, create_indexed, hold_out, insert_sql, literal};
use cluster_tests::search::{assert_sound, each, explain, seal, truth_client, value};
use postgres::{Client, SimpleQueryMessage};

const USUAL_RADII: [f64; 7] = [0.0, 0.02, 0.05, 0.1, 0.25, 0.45, 1.0];

/// Connections whose plans use the index: by plain and by bitmap scans.
fn index_clients(cluster: &Cluster) -> [Client; 2] {
    [("on", "off"), ("off", "on")].map(|(plain, bitmap)| {
        let mut client = cluster.client();
        let sql = format!(
            "SET enable_seqscan = off; SET enable_indexscan = {plain}; SET enable_bitmapscan = {bitmap};
             SET max_parallel_workers_per_gather = 0; SET jit = off"
        );
        client.batch_execute(&sql).expect("SET");
        client
    })
}

/// The rows of an answer as text, sorted.
fn rows_of(client: &mut Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let line = |message| match message {
        SimpleQueryMessage::Row(row) => {
            let fields: Vec<_> = (0..row.len()).map(|i| row.get(i).unwrap_or("NULL")).collect();
            Some(fields.join(" "))
        }
        _ => None,
    };
    let mut rows: Vec<String> = messages.into_iter().filter_map(line).collect();
    rows.sort();
    rows
}

/// Near and far queries, present and absent, shorter and longer than the rows.
fn queries(rows: &[Row], held_out: &[Row]) -> Vec<Vec<u8>> {
    let mut queries: Vec<Vec<u8>> = codes::sample(rows, 6).into_iter().map(|row| row.code).collect();
    queries.extend(codes::sample(held_out, 6).into_iter().map(|row| row.full));
    queries.push(rows[3].full[..3].to_vec());
    queries.push([&rows[5].full[..], &[7; 9]].concat());
    queries
}

/// Panics unless all searches around these codes find what a sequential scan finds. Radii are usual ones, and distances
/// that occur.
fn assert_searches(cluster: &Cluster, queries: &[Vec<u8>]) {
    let mut truth = truth_client(cluster);
    let mut by_index = index_clients(cluster);
    for code in queries {
        let code = literal(code);
        let occurring = format!(
            "SELECT DISTINCT d::text FROM (SELECT code <~> {code} AS d FROM t) s WHERE d < 0.4 ORDER BY 1 LIMIT 4"
        );
        let mut radii = rows_of(&mut truth, &occurring);
        radii.extend(USUAL_RADII.iter().map(f64::to_string));
        for radius in radii {
            let expected = rows_of(
                &mut truth,
                &format!("SELECT id FROM t WHERE (code <~> {code}) + 0 <= {radius}"),
            );
            let sql = format!("SELECT id FROM t WHERE nphd_within(code, {code}, {radius})");
            assert_eq!(rows_of(&mut truth, &sql), expected, "{sql}");
            for client in &mut by_index {
                assert_eq!(rows_of(client, &sql), expected, "{sql}\n{}", explain(client, &sql));
            }
        }
        let plan = explain(
            &mut by_index[1],
            &format!("SELECT id FROM t WHERE nphd_within(code, {code}, 0.1)"),
        );
        assert!(plan.contains("Bitmap Index Scan on t_code"), "{plan}");
    }
}

/// After the build, after deletes, VACUUM, updates, inserts, sealing and compaction.
#[test]
fn complete_through_its_life() {
    let (rows, held_out) = hold_out(codes::text(12_000), 50);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    let queries = queries(&rows, &held_out);
    assert_searches(&cluster, &queries);
    each(
        &mut client,
        "DELETE FROM t WHERE id % 3 = 0; UPDATE t SET code = NULL WHERE id % 31 = 0",
    );
    assert_searches(&cluster, &queries);
    each(&mut client, "VACUUM t");
    assert_searches(&cluster, &queries[..4]);
    client.batch_execute(&insert_sql("t", &held_out)).expect("INSERT");
    seal(&mut client, "t_code");
    assert_searches(&cluster, &queries);
    each(&mut client, "SELECT usearch_compact('t_code'); VACUUM ANALYZE t");
    assert_searches(&cluster, &queries);
    assert_sound(&mut client, "t_code");
}

/// Statements around two codes, each with something that its plan has.
fn statements_around(a: &str, b: &str) -> Vec<(String, &'static str)> {
    vec![
        (format!("SELECT id FROM t WHERE nphd_within(code, {a}, 0.3)"), "t_code"),
        (format!("SELECT id FROM t WHERE nphd_within({a}, code, 0.3)"), "t_code"),
        (format!("SELECT id FROM t WHERE nphd_ball({a}, 0.3) @> code"), "t_code"),
        (
            format!("SELECT id FROM t WHERE nphd_within(code, {a}, 0.4) AND nphd_within(code, {b}, 0.45)"),
            "t_code",
        ),
        (
            format!("SELECT id FROM t WHERE nphd_within(code, {a}, 0.3) OR nphd_within(code, {b}, 0.3)"),
            "BitmapOr",
        ),
        (
            format!("SELECT id FROM t WHERE nphd_within(code, {a}, 0.3) OR id = 17"),
            "BitmapOr",
        ),
        (
            format!("SELECT id FROM t WHERE nphd_within(code, {a}, 0.45) AND kind = 7"),
            "BitmapAnd",
        ),
        (
            format!("SELECT id FROM t WHERE nphd_within(prefix(code, 64), {a}, 0.4) AND kind = 3"),
            "t_part",
        ),
        (
            format!("SELECT count(*), min(id) FROM t WHERE nphd_within(code, {a}, 0.48)"),
            "Parallel Bitmap Heap Scan",
        ),
        (
            format!("SELECT code <~> {a} FROM t WHERE nphd_within(code, {a}, 0.45) ORDER BY code <~> {a} LIMIT 30"),
            "t_code",
        ),
        (
            format!("SELECT id FROM t WHERE nphd_within(code, {a}, 0.45) ORDER BY code <~> {a}, id LIMIT 30"),
            "t_code",
        ),
        (
            format!("SELECT code <~> {b} FROM t WHERE nphd_within(code, {a}, 0.45) ORDER BY code <~> {b} LIMIT 30"),
            "t_code",
        ),
        (
            "SELECT count(*) FROM t WHERE nphd_within(code, (SELECT query FROM q WHERE n = 3), 0.4)".into(),
            "t_code",
        ),
        (
            "SELECT n, id FROM q JOIN t ON nphd_within(code, query, 0.2)".into(),
            "t_code",
        ),
        (
            "SELECT n, id FROM q JOIN t ON nphd_within(query, code, radius)".into(),
            "t_code",
        ),
        (
            "SELECT n, id FROM q LEFT JOIN t ON code <@ nphd_ball(query, radius) AND id % 2 = 0".into(),
            "t_code",
        ),
        (
            "SELECT n, x.* FROM q, LATERAL (SELECT count(*) FROM t WHERE nphd_within(code, query, 0.3)) x".into(),
            "t_code",
        ),
        (
            "SELECT n, x.* FROM q, LATERAL (SELECT code <~> query FROM t WHERE nphd_within(code, query, 0.4)
                                            ORDER BY code <~> query LIMIT 5) x"
                .into(),
            "t_code",
        ),
        (
            "SELECT a.id, b.id FROM t a JOIN t b ON nphd_within(b.code, a.code, 0.05) AND b.id < a.id WHERE a.id < 300"
                .into(),
            "t_code",
        ),
        (
            "SELECT n FROM q WHERE EXISTS (SELECT FROM t WHERE nphd_within(code, query, 0.1))".into(),
            "t_code",
        ),
        (
            "SELECT n FROM q WHERE NOT EXISTS (SELECT FROM t WHERE nphd_within(code, query, 0.1))".into(),
            "t_code",
        ),
        (format!("EXECUTE within({a}, 0.3)"), "t_code"),
        (format!("EXECUTE nearest({a}, 0.3)"), "t_code"),
    ]
}

/// Statements of all forms: the index serves them, and they find what they find without any index.
#[test]
fn statements() {
    let (rows, held_out) = hold_out(codes::text(20_000), 500);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    client
        .batch_execute(
            "ALTER TABLE t ADD kind int; UPDATE t SET kind = id % 40; CREATE INDEX t_kind ON t (kind);
             CREATE TABLE q (n int, query bitvec, radius float8);
             CREATE INDEX t_part ON t USING usearch (prefix(code, 64)) WHERE kind = 3",
        )
        .expect("set up");
    each(&mut client, "VACUUM ANALYZE t");
    for (n, row) in held_out.iter().enumerate() {
        let sql = format!(
            "INSERT INTO q VALUES ({n}, {}, {})",
            literal(&row.code),
            0.002 * n as f64
        );
        client.batch_execute(&sql).expect("INSERT");
    }
    let [a, b] = [&held_out[0], &held_out[7]].map(|row| literal(&row.code));
    let statements = statements_around(&a, &b);
    let mut truth = truth_client(&cluster);
    let mut by_index = cluster.client();
    by_index
        .batch_execute(
            "SET enable_seqscan = off; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET jit = off;
             SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0",
        )
        .expect("SET");
    for client in [&mut truth, &mut by_index] {
        let prepare = "PREPARE within(bitvec, float8) AS SELECT id FROM t WHERE nphd_within(code, $1, $2);
             PREPARE nearest(bitvec, float8) AS
             SELECT code <~> $1 FROM t WHERE nphd_within(code, $1, $2) ORDER BY code <~> $1 LIMIT 5";
        client.batch_execute(prepare).expect("PREPARE");
    }
    for mode in ["force_custom_plan", "force_generic_plan"] {
        by_index
            .batch_execute(&format!("SET plan_cache_mode = {mode}"))
            .expect("SET");
        for (sql, part) in &statements {
            let plan = explain(&mut by_index, sql);
            assert!(plan.contains("t_code") || plan.contains("t_part"), "{sql}\n{plan}");
            assert!(plan.contains(part), "{part}: {sql}\n{plan}");
            let expected = rows_of(&mut truth, sql);
            assert!(!expected.is_empty(), "{sql}: finds nothing");
            assert_eq!(rows_of(&mut by_index, sql), expected, "{sql}\n{plan}");
        }
    }
}

/// The rows that the planner expects.
fn estimate(client: &mut Client, from: &str) -> f64 {
    let rows: String = value(client, &format!("SELECT rows_of($$SELECT * FROM {from}$$)"));
    rows.parse().expect("a number")
}

/// What the planner expects around a code, and what it does. It takes the table for `rows` / `correction` rows.
fn assert_estimates(client: &mut Client, code: &str, rows: f64, correction: f64) {
    for radius in [0.45, 0.5, 0.55] {
        let from = format!("t WHERE nphd_within(code, {code}, {radius})");
        let guess = estimate(client, &from) * correction;
        let actual: i64 = value(client, &format!("SELECT count(*) FROM {from}"));
        let ratio = guess / actual as f64;
        assert!((0.4..2.5).contains(&ratio), "{from}: {guess}, not {actual}");
    }
    let few = estimate(client, &format!("t WHERE code <@ nphd_ball({code}, 0.02)"));
    assert!(few <= 500.0, "{few} near-duplicates?");
    let all = estimate(client, &format!("t WHERE nphd_within(code, {code}, 1)"));
    assert!(all * correction > 0.9 * rows, "{all} of all rows?");
    let none = estimate(client, &format!("t WHERE code <~> {code} < -0.5"));
    assert!(none <= 1.0, "{none} of none?");
    // A few rows by the index, most of them without.
    for (radius, plan_has) in [(0.1, "t_code"), (0.9, "Seq Scan")] {
        let sql = format!("SELECT id FROM t WHERE nphd_within(code, {code}, {radius})");
        let plan = explain(client, &sql);
        assert!(plan.contains(plan_has), "{plan}");
    }
}

/// The planner's estimates come from the index, without statistics, and its choices follow from them.
#[test]
fn estimates() {
    let (rows, held_out) = hold_out(codes::text(50_000), 1_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    client
        .batch_execute(
            "CREATE FUNCTION rows_of(sql text) RETURNS text LANGUAGE plpgsql AS $$
             DECLARE plan json;
             BEGIN
                 EXECUTE 'EXPLAIN (FORMAT json) ' || sql INTO plan;
                 RETURN plan->0->'Plan'->>'Plan Rows';
             END $$",
        )
        .expect("CREATE FUNCTION");
    for _ in ["without statistics", "with them"] {
        let correction = rows.len() as f64 / estimate(&mut client, "t");
        for row in &held_out[..10] {
            assert_estimates(&mut client, &literal(&row.code), rows.len() as f64, correction);
        }
        for radius in [0.02, 0.1, 0.45] {
            let from = format!("t a JOIN t b ON nphd_within(a.code, b.code, {radius})");
            let guess = estimate(&mut client, &from) * correction * correction;
            let pairs: i64 = value(
                &mut client,
                &format!("SELECT 500 * count(*) FROM {from} WHERE b.id % 500 = 1"),
            );
            let ratio = guess / pairs as f64;
            assert!((0.02..50.0).contains(&ratio), "{from}: {guess}, not {pairs}");
        }
        client.batch_execute("ANALYZE t").expect("ANALYZE");
    }
}

/// What a session sees of its own changes, and what another sees of them.
#[test]
fn in_transactions() {
    let (rows, held_out) = hold_out(codes::text(4_000), 400);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    let [mut own, mut bitmap] = index_clients(&cluster);
    let code = literal(&held_out[0].full);
    let sql = format!("SELECT id FROM t WHERE nphd_within(code, {code}, 0.2)");
    let before = rows_of(&mut own, &sql);
    own.batch_execute("BEGIN").expect("BEGIN");
    let insert = format!("INSERT INTO t VALUES (1000000, {code}), (1000001, {code})");
    own.batch_execute(&insert).expect("INSERT");
    let with_own = rows_of(&mut own, &sql);
    assert_eq!(with_own.len(), before.len() + 2);
    own.batch_execute("SAVEPOINT s; DELETE FROM t").expect("DELETE");
    assert!(rows_of(&mut own, &sql).is_empty());
    own.batch_execute("ROLLBACK TO s").expect("ROLLBACK TO");
    assert_eq!(rows_of(&mut own, &sql), with_own);
    assert_eq!(rows_of(&mut bitmap, &sql), before);
    own.batch_execute("COMMIT").expect("COMMIT");
    assert_eq!(rows_of(&mut bitmap, &sql), with_own);
}
