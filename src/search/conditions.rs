//! What a scan's search keys ask for.

use std::rc::Rc;

use iscc_log::log_page::LogPage;
use iscc_metrics::Metric;
use iscc_metrics::ball::Ball;
use iscc_metrics::bits::Column;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::query::{NO_KEY, Query, VectorQuery};
use crate::error::report;
use crate::metrics::opclass::{NEAR_STRATEGY, comparison_of};
use crate::metrics::value::Value;
use crate::metrics::vector_query::{SharedFunction, VectorBall};
use crate::relation::Index;
use crate::types::ball;
use crate::types::bitvec::varlena_bytes;
use crate::types::dense_ball::{self, Role};

/// A condition on the rows of a scan: `column <@ ball`.
enum Condition {
    Code(Ball),
    Vector(VectorBall),
}

impl Condition {
    /// Only rows whose distance from the ball's center has a key less than this meet it.
    fn below(&self) -> u64 {
        match self {
            Condition::Code(ball) => ball.below().into(),
            Condition::Vector(ball) => ball.below(),
        }
    }

    fn holds_for(&self, value: &[u8]) -> bool {
        match self {
            Condition::Code(ball) => ball.contains(value),
            Condition::Vector(ball) => ball.contains(value),
        }
    }

    /// A query by the ball's center.
    fn center(&self) -> Query {
        match self {
            Condition::Code(ball) => Query::Code(ball.query().clone().into()),
            Condition::Vector(ball) => Query::Vector(ball.query().clone()),
        }
    }

    /// Whether it is a bound of the distance from this query.
    fn bounds(&self, query: &Query) -> bool {
        match (self, query) {
            (Condition::Code(ball), Query::Code(query)) => {
                query.metric() == Metric::Nphd && ball.query().code() == query.code()
            }
            // An index has one metric, so both are of the same.
            (Condition::Vector(ball), Query::Vector(query)) => ball.query().value() == query.value(),
            (_, _) => false,
        }
    }
}

/// The conditions that the rows of a scan meet all of.
pub struct Conditions {
    all: Vec<Condition>,
    /// One of them is NULL, so that nothing meets it.
    never: bool,
    /// A scan that must not miss any row, whatever the order may.
    is_complete: bool,
}

impl Conditions {
    /// Reads search keys of a scan of this index.
    ///
    /// # Safety
    /// The memory context lives longer than the conditions.
    pub unsafe fn of(
        index: Index<'_>,
        context: pg_sys::MemoryContext,
        shared: &mut SharedFunction,
        keys: &[pg_sys::ScanKeyData],
    ) -> Self {
        let is_null = |key: &&pg_sys::ScanKeyData| key.sk_flags & pg_sys::SK_ISNULL as i32 != 0;
        let given = keys.iter().filter(|key| !is_null(key));
        // SAFETY: as the caller says.
        let all: Vec<Condition> = given
            .filter_map(|key| unsafe { condition_of(index, context, shared, key) })
            .collect();
        Conditions {
            // NULL, or a ball without center or radius.
            never: all.len() < keys.len(),
            all,
            is_complete: keys.iter().any(|key| key.sk_strategy != NEAR_STRATEGY),
        }
    }

    /// True when no row can meet them.
    pub fn is_impossible(&self) -> bool {
        self.never || self.all.iter().any(|condition| condition.below() == 0)
    }

    /// The one with the fewest rows, as far as its radius tells; None only if one is NULL.
    fn smallest(&self) -> Option<&Condition> {
        self.all.iter().min_by_key(|condition| condition.below())
    }

    /// A query by the center of the smallest ball; None only if a condition is NULL.
    pub fn center(&self) -> Option<Query> {
        self.smallest().map(Condition::center)
    }

    /// Fills `near` with the slots of a page whose code meets them all.
    fn near(&self, page: &LogPage<'_>, column: Column<'_>, near: &mut Vec<u32>) {
        match self.smallest() {
            Some(Condition::Code(ball)) => ball.near(column, near),
            Some(Condition::Vector(_)) => near.extend(0..page.len() as u32),
            None => return,
        }
        near.retain(|&slot| page.code(slot as usize).is_some_and(|code| self.hold_for(code)));
    }

    fn hold_for(&self, value: &[u8]) -> bool {
        self.all.iter().all(|condition| condition.holds_for(value))
    }

    /// The same for a scan in order of the distance from `query`.
    pub fn ordered_by(self, query: &Query) -> Restriction {
        let (own, all): (Vec<Condition>, Vec<Condition>) =
            self.all.into_iter().partition(|condition| condition.bounds(query));
        let is_complete = self.is_complete || !all.is_empty();
        Restriction {
            bound: own.iter().map(Condition::below).min().unwrap_or(NO_KEY),
            others: (!all.is_empty()).then(|| Rc::new(Conditions { all, ..self })),
            is_complete,
            wants_all: false,
        }
    }
}

/// Conditions on the rows of an ordered scan.
#[derive(Clone)]
pub struct Restriction {
    /// Only smaller keys of the query.
    bound: u64,
    others: Option<Rc<Conditions>>,
    /// True if no row that meets them may be missed.
    is_complete: bool,
    /// The statement has not asked for an order, so probably all rows are wanted.
    wants_all: bool,
}

impl Restriction {
    /// The same for an unordered scan.
    pub fn in_any_order(self) -> Self {
        Restriction {
            is_complete: true,
            wants_all: true,
            ..self
        }
    }

    /// True when no row may be missed, even where the order of the rows may be approximate.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// True when probably all rows are wanted.
    pub fn wants_all(&self) -> bool {
        self.wants_all
    }

    /// The bytes of the vectors that rows are compared with besides the query.
    pub fn vector_lengths(&self) -> impl Iterator<Item = usize> {
        let conditions = self.others.iter().flat_map(|others| &others.all);
        conditions.filter_map(|condition| match condition {
            Condition::Code(_) => None,
            Condition::Vector(ball) => Some(ball.query().value().len()),
        })
    }

    /// Only keys less than this are wanted.
    pub fn bound(&self) -> u64 {
        self.bound
    }

    /// Whether a value with this key is wanted.
    pub fn admits(&self, key: u64, value: &[u8]) -> bool {
        key < self.bound && self.others.as_ref().is_none_or(|others| others.hold_for(value))
    }

    /// Fills `near` with the slots of a page of codes that meet the other conditions; without any, those with a key of the
    /// query less than `below`.
    pub fn near(
        &self,
        query: &iscc_metrics::Query,
        below: u64,
        page: &LogPage<'_>,
        column: Column<'_>,
        near: &mut Vec<u32>,
    ) {
        match &self.others {
            None => query.near(column, key_of_code(below), near),
            Some(others) => others.near(page, column, near),
        }
    }
}

impl Default for Restriction {
    fn default() -> Self {
        Restriction {
            bound: NO_KEY,
            others: None,
            is_complete: false,
            wants_all: false,
        }
    }
}

/// A bound of keys, for codes.
pub fn key_of_code(bound: u64) -> u32 {
    u32::try_from(bound).unwrap_or(iscc_metrics::NO_KEY)
}

/// What a search key asks for; None for a ball without center or radius.
///
/// # Safety
/// The memory context lives longer than the condition; the key's argument is a value of the type that the operator class says,
/// not NULL.
unsafe fn condition_of(
    index: Index<'_>,
    context: pg_sys::MemoryContext,
    shared: &mut SharedFunction,
    key: &pg_sys::ScanKeyData,
) -> Option<Condition> {
    let comparison = comparison_of(index);
    let (function, argument) = (key.sk_func.fn_addr, key.sk_argument);
    if comparison.value == Value::Code && ball::is_in_ball(function) {
        // SAFETY: the operator's right argument is a bitvec_ball.
        let (radius, code) = ball::parts(unsafe { varlena_bytes(argument) });
        return Some(Condition::Code(Ball::new(code, radius)));
    }
    if let Some(metric) = comparison.metric.dense()
        && dense_ball::role_of(function) == Some((metric, Role::InBall))
    {
        // SAFETY: the operator's right argument is a ball, whose center has the type of the index. As the caller says.
        unsafe {
            let (center, radius) = dense_ball::parts(argument)?;
            let query = VectorQuery::new(index, context, shared, comparison.bytes(center))?;
            return Some(Condition::Vector(VectorBall::new(query, radius)));
        }
    }
    // An operator class can have any operator here.
    report(
        PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
        "usearch index cannot be searched with this operator",
    )
    .detail(format!(
        "The operator is strategy {} of the operator class.",
        key.sk_strategy
    ))
    .hint("Use an operator class of the extension, such as bitvec_nphd_ops.")
    .raise()
}
