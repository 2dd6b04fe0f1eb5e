//! What the planner hears.

use iscc_hnsw::cost::{first_rows_ns, more_rows_ns};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::compat;
use crate::guc;

/// Nanoseconds of one unit of planner cost. A sequential scan of 110,308 codes with a filter that no row passes costs
/// 2,490 units and takes 5.0 ms, the ten nearest by a sort 4,600 and 11.6 ms, all by a sort 13,340 and 27 ms.
const NS_PER_COST_UNIT: f64 = 2_200.0;

/// What a search is taken to need before it is known.
const USUAL_EFFORT: usize = 64;
const USUAL_QUERY_BYTES: usize = 32;

/// Costs of an index path. Only ordered scans are offered; for others the cost is infinite.
#[pg_guard]
pub unsafe extern "C-unwind" fn amcostestimate(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    _loop_count: f64,
    startup_cost: *mut pg_sys::Cost,
    total_cost: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: the planner passes valid pointers.
    unsafe {
        let info = &*(*path).indexinfo;
        *selectivity = 1.0;
        *correlation = 0.0;
        *pages = f64::from(info.pages);
        if (*path).indexorderbys.is_null() {
            *startup_cost = f64::INFINITY;
            *total_cost = f64::INFINITY;
            compat::disable_path(path);
            return;
        }
        let entries = info.tuples.max(1.0);
        let effort = guc::ef_search().unwrap_or(USUAL_EFFORT) as f64;
        *startup_cost = first_rows_ns(entries, USUAL_QUERY_BYTES, effort) / NS_PER_COST_UNIT;
        // The first rows cost more than the last ones, but the planner takes a share of the rows to cost that share of the
        // total. So that total is given which makes the share that is wanted cost what it does.
        let wanted = rows_wanted(root, path, entries);
        let cost = more_rows_ns(entries, USUAL_QUERY_BYTES, wanted) / NS_PER_COST_UNIT;
        *total_cost = *startup_cost + cost * entries / wanted;
    }
}

/// How many of the index's entries a scan will probably return until the statement has enough rows: where that is one
/// table's, it is known from LIMIT and from what its conditions let pass.
///
/// # Safety
/// The planner's own structures.
unsafe fn rows_wanted(root: *const pg_sys::PlannerInfo, path: *const pg_sys::IndexPath, entries: f64) -> f64 {
    // SAFETY: as the caller says.
    unsafe {
        let root = &*root;
        if pg_sys::bms_membership(root.all_baserels) != pg_sys::BMS_Membership::BMS_SINGLETON {
            return entries;
        }
        let passing = (*path).path.rows.max(1.0);
        let share = match (root.limit_tuples, root.tuple_fraction) {
            (limit, _) if limit > 0.0 => limit / passing,
            (_, fraction) if fraction >= 1.0 => fraction / passing,
            (_, fraction) if fraction > 0.0 => fraction,
            _ => 1.0,
        };
        (share * entries).clamp(1.0, entries)
    }
}
