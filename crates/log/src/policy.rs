//! What maintenance an index is due for: sizes in, one decision out.
//!
//! Four rules, in this order:
//!
//! 1. *Seal*: the tail, which every query scans exactly, must not grow beyond [`SEAL_BLOCKS`] or, for vectors,
//!    [`vector_seal_blocks`]. Its segments that are mostly dead give their blocks back first.
//! 2. *Rebuild*: a shard whose file cannot be used costs an exact scan of all its blocks.
//! 3. *Reclaim*: a unit that is mostly dead gives its blocks back.
//! 4. *Merge*: four units of one tier become one. Tiers are powers of four, so that an index has at most three units in
//!    each, and an entry is built into a shard once per tier. Units near `shard_size` stay as they are.

use std::ops::Range;

use crate::log_page::slots;
use crate::span;

/// A tail of codes is sealed when it has as many blocks. A query scans this many in about 0.15 ms.
pub const SEAL_BLOCKS: u32 = 200;
/// Rows of a tail of values that a function of the user's compares: a query calls it for each.
const OPAQUE_SEAL_ROWS: u32 = 4096;

/// Blocks of such a tail that is sealed.
pub fn opaque_seal_blocks(stride: u16) -> u32 {
    OPAQUE_SEAL_ROWS / u32::from(slots(stride)).max(1)
}

/// Units of one tier that are merged.
pub const FAN_IN: usize = 4;
/// A unit is reclaimed when more than this share of its entries is dead.
pub const RECLAIM_SHARE: f64 = 0.5;
/// A merge leaves the dead entries behind, in blocks to use again, when more than this share of its entries is dead.
pub const MOVE_SHARE: f64 = 0.2;

/// A file is not made shorter by fewer blocks than this.
pub const LEAST_CUT_BLOCKS: u32 = 128;

/// What a query may spend on the tail of an index of dense vectors, in nanoseconds.
const VECTOR_TAIL_NS: f64 = 1e6;

/// A tail of dense vectors in cells of `stride` bytes is sealed when it has as many blocks. A query scans these in
/// about 1 ms, if not less.
pub fn vector_seal_blocks(stride: u16) -> u32 {
    // Measured with 16 to 16,000 dimensions.
    const BLOCK_NS: f64 = 100.0;
    const ENTRY_NS: f64 = 20.0;
    const BYTE_NS: f64 = 0.07;
    /// Where a value is put together from several blocks.
    const SPANNED_BYTE_NS: f64 = 0.1;
    let blocks = span::blocks(stride);
    let byte_ns = if blocks > 1 { SPANNED_BYTE_NS } else { BYTE_NS };
    let entries = f64::from(slots(stride)) * (ENTRY_NS + f64::from(stride) * byte_ns);
    let per_block = BLOCK_NS + entries / f64::from(blocks);
    let affordable = (VECTOR_TAIL_NS / per_block) as u32;
    // In the lower half of a tier, so that seals of somewhat more blocks are all in one.
    affordable.min(4 << (2 * tier(affordable)))
}

/// The power of four of a number of blocks.
fn tier(blocks: u32) -> u32 {
    (blocks / 2).max(1).ilog2() / 2
}

/// What a part of the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A closed segment.
    Tail,
    /// The segments of one shard, or of none because no code in them is alive.
    Sealed,
    /// The segments of a shard whose file cannot be used.
    Unusable,
}

/// A part of the log that is maintained as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    /// What it is.
    pub kind: Kind,
    /// Blocks of the log.
    pub blocks: u32,
    /// Bytes of a code column cell; only units of one stride are merged.
    pub stride: u16,
    /// Entries, dead ones included.
    pub entries: u64,
    /// Dead entries.
    pub dead: u64,
}

impl Unit {
    fn is_mostly_dead(&self) -> bool {
        self.dead as f64 > self.entries as f64 * RECLAIM_SHARE
    }

    /// The power of four of its size. Seals of [`SEAL_BLOCKS`] and somewhat more are all in one tier (128 to 511).
    fn tier(&self) -> u32 {
        tier(self.blocks)
    }
}

/// What to do. Numbers are places in the list of units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Close the open segment and build shards from all of the tail.
    Seal,
    /// Build this unit's shard again.
    Rebuild(usize),
    /// Move the entries alive of these units to other blocks and build a shard from them.
    Move(Vec<usize>),
    /// Build one shard from these units' blocks as they are.
    Merge(Vec<usize>),
}

/// What else decides.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Blocks of the open segment.
    pub open_blocks: u32,
    /// Blocks of a tail that is sealed.
    pub seal_blocks: u32,
    /// Blocks of a shard of `shard_size`.
    pub max_blocks: u32,
    /// False when the tail was sealed just now: with inserts that never end there would always be more to seal.
    pub may_seal: bool,
    /// False while VACUUM needs the entries where they are.
    pub may_move: bool,
    /// False on a standby, which can only build the shards that the primary has.
    pub may_change: bool,
}

/// True when the tail has grown enough to be sealed.
pub fn tail_is_due(tail_blocks: u32, seal_blocks: u32) -> bool {
    tail_blocks > 0 && tail_blocks >= seal_blocks
}

/// True when enough of a file's blocks are useless for what stands at its end to be moved and the file to be cut.
pub fn is_to_shrink(useless: u32, blocks: u32) -> bool {
    useless >= LEAST_CUT_BLOCKS && useless > blocks / 2
}

/// True when enough blocks at the end of a file are useless for the file to be cut.
pub fn is_to_cut(at_end: u32, blocks: u32) -> bool {
    at_end >= LEAST_CUT_BLOCKS && at_end > blocks / 8
}

/// The next thing to do.
pub fn next(units: &[Unit], state: &State) -> Option<Action> {
    let of_kind = |kind| (0..units.len()).filter(move |&at: &usize| units[at].kind == kind);
    let closed: u32 = of_kind(Kind::Tail).map(|at| units[at].blocks).sum();
    if state.may_change && state.may_seal && tail_is_due(closed + state.open_blocks, state.seal_blocks) {
        let dead_tail = reclaim(units, of_kind(Kind::Tail), state.max_blocks).filter(|_| state.may_move);
        return Some(dead_tail.map_or(Action::Seal, Action::Move));
    }
    // The small ones first: they are soon done.
    if let Some(at) = of_kind(Kind::Unusable).min_by_key(|&at| units[at].blocks) {
        return Some(Action::Rebuild(at));
    }
    if !state.may_change {
        return None;
    }
    if state.may_move
        && let Some(dead) = reclaim(units, 0..units.len(), state.max_blocks)
    {
        return Some(Action::Move(dead));
    }
    let merge = merge(units, state.max_blocks)?;
    let sum = |value: fn(&Unit) -> u64| merge.iter().map(|&at| value(&units[at])).sum::<u64>() as f64;
    if state.may_move && sum(|u| u.dead) > sum(|u| u.entries) * MOVE_SHARE {
        Some(Action::Move(merge))
    } else {
        Some(Action::Merge(merge))
    }
}

/// Groups of units that together make shards as large as `shard_size` allows, for compaction: each group is worth it,
/// because it has several units or dead entries.
pub fn compact(units: &[Unit], max_blocks: u32) -> Vec<Vec<usize>> {
    let mut by_size: Vec<usize> = (0..units.len()).collect();
    by_size.sort_by_key(|&at| (units[at].stride, units[at].blocks));
    let sizes = by_size.iter().map(|&at| (units[at].stride, live_blocks(&units[at])));
    let groups = pack(sizes, max_blocks).into_iter().map(|group| by_size[group].to_vec());
    groups
        .filter(|group| group.len() > 1 || units[group[0]].dead > 0)
        .collect()
}

/// Puts neighbours of one stride together, as many as fit into one shard. For each part its stride and its blocks; the
/// places of those that belong together.
pub fn pack(parts: impl IntoIterator<Item = (u16, u32)>, max_blocks: u32) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let (mut group_stride, mut room) = (0, 0);
    for (at, (stride, blocks)) in parts.into_iter().enumerate() {
        match groups.last_mut().filter(|_| stride == group_stride && blocks <= room) {
            Some(group) => {
                group.end = at + 1;
                room -= blocks;
            }
            None => {
                groups.push(at..at + 1);
                (group_stride, room) = (stride, max_blocks.saturating_sub(blocks));
            }
        }
    }
    groups
}

/// Blocks that the entries alive would take up.
fn live_blocks(unit: &Unit) -> u32 {
    let share = unit.entries.saturating_sub(unit.dead) as f64 / unit.entries.max(1) as f64;
    (f64::from(unit.blocks) * share).ceil() as u32
}

/// Mostly dead units of one stride, among those at `places`, whose rests fit into one shard.
fn reclaim(units: &[Unit], places: impl Iterator<Item = usize> + Clone, max_blocks: u32) -> Option<Vec<usize>> {
    let first = places.clone().map(|at| &units[at]).find(|unit| unit.is_mostly_dead())?;
    let mut room = max_blocks.max(live_blocks(first));
    let chosen = places.filter(|&at| {
        let unit = &units[at];
        let wanted = unit.stride == first.stride && unit.is_mostly_dead() && live_blocks(unit) <= room;
        if wanted {
            room -= live_blocks(unit);
        }
        wanted
    });
    Some(chosen.collect())
}

/// The smallest tier of one stride that is full, and with it every tier that its merger would fill.
fn merge(units: &[Unit], max_blocks: u32) -> Option<Vec<usize>> {
    let mut candidates: Vec<usize> = (0..units.len())
        .filter(|&at| units[at].kind == Kind::Sealed && units[at].blocks <= max_blocks / 2)
        .collect();
    candidates.sort_by_key(|&at| (units[at].stride, units[at].tier(), units[at].blocks));
    let group_of = |at: usize| (units[at].stride, units[at].tier());
    let mut groups = candidates
        .chunk_by(|&a, &b| group_of(a) == group_of(b))
        .map(<[usize]>::to_vec);
    let mut chosen = groups.by_ref().find(|group| group.len() >= FAN_IN)?;
    let size = |of: &[usize]| of.iter().map(|&at| units[at].blocks).sum::<u32>();
    for next in groups {
        let merged = Unit {
            blocks: size(&chosen),
            ..units[chosen[0]]
        };
        let joins = units[next[0]].stride == merged.stride && units[next[0]].tier() <= merged.tier();
        let full = units[next[0]].tier() < merged.tier() || next.len() + 1 >= FAN_IN;
        if !joins || !full || size(&chosen) + size(&next) > max_blocks {
            break;
        }
        chosen.extend(next);
    }
    while size(&chosen) > max_blocks {
        chosen.pop();
    }
    (chosen.len() > 1).then_some(chosen)
}

#[cfg(test)]
mod tests;
