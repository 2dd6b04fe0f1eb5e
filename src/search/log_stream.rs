//! Exact search: every code of some segments, from the log, nearest first.

use std::collections::HashSet;

use iscc_log::directory::Segment;
use iscc_log::log_page::{LogPage, Tid, is_alive};
use iscc_metrics::nearest::{Keyed, Nearest};

use super::conditions::Restriction;
use super::counters::Counters;
use super::query::{Query, VectorQuery};
use super::returned::Returned;
use crate::relation::Index;
use crate::storage::buffer::{Page, Recent};
use crate::storage::log::{self, Mismatch};

/// Where an entry is: block and slot in one number, in log order.
pub type Position = u64;

/// The position of an entry.
pub fn position(block: u32, slot: usize) -> Position {
    Position::from(block) << 16 | slot as Position
}

/// The block of a position.
pub fn block_of(position: Position) -> u32 {
    (position >> 16) as u32
}

/// An entry to return. They are ordered by key and position.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Distance to the query as an integer, see [`Query::key`].
    pub key: u64,
    /// Breaks ties.
    pub position: Position,
    /// Heap TID.
    pub tid: Tid,
}

impl Found {
    /// Orders as the fields do, as one number.
    fn order(&self) -> u128 {
        u128::from(self.key) << 64 | u128::from(self.position)
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Found {}

impl Keyed for Found {
    type Key = u64;

    fn key(&self) -> u64 {
        self.key
    }
}

/// Rows of the first pass.
const FIRST_BATCH: usize = iscc_hnsw::cost::LOG_FIRST_ROWS;
/// Each pass finds this many times more rows than the one before.
const GROWTH: usize = iscc_hnsw::cost::PASS_GROWTH;
/// Entries of a page that tell whether it has short codes: those in the page's last cache line.
const SAMPLE: usize = 6;
/// If at least this many entries of a page are near enough, those of the next page are worth loading ahead.
const MANY: usize = 1;
/// Rows of one pass at most: bounds the memory of a scan (48 bytes each).
const MAX_BATCH: usize = 1 << 18;

/// A stream of entries, nearest first. Each pass over the log keeps the nearest ones that come
/// after the last one returned; a reader that wants few rows pays for one pass.
pub struct ExactStream {
    query: Query,
    segments: Vec<Segment>,
    /// Farthest first, so that the next one is popped from the end.
    found: Vec<Found>,
    /// The last one returned.
    after: Option<Found>,
    batch: usize,
    complete: bool,
    counters: Counters,
    restriction: Restriction,
}

impl ExactStream {
    /// Scans these segments, nothing read yet. `expected` rows are probably wanted.
    pub fn new(query: Query, mut segments: Vec<Segment>, expected: usize, restriction: Restriction) -> Self {
        segments.sort_unstable_by_key(|segment| segment.start_block);
        let complete = segments.is_empty();
        // All rows in one pass, where memory allows.
        let batch = match restriction.wants_all() {
            true => MAX_BATCH,
            false => expected.clamp(FIRST_BATCH, MAX_BATCH),
        };
        ExactStream {
            query,
            segments,
            found: Vec::new(),
            after: None,
            batch,
            complete,
            counters: Counters::default(),
            restriction,
        }
    }

    /// Key of the next entry, after running a pass if need be. Entries in `skip` are left out.
    pub fn head(&mut self, index: Index<'_>, skip: &Returned) -> Result<Option<u64>, Mismatch> {
        if self.found.is_empty() && !self.complete {
            self.pass(index, skip)?;
        }
        Ok(self.found.last().map(|found| found.key))
    }

    /// The entry whose key [`ExactStream::head`] gave.
    pub fn take(&mut self) -> Option<Found> {
        let found = self.found.pop()?;
        self.after = Some(found);
        Some(found)
    }

    /// What the passes so far have read.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Number of shards among the segments.
    fn shards(&self) -> u64 {
        let sealed = self.segments.iter().filter(|segment| segment.is_sealed());
        sealed.map(|segment| segment.shard_id).collect::<HashSet<_>>().len() as u64
    }

    fn pass(&mut self, index: Index<'_>, skip: &Returned) -> Result<(), Mismatch> {
        let mut pass = Pass {
            query: &self.query,
            skip,
            restriction: &self.restriction,
            nearest: Nearest::default(),
            many: false,
            near: Vec::new(),
        };
        pass.nearest.start(self.batch, self.restriction.bound(), self.after);
        let mut counted = self.counters;
        if self.after.is_none() {
            counted.exact_shards = self.shards();
        }
        let first_block = self.segments.first().map_or(0, |first| first.start_block);
        let mut recent = Recent::of(index, first_block);
        for segment in &self.segments {
            let mut entries = 0;
            let mut visit = |block, page: &LogPage<'_>, next| {
                entries += page.len() as u64;
                pass.page(block, page, next)
            };
            match &self.query {
                Query::Vector(query) if !query.calls_nothing() => {
                    log::for_each_copy(index, segment, |block, page| visit(block, page, std::ptr::null()))?;
                }
                _ => log::for_each_page_ahead(index, segment, &mut recent, visit)?,
            }
            let sum = if segment.is_sealed() {
                &mut counted.nodes
            } else {
                &mut counted.tail_rows
            };
            *sum += entries;
        }
        self.counters = counted;
        recent.keep();
        self.found = std::mem::take(pass.nearest.finish());
        self.complete = self.found.len() < self.batch;
        // The next one is at the end.
        self.found.reverse();
        self.batch = (self.batch * GROWTH).min(MAX_BATCH);
        Ok(())
    }
}

struct Pass<'a> {
    query: &'a Query,
    skip: &'a Returned,
    restriction: &'a Restriction,
    /// The nearest so far. Pages come in the order of the positions.
    nearest: Nearest<Found>,
    /// The last page had many that were near enough.
    many: bool,
    /// Slots of a page, to use the memory again.
    near: Vec<u32>,
}

impl Pass<'_> {
    /// Looks at a page; `next` is the one that comes next, or null.
    fn page(&mut self, block: u32, page: &LogPage<'_>, next: *const Page) {
        match self.query {
            Query::Code(query) => self.page_of_codes(query, block, page, next),
            Query::Vector(query) => self.page_of_vectors(query, block, page),
        }
    }

    fn page_of_vectors(&mut self, query: &VectorQuery, block: u32, page: &LogPage<'_>) {
        for slot in 0..page.len() {
            let tid = page.tid(slot).filter(is_alive);
            let Some((tid, value)) = tid.zip(page.code(slot)) else {
                continue;
            };
            let key = query.key(value);
            // The other conditions are looked at only for what is near enough.
            if key < self.nearest.below() && self.restriction.admits(key, value) {
                self.offer(key, position(block, slot), Some(tid));
            }
        }
    }

    fn page_of_codes(&mut self, query: &iscc_metrics::Query, block: u32, page: &LogPage<'_>, next: *const Page) {
        let mut near = std::mem::take(&mut self.near);
        // The entries of far codes as long as the query are not read.
        let is_short = |slot| page.code_len(slot) < query.code().len().min(page.stride());
        let entries = self.many || (0..SAMPLE).any(is_short);
        let column = page.column_before(next, entries);
        self.restriction
            .near(query, self.nearest.below(), page, column, &mut near);
        self.many = near.len() > MANY;
        for slot in near.drain(..).map(|slot| slot as usize) {
            let key = page.code(slot).map(|code| u64::from(query.key(code)));
            // The bound may have become smaller meanwhile.
            if let Some(key) = key.filter(|&key| key < self.nearest.below()) {
                self.offer(key, position(block, slot), page.tid(slot));
            }
        }
        self.near = near;
    }

    fn offer(&mut self, key: u64, position: Position, tid: Option<Tid>) {
        let Some(tid) = tid.filter(is_alive) else { return };
        let found = Found { key, position, tid };
        if self.nearest.wants(&found) && !self.skip.contains(&tid) {
            self.nearest.offer(found);
        }
    }
}

/// Which entries a walk over the log wants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Entries without a code.
    Nulls,
    /// All entries.
    All,
}

/// Entries in log order, a page at a time.
pub struct LogWalk {
    segments: Vec<Segment>,
    want: Want,
    at: usize,
    next_block: u32,
    /// The page that `tids` are from.
    block: u32,
    tids: Vec<Tid>,
}

impl LogWalk {
    /// Walks over these segments.
    pub fn new(segments: Vec<Segment>, want: Want) -> Self {
        LogWalk {
            segments,
            want,
            at: 0,
            next_block: 0,
            block: 0,
            tids: Vec::new(),
        }
    }

    /// The next entry's heap TID, and the block that it is in.
    pub fn next(&mut self, index: Index<'_>) -> Result<Option<(Tid, u32)>, Mismatch> {
        while self.tids.is_empty() {
            let Some(segment) = self.segments.get(self.at).copied() else {
                return Ok(None);
            };
            let blocks = segment.blocks();
            let block = self.next_block.max(blocks.start);
            if block >= blocks.end {
                self.at += 1;
                self.next_block = 0;
                continue;
            }
            pgrx::check_for_interrupts!();
            self.block = block;
            self.next_block = block + segment.span_blocks();
            log::with_entries(index, &segment, block, |page| {
                let wanted = |&slot: &usize| self.want == Want::All || page.code_len(slot) == 0;
                let slots = (0..page.len()).rev().filter(wanted);
                self.tids
                    .extend(slots.filter_map(|slot| page.tid(slot)).filter(is_alive));
            })?;
        }
        Ok(self.tids.pop().map(|tid| (tid, self.block)))
    }
}
