//! Exact search over the codes of a shard, nearest first, resumable.

use iscc_metrics::Query;

use super::graph_search::Candidate;
use crate::graph::pool::{key_of, node_of, pack};
use crate::shard::Shard;
use crate::shard::words::WordTable;

/// Codes looked at with the same bound.
const CHUNK: usize = 1024;

/// State and buffers of an exact search. Each call to [`FlatSearch::next`] passes over all codes and keeps the nearest of
/// those that come after the ones returned before.
#[derive(Default)]
pub struct FlatSearch {
    /// Only smaller keys are of interest.
    bound: u32,
    /// The last candidate returned: key and place in the table.
    after: Option<u64>,
    is_complete: bool,
    /// The nearest of the current pass and up to as many others, in no order: keys and places in the table.
    found: Vec<u64>,
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
    /// If so many nodes to come are known to have a key less than `hint`, that saves time; else it is `u32::MAX`.
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
        if self.found.len() < limit && hint < self.bound {
            // The hint was wrong, which a damaged file can cause.
            self.pass(table, query, limit, u32::MAX);
        }
        trim(&mut self.found, limit);
        self.found.sort_unstable();
        self.is_complete = self.found.len() < limit;
        self.after = self.found.last().copied().or(self.after);
        // Places ascend from group to group.
        let groups: Vec<_> = table.groups().collect();
        let mut starts = Vec::with_capacity(groups.len());
        groups.iter().fold(0, |start, group| {
            starts.push(start);
            start + group.count
        });
        out.extend(self.found.drain(..).map(|packed| {
            let place = node_of(packed) as usize;
            let group = starts.partition_point(|&start| start <= place) - 1;
            Candidate {
                key: key_of(packed),
                node: groups[group].node(place - starts[group]),
            }
        }));
    }

    fn pass(&mut self, table: WordTable<'_>, query: &Query, limit: usize, hint: u32) {
        self.found.clear();
        let mut below = self.bound.min(hint);
        let mut start = 0;
        for group in table.groups() {
            let mut first = 0;
            while first < group.count {
                let end = (first + CHUNK).min(group.count);
                query.near_words(&group, first..end, below, &mut self.near);
                for &(key, index) in &self.near {
                    let packed = pack(key, (start + index as usize) as u32);
                    if self.after.is_none_or(|after| packed > after) {
                        self.found.push(packed);
                    }
                }
                if self.found.len() >= 2 * limit {
                    // Of equal keys the first one in the table counts, and they come in that order.
                    below = trim(&mut self.found, limit).map_or(below, |farthest| below.min(key_of(farthest)));
                }
                first = end;
            }
            start += group.count;
        }
        self.computed += start;
    }
}

/// Keeps the `limit` smallest; the largest of these, if something was left out.
fn trim(found: &mut Vec<u64>, limit: usize) -> Option<u64> {
    (found.len() > limit).then(|| {
        let (_, farthest, _) = found.select_nth_unstable(limit - 1);
        let farthest = *farthest;
        found.truncate(limit);
        farthest
    })
}
