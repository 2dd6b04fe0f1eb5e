//! Appending to the log and walking over it.

use iscc_hnsw::opaque::CHECKSUM_BYTES;
use iscc_log::directory::Segment;
use iscc_log::log_page::{self, Entries, LogPage, MAX_CELL, Tid};
use iscc_log::page::PageError;
use iscc_log::span::MAX_STRIDE;
use iscc_metrics::MAX_CODE_BYTES;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::buffer::{Exclusive, Locked, Mode, Page, PinnedBuffer, Recent, Shared, mark_dirty};
use super::directory;
use super::open_segment::{Grown, Lengths, Limits, Made, Room, make_room};
use super::spans;
use super::update::{Logging, critical, log_in_place};
use crate::error::{corrupt_page, report};
use crate::metrics::opaque::MAX_VALUE_BYTES;
use crate::metrics::opclass::{Comparison, comparison_of};
use crate::relation::Index;

/// Appends entries to the open segment; keeps in mind where the last one went.
pub struct Appender {
    /// How the index's values are read.
    pub comparison: Comparison,
    logging: Logging,
    wal: bool,
    open_block: Option<u32>,
    /// How the open segment grew when this appender last added to it.
    grown: Option<Grown>,
}

impl Appender {
    /// An appender for one statement, or one build.
    pub fn new(index: Index<'_>, logging: Logging) -> Self {
        Appender {
            comparison: comparison_of(index),
            logging,
            wal: logging == Logging::EachChange && index.needs_wal(),
            open_block: None,
            grown: None,
        }
    }

    /// How the open segment has grown, if this appender has added to it since the last call.
    pub fn grown(&mut self) -> Option<Grown> {
        self.grown.take()
    }

    /// Appends an entry; `value` is empty for a NULL. `limits` is asked only when the open page does not take it.
    pub fn append(&mut self, index: Index<'_>, value: &[u8], tid: &Tid, limits: impl Fn() -> Limits) {
        // A value that spans pages gets pages of its own.
        let has_page = value.len() <= MAX_CELL;
        // The block remembered may have any use by now; then the metapage tells.
        if let Some(block) = self.open_block.filter(|_| has_page)
            && self.append_to(index, block, value, tid) == Ok(true)
        {
            return;
        }
        loop {
            let full_block = self.last_open_page(index).filter(|_| has_page);
            if let Some(block) = full_block {
                match self.append_to(index, block, value, tid) {
                    Ok(false) => {}
                    Ok(true) => {
                        self.open_block = full_block;
                        return;
                    }
                    Err(why) if self.last_open_page(index) == full_block => index.corrupt(block, why),
                    Err(_) => continue,
                }
            }
            let limits = limits();
            check_len(index, value.len(), limits.lengths);
            let room = Room {
                full_block,
                value,
                tid,
                limits,
            };
            match make_room(index, &room, self.logging) {
                Made::Nothing => {}
                Made::Page(grown) => self.grown = Some(grown),
                Made::Entry(grown) => {
                    self.grown = Some(grown);
                    return;
                }
            }
            pgrx::check_for_interrupts!();
        }
    }

    fn last_open_page(&self, index: Index<'_>) -> Option<u32> {
        directory::read_header(index).open.and_then(|open| open.last_page())
    }

    /// Appends to this block if it is the open one and has room.
    fn append_to(&self, index: Index<'_>, block: u32, value: &[u8], tid: &Tid) -> Result<bool, PageError> {
        let mut buffer = Locked::<Exclusive>::read(index, block);
        let page = Entries::parse(buffer.page())?;
        let lengths = Lengths::of(self.comparison.value, None);
        if !page.is_open() || !page.has_room() || !lengths.fit(value.len(), page.stride()) {
            return Ok(false);
        }
        critical(|| {
            if let Some(delta) = log_page::append(buffer.page_mut(), value, tid) {
                mark_dirty(&buffer);
                if self.wal {
                    log_in_place(&buffer, &delta);
                }
            }
        });
        Ok(true)
    }
}

/// Raises an error for a value that no page of this index can hold. A column of codes allows none; this is for codes
/// that came past the type's checks.
fn check_len(index: Index<'_>, bytes: usize, lengths: Lengths) {
    let max = match lengths {
        Lengths::Exactly(_) | Lengths::Any if bytes <= MAX_CELL => return,
        Lengths::Exactly(_) | Lengths::Any => report(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!(
                "value of {} bytes is too long for index \"{}\"",
                bytes - CHECKSUM_BYTES,
                index.name()
            ),
        )
        .detail(format!("The maximum is {MAX_VALUE_BYTES} bytes, uncompressed."))
        .raise(),
        Lengths::UpTo(declared) => declared.map_or(MAX_CODE_BYTES, usize::from),
        // No type has values that are longer, see `MAX_DIMENSIONS`.
        Lengths::Equal => MAX_STRIDE,
    };
    if bytes > max {
        report(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("code of {} bits is too long for index \"{}\"", bytes * 8, index.name()),
        )
        .detail(format!("The index holds codes of at most {} bits.", max * 8))
        .raise();
    }
}

/// A page that is not what the copy of the directory says: its blocks have been used again since the copy was made, or
/// it is damaged. [`Mismatch::confirm`] tells which.
#[derive(Debug)]
pub struct Mismatch {
    block: u32,
    why: Option<PageError>,
}

impl Mismatch {
    /// A page that is none of this index's log, or damaged.
    pub(super) fn at(block: u32, why: PageError) -> Self {
        Mismatch { block, why: Some(why) }
    }

    /// A page of another segment.
    pub(super) fn of_another(block: u32) -> Self {
        Mismatch { block, why: None }
    }

    /// Returns if the page is what the directory says now, so that a fresh copy helps; otherwise the page is damaged,
    /// which is an error.
    pub fn confirm(self, index: Index<'_>) {
        // More than one look, as the blocks may be used again between the two reads.
        for _ in 0..3 {
            let directory = directory::read(index);
            // One, unless the directory is damaged: then a block can be in several, and the page is right for none or
            // one.
            let mut owners = directory.segments().filter(|s| s.blocks().contains(&self.block));
            if owners.all(|owner| with_page(index, owner, owner.page_of(self.block), |_| ()).is_ok()) {
                return;
            }
            pgrx::check_for_interrupts!();
        }
        self.raise(index)
    }

    /// Raises the error for a damaged page: the blocks cannot have been reused.
    pub fn raise(self, index: Index<'_>) -> ! {
        let name = index.name();
        match self.why {
            Some(why) => corrupt_page(&name, self.block, why),
            None => corrupt_page(&name, self.block, "it belongs to another segment"),
        }
    }
}

/// Calls `visit` with each page of a segment, locked for reading unless values span pages. Checks for interrupts
/// between pages.
pub fn for_each_page(
    index: Index<'_>,
    segment: &Segment,
    mut visit: impl FnMut(u32, &LogPage<'_>),
) -> Result<(), Mismatch> {
    for block in segment.pages() {
        pgrx::check_for_interrupts!();
        with_page(index, segment, block, |page| visit(block, page))?;
    }
    Ok(())
}

/// As [`for_each_page`], with a copy of each page, so that no lock is held during the visit.
pub fn for_each_copy(
    index: Index<'_>,
    segment: &Segment,
    mut visit: impl FnMut(u32, &LogPage<'_>),
) -> Result<(), Mismatch> {
    for block in segment.pages() {
        pgrx::check_for_interrupts!();
        with_copy(index, segment, block, |page| visit(block, page))?;
    }
    Ok(())
}

/// As [`for_each_page`], for who wants no values: the parts of those that span pages are not read.
pub fn for_each_entries(
    index: Index<'_>,
    segment: &Segment,
    mut visit: impl FnMut(&Entries<'_>),
) -> Result<(), Mismatch> {
    for block in segment.pages() {
        pgrx::check_for_interrupts!();
        with_entries(index, segment, block, &mut visit)?;
    }
    Ok(())
}

/// As [`with_page`], for who wants no values.
pub fn with_entries<T>(
    index: Index<'_>,
    segment: &Segment,
    block: u32,
    read: impl FnOnce(&Entries<'_>) -> T,
) -> Result<T, Mismatch> {
    let buffer = Locked::<Shared>::read(index, block);
    entries(segment, &buffer).map(|entries| read(&entries))
}

/// As [`with_page`], with a copy of the page, so that no lock is held.
fn with_copy<T>(
    index: Index<'_>,
    segment: &Segment,
    block: u32,
    read: impl FnOnce(&LogPage<'_>) -> T,
) -> Result<T, Mismatch> {
    if segment.span_blocks() > 1 {
        return spans::read(index, segment, block, read);
    }
    let buffer = Locked::<Shared>::read(index, block);
    parse(segment, &buffer)?;
    let copy = *buffer.page();
    drop(buffer);
    Ok(read(&LogPage::parse(&copy).map_err(|why| Mismatch::at(block, why))?))
}

/// Buffers are remembered for segments of at least this many blocks. In smaller ones there is little to gain, and many
/// backends may read the same page at once, which is quicker the usual way.
const LEAST_REMEMBERED_BLOCKS: usize = 32;

/// As [`for_each_page`], for a visitor that waits for memory mostly: it is given the address of the page that comes
/// next, null at the end, for the processor to load it meanwhile.
pub fn for_each_page_ahead(
    index: Index<'_>,
    segment: &Segment,
    recent: &mut Recent,
    mut visit: impl FnMut(u32, &LogPage<'_>, *const Page),
) -> Result<(), Mismatch> {
    if segment.span_blocks() > 1 {
        return for_each_page(index, segment, |block, page| visit(block, page, std::ptr::null()));
    }
    let mut blocks = segment.blocks();
    let is_small = blocks.len() < LEAST_REMEMBERED_BLOCKS;
    let mut pin = |block| match is_small {
        true => PinnedBuffer::read(index, block),
        false => recent.pin(index, block),
    };
    let mut pin_next = || blocks.next().map(|block| (block, pin(block)));
    let mut next = pin_next();
    while let Some((block, pinned)) = next {
        pgrx::check_for_interrupts!();
        // Pinned before a page is locked: no lock is held while a block is read from disk.
        next = pin_next();
        let ahead = next.as_ref().map_or(std::ptr::null(), |(_, pinned)| pinned.address());
        log_page::prefetch(ahead);
        let buffer = pinned.lock::<Shared>();
        parse(segment, &buffer).map(|page| visit(block, &page, ahead))?;
    }
    Ok(())
}

/// Calls `read` with one page of a segment, locked for reading unless values span pages.
pub fn with_page<T>(
    index: Index<'_>,
    segment: &Segment,
    block: u32,
    read: impl FnOnce(&LogPage<'_>) -> T,
) -> Result<T, Mismatch> {
    if segment.span_blocks() > 1 {
        return spans::read(index, segment, block, read);
    }
    let buffer = Locked::<Shared>::read(index, block);
    parse(segment, &buffer).map(|page| read(&page))
}

/// A checked view of a log page that belongs to `segment`, whose values do not span pages.
pub fn parse<'a, M: Mode>(segment: &Segment, buffer: &'a Locked<M>) -> Result<LogPage<'a>, Mismatch> {
    let page = LogPage::parse(buffer.page()).map_err(|why| Mismatch::at(buffer.block(), why))?;
    match is_of(segment, &page) {
        true => Ok(page),
        false => Err(Mismatch::of_another(buffer.block())),
    }
}

/// A checked view of the entries of a log page that belongs to `segment`.
pub fn entries<'a, M: Mode>(segment: &Segment, buffer: &'a Locked<M>) -> Result<Entries<'a>, Mismatch> {
    let entries = Entries::parse(buffer.page()).map_err(|why| Mismatch::at(buffer.block(), why))?;
    match is_of(segment, &entries) {
        true => Ok(entries),
        false => Err(Mismatch::of_another(buffer.block())),
    }
}

fn is_of(segment: &Segment, entries: &Entries<'_>) -> bool {
    segment.has_epoch(entries.epoch()) && entries.stride() == usize::from(segment.stride)
}

/// The entry's heap TID in PostgreSQL's form.
pub fn item_pointer(tid: &Tid) -> pg_sys::ItemPointerData {
    let word = |at: usize| u16::from_ne_bytes([tid[at], tid[at + 1]]);
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData {
            bi_hi: word(0),
            bi_lo: word(2),
        },
        ip_posid: word(4),
    }
}

/// Block and offset number of a heap TID.
pub fn block_and_offset(tid: &Tid) -> (u32, u16) {
    let pointer = item_pointer(tid);
    let block = u32::from(pointer.ip_blkid.bi_hi) << 16 | u32::from(pointer.ip_blkid.bi_lo);
    (block, pointer.ip_posid)
}

/// A heap TID in the log's form.
pub fn tid_bytes(tid: &pg_sys::ItemPointerData) -> Tid {
    let mut bytes = [0; 6];
    bytes[..2].copy_from_slice(&tid.ip_blkid.bi_hi.to_ne_bytes());
    bytes[2..4].copy_from_slice(&tid.ip_blkid.bi_lo.to_ne_bytes());
    bytes[4..].copy_from_slice(&tid.ip_posid.to_ne_bytes());
    bytes
}
