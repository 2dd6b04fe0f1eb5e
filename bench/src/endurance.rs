//! A million codes with the background worker on: what writing costs, and what queries cost meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cluster_tests::codes::{Row, create_table, flipped, insert_sql, load};
use cluster_tests::search::value;
use cluster_tests::{Cluster, Connector, Random};
use postgres::Client;

use crate::measure::{median, milliseconds, quantile};

/// Codes in the table.
const ROWS: usize = 1_000_000;
/// Rows of a commit in the growth test.
const SMALL_BATCH: usize = 100;
/// Rows a second in the steady test: fewer than one thread builds.
const STEADY_RATE: f64 = 5_000.0;
/// Time between two lines about an index that grows.
const LINE: Duration = Duration::from_secs(5);

/// All of it.
pub fn run(stored: &[Row]) {
    let cluster = Cluster::with(&[
        ("shared_buffers", "1GB"),
        ("maintenance_work_mem", "1GB"),
        ("max_wal_size", "8GB"),
        ("iscc_usearch.background_worker", "on"),
    ]);
    let rows = variants(stored, ROWS);
    println!("Writing with the background worker on, {ROWS} variants of the text codes\n");
    small_batches(&cluster, &rows);
    let more = variants(&rows[..ROWS / 4], ROWS / 2);
    rates(&cluster, &more);
    steady(&cluster, &more);
    vacuum(&cluster);
    cluster.assert_no_crash();
}

/// Distinct codes near real ones: each bit is flipped with a probability of 1/20.
fn variants(codes: &[Row], count: usize) -> Vec<Row> {
    let mut random = Random(count as u64);
    let near = |id: usize| {
        let code = flipped(&codes[id % codes.len()].full, 65_536 / 20, &mut random);
        Row {
            id: id as i64,
            full: code.clone(),
            code,
        }
    };
    (0..count).map(near).collect()
}

/// What the index looks like, and what a query costs: (entries, tail, shards, median, 90 % quantile in ms).
struct Observer {
    client: Client,
    statement: postgres::Statement,
    queries: Vec<String>,
    next: usize,
}

impl Observer {
    fn new(cluster: &Cluster, rows: &[Row]) -> Self {
        let mut client = cluster.client();
        client.batch_execute("SET enable_seqscan = off").expect("SET");
        let statement = client
            .prepare("SELECT id FROM w ORDER BY code <~> $1::text::bitvec LIMIT 10")
            .expect("prepare");
        let queries = rows
            .iter()
            .step_by(rows.len() / 500)
            .map(|row| cluster_tests::codes::hex(&row.code))
            .collect();
        Observer {
            client,
            statement,
            queries,
            next: 0,
        }
    }

    fn latencies(&mut self, count: usize) -> Vec<f64> {
        (0..count)
            .map(|_| {
                self.next += 1;
                let query = &self.queries[self.next % self.queries.len()];
                milliseconds(|| {
                    self.client.query(&self.statement, &[query]).expect("query");
                })
            })
            .collect()
    }

    /// Prints a line; the length of the tail, and the median latency.
    fn line(&mut self, seconds: f64) -> (i64, f64) {
        let times = self.latencies(40);
        let row = self
            .client
            .query_one(
                "SELECT entries, tail_entries, shards FROM usearch_index_stats('w_code')",
                &[],
            )
            .expect("stats");
        let (entries, tail, shards): (i64, i64, i32) = (row.get(0), row.get(1), row.get(2));
        println!(
            "| {seconds:.0} | {entries} | {tail} | {shards} | {:.2} | {:.2} |",
            median(&times),
            quantile(&times, 0.9)
        );
        (tail, median(&times))
    }
}

const HEAD: &str = "| s | entries | tail | shards | query, median ms | query, 90 % ms |\n|---|---|---|---|---|---|";

/// Runs `work` in a thread and prints a line every few seconds until it is done and the worker, too.
fn observed(cluster: &Cluster, rows: &[Row], work: impl FnOnce(Client) + Send) {
    println!("{HEAD}");
    let started = Instant::now();
    let mut observer = Observer::new(cluster, rows);
    let connector = cluster.connector();
    let mut waiting: Vec<(i64, f64)> = Vec::new();
    thread::scope(|scope| {
        let writer = scope.spawn(move || work(connector.client()));
        loop {
            thread::sleep(LINE);
            let line = observer.line(started.elapsed().as_secs_f64());
            if writer.is_finished() {
                waiting.push(line);
            }
            if writer.is_finished() && !works(&mut observer.client) {
                break;
            }
        }
        writer.join().expect("writer");
    });
    let (_, without) = observer.line(started.elapsed().as_secs_f64());
    println!();
    let long: Vec<f64> = waiting
        .into_iter()
        .filter(|&(tail, _)| tail > ROWS as i64 / 4)
        .map(|(tail, with)| (with - without) * 1e6 / tail as f64)
        .collect();
    if !long.is_empty() {
        println!(
            "each code of the tail cost a query {:.2} ns, besides the build (median of the lines after the last insert)\n",
            median(&long)
        );
    }
}

fn works(client: &mut Client) -> bool {
    value::<i64>(
        client,
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'iscc_usearch worker'",
    ) > 0
}

fn new_table(client: &mut Client) {
    client.batch_execute("DROP TABLE IF EXISTS w").expect("DROP");
    create_table(client, "w");
    client
        .batch_execute("ALTER TABLE w DROP CONSTRAINT w_pkey; CREATE INDEX w_code ON w USING usearch (code)")
        .expect("index");
}

/// A million rows in small commits, as fast as they go.
fn small_batches(cluster: &Cluster, rows: &[Row]) {
    let mut client = cluster.client();
    new_table(&mut client);
    println!("{ROWS} inserts, {SMALL_BATCH} per commit, until the worker has finished");
    let slowest = AtomicU64::new(0);
    observed(cluster, rows, |mut client| {
        for batch in rows.chunks(SMALL_BATCH) {
            let sql = insert_sql("w", batch);
            let micros = milliseconds(|| client.batch_execute(&sql).expect("INSERT")) * 1000.0;
            slowest.fetch_max(micros as u64, Ordering::Relaxed);
        }
    });
    let shards: i64 = value(&mut client, "SELECT count(*) FROM usearch_shards('w_code')");
    let builds: i32 = value(&mut client, "SELECT max(level)::int + 1 FROM usearch_shards('w_code')");
    println!(
        "{shards} shards; a row was built into a shard at most {builds} times, {:.2} times on average; the slowest commit took {:.1} ms\n",
        built_entries(cluster) as f64 / ROWS as f64,
        slowest.into_inner() as f64 / 1000.0
    );
}

/// Entries built into shards, by the server's log.
fn built_entries(cluster: &Cluster) -> u64 {
    let log = cluster.log();
    let built = log.lines().filter_map(|line| {
        let mut words = line.split("LOG:  ").nth(1)?.split(' ');
        matches!(words.next()?, "sealed" | "merged" | "moved").then_some(())?;
        words.next()?.parse::<u64>().ok()
    });
    built.sum()
}

/// Single-row commits and COPY into the index of a million codes, beside a table without an index.
fn rates(cluster: &Cluster, rows: &[Row]) {
    let mut client = cluster.client();
    client.batch_execute("DROP TABLE IF EXISTS plain").expect("DROP");
    client
        .batch_execute("CREATE TABLE plain (id bigint, code bitvec(256))")
        .expect("table");
    let (mut single, mut copy) = ([vec![], vec![]], [vec![], vec![]]);
    let mut parts = rows.chunks(20_000);
    // The tables take turns, so that a busy minute of the machine hits both.
    for round in 0..8 {
        let mut tables = [(0, "plain"), (1, "w")];
        tables.rotate_left(round % 2);
        for (at, table) in tables {
            let part = parts.next().expect("enough rows");
            let (one_by_one, bulk) = part.split_at(4_000);
            let sql = format!("INSERT INTO {table} VALUES ($1, $2::text::bitvec)");
            let statement = client.prepare(&sql).expect("prepare");
            let codes: Vec<String> = one_by_one.iter().map(|r| cluster_tests::codes::hex(&r.code)).collect();
            single[at].push(milliseconds(|| {
                for (row, code) in one_by_one.iter().zip(&codes) {
                    client.execute(&statement, &[&row.id, code]).expect("INSERT");
                }
            }));
            copy[at].push(milliseconds(|| load(&mut client, table, bulk)));
        }
    }
    println!("Into an index of {ROWS} codes, one client, median of 8");
    println!("| | rows/s without index | rows/s with usearch | ratio |");
    println!("|---|---|---|---|");
    for (what, times, count) in [("single-row commits", &single, 4_000.0), ("COPY", &copy, 16_000.0)] {
        let rate = |at: usize| count / median(&times[at]) * 1000.0;
        println!(
            "| {what} | {:.0} | {:.0} | {:.2} |",
            rate(0),
            rate(1),
            rate(1) / rate(0)
        );
    }
    println!();
}

/// Inserts at a rate that the worker keeps up with, and queries beside them.
fn steady(cluster: &Cluster, rows: &[Row]) {
    println!("{STEADY_RATE:.0} rows/s into an index of {ROWS} codes");
    let before = Observer::new(cluster, rows).latencies(300);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (connector, rows, stop) = (cluster.connector(), rows.to_vec(), stop.clone());
        thread::spawn(move || insert_steadily(&connector, &rows, &stop))
    };
    println!("{HEAD}");
    let started = Instant::now();
    let mut observer = Observer::new(cluster, rows);
    let mut meanwhile = Vec::new();
    let mut tails = Vec::new();
    while started.elapsed() < Duration::from_secs(60) {
        let line = Instant::now();
        while line.elapsed() < LINE {
            meanwhile.extend(observer.latencies(20));
            thread::sleep(Duration::from_millis(100));
        }
        tails.push(observer.line(started.elapsed().as_secs_f64()).0);
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("writer");
    println!(
        "\nmedian of a query {:.2} ms before and {:.2} ms meanwhile; the longest tail had {} entries\n",
        median(&before),
        median(&meanwhile),
        tails.iter().max().unwrap_or(&0)
    );
}

fn insert_steadily(connector: &Connector, rows: &[Row], stop: &AtomicBool) {
    const BATCH: usize = 50;
    let mut client = connector.client();
    let started = Instant::now();
    for (n, batch) in rows.chunks(BATCH).enumerate() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let due = Duration::from_secs_f64((n * BATCH) as f64 / STEADY_RATE);
        thread::sleep(due.saturating_sub(started.elapsed()));
        client.batch_execute(&insert_sql("w", batch)).expect("INSERT");
    }
}

/// VACUUM after deleting one row in five, beside the same table with a btree on the code.
fn vacuum(cluster: &Cluster) {
    let mut client = cluster.client();
    let rows: i64 = value(&mut client, "SELECT count(*) FROM w");
    client
        .batch_execute("CREATE TABLE b AS TABLE w; CREATE INDEX ON b USING btree (code)")
        .expect("copy");
    let mut times = Vec::new();
    for table in ["b", "w"] {
        client
            .batch_execute(&format!("DELETE FROM {table} WHERE id % 5 = 0"))
            .expect("DELETE");
        client.batch_execute("CHECKPOINT").expect("CHECKPOINT");
        times.push(milliseconds(|| {
            client.batch_execute(&format!("VACUUM {table}")).expect("VACUUM");
        }));
    }
    println!(
        "VACUUM of {rows} rows after deleting 20 %: {:.0} ms, with a btree {:.0} ms: {:.2} times as long\n",
        times[1],
        times[0],
        times[1] / times[0]
    );
}
