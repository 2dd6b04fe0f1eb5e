//! What all pages of a `usearch` index share: PostgreSQL's page header in front and our page tail
//! in its special area.
//!
//! ```text
//! 0        24                 pd_lower        pd_upper            8176      8192
//! ├─header─┼─ grows upward ──►┼┈┈┈┈ hole ┈┈┈┈┈┼◄ grows downward ──┼─ tail ──┤
//! ```
//!
//! Everything between `pd_lower` and `pd_upper` is zero and is left out of full-page images; WAL
//! replay of generic records zeroes it, so no page keeps data there.

use std::fmt;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Size of a page in bytes; the only block size supported.
pub const PAGE_BYTES: usize = 8192;
/// Size of PostgreSQL's page header in bytes.
pub const HEADER_BYTES: usize = 24;
/// Offset of our page tail; the end of the usable area.
pub const TAIL_OFFSET: usize = PAGE_BYTES - size_of::<PageTail>();
/// Marks a page as ours; in the last two bytes, where PostgreSQL's own access methods put theirs.
pub const PAGE_ID: u16 = 0xFF5A;

/// Byte offset of `pd_lower` in the page header (`pd_upper` follows it).
pub const PD_LOWER_OFFSET: usize = 12;

/// What a page holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageKind {
    /// Block 0.
    Meta,
    /// Overflow of the segment directory.
    Directory,
    /// Log entries.
    Log,
    /// Bytes of a value that is longer than a page, after the first ones.
    Part,
}

impl PageKind {
    /// The number that stands for this kind in a page tail.
    pub fn code(self) -> u8 {
        match self {
            PageKind::Meta => 1,
            PageKind::Directory => 2,
            PageKind::Log => 3,
            PageKind::Part => 4,
        }
    }
}

/// The special area at the end of every page.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct PageTail {
    /// Generation of a log page's contents: changes when a block is used again for other entries.
    pub epoch: U32,
    /// Directory pages: the next page of the chain, [`NO_BLOCK`] at its end. Parts: the block of the page that has the
    /// entry.
    pub next: U32,
    /// Log pages: bytes of one code column cell. Where values span pages, and so on parts: bytes of a value.
    pub stride: U16,
    /// Log pages: [`OPEN`] or 0.
    pub flags: u8,
    /// [`PageKind::code`].
    pub kind: u8,
    /// Format of the page; 1.
    pub version: U16,
    /// [`PAGE_ID`].
    pub page_id: U16,
}

/// Flag of the one log page that takes new entries.
pub const OPEN: u8 = 1;
/// "No block", as PostgreSQL's `InvalidBlockNumber`.
pub const NO_BLOCK: u32 = u32::MAX;
/// The page format written by this version.
pub const PAGE_VERSION: u16 = 1;

/// Why a page cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageError {
    /// The slice is not a whole page.
    Size,
    /// The tail does not carry [`PAGE_ID`]: zeroed, torn or foreign.
    NotOurs,
    /// Written by a later version.
    Version(u16),
    /// A page of another kind than the directory says.
    Kind(u8),
    /// Page pointers or counts contradict each other.
    Layout,
    /// A page whose value goes on elsewhere, where pages have their values on themselves.
    Parts,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageError::Size => write!(f, "page has the wrong size"),
            PageError::NotOurs => write!(f, "page is not a usearch page"),
            PageError::Version(v) => write!(f, "page format {v} is not supported"),
            PageError::Kind(k) => write!(f, "page is of unexpected kind {k}"),
            PageError::Layout => write!(f, "page pointers are inconsistent"),
            PageError::Parts => write!(f, "page has only a part of a value"),
        }
    }
}

/// `pd_lsn` of a page: two words in native byte order, the high one first.
pub fn lsn(page: &[u8; PAGE_BYTES]) -> u64 {
    let word = |at: usize| u64::from(u32::from_ne_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]));
    word(0) << 32 | word(4)
}

/// `pd_lower` and `pd_upper` of a page.
pub fn bounds(page: &[u8; PAGE_BYTES]) -> (usize, usize) {
    let at = |offset: usize| usize::from(u16::from_ne_bytes([page[offset], page[offset + 1]]));
    (at(PD_LOWER_OFFSET), at(PD_LOWER_OFFSET + 2))
}

/// Sets `pd_lower` and `pd_upper`.
pub fn set_bounds(page: &mut [u8; PAGE_BYTES], lower: usize, upper: usize) {
    debug_assert!(HEADER_BYTES <= lower && lower <= upper && upper <= TAIL_OFFSET);
    // PostgreSQL's page header is in native byte order.
    page[PD_LOWER_OFFSET..][..2].copy_from_slice(&(lower as u16).to_ne_bytes());
    page[PD_LOWER_OFFSET + 2..][..2].copy_from_slice(&(upper as u16).to_ne_bytes());
}

/// The tail of a page, checked to be ours and of this kind.
pub fn tail(page: &[u8; PAGE_BYTES], kind: PageKind) -> Result<PageTail, PageError> {
    let tail = PageTail::read_from_bytes(&page[TAIL_OFFSET..]).map_err(|_| PageError::Size)?;
    if tail.page_id != PAGE_ID {
        return Err(PageError::NotOurs);
    }
    if tail.version != PAGE_VERSION {
        return Err(PageError::Version(tail.version.get()));
    }
    if tail.kind != kind.code() {
        return Err(PageError::Kind(tail.kind));
    }
    let (lower, upper) = bounds(page);
    if lower < HEADER_BYTES || lower > upper || upper > TAIL_OFFSET {
        return Err(PageError::Layout);
    }
    Ok(tail)
}

/// Writes the tail; the caller has initialized the page header.
pub fn set_tail(page: &mut [u8; PAGE_BYTES], tail: &PageTail) {
    page[TAIL_OFFSET..].copy_from_slice(tail.as_bytes());
}

/// A tail of this kind with everything else empty.
pub fn new_tail(kind: PageKind) -> PageTail {
    PageTail {
        next: U32::new(NO_BLOCK),
        kind: kind.code(),
        version: U16::new(PAGE_VERSION),
        page_id: U16::new(PAGE_ID),
        ..PageTail::default()
    }
}
