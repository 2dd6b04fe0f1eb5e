//! How many nodes each level of a graph has; with nodes numbered by descending level this addresses everything.

/// Highest level that a node can have.
pub(crate) const MAX_LEVEL: usize = 31;

/// Node counts by level: `counts[l]` nodes have level `l` or higher, and they are the nodes `0..counts[l]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    counts: [u32; MAX_LEVEL + 1],
}

impl Levels {
    /// `None` unless the counts never increase.
    pub(crate) fn new(counts: [u32; MAX_LEVEL + 1]) -> Option<Self> {
        counts.is_sorted_by(|a, b| a >= b).then_some(Self { counts })
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
