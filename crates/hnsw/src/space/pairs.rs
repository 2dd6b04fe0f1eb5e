//! Distances between rows that were computed before.
//!
//! While a graph is built, many pairs of rows are compared again and again: the links of a node each time when one more
//! comes. Where a comparison is the call of a function, to remember is far cheaper.

use std::cell::Cell;

/// Most pairs that are remembered: 48 MB.
const MOST_PAIRS: usize = if cfg!(miri) { 1 << 8 } else { 1 << 22 };

/// Pairs for each row.
const PAIRS_PER_ROW: usize = 64;

/// No row has this number.
const NOBODY: u32 = u32::MAX;

/// A pair and the key of its distance.
#[derive(Clone, Copy)]
struct Pair {
    from: u32,
    to: u32,
    key: u32,
}

/// Keys of pairs, each in the one place where it can be; a pair displaces another.
pub struct KnownPairs(Vec<Cell<Pair>>);

impl KnownPairs {
    /// A memory for pairs of so many rows.
    pub(crate) fn new(rows: u32) -> Self {
        let pairs = (rows as usize).saturating_mul(PAIRS_PER_ROW);
        let places = pairs.next_power_of_two().clamp(1, MOST_PAIRS);
        let nobody = Pair {
            from: NOBODY,
            to: NOBODY,
            key: 0,
        };
        Self(vec![Cell::new(nobody); places])
    }

    /// The key of the distance of row `to` from row `from`: remembered, or computed.
    pub(crate) fn key(&self, from: u32, to: u32, compute: impl FnOnce() -> u32) -> u32 {
        let hash = (u64::from(from) << 32 | u64::from(to)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let place = &self.0[(hash >> 32) as usize & (self.0.len() - 1)];
        let known = place.get();
        if (known.from, known.to) == (from, to) {
            return known.key;
        }
        let key = compute();
        place.set(Pair { from, to, key });
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_pairs_in_their_order() {
        let pairs = KnownPairs::new(10);
        let key = |from, to, key| pairs.key(from, to, || key);
        assert_eq!((key(1, 2, 12), key(2, 1, 21)), (12, 21));
        assert_eq!((key(1, 2, 0), key(2, 1, 0)), (12, 21));
        // More pairs than places: whatever is still known is right.
        for _ in 0..2 {
            for (from, to) in (3..103).flat_map(|from| (0..100).map(move |to| (from, to))) {
                assert_eq!(key(from, to, 1000 * from + to), 1000 * from + to);
            }
        }
    }
}
