//! The segment directory: which blocks of the index hold the log, and which shard serves them.
//!
//! Block 0 (the metapage) carries a [`MetaHeader`] and the first entries; further entries stand on
//! directory pages chained by [`crate::page::PageTail::next`]. The open segment, which takes new
//! entries, is not in the list: it stands in the header, so that an insert reads one page.
//!
//! The list also says which blocks are free. So every block of the index is the metapage, a directory
//! page, or part of one segment, unless a crash came between the growth of the file and its use.

use iscc_metrics::MAX_CODE_BYTES;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::log_page::slots;
use crate::page::{self, HEADER_BYTES, NO_BLOCK, PAGE_BYTES, PageError, PageKind, TAIL_OFFSET};

/// First field of the metapage.
pub const META_MAGIC: u32 = 0x6873_636E;
/// Format of the log and the directory written by this version.
pub const LOG_VERSION: u16 = 1;

/// No segment: the header's `open` before the first insert.
pub const STATE_NONE: u8 = 0;
/// Takes new entries; scanned exactly.
pub const STATE_OPEN: u8 = 1;
/// Complete, waiting for its shard; scanned exactly.
pub const STATE_CLOSED: u8 = 2;
/// Served by the shard `shard_id`, or exactly when its file is missing.
pub const STATE_SEALED: u8 = 3;
/// Being filled with entries that are moved here: no part of the index yet, but VACUUM looks at it.
pub const STATE_PENDING: u8 = 4;
/// Blocks to use again.
pub const STATE_FREE: u8 = 5;

/// A contiguous range of log blocks.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Segment {
    /// First block.
    pub start_block: U32,
    /// Number of blocks.
    pub block_count: U32,
    /// Bytes of one cell of the code column, the same on all its pages.
    pub stride: U16,
    /// One of the `STATE_` constants.
    pub state: u8,
    /// The most times that any of its entries was built into a shard before; 0 when first sealed.
    pub level: u8,
    /// Newest generation of the blocks' contents, as in their page tails.
    pub epoch: U32,
    /// Entries, dead ones and NULLs included; known once closed.
    pub entries: U32,
    /// Entries with a code found dead by the last VACUUM.
    pub dead: U32,
    /// Entries without a code; known once sealed.
    pub nulls: U32,
    /// Nodes of the shard: distinct codes among the entries alive when it was built.
    pub nodes: U32,
    /// Identity of the shard; zero without one.
    pub shard_id: [u8; 16],
    /// Oldest generation of the blocks' contents: a segment may be several old ones that were merged.
    pub oldest_epoch: U32,
    /// Entries without a code found dead by the last VACUUM.
    pub dead_nulls: U32,
    /// Zero.
    pub reserved: [u8; 8],
}

impl Segment {
    /// A segment of this generation.
    pub fn new(state: u8, blocks: std::ops::Range<u32>, stride: u16, epoch: u32) -> Self {
        Segment {
            start_block: blocks.start.into(),
            block_count: (blocks.end - blocks.start).into(),
            stride: stride.into(),
            state,
            epoch: epoch.into(),
            oldest_epoch: epoch.into(),
            ..Segment::default()
        }
    }

    /// True when a page of this generation can be one of its pages.
    pub fn has_epoch(&self, epoch: u32) -> bool {
        (self.oldest_epoch.get()..=self.epoch.get()).contains(&epoch)
    }

    /// Part of the index: open, closed or sealed.
    pub fn is_searchable(&self) -> bool {
        matches!(self.state, STATE_OPEN | STATE_CLOSED | STATE_SEALED)
    }

    /// True when a segment has a shard, or needs none, whatever the state of its file.
    pub fn is_sealed(&self) -> bool {
        self.state == STATE_SEALED
    }

    /// Entries found dead, with or without a code.
    pub fn all_dead(&self) -> u64 {
        u64::from(self.dead.get()) + u64::from(self.dead_nulls.get())
    }

    /// True for blocks to use again.
    pub fn is_free(&self) -> bool {
        self.state == STATE_FREE
    }

    /// Entries that fit on each of its pages.
    pub fn slots_per_block(&self) -> u16 {
        slots(self.stride.get())
    }

    /// Its blocks, in order.
    pub fn blocks(&self) -> std::ops::Range<u32> {
        self.start_block.get()..self.start_block.get() + self.block_count.get()
    }

    /// The last block; None for a segment without blocks.
    pub fn last_block(&self) -> Option<u32> {
        self.blocks().next_back()
    }

    /// True when its fields make sense; checked whenever a segment is read from a page.
    fn is_valid(&self) -> bool {
        (1..=MAX_CODE_BYTES).contains(&usize::from(self.stride.get()))
            && self.start_block.get() > 0
            && self
                .start_block
                .get()
                .checked_add(self.block_count.get())
                .is_some_and(|end| end < NO_BLOCK)
            && matches!(
                self.state,
                STATE_OPEN | STATE_CLOSED | STATE_SEALED | STATE_PENDING | STATE_FREE
            )
    }
}

/// The fixed part of the metapage.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct MetaHeader {
    /// [`META_MAGIC`].
    pub magic: U32,
    /// [`LOG_VERSION`].
    pub version: U16,
    /// Distance of the operator class: 1 NPHD, 2 Jaccard, 3 Hamming.
    pub metric: u8,
    /// Zero.
    pub reserved: u8,
    /// Zero.
    pub reserved2: U32,
    /// Blocks in use, from block 0; blocks beyond may exist after a crash and are used first.
    pub used_blocks: U32,
    /// Generation to give to the next segment.
    pub next_epoch: U32,
    /// Where the room of the open segment ends, if it reuses free blocks; 0: it grows with the relation.
    pub open_limit: U32,
    /// Zero.
    pub reserved3: [u8; 8],
    /// The segment that takes new entries.
    pub open: Segment,
}

impl MetaHeader {
    /// True when a segment ends within the blocks in use.
    pub fn has_blocks(&self, segment: &Segment) -> bool {
        segment.blocks().end <= self.used_blocks.get()
    }

    /// The open segment, if there is one.
    pub fn open_segment(&self) -> Option<&Segment> {
        (self.open.state == STATE_OPEN && self.open.block_count > 0).then_some(&self.open)
    }
}

const SEGMENT_BYTES: usize = size_of::<Segment>();
const META_ENTRIES_OFFSET: usize = HEADER_BYTES + size_of::<MetaHeader>();

fn entries_offset(kind: PageKind) -> usize {
    if kind == PageKind::Meta {
        META_ENTRIES_OFFSET
    } else {
        HEADER_BYTES
    }
}

/// Turns a page with a fresh PostgreSQL header into the metapage of an empty index.
pub fn init_meta(page: &mut [u8; PAGE_BYTES], metric: u8) {
    page::set_tail(page, &page::new_tail(PageKind::Meta));
    page::set_bounds(page, META_ENTRIES_OFFSET, TAIL_OFFSET);
    let header = MetaHeader {
        magic: META_MAGIC.into(),
        version: LOG_VERSION.into(),
        metric,
        used_blocks: 1.into(),
        next_epoch: 1.into(),
        ..MetaHeader::default()
    };
    set_meta(page, &header);
}

/// Turns a page with a fresh PostgreSQL header into an empty directory page.
pub fn init_directory(page: &mut [u8; PAGE_BYTES]) {
    page::set_tail(page, &page::new_tail(PageKind::Directory));
    page::set_bounds(page, HEADER_BYTES, TAIL_OFFSET);
}

/// Reads and checks the header of the metapage.
pub fn meta(page: &[u8; PAGE_BYTES]) -> Result<MetaHeader, PageError> {
    page::tail(page, PageKind::Meta)?;
    let header = MetaHeader::read_from_bytes(&page[HEADER_BYTES..META_ENTRIES_OFFSET]).map_err(|_| PageError::Size)?;
    if header.magic != META_MAGIC {
        return Err(PageError::NotOurs);
    }
    if header.version != LOG_VERSION {
        return Err(PageError::Version(header.version.get()));
    }
    let open = &header.open;
    let open_is_sane = open.state == STATE_NONE || (open.is_valid() && header.has_blocks(open));
    let room_is_sane = header.open_limit <= header.used_blocks;
    if !(open_is_sane && room_is_sane && (1..NO_BLOCK).contains(&header.used_blocks.get())) {
        return Err(PageError::Layout);
    }
    Ok(header)
}

/// Writes the header of the metapage.
pub fn set_meta(page: &mut [u8; PAGE_BYTES], header: &MetaHeader) {
    page[HEADER_BYTES..META_ENTRIES_OFFSET].copy_from_slice(header.as_bytes());
}

fn count(page: &[u8; PAGE_BYTES], kind: PageKind) -> Result<usize, PageError> {
    page::tail(page, kind)?;
    let (lower, _) = page::bounds(page);
    match lower.checked_sub(entries_offset(kind)) {
        Some(bytes) if bytes.is_multiple_of(SEGMENT_BYTES) => Ok(bytes / SEGMENT_BYTES),
        _ => Err(PageError::Layout),
    }
}

/// The directory entries on a page, in order.
pub fn segments(page: &[u8; PAGE_BYTES], kind: PageKind) -> Result<Vec<Segment>, PageError> {
    let count = count(page, kind)?;
    let bytes = &page[entries_offset(kind)..][..count * SEGMENT_BYTES];
    let mut found = Vec::with_capacity(count);
    for chunk in bytes.chunks_exact(SEGMENT_BYTES) {
        let segment = Segment::read_from_bytes(chunk).map_err(|_| PageError::Size)?;
        if !segment.is_valid() {
            return Err(PageError::Layout);
        }
        found.push(segment);
    }
    Ok(found)
}

/// Number of entries that a page has room for.
pub fn capacity(kind: PageKind) -> usize {
    (TAIL_OFFSET - entries_offset(kind)) / SEGMENT_BYTES
}

/// Writes all entries of a page.
pub fn set_segments(page: &mut [u8; PAGE_BYTES], kind: PageKind, segments: &[Segment]) -> Result<(), PageError> {
    page::tail(page, kind)?;
    if segments.len() > capacity(kind) {
        return Err(PageError::Layout);
    }
    let (start, end) = (entries_offset(kind), entries_offset(kind) + size_of_val(segments));
    page[start..end].copy_from_slice(segments.as_bytes());
    // The rest is the page's hole, which has to be zero.
    page[end..TAIL_OFFSET].fill(0);
    page::set_bounds(page, end, TAIL_OFFSET);
    Ok(())
}

/// The next page of the directory chain, or None.
pub fn next(page: &[u8; PAGE_BYTES], kind: PageKind) -> Result<Option<u32>, PageError> {
    let next = page::tail(page, kind)?.next.get();
    Ok((next != NO_BLOCK).then_some(next))
}

/// Sets the next page of the directory chain; [`NO_BLOCK`] ends it.
pub fn set_next(page: &mut [u8; PAGE_BYTES], kind: PageKind, block: u32) -> Result<(), PageError> {
    let mut tail = page::tail(page, kind)?;
    tail.next = block.into();
    page::set_tail(page, &tail);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start: u32) -> Segment {
        Segment::new(STATE_CLOSED, start..start + 5, 32, 1)
    }

    #[test]
    fn metapage_round_trip() {
        let mut page = Box::new([0u8; PAGE_BYTES]);
        init_meta(&mut page, 1);
        let mut header = meta(&page).unwrap();
        assert_eq!(header.open_segment(), None);
        header.open = Segment {
            state: STATE_OPEN,
            ..segment(1)
        };
        set_meta(&mut page, &header);
        assert_eq!(meta(&page), Err(PageError::Layout), "beyond the blocks in use");
        header.used_blocks = 6.into();
        set_meta(&mut page, &header);
        assert_eq!(meta(&page).unwrap().open_segment().unwrap().last_block(), Some(5));
        assert!(segments(&page, PageKind::Meta).unwrap().is_empty());
    }

    #[test]
    fn pages_hold_lists_and_chain() {
        for kind in [PageKind::Meta, PageKind::Directory] {
            let mut page = Box::new([0u8; PAGE_BYTES]);
            match kind {
                PageKind::Meta => init_meta(&mut page, 1),
                _ => init_directory(&mut page),
            }
            let full: Vec<Segment> = (0..capacity(kind) as u32).map(|i| segment(1 + i)).collect();
            assert!(full.len() > 120, "{}", full.len());
            for list in [&full[..], &full[..3], &[], &full[..7]] {
                set_segments(&mut page, kind, list).unwrap();
                assert_eq!(segments(&page, kind).unwrap(), list);
            }
            let more = [&full[..], &full[..1]].concat();
            assert_eq!(set_segments(&mut page, kind, &more), Err(PageError::Layout));
            assert_eq!(next(&page, kind).unwrap(), None);
            set_next(&mut page, kind, 77).unwrap();
            assert_eq!(next(&page, kind).unwrap(), Some(77));
        }
    }

    #[test]
    fn generations() {
        let merged = Segment {
            oldest_epoch: 3.into(),
            epoch: 5.into(),
            ..segment(1)
        };
        let known: Vec<u32> = (0..9).filter(|&epoch| merged.has_epoch(epoch)).collect();
        assert_eq!(known, [3, 4, 5]);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut page = Box::new([0u8; PAGE_BYTES]);
        assert_eq!(meta(&page), Err(PageError::NotOurs));
        init_meta(&mut page, 1);
        let header = meta(&page).unwrap();
        for (used_blocks, open_limit) in [(0, 0), (NO_BLOCK, 0), (5, 6)] {
            let bad = MetaHeader {
                used_blocks: used_blocks.into(),
                open_limit: open_limit.into(),
                ..header
            };
            set_meta(&mut page, &bad);
            assert_eq!(meta(&page), Err(PageError::Layout), "{used_blocks} {open_limit}");
        }
        set_meta(&mut page, &header);
        let bad = [
            Segment {
                stride: 0.into(),
                ..segment(1)
            },
            Segment {
                stride: 4097.into(),
                ..segment(1)
            },
            Segment { state: 9, ..segment(1) },
            Segment {
                block_count: u32::MAX.into(),
                ..segment(1)
            },
            segment(0),
        ];
        for segment in bad {
            let mut copy = page.clone();
            set_segments(&mut copy, PageKind::Meta, &[segment]).unwrap();
            assert_eq!(segments(&copy, PageKind::Meta), Err(PageError::Layout));
        }
    }
}
