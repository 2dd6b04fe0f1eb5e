//! What a scan returns, in order: streams of shards and tail, merged by distance.
//!
//! Every row comes once, the nearest first and NULL codes last. It resumes for as long as the executor asks: first what
//! the searches of shards find, then the rest of each shard by exact scan of the log.
//!
//! Graphs are asked only where the plan's [`Demand`] allows to miss a neighbour. What they have missed is found when the
//! scan goes on beyond their answer; it still comes in its place as long as no farther row has left the scan's node, and
//! otherwise after all others, when the statement has found too few.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use iscc_log::directory::Segment;
use iscc_log::log_page::Tid;
use iscc_metrics::{Metric, Query};

use super::conditions::{Conditions, Restriction};
use super::counters::Counters;
use super::demand::{Demand, MOST_ROWS};
use super::log_stream::{ExactStream, Found, LogWalk, Want, block_of};
use super::returned::Returned;
use super::shard_stream::{Buffers, ShardStream, Taken};
use crate::guc::{SearchMode, SearchSettings};
use crate::maintenance::worker;
use crate::relation::Index;
use crate::storage::definition::IndexOptions;
use crate::storage::directory::{self, Directory, NO_SHARD};
use crate::storage::log::Mismatch;
use crate::storage::shard_cache::{self, Lookup};
use crate::storage::table::TableExtent;

/// A source of entries, nearest first.
enum Stream {
    Shard(Box<ShardStream>),
    Exact(ExactStream),
}

impl Stream {
    fn counters(&self) -> Counters {
        match self {
            Stream::Shard(shard) => shard.counters(),
            Stream::Exact(exact) => exact.counters(),
        }
    }
}

/// State of a scan between calls.
#[derive(Default)]
pub struct Scan {
    /// Looked up once.
    metric: Option<Metric>,
    has_begun: bool,
    query: Option<Query>,
    demand: Demand,
    settings: SearchSettings,
    /// The mode whatever the setting says.
    fixed_mode: Option<SearchMode>,
    /// What rows have to meet besides.
    restriction: Option<Restriction>,
    /// Nothing meets the conditions.
    is_empty: bool,
    streams: Vec<Stream>,
    /// Entries that a damaged shard gave too early, waiting for their distance's turn.
    early: BinaryHeap<Reverse<Found>>,
    /// Key of the last row returned, and of the last one that has left the scan's node.
    last_key: u32,
    left_key: u32,
    /// Entries found too late, when a farther row had left.
    late: Vec<Found>,
    /// All rows returned or waiting in `early` or `late`: they are not to come again from another stream.
    returned: Returned,
    /// Entries in no order: NULLs at the end, or all when there is nothing to order by.
    unordered: Option<LogWalk>,
    /// What rows the table can have.
    table: TableExtent,
    /// Buffers for the next search.
    spare: Vec<Buffers>,
    /// Of the streams that are closed.
    counters: Counters,
}

/// Where the nearest entry is.
#[derive(Clone, Copy)]
enum Nearest {
    Early,
    Stream(usize),
}

impl Scan {
    /// How the index compares codes.
    pub fn metric(&mut self, index: Index<'_>) -> Metric {
        *self.metric.get_or_insert_with(|| IndexOptions::of(index).metric)
    }

    /// What was counted since the scan was made.
    pub fn counters(&self) -> Counters {
        let mut sum = self.counters;
        self.streams.iter().for_each(|stream| sum += stream.counters());
        sum
    }

    /// Prepares for a new query, keeping the buffers.
    pub fn reset(&mut self, query: Option<Query>, demand: Demand) {
        self.close_streams();
        self.returned.clear();
        *self = Scan {
            metric: self.metric,
            fixed_mode: self.fixed_mode,
            query,
            demand,
            table: self.table,
            spare: std::mem::take(&mut self.spare),
            counters: self.counters,
            returned: std::mem::take(&mut self.returned),
            ..Scan::default()
        };
    }

    fn close_streams(&mut self) {
        for stream in self.streams.drain(..) {
            self.counters += stream.counters();
            if let Stream::Shard(shard) = stream {
                self.spare.push(shard.finish().1);
            }
        }
    }

    /// Leaves only what meets these conditions, nearest first to one of them if there is no other order; called after
    /// [`Scan::reset`].
    pub fn restrict(&mut self, conditions: Conditions) {
        let smallest = conditions.smallest().filter(|_| !conditions.is_impossible());
        match (smallest.map(|ball| ball.query().clone()), &self.query) {
            (None, _) => self.is_empty = true,
            (Some(_), Some(query)) => self.restriction = Some(conditions.ordered_by(query)),
            (Some(query), None) => {
                self.restriction = Some(conditions.ordered_by(&query).in_any_order());
                self.query = Some(query);
            }
        }
    }

    /// Notes that the row returned last has passed the conditions above the scan.
    pub fn row_has_left(&mut self) {
        self.left_key = self.last_key;
    }

    /// Whether [`Scan::begin`] was called for this query.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Does what comes before the first row of a query.
    pub fn begin(&mut self, index: Index<'_>) {
        self.settings = SearchSettings::of_session();
        if let Some(mode) = self.fixed_mode {
            self.settings.mode = mode;
        }
        if !self.is_empty {
            self.open(index);
        }
        self.has_begun = true;
    }

    /// Copies the directory and opens the streams: at the start, and again when blocks of the copy have been used
    /// again. What was returned before is left out then.
    fn open(&mut self, index: Index<'_>) {
        self.close_streams();
        let mut directory = directory::read(index);
        if self.query.is_some() {
            while !self.open_streams(index, &directory) {
                self.close_streams();
                directory = directory::read(index);
            }
        }
        let want = if self.query.is_some() { Want::Nulls } else { Want::All };
        // A NULL meets no condition.
        self.unordered = match self.restriction {
            Some(_) => None,
            None => Some(LogWalk::new(directory.segments().copied().collect(), want)),
        };
    }

    /// False when the directory has changed meanwhile.
    fn open_streams(&mut self, index: Index<'_>, directory: &Directory) -> bool {
        shard_cache::retain(index.locator(), |id| directory.complete().any(|s| s.shard_id == *id));
        let wanted = match self.demand {
            _ if self.restriction.as_ref().is_some_and(Restriction::is_complete) => None,
            Demand::Exact => None,
            Demand::Nearest(rows) | Demand::Filtered(rows) => Some(usize::from(rows)),
        };
        let mut exact: Vec<Segment> = directory.header.open.as_ref().copied().into_iter().collect();
        for (id, segments) in directory.shards() {
            let sealed = segments.iter().all(Segment::is_sealed);
            if sealed && id == NO_SHARD {
                continue;
            }
            if !sealed || self.settings.mode == SearchMode::Exact {
                exact.extend(segments);
                continue;
            }
            match shard_cache::get(index, &id, &segments) {
                // Where none is to be missed, the codes of the file must be right.
                Lookup::Found(shard) if wanted.is_some() || shard_cache::has_sound_codes(index, &shard) => {
                    let (buffers, settings) = (self.spare.pop().unwrap_or_default(), self.settings);
                    let restriction = self.restriction.clone();
                    let stream = ShardStream::new(shard, segments, buffers, restriction, wanted, settings);
                    self.streams.push(Stream::Shard(Box::new(stream)));
                }
                Lookup::Found(_) | Lookup::Unusable => {
                    worker::ask();
                    exact.extend(segments);
                }
                Lookup::NotYet => exact.extend(segments),
                Lookup::NoLongerListed => return false,
            }
        }
        if !exact.is_empty() {
            let restriction = self.restriction.clone().unwrap_or_default();
            let stream = ExactStream::new(exact, self.returned.len(), restriction);
            self.streams.push(Stream::Exact(stream));
        }
        true
    }

    /// The next row's TID, one that the table can have.
    pub fn next(&mut self, index: Index<'_>) -> Option<Tid> {
        if self.is_empty {
            return None;
        }
        let (tid, block) = self.with_fresh_directory(index, |scan| scan.advance(index))?;
        self.table.require(index, &tid, block);
        Some(tid)
    }

    /// Takes a step, again with a fresh directory when blocks have been used again meanwhile.
    fn with_fresh_directory<T>(&mut self, index: Index<'_>, step: impl Fn(&mut Self) -> Result<T, Mismatch>) -> T {
        loop {
            match step(self) {
                Ok(result) => return result,
                Err(mismatch) => {
                    mismatch.confirm(index);
                    self.open(index);
                }
            }
        }
    }

    /// The next row's TID, and the block of the log that has it.
    fn advance(&mut self, index: Index<'_>) -> Result<Option<(Tid, u32)>, Mismatch> {
        if let Some(found) = self.advance_nearest(index)? {
            self.last_key = found.key;
            if !matches!(self.demand, Demand::Filtered(_)) {
                self.row_has_left();
            }
            return Ok(Some((found.tid, block_of(found.position))));
        }
        let Some(walk) = &mut self.unordered else {
            return Ok(None);
        };
        while let Some((tid, block)) = walk.next(index)? {
            if self.returned.insert(&tid) {
                return Ok(Some((tid, block)));
            }
        }
        Ok(None)
    }

    /// The next entry that has a distance.
    fn advance_nearest(&mut self, index: Index<'_>) -> Result<Option<Found>, Mismatch> {
        let Some(query) = self.query.take() else {
            return Ok(None);
        };
        let found = self.next_in_order(index, &query);
        self.query = Some(query);
        found
    }

    /// The next entry that is not nearer than a row that has left; those last.
    fn next_in_order(&mut self, index: Index<'_>, query: &Query) -> Result<Option<Found>, Mismatch> {
        while let Some(found) = self.next_nearest(index, query)? {
            if found.key >= self.left_key {
                return Ok(Some(found));
            }
            self.late.push(found);
        }
        let nearest = (0..self.late.len()).min_by_key(|&at| (self.late[at].key, self.late[at].position));
        Ok(nearest.map(|at| self.late.swap_remove(at)))
    }

    fn next_nearest(&mut self, index: Index<'_>, query: &Query) -> Result<Option<Found>, Mismatch> {
        while let Some((nearest, key)) = self.nearest(index, query)? {
            let taken = match nearest {
                Nearest::Early => return Ok(self.early.pop().map(|Reverse(found)| found)),
                Nearest::Stream(at) => match &mut self.streams[at] {
                    Stream::Exact(exact) => exact.take(),
                    Stream::Shard(shard) => match shard.take(index, query)? {
                        Taken::Alive(found) => Some(found),
                        Taken::Unwanted => None,
                        Taken::Damaged(found) => {
                            shard_cache::condemn(index.locator(), &shard.shard_id(), "it contradicts the log");
                            self.end_shard(at, false);
                            found
                        }
                    },
                },
            };
            // A row comes twice from a damaged shard, and when the streams were opened again.
            let Some(found) = taken.filter(|f| self.returned.insert(&f.tid)) else {
                continue;
            };
            if found.key <= key {
                if let Nearest::Stream(at) = nearest
                    && let Stream::Shard(shard) = &mut self.streams[at]
                {
                    shard.count();
                }
                return Ok(Some(found));
            }
            self.early.push(Reverse(found));
        }
        Ok(None)
    }

    /// The source with the smallest key. A shard that has given all it can becomes an exact scan of what it left.
    fn nearest(&mut self, index: Index<'_>, query: &Query) -> Result<Option<(Nearest, u32)>, Mismatch> {
        let early = self.early.peek().map(|Reverse(found)| (Nearest::Early, found.key));
        let mut best = early;
        for at in 0..self.streams.len() {
            let head = match &mut self.streams[at] {
                Stream::Shard(shard) => shard.head(query),
                Stream::Exact(_) => None,
            };
            let head = match head {
                None => self.exact_head(index, query, at)?,
                head => head,
            };
            if let Some(key) = head
                && best.is_none_or(|(_, least)| key < least)
            {
                best = Some((Nearest::Stream(at), key));
            }
        }
        Ok(best)
    }

    fn exact_head(&mut self, index: Index<'_>, query: &Query, at: usize) -> Result<Option<u32>, Mismatch> {
        if let Stream::Shard(shard) = &self.streams[at] {
            let is_complete = shard.is_complete();
            self.end_shard(at, is_complete);
        }
        match &mut self.streams[at] {
            Stream::Exact(exact) => exact.head(index, query, &self.returned),
            Stream::Shard(_) => Ok(None),
        }
    }

    /// Replaces a shard by an exact scan of what it has not returned: nothing, if it is complete.
    fn end_shard(&mut self, at: usize, is_complete: bool) {
        // More than the shard gave are wanted: probably some more than that.
        let expected = self.returned.len() * 2;
        let nothing = Stream::Exact(ExactStream::new(Vec::new(), 0, Restriction::default()));
        let Stream::Shard(shard) = std::mem::replace(&mut self.streams[at], nothing) else {
            return;
        };
        let counters = shard.counters();
        let (segments, buffers) = shard.finish();
        self.spare.push(buffers);
        if is_complete {
            self.counters += counters;
        } else {
            // The scan that follows counts the shard.
            let restriction = self.restriction.clone().unwrap_or_default();
            self.counters.nodes += counters.nodes;
            self.streams[at] = Stream::Exact(ExactStream::new(segments, expected, restriction));
        }
    }
}

/// A search without executor and table, to measure the index: it gives entries of the index, so it needs no snapshot and
/// counts as no scan.
#[derive(Default)]
pub struct Search(Scan);

impl Search {
    /// A search in this mode; [`Search::default`] is one in the mode that the session has set.
    pub fn in_mode(mode: SearchMode) -> Self {
        Search(Scan {
            fixed_mode: Some(mode),
            ..Scan::default()
        })
    }

    /// Fills `keys` with the keys ([`Query::key`]) of the first `count` entries that a scan would return: fewer when the
    /// index has not so many codes.
    pub fn nearest(&mut self, index: Index<'_>, query: &Query, count: usize, keys: &mut Vec<u32>) {
        keys.clear();
        let rows = count.min(MOST_ROWS.into()) as u16;
        self.0.reset(Some(query.clone()), Demand::Nearest(rows));
        self.0.begin(index);
        while keys.len() < count
            && let Some(found) = self.0.with_fresh_directory(index, |scan| scan.advance_nearest(index))
        {
            self.0.last_key = found.key;
            self.0.row_has_left();
            keys.push(found.key);
        }
    }
}
