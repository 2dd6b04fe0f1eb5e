//! The index beside pgvector, the sequential scan, FAISS and iscc-usearch: the same codes, machine and minutes.

mod clients;
mod curves;
mod in_process;
mod join;
mod page;
mod results;
mod set;
mod stored;
mod systems;

use cluster_tests::{Cluster, search};
use postgres::Client;

pub use in_process::python;
pub use set::{reduced, thousands};

use curves::Truth;
use results::{Build, Results};
use set::Set;
use systems::System;

use crate::processors;

/// The sets' names, in the order of the page.
pub const SETS: [&str; 6] = [
    "text",
    "simprints",
    "variants",
    "embeddings",
    "embedding-variants",
    "embedding-windows",
];

/// Compares on each set named, or on all.
pub fn run(names: &[String]) {
    for name in SETS {
        if names.is_empty() || names.iter().any(|n| n == name) {
            page::write(&compare(&Set::named(name)));
        }
    }
}

fn compare(set: &Set) -> Results {
    // The server is the same for all systems, and everything fits into memory.
    let cluster = Cluster::with(&[
        ("shared_buffers", "2GB"),
        ("maintenance_work_mem", "2GB"),
        ("work_mem", "64MB"),
        ("max_wal_size", "16GB"),
        ("max_connections", "200"),
    ]);
    let mut client = cluster.client();
    let mut results = Results::new(set);
    let version = "SELECT split_part(current_setting('server_version'), ' ', 1)";
    results.add_software(format!("PostgreSQL {}", search::value::<String>(&mut client, version)));
    let pgvector = client.batch_execute("CREATE EXTENSION vector").is_ok();
    if pgvector {
        let version = "SELECT extversion FROM pg_extension WHERE extname = 'vector'";
        results.add_software(format!("pgvector {}", search::value::<String>(&mut client, version)));
        client
            .batch_execute("CREATE EXTENSION iscc_usearch_vector CASCADE")
            .expect("CREATE EXTENSION");
    }
    let systems = systems::all(set, pgvector);
    for system in &systems {
        results.builds.push(build(&mut client, system, set));
    }
    let truth = Truth::of(set);
    let in_process = in_process::build(set, &truth, &mut results);
    processors::on(0, || {
        curves::measure(&cluster, &systems, in_process, (set, &truth), &mut results);
        clients::connections(&cluster, &systems, set, &mut results);
    });
    clients::throughput(&cluster, &systems, set, &mut results);
    if set.joined {
        join::measure(&cluster, &systems, set, &mut results);
    }
    cluster.assert_no_crash();
    results
}

fn build(client: &mut Client, system: &System, set: &Set) -> Build {
    system.load(client, &set.stored);
    let milliseconds = crate::measure::milliseconds(|| client.batch_execute(&system.index).expect("CREATE INDEX"));
    let vacuum = format!("VACUUM ANALYZE {}", system.table);
    client.batch_execute(&vacuum).expect("VACUUM");
    let bytes: i64 = search::value(client, &system.size);
    Build {
        system: system.name.clone(),
        seconds: milliseconds / 1000.0,
        bytes: bytes as u64,
    }
}
