//! Building a graph on our own threads, which never call PostgreSQL.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use iscc_hnsw::build::{BuiltShard, CollectedShard, largest_file_bytes};
use iscc_hnsw::control::{BuildControl, Cancelled};
use iscc_hnsw::params::BuildParams;
use pgrx::prelude::*;

use super::signals::{self, WaitEvent};
use crate::error::report;

/// The `nice` value of the threads of background builds.
const BACKGROUND_NICE: i32 = 10;

/// How often [`GraphBuild::wait`] looks whether the build has ended.
const INTERVAL: Duration = Duration::from_millis(5);

/// A graph that is being built. Dropping it before it is finished cancels it and waits until its threads have ended,
/// which takes about 10 ms. That happens, too, if an error of PostgreSQL's unwinds.
pub struct GraphBuild {
    control: Arc<BuildControl>,
    /// None once it has been joined.
    thread: Option<JoinHandle<Result<BuiltShard, Cancelled>>>,
}

impl GraphBuild {
    /// Starts to build. An error if the system gives no thread.
    pub fn start(collected: CollectedShard, is_nice: bool) -> io::Result<Self> {
        let control = Arc::new(BuildControl::new());
        let shared = Arc::clone(&control);
        let build = move || {
            if is_nice {
                give_way();
            }
            collected.build(&shared)
        };
        let thread = with_signals_blocked(|| std::thread::Builder::new().spawn(build))
            .map_err(|why| io::Error::new(why.kind(), format!("no thread to build it: {why}")))?;
        Ok(GraphBuild {
            control,
            thread: Some(thread),
        })
    }

    /// True when [`GraphBuild::finish`] does not have to wait.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// How many codes are inserted, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.control.done(), self.control.total())
    }

    /// Waits for the end of the build, or until the statement is cancelled.
    pub fn wait(self) -> BuiltShard {
        while !self.is_finished() {
            signals::wait(INTERVAL, WaitEvent::Build);
            if signals::wants_to_stop() {
                // First the threads: the process may end at the next look for interrupts, without coming back here.
                drop(self);
                pgrx::check_for_interrupts!();
                raise_cancelled();
            }
            pgrx::check_for_interrupts!();
        }
        self.finish()
    }

    /// Waits for the end of the build. Raises an error if there is no result.
    pub fn finish(mut self) -> BuiltShard {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Ok(built))) => built,
            Some(Err(_panic)) => report(
                PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
                "a thread failed while building a shard",
            )
            .raise(),
            Some(Ok(Err(Cancelled))) | None => raise_cancelled(),
        }
    }
}

impl Drop for GraphBuild {
    fn drop(&mut self) {
        self.control.cancel();
        if let Some(thread) = self.thread.take() {
            // Its result does not matter any more.
            let _ = thread.join();
        }
    }
}

/// Fails unless the system would give the memory that a build of this many entries takes, about twice the size of its
/// file. An allocation that fails later, inside the build, would end the process, and with it the server's other
/// sessions.
pub fn check_memory(entries: u64, params: &BuildParams) -> io::Result<()> {
    let bytes = 2 * largest_file_bytes(entries, params);
    let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // It is not touched, so it costs no memory, and is given back at once.
    let mut probe = Vec::<u8>::new();
    let reserved = probe.try_reserve_exact(bytes);
    // Without this the compiler may leave out an allocation that nobody uses.
    std::hint::black_box(&mut probe);
    reserved.map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Raises the error for a build that has been cancelled.
pub fn raise_cancelled() -> ! {
    report(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, "building a shard was canceled").raise()
}

/// Lowers the priority of this thread and of those that it starts.
fn give_way() {
    // SAFETY: a plain call; on Linux 0 is the calling thread. If it fails, the thread runs at normal priority.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, BACKGROUND_NICE) };
}

/// Runs `start` with all signals blocked, so that threads started in it inherit that: PostgreSQL's handlers must run on
/// its own thread only.
fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    let before = set_signal_mask(&all_signals());
    let result = start();
    set_signal_mask(&before);
    result
}

fn all_signals() -> libc::sigset_t {
    // SAFETY: plain data, for which zeroes are valid, and which is then filled.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        all
    }
}

/// Blocks exactly these signals in this thread. Returns those that were blocked before.
fn set_signal_mask(blocked: &libc::sigset_t) -> libc::sigset_t {
    let mut before = *blocked;
    // SAFETY: a set that was filled, and a place for another one.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, blocked, &mut before) };
    before
}
