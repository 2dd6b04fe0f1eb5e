//! What the planner hears.

use iscc_hnsw::cost::first_rows_ns;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::compat;
use crate::guc;

/// Nanoseconds of one unit of planner cost. A sequential scan of 100,000 codes costs 2,250 units
/// and takes about 15 ms.
const NS_PER_COST_UNIT: f64 = 6_500.0;

/// What a search is taken to need before it is known.
const USUAL_EFFORT: usize = 64;
const USUAL_QUERY_BYTES: usize = 32;

/// Costs of an index path. Only ordered scans are offered; for others the cost is infinite.
#[pg_guard]
pub unsafe extern "C-unwind" fn amcostestimate(
    _root: *mut pg_sys::PlannerInfo,
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
        let rows = info.tuples.max(1.0);
        let effort = guc::ef_search().unwrap_or(USUAL_EFFORT);
        *startup_cost = first_rows_ns(rows, USUAL_QUERY_BYTES, effort as f64) / NS_PER_COST_UNIT;
        // Getting all rows in order is sorting them, after having computed all distances.
        let sort = 2.0 * pg_sys::cpu_operator_cost * rows * rows.log2().max(1.0);
        *total_cost = *startup_cost + sort + rows * pg_sys::cpu_index_tuple_cost;
    }
}
