//! Shard files go with their relation: at the commit of the transaction that drops or rewrites it, at the rollback of
//! the one that made it.
//!
//! PostgreSQL keeps a list of the relation files that it will remove at the end of a transaction, whatever the
//! statement was: DROP, TRUNCATE, REINDEX, a rewrite, a rollback. Its entries name our files, too. What a crash leaves,
//! the sweep removes, and on a standby what the primary drops.

use std::cell::RefCell;
use std::ffi::c_void;
use std::fs;

use pgrx::pg_sys::{self, SubXactEvent, XactEvent};
use pgrx::prelude::*;

use super::shard_cache;
use super::shard_file::{self, FileName};
use crate::compat::{self, Locator};

thread_local! {
    /// Relation files that will be gone when this transaction has committed.
    static GONE_AT_COMMIT: RefCell<Vec<Locator>> = const { RefCell::new(Vec::new()) };
}

/// Has the ends of transactions watched; called when the library is loaded.
pub fn register() {
    // SAFETY: called from _PG_init; the functions live as long as the backend.
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_transaction_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(at_subtransaction_end), std::ptr::null_mut());
    }
    shard_cache::watch_relations();
}

#[pg_guard]
unsafe extern "C-unwind" fn at_transaction_end(event: XactEvent::Type, _argument: *mut c_void) {
    match event {
        // Asked before the commit: it allocates, and after the commit nothing may fail.
        XactEvent::XACT_EVENT_PRE_COMMIT => {
            let gone = compat::files_to_be_removed(true);
            GONE_AT_COMMIT.with_borrow_mut(|list| *list = gone);
        }
        XactEvent::XACT_EVENT_COMMIT => remove(&GONE_AT_COMMIT.take()),
        XactEvent::XACT_EVENT_ABORT => {
            GONE_AT_COMMIT.take();
            remove(&compat::files_to_be_removed(false));
        }
        // Any session may end a prepared transaction: its files are left to the sweep.
        XactEvent::XACT_EVENT_PREPARE => drop(GONE_AT_COMMIT.take()),
        _ => {}
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_subtransaction_end(
    event: SubXactEvent::Type,
    _own: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    if event == SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        remove(&compat::files_to_be_removed(false));
    }
}

/// Removes the shard files of these relation files. Raises no error: the transaction has ended. What cannot be removed
/// is left to the sweep.
fn remove(relations: &[Locator]) {
    if relations.is_empty() {
        return;
    }
    let Ok(entries) = fs::read_dir(shard_file::DIRECTORY) else {
        return;
    };
    let mut removed = false;
    for entry in entries.flatten() {
        if let Some(FileName::Shard(at, _)) = entry.file_name().to_str().and_then(shard_file::parse_name)
            && relations.contains(&at)
        {
            removed |= fs::remove_file(entry.path()).is_ok();
        }
    }
    if removed {
        shard_cache::forget_missing();
    }
}
