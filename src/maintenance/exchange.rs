//! Changing what the directory lists, and giving back what it no longer lists: blocks and files.

use iscc_log::directory::Segment;
use iscc_log::log_page::is_alive;

use super::context::{Job, Stopped, WorkDone};
use super::plan::ShardPlan;
use crate::failpoint::failpoint;
use crate::relation::{Index, in_recovery};
use crate::storage::directory::{self, NO_SHARD};
use crate::storage::log::{self, Mismatch};
use crate::storage::shard_file::{self, ShardId};

impl Job<'_> {
    /// Changes the directory as [`Directory::exchange`](directory::Directory::exchange) does.
    pub(super) fn exchange(&self, replaced: &[Segment], new: &[Segment], freed: &[Segment]) -> Result<(), Stopped> {
        directory::change(self.index, self.logging, |d| d.exchange(replaced, new, freed))
            .then_some(())
            .ok_or(Stopped::Overtaken)
    }

    /// Removes the files of shards that the directory no longer lists. A scan that has one mapped keeps it until its
    /// end; a standby's own sweep removes its copies.
    pub(super) fn unlink_replaced(&self, id: &ShardId, replaced: &[Segment], freed: &[Segment]) {
        if in_recovery() {
            return;
        }
        let shards = replaced.iter().chain(freed).map(|segment| segment.shard_id);
        let mut old: Vec<ShardId> = shards.filter(|old| old != id && *old != NO_SHARD).collect();
        old.sort_unstable();
        old.dedup();
        if old.is_empty() {
            return;
        }
        // If a crash took the change back, the old files would be needed again.
        directory::flush(self.index);
        failpoint!("shard_before_unlink");
        for old in &old {
            // A file that cannot be removed is left to the sweep.
            let _ = std::fs::remove_file(shard_file::path(self.index.locator(), old));
            failpoint!("shard_after_unlink");
        }
    }

    /// Frees segments in which nothing is alive.
    pub(super) fn free(&mut self, segments: &[Segment]) -> Result<(), Stopped> {
        self.exchange(&[], &[], segments)?;
        failpoint!("move_after_free");
        self.unlink_replaced(&NO_SHARD, &[], segments);
        Ok(())
    }

    /// Frees the segments of each shard in which VACUUM has found every entry dead, except those that a running build
    /// needs. The caller holds the maintenance lock.
    pub(super) fn free_dead(&mut self, running: Option<&ShardPlan>) -> Result<WorkDone, Stopped> {
        let mut done = WorkDone::default();
        if in_recovery() {
            return Ok(done);
        }
        let is_dead = |segment: &Segment| segment.all_dead() >= u64::from(segment.entries);
        let is_busy = |segment: &Segment| running.is_some_and(|plan| plan.needs(segment));
        for (_, segments) in directory::read(self.index).shards() {
            // What VACUUM noted may be about what was in these blocks before.
            if segments.iter().all(|segment| is_dead(segment) && !is_busy(segment))
                && count_alive(self.index, &segments)? == 0
            {
                self.free(&segments)?;
                done.freed_blocks += segments.iter().map(|s| i64::from(s.block_count)).sum::<i64>();
            }
        }
        Ok(done)
    }

    /// Gives back the blocks of a move whose process died. The caller holds the maintenance lock, without which nobody
    /// moves.
    pub(super) fn discard_leftovers(&self) {
        if in_recovery() {
            return;
        }
        let pending: Vec<Segment> = directory::read(self.index).pending().copied().collect();
        if !pending.is_empty() {
            self.discard(&pending);
            failpoint!("pending_discarded");
        }
    }

    /// Gives back the blocks of those of these segments that are still pending.
    pub(super) fn discard(&self, pending: &[Segment]) {
        directory::change(self.index, self.logging, |directory| {
            for segment in pending {
                let is_pending = directory.pending().any(|listed| listed.is_same(segment));
                // False only if it is not listed, which has just been excluded.
                let _freed = is_pending && directory.free(&[*segment]);
            }
        });
    }
}

/// Counts the entries alive, NULLs included.
pub fn count_alive(index: Index<'_>, segments: &[Segment]) -> Result<u64, Mismatch> {
    let mut alive = 0;
    for segment in segments {
        log::for_each_entries(index, segment, |page| {
            let tids = (0..page.len()).filter_map(|slot| page.tid(slot));
            alive += tids.filter(is_alive).count() as u64;
        })?;
    }
    Ok(alive)
}
