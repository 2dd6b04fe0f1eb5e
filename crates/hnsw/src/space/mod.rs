//! What a graph needs of its rows. Everything that walks or builds a graph is compiled for each kind of rows.

mod codes;
mod pairs;
mod values;
mod vectors;

pub use codes::Codes;
pub(crate) use pairs::KnownPairs;
pub(crate) use values::{LOCATOR_BYTES, ValueTable, locator};
pub use values::{ValueCentre, Values};
pub use vectors::Vectors;

/// Rows that a graph is built over, and how far they are from each other. Rows are numbered as nodes.
pub trait Space: Copy {
    /// Where distances are measured from: a row or a query, prepared. Its memory is used again.
    type Centre: Default;
    /// How much of a row there is to compare. Rows that share little may look near without being so.
    type Extent: Copy + Ord;

    /// Number of rows.
    fn count(&self) -> u32;

    /// Asks the processor to load a row soon.
    fn prefetch(&self, node: u32);

    /// Where a row is, as far as that is known without reading it; nothing is read.
    fn memory(&self, node: u32) -> &[u8];

    /// Makes a row the centre; nothing in particular if there is no such row.
    fn centre(&self, node: u32, centre: &mut Self::Centre);

    /// The extent of a row.
    fn extent(&self, node: u32) -> Self::Extent;

    /// Fills `keys` with those of the distances from the centre to rows, in the same order as the distances;
    /// [`NO_KEY`](iscc_metrics::NO_KEY) for a row that does not exist.
    fn keys(&self, centre: &Self::Centre, ids: &[u32], keys: &mut Vec<u32>);

    /// The same, of rows that are links of the centre or may become such, and are compared with it again and again.
    #[inline]
    fn link_keys(&self, centre: &Self::Centre, ids: &[u32], keys: &mut Vec<u32>) {
        self.keys(centre, ids, keys);
    }

    /// The key of one row.
    fn key(&self, centre: &Self::Centre, node: u32) -> u32;

    /// Whether any of these rows with at least such an extent has a key below `limit`.
    fn any_below(&self, centre: &Self::Centre, ids: &[u32], least: Self::Extent, limit: u32) -> bool;
}
