//! From a shard's ordinals to places in the log.

/// A contiguous run of log blocks that a shard was built from.
///
/// Ordinals number all slots, used or not, through the ranges in order: the ordinal of a slot is the number of slots in
/// the ranges before, plus `page * slots_per_page + slot`, where pages take `1 + part_blocks` blocks each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryRange {
    /// First block.
    pub start_block: u32,
    /// Number of blocks.
    pub block_count: u32,
    /// Entries that each page has room for.
    pub slots_per_page: u16,
    /// Blocks after that of each page that have no entries, but parts of its value; 0 unless values span pages.
    pub part_blocks: u16,
}

impl EntryRange {
    /// Ordinals that the range takes up.
    pub fn slots(&self) -> u64 {
        let pages = match self.part_blocks {
            0 => self.block_count,
            parts => self.block_count / (1 + u32::from(parts)),
        };
        u64::from(pages) * u64::from(self.slots_per_page)
    }
}

/// Block and slot of an ordinal; `None` beyond the last range or for a block number that overflows.
pub fn locate(ranges: &[EntryRange], ordinal: u32) -> Option<(u32, u16)> {
    let mut rest = u64::from(ordinal);
    for range in ranges {
        let slots = range.slots();
        if rest < slots {
            let per_page = u64::from(range.slots_per_page);
            let block = u64::from(range.start_block) + rest / per_page * (1 + u64::from(range.part_blocks));
            return Some((u32::try_from(block).ok()?, (rest % per_page) as u16));
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
        let range = |start_block, block_count, slots_per_page| EntryRange {
            start_block,
            block_count,
            slots_per_page,
            part_blocks: 0,
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
    fn pages_may_have_parts() {
        let range = |start_block, block_count, part_blocks| EntryRange {
            start_block,
            block_count,
            slots_per_page: 1,
            part_blocks,
        };
        // The last block of the second range is no whole page: nobody lists such a segment.
        let ranges = [range(7, 6, 2), range(50, 5, 1), range(90, 1, 0)];
        let located: Vec<_> = (0..6).map(|ordinal| locate(&ranges, ordinal)).collect();
        let blocks = [7, 10, 50, 52, 90].map(|block| Some((block, 0)));
        assert_eq!(located, [&blocks[..], &[None]].concat());
        assert_eq!(range(7, 6, u16::MAX).slots(), 0);
    }

    #[test]
    fn hostile_ranges_give_none() {
        assert_eq!(locate(&[], 0), None);
        let beyond = EntryRange {
            start_block: u32::MAX,
            block_count: u32::MAX,
            slots_per_page: 1,
            part_blocks: 0,
        };
        assert_eq!(locate(&[beyond], 0), Some((u32::MAX, 0)));
        assert_eq!(locate(&[beyond], 1), None);
    }
}
