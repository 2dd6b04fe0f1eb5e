//! All codes of a shard within a radius, by tables of their pieces instead of comparing all codes.

use iscc_metrics::Query;
use iscc_metrics::ahead;
use iscc_metrics::bits::WordGroup;

use super::graph_search::Candidate;
use super::within_plan::{Plan, cheapest, masks_within};
use crate::cost::{self, Width};
use crate::graph::visited::Visited;
use crate::shard::Shard;
use crate::shard::pieces::{PIECE_BYTES, PieceTables, piece_of};
use crate::space::Space;

/// Codes compared at once where all of a length are.
const CHUNK: usize = 1024;

/// How a group of codes is searched.
struct Part<'a> {
    group: WordGroup<'a>,
    tables: PieceTables<'a>,
    /// The first pieces of the query.
    pieces: Vec<u32>,
    /// `None` where all codes are compared.
    plan: Option<Plan>,
}

/// Buffers of a search.
#[derive(Default)]
pub struct WithinSearch {
    /// Nodes that were looked up.
    seen: Visited,
    ids: Vec<u32>,
    keys: Vec<u32>,
    near: Vec<(u32, u32)>,
    compared: usize,
}

impl WithinSearch {
    /// Codes compared by the last search.
    pub fn visited(&self) -> usize {
        self.compared
    }

    /// Fills `out` with all nodes with a key less than `below`, nearest first. False, and `out` is empty, if this would cost
    /// no less than comparing all codes.
    pub fn find<B: AsRef<[u8]>>(
        &mut self,
        shard: &Shard<B>,
        query: &Query,
        below: u32,
        out: &mut Vec<Candidate>,
    ) -> bool {
        out.clear();
        self.compared = 0;
        let Some(parts) = planned(shard, query, below) else {
            return false;
        };
        self.seen.reset(shard.nodes());
        for part in &parts {
            match &part.plan {
                Some(plan) => self.look_up(part, plan),
                None => self.compare_all(&part.group, query, below, out),
            }
        }
        let candidates = self.seen.members();
        self.compared += candidates.len();
        let codes = shard.codes(query.metric());
        if shard.is_on_disk() {
            ahead::read(candidates.iter().map(|&node| codes.memory(node)));
        }
        codes.keys(&query.code(), candidates, &mut self.keys);
        let near = candidates.iter().zip(&self.keys).filter(|(_, key)| **key < below);
        out.extend(near.map(|(&node, &key)| Candidate { key, node }));
        out.sort_unstable();
        true
    }

    /// Notes the nodes that may be within the radius.
    fn look_up(&mut self, part: &Part<'_>, plan: &Plan) {
        for (number, (&piece, allowance)) in part.pieces.iter().zip(&plan.allowances).enumerate() {
            let Some(allowance) = *allowance else { continue };
            let table = part.tables.table(number);
            self.ids.clear();
            table.nodes_near(piece, masks_within(allowance), &mut self.ids);
            self.seen.insert_all(self.ids.iter().copied());
        }
    }

    fn compare_all(&mut self, group: &WordGroup<'_>, query: &Query, below: u32, out: &mut Vec<Candidate>) {
        for first in (0..group.count).step_by(CHUNK) {
            let end = group.count.min(first + CHUNK);
            query.near_words(group, first..end, below, &mut self.near);
            out.extend(self.near.iter().map(|&(key, index)| Candidate {
                key,
                node: group.node(index as usize),
            }));
        }
        self.compared += group.count;
    }
}

/// How each group is searched; `None` if looking up does not make a difference.
fn planned<'a, B: AsRef<[u8]>>(shard: &'a Shard<B>, query: &Query, below: u32) -> Option<Vec<Part<'a>>> {
    let mut parts = Vec::new();
    let (mut all, mut chosen) = (0.0, 0.0);
    for (group, tables) in shard.pieces() {
        let bytes = group.code_bytes.min(query.code().len());
        let flat = cost::flat_ns(group.count as f64, Width::Code(bytes));
        let pieces: Vec<u32> = (0..tables.len().min(bytes / PIECE_BYTES))
            .filter_map(|piece| piece_of(query.code(), piece))
            .collect();
        let plan = query
            .most_differing_bits(bytes, below)
            .and_then(|most| cheapest(&tables, &pieces, most))
            .filter(|plan| plan.nanoseconds < flat);
        all += flat;
        chosen += plan.as_ref().map_or(flat, |plan| plan.nanoseconds);
        parts.push(Part {
            group,
            tables,
            pieces,
            plan,
        });
    }
    (chosen < WORTH_IT * all).then_some(parts)
}

/// Looking up pays if it takes at most this share of the time.
const WORTH_IT: f64 = 0.8;
