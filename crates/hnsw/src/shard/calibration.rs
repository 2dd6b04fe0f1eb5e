//! What effort the graph of a shard needs to find which share of the true neighbours.
//!
//! The results are kept by the query's length and by the distance of the tenth row that the least effort finds, which a
//! search knows, too, before it decides on more.

use iscc_metrics::Metric;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Efforts that are tried.
pub const EFFORTS: [usize; 6] = [32, 64, 128, 256, 512, 1024];

/// Lengths of queries that are tried, in eighths of the longest code.
pub(crate) const LENGTH_EIGHTHS: [usize; 5] = [8, 6, 4, 2, 1];

/// Classes of distance, from near to far.
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
    /// By the distance of the tenth row found with the least effort.
    pub classes: [Curve; CLASSES],
}

/// The section of a shard of codes: longest queries first. Its classes are the metric's, see [`Metric::class_end`].
pub(crate) type CodeCurves = [LengthCurves; LENGTH_EIGHTHS.len()];

/// The section of a dense shard, whose queries all have one length.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct DenseCurves {
    /// Keys at which the classes end, but for the last, which takes the rest: about as many queries in each.
    pub(crate) ends: [U32; CLASSES - 1],
    pub(crate) curves: LengthCurves,
}

/// What was measured of a shard; [`Calibration::default`] says nothing, so searches are exact.
#[derive(Clone, Default, Debug)]
pub struct Calibration {
    /// Keys at which the classes end, but for the last.
    ends: [u32; CLASSES - 1],
    lengths: Vec<LengthCurves>,
    /// Whether the queries were vectors. Their classes have few each, so that a class that reaches a recall with no effort,
    /// often by chance, borrows from all that are harder.
    is_dense: bool,
}

impl Calibration {
    /// As a shard of codes has it.
    pub(crate) fn of_codes(metric: Metric, lengths: &CodeCurves) -> Self {
        Self {
            ends: std::array::from_fn(|class| metric.class_end_key(class)),
            lengths: lengths.to_vec(),
            is_dense: false,
        }
    }

    /// As a dense shard has it.
    pub(crate) fn of_dense(section: &DenseCurves) -> Self {
        Self {
            ends: section.ends.map(U32::get),
            lengths: vec![section.curves],
            is_dense: true,
        }
    }

    /// Results by the length of the queries, longest first.
    pub fn lengths(&self) -> &[LengthCurves] {
        &self.lengths
    }

    /// The class of a search whose tenth row, found with the least effort, has this key.
    pub fn class_of(&self, tenth: u32) -> usize {
        self.ends.iter().take_while(|&&end| end <= tenth).count()
    }

    /// The key at which a class ends; `None` for the last one, which does not.
    pub fn class_end(&self, class: usize) -> Option<u32> {
        self.ends.get(class).copied()
    }

    /// Whether it pays to begin a search with the graph, with an effort of `EFFORTS[0]`: whether in any class some effort
    /// reaches the recall.
    pub fn favours_graph(&self, query_bytes: usize, recall: f64) -> bool {
        self.of_length(query_bytes)
            .is_some_and(|curves| (0..CLASSES).any(|class| curves.effort(class, recall, self.is_dense).is_some()))
    }

    /// The least effort that reaches the recall for a query whose tenth row, found with the least effort, has this key;
    /// `None` if only an exact search is known to reach it.
    pub fn effort(&self, query_bytes: usize, tenth: u32, recall: f64) -> Option<usize> {
        self.of_length(query_bytes)?
            .effort(self.class_of(tenth), recall, self.is_dense)
    }

    /// Curves of the longest queries that were tried and not longer than this one: they are no easier.
    fn of_length(&self, query_bytes: usize) -> Option<&LengthCurves> {
        let is_tried = |curves: &&LengthCurves| (1..=query_bytes).contains(&usize::from(curves.query_bytes.get()));
        self.lengths.iter().find(is_tried)
    }
}

impl LengthCurves {
    fn effort(&self, class: usize, recall: f64, is_dense: bool) -> Option<usize> {
        if recall >= 1.0 {
            return None;
        }
        // Half of what may be missed is left to chance: the queries are a sample.
        let goal = (1.0 + recall) / 2.0;
        let mut sum = Curve::default();
        // With few queries, the classes beside it say as much of what is to be expected.
        let (first, beside) = if is_dense {
            (class.saturating_sub(1), class + 1)
        } else {
            (class, class)
        };
        for (number, curve) in self.classes.iter().enumerate().skip(first) {
            sum.add(curve);
            let is_complete = number >= beside.min(CLASSES - 1) && u32::from(sum.queries.get()) >= ENOUGH;
            if is_complete {
                let effort = sum.effort(goal);
                if effort.is_some() || !is_dense {
                    return effort;
                }
            }
        }
        None
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (curve, other) in self.classes.iter_mut().zip(&other.classes) {
            curve.add(other);
        }
    }
}

impl Curve {
    /// The least effort that finds this share of the true neighbours. Between two efforts that were tried, what is missed is
    /// assumed to fall as a power of the effort.
    fn effort(&self, goal: f64) -> Option<usize> {
        let reaches = |found: &U16| found.get() > 0 && f64::from(found.get()) >= goal * f64::from(self.expected.get());
        let at = self.found.iter().position(reaches)?;
        let Some(before) = at.checked_sub(1) else {
            return Some(EFFORTS[at]);
        };
        let (more, less, wanted) = (self.missed(before), self.missed(at), 1.0 - goal);
        let step = ((more / wanted).ln() / (more / less).ln()).clamp(0.0, 1.0);
        let effort = EFFORTS[before] as f64 * (EFFORTS[at] as f64 / EFFORTS[before] as f64).powf(step);
        Some((effort.ceil() as usize).clamp(EFFORTS[before], EFFORTS[at]))
    }

    /// The share of the true neighbours that an effort misses; where it missed none of those tried, half of one.
    fn missed(&self, effort: usize) -> f64 {
        let (found, expected) = (self.found[effort].get(), self.expected.get());
        f64::from(expected.saturating_sub(found)).max(0.5) / f64::from(expected.max(1))
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.expected += other.expected;
        for (found, other) in self.found.iter_mut().zip(&other.found) {
            *found += *other;
        }
    }
}
