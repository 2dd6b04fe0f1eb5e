//! What the metapage and the directory say about an index, without reading its log: cheap enough to ask all the time.

use iscc_log::directory::Segment;
use iscc_log::policy;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::census::share;
use super::privileges::may_see_statistics;
use super::size;
use crate::maintenance::lock::Maintainers;
use crate::relation::{Index, OpenRelation, in_recovery};
use crate::storage::definition::{IndexOptions, is_usearch_index};
use crate::storage::directory::{self, Directory, NO_SHARD};
use crate::storage::log;
use crate::storage::{shard_cache, shard_file};

/// One row about an index; none if the current user may not know it, if its pages cannot be read here and now, or if
/// they are damaged, because a query about all indexes must return the others.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn usearch_index_summary(
    index: pg_sys::Oid,
) -> TableIterator<
    'static,
    (
        name!(log_bytes, i64),
        name!(shard_bytes, i64),
        name!(shards, i32),
        name!(unusable_shards, i32),
        name!(entries, i64),
        name!(tail_entries, i64),
        name!(dead_share, Option<f64>),
        name!(last_seal, Option<TimestampWithTimeZone>),
        name!(worker_state, String),
    ),
> {
    let Some(opened) = OpenRelation::try_open(index, pg_sys::AccessShareLock) else {
        return TableIterator::empty();
    };
    let index = opened.handle();
    let can_be_read = is_usearch_index(index) && index.is_readable() && index.block_count() > 0;
    if !can_be_read || !may_see_statistics(index) {
        return TableIterator::empty();
    }
    let Some(directory) = directory::try_read(index) else {
        return TableIterator::empty();
    };
    let shards = Shards::of(index, &directory);
    let in_shards: u64 = directory.complete().filter(|s| s.is_sealed()).map(entries_of).sum();
    let closed: u64 = directory.complete().filter(|s| !s.is_sealed()).map(entries_of).sum();
    let tail = closed + open_entries(index, &directory);
    let dead: u64 = directory.segments().map(Segment::all_dead).sum();
    let entries = (in_shards + tail) as i64;
    TableIterator::once((
        i64::from(index.block_count()) * i64::from(pg_sys::BLCKSZ),
        size::shard_bytes(index, &directory),
        shards.listed,
        shards.unusable,
        entries,
        tail as i64,
        share(dead as i64, entries),
        shards.last_seal.map(|time| pgrx::datum::to_timestamp(time as f64)),
        worker_state(index, &directory, &shards).to_string(),
    ))
}

fn entries_of(segment: &Segment) -> u64 {
    segment.entries.into()
}

/// Entries of the open segment, whose pages are full but for the last one: the only page that is read.
fn open_entries(index: Index<'_>, directory: &Directory) -> u64 {
    let Some((open, last)) = directory
        .header
        .open
        .as_ref()
        .and_then(|open| Some((open, open.last_page()?)))
    else {
        return 0;
    };
    let slots = u64::from(open.slots_per_page());
    // If the segment is not the open one any more, the page was full.
    let on_last = log::with_entries(index, open, last, |page| page.len() as u64).unwrap_or(slots);
    u64::from(open.page_count() - 1) * slots + on_last
}

/// What the files of an index's shards are like.
struct Shards {
    listed: i32,
    unusable: i32,
    /// Seconds since 1970.
    last_seal: Option<i64>,
}

impl Shards {
    fn of(index: Index<'_>, directory: &Directory) -> Self {
        let mut shards = Shards {
            listed: 0,
            unusable: 0,
            last_seal: None,
        };
        for (id, segments) in directory.shards() {
            if id == NO_SHARD {
                continue;
            }
            shards.listed += 1;
            match shard_cache::open(&shard_file::path(index.locator(), &id), &id, &segments) {
                Ok(shard) if !shard.is_refused() => {
                    shards.last_seal = shards.last_seal.max(Some(shard.built_at()));
                }
                _ => shards.unusable += 1,
            }
        }
        shards
    }
}

/// Whether the index is being maintained, or should be.
fn worker_state(index: Index<'_>, directory: &Directory, shards: &Shards) -> &'static str {
    let seal_blocks = IndexOptions::of(index).limits(index).seal_blocks;
    let is_long = !in_recovery() && policy::tail_is_due(directory.tail_blocks(), seal_blocks);
    let is_due = is_long || shards.unusable > 0;
    let who = Maintainers::of(index.oid());
    match (who.of_index, is_due, who.worker) {
        (true, _, _) => "working",
        (false, true, true) => "waiting",
        (false, true, false) => "due",
        (false, false, _) => "idle",
    }
}
