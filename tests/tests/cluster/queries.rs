//! Statements around ORDER BY distance on real codes: what they answer by the index and what by a sequential scan.

use std::collections::BTreeSet;
use std::error::Error;
use std::thread;

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row, create_indexed, create_table, literal, load};
use cluster_tests::search::{
    assert_each_once, assert_same_distances, each, explain, explain_with, hits, index_client, nearest, seal,
    server_version, truth_client, value,
};
use postgres::Client;
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type};

/// A code in the type's binary form, both ways.
#[derive(Debug, PartialEq)]
struct Code(Vec<u8>);

impl ToSql for Code {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        of.name() == "bitvec"
    }

    postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Code {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Code(bytes.to_vec()))
    }

    fn accepts(of: &Type) -> bool {
        of.name() == "bitvec"
    }
}

/// The first column of an answer.
fn ids(client: &mut Client, sql: &str) -> Vec<i64> {
    let rows = client.query(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// The share of equal elements at equal places.
fn agreement<T: PartialEq>(a: &[T], b: &[T]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
}

/// For each of many rows the nearest other ones, of an outer side with NULL codes and one with a condition.
#[test]
fn lateral() {
    let rows = codes::text(20_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    each(
        &mut client,
        "INSERT INTO t SELECT 100000 + i, NULL FROM generate_series(1, 40) i; ANALYZE t",
    );
    let sql = "SELECT a.id, x.d FROM t a CROSS JOIN LATERAL
                 (SELECT b.code <~> a.code AS d FROM t b WHERE b.id <> a.id ORDER BY b.code <~> a.code LIMIT 5) x
               WHERE a.id % 60 = 7 OR a.id > 100030 ORDER BY a.id, x.d";
    let truth = hits(&mut truth_client(&cluster), sql);
    let nulls = truth.iter().filter(|hit| hit.1.is_none()).count();
    assert_eq!((truth.len(), nulls), (1_725, 55));
    for (mode, least) in [("exact", 1.0), ("auto", 0.99), ("graph", 0.99)] {
        let mut client = cluster.client();
        // No plan is forced: the index is what the planner takes for such a statement.
        each(&mut client, &format!("SET iscc_usearch.search_mode = {mode}"));
        let plan = explain(&mut client, sql);
        assert!(plan.contains("Index Scan using t_code"), "{plan}");
        let got = hits(&mut client, sql);
        let agreement = agreement(&got, &truth);
        assert!(agreement >= least, "{mode}: {agreement} of the distances");
    }
}

/// Further sort keys order rows of equal distance, of which there are thousands: on PostgreSQL 17 and later by an
/// incremental sort above the index.
#[test]
fn ties() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let sets = [("meta", codes::meta(30_000)), ("text", codes::text(40_000))];
    let incremental = server_version(&mut client) >= 17;
    let (mut same, mut all) = (0, 0);
    for (table, rows) in &sets {
        create_table(&mut client, table);
        load(&mut client, table, rows);
        each(
            &mut client,
            &format!("CREATE INDEX {table}_code ON {table} USING usearch (code); ANALYZE {table}"),
        );
        for (query, bits) in codes::sample(rows, 40).iter().zip([64, 256].into_iter().cycle()) {
            let q = literal(&query.full[..bits / 8]);
            for (order, limit) in [("id", 10), ("id DESC", 10), ("id", 200)] {
                let sql = format!("SELECT id FROM {table} ORDER BY code <~> {q}, {order} LIMIT {limit}");
                each(
                    &mut client,
                    "SET enable_indexscan = off; SET iscc_usearch.search_mode = exact",
                );
                let truth = ids(&mut client, &sql);
                each(&mut client, "SET enable_indexscan = on");
                let plan = explain(&mut client, &sql);
                let by_index = plan.contains("Incremental Sort") && plan.contains(&format!("{table}_code"));
                assert_eq!(by_index, incremental, "{plan}");
                assert_eq!(ids(&mut client, &sql), truth, "{sql}");
                if limit == 10 {
                    each(&mut client, "RESET iscc_usearch.search_mode");
                    same += usize::from(ids(&mut client, &sql) == truth);
                    all += 1;
                }
            }
        }
    }
    eprintln!("queries: {same} of {all} lists of ten with ties are as the sequential scan has them");
    assert!(same as f64 >= 0.95 * all as f64, "{same} of {all}");
}

const UNITS: &str = "
    CREATE TABLE unit (id bigint NOT NULL, code bitvec(256) NOT NULL, unit_type text NOT NULL) PARTITION BY LIST (unit_type);
    CREATE TABLE unit_text PARTITION OF unit FOR VALUES IN ('TEXT');
    CREATE TABLE unit_data PARTITION OF unit FOR VALUES IN ('DATA');
    CREATE TABLE unit_meta PARTITION OF unit FOR VALUES IN ('META');
    CREATE INDEX ON unit USING usearch (code) WITH (shard_size = '1MB')";

/// A partition for each type of code: pruned for each outer row and for each execution of a prepared statement, merged
/// in order, and in the workers of a parallel plan.
#[test]
fn partitions_by_type() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, UNITS);
    let mut sets = [
        ("TEXT", codes::text(15_000)),
        ("DATA", codes::data(15_000)),
        ("META", codes::meta(15_000)),
    ];
    for ((unit_type, rows), from) in sets.iter_mut().zip([0, 30_000, 60_000]) {
        rows.iter_mut().for_each(|row| row.id += from);
        each(
            &mut client,
            &format!("ALTER TABLE unit ALTER unit_type SET DEFAULT '{unit_type}'"),
        );
        load(&mut client, "unit", rows);
    }
    for partition in ["unit_text", "unit_data", "unit_meta"] {
        seal(&mut client, &format!("{partition}_code_idx"));
    }
    each(&mut client, "ANALYZE unit");
    let queries = codes::sample(&sets[0].1, 15);
    let mut index = index_client(&cluster, "exact");
    let mut truth = truth_client(&cluster);

    for query in &queries {
        for rest in ["LIMIT 100", "OFFSET 44900"] {
            let got = nearest(&mut index, "unit", &query.code, rest);
            assert_same_distances(&got, &nearest(&mut truth, "unit", &query.code, rest));
        }
    }
    let sql = "SELECT a.unit_type || a.id, x.d FROM unit a CROSS JOIN LATERAL
        (SELECT b.code <~> a.code AS d FROM unit b WHERE b.unit_type = a.unit_type AND b.id <> a.id
         ORDER BY b.code <~> a.code LIMIT 3) x WHERE a.id % 3000 = 5 ORDER BY 1, 2";
    let answer = |client: &mut Client| -> Vec<(String, f64)> {
        let rows = client.query(sql, &[]).expect("SELECT");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let expected = answer(&mut truth);
    assert_eq!(expected.len(), 45);
    assert_eq!(answer(&mut index), expected);
    let one_type = sql.replace("a.id % 3000 = 5", "a.id % 3000 = 5 AND a.unit_type IN ('TEXT', 'META')");
    let plan = explain_with(&mut index, "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF", &one_type);
    assert_eq!(plan.matches("unit_data b").count(), 1, "{plan}");
    let pruned = plan
        .lines()
        .find(|line| line.contains("unit_data b"))
        .expect("a partition");
    assert!(pruned.ends_with("(never executed)"), "{plan}");

    let parallel = "SELECT set_config(name, 'on', false) FROM pg_settings
                    WHERE name IN ('force_parallel_mode', 'debug_parallel_query')";
    each(&mut index, parallel);
    let plan = explain(&mut index, "SELECT id FROM unit ORDER BY code <~> '\\x00ff' LIMIT 5");
    assert!(plan.contains("Gather") && plan.contains("Merge Append"), "{plan}");
    let got = nearest(&mut index, "unit", &queries[0].code, "LIMIT 100");
    assert_same_distances(&got, &nearest(&mut truth, "unit", &queries[0].code, "LIMIT 100"));

    each(
        &mut client,
        "SET plan_cache_mode = force_generic_plan;
         PREPARE near (text, bitvec) AS
           SELECT id, code <~> $2 FROM unit WHERE unit_type = $1 ORDER BY code <~> $2 LIMIT 20;
         SET iscc_usearch.search_mode = exact",
    );
    for query in &queries {
        let q = literal(&query.code);
        for (unit_type, _) in &sets {
            let partition = format!("unit_{}", unit_type.to_lowercase());
            let execute = format!("EXECUTE near('{unit_type}', {q})");
            let plan = explain(&mut client, &execute);
            assert!(plan.contains("Subplans Removed: 2"), "{plan}");
            assert!(plan.contains(&format!("using {partition}_code_idx")), "{plan}");
            let expected = nearest(&mut truth, &partition, &query.code, "LIMIT 20");
            // A prepared statement's rows come by the simple protocol, as text.
            let rows = client.simple_query(&execute).expect("EXECUTE");
            let distances: Vec<f64> = rows
                .iter()
                .filter_map(|message| match message {
                    postgres::SimpleQueryMessage::Row(row) => row.get(1)?.parse().ok(),
                    _ => None,
                })
                .collect();
            assert_eq!(distances, expected.iter().filter_map(|hit| hit.1).collect::<Vec<_>>());
        }
    }
}

/// The extended protocol: codes in binary form as parameters and results, alone and in arrays, and portals that give
/// their rows in pieces. After some executions of a statement its plan is generic.
#[test]
fn binary_parameters() {
    let rows = codes::text(5_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    let mut index = index_client(&cluster, "exact");
    let mut truth = truth_client(&cluster);
    let statement = index
        .prepare("SELECT id, code <~> $1, code FROM t ORDER BY code <~> $1 LIMIT $2 OFFSET $3")
        .expect("prepare");
    assert_eq!(statement.params()[0].name(), "bitvec");
    for query in codes::sample(&rows, 20) {
        let code = Code(query.code.clone());
        let got = index.query(&statement, &[&code, &15i64, &5i64]).expect("SELECT");
        let expected = nearest(&mut truth, "t", &query.code, "LIMIT 15 OFFSET 5");
        let distances = |hits: &[(i64, Option<f64>)]| hits.iter().map(|hit| hit.1).collect::<Vec<_>>();
        let hits: Vec<_> = got.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(distances(&hits), distances(&expected));
        for row in &got {
            let id: i64 = row.get(0);
            assert_eq!(row.get::<_, Code>(2), Code(rows[id as usize - 1].code.clone()));
        }
    }
    let generic: i64 = value(
        &mut index,
        "SELECT sum(generic_plans)::bigint FROM pg_prepared_statements",
    );
    assert!(generic > 0, "no generic plan");

    let several: Vec<Code> = codes::sample(&rows, 7).into_iter().map(|row| Code(row.code)).collect();
    let arrays = "SELECT n, d FROM unnest($1::bitvec[]) WITH ORDINALITY q (code, n) CROSS JOIN LATERAL
                    (SELECT t.code <~> q.code AS d FROM t ORDER BY t.code <~> q.code LIMIT 4) x ORDER BY n, d";
    let answer = |client: &mut Client| -> Vec<(i64, f64)> {
        let rows = client.query(arrays, &[&several]).expect("SELECT");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    assert_eq!(answer(&mut index).len(), 28);
    assert_eq!(answer(&mut index), answer(&mut truth));
    let bytes = "SELECT id FROM t ORDER BY code <~> $1::bytea::bitvec LIMIT 1";
    let found: i64 = index.query_one(bytes, &[&rows[77].code]).expect("SELECT").get(0);
    assert_eq!(rows[found as usize - 1].code[..8], rows[77].code[..8]);
    let null: Option<Code> = None;
    assert_eq!(
        index.query(&statement, &[&null, &3i64, &0i64]).expect("SELECT").len(),
        3
    );
    for bad in [Code(vec![]), Code(vec![0; 5_000])] {
        assert!(index.query(&statement, &[&bad, &3i64, &0i64]).is_err());
    }

    let mut transaction = index.transaction().expect("BEGIN");
    let code = Code(rows[0].code.clone());
    let portal = transaction.bind(&statement, &[&code, &1_000i64, &0i64]).expect("bind");
    let mut answer = Vec::new();
    for piece in [1, 10, 500, 1_000] {
        let rows = transaction.query_portal(&portal, piece).expect("execute");
        answer.extend(rows.iter().map(|row| (row.get(0), row.get(1))));
    }
    transaction.commit().expect("COMMIT");
    assert_same_distances(&answer, &nearest(&mut truth, "t", &rows[0].code, "LIMIT 1000"));
}

/// A cursor beside its own transaction's changes and rollbacks gives the rows of its snapshot, in each mode; one that
/// is held gives them after the transaction, too, while others delete, vacuum, insert and seal.
#[test]
fn cursors() {
    let rows = codes::text(10_000);
    let cluster = Cluster::start();
    let mut other = cluster.client();
    create_indexed(&mut other, &rows);
    for mode in ["auto", "graph", "exact"] {
        let mut client = index_client(&cluster, mode);
        let q = literal(&rows[123].code);
        let select = format!("SELECT id, code <~> {q} FROM t ORDER BY code <~> {q}");
        let expected: BTreeSet<_> = ids(&mut client, "SELECT id FROM t").into_iter().collect();
        each(
            &mut client,
            &format!(
                "BEGIN; DECLARE held CURSOR WITH HOLD FOR {select}; DECLARE c CURSOR FOR {select}; MOVE 100 IN held"
            ),
        );
        let mut answer = hits(&mut client, "FETCH 50 FROM c");
        each(&mut client, "DELETE FROM t WHERE id % 7 = 0; SAVEPOINT a");
        each(
            &mut client,
            "UPDATE t SET code = prefix(code, 64) WHERE id % 5 = 0; SAVEPOINT b",
        );
        answer.extend(hits(&mut client, "FETCH 2000 FROM c"));
        each(&mut client, "ROLLBACK TO b; DELETE FROM t WHERE id % 3 = 0");
        answer.extend(hits(&mut client, "FETCH 3000 FROM c"));
        each(
            &mut client,
            "ROLLBACK TO a; INSERT INTO t SELECT -id, code FROM t WHERE id % 2 = 0",
        );
        answer.extend(hits(&mut client, "FETCH ALL FROM c"));
        assert_each_once(&answer);
        assert_eq!(
            answer.iter().map(|hit| hit.0).collect::<BTreeSet<_>>(),
            expected,
            "{mode}"
        );
        each(&mut client, "COMMIT");
        each(
            &mut other,
            "DELETE FROM t WHERE id < 0 OR id % 11 = 0; VACUUM t; INSERT INTO t SELECT 20000 + id, code FROM t
             WHERE id < 1000; SELECT usearch_compact('t_code')",
        );
        let held = hits(&mut client, "FETCH ALL FROM held");
        assert_eq!(held.len(), expected.len() - 100, "{mode}");
        assert_each_once(&held);
        each(&mut other, "TRUNCATE t");
        load(&mut other, "t", &rows);
        seal(&mut other, "t_code");
    }
}

/// Four sessions take rows by distance and skip those that another has locked: each row is taken once. A session that
/// waits for a row instead gets it as it is by then.
#[test]
fn locks() {
    let rows = codes::text(4_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    each(&mut client, "ALTER TABLE t ADD taken boolean");
    let take = format!(
        "WITH next AS (SELECT id FROM t WHERE taken IS NULL ORDER BY code <~> {} LIMIT 37 FOR UPDATE SKIP LOCKED)
         UPDATE t SET taken = true FROM next WHERE t.id = next.id RETURNING t.id",
        literal(&rows[0].code)
    );
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, take) = (index_client(&cluster, "auto"), take.clone());
            thread::spawn(move || {
                let mut taken = Vec::new();
                loop {
                    let some = ids(&mut client, &take);
                    if some.is_empty() {
                        return taken;
                    }
                    taken.extend(some);
                }
            })
        })
        .collect();
    let mut taken: Vec<i64> = threads.into_iter().flat_map(|t| t.join().expect("a session")).collect();
    taken.sort_unstable();
    // A session that finds only rows that others have locked stops early; whoever has locked them takes them.
    assert_eq!(taken, (1..=4_000).collect::<Vec<i64>>());

    each(
        &mut client,
        "BEGIN; UPDATE t SET code = '\\x00ff00ff00ff00ff' WHERE id = 42",
    );
    let mut waiting = index_client(&cluster, "auto");
    let lock = format!(
        "SELECT id, code FROM t ORDER BY code <~> {} LIMIT 1 FOR UPDATE",
        literal(&rows[41].code)
    );
    let pid: i32 = value(&mut waiting, "SELECT pg_backend_pid()");
    let thread = thread::spawn(move || {
        let row = waiting.query_one(&lock, &[]).expect("SELECT FOR UPDATE");
        (row.get::<_, i64>(0), row.get::<_, Code>(1))
    });
    let blocked = format!("SELECT cardinality(pg_blocking_pids({pid})) > 0");
    let is_nearest = rows.iter().filter(|row: &&Row| row.code == rows[41].code).count() == 1;
    assert!(is_nearest, "row 42 is to be the nearest to its own code");
    cluster_tests::wait_until("the session waits for the row", || {
        value(&mut cluster.client(), &blocked)
    });
    each(&mut client, "COMMIT");
    let expected = Code(vec![0, 255, 0, 255, 0, 255, 0, 255]);
    assert_eq!(thread.join().expect("the session"), (42, expected));
}
