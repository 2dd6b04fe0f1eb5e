//! The planner's choice between the index and a sort, for tables, conditions and limits of many sizes: is it a fast one?
//!
//! Conditions leave 50 % to 0.01 % of the rows, on columns with a btree index and on others; statistics are there or not.

use std::time::Instant;

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row, create_table, literal, load};
use cluster_tests::search::{each, explain};
use postgres::Client;

/// Of so many rows a condition leaves one; 1 is no condition.
const SHARES: [u32; 6] = [1, 2, 10, 100, 1_000, 10_000];
const LIMITS: [&str; 5] = ["1", "10", "100", "1000", "ALL"];
/// The plans to compare with: the ordered scan of our index, and none.
const FORCED: &str =
    "SET enable_sort = off; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexscan = on";
const WITHOUT: &str =
    "SET enable_sort = on; SET enable_seqscan = on; SET enable_bitmapscan = on; SET enable_indexscan = off";
const DEFAULT: &str = "RESET enable_sort; RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_indexscan";

/// What a plan may take, given the fastest one's milliseconds and, where the planner cannot know how many rows a condition
/// leaves, those of a sequential scan: then its choice may be wrong, but not ruinous.
fn bound(best: f64, sequential: Option<f64>) -> f64 {
    let bound = (4.0 * best).max(best + 3.0);
    sequential.map_or(bound, |sequential| bound.max(6.0 * sequential))
}

/// The median time of a statement for some queries, in milliseconds; the first time does not count.
fn median(client: &mut Client, statements: &[String], repetitions: usize) -> f64 {
    let mut times = Vec::new();
    for repetition in 0..=repetitions {
        for sql in statements {
            let start = Instant::now();
            client.query_one(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
            if repetition > 0 {
                times.push(start.elapsed().as_secs_f64() * 1_000.0);
            }
        }
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A table's rows with columns to filter by: those named i… have a btree index.
fn create(client: &mut Client, rows: &[Row]) -> String {
    let table = format!("t{}", rows.len());
    let plain = format!("plain_{table}");
    create_table(client, &plain);
    load(client, &plain, rows);
    let columns: Vec<_> = SHARES[1..]
        .iter()
        .flat_map(|share| ["i", "n"].map(|name| (format!("{name}{share}"), share)))
        .map(|(name, share)| format!("(hashint8extended(id, {share}) & 1048575)::int % {share} AS {name}"))
        .collect();
    each(
        client,
        &format!("CREATE TABLE {table} AS SELECT *, {} FROM {plain}", columns.join(", ")),
    );
    for share in &SHARES[1..] {
        each(client, &format!("CREATE INDEX ON {table} (i{share})"));
    }
    each(
        client,
        &format!("CREATE INDEX ON {table} USING usearch (code); DROP TABLE {plain}"),
    );
    table
}

/// A statement for each query; its only row is small, so that the answer's way to the client does not count.
fn statements(table: &str, condition: &str, limit: &str, queries: &[Row]) -> Vec<String> {
    let of = |query: &Row| {
        let q = literal(&query.code);
        format!(
            "SELECT sum(id) FROM (SELECT id FROM {table} WHERE {condition} ORDER BY code <~> {q} LIMIT {limit}) AS x"
        )
    };
    queries.iter().map(of).collect()
}

/// One line of the matrix: for each limit the plan taken and how long it takes. Cells that are too slow are returned.
fn line(client: &mut Client, table: &str, name: &str, queries: &[Row], sequential: Option<f64>) -> Vec<String> {
    let column = name.rsplit(' ').next().expect("a name");
    let condition = if column == "all" {
        "true".into()
    } else {
        format!("{column} = 0")
    };
    let (mut cells, mut slow) = (Vec::new(), Vec::new());
    for limit in LIMITS {
        let statements = statements(table, &condition, limit, queries);
        let mut measure = |repetitions| {
            let mut times = [DEFAULT, FORCED, WITHOUT].map(|settings| {
                each(client, settings);
                (
                    explain(client, &statements[0]),
                    median(client, &statements, repetitions),
                )
            });
            let by_index = times[0].0.contains("_code_idx");
            // The same plan again: both measurements count.
            for other in 1..3 {
                if times[other].0 == times[0].0 {
                    times[0].1 = times[0].1.min(times[other].1);
                }
            }
            let [chosen, forced, without] = times.map(|(_, milliseconds)| milliseconds);
            (by_index, chosen, forced, without)
        };
        let too_slow =
            |(_, chosen, forced, without): (bool, f64, f64, f64)| chosen > bound(forced.min(without), sequential);
        let mut cell = measure(1);
        // Maybe something else on the machine was.
        for repetitions in [5, 15] {
            if too_slow(cell) {
                cell = measure(repetitions);
            }
        }
        let (by_index, chosen, forced, without) = cell;
        let plan = if by_index { "index" } else { "sort" };
        let ratio = chosen / chosen.min(forced).min(without);
        cells.push(format!("{limit}: {plan} {ratio:.1} ({forced:.2}/{without:.2})"));
        if too_slow(cell) {
            slow.push(format!(
                "{table} {name} LIMIT {limit}: {plan} takes {chosen:.2} ms, by index {forced:.2}, without {without:.2}"
            ));
        }
    }
    eprintln!("{table:>8} {name:<26} {}", cells.join("  "));
    slow
}

/// The plan taken is never much slower than the best one.
#[test]
fn choices_are_fast() {
    let rows = codes::text(100_100);
    let queries = &rows[100_000..100_003];
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, "SET jit = off");
    eprintln!("plan_matrix: LIMIT: plan taken, its time / the best one's (ms by index / without)");
    let mut slow = Vec::new();
    for count in [1_000, 10_000, 100_000] {
        let table = create(&mut client, &rows[..count]);
        each(&mut client, WITHOUT);
        let sequential = median(&mut client, &statements(&table, "true", "10", queries), 3);
        for statistics in ["without", "with"] {
            for share in SHARES {
                for kind in ["i", "n"].into_iter().take(share.min(2) as usize) {
                    let column = if share == 1 {
                        "all".into()
                    } else {
                        format!("{kind}{share}")
                    };
                    let name = format!("{statistics} statistics, {column}");
                    let unknown = statistics == "without" && share > 1;
                    slow.extend(line(&mut client, &table, &name, queries, unknown.then_some(sequential)));
                }
            }
            each(&mut client, &format!("ANALYZE {table}"));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}
