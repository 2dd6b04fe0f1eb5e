//! What a scan is asked for: all that is known before its first row.

use super::conditions::{Conditions, Restriction};
use super::demand::Demand;
use super::query::Query;

/// Rows in order of their distance from a code.
pub struct Ordered {
    /// The code.
    pub query: Query,
    /// What the plan above the scan wants of the order.
    pub demand: Demand,
    /// Conditions on the rows.
    pub restriction: Option<Restriction>,
}

impl Ordered {
    /// How many rows an approximate search is to find; None when no row may be missed.
    pub fn approximate_rows(&self) -> Option<usize> {
        let is_complete = self.restriction.as_ref().is_some_and(Restriction::is_complete);
        match self.demand {
            _ if is_complete => None,
            Demand::Exact => None,
            Demand::Nearest(rows) | Demand::Filtered(rows) => Some(usize::from(rows)),
        }
    }

    /// Whether conditions above the scan throw rows away, so that not all that it returns leave its node.
    pub fn is_filtered(&self) -> bool {
        matches!(self.demand, Demand::Filtered(_))
    }
}

/// The rows that a scan returns.
pub enum Plan {
    /// None: nothing meets the conditions.
    Nothing,
    /// The nearest first, then, unless there are conditions, those without a code.
    Ordered(Ordered),
    /// All, in the order of the log.
    Unordered,
}

impl Plan {
    /// Rows in order of distance from `query`, if there is one, that meet the conditions, if there are any. Without a
    /// query they come nearest first to one of the conditions' own codes.
    pub fn new(query: Option<Query>, demand: Demand, conditions: Option<Conditions>) -> Self {
        let Some(conditions) = conditions else {
            return match query {
                Some(query) => Plan::Ordered(Ordered {
                    query,
                    demand,
                    restriction: None,
                }),
                None => Plan::Unordered,
            };
        };
        let Some(center) = conditions.center().filter(|_| !conditions.is_impossible()) else {
            return Plan::Nothing;
        };
        let (query, restriction) = match query {
            Some(query) => {
                let restriction = conditions.ordered_by(&query);
                (query, restriction)
            }
            None => {
                let restriction = conditions.ordered_by(&center).in_any_order();
                (center, restriction)
            }
        };
        Plan::Ordered(Ordered {
            query,
            demand,
            restriction: Some(restriction),
        })
    }
}
