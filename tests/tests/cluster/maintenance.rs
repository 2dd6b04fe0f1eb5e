//! The background worker keeps an index fast by itself, and keeps nobody waiting.

use std::fs;

use cluster_tests::codes::{self, create_table, load};
use cluster_tests::search::{
    assert_complete, assert_exact, assert_no_orphans, assert_sound, each, index_client, nearest, seal, truth_client,
    value,
};
use cluster_tests::{Cluster, Shutdown, wait_until};
use postgres::Client;

const ON: (&str, &str) = ("iscc_usearch.background_worker", "on");
const ONE_THREAD: (&str, &str) = ("iscc_usearch.worker_threads", "1");

/// A table whose cells are wide, so that few rows have many blocks: 31 rows a block.
const WIDE: &str = "CREATE TABLE w (id bigint PRIMARY KEY, code bitvec(2048));
    CREATE INDEX w_code ON w USING usearch (code) WITH (m = 4, ef_construction = 16);
    CREATE SEQUENCE ids";

/// An index whose build takes minutes on one thread.
const SLOW: &str = "CREATE TABLE s (id bigint PRIMARY KEY, code bitvec(256));
    CREATE INDEX s_code ON s USING usearch (code) WITH (m = 100, ef_construction = 2000);
    INSERT INTO s SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 45000) i";

fn insert(rows: usize) -> String {
    format!("INSERT INTO w SELECT nextval('ids'), sha256(i::text::bytea)::bitvec FROM generate_series(1, {rows}) i")
}

/// What workers do now: process, database, and the query text while there is something to do.
fn workers(client: &mut Client) -> Vec<(i32, String, String)> {
    let sql =
        "SELECT pid, coalesce(datname, ''), CASE WHEN state = 'active' THEN query ELSE '' END FROM pg_stat_activity
                WHERE backend_type = 'iscc_usearch worker'";
    let rows = client.query(sql, &[]).expect("pg_stat_activity");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

fn wait_for_idle(client: &mut Client) {
    wait_until("the worker has ended", || workers(client).is_empty());
}

/// Waits until a worker seals the index; its process.
fn wait_for_build(client: &mut Client, database: &str, index: &str) -> i32 {
    let mut pid = None;
    wait_until("the worker builds", || {
        let doing = format!("sealing index \"{index}\"");
        let all = workers(client);
        pid = all
            .iter()
            .find(|w| w.1 == database && w.2.contains(&doing))
            .map(|w| w.0);
        pid.is_some()
    });
    pid.expect("a worker")
}

fn count(cluster: &Cluster, text: &str) -> usize {
    cluster.log().lines().filter(|line| line.contains(text)).count()
}

/// Many small inserts start a worker, which seals and merges until nothing is due and ends; a VACUUM after deletes
/// makes it give space back. There is one at a time, it tells what it does, and it writes a line for each thing done.
#[test]
fn works_by_itself() {
    let cluster = Cluster::with(&[ON]);
    let (mut client, mut watcher) = (cluster.client(), cluster.client());
    each(&mut client, WIDE);
    let mut seen: Vec<String> = Vec::new();
    let mut inserted = 0;
    // How many shards the same rows become, and so whether any are merged, depends on how fast the worker is.
    while inserted < 60_000 || count(&cluster, "LOG:  merged ") == 0 {
        assert!(inserted < 400_000, "nothing was merged");
        each(&mut client, &insert(500));
        inserted += 500;
        let now = workers(&mut watcher);
        let mut working: Vec<_> = now
            .into_iter()
            .map(|worker| worker.2)
            .filter(|text| !text.is_empty())
            .collect();
        assert!(working.len() <= 1, "two at once: {working:?}");
        seen.append(&mut working);
    }
    wait_for_idle(&mut watcher);
    let row = client
        .query_one(
            "SELECT count(*), max(level)::int, sum(entries)::bigint FROM usearch_shards('w_code')",
            &[],
        )
        .expect("usearch_shards");
    let (shards, level, entries): (i64, i32, i64) = (row.get(0), row.get(1), row.get(2));
    assert!((1..=8).contains(&shards) && level < 4, "{shards} shards, level {level}");
    assert!(entries >= inserted - 6_300, "only {entries} are in shards");
    assert!(level > 0, "what was merged has no level of its own");
    let what = "sealed merged moved"
        .split(' ')
        .map(|verb| count(&cluster, &format!("LOG:  {verb} ")));
    assert_eq!(
        what.sum::<usize>(),
        count(&cluster, "into a shard of"),
        "a line for each"
    );
    assert!(seen.iter().all(|text| text.starts_with("iscc_usearch: ")), "{seen:?}");

    each(&mut client, "DELETE FROM w WHERE id % 5 < 3; VACUUM w");
    wait_until("space was reclaimed", || {
        // It may end between the two looks.
        count(&cluster, "LOG:  reclaimed ") > 0
    });
    wait_for_idle(&mut watcher);
    let dead: f64 = value(&mut client, "SELECT dead_share FROM usearch_index_stats('w_code')");
    assert!(dead <= 0.5, "{dead} of the entries are dead");
    each(&mut client, "SELECT usearch_compact('w_code')");
    let (shards, dead): (i64, i64) = (
        value(&mut client, "SELECT count(*) FROM usearch_shards('w_code')"),
        value(&mut client, "SELECT dead_entries FROM usearch_index_stats('w_code')"),
    );
    assert_eq!((shards, dead), (1, 0), "after compaction");
    assert_sound(&mut client, "w_code");
    assert_no_orphans(&cluster, &mut client);
    assert_eq!(count(&cluster, "iscc_usearch worker failed"), 0);
}

/// Where there can be no worker VACUUM does its work: switched off, and without a place for it.
#[test]
fn without_a_worker() {
    for settings in [&[][..], &[ON, ("max_worker_processes", "0")]] {
        let cluster = Cluster::with(settings);
        let mut client = cluster.client();
        each(&mut client, WIDE);
        each(&mut client, &insert(7_000));
        assert_eq!(cluster.shard_files().len(), 0);
        each(&mut client, "VACUUM w");
        assert_eq!(cluster.shard_files().len(), 1, "VACUUM seals");
        each(&mut client, "DELETE FROM w WHERE id % 5 < 3; VACUUM w");
        assert_eq!(count(&cluster, "LOG:  reclaimed "), 1, "VACUUM reclaims");
        assert_eq!(workers(&mut client), []);
        assert_sound(&mut client, "w_code");
    }
}

/// A query misses a shard file: it answers without, and a worker builds the file again.
#[test]
fn lost_file() {
    let cluster = Cluster::with(&[ON]);
    let mut client = cluster.client();
    let rows = codes::text(5_000);
    create_table(&mut client, "t");
    load(&mut client, "t", &rows);
    each(&mut client, "CREATE INDEX t_code ON t USING usearch (code)");
    let id: String = value(&mut client, "SELECT shard_id::text FROM usearch_shards('t_code')");
    fs::remove_file(&cluster.shard_files()[0]).expect("remove the file");
    let queries = codes::sample(&rows, 10);
    let (mut index, mut truth) = (index_client(&cluster, "graph"), truth_client(&cluster));
    assert_complete(&mut index, &mut truth, "t", &rows[0].code);
    wait_until("the worker has built the shard again", || {
        cluster.shard_files().len() == 1
    });
    wait_for_idle(&mut client);
    assert_eq!(count(&cluster, "LOG:  rebuilt "), 1);
    let now: (String, String) = (
        value(&mut client, "SELECT shard_id::text FROM usearch_shards('t_code')"),
        value(&mut client, "SELECT state FROM usearch_shards('t_code')"),
    );
    assert_eq!(now, (id, "ok".into()));
    assert_exact(&mut index_client(&cluster, "exact"), &mut truth, "t", &queries);
    nearest(&mut index, "t", &rows[0].code, "LIMIT 1");
    assert_sound(&mut client, "t_code");
}

/// A database with an index whose build takes minutes; its worker is about to begin.
fn slow_database(cluster: &Cluster, name: &str) -> Client {
    each(&mut cluster.client(), &format!("CREATE DATABASE {name}"));
    let mut session = cluster.connector().client_of(name);
    each(&mut session, "CREATE EXTENSION iscc_usearch");
    each(&mut session, SLOW);
    session
}

fn assert_nobody_waited(cluster: &Cluster, statement: &str) {
    assert_eq!(count(cluster, "LOG:  sealed "), 0, "{statement} waited for the worker");
}

/// While a worker builds for minutes, nobody waits for it: each of these is through before the shard is.
#[test]
fn gives_way_to_sessions() {
    let cluster = Cluster::with(&[ON, ONE_THREAD]);
    let mut client = cluster.client();
    let mut session = slow_database(&cluster, "work");
    for end in ["pg_cancel_backend", "pg_terminate_backend"] {
        let pid = wait_for_build(&mut client, "work", "s_code");
        each(&mut client, &format!("SELECT {end}({pid})"));
        wait_for_idle(&mut client);
        each(&mut session, "VACUUM s");
    }
    for statement in [
        "VACUUM s",
        "ALTER TABLE s ADD COLUMN more int",
        "ALTER INDEX s_code SET (m = 99)",
        "ALTER INDEX s_code RENAME TO other; ALTER INDEX other RENAME TO s_code",
        "BEGIN; LOCK TABLE s; COMMIT",
        "DROP INDEX s_code",
    ] {
        each(&mut session, "VACUUM s");
        wait_for_build(&mut client, "work", "s_code");
        each(&mut session, statement);
        assert_nobody_waited(&cluster, statement);
    }
}

/// The same for who wants a whole database, or the server to stop. Two databases have a worker each, at once.
#[test]
fn gives_way_to_databases() {
    let mut cluster = Cluster::with(&[ON, ONE_THREAD]);
    let mut client = cluster.client();
    let mut work = slow_database(&cluster, "work");
    drop(slow_database(&cluster, "other"));
    wait_for_build(&mut client, "work", "s_code");
    wait_for_build(&mut client, "other", "s_code");
    let building = workers(&mut client);
    assert_eq!(
        building.iter().filter(|worker| !worker.2.is_empty()).count(),
        2,
        "{building:?}"
    );
    each(&mut work, "DROP TABLE s");
    assert_nobody_waited(&cluster, "DROP TABLE");
    for statement in ["CREATE DATABASE copy TEMPLATE other", "DROP DATABASE other"] {
        each(&mut cluster.connector().client_of("other"), "VACUUM s");
        wait_for_build(&mut client, "other", "s_code");
        each(&mut client, statement);
        assert_nobody_waited(&cluster, statement);
    }
    let mut copy = cluster.connector().client_of("copy");
    each(&mut copy, "VACUUM s");
    wait_for_build(&mut client, "copy", "s_code");
    drop((copy, work, client));
    cluster.stop(Shutdown::Fast);
    assert_nobody_waited(&cluster, "a fast shutdown");
}

/// Blocks of dead entries are used again: a table that is emptied and filled has an index of the same size, and one
/// whose rows are all updated again and again has one that does not grow.
#[test]
fn size_stays_bounded() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, WIDE);
    each(&mut client, &insert(20_000));
    each(&mut client, "VACUUM w");
    let size = |client: &mut Client| -> f64 { value::<i64>(client, "SELECT pg_relation_size('w_code')") as f64 };
    let first = size(&mut client);
    for _ in 0..2 {
        each(&mut client, "DELETE FROM w; VACUUM w");
        each(&mut client, &insert(20_000));
        each(&mut client, "VACUUM w");
        let now = size(&mut client);
        assert!(now <= first * 1.05, "filled again: {now}, first {first}");
    }
    let mut sizes = Vec::new();
    for round in 0..6 {
        each(
            &mut client,
            &format!("UPDATE w SET code = sha256((id + {round})::text::bytea)::bitvec; VACUUM w"),
        );
        sizes.push(size(&mut client) / first);
    }
    assert!(sizes.iter().all(|&size| size <= 2.1), "{sizes:?}");
    assert!(sizes[5] <= sizes[1] * 1.05, "still growing: {sizes:?}");
    seal(&mut client, "w_code");
    assert_sound(&mut client, "w_code");
    assert_no_orphans(&cluster, &mut client);
}
