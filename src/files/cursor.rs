//! A query whose rows are fetched some at a time, as the current user and in the statement's snapshot.

use std::ffi::{CStr, CString};

use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

/// Rows fetched at once.
const BATCH: std::ffi::c_long = 1000;

/// Runs a query and gives `each` its rows of `N` columns. What the values point to lives until `each` returns.
pub fn for_each_row<const N: usize>(query: &CStr, mut each: impl FnMut([Option<Datum>; N])) {
    // The closure holds nothing of the session.
    Spi::connect(|_| {
        // SAFETY: inside a session of SPI; no arguments.
        let portal = unsafe {
            let (none, types, values) = (std::ptr::null(), std::ptr::null_mut(), std::ptr::null_mut());
            pg_sys::SPI_cursor_open_with_args(none, query.as_ptr(), 0, types, values, std::ptr::null(), true, 0)
        };
        let mut context = PgMemoryContexts::new("rows of a query");
        // SAFETY: the portal is open until it is closed below; each table of rows is freed once, after its rows were used.
        unsafe {
            loop {
                pg_sys::SPI_cursor_fetch(portal, true, BATCH);
                let (table, count) = (pg_sys::SPI_tuptable, pg_sys::SPI_processed as usize);
                context.switch_to(|_| {
                    for tuple in std::slice::from_raw_parts((*table).vals, count) {
                        each(std::array::from_fn(|n| {
                            let mut is_null = false;
                            let value = pg_sys::SPI_getbinval(*tuple, (*table).tupdesc, n as i32 + 1, &mut is_null);
                            (!is_null).then_some(value)
                        }));
                    }
                });
                context.reset();
                pg_sys::SPI_freetuptable(table);
                if count == 0 {
                    break;
                }
            }
            pg_sys::SPI_cursor_close(portal);
        }
    });
}

/// A text of the server as a query. PostgreSQL's texts have no zero bytes.
pub fn query(text: &[u8]) -> CString {
    CString::new(text).unwrap_or_default()
}
