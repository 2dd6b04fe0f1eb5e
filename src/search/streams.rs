//! The sources of a scan's rows, merged by distance: a stream for each shard, one for the log of all other segments.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use iscc_log::directory::Segment;

use super::begin::begin_together;
use super::conditions::Restriction;
use super::counters::Counters;
use super::log_stream::{ExactStream, Found};
use super::plan::Ordered;
use super::query::Query;
use super::returned::Returned;
use super::shard_stream::{Buffers, Head, ShardStream, Taken};
use super::vector_stream::VectorStream;
use crate::guc::{SearchMode, SearchSettings};
use crate::maintenance::worker;
use crate::relation::Index;
use crate::storage::directory::{self, Directory, NO_SHARD};
use crate::storage::log::Mismatch;
use crate::storage::open_segment::require_length;
use crate::storage::shard_cache::{self, Lookup, MappedShard};
use crate::storage::shard_file::ShardId;

/// A source of entries, nearest first.
enum Stream {
    Shard(Box<ShardStream>),
    Vectors(Box<VectorStream>),
    Exact(ExactStream),
}

impl Stream {
    fn as_shard(&mut self) -> Option<&mut ShardStream> {
        match self {
            Stream::Shard(shard) => Some(shard),
            Stream::Vectors(_) | Stream::Exact(_) => None,
        }
    }

    fn counters(&self) -> Counters {
        match self {
            Stream::Shard(shard) => shard.counters(),
            Stream::Vectors(vectors) => vectors.counters(),
            Stream::Exact(exact) => exact.counters(),
        }
    }
}

/// Never uses a shard again that has contradicted the log.
fn condemn(index: Index<'_>, id: &ShardId) {
    shard_cache::condemn(index.locator(), id, "it contradicts the log");
}

/// Where the nearest entry is.
#[derive(Clone, Copy)]
enum Source {
    Early,
    Stream(usize),
}

/// The streams of a scan, and what they leave behind for the next query.
#[derive(Default)]
pub struct Streams {
    streams: Vec<Stream>,
    /// Entries that a damaged shard gave too early, waiting for their distance's turn.
    early: BinaryHeap<Reverse<Found>>,
    /// Buffers for the next search.
    spare: Vec<Buffers>,
    /// Of the streams that are closed.
    counters: Counters,
}

impl Streams {
    /// What was counted since the scan was made.
    pub fn counters(&self) -> Counters {
        let mut sum = self.counters;
        self.streams.iter().for_each(|stream| sum += stream.counters());
        sum
    }

    /// Forgets the query, keeping the buffers.
    pub fn reset(&mut self) {
        self.close();
        self.early.clear();
    }

    fn close(&mut self) {
        for stream in self.streams.drain(..) {
            self.counters += stream.counters();
            match stream {
                Stream::Shard(shard) => self.spare.push(shard.finish().1),
                Stream::Vectors(vectors) => self.spare.push(vectors.finish().1),
                Stream::Exact(_) => {}
            }
        }
    }

    /// Opens the streams anew from a fresh copy of the directory, which is returned. Of the rows some may have been
    /// returned before.
    pub fn open(&mut self, index: Index<'_>, plan: &Ordered, settings: SearchSettings, returned: usize) -> Directory {
        loop {
            self.close();
            let directory = directory::read(index);
            if let Query::Vector(query) = &plan.query
                && !query.is_opaque()
            {
                let others = plan.restriction.iter().flat_map(Restriction::vector_lengths);
                for bytes in others.chain([query.value().len()]) {
                    require_length(index, &directory, bytes);
                }
            }
            if self.try_open(index, &directory, plan, settings, returned) {
                return directory;
            }
        }
    }

    /// False when the directory has changed meanwhile.
    fn try_open(
        &mut self,
        index: Index<'_>,
        directory: &Directory,
        plan: &Ordered,
        settings: SearchSettings,
        returned: usize,
    ) -> bool {
        shard_cache::retain(index.locator(), |id| directory.complete().any(|s| s.shard_id == *id));
        let rows = plan.approximate_rows();
        let mut exact: Vec<Segment> = directory.header.open.into_iter().collect();
        for (id, segments) in directory.shards() {
            let sealed = segments.iter().all(Segment::is_sealed);
            if sealed && id == NO_SHARD {
                continue;
            }
            if !sealed || settings.mode == SearchMode::Exact {
                exact.extend(segments);
                continue;
            }
            // Rows of vectors only tell what is near: where no row may be missed, the log is read.
            if matches!((&plan.query, rows), (Query::Vector(_), None)) {
                exact.extend(segments);
                continue;
            }
            match shard_cache::get(index, &id, &segments) {
                // Nobody can compare its values, so far as was known when it was built.
                Lookup::Found(shard) if shard.is_refused() => exact.extend(segments),
                // Where no row may be missed, the codes of the file must be right.
                Lookup::Found(shard) if rows.is_some() || shard_cache::has_sound_codes(index, &shard) => {
                    let stream = self.stream_of(shard, segments, plan, rows, settings);
                    self.streams.push(stream);
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
            let restriction = plan.restriction.clone().unwrap_or_default();
            let stream = ExactStream::new(plan.query.clone(), exact, returned, restriction);
            self.streams.push(Stream::Exact(stream));
        }
        let wanted = rows.unwrap_or_default();
        let mut shards: Vec<_> = self.streams.iter_mut().filter_map(Stream::as_shard).collect();
        begin_together(&mut shards, wanted);
        shards.iter().for_each(|shard| shard.read_ahead(index, wanted));
        true
    }

    /// The stream of a shard. Of `rows` rows an approximate search is to find some.
    fn stream_of(
        &mut self,
        shard: Rc<MappedShard>,
        segments: Vec<Segment>,
        plan: &Ordered,
        rows: Option<usize>,
        settings: SearchSettings,
    ) -> Stream {
        let buffers = self.spare.pop().unwrap_or_default();
        match plan.query.clone() {
            Query::Code(query) => {
                let restriction = plan.restriction.clone();
                let stream = ShardStream::new(query, shard, segments, buffers, restriction, rows, settings);
                Stream::Shard(Box::new(stream))
            }
            Query::Vector(query) => {
                let rows = rows.unwrap_or_default();
                let restriction = plan.restriction.clone();
                let stream = VectorStream::new(query, shard, segments, buffers, rows, restriction, settings);
                Stream::Vectors(Box::new(stream))
            }
        }
    }

    /// The nearest entry of all streams that was not returned before; it is then.
    pub fn next(
        &mut self,
        index: Index<'_>,
        plan: &Ordered,
        returned: &mut Returned,
    ) -> Result<Option<Found>, Mismatch> {
        while let Some((source, key)) = self.nearest(index, plan, returned)? {
            let taken = match source {
                Source::Early => return Ok(self.early.pop().map(|Reverse(found)| found)),
                Source::Stream(at) => self.take(index, plan, returned, at)?,
            };
            // A row comes twice from a damaged shard, and when the streams were opened again.
            let Some(found) = taken.filter(|f| returned.insert(&f.tid)) else {
                continue;
            };
            if found.key <= key {
                if let Source::Stream(at) = source
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

    /// Takes the first entry of a stream; None when it is dead or does not meet the conditions.
    fn take(
        &mut self,
        index: Index<'_>,
        plan: &Ordered,
        returned: &Returned,
        at: usize,
    ) -> Result<Option<Found>, Mismatch> {
        let shard = match &mut self.streams[at] {
            Stream::Exact(exact) => return Ok(exact.take()),
            Stream::Vectors(vectors) => return Ok(vectors.take()),
            Stream::Shard(shard) => shard,
        };
        Ok(match shard.take(index)? {
            Taken::Alive(found) => Some(found),
            Taken::Unwanted => None,
            Taken::Damaged(found) => {
                condemn(index, &shard.shard_id());
                self.end_shard(at, false, plan, returned);
                found
            }
        })
    }

    /// The source with the smallest key, and that key.
    fn nearest(
        &mut self,
        index: Index<'_>,
        plan: &Ordered,
        returned: &Returned,
    ) -> Result<Option<(Source, u64)>, Mismatch> {
        loop {
            let early = self.early.peek().map(|Reverse(found)| found.key);
            let mut best = early.map(|key| (Source::Early, Head::Entry(key)));
            for at in 0..self.streams.len() {
                if let Some(head) = self.head(index, plan, returned, at)?
                    && best.is_none_or(|(_, least)| head.rank() < least.rank())
                {
                    best = Some((Source::Stream(at), head));
                }
            }
            match best {
                // Only when nothing nearer is known does a shard have to be searched on.
                Some((Source::Stream(at), Head::Beyond(_))) => {
                    if let Some(shard) = self.streams[at].as_shard() {
                        shard.search_on();
                    }
                }
                Some((source, Head::Entry(key))) => return Ok(Some((source, key))),
                None | Some((Source::Early, Head::Beyond(_))) => return Ok(None),
            }
        }
    }

    /// What a stream has next. A shard that has given all it can becomes an exact scan of what it left.
    fn head(
        &mut self,
        index: Index<'_>,
        plan: &Ordered,
        returned: &Returned,
        at: usize,
    ) -> Result<Option<Head>, Mismatch> {
        let (head, is_complete) = match &mut self.streams[at] {
            Stream::Exact(exact) => return Ok(exact.head(index, returned)?.map(Head::Entry)),
            Stream::Shard(shard) => (shard.head(), shard.is_complete()),
            Stream::Vectors(vectors) => (vectors.head(index)?.map(Head::Entry), false),
        };
        if head.is_some() {
            return Ok(head);
        }
        if let Stream::Vectors(vectors) = &self.streams[at]
            && vectors.is_damaged()
        {
            condemn(index, &vectors.shard_id());
        }
        self.end_shard(at, is_complete, plan, returned);
        match &mut self.streams[at] {
            Stream::Exact(exact) => Ok(exact.head(index, returned)?.map(Head::Entry)),
            Stream::Shard(_) | Stream::Vectors(_) => Ok(None),
        }
    }

    /// Replaces a shard by an exact scan of what it has not returned: nothing, if it is complete.
    fn end_shard(&mut self, at: usize, is_complete: bool, plan: &Ordered, returned: &Returned) {
        let nothing = ExactStream::new(plan.query.clone(), Vec::new(), 0, Restriction::default());
        let shard = std::mem::replace(&mut self.streams[at], Stream::Exact(nothing));
        let counters = shard.counters();
        let (segments, buffers) = match shard {
            Stream::Shard(shard) => shard.finish(),
            Stream::Vectors(vectors) => vectors.finish(),
            Stream::Exact(_) => return,
        };
        self.spare.push(buffers);
        if is_complete {
            self.counters += counters;
        } else {
            // More than the shard gave are wanted: probably some more than that.
            let expected = returned.len() * 2;
            let restriction = plan.restriction.clone().unwrap_or_default();
            // The scan that follows counts the shard.
            self.counters.nodes += counters.nodes;
            self.streams[at] = Stream::Exact(ExactStream::new(plan.query.clone(), segments, expected, restriction));
        }
    }
}
