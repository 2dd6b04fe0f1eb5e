//! Insertion of one node into the graph: search, select, connect.

use super::lists::Graph;
use super::pool::{is_marked, key_of, marked, node_of, pack, unmarked};
use super::walk::{Forgotten, View, Walk};
use crate::space::Space;

/// A worker's view of the graph and its reusable buffers.
pub(crate) struct Inserter<'a, S: Space> {
    pub(crate) graph: &'a Graph,
    space: S,
    ef_construction: usize,
    /// The node that is being inserted, or whose surroundings are searched.
    centre: S::Centre,
    /// Another node that distances are measured from meanwhile.
    other: S::Centre,
    walk: Walk,
    ids: Vec<u32>,
    keys: Vec<u32>,
    /// Entries of a search, then what it found; or what to select from; nearest first.
    found: Vec<u64>,
    selected: Vec<u32>,
    /// Which of `found` must not be selected.
    dropped: Vec<bool>,
}

impl<'a, S: Space> Inserter<'a, S> {
    pub(crate) fn new(graph: &'a Graph, space: S, ef_construction: usize) -> Self {
        Self {
            graph,
            space,
            ef_construction,
            centre: S::Centre::default(),
            other: S::Centre::default(),
            walk: Walk::default(),
            ids: Vec::new(),
            keys: Vec::new(),
            found: Vec::new(),
            selected: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// Links a node, which is not node 0, with the nodes inserted so far.
    pub(crate) fn insert(&mut self, node: u32) {
        let level = self.graph.levels().level_of(node);
        self.space.centre(node, &mut self.centre);
        let entry = self.descend(level);
        self.found.clear();
        self.found.push(entry);
        // All lists of the node are written before any other node points to it: a search that finds it can always go on
        // from it.
        let mut links = Vec::with_capacity(level + 1);
        for level in (0..=level).rev() {
            self.search_level(node, level, self.ef_construction);
            self.select(node, self.graph.capacity(level));
            self.graph.set_neighbors(node, level, &self.selected);
            links.push((level, self.selected.clone()));
        }
        for (level, neighbors) in links {
            for (i, &neighbor) in neighbors.iter().enumerate() {
                if level == 0 {
                    self.prefetch_links(&neighbors[i + 1..]);
                }
                self.connect(neighbor, node, level);
            }
        }
    }

    /// Nodes near `node` on the base level, nearest first, from a search of the given effort.
    pub(crate) fn nearest(&mut self, node: u32, effort: usize) -> &[u64] {
        self.space.centre(node, &mut self.centre);
        let entry = self.descend(0);
        self.found.clear();
        // Node 0 is an entry too: all that it reaches, and nothing else, is found with enough effort.
        let origin = View::new(self.space, self.graph, &self.centre).packed(0);
        self.found.extend([entry, origin]);
        self.found.dedup();
        self.search_level(node, 0, effort);
        &self.found
    }

    /// Prepares to connect the first of the nodes on the base level, and the one after the next.
    fn prefetch_links(&self, nodes: &[u32]) {
        if let Some(&after_next) = nodes.get(2) {
            self.graph.prefetch_base(after_next);
        }
        if let Some(&next) = nodes.first() {
            self.graph.neighbors(next, 0).for_each(|id| self.space.prefetch(id));
        }
    }

    /// The nearest node found on the way from the top of the graph down to the level above `level`.
    fn descend(&mut self, level: usize) -> u64 {
        let view = View::new(self.space, self.graph, &self.centre);
        self.walk.descend(&view, self.graph.levels().max_level(), level)
    }

    /// Best-first search on a level, from what `self.found` has to the `ef` nearest nodes, in place.
    fn search_level(&mut self, node: u32, level: usize, ef: usize) {
        let view = View::new(self.space, self.graph, &self.centre);
        self.walk.reset(self.graph.levels().nodes(), ef);
        self.walk.visited.insert(node);
        for &entry in &self.found {
            self.walk.enter(unmarked(entry));
        }
        self.walk.expand(&view, level, &mut Forgotten);
        self.found.clear();
        self.found.extend_from_slice(self.walk.pool.items());
    }

    /// Picks up to `limit` diverse neighbours of `home` from the sorted `self.found` into `self.selected`.
    ///
    /// A node is left out only if one already picked is strictly nearer to it than `home` is: among codes a bit or two
    /// apart most distances tie, and a tie is no reason to drop the link. The picked one must also have the extent to
    /// say so, see [`Space::Extent`].
    fn select(&mut self, home: u32, limit: usize) {
        self.selected.clear();
        let extent = self.space.extent(home);
        for at in 0..self.found.len() {
            if self.selected.len() >= limit {
                break;
            }
            let packed = self.found[at];
            self.space.centre(node_of(packed), &mut self.other);
            if !self.is_near_selected(packed, extent) {
                self.selected.push(node_of(packed));
            }
        }
    }

    /// Whether one of those selected makes this node, which is `self.other`, superfluous among the links of a node of
    /// this extent.
    #[inline]
    fn is_near_selected(&self, packed: u64, extent: S::Extent) -> bool {
        let least = self.space.extent(node_of(packed)).min(extent);
        self.space.any_below(&self.other, &self.selected, least, key_of(packed))
    }

    /// Whether one of `self.ids` nearer to `from` than the last of them, which is `self.centre`, makes the link to it
    /// superfluous by the rule of [`Inserter::select`]. Most newcomers to a full list are, and this is far cheaper than
    /// to choose anew.
    fn is_occluded(&mut self, from: u32, to: u32) -> bool {
        let Some((&key, others)) = self.keys.split_last() else {
            return false;
        };
        self.selected.clear();
        let nearer = others.iter().zip(&self.ids).filter(|(other, _)| **other < key);
        self.selected.extend(nearer.map(|(_, &id)| id));
        let least = self.space.extent(from).min(self.space.extent(to));
        self.space.any_below(&self.centre, &self.selected, least, key)
    }

    /// Adds the link `from` → `to`, which is `self.centre`, choosing anew among the links of `from` if it has no room.
    fn connect(&mut self, from: u32, to: u32, level: usize) {
        let graph = self.graph;
        let _guard = graph.lock(from);
        if graph.push_neighbor(from, level, to) {
            return;
        }
        self.ids.clear();
        self.ids.extend(graph.neighbors(from, level));
        self.ids.push(to);
        self.space.centre(from, &mut self.other);
        self.space.link_keys(&self.other, &self.ids, &mut self.keys);
        if self.is_occluded(from, to) {
            return;
        }
        let settled = graph.settled(from, level);
        let mark = |(i, (&key, &id)): (usize, (&u32, &u32))| marked(pack(key, id), i >= settled);
        self.found.clear();
        self.found.extend(self.keys.iter().zip(&self.ids).enumerate().map(mark));
        self.found.sort_unstable();
        self.reselect(from, graph.capacity(level));
        graph.set_neighbors(from, level, &self.selected);
    }

    /// What [`Inserter::select`] does, sparing the comparisons whose outcome is known: those among the links that were
    /// chosen together before. The lowest bit in `self.found` marks the other links, which are few.
    fn reselect(&mut self, home: u32, limit: usize) {
        self.selected.clear();
        self.dropped.clear();
        self.dropped.resize(self.found.len(), false);
        let extent = self.space.extent(home);
        for at in 0..self.found.len() {
            if self.selected.len() >= limit {
                break;
            }
            let (packed, is_new) = (self.found[at], is_marked(self.found[at]));
            if self.dropped[at] {
                continue;
            }
            if is_new {
                self.space.centre(node_of(packed), &mut self.other);
                if self.is_near_selected(packed, extent) {
                    continue;
                }
            }
            self.selected.push(node_of(packed));
            if is_new {
                self.drop_occluded(node_of(packed), at + 1, extent);
            }
        }
    }

    /// Marks what `node`, just selected and `self.other`, makes superfluous of `self.found[start..]` among the links of
    /// a node of the extent `home`.
    fn drop_occluded(&mut self, node: u32, start: usize, home: S::Extent) {
        let (space, extent, rest) = (self.space, self.space.extent(node), &self.found[start..]);
        self.ids.clear();
        self.ids.extend(rest.iter().map(|&packed| node_of(packed)));
        space.link_keys(&self.other, &self.ids, &mut self.keys);
        for ((&packed, &key), dropped) in rest.iter().zip(&self.keys).zip(&mut self.dropped[start..]) {
            if key < key_of(packed) {
                *dropped |= extent >= space.extent(node_of(packed)).min(home);
            }
        }
    }
}
