//! How much disk space an index takes.

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::privileges::require_size;
use crate::relation::Index;
use crate::storage::directory::{self, Directory, NO_SHARD};
use crate::storage::shard_file::{self, ShardId};

/// Bytes of the index: all forks of the relation, as `pg_total_relation_size` counts them, and its shard files.
#[pg_extern(sql = false)]
fn usearch_total_size(index: pg_sys::Oid) -> i64 {
    let opened = super::open_index(index, pg_sys::AccessShareLock);
    let open = opened.handle();
    require_size(open);
    // SAFETY: a function of SQL with its one argument; the relation stays open.
    let forks = unsafe { pgrx::direct_function_call::<i64>(pg_sys::pg_table_size, &[index.into_datum()]) };
    let shards = if can_have_shards(open) {
        shard_bytes(open, &directory::read(open))
    } else {
        0
    };
    forks.unwrap_or(0) + shards
}

/// False for an index that has no shards or whose directory cannot be read here: a sum over all indexes must not fail
/// because of another session's temporary table, or an unlogged one on a standby.
fn can_have_shards(index: Index<'_>) -> bool {
    !index.is_temporary() && !index.is_definition_only() && index.block_count() > 0
}

/// The shards that the directory lists.
pub fn shard_ids(directory: &Directory) -> Vec<ShardId> {
    let shards = directory.shards().into_iter().map(|(id, _)| id);
    shards.filter(|id| *id != NO_SHARD).collect()
}

/// Bytes of the shard files that there are.
pub fn shard_bytes(index: Index<'_>, directory: &Directory) -> i64 {
    let ids = shard_ids(directory);
    ids.iter().filter_map(|id| file_bytes(index, id)).sum()
}

/// Bytes of a shard's file; None when it is missing.
pub fn file_bytes(index: Index<'_>, id: &ShardId) -> Option<i64> {
    let metadata = std::fs::metadata(shard_file::path(index.locator(), id)).ok()?;
    i64::try_from(metadata.len()).ok()
}
