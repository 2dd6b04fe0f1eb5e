//! The value: a varlena whose payload is the code, most significant bit first.

use std::ffi::CStr;

use iscc_metrics::MAX_CODE_BYTES;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::prelude::*;

use super::array::SqlArray;
use crate::error::report;
use crate::memory::allocate;
use crate::nodes::{Argument, Array, Node, View, views};

/// The longest code in bits.
pub const MAX_BITS: usize = MAX_CODE_BYTES * 8;

/// Arguments of a version-1 call; what they point to lives as long as the call.
#[derive(Clone, Copy)]
pub struct Args<'call> {
    info: Node<'call, pg_sys::FunctionCallInfoBaseData>,
}

views! {
    FunctionCallInfoBaseData {
        arguments: Array<'a, pg_sys::NullableDatum> = |call| (call.args.as_ptr().cast_mut(), call.nargs.into());
        /// The function that is called.
        function: Node<'a, pg_sys::FmgrInfo> = |call| call.flinfo;
        /// What the caller of a function that returns a set wants.
        set_request: Node<'a, pg_sys::ReturnSetInfo> = |call| call.resultinfo.cast();
        <- set_is_null: bool = |call| call.isnull;
    }
    FmgrInfo {
        oid: Oid = |function| function.fn_oid;
    }
}

/// For PostgreSQL's functions.
impl Argument<pg_sys::FunctionCallInfo> for Args<'_> {
    fn to_raw(self) -> pg_sys::FunctionCallInfo {
        self.info.raw()
    }
}

impl<'call> Args<'call> {
    /// Wraps the call information that PostgreSQL passes.
    ///
    /// # Safety
    /// It is that of a running call of a function, and that function's SQL declaration has the arguments that are asked
    /// for, of the types they are asked as.
    pub unsafe fn new(info: &'call pg_sys::FunctionCallInfo) -> Self {
        // SAFETY: as the caller says.
        let info = unsafe { View::view(*info) };
        Args { info }
    }

    /// The call.
    pub fn call(self) -> Node<'call, pg_sys::FunctionCallInfoBaseData> {
        self.info
    }

    fn argument(self, n: usize) -> pg_sys::NullableDatum {
        self.info.arguments().get(n).expect("the function has this argument")
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
        self.info.set_is_null(true);
        Datum::from(0)
    }

    /// The call's information.
    pub fn raw(self) -> pg_sys::FunctionCallInfo {
        self.info.raw()
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

    /// An argument of type internal: what PostgreSQL passes a pointer to.
    pub fn view<T, V: View<Raw = *mut T>>(self, n: usize) -> V {
        // SAFETY: only PostgreSQL calls functions with such an argument, for this call.
        unsafe { V::view(self.datum(n).cast_mut_ptr()) }
    }

    /// An argument of an array type.
    pub fn array(self, n: usize) -> SqlArray<'call> {
        // SAFETY: SQL declares this argument so. A copy of it is in the call's memory context.
        unsafe { SqlArray::of(self.datum(n)) }
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

/// The word that a varlena of this many bytes, with the word itself, begins with.
pub fn length_word(bytes: usize) -> [u8; pg_sys::VARHDRSZ] {
    // Two bits, the first ones in memory, tell this form from shorter and compressed ones.
    let bytes = bytes as u32;
    let word = if cfg!(target_endian = "little") {
        bytes << 2
    } else {
        bytes
    };
    word.to_ne_bytes()
}

/// A new bitvec in the current memory context; `fill` writes its payload of `len` bytes.
pub fn build(len: usize, fill: impl FnOnce(&mut [u8])) -> Datum {
    let bytes = pg_sys::VARHDRSZ + len;
    Datum::from(allocate(bytes, |value| {
        let (word, payload) = value.split_at_mut(pg_sys::VARHDRSZ);
        word.copy_from_slice(&length_word(bytes));
        fill(payload);
    }))
}

/// A new value, in the current memory context, of a type of as many bytes that is passed by reference.
pub fn build_fixed(bytes: &[u8]) -> Datum {
    Datum::from(allocate(bytes.len(), |value| value.copy_from_slice(bytes)))
}

/// A new C string of `len` bytes and the final zero in the current memory context; `fill` writes the bytes.
pub fn build_text(len: usize, fill: impl FnOnce(&mut [u8])) -> Datum {
    Datum::from(allocate(len + 1, |text| fill(&mut text[..len])))
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
