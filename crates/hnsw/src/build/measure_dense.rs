//! Measuring the graph of dense vectors: the queries whose true neighbours are known.

use iscc_metrics::dense::rows::Encoding;

use super::collect_dense::Trial;
use super::measure::{Climb, classified, on_threads};
use crate::control::{BuildControl, Cancelled};
use crate::cost::{self, Width};
use crate::graph::lists::Graph;
use crate::graph::walk::View;
use crate::params::BuildParams;
use crate::search::looked_up;
use crate::shard::DenseCurves;
use crate::space::{Space, Vectors};

/// Measures the recall of searches of the graph. A trial's neighbours are rows; `node_of_row` says which nodes these
/// became.
pub(crate) fn measure(
    graph: &Graph,
    vectors: Vectors<'_>,
    encoding: &Encoding,
    trials: &[Trial],
    node_of_row: &[u32],
    params: &BuildParams,
    control: &BuildControl,
) -> Result<DenseCurves, Cancelled> {
    let nodes = f64::from(vectors.count());
    let width = Width::of_rows(encoding);
    let value_bytes = encoding.dimensions() * encoding.scalar().bytes();
    // Where no effort is enough, a search reads the log.
    let log_ns = nodes * cost::log_vector_ns(encoding.metric(), encoding.dimensions(), value_bytes);
    let parts = on_threads(params.threads, |first, step| {
        let mut climb = Climb::default();
        let mut results = Vec::new();
        for trial in trials.iter().skip(first).step_by(step) {
            control.check()?;
            let node_of = |row: u32| node_of_row[row as usize];
            let hidden = trial.hidden.map(node_of);
            // Others lead to a node of an upper level: without it, the graph would be another one.
            if hidden.is_some_and(|node| graph.levels().level_of(node) > 0) {
                continue;
            }
            let truth: Vec<u32> = trial.neighbours().map(node_of).collect();
            let (tenth, curve) = climb.run(
                &View::new(vectors, graph, &encoding.query(&trial.value)),
                hidden,
                |effort| cost::graph_ns(nodes, width, effort as f64) <= log_ns,
                truth.len(),
                |found, effort| {
                    let known = found.iter().take(looked_up(effort));
                    known.filter(|found| truth.contains(&found.node)).count()
                },
            );
            results.extend(tenth.map(|tenth| (tenth, curve)));
        }
        Ok(results)
    })?;
    Ok(classified(&parts.concat(), value_bytes as u16))
}
