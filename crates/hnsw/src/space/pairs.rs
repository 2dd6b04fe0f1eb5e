//! Distances between rows that were computed before.
//!
//! While a graph is built, many pairs of rows are compared again and again: a node with each of its links whenever one more
//! comes, for instance. Where a comparison is the call of a function, to remember is far cheaper.

use std::cell::Cell;

/// Pairs that are remembered of each row, a power of two: as many as a few cache lines hold.
const PAIRS: usize = 128;

/// Rows of which pairs are remembered, at most: 64 MB.
const MOST_ROWS: usize = if cfg!(miri) { 1 << 4 } else { 1 << 16 };

/// Pairs that are remembered of the row that a search is for, a power of two.
const RECENT: usize = if cfg!(miri) { 1 << 6 } else { 1 << 12 };

/// No row has this number.
const NOBODY: u32 = u32::MAX;

/// The other row of a pair, and the key of its distance.
#[derive(Clone, Copy)]
struct Pair {
    to: u32,
    key: u32,
}

/// Pairs with one row. Each has one place where it can be; a pair displaces another.
struct Pairs<'a> {
    owner: &'a Cell<u32>,
    pairs: &'a [Cell<Pair>],
}

impl Pairs<'_> {
    const NONE: Pair = Pair { to: NOBODY, key: 0 };

    /// Makes them pairs with this row.
    fn own(&self, row: u32) {
        if self.owner.replace(row) != row {
            self.pairs.iter().for_each(|pair| pair.set(Self::NONE));
        }
    }

    fn place(&self, to: u32) -> &Cell<Pair> {
        let at = to.wrapping_mul(0x9E37_79B9) >> (u32::BITS - self.pairs.len().ilog2());
        &self.pairs[at as usize]
    }

    fn known(&self, to: u32) -> Option<u32> {
        let pair = self.place(to).get();
        (pair.to == to).then_some(pair.key)
    }

    fn remember(&self, to: u32, key: u32) {
        self.place(to).set(Pair { to, key });
    }
}

/// Keys of pairs of rows: of each row with those that it is compared with again, and of one row with all.
pub struct KnownPairs {
    owners: Vec<Cell<u32>>,
    pairs: Vec<Cell<Pair>>,
    recent_owner: Cell<u32>,
    recent: Vec<Cell<Pair>>,
}

impl KnownPairs {
    /// A memory for pairs of this many rows.
    pub(crate) fn new(rows: u32) -> Self {
        let places = (rows as usize).clamp(1, MOST_ROWS);
        Self {
            owners: vec![Cell::new(NOBODY); places],
            pairs: vec![Cell::new(Pairs::NONE); places * PAIRS],
            recent_owner: Cell::new(NOBODY),
            recent: vec![Cell::new(Pairs::NONE); RECENT],
        }
    }

    fn of(&self, row: u32) -> Pairs<'_> {
        let place = row as usize % self.owners.len();
        Pairs {
            owner: &self.owners[place],
            pairs: &self.pairs[place * PAIRS..][..PAIRS],
        }
    }

    fn recent(&self) -> Pairs<'_> {
        Pairs {
            owner: &self.recent_owner,
            pairs: &self.recent,
        }
    }

    /// The key of the distance of row `to` from row `from`, which is compared with many others once: computed, but for the next
    /// comparisons with `from` remembered.
    pub(crate) fn first_key(&self, from: u32, to: u32, compute: impl FnOnce() -> u32) -> u32 {
        let key = compute();
        self.recent().own(from);
        self.recent().remember(to, key);
        key
    }

    /// The key of the distance of row `to` from row `from`: remembered, or computed.
    pub(crate) fn key(&self, from: u32, to: u32, compute: impl FnOnce() -> u32) -> u32 {
        let pairs = self.of(from);
        pairs.own(from);
        if let Some(key) = pairs.known(to) {
            return key;
        }
        let is_recent = self.recent_owner.get() == from;
        let recent = is_recent.then(|| self.recent().known(to)).flatten();
        let key = recent.unwrap_or_else(compute);
        pairs.remember(to, key);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_pairs_in_their_order() {
        let pairs = KnownPairs::new(50);
        let key = |from, to, key| pairs.key(from, to, || key);
        assert_eq!((key(1, 2, 12), key(2, 1, 21)), (12, 21));
        assert_eq!((key(1, 2, 0), key(2, 1, 0)), (12, 21));
        assert_eq!(
            (pairs.first_key(1, 3, || 13), key(1, 3, 0), key(3, 1, 31)),
            (13, 13, 31)
        );
        // More pairs than places: whatever is still known is right.
        let many = if cfg!(miri) { 24 } else { 104 };
        for _ in 0..2 {
            for (from, to) in (4..many).flat_map(|from| (0..100).map(move |to| (from, to))) {
                assert_eq!(key(from, to, 1000 * from + to), 1000 * from + to);
            }
        }
    }
}
