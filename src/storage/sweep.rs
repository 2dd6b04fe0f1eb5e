//! Removing shard files that no index lists: left by DROP, TRUNCATE, REINDEX, rollbacks and crashes.

use std::fs::{self, File};
use std::path::Path;

use pgrx::pg_sys;

use super::directory;
use super::shard_file::{self, FileName, ShardId};
use crate::compat::{self, Locator};

/// Removes orphans of this database, of databases that are gone, and of writers that died.
/// Returns how many files went.
pub fn sweep() -> i32 {
    let Ok(entries) = fs::read_dir(shard_file::DIRECTORY) else { return 0 };
    let mut removed = 0;
    for entry in entries.flatten() {
        pgrx::check_for_interrupts!();
        let name = entry.file_name();
        let Some(parsed) = name.to_str().and_then(shard_file::parse_name) else { continue };
        if remove_orphan(&entry.path(), parsed) {
            removed += 1;
        }
    }
    removed
}

/// A file being written, or published but not yet listed, is locked by its writer. So the question
/// whether it is listed comes after the lock.
fn remove_orphan(path: &Path, name: FileName) -> bool {
    let Ok(file) = File::open(path) else { return false };
    if file.try_lock().is_err() {
        return false;
    }
    let is_orphan = match name {
        FileName::Temporary => true,
        FileName::Shard(at, id) => is_orphan(at, &id),
    };
    is_orphan && fs::remove_file(path).is_ok()
}

fn is_orphan(at: Locator, id: &ShardId) -> bool {
    // SAFETY: reads this backend's own state and the catalogs, inside a transaction.
    unsafe {
        if at.database != pg_sys::MyDatabaseId.to_u32() {
            // Other databases' relations are for their own sweeps, unless the database is gone.
            return pg_sys::get_database_name(pg_sys::Oid::from(at.database)).is_null();
        }
    }
    let relation = compat::relation_of(at);
    if relation == pg_sys::InvalidOid {
        // Dropped, or created by a transaction that we do not see: then it has a main fork.
        return main_fork_is_empty(at);
    }
    !lists(relation, at, id)
}

/// PostgreSQL truncates the main fork of a dropped relation at once and unlinks it at the next
/// checkpoint.
fn main_fork_is_empty(at: Locator) -> bool {
    let path = compat::main_fork_path(at);
    fs::metadata(path).map_or(true, |metadata| metadata.len() == 0)
}

/// True unless the relation can be looked at and does not list the id.
fn lists(relation: pg_sys::Oid, at: Locator, id: &ShardId) -> bool {
    const LOCK: i32 = pg_sys::AccessShareLock as i32;
    // SAFETY: opens and closes a relation inside a transaction; a relation that somebody holds
    // exclusively is left for the next sweep.
    unsafe {
        if !pg_sys::ConditionalLockRelationOid(relation, LOCK) {
            return true;
        }
        let index = pg_sys::try_relation_open(relation, pg_sys::NoLock as i32);
        if index.is_null() {
            pg_sys::UnlockRelationOid(relation, LOCK);
            return true;
        }
        let listed = compat::locator(index) != at
            || !crate::am::is_usearch_index(index)
            || directory::read(index).listed.iter().any(|segment| segment.shard_id == *id);
        pg_sys::relation_close(index, LOCK);
        listed
    }
}
