//! Every node must be reachable from node 0 on the base level; missing links are added at the end.
//!
//! Selection drops links, and concurrent insertion can lose a race, so a few nodes may end without any path to them.
//! A search that is resumed to its end must return every code of the shard once, so this is corrected, not tolerated.

use super::insert::Inserter;
use super::lists::Graph;
use super::pool::node_of;
use super::visited::Visited;
use crate::control::{BuildControl, Cancelled};
use crate::space::Space;

/// Nodes looked at for a free link before the search is widened.
const FIRST_EFFORT: usize = 64;

/// Marks what is reachable from `start`.
fn mark(graph: &Graph, start: u32, reached: &mut Visited, control: &BuildControl) -> Result<(), Cancelled> {
    let mut stack = Vec::new();
    let mut steps = 0usize;
    if reached.insert(start) {
        stack.push(start);
    }
    while let Some(node) = stack.pop() {
        steps += 1;
        control.check_at(steps)?;
        stack.extend_from_slice(reached.insert_all(graph.neighbors(node, 0)));
    }
    Ok(())
}

/// Links every unreachable node from a near reachable one; the number of nodes that needed it.
pub(crate) fn link_unreachable<S: Space>(
    inserter: &mut Inserter<'_, S>,
    control: &BuildControl,
) -> Result<u32, Cancelled> {
    let graph = inserter.graph;
    let mut reached = Visited::default();
    reached.reset(graph.levels().nodes());
    mark(graph, 0, &mut reached, control)?;
    let mut mended = 0;
    for node in 0..graph.levels().nodes() {
        control.check_at(node as usize)?;
        if !reached.contains(node) {
            control.check()?;
            link(inserter, node, &reached);
            mark(graph, node, &mut reached, control)?;
            mended += 1;
        }
    }
    Ok(mended)
}

/// Makes one unreachable node reachable.
fn link<S: Space>(inserter: &mut Inserter<'_, S>, node: u32, reached: &Visited) {
    let graph = inserter.graph;
    let mut effort = FIRST_EFFORT;
    loop {
        let near = inserter.nearest(node, effort);
        // The entry found on the upper levels may itself be unreachable, and so may be what follows from it.
        let mut reachable = near
            .iter()
            .map(|&packed| node_of(packed))
            .filter(|&id| reached.contains(id));
        let exhausted = near.len() < effort;
        let nearest = reachable.clone().next();
        if reachable.any(|id| graph.push_neighbor(id, 0, node)) {
            return;
        }
        if let (true, Some(nearest)) = (exhausted || effort > 16 * FIRST_EFFORT, nearest) {
            insert_between(graph, nearest, node);
            return;
        }
        if exhausted {
            // Nothing reachable near it: node 0 always is.
            insert_between(graph, 0, node);
            return;
        }
        effort *= 4;
    }
}

/// Gives the last link of the full list of `from` to `node`, which takes over the node that it led to. What was
/// reachable stays so; only `node` can lose a link, and no reachable node depended on that.
fn insert_between(graph: &Graph, from: u32, node: u32) {
    let mut ids: Vec<u32> = graph.neighbors(from, 0).collect();
    let displaced = ids.pop();
    ids.push(node);
    graph.set_neighbors(from, 0, &ids);
    if let Some(displaced) = displaced
        && !graph.push_neighbor(node, 0, displaced)
    {
        let mut ids: Vec<u32> = graph.neighbors(node, 0).collect();
        ids.pop();
        ids.push(displaced);
        graph.set_neighbors(node, 0, &ids);
    }
}
