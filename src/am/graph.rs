//! Graph search of one shard, resolved in the log.

use std::rc::Rc;

use iscc_hnsw::cost;
use iscc_hnsw::directory::Segment;
use iscc_hnsw::distance::Query;
use iscc_hnsw::log_page::is_alive;
use iscc_hnsw::ranges::{EntryRange, locate};
use iscc_hnsw::search::{Candidate, GraphSearch};
use pgrx::pg_sys;

use super::counters::Counters;
use super::exact::{Found, position};
use crate::guc::SearchMode;
use crate::storage::log::{self, Mismatch};
use crate::storage::shard_cache::MappedShard;
use crate::storage::shard_file::ShardId;

/// What a candidate of the shard turned out to be in the log.
pub enum Taken {
    /// An entry, as near as the shard said.
    Alive(Found),
    /// A dead entry.
    Dead,
    /// Not what the shard said: an entry at another distance, or none. The shard's file is damaged.
    Damaged(Option<Found>),
}

/// A stream of a shard's entries, nearest first as far as the graph knows.
pub struct GraphStream {
    shard: Rc<MappedShard>,
    segments: Vec<Segment>,
    ranges: Vec<EntryRange>,
    search: GraphSearch,
    effort: usize,
    started: bool,
    /// Candidates not yet returned, farthest first.
    batch: Vec<Candidate>,
    /// How many of them the search has gone far enough beyond.
    settled: usize,
    /// Ordinals of the current node not yet returned, last one first.
    ordinals: Vec<u32>,
    key: u32,
}

impl GraphStream {
    /// Searches this shard; `search` lends its buffers.
    pub fn new(shard: Rc<MappedShard>, segments: Vec<Segment>, search: GraphSearch, effort: usize) -> Self {
        let ranges = shard.ranges();
        GraphStream {
            shard,
            segments,
            ranges,
            search,
            effort,
            started: false,
            batch: Vec::new(),
            settled: 0,
            ordinals: Vec::new(),
            key: 0,
        }
    }

    /// Key of the next entry as the shard has it. None when the graph gives no more, or when in
    /// mode `auto` scanning the rest exactly has become cheaper than searching on.
    pub fn head(&mut self, query: &Query, mode: SearchMode) -> Option<u32> {
        while self.ordinals.is_empty() {
            if self.settled == 0 && !self.search_on(query, mode) {
                return None;
            }
            let candidate = self.batch.pop()?;
            self.settled -= 1;
            self.key = candidate.key;
            self.ordinals.extend(self.shard.postings(candidate.node));
            self.ordinals.reverse();
        }
        Some(self.key)
    }

    /// Fetches candidates; false when there are none.
    ///
    /// A search of some effort finds nearly all of the nearest, but misses more and more towards its
    /// rim. So only the nearer half of what is known is returned before searching on, twice as far.
    fn search_on(&mut self, query: &Query, mode: SearchMode) -> bool {
        pgrx::check_for_interrupts!();
        let mut found = Vec::new();
        if !self.started {
            self.started = true;
            self.search.start(&*self.shard, query, self.effort, &mut found);
        } else {
            self.effort *= 2;
            if mode == SearchMode::Auto && self.exact_is_cheaper() {
                return false;
            }
            self.search.resume(&*self.shard, query, self.effort, &mut found);
        }
        let exhausted = found.is_empty();
        self.batch.append(&mut found);
        self.batch.sort_unstable_by(|a, b| b.cmp(a));
        self.settled = if exhausted {
            self.batch.len()
        } else {
            self.batch.len().div_ceil(2)
        };
        self.settled > 0
    }

    fn exact_is_cheaper(&self) -> bool {
        let nodes = f64::from(self.shard.nodes());
        cost::prefers_exact(self.entries() as f64, nodes, self.effort as f64)
    }

    fn entries(&self) -> u64 {
        self.segments.iter().map(|s| u64::from(s.entries.get())).sum()
    }

    /// Takes the entry whose key [`GraphStream::head`] gave and looks it up in the log: its own
    /// distance counts, not the shard's.
    pub fn take(&mut self, index: pg_sys::Relation, query: &Query) -> Result<Taken, Mismatch> {
        let Some((block, slot)) = self.ordinals.pop().and_then(|ordinal| locate(&self.ranges, ordinal)) else {
            return Ok(Taken::Damaged(None));
        };
        let Some(segment) = self.segments.iter().find(|s| s.blocks().contains(&block)) else {
            return Ok(Taken::Damaged(None));
        };
        let slot = usize::from(slot);
        log::with_page(index, segment, block, |page| {
            let Some(code) = page.code(slot) else {
                return Taken::Damaged(None);
            };
            let Some(tid) = page.tid(slot).filter(is_alive) else {
                return Taken::Dead;
            };
            let found = Found {
                key: query.key(code),
                position: position(block, slot),
                tid,
            };
            if found.key == self.key {
                Taken::Alive(found)
            } else {
                Taken::Damaged(Some(found))
            }
        })
    }

    /// What the search so far has visited.
    pub fn counters(&self) -> Counters {
        if !self.started {
            return Counters::default();
        }
        Counters {
            graph_shards: 1,
            nodes: self.search.visited() as u64,
            ..Counters::default()
        }
    }

    /// The shard's id.
    pub fn shard_id(&self) -> ShardId {
        self.shard.id()
    }

    /// Ends the search: the segments for the exact scan of the rest, and the buffers.
    pub fn finish(self) -> (Vec<Segment>, GraphSearch) {
        (self.segments, self.search)
    }
}
