//! Searches of several graphs at once.
//!
//! A search spends most of its time waiting for memory: each step needs links and rows that the step before has named. The
//! steps of other searches fill these pauses.

use std::borrow::Borrow;

use super::graph_search::{Candidate, GraphSearch, Step, view_of};
use super::query::ShardQuery;
use crate::shard::Shard;

/// One of several searches.
pub struct Part<'a, B: AsRef<[u8]>> {
    /// Its state.
    pub search: &'a mut GraphSearch,
    /// The shard that it searches.
    pub shard: &'a Shard<B>,
    /// How many of the best nodes it is to find.
    pub effort: usize,
    /// These, nearest first.
    pub found: &'a mut Vec<Candidate>,
}

/// Begins several searches, each as [`GraphSearch::start`] does.
pub fn start_together<B: AsRef<[u8]>, Q: ShardQuery>(query: &Q, parts: &mut [Part<'_, B>]) {
    for part in &mut *parts {
        part.search.reset(part.shard, query, part.effort);
    }
    run(query, parts, |part| Step::first(part.shard));
}

/// Makes several searches ones of more effort, each as [`GraphSearch::widen`] does.
pub fn widen_together<B: AsRef<[u8]>, Q: ShardQuery>(query: &Q, parts: &mut [Part<'_, B>]) {
    for part in &mut *parts {
        part.search.make_room(part.effort);
    }
    run(query, parts, |_| Step::Links);
}

/// Takes the steps of all in turn, each from the first one that it is given.
fn run<B: AsRef<[u8]>, Q: ShardQuery>(query: &Q, parts: &mut [Part<'_, B>], first: impl Fn(&Part<'_, B>) -> Step) {
    let centre = query.centre();
    let views: Vec<_> = parts
        .iter()
        .map(|part| view_of(part.shard, query.space(part.shard), centre.borrow()))
        .collect();
    let mut steps: Vec<Step> = parts.iter().map(first).collect();
    while steps.iter().any(|&step| step != Step::End) {
        for ((part, view), step) in parts.iter_mut().zip(&views).zip(&mut steps) {
            *step = part.search.take(*step, view);
        }
    }
    for part in parts {
        part.search.list(part.found);
    }
}
