//! The neighbour lists of a shard file.

use iscc_metrics::prefetch::prefetch;

use super::format::Layout;
use crate::graph::links::Links;

/// The neighbour lists of a shard.
#[derive(Clone, Copy)]
pub(crate) struct FileLinks<'a> {
    graph: &'a [u8],
    layout: &'a Layout,
}

impl<'a> FileLinks<'a> {
    /// The lists in the section "graph".
    pub(crate) fn new(graph: &'a [u8], layout: &'a Layout) -> Self {
        Self { graph, layout }
    }

    #[inline]
    fn list(&self, node: u32, level: usize) -> Option<&'a [[u8; 4]]> {
        let (offset, capacity) = self.layout.list_offset(node, level)?;
        let (count, rest) = self.graph.get(usize::try_from(offset).ok()?..)?.split_first_chunk()?;
        let count = u64::from(u32::from_le_bytes(*count)).min(capacity) as usize;
        Some(rest.get(..count * 4)?.as_chunks().0)
    }
}

impl Links for FileLinks<'_> {
    /// As the file has them, unchecked but for their number.
    #[inline]
    fn neighbors(&self, node: u32, level: usize) -> impl ExactSizeIterator<Item = u32> {
        self.list(node, level)
            .unwrap_or_default()
            .iter()
            .map(|bytes| u32::from_le_bytes(*bytes))
    }

    #[inline]
    fn prefetch(&self, node: u32, level: usize) {
        if let Some((offset, capacity)) = self.layout.list_offset(node, level) {
            let offset = offset as usize;
            prefetch(self.graph, offset);
            prefetch(self.graph, offset + 64);
            prefetch(self.graph, offset + capacity as usize * 4);
        }
    }

    fn memory(&self, node: u32, level: usize) -> &[u8] {
        let place = self.layout.list_offset(node, level).map(|(offset, capacity)| {
            let (start, links) = (offset as usize, capacity as usize);
            start..start + (1 + links) * size_of::<u32>()
        });
        place.and_then(|place| self.graph.get(place)).unwrap_or_default()
    }
}
