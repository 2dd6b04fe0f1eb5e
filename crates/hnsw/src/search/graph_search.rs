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
    let quarter = effort / 4;
    if quarter > 30 { quarter } else { 30 }
}

/// State and buffers of a search; reusable for other queries and shards, which [`GraphSearch::start`] begins.
///
/// A call ends when the pool's nodes are all expanded (their neighbours discovered); it returns them. Every other node
/// discovered, expanded or not, is then among the leftovers or waiting, and enters the pool of a later call when its turn
/// comes. The heap is filled from the leftovers when the search is resumed, so a search that is never resumed pays one push per node.
#[derive(Default)]
pub struct GraphSearch {
    /// What was discovered; its pool has the best of the current call.
    walk: Walk,
    /// Discovered, not returned by this call: too far, or displaced. Some are expanded, some are not.
    leftovers: Vec<u64>,
    /// Nodes of the base level to begin at, besides that which the upper levels lead to.
    likely: Vec<u32>,
    /// Discovered by earlier calls, not returned, nearest first.
    waiting: BinaryHeap<Reverse<u64>>,
}

/// What a search does next. Each step asks for the memory that the next one reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Goes to node 0, on this level.
    Enter { level: usize },
    /// Reads the links of the nearest node, on the way down.
    Hop,
    /// Compares the rows beside it.
    HopRows,
    /// Reads the links of the next node to expand.
    Links,
    /// Compares the rows beside it.
    Rows,
    /// Nothing.
    End,
}

impl Step {
    /// The first one in a shard.
    pub(super) fn first<B: AsRef<[u8]>>(shard: &Shard<B>) -> Self {
        Step::Enter {
            level: shard.max_level().into(),
        }
    }
}

/// A shard's graph as seen from a centre.
pub(super) fn view_of<'a, B: AsRef<[u8]>, S: Space>(
    shard: &'a Shard<B>,
    space: S,
    centre: &'a S::Centre,
) -> View<'a, impl Links + 'a, S> {
    View::new(space, shard.links(), centre).on_disk(shard.is_on_disk())
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
        self.reset(shard, query, ef);
        self.run(
            &view_of(shard, query.space(shard), centre.borrow()),
            Step::first(shard),
            out,
        );
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
        self.run(view, Step::Enter { level: max_level }, out);
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

    /// Takes all steps of a search, from this one on, and lists what it finds in `out`.
    fn run<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, mut step: Step, out: &mut Vec<Candidate>) {
        while step != Step::End {
            step = self.take(step, view);
        }
        self.list(out);
    }

    /// Takes a step; the next one.
    pub(super) fn take<L: Links, S: Space>(&mut self, step: Step, view: &View<'_, L, S>) -> Step {
        match step {
            Step::Enter { .. } if view.space.count() == 0 => Step::End,
            Step::Enter { level } => {
                self.walk.load_rows(view, self.likely.iter().copied());
                self.walk.set_out(view, level);
                self.go_down(view)
            }
            Step::Hop => {
                self.walk.load_hop(view);
                Step::HopRows
            }
            Step::HopRows => {
                self.walk.take_hop(view);
                self.go_down(view)
            }
            Step::Links if self.load_neighbors(view) => Step::Rows,
            Step::Links => Step::End,
            Step::Rows => {
                self.walk.take_rows(view, &mut self.leftovers);
                self.walk.load_next_links(view);
                Step::Links
            }
            Step::End => Step::End,
        }
    }

    /// Asks for the links of the nearest node on the way down; on the base level, begins there and at the likely nodes.
    fn go_down<L: Links, S: Space>(&mut self, view: &View<'_, L, S>) -> Step {
        if self.walk.level > 0 {
            view.links.prefetch(node_of(self.walk.best), self.walk.level);
            return Step::Hop;
        }
        self.walk.take_rows(view, &mut self.leftovers);
        self.walk.enter(self.walk.best);
        self.walk.load_next_links(view);
        Step::Links
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
        self.widen_in(&view_of(shard, query.space(shard), centre.borrow()), ef, out);
    }

    pub(crate) fn widen_in<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, ef: usize, out: &mut Vec<Candidate>) {
        self.make_room(ef);
        self.run(view, Step::Links, out);
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
        out.clear();
        self.waiting.extend(self.leftovers.drain(..).map(Reverse));
        self.walk.pool.reset(ef);
        while !self.walk.pool.is_full()
            && let Some(Reverse(packed)) = self.waiting.pop()
        {
            self.walk.pool.push(packed);
        }
        self.run(&view_of(shard, query.space(shard), centre.borrow()), Step::Links, out);
    }

    /// Distances computed since the start.
    pub fn visited(&self) -> usize {
        self.walk.computed
    }

    /// The first half of an expansion on the base level, see [`Walk::load_neighbors`].
    #[inline]
    fn load_neighbors<L: Links, S: Space>(&mut self, view: &View<'_, L, S>) -> bool {
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
