//! A table on four servers, by postgres_fdw, beside the same rows in one table. Writes `docs/more-machines.md`.

use std::io::Write;
use std::path::Path;

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row};
use cluster_tests::search::value;
use postgres::Client;

use crate::compare::{reduced, thousands};
use crate::markdown::{machine, replace_section, table};
use crate::measure::{median, milliseconds, quantile};

const SERVERS: usize = 4;
/// Rows of all servers together.
const ROWS: usize = 10_000_000;
const BATCH: usize = 100_000;
/// Queries whose times count, and those before them: a connection that is new finds nothing in its caches.
const QUERIES: usize = 300;
const WARM_UP: usize = 300;

/// Latencies of searches and thresholds.
pub fn run() {
    let rows = reduced().unwrap_or(ROWS);
    let settings = [
        ("shared_buffers", "512MB"),
        ("maintenance_work_mem", "1GB"),
        ("max_wal_size", "8GB"),
    ];
    let head = Cluster::with(&settings);
    let mut client = head.client();
    if client.batch_execute("CREATE EXTENSION postgres_fdw").is_err() {
        eprintln!("left out: servers, for this installation has no postgres_fdw");
        return;
    }
    let simprints: Vec<Row> = codes::simprints().into_iter().map(|(row, _)| row).collect();
    let parts: Vec<Cluster> = (0..SERVERS).map(|_| Cluster::with(&settings)).collect();
    store(&simprints, rows, &mut client, &parts);
    let near = codes::sample(&simprints, QUERIES + WARM_UP);
    let queries = codes::variants_of(&near, 11).take(QUERIES + WARM_UP);
    let queries: Vec<String> = queries.map(|row| codes::literal(&row.code)).collect();
    let lines = statements().map(|(statement, from, sql)| {
        let times = times(&mut client, &sql, &queries);
        let [median, p95] = [median(&times), quantile(&times, 0.95)].map(|time| format!("{time:.3}"));
        vec![statement.to_string(), from.to_string(), median, p95]
    });
    let version: String = value(&mut client, "SHOW server_version");
    let head = format!("{} codes, PostgreSQL {version}; {}.\n\n", thousands(rows), machine());
    let text = head + &table(&["statement", "rows from", "median, ms", "95 %"], lines);
    println!("{text}");
    if reduced().is_none() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/more-machines.md");
        replace_section(&page, "servers", &text);
    }
}

/// Puts the same rows into one table and into those of the other servers, which are attached to it.
fn store(simprints: &[Row], rows: usize, client: &mut Client, parts: &[Cluster]) {
    let mut stored = codes::variants_of(simprints, 2);
    let sql = "CREATE TABLE whole (id bigint, code bitvec(256));
               CREATE TABLE spread (id bigint, code bitvec(256)) PARTITION BY RANGE (id)";
    client.batch_execute(sql).expect("tables");
    for (number, part) in parts.iter().enumerate() {
        let mut remote = part.client();
        let table = "CREATE TABLE part (id bigint, code bitvec(256))";
        remote.batch_execute(table).expect("CREATE TABLE");
        load(
            &mut stored,
            rows / SERVERS,
            &mut [(&mut remote, "part"), (client, "whole")],
        );
        index(&mut remote, "part");
        let socket: String = value(&mut remote, "SHOW unix_socket_directories");
        attach(client, number, rows, &socket);
    }
    index(client, "whole");
    // What was loaded later may have taken their files out of the cache.
    for part in parts {
        prewarm(&mut part.client(), "part");
    }
    prewarm(client, "whole");
}

/// What is asked, of which rows, and the SQL with `$` for the query.
fn statements() -> [(&'static str, &'static str, String); 7] {
    let search = |table: &str| format!("SELECT id, code <~> $ FROM {table} ORDER BY code <~> $ LIMIT 10");
    let any = |table: &str| format!("SELECT id, code <~> $ FROM {table} LIMIT 10");
    let within = |table: &str| format!("SELECT id FROM {table} WHERE nphd_within(code, $, 0.05)");
    [
        ("SELECT 1", "", "SELECT 1".into()),
        // What the servers have to say to each other, with next to nothing to do in between.
        ("any ten", "each partition's any ten", of_each(any)),
        ("the ten nearest", "one table", search("whole")),
        ("the ten nearest", "the partitioned table", search("spread")),
        ("the ten nearest", "each partition's ten nearest", of_each(search)),
        ("all within 0.05", "one table", within("whole")),
        ("all within 0.05", "the partitioned table", within("spread")),
    ]
}

/// The ten nearest of what is selected from each partition.
fn of_each(select: impl Fn(&str) -> String) -> String {
    let each: Vec<String> = (0..SERVERS)
        .map(|number| format!("({})", select(&format!("p{number}"))))
        .collect();
    let all = each.join(" UNION ALL ");
    format!("SELECT * FROM ({all} OFFSET 0) n (id, distance) ORDER BY distance LIMIT 10")
}

/// Copies so many rows into each of the tables.
fn load(stored: &mut impl Iterator<Item = Row>, rows: usize, tables: &mut [(&mut Client, &str)]) {
    let mut left = rows;
    while left > 0 {
        let batch = stored.by_ref().take(BATCH.min(left));
        let lines: Vec<String> = batch
            .map(|row| format!("{}\t\\{}\n", row.id, codes::hex(&row.code)))
            .collect();
        left -= lines.len();
        let text = lines.concat();
        for (client, table) in &mut *tables {
            let mut writer = client.copy_in(&format!("COPY {table} FROM STDIN")).expect("COPY");
            writer.write_all(text.as_bytes()).expect("COPY data");
            writer.finish().expect("COPY");
        }
    }
}

fn index(client: &mut Client, table: &str) {
    client
        .batch_execute(&format!("CREATE INDEX ON {table} USING usearch (code)"))
        .expect("CREATE INDEX");
    client
        .batch_execute(&format!("VACUUM ANALYZE {table}"))
        .expect("VACUUM");
}

fn prewarm(client: &mut Client, table: &str) {
    client
        .batch_execute(&format!("SELECT usearch_prewarm('{table}_code_idx')"))
        .expect("usearch_prewarm");
}

fn attach(client: &mut Client, number: usize, rows: usize, socket: &str) {
    let first = 1 + number * rows / SERVERS;
    let sql = format!(
        "CREATE SERVER s{number} FOREIGN DATA WRAPPER postgres_fdw
           OPTIONS (host '{socket}', dbname 'postgres', extensions 'iscc_usearch', async_capable 'true', parallel_commit 'true');
         CREATE USER MAPPING FOR postgres SERVER s{number} OPTIONS (user 'postgres');
         CREATE FOREIGN TABLE p{number} PARTITION OF spread FOR VALUES FROM ({first}) TO ({})
           SERVER s{number} OPTIONS (table_name 'part')",
        first + rows / SERVERS
    );
    client.batch_execute(&sql).expect("a partition");
}

/// Milliseconds of each query, after a few that are not counted.
fn times(client: &mut Client, sql: &str, queries: &[String]) -> Vec<f64> {
    let mut ask = |query: &String| {
        let sql = sql.replace('$', query);
        milliseconds(|| drop(client.query(&sql, &[]).expect("query")))
    };
    let (counted, others) = queries.split_at(QUERIES.min(queries.len()));
    others.iter().for_each(|query| _ = ask(query));
    counted.iter().map(ask).collect()
}
