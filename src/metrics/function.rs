//! A distance that the SQL function of an operator class computes.

use std::cell::{Cell, RefCell, UnsafeCell};

use iscc_hnsw::opaque::{self, Layout};
use iscc_metrics::dense::{Scalar, key_of};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::opaque::Argument;
use super::opclass::DISTANCE_PROC;
use crate::error::report;
use crate::relation::Index;

/// Arguments of a call.
const ARGUMENTS: usize = 2;

/// Calls between two looks for interrupts. What the calls leave in memory is freed as often.
const CALLS_PER_LOOK: u32 = 32;

/// The call information that PostgreSQL's convention wants, with its arguments.
#[repr(C)]
struct Call {
    info: pg_sys::FunctionCallInfoBaseData,
    arguments: [pg_sys::NullableDatum; ARGUMENTS],
}

/// What the log has of the values that the function takes.
#[derive(Clone, Copy)]
pub enum Stored {
    /// The numbers of pgvector's types.
    Numbers(Scalar),
    /// Any value, behind its checksum.
    Opaque(Layout),
}

/// The distance function of an index's operator class. The operator calls the same function, so the order is the same.
pub struct DistanceFunction<'a> {
    index: Index<'a>,
    stored: Stored,
    /// The call changes it: the function keeps there what it wants to find again.
    function: UnsafeCell<pg_sys::FmgrInfo>,
    collation: pg_sys::Oid,
    /// Where the function's memory comes from during a call.
    memory: pg_sys::MemoryContext,
    /// The row.
    row: RefCell<Argument>,
    calls: Cell<u32>,
}

impl<'a> DistanceFunction<'a> {
    /// That of the index. What the function keeps between its calls goes to `context`.
    ///
    /// # Safety
    /// The context lives longer than this, and the index is open as long.
    pub unsafe fn new(index: Index<'a>, context: pg_sys::MemoryContext, stored: Stored) -> Self {
        let mut function = pg_sys::FmgrInfo::default();
        // SAFETY: the index is open and has one column; a context below the caller's is freed with it.
        let memory = unsafe {
            pg_sys::fmgr_info_cxt(index.support_function(DISTANCE_PROC), &mut function, context);
            let name = c"usearch distance";
            pg_sys::AllocSetContextCreateExtended(context, name.as_ptr(), 0, 8192, 1 << 23)
        };
        DistanceFunction {
            index,
            stored,
            function: UnsafeCell::new(function),
            collation: index.collation(),
            memory,
            row: RefCell::default(),
            calls: Cell::new(0),
        }
    }

    /// Whether it is a function of opaque values of this layout.
    pub fn takes(&self, layout: Layout) -> bool {
        matches!(self.stored, Stored::Opaque(own) if own == layout)
    }

    /// Makes an argument of a value as the log has it. Raises an error for a damaged one.
    pub fn prepare_stored(&self, stored: &[u8], argument: &mut Argument) {
        match self.stored {
            Stored::Numbers(scalar) => {
                // The number of dimensions, and a field that is 0.
                let dimensions = (stored.len() / scalar.bytes()) as u32;
                argument.fill_varlena([&dimensions.to_le_bytes(), stored]);
            }
            Stored::Opaque(layout) => match layout.unseal(stored) {
                Some(value) => argument.fill(layout, value),
                None => self.refuse_damaged(),
            },
        }
    }

    fn refuse_damaged(&self) -> ! {
        report(
            PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
            format!("a value in index \"{}\" does not match its checksum", self.index.name()),
        )
        .hint(format!("Rebuild the index with REINDEX INDEX {}.", self.index.name()))
        .raise()
    }

    /// The distance of a value of the log, as [`key_of`] makes a key of it. Calls the function, so the caller holds no lock of
    /// a page.
    pub fn key(&self, stored: &[u8], query: &Argument) -> u64 {
        let mut row = self.row.borrow_mut();
        self.prepare_stored(stored, &mut row);
        key_of(self.call(row.datum(), query.datum()))
    }

    /// Calls the function, in a memory context of its own. Looks for interrupts now and then.
    fn call(&self, row: Datum, query: Datum) -> f64 {
        let calls = self.calls.get().wrapping_add(1);
        self.calls.set(calls);
        if calls.is_multiple_of(CALLS_PER_LOOK) {
            pgrx::check_for_interrupts!();
            // SAFETY: only calls that are over have left something there.
            unsafe { pg_sys::MemoryContextReset(self.memory) };
        }
        let argument = |value| pg_sys::NullableDatum { value, isnull: false };
        let function = self.function.get();
        let mut call = Call {
            info: pg_sys::FunctionCallInfoBaseData {
                flinfo: function,
                fncollation: self.collation,
                nargs: ARGUMENTS as i16,
                ..Default::default()
            },
            arguments: [argument(row), argument(query)],
        };
        // SAFETY: looked up when this was made; nobody else has it.
        let Some(run) = (unsafe { (*function).fn_addr }) else {
            return f64::NAN;
        };
        // SAFETY: the function is called as the operator class declares it, with two values of its type. After an error the
        // transaction's end sets the memory context.
        let result = unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.memory);
            let result = pg_sys::ffi::pg_guard_ffi_boundary(|| run(&mut call.info));
            pg_sys::MemoryContextSwitchTo(before);
            result
        };
        if call.info.isnull {
            report(
                PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                format!("distance function of index \"{}\" has returned NULL", self.index.name()),
            )
            .detail("An index needs a distance of each two values.")
            .raise();
        }
        f64::from_bits(result.value() as u64)
    }
}

/// Distances of values that are read from shards and builders, which have checked them.
impl opaque::Distance for &DistanceFunction<'_> {
    type Query = Argument;

    fn prepare(&self, value: &[u8], query: &mut Argument) {
        if let Stored::Opaque(layout) = self.stored {
            query.fill(layout, value);
        }
    }

    fn distance(&self, row: &[u8], query: &Argument) -> f64 {
        let Stored::Opaque(layout) = self.stored else {
            return f64::NAN;
        };
        let mut argument = self.row.borrow_mut();
        argument.fill(layout, row);
        self.call(argument.datum(), query.datum())
    }
}
