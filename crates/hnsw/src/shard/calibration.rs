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

/// Neighbours that a search which just reaches the goal misses of those in a group of queries, where the group is large
/// enough: with 12, chance changes the effort by a seventh, because what is missed falls as about its square.
const TELLING_MISSES: f64 = 12.0;

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
    /// Of codes, what each effort finds, by length and class.
    shares: Vec<[Option<Shares>; CLASSES]>,
    /// Whether the queries were vectors, of which each class has few.
    is_dense: bool,
}

impl Calibration {
    /// As a shard of codes has it.
    pub(crate) fn of_codes(metric: Metric, lengths: &CodeCurves) -> Self {
        Self {
            ends: std::array::from_fn(|class| metric.class_end_key(class)),
            lengths: lengths.to_vec(),
            shares: lengths.iter().map(LengthCurves::shares).collect(),
            is_dense: false,
        }
    }

    /// As a dense shard has it.
    pub(crate) fn of_dense(section: &DenseCurves) -> Self {
        Self {
            ends: section.ends.map(U32::get),
            lengths: vec![section.curves],
            shares: Vec::new(),
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

    /// Whether it pays to begin a search with the graph, with an effort of `EFFORTS[0]`: whether in any class some
    /// effort reaches the recall.
    pub fn favours_graph(&self, query_bytes: usize, recall: f64) -> bool {
        self.of_length(query_bytes)
            .is_some_and(|length| (0..CLASSES).any(|class| self.effort_of(length, class, recall).is_some()))
    }

    /// The least effort that reaches the recall for a query whose tenth row, found with the least effort, has this key;
    /// `None` if only an exact search is known to reach it.
    pub fn effort(&self, query_bytes: usize, tenth: u32, recall: f64) -> Option<usize> {
        self.effort_of(self.of_length(query_bytes)?, self.class_of(tenth), recall)
    }

    /// The longest queries that were tried and not longer than this one: they are no easier.
    fn of_length(&self, query_bytes: usize) -> Option<usize> {
        let is_tried = |curves: &LengthCurves| (1..=query_bytes).contains(&usize::from(curves.query_bytes.get()));
        self.lengths.iter().position(is_tried)
    }

    fn effort_of(&self, length: usize, class: usize, recall: f64) -> Option<usize> {
        if recall >= 1.0 {
            return None;
        }
        // Half of what may be missed is left to chance: the queries are a sample.
        let goal = (1.0 + recall) / 2.0;
        if self.is_dense {
            // Reading the log instead takes many times longer, so chance must not decide for it.
            let curves = &self.lengths[length];
            curves
                .effort_by_neighbors(class, goal)
                .or_else(|| curves.effort_by_neighbors(class, recall))
        } else {
            effort(self.shares[length][class].as_ref()?, goal)
        }
    }
}

impl LengthCurves {
    /// For classes that have few queries each. Classes on both sides say as much about what to expect, so they are added
    /// until what is missed can be told from chance. A class that reaches the goal with no effort borrows from all that are
    /// harder.
    fn effort_by_neighbors(&self, class: usize, goal: f64) -> Option<usize> {
        let around = |reach: usize| (class.saturating_sub(reach), (class + reach).min(CLASSES - 1));
        let is_enough = |&(first, last): &(usize, usize)| {
            let expected = self.sum(first, last).expected.get();
            f64::from(expected) * (1.0 - goal) >= TELLING_MISSES
        };
        let (first, last) = (0..CLASSES).map(around).find(is_enough).unwrap_or((0, CLASSES - 1));
        let sums = (last..CLASSES).map(|last| self.sum(first, last));
        sums.filter(|sum| sum.queries() >= ENOUGH)
            .find_map(|sum| sum.effort(goal))
    }

    /// What each effort finds, by class; None for those with too few queries in them and beyond.
    ///
    /// An effort finds more of what is near than of what is far. Where a class seems to do worse than farther ones,
    /// that is chance, and their average is a better estimate of each (isotonic regression).
    fn shares(&self) -> [Option<Shares>; CLASSES] {
        // Of the classes from the first to the last one.
        let sums: [[Curve; CLASSES]; CLASSES] =
            std::array::from_fn(|first| std::array::from_fn(|last| self.sum(first, last)));
        let best_to_the_far = |class: usize, first: usize, effort: usize| {
            let sums = sums[first][class..].iter().filter(|sum| sum.queries() >= ENOUGH);
            let shares = sums.map(|sum| sum.share(effort));
            shares.max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
        };
        std::array::from_fn(|class| {
            let mut shares = Shares::default();
            for (effort, share) in shares.iter_mut().enumerate() {
                *share = best_to_the_far(class, class, effort)?;
                let others = (0..class).filter_map(|first| best_to_the_far(class, first, effort));
                *share = others.chain([*share]).min_by(|a, b| a.ratio().total_cmp(&b.ratio()))?;
            }
            Some(shares)
        })
    }

    /// The results of classes together; none if the last comes before the first.
    fn sum(&self, first: usize, last: usize) -> Curve {
        let mut sum = Curve::default();
        let classes = self.classes.get(first..=last).unwrap_or_default();
        classes.iter().for_each(|curve| sum.add(curve));
        sum
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (curve, other) in self.classes.iter_mut().zip(&other.classes) {
            curve.add(other);
        }
    }
}

/// By effort.
type Shares = [Share; EFFORTS.len()];

/// Of the true neighbours, those that an effort found.
#[derive(Clone, Copy, Default, Debug)]
struct Share {
    found: u16,
    expected: u16,
}

impl Share {
    fn ratio(self) -> f64 {
        f64::from(self.found) / f64::from(self.expected.max(1))
    }

    /// What was missed; where that is none of those tried, half of one.
    fn missed(self) -> f64 {
        f64::from(self.expected.saturating_sub(self.found)).max(0.5) / f64::from(self.expected.max(1))
    }
}

/// The least effort that finds this share of the true neighbours, by what each of [`EFFORTS`] has found. Between two
/// efforts that were tried, what is missed is assumed to fall as a power of the effort.
fn effort(shares: &Shares, goal: f64) -> Option<usize> {
    let at = shares
        .iter()
        .position(|share| share.found > 0 && share.ratio() >= goal)?;
    let Some(before) = at.checked_sub(1) else {
        return Some(EFFORTS[at]);
    };
    let (more, less, wanted) = (shares[before].missed(), shares[at].missed(), 1.0 - goal);
    let step = ((more / wanted).ln() / (more / less).ln()).clamp(0.0, 1.0);
    let effort = EFFORTS[before] as f64 * (EFFORTS[at] as f64 / EFFORTS[before] as f64).powf(step);
    Some((effort.ceil() as usize).clamp(EFFORTS[before], EFFORTS[at]))
}

impl Curve {
    fn queries(&self) -> u32 {
        self.queries.get().into()
    }

    fn share(&self, effort: usize) -> Share {
        Share {
            found: self.found[effort].get(),
            expected: self.expected.get(),
        }
    }

    fn effort(&self, goal: f64) -> Option<usize> {
        effort(&std::array::from_fn(|effort| self.share(effort)), goal)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.expected += other.expected;
        for (found, other) in self.found.iter_mut().zip(&other.found) {
            *found += *other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A class of `queries` queries, of whose neighbours each effort misses the number in `missed`.
    fn curve(queries: u16, missed: [u16; EFFORTS.len()]) -> Curve {
        Curve {
            queries: queries.into(),
            expected: (10 * queries).into(),
            found: missed.map(|missed| (10 * queries - missed).into()),
        }
    }

    fn calibration(classes: [Curve; CLASSES]) -> Calibration {
        let mut curves = CodeCurves::default();
        curves[0] = LengthCurves {
            query_bytes: 32.into(),
            classes,
        };
        Calibration::of_codes(Metric::Nphd, &curves)
    }

    fn effort_of(calibration: &Calibration, class: usize) -> Option<usize> {
        let key = class.checked_sub(1).and_then(|before| calibration.class_end(before));
        calibration.effort(32, key.unwrap_or(0), 0.99)
    }

    #[test]
    fn a_near_query_needs_no_more_than_a_farther_one() {
        // One query of the second class was led astray, which no effort mends.
        let measured = calibration([
            curve(22, [1, 1, 0, 0, 0, 0]),
            curve(52, [3, 3, 3, 3, 3, 2]),
            curve(45, [0; 6]),
            curve(7, [0; 6]),
            curve(20, [6, 4, 2, 1, 0, 0]),
            curve(100, [996, 708, 422, 289, 226, 122]),
            Curve::default(),
            Curve::default(),
        ]);
        for class in 0..3 {
            assert_eq!(effort_of(&measured, class), Some(32), "{class}");
        }
        // Too few queries borrow from what is harder.
        let efforts = [3, 4].map(|class| effort_of(&measured, class).unwrap_or(0));
        assert!(efforts[0] > 32 && efforts[0] <= efforts[1], "{efforts:?}");
        assert_eq!([5, 6, 7].map(|class| effort_of(&measured, class)), [None; 3]);
    }

    #[test]
    fn harder_classes_do_not_help_where_they_are_worse() {
        let mut classes = [Curve::default(); CLASSES];
        classes[0] = curve(50, [10, 2, 0, 0, 0, 0]);
        classes[1] = curve(50, [100, 50, 20, 10, 5, 2]);
        let measured = calibration(classes);
        let [near, far] = [0, 1].map(|class| effort_of(&measured, class));
        assert!(
            (33..=64).contains(&near.unwrap()) && far > Some(512),
            "{near:?} {far:?}"
        );
    }

    #[test]
    fn chance_in_one_class_of_vectors_does_not_decide() {
        let mut section = DenseCurves::default();
        section.curves.query_bytes = 8.into();
        section.curves.classes = [curve(30, [15, 4, 1, 0, 0, 0]); CLASSES];
        // One query was led astray, which only the greatest effort mends.
        section.curves.classes[CLASSES - 1] = curve(30, [20, 10, 8, 8, 8, 0]);
        let measured = Calibration::of_dense(&section);
        let efforts: Vec<_> = (0..CLASSES as u32).map(|key| measured.effort(8, key, 0.99)).collect();
        assert!(
            efforts.iter().all(|effort| (64..=256).contains(&effort.unwrap_or(0))),
            "{efforts:?}"
        );
        // Where more is missed anyway, the classes differ.
        section.curves.classes[0] = curve(30, [6, 2, 0, 0, 0, 0]);
        section.curves.classes[CLASSES - 1] = curve(30, [90, 30, 10, 5, 0, 0]);
        section.ends = std::array::from_fn(|class| (class as u32 + 1).into());
        let measured = Calibration::of_dense(&section);
        let [near, far] = [0, CLASSES as u32 - 1].map(|key| measured.effort(8, key, 0.9).unwrap_or(0));
        assert!(near == 32 && far > 48, "{near} {far}");
    }
}
