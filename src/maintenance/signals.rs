//! Waiting on this process's latch, and what signals have asked it to do.

use std::cell::Cell;
use std::ffi::CStr;
use std::time::Duration;

use pgrx::pg_sys;

use crate::compat;

/// What a signal asks for. PostgreSQL's handler notes it in a word of this process.
#[derive(Clone, Copy)]
pub enum Request {
    /// End the statement.
    Cancel,
    /// End the process, as an error that cannot be caught.
    Die,
    /// End the process when it suits; only the launcher's handler notes this.
    ShutDown,
    /// Read changed settings.
    Reload,
}

/// True when a signal has asked for this and it has not been done yet.
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

/// What a process waits for; `pg_stat_activity` shows it from PostgreSQL 17 on.
#[derive(Clone, Copy)]
pub enum WaitEvent {
    /// For threads that build a shard.
    Build,
    /// For the worker to begin.
    WorkerStart,
    /// For what others hold, as a worker, or as VACUUM for a worker.
    WorkerRetry,
    /// As the launcher, for the next round.
    Launcher,
}

thread_local! {
    /// PostgreSQL's numbers of them; 0 for those that this process has not used yet.
    static NUMBERS: [Cell<u32>; 4] = const { [const { Cell::new(0) }; 4] };
}

impl WaitEvent {
    fn name(self) -> &'static CStr {
        match self {
            WaitEvent::Build => c"UsearchBuild",
            WaitEvent::WorkerStart => c"UsearchWorkerStart",
            WaitEvent::WorkerRetry => c"UsearchWorkerRetry",
            WaitEvent::Launcher => c"UsearchLauncherMain",
        }
    }

    fn number(self) -> u32 {
        NUMBERS.with(|numbers| {
            let number = &numbers[self as usize];
            if number.get() == 0 {
                number.set(compat::wait_event(self.name()));
            }
            number.get()
        })
    }
}

/// Sleeps until the time is over or a signal comes. Ends the process if the postmaster is gone: a new one cannot start
/// before all processes of the old one have ended.
pub fn wait(time: Duration, what_for: WaitEvent) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    let number = what_for.number();
    // SAFETY: every process that runs our code has its own latch by then, and keeps it.
    unsafe {
        let latch = pg_sys::MyLatch;
        pg_sys::WaitLatch(latch, events as i32, time.as_millis() as _, number);
        pg_sys::ResetLatch(latch);
    }
}
