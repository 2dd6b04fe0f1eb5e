//! What maintenance is done with, for whom, and how it ends.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

use crate::guc;
use crate::relation::Index;
use crate::server;
use crate::storage::definition::IndexOptions;
use crate::storage::log::Mismatch;
use crate::storage::open_segment::Limits;
use crate::storage::shard_file::ShardId;
use crate::storage::update::Logging;

/// How often the worker looks, during a build, for work that cannot wait for its end.
pub(super) const BESIDE_INTERVAL: Duration = Duration::from_secs(1);

/// How often a process that builds asks whether another session wants what the builds hold.
pub(super) const YIELD_INTERVAL: Duration = Duration::from_millis(100);

/// Who waits for maintenance, or does it.
pub trait Watcher {
    /// Work begins; `what` says which.
    fn begin(&mut self, _what: &str) {}
    /// How many codes of a graph are inserted, and how many there are; called several times a second during a build.
    fn progress(&mut self, _what: &str, _done: u64, _total: u64) {}
    /// True if the work must be given up for now, because another session wants what it holds.
    fn must_yield(&mut self) -> bool {
        false
    }
}

/// A session that waits for the work and wants nothing else.
pub struct Foreground;

impl Watcher for Foreground {}

/// Why maintenance ended before it was done.
pub enum Stopped {
    /// A shard could not be built or its file not be written.
    Io(io::Error),
    /// Another session wants what the work holds.
    Yielded,
    /// The log changed while it was read. Only on a standby, which does not make the changes.
    Changed(Mismatch),
    /// The directory no longer has the segments that the work began with.
    Overtaken,
}

impl From<io::Error> for Stopped {
    fn from(why: io::Error) -> Self {
        Stopped::Io(why)
    }
}

impl From<Mismatch> for Stopped {
    fn from(mismatch: Mismatch) -> Self {
        Stopped::Changed(mismatch)
    }
}

/// What maintenance has done.
#[derive(Clone, Copy, Default, Debug)]
pub struct WorkDone {
    /// Shards built.
    pub shards: u32,
    /// Entries in them.
    pub entries: i64,
    /// Dead entries left behind.
    pub removed: i64,
    /// Blocks of the log that are free now and were not before.
    pub freed_blocks: i64,
}

impl std::ops::AddAssign for WorkDone {
    fn add_assign(&mut self, other: Self) {
        self.shards += other.shards;
        self.entries += other.entries;
        self.removed += other.removed;
        self.freed_blocks += other.freed_blocks;
    }
}

/// Shards that were rebuilt and are not inspected again: if one is still unusable, rebuilding it once more will not
/// help.
pub type RebuiltShards = HashSet<ShardId>;

/// How closely to inspect an existing shard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inspect {
    /// Not at all.
    Nothing,
    /// Whether the file is there and is the right one.
    Header,
    /// Every byte of it, and that every node can be reached.
    Everything,
}

/// Threads of a build, and how they share the machine.
#[derive(Clone, Copy)]
pub struct Threads {
    /// How many.
    pub count: usize,
    /// Whether they give way to other processes.
    pub are_nice: bool,
}

/// Maintenance of one index.
pub struct Job<'a> {
    /// The index, open and locked at least in `RowExclusiveLock` mode.
    pub(super) index: Index<'a>,
    /// What it is made with.
    pub(super) options: IndexOptions,
    /// How its changes reach WAL.
    pub(super) logging: Logging,
    /// Threads of a build.
    pub(super) threads: Threads,
    /// Who waits.
    pub(super) watcher: &'a mut dyn Watcher,
    /// Whether a failing user's distance function is no error, but a warning and a shard that says so.
    pub(super) tolerates_functions: bool,
    /// When to look next for work that cannot wait for the end of a build. None to leave it alone.
    pub(super) next_look_beside: Option<Instant>,
}

impl<'a> Job<'a> {
    /// Maintenance in the session's own time, with as many threads as PostgreSQL would use for building an index in
    /// parallel. It does what it is asked for and nothing else.
    pub fn foreground(index: Index<'a>, logging: Logging, watcher: &'a mut dyn Watcher) -> Self {
        let threads = Threads {
            count: foreground_threads(),
            are_nice: false,
        };
        Job {
            index,
            options: IndexOptions::of(index),
            logging,
            threads,
            watcher,
            tolerates_functions: false,
            next_look_beside: None,
        }
    }

    /// The same, where a failure of a user's distance function must not end the work.
    pub(super) fn tolerating_functions(self) -> Self {
        Job {
            tolerates_functions: true,
            ..self
        }
    }

    /// What bounds segments, the tail and shards.
    pub(super) fn limits(&self) -> Limits {
        self.options.limits(self.index)
    }

    /// Maintenance by the background worker, with threads that give way to other processes. While a long build runs, of
    /// a merge for instance, it also frees dead segments and seals the tail.
    pub(super) fn background(index: Index<'a>, watcher: &'a mut dyn Watcher) -> Self {
        Job {
            index,
            options: IndexOptions::of(index),
            logging: Logging::EachChange,
            threads: Threads {
                count: guc::worker_threads(),
                are_nice: true,
            },
            watcher,
            tolerates_functions: true,
            next_look_beside: Some(Instant::now() + BESIDE_INTERVAL),
        }
    }
}

/// How many threads build in the session's own time: as many as PostgreSQL would use processes for building an index.
pub fn foreground_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let workers = server::max_parallel_maintenance_workers().max(0) as usize;
    cores.min(workers + 1)
}

/// Time since then in milliseconds.
pub(super) fn milliseconds(since: Instant) -> u128 {
    since.elapsed().as_millis()
}
