//! Index scans. Ordered ones are streams of shards and tail, merged by distance.
//!
//! A scan returns every row once, the nearest first and NULL codes last. It resumes for as long as
//! the executor asks: first what the graphs find, then the rest of each shard by exact scan.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use iscc_hnsw::directory::Segment;
use iscc_hnsw::distance::{Metric, Query};
use iscc_hnsw::log_page::Tid;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::conditions::{Conditions, Restriction};
use super::counters::Counters;
use super::exact::{ExactStream, Found, LogWalk, Want};
use super::options::IndexOptions;
use super::returned::Returned;
use super::shard::{Buffers, ShardStream, Taken};
use crate::compat::{self, locator};
use crate::error::report;
use crate::guc::{self, SearchMode};
use crate::maintenance::worker;
use crate::storage::directory::{self, Directory, NO_SHARD};
use crate::storage::log::{Mismatch, item_pointer};
use crate::storage::shard_cache::{self, Lookup};
use crate::types::bitvec::varlena_bytes;

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
struct Scan {
    /// Looked up once.
    metric: Option<Metric>,
    started: bool,
    query: Option<Query>,
    mode: SearchMode,
    /// The mode whatever the setting says.
    fixed_mode: Option<SearchMode>,
    /// What rows have to meet besides.
    restriction: Option<Restriction>,
    /// Nothing meets the conditions.
    is_empty: bool,
    streams: Vec<Stream>,
    /// Entries that a damaged shard gave too early, waiting for their distance's turn.
    early: BinaryHeap<Reverse<Found>>,
    /// All rows returned or waiting in `early`: they are not to come again from another stream.
    returned: Returned,
    /// Entries in no order: NULLs at the end, or all when there is nothing to order by.
    unordered: Option<LogWalk>,
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
    /// Prepares for a new query, keeping the buffers.
    fn reset(&mut self, query: Option<Query>) {
        self.close_streams();
        self.returned.clear();
        *self = Scan {
            metric: self.metric,
            fixed_mode: self.fixed_mode,
            query,
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
    fn restrict(&mut self, conditions: Conditions) {
        let smallest = conditions.smallest().filter(|_| !conditions.is_impossible());
        match (smallest.map(|ball| ball.query().clone()), &self.query) {
            (None, _) => self.is_empty = true,
            (Some(_), Some(query)) => self.restriction = Some(conditions.ordered_by(query)),
            (Some(query), None) => {
                self.restriction = Some(conditions.ordered_by(&query));
                self.query = Some(query);
            }
        }
    }

    /// Does what comes before the first row of a query.
    ///
    /// # Safety
    /// `scan` is the executor's, with this state.
    unsafe fn start(&mut self, scan: pg_sys::IndexScanDesc) {
        if self.started {
            return;
        }
        // SAFETY: as the caller says.
        let (index, snapshot) = unsafe { ((*scan).indexRelation, (*scan).xs_snapshot) };
        require_mvcc(snapshot);
        compat::count_search(scan);
        if !self.is_empty {
            self.open(index);
        }
        self.started = true;
    }

    /// Copies the directory and opens the streams: at the start, and again when blocks of the copy have been used
    /// again. What was returned before is left out then.
    fn open(&mut self, index: pg_sys::Relation) {
        self.close_streams();
        let mut directory = directory::read(index);
        if self.query.is_some() {
            self.mode = self.fixed_mode.unwrap_or_else(guc::search_mode);
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
    fn open_streams(&mut self, index: pg_sys::Relation, directory: &Directory) -> bool {
        shard_cache::retain(locator(index), |id| directory.complete().any(|s| s.shard_id == *id));
        let mut exact: Vec<Segment> = directory.header.open_segment().copied().into_iter().collect();
        for (id, segments) in directory.shards() {
            let sealed = segments.iter().all(Segment::is_sealed);
            if sealed && id == NO_SHARD {
                continue;
            }
            if !sealed || self.mode == SearchMode::Exact {
                exact.extend(segments);
                continue;
            }
            match shard_cache::get(index, &id, &segments) {
                // With conditions none that meets them is to be missed: the codes of the file must be right.
                Lookup::Found(shard) if self.restriction.is_none() || shard_cache::has_sound_codes(index, &shard) => {
                    let buffers = self.spare.pop().unwrap_or_default();
                    let stream = ShardStream::new(shard, segments, buffers, self.restriction.clone());
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

    /// The next row's TID.
    fn next(&mut self, index: pg_sys::Relation) -> Option<Tid> {
        if self.is_empty {
            return None;
        }
        self.with_fresh_directory(index, |scan| scan.advance(index))
    }

    /// Takes a step, again with a fresh directory when blocks have been used again meanwhile.
    fn with_fresh_directory<T>(
        &mut self,
        index: pg_sys::Relation,
        step: impl Fn(&mut Self) -> Result<T, Mismatch>,
    ) -> T {
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

    fn advance(&mut self, index: pg_sys::Relation) -> Result<Option<Tid>, Mismatch> {
        if let Some(found) = self.advance_nearest(index)? {
            return Ok(Some(found.tid));
        }
        let Some(walk) = &mut self.unordered else {
            return Ok(None);
        };
        while let Some(tid) = walk.next(index)? {
            if self.returned.insert(&tid) {
                return Ok(Some(tid));
            }
        }
        Ok(None)
    }

    /// The next entry that has a distance.
    fn advance_nearest(&mut self, index: pg_sys::Relation) -> Result<Option<Found>, Mismatch> {
        let Some(query) = self.query.take() else {
            return Ok(None);
        };
        let found = self.next_nearest(index, &query);
        self.query = Some(query);
        found
    }

    fn next_nearest(&mut self, index: pg_sys::Relation, query: &Query) -> Result<Option<Found>, Mismatch> {
        while let Some((nearest, key)) = self.nearest(index, query)? {
            let taken = match nearest {
                Nearest::Early => return Ok(self.early.pop().map(|Reverse(found)| found)),
                Nearest::Stream(at) => match &mut self.streams[at] {
                    Stream::Exact(exact) => exact.take(),
                    Stream::Shard(shard) => match shard.take(index, query)? {
                        Taken::Alive(found) => Some(found),
                        Taken::Unwanted => None,
                        Taken::Damaged(found) => {
                            shard_cache::condemn(locator(index), &shard.shard_id(), "it contradicts the log");
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
    fn nearest(&mut self, index: pg_sys::Relation, query: &Query) -> Result<Option<(Nearest, u32)>, Mismatch> {
        let early = self.early.peek().map(|Reverse(found)| (Nearest::Early, found.key));
        let mut best = early;
        for at in 0..self.streams.len() {
            let head = match &mut self.streams[at] {
                Stream::Shard(shard) => shard.head(query, self.mode),
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

    fn exact_head(&mut self, index: pg_sys::Relation, query: &Query, at: usize) -> Result<Option<u32>, Mismatch> {
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
        self.counters += shard.counters();
        let (segments, buffers) = shard.finish();
        self.spare.push(buffers);
        if !is_complete {
            self.streams[at] = Stream::Exact(ExactStream::new(
                segments,
                expected,
                self.restriction.clone().unwrap_or_default(),
            ));
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
    pub fn nearest(&mut self, index: pg_sys::Relation, query: &Query, count: usize, keys: &mut Vec<u32>) {
        keys.clear();
        self.0.reset(Some(query.clone()));
        self.0.open(index);
        while keys.len() < count
            && let Some(found) = self.0.with_fresh_directory(index, |scan| scan.advance_nearest(index))
        {
            keys.push(found.key);
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

/// Sets query and conditions of a scan, the first or other ones.
#[pg_guard]
pub unsafe extern "C-unwind" fn amrescan(
    scan: pg_sys::IndexScanDesc,
    keys: pg_sys::ScanKey,
    nkeys: i32,
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
        if nkeys > 0 && !keys.is_null() {
            (*scan).keyData.copy_from(keys, nkeys as usize);
            state.restrict(Conditions::of(std::slice::from_raw_parts(keys, nkeys as usize)));
        }
    }
}

/// The next row, in order of distance if there is an order.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgettuple(
    scan: pg_sys::IndexScanDesc,
    _direction: pg_sys::ScanDirection::Type,
) -> bool {
    // SAFETY: the executor's arguments.
    unsafe {
        let state = &mut *(*scan).opaque.cast::<Scan>();
        state.start(scan);
        match state.next((*scan).indexRelation) {
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

/// TIDs that are added to a bitmap at once.
const BITMAP_BATCH: usize = 512;

/// All rows, as a bitmap; their number.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgetbitmap(scan: pg_sys::IndexScanDesc, bitmap: *mut pg_sys::TIDBitmap) -> i64 {
    // SAFETY: the executor's arguments; the bitmap copies the TIDs.
    unsafe {
        let state = &mut *(*scan).opaque.cast::<Scan>();
        state.start(scan);
        let mut rows = 0;
        let mut tids = Vec::with_capacity(BITMAP_BATCH);
        loop {
            let next = state.next((*scan).indexRelation);
            tids.extend(next.map(|tid| item_pointer(&tid)));
            if tids.len() == BITMAP_BATCH || next.is_none() {
                pg_sys::tbm_add_tuples(bitmap, tids.as_mut_ptr(), tids.len() as i32, false);
                rows += tids.len() as i64;
                tids.clear();
            }
            if next.is_none() {
                return rows;
            }
        }
    }
}

/// What a scan has counted since it began.
///
/// # Safety
/// `scan` is a scan of one of our indexes that has not ended.
pub unsafe fn counters(scan: pg_sys::IndexScanDesc) -> Counters {
    // SAFETY: as the caller says.
    let state = unsafe { &*(*scan).opaque.cast::<Scan>() };
    let mut sum = state.counters;
    state.streams.iter().for_each(|stream| sum += stream.counters());
    sum
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
