//! The access method `usearch`: one file per verb.

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

mod build;
mod insert;
pub mod scan;
mod vacuum;
mod validate;

use crate::memory;
use crate::metrics::opclass::{NEAR_STRATEGY, TYPE_INFO_PROC};
use crate::planner::cost;
use crate::storage::definition;
use crate::types::sql_function;

sql_function!(
    /// Handler of the access method: describes it to PostgreSQL.
    usearch_handler, |_args| {
        let mut routine = pg_sys::IndexAmRoutine {
            type_: pg_sys::NodeTag::T_IndexAmRoutine,
            ..Default::default()
        };
        describe(&mut routine);
        Datum::from(memory::store(routine))
    }
);

fn describe(routine: &mut pg_sys::IndexAmRoutine) {
    routine.amstrategies = NEAR_STRATEGY;
    routine.amsupport = TYPE_INFO_PROC;
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
    routine.amoptions = Some(definition::amoptions);
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
