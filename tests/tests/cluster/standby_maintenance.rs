//! A hot standby while its primary seals, merges, moves entries and uses blocks again.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cluster_tests::codes::{self, Row, create_table, literal, load};
use cluster_tests::search::{
    assert_complete, assert_exact, assert_no_orphans, assert_same_distances, assert_sound, each, index_client, nearest,
    truth_client, use_index, value,
};
use cluster_tests::{Cluster, wait_until};
use postgres::Client;
use postgres::error::SqlState;

const CREATE: &str = "CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '512kB', m = 8)";
const WORKER: (&str, &str) = ("iscc_usearch.background_worker", "on");

/// The shards of the index by id, and how many of them have a usable file.
fn shards(client: &mut Client) -> (BTreeSet<String>, usize) {
    let rows = client
        .query("SELECT shard_id::text, state = 'ok' FROM usearch_shards('t_code')", &[])
        .expect("usearch_shards");
    let usable = rows.iter().filter(|row| row.get(1)).count();
    (rows.iter().map(|row| row.get(0)).collect(), usable)
}

/// Both answer every query alike: exactly in exact mode, completely in the others.
fn assert_same_answers(primary: &Cluster, standby: &Cluster, queries: &[Row]) {
    let mut truth = truth_client(primary);
    for mode in ["auto", "graph"] {
        assert_complete(&mut index_client(standby, mode), &mut truth, "t", &queries[0].code);
    }
    assert_exact(
        &mut index_client(standby, "exact"),
        &mut truth_client(standby),
        "t",
        queries,
    );
    let (mut on_primary, mut on_standby) = (index_client(primary, "exact"), index_client(standby, "exact"));
    for query in queries {
        let expected = nearest(&mut on_primary, "t", &query.code, "LIMIT 20");
        assert_same_distances(&nearest(&mut on_standby, "t", &query.code, "LIMIT 20"), &expected);
    }
}

/// The workers of both sides are on. Through cycles of inserts, deletes, VACUUM and compaction the standby answers as
/// the primary does; it builds the shards that the primary has, under the same ids, and its worker removes the files
/// that the primary no longer lists.
#[test]
fn builds_its_own_shards() {
    let rows = codes::text(10_000);
    let queries = codes::sample(&rows, 10);
    let primary = Cluster::with(&[WORKER, ("wal_consistency_checking", "generic")]);
    let mut client = primary.client();
    create_table(&mut client, "t");
    client.batch_execute(CREATE).expect("CREATE INDEX");
    let standby = primary.standby(&[]);
    for (round, rows) in rows.chunks(2_500).enumerate() {
        load(&mut client, "t", rows);
        each(
            &mut client,
            &format!("DELETE FROM t WHERE id % 3 = {}; VACUUM t", round % 3),
        );
        if round % 2 == 1 {
            each(&mut client, "SELECT usearch_compact('t_code')");
        }
        primary.replayed_by(&standby);
        assert_same_answers(&primary, &standby, &queries);
    }
    each(
        &mut client,
        "SET iscc_usearch.background_worker = off; SELECT usearch_compact('t_code')",
    );
    wait_until("the primary's worker has ended", || !has_worker(&mut client));
    primary.replayed_by(&standby);
    let (listed, usable) = shards(&mut client);
    assert_eq!(usable, listed.len());
    let mut reader = index_client(&standby, "graph");
    wait_until("the standby has all shards and no other file", || {
        nearest(&mut reader, "t", &queries[0].code, "LIMIT 1");
        let (ids, usable) = shards(&mut reader);
        assert_eq!(ids, listed);
        usable == listed.len() && standby.shard_files().len() == listed.len()
    });
    assert_same_answers(&primary, &standby, &queries);
    assert_no_orphans(&standby, &mut reader);
    // The check of the table takes a lock that a standby does not give.
    let problems: i64 = value(&mut reader, "SELECT count(*) FROM usearch_check('t_code')");
    assert_eq!(problems, 0);
    assert_sound(&mut client, "t_code");
    assert!(
        !standby.log().contains("iscc_usearch worker failed"),
        "the standby's worker failed"
    );
}

/// usearch_prewarm on a standby whose worker is off builds the shards that it lacks, for anybody who may read the
/// table, and can be cancelled.
#[test]
fn prewarm_builds_what_is_missing() {
    let rows = codes::text(6_000);
    let primary = Cluster::start();
    let mut client = primary.client();
    create_table(&mut client, "t");
    client.batch_execute(CREATE).expect("CREATE INDEX");
    each(&mut client, "CREATE ROLE reader; GRANT SELECT ON t TO reader");
    let standby = primary.standby(&[]);
    load(&mut client, "t", &rows);
    each(
        &mut client,
        "SELECT usearch_compact('t_code'); DELETE FROM t WHERE id % 7 = 0; VACUUM t",
    );
    primary.replayed_by(&standby);
    let (mut reader, mut other) = (standby.client(), standby.client());
    let (listed, usable) = shards(&mut reader);
    assert!(listed.len() > 1 && usable == 0, "{usable} of {}", listed.len());

    let pid: i32 = value(&mut reader, "SELECT pg_backend_pid()");
    each(&mut reader, "SET iscc_usearch.failpoint = 'shard_before_list:pause:2'");
    let cancelled = thread::spawn(move || {
        let error = reader
            .batch_execute("SELECT usearch_prewarm('t_code')")
            .expect_err("cancelled");
        (error.code().cloned(), reader)
    });
    wait_until("it builds", || {
        standby.log().contains("reached failpoint shard_before_list")
    });
    each(&mut other, &format!("SELECT pg_cancel_backend({pid})"));
    let (code, mut reader) = cancelled.join().expect("a session");
    assert_eq!(code, Some(SqlState::QUERY_CANCELED));
    assert_eq!(shards(&mut other).1, 2, "those that were finished stay");

    each(&mut reader, "RESET iscc_usearch.failpoint; SET ROLE reader");
    const PREWARM: &str = "SELECT usearch_prewarm('t_code')";
    let loaded: i64 = value(&mut reader, PREWARM);
    assert_eq!(shards(&mut other), (listed.clone(), listed.len()));
    let files: u64 = standby
        .shard_files()
        .iter()
        .map(|f| fs::metadata(f).expect("a file").len())
        .sum();
    assert!(loaded as u64 > files, "{loaded} of {files} bytes in files alone");
    assert_eq!(value::<i64>(&mut reader, PREWARM), loaded);
    assert_same_answers(&primary, &standby, &codes::sample(&rows, 10));

    // A damaged one is built, too.
    let damaged = standby.shard_files().remove(0);
    fs::write(&damaged, "no shard").expect("write");
    assert_eq!(shards(&mut other).1, listed.len() - 1);
    assert_eq!(value::<i64>(&mut reader, PREWARM), loaded);
    assert_eq!(shards(&mut other), (listed.clone(), listed.len()));
}

/// The primary is lost in the middle of a big move: the standby's directory lists pages as pending of which no WAL has
/// come. When it is promoted it takes rows and maintains the index.
#[test]
fn promoted_amid_a_move() {
    let rows = codes::text(3_500);
    let queries = codes::sample(&rows, 10);
    let mut primary = Cluster::start();
    let mut client = primary.client();
    // The longest codes: each has a page of its own.
    each(
        &mut client,
        "CREATE TABLE t (id bigint PRIMARY KEY, code bitvec(32768));
         CREATE INDEX t_code ON t USING usearch (code) WITH (m = 4, ef_construction = 16)",
    );
    load(&mut client, "t", &rows[..3_000]);
    each(&mut client, "SELECT usearch_seal('t_code')");
    let standby = primary.standby(&[]);
    let connector = primary.connector();
    let moving = thread::spawn(move || {
        let mut client = connector.client();
        each(
            &mut client,
            "DELETE FROM t WHERE id % 20 < 11; LOAD 'iscc_usearch';
             SET iscc_usearch.failpoint = 'move_after_pending:pause'",
        );
        client.batch_execute("VACUUM t").expect_err("the server is killed");
    });
    wait_until("the move has begun", || {
        primary.log().contains("reached failpoint move_after_pending")
    });
    primary.replayed_by(&standby);
    drop(client);
    primary.kill9_postmaster();
    moving.join().expect("a session");
    standby.promote();

    let mut client = standby.client();
    let check = |client: &mut Client| {
        let mut truth = truth_client(&standby);
        for mode in ["auto", "graph"] {
            assert_complete(&mut index_client(&standby, mode), &mut truth, "t", &queries[0].code);
        }
        assert_exact(&mut index_client(&standby, "exact"), &mut truth, "t", &queries);
        assert_sound(client, "t_code");
    };
    check(&mut client);
    load(&mut client, "t", &rows[3_000..]);
    check(&mut client);
    for statement in [
        "SELECT usearch_seal('t_code')",
        "VACUUM t",
        "SELECT usearch_compact('t_code')",
    ] {
        each(&mut client, statement);
        check(&mut client);
    }
    assert_no_orphans(&standby, &mut client);
}

fn has_worker(client: &mut Client) -> bool {
    value(
        client,
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'iscc_usearch worker'",
    )
}

/// A query begins on the standby; then the primary moves the entries that it has not read yet, and new rows fill the
/// old blocks. The query gives exactly the rows of its snapshot: pages that are used again are recognized.
#[test]
fn cursor_beside_reuse() {
    let rows = codes::text(8_000);
    let primary = Cluster::with(&[("wal_consistency_checking", "generic")]);
    let mut client = primary.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows[..5_000]);
    client.batch_execute(CREATE).expect("CREATE INDEX");
    let standby = primary.standby(&[("max_standby_streaming_delay", "-1"), ("hot_standby_feedback", "on")]);
    for (round, mode) in ["exact", "graph", "auto"].into_iter().enumerate() {
        each(
            &mut client,
            &format!("DELETE FROM t WHERE id % 10 < 4 AND id % 3 = {round}; VACUUM t"),
        );
        primary.replayed_by(&standby);
        let mut reader = standby.client();
        use_index(&mut reader, mode);
        let code = literal(&rows[round].code);
        let declare = format!("DECLARE c CURSOR FOR SELECT id, code <~> {code} FROM t ORDER BY code <~> {code}");
        each(
            &mut reader,
            &format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {declare}"),
        );
        let mut got: Vec<i64> = fetch(&mut reader, 200);

        let used = |client: &mut Client| -> i64 { value(client, "SELECT pg_relation_size('t_code')") };
        each(&mut client, "SELECT usearch_compact('t_code')");
        let before = used(&mut client);
        load(&mut client, "t", &rows[5_000 + round * 1_000..6_000 + round * 1_000]);
        each(&mut client, "SELECT usearch_compact('t_code')");
        assert!(used(&mut client) <= before + before / 4, "blocks were not used again");
        primary.replayed_by(&standby);

        loop {
            let more = fetch(&mut reader, 700);
            if more.is_empty() {
                break;
            }
            got.extend(more);
        }
        each(
            &mut reader,
            "SET enable_indexscan = off; SET enable_seqscan = on; SET enable_sort = on",
        );
        let snapshot = reader.query("SELECT id FROM t ORDER BY id", &[]).expect("snapshot");
        let expected: Vec<i64> = snapshot.iter().map(|row| row.get(0)).collect();
        got.sort_unstable();
        assert!(got == expected, "{mode}: {} rows of {}", got.len(), expected.len());
    }
    assert_sound(&mut client, "t_code");
}

fn fetch(client: &mut Client, count: usize) -> Vec<i64> {
    let rows = client.query(&format!("FETCH {count} FROM c"), &[]).expect("FETCH");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Queries read a directory of several pages while replay changes it, thousands of times. Both lock the metapage and
/// then the others; in any other order each would in the end wait for the other.
#[test]
fn replay_beside_readers_of_a_long_directory() {
    const SEGMENTS: &str = "DO $$ BEGIN FOR i IN 1..700 LOOP
          INSERT INTO t VALUES ((SELECT count(*) FROM t), NULL); PERFORM usearch_seal('t_code');
        END LOOP; END $$";
    const READ: &str =
        "DO $$ BEGIN FOR i IN 1..200 LOOP PERFORM count(*) FROM usearch_shards('t_code'); END LOOP; END $$";
    let primary = Cluster::start();
    let mut client = primary.client();
    create_table(&mut client, "t");
    client.batch_execute(CREATE).expect("CREATE INDEX");
    let standby = primary.standby(&[]);
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (connector, stop) = (standby.connector(), stop.clone());
            thread::spawn(move || {
                let mut client = connector.client();
                while !stop.load(Ordering::Relaxed) {
                    client.batch_execute(READ).expect("read the directory");
                }
            })
        })
        .collect();
    for round in 0..3 {
        each(
            &mut client,
            if round == 2 {
                "SELECT usearch_compact('t_code')"
            } else {
                ""
            },
        );
        client.batch_execute(SEGMENTS).expect("many segments");
        primary.replayed_by(&standby);
    }
    stop.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().expect("reader"));
    assert_sound(&mut client, "t_code");
}
