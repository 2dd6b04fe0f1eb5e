//! Pinned and locked buffers that release themselves.

use std::cell::RefCell;

use iscc_log::page::PAGE_BYTES;
use pgrx::pg_sys;

use crate::compat::{Locator, locator, read_recent_buffer};
use crate::error::corrupt_page;
use crate::failpoint::failpoint;

/// A whole page.
pub type Page = [u8; PAGE_BYTES];

const _: () = assert!(pg_sys::BLCKSZ as usize == PAGE_BYTES);

/// How a buffer is locked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Others may read.
    Share,
    /// Nobody else may read or write.
    Exclusive,
}

/// Which buffers the blocks of one relation were in when this backend read them last: where they are still, most of the
/// cost of finding them is saved.
#[derive(Default)]
pub struct Recent {
    of: Option<(Locator, u32)>,
    /// By block, from the first one on that is remembered; 0 is no buffer.
    buffers: Vec<pg_sys::Buffer>,
    pass: u32,
}

/// Blocks that are remembered at most, for 256 kB of memory.
const MOST_REMEMBERED_BLOCKS: usize = 1 << 16;

/// One in so many blocks is looked for as others do, another one in each pass: only that counts as a use of the buffer
/// when PostgreSQL decides what to evict.
const LOOK_UP_EVERY: u32 = 8;

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::default();
}

impl Recent {
    /// What this backend remembers of a relation that it is about to read from this block on. Nothing if it has read
    /// another one meanwhile.
    pub fn of(relation: pg_sys::Relation, first_block: u32) -> Self {
        let of = Some((locator(relation), first_block));
        let mut recent = RECENT.take();
        if recent.of != of {
            recent.buffers.clear();
            recent.of = of;
        }
        recent.pass = recent.pass.wrapping_add(1);
        recent
    }

    /// Keeps it for the next time.
    pub fn keep(self) {
        RECENT.set(self);
    }

    /// Pins a block of the relation's main fork.
    pub fn pin(&mut self, relation: pg_sys::Relation, block: u32) -> PinnedBuffer {
        let first = self.of.map_or(0, |(_, first)| first);
        let at = block.wrapping_sub(first) as usize;
        if let Some(&buffer) = self.buffers.get(at)
            && buffer != 0
            && !block.wrapping_add(self.pass).is_multiple_of(LOOK_UP_EVERY)
            && read_recent_buffer(relation, block, buffer)
        {
            return PinnedBuffer { buffer };
        }
        let pinned = PinnedBuffer::read(relation, block);
        if at < MOST_REMEMBERED_BLOCKS {
            if at >= self.buffers.len() {
                self.buffers.resize(at + 1, 0);
            }
            self.buffers[at] = pinned.buffer;
        }
        pinned
    }
}

/// A pinned buffer, not locked: its block stays in memory, its contents may change. Unpinned when dropped.
pub struct PinnedBuffer {
    buffer: pg_sys::Buffer,
}

impl PinnedBuffer {
    /// Pins a block of the main fork.
    pub fn read(relation: pg_sys::Relation, block: u32) -> Self {
        Self::read_with(relation, block, std::ptr::null_mut())
    }

    fn read_with(relation: pg_sys::Relation, block: u32, strategy: pg_sys::BufferAccessStrategy) -> Self {
        let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
        let normal = pg_sys::ReadBufferMode::RBM_NORMAL;
        // SAFETY: the caller holds the relation open; reading a bad block raises an error.
        let buffer = unsafe { pg_sys::ReadBufferExtended(relation, fork, block, normal, strategy) };
        PinnedBuffer { buffer }
    }

    /// Locks it.
    pub fn lock(self, lock: Lock) -> LockedBuffer {
        let mode = match lock {
            Lock::Share => pg_sys::BUFFER_LOCK_SHARE,
            Lock::Exclusive => pg_sys::BUFFER_LOCK_EXCLUSIVE,
        };
        let buffer = self.buffer;
        std::mem::forget(self);
        // SAFETY: pinned. An error's abort drops the pin.
        unsafe { pg_sys::LockBuffer(buffer, mode as i32) };
        LockedBuffer { buffer }
    }

    /// Where the page is: for the processor to load it soon, not to be read without a lock.
    pub fn address(&self) -> *const Page {
        // SAFETY: the buffer is pinned.
        unsafe { pg_sys::BufferGetPage(self.buffer).cast() }
    }
}

impl Drop for PinnedBuffer {
    fn drop(&mut self) {
        // As for a locked buffer below.
        if !std::thread::panicking() {
            // SAFETY: pinned by us.
            unsafe { pg_sys::ReleaseBuffer(self.buffer) };
        }
    }
}

/// A pinned, locked buffer. Unlocked and unpinned when dropped.
pub struct LockedBuffer {
    buffer: pg_sys::Buffer,
}

impl LockedBuffer {
    /// Pins and locks a block of the main fork.
    pub fn read(relation: pg_sys::Relation, block: u32, lock: Lock) -> Self {
        Self::read_with(relation, block, lock, std::ptr::null_mut())
    }

    /// Pins and locks a block of the main fork that comes through a buffer ring.
    pub fn read_with(
        relation: pg_sys::Relation,
        block: u32,
        lock: Lock,
        strategy: pg_sys::BufferAccessStrategy,
    ) -> Self {
        PinnedBuffer::read_with(relation, block, strategy).lock(lock)
    }

    /// A block that nobody uses, zeroed, pinned and locked. The relation grows until it has this block; it may have it
    /// already, free to use again or left by a crash.
    pub fn new_block(relation: pg_sys::Relation, fork: pg_sys::ForkNumber::Type, block: u32) -> Self {
        grow(relation, fork, block + 1);
        // SAFETY: the caller holds the relation open.
        unsafe {
            let mode = pg_sys::ReadBufferMode::RBM_ZERO_AND_LOCK;
            let buffer = pg_sys::ReadBufferExtended(relation, fork, block, mode, std::ptr::null_mut());
            LockedBuffer { buffer }
        }
    }

    /// PostgreSQL's handle.
    pub fn raw(&self) -> pg_sys::Buffer {
        self.buffer
    }

    /// The block's number in its relation.
    pub fn block(&self) -> u32 {
        // SAFETY: the buffer is pinned.
        unsafe { pg_sys::BufferGetBlockNumber(self.buffer) }
    }

    /// The page, valid while the lock is held.
    pub fn page(&self) -> &Page {
        // SAFETY: a pinned buffer holds a whole page, and we hold its lock.
        unsafe { &*pg_sys::BufferGetPage(self.buffer).cast::<Page>() }
    }

    /// The page for writing in place. The caller holds the lock exclusively and logs the change.
    pub fn page_mut(&mut self) -> &mut Page {
        // SAFETY: as above; the exclusive lock makes the reference unique.
        unsafe { &mut *pg_sys::BufferGetPage(self.buffer).cast::<Page>() }
    }
}

impl Drop for LockedBuffer {
    fn drop(&mut self) {
        // While an error unwinds, PostgreSQL's abort releases locks and pins; doing it here as well
        // would upset its interrupt hold-off count, which the error has already reset.
        if !std::thread::panicking() {
            // SAFETY: pinned and locked by us.
            unsafe { pg_sys::UnlockReleaseBuffer(self.buffer) };
        }
    }
}

/// More blocks than this are never missing where one is to be used: growth goes step by step.
const MOST_MISSING_BLOCKS: u32 = 1024;

/// Makes the relation have so many blocks at least.
fn grow(relation: pg_sys::Relation, fork: pg_sys::ForkNumber::Type, blocks: u32) {
    // SAFETY: the caller holds the relation open; an error releases the lock.
    unsafe {
        let existing = pg_sys::RelationGetNumberOfBlocksInFork(relation, fork);
        if existing >= blocks {
            return;
        }
        if blocks - existing > MOST_MISSING_BLOCKS {
            let why = format!("it counts {} blocks, the relation has {existing}", blocks - 1);
            corrupt_page(&relation_name(relation), 0, why);
        }
        let lock = pg_sys::ExclusiveLock as i32;
        pg_sys::LockRelationForExtension(relation, lock);
        while pg_sys::RelationGetNumberOfBlocksInFork(relation, fork) < blocks {
            // InvalidBlockNumber is P_NEW: grow by one block.
            let (new, normal) = (pg_sys::InvalidBlockNumber, pg_sys::ReadBufferMode::RBM_NORMAL);
            let buffer = pg_sys::ReadBufferExtended(relation, fork, new, normal, std::ptr::null_mut());
            pg_sys::ReleaseBuffer(buffer);
        }
        pg_sys::UnlockRelationForExtension(relation, lock);
        failpoint!("relation_grown");
    }
}

/// Makes the relation have `more` blocks beyond `used`, for a large allocation that is about to come.
pub fn grow_ahead(relation: pg_sys::Relation, used: u32, more: u32) {
    let end = used.saturating_add(more);
    while block_count(relation) < end {
        pgrx::check_for_interrupts!();
        let step = end.min(block_count(relation) + MOST_MISSING_BLOCKS / 8);
        grow(relation, pg_sys::ForkNumber::MAIN_FORKNUM, step);
    }
}

/// The main fork's length in blocks.
pub fn block_count(relation: pg_sys::Relation) -> u32 {
    // SAFETY: the caller holds the relation open.
    unsafe { pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM) }
}

/// The relation's name, for messages.
pub fn relation_name(relation: pg_sys::Relation) -> String {
    // SAFETY: the caller holds the relation open.
    unsafe {
        let name = &raw const (*(*relation).rd_rel).relname.data;
        std::ffi::CStr::from_ptr(name.cast()).to_string_lossy().into_owned()
    }
}
