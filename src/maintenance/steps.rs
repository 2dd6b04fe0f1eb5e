//! What is due, and doing it: seal, rebuild, merge, move.

use iscc_log::directory::Segment;
use iscc_log::policy::{self, Action, Kind, Unit};

use super::context::{Inspect, Job, RebuiltShards, Stopped, WorkDone};
use super::exchange::count_alive;
use super::lock::{self, Wait};
use super::plan::ShardPlan;
use super::reclaim::SmallRest;
use super::refused;
use crate::error::check_for_interrupts;
use crate::failpoint::failpoint;
use crate::relation::in_recovery;
use crate::storage::directory::{self, NO_SHARD};
use crate::storage::shard_cache::{self, MappedShard};
use crate::storage::shard_file::{self, ShardId};

/// A shard and its segments.
pub(super) type ListedShard = (ShardId, Vec<Segment>);

impl Job<'_> {
    /// Does all that is due, step by step, but seals only once: the tail may grow as fast as it is sealed. If another
    /// session maintains the index already, the work is left to it. Shards that are built again are added to `rebuilt`.
    pub fn run_due(&mut self, rebuilt: &mut RebuiltShards) -> Result<WorkDone, Stopped> {
        let mut done = WorkDone::default();
        let mut may_seal = true;
        while let Some(_lock) = lock::maintenance(self.index.oid(), Wait::No) {
            done += self.free_dead(None)?;
            let Some((action, shards)) = self.due(may_seal, rebuilt) else {
                break;
            };
            may_seal = may_seal && action != Action::Seal;
            if let Action::Rebuild(at) = action {
                rebuilt.insert(shards[at].0);
            }
            done += self.perform(action, &shards)?;
            pgrx::check_for_interrupts!();
        }
        done += self.shrink()?;
        Ok(done)
    }

    /// True when [`Job::run_due`] would have something to do.
    pub fn is_due(&self, rebuilt: &RebuiltShards) -> bool {
        self.due(true, rebuilt).is_some() || self.is_to_shrink()
    }

    fn due(&self, may_seal: bool, rebuilt: &RebuiltShards) -> Option<(Action, Vec<ListedShard>)> {
        let directory = directory::read(self.index);
        let mut shards = directory.shards();
        shards.retain(|shard| !self.is_left_alone(shard));
        let unit = |shard: &ListedShard| match rebuilt.contains(&shard.0) && !self.is_to_try_again(shard) {
            true => self.unit(shard, Inspect::Nothing),
            false => self.unit(shard, Inspect::Header),
        };
        let units: Vec<Unit> = shards.iter().map(unit).collect();
        let limits = self.limits();
        let state = policy::State {
            open_blocks: directory.open_blocks(),
            seal_blocks: limits.seal_blocks,
            max_blocks: limits.max_blocks,
            may_seal,
            may_move: lock::places_alone(self.index.oid()).is_some(),
            may_change: !in_recovery(),
        };
        Some((policy::next(&units, &state)?, shards))
    }

    fn unit(&self, (id, segments): &ListedShard, inspect: Inspect) -> Unit {
        let sum = |value: fn(&Segment) -> u64| segments.iter().map(value).sum::<u64>();
        let kind = match segments.iter().all(Segment::is_sealed) {
            false => Kind::Tail,
            true if self.has_usable_shard(id, segments, inspect) => Kind::Sealed,
            true => Kind::Unusable,
        };
        Unit {
            kind,
            blocks: sum(|s| s.block_count.into()) as u32,
            stride: segments.iter().map(|s| s.stride).max().unwrap_or(1),
            entries: sum(|s| s.entries.into()),
            dead: sum(Segment::all_dead),
        }
    }

    fn perform(&mut self, action: Action, shards: &[ListedShard]) -> Result<WorkDone, Stopped> {
        self.discard_leftovers();
        match action {
            Action::Seal => self.seal_tail(),
            Action::Rebuild(at) => self.rebuild(&shards[at]),
            Action::Merge(chosen) => self.build_shard(ShardPlan::merge(&segments_of(shards, &chosen))),
            Action::Move(chosen) => self.reclaim(&segments_of(shards, &chosen), SmallRest::JoinsTail),
        }
    }

    /// Seals the tail and whatever else lacks a usable shard, however small. The caller holds the maintenance lock, or
    /// is the only one that knows the index.
    pub fn seal_all(&mut self, inspect: Inspect) -> Result<WorkDone, Stopped> {
        if self.index.is_temporary() {
            return Ok(WorkDone::default());
        }
        self.discard_leftovers();
        let mut done = self.seal_tail()?;
        done += self.rebuild_unusable(inspect)?;
        Ok(done)
    }

    /// Builds the shards that the directory lists and that have no usable file: on a standby all that can be done. The
    /// caller holds the maintenance lock, or is the only one that knows the index.
    pub fn rebuild_unusable(&mut self, inspect: Inspect) -> Result<WorkDone, Stopped> {
        let mut done = WorkDone::default();
        for shard in directory::read(self.index).shards() {
            if self.unit(&shard, inspect).kind == Kind::Unusable {
                done += self.rebuild(&shard)?;
            }
        }
        Ok(done)
    }

    /// Merges all shards into as few as `shard_size` allows and leaves all dead entries behind. The caller holds the
    /// maintenance lock.
    pub fn compact(&mut self) -> Result<WorkDone, Stopped> {
        let mut done = self.seal_all(Inspect::Everything)?;
        if self.index.is_temporary() {
            return Ok(done);
        }
        let shards = directory::read(self.index).shards();
        let mut units: Vec<Unit> = Vec::new();
        for shard in &shards {
            // Inspected just now.
            let unit = self.unit(shard, Inspect::Nothing);
            let dead = unit.entries.saturating_sub(count_alive(self.index, &shard.1)?);
            units.push(Unit { dead, ..unit });
        }
        for chosen in policy::compact(&units, self.limits().max_blocks) {
            let segments = segments_of(&shards, &chosen);
            let has_dead = chosen.iter().any(|&at| units[at].dead > 0);
            done += match has_dead {
                true => self.reclaim(&segments, SmallRest::GetsShard)?,
                false => self.build_shard(ShardPlan::merge(&segments))?,
            };
        }
        Ok(done)
    }

    fn seal_tail(&mut self) -> Result<WorkDone, Stopped> {
        let mut done = WorkDone::default();
        let mut waiting = self.close_tail(None);
        while let Some(plan) = self.first_seal(&waiting) {
            done += self.build_shard(plan)?;
            failpoint!("seal_between_shards");
            // Beside that build, some of the others may have been sealed.
            let closed = self.closed(None);
            waiting.retain(|segment| closed.iter().any(|listed| segment.is_same(listed)));
        }
        Ok(done)
    }

    fn has_usable_shard(&self, id: &ShardId, segments: &[Segment], inspect: Inspect) -> bool {
        if *id == NO_SHARD || inspect == Inspect::Nothing {
            return true;
        }
        let is_sound =
            |shard: &MappedShard| inspect == Inspect::Header || shard.verify(&check_for_interrupts).is_empty();
        match shard_cache::open(&shard_file::path(self.index.locator(), id), id, segments) {
            Ok(shard) => refused::is_usable(&shard, self.tolerates_functions) && is_sound(&shard),
            Err(_) => false,
        }
    }

    fn rebuild(&mut self, (id, segments): &ListedShard) -> Result<WorkDone, Stopped> {
        self.build_shard(ShardPlan::rebuild(*id, segments))
    }
}

fn segments_of(shards: &[ListedShard], chosen: &[usize]) -> Vec<Segment> {
    chosen.iter().flat_map(|&at| shards[at].1.iter().copied()).collect()
}
