//! Searches of several graphs at once.
//!
//! A search spends most of its time waiting for memory: each step needs links and rows that the step before has named. The
//! steps of other searches fill these pauses.

use std::borrow::Borrow;

use super::graph_search::{Candidate, GraphSearch};
use super::query::ShardQuery;
use crate::graph::links::Links;
use crate::graph::pool::node_of;
use crate::graph::walk::View;
use crate::shard::Shard;
use crate::space::Space;

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
    run(query, parts, Stage::Entry);
}

/// Makes several searches ones of more effort, each as [`GraphSearch::widen`] does.
pub fn widen_together<B: AsRef<[u8]>, Q: ShardQuery>(query: &Q, parts: &mut [Part<'_, B>]) {
    for part in &mut *parts {
        part.search.make_room(part.effort);
    }
    run(query, parts, Stage::Links);
}

/// What a search does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Goes to node 0.
    Entry,
    /// Reads the links of the nearest node, on its way down.
    Hop,
    /// Compares the rows beside it.
    HopRows,
    /// Reads the links of the next node to expand.
    Links,
    /// Compares the rows beside it.
    Rows,
    /// Nothing.
    End,
}

fn run<B: AsRef<[u8]>, Q: ShardQuery>(query: &Q, parts: &mut [Part<'_, B>], first: Stage) {
    let centre = query.centre();
    let views: Vec<_> = parts
        .iter()
        .map(|part| View::new(query.space(part.shard), part.shard.links(), centre.borrow()))
        .collect();
    let mut stages = vec![first; parts.len()];
    while stages.iter().any(|&stage| stage != Stage::End) {
        for ((part, view), stage) in parts.iter_mut().zip(&views).zip(&mut stages) {
            *stage = step(part, view, *stage);
        }
    }
    for part in parts {
        part.search.list(part.found);
    }
}

fn step<B: AsRef<[u8]>, L: Links, S: Space>(part: &mut Part<'_, B>, view: &View<'_, L, S>, stage: Stage) -> Stage {
    let search = &mut *part.search;
    match stage {
        Stage::Entry if view.space.count() == 0 => Stage::End,
        Stage::Entry => {
            search.set_out(view, usize::from(part.shard.max_level()));
            go_down(search, view)
        }
        Stage::Hop => {
            search.walk.load_hop(view);
            Stage::HopRows
        }
        Stage::HopRows => {
            search.walk.take_hop(view);
            go_down(search, view)
        }
        Stage::Links if search.load_neighbors(view) => Stage::Rows,
        Stage::Links => Stage::End,
        Stage::Rows => {
            search.take_neighbors(view);
            search.walk.load_next_links(view);
            Stage::Links
        }
        Stage::End => Stage::End,
    }
}

/// Asks for the links of the nearest node; on the base level of the next one to expand.
fn go_down<L: Links, S: Space>(search: &mut GraphSearch, view: &View<'_, L, S>) -> Stage {
    if search.walk.level > 0 {
        view.links.prefetch(node_of(search.walk.best), search.walk.level);
        Stage::Hop
    } else {
        search.arrive(view);
        search.walk.load_next_links(view);
        Stage::Links
    }
}
