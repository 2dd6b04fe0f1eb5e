//! Waiting on this process's latch, and what signals have asked it to do.

use std::time::Duration;

use pgrx::pg_sys;

/// What a signal asks for. PostgreSQL's handler notes it in a word of this process.
#[derive(Clone, Copy)]
pub enum Request {
    /// End the statement.
    Cancel,
    /// End the process, as an error that nobody can catch.
    Die,
    /// End the process when it suits; only the launcher's handler notes this.
    ShutDown,
    /// Read changed settings.
    Reload,
}

/// True when a signal has asked for this and nobody has done it yet.
pub fn is_pending(request: Request) -> bool {
    let word = match request {
        Request::Cancel => &raw const pg_sys::QueryCancelPending,
        Request::Die => &raw const pg_sys::ProcDiePending,
        Request::ShutDown => &raw const pg_sys::ShutdownRequestPending,
        Request::Reload => &raw const pg_sys::ConfigReloadPending,
    };
    // SAFETY: a static variable, read at once; volatile because a signal handler may write it at any time.
    unsafe { word.read_volatile() != 0 }
}

/// True when the statement or the process is to end.
pub fn wants_to_stop() -> bool {
    is_pending(Request::Cancel) || is_pending(Request::Die)
}

/// Reads the settings again if a signal has asked for that; true if so. Only outside of a transaction.
pub fn reload_settings() -> bool {
    if !is_pending(Request::Reload) {
        return false;
    }
    // SAFETY: as PostgreSQL's own processes do it in their main loops. A signal that comes now sets the word again.
    unsafe {
        pg_sys::ConfigReloadPending = 0;
        pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
    }
    true
}

/// Sleeps until the time is over or a signal comes. Ends the process if the postmaster is gone: a new one cannot start
/// before all processes of the old one have ended.
pub fn wait(time: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: every process that runs our code has its own latch by then, and keeps it.
    unsafe {
        let latch = pg_sys::MyLatch;
        pg_sys::WaitLatch(latch, events as i32, time.as_millis() as _, pg_sys::PG_WAIT_EXTENSION);
        pg_sys::ResetLatch(latch);
    }
}
