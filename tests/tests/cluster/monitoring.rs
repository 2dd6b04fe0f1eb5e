//! What those who run a server see: the views, their numbers while work is going on, and the files under `contrib/`.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use cluster_tests::codes::{self, create_indexed, create_table, load};
use cluster_tests::search::{each, seal, server_version, value};
use cluster_tests::{Cluster, wait_until};
use postgres::{Client, SimpleQueryMessage};

/// A view of a session that is held while it does `sql`, with this failpoint.
fn while_held(cluster: &Cluster, failpoint: &str, sql: &str, look: impl FnOnce(&mut Client, i32)) {
    let mut holder = cluster.client();
    each(&mut holder, "SELECT pg_advisory_lock(42)");
    let mut worker = cluster.client();
    let pid = value::<i32>(&mut worker, "SELECT pg_backend_pid()");
    each(
        &mut worker,
        &format!("LOAD 'iscc_usearch'; SET iscc_usearch.failpoint = '{failpoint}:lock'"),
    );
    thread::scope(|scope| {
        let running = scope.spawn(|| each(&mut worker, sql));
        wait_until("the session is held", || {
            let waits = format!("SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND pid = {pid}");
            value(&mut holder, &waits)
        });
        // Whatever happens, the session must go on, or nobody ends.
        let looked = catch_unwind(AssertUnwindSafe(|| look(&mut holder, pid)));
        each(&mut holder, "RESET ROLE; SELECT pg_advisory_unlock(42)");
        looked.unwrap_or_else(|why| resume_unwind(why));
        running.join().expect("the session");
    });
    assert_eq!(value::<i64>(&mut holder, "SELECT count(*) FROM usearch_progress"), 0);
}

/// A row of the view of progress, as text.
fn progress(client: &mut Client) -> String {
    let sql =
        "SELECT COALESCE(string_agg(concat_ws(' ', pid, datname, indexrelid::regclass, indexrelname, command, phase,
                      done, total), ';'), '') FROM usearch_progress";
    value(client, sql)
}

/// Each kind of work is shown while it is done, to those who may see what the session does, and not after its end.
#[test]
fn progress_of_each_kind() {
    let rows = codes::text(3_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    each(&mut client, "REINDEX INDEX t_code; CREATE ROLE stranger");
    load(&mut client, "t", &codes::text(3_500)[3_000..]);
    while_held(
        &cluster,
        "shard_before_list",
        "SELECT usearch_seal('t_code')",
        |client, pid| {
            let shown = format!("{pid} postgres t_code t_code sealing writing the file 0");
            assert_eq!(progress(client), shown);
            let state = "SELECT worker_state FROM usearch_indexes WHERE indexrelname = 't_code'";
            assert_eq!(value::<String>(client, state), "working");
            // Others see that there is somebody, and where.
            each(client, "SET ROLE stranger");
            assert_eq!(progress(client), format!("{pid} postgres"));
            each(
                client,
                "RESET ROLE; GRANT pg_read_all_stats TO stranger; SET ROLE stranger",
            );
            assert_eq!(progress(client), shown);
            each(client, "RESET ROLE");
        },
    );
    each(&mut client, "DELETE FROM t WHERE id % 3 = 0; VACUUM t");
    while_held(
        &cluster,
        "move_after_copy",
        "SELECT usearch_compact('t_code')",
        |client, pid| {
            let shown = progress(client);
            let start = format!("{pid} postgres t_code t_code compacting moving entries ");
            let (done, total) = shown
                .strip_prefix(&start)
                .and_then(|s| s.split_once(' '))
                .expect(&shown);
            assert!(done == total && done != "0", "{shown}");
        },
    );
    // An error ends it.
    let mut failing = cluster.client();
    each(
        &mut failing,
        "LOAD 'iscc_usearch'; SET iscc_usearch.failpoint = 'shard_before_list:error'",
    );
    load(&mut failing, "t", &codes::text(4_000)[3_500..]);
    failing
        .batch_execute("SELECT usearch_seal('t_code')")
        .expect_err("failpoint");
    assert_eq!(progress(&mut failing), "");
    // CREATE INDEX has a view of PostgreSQL's.
    let create = "CREATE INDEX other ON t USING usearch (code)";
    while_held(&cluster, "shard_before_list", create, |client, _| {
        assert_eq!(progress(client), "");
        let phase = "SELECT phase FROM pg_stat_progress_create_index";
        assert_eq!(value::<String>(client, phase), "building index: building shards");
    });
}

/// While a graph is built, how much of it there is grows, and the session waits for an event with a name.
#[test]
fn progress_of_a_graph() {
    let rows = codes::text(20_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    each(&mut client, "CREATE INDEX t_code ON t USING usearch (code)");
    load(&mut client, "t", &rows);
    let mut worker = cluster.client();
    let mut seen = Vec::new();
    let mut event = None;
    thread::scope(|scope| {
        let running = scope.spawn(|| seal(&mut worker, "t_code"));
        while !running.is_finished() {
            let row = client
                .query_opt(
                    "SELECT done, total FROM usearch_progress WHERE phase = 'building the graph' AND total > 0",
                    &[],
                )
                .expect("progress");
            if let Some(row) = row {
                seen.push((row.get::<_, i64>(0), row.get::<_, i64>(1)));
                let waits = "SELECT max(wait_event) FROM pg_stat_activity WHERE query LIKE 'SELECT usearch_seal(%' AND pid <> pg_backend_pid()";
                thread::sleep(Duration::from_millis(5));
                event = value::<Option<String>>(&mut client, waits).or(event.take());
            }
        }
        running.join().expect("seal");
    });
    let (first, last) = (seen.first().expect("nothing seen"), seen.last().expect("nothing seen"));
    assert!(seen.is_sorted(), "{seen:?}");
    assert!(first.0 < last.0 && last.0 <= last.1 && last.1 <= 20_000, "{seen:?}");
    let expected = if server_version(&mut client) >= 17 {
        "UsearchBuild"
    } else {
        "Extension"
    };
    assert_eq!(event.as_deref(), Some(expected));
}

/// An index that is locked, damaged or lacks a file does not keep the view from showing the others.
#[test]
fn one_index_in_trouble() {
    let rows = codes::text(3_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    each(
        &mut client,
        "REINDEX INDEX t_code; CREATE TABLE u AS SELECT * FROM t; CREATE INDEX u_code ON u USING usearch (code)",
    );
    let state = |client: &mut Client| {
        let sql = "SELECT string_agg(concat_ws(' ', indexrelname, entries, unusable_shards, worker_state), ', '
                          ORDER BY indexrelname) FROM usearch_indexes";
        value::<String>(client, sql)
    };
    assert_eq!(state(&mut client), "t_code 3000 0 idle, u_code 3000 0 idle");
    let file: String = value(&mut client, "SELECT min(file) FROM usearch_shards('t_code')");
    fs::remove_file(cluster.data_dir().join(file)).expect("remove");
    assert_eq!(state(&mut client), "t_code 3000 1 due, u_code 3000 0 idle");

    let mut other = cluster.client();
    each(&mut other, "BEGIN; DROP INDEX t_code");
    each(&mut client, "SET statement_timeout = '60s'");
    assert_eq!(state(&mut client), "t_code, u_code 3000 0 idle");
    each(&mut other, "ROLLBACK");

    let path: String = value(&mut client, "SELECT pg_relation_filepath('u_code')");
    each(&mut client, "CHECKPOINT");
    let file = cluster.data_dir().join(path);
    let mut pages = fs::read(&file).expect("read");
    pages[100..200].fill(0xff);
    drop((client, other));
    let mut cluster = cluster;
    cluster.stop(cluster_tests::Shutdown::Fast);
    fs::write(&file, &pages).expect("write");
    cluster.give_to_server(&file);
    cluster.set("ignore_checksum_failure", "on");
    cluster.start_server();
    assert_eq!(state(&mut cluster.client()), "t_code 3000 1 due, u_code");
}

/// A metric of `contrib/prometheus/queries.yaml`: the columns that it says its query has, and which of them are
/// numbers.
struct Metric {
    name: String,
    query: String,
    columns: Vec<(String, String)>,
}

fn contrib(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib").join(path);
    fs::read_to_string(&file).unwrap_or_else(|why| panic!("{file:?}: {why}"))
}

/// Reads the file, of whose format it knows what the file has.
fn metrics() -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for line in contrib("prometheus/queries.yaml").lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        match (indent, text) {
            (_, text) if text.is_empty() || text.starts_with('#') => {}
            (0, name) => metrics.push(Metric {
                name: name.strip_suffix(':').expect(name).to_string(),
                query: String::new(),
                columns: Vec::new(),
            }),
            (2, "query: |" | "metrics:") => {}
            (indent, text) => {
                let metric = metrics.last_mut().expect("a metric");
                if let Some(column) = text.strip_prefix("- ").filter(|_| indent == 4) {
                    metric
                        .columns
                        .push((column.trim_end_matches(':').to_string(), String::new()));
                } else if let Some(usage) = text.strip_prefix("usage: ") {
                    metric.columns.last_mut().expect("a column").1 = usage.to_string();
                } else if metric.columns.is_empty() {
                    metric.query += &format!("{text}\n");
                } else {
                    assert!(text.starts_with("description: "), "{line}");
                }
            }
        }
    }
    metrics
}

/// The queries for Prometheus run as a role that monitors, in the way of the exporter, and have the columns that they
/// say. The dashboard uses all metrics, and no others.
#[test]
fn metrics_and_dashboard() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &codes::text(3_000));
    each(
        &mut client,
        "SELECT usearch_seal('t_code'); DELETE FROM t WHERE id % 3 = 0; VACUUM t;
         CREATE ROLE exporter LOGIN; GRANT pg_monitor TO exporter",
    );
    let mut names = BTreeSet::new();
    while_held(
        &cluster,
        "move_after_copy",
        "SELECT usearch_compact('t_code')",
        |client, _| {
            each(client, "SET ROLE exporter");
            for metric in metrics() {
                let statement = client.prepare(&metric.query).expect(&metric.query);
                let columns: BTreeSet<&str> = statement.columns().iter().map(|column| column.name()).collect();
                let described: BTreeSet<&str> = metric.columns.iter().map(|(column, _)| column.as_str()).collect();
                assert_eq!(columns, described, "{}", metric.name);
                let numbers: Vec<&String> = metric
                    .columns
                    .iter()
                    .filter(|(_, usage)| usage != "LABEL")
                    .map(|(c, _)| c)
                    .collect();
                let rows = client.simple_query(&metric.query).expect(&metric.query);
                let mut rows = rows.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                let row = rows.next().unwrap_or_else(|| panic!("{}: no row", metric.name));
                for column in &numbers {
                    let text = row
                        .get(column.as_str())
                        .unwrap_or_else(|| panic!("{}: {column} is NULL", metric.name));
                    assert!(
                        text.parse::<f64>().is_ok_and(f64::is_finite),
                        "{}: {column} = {text}",
                        metric.name
                    );
                }
                names.extend(numbers.iter().map(|column| format!("{}_{column}", metric.name)));
            }
            each(client, "RESET ROLE");
        },
    );
    let expressions = "SELECT string_agg(e #>> '{}', ' ') FROM jsonb_path_query($1::text::jsonb, '$.**.expr') e";
    let row = client
        .query_one(expressions, &[&contrib("grafana/dashboard.json")])
        .expect("the dashboard");
    let expressions: String = row.get(0);
    let words = expressions.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let used: BTreeSet<String> = words
        .filter(|word| word.starts_with("usearch_"))
        .map(str::to_string)
        .collect();
    assert_eq!(used, names);
}
