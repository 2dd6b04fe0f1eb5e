//! Rows derived from dense vectors.

use std::ops::Range;

use iscc_metrics::dense::rows::{Encoding, RowQuery, Rows};

use super::Space;

/// Rows derived from dense vectors, which all have the same extent.
#[derive(Clone, Copy)]
pub struct Vectors<'a> {
    rows: Rows<'a>,
    /// How they were derived; `None` if there are no rows.
    encoding: Option<&'a Encoding>,
}

impl<'a> Vectors<'a> {
    /// Rows that this encoding has made.
    pub(crate) fn new(encoding: &'a Encoding, rows: &'a [u8]) -> Self {
        Self {
            rows: Rows::new(rows, encoding.row_bytes()),
            encoding: Some(encoding),
        }
    }

    /// No rows.
    pub(crate) fn none() -> Self {
        Self {
            rows: Rows::new(&[], 1),
            encoding: None,
        }
    }

    /// Fills `near` with keys and numbers of rows in a range that have a key less than `below`.
    pub(crate) fn near(&self, query: &RowQuery, range: Range<u32>, below: u32, near: &mut Vec<(u32, u32)>) {
        near.clear();
        query.near_rows(self.rows, range, below, near);
    }
}

impl Space for Vectors<'_> {
    type Centre = RowQuery;
    type Extent = ();

    #[inline]
    fn count(&self) -> u32 {
        self.rows.count()
    }

    /// Nothing: rows are long, and a query loads them itself, a few ahead.
    #[inline]
    fn prefetch(&self, _: u32) {}

    fn memory(&self, node: u32) -> &[u8] {
        self.rows.row(node).unwrap_or_default()
    }

    #[inline]
    fn centre(&self, node: u32, centre: &mut RowQuery) {
        if let Some((encoding, row)) = self.encoding.zip(self.rows.row(node)) {
            encoding.center_row(row, centre);
        }
    }

    #[inline]
    fn extent(&self, _: u32) {}

    #[inline]
    fn keys(&self, centre: &RowQuery, ids: &[u32], keys: &mut Vec<u32>) {
        centre.keys(self.rows, ids, keys);
    }

    fn key(&self, centre: &RowQuery, node: u32) -> u32 {
        centre.key(self.rows, node)
    }

    #[inline]
    fn any_below(&self, centre: &RowQuery, ids: &[u32], (): (), limit: u32) -> bool {
        centre.any_below(self.rows, ids, limit)
    }
}
