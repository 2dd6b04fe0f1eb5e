//! A query whose rows are fetched some at a time, as the current user and in the statement's snapshot.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;

use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use crate::catalog::type_length;
use crate::types::bitvec::varlena_bytes;

/// Rows fetched at once.
const BATCH: std::ffi::c_long = 1000;

/// A value in a row of a query, which is not NULL. What it points to lives for `'row`.
#[derive(Clone, Copy)]
pub struct Field<'row> {
    datum: Datum,
    /// The length of values of its type, in bytes; -1 for a varlena.
    length: i16,
    row: PhantomData<&'row ()>,
}

impl<'row> Field<'row> {
    /// The bytes of a value of a varlena type.
    pub fn bytes(self) -> &'row [u8] {
        assert_eq!(self.length, -1, "the query selects a varlena here");
        // SAFETY: so PostgreSQL says. A copy of it is in the memory context of the row.
        unsafe { varlena_bytes(self.datum) }
    }

    /// The bytes of a value of a type of `N` bytes, more than eight.
    pub fn fixed<const N: usize>(self) -> [u8; N] {
        const { assert!(N > size_of::<Datum>()) };
        assert_eq!(usize::try_from(self.length), Ok(N), "the query selects {N} bytes here");
        // SAFETY: so PostgreSQL says, which passes values of that length by reference.
        unsafe { *self.datum.cast_mut_ptr() }
    }

    /// A value that is passed as a number.
    pub fn number(self) -> i64 {
        self.datum.value() as i64
    }
}

/// Runs a query and gives `each` its rows of `N` columns.
pub fn for_each_row<const N: usize>(query: &CStr, mut each: impl FnMut([Option<Field<'_>>; N])) {
    // The closure holds nothing of the session.
    Spi::connect(|_| {
        // SAFETY: inside a session of SPI; no arguments.
        let portal = unsafe {
            let (none, types, values) = (std::ptr::null(), std::ptr::null_mut(), std::ptr::null_mut());
            pg_sys::SPI_cursor_open_with_args(none, query.as_ptr(), 0, types, values, std::ptr::null(), true, 0)
        };
        let mut context = PgMemoryContexts::new("rows of a query");
        // SAFETY: the portal is open until it is closed below; each table of rows is freed once, after its rows were
        // used.
        unsafe {
            loop {
                pg_sys::SPI_cursor_fetch(portal, true, BATCH);
                let (table, count) = (pg_sys::SPI_tuptable, pg_sys::SPI_processed as usize);
                let column = |n: usize| type_length(pg_sys::SPI_gettypeid((*table).tupdesc, n as i32 + 1));
                let lengths: [i16; N] = std::array::from_fn(column);
                context.switch_to(|_| {
                    for tuple in std::slice::from_raw_parts((*table).vals, count) {
                        each(std::array::from_fn(|n| {
                            let mut is_null = false;
                            let datum = pg_sys::SPI_getbinval(*tuple, (*table).tupdesc, n as i32 + 1, &mut is_null);
                            (!is_null).then_some(Field {
                                datum,
                                length: lengths[n],
                                row: PhantomData,
                            })
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
