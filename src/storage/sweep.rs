//! Removing shard files that no index lists: left by crashes, by DROP DATABASE, and on a standby by what is dropped on
//! its primary. (`removal.rs` removes those of what this server drops.)

use std::fs::{self, File};
use std::path::Path;

use pgrx::pg_sys;

use super::directory;
use super::shard_file::{self, FileName, ShardId};
use crate::compat::{self, Locator};
use crate::failpoint::failpoint;
use crate::relation::OpenRelation;
use crate::server;

/// Removes orphans of this database; of other databases those whose relation's own file is gone; and what writers left
/// that died.
/// Returns how many files went.
pub fn sweep() -> i32 {
    let Ok(entries) = fs::read_dir(shard_file::DIRECTORY) else {
        return 0;
    };
    let mut removed = 0;
    for entry in entries.flatten() {
        pgrx::check_for_interrupts!();
        let name = entry.file_name();
        let Some(parsed) = name.to_str().and_then(shard_file::parse_name) else {
            continue;
        };
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
    if !is_orphan {
        return false;
    }
    failpoint!("sweep_before_unlink");
    let removed = fs::remove_file(path).is_ok();
    failpoint!("sweep_after_unlink");
    removed
}

fn is_orphan(at: Locator, id: &ShardId) -> bool {
    if at.database != crate::server::database().to_u32() {
        // Whether an index there lists it only its own sweeps can tell. A relation has its file before it has shards,
        // and keeps it for some time after it is dropped.
        let relation = compat::main_file(at);
        return relation.try_exists().is_ok_and(|exists| !exists);
    }
    match relation_of(at) {
        None => true,
        Some(relation) => !lists(relation, at, id),
    }
}

/// The relation of this database that has these files, or will have or had them if a transaction in
/// progress commits. None when there is none: dropped, or its creator did not commit.
fn relation_of(at: Locator) -> Option<pg_sys::Oid> {
    const EQ: u16 = pg_sys::BTEqualStrategyNumber as u16;
    // The catalog stores 0 for the database's default tablespace.
    let is_default = server::database_tablespace().to_u32() == at.tablespace;
    let stored = if is_default { 0 } else { at.tablespace };
    // SAFETY: an index scan of pg_class inside a transaction, closed on the way out.
    unsafe {
        let mut keys = [pg_sys::ScanKeyData::default(); 2];
        let columns = [pg_sys::Anum_pg_class_reltablespace, pg_sys::Anum_pg_class_relfilenode];
        for ((key, column), value) in keys.iter_mut().zip(columns).zip([stored, at.number]) {
            let equal = pg_sys::Oid::from(pg_sys::F_OIDEQ);
            pg_sys::ScanKeyInit(key, column as i16, EQ, equal, pg_sys::Oid::from(value).into());
        }
        // A dirty snapshot sees rows whose transaction is still in progress.
        let mut dirty = pg_sys::SnapshotData {
            snapshot_type: pg_sys::SnapshotType::SNAPSHOT_DIRTY,
            ..Default::default()
        };
        let lock = pg_sys::AccessShareLock as i32;
        let catalog = pg_sys::table_open(pg_sys::RelationRelationId, lock);
        let by_file = pg_sys::Oid::from(pg_sys::ClassTblspcRelfilenodeIndexId);
        let scan = pg_sys::systable_beginscan(catalog, by_file, true, &mut dirty, 2, keys.as_mut_ptr());
        let tuple = pg_sys::systable_getnext(scan);
        let found = (!tuple.is_null()).then(|| (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).oid);
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, lock);
        found
    }
}

/// True unless the relation can be looked at and does not list the id. A transaction in progress
/// that creates or drops it holds it exclusively: then the file stays for the next sweep.
fn lists(relation: pg_sys::Oid, at: Locator, id: &ShardId) -> bool {
    let Some(relation) = OpenRelation::try_open(relation, pg_sys::AccessShareLock) else {
        return true;
    };
    let index = relation.handle();
    if index.locator() != at {
        return true;
    }
    // The number was given to another relation since: an index, a table.
    if !super::definition::is_usearch_index(index) {
        return false;
    }
    // A standby has the files of an unlogged index from its base backup, and no use for them.
    if index.is_definition_only() {
        return false;
    }
    // If the directory is damaged, this cannot be known.
    let listed = directory::try_read(index).is_none_or(|directory| directory.lists(id));
    if !listed {
        // Were the change that dropped the file lost in a crash, the file would be wanted again.
        directory::flush(index);
    }
    listed
}
