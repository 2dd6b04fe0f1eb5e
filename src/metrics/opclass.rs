//! What an operator class of the access method says.

use iscc_metrics::Metric;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::report;
use crate::relation::Index;
use crate::types::distance::{jaccard_distance, nphd_distance, prefix_hamming_distance};

/// The support function of an operator class: the distance that its operator returns.
pub const DISTANCE_PROC: u16 = 1;
/// The ordering operator of an operator class.
pub const ORDER_STRATEGY: u16 = 1;
/// The search operator of an operator class, if it has one: within a radius.
pub const BALL_STRATEGY: u16 = 2;
/// The same, for a search that may be approximate where the order of its rows may be.
pub const NEAR_STRATEGY: u16 = 3;

/// The distance that an index is ordered by.
pub fn metric_of(index: Index<'_>) -> Metric {
    // SAFETY: the index is open, and has at least one column; PostgreSQL has looked up its support functions.
    let function = unsafe { pg_sys::index_getprocid(index.raw(), 1, DISTANCE_PROC) };
    // SAFETY: as above.
    let opcintype = unsafe { *index.data().rd_opcintype };
    metric_of_function(function, opcintype).unwrap_or_else(|| {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
            format!("operator class of index \"{}\" is not supported", index.name()),
        )
        .detail("Its support function 1 is not a distance of bitvec that usearch knows.")
        .hint("Use bitvec_nphd_ops, bitvec_jaccard_ops or bitvec_hamming_ops.")
        .raise()
    })
}

/// The distance that a support function computes for values of a type. None for a function that is not ours, or that
/// was declared for another type: it would take any bytes for codes.
pub fn metric_of_function(function: pg_sys::Oid, opcintype: pg_sys::Oid) -> Option<Metric> {
    if function == pg_sys::InvalidOid {
        return None;
    }
    // SAFETY: looks up a function of the catalog; raises an error when there is none.
    let address = unsafe {
        let (mut types, mut count) = (std::ptr::null_mut(), 0);
        pg_sys::get_func_signature(function, &mut types, &mut count);
        let types = std::slice::from_raw_parts(types, count.max(0) as usize);
        if types.iter().any(|&declared| declared != opcintype) {
            return None;
        }
        let mut info = pg_sys::FmgrInfo::default();
        pg_sys::fmgr_info(function, &mut info);
        info.fn_addr
    };
    metric_of_address(address)
}

/// Which distance an operator class's support function computes; None for one that is not ours.
pub fn metric_of_address(address: pgrx::pg_sys::PGFunction) -> Option<Metric> {
    let address = address? as *const ();
    if std::ptr::eq(address, nphd_distance as *const ()) {
        Some(Metric::Nphd)
    } else if std::ptr::eq(address, jaccard_distance as *const ()) {
        Some(Metric::Jaccard)
    } else if std::ptr::eq(address, prefix_hamming_distance as *const ()) {
        Some(Metric::Hamming)
    } else {
        None
    }
}

/// Where a function's code is.
///
/// # Safety
/// The function exists.
pub unsafe fn address_of(function: pg_sys::Oid) -> pg_sys::PGFunction {
    let mut info = pg_sys::FmgrInfo::default();
    // SAFETY: as the caller says.
    unsafe { pg_sys::fmgr_info(function, &mut info) };
    info.fn_addr
}
