//! Neighbour lists, wherever they are.

/// The neighbour lists of a graph, in a file or still in memory.
pub(crate) trait Links: Copy {
    /// Neighbours of a node on a level; empty if it has none there.
    fn neighbors(&self, node: u32, level: usize) -> impl ExactSizeIterator<Item = u32>;

    /// Asks the processor to load the list of a node on a level.
    fn prefetch(&self, node: u32, level: usize);

    /// Where that list is, if it is in a file; nothing is read.
    fn memory(&self, _node: u32, _level: usize) -> &[u8] {
        &[]
    }
}
