//! Building a graph on threads of ours, which never call PostgreSQL; the backend's own thread watches meanwhile.

use std::time::Duration;

use iscc_hnsw::build::{BuiltShard, ShardBuilder};
use iscc_hnsw::control::BuildControl;
use iscc_log::directory::Segment;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::context::{self, Stopped, Threads, Watcher};
use crate::error::report;
use crate::failpoint::failpoint_is_on;

/// How often the waiting thread looks around: often at first, for builds that are soon done.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(20);
/// How often it asks whether somebody else wants what the build holds.
const ASK: Duration = Duration::from_millis(100);

/// How far the threads of background builds give way (`nice` value).
const NICE: i32 = 10;

/// Runs the build. Raises the pending error when the statement was cancelled.
/// `busy` are the segments that it is built from.
pub fn run(
    builder: ShardBuilder,
    threads: Threads,
    watcher: &mut dyn Watcher,
    busy: &[Segment],
) -> Result<BuiltShard, Stopped> {
    // A build takes long; a snapshot for reading catalogs would keep VACUUM from removing rows meanwhile.
    // SAFETY: no catalog scan is in progress.
    unsafe { pg_sys::InvalidateCatalogSnapshot() };
    let control = BuildControl::new();
    let mut yielded = false;
    let result = std::thread::scope(|scope| {
        // Whatever leaves this scope early must stop the threads: the scope waits for them.
        let _stop = CancelOnDrop(&control);
        let worker = with_signals_blocked(|| {
            scope.spawn(|| {
                if threads.nice {
                    give_way();
                }
                builder.build(&control)
            })
        });
        let mut waited = Duration::ZERO;
        let mut look = FIRST_LOOK;
        while !worker.is_finished() {
            context::wait(look);
            waited += look;
            look = LAST_LOOK.min(look * 2);
            watcher.progress(control.done(), control.total());
            if wants_to_stop() {
                control.cancel();
                continue;
            }
            // Barriers and the like; they must not wait for the build.
            pgrx::check_for_interrupts!();
            if waited >= ASK {
                waited = Duration::ZERO;
                yielded = yielded || watcher.must_yield();
                if yielded {
                    control.cancel();
                } else {
                    watcher.meanwhile(busy);
                }
            }
        }
        if failpoint_is_on!("build_meanwhile") {
            watcher.meanwhile(busy);
        }
        worker.join()
    });
    match result {
        Ok(Ok(built)) => Ok(built),
        Ok(Err(_cancelled)) => {
            pgrx::check_for_interrupts!();
            if yielded {
                return Err(Stopped::Yielded);
            }
            report(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, "building a shard was canceled").raise()
        }
        Err(_panic) => report(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            "a thread failed while building a shard",
        )
        .raise(),
    }
}

struct CancelOnDrop<'a>(&'a BuildControl);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// True when the statement or the process is to end.
pub fn wants_to_stop() -> bool {
    // SAFETY: flags set by signal handlers; single words.
    unsafe {
        (&raw const pg_sys::QueryCancelPending).read_volatile() != 0
            || (&raw const pg_sys::ProcDiePending).read_volatile() != 0
    }
}

/// Lowers the priority of this thread and those that it starts.
fn give_way() {
    // SAFETY: plain calls; on Linux 0 is the calling thread. If it fails the thread is merely less polite.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Runs `start` with all signals blocked, so that threads started in it inherit that: PostgreSQL's
/// handlers must run on its own thread only.
fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: plain calls with valid sets; the old mask is put back.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        let mut old = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut old);
        let result = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &old, std::ptr::null_mut());
        result
    }
}
