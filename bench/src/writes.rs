//! Rates of writing, beside the same table without an index or with a btree.

use cluster_tests::Cluster;
use cluster_tests::codes::{Row, load};

use crate::measure::{median, milliseconds};

const ROUNDS: usize = 5;
const INDEXES: [(&str, &str); 3] = [
    ("no index", ""),
    ("btree", "CREATE INDEX ON w USING btree (code)"),
    ("usearch", "CREATE INDEX w_code ON w USING usearch (code)"),
];

/// COPY into a table with each kind of index.
pub fn copy(cluster: &Cluster, rows: &[Row]) {
    let mut client = cluster.client();
    let mut times: [Vec<f64>; 3] = Default::default();
    // The kinds take turns, so that a busy minute of the machine hits all of them.
    for _ in 0..ROUNDS {
        for (at, (_, index)) in INDEXES.iter().enumerate() {
            let create = format!("DROP TABLE IF EXISTS w; CREATE TABLE w (id bigint, code bitvec(256)); {index}");
            client.batch_execute(&create).expect("table");
            client.batch_execute("CHECKPOINT").expect("checkpoint");
            times[at].push(milliseconds(|| load(&mut client, "w", rows)));
        }
    }
    report("COPY", rows.len(), &times, "of the rate without index", |none, own| {
        none / own
    });
}

/// VACUUM after deleting one row in five.
pub fn vacuum(cluster: &Cluster, rows: &[Row]) {
    let mut client = cluster.client();
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (at, (_, index)) in INDEXES.iter().enumerate() {
            let create = "DROP TABLE IF EXISTS w; CREATE TABLE w (id bigint, code bitvec(256))";
            client.batch_execute(create).expect("table");
            load(&mut client, "w", rows);
            client.batch_execute(index).expect("index");
            client.batch_execute("DELETE FROM w WHERE id % 5 = 0").expect("delete");
            client.batch_execute("CHECKPOINT").expect("checkpoint");
            times[at].push(milliseconds(|| client.batch_execute("VACUUM w").expect("vacuum")));
        }
    }
    report(
        "VACUUM after deleting 20 %",
        rows.len(),
        &times,
        "of the time with btree",
        |_, own| own / median(&times[1]),
    );
}

fn report(what: &str, rows: usize, times: &[Vec<f64>; 3], unit: &str, ratio: impl Fn(f64, f64) -> f64) {
    println!("{what}, {rows} rows, median of {ROUNDS}");
    println!("| index | ms | {unit} |");
    println!("|---|---|---|");
    for (at, (name, _)) in INDEXES.iter().enumerate() {
        let own = median(&times[at]);
        println!("| {name} | {own:.0} | {:.2} |", ratio(median(&times[0]), own));
    }
    println!();
}
