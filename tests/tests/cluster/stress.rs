//! Writers, readers and maintenance at the same time, while processes are killed: nothing is lost, no answer is wrong, no
//! file is left.
//!
//! The failure points kill one session at a named place. Here several sessions are anywhere when one of them, or the
//! worker, or the server ends. `ISCC_KILLS=150` kills that many times; `ISCC_SEED` chooses what the sessions do. With an
//! even seed each build of the worker counts as a long one, beside which the tail is sealed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cluster_tests::codes::{hex, literal};
use cluster_tests::search::{
    Hit, assert_complete, assert_no_orphans, assert_sound, each, hits, index_client, nearest, truth_client, value,
};
use cluster_tests::{Cluster, Connector, Random, Shutdown, wait_until};
use postgres::{Client, Error};

/// Kills in a run of the whole suite.
const KILLS: u64 = 12;
/// Kills between two checks.
const KILLS_PER_CHECK: u64 = 8;
/// Codes of which all others are near-duplicates.
const POOL: usize = 400;

const SETTINGS: &[(&str, &str)] = &[
    ("autovacuum", "on"),
    ("autovacuum_naptime", "1s"),
    ("iscc_usearch.background_worker", "on"),
    ("max_wal_size", "256MB"),
    ("log_min_error_statement", "panic"),
];

/// Small shards and quick builds, so that maintenance never ends.
const TABLE: &str = "
    CREATE TABLE t (id bigserial PRIMARY KEY, code bitvec(256));
    CREATE INDEX t_code ON t USING usearch (code) WITH (m = 6, ef_construction = 16, shard_size = '1MB');
    INSERT INTO t (code) SELECT substr(sha256(g::text::bytea), 1, 8)::bitvec FROM generate_series(1, 20000) g";

/// What a session does over and over; an error ends the step. Some is an answer that is wrong.
type Step = fn(&mut Client, &Codes, &mut Random) -> Result<Option<String>, Error>;

/// Where codes come from.
struct Codes(Vec<Vec<u8>>);

impl Codes {
    fn new(random: &mut Random) -> Codes {
        let mut code = || {
            let bytes = 8 * (1 + random.below(4));
            random.bytes(bytes)
        };
        Codes(std::iter::repeat_with(&mut code).take(POOL).collect())
    }

    /// One of the pool with up to five bits flipped.
    fn any(&self, random: &mut Random) -> Vec<u8> {
        let mut code = self.0[random.below(self.0.len())].clone();
        for _ in 0..[0, 0, 1, 2, 5][random.below(5)] {
            let bit = random.below(code.len() * 8);
            code[bit / 8] ^= 1 << (bit % 8);
        }
        code
    }

    fn insert(&self, rows: usize, random: &mut Random) -> String {
        let mut value = || match random.below(50) {
            0 => "NULL".to_string(),
            _ => hex(&self.any(random)),
        };
        let values: Vec<String> = (0..rows).map(|_| value()).collect();
        format!(
            "INSERT INTO t (code) SELECT x::bitvec FROM unnest('{{{}}}'::text[]) x",
            values.join(",").replace('\\', "\\\\")
        )
    }
}

fn write(client: &mut Client, codes: &Codes, random: &mut Random) -> Result<Option<String>, Error> {
    let sql = match random.below(10) {
        0..5 => codes.insert([1, 10, 200, 2_000][random.below(4)], random),
        5..7 => format!(
            "UPDATE t SET code = {} WHERE id IN (SELECT id FROM t TABLESAMPLE SYSTEM (1) LIMIT 50)",
            literal(&codes.any(random))
        ),
        7 => "DELETE FROM t WHERE id IN (SELECT id FROM t TABLESAMPLE SYSTEM (2) LIMIT 400)".into(),
        8 => {
            let end = ["COMMIT", "ROLLBACK"][random.below(2)];
            format!("BEGIN; {}; {end}", codes.insert(100, random))
        }
        _ => format!(
            "INSERT INTO t (code) SELECT substr(sha256((g::text || '{}')::bytea), 1, 8)::bitvec
               FROM generate_series(1, 3000) g",
            random.bits()
        ),
    };
    client.batch_execute(&sql)?;
    Ok(None)
}

/// Compares an answer of the index with the sequential scan's, in one snapshot.
fn read(client: &mut Client, codes: &Codes, random: &mut Random) -> Result<Option<String>, Error> {
    let code = literal(&codes.any(random));
    let kind = random.below(5);
    if kind == 4 {
        let count = [1, 50, 3_000][random.below(3)];
        client.batch_execute(&format!(
            "SET enable_seqscan = off; BEGIN; DECLARE c CURSOR FOR SELECT id FROM t ORDER BY code <~> {code};
             FETCH {count} FROM c; COMMIT; SELECT * FROM usearch_index_stats('t_code')"
        ))?;
        return Ok(None);
    }
    let sql = match kind {
        0 => format!("SELECT id, code <~> {code} FROM t WHERE nphd_within(code, {code}, 0.15) ORDER BY id"),
        1 => format!("SELECT 0::bigint, d FROM (SELECT code <~> {code} d FROM t ORDER BY 1 LIMIT 60) n"),
        2 => format!(
            "SELECT count(*), count(DISTINCT id)::float8 FROM (SELECT id FROM t ORDER BY code <~> {code} OFFSET 0) n"
        ),
        _ => format!(
            "SELECT count(*), sum(d) FROM (SELECT round((code <~> {code})::numeric, 6)::float8 d FROM t ORDER BY code <~> {code} LIMIT 900) n"
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

fn maintain(client: &mut Client, _: &Codes, random: &mut Random) -> Result<Option<String>, Error> {
    client.batch_execute(match random.below(9) {
        0 | 1 => "VACUUM t",
        2 | 3 => "SELECT usearch_seal('t_code')",
        4 => "SELECT * FROM usearch_compact('t_code')",
        5 => "REINDEX INDEX CONCURRENTLY t_code",
        6 => {
            "CREATE INDEX CONCURRENTLY t_second ON t USING usearch (code)
               WITH (m = 4, ef_construction = 8, shard_size = '512kB')"
        }
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
    fn start(connector: &Connector, seed: u64) -> Sessions {
        let shared = Arc::<Shared>::default();
        let codes = Arc::new(Codes::new(&mut Random(seed)));
        let threads = SESSIONS.iter().enumerate().map(|(number, &(name, step))| {
            let (shared, codes, connector) = (shared.clone(), codes.clone(), connector.clone());
            let mut random = Random(seed * 100 + number as u64);
            thread::spawn(move || {
                let mut client = None;
                while !shared.stop.load(Ordering::SeqCst) {
                    shared.busy.fetch_add(1, Ordering::SeqCst);
                    if !shared.rest.load(Ordering::SeqCst) {
                        client = shared.step(name, client, &connector, |c| step(c, &codes, &mut random));
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
fn check(cluster: &Cluster, codes: &Codes, random: &mut Random) {
    let mut client = cluster.client();
    for index in indexes(&mut client) {
        assert_sound(&mut client, &index);
    }
    let (mut index, mut truth) = (index_client(cluster, "exact"), truth_client(cluster));
    let query = codes.any(random);
    assert_complete(&mut index, &mut truth, "t", &query);
    let distances = |hits: Vec<Hit>| -> Vec<_> { hits.iter().map(|hit| hit.1).collect() };
    let got = distances(nearest(&mut index, "t", &query, "LIMIT 60"));
    assert_eq!(got, distances(nearest(&mut truth, "t", &query, "LIMIT 60")));
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn kills_amid_everything() {
    let kills = number_from_environment("ISCC_KILLS").unwrap_or(KILLS);
    let seed = number_from_environment("ISCC_SEED").unwrap_or(1);
    let mut settings = SETTINGS.to_vec();
    if seed.is_multiple_of(2) {
        settings.push(("iscc_usearch.failpoint", "build_meanwhile:on"));
    }
    let mut cluster = Cluster::with(&settings);
    each(&mut cluster.client(), TABLE);
    let mut random = Random(seed);
    let codes = Codes::new(&mut Random(seed));
    let started = Instant::now();
    let sessions = Sessions::start(&cluster.connector(), seed);
    let (mut done, mut checks) = (0, 0);
    while done < kills {
        let pause = [50, 200, 500, 1_000, 1_500][random.below(5)];
        thread::sleep(Duration::from_millis(pause));
        if !kill(&mut cluster, &mut random) {
            continue;
        }
        done += 1;
        if done % KILLS_PER_CHECK == 0 || done == kills {
            sessions.at_rest(|| check(&cluster, &codes, &mut random));
            checks += 1;
            // Shown when the test fails.
            println!("{done} kills, {checks} checks");
        }
    }
    let steps = sessions.finish();
    let mut client = cluster.client();
    indexes(&mut client);
    each(&mut client, "VACUUM t");
    wait_until("the worker is done", || {
        let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'iscc_usearch worker'";
        value::<i64>(&mut client, workers) == 0
    });
    check(&cluster, &codes, &mut random);
    assert_no_orphans(&cluster, &mut client);
    let sizes = hits(
        &mut client,
        "SELECT pg_relation_size('t'), index_bytes::float8 FROM usearch_index_stats('t_code')",
    );
    eprintln!(
        "stress: {kills} kills, {checks} checks in {:.0} s (seed {seed}), table and index {sizes:?}: {steps:?}",
        started.elapsed().as_secs_f64()
    );
}
