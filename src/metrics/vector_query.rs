//! A dense vector that others are compared with, by the distance that decides in SQL.

use std::rc::Rc;

use iscc_log::log_page::{LogPage, is_alive};
use iscc_metrics::dense::{self, key_of};
use pgrx::pg_sys;

use super::function::DistanceFunction;
use super::opclass::comparison_of;
use crate::relation::Index;

/// A dense vector to search for.
pub struct VectorQuery {
    value: Box<[u8]>,
    numbers: dense::Query,
    /// What decides where the distance is not ours: the operator's function, so that rows come in its order.
    function: Option<DistanceFunction>,
}

impl VectorQuery {
    /// A value as the log of the index has it; None for an index of codes.
    ///
    /// # Safety
    /// The memory context lives longer than the query.
    pub unsafe fn new(index: Index<'_>, context: pg_sys::MemoryContext, value: &[u8]) -> Option<Self> {
        let comparison = comparison_of(index);
        let (scalar, metric) = comparison.value.scalar().zip(comparison.metric.dense())?;
        // SAFETY: as the caller says.
        let function = || unsafe { DistanceFunction::new(index, context, scalar, value) };
        Some(VectorQuery {
            value: value.into(),
            numbers: dense::Query::new(metric, scalar, value),
            function: (!comparison.value.is_ours()).then(function),
        })
    }

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
