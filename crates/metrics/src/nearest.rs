//! The nearest few of a pass over many codes.

/// What a pass collects: ordered by key first, then by what breaks ties.
pub trait Keyed: Copy + Ord {
    /// An integer in the order of distances.
    type Key: Copy + Ord + Default;

    /// See [`Query::key`](crate::Query::key).
    fn key(&self) -> Self::Key;
}

/// Keeps the nearest `limit` items of a pass that come after those of the passes before.
///
/// Up to twice as many are kept in no order before the farther half is dropped: that costs less for each than a heap.
/// Items must be offered in an order in which, of equal keys, the smaller item comes first.
pub struct Nearest<T: Keyed> {
    items: Vec<T>,
    limit: usize,
    below: T::Key,
    after: Option<T>,
}

impl<T: Keyed> Default for Nearest<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            limit: 1,
            below: T::Key::default(),
            after: None,
        }
    }
}

impl<T: Keyed> Nearest<T> {
    /// Begins a pass for the nearest `limit` items, at least one, with keys less than `below` that come after `after`.
    pub fn start(&mut self, limit: usize, below: T::Key, after: Option<T>) {
        self.items.clear();
        self.limit = limit.max(1);
        self.below = below;
        self.after = after;
    }

    /// An item whose key is not less than this need not be offered. It falls during the pass.
    #[inline]
    pub fn below(&self) -> T::Key {
        self.below
    }

    /// Whether an item would be among the nearest as far as the pass has come.
    #[inline]
    pub fn wants(&self, item: &T) -> bool {
        item.key() < self.below && self.after.is_none_or(|after| *item > after)
    }

    /// Adds an item if it is [wanted](Nearest::wants).
    #[inline]
    pub fn offer(&mut self, item: T) {
        if self.wants(&item) {
            self.items.push(item);
            if self.items.len() >= self.limit.saturating_mul(2) {
                self.trim();
            }
        }
    }

    /// Drops all but the nearest `limit` items.
    fn trim(&mut self) {
        if self.items.len() > self.limit {
            let (_, farthest, _) = self.items.select_nth_unstable(self.limit - 1);
            // Of equal keys the first one counts, and that came before.
            self.below = farthest.key();
            self.items.truncate(self.limit);
        }
    }

    /// Ends the pass: what it found, nearest first. Fewer than `limit` items are all that there were.
    pub fn finish(&mut self) -> &mut Vec<T> {
        self.trim();
        self.items.sort_unstable();
        &mut self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    struct Item {
        key: u32,
        place: u32,
    }

    impl Keyed for Item {
        type Key = u32;

        fn key(&self) -> u32 {
            self.key
        }
    }

    #[test]
    fn passes_return_everything_once_and_in_order() {
        // Many ties, in the order of their places.
        let items: Vec<Item> = (0..if cfg!(miri) { 60 } else { 1000u32 })
            .map(|place| Item {
                key: place.wrapping_mul(0x9E37_79B9) >> 26,
                place,
            })
            .collect();
        let mut sorted = items.clone();
        sorted.sort_unstable();
        for below in [0, 1, 17, u32::MAX] {
            let expected: Vec<Item> = sorted.iter().copied().filter(|item| item.key < below).collect();
            for limit in [1, 7, 400, usize::MAX] {
                let mut nearest = Nearest::default();
                let mut all: Vec<Item> = Vec::new();
                loop {
                    nearest.start(limit, below, all.last().copied());
                    items.iter().for_each(|&item| nearest.offer(item));
                    let found = nearest.finish();
                    let is_last = found.len() < limit;
                    all.append(found);
                    if is_last {
                        break;
                    }
                }
                assert_eq!(all, expected, "{below} {limit}");
            }
        }
    }
}
