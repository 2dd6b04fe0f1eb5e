//! The launcher: a process that now and then starts each database's worker, so that shards are built where no statement
//! asks for them, as on a standby without queries. There is one where the server loads the library at its start
//! (`shared_preload_libraries`).

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::{context, worker};
use crate::compat;
use crate::guc;

const NAME: &CStr = c"iscc_usearch launcher";
/// After how many seconds it is started again when it has ended.
const RESTART: i32 = 10;
/// The connection limit of a database whose DROP was interrupted.
const INVALID_DATABASE: i32 = -2;

unsafe extern "C" {
    fn SignalHandlerForConfigReload(signal: i32);
    fn SignalHandlerForShutdownRequest(signal: i32);
}

/// Has the postmaster start the launcher, if it is the postmaster that loads the library; called when it is loaded.
pub fn register() {
    // SAFETY: flags of this process, set before libraries are loaded. pg_upgrade's servers are to do nothing by themselves.
    let wanted = unsafe { pg_sys::process_shared_preload_libraries_in_progress && !pg_sys::IsBinaryUpgrade };
    if !wanted {
        return;
    }
    let mut launcher = worker::description(NAME, c"usearch_launcher_main", Datum::null());
    launcher.bgw_restart_time = RESTART;
    // SAFETY: a complete description.
    unsafe { pg_sys::RegisterBackgroundWorker(&mut launcher) };
}

/// The launcher's process. An error ends it; then it is started again.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn usearch_launcher_main(_argument: Datum) {
    compat::handle_signal(libc::SIGTERM, SignalHandlerForShutdownRequest);
    compat::handle_signal(libc::SIGHUP, SignalHandlerForConfigReload);
    // SAFETY: the sequence that PostgreSQL prescribes. Without a database, only catalogs that all share can be read.
    unsafe {
        pg_sys::BackgroundWorkerUnblockSignals();
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
        pg_sys::pgstat_report_appname(NAME.as_ptr());
    }
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

/// Waits, at most so long, and does what signals have asked for.
fn pause(time: Duration) {
    context::wait(time);
    pgrx::check_for_interrupts!();
    // SAFETY: words that signal handlers set; outside of a transaction.
    unsafe {
        if (&raw const pg_sys::ShutdownRequestPending).read_volatile() != 0 {
            // Not 0, after which it would not be started again: somebody may have called pg_terminate_backend.
            pg_sys::proc_exit(1);
        }
        if (&raw const pg_sys::ConfigReloadPending).read_volatile() != 0 {
            pg_sys::ConfigReloadPending = 0;
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Starts the worker of a database and waits until it has ended, so that there is one at a time; a long build does not
/// keep other databases waiting for more than an interval. Where all of `max_worker_processes` are in use, the next round
/// tries again.
fn run_worker(database: pg_sys::Oid) {
    use pg_sys::BgwHandleStatus::{BGWH_NOT_YET_STARTED, BGWH_STARTED};
    let started = Instant::now();
    let mut worker = worker::description(worker::NAME, c"usearch_launched_worker_main", database.into());
    // SAFETY: set at the process's start. The postmaster wakes this process when the worker starts and ends.
    worker.bgw_notify_pid = unsafe { pg_sys::MyProcPid };
    let mut handle = std::ptr::null_mut();
    // SAFETY: a complete description.
    if !unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle) } {
        return;
    }
    let runs = || {
        let mut pid = 0;
        // SAFETY: the handle of a registered worker.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(handle, &mut pid) };
        status == BGWH_NOT_YET_STARTED || status == BGWH_STARTED
    };
    while runs() {
        let Some(rest) = rest_of_interval(started) else { break };
        pause(rest);
    }
    // SAFETY: allocated for us by the registration; not used any more.
    unsafe { pg_sys::pfree(handle.cast()) };
}

/// OIDs of the databases that have connections. Nobody asks templates for the nearest.
fn databases() -> Vec<pg_sys::Oid> {
    let mut databases = Vec::new();
    // SAFETY: a scan of a shared catalog in a transaction of its own. The snapshot is the scan's.
    unsafe {
        pg_sys::StartTransactionCommand();
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let catalog = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let (no_index, latest, no_keys) = (pg_sys::InvalidOid, std::ptr::null_mut(), std::ptr::null_mut());
        let scan = pg_sys::systable_beginscan(catalog, no_index, false, latest, 0, no_keys);
        while let Some(tuple) = pg_sys::systable_getnext(scan).as_mut() {
            let database = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            let is_valid = database.datconnlimit != INVALID_DATABASE;
            if database.datallowconn && !database.datistemplate && is_valid {
                databases.push(database.oid);
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, lock);
        pg_sys::CommitTransactionCommand();
    }
    databases
}
