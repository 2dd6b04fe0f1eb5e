//! Segments: ranges of log blocks, as values and as the directory records them on its pages.

use std::ops::Range;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::log_page::slots;
use crate::page::NO_BLOCK;
use crate::span::{self, MAX_STRIDE};

/// What a segment is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Takes new entries; scanned exactly.
    Open,
    /// Complete, waiting for its shard; scanned exactly.
    Closed,
    /// Served by the shard `shard_id`, or exactly when its file is missing.
    Sealed,
    /// Being filled with entries that are moved here: not part of the index yet, but VACUUM looks at it.
    Pending,
    /// Blocks to use again.
    Free,
}

/// A contiguous range of log blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// First block.
    pub start_block: u32,
    /// Number of blocks.
    pub block_count: u32,
    /// Bytes of one cell of the code column, the same on all its pages. If that is more than fits, values span pages.
    pub stride: u16,
    /// What it is for.
    pub state: State,
    /// How often its entries were built into a shard before, at most; 0 as sealed.
    pub level: u8,
    /// Newest generation of the blocks' contents, as in their page tails.
    pub epoch: u32,
    /// Oldest generation of the blocks' contents: a segment may be several old ones that were merged.
    pub oldest_epoch: u32,
    /// Entries, dead ones and NULLs included; known once closed.
    pub entries: u32,
    /// Entries with a code found dead by the last VACUUM.
    pub dead: u32,
    /// Entries without a code; known once sealed.
    pub nulls: u32,
    /// Entries without a code found dead by the last VACUUM.
    pub dead_nulls: u32,
    /// Nodes of the shard: distinct codes among the live entries when it was built.
    pub nodes: u32,
    /// Identity of the shard; zero without one.
    pub shard_id: [u8; 16],
}

impl Segment {
    /// A segment of this generation.
    pub fn new(state: State, blocks: Range<u32>, stride: u16, epoch: u32) -> Self {
        Segment {
            start_block: blocks.start,
            block_count: blocks.end - blocks.start,
            stride,
            state,
            level: 0,
            epoch,
            oldest_epoch: epoch,
            entries: 0,
            dead: 0,
            nulls: 0,
            dead_nulls: 0,
            nodes: 0,
            shard_id: [0; 16],
        }
    }

    /// True when a page of this generation can be one of its pages.
    pub fn has_epoch(&self, epoch: u32) -> bool {
        (self.oldest_epoch..=self.epoch).contains(&epoch)
    }

    /// Part of the index: open, closed or sealed.
    pub fn is_searchable(&self) -> bool {
        matches!(self.state, State::Open | State::Closed | State::Sealed)
    }

    /// True when a segment has a shard, or needs none, whatever the state of its file.
    pub fn is_sealed(&self) -> bool {
        self.state == State::Sealed
    }

    /// Entries found dead, with or without a code.
    pub fn all_dead(&self) -> u64 {
        u64::from(self.dead) + u64::from(self.dead_nulls)
    }

    /// True for blocks to use again.
    pub fn is_free(&self) -> bool {
        self.state == State::Free
    }

    /// Entries that fit on each of its pages of entries.
    pub fn slots_per_page(&self) -> u16 {
        slots(self.stride)
    }

    /// Blocks of each page of entries with the parts of its value: 1 unless values span pages.
    pub fn span_blocks(&self) -> u32 {
        span::blocks(self.stride)
    }

    /// Number of pages of entries.
    pub fn page_count(&self) -> u32 {
        self.block_count / self.span_blocks()
    }

    /// Entries that it has room for.
    pub fn room(&self) -> u64 {
        u64::from(self.page_count()) * u64::from(self.slots_per_page())
    }

    /// Its blocks, in order.
    pub fn blocks(&self) -> Range<u32> {
        self.start_block..self.start_block + self.block_count
    }

    /// The blocks of its pages of entries, in order: all blocks, unless values span pages.
    pub fn pages(&self) -> impl Iterator<Item = u32> + use<> {
        self.blocks().step_by(self.span_blocks() as usize)
    }

    /// The last page of entries; None for a segment without blocks.
    pub fn last_page(&self) -> Option<u32> {
        let end = self.start_block + self.block_count;
        (self.block_count > 0).then(|| end - self.span_blocks().min(self.block_count))
    }

    /// The page of entries that one of the segment's blocks belongs to.
    pub fn page_of(&self, block: u32) -> u32 {
        block - (block - self.start_block) % self.span_blocks()
    }

    /// Whether this is the same segment over time: its blocks and the generation of their contents. One that has become
    /// part of a larger one is not the same.
    pub fn is_same(&self, other: &Segment) -> bool {
        self.blocks() == other.blocks() && self.epoch == other.epoch
    }
}

/// A [`Segment`] on a page.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct SegmentRecord {
    start_block: U32,
    block_count: U32,
    pub(crate) stride: U16,
    /// One of the `STATE_` constants.
    pub(crate) state: u8,
    level: u8,
    epoch: U32,
    entries: U32,
    dead: U32,
    nulls: U32,
    nodes: U32,
    shard_id: [u8; 16],
    oldest_epoch: U32,
    dead_nulls: U32,
    reserved: [u8; 8],
}

/// No open segment: only in the metapage's header.
pub(crate) const STATE_NONE: u8 = 0;

impl State {
    fn number(self) -> u8 {
        match self {
            State::Open => 1,
            State::Closed => 2,
            State::Sealed => 3,
            State::Pending => 4,
            State::Free => 5,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        let states = [State::Open, State::Closed, State::Sealed, State::Pending, State::Free];
        states.into_iter().find(|state| state.number() == number)
    }
}

impl SegmentRecord {
    /// In the place of an open segment that there is not; keeps the stride of the last one.
    pub(crate) fn none(stride: u16) -> Self {
        SegmentRecord {
            state: STATE_NONE,
            stride: stride.into(),
            ..SegmentRecord::default()
        }
    }

    pub(crate) fn of(segment: &Segment) -> Self {
        SegmentRecord {
            start_block: segment.start_block.into(),
            block_count: segment.block_count.into(),
            stride: segment.stride.into(),
            state: segment.state.number(),
            level: segment.level,
            epoch: segment.epoch.into(),
            entries: segment.entries.into(),
            dead: segment.dead.into(),
            nulls: segment.nulls.into(),
            nodes: segment.nodes.into(),
            shard_id: segment.shard_id,
            oldest_epoch: segment.oldest_epoch.into(),
            dead_nulls: segment.dead_nulls.into(),
            reserved: [0; 8],
        }
    }

    /// The segment, if the fields make sense.
    pub(crate) fn segment(&self) -> Option<Segment> {
        let segment = Segment {
            start_block: self.start_block.get(),
            block_count: self.block_count.get(),
            stride: self.stride.get(),
            state: State::of_number(self.state)?,
            level: self.level,
            epoch: self.epoch.get(),
            oldest_epoch: self.oldest_epoch.get(),
            entries: self.entries.get(),
            dead: self.dead.get(),
            nulls: self.nulls.get(),
            dead_nulls: self.dead_nulls.get(),
            nodes: self.nodes.get(),
            shard_id: self.shard_id,
        };
        let end = segment.start_block.checked_add(segment.block_count)?;
        let has_stride = (1..=MAX_STRIDE).contains(&usize::from(segment.stride));
        if !has_stride || segment.start_block == 0 || end == NO_BLOCK {
            return None;
        }
        if !segment.block_count.is_multiple_of(segment.span_blocks()) {
            return None;
        }
        // Builds take memory for the entries that are counted here.
        let room = segment.room();
        let counts = [segment.entries, segment.dead, segment.nulls, segment.dead_nulls];
        counts.iter().all(|&count| u64::from(count) <= room).then_some(segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_spans() {
        let segment = Segment::new(State::Sealed, 10..22, 20_000, 1);
        assert_eq!((segment.span_blocks(), segment.page_count(), segment.room()), (3, 4, 4));
        assert_eq!(segment.pages().collect::<Vec<_>>(), [10, 13, 16, 19]);
        assert_eq!(segment.last_page(), Some(19));
        let of_blocks: Vec<u32> = segment.blocks().map(|block| segment.page_of(block)).collect();
        assert_eq!(of_blocks, [10, 10, 10, 13, 13, 13, 16, 16, 16, 19, 19, 19]);

        let segment = Segment::new(State::Sealed, 10..13, 32, 1);
        assert_eq!((segment.page_count(), segment.room()), (3, 3 * 203));
        assert_eq!(segment.pages().collect::<Vec<_>>(), [10, 11, 12]);
        assert_eq!((segment.last_page(), segment.page_of(11)), (Some(12), 11));
        assert_eq!(Segment::new(State::Open, 10..10, 20_000, 1).last_page(), None);
    }
}
