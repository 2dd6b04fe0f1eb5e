//! What the planner hears.

use iscc_hnsw::cost::{START_NS, first_rows_ns, flat_ns, more_rows_ns};
use pgrx::prelude::*;
use pgrx::{PgList, is_a, pg_sys};

use crate::compat;
use crate::guc;
use crate::metrics::opclass::NEAR_STRATEGY;

/// Nanoseconds of one unit of planner cost. A sequential scan of 110,308 codes with a filter that no row passes costs
/// 2,490 units and takes 5.0 ms, the ten nearest by a sort 4,600 and 11.6 ms, all by a sort 13,340 and 27 ms.
const NS_PER_COST_UNIT: f64 = 2_200.0;

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
            (false, true) => Cost::ordered(info.tuples, share_wanted(root, path)),
            (true, false) => Cost::range(info.tuples, share_of_table(root, info, quals)),
            (false, false) if all_are_near(info, quals) => {
                Cost::ordered_near(info.tuples, share_of_table(root, info, quals))
            }
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

    /// All rows in order of distance, of which this share is wanted.
    fn ordered(entries: f64, wanted: f64) -> Cost {
        let entries = entries.max(1.0);
        let effort = guc::ef_search().unwrap_or(USUAL_EFFORT);
        let startup = first_rows_ns(entries, USUAL_QUERY_BYTES, effort as f64) / NS_PER_COST_UNIT;
        // The first rows cost more than the last ones, but the planner takes a share of the rows to cost that share of the
        // total. So that total is given which makes the share that is wanted cost what it does.
        let rows = (wanted * entries).clamp(1.0, entries);
        let cost = more_rows_ns(entries, USUAL_QUERY_BYTES, rows) / NS_PER_COST_UNIT;
        let total = startup + cost * entries / rows;
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

    /// The nearest of this share of the rows, or all of them when few are in it.
    fn ordered_near(entries: f64, share: f64) -> Cost {
        let range = Cost::ordered_range(entries, share);
        let effort = guc::ef_search().unwrap_or(USUAL_EFFORT);
        let first_rows = first_rows_ns(entries.max(1.0), USUAL_QUERY_BYTES, effort as f64) / NS_PER_COST_UNIT;
        Cost {
            startup: first_rows.min(range.startup),
            ..range
        }
    }

    /// This share of the rows, in order of distance.
    fn ordered_range(entries: f64, share: f64) -> Cost {
        let startup = (START_NS + flat_ns(entries, USUAL_QUERY_BYTES)) / NS_PER_COST_UNIT;
        let rows = (entries * share).max(1.0);
        let total = startup + more_rows_ns(entries, USUAL_QUERY_BYTES, rows) / NS_PER_COST_UNIT + returning(rows);
        Cost { startup, total, share }
    }
}

/// Whether a search by these conditions may be approximate where its order may.
unsafe fn all_are_near(info: &pg_sys::IndexOptInfo, quals: *mut pg_sys::List) -> bool {
    // SAFETY: the planner's own structures; there is one column at least.
    unsafe {
        let family = *info.opfamily;
        let quals = PgList::<pg_sys::RestrictInfo>::from_pg(quals);
        quals.iter_ptr().all(|qual| {
            let clause = (*qual).clause.cast::<pg_sys::Node>();
            is_a(clause, pg_sys::NodeTag::T_OpExpr) && {
                let operator = (*clause.cast::<pg_sys::OpExpr>()).opno;
                pg_sys::get_op_opfamily_strategy(operator, family) == i32::from(NEAR_STRATEGY)
            }
        })
    }
}

fn returning(rows: f64) -> f64 {
    // SAFETY: a setting.
    rows * unsafe { pg_sys::cpu_index_tuple_cost }
}

/// The share of the index's entries that a scan will probably return until the statement has enough rows: where that is
/// one table's, it is known from LIMIT and from what its conditions let pass.
unsafe fn share_wanted(root: *const pg_sys::PlannerInfo, path: *const pg_sys::IndexPath) -> f64 {
    // SAFETY: the planner's own structures.
    unsafe {
        let root = &*root;
        if pg_sys::bms_membership(root.all_baserels) != pg_sys::BMS_Membership::BMS_SINGLETON {
            return 1.0;
        }
        let passing = (*path).path.rows.max(1.0);
        match (root.limit_tuples, root.tuple_fraction) {
            (limit, _) if limit > 0.0 => limit / passing,
            (_, fraction) if fraction >= 1.0 => fraction / passing,
            (_, fraction) if fraction > 0.0 => fraction,
            _ => 1.0,
        }
    }
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
