//! Which rows the table of an index can have. PostgreSQL trusts the TIDs that an index gives it, and takes block
//! 4294967295 for a wish to add a block to the table; so none leaves the log before it was looked at here.

use iscc_log::log_page::Tid;
use pgrx::pg_sys;

use super::log::block_and_offset;
use crate::relation::{Index, OpenRelation};

/// The largest offset number on a page of a heap: what PostgreSQL calls `MaxHeapTuplesPerPage`.
const MOST_HEAP_ROWS: u16 = {
    let page = pg_sys::BLCKSZ as usize - std::mem::offset_of!(pg_sys::PageHeaderData, pd_linp);
    let header = std::mem::offset_of!(pg_sys::HeapTupleHeaderData, t_bits);
    let row = header.next_multiple_of(pg_sys::MAXIMUM_ALIGNOF as usize) + size_of::<pg_sys::ItemIdData>();
    (page / row) as u16
};

/// How far the table of an index reaches, as of the last look at it. The default has no rows, so that it is
/// read when the first TID comes.
#[derive(Clone, Copy, Default)]
pub struct TableExtent {
    /// Number of blocks.
    blocks: u32,
    /// The largest offset number.
    offsets: u16,
}

impl TableExtent {
    /// The extent of the table as of now.
    pub fn of(index: Index<'_>) -> Self {
        // SAFETY: whoever uses an index has a lock on its table.
        let opened = unsafe { OpenRelation::open_locked(index.table()) };
        let table = opened.handle();
        match table.class().access_method() {
            pg_sys::HEAP_TABLE_AM_OID => TableExtent {
                blocks: table.block_count(),
                offsets: MOST_HEAP_ROWS,
            },
            // What another access method means by a TID is its own business.
            _ => TableExtent {
                blocks: pg_sys::InvalidBlockNumber,
                offsets: pg_sys::MaxOffsetNumber,
            },
        }
    }

    /// Whether the table can have this row. The caller has a lock on the table, so it does not shrink; it may have
    /// grown since the last call.
    pub fn has_room_for(&mut self, index: Index<'_>, tid: &Tid) -> bool {
        if !self.covers(tid) {
            *self = Self::of(index);
        }
        self.covers(tid)
    }

    fn covers(&self, tid: &Tid) -> bool {
        let (block, offset) = block_and_offset(tid);
        block < self.blocks && (1..=self.offsets).contains(&offset)
    }

    /// Raises an error unless the table can have this row, which an entry in `log_block` of the index points to.
    pub fn require(&mut self, index: Index<'_>, tid: &Tid, log_block: u32) {
        if !self.has_room_for(index, tid) {
            let (block, offset) = block_and_offset(tid);
            let why = format!("it points to row ({block},{offset}), which is beyond the table");
            index.corrupt(log_block, why);
        }
    }
}
