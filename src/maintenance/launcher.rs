//! The launcher: a process that now and then starts each database's worker, so that shards are built where no statement
//! asks for them, as on a standby without queries. There is one where the server loads the library at its start
//! (`shared_preload_libraries`).

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::process::{self, Started};
use super::signals::{self, Request, WaitEvent};
use super::worker;
use crate::compat;
use crate::guc;
use crate::server;

const NAME: &CStr = c"iscc_usearch launcher";
/// After how many seconds it is started again when it has ended.
const RESTART_SECONDS: i32 = 10;
/// The connection limit of a database whose DROP was interrupted.
const INVALID_CONNECTION_LIMIT: i32 = -2;

unsafe extern "C" {
    fn SignalHandlerForConfigReload(signal: i32);
    fn SignalHandlerForShutdownRequest(signal: i32);
}

/// Has the postmaster start the launcher, if it is the postmaster that loads the library; called when it is loaded.
pub fn register() {
    // The servers of pg_upgrade must do nothing by themselves.
    if !server::is_loading_preload_libraries() || server::is_binary_upgrade() {
        return;
    }
    let mut launcher = process::description(NAME, c"usearch_launcher_main", Datum::null());
    launcher.bgw_restart_time = RESTART_SECONDS;
    // SAFETY: a complete description.
    unsafe { pg_sys::RegisterBackgroundWorker(&mut launcher) };
}

/// The launcher's process. An error ends it; then it is started again.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn usearch_launcher_main(_argument: Datum) {
    compat::handle_signal(libc::SIGTERM, SignalHandlerForShutdownRequest);
    compat::handle_signal(libc::SIGHUP, SignalHandlerForConfigReload);
    process::unblock_signals();
    process::connect_by_name(None, None, 0);
    process::set_application_name(NAME);
    loop {
        let round = Instant::now();
        if guc::background_worker() {
            databases().into_iter().for_each(run_worker);
        }
        while let Some(rest) = rest_of_interval(round) {
            pause(rest);
        }
    }
}

/// What is left of the time between two rounds, of which the last began then.
fn rest_of_interval(since: Instant) -> Option<Duration> {
    let rest = guc::launcher_interval().checked_sub(since.elapsed());
    rest.filter(|rest| !rest.is_zero())
}

/// Waits for at most this time, and does what signals have asked for.
fn pause(time: Duration) {
    signals::wait(time, WaitEvent::Launcher);
    pgrx::check_for_interrupts!();
    if signals::is_pending(Request::ShutDown) {
        // Not 0, after which it would not be started again: a superuser may have called pg_terminate_backend.
        // SAFETY: ends this process, which is not in a transaction.
        unsafe { pg_sys::proc_exit(1) };
    }
    signals::reload_settings();
}

/// Starts the worker of a database and waits until it has ended, so that there is one at a time; a long build does not
/// keep other databases waiting for more than an interval. If all of `max_worker_processes` are in use, the next round
/// tries again.
fn run_worker(database: pg_sys::Oid) {
    let started = Instant::now();
    let mut worker = process::description(worker::NAME, c"usearch_launched_worker_main", database.into());
    // The postmaster wakes this process when the worker starts and ends.
    worker.bgw_notify_pid = std::process::id() as i32;
    let Some(worker) = Started::new(worker) else {
        return;
    };
    while worker.runs() {
        let Some(rest) = rest_of_interval(started) else { break };
        pause(rest);
    }
}

/// OIDs of the databases that accept connections. Templates are left out.
fn databases() -> Vec<pg_sys::Oid> {
    let mut scan = DatabaseScan::begin();
    let mut databases = Vec::new();
    while let Some(database) = scan.next() {
        let is_valid = database.datconnlimit != INVALID_CONNECTION_LIMIT;
        if database.datallowconn && !database.datistemplate && is_valid {
            databases.push(database.oid);
        }
    }
    scan.end();
    databases
}

/// A scan of `pg_database` in a transaction of its own.
struct DatabaseScan {
    catalog: pg_sys::Relation,
    scan: pg_sys::SysScanDesc,
}

impl DatabaseScan {
    fn begin() -> Self {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let (no_index, latest, no_keys) = (pg_sys::InvalidOid, std::ptr::null_mut(), std::ptr::null_mut());
        process::begin_transaction();
        // SAFETY: in a transaction. The catalog is one that all databases share; its scan takes a snapshot of its own.
        unsafe {
            let catalog = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
            let scan = pg_sys::systable_beginscan(catalog, no_index, false, latest, 0, no_keys);
            DatabaseScan { catalog, scan }
        }
    }

    /// The next row, without what follows the fields of fixed length.
    fn next(&mut self) -> Option<&pg_sys::FormData_pg_database> {
        // SAFETY: the scan has begun. A row is valid until the next one is fetched, for which `self` is borrowed.
        unsafe {
            let tuple = pg_sys::systable_getnext(self.scan).as_mut()?;
            Some(&*pg_sys::GETSTRUCT(tuple).cast())
        }
    }

    fn end(self) {
        // SAFETY: in the order opposite to that of the beginning.
        unsafe {
            pg_sys::systable_endscan(self.scan);
            pg_sys::table_close(self.catalog, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        }
        process::commit_transaction();
    }
}
