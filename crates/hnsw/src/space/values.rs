//! Values that only a function of the caller's understands.

use std::cell::Cell;
use std::ops::Range;

use iscc_metrics::NO_KEY;
use iscc_metrics::dense::key_of;

use super::Space;
use super::pairs::KnownPairs;
use crate::opaque::{Distance, Layout};

/// Bytes of a row: where its value begins among all of them (40 bits), and its length as stored (24 bits).
pub(crate) const LOCATOR_BYTES: usize = 8;

/// Bits of a locator that are the beginning.
const START_BITS: u32 = 40;

/// The locator of a value.
pub(crate) fn locator(start: usize, length: usize) -> [u8; LOCATOR_BYTES] {
    (start as u64 | (length as u64) << START_BITS).to_le_bytes()
}

/// The values of a shard, and where each of them is.
#[derive(Clone, Copy)]
pub(crate) struct ValueTable<'a> {
    layout: Layout,
    locators: &'a [[u8; LOCATOR_BYTES]],
    values: &'a [u8],
}

impl<'a> ValueTable<'a> {
    pub(crate) fn new(layout: Layout, locators: &'a [u8], values: &'a [u8]) -> Self {
        Self {
            layout,
            locators: locators.as_chunks().0,
            values,
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.locators.len() as u32
    }

    /// A value as stored; `None` out of range.
    #[inline]
    pub(crate) fn stored(&self, node: u32) -> Option<&'a [u8]> {
        let locator = u64::from_le_bytes(*self.locators.get(node as usize)?);
        let (start, length) = (locator & ((1 << START_BITS) - 1), locator >> START_BITS);
        self.values.get(start as usize..)?.get(..length as usize)
    }

    /// A value; `None` if there is none that is as it was written.
    #[inline]
    pub(crate) fn value(&self, node: u32) -> Option<&'a [u8]> {
        self.layout.unseal(self.stored(node)?)
    }
}

/// Where distances are measured from.
#[derive(Default)]
pub struct ValueCentre<Q> {
    query: Q,
    /// The row that it is.
    node: Option<u32>,
}

/// Values, and a function that compares them.
#[derive(Clone, Copy)]
pub struct Values<'a, D> {
    table: ValueTable<'a>,
    distance: D,
    /// Distances between rows that were computed before.
    known: Option<&'a KnownPairs>,
    /// Becomes true when a row is not what was written.
    is_damaged: &'a Cell<bool>,
}

impl<'a, D: Distance> Values<'a, D> {
    pub(crate) fn new(table: ValueTable<'a>, distance: D, is_damaged: &'a Cell<bool>) -> Self {
        Self {
            table,
            distance,
            known: None,
            is_damaged,
        }
    }

    /// The same, with a memory of distances between rows.
    pub(crate) fn with_memory(self, known: &'a KnownPairs) -> Self {
        Self {
            known: Some(known),
            ..self
        }
    }

    /// The centre that is this value.
    pub(crate) fn centre_of(distance: D, value: &[u8]) -> ValueCentre<D::Query> {
        let mut centre = ValueCentre::default();
        distance.prepare(value, &mut centre.query);
        centre
    }

    fn compute(&self, centre: &ValueCentre<D::Query>, node: u32) -> u32 {
        match self.table.value(node) {
            Some(row) => row_key(self.distance.distance(row, &centre.query)),
            None => {
                self.is_damaged.set(true);
                NO_KEY
            }
        }
    }

    /// As [`Space::key`], of a row that is probably compared with the centre again.
    fn link_key(&self, centre: &ValueCentre<D::Query>, node: u32) -> u32 {
        match self.known.zip(centre.node) {
            Some((known, from)) => known.key(from, node, || self.compute(centre, node)),
            None => self.compute(centre, node),
        }
    }

    /// Fills `near` with keys and numbers of rows in a range that have a key less than `below`.
    pub(crate) fn near(
        &self,
        centre: &ValueCentre<D::Query>,
        range: Range<u32>,
        below: u32,
        near: &mut Vec<(u32, u32)>,
    ) {
        near.clear();
        let keyed = range.map(|node| (self.key(centre, node), node));
        near.extend(keyed.filter(|&(key, _)| key < below));
    }
}

/// The key of a row at this distance: in the order of the distances, but for the last bits of them.
fn row_key(distance: f64) -> u32 {
    ((key_of(distance) >> 32) as u32).min(NO_KEY - 1)
}

impl<D: Distance> Space for Values<'_, D> {
    type Centre = ValueCentre<D::Query>;
    type Extent = ();

    fn count(&self) -> u32 {
        self.table.count()
    }

    fn prefetch(&self, _: u32) {}

    /// Nothing: only its locator knows where a value is.
    fn memory(&self, _: u32) -> &[u8] {
        &[]
    }

    fn centre(&self, node: u32, centre: &mut Self::Centre) {
        match self.table.value(node) {
            Some(value) => {
                self.distance.prepare(value, &mut centre.query);
                centre.node = Some(node);
            }
            None => self.is_damaged.set(true),
        }
    }

    fn extent(&self, _: u32) {}

    fn keys(&self, centre: &Self::Centre, ids: &[u32], keys: &mut Vec<u32>) {
        keys.clear();
        keys.extend(ids.iter().map(|&id| self.key(centre, id)));
    }

    fn link_keys(&self, centre: &Self::Centre, ids: &[u32], keys: &mut Vec<u32>) {
        keys.clear();
        keys.extend(ids.iter().map(|&id| self.link_key(centre, id)));
    }

    fn key(&self, centre: &Self::Centre, node: u32) -> u32 {
        match self.known.zip(centre.node) {
            Some((known, from)) => known.first_key(from, node, || self.compute(centre, node)),
            None => self.compute(centre, node),
        }
    }

    /// Asks for one after the other: a distance costs more than all else.
    fn any_below(&self, centre: &Self::Centre, ids: &[u32], (): (), limit: u32) -> bool {
        ids.iter().any(|&id| self.link_key(centre, id) < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_order_of_distances() {
        let ascending = [
            f64::NEG_INFINITY,
            -1.5,
            -0.0,
            1e-300,
            1.0,
            1.5,
            1e300,
            f64::INFINITY,
            f64::NAN,
        ];
        let keys = ascending.map(row_key);
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        assert!(keys[8] < NO_KEY);
    }
}
