//! The first searches of all shards of codes.
//!
//! They run at once, so that one makes use of the time in which others wait for memory. What they find together says how far the
//! rows wanted are, and so what effort each shard needs: one that has few of them needs no more than one that has many.

use iscc_hnsw::search::{start_together, widen_together};

use super::shard_stream::{ShardStream, middle_rank};

/// The keys of what the first searches have found together.
pub struct FirstRows {
    /// Of the row that the calibrations are asked for.
    pub middle: u32,
    /// Of the last row wanted; None if fewer were found.
    pub last: Option<u32>,
}

impl FirstRows {
    fn of(shards: &[&mut ShardStream], wanted: usize) -> Self {
        let mut keys: Vec<u32> = shards.iter().flat_map(|shard| shard.keys()).collect();
        keys.sort_unstable();
        let middle = keys.get(middle_rank(wanted) - 1).or(keys.last());
        FirstRows {
            middle: middle.copied().unwrap_or(0),
            last: wanted.checked_sub(1).and_then(|at| keys.get(at)).copied(),
        }
    }
}

/// Begins the searches of these shards, whose query is the same, for so many rows together.
pub fn begin_together(shards: &mut [&mut ShardStream], wanted: usize) {
    pgrx::check_for_interrupts!();
    let efforts: Vec<Option<usize>> = shards.iter_mut().map(|shard| shard.first_effort()).collect();
    let Some(query) = shards.first().map(|shard| shard.query()) else {
        return;
    };
    let parts = shards.iter_mut().zip(efforts);
    let mut parts: Vec<_> = parts
        .filter_map(|(shard, effort)| Some(shard.graph_part(effort?)))
        .collect();
    start_together(&*query, &mut parts);
    let first = FirstRows::of(shards, wanted);
    let efforts: Vec<Option<usize>> = shards.iter_mut().map(|shard| shard.wider_effort(&first)).collect();
    let parts = shards.iter_mut().zip(efforts);
    let mut parts: Vec<_> = parts
        .filter_map(|(shard, effort)| Some(shard.graph_part(effort?)))
        .collect();
    widen_together(&*query, &mut parts);
    shards.iter_mut().for_each(|shard| shard.settle_graph());
}
