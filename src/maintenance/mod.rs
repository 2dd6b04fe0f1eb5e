//! What keeps an index fast: sealing its tail, building lost shards again, merging small shards, reclaiming dead space.
//!
//! [`iscc_log::policy`] says what is due. Who does it, the background worker, VACUUM or a function, holds the maintenance
//! lock for each step.
//!
//! | file | job |
//! |---|---|
//! | `worker`, `launcher` | the processes that do it in the background |
//! | `steps` | what is due, and doing it |
//! | `reclaim`, `shrink` | moving what is alive, making the file shorter |
//! | `build_shard` | one shard, from its part of the log to its place in the directory |
//! | `threads` | the threads that build a graph |
//! | `lock` | who may do what beside whom |
//! | `context`, `report` | what all of these are given, and how they end |

mod build_shard;
mod context;
pub mod launcher;
pub mod lock;
mod reclaim;
mod report;
mod shrink;
mod steps;
mod threads;
pub mod worker;

use iscc_log::policy;

pub use context::{Done, Foreground, Inspect, Job, Stopped, Watcher};
pub use report::{raise, warn};

use crate::guc;
use crate::relation::Index;
use crate::storage::definition::IndexOptions;
use crate::storage::directory;
use crate::storage::update::Logging;
use lock::Wait;

/// Asks for a seal when an insert has made the open segment grow to so many blocks, and the tail is due.
pub fn after_growth(index: Index<'_>, open_blocks: u32) {
    /// Blocks between two looks at the tail.
    const STEP: u32 = 16;
    // A segment of one block is new: the one before may have been closed.
    if !(open_blocks == 1 || open_blocks.is_multiple_of(STEP)) || !guc::background_worker() || index.is_temporary() {
        return;
    }
    let tail = directory::read(index).tail_blocks();
    if policy::tail_is_due(tail, IndexOptions::of(index).limits().max_blocks) {
        worker::start();
    }
}

/// What VACUUM does at its end. Segments without anything alive become free at once, so that what is inserted next uses
/// their blocks; the rest is left to the background worker, or done here where none takes it.
pub fn after_vacuum(index: Index<'_>) {
    if index.is_temporary() {
        return;
    }
    let mut watcher = Foreground;
    let mut job = Job::foreground(index, Logging::EachChange, &mut watcher);
    // A worker that has the lock for a long build frees them itself.
    let freed = match lock::maintenance(index.oid(), Wait::No) {
        Some(_lock) => job.free_dead(),
        None => Ok(Done::default()),
    };
    let done = freed.and_then(|freed| match !job.is_due() || worker::hand_over() {
        true => Ok(freed),
        false => job.run_due(),
    });
    if let Err(why) = done {
        warn(index, why);
    }
}
