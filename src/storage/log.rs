//! Appending to the log and walking over it.

use iscc_hnsw::directory::Segment;
use iscc_hnsw::log_page::{self, LogPage, MAX_CODE_BYTES, Tid};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::buffer::{Lock, LockedBuffer, relation_name};
use super::directory::{self, Limits, Room};
use super::update::{Logging, critical, log_in_place, needs_wal};
use crate::error::{corrupt_page, report};

/// Appends entries to the open segment; keeps in mind where the last one went.
pub struct Appender {
    logging: Logging,
    wal: bool,
    open_block: Option<u32>,
}

impl Appender {
    /// An appender for one statement, or one build.
    pub fn new(index: pg_sys::Relation, logging: Logging) -> Self {
        Appender {
            logging,
            wal: logging == Logging::EachChange && needs_wal(index),
            open_block: None,
        }
    }

    /// Appends an entry; `code` is empty for a NULL. `limits` is asked only when the open page does not take it.
    pub fn append(&mut self, index: pg_sys::Relation, code: &[u8], tid: &Tid, limits: impl Fn() -> Limits) {
        if let Some(block) = self.open_block
            && self.append_to(index, block, code, tid)
        {
            return;
        }
        loop {
            let header = directory::read_header(index);
            let full_block = header.open_segment().and_then(Segment::last_block);
            if let Some(block) = full_block
                && self.append_to(index, block, code, tid)
            {
                self.open_block = full_block;
                return;
            }
            let limits = limits();
            check_len(index, code.len(), usize::from(limits.declared_bytes));
            let room = Room {
                full_block,
                code_bytes: code.len(),
                limits,
            };
            directory::make_room(index, room, self.logging);
            pgrx::check_for_interrupts!();
        }
    }

    /// Appends to this block if it is the open one and has room.
    fn append_to(&self, index: pg_sys::Relation, block: u32, code: &[u8], tid: &Tid) -> bool {
        let mut buffer = LockedBuffer::read(index, block, Lock::Exclusive);
        let fits = match LogPage::parse(buffer.page()) {
            Ok(page) => page.is_open() && page.has_room() && code.len() <= page.stride(),
            Err(why) => corrupt_page(&relation_name(index), block, why),
        };
        if !fits {
            return false;
        }
        critical(|| {
            if let Some(delta) = log_page::append(buffer.page_mut(), code, tid) {
                // SAFETY: the buffer is locked exclusively.
                unsafe { pg_sys::MarkBufferDirty(buffer.raw()) };
                if self.wal {
                    log_in_place(&buffer, &delta);
                }
            }
        });
        true
    }
}

/// Raises an error for a code that no page of this index can hold. The column's type allows none;
/// this is for values that came past the type's checks.
fn check_len(index: pg_sys::Relation, bytes: usize, declared: usize) {
    let max = if declared == 0 { MAX_CODE_BYTES } else { declared };
    if bytes > max {
        report(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!(
                "code of {} bits is too long for index \"{}\"",
                bytes * 8,
                relation_name(index)
            ),
        )
        .detail(format!("The index holds codes of {} bits at most.", max * 8))
        .raise();
    }
}

/// Calls `visit` with each page of a segment, locked for reading. Checks for interrupts between
/// pages. A page that belongs to another generation or cannot be parsed raises an error.
pub fn for_each_page(index: pg_sys::Relation, segment: &Segment, mut visit: impl FnMut(u32, &LogPage<'_>)) {
    for block in segment.blocks() {
        pgrx::check_for_interrupts!();
        with_page(index, segment, block, |page| visit(block, page));
    }
}

/// Calls `read` with one page of a segment, locked for reading.
pub fn with_page<T>(index: pg_sys::Relation, segment: &Segment, block: u32, read: impl FnOnce(&LogPage<'_>) -> T) -> T {
    let buffer = LockedBuffer::read(index, block, Lock::Share);
    read(&parse(index, segment, &buffer))
}

/// A checked view of a log page that belongs to `segment`.
pub fn parse<'a>(index: pg_sys::Relation, segment: &Segment, buffer: &'a LockedBuffer) -> LogPage<'a> {
    let page =
        LogPage::parse(buffer.page()).unwrap_or_else(|why| corrupt_page(&relation_name(index), buffer.block(), why));
    if page.epoch() != segment.epoch.get() || page.stride() != usize::from(segment.stride.get()) {
        corrupt_page(&relation_name(index), buffer.block(), "it belongs to another segment");
    }
    page
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

/// A heap TID in the log's form.
pub fn tid_bytes(tid: &pg_sys::ItemPointerData) -> Tid {
    let mut bytes = [0; 6];
    bytes[..2].copy_from_slice(&tid.ip_blkid.bi_hi.to_ne_bytes());
    bytes[2..4].copy_from_slice(&tid.ip_blkid.bi_lo.to_ne_bytes());
    bytes[4..].copy_from_slice(&tid.ip_posid.to_ne_bytes());
    bytes
}
