//! Measuring the graph of codes: some of them, with some bits flipped and cut to several lengths.

use iscc_metrics::Query;
use iscc_metrics::bits::Rows;

use super::measure::{Climb, QUERIES, on_threads};
use crate::control::{BuildControl, Cancelled};
use crate::cost::{self, Width};
use crate::graph::lists::Graph;
use crate::graph::walk::View;
use crate::params::BuildParams;
use crate::random::Random;
use crate::search::{Candidate, FlatSearch, WordPass};
use crate::shard::words::WordTable;
use crate::shard::{CLASSES, Calibration, CodeCurves, Curve, LENGTH_EIGHTHS, NEIGHBOURS};
use crate::space::Codes;

/// Share of the bits that are flipped, in 256ths, taken in turn. With half of them a query is near nothing: it must not
/// be taken for one that the least effort has led astray.
const FLIPPED: [u64; 7] = [0, 3, 8, 16, 32, 64, 128];

/// Measures the recall of searches of the graph.
pub(crate) fn measure(
    graph: &Graph,
    codes: Codes<'_>,
    table: WordTable<'_>,
    params: &BuildParams,
    control: &BuildControl,
) -> Result<CodeCurves, Cancelled> {
    let trials = Trials {
        graph,
        codes,
        table,
        seed: params.seed,
        classes: Calibration::of_codes(codes.metric(), &CodeCurves::default()),
        longest: table.groups().map(|group| group.code_bytes).max().unwrap_or(0),
    };
    let parts = on_threads(params.threads, |first, step| {
        trials.run((first as u32..QUERIES).step_by(step), control)
    })?;
    let mut all = CodeCurves::default();
    for part in &parts {
        for (curves, part) in all.iter_mut().zip(part) {
            curves.query_bytes = part.query_bytes;
            curves.add(part);
        }
    }
    Ok(all)
}

/// The trials of a shard: what is searched, and how.
struct Trials<'a> {
    graph: &'a Graph,
    codes: Codes<'a>,
    table: WordTable<'a>,
    seed: u64,
    /// Says which class a distance is in.
    classes: Calibration,
    longest: usize,
}

impl Trials<'_> {
    fn run(&self, queries: impl Iterator<Item = u32> + Clone, control: &BuildControl) -> Result<CodeCurves, Cancelled> {
        let mut all = CodeCurves::default();
        let mut trial = Trial::default();
        for (curves, eighths) in all.iter_mut().zip(LENGTH_EIGHTHS) {
            let bytes = self.longest * eighths / 8;
            curves.query_bytes = (bytes as u16).into();
            if bytes == 0 {
                continue;
            }
            for number in queries.clone() {
                control.check()?;
                let query = Query::new(self.codes.metric(), &self.code(number, bytes));
                let (class, curve) = trial.run(self, &query);
                curves.classes[class].add(&curve);
            }
        }
        Ok(all)
    }

    /// A code of the shard of this length, some bits of it flipped.
    fn code(&self, number: u32, bytes: usize) -> Vec<u8> {
        let mut random = Random(self.seed ^ u64::from(number) << 32 ^ bytes as u64);
        let rows: Rows<'_> = self.codes.rows();
        let nodes = u64::from(rows.count());
        let first = (u64::from(number) * nodes / u64::from(QUERIES)) as u32;
        let later = first..rows.count().min(first + QUERIES);
        let long_enough = later.map_while(|node| rows.code(node)).find(|code| code.len() >= bytes);
        let mut code = long_enough.or(rows.code(first)).unwrap_or_default().to_vec();
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
    climb: Climb,
}

impl Trial {
    /// One query's class and results.
    fn run(&mut self, of: &Trials<'_>, query: &Query) -> (usize, Curve) {
        self.flat.start(u32::MAX);
        let all = WordPass::new(of.table, query);
        self.flat.next_in(&all, NEIGHBOURS, u32::MAX, &mut self.truth);
        let farthest = self.truth.last().map_or(0, |last| last.key);
        let nodes = f64::from(of.codes.rows().count());
        let width = Width::Code(query.code().len());
        let flat_ns = cost::flat_ns(nodes, width);
        let code = query.code();
        let (tenth, curve) = self.climb.run(
            &View::new(of.codes, of.graph, &code),
            None,
            |effort| cost::graph_ns(nodes, width, effort as f64) <= flat_ns,
            self.truth.len(),
            |found, _| {
                let nearest = found.iter().take(NEIGHBOURS);
                nearest.filter(|found| found.key <= farthest).count()
            },
        );
        (tenth.map_or(CLASSES - 1, |tenth| of.classes.class_of(tenth)), curve)
    }
}
