//! Structural check: log, directory, shard files, and the table if asked.

use std::collections::HashMap;
use std::ops::Range;

use iscc_hnsw::shard::ranges::locate;
use iscc_log::directory::Segment;
use iscc_log::log_page::{Tid, is_alive};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::privileges::require_owner;
use crate::catalog;
use crate::error::{check_for_interrupts, report};
use crate::metrics::opclass::comparison_of;
use crate::nodes::{Node, functions};
use crate::owner::{SearchPath, as_owner};
use crate::relation::{Index, OpenRelation, in_recovery};
use crate::storage::definition::IndexOptions;
use crate::storage::directory::{self, Directory, META_BLOCK, NO_SHARD};
use crate::storage::log::{self, Mismatch, block_and_offset};
use crate::storage::shard_cache::{self, MappedShard, Unusable};
use crate::storage::shard_file::{self, ShardId};
use crate::storage::table::TableExtent;
use crate::storage::table_scan::{Purpose, for_each_row};
use crate::version;

/// Problems found, each with the part of the index that has it.
#[derive(Default)]
struct Problems(Vec<(String, String)>);

impl Problems {
    fn add(&mut self, part: impl Into<String>, problem: impl Into<String>) {
        self.0.push((part.into(), problem.into()));
    }
}

/// Checks an index; no rows: no problems. With `heap`, also that the log has every row of the
/// table: that locks out writers meanwhile.
#[pg_extern(sql = false)]
fn usearch_check(
    index: pg_sys::Oid,
    heap: bool,
) -> TableIterator<'static, (name!(part, String), name!(problem, String))> {
    // Only the owner of an index may lock its table through it.
    require_owner(super::open(index, pg_sys::AccessShareLock).handle());
    if heap && in_recovery() {
        report(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            "cannot check an index against its table during recovery",
        )
        .detail("The check needs a lock on the table that cannot be taken on a standby.")
        .hint("Omit the second argument, or run the check on the primary.")
        .raise();
    }
    if let Some(mismatch) = version::mismatch() {
        mismatch.warn();
    }
    let lock = if heap {
        pg_sys::ShareLock
    } else {
        pg_sys::AccessShareLock
    };
    let table = lock_table(index, lock);
    let opened = super::open(index, pg_sys::AccessShareLock);
    let index = opened.handle();
    let _lock = super::lock_maintenance(index);
    let problems = loop {
        match check(index, table.as_ref().filter(|_| heap).map(OpenRelation::handle)) {
            Ok(problems) => break problems,
            // Replay on a standby does not ask for locks.
            Err(mismatch) => mismatch.confirm(index),
        }
    };
    TableIterator::new(problems.0)
}

fn check(index: Index<'_>, table: Option<Index<'_>>) -> Result<Problems, Mismatch> {
    let mut problems = Problems::default();
    let directory = directory::read(index);
    if directory.header.metric != IndexOptions::of(index).metric_code() {
        problems.add(
            "metapage",
            "the index was built for a different distance than that of its operator class",
        );
    }
    check_directory(index, &directory, &mut problems);
    check_log(index, &directory, &mut problems)?;
    for (id, segments) in directory.shards() {
        if segments.iter().all(Segment::is_sealed) && id != NO_SHARD {
            check_shard(index, &id, &segments, &mut problems)?;
        }
    }
    if let Some(table) = table {
        check_heap(table, index, &directory, &mut problems)?;
    }
    Ok(problems)
}

/// Opens the index's table under this lock.
fn lock_table(index: pg_sys::Oid, lock: u32) -> Option<OpenRelation> {
    let mut table = OpenRelation::open(catalog::table_of_index(index, false), lock)?;
    table.keep_lock();
    Some(table)
}

fn check_directory(index: Index<'_>, directory: &Directory, problems: &mut Problems) {
    let used = directory.header.used_blocks;
    if used > index.block_count() {
        problems.add(
            "directory",
            format!("{used} blocks are in use, but only {} exist", index.block_count()),
        );
    }
    // Each block but the metapage belongs to one segment, to the free ones, or to the directory.
    let segments = directory.listed.iter().map(Segment::blocks);
    let mut ranges: Vec<Range<u32>> = segments
        .chain(directory.open_room())
        .chain(directory.pages().map(|block| block..block + 1))
        .collect();
    ranges.sort_unstable_by_key(|blocks| (blocks.start, blocks.end));
    let mut expected = META_BLOCK + 1;
    for blocks in ranges {
        if blocks.start < expected {
            problems.add("directory", format!("block {} is used twice", blocks.start));
        } else if blocks.start > expected {
            problems.add(
                "directory",
                format!("nothing uses blocks {expected} to {}", blocks.start - 1),
            );
        }
        expected = expected.max(blocks.end);
    }
    if expected != used {
        problems.add(
            "directory",
            format!("block {expected} should be the first unused one, not {used}"),
        );
    }
}

fn check_log(index: Index<'_>, directory: &Directory, problems: &mut Problems) -> Result<(), Mismatch> {
    let mut extent = TableExtent::of(index);
    let value = comparison_of(index).value;
    for segment in directory.segments() {
        let mut entries = 0;
        log::for_each_page(index, segment, |block, page| {
            entries += page.len() as u32;
            let mut beyond = Vec::new();
            for slot in 0..page.len() {
                let tid = page.tid(slot).filter(is_alive);
                if let Some(tid) = tid.filter(|tid| !extent.has_room_for(index, tid)) {
                    beyond.push(format!(
                        "entry {slot} points to row {}, which is beyond the table",
                        show(&tid)
                    ));
                }
            }
            let is_changed = |&slot: &usize| page.code(slot).is_some_and(|stored| !value.is_sound(stored));
            let changed = (0..page.len()).filter(is_changed);
            let changed = changed.map(|slot| format!("the value of entry {slot} does not match its checksum"));
            for problem in page.problems().into_iter().chain(beyond).chain(changed) {
                problems.add(format!("block {block}"), problem);
            }
        })?;
        if segment.is_sealed() && entries != segment.entries {
            problems.add(
                format!("segment at block {}", segment.start_block),
                format!("has {entries} entries, but the directory says {}", segment.entries),
            );
        }
    }
    Ok(())
}

fn check_shard(index: Index<'_>, id: &ShardId, segments: &[Segment], problems: &mut Problems) -> Result<(), Mismatch> {
    let path = shard_file::path(index.locator(), id);
    let part = format!("shard {}", shard_file::hex(id));
    let shard = match shard_cache::open(&path, id, segments) {
        Ok(shard) => shard,
        Err(why) => {
            match why {
                Unusable::Missing => problems.add(part, "file is missing"),
                Unusable::Damaged(why) => problems.add(part, format!("file is damaged: {why}")),
            }
            return Ok(());
        }
    };
    for problem in shard.verify(&check_for_interrupts) {
        problems.add(part.clone(), problem);
    }
    if shard.is_refused() {
        return Ok(());
    }
    check_postings(index, &shard, segments, &part, problems)
}

/// Whether a node stands for a value of the log: has the same code, or the row that is derived from the vector, for
/// which `row` is a buffer.
fn is_row_of(shard: &MappedShard, node: u32, value: &[u8], row: &mut Vec<u8>) -> bool {
    if shard.value_layout().is_some() {
        return shard.stored_value(node) == Some(value);
    }
    let Some(encoding) = shard.encoding() else {
        return shard.code(node) == Some(value);
    };
    row.clear();
    encoding.encode(value, row);
    shard.row(node) == Some(row)
}

/// Every posting must point to an entry with the node's value, and every entry alive must be posted.
fn check_postings(
    index: Index<'_>,
    shard: &MappedShard,
    segments: &[Segment],
    part: &str,
    problems: &mut Problems,
) -> Result<(), Mismatch> {
    let ranges = shard.ranges();
    let mut posted: HashMap<(u32, u16), u32> = HashMap::new();
    for node in 0..shard.nodes() {
        pgrx::check_for_interrupts!();
        for ordinal in shard.postings(node) {
            match locate(&ranges, ordinal) {
                None => problems.add(
                    part,
                    format!("node {node} posts ordinal {ordinal} outside its segments"),
                ),
                Some(at) if posted.insert(at, node).is_some() => {
                    problems.add(part, format!("block {} slot {} is posted twice", at.0, at.1));
                }
                Some(_) => {}
            }
        }
    }
    let mut row = Vec::new();
    for segment in segments {
        log::for_each_page(index, segment, |block, page| {
            for slot in 0..page.len() {
                let alive = page.tid(slot).is_some_and(|tid| is_alive(&tid));
                let Some(value) = page.code(slot) else { continue };
                match posted.remove(&(block, slot as u16)) {
                    Some(node) if !is_row_of(shard, node, value, &mut row) => {
                        problems.add(
                            part,
                            format!("node {node} and block {block} slot {slot} have different values"),
                        );
                    }
                    None if alive => {
                        problems.add(part, format!("block {block} slot {slot} is alive but not posted"));
                    }
                    _ => {}
                }
            }
        })?;
    }
    for ((block, slot), node) in posted {
        problems.add(
            part,
            format!("node {node} posts block {block} slot {slot}, which has no code"),
        );
    }
    Ok(())
}

fn check_heap(
    table: Index<'_>,
    index: Index<'_>,
    directory: &Directory,
    problems: &mut Problems,
) -> Result<(), Mismatch> {
    let mut log_entries: HashMap<Tid, Vec<u8>> = HashMap::new();
    let mut twice = Vec::new();
    for segment in directory.segments() {
        log::for_each_page(index, segment, |_, page| {
            for slot in 0..page.len() {
                let Some(tid) = page.tid(slot).filter(is_alive) else {
                    continue;
                };
                let code = page.code(slot).unwrap_or_default().to_vec();
                if log_entries.insert(tid, code).is_some() {
                    twice.push(tid);
                }
            }
        })?;
    }
    for tid in twice {
        problems.add("log", format!("row {} has two entries", show(&tid)));
    }
    as_owner(index, SearchPath::AsReindex, || {
        for_each_row(table, index, info_of(index), Purpose::Check, &mut |tid, value| {
            let problem = match log_entries.get(tid) {
                None => "is not in the log",
                Some(logged) if logged != value => "has a different value in the log",
                Some(_) => return,
            };
            problems.add("log", format!("row {} {problem}", show(tid)));
        });
    });
    Ok(())
}

functions! {
    fn info_of<'a>(index: Index<'a>) -> Node<'a, pg_sys::IndexInfo> = BuildIndexInfo;
}

fn show(tid: &Tid) -> String {
    let (block, offset) = block_and_offset(tid);
    format!("({block},{offset})")
}
