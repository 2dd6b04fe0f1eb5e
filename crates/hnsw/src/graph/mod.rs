//! The graph in memory: neighbour lists, insertion of nodes, and what searches of any graph share.

pub(crate) mod insert;
pub(crate) mod levels;
pub(crate) mod links;
pub(crate) mod lists;
pub(crate) mod order;
pub(crate) mod pool;
pub(crate) mod repair;
pub(crate) mod row_set;
pub(crate) mod visited;
pub(crate) mod walk;
