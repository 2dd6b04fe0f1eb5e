//! Search over all rows of a shard, nearest first, resumable. Of codes it is exact; of rows derived from vectors, as exact
//! as these are.

use std::ops::Range;

use iscc_metrics::dense::rows::RowQuery;
use iscc_metrics::nearest::{Keyed, Nearest};
use iscc_metrics::{NO_KEY, Query};

use super::graph_search::Candidate;
use super::query::ShardQuery;
use crate::opaque::Distance;
use crate::shard::Shard;
use crate::shard::words::WordTable;
use crate::space::{Space, ValueCentre, Values, Vectors};

/// Rows looked at with the same bound.
const CHUNK: usize = 1024;

/// A row: its key, and its place in the order of a pass, in one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed(u64);

impl Placed {
    fn new(key: u32, place: u32) -> Self {
        Self(u64::from(key) << 32 | u64::from(place))
    }

    fn place(self) -> usize {
        self.0 as u32 as usize
    }
}

impl Keyed for Placed {
    type Key = u32;

    #[inline]
    fn key(&self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// One look at all rows of a shard for a query.
pub trait FlatPass {
    /// Offers what may be near, in ascending order of the places; the number of rows.
    fn offer_all(&self, nearest: &mut Nearest<Placed>, near: &mut Vec<(u32, u32)>) -> usize;

    /// Moves what was found to `out`.
    fn name_nodes(&self, found: &mut Vec<Placed>, out: &mut Vec<Candidate>);
}

/// The codes of a shard, in their words.
pub struct WordPass<'a> {
    table: WordTable<'a>,
    query: &'a Query,
}

impl<'a> WordPass<'a> {
    pub(crate) fn new(table: WordTable<'a>, query: &'a Query) -> Self {
        Self { table, query }
    }
}

impl FlatPass for WordPass<'_> {
    fn offer_all(&self, nearest: &mut Nearest<Placed>, near: &mut Vec<(u32, u32)>) -> usize {
        let mut start = 0;
        for group in self.table.groups() {
            let mut first = 0;
            while first < group.count {
                let end = (first + CHUNK).min(group.count);
                self.query.near_words(&group, first..end, nearest.below(), near);
                for &(key, index) in &*near {
                    nearest.offer(Placed::new(key, (start + index as usize) as u32));
                }
                first = end;
            }
            start += group.count;
        }
        start
    }

    fn name_nodes(&self, found: &mut Vec<Placed>, out: &mut Vec<Candidate>) {
        // Places ascend from group to group.
        let groups: Vec<_> = self.table.groups().collect();
        let mut starts = Vec::with_capacity(groups.len());
        groups.iter().fold(0, |start, group| {
            starts.push(start);
            start + group.count
        });
        out.extend(found.drain(..).map(|placed| {
            let place = placed.place();
            let group = starts.partition_point(|&start| start <= place) - 1;
            Candidate {
                key: placed.key(),
                node: groups[group].node(place - starts[group]),
            }
        }));
    }
}

/// Rows whose place is their node.
pub trait PlacedRows {
    /// How many there are.
    fn count(&self) -> u32;

    /// Fills `near` with keys and numbers of rows in a range that have a key less than `below`.
    fn near(&self, range: Range<u32>, below: u32, near: &mut Vec<(u32, u32)>);
}

/// The rows themselves, which are derived from vectors.
pub struct RowPass<'a> {
    rows: Vectors<'a>,
    query: &'a RowQuery,
}

impl<'a> RowPass<'a> {
    pub(crate) fn new(rows: Vectors<'a>, query: &'a RowQuery) -> Self {
        Self { rows, query }
    }
}

impl PlacedRows for RowPass<'_> {
    fn count(&self) -> u32 {
        self.rows.count()
    }

    fn near(&self, range: Range<u32>, below: u32, near: &mut Vec<(u32, u32)>) {
        self.rows.near(self.query, range, below, near);
    }
}

/// Values that only a function of the caller's understands.
pub struct ValuePass<'a, D: Distance> {
    values: Values<'a, D>,
    centre: &'a ValueCentre<D::Query>,
}

impl<'a, D: Distance> ValuePass<'a, D> {
    pub(crate) fn new(values: Values<'a, D>, centre: &'a ValueCentre<D::Query>) -> Self {
        Self { values, centre }
    }
}

impl<D: Distance> PlacedRows for ValuePass<'_, D> {
    fn count(&self) -> u32 {
        self.values.count()
    }

    fn near(&self, range: Range<u32>, below: u32, near: &mut Vec<(u32, u32)>) {
        self.values.near(self.centre, range, below, near);
    }
}

impl<R: PlacedRows> FlatPass for R {
    fn offer_all(&self, nearest: &mut Nearest<Placed>, near: &mut Vec<(u32, u32)>) -> usize {
        let count = self.count();
        for first in (0..count).step_by(CHUNK) {
            let end = count.min(first + CHUNK as u32);
            self.near(first..end, nearest.below(), near);
            near.iter()
                .for_each(|&(key, node)| nearest.offer(Placed::new(key, node)));
        }
        count as usize
    }

    fn name_nodes(&self, found: &mut Vec<Placed>, out: &mut Vec<Candidate>) {
        out.extend(found.drain(..).map(|placed| Candidate {
            key: placed.key(),
            node: placed.place() as u32,
        }));
    }
}

/// State and buffers of a search of all rows. Each call to [`FlatSearch::next`] passes over all rows and keeps the
/// nearest of those that come after the ones returned before.
#[derive(Default)]
pub struct FlatSearch {
    /// Only smaller keys are of interest.
    bound: u32,
    /// The last candidate returned.
    after: Option<Placed>,
    is_complete: bool,
    /// The nearest of the current pass.
    nearest: Nearest<Placed>,
    /// Keys and numbers of near rows of a chunk.
    near: Vec<(u32, u32)>,
    computed: usize,
}

impl FlatSearch {
    /// Begins a search for rows with a key less than `bound`.
    pub fn start(&mut self, bound: u32) {
        self.bound = bound;
        self.after = None;
        self.is_complete = bound == 0;
        self.computed = 0;
    }

    /// Whether everything was returned.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Rows compared since the start.
    pub fn visited(&self) -> usize {
        self.computed
    }

    /// `out` becomes the next up to `limit` nearest nodes, nearest first; fewer only when these are the last.
    ///
    /// If `limit` nodes to come are known to have a key less than `hint`, that saves time; else it is [`NO_KEY`].
    pub fn next<B: AsRef<[u8]>, Q: ShardQuery>(
        &mut self,
        shard: &Shard<B>,
        query: &Q,
        limit: usize,
        hint: u32,
        out: &mut Vec<Candidate>,
    ) {
        self.next_in(&query.pass(shard), limit, hint, out);
    }

    pub(crate) fn next_in(&mut self, rows: &impl FlatPass, limit: usize, hint: u32, out: &mut Vec<Candidate>) {
        out.clear();
        if self.is_complete {
            return;
        }
        let limit = limit.max(1);
        self.pass(rows, limit, hint);
        if self.nearest.finish().len() < limit && hint < self.bound {
            // The hint was wrong, which a damaged file can cause.
            self.pass(rows, limit, NO_KEY);
        }
        let found = self.nearest.finish();
        self.is_complete = found.len() < limit;
        self.after = found.last().copied().or(self.after);
        rows.name_nodes(found, out);
    }

    fn pass(&mut self, rows: &impl FlatPass, limit: usize, hint: u32) {
        self.nearest.start(limit, self.bound.min(hint), self.after);
        self.computed += rows.offer_all(&mut self.nearest, &mut self.near);
    }
}
