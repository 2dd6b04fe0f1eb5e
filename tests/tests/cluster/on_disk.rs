//! Searches of shards whose files are not in memory.

use cluster_tests::codes::{self, Row};
use cluster_tests::disk::{Reads, is_on_disk, large_files, make_cold};
use cluster_tests::search::{Hit, each, index_client, nearest, value, within};
use cluster_tests::{Cluster, Shutdown};
use postgres::Client;

const ROWS: usize = 120_000;
const PAGE_BYTES: u64 = 4096;
/// A search waits for at most one in so many pages that it reads. (Without asking for them it waits for nearly all.)
const PAGES_PER_FAULT: u64 = 4;

type Search<'a> = &'a dyn Fn(&mut Client) -> Vec<Hit>;

/// Answers of a connection that has searched another table already, each with what it read from the disk.
fn first_answers(cluster: &Cluster, ask: Search<'_>) -> (Vec<Hit>, Reads) {
    let mut client = index_client(cluster, "graph");
    nearest(&mut client, "few", &[0; 32], "LIMIT 1");
    let pid = value::<i32>(&mut client, "SELECT pg_backend_pid()").to_string();
    let before = Reads::of(&pid);
    let answers = ask(&mut client);
    let after = Reads::of(&pid);
    let reads = Reads {
        faults: after.faults - before.faults,
        bytes: after.bytes - before.bytes,
    };
    (answers, reads)
}

fn create(client: &mut Client, table: &str, rows: &[Row]) {
    codes::create_table(client, table);
    codes::load(client, table, rows);
    each(
        client,
        &format!("CREATE INDEX ON {table} USING usearch (code); VACUUM {table}"),
    );
}

/// What a step of a search reads it asks for at once, so that it waits for the disk a few times, not for each page. Answers are
/// those of files in memory.
#[test]
fn cold_files_are_read_at_once() {
    let mut cluster = Cluster::with(&[("shared_buffers", "1MB"), ("maintenance_work_mem", "1GB")]);
    if !is_on_disk(&cluster.data_dir()) {
        return eprintln!("left out: the data directory is in memory");
    }
    let rows = codes::variants(ROWS, 3);
    let query = &rows[ROWS / 2].code;
    let mut client = cluster.client();
    create(&mut client, "few", &rows[..1000]);
    create(&mut client, "t", &rows);
    drop(client);
    let searches: [Search<'_>; 2] = [&|client| nearest(client, "t", query, "LIMIT 10"), &|client| {
        within(client, "t", query, 0.1)
    }];
    for ask in searches {
        let (warm, _) = first_answers(&cluster, ask);
        cluster.stop(Shutdown::Fast);
        make_cold(&large_files(&cluster.data_dir()));
        cluster.start_server();
        let (cold, Reads { faults, bytes }) = first_answers(&cluster, ask);
        assert_eq!(warm, cold);
        let pages = bytes / PAGE_BYTES;
        assert!(pages > 100, "the files were in memory: {pages} pages read");
        assert!(faults < pages / PAGES_PER_FAULT, "{faults} waits for {pages} pages");
    }
    cluster.assert_no_crash();
}
