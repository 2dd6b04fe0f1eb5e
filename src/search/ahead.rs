//! Reading entries that were found from the disk at the same time, instead of one after the other.

use iscc_hnsw::shard::ranges::{EntryRange, locate};
use iscc_log::directory::Segment;

use crate::relation::Index;
use crate::storage::buffer;
use crate::storage::shard_cache::MappedShard;

/// Asks for the posting lists of nodes and then for their pages of the log, where parts of the shard had to be read from the
/// disk lately.
pub fn read_entries(
    index: Index<'_>,
    shard: &MappedShard,
    ranges: &[EntryRange],
    segments: &[Segment],
    nodes: impl Iterator<Item = u32> + Clone,
) {
    if !shard.is_on_disk() {
        return;
    }
    shard.read_postings_ahead(nodes.clone());
    let ordinals = nodes.flat_map(|node| shard.postings(node));
    let mut blocks: Vec<u32> = ordinals
        .filter_map(|ordinal| Some(locate(ranges, ordinal)?.0))
        .filter(|block| segments.iter().any(|segment| segment.blocks().contains(block)))
        .collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks.into_iter().for_each(|block| buffer::prefetch(index, block));
}
