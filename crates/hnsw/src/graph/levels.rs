//! How many nodes each level of a graph has; with nodes numbered by descending level this addresses everything.

/// Highest level that a node can have.
pub(crate) const MAX_LEVEL: usize = 31;

/// Most nodes that a graph can have: a search packs a node's number into 31 bits.
pub const MAX_NODES: u32 = (1 << 31) - 1;

/// Node counts by level: `counts[l]` nodes have level `l` or higher, and they are the nodes `0..counts[l]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    counts: [u32; MAX_LEVEL + 1],
}

impl Levels {
    /// The levels of a graph without nodes.
    pub(crate) fn empty() -> Self {
        Self {
            counts: [0; MAX_LEVEL + 1],
        }
    }

    /// Levels with these counts; `None` if one is greater than the one before, or than [`MAX_NODES`].
    pub(crate) fn new(counts: [u32; MAX_LEVEL + 1]) -> Option<Self> {
        let is_valid = counts[0] <= MAX_NODES && counts.is_sorted_by(|a, b| a >= b);
        is_valid.then_some(Self { counts })
    }

    /// Counts one more node, of this level. There must be fewer than [`MAX_NODES`].
    pub(crate) fn add(&mut self, level: usize) {
        debug_assert!(self.nodes() < MAX_NODES);
        self.counts[..=level].iter_mut().for_each(|count| *count += 1);
    }

    /// All nodes.
    pub(crate) fn nodes(&self) -> u32 {
        self.counts[0]
    }

    /// The raw counts, as the file has them.
    pub(crate) fn counts(&self) -> [u32; MAX_LEVEL + 1] {
        self.counts
    }

    /// Nodes of level `level` or higher; 0 above [`MAX_LEVEL`].
    #[inline]
    pub(crate) fn at_least(&self, level: usize) -> u32 {
        self.counts.get(level).copied().unwrap_or(0)
    }

    /// The highest level that has a node; 0 for an empty graph.
    pub(crate) fn max_level(&self) -> usize {
        self.counts.iter().rposition(|&count| count > 0).unwrap_or(0)
    }

    /// Level of a node; 0 for a node out of range.
    pub(crate) fn level_of(&self, node: u32) -> usize {
        self.counts[1..].iter().take_while(|&&count| node < count).count()
    }

    /// Upper-level neighbour lists that the nodes before `node` have together.
    #[inline]
    pub(crate) fn upper_lists_before(&self, node: u32) -> u64 {
        self.counts[1..]
            .iter()
            .take_while(|&&count| count > 0)
            .map(|&count| u64::from(count.min(node)))
            .sum()
    }

    /// Upper-level neighbour lists of all nodes.
    pub(crate) fn upper_lists(&self) -> u64 {
        self.upper_lists_before(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_levels_are_valid() {
        let mut levels = Levels::empty();
        for level in [0, 3, 1, 0, MAX_LEVEL] {
            levels.add(level);
            assert_eq!(Levels::new(levels.counts()), Some(levels));
        }
        assert_eq!((levels.nodes(), levels.at_least(1), levels.at_least(2)), (5, 3, 2));
    }

    #[test]
    fn impossible_counts_are_refused() {
        let counts = |nodes, upper| {
            let mut counts = [0; MAX_LEVEL + 1];
            (counts[0], counts[1]) = (nodes, upper);
            counts
        };
        assert!(Levels::new(counts(MAX_NODES, MAX_NODES)).is_some());
        assert_eq!(Levels::new(counts(MAX_NODES + 1, 0)), None);
        assert_eq!(Levels::new(counts(3, 4)), None);
    }
}
