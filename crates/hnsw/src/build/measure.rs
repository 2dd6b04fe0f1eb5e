//! Measuring what effort a graph needs to find which share of the true neighbours.
//!
//! Values differ widely in how well a graph serves them: near-duplicates are found with little effort, random codes
//! with none that pays. The same holds for queries: a short one, or one far from all that is stored, is harder. So a
//! build ends by asking its own graph: values near its own, searched with rising effort and compared with the exact
//! answer.

use crate::control::Cancelled;
use crate::graph::lists::Graph;
use crate::graph::walk::View;
use crate::search::{Candidate, GraphSearch};
use crate::shard::{CLASSES, Calibration, Curve, DenseCurves, EFFORTS, NEIGHBOURS};
use crate::space::Space;

/// Queries of each length.
pub(crate) const QUERIES: u32 = if cfg!(miri) { 4 } else { 240 };

/// Runs a part of the queries, given by the first one and the step to the next, on each of several threads.
pub(crate) fn on_threads<T: Send>(
    threads: usize,
    run: impl Fn(usize, usize) -> Result<T, Cancelled> + Sync,
) -> Result<Vec<T>, Cancelled> {
    let run = &run;
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|first| scope.spawn(move || run(first, threads)))
            .collect();
        let mut parts = vec![run(0, threads)?];
        for other in others {
            // A panic there goes on here.
            parts.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(parts)
    })
}

/// Buffers of the searches.
#[derive(Default)]
pub(crate) struct Climb {
    search: GraphSearch,
    found: Vec<Candidate>,
}

impl Climb {
    /// Searches with rising effort, as long as `pays` says that another kind of search is no cheaper, as if the graph
    /// did not have `hidden`, a node of its base level only: how many true neighbours each search finds, as `count`
    /// says, and the key of the tenth row that the first one finds. One that finds all of them is the last: more effort
    /// finds no less.
    pub(crate) fn run<S: Space>(
        &mut self,
        view: &View<'_, &Graph, S>,
        hidden: Option<u32>,
        pays: impl Fn(usize) -> bool,
        expected: usize,
        count: impl Fn(&[Candidate], usize) -> usize,
    ) -> (Option<u32>, Curve) {
        let mut tenth = None;
        let mut curve = Curve {
            queries: 1.into(),
            expected: (expected as u16).into(),
            ..Curve::default()
        };
        for (at, &effort) in EFFORTS.iter().enumerate() {
            if at == 0 {
                let max_level = view.links.levels().max_level();
                self.search.start_in(view, max_level, effort, hidden, &mut self.found);
                let nearest = self.found.get(NEIGHBOURS - 1).or(self.found.last());
                tenth = nearest.map(|tenth| tenth.key);
            } else if !pays(effort) {
                break;
            } else if curve.found[at - 1] != curve.expected {
                self.search.widen_in(view, effort, &mut self.found);
            }
            curve.found[at] = (count(&self.found, effort) as u16).into();
        }
        (tenth, curve)
    }
}

/// Sorts results into classes of about as many queries each, by the key of the tenth row found.
pub(crate) fn classified(results: &[(u32, Curve)], query_bytes: u16) -> DenseCurves {
    let mut keys: Vec<u32> = results.iter().map(|&(key, _)| key).collect();
    keys.sort_unstable();
    let mut curves = DenseCurves::default();
    for (class, end) in curves.ends.iter_mut().enumerate() {
        let first_of_next = keys.get((class + 1) * keys.len() / CLASSES);
        *end = first_of_next.copied().unwrap_or(0).into();
    }
    let classes = Calibration::of_dense(&curves);
    curves.curves.query_bytes = query_bytes.into();
    for (key, curve) in results {
        curves.curves.classes[classes.class_of(*key)].add(curve);
    }
    curves
}
