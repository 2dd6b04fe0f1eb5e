//! The background worker: one process per database, which lives only while there is work.
//!
//! Inserts, VACUUM, scans that miss a shard, and the launcher start it. It looks at all indexes of its database until
//! none is due. It never keeps others waiting for long: during a build it asks several times a second whether somebody
//! wants the index, the database or the maintenance lock, and gives way.

use std::cell::Cell;
use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::context::{Foreground, Job, RebuiltShards, Stopped, Watcher};
use super::lock::{self, AdvisoryLock};
use super::process::{self, Started, show_activity};
use super::report::warn;
use super::signals::{self, WaitEvent};
use super::snapshot::Snapshot;
use crate::compat;
use crate::error::Report;
use crate::failpoint::failpoint;
use crate::guc;
use crate::relation::{Index, OpenRelation};
use crate::server;
use crate::storage::definition::is_usearch_index;
use crate::storage::sweep;
use crate::version;

/// The name of a worker in `pg_stat_activity` and the server's log.
pub(super) const NAME: &CStr = c"iscc_usearch worker";
/// How long to wait for a worker to begin.
const START_TIMEOUT: Duration = Duration::from_secs(5);
/// How often `pg_stat_activity` is told how far a build is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait before looking again at an index that another session wanted.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often to look again at such indexes.
const MAX_RETRIES: u32 = 10;
/// How often a worker that is done looks whether something came up meanwhile.
const MAX_ROUNDS: u32 = 5;
/// A session asks for a worker because of a missing shard no more often than this.
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    static LAST_REQUEST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Starts this database's worker unless one runs, and does not wait for it.
pub fn start() {
    if guc::background_worker() && lock::worker_is_missing() {
        request();
    }
}

/// Starts this database's worker unless one runs, and waits until it is at work. False when there is none: it is
/// switched off, all of `max_worker_processes` are in use, or it ended before it began, whatever the reason.
pub fn hand_over() -> bool {
    if !guc::background_worker() {
        return false;
    }
    if !lock::worker_is_missing() {
        return true;
    }
    let Some(worker) = request() else {
        return false;
    };
    let began = Instant::now();
    loop {
        signals::wait(Duration::from_millis(10), WaitEvent::WorkerStart);
        pgrx::check_for_interrupts!();
        if !lock::worker_is_missing() {
            return true;
        }
        if !worker.runs() || began.elapsed() > START_TIMEOUT {
            return false;
        }
    }
}

/// Asks PostgreSQL for a worker of this database; None if it has none left.
fn request() -> Option<Started> {
    let worker = process::description(NAME, c"usearch_worker_main", process::database().into());
    Started::new(worker)
}

/// Starts the worker because a scan misses a shard, but not at every scan.
pub fn ask() {
    let now = Instant::now();
    if LAST_REQUEST.get().is_none_or(|last| now - last >= REQUEST_INTERVAL) {
        LAST_REQUEST.set(Some(now));
        start();
    }
}

unsafe extern "C" {
    fn die(signal: i32);
    fn SignalHandlerForConfigReload(signal: i32);
}

/// The worker's process, started because there is work.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn usearch_worker_main(database: Datum) {
    connect(database);
    work();
}

/// The worker's process, started by the launcher, which does not know whether this database wants one.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn usearch_launched_worker_main(database: Datum) {
    connect(database);
    if guc::background_worker() {
        work();
    }
}

fn connect(database: Datum) {
    compat::handle_signal(libc::SIGTERM, die);
    compat::handle_signal(libc::SIGHUP, SignalHandlerForConfigReload);
    let database = pg_sys::Oid::from(database.value() as u32);
    process::unblock_signals();
    process::connect(database, pg_sys::InvalidOid, 0);
    for (name, value) in compat::WORKER_SETTINGS {
        let (context, source) = (pg_sys::GucContext::PGC_SUSET, pg_sys::GucSource::PGC_S_OVERRIDE);
        server::set_option(name, value, context, source);
    }
    process::set_application_name(NAME);
}

fn in_transaction<T>(work: impl FnOnce() -> T) -> Option<T> {
    process::in_transaction(NAME, work)
}

fn work() {
    failpoint!("worker_began");
    in_transaction(|| {
        let _snapshot = Snapshot::push();
        version::mismatch().map(Report::warn)
    });
    let mut rebuilt = RebuiltShards::new();
    // Another request may come after the last look and before the role is given up; it would find a worker and trust
    // it.
    for _ in 0..MAX_ROUNDS {
        let more = work_as_the_only_one(&mut rebuilt)
            && in_transaction(|| all_indexes().into_iter().any(|index| is_due(index, &rebuilt))) == Some(true);
        if !more {
            return;
        }
    }
}

/// Works until nothing is due. False when there is a worker already, or this one had better end.
fn work_as_the_only_one(rebuilt: &mut RebuiltShards) -> bool {
    let Some(_role) = become_worker() else {
        return false;
    };
    let mut failed: Vec<pg_sys::Oid> = Vec::new();
    let mut retries = 0;
    while let Some(indexes) = in_transaction(all_indexes) {
        let (mut worked, mut yielded) = (false, false);
        for index in indexes {
            if failed.contains(&index) {
                continue;
            }
            match in_transaction(|| maintain(index, rebuilt)) {
                Some(Outcome::Idle) => {}
                Some(Outcome::Worked) => worked = true,
                Some(Outcome::Yielded) => yielded = true,
                // The error is in the server's log.
                None => failed.push(index),
            }
            if was_switched_off() || in_transaction(lock::database_is_wanted) != Some(false) {
                return false;
            }
        }
        if !worked && (!yielded || retries == MAX_RETRIES) {
            break;
        }
        if !worked {
            retries += 1;
            signals::wait(RETRY_PAUSE, WaitEvent::WorkerRetry);
            pgrx::check_for_interrupts!();
        }
    }
    show_activity("removing files that no index lists");
    in_transaction(sweep::sweep);
    failed.is_empty() && retries < MAX_RETRIES
}

/// Takes the role of this database's worker. A session that asks whether there is one may hold the lock for a moment.
fn become_worker() -> Option<AdvisoryLock> {
    for _ in 0..3 {
        if let Some(role) = in_transaction(lock::become_worker).flatten() {
            return Some(role);
        }
        signals::wait(Duration::from_millis(20), WaitEvent::WorkerRetry);
    }
    None
}

/// Reads changed settings. True when they have just switched the worker off: without a change it may be on only in the
/// session that started it.
fn was_switched_off() -> bool {
    signals::reload_settings() && !guc::background_worker()
}

/// How maintaining one index ended.
enum Outcome {
    Idle,
    Worked,
    Yielded,
}

/// OIDs of the indexes of this database that can be maintained.
fn all_indexes() -> Vec<pg_sys::Oid> {
    let sql = "
        SELECT c.oid
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_index i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid
          JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.relam
         WHERE a.amname OPERATOR(pg_catalog.=) 'usearch'
           AND c.relkind OPERATOR(pg_catalog.=) 'i' AND i.indisready
           AND (c.relpersistence OPERATOR(pg_catalog.=) 'p'
                OR (c.relpersistence OPERATOR(pg_catalog.=) 'u' AND NOT pg_catalog.pg_is_in_recovery()))";
    let _snapshot = Snapshot::push();
    let oids = Spi::connect(|client| -> Result<Vec<pg_sys::Oid>, pgrx::spi::Error> {
        let rows = client.select(sql, None, &[])?;
        rows.map(|row| Ok(row.get::<pg_sys::Oid>(1)?.unwrap_or(pg_sys::InvalidOid)))
            .collect()
    });
    oids.unwrap_or_default()
}

/// Calls `work` with the index open, unless it is gone or locked.
fn with_index<T>(oid: pg_sys::Oid, work: impl FnOnce(Index<'_>) -> T) -> Option<T> {
    let index = OpenRelation::try_open(oid, pg_sys::RowExclusiveLock)?;
    is_usearch_index(index.handle()).then(|| work(index.handle()))
}

fn is_due(oid: pg_sys::Oid, rebuilt: &RebuiltShards) -> bool {
    with_index(oid, |index| Job::background(index, &mut Foreground).is_due(rebuilt)).unwrap_or(false)
}

fn maintain(oid: pg_sys::Oid, rebuilt: &mut RebuiltShards) -> Outcome {
    let outcome = with_index(oid, |index| {
        let mut watcher = Attentive {
            index: oid,
            reported: Instant::now(),
        };
        match Job::background(index, &mut watcher).run_due(rebuilt) {
            Ok(done) if done.shards == 0 && done.freed_blocks == 0 => Outcome::Idle,
            Ok(_) => Outcome::Worked,
            Err(Stopped::Yielded | Stopped::Changed(_) | Stopped::Overtaken) => Outcome::Yielded,
            Err(why) => {
                warn(index, why);
                Outcome::Idle
            }
        }
    });
    outcome.unwrap_or(Outcome::Yielded)
}

/// Tells what the worker does, and gives way.
struct Attentive {
    index: pg_sys::Oid,
    reported: Instant,
}

impl Watcher for Attentive {
    fn begin(&mut self, what: &str) {
        show_activity(what);
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        if self.reported.elapsed() >= PROGRESS_INTERVAL {
            self.reported = Instant::now();
            show_activity(&format!("{what}: {done} of {total} codes"));
        }
    }

    fn must_yield(&mut self) -> bool {
        lock::database_is_wanted() || lock::index_is_wanted(self.index) || lock::maintenance_is_wanted(self.index)
    }
}
