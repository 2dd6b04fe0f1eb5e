//! Statements of all forms, made at random, return what the sequential scan returns: the same sequence where PostgreSQL
//! relies on order and completeness, and under a LIMIT as many rows, each once, in order.
//!
//! `ISCC_STATEMENTS=5000` makes so many; `ISCC_SEED` chooses which.

use std::collections::HashSet;

use cluster_tests::codes::{self, Row, hex, load};
use cluster_tests::search::each;
use cluster_tests::{Cluster, Random, number_from_environment};
use postgres::{Client, SimpleQueryMessage};

const ROWS: usize = 24_000;
const GROUPS: usize = 100;

/// The tables. All codes are real; estimates of conditions are right for `grp`, and wrong by far for the others.
const TABLES: &str = "
    CREATE TABLE t (id int PRIMARY KEY, grp int, code bitvec(256));
    INSERT INTO t SELECT id, id % 100, CASE WHEN id % 97 > 0 THEN code END FROM raw;
    CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '1MB', m = 8, ef_construction = 40);
    CREATE TABLE p (id int, grp int, code bitvec(256)) PARTITION BY RANGE (grp);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
    CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (100);
    INSERT INTO p SELECT * FROM t WHERE id % 2 = 0;
    CREATE INDEX p_code ON p USING usearch (code) WITH (m = 8, ef_construction = 40);
    CREATE TABLE g (grp int PRIMARY KEY, name text);
    INSERT INTO g SELECT i, 'group ' || i FROM generate_series(0, 59) i;
    CREATE TABLE lim (d float8 PRIMARY KEY);
    INSERT INTO lim SELECT i::float8 / 256 FROM generate_series(0, 256) i;
    CREATE FUNCTION first_distances(q bitvec, n int) RETURNS SETOF float8 LANGUAGE plpgsql AS $$
    DECLARE r record; i int := 0;
    BEGIN
      FOR r IN SELECT code <~> q AS d FROM t ORDER BY code <~> q LOOP
        EXIT WHEN i = n; i := i + 1; RETURN NEXT r.d;
      END LOOP;
    END $$;
    INSERT INTO t SELECT id + 100000, grp, code FROM t WHERE id % 40 = 0;
    ANALYZE t, p, g, lim";

/// What a statement's answer must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Right {
    /// That of the sequential scan, row by row.
    Same,
    /// As many rows; their last column ascends, and no row comes twice.
    Nearest,
    /// The same for the rows of each value of the first column.
    NearestOfEach,
}

/// A statement, with settings that make its plan likely.
struct Statement {
    sql: String,
    right: Right,
    settings: &'static str,
}

fn condition(random: &mut Random, query: &str) -> String {
    let group = random.below(GROUPS);
    // A distance between few rows and nearly all.
    let radius = [0.02, 0.1, 0.3, 0.4, 0.5, 0.6][random.below(6)];
    match random.below(14) {
        0..3 => "true".into(),
        3 => format!("grp = {group}"),
        4 => format!("grp < {group}"),
        // Taken for one row in 200.
        5 => format!("id % {} = 0", 2 + random.below(20)),
        // Taken for a third, and passes few or none.
        6 => format!("id + 0 < {}", random.below(300)),
        7 => format!("code IS NOT NULL AND grp + id > {}", random.below(2 * ROWS)),
        8 => format!("grp IN ({group}, {}, 7)", random.below(GROUPS)),
        // Conditions of the index.
        9 => format!("code <~> {query} < {radius}"),
        10 => format!("1 - (code <~> {query}) >= {} AND grp < {group}", 1.0 - radius),
        11 => format!("nphd_within({query}, code, {radius})"),
        12 => format!("hamming_within(code, {query}, {})", random.below(256)),
        _ => format!("code <~> prefix({query}, 16) <= {radius}"),
    }
}

fn statement(random: &mut Random, query: &Row) -> Statement {
    const MERGE: &str = "SET enable_hashjoin = off; SET enable_nestloop = off";
    const NESTED: &str = "SET enable_hashjoin = off; SET enable_mergejoin = off";
    let q = format!("'{}'::bitvec", hex(&query.code));
    let d = format!("code <~> {q}");
    let w = condition(random, &q);
    let k = [1, 5, 10, 10, 20, 50, 100, 700][random.below(8)];
    let other = random.below(256) as f64 / 256.0;
    let (sql, right, settings) = match random.below(26) {
        0 => (
            format!("SELECT DISTINCT {d} AS d FROM t WHERE {w} ORDER BY 1 LIMIT {k}"),
            Right::Same,
            "",
        ),
        1 => (
            format!("SELECT {d}, count(*) FROM t WHERE {w} GROUP BY 1 ORDER BY 1 LIMIT {k}"),
            Right::Same,
            "SET enable_hashagg = off",
        ),
        2 => (
            format!(
                "SELECT dense_rank() OVER w, rank() OVER w, {d} FROM t WHERE {w} WINDOW w AS (ORDER BY {d}) LIMIT {k}"
            ),
            Right::Same,
            "",
        ),
        3 => (
            format!("SELECT {d} FROM t WHERE {w} ORDER BY {d} FETCH FIRST {k} ROWS WITH TIES"),
            Right::Same,
            "",
        ),
        4 => (format!("SELECT {d} FROM t WHERE {w} ORDER BY {d}"), Right::Same, ""),
        5 => (format!("SELECT min({d}), max({d}) FROM t WHERE {w}"), Right::Same, ""),
        6 => (format!("SELECT min({d}) FROM t WHERE {w}"), Right::Same, ""),
        7 => (
            format!(
                "SELECT d, count(*) FROM lim JOIN (SELECT {d} AS d FROM t WHERE {w}) x USING (d) GROUP BY 1 ORDER BY 1 LIMIT {k}"
            ),
            Right::Same,
            MERGE,
        ),
        8 => (
            format!("SELECT id, {d} FROM t WHERE {w} ORDER BY {d}, id LIMIT {k}"),
            Right::Same,
            "",
        ),
        9 => (
            format!("SELECT id, {d} FROM t WHERE ({d}, id) > ({other}, 500) AND {w} ORDER BY {d}, id LIMIT {k}"),
            Right::Same,
            "",
        ),
        10 => (format!("SELECT first_distances({q}, {k})"), Right::Same, ""),
        11 => (
            format!("SELECT {d} AS d FROM t WHERE {w} INTERSECT SELECT d FROM lim ORDER BY 1 LIMIT {k}"),
            Right::Same,
            "SET enable_hashagg = off",
        ),
        12 => (
            format!(
                "SELECT count(*) FILTER (WHERE d < p) FROM (SELECT d, lag(d) OVER () p FROM (SELECT {d} AS d FROM t WHERE {w} ORDER BY {d} LIMIT {k}) s) x"
            ),
            Right::Same,
            "",
        ),
        13 => (
            format!(
                "SELECT max(d), count(*) FROM (SELECT {d} AS d FROM p WHERE {w} ORDER BY {d} FETCH FIRST {k} ROWS WITH TIES) x"
            ),
            Right::Same,
            "",
        ),
        14 => (
            format!("SELECT d FROM (SELECT {d} AS d FROM t WHERE {w} ORDER BY {d} OFFSET 3) x"),
            Right::Same,
            "",
        ),
        15..19 => (
            format!("SELECT id, {d} FROM t WHERE {w} ORDER BY {d} LIMIT {k}"),
            Right::Nearest,
            "",
        ),
        19 => (
            format!(
                "SELECT id, {d} FROM t WHERE {w} ORDER BY {d} LIMIT {k} OFFSET {}",
                random.below(30)
            ),
            Right::Nearest,
            "",
        ),
        20 => (
            format!("SELECT id, {d} FROM t WHERE {w} ORDER BY {d} LIMIT {k} FOR SHARE"),
            Right::Nearest,
            "",
        ),
        21 => (
            format!("SELECT id, name, {d} FROM t JOIN g USING (grp) WHERE {w} ORDER BY {d} LIMIT {k}"),
            Right::Nearest,
            NESTED,
        ),
        22 => (
            format!(
                "SELECT id, name, {d} FROM t LEFT JOIN g USING (grp) WHERE {w} AND name IS NULL ORDER BY {d} LIMIT {k}"
            ),
            Right::Nearest,
            NESTED,
        ),
        23 => (
            format!("SELECT id, {d} FROM p WHERE {w} ORDER BY {d} LIMIT {k}"),
            Right::Nearest,
            "",
        ),
        24 => (
            format!(
                "SELECT o.id, x.id, x.d FROM t o CROSS JOIN LATERAL (SELECT id, code <~> o.code AS d FROM t WHERE {w} ORDER BY code <~> o.code LIMIT 10) x WHERE o.id IN (5, 250, 2222)"
            ),
            Right::NearestOfEach,
            NESTED,
        ),
        _ => (
            format!(
                "WITH c AS MATERIALIZED (SELECT id, {d} AS d FROM t WHERE {w} ORDER BY {d} LIMIT {k}) SELECT * FROM c"
            ),
            Right::Nearest,
            "",
        ),
    };
    Statement { sql, right, settings }
}

/// How a statement is sent.
fn ways(random: &mut Random, statement: &str) -> Vec<String> {
    match random.below(5) {
        0 => vec![
            format!("PREPARE s AS {statement}"),
            ["SET plan_cache_mode = force_generic_plan", "RESET plan_cache_mode"][random.below(2)].into(),
            "EXECUTE s".into(),
        ],
        1 if statement.starts_with("SELECT") && !statement.contains("FOR SHARE") => {
            let mut fetches = vec!["BEGIN".into(), format!("DECLARE c CURSOR FOR {statement}")];
            fetches.extend([1, 7, 40].map(|rows| format!("FETCH {rows} FROM c")));
            // Nothing changes for an open cursor.
            fetches.push("SET LOCAL iscc_usearch.search_mode = graph; SET LOCAL iscc_usearch.ef_search = 1".into());
            fetches.push("FETCH ALL FROM c".into());
            fetches
        }
        _ => vec![statement.into()],
    }
}

type Answer = Vec<Vec<Option<String>>>;

/// All rows that these commands return.
fn answer(client: &mut Client, commands: &[String]) -> Answer {
    let mut rows = Vec::new();
    for sql in commands {
        let messages = client.simple_query(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|at| row.get(at).map(str::to_string)).collect());
            }
        }
    }
    if commands.len() > 1 {
        client
            .batch_execute("ROLLBACK; DEALLOCATE ALL; RESET plan_cache_mode")
            .expect("clean up");
    }
    rows
}

/// The distances of an answer; NULL comes last, and so counts as the farthest.
fn distances(answer: &[Vec<Option<String>>]) -> Vec<f64> {
    let last = |row: &Vec<Option<String>>| row.last().cloned().flatten();
    answer
        .iter()
        .map(|row| last(row).map_or(f64::INFINITY, |d| d.parse().expect("a distance")))
        .collect()
}

fn assert_nearest(answer: &[Vec<Option<String>>], truth: &[Vec<Option<String>>], what: &str) {
    assert_eq!(answer.len(), truth.len(), "number of rows\n{what}");
    let (found, best) = (distances(answer), distances(truth));
    assert!(found.is_sorted(), "not in order\n{what}\n{found:?}");
    assert!(
        found.iter().zip(&best).all(|(found, best)| found >= best),
        "nearer than the nearest\n{what}"
    );
    let distinct: HashSet<_> = answer.iter().collect();
    assert_eq!(distinct.len(), answer.len(), "a row comes twice\n{what}");
}

fn check(right: Right, answer: &Answer, truth: &Answer, what: &str) {
    match right {
        Right::Same => assert_eq!(answer, truth, "{what}"),
        Right::Nearest => assert_nearest(answer, truth, what),
        Right::NearestOfEach => {
            for part in truth.chunk_by(|a, b| a[0] == b[0]) {
                let same = |row: &&Vec<Option<String>>| row[0] == part[0][0];
                let found: Vec<_> = answer.iter().filter(same).cloned().collect();
                assert_nearest(&found, part, what);
            }
            assert_eq!(answer.len(), truth.len(), "{what}");
        }
    }
}

#[test]
fn every_statement_is_in_order_and_complete() {
    const MODES: [&str; 6] = [
        "",
        "",
        "SET iscc_usearch.search_mode = graph",
        "SET iscc_usearch.search_mode = graph; SET iscc_usearch.target_recall = 0.3",
        "SET iscc_usearch.search_mode = graph; SET iscc_usearch.ef_search = 12",
        "SET iscc_usearch.search_mode = exact",
    ];
    let number = |name, default| number_from_environment(name).unwrap_or(default);
    let (count, seed) = (number("ISCC_STATEMENTS", 250), number("ISCC_SEED", 1));
    let cluster = Cluster::start();
    let mut index = cluster.client();
    each(&mut index, "CREATE TABLE raw (id int, code bitvec(256))");
    let rows = codes::text(ROWS);
    load(&mut index, "raw", &rows);
    index.batch_execute(TABLES).expect("tables");
    let mut truth = cluster.client();
    each(
        &mut truth,
        "SET enable_indexscan = off; SET enable_bitmapscan = off; SET iscc_usearch.search_mode = exact",
    );
    let mut random = Random(seed);
    for at in 0..count {
        let mut query = rows[random.below(rows.len())].clone();
        query.code = codes::flipped(&query.code, 2_000, &mut random);
        query.code.truncate([32, 32, 16, 8][random.below(4)]);
        let statement = statement(&mut random, &query);
        let commands = ways(&mut random, &statement.sql);
        let mode = MODES[random.below(MODES.len())];
        // Half of them as the planner wants, half with the index.
        let forced = random.below(2) == 0;
        each(&mut index, &format!("RESET ALL; {mode}; {}", statement.settings));
        if forced {
            each(&mut index, "SET enable_seqscan = off; SET enable_sort = off");
        }
        let what = format!(
            "statement {at} of seed {seed}: {mode} {} forced {forced}: {commands:?}",
            statement.settings
        );
        let expected = answer(&mut truth, std::slice::from_ref(&statement.sql));
        check(statement.right, &answer(&mut index, &commands), &expected, &what);
    }
    eprintln!("order: {count} statements of seed {seed} are right");
}
