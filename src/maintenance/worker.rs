//! The background worker: one process a database, which lives only while there is work.
//!
//! Inserts, VACUUM, scans that miss a shard, and the launcher start it. It looks at all indexes of its database until none
//! is due. It never keeps others waiting for long: between two looks of a build it asks whether somebody wants the index,
//! the database or the maintenance lock, and gives way.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::{CStr, CString, c_char};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use iscc_log::directory::Segment;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::context::{self, Foreground, Job, Stopped, Threads, Watcher};
use super::lock;
use super::report::warn;
use crate::compat;
use crate::error;
use crate::failpoint::{failpoint, failpoint_is_on};
use crate::guc;
use crate::relation::{Index, OpenRelation, in_recovery};
use crate::storage::definition::is_usearch_index;
use crate::storage::shard_file::ShardId;
use crate::storage::sweep;
use crate::storage::update::Logging;

/// The name of a worker in `pg_stat_activity` and the server's log.
pub(super) const NAME: &CStr = c"iscc_usearch worker";
/// How long to wait for a worker to begin.
const START: Duration = Duration::from_secs(5);
/// How often `pg_stat_activity` is told how far a build is.
const REPORT: Duration = Duration::from_secs(1);
/// How long to wait before looking again at an index that somebody else wanted.
const RETRY: Duration = Duration::from_secs(1);
/// How often to look again.
const RETRIES: u32 = 10;
/// How often a worker that is done looks whether something came up meanwhile.
const ROUNDS: u32 = 5;
/// A session asks for a worker because of a missing shard no more often than this.
const ASK: Duration = Duration::from_secs(1);

thread_local! {
    static LAST_ASKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Starts this database's worker unless one runs, and does not wait for it.
pub fn start() {
    if guc::background_worker() && lock::worker_is_missing() {
        register(std::ptr::null_mut());
    }
}

/// Starts this database's worker unless one runs, and waits until it is at work. False when there is none: it is switched
/// off, all of `max_worker_processes` are in use, or it ended before it began, whatever the reason.
pub fn hand_over() -> bool {
    if !guc::background_worker() {
        return false;
    }
    if !lock::worker_is_missing() {
        return true;
    }
    let mut handle = std::ptr::null_mut();
    if !register(&mut handle) {
        return false;
    }
    let began = Instant::now();
    loop {
        context::wait(Duration::from_millis(10));
        pgrx::check_for_interrupts!();
        if !lock::worker_is_missing() {
            return true;
        }
        let mut pid = 0;
        // SAFETY: the handle that PostgreSQL gave for this worker.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(handle, &mut pid) };
        let has_ended = status == pg_sys::BgwHandleStatus::BGWH_STOPPED;
        if has_ended || began.elapsed() > START {
            return false;
        }
    }
}

/// Asks PostgreSQL for a worker of this database; false when it has none left.
fn register(handle: *mut *mut pg_sys::BackgroundWorkerHandle) -> bool {
    // SAFETY: set when the backend connected to its database.
    let database = unsafe { pg_sys::MyDatabaseId };
    let mut worker = description(NAME, c"usearch_worker_main", database.into());
    // SAFETY: a complete description; the callers pass where the handle is to be, or NULL.
    unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, handle) }
}

/// Describes a background process of ours, which connects to a database, on a standby, too.
pub(super) fn description(name: &CStr, function: &CStr, argument: Datum) -> pg_sys::BackgroundWorker {
    let mut worker = pg_sys::BackgroundWorker {
        bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION) as i32,
        bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_ConsistentState,
        bgw_restart_time: pg_sys::BGW_NEVER_RESTART,
        bgw_main_arg: argument,
        ..Default::default()
    };
    copy(&mut worker.bgw_name, name);
    copy(&mut worker.bgw_type, name);
    // By its full name, as in the extension's functions: dynamic_library_path may not have its directory.
    copy(&mut worker.bgw_library_name, c"$libdir/iscc_usearch");
    copy(&mut worker.bgw_function_name, function);
    worker
}

/// Starts the worker because a scan misses a shard; not at every scan.
pub fn ask() {
    let now = Instant::now();
    if LAST_ASKED.get().is_none_or(|last| now - last >= ASK) {
        LAST_ASKED.set(Some(now));
        start();
    }
}

fn copy(target: &mut [c_char], text: &CStr) {
    for (to, from) in target.iter_mut().zip(text.to_bytes_with_nul()) {
        *to = *from as c_char;
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
    // SAFETY: the sequence that PostgreSQL prescribes for a background worker.
    unsafe {
        pg_sys::BackgroundWorkerUnblockSignals();
        let database = pg_sys::Oid::from(database.value() as u32);
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0);
        for (name, value) in compat::WORKER_SETTINGS {
            let (context, source) = (pg_sys::GucContext::PGC_SUSET, pg_sys::GucSource::PGC_S_OVERRIDE);
            pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), context, source);
        }
        pg_sys::pgstat_report_appname(NAME.as_ptr());
    }
}

fn work() {
    failpoint!("worker_began");
    let mut rebuilt = HashSet::new();
    // Another request may come after the last look and before the role is given up; it would find a worker and trust it.
    for _ in 0..ROUNDS {
        let more = work_as_the_only_one(&mut rebuilt)
            && in_transaction(|| all_indexes().into_iter().any(is_due)) == Some(true);
        if !more {
            return;
        }
    }
}

/// Works until nothing is due. False when there is a worker already, or this one had better end.
fn work_as_the_only_one(rebuilt: &mut HashSet<ShardId>) -> bool {
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
            if !reload() || in_transaction(lock::database_is_wanted) != Some(false) {
                return false;
            }
        }
        if !worked && (!yielded || retries == RETRIES) {
            break;
        }
        if !worked {
            retries += 1;
            context::wait(RETRY);
            pgrx::check_for_interrupts!();
        }
    }
    activity("removing files that no index lists");
    in_transaction(sweep::sweep);
    failed.is_empty() && retries < RETRIES
}

/// Takes the role of this database's worker. Somebody who asks for a worker may be in the way for a moment.
fn become_worker() -> Option<lock::Held> {
    for _ in 0..3 {
        if let Some(role) = in_transaction(lock::become_worker).flatten() {
            return Some(role);
        }
        context::wait(Duration::from_millis(20));
    }
    None
}

/// Reads changed settings. False when the worker has just been switched off.
fn reload() -> bool {
    // SAFETY: a flag that a signal handler sets; outside of a transaction.
    unsafe {
        if (&raw const pg_sys::ConfigReloadPending).read_volatile() == 0 {
            // Whoever started this worker may have it on in one session only.
            return true;
        }
        pg_sys::ConfigReloadPending = 0;
        pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
    }
    guc::background_worker()
}

/// How maintaining one index ended.
enum Outcome {
    Idle,
    Worked,
    Yielded,
}

/// Runs `work` in a transaction. An error is written to the server's log and gives None.
fn in_transaction<T>(work: impl FnOnce() -> T) -> Option<T> {
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: this process is not in a transaction.
        unsafe { pg_sys::StartTransactionCommand() };
        let result = work();
        // SAFETY: as above, now it is.
        unsafe { pg_sys::CommitTransactionCommand() };
        Some(result)
    }))
    .catch_others(|error| {
        log_error(&error);
        // SAFETY: ends the transaction that failed, with all its locks, pins and buffers. An error of ours has not come by
        // where PostgreSQL forgets what held off interrupts.
        unsafe {
            pg_sys::InterruptHoldoffCount = 0;
            pg_sys::QueryCancelHoldoffCount = 0;
            pg_sys::AbortCurrentTransaction();
        }
        None
    })
    .execute();
    // SAFETY: plain reporting.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) };
    result
}

fn log_error(error: &pg_sys::panic::CaughtError) {
    use pg_sys::panic::CaughtError::{ErrorReport, PostgresError, RustPanic};
    match error {
        PostgresError(report) | ErrorReport(report) | RustPanic { ereport: report, .. } => {
            error::log(format!("{} failed: {}", NAME.to_string_lossy(), report.message()));
        }
    }
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
    // SAFETY: a snapshot for reading catalogs, popped when done.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
    let oids = Spi::connect(|client| -> Result<Vec<pg_sys::Oid>, pgrx::spi::Error> {
        let rows = client.select(sql, None, &[])?;
        rows.map(|row| Ok(row.get::<pg_sys::Oid>(1)?.unwrap_or(pg_sys::InvalidOid)))
            .collect()
    });
    // SAFETY: pushed above.
    unsafe { pg_sys::PopActiveSnapshot() };
    oids.unwrap_or_default()
}

/// Calls `work` with the index open, unless it is gone or locked.
fn with_index<T>(oid: pg_sys::Oid, work: impl FnOnce(Index<'_>) -> T) -> Option<T> {
    let index = OpenRelation::try_open(oid, pg_sys::RowExclusiveLock)?;
    is_usearch_index(index.handle()).then(|| work(index.handle()))
}

fn job<'a>(index: Index<'a>, watcher: &'a mut dyn Watcher) -> Job<'a> {
    let threads = Threads {
        count: guc::worker_threads(),
        nice: true,
    };
    Job::new(index, Logging::EachChange, threads, watcher)
}

fn is_due(oid: pg_sys::Oid) -> bool {
    with_index(oid, |index| job(index, &mut Foreground).is_due()).unwrap_or(false)
}

fn maintain(oid: pg_sys::Oid, rebuilt: &mut HashSet<ShardId>) -> Outcome {
    let outcome = with_index(oid, |index| {
        let mut watcher = Attentive::new(oid);
        let mut job = job(index, &mut watcher);
        job.rebuilt = std::mem::take(rebuilt);
        let result = job.run_due();
        *rebuilt = job.rebuilt;
        match result {
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

/// Tells what the worker does, and gives way. A long build, say of a merger, does not keep the tail from being sealed, nor
/// dead segments from being freed.
struct Attentive {
    index: pg_sys::Oid,
    what: String,
    reported: Instant,
    /// When it was looked last what cannot wait for the end of a build; None to leave it alone.
    looked_meanwhile: Option<Instant>,
}

impl Attentive {
    fn new(index: pg_sys::Oid) -> Self {
        Attentive {
            index,
            what: String::new(),
            reported: Instant::now(),
            looked_meanwhile: Some(Instant::now()),
        }
    }
}

impl Watcher for Attentive {
    fn begin(&mut self, what: &str) {
        self.what = what.to_string();
        activity(what);
    }

    fn progress(&mut self, done: u64, total: u64) {
        if self.reported.elapsed() >= REPORT {
            self.reported = Instant::now();
            activity(&format!("{}: {done} of {total} codes", self.what));
        }
    }

    fn meanwhile(&mut self, busy: &[Segment]) {
        let is_due = |last: Instant| last.elapsed() >= REPORT || failpoint_is_on!("build_meanwhile");
        if in_recovery() || !self.looked_meanwhile.is_some_and(is_due) {
            return;
        }
        let mut nested = Attentive {
            looked_meanwhile: None,
            ..Attentive::new(self.index)
        };
        let result = with_index(self.index, |index| {
            let mut job = job(index, &mut nested);
            job.busy = busy.to_vec();
            job.work_meanwhile().map_err(|why| warn(index, why))
        });
        // What failed once is left to the next run.
        self.looked_meanwhile = matches!(result, Some(Ok(_))).then(Instant::now);
    }

    fn must_yield(&mut self) -> bool {
        lock::database_is_wanted() || lock::index_is_wanted(self.index) || lock::maintenance_is_wanted(self.index)
    }
}

/// Shows in `pg_stat_activity` what the worker does.
fn activity(what: &str) {
    let text = CString::new(format!("iscc_usearch: {what}")).unwrap_or_default();
    // SAFETY: copies the text.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, text.as_ptr()) };
}
