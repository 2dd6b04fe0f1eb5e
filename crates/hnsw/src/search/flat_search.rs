//! Exact search over the codes of a shard, nearest first, resumable.

use iscc_metrics::nearest::{Keyed, Nearest};
use iscc_metrics::{NO_KEY, Query};

use super::graph_search::Candidate;
use crate::shard::Shard;
use crate::shard::words::WordTable;

/// Codes looked at with the same bound.
const CHUNK: usize = 1024;

/// A code of the table: its key, and its place in the table, in one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Placed(u64);

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

/// State and buffers of an exact search. Each call to [`FlatSearch::next`] passes over all codes and keeps the nearest of
/// those that come after the ones returned before.
#[derive(Default)]
pub struct FlatSearch {
    /// Only smaller keys are of interest.
    bound: u32,
    /// The last candidate returned.
    after: Option<Placed>,
    is_complete: bool,
    /// The nearest of the current pass.
    nearest: Nearest<Placed>,
    /// Keys and numbers of near codes of a chunk.
    near: Vec<(u32, u32)>,
    computed: usize,
}

impl FlatSearch {
    /// Begins a search for codes with a key less than `bound`.
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

    /// Codes compared since the start.
    pub fn visited(&self) -> usize {
        self.computed
    }

    /// `out` becomes the next up to `limit` nearest nodes, nearest first; fewer only when these are the last.
    ///
    /// If `limit` nodes to come are known to have a key less than `hint`, that saves time; else it is [`NO_KEY`].
    pub fn next<B: AsRef<[u8]>>(
        &mut self,
        shard: &Shard<B>,
        query: &Query,
        limit: usize,
        hint: u32,
        out: &mut Vec<Candidate>,
    ) {
        self.next_in(shard.word_table(), query, limit, hint, out);
    }

    pub(crate) fn next_in(
        &mut self,
        table: WordTable<'_>,
        query: &Query,
        limit: usize,
        hint: u32,
        out: &mut Vec<Candidate>,
    ) {
        out.clear();
        if self.is_complete {
            return;
        }
        let limit = limit.max(1);
        self.pass(table, query, limit, hint);
        if self.nearest.finish().len() < limit && hint < self.bound {
            // The hint was wrong, which a damaged file can cause.
            self.pass(table, query, limit, NO_KEY);
        }
        let found = self.nearest.finish();
        self.is_complete = found.len() < limit;
        self.after = found.last().copied().or(self.after);
        // Places ascend from group to group.
        let groups: Vec<_> = table.groups().collect();
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

    fn pass(&mut self, table: WordTable<'_>, query: &Query, limit: usize, hint: u32) {
        self.nearest.start(limit, self.bound.min(hint), self.after);
        let mut start = 0;
        for group in table.groups() {
            let mut first = 0;
            while first < group.count {
                let end = (first + CHUNK).min(group.count);
                query.near_words(&group, first..end, self.nearest.below(), &mut self.near);
                for &(key, index) in &self.near {
                    self.nearest.offer(Placed::new(key, (start + index as usize) as u32));
                }
                first = end;
            }
            start += group.count;
        }
        self.computed += start;
    }
}
