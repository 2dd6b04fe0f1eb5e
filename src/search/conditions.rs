//! What a scan's search keys ask for.

use std::rc::Rc;

use iscc_log::log_page::LogPage;
use iscc_metrics::Metric;
use iscc_metrics::ball::Ball;
use iscc_metrics::bits::Column;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::query::{NO_KEY, Query};
use crate::error::report;
use crate::metrics::opclass::NEAR_STRATEGY;
use crate::metrics::value::Value;
use crate::types::ball;
use crate::types::bitvec::varlena_bytes;

/// The conditions that the rows of a scan meet all of: `column <@ ball`.
pub struct Conditions {
    balls: Vec<Ball>,
    /// One of them is NULL, so that nothing meets it.
    never: bool,
    /// One is not to miss any row, whatever the order may.
    is_complete: bool,
}

impl Conditions {
    /// Reads search keys for values of a kind: codes, as no others have such operators.
    pub fn of(value: Value, keys: &[pg_sys::ScanKeyData]) -> Self {
        let is_null = |key: &pg_sys::ScanKeyData| key.sk_flags & pg_sys::SK_ISNULL as i32 != 0;
        Conditions {
            never: keys.iter().any(is_null),
            balls: keys
                .iter()
                .filter(|key| !is_null(key))
                .map(|key| ball_of(value, key))
                .collect(),
            is_complete: keys.iter().any(|key| key.sk_strategy != NEAR_STRATEGY),
        }
    }

    /// True when no code can meet them.
    pub fn is_impossible(&self) -> bool {
        self.never || self.balls.iter().any(|ball| ball.below() == 0)
    }

    /// The ball with the fewest codes, as far as its radius tells; None only if one is NULL.
    pub fn smallest(&self) -> Option<&Ball> {
        self.balls.iter().min_by_key(|ball| ball.below())
    }

    /// Fills `near` with the slots of a page whose code meets them all.
    fn near(&self, page: &LogPage<'_>, column: Column<'_>, near: &mut Vec<u32>) {
        let Some(smallest) = self.smallest() else { return };
        smallest.near(column, near);
        near.retain(|&slot| page.code(slot as usize).is_some_and(|code| self.hold_for(code)));
    }

    fn hold_for(&self, code: &[u8]) -> bool {
        self.balls.iter().all(|ball| ball.contains(code))
    }

    /// The same for a scan in order of the distance from `query`.
    pub fn ordered_by(self, query: &Query) -> Restriction {
        let is_same = |ball: &Ball| match query {
            Query::Code(center) => center.metric() == Metric::Nphd && ball.query().code() == center.code(),
            Query::Vector(_) => false,
        };
        let (own, balls): (Vec<Ball>, Vec<Ball>) = self.balls.into_iter().partition(is_same);
        let is_complete = self.is_complete || !balls.is_empty();
        Restriction {
            bound: own.iter().map(|ball| u64::from(ball.below())).min().unwrap_or(NO_KEY),
            others: (!balls.is_empty()).then(|| Rc::new(Conditions { balls, ..self })),
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
    /// None of the rows that meet them is to be missed.
    is_complete: bool,
    /// Nobody asked for the order, so probably all rows are wanted.
    wants_all: bool,
}

impl Restriction {
    /// The same for a scan whose order is nobody's wish.
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

    /// Only keys less than this are wanted.
    pub fn bound(&self) -> u64 {
        self.bound
    }

    /// Whether a code with this key is wanted.
    pub fn admits(&self, key: u64, code: &[u8]) -> bool {
        key < self.bound && self.others.as_ref().is_none_or(|others| others.hold_for(code))
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

fn ball_of(value: Value, key: &pg_sys::ScanKeyData) -> Ball {
    // An operator class can have any operator here.
    if value != Value::Code || !ball::is_in_ball(key.sk_func.fn_addr) {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
            "usearch index cannot be searched with this operator",
        )
        .detail(format!(
            "The operator is strategy {} of the operator class.",
            key.sk_strategy
        ))
        .hint("Use bitvec_nphd_ops.")
        .raise();
    }
    // SAFETY: the operator's right argument is a bitvec_ball, which is not NULL.
    let (radius, code) = ball::parts(unsafe { varlena_bytes(key.sk_argument) });
    Ball::new(code, radius)
}
