//! What an index no longer needs is used again, and a file that is mostly free becomes shorter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cluster_tests::codes::{self, Row, create_table, literal, load};
use cluster_tests::search::{
    assert_agrees, assert_answers, assert_exact, assert_no_orphans, assert_sound, clients_of, each, nearest, value,
    wait_for_worker,
};
use cluster_tests::{Cluster, Random};
use postgres::Client;
use postgres::error::SqlState;

/// 40,000 entries are about 200 blocks.
const ROWS: i64 = 40_000;

/// Without the worker. Processes that work together cannot cut a file: then the worker does it.
const VACUUM: &str = "VACUUM (PARALLEL 0) t";

/// A table whose index has some codes at its end, and nothing alive before once VACUUM has come.
fn mostly_dead(client: &mut Client, rows: &[Row]) {
    create_table(client, "t");
    each(client, "CREATE INDEX t_code ON t USING usearch (code)");
    let dead = format!("INSERT INTO t SELECT 1000000 + g, NULL FROM generate_series(1, {ROWS}) g");
    each(client, &dead);
    load(client, "t", rows);
    each(client, "DELETE FROM t WHERE id > 1000000");
}

/// Blocks of the index's file.
fn blocks(client: &mut Client) -> i64 {
    value(client, "SELECT pg_relation_size('t_code') / 8192")
}

/// Bytes of the index with its shards, and of the table.
fn bytes(client: &mut Client) -> (f64, f64) {
    let row = client
        .query_one(
            "SELECT total_bytes::float8, pg_relation_size('t')::float8 FROM usearch_index_stats('t_code')",
            &[],
        )
        .expect("sizes");
    (row.get(0), row.get(1))
}

/// VACUUM cuts the file, the worker being off; a copy of the whole log is nowhere left.
#[test]
fn vacuum_makes_a_file_shorter() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let rows = codes::text(2_000);
    mostly_dead(&mut client, &rows);
    assert!(blocks(&mut client) > 200);
    each(&mut client, VACUUM);
    assert!(blocks(&mut client) < 30, "{} blocks", blocks(&mut client));
    assert_sound(&mut client, "t_code");
    let queries = codes::sample(&rows, 10);
    assert_answers(&cluster.connector(), "postgres", "t", &queries);
    // It grows again, also beyond where it was.
    load(
        &mut client,
        "t",
        &codes::variants(3_000, 5)
            .into_iter()
            .map(|row| Row {
                id: row.id + 5_000,
                ..row
            })
            .collect::<Vec<_>>(),
    );
    assert_sound(&mut client, "t_code");
    assert_answers(&cluster.connector(), "postgres", "t", &queries);
}

/// An open cursor keeps the file as it is, and goes on.
#[test]
fn a_cursor_keeps_the_file() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let rows = codes::text(2_000);
    mostly_dead(&mut client, &rows);
    let mut reader = cluster.client();
    let query = literal(&rows[7].code);
    reader
        .batch_execute(&format!(
            "SET enable_seqscan = off; SET enable_sort = off; BEGIN;
             DECLARE c CURSOR FOR SELECT id FROM t ORDER BY code <~> {query}; FETCH 10 FROM c"
        ))
        .expect("cursor");
    each(&mut client, VACUUM);
    assert!(blocks(&mut client) > 200, "cut beside a cursor");
    let rest = reader.query("FETCH ALL FROM c", &[]).expect("the rest");
    assert_eq!(rest.len(), rows.len() - 10);
    reader.batch_execute("COMMIT").expect("COMMIT");
    each(&mut client, VACUUM);
    assert!(blocks(&mut client) < 30, "{} blocks", blocks(&mut client));
    assert_sound(&mut client, "t_code");
}

/// The directory has forgotten the blocks, the file still has them: the next VACUUM cuts them off.
#[test]
fn a_crash_before_the_cut() {
    let mut cluster = Cluster::start();
    let mut client = cluster.client();
    let rows = codes::text(2_000);
    mostly_dead(&mut client, &rows);
    let armed = "LOAD 'iscc_usearch'; SET iscc_usearch.failpoint = 'cut_before_truncate:kill'";
    each(&mut client, armed);
    cluster.one_process_ends(|| {
        client.batch_execute(VACUUM).expect_err("killed");
    });
    let mut client = cluster.client();
    assert!(blocks(&mut client) > 200);
    assert_sound(&mut client, "t_code");
    each(&mut client, VACUUM);
    assert!(blocks(&mut client) < 30, "{} blocks", blocks(&mut client));
    assert_sound(&mut client, "t_code");
    assert_answers(&cluster.connector(), "postgres", "t", &codes::sample(&rows, 10));
}

/// A crash after the cut: what WAL says of the blocks that are gone is of no use, and does no harm.
#[test]
fn a_crash_after_the_cut() {
    let mut cluster = Cluster::start();
    let mut client = cluster.client();
    let rows = codes::text(2_000);
    mostly_dead(&mut client, &rows);
    each(&mut client, VACUUM);
    cluster.kill9_postmaster();
    cluster.start_server();
    let mut client = cluster.client();
    assert!(blocks(&mut client) < 30, "{} blocks", blocks(&mut client));
    assert_sound(&mut client, "t_code");
    assert_answers(&cluster.connector(), "postgres", "t", &codes::sample(&rows, 10));
}

/// A standby replays cuts beside its own queries: they wait, or are cancelled as PostgreSQL does it; none reads a block
/// that is gone.
#[test]
fn a_standby_replays_cuts_beside_scans() {
    let primary = Cluster::start();
    let mut client = primary.client();
    let rows = codes::text(2_000);
    mostly_dead(&mut client, &rows);
    let standby = primary.standby(&[
        ("wal_consistency_checking", "generic"),
        ("max_standby_streaming_delay", "100ms"),
    ]);
    primary.replayed_by(&standby);
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|number| {
            let (stop, connector, query) = (stop.clone(), standby.connector(), literal(&rows[number].code));
            thread::spawn(move || {
                let setup = "SET enable_seqscan = off; SET enable_sort = off; SET iscc_usearch.search_mode = exact";
                let mut answers = 0;
                let mut client = connector.client();
                each(&mut client, setup);
                while !stop.load(Ordering::Relaxed) {
                    let sql = format!("SELECT id FROM t WHERE code IS NOT NULL ORDER BY code <~> {query}");
                    match client.query(&sql, &[]) {
                        Ok(found) => {
                            assert!(found.len() >= 2_000, "{} rows", found.len());
                            answers += 1;
                        }
                        // A conflict with recovery, which may end the session.
                        Err(_) if client.is_closed() => {
                            client = connector.client();
                            each(&mut client, setup);
                        }
                        Err(error) if error.code() == Some(&SqlState::T_R_SERIALIZATION_FAILURE) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                answers
            })
        })
        .collect();
    for round in 0..5 {
        each(&mut client, VACUUM);
        let first = 1_000_000 * (round + 2);
        let dead = format!("INSERT INTO t SELECT {first} + g, NULL FROM generate_series(1, {ROWS}) g");
        each(&mut client, &format!("{dead}; DELETE FROM t WHERE id > 1000000"));
    }
    each(&mut client, VACUUM);
    primary.replayed_by(&standby);
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.join().expect("a reader") > 0);
    }
    let cuts = primary.log().matches("free blocks off index").count();
    assert!(cuts >= 5, "{cuts} cuts");
    assert_eq!(blocks(&mut standby.client()), blocks(&mut client));
    let queries = codes::sample(&rows, 10);
    assert_answers(&standby.connector(), "postgres", "t", &queries);
    let mut promoted = standby.client();
    each(&mut promoted, "SELECT pg_promote(); VACUUM (PARALLEL 0) t");
    assert_sound(&mut promoted, "t_code");
    assert_answers(&standby.connector(), "postgres", "t", &queries);
}

/// Sessions update random rows, processes are killed: after VACUUM and a quiet time the index is hardly larger than
/// before, whatever the table is. Log, free blocks, shards: all count.
#[test]
fn space_is_bounded_under_churn() {
    let mut cluster = Cluster::with(&[
        ("autovacuum", "on"),
        ("autovacuum_naptime", "1s"),
        ("iscc_usearch.background_worker", "on"),
    ]);
    let mut client = cluster.client();
    let rows = codes::text(20_000);
    create_table(&mut client, "t");
    load(&mut client, "t", &rows);
    let create = "CREATE INDEX t_code ON t USING usearch (code) WITH (m = 6, ef_construction = 16)";
    each(&mut client, create);
    let before = bytes(&mut client);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|seed| {
            let (stop, connector, codes) = (stop.clone(), cluster.connector(), rows.clone());
            thread::spawn(move || {
                let mut random = Random(seed);
                let mut client = None;
                while !stop.load(Ordering::Relaxed) {
                    let Some(session) = client.as_mut() else {
                        client = connector.try_client("postgres").ok();
                        continue;
                    };
                    let code = literal(&codes[random.below(codes.len())].code);
                    let start = random.below(codes.len());
                    let sql = format!("UPDATE t SET code = {code} WHERE id BETWEEN {start} AND {start} + 100");
                    // Deadlocks and kills are part of it.
                    if session.batch_execute(&sql).is_err() && session.is_closed() {
                        client = None;
                    }
                }
            })
        })
        .collect();
    let (started, mut most) = (Instant::now(), before.0);
    for _ in 0..3 {
        thread::sleep(Duration::from_secs(4));
        let sql = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()
                    AND backend_type IN ('client backend', 'iscc_usearch worker') ORDER BY backend_type DESC LIMIT 1";
        let mut client = cluster.client();
        most = most.max(bytes(&mut client).0);
        let pid = value(&mut client, sql);
        drop(client);
        cluster.kill9_if_there(pid);
    }
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    let mut client = cluster.client();
    each(&mut client, "VACUUM t");
    wait_for_worker(&mut client);
    assert_no_orphans(&cluster, &mut client);
    let after = bytes(&mut client);
    let (index, table) = (after.0 / before.0, after.1 / before.1);
    eprintln!(
        "space: after {:.0} s the index has {index:.2} times its size (once {:.2}), the table {table:.2} times",
        started.elapsed().as_secs_f64(),
        most / before.0
    );
    assert!(
        index <= 1.5 * table,
        "the index grew {index:.2} times, the table {table:.2} times"
    );
    assert_sound(&mut client, "t_code");
    let (mut by_index, mut truth) = clients_of(&cluster.connector(), "postgres");
    assert_exact(&mut by_index, &mut truth, "t", &codes::sample(&rows, 5));
    assert_eq!(nearest(&mut by_index, "t", &rows[0].code, "").len(), rows.len());
    assert_agrees(&mut client, "exact", &rows[3]);
}
