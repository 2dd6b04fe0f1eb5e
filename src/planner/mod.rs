//! What the planner asks: costs, conditions on distances, and how many rows they let through.

mod ball_expr;
pub mod comparison;
pub mod cost;
mod sample;
mod selectivity;
mod support;
mod visibility;

use pgrx::pg_sys;

/// True for an index of this access method, among those that the planner knows.
fn is_usearch_info(info: &pg_sys::IndexOptInfo) -> bool {
    let estimate = info.amcostestimate.map(|f| f as *const ());
    estimate.is_some_and(|f| std::ptr::eq(f, cost::amcostestimate as *const ()))
}
