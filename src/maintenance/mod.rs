//! What keeps an index fast: sealing its tail, building lost shards again, merging small shards, reclaiming dead space.
//!
//! [`iscc_log::policy`] says what is due. Who does it, the background worker, VACUUM or a function, holds the
//! maintenance lock for each step.
//!
//! | file | job |
//! |---|---|
//! | `worker`, `launcher` | the processes that do it in the background |
//! | `steps` | what is due, and doing it |
//! | `shrink` | making the file shorter |
//! | `reclaim` | moving what is alive |
//! | `builds` | the loop that waits for builds and publishes them |
//! | `tail` | the closed segments and the open one |
//! | `build_shard` | one shard, from its part of the log to its place in the directory |
//! | `exchange` | changing the directory, giving back blocks and files |
//! | `refused` | shards whose values could not be compared |
//! | `build_here` | building by a user's function |
//! | `subtransaction` | surviving its failure |
//! | `threads` | the threads that build a graph |
//! | `plan` | what a shard is built from, and what it replaces |
//! | `progress` | how far it is, for the view |
//! | `context`, `report` | what all of these are given, and how they end |
//! | `lock`, `signals`, `process` | who may do what beside whom; waiting; background processes |
//!
//! Each imports only what stands below it.

mod build_here;
mod build_shard;
mod builds;
mod context;
mod exchange;
pub mod launcher;
pub mod lock;
mod plan;
mod process;
pub mod progress;
mod reclaim;
mod refused;
mod report;
mod shrink;
mod signals;
mod snapshot;
mod steps;
pub mod subtransaction;
mod tail;
mod threads;
pub mod worker;

use std::time::Duration;

use iscc_log::policy;

pub use context::{Foreground, Inspect, Job, RebuiltShards, Stopped, Watcher, WorkDone, foreground_threads};
pub use report::{raise, warn};
pub use threads::{GraphBuild, check_memory};

use crate::guc;
use crate::relation::Index;
use crate::storage::definition::IndexOptions;
use crate::storage::directory;
use crate::storage::open_segment::Grown;
use crate::storage::update::Logging;
use lock::Wait;
use signals::WaitEvent;

/// Starts the worker when an insert has made the open segment grow and the tail is due.
pub fn after_growth(index: Index<'_>, Grown { blocks, added }: Grown) {
    const BLOCKS_BETWEEN_LOOKS: u32 = 16;
    // A segment of one page is new: the one before may have been closed.
    let is_time = blocks == added || blocks % BLOCKS_BETWEEN_LOOKS < added;
    if !is_time || !guc::background_worker() || index.is_temporary() {
        return;
    }
    let tail = directory::read(index).tail_blocks();
    if policy::tail_is_due(tail, IndexOptions::of(index).limits(index).seal_blocks) {
        worker::start();
    }
}

/// The lock that is free in a moment, if shards are refused: a worker that only looks has it, and marks none of them.
fn lock_to_retry(job: &Job<'_>) -> Option<lock::AdvisoryLock> {
    const ATTEMPTS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(10);
    if !job.has_refused() {
        return None;
    }
    (0..ATTEMPTS).find_map(|_| {
        signals::wait(PAUSE, WaitEvent::WorkerRetry);
        pgrx::check_for_interrupts!();
        lock::maintenance(job.index.oid(), Wait::No)
    })
}

/// What VACUUM does at its end. Segments without anything alive become free at once, so that what is inserted next uses
/// their blocks; the rest is left to the background worker, or done here if there can be none.
pub fn after_vacuum(index: Index<'_>) {
    if index.is_temporary() {
        return;
    }
    let mut watcher = Foreground;
    let mut job = Job::foreground(index, Logging::EachChange, &mut watcher).tolerating_functions();
    // A worker that has the lock for a long build frees them itself.
    let freed = match lock::maintenance(index.oid(), Wait::No).or_else(|| lock_to_retry(&job)) {
        Some(_lock) => job
            .retry_refused()
            .map_err(Stopped::from)
            .and_then(|()| job.free_dead(None)),
        None => Ok(WorkDone::default()),
    };
    let mut rebuilt = RebuiltShards::new();
    let done = freed.and_then(|freed| match !job.is_due(&rebuilt) || worker::hand_over() {
        true => Ok(freed),
        false => job.run_due(&mut rebuilt),
    });
    if let Err(why) = done {
        warn(index, why);
    }
}
