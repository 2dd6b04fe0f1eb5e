//! A table that grows, and its index, built anew at each size.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use cluster_tests::codes::{self, Row};
use cluster_tests::search::value;
use cluster_tests::{Cluster, Connector};
use postgres::Client;

use super::peers::{self, Peer};
use super::progress::Progress;
use super::queries::Queries;
use crate::measure::private_kilobytes;
use crate::processors;

/// Rows of a COPY.
const BATCH: usize = 100_000;
/// Time between two looks at a build.
const LOOK: Duration = Duration::from_millis(250);

/// What loading and building took.
pub struct Build {
    /// Rows loaded, and seconds.
    pub loaded: (usize, f64),
    /// Wall-clock seconds of CREATE INDEX, and of processor time.
    pub seconds: f64,
    pub processor_seconds: f64,
    /// Most memory of its own that the building process had, in bytes.
    pub peak_bytes: u64,
    pub wal_bytes: u64,
    pub log_bytes: u64,
    pub shard_bytes: u64,
    pub shards: i64,
}

/// The table `s`.
pub struct Growth<'a> {
    codes: Box<dyn Iterator<Item = Row> + 'a>,
    rows: usize,
    /// Some of the first million, to search for.
    stored: Vec<Row>,
    file: peers::Codes,
}

impl<'a> Growth<'a> {
    /// Makes the table, empty.
    pub fn new(client: &mut Client, queries: &'a Queries) -> Self {
        client
            .batch_execute("CREATE TABLE s (id bigint, code bitvec(256))")
            .expect("CREATE TABLE");
        Self {
            codes: Box::new(queries.stored()),
            rows: 0,
            stored: Vec::new(),
            file: peers::Codes::new(),
        }
    }

    /// FAISS with the codes of the table.
    pub fn peers(&mut self, queries: &Queries) -> Vec<Peer> {
        self.file.measure(&queries.kinds(&self.stored))
    }

    /// Codes of the table, the same at each size.
    pub fn stored(&self) -> &[Row] {
        &self.stored
    }

    /// Loads up to so many rows and builds the index.
    pub fn grow_to(&mut self, cluster: &Cluster, rows: usize) -> Build {
        let mut client = cluster.client();
        client.batch_execute("DROP INDEX IF EXISTS s_code").expect("DROP INDEX");
        let loaded = (rows - self.rows, self.load(&mut client, rows));
        for statement in ["VACUUM ANALYZE s", "CHECKPOINT"] {
            client.batch_execute(statement).expect("VACUUM");
        }
        // Memory that loading has left is not the build's.
        let mut client = cluster.client();
        let pid: i32 = value(&mut client, "SELECT pg_backend_pid()");
        let start: String = value(&mut client, "SELECT pg_current_wal_lsn()::text");
        let before = processors::seconds(pid);
        let (seconds, peak_bytes) = watched(&cluster.connector(), pid, rows, || {
            client
                .batch_execute("CREATE INDEX s_code ON s USING usearch (code)")
                .expect("CREATE INDEX");
        });
        let mut number = |sql: &str| value::<i64>(&mut client, sql) as u64;
        let wal = format!("SELECT (pg_current_wal_lsn() - '{start}'::pg_lsn)::bigint");
        let log_bytes = number("SELECT pg_relation_size('s_code')");
        Build {
            loaded,
            seconds,
            processor_seconds: processors::seconds(pid) - before,
            peak_bytes,
            wal_bytes: number(&wal),
            log_bytes,
            shard_bytes: number("SELECT usearch_total_size('s_code')") - log_bytes,
            shards: value(&mut client, "SELECT count(*) FROM usearch_shards('s_code')"),
        }
    }

    fn load(&mut self, client: &mut Client, rows: usize) -> f64 {
        let mut progress = Progress::new(format!("loading to {rows} rows"), rows - self.rows);
        let first = self.rows;
        while self.rows < rows {
            let mut writer = client.copy_in("COPY s FROM STDIN").expect("COPY");
            let mut text = String::new();
            for row in self.codes.by_ref().take(BATCH.min(rows - self.rows)) {
                self.file.add(&row);
                text.push_str(&format!("{}\t\\{}\n", row.id, codes::hex(&row.code)));
                if (row.id as usize).is_multiple_of(super::queries::STORED_STEP) && row.id <= 1_000_000 {
                    self.stored.push(row);
                }
            }
            writer.write_all(text.as_bytes()).expect("COPY data");
            self.rows += writer.finish().expect("COPY") as usize;
            progress.show(self.rows - first);
        }
        progress.finish()
    }
}

/// Runs a build, with its progress as PostgreSQL knows it; seconds, and the most memory that the process had of its own.
fn watched(connector: &Connector, pid: i32, rows: usize, build: impl FnOnce()) -> (f64, u64) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut client = connector.client();
            let mut progress = Progress::new(format!("building {rows} rows"), rows);
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(private_kilobytes(pid));
                let sql = "SELECT coalesce(max(tuples_done), 0) FROM pg_stat_progress_create_index";
                progress.show(value::<i64>(&mut client, sql) as usize);
                thread::sleep(LOOK);
            }
            (progress.finish(), peak as u64 * 1024)
        });
        build();
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("thread")
    })
}
