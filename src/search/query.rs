//! What a scan measures distances from.

use std::rc::Rc;

use iscc_hnsw::opaque::Layout;
use iscc_hnsw::search::ValueQuery;
use iscc_metrics::dense;
use pgrx::pg_sys;

use crate::metrics::function::{DistanceFunction, Stored};
use crate::metrics::opaque::Argument;
use crate::metrics::opclass::comparison_of;
use crate::metrics::value::Value;
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

/// The distance function of an index, once a query has asked for it: queries of one scan share it.
pub type SharedFunction = Option<Rc<DistanceFunction<'static>>>;

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
        let comparison = comparison_of(index);
        let mut by_function = |stored| {
            let make = || {
                // SAFETY: as the caller says.
                let function = unsafe { DistanceFunction::new(Index::from_raw(index.raw()), context, stored) };
                Rc::new(function)
            };
            Exact::by_function(shared.get_or_insert_with(make).clone(), value)
        };
        let metrics = comparison.value.scalar().zip(comparison.metric.dense());
        let exact = match (comparison.value, metrics) {
            (Value::Opaque(layout), _) => by_function(Stored::Opaque(layout)),
            (_, None) => return Query::Code(Rc::new(iscc_metrics::Query::new(comparison.metric, value))),
            (kind, Some((scalar, metric))) if kind.is_ours() => {
                Exact::Numbers(Box::new(dense::Query::new(metric, scalar, value)))
            }
            (_, Some((scalar, _))) => by_function(Stored::Numbers(scalar)),
        };
        Query::Vector(Rc::new(VectorQuery {
            value: value.into(),
            is_opaque: matches!(comparison.value, Value::Opaque(_)),
            exact,
        }))
    }
}

/// What decides.
enum Exact {
    Numbers(Box<dense::Query>),
    /// The operator's function, where the distance is not ours, so that rows come in its order.
    Function(Rc<DistanceFunction<'static>>, Argument),
}

impl Exact {
    fn by_function(function: Rc<DistanceFunction<'static>>, value: &[u8]) -> Self {
        let mut query = Argument::default();
        function.prepare_stored(value, &mut query);
        Exact::Function(function, query)
    }
}

/// A value to search for that is no code.
pub struct VectorQuery {
    value: Box<[u8]>,
    is_opaque: bool,
    exact: Exact,
}

impl VectorQuery {
    /// The distance to a value of the log as an integer, see [`dense::Query::key`]. May call a function, so the caller holds
    /// no lock of a page unless [`VectorQuery::calls_nothing`].
    pub fn key(&self, value: &[u8]) -> u64 {
        match &self.exact {
            Exact::Numbers(numbers) => numbers.key(value),
            Exact::Function(function, query) => function.key(value, query),
        }
    }

    /// True when keys are made without calling a function of somebody else.
    pub fn calls_nothing(&self) -> bool {
        matches!(self.exact, Exact::Numbers(_))
    }

    /// Whether only a function knows what the value means.
    pub fn is_opaque(&self) -> bool {
        self.is_opaque
    }

    /// The same for a shard of values that only the function understands; None if the query is not one of them, or not of
    /// this layout.
    pub fn for_shard(&self, layout: Layout) -> Option<ValueQuery<&DistanceFunction<'static>>> {
        let Exact::Function(function, _) = &self.exact else {
            return None;
        };
        let value = layout.unseal(&self.value)?;
        (self.is_opaque && function.takes(layout)).then(|| ValueQuery::new(&**function, value))
    }

    /// The value, as the log has such values.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}
