//! `make bench`: what the README says about speed, memory and recall, measured again.
//!
//! Everything is a ratio or a pair measured in one run on one private server: machines differ, and
//! shared ones differ from minute to minute.

mod endurance;
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

    // `scripts/bench latency copy` runs these parts only.
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    let kinds = [
        ("stored codes", stored),
        ("held-out versions", &held_out),
        ("unrelated codes", &foreign),
    ];
    if wanted("recall") {
        reads::recall(&cluster, &kinds);
    }
    if wanted("latency") {
        reads::latency(&cluster, stored, &held_out);
    }
    if wanted("filter") {
        reads::filter(&cluster, stored);
    }
    if wanted("first_query") {
        reads::first_query(&cluster, stored);
    }
    if wanted("memory") {
        reads::memory(&cluster, stored);
    }
    if wanted("pgvector") {
        reads::beside_pgvector(&cluster, stored, &held_out);
    }
    if wanted("copy") {
        writes::copy(&cluster, stored);
    }
    if wanted("vacuum") {
        writes::vacuum(&cluster, stored);
    }
    cluster.assert_no_crash();
    drop(cluster);
    if wanted("endurance") {
        endurance::run(stored);
    }
}
