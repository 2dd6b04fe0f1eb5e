//! What an index holds.

use iscc_hnsw::shard::{CLASSES, Calibration, EFFORTS, LengthCurves};
use iscc_log::directory::{LOG_VERSION, Segment};
use iscc_metrics::dense::rows::RowKind;
use iscc_metrics::{Metric, Values};
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

use super::census::{Census, share};
use super::privileges::require_statistics;
use super::size;
use crate::relation::Index;
use crate::storage::definition::IndexOptions;
use crate::storage::directory::{self, NO_SHARD};
use crate::storage::open_segment::length_of_vectors;
use crate::storage::shard_cache::{self, MappedShard, Unusable};
use crate::storage::shard_file;

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
        name!(dead_share, Option<f64>),
        name!(code_bits, JsonB),
        name!(total_bytes, i64),
        name!(free_bytes, i64),
        name!(dimensions, Option<i32>),
        name!(rows, String),
    ),
> {
    let opened = super::open(index, pg_sys::AccessShareLock);
    let index = opened.handle();
    require_statistics(index);
    let options = IndexOptions::of(index);
    let (directory, census) = Census::take(index);
    let sealed = directory.segments().filter(|s| s.is_sealed());
    let free = i64::from(directory.free_blocks());
    let index_bytes = i64::from(index.block_count()) * i64::from(pg_sys::BLCKSZ);
    let shard_bytes = size::shard_bytes(index, &directory);
    TableIterator::once((
        census.entries,
        census.dead,
        census.nulls,
        census.tail,
        directory.segments().count() as i32,
        size::shard_ids(&directory).len() as i32,
        sealed.map(|s| i64::from(s.nodes)).sum(),
        index_bytes,
        shard_bytes,
        options.comparison.metric.name().to_string(),
        i32::from(options.m),
        i32::from(options.ef_construction),
        options.shard_bytes as i64,
        max_bits(&options),
        i32::from(LOG_VERSION),
        census.dead_share(),
        census.code_bits(options.comparison.value.checksum_bytes()),
        index_bytes + shard_bytes,
        free * i64::from(pg_sys::BLCKSZ),
        dimensions(index, &options),
        row_setting(&options).to_string(),
    ))
}

/// The longest code that the column's type allows; None if it does not say, and for vectors.
fn max_bits(options: &IndexOptions) -> Option<i32> {
    let bytes = options
        .declared_bytes
        .filter(|_| options.comparison.value.scalar().is_none());
    bytes.map(|bytes| i32::from(bytes) * 8)
}

/// Dimensions of an index's vectors; None before the first one, if the type does not say. A code has its bits instead.
fn dimensions(index: Index<'_>, options: &IndexOptions) -> Option<i32> {
    let Some(scalar) = options.comparison.value.scalar() else {
        return max_bits(options);
    };
    let stored = || length_of_vectors(&directory::read(index));
    let bytes = options.declared_bytes.map(usize::from).or_else(stored)?;
    Some((bytes / scalar.bytes()) as i32)
}

/// What shards are to keep of the values: storage parameter `rows`, or the codes themselves.
fn row_setting(options: &IndexOptions) -> &'static str {
    match options.comparison.value.scalar() {
        None => BITS,
        Some(_) => options.rows.map_or("auto", RowKind::name),
    }
}

/// The rows of codes.
const BITS: &str = "bits";

/// Dimensions and kind of a shard's rows.
fn rows_of(shard: &MappedShard) -> (i32, &'static str) {
    match shard.encoding() {
        None => (8 * i32::from(shard.max_code_bytes()), BITS),
        Some(encoding) => (encoding.dimensions() as i32, encoding.kind().name()),
    }
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
        name!(level, i16),
        name!(dead_share, Option<f64>),
        name!(calibration, Option<JsonB>),
        name!(metric, String),
        name!(dimensions, Option<i32>),
        name!(rows, Option<String>),
    ),
> {
    let opened = super::open(index, pg_sys::AccessShareLock);
    let index = opened.handle();
    require_statistics(index);
    let metric = IndexOptions::of(index).comparison.metric;
    let mut rows = Vec::new();
    for (id, segments) in directory::read(index).shards() {
        if id == NO_SHARD || !segments.iter().all(Segment::is_sealed) {
            continue;
        }
        let sum = |value: fn(&Segment) -> u32| segments.iter().map(|s| i64::from(value(s))).sum();
        let entries = sum(|s| s.entries - s.nulls.min(s.entries));
        let dead = sum(|s| s.dead);
        let path = shard_file::path(index.locator(), &id);
        let (state, shard) = match shard_cache::open(&path, &id, &segments) {
            Ok(shard) if shard.is_refused() => ("refused", Some(shard)),
            Ok(shard) => ("ok", Some(shard)),
            Err(Unusable::Missing) => ("missing", None),
            Err(Unusable::Damaged(_)) => ("damaged", None),
        };
        rows.push((
            pgrx::Uuid::from_bytes(id),
            path.display().to_string(),
            state.to_string(),
            size::file_bytes(index, &id),
            sum(|s| s.nodes),
            entries,
            dead,
            sum(|s| s.block_count),
            shard
                .as_ref()
                .map(|shard| pgrx::datum::to_timestamp(shard.built_at() as f64)),
            segments.iter().map(|s| i16::from(s.level)).max().unwrap_or(0),
            share(dead, entries),
            shard.as_ref().map(|shard| curves(shard.metric(), shard.calibration())),
            metric.name().to_string(),
            shard.as_ref().map(|shard| rows_of(shard).0),
            shard.as_ref().map(|shard| rows_of(shard).1.to_string()),
        ));
    }
    TableIterator::new(rows)
}

/// What a shard's calibration has measured: a line for each length of queries and class of distance.
fn curves(metric: Metric, calibration: &Calibration) -> JsonB {
    let line = |curves: &LengthCurves, class: usize| {
        let curve = &curves.classes[class];
        let recall = |found: u16| f64::from(found) / f64::from(curve.expected.get().max(1));
        let tried = EFFORTS.iter().zip(curve.found).filter(|(_, found)| found.get() > 0);
        let recalls: serde_json::Map<_, _> = tried
            .map(|(effort, found)| (effort.to_string(), recall(found.get()).into()))
            .collect();
        serde_json::json!({
            "bits": 8 * u32::from(curves.query_bytes.get()),
            // Only of codes are the classes distances.
            "distance_to": matches!(metric.values(), Values::Codes(_)).then(|| metric.class_end(class)),
            "queries": curve.queries.get(),
            "recall": recalls,
        })
    };
    let tried = |curves: &LengthCurves| {
        let curves = *curves;
        let classes = (0..CLASSES).filter(move |&class| curves.classes[class].queries.get() > 0);
        classes.map(move |class| line(&curves, class))
    };
    JsonB(calibration.lengths().iter().flat_map(tried).collect())
}
