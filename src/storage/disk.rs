//! What this backend has read from the disk.

use std::mem::MaybeUninit;

/// Pages of a search. To ask for everything that a search reads takes longer than to wait for so many pages one by one.
const MANY_PAGES: i64 = 32;
/// The operating system counts in these.
const BLOCKS_PER_PAGE: i64 = 4096 / 512;

/// How much was read, whether by faults of mapped memory, because it was asked for, or otherwise.
#[derive(Clone, Copy)]
pub struct Reads {
    blocks: i64,
}

impl Reads {
    /// Up to now. Where the operating system does not count reads, none were made.
    pub fn now() -> Self {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: all zeros are a valid rusage, which the call fills.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
            usage.assume_init()
        };
        Reads {
            blocks: usage.ru_inblock,
        }
    }

    /// Whether a search between the two was one that had better asked for what it read.
    pub fn are_many_more_than(self, before: Self) -> bool {
        self.blocks - before.blocks > MANY_PAGES * BLOCKS_PER_PAGE
    }
}
