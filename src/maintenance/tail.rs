//! The tail: what has no shard yet, the closed segments and the open one.

use iscc_log::directory::{Segment, State};
use iscc_log::policy;

use super::context::Job;
use super::plan::ShardPlan;
use crate::failpoint::failpoint;
use crate::storage::directory::{self, Directory};
use crate::storage::open_segment;

impl Job<'_> {
    /// Closes the open segment. Returns the closed segments, except those that a running build needs.
    pub(super) fn close_tail(&self, running: Option<&ShardPlan>) -> Vec<Segment> {
        open_segment::close_open(self.index, self.logging);
        failpoint!("seal_after_close");
        self.closed(running)
    }

    /// The closed segments, except those that a running build needs.
    pub(super) fn closed(&self, running: Option<&ShardPlan>) -> Vec<Segment> {
        closed_in(directory::read(self.index), running)
    }

    /// True when what a running build does not need is enough for a shard.
    pub(super) fn rest_of_tail_is_due(&self, running: &ShardPlan) -> bool {
        let directory = directory::read(self.index);
        let open = directory.open_blocks();
        let closed = closed_in(directory, Some(running));
        let closed: u32 = closed.iter().map(|s| s.block_count).sum();
        policy::tail_is_due(closed + open, self.limits().seal_blocks)
    }

    /// The first shard to build from these closed segments; None if there are none.
    pub(super) fn first_seal(&self, closed: &[Segment]) -> Option<ShardPlan> {
        let sizes = closed.iter().map(|s| (s.stride, s.block_count));
        let batches = policy::pack(sizes, self.limits().max_blocks);
        let first = batches.into_iter().next()?;
        Some(ShardPlan::seal(&closed[first]))
    }
}

fn closed_in(directory: Directory, running: Option<&ShardPlan>) -> Vec<Segment> {
    let mut listed = directory.listed;
    listed.retain(|segment| segment.state == State::Closed && !running.is_some_and(|plan| plan.needs(segment)));
    listed
}
