//! A dense vector or an opaque value that others are compared with, by the distance that decides in SQL.

use std::rc::Rc;

use iscc_hnsw::opaque::Layout;
use iscc_hnsw::search::ValueQuery;
use iscc_log::log_page::{LogPage, is_alive};
use iscc_metrics::dense::{self, key_of};
use pgrx::pg_sys;

use super::function::{DistanceFunction, Stored};
use super::opaque::Argument;
use super::opclass::comparison_of;
use super::value::Value;
use crate::relation::Index;

/// The distance function of an index, once a query has asked for it: queries of one scan share it.
pub type SharedFunction = Option<Rc<DistanceFunction<'static>>>;

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
    /// A value as the log of the index has it; None for an index of codes. What its function needs goes to `context`, once for
    /// all queries that share it.
    ///
    /// # Safety
    /// The memory context lives longer than the query and the shared function, and the index is open as long.
    pub unsafe fn new(
        index: Index<'_>,
        context: pg_sys::MemoryContext,
        shared: &mut SharedFunction,
        value: &[u8],
    ) -> Option<Self> {
        let comparison = comparison_of(index);
        let mut by_function = |stored| {
            let make = || {
                // SAFETY: as the caller says.
                let function = unsafe { DistanceFunction::new(Index::from_raw(index.raw()), context, stored) };
                Rc::new(function)
            };
            Exact::by_function(shared.get_or_insert_with(make).clone(), value)
        };
        let is_opaque = matches!(comparison.value, Value::Opaque(_));
        let exact = if let Value::Opaque(layout) = comparison.value {
            by_function(Stored::Opaque(layout))
        } else {
            let (scalar, metric) = comparison.value.scalar().zip(comparison.metric.dense())?;
            if comparison.is_ours() {
                Exact::Numbers(Box::new(dense::Query::new(metric, scalar, value)))
            } else {
                by_function(Stored::Numbers(scalar))
            }
        };
        Some(VectorQuery {
            value: value.into(),
            is_opaque,
            exact,
        })
    }

    /// The distance to a value of the log as an integer, see [`dense::Query::key`]. May call a function, so the caller holds
    /// no lock of a page unless [`VectorQuery::calls_nothing`].
    pub fn key(&self, value: &[u8]) -> u64 {
        match &self.exact {
            Exact::Numbers(numbers) => numbers.key(value),
            Exact::Function(function, query) => function.key(value, query),
        }
    }

    /// True if keys are made without calling a function of another extension or user.
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

/// The vectors within a radius of one. Distances are compared as SQL compares numbers of type float8, NaN being the greatest.
#[derive(Clone)]
pub struct VectorBall {
    query: Rc<VectorQuery>,
    below: u64,
}

impl VectorBall {
    /// Those at a distance of at most `radius`.
    pub fn new(query: VectorQuery, radius: f64) -> Self {
        VectorBall {
            query: Rc::new(query),
            // Keys are in the order of the distances, and equal only for equal ones.
            below: key_of(radius) + 1,
        }
    }

    /// What distances are measured from.
    pub fn query(&self) -> &Rc<VectorQuery> {
        &self.query
    }

    /// A vector is within the radius exactly if its key ([`VectorQuery::key`]) is less than this.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// True for a value of the log within the radius. Vectors of other dimensions are not compared.
    pub fn contains(&self, value: &[u8]) -> bool {
        value.len() == self.query.value().len() && self.query.key(value) < self.below
    }

    /// The number of live entries of a page, which the caller holds no lock of, within the radius.
    pub fn count_on(&self, page: &LogPage<'_>) -> u64 {
        let is_live = |&slot: &usize| page.tid(slot).is_some_and(|tid| is_alive(&tid));
        let values = (0..page.len()).filter(is_live).filter_map(|slot| page.code(slot));
        values.filter(|value| self.contains(value)).count() as u64
    }
}
