//! Writers, readers and maintenance at the same time, while processes are killed: nothing is lost, no answer is wrong,
//! no file is left.
//!
//! The failure points kill one session at a named place. Here several sessions are anywhere when one of them, or the
//! worker, or the server ends. There is a test for each kind of values. `ISCC_KILLS=150` kills that many times in each;
//! `ISCC_SEED` chooses what the sessions do. With an even seed each build of the worker counts as a long one, beside
//! which the tail is sealed.

mod values;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cluster_tests::search::{
    Hit, assert_complete_by, assert_no_orphans, assert_sound, each, hits, index_client, nearest_by, truth_client,
    wait_for_worker,
};
use cluster_tests::{Cluster, Connector, Random, Shutdown, number_from_environment, wait_until};
use postgres::{Client, Error};
use values::{BITS, BY_FUNCTION, Kind, SPANS, VECTORS, Values};

/// Kills of each kind in a run of the whole suite.
const KILLS: u64 = 4;
/// Kills between two checks.
const KILLS_PER_CHECK: u64 = 8;

const SETTINGS: &[(&str, &str)] = &[
    ("autovacuum", "on"),
    ("autovacuum_naptime", "1s"),
    ("iscc_usearch.background_worker", "on"),
    ("max_wal_size", "256MB"),
    ("log_min_error_statement", "panic"),
];

/// What a session does over and over; an error ends the step. Some is an answer that is wrong.
type Step = fn(&mut Client, &Values, &mut Random) -> Result<Option<String>, Error>;

fn write(client: &mut Client, values: &Values, random: &mut Random) -> Result<Option<String>, Error> {
    let sizes = &values.kind().sizes;
    let sql = match random.below(10) {
        0..5 => values.insert(sizes.inserts[random.below(4)], random),
        5..7 => format!(
            "UPDATE t SET code = {} WHERE id IN (SELECT id FROM t TABLESAMPLE SYSTEM ({}) LIMIT {})",
            values.any(random),
            sizes.sample,
            sizes.updates
        ),
        7 => format!(
            "DELETE FROM t WHERE id IN (SELECT id FROM t TABLESAMPLE SYSTEM ({}) LIMIT {})",
            2 * sizes.sample,
            sizes.deletes
        ),
        8 => {
            let end = ["COMMIT", "ROLLBACK"][random.below(2)];
            format!("BEGIN; {}; {end}", values.insert(sizes.inserts[2] / 2, random))
        }
        _ => values.insert_others(random),
    };
    client.batch_execute(&sql)?;
    Ok(None)
}

/// Compares an answer of the index with the sequential scan's, in one snapshot.
fn read(client: &mut Client, values: &Values, random: &mut Random) -> Result<Option<String>, Error> {
    let query = values.any(random);
    let distance = values.distance(&query);
    let kind = random.below(5);
    if kind == 4 {
        let count = [1, 50, 3_000][random.below(3)];
        client.batch_execute(&format!(
            "SET enable_seqscan = off; BEGIN; DECLARE c CURSOR FOR SELECT id FROM t ORDER BY {distance};
             FETCH {count} FROM c; COMMIT; SELECT * FROM usearch_index_stats('t_code')"
        ))?;
        return Ok(None);
    }
    let sql = match kind {
        0 if values.kind().has_thresholds => {
            format!("SELECT id, {distance} FROM t WHERE nphd_within(code, {query}, 0.15) ORDER BY id")
        }
        0 | 1 => format!("SELECT 0::bigint, d FROM (SELECT {distance} d FROM t ORDER BY 1 LIMIT 60) n"),
        2 => format!(
            "SELECT count(*), count(DISTINCT id)::float8 FROM (SELECT id FROM t ORDER BY {distance} OFFSET 0) n"
        ),
        _ => format!(
            "SELECT count(*), sum(d) FROM (SELECT round(({distance})::numeric, 6)::float8 d FROM t ORDER BY {distance} LIMIT 900) n"
        ),
    };
    client.batch_execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ;
         SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off",
    )?;
    let truth = answer(client, &sql)?;
    client.batch_execute(
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = on; SET LOCAL enable_sort = off;
         SET LOCAL iscc_usearch.search_mode = 'exact'",
    )?;
    let got = answer(client, &sql)?;
    client.batch_execute("COMMIT")?;
    let differs = || format!("{sql}: {} rows, {} by the index", truth.len(), got.len());
    Ok((got != truth).then(differs))
}

fn answer(client: &mut Client, sql: &str) -> Result<Vec<Hit>, Error> {
    let rows = client.query(sql, &[])?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn maintain(client: &mut Client, values: &Values, random: &mut Random) -> Result<Option<String>, Error> {
    client.batch_execute(match random.below(9) {
        0 | 1 => "VACUUM t",
        2 | 3 => "SELECT usearch_seal('t_code')",
        4 => "SELECT * FROM usearch_compact('t_code')",
        5 => "REINDEX INDEX CONCURRENTLY t_code",
        6 => values.kind().second_index,
        7 => "DROP INDEX IF EXISTS t_second",
        _ => "SELECT usearch_sweep()",
    })?;
    thread::sleep(Duration::from_millis(100));
    Ok(None)
}

const SESSIONS: [(&str, Step); 6] = [
    ("writer 1", write),
    ("writer 2", write),
    ("writer 3", write),
    ("reader 1", read),
    ("reader 2", read),
    ("maintenance", maintain),
];

/// What the sessions and who checks have in common.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// No session begins a step.
    rest: AtomicBool,
    /// Sessions in a step.
    busy: AtomicUsize,
    problems: Mutex<Vec<String>>,
    /// How often each session has done something, by how it ended.
    steps: Mutex<BTreeMap<String, usize>>,
}

/// The sessions. They end when this is dropped.
struct Sessions {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Sessions {
    fn start(connector: &Connector, values: Values, seed: u64) -> Sessions {
        let shared = Arc::<Shared>::default();
        let values = Arc::new(values);
        let threads = SESSIONS.iter().enumerate().map(|(number, &(name, step))| {
            let (shared, values, connector) = (shared.clone(), values.clone(), connector.clone());
            let mut random = Random(seed * 100 + number as u64);
            thread::spawn(move || {
                let mut client = None;
                while !shared.stop.load(Ordering::SeqCst) {
                    shared.busy.fetch_add(1, Ordering::SeqCst);
                    if !shared.rest.load(Ordering::SeqCst) {
                        client = shared.step(name, client, &connector, |c| step(c, &values, &mut random));
                    }
                    shared.busy.fetch_sub(1, Ordering::SeqCst);
                    if client.is_none() || shared.rest.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(20));
                    }
                }
            })
        });
        Sessions {
            threads: threads.collect(),
            shared: shared.clone(),
        }
    }

    /// Calls `check` while no session does anything; the worker goes on.
    fn at_rest(&self, check: impl FnOnce()) {
        self.shared.rest.store(true, Ordering::SeqCst);
        wait_until("all sessions rest", || self.shared.busy.load(Ordering::SeqCst) == 0);
        check();
        self.assert_no_problem();
        self.shared.rest.store(false, Ordering::SeqCst);
    }

    fn assert_no_problem(&self) {
        let problems = self.shared.problems.lock().unwrap();
        assert!(problems.is_empty(), "{problems:#?}");
    }

    fn finish(mut self) -> BTreeMap<String, usize> {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("a session");
        }
        self.assert_no_problem();
        let steps = self.shared.steps.lock().unwrap();
        steps.clone()
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    /// One step of a session; its connection, if it is still there.
    fn step(
        &self,
        name: &str,
        client: Option<Client>,
        connector: &Connector,
        step: impl FnOnce(&mut Client) -> Result<Option<String>, Error>,
    ) -> Option<Client> {
        let mut client = client.or_else(|| connect(connector))?;
        let ended = match step(&mut client) {
            Ok(None) => "done".to_string(),
            Ok(Some(problem)) => {
                self.problems.lock().unwrap().push(format!("{name}: {problem}"));
                "wrong".to_string()
            }
            Err(error) => {
                let code = error.code().map_or("connection lost", |code| code.code()).to_string();
                if is_problem(&error) {
                    self.problems.lock().unwrap().push(format!("{name}: {error:?}"));
                }
                // Leaves a transaction that failed, if the server is there.
                let _ = client.batch_execute("ROLLBACK");
                code
            }
        };
        *self
            .steps
            .lock()
            .unwrap()
            .entry(format!("{name}: {ended}"))
            .or_default() += 1;
        (!client.is_closed()).then_some(client)
    }
}

fn connect(connector: &Connector) -> Option<Client> {
    let mut client = connector.try_client("postgres").ok()?;
    client.batch_execute("SET lock_timeout = '20s'").ok()?;
    Some(client)
}

/// True for errors that no concurrency explains: corruption, internal errors, missing files, values that were not sent.
fn is_problem(error: &Error) -> bool {
    let Some(error) = error.as_db_error() else {
        return false;
    };
    let code = error.code().code();
    // The index was replaced between the look at its name and the lock.
    let gone = error.message().starts_with("could not open relation with OID");
    (code.starts_with("XX") || ["58P01", "22P02", "42601"].contains(&code)) && !gone
}

/// Ends a process of the server's choice, or all of them. False when the process ended by itself before.
fn kill(cluster: &mut Cluster, random: &mut Random) -> bool {
    if random.below(7) == 0 {
        cluster.stop(Shutdown::Immediate);
        cluster.start_server();
        return true;
    }
    let rows = cluster.client().query(
        "SELECT pid, backend_type ~ 'iscc_usearch' FROM pg_stat_activity
          WHERE backend_type IN ('client backend', 'autovacuum worker', 'iscc_usearch worker')
            AND pid <> pg_backend_pid()",
        &[],
    );
    let all: Vec<(i32, bool)> = rows.expect("processes").iter().map(|r| (r.get(0), r.get(1))).collect();
    // Two of five times the worker, if it runs.
    let worker = all.iter().find(|(_, is_worker)| *is_worker && random.below(5) < 2);
    let victim = worker.or_else(|| all.get(random.below(all.len().max(1))));
    victim.is_some_and(|&(pid, _)| cluster.kill9_if_there(pid))
}

/// The indexes of this access method; those that a dead REINDEX or CREATE INDEX CONCURRENTLY left are dropped.
fn indexes(client: &mut Client) -> Vec<String> {
    let sql =
        "SELECT i.indexrelid::regclass::text, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                 JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'usearch'";
    let rows = client.query(sql, &[]).expect("indexes");
    let (valid, invalid): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.get(1));
    for row in invalid {
        each(client, &format!("DROP INDEX {}", row.get::<_, String>(0)));
    }
    valid.iter().map(|row| row.get(0)).collect()
}

/// Index and table agree, and the index has every row.
fn check(cluster: &Cluster, values: &Values, random: &mut Random) {
    let mut client = cluster.client();
    for index in indexes(&mut client) {
        assert_sound(&mut client, &index);
    }
    let (mut index, mut truth) = (index_client(cluster, "exact"), truth_client(cluster));
    let distance = values.distance(&values.any(random));
    assert_complete_by(&mut index, &mut truth, "t", &distance);
    let distances = |hits: Vec<Hit>| -> Vec<_> { hits.iter().map(|hit| hit.1).collect() };
    let got = distances(nearest_by(&mut index, "t", &distance, "LIMIT 60"));
    assert_eq!(got, distances(nearest_by(&mut truth, "t", &distance, "LIMIT 60")));
}

#[test]
fn kills_amid_codes() {
    kill_amid_everything(&BITS);
}

#[test]
fn kills_amid_vectors() {
    kill_amid_everything(&VECTORS);
}

#[test]
fn kills_amid_spans() {
    kill_amid_everything(&SPANS);
}

#[test]
fn kills_amid_calls_of_a_function() {
    kill_amid_everything(&BY_FUNCTION);
}

fn kill_amid_everything(kind: &'static Kind) {
    let kills = number_from_environment("ISCC_KILLS").unwrap_or(KILLS);
    let seed = number_from_environment("ISCC_SEED").unwrap_or(1);
    let mut settings = SETTINGS.to_vec();
    if seed.is_multiple_of(2) {
        settings.push(("iscc_usearch.failpoint", "build_meanwhile:on"));
    }
    let mut cluster = Cluster::with(&settings);
    kind.create(&mut cluster.client());
    let mut random = Random(seed);
    let values = Values::new(kind, &mut Random(seed));
    let started = Instant::now();
    let sessions = Sessions::start(&cluster.connector(), values.clone(), seed);
    let (mut done, mut checks) = (0, 0);
    while done < kills {
        let pause = [50, 200, 500, 1_000, 1_500][random.below(5)];
        thread::sleep(Duration::from_millis(pause));
        if !kill(&mut cluster, &mut random) {
            continue;
        }
        done += 1;
        if done % KILLS_PER_CHECK == 0 || done == kills {
            sessions.at_rest(|| check(&cluster, &values, &mut random));
            checks += 1;
            // Shown when the test fails.
            println!("{done} kills, {checks} checks");
        }
    }
    let steps = sessions.finish();
    let mut client = cluster.client();
    indexes(&mut client);
    each(&mut client, "VACUUM t");
    wait_for_worker(&mut client);
    check(&cluster, &values, &mut random);
    assert_no_orphans(&cluster, &mut client);
    let sizes = hits(
        &mut client,
        "SELECT pg_relation_size('t'), index_bytes::float8 FROM usearch_index_stats('t_code')",
    );
    eprintln!(
        "stress: {}, {kills} kills, {checks} checks in {:.0} s (seed {seed}), table and index {sizes:?}: {steps:?}",
        kind.name,
        started.elapsed().as_secs_f64()
    );
}
