//! Watching and stopping a build.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Items of a plain loop between two looks at the cancel flag; a few milliseconds of work at most.
pub(crate) const CHECK_STRIDE: usize = 4096;

/// The build was cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("shard build was cancelled")
    }
}

impl std::error::Error for Cancelled {}

/// Progress and cancellation of a build, shared with the thread that waits for it.
#[derive(Debug, Default)]
pub struct BuildControl {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

impl BuildControl {
    /// Nothing done, not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the build return [`Cancelled`] within some 10 ms.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the build was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Nodes inserted so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Nodes to insert; 0 until the codes are sorted.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    pub(crate) fn set_total(&self, nodes: u64) {
        self.total.store(nodes, Ordering::Relaxed);
    }

    pub(crate) fn add_done(&self, nodes: u64) {
        self.done.fetch_add(nodes, Ordering::Relaxed);
    }

    /// [`BuildControl::check`] at one of [`CHECK_STRIDE`] items of a loop.
    #[inline]
    pub(crate) fn check_at(&self, item: usize) -> Result<(), Cancelled> {
        if item.is_multiple_of(CHECK_STRIDE) {
            self.check()
        } else {
            Ok(())
        }
    }

    /// An error once the build was cancelled.
    pub(crate) fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}
