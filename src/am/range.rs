//! Threshold search: every entry that meets conditions, in log order.

use iscc_hnsw::directory::Segment;
use iscc_hnsw::log_page::{LogPage, Tid, is_alive};
use pgrx::pg_sys;

use super::conditions::Conditions;
use super::returned::Returned;
use crate::storage::buffer::{Page, Recent};
use crate::storage::directory;
use crate::storage::log::{self, Mismatch};

/// Blocks that are read before the first row is returned.
const FIRST_BLOCKS: u32 = 16;
/// Each time so many more are read.
const GROWTH: u32 = 4;
/// Blocks that are read at once, at most: bounds the rows that wait (6 bytes each, 200 a block of usual codes).
const MOST_BLOCKS: u32 = 4096;

/// A scan of the whole log.
pub struct RangeScan {
    conditions: Conditions,
    /// What is left to read, the next last. None before the directory was read.
    segments: Option<Vec<Segment>>,
    first_block: u32,
    /// Blocks to read at once.
    blocks: u32,
    /// Read, but not yet returned.
    tids: Vec<Tid>,
    /// Rows not to return again when all is read again.
    returned: Returned,
    /// Slots of a page, to use the memory again.
    near: Vec<u32>,
}

impl RangeScan {
    /// All entries with a code that meets the conditions.
    pub fn new(conditions: Conditions) -> Self {
        RangeScan {
            conditions,
            segments: None,
            first_block: 0,
            blocks: FIRST_BLOCKS,
            tids: Vec::new(),
            returned: Returned::default(),
            near: Vec::new(),
        }
    }

    /// The next entry's heap TID.
    pub fn next(&mut self, index: pg_sys::Relation) -> Option<Tid> {
        loop {
            while let Some(tid) = self.tids.pop() {
                if self.returned.insert(&tid) {
                    return Some(tid);
                }
            }
            let piece = self.next_piece(index)?;
            if let Err(mismatch) = self.read(index, &piece) {
                mismatch.confirm(index);
                self.segments = None;
            }
        }
    }

    /// The next blocks to read, all of one segment.
    fn next_piece(&mut self, index: pg_sys::Relation) -> Option<Segment> {
        if self.conditions.is_impossible() {
            return None;
        }
        if self.segments.is_none() {
            let mut segments: Vec<Segment> = directory::read(index).segments().copied().collect();
            segments.sort_unstable_by_key(|segment| std::cmp::Reverse(segment.start_block.get()));
            self.first_block = segments.last().map_or(0, |first| first.start_block.get());
            self.segments = Some(segments);
        }
        let segments = self.segments.as_mut()?;
        let mut piece = segments.pop()?;
        if piece.block_count > self.blocks {
            let mut rest = piece;
            rest.start_block += self.blocks;
            rest.block_count -= self.blocks;
            segments.push(rest);
            piece.block_count = self.blocks.into();
        }
        self.blocks = (self.blocks * GROWTH).min(MOST_BLOCKS);
        Some(piece)
    }

    fn read(&mut self, index: pg_sys::Relation, piece: &Segment) -> Result<(), Mismatch> {
        let mut recent = Recent::of(index, self.first_block);
        log::for_each_page_ahead(index, piece, &mut recent, |_, page, next| self.add_page(page, next))?;
        recent.keep();
        Ok(())
    }

    fn add_page(&mut self, page: &LogPage<'_>, next: *const Page) {
        self.conditions
            .near(page, page.column_before(next, true), &mut self.near);
        let tids = self.near.drain(..).filter_map(|slot| page.tid(slot as usize));
        self.tids.extend(tids.filter(is_alive));
    }
}
