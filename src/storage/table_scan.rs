//! The rows of a table that an index covers, as CREATE INDEX sees them.

use std::ffi::c_void;

use iscc_log::log_page::Tid;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::log::tid_bytes;
use crate::metrics::opclass::{Comparison, comparison_of};
use crate::nodes::Node;
use crate::relation::Index;

/// What the rows are read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new index: from any place of the table on, and with a report of the progress.
    Build,
    /// A comparison with the index.
    Check,
}

struct TableScan<'a> {
    comparison: Comparison,
    purpose: Purpose,
    /// For the copies of a row that had to be fetched from elsewhere.
    memory: PgMemoryContexts,
    each: &'a mut dyn FnMut(&Tid, &[u8]),
}

/// Gives `each` the TID and the value of every row, as the log has them; of NULL, no bytes. A build raises an error for
/// a value that cannot be compared. Returns the number of rows that the table has, with those that the index does not
/// cover.
pub fn for_each_row(
    table: Index<'_>,
    index: Index<'_>,
    info: Node<'_, pg_sys::IndexInfo>,
    purpose: Purpose,
    each: &mut dyn FnMut(&Tid, &[u8]),
) -> f64 {
    let mut scan = TableScan {
        comparison: comparison_of(index),
        purpose,
        memory: PgMemoryContexts::new("usearch row"),
        each,
    };
    let builds = purpose == Purpose::Build;
    // SAFETY: both relations are open, and `info` is valid; the callback gets `scan` back.
    unsafe {
        pg_sys::table_index_build_scan(
            table.raw(),
            index.raw(),
            info.raw(),
            builds,
            builds,
            Some(give_row),
            std::ptr::from_mut(&mut scan).cast(),
            std::ptr::null_mut(),
        )
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn give_row(
    _index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut Datum,
    isnull: *mut bool,
    _tuple_is_alive: bool,
    scan: *mut c_void,
) {
    // SAFETY: table_index_build_scan passes what it was given above, and one value of the index's type. `each` keeps
    // nothing of what it is given.
    unsafe {
        let scan = &mut *scan.cast::<TableScan<'_>>();
        let (comparison, purpose, each) = (scan.comparison, scan.purpose, &mut scan.each);
        scan.memory.switch_to(|_| {
            let bytes = match purpose {
                _ if *isnull => &[][..],
                Purpose::Build => comparison.bytes(*values),
                Purpose::Check => comparison.value.bytes(*values),
            };
            each(&tid_bytes(&*tid), bytes);
        });
        scan.memory.reset();
    }
}
