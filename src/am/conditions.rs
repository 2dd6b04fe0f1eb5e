//! What a scan's search keys ask for.

use std::rc::Rc;

use iscc_hnsw::ball::Ball;
use iscc_hnsw::distance::{Metric, Query};
use iscc_hnsw::kernels::Column;
use iscc_hnsw::log_page::LogPage;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::report;
use crate::types::ball;
use crate::types::bitvec::varlena_bytes;

/// The conditions that the rows of a scan meet all of: `column <@ ball`.
pub struct Conditions {
    balls: Vec<Ball>,
    /// One of them is NULL, so that nothing meets it.
    never: bool,
}

impl Conditions {
    /// Reads search keys.
    pub fn of(keys: &[pg_sys::ScanKeyData]) -> Self {
        let is_null = |key: &pg_sys::ScanKeyData| key.sk_flags & pg_sys::SK_ISNULL as i32 != 0;
        Conditions {
            never: keys.iter().any(is_null),
            balls: keys.iter().filter(|key| !is_null(key)).map(ball_of).collect(),
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
        let is_same = |ball: &Ball| query.metric() == Metric::Nphd && ball.query().code() == query.code();
        let (own, balls): (Vec<Ball>, Vec<Ball>) = self.balls.into_iter().partition(is_same);
        let never = self.never;
        Restriction {
            bound: own.iter().map(Ball::below).min().unwrap_or(u32::MAX),
            others: (!balls.is_empty()).then(|| Rc::new(Conditions { balls, never })),
        }
    }
}

/// Conditions on the rows of an ordered scan.
#[derive(Clone)]
pub struct Restriction {
    /// Only smaller keys of the query.
    bound: u32,
    others: Option<Rc<Conditions>>,
}

impl Restriction {
    /// Only keys less than this are wanted.
    pub fn bound(&self) -> u32 {
        self.bound
    }

    /// Whether a code with this key is wanted.
    pub fn admits(&self, key: u32, code: &[u8]) -> bool {
        key < self.bound && self.others.as_ref().is_none_or(|others| others.hold_for(code))
    }

    /// Fills `near` with the slots of a page that meet the other conditions; without any, those with a key of the query
    /// less than `below`.
    pub fn near(&self, query: &Query, below: u32, page: &LogPage<'_>, column: Column<'_>, near: &mut Vec<u32>) {
        match &self.others {
            None => query.near(column, below, near),
            Some(others) => others.near(page, column, near),
        }
    }
}

impl Default for Restriction {
    fn default() -> Self {
        Restriction {
            bound: u32::MAX,
            others: None,
        }
    }
}

fn ball_of(key: &pg_sys::ScanKeyData) -> Ball {
    // An operator class can have any operator here.
    if !ball::is_in_ball(key.sk_func.fn_addr) {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
            "a usearch index cannot be searched by this operator",
        )
        .detail(format!("It is strategy {} of the operator class.", key.sk_strategy))
        .hint("Use bitvec_nphd_ops.")
        .raise();
    }
    // SAFETY: the operator's right argument is a bitvec_ball, which is not NULL.
    let (radius, code) = ball::parts(unsafe { varlena_bytes(key.sk_argument) });
    Ball::new(code, radius)
}
