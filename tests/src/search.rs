//! Nearest-neighbour queries, through the index and without it, and how well the answers agree.

use std::collections::{BTreeSet, HashSet};

use postgres::{Client, SimpleQueryMessage};

use crate::codes::{Row, literal};
use crate::{Cluster, Connector, wait_until};

/// Distances are float8 and the answers of both plans come from the same function; this only forgives the printing.
const EPSILON: f64 = 1e-9;

/// One row of an answer; a NULL code has no distance.
pub type Hit = (i64, Option<f64>);

/// A connection whose plans use the index where they can.
pub fn index_client(cluster: &Cluster, mode: &str) -> Client {
    let mut client = cluster.client();
    use_index(&mut client, mode);
    client
}

/// Makes a connection's plans use the index where they can. Before PostgreSQL 18, a sort that cannot be avoided costs so much
/// then that JIT would compile the statement, which takes longer than the statement.
pub fn use_index(client: &mut Client, mode: &str) {
    let sql = format!(
        "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET enable_indexscan = on;
         SET jit = off; SET iscc_usearch.search_mode = '{mode}'"
    );
    client.batch_execute(&sql).expect("SET");
}

/// A connection that never uses an index: its answers are the truth.
pub fn truth_client(cluster: &Cluster) -> Client {
    let mut client = cluster.client();
    use_no_index(&mut client);
    client
}

/// Makes a connection's plans use no index.
fn use_no_index(client: &mut Client) {
    let sql = "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;
               SET enable_seqscan = on; SET enable_sort = on";
    client.batch_execute(sql).expect("SET");
}

/// Connections of one database: exact answers by the index, and the truth.
pub fn clients_of(connector: &Connector, database: &str) -> (Client, Client) {
    let (mut index, mut truth) = (connector.client_of(database), connector.client_of(database));
    use_index(&mut index, "exact");
    use_no_index(&mut truth);
    (index, truth)
}

/// Runs a query for (id, distance).
pub fn hits(client: &mut Client, sql: &str) -> Vec<Hit> {
    let rows = client.query(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The rows nearest to `code`: `rest` is what follows the ORDER BY clause.
pub fn nearest(client: &mut Client, table: &str, code: &[u8], rest: &str) -> Vec<Hit> {
    nearest_where(client, table, code, "true", rest)
}

/// The same among the rows that match a condition.
pub fn nearest_where(client: &mut Client, table: &str, code: &[u8], condition: &str, rest: &str) -> Vec<Hit> {
    let code = literal(code);
    let sql = format!("SELECT id, code <~> {code} FROM {table} WHERE {condition} ORDER BY code <~> {code} {rest}");
    hits(client, &sql)
}

/// The rows within a radius of `code`, in order of their ids.
pub fn within(client: &mut Client, table: &str, code: &[u8], radius: f64) -> Vec<Hit> {
    let code = literal(code);
    let sql = format!("SELECT id, code <~> {code} FROM {table} WHERE nphd_within(code, {code}, {radius:e})");
    let mut hits = hits(client, &sql);
    hits.sort_by_key(|hit| hit.0);
    hits
}

/// A radius at which some rows are near-duplicates of a code and others are not.
const RADIUS: f64 = 0.2;

/// Panics unless the answer has each row once, and NULL codes last.
pub fn assert_each_once(answer: &[Hit]) {
    let ids: HashSet<_> = answer.iter().map(|hit| hit.0).collect();
    assert_eq!(ids.len(), answer.len(), "a row came twice");
    let nulls = answer.iter().skip_while(|hit| hit.1.is_some());
    assert!(
        nulls.into_iter().all(|hit| hit.1.is_none()),
        "a NULL code came before others"
    );
}

/// The same, and nearer rows before farther ones. A graph search that goes on for long may find a near row late, so
/// this holds for exact answers and for the first rows of others.
pub fn assert_well_formed(answer: &[Hit]) {
    assert_each_once(answer);
    for pair in answer.windows(2) {
        let (a, b) = (pair[0].1.unwrap_or(f64::INFINITY), pair[1].1.unwrap_or(f64::INFINITY));
        assert!(a <= b + EPSILON, "distances do not ascend: {a} before {b}");
    }
}

/// Panics unless both answers have the same distances; rows of equal distance may be in any order.
pub fn assert_same_distances(got: &[Hit], truth: &[Hit]) {
    assert_well_formed(got);
    let distances = |hits: &[Hit]| -> Vec<_> { hits.iter().map(|hit| hit.1).collect() };
    assert_eq!(distances(got), distances(truth));
}

/// Panics unless the index answers exactly for these codes, with LIMIT 20 and within a radius.
pub fn assert_exact(index: &mut Client, truth: &mut Client, table: &str, queries: &[Row]) {
    for query in queries {
        let got = nearest(index, table, &query.code, "LIMIT 20");
        assert_same_distances(&got, &nearest(truth, table, &query.code, "LIMIT 20"));
        let got = within(index, table, &query.code, RADIUS);
        assert_eq!(got, within(truth, table, &query.code, RADIUS));
    }
}

/// How much of the truth an answer has. A row counts when it is no farther than the last row of the truth.
pub fn recall(got: &[Hit], truth: &[Hit]) -> f64 {
    assert_each_once(got);
    assert_eq!(got.len(), truth.len(), "too few rows");
    let farthest = truth.last().and_then(|hit| hit.1).expect("a distance") + EPSILON;
    got.iter().filter(|hit| hit.1.is_some_and(|d| d <= farthest)).count() as f64 / truth.len() as f64
}

/// Mean recall over queries of `LIMIT k`, among the rows that match a condition.
pub fn mean_recall(
    index: &mut Client,
    truth: &mut Client,
    table: &str,
    queries: &[Row],
    condition: &str,
    k: usize,
) -> f64 {
    let limit = format!("LIMIT {k}");
    let sum: f64 = queries
        .iter()
        .map(|query| {
            let got = nearest_where(index, table, &query.code, condition, &limit);
            if k <= 10 && condition == "true" {
                assert_well_formed(&got);
            }
            recall(&got, &nearest_where(truth, table, &query.code, condition, &limit))
        })
        .sum();
    sum / queries.len() as f64
}

/// Panics unless a scan of the whole index yields exactly the table's rows, each once.
pub fn assert_complete(index: &mut Client, truth: &mut Client, table: &str, query: &[u8]) {
    assert_complete_by(index, truth, table, &format!("code <~> {}", literal(query)));
}

/// The same in the order of this distance.
pub fn assert_complete_by(index: &mut Client, truth: &mut Client, table: &str, distance: &str) {
    let plan = explain(index, &format!("SELECT id FROM {table} ORDER BY {distance}"));
    assert!(plan.contains("Index Scan"), "not by the index:\n{plan}");
    let answer = nearest_by(index, table, distance, "");
    match value::<String>(index, "SHOW iscc_usearch.search_mode").as_str() {
        "exact" => assert_well_formed(&answer),
        _ => assert_each_once(&answer),
    }
    let mut got: Vec<_> = answer.iter().map(|hit| hit.0).collect();
    got.sort_unstable();
    let rows = truth
        .query(&format!("SELECT id FROM {table} ORDER BY id"), &[])
        .expect("ids");
    let expected: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let missing = expected.iter().filter(|id| got.binary_search(id).is_err()).count();
    assert!(
        got == expected,
        "{} rows of {}, {missing} missing",
        got.len(),
        expected.len()
    );
}

/// The rows nearest by this distance; `rest` is what follows the ORDER BY clause.
pub fn nearest_by(client: &mut Client, table: &str, distance: &str, rest: &str) -> Vec<Hit> {
    hits(
        client,
        &format!("SELECT id, {distance} FROM {table} ORDER BY {distance} {rest}"),
    )
}

/// Panics unless a table's index gives every row in each mode and, for these codes, the exact answer in exact mode.
pub fn assert_answers(connector: &Connector, database: &str, table: &str, queries: &[Row]) {
    let (mut index, mut truth) = clients_of(connector, database);
    for mode in ["auto", "graph", "exact"] {
        use_index(&mut index, mode);
        assert_complete(&mut index, &mut truth, table, &queries[0].code);
    }
    assert_exact(&mut index, &mut truth, table, queries);
}

/// The same for table `t` of the database `postgres`, and that the check of its index finds nothing.
pub fn assert_good(cluster: &Cluster, queries: &[Row]) {
    assert_answers(&cluster.connector(), "postgres", "t", queries);
    assert_sound(&mut cluster.client(), "t_code");
}

/// The same after an operation that does not take shard files along: first without them, then with rebuilt ones.
pub fn assert_rebuilt(cluster: &Cluster, queries: &[Row]) {
    assert_answers(&cluster.connector(), "postgres", "t", queries);
    seal(&mut cluster.client(), "t_code");
    assert_good(cluster, queries);
    assert_no_orphans(cluster, &mut cluster.client());
}

/// Panics unless index and table agree in one snapshot of table `t`, whatever other sessions do meanwhile.
pub fn assert_agrees(client: &mut Client, mode: &str, query: &Row) {
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .expect("BEGIN");
    use_no_index(client);
    let truth = nearest(client, "t", &query.code, "");
    use_index(client, mode);
    let got = nearest(client, "t", &query.code, "");
    let first = nearest(client, "t", &query.code, "LIMIT 20");
    let near = within(client, "t", &query.code, RADIUS);
    client.batch_execute("COMMIT").expect("COMMIT");
    assert_each_once(&got);
    assert_each_once(&first);
    assert_eq!(first.len(), truth.len().min(20), "{mode}: too few rows");
    let ids = |hits: &[Hit]| hits.iter().map(|hit| hit.0).collect::<BTreeSet<_>>();
    assert_eq!(ids(&got), ids(&truth), "{mode}");
    let is_near = |hit: &&Hit| hit.1.is_some_and(|distance| distance <= RADIUS);
    let mut truly_near: Vec<Hit> = truth.iter().filter(is_near).copied().collect();
    truly_near.sort_by_key(|hit| hit.0);
    assert_eq!(near, truly_near, "{mode}");
    if mode == "exact" {
        assert_same_distances(&got, &truth);
        assert_same_distances(&first, &truth[..first.len()]);
    }
}

/// Panics when a file is left that no index of this database lists.
pub fn assert_no_orphans(cluster: &Cluster, client: &mut Client) {
    client.batch_execute("CHECKPOINT").expect("CHECKPOINT");
    value::<i32>(client, "SELECT usearch_sweep()");
    let listed: i64 = value(
        client,
        "SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = c.relam, usearch_shards(c.oid) s
         WHERE a.amname = 'usearch' AND c.relkind = 'i' AND s.state <> 'missing'",
    );
    let files = cluster.shard_files();
    assert_eq!(files.len() as i64, listed, "{files:?}");
}

/// Panics when the structural check of an index finds a problem.
pub fn assert_sound(client: &mut Client, index: &str) {
    let sql = format!("SELECT part, problem FROM usearch_check('{index}'::regclass, true)");
    let rows = client.query(&sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let problems: Vec<String> = rows
        .iter()
        .map(|row| format!("{}: {}", row.get::<_, String>(0), row.get::<_, String>(1)))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The plan of a statement.
pub fn explain(client: &mut Client, sql: &str) -> String {
    explain_with(client, "COSTS OFF", sql)
}

/// What EXPLAIN with these options prints.
pub fn explain_with(client: &mut Client, options: &str, sql: &str) -> String {
    let messages = client
        .simple_query(&format!("EXPLAIN ({options}) {sql}"))
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let lines = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One value of the first row.
pub fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client
        .query_one(sql, &[])
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"))
        .get(0)
}

/// The server's major version.
pub fn server_version(client: &mut Client) -> i32 {
    value(client, "SELECT current_setting('server_version_num')::int / 10000")
}

/// Seals the tail of an index; how many entries that moved.
pub fn seal(client: &mut Client, index: &str) -> i64 {
    value(client, &format!("SELECT usearch_seal('{index}'::regclass)"))
}

/// Waits until no worker is at work, nor waiting for some.
pub fn wait_for_worker(client: &mut Client) {
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'iscc_usearch worker'";
    wait_until("the worker has ended", || value::<i64>(client, workers) == 0);
}

/// Runs statements one by one, each in a transaction of its own, as VACUUM demands.
pub fn each(client: &mut Client, statements: &str) {
    for sql in statements.split(';').map(str::trim).filter(|sql| !sql.is_empty()) {
        client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }
}
