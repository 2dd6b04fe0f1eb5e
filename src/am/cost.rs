//! What the planner hears.

use iscc_hnsw::cost::{START_NS, exact_ns, first_rows_ns};
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::{PgList, is_a};

use super::ball_expr::{BallExpr, Code, arguments};
use crate::compat;
use crate::guc;

/// Nanoseconds of one unit of planner cost. A sequential scan of 100,000 codes costs 2,250 units
/// and takes about 15 ms.
const NS_PER_COST_UNIT: f64 = 6_500.0;

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
            (false, false) if is_bounded(root, (*path).indexorderbys, quals) => {
                Cost::ordered_range(info.tuples, share_of_table(root, info, quals))
            }
            (false, false) => Cost::ordered(info.tuples),
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
        let startup = first_rows_ns(entries, guc::ef_search() as f64) / NS_PER_COST_UNIT;
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
        let total = startup + exact_ns(entries) / NS_PER_COST_UNIT + returning(entries * share);
        Cost { startup, total, share }
    }

    /// This share of the rows, in order of distance.
    fn ordered_range(entries: f64, share: f64) -> Cost {
        let startup = (START_NS + exact_ns(entries)) / NS_PER_COST_UNIT + sort(entries * share);
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

/// True if a condition is about the distance by which rows are ordered, so that the scan ends at the radius.
unsafe fn is_bounded(root: *mut pg_sys::PlannerInfo, orders: *mut pg_sys::List, quals: *mut pg_sys::List) -> bool {
    // SAFETY: lists of the planner; orders and quals are operators with the index column as left argument, a code and
    // a ball as right one.
    unsafe {
        let Some([order]) = arguments(orders) else { return false };
        let Some(query) = right_operand(order).and_then(|query| Code::of(root, query)) else {
            return false;
        };
        let quals = PgList::<pg_sys::Node>::from_pg(quals);
        quals.iter_ptr().any(|qual| {
            let ball = right_operand(qual).and_then(|ball| BallExpr::of(root, ball));
            ball.is_some_and(|ball| ball.code.is(&query))
        })
    }
}

unsafe fn right_operand(node: *mut pg_sys::Node) -> Option<*mut pg_sys::Node> {
    // SAFETY: the caller passes an expression.
    unsafe {
        if !is_a(node, pg_sys::NodeTag::T_OpExpr) {
            return None;
        }
        arguments::<2>((*node.cast::<pg_sys::OpExpr>()).args).map(|[_, right]| right)
    }
}
