//! The plan of a shard: what it is built from, why, and which segments it replaces.

use iscc_log::allocation;
use iscc_log::directory::Segment;

use crate::storage::shard_file::{self, ShardId};

/// Why a shard is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The tail gets a shard.
    Seal,
    /// The file of a shard was lost or is damaged.
    Rebuild,
    /// Several shards become one.
    Merge,
    /// Entries alive have moved to other blocks.
    Move,
}

impl Purpose {
    /// For `pg_stat_activity` and the view of progress.
    pub fn present_participle(self) -> &'static str {
        match self {
            Purpose::Seal => "sealing",
            Purpose::Rebuild => "rebuilding",
            Purpose::Merge => "merging",
            Purpose::Move => "compacting",
        }
    }

    /// For the server's log.
    pub fn past_participle(self) -> &'static str {
        match self {
            Purpose::Seal => "sealed",
            Purpose::Rebuild => "rebuilt",
            Purpose::Merge => "merged",
            Purpose::Move => "moved",
        }
    }
}

/// A shard to build.
pub struct ShardPlan {
    pub purpose: Purpose,
    pub id: ShardId,
    /// How often its entries were built into a shard before, at most.
    pub level: u8,
    /// The segments that it is built from, as the directory lists them now. It will list the same blocks as sealed.
    pub sources: Vec<Segment>,
    /// Segments whose entries were moved to the sources. Their blocks become free when the shard is listed.
    pub freed: Vec<Segment>,
}

impl ShardPlan {
    /// A shard for closed segments.
    pub fn seal(closed: &[Segment]) -> Self {
        Self::new(Purpose::Seal, closed)
    }

    /// One shard for the segments of several.
    pub fn merge(sealed: &[Segment]) -> Self {
        Self::new(Purpose::Merge, sealed)
    }

    /// The same shard again.
    pub fn rebuild(id: ShardId, sealed: &[Segment]) -> Self {
        ShardPlan {
            id,
            level: sealed.iter().map(|segment| segment.level).max().unwrap_or(0),
            ..Self::new(Purpose::Rebuild, sealed)
        }
    }

    /// A shard for pending segments, to which the entries alive of others were moved.
    pub fn moved(pending: &[Segment], from: &[Segment]) -> Self {
        ShardPlan {
            level: times_built(from),
            freed: from.to_vec(),
            ..Self::new(Purpose::Move, pending)
        }
    }

    fn new(purpose: Purpose, sources: &[Segment]) -> Self {
        ShardPlan {
            purpose,
            id: shard_file::new_id(),
            level: times_built(sources),
            sources: sources.to_vec(),
            freed: Vec::new(),
        }
    }

    /// The sources in as few segments as possible, in the order of the shard's ordinals.
    pub fn joined_sources(&self) -> Vec<Segment> {
        allocation::joined(&self.sources)
    }

    /// True for a segment that nobody may change before the shard is listed.
    pub fn needs(&self, segment: &Segment) -> bool {
        let mut needed = self.sources.iter().chain(&self.freed);
        needed.any(|needed| needed.is_same(segment))
    }
}

/// How often entries of these segments were built into a shard, at most.
pub fn times_built(segments: &[Segment]) -> u8 {
    let built = |segment: &Segment| segment.level.saturating_add(u8::from(segment.is_sealed()));
    segments.iter().map(built).max().unwrap_or(0)
}
