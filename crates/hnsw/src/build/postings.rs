//! Posting lists: which entries each node stands for.

use crate::control::{BuildControl, CHECK_STRIDE, Cancelled};

/// The ordinals of each node.
pub(crate) struct PostingLists {
    /// Node `n` has `ordinals[offsets[n]..offsets[n + 1]]`.
    pub(crate) offsets: Vec<u32>,
    /// Ascending within a node.
    pub(crate) ordinals: Vec<u32>,
}

impl PostingLists {
    /// Distributes the entries (ordinal, row) over the nodes.
    pub(crate) fn new(
        mut entries: Vec<(u32, u32)>,
        node_of_row: &[u32],
        control: &BuildControl,
    ) -> Result<Self, Cancelled> {
        // One entry more than offsets: the second pass moves each offset to the end of its list, where the next begins.
        let mut ends = vec![0u32; node_of_row.len() + 2];
        for chunk in entries.chunks_mut(CHECK_STRIDE) {
            control.check()?;
            for (_, row) in chunk {
                *row = node_of_row[*row as usize];
                ends[*row as usize + 2] += 1;
            }
        }
        for node in 1..ends.len() {
            ends[node] += ends[node - 1];
        }
        let mut ordinals = vec![0u32; entries.len()];
        for chunk in entries.chunks(CHECK_STRIDE) {
            control.check()?;
            for &(ordinal, node) in chunk {
                let end = &mut ends[node as usize + 1];
                ordinals[*end as usize] = ordinal;
                *end += 1;
            }
        }
        ends.pop();
        for (start, end) in ends.iter().zip(&ends[1..]) {
            let list = &mut ordinals[*start as usize..*end as usize];
            if !list.is_sorted() {
                list.sort_unstable();
            }
        }
        Ok(Self {
            offsets: ends,
            ordinals,
        })
    }
}
