//! Walking a graph towards a centre: greedily down its levels, best-first on one of them. Insertion and search share
//! it.
//!
//! Each step has two halves: one asks the processor to load the rows that the other compares.

use iscc_metrics::ahead;

use super::links::Links;
use super::pool::{Pool, node_of, pack};
use super::visited::Visited;
use crate::space::Space;

/// A graph as seen from a centre.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, L: Links, S: Space> {
    /// The rows of the nodes.
    pub(crate) space: S,
    pub(crate) links: L,
    centre: &'a S::Centre,
    /// Whether rows and links may have to be read from the disk.
    is_on_disk: bool,
}

/// Lists of links that are read ahead: those of that many of the nearest nodes. Most of them will be expanded.
const LISTS_AHEAD: usize = 4;

impl<'a, L: Links, S: Space> View<'a, L, S> {
    /// The view from `centre`.
    pub(crate) fn new(space: S, links: L, centre: &'a S::Centre) -> Self {
        Self {
            space,
            links,
            centre,
            is_on_disk: false,
        }
    }

    /// The same, of a file that may have to be read from the disk.
    pub(crate) fn on_disk(self, is_on_disk: bool) -> Self {
        Self { is_on_disk, ..self }
    }

    /// Asks for rows that are compared next.
    #[inline]
    fn load_rows(&self, nodes: &[u32]) {
        if self.is_on_disk {
            ahead::read(nodes.iter().map(|&node| self.space.memory(node)));
        }
        nodes.iter().for_each(|&node| self.space.prefetch(node));
    }

    /// A node with its key.
    pub(crate) fn packed(&self, node: u32) -> u64 {
        pack(self.space.key(self.centre, node), node)
    }
}

/// What becomes of the nodes that a walk discovers and leaves behind.
pub(crate) trait Leftovers {
    /// Takes a node if `is_left`. Which nodes are left is as good as random, so this should not branch on it.
    fn put_if(&mut self, is_left: bool, packed: u64);
}

/// They come later.
impl Leftovers for Vec<u64> {
    #[inline(always)]
    fn put_if(&mut self, is_left: bool, packed: u64) {
        self.push(packed);
        self.truncate(self.len() - usize::from(!is_left));
    }
}

/// For searches that do not ask for them.
pub(crate) struct Forgotten;

impl Leftovers for Forgotten {
    #[inline(always)]
    fn put_if(&mut self, _: bool, _: u64) {}
}

/// State and buffers of a walk, which can be used again for others.
#[derive(Default)]
pub(crate) struct Walk {
    /// Nodes discovered on the current level.
    pub(crate) visited: Visited,
    /// The nearest of them.
    pub(crate) pool: Pool,
    /// Where a greedy walk is: the nearest node found, and the level.
    pub(crate) best: u64,
    pub(crate) level: usize,
    ids: Vec<u32>,
    keys: Vec<u32>,
    /// How many nodes were discovered before those of this expansion.
    known: usize,
    /// Neighbours that may enter the pool.
    near: Vec<u64>,
    /// Distances computed since [`Walk::reset`].
    pub(crate) computed: usize,
}

impl Walk {
    /// Forgets what was discovered: a walk in a graph of `nodes` nodes, for the `limit` nearest.
    pub(crate) fn reset(&mut self, nodes: u32, limit: usize) {
        self.visited.reset(nodes);
        self.pool.reset(limit);
    }

    /// Discovers a node that the walk begins at.
    pub(crate) fn enter(&mut self, entry: u64) {
        if self.visited.insert(node_of(entry)) && entry < self.pool.bound() {
            self.pool.push(entry);
        }
    }

    /// Greedy walk from node 0 on level `top` down to the level above `end`; the nearest node found.
    pub(crate) fn descend<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, top: usize, end: usize) -> u64 {
        self.set_out(view, top);
        while self.level > end {
            self.load_hop(view);
            self.take_hop(view);
        }
        self.best
    }

    /// Best-first search on a level: expands nodes of the pool until all in it are.
    pub(crate) fn expand<L: Links, S: Space>(
        &mut self,
        view: &View<'_, L, S>,
        level: usize,
        left: &mut impl Leftovers,
    ) {
        while self.load_neighbors(view, level) {
            self.take_rows(view, left);
        }
    }

    /// Begins a greedy walk from node 0 on this level.
    pub(crate) fn set_out<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, level: usize) {
        self.best = view.packed(0);
        self.level = level;
        self.computed += 1;
    }

    /// The first half of a step of the greedy walk: asks for the rows beside the nearest node.
    #[inline]
    pub(crate) fn load_hop<L: Links, S: Space>(&mut self, view: &View<'_, L, S>) {
        self.ids.clear();
        self.ids.extend(view.links.neighbors(node_of(self.best), self.level));
        view.load_rows(&self.ids);
    }

    /// The second half: goes to the nearest of them, or down a level. The best only gets nearer, so the walk ends on
    /// any bytes.
    #[inline]
    pub(crate) fn take_hop<L: Links, S: Space>(&mut self, view: &View<'_, L, S>) {
        view.space.keys(view.centre, &self.ids, &mut self.keys);
        self.computed += self.ids.len();
        let nearest = self.keys.iter().zip(&self.ids).map(|(&key, &id)| pack(key, id)).min();
        match nearest {
            Some(next) if next < self.best => self.best = next,
            _ => self.level -= 1,
        }
    }

    /// The first half of an expansion: asks for the rows beside the pool's next node; false if there is none.
    #[inline]
    pub(crate) fn load_neighbors<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, level: usize) -> bool {
        let Some(nearest) = self.pool.expand_next() else {
            return false;
        };
        if level == 0 {
            self.load_next_links(view);
        }
        self.load_rows(view, view.links.neighbors(node_of(nearest), level));
        true
    }

    /// Asks for the rows of nodes, for [`Walk::take_rows`] to take those that were not discovered before.
    #[inline]
    pub(crate) fn load_rows<L: Links, S: Space>(
        &mut self,
        view: &View<'_, L, S>,
        nodes: impl ExactSizeIterator<Item = u32>,
    ) {
        self.known = self.visited.len();
        view.load_rows(self.visited.insert_all(nodes));
    }

    /// Asks for the base list of the pool's next node, as far as is known now.
    #[inline]
    pub(crate) fn load_next_links<L: Links, S: Space>(&mut self, view: &View<'_, L, S>) {
        if let Some(next) = self.pool.peek_next() {
            view.links.prefetch(node_of(next), 0);
            if view.is_on_disk {
                let next = self.pool.to_expand().take(LISTS_AHEAD);
                ahead::read(next.map(|packed| view.links.memory(node_of(packed), 0)));
            }
        }
    }

    /// The second half: those near enough enter the pool.
    #[inline]
    pub(crate) fn take_rows<L: Links, S: Space>(&mut self, view: &View<'_, L, S>, left: &mut impl Leftovers) {
        let new = &self.visited.members()[self.known..];
        self.computed += new.len();
        view.space.keys(view.centre, new, &mut self.keys);
        // Few are near enough, and which is as good as random: gathered without a branch on it.
        let bound = self.pool.bound();
        let mut count = 0;
        self.near.resize(new.len().max(self.near.len()), 0);
        for (&key, &id) in self.keys.iter().zip(new) {
            let packed = pack(key, id);
            self.near[count] = packed;
            count += usize::from(packed < bound);
            left.put_if(packed >= bound, packed);
        }
        for &packed in &self.near[..count] {
            let farther = if packed < self.pool.bound() {
                self.pool.push(packed)
            } else {
                Some(packed)
            };
            if let Some(farther) = farther {
                left.put_if(true, farther);
            }
        }
    }
}
