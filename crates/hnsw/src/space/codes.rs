//! Binary codes of any length.

use iscc_metrics::Metric;
use iscc_metrics::bits::{Kernel, Rows};

use super::Space;

/// Codes compared by a metric over their common prefix. The extent of a code is its length: over the few bits of a short
/// code, all that share its prefix look near.
#[derive(Clone, Copy)]
pub struct Codes<'a> {
    rows: Rows<'a>,
    metric: Metric,
    kernel: Kernel,
}

impl<'a> Codes<'a> {
    pub(crate) fn new(rows: Rows<'a>, metric: Metric) -> Self {
        Self {
            rows,
            metric,
            kernel: Kernel::active(),
        }
    }

    pub(crate) fn rows(&self) -> Rows<'a> {
        self.rows
    }

    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    #[inline]
    fn code(&self, node: u32) -> &'a [u8] {
        self.rows.code(node).unwrap_or_default()
    }
}

impl<'a> Space for Codes<'a> {
    type Centre = &'a [u8];
    type Extent = usize;

    #[inline]
    fn count(&self) -> u32 {
        self.rows.count()
    }

    #[inline]
    fn prefetch(&self, node: u32) {
        self.rows.prefetch(node);
    }

    fn memory(&self, node: u32) -> &[u8] {
        self.rows.row(node)
    }

    #[inline]
    fn centre(&self, node: u32, centre: &mut &'a [u8]) {
        *centre = self.code(node);
    }

    #[inline]
    fn extent(&self, node: u32) -> usize {
        self.code(node).len()
    }

    #[inline]
    fn keys(&self, centre: &&'a [u8], ids: &[u32], keys: &mut Vec<u32>) {
        keys.resize(ids.len(), 0);
        self.kernel.row_keys(self.metric, centre, self.rows, ids, keys);
    }

    fn key(&self, centre: &&'a [u8], node: u32) -> u32 {
        let mut key = [0];
        self.kernel.row_keys(self.metric, centre, self.rows, &[node], &mut key);
        key[0]
    }

    #[inline]
    fn any_below(&self, centre: &&'a [u8], ids: &[u32], least: usize, limit: u32) -> bool {
        self.kernel.any_below(self.metric, centre, self.rows, ids, least, limit)
    }
}
