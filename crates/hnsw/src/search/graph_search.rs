//! Best-first search over a shard that can be resumed until every reachable node was returned.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::query::ShardQuery;
use crate::graph::links::Links;
use crate::graph::pool::{key_of, node_of};
use crate::graph::walk::{View, Walk};
use crate::shard::Shard;
use crate::space::Space;

/// A node and its distance to the query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Candidate {
    /// Of codes [`Query::key`](iscc_metrics::Query::key); of dense vectors that of the derived row, which is near it.
    pub key: u32,
    /// Node number.
    pub node: u32,
}

/// How many of the candidates that a search of dense vectors with this effort finds, nearest first, are worth looking up:
/// their rows are near the values, but it is the values that count. Calibrations are measured so.
pub const fn looked_up(effort: usize) -> usize {
    let half = effort / 2;
    if half > 30 { half } else { 30 }
}

/// State and buffers of a search; reusable for other queries and shards, which [`GraphSearch::start`] begins.
///
/// A call ends when the pool's nodes are all expanded (their neighbours discovered); it returns them. Every other node
/// discovered, expanded or not, is then among the leftovers or waiting, and enters the pool of a later call when its turn
/// comes. The heap is filled from the leftovers when the search is resumed, so a search that is never resumed pays one push per node.
#[derive(Default)]
pub struct GraphSearch {
    /// What was discovered; its pool has the best of the current call.
    pub(super) walk: Walk,
    /// Discovered, not returned by this call: too far, or displaced. Some are expanded, some are not.
    leftovers: Vec<u64>,
    /// Nodes of the base level to begin at, besides that which the upper levels lead to.
    likely: Vec<u32>,
    /// Discovered by earlier calls, not returned, nearest first.
    waiting: BinaryHeap<Reverse<u64>>,
}

impl GraphSearch {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the search before and begins another: `out` becomes the up to `ef` best nodes found, nearest first.
    pub fn start<B: AsRef<[u8]>, Q: ShardQuery>(
        &mut self,
        shard: &Shard<B>,
        query: &Q,
        ef: usize,
        out: &mut Vec<Candidate>,
    ) {
        let centre = query.centre();
        let view = View::new(query.space(shard), shard.links(), centre.borrow());
        self.reset(shard, query, ef);
        self.run(&view, usize::from(shard.max_level()), out);
    }

    /// The same where the graph is not a file's yet; `hidden` is a node that must not be found, nor anything through it.
    pub(crate) fn start_in<L: Links, S: Space>(
        &mut self,
        view: &View<'_, L, S>,
        max_level: usize,
        ef: usize,
        hidden: Option<u32>,
        out: &mut Vec<Candidate>,
    ) {
        self.forget(view.space.count(), ef);
        self.walk.visited.insert_all(hidden.into_iter());
        self.run(view, max_level, out);
    }

    /// Forgets the search before: another one begins.
    pub(super) fn reset<B: AsRef<[u8]>, Q: ShardQuery>(&mut self, shard: &Shard<B>, query: &Q, ef: usize) {
        self.forget(query.space(shard).count(), ef);
        query.likely_nodes(shard, &mut self.likely);
    }

    fn forget(&mut self, nodes: u32, ef: usize) {
        self.walk.reset(nodes, ef);
        self.waiting.clear();
        self.leftovers.clear();
        self.likely.clear();
        self.walk.computed = 0;
    }

    fn run<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, max_level: usize, out: &mut Vec<Candidate>) {
        if view.space.count() == 0 {
            return out.clear();
        }
        self.set_out(view, max_level);
        while self.walk.level > 0 {
            self.walk.load_hop(view);
            self.walk.take_hop(view);
        }
        self.arrive(view);
        self.collect(view, out);
    }

    /// Begins the walk down, and asks for the rows of the likely nodes.
    pub(super) fn set_out<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, max_level: usize) {
        self.walk.load_rows(view, self.likely.iter().copied());
        self.walk.set_out(view, max_level);
    }

    /// Begins the search of the base level, where the walk down has led and at the likely nodes.
    pub(super) fn arrive<L: Links, S: Space>(&mut self, view: &View<'_, L, S>) {
        self.walk.take_rows(view, &mut self.leftovers);
        self.walk.enter(self.walk.best);
    }

    /// Makes the search that [`GraphSearch::start`] began one of more effort, as if that had been given to it at once, or
    /// nearly so: `out` becomes the up to `ef` best nodes found, nearest first, those found before among them. Not after
    /// [`GraphSearch::resume`].
    pub fn widen<B: AsRef<[u8]>, Q: ShardQuery>(
        &mut self,
        shard: &Shard<B>,
        query: &Q,
        ef: usize,
        out: &mut Vec<Candidate>,
    ) {
        let centre = query.centre();
        let view = View::new(query.space(shard), shard.links(), centre.borrow());
        self.widen_in(&view, ef, out);
    }

    pub(crate) fn widen_in<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, ef: usize, out: &mut Vec<Candidate>) {
        self.make_room(ef);
        self.collect(view, out);
    }

    /// The pool is to have the `ef` best.
    pub(super) fn make_room(&mut self, ef: usize) {
        self.walk.pool.widen(ef, &mut self.leftovers);
    }

    /// Goes on: `out` becomes the next up to `ef` best nodes, nearest first, none of which was returned before. Some may
    /// be nearer than the last ones of the call before. An empty `out` means that every reachable node was returned.
    ///
    /// Shard and query are those of [`GraphSearch::start`]; with others the result is unspecified, but safe.
    pub fn resume<B: AsRef<[u8]>, Q: ShardQuery>(
        &mut self,
        shard: &Shard<B>,
        query: &Q,
        ef: usize,
        out: &mut Vec<Candidate>,
    ) {
        let centre = query.centre();
        let view = View::new(query.space(shard), shard.links(), centre.borrow());
        out.clear();
        self.waiting.extend(self.leftovers.drain(..).map(Reverse));
        self.walk.pool.reset(ef);
        while !self.walk.pool.is_full()
            && let Some(Reverse(packed)) = self.waiting.pop()
        {
            self.walk.pool.push(packed);
        }
        self.collect(&view, out);
    }

    /// Distances computed since the start.
    pub fn visited(&self) -> usize {
        self.walk.computed
    }

    /// Expands the pool and lists it in `out`.
    fn collect<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, out: &mut Vec<Candidate>) {
        while self.load_neighbors(view) {
            self.take_neighbors(view);
        }
        self.list(out);
    }

    /// The first half of an expansion on the base level, see [`Walk::load_neighbors`].
    #[inline]
    pub(super) fn load_neighbors<L: Links, S: Space>(&mut self, view: &View<'_, L, S>) -> bool {
        if self.walk.load_neighbors(view, 0) {
            return true;
        }
        // The upper levels may have led into a part of the graph that has no way back. All nodes are reachable from
        // node 0, so that is where to go on when the rest (a pool with room has no leftovers) does not fill the pool.
        if self.walk.pool.is_full() || self.walk.visited.contains(0) {
            return false;
        }
        self.walk.enter(view.packed(0));
        self.walk.computed += 1;
        self.walk.load_neighbors(view, 0)
    }

    /// The second half, see [`Walk::take_rows`].
    #[inline]
    pub(super) fn take_neighbors<L: Links, S: Space>(&mut self, view: &View<'_, L, S>) {
        self.walk.take_rows(view, &mut self.leftovers);
    }

    /// Fills `out` with the pool's nodes.
    pub(super) fn list(&self, out: &mut Vec<Candidate>) {
        out.clear();
        let candidate = |&packed: &u64| Candidate {
            key: key_of(packed),
            node: node_of(packed),
        };
        out.extend(self.walk.pool.items().iter().map(candidate));
    }
}
