//! Values that are longer than a page: an entry takes several consecutive blocks of its segment, a *span*.
//!
//! ```text
//! block h              h + 1             …   h + blocks − 1
//! ┌──────────────────┐ ┌───────────────┐     ┌─────────────────────┐
//! │ 8144 B │ entry   │ │ 8152 B        │  …  │ the rest │ hole     │
//! └──────────────────┘ └───────────────┘     └─────────────────────┘
//!   head: a log page     parts
//! ```
//!
//! The head is a log page with one entry. Parts are written before it, so an entry always has its parts; parts without
//! a head are nobody's. A part has the epoch of its head and the head's block, and within that epoch it is not written
//! again once the head is there. So a reader who has seen the head may read the parts later, without the head's lock:
//! each is the entry's, or says that its block has been used again.

use std::ops::Range;

use crate::log_page::{Entries, LogPage, MAX_CELL};
use crate::page::{self, HEADER_BYTES, PAGE_BYTES, PageError, PageKind, TAIL_OFFSET};

/// Bytes of a value on one part.
pub const PART_BYTES: usize = TAIL_OFFSET - HEADER_BYTES;

/// Blocks that a value takes at most.
pub const MAX_BLOCKS: u32 = 8;

/// The longest value.
pub const MAX_STRIDE: usize = MAX_CELL + (MAX_BLOCKS as usize - 1) * PART_BYTES;

/// Blocks of each page of entries with what belongs to it: more than 1 where values of this stride span pages.
pub fn blocks(stride: u16) -> u32 {
    1 + usize::from(stride).saturating_sub(MAX_CELL).div_ceil(PART_BYTES) as u32
}

/// Which bytes of a value of this length are on a part, the first of which is number 1.
fn bytes_on(number: u32, value_bytes: usize) -> Range<usize> {
    let start = MAX_CELL + number.saturating_sub(1) as usize * PART_BYTES;
    start.min(value_bytes)..(start + PART_BYTES).min(value_bytes)
}

/// The place of an entry whose value spans pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The block that has the entry.
    pub head: u32,
    /// Generation of the contents of all its blocks.
    pub epoch: u32,
    /// Bytes of a value.
    pub stride: u16,
}

impl Span {
    /// The numbers of the parts, each with its block.
    pub fn parts(&self) -> impl Iterator<Item = (u32, u32)> + use<> {
        let head = self.head;
        (1..blocks(self.stride)).map(move |number| (number, head.saturating_add(number)))
    }

    /// Turns a page with a fresh PostgreSQL header into a part of a value; of a NULL, it has no bytes.
    pub fn init_part(&self, page: &mut [u8; PAGE_BYTES], number: u32, value: &[u8]) {
        let bytes = &value[bytes_on(number, value.len())];
        let mut tail = page::new_tail(PageKind::Part);
        tail.epoch = self.epoch.into();
        tail.next = self.head.into();
        tail.stride = self.stride.into();
        page::set_tail(page, &tail);
        page[HEADER_BYTES..][..bytes.len()].copy_from_slice(bytes);
        page::set_bounds(page, HEADER_BYTES + bytes.len(), TAIL_OFFSET);
    }

    /// The bytes that a part has of a value of this length. `None` if the part is another entry's.
    pub fn part<'a>(
        &self,
        page: &'a [u8; PAGE_BYTES],
        number: u32,
        value_bytes: usize,
    ) -> Result<Option<&'a [u8]>, PageError> {
        let tail = page::tail(page, PageKind::Part)?;
        if tail.epoch != self.epoch || tail.next != self.head || tail.stride != self.stride {
            return Ok(None);
        }
        let (lower, upper) = page::bounds(page);
        let bytes = &page[HEADER_BYTES..lower];
        if upper != TAIL_OFFSET || bytes.len() != bytes_on(number, value_bytes).len() {
            return Err(PageError::Layout);
        }
        Ok(Some(bytes))
    }
}

/// A value that is put together from the pages that it spans, and the page of its entry; kept for their memory.
pub struct SpanBuffer {
    head: Box<[u8; PAGE_BYTES]>,
    value: Vec<u8>,
}

impl Default for SpanBuffer {
    fn default() -> Self {
        SpanBuffer {
            head: Box::new([0; PAGE_BYTES]),
            value: Vec::new(),
        }
    }
}

impl SpanBuffer {
    /// Begins with the page of an entry. Returns the length of the value whose parts must be added, 0 if there are
    /// none.
    pub fn begin(&mut self, head: &[u8; PAGE_BYTES]) -> Result<usize, PageError> {
        self.value.clear();
        self.head.copy_from_slice(head);
        let entries = Entries::parse(&self.head)?;
        match entries.code_len(0) {
            0 => Ok(0),
            bytes if bytes == entries.stride() => {
                self.value.extend_from_slice(entries.cells());
                Ok(bytes)
            }
            // All values of a segment have the same length.
            _ => Err(PageError::Layout),
        }
    }

    /// Adds the bytes of the next part.
    pub fn add(&mut self, bytes: &[u8]) {
        self.value.extend_from_slice(bytes);
    }

    /// The page, with its value.
    pub fn page(&self) -> Result<LogPage<'_>, PageError> {
        let entries = Entries::parse(&self.head)?;
        Ok(LogPage::of_span(entries, &self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_page::{self, Tid};

    const TID: Tid = [0, 0, 1, 0, 5, 0];

    type Page = [u8; PAGE_BYTES];

    fn span_of(value: &[u8]) -> Span {
        Span {
            head: 40,
            epoch: 7,
            stride: value.len() as u16,
        }
    }

    fn value(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| (at * 31 + at / 251) as u8).collect()
    }

    /// The pages of an entry, the head first.
    fn written(span: &Span, value: &[u8]) -> Vec<Page> {
        let mut pages = vec![[0; PAGE_BYTES]; blocks(span.stride) as usize];
        for (number, block) in span.parts() {
            assert_eq!(block, span.head + number);
            span.init_part(&mut pages[number as usize], number, value);
        }
        log_page::init(&mut pages[0], span.stride, span.epoch);
        log_page::append(&mut pages[0], value, &TID).expect("room for one");
        pages
    }

    /// What a reader does.
    fn read(span: &Span, pages: &[Page], buffer: &mut SpanBuffer) -> Result<bool, PageError> {
        let bytes = buffer.begin(&pages[0])?;
        if bytes > 0 {
            for (number, _) in span.parts() {
                match span.part(&pages[number as usize], number, bytes)? {
                    Some(part) => buffer.add(part),
                    None => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    #[test]
    fn blocks_by_length() {
        let of_bytes = [
            (1, 1),
            (MAX_CELL, 1),
            (MAX_CELL + 1, 2),
            (12_288, 2),
            (MAX_CELL + PART_BYTES, 2),
            (MAX_CELL + PART_BYTES + 1, 3),
            (64_000, 8),
            (MAX_STRIDE, 8),
        ];
        for (bytes, expected) in of_bytes {
            assert_eq!(blocks(bytes as u16), expected, "{bytes} bytes");
        }
        assert!(MAX_STRIDE <= u16::MAX.into());
    }

    #[test]
    fn values_are_put_together() {
        let mut buffer = SpanBuffer::default();
        for bytes in [MAX_CELL + 1, 12_288, MAX_CELL + PART_BYTES, 32_000, 64_000, MAX_STRIDE] {
            let value = value(bytes);
            let span = span_of(&value);
            let mut pages = written(&span, &value);
            assert_eq!(read(&span, &pages, &mut buffer), Ok(true));
            let page = buffer.page().unwrap();
            assert_eq!((page.len(), page.stride(), page.code_len(0)), (1, bytes, bytes));
            assert_eq!((page.code(0), page.tid(0)), (Some(&value[..]), Some(TID)));
            assert_eq!(page.problems(), Vec::<String>::new());
            assert!(!page.has_room() && page.is_open());
            assert_eq!(LogPage::parse(&pages[0]).err(), Some(PageError::Parts));
            assert!(log_page::append(&mut pages[0], &value, &TID).is_none(), "one entry");
            assert!(log_page::kill(&mut pages[0], 0));
            assert_eq!(read(&span, &pages, &mut buffer), Ok(true));
            let page = buffer.page().unwrap();
            assert_eq!(page.code(0), Some(&value[..]), "the value of a dead entry stays");
            assert!(!log_page::is_alive(&page.tid(0).unwrap()));
        }
    }

    #[test]
    fn nulls_have_empty_parts() {
        let span = Span {
            stride: 64_000,
            ..span_of(&[])
        };
        let pages = written(&span, &[]);
        let mut buffer = SpanBuffer::default();
        assert_eq!(read(&span, &pages, &mut buffer), Ok(true));
        let page = buffer.page().unwrap();
        assert_eq!((page.len(), page.code(0), page.tid(0)), (1, None, Some(TID)));
        assert_eq!(page.problems(), Vec::<String>::new());
        assert_eq!(span.part(&pages[7], 7, 0), Ok(Some(&[][..])));
    }

    /// A block that was used again, or never written for this entry, is not taken for its part.
    #[test]
    fn parts_of_others_are_refused() {
        let value = value(20_000);
        let span = span_of(&value);
        let pages = written(&span, &value);
        let others = [
            Span { epoch: 8, ..span },
            Span { head: 43, ..span },
            Span { stride: 20_004, ..span },
        ];
        for other in others {
            assert_eq!(other.part(&pages[1], 1, 20_000), Ok(None), "{other:?}");
        }
        assert_eq!(
            span.part(&pages[1], 1, 20_000).unwrap().unwrap(),
            &value[MAX_CELL..][..PART_BYTES]
        );
        let damaged = Err(PageError::Layout);
        assert_eq!(span.part(&pages[1], 2, 20_000), damaged, "another length");
        assert_eq!(span.part(&pages[2], 2, 0), damaged, "the entry is a NULL");
        assert_eq!(span.part(&pages[0], 1, 20_000), Err(PageError::Kind(3)));
        assert_eq!(span.part(&[0; PAGE_BYTES], 1, 20_000), Err(PageError::NotOurs));
    }

    #[test]
    fn hostile_pages_never_panic() {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let value = value(20_000);
        let span = span_of(&value);
        let whole = written(&span, &value);
        let mut buffer = SpanBuffer::default();
        let (mut refused, mut read_again) = (0, 0);
        for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
            let mut pages = whole.clone();
            let page = &mut pages[(next() % 3) as usize];
            for _ in 0..1 + next() % 3 {
                let at = match next() % 3 {
                    0 => (next() % 24) as usize,
                    1 => TAIL_OFFSET - 8 + (next() % 24) as usize,
                    _ => (next() % PAGE_BYTES as u64) as usize,
                };
                page[at] = next() as u8;
            }
            match read(&span, &pages, &mut buffer) {
                Ok(true) => {
                    read_again += 1;
                    let page = buffer.page().unwrap();
                    for slot in 0..page.len() + 2 {
                        let bytes = page.code(slot).map_or(0, <[u8]>::len);
                        assert!(bytes == 0 || bytes == page.stride());
                    }
                    let _ = (page.problems(), page.column());
                }
                _ => refused += 1,
            }
            log_page::kill(&mut pages[0], (next() % 3) as usize);
            log_page::append(&mut pages[0], &value, &TID);
        }
        assert!(refused > 0 && read_again > 0);
    }
}
