//! Texts, arrays, rows and sets of rows, from and to PostgreSQL.

use std::ffi::c_char;

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use crate::error::report;
use crate::nodes::{Node, functions};
use crate::types::bitvec::{Args, build, length_word};

/// A new text, bytea or bitvec with these bytes.
pub fn varlena(bytes: &[u8]) -> Datum {
    build(bytes.len(), |payload| payload.copy_from_slice(bytes))
}

/// An argument of type text, in UTF-8 whatever the database's encoding.
pub fn utf8<'call>(args: Args<'call>, n: usize) -> &'call str {
    let bytes = args.bytes(n);
    // SAFETY: reads `len` bytes and returns them, or a zero-terminated copy in the call's memory context.
    let converted = unsafe {
        let text = bytes.as_ptr().cast::<c_char>();
        let utf8 = pg_sys::pg_enc::PG_UTF8 as i32;
        let converted = pg_sys::pg_server_to_any(text, bytes.len() as i32, utf8);
        if converted.cast_const() == text {
            bytes
        } else {
            std::ffi::CStr::from_ptr(converted).to_bytes()
        }
    };
    std::str::from_utf8(converted).unwrap_or_else(|_| {
        report(
            PgSqlErrorCode::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
            "the text is not valid in UTF-8",
        )
        .raise()
    })
}

const ALIGN_INT: c_char = b'i' as c_char;

/// The elements of an argument of type text[].
pub fn texts<'call>(args: Args<'call>, n: usize) -> Vec<&'call [u8]> {
    let texts: Option<Vec<_>> = args.array(n).varlenas().into_iter().collect();
    texts.unwrap_or_else(|| {
        report(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "an array of ISCCs must not contain NULL",
        )
        .raise()
    })
}

/// A new text[].
pub fn text_array(texts: impl Iterator<Item = String>) -> Datum {
    let mut elements: Vec<Datum> = texts.map(|text| varlena(text.as_bytes())).collect();
    // SAFETY: copies `len` texts.
    let array = unsafe {
        let (first, len) = (elements.as_mut_ptr(), elements.len() as i32);
        pg_sys::construct_array(first, len, pg_sys::TEXTOID, -1, false, ALIGN_INT)
    };
    Datum::from(array)
}

/// A row of a function that returns a record by its OUT arguments.
pub fn row<const N: usize>(args: Args, mut values: [Datum; N]) -> Datum {
    let mut columns = std::ptr::null_mut();
    let mut nulls = [false; N];
    // SAFETY: SQL declares N OUT arguments, of the types of the values.
    unsafe {
        pg_sys::get_call_result_type(args.raw(), std::ptr::null_mut(), &mut columns);
        let columns = pg_sys::BlessTupleDesc(columns);
        let tuple = pg_sys::heap_form_tuple(columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        pg_sys::heap_copy_tuple_as_datum(tuple, columns)
    }
}

/// A short value of a varlena type that lives on the stack: rows are copied, so their values need no memory of
/// PostgreSQL's.
#[repr(C, align(8))]
pub struct Short([u8; Short::BYTES]);

impl Short {
    /// Room for the text of the longest unit.
    const BYTES: usize = pg_sys::VARHDRSZ + 76;

    /// A value of `len` bytes, at most 76, that `fill` writes.
    pub fn new(len: usize, fill: impl FnOnce(&mut [u8])) -> Short {
        let mut value = Short([0; Short::BYTES]);
        fill(&mut value.0[pg_sys::VARHDRSZ..pg_sys::VARHDRSZ + len]);
        value.0[..pg_sys::VARHDRSZ].copy_from_slice(&length_word(pg_sys::VARHDRSZ + len));
        value
    }

    /// A value with these bytes, at most 76.
    pub fn of(bytes: &[u8]) -> Short {
        Short::new(bytes.len(), |payload| payload.copy_from_slice(bytes))
    }

    /// Points to it.
    pub fn datum(&self) -> Datum {
        Datum::from(self.0.as_ptr())
    }
}

/// The rows of a function that returns a set of records.
pub struct Rows<'call>(Node<'call, pg_sys::ReturnSetInfo>);

functions! {
    /// Raises an error when the caller does not take sets.
    fn begin_set(args: Args<'_>, flags: u32) = InitMaterializedSRF;
}

impl<'call> Rows<'call> {
    /// Begins the set; an error when the caller does not take sets.
    pub fn begin(args: Args<'call>) -> Self {
        begin_set(args, pg_sys::MAT_SRF_USE_EXPECTED_DESC);
        Rows(args.call().set_request())
    }

    /// Adds a row of as many columns as SQL declares.
    pub fn push<const N: usize>(&mut self, values: [Datum; N]) {
        self.put(values, [false; N]);
    }

    /// The same where values may be NULL.
    pub fn push_some<const N: usize>(&mut self, values: [Option<Datum>; N]) {
        let nulls = values.map(|value| value.is_none());
        self.put(values.map(|value| value.unwrap_or(Datum::from(0))), nulls);
    }

    fn put<const N: usize>(&mut self, mut values: [Datum; N], mut nulls: [bool; N]) {
        let info = self.0.raw();
        // SAFETY: `begin` has made both; the store copies the row.
        unsafe {
            let (store, columns) = ((*info).setResult, (*info).setDesc);
            pg_sys::tuplestore_putvalues(store, columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
    }
}
