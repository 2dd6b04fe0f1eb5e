//! What effort the graph of a shard needs to find which share of the true neighbours.
//!
//! Codes differ widely in how well a graph serves them: near-duplicates are found with little effort, random codes with none
//! that pays. The same holds for queries: a short one, or one far from all codes, is harder. So a build ends by asking its
//! own graph: some of its codes, with some bits flipped and cut to several lengths, searched with rising effort and
//! compared with the exact answer. The results are kept by the query's length and by the distance of the tenth code that
//! the least effort finds, which a search knows, too, before it decides on more.

use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::build::{BuildControl, BuildParams, Cancelled};
use crate::cost;
use crate::distance::{Metric, Query};
use crate::flat::FlatSearch;
use crate::graph::Graph;
use crate::kernels::Rows;
use crate::search::{Candidate, GraphSearch, View};
use crate::words::WordTable;

/// Efforts that are tried.
pub const EFFORTS: [usize; 6] = [32, 64, 128, 256, 512, 1024];

/// Lengths of queries that are tried, in eighths of the longest code.
const LENGTH_EIGHTHS: [usize; 5] = [8, 6, 4, 2, 1];

/// Classes of distance; all but the last are [`CLASS_KEYS`] wide.
pub const CLASSES: usize = 8;

/// Width of a class, as a key: a distance of 1/16. By the number of bits the first ones end before 9, 19 and 30 bits.
const CLASS_KEYS: u32 = 1 << 27;

/// The key of a distance of 1.
const GREATEST_KEY: u32 = 1 << 31;

/// Neighbours that are compared.
pub const NEIGHBOURS: usize = 10;

/// Queries of each length.
const QUERIES: u32 = 240;

/// Share of the bits that are flipped, in 256ths, taken in turn.
const FLIPPED: [u64; 6] = [0, 3, 8, 16, 32, 64];

/// Fewer queries of a class say too little: those of the next harder ones count, too.
const ENOUGH: u32 = 20;

/// Results for queries of one length in one class of distance.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Curve {
    /// Number of queries.
    pub queries: U16,
    /// True neighbours of all queries together.
    pub expected: U16,
    /// How many of them a search of each effort found; 0 where an exact search would be cheaper.
    pub found: [U16; EFFORTS.len()],
}

/// Results for queries of one length.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct LengthCurves {
    /// Length of the queries; 0 if none were tried.
    pub query_bytes: U16,
    /// By the distance of the tenth code found with the least effort.
    pub classes: [Curve; CLASSES],
}

/// What was measured of a shard; [`Calibration::default`] says nothing, so searches are exact.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Calibration {
    /// Longest first.
    pub lengths: [LengthCurves; LENGTH_EIGHTHS.len()],
}

/// The class of a search whose tenth code has this key.
fn class_of(key: u32) -> usize {
    ((key / CLASS_KEYS) as usize).min(CLASSES - 1)
}

/// The distance at which a class ends.
pub fn class_end(metric: Metric, class: usize) -> f64 {
    let end = if class + 1 < CLASSES {
        (class as u32 + 1) * CLASS_KEYS
    } else {
        GREATEST_KEY
    };
    metric.distance_of_key(end)
}

impl Calibration {
    /// Whether it pays to begin a search with the graph, with an effort of `EFFORTS[0]`: whether in any class some effort
    /// reaches the recall.
    pub fn favours_graph(&self, query_bytes: usize, recall: f64) -> bool {
        self.of_length(query_bytes)
            .is_some_and(|curves| (0..CLASSES).any(|class| curves.effort(class, recall).is_some()))
    }

    /// The least effort that reaches the recall for a query whose tenth code, found with the least effort, has this key;
    /// `None` if only an exact search is known to reach it.
    pub fn effort(&self, query_bytes: usize, tenth: u32, recall: f64) -> Option<usize> {
        self.of_length(query_bytes)?.effort(class_of(tenth), recall)
    }

    /// Curves of the longest queries that were tried and not longer than this one: they are no easier.
    fn of_length(&self, query_bytes: usize) -> Option<&LengthCurves> {
        let is_tried = |curves: &&LengthCurves| (1..=query_bytes).contains(&usize::from(curves.query_bytes.get()));
        self.lengths.iter().find(is_tried)
    }
}

impl LengthCurves {
    fn effort(&self, class: usize, recall: f64) -> Option<usize> {
        if recall >= 1.0 {
            return None;
        }
        // Half of what may be missed is left to chance: the queries are a sample.
        let goal = (1.0 + recall) / 2.0;
        let (mut queries, mut expected, mut found) = (0, 0, [0; EFFORTS.len()]);
        for curve in &self.classes[class..] {
            queries += u32::from(curve.queries.get());
            expected += u32::from(curve.expected.get());
            for (sum, found) in found.iter_mut().zip(&curve.found) {
                *sum += u32::from(found.get());
            }
            if queries >= ENOUGH {
                break;
            }
        }
        let reaches = |found: u32| f64::from(found) >= goal * f64::from(expected);
        let at = found.iter().position(|&found| found > 0 && reaches(found))?;
        (queries >= ENOUGH).then_some(EFFORTS[at])
    }
}

/// Asks the graph.
pub(crate) fn measure(
    graph: &Graph,
    rows: Rows<'_>,
    table: WordTable<'_>,
    params: &BuildParams,
    control: &BuildControl,
) -> Result<Calibration, Cancelled> {
    let sample = Sample {
        graph,
        rows,
        table,
        params,
        longest: table.groups().map(|group| group.code_bytes).max().unwrap_or(0),
    };
    let threads = params.threads as u32;
    std::thread::scope(|scope| {
        let run = |first: u32| {
            let sample = &sample;
            move || sample.run((first..QUERIES).step_by(threads as usize), control)
        };
        let others: Vec<_> = (1..threads).map(|first| scope.spawn(run(first))).collect();
        let mut calibration = run(0)()?;
        for other in others {
            // A panic there is one here.
            let part = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            calibration.add(&part);
        }
        Ok(calibration)
    })
}

impl Calibration {
    fn add(&mut self, other: &Self) {
        for (curves, others) in self.lengths.iter_mut().zip(&other.lengths) {
            for (curve, other) in curves.classes.iter_mut().zip(&others.classes) {
                curve.add(other);
            }
        }
    }
}

impl Curve {
    fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.expected += other.expected;
        for (found, other) in self.found.iter_mut().zip(&other.found) {
            *found += *other;
        }
    }
}

struct Sample<'a> {
    graph: &'a Graph,
    rows: Rows<'a>,
    table: WordTable<'a>,
    params: &'a BuildParams,
    longest: usize,
}

impl Sample<'_> {
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
        // What a shorter code does not have, no code of its length is compared with.
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
    fn run(&mut self, sample: &Sample<'_>, query: &Query) -> (usize, Curve) {
        self.flat.start(u32::MAX);
        self.flat
            .next_in(sample.table, query, NEIGHBOURS, u32::MAX, &mut self.truth);
        let farthest = self.truth.last().map_or(0, |last| last.key);
        let nodes = f64::from(sample.rows.count());
        let flat_ns = cost::flat_ns(nodes, query.code().len());
        let view = View::new(sample.rows, sample.graph, query);
        let mut class = CLASSES - 1;
        let mut curve = Curve {
            queries: 1.into(),
            expected: (self.truth.len() as u16).into(),
            ..Curve::default()
        };
        for (at, &effort) in EFFORTS.iter().enumerate() {
            if at == 0 {
                let max_level = sample.graph.levels().max_level();
                self.search.start_in(&view, max_level, effort, &mut self.found);
                let tenth = self.found.get(NEIGHBOURS - 1).or(self.found.last());
                class = tenth.map_or(class, |tenth| class_of(tenth.key));
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

/// Reproducible random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
