//! What the planner hears.

use iscc_hnsw::cost::{START_NS, first_rows_ns, flat_ns};
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

/// Costs of an index path. Ordered scans and threshold searches are offered; for others the cost is infinite.
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
        let quals = pg_sys::get_quals_from_indexclauses((*path).indexclauses);
        let cost = match ((*path).indexorderbys.is_null(), quals.is_null()) {
            (true, true) => {
                compat::disable_path(path);
                Cost::INFINITE
            }
            (false, true) => Cost::ordered(info.tuples),
            (true, false) => Cost::range(info.tuples, share_of_table(root, info, quals)),
            (false, false) => Cost::ordered_range(info.tuples, share_of_table(root, info, quals)),
        };
        *startup_cost = cost.startup;
        *total_cost = cost.total;
        *selectivity = cost.share;
        *correlation = 0.0;
        *pages = f64::from(info.pages);
    }
}

/// Costs of a scan in the planner's unit, and the share of the table's rows that it returns.
struct Cost {
    startup: f64,
    total: f64,
    share: f64,
}

impl Cost {
    const INFINITE: Cost = Cost {
        startup: f64::INFINITY,
        total: f64::INFINITY,
        share: 1.0,
    };

    /// All rows in order of distance.
    fn ordered(entries: f64) -> Cost {
        let entries = entries.max(1.0);
        let effort = guc::ef_search().unwrap_or(USUAL_EFFORT);
        let startup = first_rows_ns(entries, USUAL_QUERY_BYTES, effort as f64) / NS_PER_COST_UNIT;
        // After having computed all distances.
        let total = startup + sort(entries) + returning(entries);
        Cost {
            startup,
            total,
            share: 1.0,
        }
    }

    /// This share of the rows, in no order.
    fn range(entries: f64, share: f64) -> Cost {
        let startup = START_NS / NS_PER_COST_UNIT;
        let total = startup + flat_ns(entries, USUAL_QUERY_BYTES) / NS_PER_COST_UNIT + returning(entries * share);
        Cost { startup, total, share }
    }

    /// This share of the rows, in order of distance.
    fn ordered_range(entries: f64, share: f64) -> Cost {
        let startup = (START_NS + flat_ns(entries, USUAL_QUERY_BYTES)) / NS_PER_COST_UNIT + sort(entries * share);
        let total = startup + returning(entries * share);
        Cost { startup, total, share }
    }
}

fn sort(rows: f64) -> f64 {
    // SAFETY: a setting.
    2.0 * unsafe { pg_sys::cpu_operator_cost } * rows * rows.max(2.0).log2()
}

fn returning(rows: f64) -> f64 {
    // SAFETY: a setting.
    rows * unsafe { pg_sys::cpu_index_tuple_cost }
}

/// The share of the table's rows that the index has and the conditions let through.
unsafe fn share_of_table(root: *mut pg_sys::PlannerInfo, info: &pg_sys::IndexOptInfo, quals: *mut pg_sys::List) -> f64 {
    // SAFETY: the planner's own structures.
    unsafe {
        let quals = pg_sys::add_predicate_to_index_quals(std::ptr::from_ref(info).cast_mut(), quals);
        let relation = (*info.rel).relid as i32;
        let inner = pg_sys::JoinType::JOIN_INNER;
        pg_sys::clauselist_selectivity(root, quals, relation, inner, std::ptr::null_mut())
    }
}
