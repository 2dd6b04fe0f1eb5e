//! Recall of default settings on every kind of code, and for every pair of lengths of query and stored codes.

use cluster_tests::Cluster;
use cluster_tests::codes::{create_table, load};
use cluster_tests::exact::{kth_distances, recall};
use cluster_tests::sets::{self, LENGTHS, Set};

use crate::measure::{Binary, median, milliseconds};

/// Neighbours asked for.
const NEIGHBOURS: usize = 10;
/// Codes in a table, or all there are.
const ROWS: usize = 100_000;
/// Queries of each kind.
const QUERIES: usize = 1000;

/// Both tables.
pub fn run() {
    let cluster = Cluster::with(&[("shared_buffers", "512MB"), ("maintenance_work_mem", "1GB")]);
    println!("Recall of default settings against comparing all codes, {QUERIES} queries of each kind");
    println!("| codes | rows | queries | recall@10 | median ms |");
    println!("|---|---|---|---|---|");
    for set in sets::kinds(ROWS, QUERIES) {
        for (kind, recall, time) in measure(&cluster, &set) {
            println!(
                "| {} | {} | {kind} | {recall:.4} | {time:.3} |",
                set.name,
                set.stored.len()
            );
        }
    }
    println!(
        "\nThe same for held-out Text-Codes: recall@10 (median ms) by their length in bits and by that of the stored codes"
    );
    println!("| stored | 64 | 128 | 192 | 256 |");
    println!("|---|---|---|---|---|");
    for bytes in LENGTHS.map(Some).into_iter().chain([None]) {
        let set = sets::of_length(bytes, ROWS, QUERIES);
        let cells: Vec<String> = measure(&cluster, &set)
            .into_iter()
            .map(|(_, recall, time)| format!("{recall:.4} ({time:.2})"))
            .collect();
        println!("| {} | {} |", set.name, cells.join(" | "));
    }
    println!();
}

/// Recall and median milliseconds of each kind of query.
fn measure(cluster: &Cluster, set: &Set) -> Vec<(String, f64, f64)> {
    let mut client = cluster.client();
    client.batch_execute("DROP TABLE IF EXISTS t").expect("DROP");
    create_table(&mut client, "t");
    load(&mut client, "t", &set.stored);
    client
        .batch_execute("CREATE INDEX t_code ON t USING usearch (code); ANALYZE t; SET enable_seqscan = off")
        .expect("CREATE INDEX");
    let sql = format!("SELECT code <~> $1 FROM t ORDER BY code <~> $1 LIMIT {NEIGHBOURS}");
    let statement = client.prepare(&sql).expect("prepare");
    let mut results = Vec::new();
    for (kind, queries) in &set.queries {
        let (mut found, mut times) = (0.0, Vec::new());
        let truth = kth_distances(&set.stored, queries, NEIGHBOURS);
        for (query, kth) in queries.iter().zip(truth) {
            let parameter = Binary::bitvec(&query.code);
            let mut rows = Vec::new();
            times.push(milliseconds(|| {
                rows = client.query(&statement, &[&parameter]).expect("query");
            }));
            let distances: Vec<f64> = rows.iter().map(|row| row.get(0)).collect();
            found += recall(&distances, NEIGHBOURS, kth);
        }
        results.push((kind.clone(), found / queries.len() as f64, median(&times)));
    }
    results
}
