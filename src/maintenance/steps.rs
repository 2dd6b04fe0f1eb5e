//! What is due, and doing it: seal, rebuild, merge, move.

use iscc_log::directory::{STATE_CLOSED, Segment};
use iscc_log::policy::{self, Action, Kind, Unit};

use super::build_shard;
use super::context::{Done, Inspect, Job, Stopped, What, times_built};
use super::lock::{self, Wait};
use super::reclaim::{Rest, To};
use crate::error::check_for_interrupts;
use crate::failpoint::failpoint;
use crate::relation::{Index, in_recovery};
use crate::storage::directory::{self, Directory, NO_SHARD};
use crate::storage::open_segment;
use crate::storage::shard_cache;
use crate::storage::shard_file::{self, ShardId};

/// The segments of one shard.
type Group = (ShardId, Vec<Segment>);

impl Job<'_> {
    /// Does all that is due, step by step, but seals only once: the tail may grow as fast as it is sealed. Leaves the
    /// work to another session that is at it.
    pub fn run_due(&mut self) -> Result<Done, Stopped> {
        let mut done = Done::default();
        let mut may_seal = true;
        while let Some(_lock) = lock::maintenance(self.index.oid(), Wait::No) {
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
            may_move: lock::move_entries(self.index.oid()).is_some(),
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

    /// Seals the tail and whatever else lacks a usable shard, however small. The caller holds the maintenance lock, or is
    /// the only one that knows the index.
    pub fn seal_all(&mut self, inspect: Inspect) -> Result<Done, Stopped> {
        if self.index.is_temporary() {
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
        if self.index.is_temporary() {
            return Ok(done);
        }
        let groups = directory::read(self.index).shards();
        let mut units: Vec<Unit> = Vec::new();
        for group in &groups {
            let mut unit = self.unit(group, Inspect::Header);
            unit.dead = unit
                .entries
                .saturating_sub(build_shard::count_alive(self.index, &group.1)?);
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

    /// The closed segments, but for those that are busy.
    fn closed(&self, directory: &Directory) -> Vec<Segment> {
        let closed = directory.listed.iter().filter(|s| s.state == STATE_CLOSED);
        closed.filter(|segment| !self.is_busy(segment)).copied().collect()
    }

    /// What cannot wait for the end of another build by this process: frees what is wholly dead, so that inserts use its
    /// blocks, and seals the tail if it is due.
    pub(super) fn work_meanwhile(&mut self) -> Result<Done, Stopped> {
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
        open_segment::close_open(self.index, self.logging);
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

fn has_usable_shard(index: Index<'_>, id: &ShardId, segments: &[Segment], inspect: Inspect) -> bool {
    if *id == NO_SHARD {
        return true;
    }
    match shard_cache::open(&shard_file::path(index.locator(), id), id, segments) {
        Ok(shard) => inspect == Inspect::Header || shard.verify(&check_for_interrupts).is_empty(),
        Err(_) => false,
    }
}
