//! Page changes and their WAL.

use std::marker::PhantomData;

use iscc_log::page;
use pgrx::pg_sys;

use super::buffer::{Exclusive, Locked, MOST_MISSING_BLOCKS, Page, grow, require_near_end};
use crate::nodes::{Argument, View, functions};
use crate::relation::Index;

/// How changes of an index reach WAL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Logging {
    /// Each change is logged (relations that need WAL) or kept local (unlogged, temporary).
    EachChange,
    /// Nothing is logged now; the build logs all pages at its end.
    AtEndOfBuild,
}

/// A generic WAL record that is under way.
struct Record(*mut pg_sys::GenericXLogState);

impl View for Record {
    type Raw = *mut pg_sys::GenericXLogState;

    unsafe fn view(raw: Self::Raw) -> Self {
        Record(raw)
    }
}

impl Argument<*mut pg_sys::GenericXLogState> for Record {
    fn to_raw(self) -> *mut pg_sys::GenericXLogState {
        self.0
    }
}

/// A buffer that is borrowed, and so locked, for `'b`.
struct Direct<'b>(pg_sys::Buffer, PhantomData<&'b mut Locked<Exclusive>>);

impl Argument<pg_sys::Buffer> for Direct<'_> {
    fn to_raw(self) -> pg_sys::Buffer {
        self.0
    }
}

functions! {
    fn mark_dirty(buffer: Direct<'_>) = MarkBufferDirty;
    fn start(index: Index<'_>) -> Record = GenericXLogStart;
    fn finish(record: Record) -> u64 = GenericXLogFinish;
    fn abort(record: Record) = GenericXLogAbort;
}

/// An atomic change of up to four pages, as one generic WAL record.
///
/// It borrows the buffers until it ends, so they stay locked, and lends out their pages: a page cannot be written after
/// the record is finished, nor under a share lock. `scripts/check-misuse` verifies that such code does not compile.
pub struct Update<'b> {
    /// None if nothing is logged.
    record: Option<Record>,
    /// The buffers that are changed in place, without a record.
    direct: Vec<Direct<'b>>,
}

impl<'b> Update<'b> {
    /// Starts a change.
    pub fn begin(index: Index<'_>, logging: Logging) -> Self {
        Update {
            record: (logging == Logging::EachChange).then(|| start(index)),
            direct: Vec::new(),
        }
    }

    /// A page to change. What is written to it counts only after [`Update::commit`].
    pub fn page(&mut self, buffer: &'b mut Locked<Exclusive>) -> &mut Page {
        self.register(buffer, 0)
    }

    /// A page to fill anew: starts with a fresh PostgreSQL header and zeroes.
    pub fn new_page(&mut self, buffer: &'b mut Locked<Exclusive>) -> &mut Page {
        let page = self.register(buffer, pg_sys::GENERIC_XLOG_FULL_IMAGE as i32);
        init_page(page);
        page
    }

    fn register(&mut self, buffer: &'b mut Locked<Exclusive>, flags: i32) -> &mut Page {
        let Some(record) = &self.record else {
            self.direct.push(Direct(buffer.raw(), PhantomData));
            return buffer.page_mut();
        };
        // SAFETY: the record is under way, and the buffer is locked exclusively until this update ends.
        let page = unsafe { pg_sys::GenericXLogRegisterBuffer(record.0, buffer.raw(), flags) };
        // SAFETY: a copy of the page that lives until the record is finished, for which `self` is consumed.
        unsafe { &mut *page.cast::<Page>() }
    }

    /// Makes the change: applies it to the buffers and logs it.
    pub fn commit(mut self) {
        if let Some(record) = self.record.take() {
            finish(record);
            return;
        }
        for buffer in self.direct.drain(..) {
            mark_dirty(buffer);
        }
    }
}

impl Drop for Update<'_> {
    fn drop(&mut self) {
        // An update that was not committed leaves no trace. While an error unwinds, PostgreSQL
        // frees the state with its memory context.
        if let Some(record) = self.record.take()
            && !std::thread::panicking()
        {
            abort(record);
        }
    }
}

/// Makes the relation have `more` blocks beyond `used`, for a large allocation that is about to come. The last block of
/// each step is logged, so that a standby has as many: promoted before the others are written, it would otherwise miss
/// more blocks than [`grow`] takes for possible.
pub fn grow_ahead(index: Index<'_>, logging: Logging, used: u32, more: u32) {
    require_near_end(index, used);
    let end = used.saturating_add(more);
    while index.block_count() < end {
        pgrx::check_for_interrupts!();
        let step = end.min(index.block_count() + MOST_MISSING_BLOCKS / 8);
        grow(index, pg_sys::ForkNumber::MAIN_FORKNUM, step);
        let mut last = Locked::<Exclusive>::read(index, step - 1);
        // Unless an insert was quicker and has logged it.
        if page::bounds(last.page()) == (0, 0) {
            let mut update = Update::begin(index, logging);
            update.new_page(&mut last);
            update.commit();
        }
    }
}

/// Gives a page PostgreSQL's header and an empty special area of our tail's size.
pub fn init_page(page: &mut Page) {
    // SAFETY: the page is a whole block.
    unsafe {
        pg_sys::PageInit(
            page.as_mut_ptr().cast(),
            page.len(),
            size_of::<iscc_log::page::PageTail>(),
        );
    }
}

/// Logs a change that has been made in place in one page: writes `ranges` of it as the delta of a
/// generic WAL record.
///
/// GenericXLog would copy the page twice and compare it byte by byte to find what we know: that
/// costs several microseconds, more than the rest of an insert.
///
/// The record is the one that `GenericXLogFinish` writes: for each range its offset, its length
/// (both `OffsetNumber`) and its bytes; redo copies them and zeroes the hole of the page.
pub fn log_in_place(buffer: &Locked<Exclusive>, ranges: &[std::ops::Range<usize>]) {
    let mut delta: Vec<u8> = Vec::with_capacity(64);
    for range in ranges {
        delta.extend_from_slice(&(range.start as pg_sys::OffsetNumber).to_ne_bytes());
        delta.extend_from_slice(&(range.len() as pg_sys::OffsetNumber).to_ne_bytes());
        delta.extend_from_slice(&buffer.page()[range.clone()]);
    }
    // SAFETY: the buffer is locked exclusively and dirty, and we are in a critical section; the
    // delta outlives XLogInsert.
    unsafe {
        pg_sys::XLogBeginInsert();
        pg_sys::XLogRegisterBuffer(0, buffer.raw(), pg_sys::REGBUF_STANDARD as u8);
        pg_sys::XLogRegisterBufData(0, delta.as_mut_ptr().cast(), delta.len() as _);
        let lsn = pg_sys::XLogInsert(pg_sys::RmgrIds::RM_GENERIC_ID as u8, 0);
        let header = pg_sys::BufferGetPage(buffer.raw()).cast::<pg_sys::PageHeaderData>();
        (*header).pd_lsn = pg_sys::PageXLogRecPtr {
            xlogid: (lsn >> 32) as u32,
            xrecoff: lsn as u32,
        };
    }
}

/// Runs `change` in a critical section: an error inside is a PANIC, so that no page is ever
/// changed without its WAL record.
pub fn critical(change: impl FnOnce()) {
    // SAFETY: the counter is this backend's own; nothing in between unwinds.
    unsafe {
        pg_sys::CritSectionCount += 1;
        change();
        pg_sys::CritSectionCount -= 1;
    }
}
