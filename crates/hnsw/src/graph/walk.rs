//! Walking a graph towards a centre: greedily down its levels, best-first on one of them. Insertion and search share it.

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
}

impl<'a, L: Links, S: Space> View<'a, L, S> {
    /// The view from `centre`.
    pub(crate) fn new(space: S, links: L, centre: &'a S::Centre) -> Self {
        Self { space, links, centre }
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

/// Nobody asks for them.
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
    ids: Vec<u32>,
    keys: Vec<u32>,
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
        let mut best = view.packed(0);
        self.computed += 1;
        for level in (end + 1..=top).rev() {
            loop {
                self.ids.clear();
                self.ids.extend(view.links.neighbors(node_of(best), level));
                self.ids.iter().for_each(|&id| view.space.prefetch(id));
                view.space.keys(view.centre, &self.ids, &mut self.keys);
                self.computed += self.ids.len();
                let nearest = self.keys.iter().zip(&self.ids).map(|(&key, &id)| pack(key, id)).min();
                // The best only gets nearer, so this ends on any bytes.
                match nearest {
                    Some(next) if next < best => best = next,
                    _ => break,
                }
            }
        }
        best
    }

    /// Best-first search on a level: expands nodes of the pool until all in it are.
    pub(crate) fn expand<L: Links, S: Space>(
        &mut self,
        view: &View<'_, L, S>,
        level: usize,
        left: &mut impl Leftovers,
    ) {
        while let Some(nearest) = self.pool.expand_next() {
            if level == 0
                && let Some(next) = self.pool.peek_next()
            {
                view.links.prefetch(node_of(next));
            }
            let new = self.visited.insert_all(view.links.neighbors(node_of(nearest), level));
            new.iter().for_each(|&id| view.space.prefetch(id));
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
}
