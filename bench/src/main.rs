//! `make bench`: what the README says about speed, memory and recall, measured again.
//!
//! Everything is a ratio or a pair measured in one run on one private server: machines differ, and
//! shared ones differ from minute to minute.

mod measure;
mod reads;
mod writes;

use cluster_tests::{Cluster, codes};

/// Codes in the tables.
const ROWS: usize = 100_000;

fn main() {
    let cluster = Cluster::with(&[("shared_buffers", "512MB"), ("maintenance_work_mem", "1GB")]);
    let mut client = cluster.client();
    let version: String = cluster_tests::search::value(&mut client, "SHOW server_version");
    let mut all = codes::text(110_308);
    // The last rows are files that have no version among the others.
    let foreign = all.split_off(105_000);
    let (mut stored, held_out) = codes::hold_out(all, 21);
    stored.truncate(ROWS);
    let stored = &stored[..];
    println!("PostgreSQL {version}, {ROWS} real text codes of 64 to 256 bits\n");

    codes::create_table(&mut client, "mixed");
    codes::load(&mut client, "mixed", stored);
    let build = measure::milliseconds(|| {
        client
            .batch_execute("CREATE INDEX mixed_code ON mixed USING usearch (code)")
            .expect("index");
    });
    client.batch_execute("VACUUM ANALYZE mixed").expect("vacuum");
    println!("CREATE INDEX: {:.0} codes/s\n", ROWS as f64 / build * 1000.0);

    let kinds = [
        ("stored codes", stored),
        ("held-out versions", &held_out),
        ("unrelated codes", &foreign),
    ];
    reads::recall(&cluster, &kinds);
    reads::latency(&cluster, stored, &held_out);
    reads::filter(&cluster, stored);
    reads::first_query(&cluster, stored);
    reads::memory(&cluster, stored);
    reads::beside_pgvector(&cluster, stored, &held_out);
    writes::copy(&cluster, stored);
    writes::vacuum(&cluster, stored);
    cluster.assert_no_crash();
}
