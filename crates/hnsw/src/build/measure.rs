//! Measuring what effort a graph needs to find which share of the true neighbours.
//!
//! Codes differ widely in how well a graph serves them: near-duplicates are found with little effort, random codes with none
//! that pays. The same holds for queries: a short one, or one far from all codes, is harder. So a build ends by asking its
//! own graph: some of its codes, with some bits flipped and cut to several lengths, searched with rising effort and
//! compared with the exact answer.

use iscc_metrics::Query;
use iscc_metrics::bits::Rows;

use crate::control::{BuildControl, Cancelled};
use crate::cost;
use crate::graph::lists::Graph;
use crate::graph::walk::View;
use crate::params::BuildParams;
use crate::random::Random;
use crate::search::{Candidate, FlatSearch, GraphSearch};
use crate::shard::words::WordTable;
use crate::shard::{CLASSES, Calibration, Curve, EFFORTS, LENGTH_EIGHTHS, NEIGHBOURS};
use crate::space::Codes;

/// Queries of each length.
const QUERIES: u32 = if cfg!(miri) { 4 } else { 240 };

/// Share of the bits that are flipped, in 256ths, taken in turn.
const FLIPPED: [u64; 6] = [0, 3, 8, 16, 32, 64];

/// Measures the recall of searches of the graph.
pub(crate) fn measure(
    graph: &Graph,
    rows: Rows<'_>,
    table: WordTable<'_>,
    params: &BuildParams,
    control: &BuildControl,
) -> Result<Calibration, Cancelled> {
    let trials = Trials {
        graph,
        rows,
        table,
        params,
        longest: table.groups().map(|group| group.code_bytes).max().unwrap_or(0),
    };
    let threads = params.threads as u32;
    std::thread::scope(|scope| {
        let run = |first: u32| {
            let trials = &trials;
            move || trials.run((first..QUERIES).step_by(threads as usize), control)
        };
        let others: Vec<_> = (1..threads).map(|first| scope.spawn(run(first))).collect();
        let mut calibration = run(0)()?;
        for other in others {
            // A panic there goes on here.
            let part = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            calibration.add(&part);
        }
        Ok(calibration)
    })
}

/// The trials of a shard: what is searched, and how.
struct Trials<'a> {
    graph: &'a Graph,
    rows: Rows<'a>,
    table: WordTable<'a>,
    params: &'a BuildParams,
    longest: usize,
}

impl Trials<'_> {
    fn run(
        &self,
        queries: impl Iterator<Item = u32> + Clone,
        control: &BuildControl,
    ) -> Result<Calibration, Cancelled> {
        let mut calibration = Calibration::default();
        let mut trial = Trial::default();
        for (curves, eighths) in calibration.lengths.iter_mut().zip(LENGTH_EIGHTHS) {
            let bytes = self.longest * eighths / 8;
            curves.query_bytes = (bytes as u16).into();
            if bytes == 0 {
                continue;
            }
            for number in queries.clone() {
                control.check()?;
                let query = Query::new(self.params.metric, &self.code(number, bytes));
                let (class, curve) = trial.run(self, &query);
                curves.classes[class].add(&curve);
            }
        }
        Ok(calibration)
    }

    /// A code of the shard of this length, some bits of it flipped.
    fn code(&self, number: u32, bytes: usize) -> Vec<u8> {
        let mut random = Random(self.params.seed ^ u64::from(number) << 32 ^ bytes as u64);
        let nodes = u64::from(self.rows.count());
        let first = (u64::from(number) * nodes / u64::from(QUERIES)) as u32;
        let later = first..self.rows.count().min(first + QUERIES);
        let long_enough = later
            .map_while(|node| self.rows.code(node))
            .find(|code| code.len() >= bytes);
        let mut code = long_enough.or(self.rows.code(first)).unwrap_or_default().to_vec();
        code.truncate(bytes);
        // Only a shorter code takes this: bytes that are compared with nothing of its own length, so any will do.
        code.resize_with(bytes, || random.next() as u8);
        let flipped = FLIPPED[number as usize % FLIPPED.len()];
        for bit in 0..8 * bytes {
            if random.next() % 256 < flipped {
                code[bit / 8] ^= 1 << (bit % 8);
            }
        }
        code
    }
}

/// Buffers of the searches.
#[derive(Default)]
struct Trial {
    flat: FlatSearch,
    truth: Vec<Candidate>,
    search: GraphSearch,
    found: Vec<Candidate>,
}

impl Trial {
    /// One query's class and results.
    fn run(&mut self, of: &Trials<'_>, query: &Query) -> (usize, Curve) {
        self.flat.start(u32::MAX);
        self.flat
            .next_in(of.table, query, NEIGHBOURS, u32::MAX, &mut self.truth);
        let farthest = self.truth.last().map_or(0, |last| last.key);
        let nodes = f64::from(of.rows.count());
        let flat_ns = cost::flat_ns(nodes, query.code().len());
        let code = query.code();
        let view = View::new(Codes::new(of.rows, query.metric()), of.graph, &code);
        let mut class = CLASSES - 1;
        let mut curve = Curve {
            queries: 1.into(),
            expected: (self.truth.len() as u16).into(),
            ..Curve::default()
        };
        for (at, &effort) in EFFORTS.iter().enumerate() {
            if at == 0 {
                let max_level = of.graph.levels().max_level();
                self.search.start_in(&view, max_level, effort, &mut self.found);
                let tenth = self.found.get(NEIGHBOURS - 1).or(self.found.last());
                class = tenth.map_or(class, |tenth| query.metric().class_of_key(tenth.key));
            } else if cost::graph_ns(nodes, effort as f64) > flat_ns {
                break;
            } else {
                self.search.widen_in(&view, effort, &mut self.found);
            }
            let nearest = self.found.iter().take(NEIGHBOURS);
            curve.found[at] = (nearest.filter(|found| found.key <= farthest).count() as u16).into();
        }
        (class, curve)
    }
}
