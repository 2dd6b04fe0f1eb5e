//! What a scan measures distances from.

use std::rc::Rc;

use iscc_metrics::dense;
use pgrx::pg_sys;

use crate::metrics::function::DistanceFunction;
use crate::metrics::opclass::comparison_of;
use crate::relation::Index;

/// Greater than any key.
pub const NO_KEY: u64 = u64::MAX;

/// The value that a scan searches for, prepared once.
#[derive(Clone)]
pub enum Query {
    /// A code.
    Code(Rc<iscc_metrics::Query>),
    /// A dense vector.
    Vector(Rc<VectorQuery>),
}

impl Query {
    /// A value as the log of the index has it.
    ///
    /// # Safety
    /// The memory context lives longer than the query.
    pub unsafe fn new(index: Index<'_>, context: pg_sys::MemoryContext, value: &[u8]) -> Self {
        let comparison = comparison_of(index);
        let metrics = comparison.value.scalar().zip(comparison.metric.dense());
        let Some((scalar, metric)) = metrics else {
            return Query::Code(Rc::new(iscc_metrics::Query::new(comparison.metric, value)));
        };
        // SAFETY: as the caller says.
        let function = || unsafe { DistanceFunction::new(index, context, scalar, value) };
        Query::Vector(Rc::new(VectorQuery {
            value: value.into(),
            numbers: dense::Query::new(metric, scalar, value),
            function: (!comparison.value.is_ours()).then(function),
        }))
    }
}

/// A dense vector to search for.
pub struct VectorQuery {
    value: Box<[u8]>,
    numbers: dense::Query,
    /// What decides where the distance is not ours: the operator's function, so that rows come in its order.
    function: Option<DistanceFunction>,
}

impl VectorQuery {
    /// The distance to a value of the log as an integer, see [`dense::Query::key`]. May call a function, so the caller holds
    /// no lock of a page unless [`VectorQuery::calls_nothing`].
    pub fn key(&self, value: &[u8]) -> u64 {
        match &self.function {
            None => self.numbers.key(value),
            Some(function) => function.key(value),
        }
    }

    /// True when keys are made without calling a function of somebody else.
    pub fn calls_nothing(&self) -> bool {
        self.function.is_none()
    }

    /// The vector, as the log has such values.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}
