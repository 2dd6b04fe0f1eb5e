//! The segment directory: which blocks of the index hold the log, and which shard serves them.
//!
//! Block 0 (the metapage) carries a [`MetaHeader`] and the first entries; further entries stand on
//! directory pages chained by [`crate::page::PageTail::next`]. The open segment, which takes new
//! entries, is not in the list: it stands in the header, so that an insert reads one page.
//!
//! The list also says which blocks are free. So every block of the index is the metapage, a directory
//! page, or part of one segment, unless a crash came between the growth of the file and its use.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::page::{self, HEADER_BYTES, NO_BLOCK, PAGE_BYTES, PageError, PageKind, TAIL_OFFSET};
use crate::segment::{STATE_NONE, SegmentRecord};
pub use crate::segment::{Segment, State};

/// First field of the metapage.
pub const META_MAGIC: u32 = 0x6873_636E;
/// Format of the log and the directory written by this version.
pub const LOG_VERSION: u16 = 1;

/// What the metapage says beside its directory entries.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaHeader {
    /// Distance of the operator class: its number and 1.
    pub metric: u8,
    /// Blocks in use, from block 0; blocks beyond may exist after a crash and are used first.
    pub used_blocks: u32,
    /// Generation to give to the next segment.
    pub next_epoch: u32,
    /// Where the room of the open segment ends, if it reuses free blocks; 0: it grows with the relation.
    pub open_limit: u32,
    /// The segment that takes new entries; it has at least one block.
    pub open: Option<Segment>,
    /// The stride of the open segment, or of the last one that was; 0 before the first.
    pub stride: u16,
}

impl MetaHeader {
    /// True when a segment ends within the blocks in use.
    pub fn has_blocks(&self, segment: &Segment) -> bool {
        segment.blocks().end <= self.used_blocks
    }
}

/// A [`MetaHeader`] on the metapage.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct MetaRecord {
    magic: U32,
    version: U16,
    metric: u8,
    reserved: u8,
    reserved2: U32,
    used_blocks: U32,
    next_epoch: U32,
    open_limit: U32,
    reserved3: [u8; 8],
    open: SegmentRecord,
}

impl MetaRecord {
    fn of(header: &MetaHeader) -> Self {
        MetaRecord {
            magic: META_MAGIC.into(),
            version: LOG_VERSION.into(),
            metric: header.metric,
            reserved: 0,
            reserved2: 0.into(),
            used_blocks: header.used_blocks.into(),
            next_epoch: header.next_epoch.into(),
            open_limit: header.open_limit.into(),
            reserved3: [0; 8],
            open: header
                .open
                .as_ref()
                .map_or_else(|| SegmentRecord::none(header.stride), SegmentRecord::of),
        }
    }

    fn header(&self) -> Result<MetaHeader, PageError> {
        if self.magic != META_MAGIC {
            return Err(PageError::NotOurs);
        }
        if self.version != LOG_VERSION {
            return Err(PageError::Version(self.version.get()));
        }
        let open = match self.open.state {
            STATE_NONE => None,
            _ => Some(self.open.segment().ok_or(PageError::Layout)?),
        };
        let header = MetaHeader {
            metric: self.metric,
            used_blocks: self.used_blocks.get(),
            next_epoch: self.next_epoch.get(),
            open_limit: self.open_limit.get(),
            open: open.filter(|open| open.state == State::Open && open.block_count > 0),
            stride: self.open.stride.get(),
        };
        let open_is_sane = open.is_none_or(|open| header.has_blocks(&open));
        let room_is_sane = header.open_limit <= header.used_blocks;
        if !(open_is_sane && room_is_sane && (1..NO_BLOCK).contains(&header.used_blocks)) {
            return Err(PageError::Layout);
        }
        Ok(header)
    }
}

const SEGMENT_BYTES: usize = size_of::<SegmentRecord>();
const META_ENTRIES_OFFSET: usize = HEADER_BYTES + size_of::<MetaRecord>();

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
        metric,
        used_blocks: 1,
        next_epoch: 1,
        open_limit: 0,
        open: None,
        stride: 0,
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
    let record = MetaRecord::read_from_bytes(&page[HEADER_BYTES..META_ENTRIES_OFFSET]);
    record.map_err(|_| PageError::Size)?.header()
}

/// Writes the header of the metapage.
pub fn set_meta(page: &mut [u8; PAGE_BYTES], header: &MetaHeader) {
    page[HEADER_BYTES..META_ENTRIES_OFFSET].copy_from_slice(MetaRecord::of(header).as_bytes());
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
    let records = <[SegmentRecord]>::ref_from_bytes(bytes).map_err(|_| PageError::Size)?;
    let segments = records.iter().map(SegmentRecord::segment).collect();
    Option::ok_or(segments, PageError::Layout)
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
    let records: Vec<SegmentRecord> = segments.iter().map(SegmentRecord::of).collect();
    let (start, end) = (entries_offset(kind), entries_offset(kind) + size_of_val(&records[..]));
    page[start..end].copy_from_slice(records.as_bytes());
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
    use crate::log_page::slots;
    use crate::span::MAX_STRIDE;

    fn segment(start: u32) -> Segment {
        Segment::new(State::Closed, start..start + 5, 32, 1)
    }

    #[test]
    fn metapage_round_trip() {
        let mut page = Box::new([0u8; PAGE_BYTES]);
        init_meta(&mut page, 1);
        let mut header = meta(&page).unwrap();
        assert_eq!(header.open, None);
        let open = Segment {
            state: State::Open,
            ..segment(1)
        };
        header.open = Some(open);
        header.stride = open.stride;
        set_meta(&mut page, &header);
        assert_eq!(meta(&page), Err(PageError::Layout), "beyond the blocks in use");
        header.used_blocks = 6;
        set_meta(&mut page, &header);
        assert_eq!(meta(&page).unwrap().open.unwrap().last_page(), Some(5));
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
            oldest_epoch: 3,
            epoch: 5,
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
                used_blocks,
                open_limit,
                ..header.clone()
            };
            set_meta(&mut page, &bad);
            assert_eq!(meta(&page), Err(PageError::Layout), "{used_blocks} {open_limit}");
        }
        set_meta(&mut page, &header);
        let bad = [
            Segment {
                stride: 0,
                ..segment(1)
            },
            Segment {
                stride: MAX_STRIDE as u16 + 1,
                ..segment(1)
            },
            Segment {
                block_count: u32::MAX,
                ..segment(1)
            },
            // Three blocks each.
            Segment {
                stride: 20_000,
                ..segment(1)
            },
            segment(0),
            Segment {
                entries: 5 * u32::from(slots(32)) + 1,
                ..segment(1)
            },
        ];
        for segment in bad {
            let mut copy = page.clone();
            set_segments(&mut copy, PageKind::Meta, &[segment]).unwrap();
            assert_eq!(segments(&copy, PageKind::Meta), Err(PageError::Layout));
        }
        for (number, is_state) in [(0, false), (1, true), (5, true), (6, false), (255, false)] {
            set_segments(&mut page, PageKind::Meta, &[segment(1)]).unwrap();
            page[META_ENTRIES_OFFSET + std::mem::offset_of!(SegmentRecord, state)] = number;
            assert_eq!(segments(&page, PageKind::Meta).is_ok(), is_state, "{number}");
        }
    }
}
