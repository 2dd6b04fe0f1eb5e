//! Indexes in all the ways that PostgreSQL has to make, copy and empty them.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;

use cluster_tests::codes::{self, create_table, insert_sql, literal, load};
use cluster_tests::search::{
    assert_complete, assert_exact, assert_sound, clients_of, each, explain, hits, index_client, nearest, seal,
    truth_client, use_index, value,
};
use cluster_tests::{Cluster, wait_until};
use postgres::error::SqlState;

use super::removed_files::{CREATE, files_after_sweep, indexed};

/// A database made from a template has the same pages, shard ids included, and outlives the original.
#[test]
fn database_templates() {
    let rows = codes::text(8_000);
    let queries = codes::sample(&rows, 10);
    let cluster = Cluster::start();
    let connector = cluster.connector();
    cluster.psql("CREATE DATABASE original");
    let mut client = connector.client_of("original");
    client
        .batch_execute("CREATE EXTENSION iscc_usearch")
        .expect("CREATE EXTENSION");
    indexed(&mut client, &rows[..7_000]);
    load(&mut client, "t", &rows[7_000..]);
    drop(client);
    let copies = ["file_copy", "wal_log"];
    for strategy in copies {
        cluster.psql(&format!(
            "CREATE DATABASE {strategy} TEMPLATE original STRATEGY {strategy}"
        ));
        let (mut index, mut truth) = clients_of(&connector, strategy);
        assert_exact(&mut index, &mut truth, "t", &queries);
        // From here on the copy has other content than the original.
        each(
            &mut index,
            "DELETE FROM t WHERE id % 2 = 0; VACUUM t; SELECT usearch_seal('t_code')",
        );
        assert_complete(&mut index, &mut truth, "t", &rows[0].code);
    }
    let (mut index, mut truth) = clients_of(&connector, "original");
    assert_complete(&mut index, &mut truth, "t", &rows[0].code);
    drop((index, truth));
    cluster.psql("DROP DATABASE original");
    files_after_sweep(&cluster);
    for strategy in copies {
        let (mut index, mut truth) = clients_of(&connector, strategy);
        assert_exact(&mut index, &mut truth, "t", &queries);
        use_index(&mut index, "graph");
        assert_complete(&mut index, &mut truth, "t", &rows[0].code);
        assert_sound(&mut truth, "t_code");
    }
}

/// CREATE INDEX CONCURRENTLY: rows inserted during either of its scans are in the index, each once.
#[test]
fn concurrent_build() {
    let rows = codes::text(40_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows[..30_000]);
    let connector = cluster.connector();
    let later = rows[30_000..].to_vec();
    let build = {
        let connector = connector.clone();
        thread::spawn(move || {
            let sql = "CREATE INDEX CONCURRENTLY t_code ON t USING usearch (code) WITH (shard_size = '2MB')";
            connector.client().batch_execute(sql).expect("CREATE INDEX");
        })
    };
    for batch in later.chunks(20) {
        client.batch_execute(&insert_sql("t", batch)).expect("INSERT");
        client
            .batch_execute(&format!("DELETE FROM t WHERE id = {}", batch[0].id))
            .expect("DELETE");
    }
    build.join().expect("CREATE INDEX CONCURRENTLY");
    let mut truth = truth_client(&cluster);
    assert_complete(&mut index_client(&cluster, "auto"), &mut truth, "t", &rows[0].code);

    let rebuild = thread::spawn(move || {
        connector
            .client()
            .batch_execute("REINDEX INDEX CONCURRENTLY t_code")
            .expect("REINDEX");
    });
    for batch in later.chunks(20) {
        client
            .batch_execute(&format!("UPDATE t SET code = code WHERE id = {}", batch[1].id))
            .expect("UPDATE");
    }
    rebuild.join().expect("REINDEX CONCURRENTLY");
    assert_complete(&mut index_client(&cluster, "auto"), &mut truth, "t", &rows[0].code);
    assert_sound(&mut truth, "t_code");
}

/// A crash empties an unlogged table; shards from before must not come back with the refill.
#[test]
fn unlogged() {
    let rows = codes::text(12_000);
    let mut cluster = Cluster::start();
    let mut client = cluster.client();
    client
        .batch_execute("CREATE UNLOGGED TABLE t (id bigint PRIMARY KEY, code bitvec(256))")
        .expect("CREATE TABLE");
    client.batch_execute(CREATE).expect("CREATE INDEX");
    load(&mut client, "t", &rows[..6_000]);
    seal(&mut client, "t_code");
    assert!(!cluster.shard_files().is_empty(), "a seal builds shards");
    assert_complete(
        &mut index_client(&cluster, "graph"),
        &mut truth_client(&cluster),
        "t",
        &rows[0].code,
    );

    drop(client);
    cluster.kill9_postmaster();
    cluster.start_server();
    let mut client = cluster.client();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM t"), 0);
    assert_eq!(
        nearest(&mut index_client(&cluster, "graph"), "t", &rows[0].code, ""),
        []
    );
    assert_eq!(files_after_sweep(&cluster), 0);

    load(&mut client, "t", &rows[6_000..]);
    for _ in 0..2 {
        let mut truth = truth_client(&cluster);
        assert_complete(&mut index_client(&cluster, "graph"), &mut truth, "t", &rows[0].code);
        assert_exact(
            &mut index_client(&cluster, "exact"),
            &mut truth,
            "t",
            &codes::sample(&rows, 10),
        );
        assert_sound(&mut truth, "t_code");
        seal(&mut client, "t_code");
    }
    // An orderly restart keeps it.
    cluster.restart();
    assert_complete(
        &mut index_client(&cluster, "graph"),
        &mut truth_client(&cluster),
        "t",
        &rows[0].code,
    );
}

/// A temporary table's index lives in its session's memory and leaves nothing.
#[test]
fn temporary() {
    let rows = codes::text(6_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client
        .batch_execute("CREATE TEMP TABLE t (id bigint PRIMARY KEY, code bitvec(256))")
        .expect("CREATE TABLE");
    load(&mut client, "t", &rows[..3_000]);
    client.batch_execute(CREATE).expect("CREATE INDEX");
    load(&mut client, "t", &rows[3_000..]);
    each(
        &mut client,
        "SELECT usearch_seal('t_code'); DELETE FROM t WHERE id % 3 = 0; VACUUM t",
    );
    for query in codes::sample(&rows, 10) {
        client
            .batch_execute("SET enable_indexscan = off; SET enable_seqscan = on; SET enable_sort = on")
            .expect("SET");
        let truth = nearest(&mut client, "t", &query.code, "");
        client.batch_execute("SET enable_indexscan = on").expect("SET");
        use_index(&mut client, "auto");
        cluster_tests::search::assert_same_distances(&nearest(&mut client, "t", &query.code, ""), &truth);
    }
    drop(client);
    wait_until("the session has ended", || {
        cluster.psql("SELECT count(*) FROM pg_class WHERE relname = 't_code'") == "0"
    });
    assert_eq!(files_after_sweep(&cluster), 0);
}

/// Partitions are searched side by side and merged by distance.
#[test]
fn partitions() {
    let rows = codes::text(12_000);
    let queries = codes::sample(&rows, 20);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client
        .batch_execute("CREATE TABLE t (id bigint, code bitvec(256)) PARTITION BY HASH (id)")
        .expect("CREATE TABLE");
    for part in 0..4 {
        let sql = format!("CREATE TABLE t_{part} PARTITION OF t FOR VALUES WITH (MODULUS 4, REMAINDER {part})");
        client.batch_execute(&sql).expect("CREATE TABLE");
    }
    load(&mut client, "t", &rows);
    client
        .batch_execute("CREATE INDEX ON t USING usearch (code); ANALYZE t")
        .expect("CREATE INDEX");
    let sql = format!(
        "SELECT id FROM t ORDER BY code <~> {} LIMIT 10",
        literal(&queries[0].code)
    );
    let mut index = index_client(&cluster, "exact");
    let plan = explain(&mut index, &sql);
    assert!(
        plan.contains("Merge Append") && plan.matches("Index Scan").count() == 4,
        "{plan}"
    );
    let mut truth = truth_client(&cluster);
    assert_exact(&mut index, &mut truth, "t", &queries);
    assert_complete(&mut index, &mut truth, "t", &queries[0].code);
    client.batch_execute("DROP TABLE t_0").expect("DROP TABLE");
    assert_exact(&mut index, &mut truth, "t", &queries);
}

/// A build that is cancelled or terminated ends before it has a shard, whatever it is doing, and leaves nothing.
#[test]
fn cancelled_build() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &codes::text(60_000));
    for (phase, end) in [
        ("building index: scanning table", "pg_cancel_backend"),
        ("building index: building shards", "pg_cancel_backend"),
        ("building index: building shards", "pg_terminate_backend"),
    ] {
        let connector = cluster.connector();
        let build = thread::spawn(move || {
            let mut client = connector.client();
            // The graph takes minutes on one thread; whoever comes to its end gets another error.
            each(
                &mut client,
                "SET max_parallel_maintenance_workers = 0; LOAD 'iscc_usearch';
                 SET iscc_usearch.failpoint = 'shard_created:error'",
            );
            let create = "CREATE INDEX t_code ON t USING usearch (code) WITH (m = 100, ef_construction = 2000)";
            client.batch_execute(create).expect_err("an end")
        });
        let sql = format!("SELECT count({end}(pid)) FROM pg_stat_progress_create_index WHERE phase = '{phase}'");
        wait_until(phase, || value::<i64>(&mut client, &sql) > 0);
        let error = build.join().expect("a session");
        if end == "pg_cancel_backend" {
            assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{phase}: {error:?}");
        } else {
            // A client that finds the connection closed may not have read why; the server tells it, too.
            let is_told = error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN);
            assert!(
                is_told && cluster.log().contains(" 57P01 FATAL: "),
                "{phase}: {error:?}"
            );
        }
        assert_eq!(files_after_sweep(&cluster), 0, "{phase}, {end}");
    }
    // At any other moment.
    for timeout in [20, 150, 400, 1_000] {
        let settings = format!("SET statement_timeout = {timeout}");
        each(&mut client, &settings);
        if let Err(error) = client.batch_execute(CREATE) {
            assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{error:?}");
        }
        each(&mut client, "SET statement_timeout = 0; DROP INDEX IF EXISTS t_code");
        assert_eq!(files_after_sweep(&cluster), 0, "after {timeout} ms");
    }
}

/// A backend that may not have the memory for a build gets an error; VACUUM goes on without the shard.
#[test]
fn little_memory() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &codes::text(60_000));
    // Touch the extension first: the limit is about the build.
    each(
        &mut client,
        "CREATE TABLE u (code bitvec); CREATE INDEX ON u USING usearch (code)",
    );
    let pid: i32 = value(&mut client, "SELECT pg_backend_pid()");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))
        .expect("VmSize");
    let kilobytes: usize = size.trim().trim_end_matches(" kB").parse().expect("a number");
    // Only a process's own user may limit it.
    let owner = std::fs::metadata(format!("/proc/{pid}")).expect("process");
    let limited = Command::new("prlimit")
        .uid(owner.uid())
        .gid(owner.gid())
        .args([format!("--pid={pid}"), format!("--as={}", (kilobytes + 12_000) * 1024)])
        .status();
    assert!(limited.expect("prlimit").success());

    let create = "CREATE INDEX t_code ON t USING usearch (code)";
    let error = client.batch_execute(create).expect_err("too little memory");
    assert_eq!(error.code().map(|code| code.code()), Some("53200"), "{error:?}");
    each(
        &mut cluster.client(),
        "CREATE INDEX t_code ON t USING usearch (code); REINDEX INDEX t_code",
    );
    each(&mut cluster.client(), "UPDATE t SET id = -id WHERE id > 30000");
    each(&mut client, "VACUUM t");
    assert_sound(&mut cluster.client(), "t_code");
    cluster.assert_no_crash();
}

/// `pg_stat_progress_create_index` shows what a build does.
#[test]
fn progress() {
    let rows = codes::text(60_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows);
    let connector = cluster.connector();
    let build = thread::spawn(move || connector.client().batch_execute(CREATE).expect("CREATE INDEX"));
    let mut phases = BTreeSet::new();
    while !build.is_finished() {
        for row in client
            .query("SELECT phase FROM pg_stat_progress_create_index", &[])
            .expect("progress")
        {
            phases.insert(row.get::<_, String>(0));
        }
    }
    build.join().expect("CREATE INDEX");
    let own: Vec<_> = phases
        .iter()
        .filter(|phase| phase.starts_with("building index: "))
        .collect();
    assert!(own.len() >= 2, "{phases:?}");
}

/// What the index holds follows the heap through every kind of statement.
#[test]
fn statements() {
    let rows = codes::text(4_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    indexed(&mut client, &rows[..2_000]);
    let mut index = index_client(&cluster, "auto");
    let mut truth = truth_client(&cluster);
    load(&mut client, "t", &rows[2_000..]);
    for sql in [
        "BEGIN; DELETE FROM t WHERE id % 7 = 0; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; COMMIT",
        "BEGIN; INSERT INTO t SELECT -id, code FROM t; ROLLBACK",
        "INSERT INTO t SELECT -id, code FROM t WHERE id % 5 = 0 ON CONFLICT DO NOTHING",
        "UPDATE t SET code = NULL WHERE id % 11 = 0",
        "ALTER TABLE t ALTER COLUMN code TYPE bitvec",
        "ALTER TABLE t SET UNLOGGED",
        "ALTER TABLE t SET LOGGED",
    ] {
        client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        assert_complete(&mut index, &mut truth, "t", &rows[0].code);
    }
    let code = literal(&rows[1].code);
    let open = hits(
        &mut index,
        &format!("SELECT id, code <~> {code} FROM t ORDER BY code <~> {code} LIMIT 5"),
    );
    assert_eq!(open.len(), 5);
    assert_sound(&mut client, "t_code");
}
