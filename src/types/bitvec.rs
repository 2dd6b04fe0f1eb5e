//! The value: a varlena whose payload is the code, most significant bit first.

use std::ffi::CStr;
use std::marker::PhantomData;

use iscc_metrics::MAX_CODE_BYTES;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use crate::error::report;

/// The longest code in bits.
pub const MAX_BITS: usize = MAX_CODE_BYTES * 8;

/// Arguments of a version-1 call; what they point to lives as long as the call.
#[derive(Clone, Copy)]
pub struct Args<'call> {
    info: pg_sys::FunctionCallInfo,
    call: PhantomData<&'call pg_sys::FunctionCallInfo>,
}

impl<'call> Args<'call> {
    /// Wraps the call information that PostgreSQL passes.
    ///
    /// # Safety
    /// It is that of a running call of a function, and that function's SQL declaration has the arguments that are asked
    /// for, of the types they are asked as.
    pub unsafe fn new(info: &'call pg_sys::FunctionCallInfo) -> Self {
        Args {
            info: *info,
            call: PhantomData,
        }
    }

    fn argument(self, n: usize) -> &'call pg_sys::NullableDatum {
        // SAFETY: the function manager passes as many arguments as the SQL declaration has, and only those are asked for,
        // as `new` was promised.
        unsafe { &*(*self.info).args.as_ptr().add(n) }
    }

    /// The raw value of an argument.
    pub fn datum(self, n: usize) -> Datum {
        self.argument(n).value
    }

    /// True when an argument is NULL.
    pub fn is_null(self, n: usize) -> bool {
        self.argument(n).isnull
    }

    /// Makes the result of the call NULL.
    pub fn null(self) -> Datum {
        // SAFETY: the call's own information.
        unsafe { (*self.info).isnull = true };
        Datum::from(0)
    }

    /// The call's information, for PostgreSQL's functions.
    pub fn raw(self) -> pg_sys::FunctionCallInfo {
        self.info
    }

    /// An argument of type int4.
    pub fn int(self, n: usize) -> i32 {
        self.datum(n).value() as i32
    }

    /// An argument of type int8.
    pub fn bigint(self, n: usize) -> i64 {
        self.datum(n).value() as i64
    }

    /// An argument of type float8.
    pub fn float(self, n: usize) -> f64 {
        f64::from_bits(self.datum(n).value() as u64)
    }

    /// An argument of type boolean.
    pub fn boolean(self, n: usize) -> bool {
        self.datum(n).value() & 0xff != 0
    }

    /// An argument of type cstring or name.
    pub fn text(self, n: usize) -> &'call CStr {
        // SAFETY: SQL declares this argument so; both end with a zero byte.
        unsafe { CStr::from_ptr(self.datum(n).cast_mut_ptr()) }
    }

    /// An argument of a type of N bytes that is passed by reference.
    pub fn fixed<const N: usize>(self, n: usize) -> [u8; N] {
        // SAFETY: SQL declares such a type: the Datum points to N bytes.
        unsafe { *self.datum(n).cast_mut_ptr::<[u8; N]>() }
    }

    /// The bytes of an argument of type bitvec or bytea.
    pub fn bytes(self, n: usize) -> &'call [u8] {
        // SAFETY: SQL declares this argument as a varlena type. A copy of it is in the call's memory context.
        unsafe { varlena_bytes(self.datum(n)) }
    }
}

/// The payload of a varlena, decompressed and fetched from TOAST if need be.
///
/// # Safety
/// `datum` points to a varlena that lives, as the current memory context does (where a copy may have to be made), for
/// `'a`.
pub unsafe fn varlena_bytes<'a>(datum: Datum) -> &'a [u8] {
    let mut value = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller vouches for the pointer; detoasting gives a plain varlena.
    unsafe {
        if pgrx::varlena::varatt_is_1b_e(value) || pgrx::varlena::varatt_is_4b_c(value) {
            value = pg_sys::pg_detoast_datum_packed(value);
        }
        let len = pgrx::varlena::varsize_any_exhdr(value);
        std::slice::from_raw_parts(pgrx::varlena::vardata_any(value).cast(), len)
    }
}

/// A value of type float8.
pub fn float8(value: f64) -> Datum {
    // Passed by value on every platform that pgrx supports.
    Datum::from(value.to_bits())
}

/// A new bitvec in the current memory context; `fill` writes its payload of `len` bytes.
pub fn build(len: usize, fill: impl FnOnce(&mut [u8])) -> Datum {
    // SAFETY: the allocation holds the 4-byte header and `len` bytes of payload.
    let (value, payload) = unsafe {
        let value = pg_sys::palloc0(len + pg_sys::VARHDRSZ).cast::<pg_sys::varlena>();
        pgrx::varlena::set_varsize_4b(value, (len + pg_sys::VARHDRSZ) as i32);
        let payload = value.cast::<u8>().add(pg_sys::VARHDRSZ);
        (value, std::slice::from_raw_parts_mut(payload, len))
    };
    fill(payload);
    Datum::from(value)
}

/// A new value, in the current memory context, of a type of as many bytes that is passed by reference.
pub fn build_fixed(bytes: &[u8]) -> Datum {
    // SAFETY: the allocation has as many bytes.
    unsafe {
        let value = pg_sys::palloc(bytes.len()).cast::<u8>();
        value.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        Datum::from(value)
    }
}

/// A new C string of `len` bytes and the final zero in the current memory context; `fill` writes the bytes.
pub fn build_text(len: usize, fill: impl FnOnce(&mut [u8])) -> Datum {
    // SAFETY: zeroed, so it ends with a zero byte.
    let text = unsafe { pg_sys::palloc0(len + 1) }.cast::<u8>();
    // SAFETY: the allocation has more bytes than that, and is ours alone.
    fill(unsafe { std::slice::from_raw_parts_mut(text, len) });
    Datum::from(text)
}

/// A new bitvec with these bytes; raises an error when there are none or too many.
pub fn checked(bytes: &[u8]) -> Datum {
    check_len(bytes.len());
    build(bytes.len(), |payload| payload.copy_from_slice(bytes))
}

/// Raises an error unless a bitvec can have this many bytes.
pub fn check_len(bytes: usize) {
    if bytes == 0 {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "bitvec cannot be empty",
        )
        .hint("A bitvec has at least 8 bits. Use NULL for a missing code.")
        .raise();
    }
    if bytes > MAX_CODE_BYTES {
        report(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("bitvec cannot have {} bits", bytes * 8),
        )
        .detail(format!("The maximum is {MAX_BITS} bits."))
        .raise();
    }
}
