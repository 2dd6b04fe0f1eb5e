//! A committed row is in the index whenever the processes end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use cluster_tests::codes::{self, Row, create_table, insert_sql, load};
use cluster_tests::search::{
    assert_complete, assert_exact, assert_no_orphans, assert_sound, each, index_client, seal, truth_client,
};
use cluster_tests::{Cluster, Connector, wait_until};
use postgres::Client;

/// Everything that is committed is found, exactly; no file is left that no index lists.
fn assert_recovered(cluster: &Cluster, queries: &[Row]) {
    let mut truth = truth_client(cluster);
    for mode in ["exact", "auto"] {
        assert_complete(&mut index_client(cluster, mode), &mut truth, "t", &queries[0].code);
    }
    assert_exact(&mut index_client(cluster, "exact"), &mut truth, "t", queries);
    assert_sound(&mut truth, "t_code");
    assert_no_orphans(cluster, &mut truth);
}

/// Threads that insert until the server goes away, and the ids whose commit was acknowledged.
struct Writers {
    threads: Vec<JoinHandle<()>>,
    acknowledged: Arc<Mutex<Vec<i64>>>,
}

impl Writers {
    /// One writer for each batch size; together they insert `rows`.
    fn start(connector: &Connector, rows: &[Row], batch_sizes: &[usize]) -> Writers {
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let share = rows.len() / batch_sizes.len();
        let threads = batch_sizes
            .iter()
            .zip(rows.chunks(share))
            .map(|(&size, rows)| {
                let (connector, rows, acknowledged) = (connector.clone(), rows.to_vec(), acknowledged.clone());
                thread::spawn(move || {
                    let mut client = connector.client();
                    for batch in rows.chunks(size) {
                        if client.batch_execute(&insert_sql("t", batch)).is_err() {
                            return;
                        }
                        acknowledged.lock().unwrap().extend(batch.iter().map(|row| row.id));
                    }
                })
            })
            .collect();
        Writers { threads, acknowledged }
    }

    fn wait_for(&self, count: usize) {
        wait_until("enough rows are acknowledged", || {
            self.acknowledged.lock().unwrap().len() >= count
        });
    }

    /// The acknowledged ids, when all threads have ended.
    fn join(self) -> Vec<i64> {
        self.threads
            .into_iter()
            .for_each(|thread| thread.join().expect("writer"));
        Arc::into_inner(self.acknowledged)
            .expect("threads have ended")
            .into_inner()
            .unwrap()
    }
}

fn assert_present(client: &mut Client, ids: &[i64]) {
    let sql = "SELECT count(*) FROM unnest($1::bigint[]) id WHERE NOT EXISTS (SELECT FROM t WHERE t.id = id.id)";
    let lost: i64 = client.query_one(sql, &[&ids]).expect("count").get(0);
    assert_eq!(lost, 0, "acknowledged rows are lost");
}

fn indexed_table(cluster: &Cluster, rows: &[Row]) {
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", rows);
    client
        .batch_execute("CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '2MB')")
        .expect("CREATE INDEX");
}

/// The processes end while single rows and batches are being inserted and the tail is being sealed beside them.
#[test]
fn killed_during_inserts() {
    let rows = codes::text(40_000);
    let queries = codes::sample(&rows, 30);
    let mut cluster = Cluster::start();
    indexed_table(&cluster, &rows[..4_000]);
    for (round, rows) in rows[4_000..].chunks(12_000).enumerate() {
        let writers = Writers::start(&cluster.connector(), rows, &[1, 1, 100, 1000]);
        let stop = Arc::new(AtomicBool::new(false));
        let sealer = {
            let (connector, stop) = (cluster.connector(), stop.clone());
            thread::spawn(move || {
                let mut client = connector.client();
                while !stop.load(Ordering::Relaxed) && client.batch_execute("SELECT usearch_seal('t_code')").is_ok() {}
            })
        };
        writers.wait_for(500 + 2_000 * round);
        cluster.kill9_postmaster();
        stop.store(true, Ordering::Relaxed);
        sealer.join().expect("sealer");
        let acknowledged = writers.join();
        cluster.start_server();
        assert_present(&mut cluster.client(), &acknowledged);
        assert_recovered(&cluster, &queries);
    }
}

/// The processes end right after the last commit, with everything still in the tail; then after a seal; then after
/// VACUUM. Redo compares each page with an image of it: a WAL record that tells not all that changed ends the start.
#[test]
fn killed_after_inserts() {
    let rows = codes::text(8_000);
    let queries = codes::sample(&rows, 30);
    let mut cluster = Cluster::with(&[("wal_consistency_checking", "generic")]);
    indexed_table(&cluster, &rows[..1_000]);
    let acknowledged = Writers::start(&cluster.connector(), &rows[1_000..], &[1, 500]).join();
    cluster.kill9_postmaster();
    cluster.start_server();
    assert_present(&mut cluster.client(), &acknowledged);
    assert_recovered(&cluster, &queries);

    seal(&mut cluster.client(), "t_code");
    cluster.kill9_postmaster();
    cluster.start_server();
    assert_recovered(&cluster, &queries);

    each(
        &mut cluster.client(),
        "INSERT INTO t VALUES (-1, NULL), (-2, 'ff'); DELETE FROM t WHERE id % 3 = 0; VACUUM t",
    );
    cluster.kill9_postmaster();
    cluster.start_server();
    assert_recovered(&cluster, &queries);
}

/// Runs a statement in a thread and kills the server at the moment that `now` tells, or when the statement is through.
fn kill_during(cluster: &mut Cluster, sql: &'static str, mut now: impl FnMut(&Cluster) -> bool) {
    let connector = cluster.connector();
    let statement = thread::spawn(move || {
        // An error is what this is about: the server goes away.
        let _ = connector.client().batch_execute(sql);
    });
    wait_until("it is time to kill", || statement.is_finished() || now(cluster));
    cluster.kill9_postmaster();
    statement.join().expect("statement");
    cluster.start_server();
}

fn temporary_files(cluster: &Cluster) -> usize {
    let names = cluster.shard_files();
    names
        .iter()
        .filter(|f| {
            f.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with("pgsql_tmp"))
        })
        .count()
}

fn running(cluster: &Cluster, pattern: &str) -> bool {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '{pattern}' AND pid <> pg_backend_pid()"
    );
    cluster.psql(&sql) != "0"
}

/// The processes end during a seal: while the graph is built, while the file is written, just after it is renamed.
#[test]
fn killed_during_seal() {
    let rows = codes::text(36_000);
    let queries = codes::sample(&rows, 30);
    let mut cluster = Cluster::start();
    indexed_table(&cluster, &rows[..6_000]);
    for (round, rows) in rows[6_000..].chunks(10_000).enumerate() {
        load(&mut cluster.client(), "t", rows);
        let files = cluster.shard_files().len();
        let sql = "SELECT usearch_seal('t_code')";
        match round {
            0 => kill_during(&mut cluster, sql, |c| running(c, "%usearch_seal%")),
            1 => kill_during(&mut cluster, sql, |c| temporary_files(c) > 0),
            _ => kill_during(&mut cluster, sql, |c| {
                c.shard_files().len() - temporary_files(c) > files
            }),
        }
        assert_recovered(&cluster, &queries);
    }
    seal(&mut cluster.client(), "t_code");
    assert_recovered(&cluster, &queries);
}

/// The processes end during CREATE INDEX: no index, no file, and the next attempt succeeds.
#[test]
fn killed_during_create_index() {
    const CREATE: &str = "CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '2MB')";
    let rows = codes::text(60_000);
    let queries = codes::sample(&rows, 20);
    let mut cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows);
    drop(client);
    let moments: [fn(&Cluster) -> bool; 3] = [
        |c| running(c, "CREATE INDEX%"),
        |c| !c.shard_files().is_empty(),
        |c| c.shard_files().len() > temporary_files(c),
    ];
    for now in moments {
        kill_during(&mut cluster, CREATE, now);
        let mut client = cluster.client();
        // A fast build may have been through before the kill.
        each(&mut client, "DROP INDEX IF EXISTS t_code; CHECKPOINT");
        assert_no_orphans(&cluster, &mut client);
    }
    let mut client = cluster.client();
    client.batch_execute(CREATE).expect("CREATE INDEX");
    assert_recovered(&cluster, &queries);
}

/// One backend ends by SIGKILL in the middle of its inserts: the postmaster restarts all processes.
#[test]
fn killed_backend() {
    let rows = codes::text(20_000);
    let queries = codes::sample(&rows, 30);
    let mut cluster = Cluster::start();
    indexed_table(&cluster, &rows[..2_000]);
    let writers = Writers::start(&cluster.connector(), &rows[2_000..], &[1, 50, 200]);
    writers.wait_for(1_000);
    let pid = cluster.psql("SELECT min(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO t %'");
    cluster.kill9_backend(pid.parse().expect("a pid"));
    let acknowledged = writers.join();
    assert_present(&mut cluster.client(), &acknowledged);
    assert_recovered(&cluster, &queries);
}

/// Queries beside inserts and seals never miss a row that was committed before the query began, and see it once.
#[test]
fn queries_beside_seals() {
    let rows = codes::text(12_000);
    let cluster = Cluster::start();
    indexed_table(&cluster, &rows[..4_000]);
    let writers = Writers::start(&cluster.connector(), &rows[4_000..], &[20, 400]);
    let queries = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = ["auto", "graph", "exact"]
        .into_iter()
        .map(|mode| {
            let mut client = index_client(&cluster, mode);
            let (queries, acknowledged, rows) = (queries.clone(), writers.acknowledged.clone(), rows.clone());
            thread::spawn(move || {
                let whole: Vec<_> = rows.iter().filter(|row| row.code.len() == 32).collect();
                for i in 0..15 {
                    let before = acknowledged.lock().unwrap().clone();
                    let query = &whole[i * 97 % whole.len()];
                    let answer = cluster_tests::search::nearest(&mut client, "t", &query.code, "");
                    cluster_tests::search::assert_each_once(&answer);
                    let got: std::collections::HashSet<_> = answer.iter().map(|hit| hit.0).collect();
                    let missing = before.iter().filter(|id| !got.contains(id)).count();
                    assert_eq!(missing, 0, "{mode}: of {} acknowledged rows", before.len());
                    queries.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut sealer = cluster.client();
    while queries.load(Ordering::Relaxed) < 45 && readers.iter().any(|reader| !reader.is_finished()) {
        seal(&mut sealer, "t_code");
    }
    readers.into_iter().for_each(|reader| reader.join().expect("reader"));
    writers.join();
    seal(&mut sealer, "t_code");
    assert_recovered(&cluster, &codes::sample(&rows, 20));
}
