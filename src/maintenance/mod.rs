//! What keeps an index fast: sealing its tail, building lost shards again, merging small shards, reclaiming dead space.
//!
//! `policy` in the crate says what is due. Who does it, the background worker, VACUUM or a function, holds the
//! maintenance lock for each step.

pub mod graph_build;
pub mod launcher;
pub mod lock;
mod reclaim;
mod shard;
mod shrink;
pub mod worker;

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

use iscc_hnsw::directory::{STATE_CLOSED, Segment};
use iscc_hnsw::policy::{self, Action, Kind, Unit};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::options::IndexOptions;
use crate::compat::locator;
use crate::error::{check_for_interrupts, report};
use crate::failpoint::failpoint;
use crate::guc;
use crate::storage::buffer::relation_name;
use crate::storage::directory::{self, Directory, NO_SHARD};
use crate::storage::log::Mismatch;
use crate::storage::relation::{in_recovery, is_temporary, oid};
use crate::storage::shard_cache;
use crate::storage::shard_file::{self, ShardId};
use crate::storage::update::Logging;
use graph_build::Threads;
use lock::Wait;
use reclaim::{Rest, To};
use shard::What;

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
    pub index: pg_sys::Relation,
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

/// The segments of one shard.
type Group = (ShardId, Vec<Segment>);

impl<'a> Job<'a> {
    /// Maintenance in the session's own time, with as many threads as PostgreSQL would use for building an index in
    /// parallel.
    pub fn foreground(index: pg_sys::Relation, logging: Logging, watcher: &'a mut dyn Watcher) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        // SAFETY: the value of a server setting.
        let workers = unsafe { pg_sys::max_parallel_maintenance_workers }.max(0) as usize;
        let threads = Threads {
            count: cores.min(workers + 1),
            nice: false,
        };
        Self::new(index, logging, threads, watcher)
    }

    fn new(index: pg_sys::Relation, logging: Logging, threads: Threads, watcher: &'a mut dyn Watcher) -> Self {
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

    /// Does all that is due, step by step, but seals only once: the tail may grow as fast as it is sealed. Leaves the
    /// work to another session that is at it.
    pub fn run_due(&mut self) -> Result<Done, Stopped> {
        let mut done = Done::default();
        let mut may_seal = true;
        while let Some(_lock) = lock::maintenance(oid(self.index), Wait::No) {
            done += self.free_dead()?;
            let Some((action, groups)) = self.due(may_seal) else {
                break;
            };
            may_seal = may_seal && action != Action::Seal;
            done += self.perform(action, groups)?;
            pgrx::check_for_interrupts!();
        }
        done += self.shrink()?;
        Ok(done)
    }

    /// True when [`Job::run_due`] would have something to do.
    pub fn is_due(&self) -> bool {
        self.due(true).is_some() || self.is_to_shrink()
    }

    fn due(&self, may_seal: bool) -> Option<(Action, Vec<Group>)> {
        let directory = directory::read(self.index);
        let groups = directory.shards();
        let units: Vec<Unit> = groups.iter().map(|group| self.unit(group, Inspect::Header)).collect();
        let state = policy::State {
            open_blocks: directory.open_blocks(),
            max_blocks: self.options.limits().max_blocks,
            may_seal,
            may_move: lock::move_entries(oid(self.index)).is_some(),
            may_change: !in_recovery(),
        };
        Some((policy::next(&units, &state)?, groups))
    }

    fn unit(&self, (id, segments): &Group, inspect: Inspect) -> Unit {
        let sum = |value: fn(&Segment) -> u64| segments.iter().map(value).sum::<u64>();
        let kind = match segments.iter().all(Segment::is_sealed) {
            false => Kind::Tail,
            true if self.rebuilt.contains(id) => Kind::Sealed,
            true if has_usable_shard(self.index, id, segments, inspect) => Kind::Sealed,
            true => Kind::Unusable,
        };
        Unit {
            kind,
            blocks: sum(|s| s.block_count.get().into()) as u32,
            stride: segments.iter().map(|s| s.stride.get()).max().unwrap_or(1),
            entries: sum(|s| s.entries.get().into()),
            dead: sum(Segment::all_dead),
        }
    }

    fn perform(&mut self, action: Action, groups: Vec<Group>) -> Result<Done, Stopped> {
        self.discard_pending();
        match action {
            Action::Seal => self.seal_tail(),
            Action::Rebuild(at) => {
                let (id, segments) = &groups[at];
                self.rebuild(*id, segments)
            }
            Action::Merge(chosen) => self.merge(&members(&groups, &chosen)),
            Action::Move(chosen) => self.move_entries(&members(&groups, &chosen), Rest::Tail, To::Anywhere),
        }
    }

    /// Gives back the blocks of a move whose process died. Whoever holds the maintenance lock is the only one who moves.
    fn discard_pending(&self) {
        if in_recovery() {
            return;
        }
        let pending: Vec<Segment> = directory::read(self.index).pending().copied().collect();
        if !pending.is_empty() {
            self.discard(&pending);
            failpoint!("pending_discarded");
        }
    }

    /// Seals the tail and whatever else lacks a usable shard, however small. The caller holds the maintenance lock, or is
    /// the only one that knows the index.
    pub fn seal_all(&mut self, inspect: Inspect) -> Result<Done, Stopped> {
        if is_temporary(self.index) {
            return Ok(Done::default());
        }
        self.discard_pending();
        let mut done = self.seal_tail()?;
        done += self.rebuild_unusable(inspect)?;
        Ok(done)
    }

    /// Builds the shards that the directory lists and that have no usable file: on a standby all that can be done. The
    /// caller holds the maintenance lock, or is the only one that knows the index.
    pub fn rebuild_unusable(&mut self, inspect: Inspect) -> Result<Done, Stopped> {
        let mut done = Done::default();
        for group in directory::read(self.index).shards() {
            if self.unit(&group, inspect).kind == Kind::Unusable {
                done += self.rebuild(group.0, &group.1)?;
            }
        }
        Ok(done)
    }

    /// Merges all shards into as few as `shard_size` allows and leaves all dead entries behind. The caller holds the
    /// maintenance lock.
    pub fn compact(&mut self) -> Result<Done, Stopped> {
        let mut done = self.seal_all(Inspect::Everything)?;
        if is_temporary(self.index) {
            return Ok(done);
        }
        let groups = directory::read(self.index).shards();
        let mut units: Vec<Unit> = Vec::new();
        for group in &groups {
            let mut unit = self.unit(group, Inspect::Header);
            unit.dead = unit.entries.saturating_sub(shard::count_alive(self.index, &group.1)?);
            units.push(unit);
        }
        for chosen in policy::compact(&units, self.options.limits().max_blocks) {
            let segments = members(&groups, &chosen);
            let has_dead = chosen.iter().any(|&at| units[at].dead > 0);
            done += if has_dead {
                self.move_entries(&segments, Rest::Shard, To::Anywhere)?
            } else {
                self.merge(&segments)?
            };
        }
        Ok(done)
    }

    /// True for a segment that this process is building a shard from.
    fn is_busy(&self, segment: &Segment) -> bool {
        self.busy.iter().any(|busy| directory::same(busy, segment))
    }

    /// The closed segments, but for those that are busy.
    fn closed(&self, directory: &Directory) -> Vec<Segment> {
        let closed = directory.listed.iter().filter(|s| s.state == STATE_CLOSED);
        closed.filter(|segment| !self.is_busy(segment)).copied().collect()
    }

    /// What cannot wait for the end of another build by this process: frees what is wholly dead, so that inserts use its
    /// blocks, and seals the tail if it is due.
    fn work_meanwhile(&mut self) -> Result<Done, Stopped> {
        self.free_dead()?;
        let directory = directory::read(self.index);
        let closed: u32 = self.closed(&directory).iter().map(|s| s.block_count.get()).sum();
        let tail = closed + directory.open_blocks();
        if policy::tail_is_due(tail, self.options.limits().max_blocks) {
            self.seal_tail()
        } else {
            Ok(Done::default())
        }
    }

    fn seal_tail(&mut self) -> Result<Done, Stopped> {
        directory::close_open(self.index, self.logging);
        failpoint!("seal_after_close");
        let mut done = Done::default();
        let max_blocks = self.options.limits().max_blocks;
        let mut waiting = self.closed(&directory::read(self.index));
        while let Some(batch) = policy::pack(
            waiting.iter().map(|s| (s.stride.get(), s.block_count.get())),
            max_blocks,
        )
        .first()
        {
            let batch = &waiting[batch.clone()];
            let what = What::new("sealed", "sealing", times_built(batch));
            done += self.build_shard(shard_file::new_id(), batch, batch, &[], what)?;
            failpoint!("seal_between_shards");
            // Beside that build, this process may have sealed some of the others.
            let closed = self.closed(&directory::read(self.index));
            waiting.retain(|segment| closed.iter().any(|listed| directory::same(segment, listed)));
        }
        Ok(done)
    }

    fn rebuild(&mut self, id: ShardId, segments: &[Segment]) -> Result<Done, Stopped> {
        self.rebuilt.insert(id);
        let level = segments.iter().map(|segment| segment.level).max().unwrap_or(0);
        self.build_shard(id, segments, segments, &[], What::new("rebuilt", "rebuilding", level))
    }

    fn merge(&mut self, segments: &[Segment]) -> Result<Done, Stopped> {
        let what = What::new("merged", "merging", times_built(segments));
        self.build_shard(shard_file::new_id(), segments, segments, &[], what)
    }
}

fn members(groups: &[Group], chosen: &[usize]) -> Vec<Segment> {
    chosen.iter().flat_map(|&at| groups[at].1.iter().copied()).collect()
}

/// How often entries of these segments were built into a shard, at most.
fn times_built(segments: &[Segment]) -> u8 {
    let built = |segment: &Segment| segment.level.saturating_add(u8::from(segment.is_sealed()));
    segments.iter().map(built).max().unwrap_or(0)
}

fn has_usable_shard(index: pg_sys::Relation, id: &ShardId, segments: &[Segment], inspect: Inspect) -> bool {
    if *id == NO_SHARD {
        return true;
    }
    match shard_cache::open(&shard_file::path(locator(index), id), id, segments) {
        Ok(shard) => inspect == Inspect::Header || shard.verify(&check_for_interrupts).is_empty(),
        Err(_) => false,
    }
}

/// Raises the error for work that had to stop.
pub fn raise(index: pg_sys::Relation, why: Stopped) -> ! {
    match why {
        Stopped::Io(why) => io_report(index, &why).raise(),
        Stopped::Changed(mismatch) => mismatch.raise(index),
        Stopped::Yielded => report(
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            format!("VACUUM is reading index \"{}\"", relation_name(index)),
        )
        .hint("Try again when it is done.")
        .raise(),
        Stopped::Overtaken => report(
            PgSqlErrorCode::ERRCODE_OBJECT_IN_USE,
            format!(
                "index \"{}\" was changed by another session meanwhile",
                relation_name(index)
            ),
        )
        .hint("Try again.")
        .raise(),
    }
}

/// Warns that maintenance failed: the answers stay right without it.
pub fn warn(index: pg_sys::Relation, why: Stopped) {
    match why {
        Stopped::Io(why) => io_report(index, &why).warn(),
        Stopped::Changed(mismatch) => mismatch.confirm(index),
        Stopped::Yielded | Stopped::Overtaken => {}
    }
}

fn io_report(index: pg_sys::Relation, why: &io::Error) -> crate::error::Report {
    let code = match why.kind() {
        io::ErrorKind::StorageFull => PgSqlErrorCode::ERRCODE_DISK_FULL,
        io::ErrorKind::PermissionDenied => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        io::ErrorKind::OutOfMemory => {
            return report(
                PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
                format!(
                    "not enough memory to build a shard of index \"{}\"",
                    relation_name(index)
                ),
            )
            .hint("Building takes about twice the size of the shard file; make the index with a smaller shard_size.");
        }
        _ => PgSqlErrorCode::ERRCODE_IO_ERROR,
    };
    report(
        code,
        format!("could not write a shard of index \"{}\": {why}", relation_name(index)),
    )
    .detail(format!(
        "Shards are files in \"{}\" below the data directory.",
        shard_file::DIRECTORY
    ))
}

/// Asks for a seal when an insert has made the open segment grow to so many blocks, and the tail is due.
pub fn after_growth(index: pg_sys::Relation, open_blocks: u32) {
    /// Blocks between two looks at the tail.
    const STEP: u32 = 16;
    // A segment of one block is new: the one before may have been closed.
    if !(open_blocks == 1 || open_blocks.is_multiple_of(STEP)) || !guc::background_worker() || is_temporary(index) {
        return;
    }
    let tail = directory::read(index).tail_blocks();
    if policy::tail_is_due(tail, IndexOptions::of(index).limits().max_blocks) {
        worker::start();
    }
}

/// What VACUUM does at its end. Segments without anything alive become free at once, so that what is inserted next uses
/// their blocks; the rest is left to the background worker, or done here where none takes it.
pub fn after_vacuum(index: pg_sys::Relation) {
    if is_temporary(index) {
        return;
    }
    let mut watcher = Foreground;
    let mut job = Job::foreground(index, Logging::EachChange, &mut watcher);
    // A worker that has the lock for a long build frees them itself.
    let freed = match lock::maintenance(oid(index), Wait::No) {
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

/// Sleeps until the time is over or a signal comes; ends the process when the postmaster is gone, as no new one can start
/// before.
fn wait(time: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: this process's own latch.
    unsafe {
        let latch = pg_sys::MyLatch;
        pg_sys::WaitLatch(latch, events as i32, time.as_millis() as _, pg_sys::PG_WAIT_EXTENSION);
        pg_sys::ResetLatch(latch);
    }
}

/// Time since then in milliseconds.
fn milliseconds(since: Instant) -> u128 {
    since.elapsed().as_millis()
}
