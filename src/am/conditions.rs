//! What a scan's search keys ask for.

use iscc_hnsw::ball::Ball;
use iscc_hnsw::distance::{Metric, Query};
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

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.balls.is_empty() && !self.never
    }

    /// True when no code can meet them.
    pub fn is_impossible(&self) -> bool {
        self.never || self.balls.iter().any(|ball| ball.below() == 0)
    }

    /// The ball with the smallest radius.
    pub fn smallest(&self) -> Option<&Ball> {
        self.balls.iter().min_by_key(|ball| ball.below())
    }

    /// True for a code that meets them all.
    pub fn hold_for(&self, code: &[u8]) -> bool {
        self.balls.iter().all(|ball| ball.contains(code))
    }

    /// Takes out the conditions on the distance from this very query: only keys less than the returned one meet them.
    pub fn take_bound(&mut self, query: &Query) -> Option<u32> {
        let is_same = |ball: &Ball| query.metric() == Metric::Nphd && ball.query().code() == query.code();
        let bound = self.balls.iter().filter(|ball| is_same(ball)).map(Ball::below).min();
        self.balls.retain(|ball| !is_same(ball));
        bound
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
