//! Background processes of this extension: describing and starting one, and its transactions.

use std::ffi::{CStr, CString, c_char};
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use crate::error;
use crate::nodes::{Argument, functions};
use crate::server;
pub use crate::server::{database, set_application_name};

functions! {
    /// Lets signals through, at the beginning of a background process.
    pub fn unblock_signals() = BackgroundWorkerUnblockSignals;
    /// Connects a background process, once. Without a name, it can only read catalogs that all databases share.
    pub fn connect_by_name(database: Option<&CStr>, role: Option<&CStr>, flags: u32)
        = BackgroundWorkerInitializeConnection;
    /// The same for a database's OID. Without a role, it is a superuser.
    pub fn connect(database: pg_sys::Oid, role: pg_sys::Oid, flags: u32) = BackgroundWorkerInitializeConnectionByOid;
}

/// Describes a background process of this extension. It connects to a database, also on a standby.
pub fn description(name: &CStr, function: &CStr, argument: Datum) -> pg_sys::BackgroundWorker {
    let mut process = pg_sys::BackgroundWorker {
        bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION) as i32,
        bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_ConsistentState,
        bgw_restart_time: pg_sys::BGW_NEVER_RESTART,
        bgw_main_arg: argument,
        ..Default::default()
    };
    copy(&mut process.bgw_name, name);
    copy(&mut process.bgw_type, name);
    // The same full name as in the extension's functions: dynamic_library_path may lack its directory.
    copy(&mut process.bgw_library_name, c"$libdir/iscc_usearch");
    copy(&mut process.bgw_function_name, function);
    process
}

fn copy(target: &mut [c_char], text: &CStr) {
    for (to, from) in target.iter_mut().zip(text.to_bytes_with_nul()) {
        *to = *from as c_char;
    }
}

impl Argument<*mut pg_sys::BackgroundWorkerHandle> for &Started {
    fn to_raw(self) -> *mut pg_sys::BackgroundWorkerHandle {
        self.0
    }
}

functions! {
    fn status_of(process: &Started, pid: &mut i32) -> u32 = GetBackgroundWorkerPid;
}

/// A background process that this one has asked for.
pub struct Started(*mut pg_sys::BackgroundWorkerHandle);

impl Started {
    /// Asks the postmaster for a process and does not wait for it; None if all of `max_worker_processes` are in use.
    pub fn new(mut description: pg_sys::BackgroundWorker) -> Option<Self> {
        let mut handle = std::ptr::null_mut();
        // SAFETY: a complete description, and a place for the handle.
        let registered = unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut description, &mut handle) };
        registered.then(|| Started(handle))
    }

    /// True until the process has ended.
    pub fn runs(&self) -> bool {
        use pg_sys::BgwHandleStatus::{BGWH_NOT_YET_STARTED, BGWH_STARTED};
        let mut pid = 0;
        let status = status_of(self, &mut pid);
        status == BGWH_NOT_YET_STARTED || status == BGWH_STARTED
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // An error frees the handle with its memory context.
        if !std::thread::panicking() {
            // SAFETY: allocated for us at the registration, and not used afterwards.
            unsafe { pg_sys::pfree(self.0.cast()) };
        }
    }
}

/// Runs `work` in a transaction. An error is written to the server's log with the process's name and gives None.
pub fn in_transaction<T>(name: &CStr, work: impl FnOnce() -> T) -> Option<T> {
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        begin_transaction();
        let result = work();
        commit_transaction();
        Some(result)
    }))
    .catch_others(|error| {
        log_error(name, &error);
        abort_transaction();
        None
    })
    .execute();
    server::report_activity(pg_sys::BackendState::STATE_IDLE, None);
    result
}

/// Begins a transaction. Only background processes call this, outside of one.
pub fn begin_transaction() {
    // SAFETY: at the top of a process that runs no statement.
    unsafe { pg_sys::StartTransactionCommand() };
}

/// Ends the transaction that [`begin_transaction`] began.
pub fn commit_transaction() {
    // SAFETY: at the top of a process that runs no statement, in the transaction that it began.
    unsafe { pg_sys::CommitTransactionCommand() };
}

/// Ends a transaction that failed, with all its locks, pins and buffers.
fn abort_transaction() {
    // SAFETY: what PostgreSQL does in a process's outermost error handler. It resets the counts where it catches an
    // error of its own; an error raised from Rust has not passed there.
    unsafe {
        pg_sys::InterruptHoldoffCount = 0;
        pg_sys::QueryCancelHoldoffCount = 0;
        pg_sys::AbortCurrentTransaction();
    }
}

fn log_error(name: &CStr, error: &pg_sys::panic::CaughtError) {
    use pg_sys::panic::CaughtError::{ErrorReport, PostgresError, RustPanic};
    match error {
        PostgresError(report) | ErrorReport(report) | RustPanic { ereport: report, .. } => {
            error::log(format!("{} failed: {}", name.to_string_lossy(), report.message()));
        }
    }
}

/// Shows in `pg_stat_activity` what this process does.
pub fn show_activity(what: &str) {
    let text = CString::new(format!("iscc_usearch: {what}")).unwrap_or_default();
    server::report_activity(pg_sys::BackendState::STATE_RUNNING, Some(&text));
}
