//! A log page: entries (code, heap TID) in two columns.
//!
//! ```text
//! 24            24+n·stride          8176−8n             8176
//! ├ code 0 │ code 1 │ … ┼┈┈┈ hole ┈┈┈┼ … │ entry 1 │ entry 0 ┼ tail
//! ```
//!
//! Codes are contiguous, zero-padded to `stride`, so that the exact scan streams through them. An
//! entry of the second column is 8 bytes: the heap TID as PostgreSQL stores it (6 bytes) and the
//! code's length in bytes (0: a NULL). The number of entries follows from `pd_lower`. An entry is
//! dead when its TID's offset number is 0; its code stays.
//!
//! Where the stride is more than fits, a page has one entry and the first bytes of its value, and
//! the pages after it have the rest, see [`span`](crate::span).

use std::ops::{Deref, Range};

use iscc_metrics::bits::{self, Column};
use iscc_metrics::prefetch::prefetch_at;

use crate::page::{self, HEADER_BYTES, OPEN, PAGE_BYTES, PageError, PageKind, PageTail, TAIL_OFFSET};

/// Bytes of one entry in the second column.
pub const ENTRY_BYTES: usize = bits::ENTRY_BYTES;
/// A heap TID in PostgreSQL's on-disk form: block high, block low, offset number, in native order.
pub type Tid = [u8; 6];

/// The longest value that fits on a page beside its entry.
pub const MAX_CELL: usize = TAIL_OFFSET - HEADER_BYTES - ENTRY_BYTES;

/// Bytes of a cell of the code column; of a value that spans pages, those on the page of its entry.
fn cell_bytes(stride: u16) -> usize {
    usize::from(stride).min(MAX_CELL)
}

/// How many entries fit on a page whose codes take `stride` bytes.
pub fn slots(stride: u16) -> u16 {
    ((TAIL_OFFSET - HEADER_BYTES) / (cell_bytes(stride.max(1)) + ENTRY_BYTES)) as u16
}

/// The stride for values of any length, the longest so far of this many bytes: the smallest that holds it of those that
/// split a page into a power of two of cells (or a few more) with hardly a rest. At most [`MAX_CELL`].
pub fn part_of_page(bytes: usize) -> u16 {
    let parts = (0..=MAX_PARTS_BITS)
        .rev()
        .map(|bits| ((TAIL_OFFSET - HEADER_BYTES) >> bits) - ENTRY_BYTES);
    parts.into_iter().find(|&part| part >= bytes).unwrap_or(MAX_CELL) as u16
}

/// The most cells that [`part_of_page`] splits a page into, as a power of two.
const MAX_PARTS_BITS: u32 = 8;

/// True when a TID can point to a row; VACUUM clears it to mark an entry dead.
pub fn is_alive(tid: &Tid) -> bool {
    tid[4] != 0 || tid[5] != 0
}

/// A checked view of the entries of a log page, without their values.
#[derive(Clone, Copy)]
pub struct Entries<'a> {
    page: &'a [u8; PAGE_BYTES],
    tail: PageTail,
    stride: usize,
    len: usize,
}

impl<'a> Entries<'a> {
    /// Checks a page's tail and pointers; everything read later stays inside the page.
    pub fn parse(page: &'a [u8; PAGE_BYTES]) -> Result<Self, PageError> {
        let tail = page::tail(page, PageKind::Log)?;
        let cell = cell_bytes(tail.stride.get());
        let (lower, upper) = page::bounds(page);
        if cell == 0 || !(lower - HEADER_BYTES).is_multiple_of(cell) {
            return Err(PageError::Layout);
        }
        let len = (lower - HEADER_BYTES) / cell;
        if upper + len * ENTRY_BYTES != TAIL_OFFSET {
            return Err(PageError::Layout);
        }
        Ok(Entries {
            page,
            tail,
            stride: tail.stride.get().into(),
            len,
        })
    }

    /// Number of entries, dead ones and NULLs included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for a page without entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of one cell of the code column, or where values span pages of a value.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Generation of the page's contents.
    pub fn epoch(&self) -> u32 {
        self.tail.epoch.get()
    }

    /// Where in WAL the page's last change ends, if changes of this index are logged.
    pub fn lsn(&self) -> u64 {
        page::lsn(self.page)
    }

    /// True while the page takes new entries.
    pub fn is_open(&self) -> bool {
        self.tail.flags & OPEN != 0
    }

    /// True when one more entry fits.
    pub fn has_room(&self) -> bool {
        self.len < usize::from(slots(self.tail.stride.get()))
    }

    /// The cells of the code column.
    pub(crate) fn cells(&self) -> &'a [u8] {
        &self.page[HEADER_BYTES..][..self.len * cell_bytes(self.tail.stride.get())]
    }

    /// The column of entries, the last one first.
    fn entries(&self) -> &'a [u8] {
        &self.page[TAIL_OFFSET - self.len * ENTRY_BYTES..TAIL_OFFSET]
    }

    fn entry(&self, slot: usize) -> Option<&'a [u8]> {
        if slot >= self.len {
            return None;
        }
        Some(&self.page[entry_offset(slot)..][..ENTRY_BYTES])
    }

    /// The heap TID of an entry; None past the end.
    pub fn tid(&self, slot: usize) -> Option<Tid> {
        self.entry(slot).map(|e| [e[0], e[1], e[2], e[3], e[4], e[5]])
    }

    /// The code's length in bytes, at most the stride; 0 for a NULL and past the end.
    pub fn code_len(&self, slot: usize) -> usize {
        self.entry(slot)
            .map_or(0, |e| usize::from(u16::from_le_bytes([e[6], e[7]])).min(self.stride))
    }

    /// Fills `lengths` with the code lengths of all entries, in slot order.
    pub fn lengths(&self, lengths: &mut Vec<u16>) {
        let stride = self.tail.stride.get();
        lengths.clear();
        lengths.extend(
            self.entries()
                .rchunks_exact(ENTRY_BYTES)
                .map(|e| u16::from_le_bytes([e[6], e[7]]).min(stride)),
        );
    }
}

/// A checked view of a log page: its [`Entries`] and their values.
#[derive(Clone, Copy)]
pub struct LogPage<'a> {
    entries: Entries<'a>,
    /// One cell of a stride for each entry; nothing for a NULL whose value would span pages.
    values: &'a [u8],
}

impl<'a> Deref for LogPage<'a> {
    type Target = Entries<'a>;

    fn deref(&self) -> &Entries<'a> {
        &self.entries
    }
}

impl<'a> LogPage<'a> {
    /// Checks a page that has its values on itself.
    pub fn parse(page: &'a [u8; PAGE_BYTES]) -> Result<Self, PageError> {
        let entries = Entries::parse(page)?;
        if entries.stride > MAX_CELL {
            return Err(PageError::Parts);
        }
        Ok(LogPage {
            entries,
            values: entries.cells(),
        })
    }

    /// The entry of a page whose value spans pages, with its value; empty for a NULL.
    pub(crate) fn of_span(entries: Entries<'a>, values: &'a [u8]) -> Self {
        LogPage { entries, values }
    }

    /// Both columns.
    pub fn column(&self) -> Column<'a> {
        Column::new(self.values, self.stride, self.entries.entries())
    }

    /// Both columns, with the page that is looked at next (or null): its codes are loaded ahead, and if asked for its
    /// entries.
    pub fn column_before(&self, next: *const [u8; PAGE_BYTES], with_entries: bool) -> Column<'a> {
        let (column, page) = (self.column(), next.cast::<u8>());
        if page.is_null() {
            return column;
        }
        let (codes, entries) = (page.wrapping_add(HEADER_BYTES), page.wrapping_add(TAIL_OFFSET));
        column.with_next(codes, entries, with_entries)
    }

    /// The code of an entry; None for a NULL and past the end.
    pub fn code(&self, slot: usize) -> Option<&'a [u8]> {
        match self.code_len(slot) {
            0 => None,
            len => self.values.get(slot * self.stride..)?.get(..len),
        }
    }

    /// Problems that [`LogPage::parse`] does not look for, for the structural check.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        for slot in 0..self.len {
            let stored = self.entry(slot).map_or(0, |e| u16::from_le_bytes([e[6], e[7]]));
            if usize::from(stored) > self.stride {
                found.push(format!(
                    "entry {slot} claims {stored} bytes in a cell of {}",
                    self.stride
                ));
            }
            let cell = self.values.chunks_exact(self.stride).nth(slot).unwrap_or_default();
            if cell.iter().skip(self.code_len(slot)).any(|&b| b != 0) {
                found.push(format!("entry {slot} is not zero-padded"));
            }
        }
        found
    }
}

/// Asks the processor to load what [`LogPage::parse`] reads. The address need not be valid.
pub fn prefetch(page: *const [u8; PAGE_BYTES]) {
    prefetch_at(page.cast::<u8>());
    prefetch_at(page.cast::<u8>().wrapping_add(TAIL_OFFSET));
}

/// Where the entry of a slot stands in the page.
fn entry_offset(slot: usize) -> usize {
    TAIL_OFFSET - (slot + 1) * ENTRY_BYTES
}

/// Turns a page with a fresh PostgreSQL header into an empty, open log page.
pub fn init(page: &mut [u8; PAGE_BYTES], stride: u16, epoch: u32) {
    let mut tail = page::new_tail(PageKind::Log);
    tail.stride = stride.into();
    tail.epoch = epoch.into();
    tail.flags = OPEN;
    page::set_tail(page, &tail);
    page::set_bounds(page, HEADER_BYTES, TAIL_OFFSET);
}

/// Takes the page out of use for new entries.
pub fn close(page: &mut [u8; PAGE_BYTES]) -> Result<(), PageError> {
    let mut tail = page::tail(page, PageKind::Log)?;
    tail.flags &= !OPEN;
    page::set_tail(page, &tail);
    Ok(())
}

/// The byte ranges that an append changed, in page order: page bounds, code cell, entry. They are
/// what has to go to WAL.
pub type AppendDelta = [Range<usize>; 3];

/// Appends an entry; `code` is empty for a NULL. None when it does not fit (page full or closed, or
/// the code longer than the stride): nothing has changed then. Of a value that spans pages, the first bytes are on this
/// one, and the caller has written the others.
pub fn append(page: &mut [u8; PAGE_BYTES], code: &[u8], tid: &Tid) -> Option<AppendDelta> {
    let view = Entries::parse(page).ok()?;
    if !view.is_open() || !view.has_room() || code.len() > view.stride {
        return None;
    }
    let (slot, cell_bytes) = (view.len, cell_bytes(view.tail.stride.get()));
    let cell = HEADER_BYTES + slot * cell_bytes..HEADER_BYTES + (slot + 1) * cell_bytes;
    let entry = entry_offset(slot)..entry_offset(slot) + ENTRY_BYTES;
    let first = &code[..code.len().min(cell_bytes)];
    page[cell.clone()].fill(0);
    page[cell.start..][..first.len()].copy_from_slice(first);
    page[entry.start..][..6].copy_from_slice(tid);
    page[entry.start + 6..entry.end].copy_from_slice(&(code.len() as u16).to_le_bytes());
    page::set_bounds(page, cell.end, entry.start);
    Some([page::PD_LOWER_OFFSET..page::PD_LOWER_OFFSET + 4, cell, entry])
}

/// Marks an entry dead. False when there is no such entry.
pub fn kill(page: &mut [u8; PAGE_BYTES], slot: usize) -> bool {
    let len = Entries::parse(page).map_or(0, |view| view.len);
    if slot >= len {
        return false;
    }
    page[entry_offset(slot) + 4..][..2].fill(0);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_page_hold_values_and_leave_no_rest() {
        for bytes in (0..=MAX_CELL).step_by(7).chain([MAX_CELL]) {
            let stride = part_of_page(bytes);
            assert!(usize::from(stride) >= bytes);
            let used = usize::from(slots(stride)) * (usize::from(stride) + ENTRY_BYTES);
            assert!(TAIL_OFFSET - HEADER_BYTES - used < 64, "{stride}");
            assert_eq!(part_of_page(stride.into()), stride);
        }
    }
    use iscc_metrics::{Metric, Query};

    pub(crate) fn empty_page(stride: u16) -> Box<[u8; PAGE_BYTES]> {
        let mut page = Box::new([0u8; PAGE_BYTES]);
        init(&mut page, stride, 7);
        page
    }

    const TID: Tid = [0, 0, 1, 0, 5, 0];

    #[test]
    fn fills_up_and_reads_back() {
        let strides: &[u16] = if cfg!(miri) {
            &[255, 4096]
        } else {
            &[1, 8, 32, 33, 255, 4096]
        };
        for &stride in strides {
            let mut page = empty_page(stride);
            let n = usize::from(slots(stride));
            for i in 0..n {
                let code = vec![i as u8 | 1; 1 + i % usize::from(stride)];
                assert!(append(&mut page, &code, &TID).is_some());
            }
            assert!(append(&mut page, &[1], &TID).is_none(), "page is full");
            let view = LogPage::parse(&page).unwrap();
            assert_eq!(view.len(), n);
            assert_eq!(view.epoch(), 7);
            assert!(view.problems().is_empty());
            for i in 0..n {
                assert_eq!(view.code(i).unwrap().len(), 1 + i % usize::from(stride));
                assert_eq!(view.code(i).unwrap()[0], i as u8 | 1);
                assert_eq!(view.tid(i), Some(TID));
            }
            assert_eq!(view.code(n), None);
        }
    }

    #[test]
    fn nulls_and_dead_entries() {
        let mut page = empty_page(8);
        append(&mut page, &[], &TID).unwrap();
        append(&mut page, &[1, 2], &TID).unwrap();
        assert!(kill(&mut page, 1));
        assert!(!kill(&mut page, 2));
        let view = LogPage::parse(&page).unwrap();
        assert_eq!(view.code(0), None);
        assert!(is_alive(&view.tid(0).unwrap()));
        assert_eq!(view.code(1), Some(&[1u8, 2][..]), "the code of a dead entry stays");
        assert!(!is_alive(&view.tid(1).unwrap()));
    }

    #[test]
    fn refuses_long_codes_and_closed_pages() {
        let mut page = empty_page(8);
        assert!(append(&mut page, &[0; 9], &TID).is_none());
        close(&mut page).unwrap();
        assert!(append(&mut page, &[0; 8], &TID).is_none());
    }

    #[test]
    fn delta_covers_every_changed_byte() {
        let mut page = empty_page(32);
        for i in 0..50u8 {
            let before = *page;
            let delta = append(&mut page, &[i; 20], &TID).unwrap();
            let mut replayed = before;
            for range in delta {
                replayed[range.clone()].copy_from_slice(&page[range]);
            }
            assert_eq!(replayed, *page);
        }
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
        for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
            let mut page = empty_page(32);
            for _ in 0..10 {
                append(&mut page, &[3; 32], &TID);
            }
            for _ in 0..1 + next() % 4 {
                // Hit the header, the tail and the body alike.
                let at = match next() % 3 {
                    0 => (next() % 24) as usize,
                    1 => TAIL_OFFSET + (next() % 16) as usize,
                    _ => (next() % PAGE_BYTES as u64) as usize,
                };
                page[at] = next() as u8;
            }
            if let Ok(view) = LogPage::parse(&page) {
                let mut lengths = Vec::new();
                view.lengths(&mut lengths);
                for slot in 0..view.len() + 2 {
                    let _ = (view.code(slot), view.tid(slot));
                }
                let _ = view.problems();
                let query = Query::new(Metric::Nphd, &[3; 32]);
                let mut near = Vec::new();
                query.near(view.column(), 1 << 30, &mut near);
                assert!(near.iter().all(|&slot| (slot as usize) < view.len()));
            }
            kill(&mut page, (next() % 300) as usize);
            append(&mut page, &[1; 32], &TID);
        }
    }
}
