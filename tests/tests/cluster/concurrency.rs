//! Everything at once: what a query sees is what its snapshot has.
//!
//! `ISCC_SECONDS=600` lets it run that long.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cluster_tests::codes::{self, Row, create_table, hex, insert_sql, literal};
use cluster_tests::search::{
    Hit, assert_each_once, assert_no_orphans, assert_sound, assert_well_formed, each, hits, index_client, recall, seal,
    wait_for_worker,
};
use cluster_tests::{Cluster, Random, number_from_environment, wait_until};
use postgres::Client;
use postgres::error::SqlState;

const CREATE: &str =
    "CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '512kB', m = 8, ef_construction = 32)";
/// Rows that each writer keeps, about.
const ROWS: usize = 2_500;

/// What the threads share.
#[derive(Clone, Default)]
struct Shared {
    stop: Arc<AtomicBool>,
    /// Compactions done.
    compactions: Arc<AtomicUsize>,
    queries: Arc<AtomicUsize>,
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A thread that does a step again and again until the test ends.
    fn spawn(&self, mut step: impl FnMut(&Shared) + Send + 'static) -> JoinHandle<()> {
        let shared = self.clone();
        thread::spawn(move || {
            while !shared.stopped() {
                step(&shared);
            }
        })
    }
}

/// Inserts, updates and deletes rows of its own: those whose ids are `number` modulo 2.
fn writer(mut client: Client, rows: Vec<Row>, number: usize) -> impl FnMut(&Shared) {
    let mut random = Random(number as u64);
    let mut ids: BTreeSet<i64> = BTreeSet::new();
    let mut next = number as i64;
    move |_| {
        let batch: Vec<Row> = (0..1 + random.below(300))
            .map(|_| {
                next += 2;
                Row {
                    id: next,
                    ..rows[random.below(rows.len())].clone()
                }
            })
            .collect();
        let from = next - random.below(2 * ROWS) as i64;
        match random.below(if ids.len() > ROWS { 4 } else { 8 }) {
            0 => delete(&mut client, &mut ids, from, random.below(3 * ROWS) as i64, number),
            1 | 2 => {
                let code = hex(&rows[random.below(rows.len())].code);
                let sql = format!(
                    "UPDATE t SET code = '{code}' WHERE id BETWEEN {from} AND {from} + 200 AND id % 2 = {number}"
                );
                each(&mut client, &sql);
            }
            3 => {
                let sql =
                    format!("UPDATE t SET code = NULL WHERE id BETWEEN {from} AND {from} + 20 AND id % 2 = {number}");
                each(&mut client, &sql);
                delete(&mut client, &mut ids, 0, from, number);
            }
            _ => {
                ids.extend(batch.iter().map(|row| row.id));
                each(&mut client, &insert_sql("t", &batch));
            }
        }
    }
}

/// Deletes a range of ids and forgets them; now and then it rolls back first.
fn delete(client: &mut Client, ids: &mut BTreeSet<i64>, from: i64, count: i64, number: usize) {
    let sql = format!("DELETE FROM t WHERE id >= {from} AND id < {from} + {count} AND id % 2 = {number}");
    each(client, &format!("BEGIN; {sql}; ROLLBACK; {sql}"));
    ids.retain(|id| !(from..from + count).contains(id));
}

/// Runs a statement of maintenance; that VACUUM is reading the index is no fault.
fn maintain(client: &mut Client, sql: &str) -> bool {
    match client.batch_execute(sql) {
        Ok(()) => true,
        Err(why) if why.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => false,
        Err(why) => panic!("{sql}: {why:?}"),
    }
}

/// What a snapshot has: each row's distance from the query, by a sequential scan.
fn snapshot(client: &mut Client, code: &str) -> HashMap<i64, Option<f64>> {
    each(
        client,
        "SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off",
    );
    let all = hits(client, &format!("SELECT id, code <~> {code} FROM t"));
    each(
        client,
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = on",
    );
    all.into_iter().collect()
}

/// The nearest of a snapshot, NULL codes last.
fn nearest_of(snapshot: &HashMap<i64, Option<f64>>, count: usize) -> Vec<Hit> {
    let mut all: Vec<Hit> = snapshot.iter().map(|(&id, &distance)| (id, distance)).collect();
    all.sort_by(|a, b| a.1.unwrap_or(f64::INFINITY).total_cmp(&b.1.unwrap_or(f64::INFINITY)));
    all.truncate(count);
    all
}

fn assert_of_snapshot(answer: &[Hit], snapshot: &HashMap<i64, Option<f64>>, mode: &str) {
    match mode {
        "exact" => assert_well_formed(answer),
        _ => assert_each_once(answer),
    }
    for (id, distance) in answer {
        assert_eq!(
            snapshot.get(id),
            Some(distance),
            "{mode}: row {id} is not what the snapshot has"
        );
    }
}

/// The part of a snapshot within a radius.
fn within(snapshot: &HashMap<i64, Option<f64>>, radius: f64) -> HashMap<i64, Option<f64>> {
    let near = snapshot
        .iter()
        .filter(|(_, distance)| distance.is_some_and(|d| d <= radius));
    near.map(|(&id, &distance)| (id, distance)).collect()
}

/// One snapshot, all answers of a mode: with LIMIT and without, and within a radius.
fn reader(mut client: Client, rows: Vec<Row>, mode: &'static str) -> impl FnMut(&Shared) {
    let mut random = Random(mode.len() as u64);
    move |shared| {
        let code = literal(&rows[random.below(rows.len())].code);
        let query = |rest: &str| format!("SELECT id, code <~> {code} FROM t ORDER BY code <~> {code} {rest}");
        let limit = 1 + random.below(100);
        each(&mut client, "BEGIN ISOLATION LEVEL REPEATABLE READ");
        // The snapshot is older than the statements: what happens between them must not show.
        let first = (random.below(2) == 0).then(|| snapshot(&mut client, &code));
        let some = hits(&mut client, &query(&format!("LIMIT {limit}")));
        let all = hits(&mut client, &query(""));
        let radius = random.below(50) as f64 / 100.0;
        let condition = format!("WHERE nphd_within(code, {code}, {radius})");
        let near = hits(&mut client, &format!("SELECT id, code <~> {code} FROM t {condition}"));
        let truth = snapshot(&mut client, &code);
        each(&mut client, "COMMIT");
        assert!(first.is_none_or(|first| first == truth), "the snapshot changed");
        assert_of_snapshot(&all, &truth, mode);
        assert_eq!(all.len(), truth.len(), "{mode}: without LIMIT");
        assert_of_snapshot(&some, &truth, mode);
        assert_each_once(&near);
        assert_eq!(
            near.into_iter().collect::<HashMap<_, _>>(),
            within(&truth, radius),
            "{radius}"
        );
        let expected = nearest_of(&truth, limit);
        assert_eq!(some.len(), expected.len(), "{mode}: LIMIT {limit}");
        let distances = |hits: &[Hit]| hits.iter().map(|hit| hit.1).collect::<Vec<_>>();
        if mode == "exact" {
            assert_eq!(distances(&some), distances(&expected), "LIMIT {limit}");
        } else if expected.len() >= 10 && expected.iter().all(|hit| hit.1.is_some()) {
            let recall = recall(&some, &expected);
            assert!(recall >= 0.5, "{mode}: recall@{limit} is {recall}");
        }
        shared.queries.fetch_add(1, Ordering::Relaxed);
    }
}

/// A cursor held open while the index is compacted twice, so that the blocks it has not read yet are used again.
fn cursor(mut client: Client, rows: Vec<Row>, mut random: Random) -> impl FnMut(&Shared) {
    move |shared| {
        let mode = ["exact", "graph", "auto"][random.below(3)];
        let code = literal(&rows[random.below(rows.len())].code);
        each(
            &mut client,
            &format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL iscc_usearch.search_mode = {mode}"),
        );
        let radius = 0.48;
        let (near, order) = (
            format!("WHERE nphd_within(code, {code}, {radius})"),
            format!("ORDER BY code <~> {code}"),
        );
        let (condition, order, mode) = match random.below(4) {
            0 => (near.as_str(), order.as_str(), "exact"),
            1 => (near.as_str(), "", "in no order"),
            _ => ("", order.as_str(), mode),
        };
        let declare = format!("DECLARE c CURSOR FOR SELECT id, code <~> {code} FROM t {condition} {order}");
        each(&mut client, &declare);
        let mut answer = hits(&mut client, &format!("FETCH {} FROM c", 1 + random.below(500)));
        for _ in 0..2 {
            let before = shared.compactions.load(Ordering::Relaxed);
            wait_until("the index is compacted", || {
                shared.stopped() || shared.compactions.load(Ordering::Relaxed) > before
            });
            answer.extend(hits(&mut client, &format!("FETCH {} FROM c", 1 + random.below(1_000))));
        }
        answer.extend(hits(&mut client, "FETCH ALL FROM c"));
        let mut truth = snapshot(&mut client, &code);
        each(&mut client, "COMMIT");
        if !condition.is_empty() {
            truth = within(&truth, radius);
        }
        assert_of_snapshot(&answer, &truth, mode);
        assert_eq!(answer.len(), truth.len(), "{mode}: a cursor over all rows {condition}");
        shared.queries.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two writers, VACUUM, seals, compactions and the background worker beside three readers and two cursors. Each answer
/// is compared with a sequential scan of the same snapshot.
#[test]
fn everything_at_once() {
    let seconds = number_from_environment("ISCC_SECONDS").unwrap_or(20);
    let rows = codes::text(20_000);
    let cluster = Cluster::with(&[("iscc_usearch.background_worker", "on")]);
    let mut client = cluster.client();
    create_table(&mut client, "t");
    client.batch_execute(CREATE).expect("CREATE INDEX");
    let shared = Shared::default();
    let mut threads = Vec::new();
    for number in 0..2 {
        threads.push(shared.spawn(writer(cluster.client(), rows.clone(), number)));
        threads.push(shared.spawn(cursor(
            index_client(&cluster, "auto"),
            rows.clone(),
            Random(50 + number as u64),
        )));
    }
    for mode in ["auto", "graph", "exact"] {
        threads.push(shared.spawn(reader(index_client(&cluster, mode), rows.clone(), mode)));
    }
    let mut vacuum = cluster.client();
    threads.push(shared.spawn(move |shared| {
        each(&mut vacuum, "VACUUM t");
        // Compaction does not wait for VACUUM; so it needs a time without.
        let before = shared.queries.load(Ordering::Relaxed);
        wait_until("there were queries", || {
            shared.stopped() || shared.queries.load(Ordering::Relaxed) > before + 2
        });
    }));
    let mut compactor = cluster.client();
    threads.push(shared.spawn(move |shared| {
        maintain(&mut compactor, "SELECT usearch_seal('t_code')");
        if maintain(&mut compactor, "SELECT usearch_compact('t_code')") {
            shared.compactions.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end && threads.iter().all(|thread| !thread.is_finished()) {
        thread::sleep(Duration::from_millis(50));
    }
    shared.stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().expect("a thread"));
    each(&mut client, "SET iscc_usearch.background_worker = off; VACUUM t");
    seal(&mut client, "t_code");
    assert_sound(&mut client, "t_code");
    wait_for_worker(&mut client);
    assert_no_orphans(&cluster, &mut client);
    let log = cluster.log();
    assert!(!log.contains("iscc_usearch worker failed"), "the worker failed");
    eprintln!(
        "concurrency: {seconds} s, {} queries and cursors, {} compactions, {} shards sealed, {} merged, {} reclaims",
        shared.queries.load(Ordering::Relaxed),
        shared.compactions.load(Ordering::Relaxed),
        log.matches("sealed ").count(),
        log.matches("merged ").count(),
        log.matches("reclaimed ").count(),
    );
}
