//! A distance that the SQL function of an operator class computes.

use std::cell::{RefCell, UnsafeCell};

use iscc_metrics::dense::{Scalar, key_of};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::opclass::DISTANCE_PROC;
use crate::error::report;
use crate::relation::Index;

/// Bytes of a varlena before the numbers of pgvector's types: its length, the number of dimensions, and a field that is 0.
const HEAD_BYTES: usize = pg_sys::VARHDRSZ + 4;

/// Arguments of a call.
const ARGUMENTS: usize = 2;

/// The call information that PostgreSQL's convention wants, with its arguments.
#[repr(C)]
struct Call {
    info: pg_sys::FunctionCallInfoBaseData,
    arguments: [pg_sys::NullableDatum; ARGUMENTS],
}

/// The distance of an index's operator class from one value. The operator calls the same function, so the order is the same.
pub struct DistanceFunction {
    /// The call changes it: the function keeps there what it wants to find again.
    function: UnsafeCell<pg_sys::FmgrInfo>,
    collation: pg_sys::Oid,
    scalar: Scalar,
    query: Box<[u64]>,
    /// The other value; of 8 bytes each, to be aligned.
    other: RefCell<Vec<u64>>,
}

impl DistanceFunction {
    /// That of the index, from a value of pgvector's types, with such numbers, as the log has it. What the function keeps between its calls
    /// goes to `context`.
    ///
    /// # Safety
    /// The context lives longer than this.
    pub unsafe fn new(index: Index<'_>, context: pg_sys::MemoryContext, scalar: Scalar, query: &[u8]) -> Self {
        let mut function = pg_sys::FmgrInfo::default();
        // SAFETY: the index is open and has one column.
        let collation = unsafe {
            let procedure = pg_sys::index_getprocid(index.raw(), 1, DISTANCE_PROC);
            pg_sys::fmgr_info_cxt(procedure, &mut function, context);
            *index.data().rd_indcollation
        };
        let mut datum = Vec::new();
        fill(&mut datum, scalar, query);
        DistanceFunction {
            function: UnsafeCell::new(function),
            collation,
            scalar,
            query: datum.into(),
            other: RefCell::default(),
        }
    }

    /// The distance to another value of the log, as [`key_of`] makes a key of it. Calls the function, so the caller holds no
    /// lock of a page.
    pub fn key(&self, value: &[u8]) -> u64 {
        let mut other = self.other.borrow_mut();
        fill(&mut other, self.scalar, value);
        key_of(self.call(Datum::from(other.as_ptr()), Datum::from(self.query.as_ptr())))
    }

    fn call(&self, a: Datum, b: Datum) -> f64 {
        let argument = |value| pg_sys::NullableDatum { value, isnull: false };
        let function = self.function.get();
        let mut call = Call {
            info: pg_sys::FunctionCallInfoBaseData {
                flinfo: function,
                fncollation: self.collation,
                nargs: ARGUMENTS as i16,
                ..Default::default()
            },
            arguments: [argument(a), argument(b)],
        };
        // SAFETY: looked up when this was made; nobody else has it.
        let Some(run) = (unsafe { (*function).fn_addr }) else {
            return f64::NAN;
        };
        // SAFETY: the function is called as the operator class declares it, with two values of its type.
        let result = unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| run(&mut call.info)) };
        if call.info.isnull {
            report(
                PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                "distance function has returned NULL",
            )
            .detail("An index needs a distance of each two values.")
            .raise();
        }
        f64::from_bits(result.value() as u64)
    }
}

/// Makes `datum` the value of pgvector's type with these numbers.
fn fill(datum: &mut Vec<u64>, scalar: Scalar, numbers: &[u8]) {
    let bytes = HEAD_BYTES + numbers.len();
    datum.clear();
    datum.resize(bytes.div_ceil(8), 0);
    let dimensions = (numbers.len() / scalar.bytes()) as u16;
    // SAFETY: the vector has room for so many bytes, which are ours alone.
    unsafe {
        let start = datum.as_mut_ptr().cast::<u8>();
        pgrx::varlena::set_varsize_4b(start.cast(), bytes as i32);
        start.add(pg_sys::VARHDRSZ).cast::<u16>().write(dimensions);
        start
            .add(HEAD_BYTES)
            .copy_from_nonoverlapping(numbers.as_ptr(), numbers.len());
    }
}
