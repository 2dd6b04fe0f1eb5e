//! INSERT: one entry at the end of the log.

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use crate::maintenance;
use crate::relation::Index;
use crate::storage::definition::IndexOptions;
use crate::storage::log::{Appender, tid_bytes};
use crate::storage::update::Logging;

/// Adds a row to the index. Never waits for a build; takes a page lock for the time of a memcpy.
#[pg_guard]
pub unsafe extern "C-unwind" fn aminsert(
    index: pg_sys::Relation,
    values: *mut Datum,
    isnull: *mut bool,
    heap_tid: pg_sys::ItemPointer,
    _heap: pg_sys::Relation,
    _check_unique: pg_sys::IndexUniqueCheck::Type,
    _index_unchanged: bool,
    index_info: *mut pg_sys::IndexInfo,
) -> bool {
    // SAFETY: PostgreSQL holds the index open while it inserts; what it keeps about it is its own, for the statement.
    let (index, appender) = unsafe {
        let index = Index::from_raw(index);
        (index, appender(index, index_info))
    };
    let comparison = appender.comparison;
    // SAFETY: PostgreSQL passes one value of the indexed type and a valid TID.
    let (value, tid) = unsafe {
        let value = if *isnull { &[][..] } else { comparison.bytes(*values) };
        (value, tid_bytes(&*heap_tid))
    };
    appender.append(index, value, &tid, || IndexOptions::of(index).limits(index));
    if let Some(grown) = appender.grown() {
        maintenance::after_growth(index, grown);
    }
    // We do not enforce uniqueness.
    false
}

/// The appender of this statement, which knows where the last row went.
unsafe fn appender<'a>(index: Index<'_>, index_info: *mut pg_sys::IndexInfo) -> &'a mut Appender {
    // SAFETY: ii_AmCache is ours alone; the allocation lives as long as index_info. An appender owns nothing to drop.
    unsafe {
        let cache = &mut (*index_info).ii_AmCache;
        if cache.is_null() {
            const { assert!(!std::mem::needs_drop::<Appender>()) };
            *cache = pg_sys::MemoryContextAlloc((*index_info).ii_Context, size_of::<Appender>());
            cache
                .cast::<Appender>()
                .write(Appender::new(index, Logging::EachChange));
        }
        &mut *cache.cast::<Appender>()
    }
}
