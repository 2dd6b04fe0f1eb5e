//! The bounded list of nearest nodes that drives a best-first search.

/// A key and a node in one word: ordered by key, then by node. The lowest bit is for a mark, which a [`Pool`] gives to
/// expanded nodes.
///
/// Nodes take 31 bits, see [`MAX_NODES`](super::levels::MAX_NODES). A larger number, from a damaged file, becomes that
/// of another node; the key is not touched.
#[inline]
pub(crate) fn pack(key: u32, node: u32) -> u64 {
    u64::from(key) << 32 | u64::from(node << 1)
}

/// The node of a packed word.
#[inline]
pub(crate) fn node_of(packed: u64) -> u32 {
    packed as u32 >> 1
}

/// The key of a packed word.
#[inline]
pub(crate) fn key_of(packed: u64) -> u32 {
    (packed >> 32) as u32
}

/// A packed word without a mark, marked if `mark`.
#[inline]
pub(crate) fn marked(packed: u64, mark: bool) -> u64 {
    packed | u64::from(mark)
}

/// A packed word without its mark.
#[inline]
pub(crate) fn unmarked(packed: u64) -> u64 {
    packed & !1
}

/// Whether a packed word is marked.
#[inline]
pub(crate) fn is_marked(packed: u64) -> bool {
    packed & 1 != 0
}

/// Up to `limit` nearest nodes, sorted, some of them expanded.
///
/// A sorted array beats a pair of heaps at the usual limits: an insertion moves a few hundred bytes at most, and the
/// same array is the queue of nodes to expand, because a node that fell out of it no longer needs expanding.
#[derive(Default)]
pub(crate) struct Pool {
    items: Vec<u64>,
    limit: usize,
    /// All items before this one are expanded.
    next: usize,
}

impl Pool {
    /// Empties the pool.
    pub(crate) fn reset(&mut self, limit: usize) {
        self.items.clear();
        self.limit = limit.max(1);
        self.next = 0;
    }

    /// Makes room for more items, and fills it with the nearest of `others`, which come after all that it has.
    pub(crate) fn widen(&mut self, limit: usize, others: &mut Vec<u64>) {
        self.limit = limit.max(self.limit);
        let room = self.limit - self.items.len();
        if others.len() > room && room > 0 {
            others.select_nth_unstable(room - 1);
        }
        let start = self.items.len();
        self.items.extend(others.drain(..room.min(others.len())));
        self.items[start..].sort_unstable();
    }

    /// The items, nearest first.
    pub(crate) fn items(&self) -> &[u64] {
        &self.items
    }

    /// Whether the pool holds as many items as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= self.limit
    }

    /// Items from this word on do not enter the pool.
    #[inline]
    pub(crate) fn bound(&self) -> u64 {
        if self.is_full() {
            self.items.last().copied().unwrap_or(0)
        } else {
            u64::MAX
        }
    }

    /// Adds an item below [`Pool::bound`]; returns the one that fell out.
    #[inline]
    pub(crate) fn push(&mut self, item: u64) -> Option<u64> {
        let evicted = if self.is_full() { self.items.pop() } else { None };
        let position = self.items.partition_point(|&other| other < item);
        self.items.insert(position, item);
        self.next = self.next.min(position);
        evicted
    }

    /// Marks the nearest item that is not expanded, and returns it.
    #[inline]
    pub(crate) fn expand_next(&mut self) -> Option<u64> {
        let item = self.peek_next()?;
        self.items[self.next] = marked(item, true);
        self.next += 1;
        Some(item)
    }

    /// The items that are not expanded, nearest first.
    pub(crate) fn to_expand(&self) -> impl Iterator<Item = u64> {
        let items = self.items.get(self.next..).unwrap_or_default();
        items.iter().copied().filter(|&item| !is_marked(item))
    }

    /// The nearest item that is not expanded.
    #[inline]
    pub(crate) fn peek_next(&mut self) -> Option<u64> {
        while self.items.get(self.next).is_some_and(|&item| is_marked(item)) {
            self.next += 1;
        }
        self.items.get(self.next).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::levels::MAX_NODES;

    #[test]
    fn packing_keeps_order_and_values() {
        let pairs = [
            (0, 0),
            (0, MAX_NODES - 1),
            (1, 3),
            (1 << 31, 0),
            (1 << 31, 9),
            (u32::MAX - 1, MAX_NODES - 1),
            (u32::MAX, 0),
        ];
        let words = pairs.map(|(key, node)| pack(key, node));
        assert!(words.is_sorted_by(|a, b| a < b));
        assert_eq!(words.map(|word| (key_of(word), node_of(word))), pairs);
        assert_eq!(
            words.map(|word| (key_of(marked(word, true)), node_of(marked(word, true)))),
            pairs
        );
    }

    #[test]
    fn a_node_out_of_range_does_not_disturb_the_key() {
        for node in [MAX_NODES + 1, u32::MAX] {
            let word = pack(5, node);
            assert!(key_of(word) == 5 && !is_marked(word) && node_of(word) <= MAX_NODES);
        }
    }

    #[test]
    fn keeps_the_nearest_and_expands_in_order() {
        let mut pool = Pool::default();
        pool.reset(3);
        assert!([5, 3, 9].iter().all(|&key| pool.push(pack(key, key)).is_none()));
        assert_eq!(pool.expand_next().map(node_of), Some(3));
        assert_eq!(pool.push(pack(1, 1)).map(node_of), Some(9));
        assert_eq!(pool.bound(), pack(5, 5));
        assert_eq!(pool.expand_next().map(node_of), Some(1));
        assert_eq!(pool.expand_next().map(node_of), Some(5));
        assert_eq!(pool.expand_next(), None);
        let evicted = pool.push(pack(0, 0)).unwrap();
        assert!(is_marked(evicted) && node_of(evicted) == 5);
    }
}
