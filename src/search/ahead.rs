//! Reading pages of the log from the disk at the same time, instead of one after the other.

use crate::relation::Index;
use crate::storage::buffer;
use crate::storage::shard_cache::MappedShard;

/// Asks for the blocks that entries of a shard are in, where parts of the shard had to be read from the disk lately.
pub fn read_blocks(index: Index<'_>, shard: &MappedShard, blocks: impl Iterator<Item = u32>) {
    if !shard.is_on_disk() {
        return;
    }
    let mut blocks: Vec<u32> = blocks.collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks.into_iter().for_each(|block| buffer::prefetch(index, block));
}
