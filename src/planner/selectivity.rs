//! How many rows are within a radius, for the planner.
//!
//! The estimate comes from the index itself. Where the user may not see all rows, PostgreSQL uses statistics for
//! leakproof functions only. Our estimate for those is then about the index as a whole, not about the query, so that
//! nobody can probe for hidden codes.

use iscc_metrics::ball::{Ball, is_within};
use pgrx::pg_sys::Oid;

use super::ball_expr::{BallExpr, Code};
use super::functions::{is_index_column, is_leakproof, relations_in};
use super::is_usearch_info;
use super::nodes::{IndexInfo, Planner};
use super::sample::Sample;
use super::visibility::sees_all;
use crate::nodes::Node;
use crate::relation::Index;
use crate::storage::definition::is_usearch_index;

/// The share of rows where nothing is known.
pub const DEFAULT: f64 = 0.001;

/// Pages of the log that a sample of codes has: with 256 bits some 3,200 entries.
const SAMPLE_PAGES: u64 = 16;

/// Where an estimate is asked for.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// By this planner.
    pub planner: Planner<'a>,
    /// Only columns of the relation with this number count as columns; of any relation if it is 0.
    pub relation: i32,
    /// The function whose selectivity is wanted.
    pub function: Oid,
}

impl<'a> Question<'a> {
    /// The share of rows, or of pairs of rows in a join, whose code is within a ball: none if the ball is NULL.
    /// `code` is an expression of type bitvec.
    pub fn share_within(self, code: Node<'a>, ball: Option<BallExpr<'a>>) -> f64 {
        let Some(ball) = ball else { return 0.0 };
        let Some(radius) = ball.radius else { return DEFAULT };
        if is_within(1.0, radius) {
            return 1.0;
        }
        if !is_within(0.0, radius) {
            return 0.0;
        }
        let share = self.share_in_index(code, &ball.code, radius).or_else(|| {
            // The column may be the other one.
            let Code::Expression(column) = ball.code else {
                return None;
            };
            let query = Code::of(self.planner, code)?;
            self.share_in_index(column, &query, radius)
        });
        share.unwrap_or(DEFAULT).clamp(0.0, 1.0)
    }

    /// The share of rows of an index on `column` near `query`; None when there is no such index, nothing in it, or
    /// nothing that the user may know.
    fn share_in_index(self, column: Node<'a>, query: &Code<'_>, radius: f64) -> Option<f64> {
        self.in_index(
            column,
            |_| true,
            SAMPLE_PAGES,
            |info, _, sample, sees_all| match query {
                Code::Known(code) if sees_all => sample.share_within(&Ball::new(code, radius), info.entries()),
                _ => sample.share_of_neighbours(|code| Some(Ball::new(code, radius)), info.entries()),
            },
        )
    }

    /// What a sample of an index on `column` says, one that is accepted: it is given the index, the sample of this many
    /// pages, and whether the user may know all values. None when there is no such index, nothing in it, or nothing
    /// that the user may know.
    pub fn in_index<T>(
        self,
        column: Node<'a>,
        accepts: impl Fn(&IndexInfo<'a>) -> bool,
        pages: u64,
        ask: impl FnOnce(IndexInfo<'a>, Index<'_>, &Sample, bool) -> T,
    ) -> Option<T> {
        let info = self.index_on(column, accepts)?;
        let sees_all = sees_all(self.planner, info.relation().number(), column);
        if !sees_all && !is_leakproof(self.function) {
            return None;
        }
        let opened = info.open();
        let index = opened.handle();
        if !is_usearch_index(index) || !index.is_readable() {
            return None;
        }
        let sample = Sample::take(index, pages)?;
        Some(ask(info, index, &sample, sees_all))
    }

    /// An index on this column (or expression) that is accepted.
    fn index_on(self, column: Node<'a>, accepts: impl Fn(&IndexInfo<'a>) -> bool) -> Option<IndexInfo<'a>> {
        let relations = self.planner.relations();
        let serves = |&index: &IndexInfo<'a>| {
            is_usearch_info(index) && !index.is_hypothetical() && is_index_column(column, 0, index) && accepts(&index)
        };
        relations_in(self.planner, column)
            .iter()
            .filter(|&number| self.relation == 0 || number == self.relation)
            .filter_map(|number| relations.get(number as usize).flatten())
            .find_map(|relation| relation.indexes().iter().find(serves))
    }
}
