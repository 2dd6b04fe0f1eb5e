//! Ordered index scans: streams of shards and tail, merged by distance.
//!
//! A scan returns every row once, the nearest first and NULL codes last. It resumes for as long as
//! the executor asks: first what the graphs find, then the rest of each shard by exact scan.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use iscc_hnsw::cost;
use iscc_hnsw::directory::Segment;
use iscc_hnsw::distance::{Metric, Query};
use iscc_hnsw::log_page::Tid;
use iscc_hnsw::search::GraphSearch;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::exact::{ExactStream, Found, LogWalk, Position, Want};
use super::graph::{GraphStream, Taken};
use super::options::IndexOptions;
use crate::compat::{self, locator};
use crate::error::report;
use crate::guc::{self, SearchMode};
use crate::seal::{NO_SHARD, shards};
use crate::storage::directory;
use crate::storage::log::item_pointer;
use crate::storage::shard_cache;
use crate::types::bitvec::varlena_bytes;

/// A source of entries, nearest first.
enum Stream {
    Graph(Box<GraphStream>),
    Exact(ExactStream),
}

/// State of a scan between calls.
#[derive(Default)]
struct Scan {
    /// Looked up once.
    metric: Option<Metric>,
    started: bool,
    query: Option<Query>,
    mode: Option<SearchMode>,
    streams: Vec<Stream>,
    /// Entries that a damaged shard gave too early, waiting for their distance's turn.
    early: BinaryHeap<Reverse<Found>>,
    /// What graphs have returned; an exact scan of the rest leaves it out.
    returned: HashSet<Position>,
    /// Entries in no order: NULLs at the end, or all when there is nothing to order by.
    unordered: Option<LogWalk>,
    /// Buffers for the next search.
    spare: Vec<GraphSearch>,
}

/// Where the nearest entry is.
#[derive(Clone, Copy)]
enum Nearest {
    Early,
    Stream(usize),
}

impl Scan {
    /// Prepares for a new query, keeping the buffers.
    fn reset(&mut self, query: Option<Query>) {
        let mut spare = std::mem::take(&mut self.spare);
        for stream in self.streams.drain(..) {
            if let Stream::Graph(graph) = stream {
                spare.push(graph.finish().1);
            }
        }
        self.returned.clear();
        self.early.clear();
        let returned = std::mem::take(&mut self.returned);
        *self = Scan {
            metric: self.metric,
            query,
            spare,
            returned,
            ..Scan::default()
        };
    }

    /// Copies the directory and opens the streams.
    fn start(&mut self, index: pg_sys::Relation) {
        let directory = directory::read(index);
        let all: Vec<Segment> = directory.segments().copied().collect();
        if self.query.is_none() {
            self.unordered = Some(LogWalk::new(all, Want::All));
            return;
        }
        let mode = guc::search_mode();
        let effort = guc::ef_search();
        let at = locator(index);
        shard_cache::retain(at, |id| all.iter().any(|s| s.shard_id == *id));
        let mut exact: Vec<Segment> = directory.header.open_segment().copied().into_iter().collect();
        for (id, segments) in shards(&directory) {
            let sealed = segments.iter().all(directory::is_sealed);
            if sealed && id == NO_SHARD {
                continue;
            }
            let shard = (sealed && wants_graph(mode, &segments, effort))
                .then(|| shard_cache::get(at, &id, &segments))
                .flatten();
            match shard {
                None => exact.extend(segments),
                Some(shard) => {
                    let search = self.spare.pop().unwrap_or_default();
                    let graph = GraphStream::new(shard, segments, search, effort);
                    self.streams.push(Stream::Graph(Box::new(graph)));
                }
            }
        }
        if !exact.is_empty() {
            self.streams.push(Stream::Exact(ExactStream::new(exact, 0)));
        }
        self.mode = Some(mode);
        self.unordered = Some(LogWalk::new(all, Want::Nulls));
    }

    /// The next row's TID.
    fn next(&mut self, index: pg_sys::Relation) -> Option<Tid> {
        if let Some(query) = self.query.take() {
            let found = self.next_nearest(index, &query);
            self.query = Some(query);
            if let Some(found) = found {
                return Some(found.tid);
            }
        }
        self.unordered.as_mut()?.next(index)
    }

    fn next_nearest(&mut self, index: pg_sys::Relation, query: &Query) -> Option<Found> {
        loop {
            let (nearest, key) = self.nearest(index, query)?;
            let taken = match nearest {
                Nearest::Early => return self.early.pop().map(|Reverse(found)| found),
                Nearest::Stream(at) => match &mut self.streams[at] {
                    Stream::Exact(exact) => return exact.take(),
                    Stream::Graph(graph) => match graph.take(index, query) {
                        Taken::Alive(found) => Some(found),
                        Taken::Dead => None,
                        Taken::Damaged(found) => {
                            shard_cache::condemn(locator(index), &graph.shard_id());
                            self.end_graph(at);
                            found
                        }
                    },
                },
            };
            // A position comes twice only from a damaged shard.
            let Some(found) = taken.filter(|f| self.returned.insert(f.position)) else {
                continue;
            };
            if found.key <= key {
                return Some(found);
            }
            self.early.push(Reverse(found));
        }
    }

    /// The source with the smallest key. A graph that has given all it can becomes an exact scan of
    /// what it left.
    fn nearest(&mut self, index: pg_sys::Relation, query: &Query) -> Option<(Nearest, u32)> {
        let mode = self.mode.unwrap_or(SearchMode::Auto);
        let early = self.early.peek().map(|Reverse(found)| (Nearest::Early, found.key));
        let mut best = early;
        for at in 0..self.streams.len() {
            let head = match &mut self.streams[at] {
                Stream::Graph(graph) => graph.head(query, mode),
                Stream::Exact(_) => None,
            };
            let head = head.or_else(|| self.exact_head(index, query, at));
            if let Some(key) = head
                && best.is_none_or(|(_, least)| key < least)
            {
                best = Some((Nearest::Stream(at), key));
            }
        }
        best
    }

    fn exact_head(&mut self, index: pg_sys::Relation, query: &Query, at: usize) -> Option<u32> {
        self.end_graph(at);
        match &mut self.streams[at] {
            Stream::Exact(exact) => exact.head(index, query, &self.returned),
            Stream::Graph(_) => None,
        }
    }

    /// Replaces a graph stream by an exact scan of what it has not returned.
    fn end_graph(&mut self, at: usize) {
        // More than the graph gave are wanted: probably some more than that.
        let expected = self.returned.len() * 2;
        let stream = &mut self.streams[at];
        if matches!(stream, Stream::Graph(_))
            && let Stream::Graph(graph) = std::mem::replace(stream, Stream::Exact(ExactStream::new(Vec::new(), 0)))
        {
            let (segments, search) = graph.finish();
            self.spare.push(search);
            *stream = Stream::Exact(ExactStream::new(segments, expected));
        }
    }
}

fn wants_graph(mode: SearchMode, segments: &[Segment], effort: usize) -> bool {
    match mode {
        SearchMode::Exact => false,
        SearchMode::Graph => true,
        SearchMode::Auto => {
            let sum = |count: fn(&Segment) -> u32| segments.iter().map(count).map(f64::from).sum();
            let (entries, nodes): (f64, f64) = (sum(|s| s.entries.get()), sum(|s| s.nodes.get()));
            !cost::prefers_exact(entries, nodes, effort as f64)
        }
    }
}

/// Starts a scan.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambeginscan(
    index: pg_sys::Relation,
    nkeys: i32,
    norderbys: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the executor's arguments; the state is dropped with the executor's memory context,
    // also when an error skips amendscan.
    unsafe {
        let scan = pg_sys::RelationGetIndexScan(index, nkeys, norderbys);
        let state = PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(Scan::default());
        (*scan).opaque = state.cast();
        scan
    }
}

/// Sets the query of a scan, the first or another one.
#[pg_guard]
pub unsafe extern "C-unwind" fn amrescan(
    scan: pg_sys::IndexScanDesc,
    _keys: pg_sys::ScanKey,
    _nkeys: i32,
    orderbys: pg_sys::ScanKey,
    norderbys: i32,
) {
    // SAFETY: the executor's arguments; an ordering key's argument is a bitvec, as the operator
    // class says.
    unsafe {
        let state = &mut *(*scan).opaque.cast::<Scan>();
        let query = if norderbys > 0 && !orderbys.is_null() {
            let order = &*orderbys;
            (*(*scan).orderByData) = *order;
            let is_null = order.sk_flags & pg_sys::SK_ISNULL as i32 != 0;
            let metric = *state
                .metric
                .get_or_insert_with(|| IndexOptions::of((*scan).indexRelation).metric);
            (!is_null).then(|| Query::new(metric, varlena_bytes(order.sk_argument)))
        } else {
            None
        };
        state.reset(query);
    }
}

/// The next row in order of distance.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgettuple(
    scan: pg_sys::IndexScanDesc,
    _direction: pg_sys::ScanDirection::Type,
) -> bool {
    // SAFETY: the executor's arguments.
    unsafe {
        let state = &mut *(*scan).opaque.cast::<Scan>();
        let index = (*scan).indexRelation;
        if !state.started {
            require_mvcc((*scan).xs_snapshot);
            compat::count_search(scan);
            state.start(index);
            state.started = true;
        }
        match state.next(index) {
            None => false,
            Some(tid) => {
                (*scan).xs_heaptid = item_pointer(&tid);
                (*scan).xs_recheck = false;
                (*scan).xs_recheckorderby = false;
                true
            }
        }
    }
}

/// No pin protects a TID between reading it here and fetching the row, so VACUUM may have given it
/// to another row: only an MVCC snapshot cannot see that one.
fn require_mvcc(snapshot: pg_sys::Snapshot) {
    use pg_sys::SnapshotType::{SNAPSHOT_HISTORIC_MVCC, SNAPSHOT_MVCC};
    // SAFETY: the executor sets the snapshot before it asks for rows.
    let kind = unsafe { (*snapshot).snapshot_type };
    if kind != SNAPSHOT_MVCC && kind != SNAPSHOT_HISTORIC_MVCC {
        report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "usearch index scans need an MVCC snapshot",
        )
        .raise();
    }
}

/// Ends a scan: lets go of mapped shards and buffers.
#[pg_guard]
pub unsafe extern "C-unwind" fn amendscan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: the state lives until the memory context ends; this empties it.
    unsafe { *(*scan).opaque.cast::<Scan>() = Scan::default() };
}
