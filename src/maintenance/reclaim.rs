//! Moving the entries alive of mostly dead segments, so that their blocks can be used again.
//!
//! The copies go to a pending segment, which no scan sees and VACUUM does. When it has its shard, one change of the
//! directory puts it in the place of the old ones.

use std::time::Instant;

use iscc_log::directory::{Segment, State};
use iscc_log::log_page::{self, Tid, is_alive, slots};
use iscc_log::policy;
use pgrx::pg_sys;

use super::context::{Done, Job, Stopped, What, milliseconds, times_built};
use super::{build_shard, lock};
use crate::error::{self};
use crate::failpoint::failpoint;
use crate::relation::{Index, in_recovery};
use crate::storage::buffer::Locked;
use crate::storage::directory::{self, META_BLOCK, NO_SHARD};
use crate::storage::log;
use crate::storage::shard_file;
use crate::storage::update::{Logging, Update, grow_ahead};

/// Pages copied between two looks whether VACUUM waits.
const PAGES_PER_LOOK: usize = 64;

/// What becomes of a rest that is too small to be due for a shard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Part of the tail: a small table that changes all the time needs no shard.
    Tail,
    /// A shard of its own.
    Shard,
}

/// Where entries move to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Free blocks, or the end of the relation.
    Anywhere,
    /// Free blocks before this one.
    Below(u32),
}

impl Job<'_> {
    /// Gives back the blocks of a move whose process died. Whoever holds the maintenance lock is the only one who moves.
    pub(super) fn discard_pending(&self) {
        if in_recovery() {
            return;
        }
        let pending: Vec<Segment> = directory::read(self.index).pending().copied().collect();
        if !pending.is_empty() {
            self.discard(&pending);
            failpoint!("pending_discarded");
        }
    }

    /// Frees the units of which VACUUM has found every entry dead, but for those that are busy. The caller holds the
    /// maintenance lock.
    pub(super) fn free_dead(&mut self) -> Result<Done, Stopped> {
        let mut done = Done::default();
        if in_recovery() {
            return Ok(done);
        }
        let is_dead = |segment: &Segment| segment.all_dead() >= u64::from(segment.entries);
        for (_, segments) in directory::read(self.index).shards() {
            // What VACUUM noted may be of what was in these blocks before.
            if segments
                .iter()
                .all(|segment| is_dead(segment) && !self.is_busy(segment))
                && build_shard::count_alive(self.index, &segments)? == 0
            {
                self.free(&segments)?;
                done.freed_blocks += segments.iter().map(|s| i64::from(s.block_count)).sum::<i64>();
            }
        }
        Ok(done)
    }

    /// Moves the entries alive of these segments and builds a shard from them; the old blocks are free then.
    pub(super) fn move_entries(&mut self, segments: &[Segment], rest: Rest, to: To) -> Result<Done, Stopped> {
        let started = Instant::now();
        let name = self.index.name();
        self.watcher.begin(&format!("reclaiming space of index \"{name}\""));
        let Some(places) = lock::move_entries(self.index.oid()) else {
            return Err(Stopped::Yielded);
        };
        let all: i64 = segments.iter().map(|s| i64::from(s.entries)).sum();
        let old_blocks: u32 = segments.iter().map(|s| s.block_count).sum();
        let alive = build_shard::count_alive(self.index, segments)?;
        let mut done = Done::default();
        let mut new_blocks = 0;
        if alive == 0 {
            self.free(segments)?;
        } else {
            let pending = self.add_pending(segments, alive, to)?;
            failpoint!("move_after_pending");
            self.copy(segments, &pending, &places)?;
            drop(places);
            failpoint!("move_after_copy");
            new_blocks = pending.iter().map(|s| s.block_count).sum();
            let moved = self.replace(segments, &pending, rest);
            if moved.is_err() {
                self.discard(&pending);
            }
            done = moved?;
        }
        done.removed = all - alive as i64;
        done.freed_blocks = i64::from(old_blocks) - i64::from(new_blocks);
        let what = match to {
            To::Anywhere => format!(
                "reclaimed {} dead entries and {} blocks",
                done.removed, done.freed_blocks
            ),
            To::Below(_) => format!("moved {alive} entries towards the front"),
        };
        let time = milliseconds(started);
        error::log(format!("{what} of index \"{name}\" in {time} ms"));
        Ok(done)
    }

    /// Puts the pending segments in the place of these.
    fn replace(&mut self, segments: &[Segment], pending: &[Segment], rest: Rest) -> Result<Done, Stopped> {
        let level = times_built(segments);
        let directory = directory::read(self.index);
        let blocks = |of: &mut dyn Iterator<Item = &Segment>| of.map(|s| s.block_count).sum::<u32>();
        let leaves = blocks(&mut segments.iter().filter(|segment| segment.state == State::Closed));
        let tail = directory.tail_blocks() + blocks(&mut pending.iter()) - leaves;
        if rest == Rest::Shard || policy::tail_is_due(tail, self.options.limits().max_blocks) {
            let what = What::new("moved", "compacting", level);
            return self.build_shard(shard_file::new_id(), pending, pending, segments, what);
        }
        let close = |segment: &Segment| Segment {
            state: State::Closed,
            level,
            ..*segment
        };
        let closed: Vec<Segment> = pending.iter().map(close).collect();
        self.exchange(pending, &closed, segments)?;
        failpoint!("move_after_list");
        self.unlink_replaced(&NO_SHARD, &[], segments);
        Ok(Done::default())
    }

    /// Lists pending segments for the entries alive of these.
    fn add_pending(&self, segments: &[Segment], alive: u64, to: To) -> Result<Vec<Segment>, Stopped> {
        let stride = stride_of(segments);
        let blocks = blocks_for(alive, stride);
        let mut pending = loop {
            let existing = self.index.block_count();
            let found = directory::change(self.index, self.logging, |directory| match to {
                To::Anywhere => directory.add_pending(blocks, stride, existing),
                To::Below(below) => directory.add_pending_below(blocks, stride, below),
            });
            match (found, to) {
                (Some(pending), _) => break pending,
                // An insert was quicker.
                (None, To::Below(_)) => return Err(Stopped::Overtaken),
                // Before they are listed: more blocks than there are can only be few.
                (None, To::Anywhere) => {
                    grow_ahead(
                        self.index,
                        self.logging,
                        directory::read_header(self.index).used_blocks,
                        blocks,
                    );
                }
            }
        };
        // The count of entries is what a segment is listed with once it is sealed.
        let mut rest = alive;
        for segment in &mut pending {
            let room = u64::from(segment.block_count) * u64::from(segment.slots_per_block());
            segment.entries = rest.min(room) as u32;
            rest -= rest.min(room);
        }
        Ok(pending)
    }

    /// Copies the entries alive to the pending segments.
    fn copy(&mut self, segments: &[Segment], pending: &[Segment], places: &lock::Held) -> Result<(), Stopped> {
        let mut copy = Copy {
            index: self.index,
            logging: self.logging,
            stride: stride_of(pending),
            blocks: pending.iter().flat_map(|s| s.blocks().map(|block| (block, s.epoch))),
            page: Vec::new(),
        };
        let mut pages = 0;
        for segment in segments {
            for block in segment.blocks() {
                pgrx::check_for_interrupts!();
                pages += 1;
                if pages % PAGES_PER_LOOK == 0 && (places.is_wanted() || self.watcher.must_yield()) {
                    self.discard(pending);
                    return Err(Stopped::Yielded);
                }
                let entries = log::with_page(self.index, segment, block, |page| {
                    let alive = |slot| Some((page.tid(slot).filter(is_alive)?, page.code(slot).unwrap_or_default()));
                    (0..page.len())
                        .filter_map(alive)
                        .map(|(tid, code)| (tid, code.to_vec()))
                        .collect::<Vec<_>>()
                })?;
                copy.add(entries);
            }
        }
        copy.write_page();
        Ok(())
    }

    /// Gives back the blocks of pending segments, those that are still there.
    pub(super) fn discard(&self, pending: &[Segment]) {
        directory::change(self.index, self.logging, |directory| {
            for segment in pending {
                let _is_there = directory.free(&[*segment]);
            }
        });
    }
}

/// Bytes of a code column cell in whatever these segments become.
pub(super) fn stride_of(segments: &[Segment]) -> u16 {
    segments.iter().map(|s| s.stride).max().unwrap_or(1)
}

/// Blocks that so many entries take up.
pub(super) fn blocks_for(entries: u64, stride: u16) -> u32 {
    entries.div_ceil(u64::from(slots(stride))) as u32
}

/// Fills the pages of pending segments.
struct Copy<'a, Blocks> {
    index: Index<'a>,
    logging: Logging,
    stride: u16,
    /// Blocks to fill, with their epochs.
    blocks: Blocks,
    page: Vec<(Tid, Vec<u8>)>,
}

impl<Blocks: Iterator<Item = (u32, u32)>> Copy<'_, Blocks> {
    fn add(&mut self, entries: Vec<(Tid, Vec<u8>)>) {
        for entry in entries {
            self.page.push(entry);
            if self.page.len() == usize::from(slots(self.stride)) {
                self.write_page();
            }
        }
    }

    fn write_page(&mut self) {
        if self.page.is_empty() {
            return;
        }
        let index = self.index;
        let Some((block, epoch)) = self.blocks.next() else {
            index.corrupt(META_BLOCK, "more entries are alive than were counted");
        };
        let mut buffer = Locked::new_block(index, pg_sys::ForkNumber::MAIN_FORKNUM, block);
        let mut update = Update::begin(index, self.logging);
        let page = update.new_page(&mut buffer);
        log_page::init(page, self.stride, epoch);
        for (tid, code) in self.page.drain(..) {
            if log_page::append(page, &code, &tid).is_none() {
                index.corrupt(block, "an entry does not fit where it is moved");
            }
        }
        log_page::close(page).unwrap_or_else(|why| index.corrupt(block, why));
        update.commit();
        drop(buffer);
        failpoint!("move_between_pages");
    }
}
