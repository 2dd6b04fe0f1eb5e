//! The set of nodes that a traversal has seen.

/// A bitmap with a log of its members, so that clearing costs what was used and not what exists.
#[derive(Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
    /// The members in the order they came.
    log: Vec<u32>,
    nodes: u32,
}

impl Visited {
    /// Empties the set and makes room for nodes `0..nodes`.
    pub(crate) fn reset(&mut self, nodes: u32) {
        for &node in &self.log {
            self.words[node as usize / 64] = 0;
        }
        self.log.clear();
        self.nodes = nodes;
        let words = (nodes as usize).div_ceil(64);
        // A longer bitmap stays (all zero again): buffers are reused for shards of any size.
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    /// Number of members.
    pub(crate) fn len(&self) -> usize {
        self.log.len()
    }

    /// The members in the order they came.
    pub(crate) fn members(&self) -> &[u32] {
        &self.log
    }

    /// Adds a node; whether it was new. A node out of range counts as seen.
    #[inline]
    pub(crate) fn insert(&mut self, node: u32) -> bool {
        !self.insert_all(std::iter::once(node)).is_empty()
    }

    /// Adds nodes; returns those that are new and in range.
    ///
    /// Written without a branch on "new": whether a neighbour was seen is as good as random, and a misprediction costs
    /// more than the distance of its code.
    #[inline]
    pub(crate) fn insert_all(&mut self, nodes: impl ExactSizeIterator<Item = u32>) -> &[u32] {
        let start = self.log.len();
        let mut end = start;
        self.log.resize(start + nodes.len(), 0);
        for node in nodes {
            if node >= self.nodes {
                continue;
            }
            let word = &mut self.words[node as usize / 64];
            let is_new = !*word >> (node % 64) & 1;
            *word |= 1 << (node % 64);
            self.log[end] = node;
            end += is_new as usize;
        }
        self.log.truncate(end);
        &self.log[start..]
    }

    /// Whether a node was added.
    #[inline]
    pub(crate) fn contains(&self, node: u32) -> bool {
        self.words
            .get(node as usize / 64)
            .is_some_and(|word| word >> (node % 64) & 1 != 0)
    }
}
