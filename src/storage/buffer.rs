//! Pinned and locked buffers that release themselves.

use std::cell::RefCell;
use std::marker::PhantomData;

use iscc_log::page::PAGE_BYTES;
use pgrx::pg_sys;

use crate::compat::{Locator, read_recent_buffer};
use crate::failpoint::failpoint;
use crate::nodes::{Argument, functions};
use crate::relation::Index;
use crate::relation::{lock_for_extension, unlock_for_extension};

/// A whole page.
pub type Page = [u8; PAGE_BYTES];

const _: () = assert!(pg_sys::BLCKSZ as usize == PAGE_BYTES);

/// How a buffer is locked: [`Shared`] or [`Exclusive`].
pub trait Mode {
    /// PostgreSQL's number for it.
    const LOCK: i32;
}

/// Others may read.
pub struct Shared;
/// Nobody else may read or write.
pub struct Exclusive;

impl Mode for Shared {
    const LOCK: i32 = pg_sys::BUFFER_LOCK_SHARE as i32;
}

impl Mode for Exclusive {
    const LOCK: i32 = pg_sys::BUFFER_LOCK_EXCLUSIVE as i32;
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

/// One block in this many goes through the normal lookup, a different one in each pass: only that counts as a use of
/// the buffer when PostgreSQL decides what to evict.
const LOOK_UP_EVERY: u32 = 8;

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::default();
}

impl Recent {
    /// What this backend remembers of a relation that it is about to read from this block on. Nothing if it has read
    /// another one meanwhile.
    pub fn of(index: Index<'_>, first_block: u32) -> Self {
        let of = Some((index.locator(), first_block));
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
    pub fn pin(&mut self, index: Index<'_>, block: u32) -> PinnedBuffer {
        let first = self.of.map_or(0, |(_, first)| first);
        let at = block.wrapping_sub(first) as usize;
        if let Some(&buffer) = self.buffers.get(at)
            && buffer != 0
            && !block.wrapping_add(self.pass).is_multiple_of(LOOK_UP_EVERY)
            && read_recent_buffer(index.data(), block, buffer)
        {
            return PinnedBuffer { buffer };
        }
        let pinned = PinnedBuffer::read(index, block);
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

/// Asks for a block of the main fork that is read soon.
pub fn prefetch(index: Index<'_>, block: u32) {
    // SAFETY: the relation is open; a block that is in no file raises an error.
    unsafe { pg_sys::PrefetchBuffer(index.raw(), pg_sys::ForkNumber::MAIN_FORKNUM, block) };
}

impl PinnedBuffer {
    /// Pins a block of the main fork.
    pub fn read(index: Index<'_>, block: u32) -> Self {
        Self::read_with(index, block, std::ptr::null_mut())
    }

    fn read_with(index: Index<'_>, block: u32, strategy: pg_sys::BufferAccessStrategy) -> Self {
        let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
        Self::read_as(index, fork, block, pg_sys::ReadBufferMode::RBM_NORMAL, strategy)
    }

    fn read_as(
        index: Index<'_>,
        fork: pg_sys::ForkNumber::Type,
        block: u32,
        mode: pg_sys::ReadBufferMode::Type,
        strategy: pg_sys::BufferAccessStrategy,
    ) -> Self {
        // SAFETY: the relation is open; reading a bad block raises an error. A strategy is VACUUM's own, or null.
        let buffer = unsafe { pg_sys::ReadBufferExtended(index.raw(), fork, block, mode, strategy) };
        PinnedBuffer { buffer }
    }

    /// Gives up the duty to unpin the buffer.
    fn into_raw(self) -> pg_sys::Buffer {
        std::mem::ManuallyDrop::new(self).buffer
    }

    /// Waits for the lock.
    pub fn lock<M: Mode>(self) -> Locked<M> {
        lock_buffer(&self, M::LOCK);
        Locked::of(self.into_raw())
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

impl Argument<pg_sys::Buffer> for &PinnedBuffer {
    fn to_raw(self) -> pg_sys::Buffer {
        self.buffer
    }
}

impl<M: Mode> Argument<pg_sys::Buffer> for &Locked<M> {
    fn to_raw(self) -> pg_sys::Buffer {
        self.buffer
    }
}

functions! {
    /// An error's abort drops lock and pin.
    fn lock_buffer(buffer: &PinnedBuffer, mode: i32) = LockBuffer;
    /// The end of the WAL record that changed the page last.
    pub(super) fn lsn_of(buffer: &Locked<Shared>) -> u64 = BufferGetLSNAtomic;
    /// Has PostgreSQL write the page to disk sometime.
    pub(super) fn mark_dirty(buffer: &Locked<Exclusive>) = MarkBufferDirty;
}

/// A pinned, locked buffer. Unlocked and unpinned when dropped.
pub struct Locked<M: Mode> {
    buffer: pg_sys::Buffer,
    mode: PhantomData<M>,
}

impl<M: Mode> Locked<M> {
    fn of(buffer: pg_sys::Buffer) -> Self {
        Locked {
            buffer,
            mode: PhantomData,
        }
    }

    /// Pins and locks a block of the main fork.
    pub fn read(index: Index<'_>, block: u32) -> Self {
        PinnedBuffer::read(index, block).lock()
    }

    /// Pins and locks a block of the main fork that comes through a buffer ring.
    pub fn read_with(index: Index<'_>, block: u32, strategy: pg_sys::BufferAccessStrategy) -> Self {
        PinnedBuffer::read_with(index, block, strategy).lock()
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

    /// The page.
    pub fn page(&self) -> &Page {
        // SAFETY: a pinned buffer holds a whole page. Nobody writes to it while we hold the lock, but for us, who need
        // `&mut self` for that.
        unsafe { &*pg_sys::BufferGetPage(self.buffer).cast::<Page>() }
    }
}

impl Locked<Exclusive> {
    /// A block that nobody uses, zeroed, pinned and locked. The relation grows until it has this block; it may have it
    /// already, free to use again or left by a crash.
    pub fn new_block(index: Index<'_>, fork: pg_sys::ForkNumber::Type, block: u32) -> Self {
        grow(index, fork, block + 1);
        let mode = pg_sys::ReadBufferMode::RBM_ZERO_AND_LOCK;
        // The buffer comes locked.
        Locked::of(PinnedBuffer::read_as(index, fork, block, mode, std::ptr::null_mut()).into_raw())
    }

    /// The page for writing in place; the caller logs the change. All but [`update`](super::update) and the log's
    /// append write through an [`Update`](super::update::Update).
    pub(super) fn page_mut(&mut self) -> &mut Page {
        // SAFETY: a pinned buffer holds a whole page; the exclusive lock and `&mut self` make the reference unique.
        unsafe { &mut *pg_sys::BufferGetPage(self.buffer).cast::<Page>() }
    }
}

impl<M: Mode> Drop for Locked<M> {
    fn drop(&mut self) {
        // While an error unwinds, PostgreSQL's abort releases locks and pins; doing it here as well
        // would upset its interrupt hold-off count, which the error has already reset.
        if !std::thread::panicking() {
            // SAFETY: pinned and locked by us.
            unsafe { pg_sys::UnlockReleaseBuffer(self.buffer) };
        }
    }
}

/// The relation is never more than this many blocks short of a block about to be used: growth goes step by step.
pub(super) const MOST_MISSING_BLOCKS: u32 = 1024;

/// Raises an error if the metapage counts many more blocks than the relation has: it is damaged then, and nothing must
/// grow to its number.
pub(super) fn require_near_end(index: Index<'_>, used: u32) {
    let existing = index.block_count();
    if used.saturating_sub(existing) > MOST_MISSING_BLOCKS {
        too_few(index, used, existing);
    }
}

fn too_few(index: Index<'_>, counted: u32, existing: u32) -> ! {
    index.corrupt(
        0,
        format!("it counts {counted} blocks, but the relation has {existing}"),
    )
}

/// Makes the relation have at least this many blocks.
pub(super) fn grow(index: Index<'_>, fork: pg_sys::ForkNumber::Type, blocks: u32) {
    let existing = index.block_count_of(fork);
    if existing >= blocks {
        return;
    }
    if blocks - existing > MOST_MISSING_BLOCKS {
        too_few(index, blocks - 1, existing);
    }
    let lock = pg_sys::ExclusiveLock as i32;
    lock_for_extension(index, lock);
    while index.block_count_of(fork) < blocks {
        // InvalidBlockNumber is P_NEW: grow by one block.
        let (new, normal) = (pg_sys::InvalidBlockNumber, pg_sys::ReadBufferMode::RBM_NORMAL);
        // The relation is locked for extension; the pin is given back at once.
        drop(PinnedBuffer::read_as(index, fork, new, normal, std::ptr::null_mut()));
    }
    unlock_for_extension(index, lock);
    failpoint!("relation_grown");
}
