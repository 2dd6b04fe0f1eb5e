//! PostgreSQL's hooks in the executor, in EXPLAIN and after ALTER INDEX.

pub mod alter;
pub mod demand;
pub mod explain;
mod nodes;
