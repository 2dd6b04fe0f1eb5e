//! The planner's choice between the index and a sort, for tables, conditions and limits of many sizes: is it a fast one?
//! And the price of the worst condition for a plan that must use the index.

use cluster_tests::codes::{self, Row, literal};
use cluster_tests::plans::{LIMITS, columns, create, statement};
use cluster_tests::search::{each, explain};
use cluster_tests::{Cluster, search};
use postgres::Client;

use crate::measure::{median, milliseconds};

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

/// The median time of some statements; the first time does not count.
fn time(client: &mut Client, statements: &[String], repetitions: usize) -> f64 {
    let mut times = Vec::new();
    for repetition in 0..=repetitions {
        for sql in statements {
            let took = milliseconds(|| {
                client.query_one(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
            });
            if repetition > 0 {
                times.push(took);
            }
        }
    }
    median(&times)
}

/// Milliseconds of a statement by the plan that the planner takes, by the index, and without it.
struct Cell {
    by_index: bool,
    chosen: f64,
    forced: f64,
    without: f64,
}

impl Cell {
    fn measure(client: &mut Client, statements: &[String], repetitions: usize) -> Cell {
        let mut plans = [DEFAULT, FORCED, WITHOUT].map(|settings| {
            each(client, settings);
            (explain(client, &statements[0]), time(client, statements, repetitions))
        });
        let by_index = plans[0].0.contains("_code_idx");
        // The same plan again: both measurements count.
        for other in 1..3 {
            if plans[other].0 == plans[0].0 {
                plans[0].1 = plans[0].1.min(plans[other].1);
            }
        }
        let [chosen, forced, without] = plans.map(|(_, milliseconds)| milliseconds);
        Cell {
            by_index,
            chosen,
            forced,
            without,
        }
    }

    fn best(&self) -> f64 {
        self.chosen.min(self.forced).min(self.without)
    }

    fn is_slow(&self, sequential: Option<f64>) -> bool {
        self.chosen > bound(self.best(), sequential)
    }
}

/// One line of the matrix: for each limit the plan taken and how long it takes; the number of slow choices.
fn line(client: &mut Client, table: &str, column: &str, queries: &[Row], sequential: Option<f64>) -> usize {
    let mut slow = 0;
    let mut shown = Vec::new();
    for limit in LIMITS {
        let statements: Vec<_> = queries.iter().map(|q| statement(table, column, limit, q)).collect();
        let mut cell = Cell::measure(client, &statements, 1);
        // Again, to exclude noise from other load.
        for repetitions in [5, 15] {
            if cell.is_slow(sequential) {
                cell = Cell::measure(client, &statements, repetitions);
            }
        }
        let is_slow = cell.is_slow(sequential);
        slow += usize::from(is_slow);
        shown.push(format!(
            "{}{} {:.1} ({:.2}/{:.2})",
            if cell.by_index { "index" } else { "sort" },
            if is_slow { " SLOW" } else { "" },
            cell.chosen / cell.best(),
            cell.forced,
            cell.without
        ));
    }
    println!("| {column} | {} |", shown.join(" | "));
    slow
}

/// The whole matrix, and how many of the choices are slow.
pub fn matrix() {
    let rows = codes::text(100_100);
    let queries = &rows[100_000..100_003];
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, "SET jit = off");
    println!("The planner's choices: plan taken, its time / the best one's (ms by the index / without)");
    let (mut slow, mut cells) = (0, 0);
    for count in [1_000, 10_000, 100_000] {
        let table = create(&mut client, &rows[..count]);
        each(&mut client, WITHOUT);
        let scan: Vec<_> = queries.iter().map(|q| statement(&table, "all", "10", q)).collect();
        let sequential = time(&mut client, &scan, 3);
        for statistics in ["without", "with"] {
            println!(
                "\n{count} rows, {statistics} statistics\n\n| column | LIMIT {} |",
                LIMITS.join(" | ")
            );
            println!("|---|{}", "---|".repeat(LIMITS.len()));
            for column in columns() {
                let unknown = statistics == "without" && column != "all";
                slow += line(&mut client, &table, &column, queries, unknown.then_some(sequential));
                cells += LIMITS.len();
            }
            each(&mut client, DEFAULT);
            each(&mut client, &format!("ANALYZE {table}"));
        }
    }
    println!("\n{slow} slow choices of {cells}\n");
}

/// A filter that nearly no row passes makes an ordered scan read the whole index and fetch the whole table.
pub fn worst_filter(cluster: &Cluster, queries: &[Row]) {
    let (mut forced, mut sequential) = (cluster.client(), search::truth_client(cluster));
    each(
        &mut forced,
        "SET jit = off; SET enable_sort = off; SET enable_seqscan = off",
    );
    each(
        &mut sequential,
        "SET jit = off; SET max_parallel_workers_per_gather = 0",
    );
    // By turns, and the fastest of each, to exclude noise from other load.
    let (mut by_index, mut by_scan) = (f64::INFINITY, f64::INFINITY);
    for query in queries {
        let q = literal(&query.code);
        let sql = format!("SELECT id FROM mixed WHERE id % 1000000 = 77 ORDER BY code <~> {q} LIMIT 10");
        let run = |client: &mut Client| milliseconds(|| drop(client.query(&sql, &[]).expect("query")));
        by_index = by_index.min(run(&mut forced));
        by_scan = by_scan.min(run(&mut sequential));
    }
    println!(
        "WHERE matching one row that no statistics tell, LIMIT 10: {by_index:.1} ms by the index, {by_scan:.1} ms \
         sequentially, ratio {:.1}\n",
        by_index / by_scan
    );
}
