//! Functions for operators: look at an index, seal it, check it.

mod check;
mod stats;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::is_usearch_index;
use crate::am::options::IndexOptions;
use crate::error::report;
use crate::seal::{self, Inspect, Maintenance, Wait};
use crate::storage::buffer::relation_name;
use crate::storage::sweep;
use crate::storage::update::Logging;

/// An open usearch index. Closed and unlocked when dropped.
struct OpenIndex(pg_sys::Relation, pg_sys::LOCKMODE);

impl OpenIndex {
    /// Opens an index by OID; raises an error for any other kind of relation.
    fn open(oid: pg_sys::Oid, lock: u32) -> Self {
        let lock = lock as pg_sys::LOCKMODE;
        // SAFETY: opens inside a transaction; a bad OID raises an error.
        let index = OpenIndex(unsafe { pg_sys::relation_open(oid, lock) }, lock);
        if !is_usearch_index(index.0) {
            report(
                PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a usearch index", relation_name(index.0)),
            )
            .hint("Name an index that was made with USING usearch; of a partitioned index, one of its partitions' indexes.")
            .raise();
        }
        index
    }
}

impl Drop for OpenIndex {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened by us.
            unsafe { pg_sys::relation_close(self.0, self.1) };
        }
    }
}

/// Seals the tail now and rebuilds shards whose files are lost or damaged; reads every shard to find out. Returns the entries in the shards
/// built.
#[pg_extern(sql = false)]
fn usearch_seal(index: pg_sys::Oid) -> i64 {
    seal::require_primary("usearch_seal");
    // The lock of INSERT: writers go on.
    let index = OpenIndex::open(index, pg_sys::RowExclusiveLock);
    seal::require_owner(index.0);
    let _lock = Maintenance::lock(index.0, Wait::Yes);
    let options = IndexOptions::of(index.0);
    match seal::seal_all(
        index.0,
        &options,
        Inspect::Everything,
        Logging::EachChange,
        &mut |_, _| (),
    ) {
        Ok(sealed) => sealed.entries,
        Err(why) => seal::raise_io(index.0, &why),
    }
}

/// Removes shard files that no index lists. Returns how many.
#[pg_extern(sql = false)]
fn usearch_sweep() -> i32 {
    sweep::sweep()
}
