//! Linking all rows into a graph, on several threads.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::control::{BuildControl, Cancelled};
use crate::graph::insert::Inserter;
use crate::graph::levels::Levels;
use crate::graph::lists::Graph;
use crate::graph::{order, repair};
use crate::params::BuildParams;
use crate::space::Space;

/// Nodes inserted by one thread before the others join: two nodes inserted at once do not see each other, which matters
/// while the graph is small.
const SERIAL_NODES: usize = if cfg!(miri) { 4 } else { 1024 };

/// Nodes between two updates of the progress counter.
const PROGRESS_STRIDE: u64 = 16;

/// The graph of all rows: inserts each, then makes sure that it can be reached.
pub(crate) fn link_all<S: Space + Sync>(
    space: S,
    levels: Levels,
    params: &BuildParams,
    control: &BuildControl,
) -> Result<Graph, Cancelled> {
    control.set_total(u64::from(levels.nodes()));
    let graph = Graph::new(levels, usize::from(params.m));
    if levels.nodes() == 0 {
        return Ok(graph);
    }
    let order = order::insertion_order(&levels, params.seed);
    let new_inserter = || Inserter::new(&graph, space, usize::from(params.ef_construction));
    // Node 0 is the graph's start: it is there without being inserted.
    control.add_done(1);
    let (serial, parallel) = order[1..].split_at((order.len() - 1).min(SERIAL_NODES));
    let mut inserter = new_inserter();
    insert_from(&mut inserter, serial, &AtomicU32::new(0), control);
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 1..params.threads {
            scope.spawn(|| insert_from(&mut new_inserter(), parallel, &next, control));
        }
        insert_from(&mut inserter, parallel, &next, control);
    });
    control.check()?;
    repair::link_unreachable(&mut inserter, control)?;
    Ok(graph)
}

/// Inserts the nodes of `order` that no other thread took, until none is left or the build is cancelled.
fn insert_from<S: Space>(inserter: &mut Inserter<'_, S>, order: &[u32], next: &AtomicU32, control: &BuildControl) {
    let mut unreported = 0;
    while let Some(&node) = order.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
        if control.is_cancelled() {
            break;
        }
        inserter.insert(node);
        unreported += 1;
        if unreported == PROGRESS_STRIDE {
            control.add_done(unreported);
            unreported = 0;
        }
    }
    control.add_done(unreported);
}

/// As [`link_all`], in this thread. Before the last `held_back` nodes are inserted, `measure` is shown the graph
/// without them.
pub(crate) fn link_serially<S: Space, M>(
    space: S,
    levels: Levels,
    params: &BuildParams,
    control: &BuildControl,
    held_back: usize,
    measure: impl FnOnce(&Graph, &[u32]) -> Result<M, Cancelled>,
) -> Result<(Graph, M), Cancelled> {
    control.set_total(u64::from(levels.nodes()));
    let graph = Graph::new(levels, usize::from(params.m));
    let order = order::insertion_order(&levels, params.seed);
    // The last ones have no upper levels, so that nothing leads to them.
    let upper = (levels.at_least(1) as usize).max(1).min(order.len());
    let (first, last) = order.split_at((order.len() - held_back.min(order.len())).max(upper));
    let mut inserter = Inserter::new(&graph, space, usize::from(params.ef_construction));
    let mut insert = |nodes: &[u32]| insert_from(&mut inserter, nodes, &AtomicU32::new(0), control);
    // Node 0 is the graph's start: it is there without being inserted.
    control.add_done(1);
    insert(first.get(1..).unwrap_or_default());
    control.check()?;
    let measured = measure(&graph, last)?;
    insert(last);
    control.check()?;
    repair::link_unreachable(&mut inserter, control)?;
    Ok((graph, measured))
}
