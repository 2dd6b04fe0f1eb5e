//! From a shard's ordinals to places in the log.

/// A contiguous run of log blocks that a shard was built from.
///
/// Ordinals number all slots, used or not, through the ranges in order: the ordinal of a slot is the number of slots in
/// the ranges before, plus `(block - start_block) * slots_per_block + slot`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryRange {
    /// First block.
    pub start_block: u32,
    /// Number of blocks.
    pub block_count: u32,
    /// Entries that each block has room for.
    pub slots_per_block: u16,
}

impl EntryRange {
    /// Ordinals that the range takes up.
    pub fn slots(&self) -> u64 {
        u64::from(self.block_count) * u64::from(self.slots_per_block)
    }
}

/// Block and slot of an ordinal; `None` beyond the last range or for a block number that overflows.
pub fn locate(ranges: &[EntryRange], ordinal: u32) -> Option<(u32, u16)> {
    let mut rest = u64::from(ordinal);
    for range in ranges {
        let slots = range.slots();
        if rest < slots {
            let per_block = u64::from(range.slots_per_block);
            let block = u64::from(range.start_block) + rest / per_block;
            return Some((u32::try_from(block).ok()?, (rest % per_block) as u16));
        }
        rest -= slots;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_run_through_the_ranges() {
        let range = |start_block, block_count, slots_per_block| EntryRange {
            start_block,
            block_count,
            slots_per_block,
        };
        let ranges = [range(7, 2, 3), range(100, 0, 9), range(4, 1, 0), range(20, 1, 2)];
        let located: Vec<_> = (0..9).map(|ordinal| locate(&ranges, ordinal)).collect();
        let expected = [
            Some((7, 0)),
            Some((7, 1)),
            Some((7, 2)),
            Some((8, 0)),
            Some((8, 1)),
            Some((8, 2)),
            Some((20, 0)),
            Some((20, 1)),
            None,
        ];
        assert_eq!(located, expected);
    }

    #[test]
    fn hostile_ranges_give_none() {
        assert_eq!(locate(&[], 0), None);
        let beyond = EntryRange {
            start_block: u32::MAX,
            block_count: u32::MAX,
            slots_per_block: 1,
        };
        assert_eq!(locate(&[beyond], 0), Some((u32::MAX, 0)));
        assert_eq!(locate(&[beyond], 1), None);
    }
}
