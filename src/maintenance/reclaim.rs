//! Moving the entries alive of mostly dead segments, so that their blocks can be used again.
//!
//! The copies go to a pending segment, which no scan sees and VACUUM does. When it has its shard, one change of the
//! directory puts it in the place of the old ones.

use std::time::Instant;

use iscc_hnsw::directory::{STATE_CLOSED, Segment};
use iscc_hnsw::log_page::{self, Tid, is_alive, slots};
use iscc_hnsw::policy;
use pgrx::pg_sys;

use super::shard::{self, What};
use super::{Done, Job, Stopped, lock, milliseconds, times_built};
use crate::error::{self, corrupt_page};
use crate::failpoint::failpoint;
use crate::storage::buffer::{LockedBuffer, grow_ahead, relation_name};
use crate::storage::directory::{self, NO_SHARD};
use crate::storage::log;
use crate::storage::relation::oid;
use crate::storage::shard_file;
use crate::storage::update::{Logging, Update};

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

impl Job<'_> {
    /// Moves the entries alive of these segments and builds a shard from them; the old blocks are free then.
    pub(super) fn move_entries(&mut self, segments: &[Segment], rest: Rest) -> Result<Done, Stopped> {
        let started = Instant::now();
        let name = relation_name(self.index);
        self.watcher.begin(&format!("reclaiming space of index \"{name}\""));
        let Some(places) = lock::move_entries(oid(self.index)) else {
            return Err(Stopped::Yielded);
        };
        let all: i64 = segments.iter().map(|s| i64::from(s.entries.get())).sum();
        let old_blocks: u32 = segments.iter().map(|s| s.block_count.get()).sum();
        let alive = shard::count_alive(self.index, segments)?;
        let mut done = Done::default();
        let mut new_blocks = 0;
        if alive == 0 {
            self.free(segments)?;
        } else {
            let pending = self.copy(segments, alive, &places)?;
            drop(places);
            failpoint!("move_after_copy");
            new_blocks = pending.block_count.get();
            let moved = self.replace(segments, &pending, rest);
            if moved.is_err() {
                self.discard(&[pending]);
            }
            done = moved?;
        }
        done.removed = all - alive as i64;
        done.freed_blocks = i64::from(old_blocks) - i64::from(new_blocks);
        error::log(format!(
            "reclaimed {} dead entries and {} blocks of index \"{name}\" in {} ms",
            done.removed,
            done.freed_blocks,
            milliseconds(started)
        ));
        Ok(done)
    }

    /// Puts the pending segment in the place of these.
    fn replace(&mut self, segments: &[Segment], pending: &Segment, rest: Rest) -> Result<Done, Stopped> {
        let level = times_built(segments);
        let directory = directory::read(self.index);
        let tail = directory.tail_blocks() + pending.block_count.get();
        if rest == Rest::Shard || policy::tail_is_due(tail, self.options.limits().max_blocks) {
            let what = What::new("moved", "compacting", level);
            return self.build_shard(shard_file::new_id(), &[*pending], &[*pending], segments, what);
        }
        let closed = Segment {
            state: STATE_CLOSED,
            level,
            ..*pending
        };
        self.exchange(&[*pending], &[closed], segments)?;
        failpoint!("move_after_list");
        self.unlink_replaced(&NO_SHARD, &[], segments);
        Ok(Done::default())
    }

    /// Copies the entries alive to a new pending segment.
    fn copy(&mut self, segments: &[Segment], alive: u64, places: &lock::Held) -> Result<Segment, Stopped> {
        let stride = segments.iter().map(|s| s.stride.get()).max().unwrap_or(1);
        let blocks = alive.div_ceil(u64::from(slots(stride))) as u32;
        grow_ahead(self.index, directory::read_header(self.index).used_blocks.get(), blocks);
        let mut pending = directory::change(self.index, self.logging, |d| d.add_pending(blocks, stride));
        failpoint!("move_after_pending");
        pending.entries = (alive as u32).into();
        let mut copy = Copy {
            index: self.index,
            logging: self.logging,
            pending,
            next_block: pending.start_block.get(),
            page: Vec::new(),
        };
        let mut pages = 0;
        for segment in segments {
            for block in segment.blocks() {
                pgrx::check_for_interrupts!();
                pages += 1;
                if pages % PAGES_PER_LOOK == 0 && (places.is_wanted() || self.watcher.must_yield()) {
                    self.discard(&[pending]);
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
        // The count of entries is what the segment is listed with once it is sealed.
        Ok(pending)
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

/// Fills the pages of a pending segment.
struct Copy {
    index: pg_sys::Relation,
    logging: Logging,
    pending: Segment,
    next_block: u32,
    page: Vec<(Tid, Vec<u8>)>,
}

impl Copy {
    fn add(&mut self, entries: Vec<(Tid, Vec<u8>)>) {
        for entry in entries {
            self.page.push(entry);
            if self.page.len() == usize::from(self.pending.slots_per_block()) {
                self.write_page();
            }
        }
    }

    fn write_page(&mut self) {
        if self.page.is_empty() {
            return;
        }
        let (index, block) = (self.index, self.next_block);
        if !self.pending.blocks().contains(&block) {
            corrupt_page(&relation_name(index), block, "more entries are alive than were counted");
        }
        let mut buffer = LockedBuffer::new_block(index, pg_sys::ForkNumber::MAIN_FORKNUM, block);
        let mut update = Update::begin(index, self.logging);
        let page = update.new_page(&mut buffer);
        log_page::init(page, self.pending.stride.get(), self.pending.epoch.get());
        for (tid, code) in self.page.drain(..) {
            if log_page::append(page, &code, &tid).is_none() {
                corrupt_page(&relation_name(index), block, "an entry does not fit where it is moved");
            }
        }
        log_page::close(page).unwrap_or_else(|why| corrupt_page(&relation_name(index), block, why));
        update.commit();
        drop(buffer);
        failpoint!("move_between_pages");
        self.next_block += 1;
    }
}
