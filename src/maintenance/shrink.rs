//! Giving space back: what stands at the end of a file that is mostly free moves to free blocks before it, and the file
//! is cut.
//!
//! The directory forgets the blocks before the file loses them. A crash in between leaves blocks beyond those in use,
//! which the next growth takes first, or the next cut removes. No process has a copy of the directory
//! meanwhile, because the lock on the index excludes all of them, also on a standby.

use std::cmp::Reverse;

use iscc_log::directory::Segment;
use iscc_log::policy;

use super::context::{Job, Stopped, WorkDone};
use super::lock::{self, Wait};
use crate::error;
use crate::failpoint::failpoint;
use crate::relation::{Alone, in_recovery};
use crate::storage::directory::{self, Directory};
use crate::storage::open_segment;

impl Job<'_> {
    /// True if the file must become shorter.
    pub(super) fn is_to_shrink(&self) -> bool {
        if in_recovery() || self.index.is_temporary() {
            return false;
        }
        let directory = directory::read(self.index);
        self.is_mostly_free(&directory) || self.is_free_at_end(&directory)
    }

    /// Makes the file shorter, if that is due and no other session maintains the index. Gives up for now if the index
    /// is in use.
    pub(super) fn shrink(&mut self) -> Result<WorkDone, Stopped> {
        let mut done = WorkDone::default();
        if !self.is_to_shrink() {
            return Ok(done);
        }
        let Some(_lock) = lock::maintenance(self.index.oid(), Wait::No) else {
            return Ok(done);
        };
        self.discard_leftovers();
        if self.is_mostly_free(&directory::read(self.index)) {
            done += self.move_down()?;
        }
        failpoint!("shrink_after_moves");
        if self.is_free_at_end(&directory::read(self.index)) {
            done.freed_blocks += i64::from(self.cut()?);
        }
        Ok(done)
    }

    fn is_mostly_free(&self, directory: &Directory) -> bool {
        let existing = self.index.block_count();
        let beyond = existing.saturating_sub(directory.header.used_blocks);
        policy::is_to_shrink(directory.spare_blocks() + beyond, existing)
    }

    fn is_free_at_end(&self, directory: &Directory) -> bool {
        let existing = self.index.block_count();
        policy::is_to_cut(existing.saturating_sub(directory.free_at_end().start), existing)
    }

    /// Moves what stands behind the place where the file could end, the last first, as long as there is room before it.
    fn move_down(&mut self) -> Result<WorkDone, Stopped> {
        let mut done = WorkDone::default();
        let directory = directory::read(self.index);
        let end = directory.header.used_blocks - directory.spare_blocks();
        if directory.open_room().is_some_and(|room| room.end > end) {
            open_segment::close_open(self.index, self.logging);
        }
        let mut groups: Vec<Vec<Segment>> = directory::read(self.index)
            .shards()
            .into_iter()
            .map(|(_, s)| s)
            .collect();
        let last_start = |segments: &[Segment]| segments.iter().map(|s| s.start_block).max().unwrap_or(0);
        groups.sort_by_key(|segments| Reverse(last_start(segments)));
        for segments in groups {
            if segments.iter().all(|segment| segment.blocks().end <= end) {
                continue;
            }
            match self.move_below(&segments, last_start(&segments))? {
                Some(moved) => done += moved,
                None => break,
            }
        }
        if directory::read(self.index).pages().any(|block| block >= end) {
            directory::move_chain(self.index, self.logging);
        }
        Ok(done)
    }

    /// Cuts off what is free at the end of the file; how many blocks.
    fn cut(&mut self) -> Result<u32, Stopped> {
        let Some(alone) = Alone::try_lock(self.index) else {
            return Err(Stopped::Yielded);
        };
        let existing = self.index.block_count();
        directory::change(self.index, self.logging, Directory::cut_end);
        let used = directory::read_header(self.index).used_blocks;
        // Were this change lost in a crash, the blocks would be missing.
        directory::flush(self.index);
        failpoint!("cut_before_truncate");
        let cut = existing.saturating_sub(used);
        if cut > 0 {
            alone.truncate(used);
        }
        failpoint!("cut_after_truncate");
        let name = self.index.name();
        error::log(format!("cut {cut} free blocks off index \"{name}\", {used} are left"));
        Ok(cut)
    }
}
