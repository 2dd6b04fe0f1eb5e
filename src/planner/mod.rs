//! What the planner asks: costs, conditions on distances, and how many rows they let through.

mod ball_expr;
pub mod comparison;
pub mod cost;
mod functions;
pub mod inlining;
mod nodes;
mod sample;
mod selectivity;
mod support;
mod vector_support;
mod vectors;
mod visibility;

/// True for an index of this access method, among those that the planner knows.
fn is_usearch_info(index: nodes::IndexInfo<'_>) -> bool {
    std::ptr::eq(index.estimator(), cost::amcostestimate as *const ())
}
