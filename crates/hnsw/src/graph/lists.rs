//! The graph under construction: flat arrays of neighbour lists that are read without locks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use iscc_metrics::prefetch::prefetch;

use super::levels::Levels;
use super::links::Links;

/// Number of locks that the nodes share.
const LOCKS: usize = 4096;

/// Neighbour lists of all nodes. A list is a count followed by room for that many node numbers. The upper half of the
/// count's word says how many of the first links were chosen together and make none of each other superfluous.
///
/// Readers take no lock: a list that changes under them may show an old, a new or a mixed state, but each entry is at
/// any time the number of a node that has been inserted. Writers hold the lock of the list's node.
pub(crate) struct Graph {
    levels: Levels,
    m: usize,
    base: Vec<AtomicU32>,
    /// `upper[l - 1]` has the lists of level `l`.
    upper: Vec<Vec<AtomicU32>>,
    locks: Vec<Mutex<()>>,
}

/// Bits of a list's first word that hold the number of links.
const COUNT_BITS: u32 = 16;

/// Number of links, of a list's first word.
fn count_of(word: u32) -> usize {
    (word & ((1 << COUNT_BITS) - 1)) as usize
}

fn zeroed(words: usize) -> Vec<AtomicU32> {
    (0..words).map(|_| AtomicU32::new(0)).collect()
}

impl Graph {
    pub(crate) fn new(levels: Levels, m: usize) -> Self {
        let lists = |level, capacity: usize| zeroed(levels.at_least(level) as usize * (capacity + 1));
        Self {
            levels,
            m,
            base: lists(0, 2 * m),
            upper: (1..=levels.max_level()).map(|level| lists(level, m)).collect(),
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
        }
    }

    pub(crate) fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Most links that a node can have on a level.
    pub(crate) fn capacity(&self, level: usize) -> usize {
        if level == 0 { 2 * self.m } else { self.m }
    }

    /// The list of a node that exists on the level: count, then entries.
    #[inline]
    fn list(&self, node: u32, level: usize) -> &[AtomicU32] {
        let words = self.capacity(level) + 1;
        let lists = if level == 0 { &self.base } else { &self.upper[level - 1] };
        &lists[node as usize * words..][..words]
    }

    /// The neighbours of a node.
    #[inline]
    pub(crate) fn neighbors(&self, node: u32, level: usize) -> impl ExactSizeIterator<Item = u32> {
        let list = self.list(node, level);
        let count = count_of(list[0].load(Ordering::Acquire)).min(list.len() - 1);
        list[1..=count].iter().map(|id| id.load(Ordering::Relaxed))
    }

    /// How many of the first neighbours were set together.
    pub(crate) fn settled(&self, node: u32, level: usize) -> usize {
        (self.list(node, level)[0].load(Ordering::Relaxed) >> COUNT_BITS) as usize
    }

    /// Replaces the neighbours of a node, as many as fit. The caller holds the node's lock, or is the only one that
    /// knows the node.
    pub(crate) fn set_neighbors(&self, node: u32, level: usize, ids: &[u32]) {
        let list = self.list(node, level);
        let mut count = 0;
        for (slot, &id) in list[1..].iter().zip(ids) {
            slot.store(id, Ordering::Relaxed);
            count += 1;
        }
        list[0].store(count | count << COUNT_BITS, Ordering::Release);
    }

    /// Adds a neighbour if there is room; whether there was. The caller holds the node's lock.
    pub(crate) fn push_neighbor(&self, node: u32, level: usize, id: u32) -> bool {
        let list = self.list(node, level);
        let word = list[0].load(Ordering::Relaxed);
        let Some(slot) = list.get(count_of(word) + 1) else {
            return false;
        };
        slot.store(id, Ordering::Relaxed);
        list[0].store(word + 1, Ordering::Release);
        true
    }

    /// Locks a node for writing.
    pub(crate) fn lock(&self, node: u32) -> MutexGuard<'_, ()> {
        // The lock guards no data of its own, so a panic elsewhere leaves nothing inconsistent in it.
        self.locks[node as usize % LOCKS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the processor to load the base list of a node.
    #[inline]
    pub(crate) fn prefetch_base(&self, node: u32) {
        let words = 2 * self.m + 1;
        let start = node as usize * words;
        prefetch(&self.base, start);
        prefetch(&self.base, start + 16);
        prefetch(&self.base, start + words - 1);
    }
}

impl Links for &Graph {
    #[inline]
    fn neighbors(&self, node: u32, level: usize) -> impl ExactSizeIterator<Item = u32> {
        Graph::neighbors(self, node, level)
    }

    #[inline]
    fn prefetch(&self, node: u32, level: usize) {
        // The other lists are few.
        if level == 0 {
            self.prefetch_base(node);
        }
    }
}
