//! Sessions that change a table all the time while a test does something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use postgres::Client;
use postgres::error::SqlState;

use crate::codes::{Row, insert_sql, literal};
use crate::{Connector, Random, wait_until};

/// Rows that one statement touches.
const BATCH: usize = 20;

/// Two sessions that insert, update and delete rows of table `t`, and one that runs VACUUM and seals `t_code`.
pub struct Churn {
    stop: Arc<AtomicBool>,
    threads: Vec<(JoinHandle<()>, Arc<AtomicUsize>)>,
}

impl Churn {
    /// Starts the sessions; only these rows come and go.
    pub fn start(connector: &Connector, rows: &[Row]) -> Churn {
        let mut churn = Churn {
            stop: Arc::default(),
            threads: Vec::new(),
        };
        // Each its own rows, so that they do not wait for each other.
        for (seed, rows) in rows.chunks(rows.len().div_ceil(2)).enumerate() {
            let (rows, mut random) = (rows.to_vec(), Random(seed as u64));
            churn.spawn(connector, move |client| write(client, &rows, &mut random));
        }
        churn.spawn(connector, maintain);
        churn
    }

    fn spawn(&mut self, connector: &Connector, mut step: impl FnMut(&mut Client) + Send + 'static) {
        let (stop, rounds) = (self.stop.clone(), Arc::<AtomicUsize>::default());
        let (mut client, counter) = (connector.client(), rounds.clone());
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                step(&mut client);
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        self.threads.push((thread, rounds));
    }

    /// Waits until each session has done this many more rounds.
    pub fn wait_for(&self, rounds: usize) {
        for (thread, counter) in &self.threads {
            let target = counter.load(Ordering::Relaxed) + rounds;
            wait_until("other sessions get on", || {
                thread.is_finished() || counter.load(Ordering::Relaxed) >= target
            });
        }
    }

    /// Stops the sessions; panics when one of them has failed.
    pub fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for (thread, _) in self.threads {
            thread.join().expect("a session");
        }
    }
}

fn maintain(client: &mut Client) {
    client.batch_execute("VACUUM t").expect("VACUUM");
    if let Err(error) = client.batch_execute("SELECT usearch_seal('t_code')") {
        // REINDEX CONCURRENTLY replaces the index; it may do so between the look at its name and the lock.
        let message = error.as_db_error().map_or("", |error| error.message());
        let gone = message.contains("could not open relation")
            || [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_OBJECT]
                .iter()
                .any(|code| error.code() == Some(code));
        assert!(gone, "{error:?}");
    }
}

fn write(client: &mut Client, rows: &[Row], random: &mut Random) {
    let start = random.below(rows.len() - BATCH);
    let batch = &rows[start..start + BATCH];
    let ids: Vec<_> = batch.iter().map(|row| row.id.to_string()).collect();
    let ids = ids.join(", ");
    let sql = match random.below(4) {
        0 => format!("DELETE FROM t WHERE id IN ({ids})"),
        1 => {
            let other = &rows[random.below(rows.len())];
            format!("UPDATE t SET code = {} WHERE id IN ({ids})", literal(&other.code))
        }
        _ => {
            let insert = insert_sql("t", batch);
            format!("{insert} ON CONFLICT (id) DO UPDATE SET code = excluded.code")
        }
    };
    client.batch_execute(&sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}
