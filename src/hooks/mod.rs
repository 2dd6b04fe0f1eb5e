//! PostgreSQL's hooks in the executor and in EXPLAIN.

pub mod demand;
pub mod explain;
mod nodes;
