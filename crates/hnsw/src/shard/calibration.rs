//! What effort the graph of a shard needs to find which share of the true neighbours: the record in the file.
//!
//! The results are kept by the query's length and by the distance of the tenth code that the least effort finds, which a
//! search knows, too, before it decides on more.

use iscc_metrics::Metric;
use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Efforts that are tried.
pub const EFFORTS: [usize; 6] = [32, 64, 128, 256, 512, 1024];

/// Lengths of queries that are tried, in eighths of the longest code.
pub(crate) const LENGTH_EIGHTHS: [usize; 5] = [8, 6, 4, 2, 1];

/// Classes of distance, see [`Metric::class_of_key`].
pub const CLASSES: usize = Metric::CLASSES;

/// Neighbours that are compared.
pub const NEIGHBOURS: usize = 10;

/// Classes with fewer queries borrow from the next harder class.
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

impl Calibration {
    /// Whether it pays to begin a search with the graph, with an effort of `EFFORTS[0]`: whether in any class some effort
    /// reaches the recall.
    pub fn favours_graph(&self, query_bytes: usize, recall: f64) -> bool {
        self.of_length(query_bytes)
            .is_some_and(|curves| (0..CLASSES).any(|class| curves.effort(class, recall).is_some()))
    }

    /// The least effort that reaches the recall for a query whose tenth code, found with the least effort, has this key;
    /// `None` if only an exact search is known to reach it.
    pub fn effort(&self, metric: Metric, query_bytes: usize, tenth: u32, recall: f64) -> Option<usize> {
        self.of_length(query_bytes)?.effort(metric.class_of_key(tenth), recall)
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

impl Calibration {
    pub(crate) fn add(&mut self, other: &Self) {
        for (curves, others) in self.lengths.iter_mut().zip(&other.lengths) {
            for (curve, other) in curves.classes.iter_mut().zip(&others.classes) {
                curve.add(other);
            }
        }
    }
}

impl Curve {
    pub(crate) fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.expected += other.expected;
        for (found, other) in self.found.iter_mut().zip(&other.found) {
            *found += *other;
        }
    }
}
