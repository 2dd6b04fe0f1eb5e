//! Functions for operators: look at an index, seal it, check it, load it into memory, measure its recall.

mod census;
mod check;
mod prewarm;
mod privileges;
mod progress;
mod recall;
mod size;
mod stats;
mod summary;

use pgrx::pg_sys;
use pgrx::prelude::*;

use self::privileges::require_owner;
use crate::error::report;
use crate::maintenance::lock::{self, AdvisoryLock, Wait};
use crate::maintenance::{self, Foreground, Inspect, Job, Stopped, WorkDone};
use crate::relation::{Index, OpenRelation, in_recovery};
use crate::storage::definition::open_index;
use crate::storage::sweep;
use crate::storage::update::Logging;

/// Opens an index by OID to read its pages; raises an error for any other kind of relation, and where there are no
/// pages.
fn open(oid: pg_sys::Oid, lock: u32) -> OpenRelation {
    let index = open_index(oid, lock);
    if index.handle().is_definition_only() {
        report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!(
                "cannot read unlogged index \"{}\" during recovery",
                index.handle().name()
            ),
        )
        .detail("A standby has the definition of an unlogged index, not its contents.")
        .raise();
    }
    index
}

/// Waits until no session changes the structure of the index, and keeps others from it.
fn lock_maintenance(index: Index<'_>) -> Option<AdvisoryLock> {
    lock::maintenance(index.oid(), Wait::Yes)
}

/// Seals the tail now and rebuilds shards whose files are lost or damaged; reads every shard to find out. Returns the
/// entries in the shards built.
#[pg_extern(sql = false)]
fn usearch_seal(index: pg_sys::Oid) -> i64 {
    maintain(index, "usearch_seal", |job| job.seal_all(Inspect::Everything)).entries
}

/// Merges all shards into as few as `shard_size` allows, without dead entries, whose space can be used again.
#[pg_extern(sql = false)]
fn usearch_compact(
    index: pg_sys::Oid,
) -> TableIterator<
    'static,
    (
        name!(shards_built, i32),
        name!(entries_built, i64),
        name!(entries_removed, i64),
        name!(bytes_freed, i64),
    ),
> {
    let done = maintain(index, "usearch_compact", |job| job.compact());
    let freed = done.freed_blocks * i64::from(pg_sys::BLCKSZ);
    TableIterator::once((done.shards as i32, done.entries, done.removed, freed))
}

/// Runs maintenance for an index's owner.
fn maintain(
    index: pg_sys::Oid,
    function: &str,
    work: impl FnOnce(&mut Job<'_>) -> Result<WorkDone, Stopped>,
) -> WorkDone {
    require_primary(function);
    require_owner(open(index, pg_sys::AccessShareLock).handle());
    // The lock of INSERT: writers go on.
    let opened = open(index, pg_sys::RowExclusiveLock);
    let index = opened.handle();
    let _lock = lock_maintenance(index);
    let mut watcher = Foreground;
    let mut job = Job::foreground(index, Logging::EachChange, &mut watcher);
    work(&mut job).unwrap_or_else(|why| maintenance::raise(index, why))
}

/// Removes shard files that no index lists. Returns how many.
#[pg_extern(sql = false)]
fn usearch_sweep() -> i32 {
    sweep::sweep()
}

/// Raises an error unless the server can write.
fn require_primary(function: &str) {
    if in_recovery() {
        report(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            format!("cannot execute {function}() during recovery"),
        )
        .raise();
    }
}
