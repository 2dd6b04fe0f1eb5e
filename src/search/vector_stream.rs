//! Search of one shard of dense vectors, or of opaque values: by its graph, whose rows are near the vectors, then by what is in
//! the log.

use std::rc::Rc;

use iscc_hnsw::search::{ShardQuery, looked_up};
use iscc_hnsw::shard::ranges::{EntryRange, locate};
use iscc_log::directory::Segment;
use iscc_log::log_page::{Tid, is_alive};

use super::ahead::read_blocks;
use super::conditions::Restriction;
use super::counters::Counters;
use super::log_stream::{Found, Position, position};
use super::query::VectorQuery;
use super::shard_stream::{Buffers, UNCALIBRATED_EFFORT, least_effort, middle_rank};
use crate::guc::{SearchMode, SearchSettings};
use crate::relation::Index;
use crate::storage::log::{self, Mismatch};
use crate::storage::shard_cache::MappedShard;
use crate::storage::shard_file::ShardId;

/// Where an entry is: segment, block, slot.
type Place = (usize, u32, usize);

/// A stream of the nearest entries of a shard, nearest first: one search, of as many rows as are probably wanted. Who wants
/// more reads the log.
pub struct VectorStream {
    query: Rc<VectorQuery>,
    shard: Rc<MappedShard>,
    segments: Vec<Segment>,
    ranges: Vec<EntryRange>,
    buffers: Buffers,
    /// Rows that are probably wanted.
    wanted: usize,
    /// What they have to meet.
    restriction: Option<Restriction>,
    settings: SearchSettings,
    has_begun: bool,
    is_damaged: bool,
    /// Entries not yet returned, farthest first.
    found: Vec<Found>,
    looked_up: u64,
}

impl VectorStream {
    /// Searches this shard; `buffers` are lent.
    pub fn new(
        query: Rc<VectorQuery>,
        shard: Rc<MappedShard>,
        segments: Vec<Segment>,
        buffers: Buffers,
        wanted: usize,
        restriction: Option<Restriction>,
        settings: SearchSettings,
    ) -> Self {
        VectorStream {
            query,
            ranges: shard.ranges(),
            shard,
            segments,
            buffers,
            wanted,
            restriction,
            settings,
            has_begun: false,
            is_damaged: false,
            found: Vec::new(),
            looked_up: 0,
        }
    }

    /// Key of the next entry. None when the stream gives no more.
    pub fn head(&mut self, index: Index<'_>) -> Result<Option<u64>, Mismatch> {
        if !self.has_begun {
            self.has_begun = true;
            self.search(index)?;
        }
        Ok(self.found.last().map(|found| found.key))
    }

    /// The entry whose key [`VectorStream::head`] gave.
    pub fn take(&mut self) -> Option<Found> {
        self.found.pop()
    }

    /// True when the shard has contradicted the log.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    fn search(&mut self, index: Index<'_>) -> Result<(), Mismatch> {
        pgrx::check_for_interrupts!();
        let (shard, query) = (self.shard.clone(), self.query.clone());
        let effort = if let Some(encoding) = shard.encoding().filter(|_| !query.is_opaque()) {
            self.search_graph(&encoding.query(query.value()))
        } else if let Some(value) = shard.value_layout().and_then(|layout| query.for_shard(layout)) {
            let effort = self.search_graph(&value);
            self.is_damaged = value.has_found_damage();
            effort.filter(|_| !self.is_damaged)
        } else {
            self.is_damaged = true;
            None
        };
        let Some(effort) = effort else {
            return Ok(());
        };
        let count = looked_up(effort).max(self.wanted + self.wanted / 2);
        let nodes = self.buffers.batch.iter().take(count).map(|candidate| candidate.node);
        self.shard.read_postings_ahead(nodes);
        match self.places(count) {
            Some(places) => {
                read_blocks(index, &self.shard, places.iter().map(|&(_, block, _)| block));
                self.look_up(index, &places)
            }
            None => {
                self.is_damaged = true;
                Ok(())
            }
        }
    }

    /// Finds candidates, with the effort that the calibration or the session wants: which one that was. None if no effort is
    /// known to reach the recall, so that the log is to be read instead.
    fn search_graph(&mut self, query: &impl ShardQuery) -> Option<usize> {
        let SearchSettings { mode, ef, recall } = self.settings;
        let least = least_effort(ef, self.wanted);
        let Buffers {
            graph,
            batch: candidates,
            ..
        } = &mut self.buffers;
        graph.start(&*self.shard, query, least, candidates);
        if ef.is_some() {
            return Some(least);
        }
        let middle = candidates.get(middle_rank(self.wanted) - 1).or(candidates.last());
        let bytes = self.query.value().len();
        let effort = self
            .shard
            .calibration()
            .effort(bytes, middle.map_or(0, |middle| middle.key), recall);
        let effort = match effort {
            Some(effort) => effort,
            None if mode == SearchMode::Graph => UNCALIBRATED_EFFORT,
            None => return None,
        };
        if effort > least {
            graph.widen(&*self.shard, query, effort, candidates);
        }
        Some(effort.max(least))
    }

    /// Where the entries of the nearest candidates are, in the order of the log; None if there are no such entries.
    fn places(&self, count: usize) -> Option<Vec<Place>> {
        let mut places = Vec::with_capacity(count);
        for candidate in self.buffers.batch.iter().take(count) {
            for ordinal in self.shard.postings(candidate.node) {
                let (block, slot) = locate(&self.ranges, ordinal)?;
                let segment = self.segments.iter().position(|s| s.blocks().contains(&block))?;
                places.push((segment, block, usize::from(slot)));
            }
        }
        places.sort_unstable_by_key(|&(_, block, slot)| (block, slot));
        Some(places)
    }

    /// Reads entries of the log: their own distances count, not those of the shard's rows.
    fn look_up(&mut self, index: Index<'_>, places: &[Place]) -> Result<(), Mismatch> {
        // Of a page, where comparing them may call a function: not while the page is locked.
        let mut copies = Copies::default();
        for group in places.chunk_by(|a, b| a.1 == b.1) {
            let &(segment, block, _) = &group[0];
            let segment = self.segments[segment];
            // Values that span pages are copies already.
            let are_compared_at_once = self.query.calls_nothing() || segment.span_blocks() > 1;
            let is_sound = log::with_page(index, &segment, block, |page| {
                group.iter().all(|&(_, _, slot)| {
                    let Some(value) = page.code(slot) else { return false };
                    self.looked_up += 1;
                    if let Some(tid) = page.tid(slot).filter(is_alive) {
                        let place = (position(block, slot), tid);
                        match are_compared_at_once {
                            true => self.offer(place, value),
                            false => copies.push(place, value),
                        }
                    }
                    true
                })
            })?;
            if !is_sound {
                self.is_damaged = true;
                self.found.clear();
                return Ok(());
            }
            copies.drain(|place, value| self.offer(place, value));
        }
        self.found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(())
    }

    /// Takes an entry that is alive, if it meets the conditions.
    fn offer(&mut self, (position, tid): (Position, Tid), value: &[u8]) {
        let key = self.query.key(value);
        let restriction = self.restriction.as_ref();
        if restriction.is_none_or(|restriction| restriction.admits(key, value)) {
            self.found.push(Found { key, position, tid });
        }
    }

    /// What the search so far has visited.
    pub fn counters(&self) -> Counters {
        let visited = if self.has_begun {
            self.buffers.graph.visited()
        } else {
            0
        };
        Counters {
            graph_shards: u64::from(self.has_begun),
            nodes: visited as u64 + self.looked_up,
            ..Counters::default()
        }
    }

    /// The shard's id.
    pub fn shard_id(&self) -> ShardId {
        self.shard.id()
    }

    /// Ends the search: the segments for the exact scan of the rest, and the buffers.
    pub fn finish(self) -> (Vec<Segment>, Buffers) {
        (self.segments, self.buffers)
    }
}

/// Copies of values.
#[derive(Default)]
struct Copies {
    bytes: Vec<u8>,
    /// Position and row of each, and where its bytes end.
    ends: Vec<((Position, Tid), usize)>,
}

impl Copies {
    fn push(&mut self, place: (Position, Tid), value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push((place, self.bytes.len()));
    }

    fn drain(&mut self, mut visit: impl FnMut((Position, Tid), &[u8])) {
        let mut start = 0;
        for (place, end) in self.ends.drain(..) {
            visit(place, &self.bytes[start..end]);
            start = end;
        }
        self.bytes.clear();
    }
}
