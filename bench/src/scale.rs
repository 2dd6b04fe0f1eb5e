//! Millions of codes: how building, space, searches and thresholds grow with their number. Writes `docs/scale.md`.

mod growth;
mod page;
mod peers;
mod progress;
mod queries;

use cluster_tests::Cluster;
use cluster_tests::search::value;

pub use progress::Progress;

use growth::Growth;
use page::Size;
use queries::Queries;

/// Sizes that are measured, in millions, as far as the wanted one.
const MILLIONS: [usize; 5] = [1, 3, 10, 30, 100];

/// Measures tables of up to so many million codes.
pub fn run(millions: usize) {
    let cluster = Cluster::with(&[
        ("shared_buffers", "2GB"),
        ("maintenance_work_mem", "2GB"),
        ("max_wal_size", "16GB"),
        ("max_connections", "300"),
        ("max_parallel_workers_per_gather", "0"),
    ]);
    let mut client = cluster.client();
    let version: String = value(&mut client, "SHOW server_version");
    let queries = Queries::new();
    let mut growth = Growth::new(&mut client, &queries);
    let mut sizes = Vec::new();
    let smaller = MILLIONS.into_iter().filter(|&size| size < millions);
    for size in smaller.chain([millions]) {
        let build = growth.grow_to(&cluster, size * 1_000_000);
        let peers = growth.peers(&queries);
        let stored = growth.stored();
        sizes.push(Size {
            codes: size * 1_000_000,
            build,
            searches: queries.searches(&cluster, stored),
            thresholds: queries.thresholds(&cluster, stored),
            joined: queries::join_rate(&cluster),
            connections: queries::connections(&cluster, stored),
            peers,
        });
    }
    cluster.assert_no_crash();
    page::write(&version, &sizes);
}
