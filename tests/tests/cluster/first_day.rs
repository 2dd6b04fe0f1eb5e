//! What people met on a first day: each with the right answer.

use cluster_tests::search::{each, server_version, value};
use cluster_tests::{Cluster, wait_until};
use postgres::Client;
use postgres::error::SqlState;

/// VACUUM that deletes nothing tells PostgreSQL the index's own number of rows.
#[test]
fn vacuum_counts_the_entries_of_a_partial_index() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(
        &mut client,
        "CREATE TABLE t (id int, code bitvec(256)) WITH (autovacuum_enabled = off);
         INSERT INTO t SELECT i, CASE WHEN i % 10 > 0 THEN sha256(i::text::bytea)::bitvec END
           FROM generate_series(1, 20000) i;
         CREATE INDEX t_part ON t USING usearch (code) WHERE id % 200 = 0;
         CREATE INDEX t_all ON t USING usearch (code);
         CREATE INDEX t_btree ON t (id) WHERE id % 200 = 0",
    );
    let count = |client: &mut Client, index: &str| -> i32 {
        value(
            client,
            &format!("SELECT reltuples::int FROM pg_class WHERE relname = '{index}'"),
        )
    };
    each(&mut client, "VACUUM t");
    for (index, rows) in [("t_part", 100), ("t_btree", 100), ("t_all", 20_000)] {
        assert_eq!(count(&mut client, index), rows, "{index}");
    }
    // Those of the open segment, too.
    each(
        &mut client,
        "INSERT INTO t SELECT 200, NULL FROM generate_series(1, 50); VACUUM t",
    );
    for (index, rows) in [("t_part", 150), ("t_all", 20_050)] {
        assert_eq!(count(&mut client, index), rows, "{index}");
    }
}

/// What PostgreSQL is told about indexes of all kinds, by all that tells it: their own rows and pages.
#[test]
fn numbers_of_rows_and_pages() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(
        &mut client,
        "CREATE TABLE t (id int, code bitvec(256)) WITH (autovacuum_enabled = off);
         INSERT INTO t SELECT i, CASE WHEN i % 10 > 0 THEN sha256(i::text::bytea)::bitvec END
           FROM generate_series(1, 20000) i;
         CREATE INDEX t_all ON t USING usearch (code);
         CREATE INDEX t_part ON t USING usearch (code) WHERE id % 200 = 0;
         CREATE INDEX t_expression ON t USING usearch (prefix(code, 64));
         CREATE INDEX t_both ON t USING usearch (prefix(code, 64)) WHERE id % 100 = 1;
         SET max_parallel_maintenance_workers = 4; SET min_parallel_index_scan_size = 0",
    );
    let reported =
        "SELECT string_agg(relname || ' ' || reltuples || ' ' || (relpages = pg_relation_size(oid) / 8192), ', '
         ORDER BY relname) FROM pg_class WHERE relname ~ '^t_'";
    let expect = |client: &mut Client, after: &str, [all, both, part]: [i64; 3]| {
        let expected = format!("t_all {all} true, t_both {both} true, t_expression {all} true, t_part {part} true");
        assert_eq!(value::<String>(client, reported), expected, "after {after}");
    };
    expect(&mut client, "CREATE INDEX", [20_000, 200, 100]);
    for statement in [
        "VACUUM t",
        "VACUUM (PARALLEL 2) t",
        "REINDEX TABLE t",
        "REINDEX TABLE CONCURRENTLY t",
        "VACUUM FULL t",
    ] {
        each(&mut client, statement);
        expect(&mut client, statement, [20_000, 200, 100]);
    }
    // A hundred rows in each of 50 blocks or so are deleted, half of those of each partial index.
    each(&mut client, "DELETE FROM t WHERE id > 10000");
    for statement in ["VACUUM (PARALLEL 2) t", "VACUUM t", "VACUUM (ANALYZE, PARALLEL 0) t"] {
        each(&mut client, statement);
        expect(&mut client, statement, [10_000, 100, 50]);
    }
    // ANALYZE estimates by the share of the table's rows that it has seen in each index: here it sees all.
    each(&mut client, "ANALYZE t");
    expect(&mut client, "ANALYZE", [10_000, 100, 50]);
    // Blocks of the log that are free after VACUUM are those that will be used again.
    let (mut verbose, notices) = cluster.connector().client_with_notices();
    each(
        &mut verbose,
        "DELETE FROM t WHERE id <= 9000; VACUUM t; VACUUM (VERBOSE, PARALLEL 0) t",
    );
    let free: i64 = value(
        &mut client,
        "SELECT free_bytes / 8192 FROM usearch_index_stats('t_all')",
    );
    assert!(free > 0, "nothing is free");
    let reusable = format!(", {free} reusable");
    let seen = notices.lock().unwrap().clone();
    let about_index = |line: &&String| line.contains("index \"t_all\": pages:");
    assert!(
        seen.iter().filter(about_index).any(|line| line.contains(&reusable)),
        "{free}: {seen:?}"
    );
}

/// The worker is found where the functions are.
#[test]
fn the_worker_starts_whatever_the_library_path_is() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    // From 18 on, PostgreSQL looks for the functions themselves along that path.
    if server_version(&mut client) < 18 {
        cluster.set_for_new_sessions("dynamic_library_path", Some("/nowhere"));
    }
    each(
        &mut client,
        "CREATE TABLE t (code bitvec(256));
         CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '256kB');
         SET iscc_usearch.background_worker = on;
         INSERT INTO t SELECT sha256(i::text::bytea)::bitvec FROM generate_series(1, 5000) i",
    );
    wait_until("the worker has built shards", || {
        cluster.psql("SELECT shards > 0 FROM usearch_index_stats('t_code')") == "t"
    });
}

/// Who checks an index lends its owner no rights: its expressions run as the owner, as in REINDEX.
#[test]
fn a_check_calls_functions_as_the_owner() {
    let cluster = Cluster::start();
    let (mut client, notices) = cluster.connector().client_with_notices();
    let function = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION f(c bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE AS
             $$BEGIN {body} RETURN c; END$$"
        )
    };
    let prepare = format!(
        "CREATE ROLE mallory; CREATE SCHEMA AUTHORIZATION mallory; SET ROLE mallory;
         SET search_path = mallory, public; {};
         CREATE TABLE t AS SELECT '\\xff'::bitvec AS code; CREATE INDEX t_code ON t USING usearch (f(code));
         {}; RESET ROLE",
        function(""),
        function("RAISE NOTICE 'run by %', current_user;")
    );
    client.batch_execute(&prepare).expect("prepare");
    client
        .batch_execute("SELECT * FROM usearch_check('t_code', true)")
        .expect("check");
    let seen = notices.lock().unwrap().clone();
    assert!(seen.contains(&"NOTICE: run by mallory".to_string()), "{seen:?}");
    assert!(!seen.iter().any(|notice| notice.contains("postgres")), "{seen:?}");
    assert_eq!(value::<String>(&mut client, "SELECT current_user::text"), "postgres");
}

/// A number that is no relation's is an error of its own.
#[test]
fn no_such_index() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    for call in [
        "usearch_check(0)",
        "usearch_check(4000000000)",
        "usearch_seal(0)",
        "usearch_compact(0)",
        "usearch_index_stats(0)",
        "usearch_shards(0)",
        "usearch_total_size(0)",
        "usearch_prewarm(0)",
        "usearch_recall(0)",
        "usearch_export(0, 'id', '/tmp/exported')",
    ] {
        let error = client.batch_execute(&format!("SELECT * FROM {call}")).expect_err(call);
        assert_eq!(error.code(), Some(&SqlState::UNDEFINED_OBJECT), "{call}: {error:?}");
    }
}

/// VACUUM does what is due when no worker takes it: here each ends as soon as it has begun, as one whose library or
/// memory is missing.
#[test]
fn vacuum_does_what_no_worker_does() {
    let cluster = Cluster::with(&[("iscc_usearch.failpoint", "worker_began:error")]);
    let mut client = cluster.client();
    each(
        &mut client,
        "CREATE TABLE t (code bitvec(256)) WITH (autovacuum_enabled = off);
         CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '256kB');
         SET iscc_usearch.background_worker = on;
         INSERT INTO t SELECT sha256(i::text::bytea)::bitvec FROM generate_series(1, 5000) i",
    );
    wait_until("a worker has failed", || {
        cluster.log().contains("failpoint worker_began was reached")
    });
    let shards = |client: &mut Client| value::<i32>(client, "SELECT shards FROM usearch_index_stats('t_code')");
    assert_eq!(shards(&mut client), 0);
    each(&mut client, "VACUUM t");
    assert!(shards(&mut client) > 0, "VACUUM has sealed the tail");
}
