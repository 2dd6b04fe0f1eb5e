//! What an index holds.

use iscc_hnsw::directory::{STATE_CLOSED, Segment};
use iscc_hnsw::distance::Metric;
use iscc_hnsw::log_page::is_alive;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::OpenIndex;
use crate::am::options::IndexOptions;
use crate::compat::locator;
use crate::seal::{self, NO_SHARD};
use crate::storage::buffer::block_count;
use crate::storage::directory;
use crate::storage::log;
use crate::storage::shard_cache::{self, Unusable};
use crate::storage::shard_file::{self, ShardId};

/// Entries of segments.
#[derive(Default)]
struct Entries {
    all: i64,
    dead: i64,
    nulls: i64,
}

/// Counts by reading the pages: for segments whose directory entry does not know yet.
fn count(index: pg_sys::Relation, segment: &Segment, total: &mut Entries) {
    log::for_each_page(index, segment, |_, page| {
        total.all += page.len() as i64;
        for slot in 0..page.len() {
            if page.code_len(slot) == 0 {
                total.nulls += 1;
            } else if !page.tid(slot).is_some_and(|tid| is_alive(&tid)) {
                total.dead += 1;
            }
        }
    });
}

/// One row about an index.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn usearch_index_stats(
    index: pg_sys::Oid,
) -> TableIterator<
    'static,
    (
        name!(entries, i64),
        name!(dead_entries, i64),
        name!(null_entries, i64),
        name!(tail_entries, i64),
        name!(segments, i32),
        name!(shards, i32),
        name!(distinct_codes, i64),
        name!(index_bytes, i64),
        name!(shard_bytes, i64),
        name!(metric, String),
        name!(m, i32),
        name!(ef_construction, i32),
        name!(shard_size, i64),
        name!(max_bits, Option<i32>),
        name!(format_version, i32),
    ),
> {
    let index = OpenIndex::open(index, pg_sys::AccessShareLock);
    let relation = index.0;
    let options = IndexOptions::of(relation);
    let directory = directory::read(relation);
    let (mut sealed, mut tail) = (Entries::default(), Entries::default());
    let mut nodes = 0;
    for segment in directory.segments() {
        if directory::is_sealed(segment) {
            sealed.all += i64::from(segment.entries.get());
            sealed.dead += i64::from(segment.dead.get());
            sealed.nulls += i64::from(segment.nulls.get());
            nodes += i64::from(segment.nodes.get());
        } else {
            count(relation, segment, &mut tail);
        }
    }
    let shards: Vec<ShardId> = seal::shards(&directory)
        .into_iter()
        .map(|(id, _)| id)
        .filter(|id| *id != NO_SHARD)
        .collect();
    let shard_bytes: u64 = shards.iter().map(|id| file_bytes(relation, id).unwrap_or(0)).sum();
    let metric = match options.metric {
        Metric::Nphd => "nphd",
        Metric::Jaccard => "jaccard",
    };
    let max_bytes = i32::from(options.max_code_bytes);
    TableIterator::once((
        sealed.all + tail.all,
        sealed.dead + tail.dead,
        sealed.nulls + tail.nulls,
        tail.all,
        directory.segments().count() as i32,
        shards.len() as i32,
        nodes,
        i64::from(block_count(relation)) * i64::from(pg_sys::BLCKSZ),
        shard_bytes as i64,
        metric.to_string(),
        i32::from(options.m),
        i32::from(options.ef_construction),
        options.shard_bytes as i64,
        (max_bytes > 0).then_some(max_bytes * 8),
        i32::from(directory.header.version.get()),
    ))
}

fn file_bytes(index: pg_sys::Relation, id: &ShardId) -> Option<u64> {
    std::fs::metadata(shard_file::path(locator(index), id))
        .ok()
        .map(|m| m.len())
}

/// One row for each shard.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn usearch_shards(
    index: pg_sys::Oid,
) -> TableIterator<
    'static,
    (
        name!(shard_id, pgrx::Uuid),
        name!(file, String),
        name!(state, String),
        name!(bytes, Option<i64>),
        name!(nodes, i64),
        name!(entries, i64),
        name!(dead, i64),
        name!(blocks, i64),
        name!(built_at, Option<TimestampWithTimeZone>),
    ),
> {
    let index = OpenIndex::open(index, pg_sys::AccessShareLock);
    let relation = index.0;
    let mut rows = Vec::new();
    for (id, segments) in seal::shards(&directory::read(relation)) {
        if id == NO_SHARD || segments.iter().any(|s| s.state == STATE_CLOSED) {
            continue;
        }
        let sum = |value: fn(&Segment) -> u32| segments.iter().map(|s| i64::from(value(s))).sum();
        let path = shard_file::path(locator(relation), &id);
        let (state, built_at) = match shard_cache::open(&path, &id, &segments) {
            Ok(shard) => ("ok", Some(pgrx::datum::to_timestamp(shard.built_at() as f64))),
            Err(Unusable::Missing) => ("missing", None),
            Err(Unusable::Damaged(_)) => ("damaged", None),
        };
        rows.push((
            pgrx::Uuid::from_bytes(id),
            path.display().to_string(),
            state.to_string(),
            file_bytes(relation, &id).map(|bytes| bytes as i64),
            sum(|s| s.nodes.get()),
            sum(|s| s.entries.get() - s.nulls.get().min(s.entries.get())),
            sum(|s| s.dead.get()),
            sum(|s| s.block_count.get()),
            built_at,
        ));
    }
    TableIterator::new(rows)
}
