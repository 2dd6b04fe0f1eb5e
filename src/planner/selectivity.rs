//! How many rows are within a radius, for the planner.
//!
//! The estimate comes from the index itself. Where the user may not see all rows, PostgreSQL takes statistics for leakproof
//! functions only; ours are then of the index as a whole, not of the query, so that nobody can feel for hidden codes.

use iscc_metrics::ball::{Ball, is_within};
use pgrx::{PgList, pg_sys};

use super::ball_expr::{BallExpr, Code};
use super::is_usearch_info;
use super::sample::Sample;
use super::visibility::sees_all;
use crate::relation::OpenRelation;
use crate::storage::definition::is_usearch_index;

/// The share of rows where nothing is known.
const DEFAULT: f64 = 0.001;

/// The share of rows, or of pairs of rows in a join, whose code is within a ball. Only columns of the relation of this
/// number count as columns; of any if it is 0.
/// `function` is the one that tells.
///
/// # Safety
/// `code` is an expression of type bitvec, as is that of the ball; `root` is their planner.
pub unsafe fn share_within(
    root: *mut pg_sys::PlannerInfo,
    code: *mut pg_sys::Node,
    ball: Option<BallExpr>,
    relation: i32,
    function: pg_sys::Oid,
) -> f64 {
    let Some(ball) = ball else { return 0.0 };
    let Some(radius) = ball.radius else { return DEFAULT };
    if is_within(1.0, radius) {
        return 1.0;
    }
    if !is_within(0.0, radius) {
        return 0.0;
    }
    // SAFETY: as the caller says.
    let share = unsafe {
        share_in_index(root, code, &ball.code, radius, relation, function).or_else(|| {
            // The column may be the other one.
            let Code::Expression(column) = ball.code else {
                return None;
            };
            let query = Code::of(root, code)?;
            share_in_index(root, column, &query, radius, relation, function)
        })
    };
    share.unwrap_or(DEFAULT).clamp(0.0, 1.0)
}

/// The share of rows of an index on `column` near `query`; None when there is no such index, nothing in it, or nothing that
/// the user may know.
unsafe fn share_in_index(
    root: *mut pg_sys::PlannerInfo,
    column: *mut pg_sys::Node,
    query: &Code,
    radius: f64,
    relation: i32,
    function: pg_sys::Oid,
) -> Option<f64> {
    // SAFETY: as the caller says; the planner has locked the indexes that it knows.
    unsafe {
        let info = index_on(root, column, relation)?;
        let sees_all = sees_all(root, (*info.rel).relid, column);
        if !sees_all && !pg_sys::get_func_leakproof(function) {
            return None;
        }
        let opened = OpenRelation::open_locked(info.indexoid);
        let index = opened.handle();
        if !is_usearch_index(index) || !index.is_readable() {
            return None;
        }
        let sample = Sample::take(index)?;
        Some(match query {
            Code::Known(code) if sees_all => sample.share_within(&Ball::new(code, radius), info.tuples),
            _ => sample.share_of_neighbours(radius, info.tuples),
        })
    }
}

/// An index on this column (or expression).
unsafe fn index_on<'a>(
    root: *mut pg_sys::PlannerInfo,
    column: *mut pg_sys::Node,
    relation: i32,
) -> Option<&'a pg_sys::IndexOptInfo> {
    // SAFETY: the caller passes an expression and its planner, whose lists live as long as it does.
    unsafe {
        let (relations, count) = ((*root).simple_rel_array, (*root).simple_rel_array_size);
        if relations.is_null() {
            return None;
        }
        let numbers = pg_sys::pull_varnos(root, column);
        let mut number = -1;
        loop {
            number = pg_sys::bms_next_member(numbers, number);
            if number < 0 {
                return None;
            }
            if number >= count || (relation != 0 && number != relation) {
                continue;
            }
            let Some(table) = (*relations.add(number as usize)).as_ref() else {
                continue;
            };
            let indexes = PgList::<pg_sys::IndexOptInfo>::from_pg(table.indexlist);
            let serves = |&info: &*mut pg_sys::IndexOptInfo| {
                is_usearch_info(&*info) && !(*info).hypothetical && pg_sys::match_index_to_operand(column, 0, info)
            };
            if let Some(info) = indexes.iter_ptr().find(serves) {
                return Some(&*info);
            }
        }
    }
}
