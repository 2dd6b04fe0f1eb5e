//! Best-first search over a shard that can be resumed until every reachable node was returned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use iscc_metrics::bits::{Kernel, Rows};
use iscc_metrics::{Metric, Query};

use crate::graph::links::Links;
use crate::graph::pool::{Pool, key_of, node_of, pack};
use crate::graph::visited::Visited;
use crate::shard::{FileLinks, Shard};

/// A node and its distance to the query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Candidate {
    /// See [`Query::key`].
    pub key: u32,
    /// Node number.
    pub node: u32,
}

/// State and buffers of a search; reusable for other queries and shards, which [`GraphSearch::start`] begins.
///
/// A call ends when the pool's nodes are all expanded (their neighbours discovered); it returns them. Every other node
/// discovered, expanded or not, is then among the leftovers or waiting, and enters the pool of a later call when its turn
/// comes. The heap is filled from the leftovers when the search is resumed, so one that never is pays a push for a node.
#[derive(Default)]
pub struct GraphSearch {
    visited: Visited,
    /// The best of the current call.
    pool: Pool,
    /// Discovered, not returned by this call: too far, or displaced. Some are expanded, some are not.
    leftovers: Vec<u64>,
    /// Discovered by earlier calls, not returned, nearest first.
    waiting: BinaryHeap<Reverse<u64>>,
    ids: Vec<u32>,
    keys: Vec<u32>,
    computed: usize,
}

/// What a search reads.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, L: Links> {
    rows: Rows<'a>,
    links: L,
    query: &'a Query,
    metric: Metric,
    kernel: Kernel,
}

impl<'a> View<'a, FileLinks<'a>> {
    fn of_shard<B: AsRef<[u8]>>(shard: &'a Shard<B>, query: &'a Query) -> Self {
        View::new(shard.rows(), shard.links(), query)
    }
}

impl<'a, L: Links> View<'a, L> {
    pub(crate) fn new(rows: Rows<'a>, links: L, query: &'a Query) -> Self {
        Self {
            rows,
            links,
            query,
            metric: query.metric(),
            kernel: Kernel::active(),
        }
    }
}

impl GraphSearch {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the search before and begins another: `out` becomes the up to `ef` best nodes found, nearest first.
    pub fn start<B: AsRef<[u8]>>(&mut self, shard: &Shard<B>, query: &Query, ef: usize, out: &mut Vec<Candidate>) {
        let view = View::of_shard(shard, query);
        self.start_in(&view, usize::from(shard.max_level()), ef, out);
    }

    pub(crate) fn start_in<L: Links>(
        &mut self,
        view: &View<'_, L>,
        max_level: usize,
        ef: usize,
        out: &mut Vec<Candidate>,
    ) {
        self.visited.reset(view.rows.count());
        self.waiting.clear();
        self.leftovers.clear();
        self.computed = 0;
        out.clear();
        self.pool.reset(ef);
        if view.rows.count() > 0 {
            let entry = self.descend(view, max_level);
            self.enter(entry);
            self.collect(view, out);
        }
    }

    /// Makes the search that [`GraphSearch::start`] began one of more effort, as if that had been given to it at once, or
    /// nearly so: `out` becomes the up to `ef` best nodes found, nearest first, those found before among them. Not after
    /// [`GraphSearch::resume`].
    pub fn widen<B: AsRef<[u8]>>(&mut self, shard: &Shard<B>, query: &Query, ef: usize, out: &mut Vec<Candidate>) {
        self.widen_in(&View::of_shard(shard, query), ef, out);
    }

    pub(crate) fn widen_in<L: Links>(&mut self, view: &View<'_, L>, ef: usize, out: &mut Vec<Candidate>) {
        out.clear();
        self.pool.widen(ef, &mut self.leftovers);
        self.collect(view, out);
    }

    /// Goes on: `out` becomes the next up to `ef` best nodes, nearest first, none of which was returned before. Some may
    /// be nearer than the last ones of the call before. An empty `out` means that every reachable node was returned.
    ///
    /// Shard and query are those of [`GraphSearch::start`]; with others the result is unspecified, but safe.
    pub fn resume<B: AsRef<[u8]>>(&mut self, shard: &Shard<B>, query: &Query, ef: usize, out: &mut Vec<Candidate>) {
        let view = View::of_shard(shard, query);
        out.clear();
        self.waiting.extend(self.leftovers.drain(..).map(Reverse));
        self.pool.reset(ef);
        while !self.pool.is_full()
            && let Some(Reverse(packed)) = self.waiting.pop()
        {
            self.pool.push(packed);
        }
        self.collect(&view, out);
    }

    /// Distances computed since the start.
    pub fn visited(&self) -> usize {
        self.computed
    }

    /// Greedy walk from node 0 to level 1; the nearest node found.
    fn descend<L: Links>(&mut self, view: &View<'_, L>, max_level: usize) -> u64 {
        self.ids.clear();
        self.ids.push(0);
        self.compute_keys(view);
        let mut best = self.nearest_computed().unwrap_or(0);
        for level in (1..=max_level).rev() {
            loop {
                self.ids.clear();
                self.ids.extend(
                    view.links
                        .neighbors(node_of(best), level)
                        .filter(|&id| id < view.rows.count()),
                );
                self.compute_keys(view);
                // The best only falls, so this ends on any bytes.
                match self.nearest_computed() {
                    Some(next) if next < best => best = next,
                    _ => break,
                }
            }
        }
        best
    }

    fn nearest_computed(&self) -> Option<u64> {
        self.keys.iter().zip(&self.ids).map(|(&key, &id)| pack(key, id)).min()
    }

    fn compute_keys<L: Links>(&mut self, view: &View<'_, L>) {
        self.ids.iter().for_each(|&id| view.rows.prefetch(id));
        self.keys.resize(self.ids.len(), u32::MAX);
        view.kernel
            .row_keys(view.metric, view.query.code(), view.rows, &self.ids, &mut self.keys);
        self.computed += self.ids.len();
    }

    /// Adds an entry point.
    fn enter(&mut self, entry: u64) {
        if self.visited.insert(node_of(entry)) {
            self.pool.push(entry);
        }
    }

    /// Expands the pool and moves it to `out`.
    fn collect<L: Links>(&mut self, view: &View<'_, L>, out: &mut Vec<Candidate>) {
        self.expand_pool(view);
        // The upper levels may have led into a part of the graph that has no way back. All nodes are reachable from
        // node 0, so that is where to go on when the rest (a pool with room has no leftovers) does not fill the pool.
        if !self.pool.is_full() && !self.visited.contains(0) {
            self.ids.clear();
            self.ids.push(0);
            self.compute_keys(view);
            if let Some(origin) = self.nearest_computed() {
                self.enter(origin);
                self.expand_pool(view);
            }
        }
        let candidate = |&packed: &u64| Candidate {
            key: key_of(packed),
            node: node_of(packed),
        };
        out.extend(self.pool.items().iter().map(candidate));
    }

    /// Expands nodes until all in the pool are.
    fn expand_pool<L: Links>(&mut self, view: &View<'_, L>) {
        while let Some(nearest) = self.pool.expand_next() {
            if let Some(next) = self.pool.peek_next() {
                view.links.prefetch(node_of(next));
            }
            let new = self.visited.insert_all(view.links.neighbors(node_of(nearest), 0));
            new.iter().for_each(|&id| view.rows.prefetch(id));
            self.computed += new.len();
            self.keys.resize(new.len(), u32::MAX);
            view.kernel
                .row_keys(view.metric, view.query.code(), view.rows, new, &mut self.keys);
            for (&key, &id) in self.keys.iter().zip(new) {
                let packed = pack(key, id);
                if packed < self.pool.bound() {
                    self.leftovers.extend(self.pool.push(packed));
                } else {
                    self.leftovers.push(packed);
                }
            }
        }
    }
}
