//! The first searches of all shards of codes.
//!
//! They run at once, so that one makes use of the time in which others wait for memory. What they find together says how far the
//! rows wanted are: a shard whose graph is not good enough looks no farther than that.

use iscc_hnsw::search::{Part, start_together, widen_together};
use memmap2::Mmap;

use super::shard_stream::ShardStream;

/// The key of the last row wanted, as far as the first searches have found that many together.
fn last_wanted(shards: &[&mut ShardStream], wanted: usize) -> Option<u32> {
    let mut keys: Vec<u32> = shards.iter().flat_map(|shard| shard.keys()).collect();
    let at = wanted.checked_sub(1).filter(|&at| at < keys.len())?;
    Some(*keys.select_nth_unstable(at).1)
}

/// Searches of the graphs of those shards that have an effort.
fn graph_parts<'a>(shards: &'a mut [&mut ShardStream], efforts: Vec<Option<usize>>) -> Vec<Part<'a, Mmap>> {
    let parts = shards.iter_mut().zip(efforts);
    parts
        .filter_map(|(shard, effort)| Some(shard.graph_part(effort?)))
        .collect()
}

/// Begins the searches of these shards, whose query is the same, for so many rows together.
pub fn begin_together(shards: &mut [&mut ShardStream], wanted: usize) {
    pgrx::check_for_interrupts!();
    let Some(query) = shards.first().map(|shard| shard.query()) else {
        return;
    };
    let efforts = shards.iter_mut().map(|shard| shard.first_effort()).collect();
    start_together(&*query, &mut graph_parts(shards, efforts));
    let last = last_wanted(shards, wanted);
    let efforts = shards
        .iter_mut()
        .map(|shard| shard.wider_effort(wanted, last))
        .collect();
    widen_together(&*query, &mut graph_parts(shards, efforts));
    shards.iter_mut().for_each(|shard| shard.settle_graph());
}
