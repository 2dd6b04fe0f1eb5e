//! Page changes and their WAL.

use pgrx::pg_sys;

use super::buffer::{LockedBuffer, Page};

/// How changes of an index reach WAL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Logging {
    /// Each change is logged (relations that need WAL) or kept local (unlogged, temporary).
    EachChange,
    /// Nothing is logged now; the build logs all pages at its end.
    AtEndOfBuild,
}

/// An atomic change of up to four pages, as one generic WAL record.
pub struct Update {
    state: *mut pg_sys::GenericXLogState,
    direct: Vec<pg_sys::Buffer>,
}

impl Update {
    /// Starts a change. The buffers registered must stay locked until [`Update::commit`].
    pub fn begin(relation: pg_sys::Relation, logging: Logging) -> Self {
        let state = match logging {
            // SAFETY: the caller holds the relation open.
            Logging::EachChange => unsafe { pg_sys::GenericXLogStart(relation) },
            Logging::AtEndOfBuild => std::ptr::null_mut(),
        };
        Update {
            state,
            direct: Vec::new(),
        }
    }

    /// A page to change. What is written to it counts only after [`Update::commit`].
    pub fn page<'a>(&mut self, buffer: &'a mut LockedBuffer) -> &'a mut Page {
        self.register(buffer, 0)
    }

    /// A page to fill anew: starts with a fresh PostgreSQL header and zeroes.
    pub fn new_page<'a>(&mut self, buffer: &'a mut LockedBuffer) -> &'a mut Page {
        let page = self.register(buffer, pg_sys::GENERIC_XLOG_FULL_IMAGE as i32);
        init_page(page);
        page
    }

    fn register<'a>(&mut self, buffer: &'a mut LockedBuffer, flags: i32) -> &'a mut Page {
        if self.state.is_null() {
            self.direct.push(buffer.raw());
            return buffer.page_mut();
        }
        // SAFETY: the state is live, the buffer locked exclusively; the copy that is returned lives
        // until the record is finished, and commit() ends our use of it.
        unsafe {
            let page = pg_sys::GenericXLogRegisterBuffer(self.state, buffer.raw(), flags);
            &mut *page.cast::<Page>()
        }
    }

    /// Makes the change: applies it to the buffers and logs it.
    pub fn commit(mut self) {
        let state = std::mem::replace(&mut self.state, std::ptr::null_mut());
        if state.is_null() {
            for buffer in self.direct.drain(..) {
                // SAFETY: the caller still holds the buffers locked.
                unsafe { pg_sys::MarkBufferDirty(buffer) };
            }
        } else {
            // SAFETY: the state is live and is not used again.
            unsafe { pg_sys::GenericXLogFinish(state) };
        }
    }
}

impl Drop for Update {
    fn drop(&mut self) {
        // An update that was not committed leaves no trace. While an error unwinds, PostgreSQL
        // frees the state with its memory context.
        if !self.state.is_null() && !std::thread::panicking() {
            // SAFETY: the state is live and is not used again.
            unsafe { pg_sys::GenericXLogAbort(self.state) };
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
pub fn log_in_place(buffer: &LockedBuffer, ranges: &[std::ops::Range<usize>]) {
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

/// PostgreSQL's `InvalidSubTransactionId`.
const INVALID_SUBXACT: pg_sys::SubTransactionId = 0;

/// Whether changes of the relation go to WAL (`RelationNeedsWAL`).
pub fn needs_wal(relation: pg_sys::Relation) -> bool {
    // SAFETY: the caller holds the relation open.
    unsafe {
        let rel = &*relation;
        let permanent = (*rel.rd_rel).relpersistence == pg_sys::RELPERSISTENCE_PERMANENT as std::ffi::c_char;
        let archiving = pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32;
        #[cfg(feature = "pg15")]
        let created_here = rel.rd_firstRelfilenodeSubid != INVALID_SUBXACT;
        #[cfg(not(feature = "pg15"))]
        let created_here = rel.rd_firstRelfilelocatorSubid != INVALID_SUBXACT;
        let created_here = created_here || rel.rd_createSubid != INVALID_SUBXACT;
        permanent && (archiving || !created_here)
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
