//! Which pieces of a query are looked up, and how far from them, so that no code within a radius is missed.
//!
//! Let a code differ from the query in at most `r` bits, and let each piece `i` have an allowance `a(i)`, -1 for a piece that
//! is left out. If the code differs by more than `a(i)` bits in each piece, then it differs by at least the sum of all
//! `a(i) + 1`. So where that sum is greater than `r`, some piece of the code is within its allowance. Pieces that many codes
//! have get small allowances, or none.

use std::sync::OnceLock;

use crate::cost::{self, Width};
use crate::shard::pieces::{self, PIECE_BITS, PieceTables};

/// The most bits by which a piece that is looked up may differ.
const MOST_ALLOWANCE: usize = 3;

/// Numbers of pieces that differ by at most this many bits.
const LOOKUPS: [usize; MOST_ALLOWANCE + 1] = [1, 25, 301, 2325];

/// How many times more codes are expected with each further bit that may differ beyond one, if more than usual have the
/// piece with one bit of difference.
const GROWTH: f64 = 10.0;

/// All that a piece is XORed with to differ by at most the most bits: those of fewer bits first.
fn masks() -> &'static [u32] {
    static MASKS: OnceLock<Vec<u32>> = OnceLock::new();
    MASKS.get_or_init(|| {
        let mut masks = vec![0];
        let mut first = 0;
        for _ in 0..MOST_ALLOWANCE {
            // Each gets one bit more, below its lowest one.
            let end = masks.len();
            for at in first..end {
                let mask: u32 = masks[at];
                masks.extend((0..mask.trailing_zeros().min(PIECE_BITS)).map(|bit| mask | 1 << bit));
            }
            first = end;
        }
        masks
    })
}

/// What pieces are XORed with where this many bits may differ.
pub(super) fn masks_within(allowance: usize) -> &'static [u32] {
    &masks()[..LOOKUPS[allowance.min(MOST_ALLOWANCE)]]
}

/// The allowance of each piece, `None` for those that are left out; and what it costs.
pub(super) struct Plan {
    pub(super) allowances: Vec<Option<usize>>,
    pub(super) nanoseconds: f64,
}

/// The cheapest plan for codes that differ by at most `most` bits in the first pieces; `None` if no plan finds all.
pub(super) fn cheapest(tables: &PieceTables<'_>, pieces: &[u32], most: u32) -> Option<Plan> {
    let needed = most as usize + 1;
    if needed > pieces.len() * (MOST_ALLOWANCE + 1) {
        return None;
    }
    // The cheapest way to each sum of allowances, each counted as one more, piece by piece; greater sums count as the last.
    let mut best = vec![f64::INFINITY; needed + 1];
    best[0] = 0.0;
    let mut steps = Vec::with_capacity(pieces.len());
    for (number, &piece) in pieces.iter().enumerate() {
        let costs = costs(tables, number, piece);
        let mut next = best.clone();
        let mut step: Vec<Step> = (0..=needed)
            .map(|sum| Step {
                from: sum,
                allowance: None,
            })
            .collect();
        for (from, &cost) in best.iter().enumerate().filter(|(_, cost)| cost.is_finite()) {
            for (allowance, own) in costs.iter().enumerate() {
                let sum = (from + allowance + 1).min(needed);
                if cost + own < next[sum] {
                    next[sum] = cost + own;
                    step[sum] = Step {
                        from,
                        allowance: Some(allowance),
                    };
                }
            }
        }
        best = next;
        steps.push(step);
    }
    let mut sum = needed;
    let mut allowances: Vec<Option<usize>> = steps
        .iter()
        .rev()
        .map(|step| {
            let Step { from, allowance } = step[sum];
            sum = from;
            allowance
        })
        .collect();
    allowances.reverse();
    Some(Plan {
        allowances,
        nanoseconds: best[needed],
    })
}

/// What it probably costs to find all of `codes` codes within a radius, a share of the bits, by the cheaper way: for who plans
/// without the tables.
pub fn within_ns(codes: f64, code_bytes: usize, radius: f64) -> f64 {
    let all = cost::flat_ns(codes, Width::Code(code_bytes));
    let pieces = usize::from(pieces::count(code_bytes, codes as usize));
    let needed = (radius.clamp(0.0, 1.0) * 8.0 * code_bytes as f64) as usize + 1;
    if needed > pieces * (MOST_ALLOWANCE + 1) {
        return all;
    }
    // Pieces alike: some get one bit more than the others, which may get none.
    let (each, more) = (needed / pieces, needed % pieces);
    let lookups = |allowance: Option<usize>| allowance.map_or(0, |allowance| LOOKUPS[allowance]);
    let least = (pieces - more) * lookups(each.checked_sub(1));
    let most = if more > 0 { more * lookups(Some(each)) } else { 0 };
    cost::lookups_ns((least + most) as f64, 0.0).min(all)
}

/// How a sum was reached: from which one, and by which allowance of the piece.
#[derive(Clone, Copy)]
struct Step {
    from: usize,
    allowance: Option<usize>,
}

/// What it costs to look up a piece with each allowance.
fn costs(tables: &PieceTables<'_>, number: usize, piece: u32) -> [f64; MOST_ALLOWANCE + 1] {
    let table = tables.table(number);
    let mean = tables.mean_bucket();
    let beyond_mean = |masks: &[u32]| {
        let entries = table.entries_near(piece, masks) as f64;
        (entries - masks.len() as f64 * mean).max(0.0)
    };
    // What is in a bucket without having the piece is hardly ever taken for a candidate.
    let (none, one) = (beyond_mean(masks_within(0)), beyond_mean(masks_within(1)));
    let candidates = [none, one, one * GROWTH, one * GROWTH * GROWTH];
    std::array::from_fn(|allowance| cost::lookups_ns(LOOKUPS[allowance] as f64, candidates[allowance]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_up_pays_for_small_radii_of_many_codes() {
        let all = |codes| cost::flat_ns(codes, Width::Code(32));
        let share = |codes, radius| within_ns(codes, 32, radius) / all(codes);
        assert!(share(1e6, 0.05) < 0.1);
        assert!(share(1e7, 0.1) < 0.5);
        assert_eq!(share(1e7, 0.3), 1.0);
        assert_eq!(share(1e3, 0.0), 1.0);
        let radii = (0..100).map(|percent| f64::from(percent) / 100.0);
        let costs: Vec<f64> = radii.map(|radius| within_ns(1e7, 32, radius)).collect();
        assert!(costs.is_sorted(), "{costs:?}");
    }

    #[test]
    fn masks_are_all_and_distinct() {
        for (allowance, &lookups) in LOOKUPS.iter().enumerate() {
            let mut masks = masks_within(allowance).to_vec();
            assert!(masks.iter().all(|mask| mask.count_ones() as usize <= allowance));
            masks.sort_unstable();
            masks.dedup();
            assert_eq!(masks.len(), lookups);
        }
    }
}
