//! The access method `usearch`: one file a verb.

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

mod ball_expr;
mod build;
pub mod comparison;
mod conditions;
mod cost;
mod counters;
pub mod demand;
mod exact;
pub mod explain;
mod insert;
pub mod options;
mod returned;
mod sample;
mod scan;
mod selectivity;
mod shard;
pub mod streams;
mod support;
mod vacuum;
mod validate;
mod visibility;

use crate::types::sql_function;

/// The support function of an operator class: the distance that its operator returns.
pub const DISTANCE_PROC: u16 = 1;
/// The ordering operator of an operator class.
pub const ORDER_STRATEGY: u16 = 1;
/// The search operator of an operator class, if it has one: within a radius.
pub const BALL_STRATEGY: u16 = 2;
/// The same, for a search that may be approximate where the order of its rows may be.
pub const NEAR_STRATEGY: u16 = 3;

sql_function!(
    /// Handler of the access method: describes it to PostgreSQL.
    usearch_handler, |_args| {
        // SAFETY: a node of the right size and tag, in the caller's memory context.
        unsafe {
            let routine = pg_sys::palloc0(size_of::<pg_sys::IndexAmRoutine>())
                .cast::<pg_sys::IndexAmRoutine>();
            (*routine).type_ = pg_sys::NodeTag::T_IndexAmRoutine;
            describe(&mut *routine);
            Datum::from(routine)
        }
    }
);

fn describe(routine: &mut pg_sys::IndexAmRoutine) {
    routine.amstrategies = NEAR_STRATEGY;
    routine.amsupport = DISTANCE_PROC;
    routine.amcanorderbyop = true;
    // ORDER BY needs no WHERE clause on the column.
    routine.amoptionalkey = true;
    routine.amusemaintenanceworkmem = false;
    routine.amparallelvacuumoptions = pg_sys::VACUUM_OPTION_PARALLEL_BULKDEL as u8;
    routine.amkeytype = pg_sys::InvalidOid;
    routine.ambuild = Some(build::ambuild);
    routine.ambuildempty = Some(build::ambuildempty);
    routine.aminsert = Some(insert::aminsert);
    routine.ambulkdelete = Some(vacuum::ambulkdelete);
    routine.amvacuumcleanup = Some(vacuum::amvacuumcleanup);
    routine.amcostestimate = Some(cost::amcostestimate);
    routine.amoptions = Some(options::amoptions);
    routine.ambuildphasename = Some(build::ambuildphasename);
    routine.amproperty = Some(validate::amproperty);
    routine.amvalidate = Some(validate::amvalidate);
    routine.ambeginscan = Some(scan::ambeginscan);
    routine.amrescan = Some(scan::amrescan);
    routine.amgettuple = Some(scan::amgettuple);
    routine.amgetbitmap = Some(scan::amgetbitmap);
    routine.amendscan = Some(scan::amendscan);
    crate::compat::adjust_routine(routine);
}

/// True for an index of this access method, among those that the planner knows.
fn is_usearch_info(info: &pg_sys::IndexOptInfo) -> bool {
    let estimate = info.amcostestimate.map(|f| f as *const ());
    estimate.is_some_and(|f| std::ptr::eq(f, cost::amcostestimate as *const ()))
}

/// True for an index of this access method.
pub fn is_usearch_index(relation: pg_sys::Relation) -> bool {
    // SAFETY: the caller holds the relation open; rd_indam is set for indexes only.
    unsafe {
        let kind = (*(*relation).rd_rel).relkind;
        let routine = (*relation).rd_indam;
        kind == pg_sys::RELKIND_INDEX as std::ffi::c_char
            && !routine.is_null()
            && (*routine)
                .ambuild
                .is_some_and(|f| std::ptr::fn_addr_eq(f, build::ambuild as unsafe extern "C-unwind" fn(_, _, _) -> _))
    }
}
