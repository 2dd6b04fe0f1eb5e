//! Building a shard of values that only a function of the caller's understands: in the caller's thread.
//!
//! The last nodes to be linked serve as queries first: while the graph does not have them yet, they are what a query is
//! like, and whatever they find can be compared with all other rows.

use std::cell::Cell;

use super::builder::{BuiltShard, Entries, Parts, inverted};
use super::link::link_serially;
use super::measure::{Climb, classified};
use super::postings::PostingLists;
use super::size::file_bytes;
use crate::control::{BuildControl, Cancelled};
use crate::cost;
use crate::graph::levels::Levels;
use crate::graph::lists::Graph;
use crate::graph::order;
use crate::graph::row_set::{Contents, ValueSet};
use crate::graph::walk::View;
use crate::opaque::{Distance, Layout};
use crate::params::{BuildParams, ShardValues};
use crate::shard::{DenseCurves, NEIGHBOURS};
use crate::space::{KnownPairs, Space, ValueTable, Values};

/// Nodes that serve as queries, at most.
const QUERIES: usize = if cfg!(miri) { 2 } else { 60 };

/// At most one node in this many is a query.
const NODES_PER_QUERY: usize = 8;

/// The values of a shard, ready to be built.
pub struct CollectedValues {
    pub(crate) params: BuildParams,
    pub(crate) values: ValueSet,
    pub(crate) layout: Layout,
    pub(crate) entries: Entries,
}

impl CollectedValues {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Expected size of the file, without the entry ranges.
    pub fn estimated_file_bytes(&self) -> u64 {
        file_bytes(u64::from(self.values.len()), self.entries.len() as u64, &self.params)
    }

    /// Builds the shard in this thread; blocks until done or cancelled, by the distance function for instance. It may
    /// unwind.
    ///
    /// # Errors
    /// [`Cancelled`], when [`BuildControl::cancel`] was called.
    pub fn build<D: Distance>(self, distance: D, control: &BuildControl) -> Result<BuiltShard, Cancelled> {
        let Self {
            params,
            values,
            layout,
            entries,
        } = self;
        let (row_of_node, levels) = order::number_nodes(&values, usize::from(params.m), params.seed, control)?;
        let (locators, bytes) = values.gathered(&row_of_node);
        drop(values);
        let postings = PostingLists::new(entries, &inverted(&row_of_node), control)?;
        let is_damaged = Cell::new(false);
        let space = Values::new(ValueTable::new(layout, &locators, &bytes), distance, &is_damaged);
        let known = KnownPairs::new(levels.nodes());
        let queries = QUERIES.min(levels.nodes() as usize / NODES_PER_QUERY);
        let measure = |graph: &Graph, held_back: &[u32]| measure(graph, space, held_back, control);
        let (graph, curves) = link_serially(space.with_memory(&known), levels, &params, control, queries, measure)?;
        Ok(BuiltShard {
            params,
            rows: locators,
            postings,
            parts: Parts::of_values(layout, graph, bytes, &curves),
        })
    }

    /// How it is built.
    pub fn params(&self) -> &BuildParams {
        &self.params
    }

    /// What the values are.
    pub fn layout(&self) -> Layout {
        self.layout
    }
}

impl BuiltShard {
    /// A shard without nodes. It says that its values, if they are opaque, cannot be compared, so that they are not
    /// tried again and again.
    pub fn refused(params: &BuildParams) -> Self {
        let params = params.clone().clamped();
        let layout = match params.values {
            ShardValues::Opaque { layout, .. } => layout,
            ShardValues::Codes { .. } | ShardValues::Dense { .. } => Layout::Varying,
        };
        let graph = Graph::new(Levels::empty(), usize::from(params.m));
        BuiltShard {
            params,
            rows: Vec::new(),
            postings: PostingLists {
                offsets: vec![0],
                ordinals: Vec::new(),
            },
            parts: Parts::of_values(layout, graph, Vec::new(), &DenseCurves::default()),
        }
    }
}

/// Measures the recall of searches for nodes that the graph does not have yet.
fn measure<D: Distance>(
    graph: &Graph,
    values: Values<'_, D>,
    held_back: &[u32],
    control: &BuildControl,
) -> Result<DenseCurves, Cancelled> {
    let mut climb = Climb::default();
    let mut results = Vec::new();
    let (mut centre, mut keys) = (Default::default(), Vec::new());
    let others: Vec<u32> = (0..values.count()).filter(|node| !held_back.contains(node)).collect();
    for &query in held_back {
        control.check()?;
        values.centre(query, &mut centre);
        values.keys(&centre, &others, &mut keys);
        keys.sort_unstable();
        keys.truncate(NEIGHBOURS);
        let Some(&farthest) = keys.last() else { continue };
        let (tenth, curve) = climb.run(
            &View::new(values, graph, &centre),
            None,
            |effort| cost::graph_calls(values.count(), graph.capacity(0), effort) <= f64::from(values.count()),
            keys.len(),
            |found, _| {
                let nearest = found.iter().take(NEIGHBOURS);
                nearest.filter(|found| found.key <= farthest).count()
            },
        );
        results.extend(tenth.map(|tenth| (tenth, curve)));
    }
    Ok(classified(&results, 1))
}
