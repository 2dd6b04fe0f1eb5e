//! What a scan measures distances from.

use std::rc::Rc;

use pgrx::pg_sys;

use crate::metrics::opclass::comparison_of;
pub use crate::metrics::vector_query::{SharedFunction, VectorQuery};
use crate::relation::Index;

/// Greater than any key.
pub const NO_KEY: u64 = u64::MAX;

/// The value that a scan searches for, prepared once.
#[derive(Clone)]
pub enum Query {
    /// A code.
    Code(Rc<iscc_metrics::Query>),
    /// A dense vector, or a value of which only its function knows the distance.
    Vector(Rc<VectorQuery>),
}

impl Query {
    /// A value as the log of the index has it. What its function needs goes to `context`, once for all queries that share it.
    ///
    /// # Safety
    /// The memory context lives longer than the query and the shared function, and the index is open as long.
    pub unsafe fn new(
        index: Index<'_>,
        context: pg_sys::MemoryContext,
        shared: &mut SharedFunction,
        value: &[u8],
    ) -> Self {
        // SAFETY: as the caller says.
        match unsafe { VectorQuery::new(index, context, shared, value) } {
            Some(vector) => Query::Vector(Rc::new(vector)),
            None => Query::Code(Rc::new(iscc_metrics::Query::new(comparison_of(index).metric, value))),
        }
    }
}
