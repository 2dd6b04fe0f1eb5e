//! Search of one shard of codes, by its graph or by all its codes, resolved in the log.

use std::rc::Rc;

use iscc_hnsw::cost::{self, Width};
use iscc_hnsw::search::{Candidate, FlatSearch, GraphSearch, Part, WithinSearch};
use iscc_hnsw::shard::ranges::{EntryRange, locate};
use iscc_hnsw::shard::{EFFORTS, NEIGHBOURS};
use iscc_log::directory::Segment;
use iscc_log::log_page::is_alive;
use iscc_metrics::Query;
use memmap2::Mmap;

use super::ahead::read_blocks;
use super::conditions::{Restriction, key_of_code};
use super::counters::Counters;
use super::log_stream::{Found, position};
use crate::guc::{SearchMode, SearchSettings};
use crate::relation::Index;
use crate::storage::log::{self, Mismatch};
use crate::storage::shard_cache::MappedShard;
use crate::storage::shard_file::ShardId;

/// What a stream has next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Head {
    /// An entry with this key.
    Entry(u64),
    /// No entry nearer than this key, as far as is known; some, perhaps, when the search has gone on.
    Beyond(u64),
}

impl Head {
    /// The key, before that of a [`Head::Beyond`] which is equal.
    pub fn rank(self) -> (u64, bool) {
        match self {
            Head::Entry(key) => (key, false),
            Head::Beyond(key) => (key, true),
        }
    }
}

/// What a candidate of the shard turned out to be in the log.
pub enum Taken {
    /// An entry, as near as the shard said.
    Alive(Found),
    /// A dead entry, or one that the conditions leave out.
    Unwanted,
    /// Not what the shard said: an entry at another distance, or none. The shard's file is damaged.
    Damaged(Option<Found>),
}

/// Nodes that the first exact pass fetches; each later pass fetches this many times more.
const FIRST_BATCH: usize = cost::FIRST_ROWS;
const GROWTH: usize = cost::PASS_GROWTH;
/// The same where there are conditions, so that probably all rows are wanted.
const RESTRICTED_BATCH: usize = 1024;
/// Beyond this share of the nodes a scan of the log is cheaper, since it needs no lookup per entry.
const MOST: usize = 4;

/// Effort where none is known to reach the recall, in mode `graph`, and where a shard has none of the nearest rows, as far
/// as its first search knows.
pub const UNCALIBRATED_EFFORT: usize = 320;

/// The effort of the first search for this many rows, where the session may have set one: only the nearer half of what a
/// search finds counts.
pub fn least_effort(ef: Option<usize>, wanted: usize) -> usize {
    ef.unwrap_or(EFFORTS[0]).max(2 * wanted)
}

/// Which of the nearest found is looked up in the calibration. That knows searches by their tenth row; of more that are
/// wanted, the one in the middle is about as far as the tenth row of a harder query.
pub fn middle_rank(wanted: usize) -> usize {
    NEIGHBOURS.max(wanted / 2)
}

/// Buffers of the searches, to use their memory again.
#[derive(Default)]
pub struct Buffers {
    pub(super) graph: GraphSearch,
    flat: FlatSearch,
    within: WithinSearch,
    /// Candidates not yet returned, of codes the farthest first.
    pub(super) batch: Vec<Candidate>,
}

/// How the shard is being searched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Not begun, see [`begin_together`](super::begin::begin_together).
    Undecided,
    /// By its graph, with this effort.
    Graph(usize),
    /// All codes; this many in the next pass.
    Flat(usize),
    /// All that are within the radius, at once.
    Within,
    /// All below a key, at once; this many `rows` in the first pass over all codes, if more are wanted.
    Near { rows: usize, below: u32 },
}

impl Way {
    /// Whether it misses nothing.
    fn is_exact(self) -> bool {
        matches!(self, Way::Flat(_) | Way::Within | Way::Near { .. })
    }

    /// Whether passes over all codes have begun.
    fn is_flat(self) -> bool {
        matches!(self, Way::Flat(_))
    }
}

/// A stream of a shard's entries, nearest first as far as the search knows.
pub struct ShardStream {
    query: Rc<Query>,
    shard: Rc<MappedShard>,
    segments: Vec<Segment>,
    ranges: Vec<EntryRange>,
    way: Way,
    buffers: Buffers,
    /// How many candidates of the batch the search has gone far enough beyond.
    settled: usize,
    /// Ordinals of the current node not yet returned, last one first.
    ordinals: Vec<u32>,
    key: u32,
    /// Entries that are known to be returned, or dead.
    done: u64,
    has_used_graph: bool,
    /// With conditions all codes are compared: no match may be missed.
    restriction: Option<Restriction>,
    /// Rows that are probably wanted; None where none may be missed.
    wanted: Option<usize>,
    settings: SearchSettings,
}

impl ShardStream {
    /// Searches this shard; `buffers` are lent.
    pub fn new(
        query: Rc<Query>,
        shard: Rc<MappedShard>,
        segments: Vec<Segment>,
        mut buffers: Buffers,
        restriction: Option<Restriction>,
        wanted: Option<usize>,
        settings: SearchSettings,
    ) -> Self {
        buffers.batch.clear();
        let ranges = shard.ranges();
        ShardStream {
            query,
            shard,
            segments,
            ranges,
            way: Way::Undecided,
            buffers,
            settled: 0,
            ordinals: Vec::new(),
            key: 0,
            done: 0,
            has_used_graph: false,
            restriction,
            wanted,
            settings,
        }
    }

    /// Has the entries of the nearest candidates read from the disk at the same time, if need be.
    pub fn read_ahead(&self, index: Index<'_>, rows: usize) {
        let nearest = self.buffers.batch.iter().rev().take(rows);
        let nodes = nearest.map(|candidate| candidate.node);
        self.shard.read_postings_ahead(nodes.clone());
        let ordinals = nodes.flat_map(|node| self.shard.postings(node));
        let blocks = ordinals.filter_map(|ordinal| Some(locate(&self.ranges, ordinal)?.0));
        let is_listed = |block: &u32| self.segments.iter().any(|s| s.blocks().contains(block));
        read_blocks(index, &self.shard, blocks.filter(is_listed));
    }

    /// The next entry as the shard has it. None when the shard gives no more.
    pub fn head(&mut self) -> Option<Head> {
        while self.ordinals.is_empty() {
            if self.settled == 0 {
                return self.beyond().map(Head::Beyond);
            }
            let candidate = self.buffers.batch.pop()?;
            self.settled -= 1;
            self.key = candidate.key;
            self.ordinals.extend(self.shard.postings(candidate.node));
            self.ordinals.reverse();
        }
        Some(Head::Entry(u64::from(self.key)))
    }

    /// How near more entries can be when all that are settled were returned; None if the shard gives no more.
    fn beyond(&self) -> Option<u64> {
        match self.way {
            // The graph may have missed some from here on. They must not come after farther ones of other streams.
            Way::Graph(_) => Some(self.key.into()),
            Way::Near { below, .. } => Some(below.into()),
            Way::Flat(limit) if self.prefers_log(limit) => None,
            Way::Flat(_) if self.buffers.flat.is_complete() => None,
            Way::Flat(_) => Some(self.key.into()),
            Way::Undecided | Way::Within => None,
        }
    }

    /// Fetches the candidates that [`Head::Beyond`] speaks of.
    pub fn search_on(&mut self) {
        pgrx::check_for_interrupts!();
        match self.way {
            // More rows are wanted than one search is good for: from here on none is missed. Nodes returned before come
            // again, and are left out one by one.
            Way::Graph(rows) | Way::Near { rows, .. } => {
                self.buffers.batch.clear();
                self.scan_all(rows, u32::MAX);
            }
            Way::Flat(limit) => self.scan_all(limit, u32::MAX),
            Way::Undecided | Way::Within => {}
        }
    }

    /// Whether the log gives that many more rows at lower cost.
    fn prefers_log(&self, rows: usize) -> bool {
        let wants_all = self.restriction.as_ref().is_some_and(Restriction::wants_all);
        let is_cheaper = || cost::prefers_log(f64::from(self.shard.entries()), rows as f64);
        rows > self.shard.nodes() as usize / MOST || wants_all && is_cheaper()
    }

    /// What is searched for.
    pub(super) fn query(&self) -> Rc<Query> {
        self.query.clone()
    }

    /// The effort of the first search of the graph. None if that is not the way to begin: then all codes have been compared.
    pub(super) fn first_effort(&mut self) -> Option<usize> {
        let SearchSettings { mode, ef, recall } = self.settings;
        let first_batch = if self.restriction.is_some() {
            RESTRICTED_BATCH
        } else {
            FIRST_BATCH
        };
        let Some(wanted) = self.wanted else {
            self.scan_all(first_batch, u32::MAX);
            return None;
        };
        let least = least_effort(ef, wanted);
        let is_easy = || {
            let bytes = self.query.code().len();
            ef.is_some() || self.shard.calibration().favours_graph(bytes, recall)
        };
        if mode == SearchMode::Auto && (self.prefers_flat(least) || !is_easy()) {
            self.scan_all(first_batch.max(wanted), u32::MAX);
            return None;
        }
        Some(least)
    }

    /// A search of the graph, to begin or to go on with. The batch becomes what it finds, nearest first.
    pub(super) fn graph_part(&mut self, effort: usize) -> Part<'_, Mmap> {
        self.has_used_graph = true;
        self.way = Way::Graph(effort);
        Part {
            search: &mut self.buffers.graph,
            shard: &self.shard,
            effort,
            found: &mut self.buffers.batch,
        }
    }

    /// Keys of the candidates not yet returned.
    pub(super) fn keys(&self) -> impl Iterator<Item = u32> {
        self.buffers.batch.iter().map(|candidate| candidate.key)
    }

    /// After the first search of the graph for `wanted` rows: the effort of a wider one that the calibration wants, or None if
    /// the batch is to stay as it is then. `last` is the key of the last row wanted, as far as the searches of all shards know.
    pub(super) fn wider_effort(&mut self, wanted: usize, last: Option<u32>) -> Option<usize> {
        let Way::Graph(effort) = self.way else { return None };
        let SearchSettings { mode, ef, recall } = self.settings;
        if self.leaves_bound(wanted) {
            self.buffers.batch.clear();
            self.scan_all(RESTRICTED_BATCH, u32::MAX);
            return None;
        }
        if ef.is_some() {
            return None;
        }
        let calibration = self.shard.calibration();
        let effort_at = |key: u32| calibration.effort(self.query.code().len(), key, recall);
        // By what this shard has found: it may be that only here the search was led astray.
        let batch = &self.buffers.batch;
        let middle = batch
            .get(middle_rank(wanted) - 1)
            .or(batch.last())
            .map_or(0, |row| row.key);
        // Of this shard only rows nearer than the last one are wanted. Where the graph serves those well, all that may be wrong
        // is that the first search missed them, and more effort makes up for that. It takes no exact answer, unless that is cheaper.
        let up_to_last = last.filter(|&last| last < middle).and_then(effort_at);
        let at_least = up_to_last.map(|effort| effort.max(UNCALIBRATED_EFFORT));
        let efforts = [effort_at(middle), at_least.filter(|&effort| !self.prefers_flat(effort))];
        match efforts.into_iter().flatten().min() {
            Some(wider) => Some(wider).filter(|&wider| wider > effort),
            None if mode == SearchMode::Graph => Some(UNCALIBRATED_EFFORT.max(effort)),
            None => {
                self.scan_near(last);
                None
            }
        }
    }

    /// Whether fewer rows meet the conditions than are wanted, as far as the graph knows: then all of them are.
    fn leaves_bound(&self, wanted: usize) -> bool {
        let last = wanted.checked_sub(1).and_then(|at| self.buffers.batch.get(at));
        self.restriction.is_some() && last.is_none_or(|last| last.key >= self.bound())
    }

    /// A search of some effort finds nearly all of the nearest, but misses more and more towards its rim. So only the
    /// nearer half of what is known is returned.
    pub(super) fn settle_graph(&mut self) {
        if let Way::Graph(_) = self.way {
            self.buffers.batch.reverse();
            self.settled = self.buffers.batch.len().div_ceil(2);
        }
    }

    /// Misses none of the nearest. The graphs have found some: what is nearer than the farthest wanted of these is looked up by
    /// pieces of the codes, if that is cheaper than to compare all.
    fn scan_near(&mut self, last_wanted: Option<u32>) {
        let beyond = |key: Option<u32>| key.map_or(u32::MAX, |key| key.saturating_add(1));
        let below = beyond(last_wanted);
        // That many nodes are as near as the farthest of all found.
        let batch = &self.buffers.batch;
        let (rows, hint) = (batch.len().max(1), beyond(batch.last().map(|farthest| farthest.key)));
        self.buffers.batch.clear();
        if self.bound() > below && self.looks_up(below) {
            self.way = Way::Near { rows, below };
            self.settle_all();
        } else {
            self.scan_all(rows, hint);
        }
    }

    /// Searches so that nothing is missed: by pieces of the codes where there is a radius and that is cheaper, else by
    /// comparing all.
    fn scan_all(&mut self, limit: usize, hint: u32) {
        let bound = self.bound();
        let is_first = !self.way.is_flat();
        if is_first && self.looks_up(bound) {
            self.way = Way::Within;
        } else {
            let Buffers { flat, batch, .. } = &mut self.buffers;
            if is_first {
                flat.start(bound);
            }
            flat.next(&*self.shard, &*self.query, limit, hint, batch);
            self.way = Way::Flat(limit * GROWTH);
        }
        self.settle_all();
    }

    /// What is farther than this key does not meet the conditions.
    fn bound(&self) -> u32 {
        let bound = self.restriction.as_ref().map(Restriction::bound);
        bound.map_or(u32::MAX, key_of_code)
    }

    /// Fills the batch with all nodes below a key by pieces of their codes; false where comparing all costs no more.
    fn looks_up(&mut self, below: u32) -> bool {
        let Buffers { within, batch, .. } = &mut self.buffers;
        self.settings.mode != SearchMode::Exact && within.find(&*self.shard, &self.query, below, batch)
    }

    fn settle_all(&mut self) {
        self.buffers.batch.reverse();
        self.settled = self.buffers.batch.len();
    }

    fn prefers_flat(&self, effort: usize) -> bool {
        let width = Width::Code(self.query.code().len());
        cost::prefers_flat(f64::from(self.shard.nodes()), width, effort as f64)
    }

    /// Notes that an entry was returned, the first time.
    pub fn count(&mut self) {
        self.done += 1;
    }

    /// Whether no entry alive can be left: all were returned or found dead, or all that meet the conditions were compared,
    /// in a file whose codes were checked.
    pub fn is_complete(&self) -> bool {
        match self.way {
            Way::Within => true,
            Way::Flat(_) if self.restriction.is_some() => self.buffers.flat.is_complete(),
            Way::Flat(_) => self.done == u64::from(self.shard.entries()),
            Way::Undecided | Way::Graph(_) | Way::Near { .. } => false,
        }
    }

    /// Takes the entry whose key [`ShardStream::head`] gave and looks it up in the log: its own distance counts, not
    /// the shard's.
    pub fn take(&mut self, index: Index<'_>) -> Result<Taken, Mismatch> {
        let Some((block, slot)) = self.ordinals.pop().and_then(|ordinal| locate(&self.ranges, ordinal)) else {
            return Ok(Taken::Damaged(None));
        };
        let Some(segment) = self.segments.iter().find(|s| s.blocks().contains(&block)) else {
            return Ok(Taken::Damaged(None));
        };
        let slot = usize::from(slot);
        let taken = log::with_page(index, segment, block, |page| {
            let Some(code) = page.code(slot) else {
                return Taken::Damaged(None);
            };
            let Some(tid) = page.tid(slot).filter(is_alive) else {
                return Taken::Unwanted;
            };
            let found = Found {
                key: u64::from(self.query.key(code)),
                position: position(block, slot),
                tid,
            };
            let is_wanted = self.restriction.as_ref().is_none_or(|r| r.admits(found.key, code));
            match (found.key == u64::from(self.key), is_wanted) {
                (true, true) => Taken::Alive(found),
                (true, false) => Taken::Unwanted,
                (false, _) => Taken::Damaged(is_wanted.then_some(found)),
            }
        })?;
        // What the graph gave, too, comes again in a scan of all codes.
        if matches!((&taken, self.way), (Taken::Unwanted, Way::Flat(_))) {
            self.done += 1;
        }
        Ok(taken)
    }

    /// What the search so far has visited.
    pub fn counters(&self) -> Counters {
        let graph = if self.has_used_graph {
            self.buffers.graph.visited()
        } else {
            0
        };
        let exact = match self.way {
            Way::Flat(_) => self.buffers.flat.visited(),
            Way::Within | Way::Near { .. } => self.buffers.within.visited(),
            Way::Undecided | Way::Graph(_) => 0,
        };
        let is_exact = self.way.is_exact();
        Counters {
            graph_shards: u64::from(self.has_used_graph && !is_exact),
            exact_shards: u64::from(is_exact),
            nodes: (graph + exact) as u64,
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
