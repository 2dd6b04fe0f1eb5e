//! What maintenance is done with, for whom, and how it ends.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

use iscc_log::directory::Segment;
use pgrx::pg_sys;

use crate::relation::Index;
use crate::storage::definition::IndexOptions;
use crate::storage::directory;
use crate::storage::log::Mismatch;
use crate::storage::shard_file::ShardId;
use crate::storage::update::Logging;

/// Who waits for maintenance, or does it.
pub trait Watcher {
    /// A step begins; `what` says what is done.
    fn begin(&mut self, _what: &str) {}
    /// Codes of a graph done, and all.
    fn progress(&mut self, _done: u64, _total: u64) {}
    /// Called several times a second while a shard is built from these segments.
    fn meanwhile(&mut self, _busy: &[Segment]) {}
    /// True when the work is to be given up for now, because somebody else wants what it holds.
    fn must_yield(&mut self) -> bool {
        false
    }
}

/// A session that waits for the work and wants nothing else.
pub struct Foreground;

impl Watcher for Foreground {}

/// Why maintenance ended before it was done.
pub enum Stopped {
    /// A shard file could not be written.
    Io(io::Error),
    /// Somebody else wants what the work holds.
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

/// What maintenance did.
#[derive(Clone, Copy, Default, Debug)]
pub struct Done {
    /// Shards built.
    pub shards: u32,
    /// Entries in them.
    pub entries: i64,
    /// Dead entries left behind.
    pub removed: i64,
    /// Blocks of the log that are free now and were not before.
    pub freed_blocks: i64,
}

impl std::ops::AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.shards += other.shards;
        self.entries += other.entries;
        self.removed += other.removed;
        self.freed_blocks += other.freed_blocks;
    }
}

/// Maintenance of one index.
pub struct Job<'a> {
    /// The index, open and locked in `RowExclusiveLock` mode at least.
    pub index: Index<'a>,
    /// What it is made with.
    pub options: IndexOptions,
    /// How its changes reach WAL.
    pub logging: Logging,
    /// Threads of a build.
    pub threads: Threads,
    /// Who waits.
    pub watcher: &'a mut dyn Watcher,
    /// Shards that were built again and are not looked at any more: should one still be unusable, once more will not
    /// help.
    pub rebuilt: HashSet<ShardId>,
    /// Segments that this process is building a shard from already.
    pub busy: Vec<Segment>,
}

/// How closely to look at existing shards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inspect {
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
    pub nice: bool,
}

impl<'a> Job<'a> {
    /// Maintenance in the session's own time, with as many threads as PostgreSQL would use for building an index in
    /// parallel.
    pub fn foreground(index: Index<'a>, logging: Logging, watcher: &'a mut dyn Watcher) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        // SAFETY: the value of a server setting.
        let workers = unsafe { pg_sys::max_parallel_maintenance_workers }.max(0) as usize;
        let threads = Threads {
            count: cores.min(workers + 1),
            nice: false,
        };
        Self::new(index, logging, threads, watcher)
    }

    pub(super) fn new(index: Index<'a>, logging: Logging, threads: Threads, watcher: &'a mut dyn Watcher) -> Self {
        Job {
            index,
            options: IndexOptions::of(index),
            logging,
            threads,
            watcher,
            rebuilt: HashSet::new(),
            busy: Vec::new(),
        }
    }

    /// True for a segment that this process is building a shard from.
    pub(super) fn is_busy(&self, segment: &Segment) -> bool {
        self.busy.iter().any(|busy| directory::same(busy, segment))
    }
}

/// Why a shard is built.
#[derive(Clone, Copy)]
pub struct What {
    /// For the server's log.
    pub(super) verb: &'static str,
    /// For pg_stat_activity.
    pub(super) doing: &'static str,
    /// For the directory: how often its entries were built before.
    pub(super) level: u8,
}

impl What {
    pub fn new(verb: &'static str, doing: &'static str, level: u8) -> Self {
        What { verb, doing, level }
    }
}

/// How often entries of these segments were built into a shard, at most.
pub(super) fn times_built(segments: &[Segment]) -> u8 {
    let built = |segment: &Segment| segment.level.saturating_add(u8::from(segment.is_sealed()));
    segments.iter().map(built).max().unwrap_or(0)
}

/// Sleeps until the time is over or a signal comes; ends the process when the postmaster is gone, as no new one can start
/// before.
pub(super) fn wait(time: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: this process's own latch.
    unsafe {
        let latch = pg_sys::MyLatch;
        pg_sys::WaitLatch(latch, events as i32, time.as_millis() as _, pg_sys::PG_WAIT_EXTENSION);
        pg_sys::ResetLatch(latch);
    }
}

/// Time since then in milliseconds.
pub(super) fn milliseconds(since: Instant) -> u128 {
    since.elapsed().as_millis()
}
