//! Moving the entries alive of mostly dead segments, so that their blocks can be used again.
//!
//! The copies go to a pending segment, which no scan sees and VACUUM does. When it has its shard, one change of the
//! directory puts it in the place of the old ones.

use std::time::Instant;

use iscc_log::directory::{Segment, State};
use iscc_log::log_page::{self, Tid, is_alive, slots};
use iscc_log::policy;
use iscc_log::span::{self, Span};
use pgrx::pg_sys;

use super::context::{Job, Stopped, WorkDone, milliseconds};
use super::exchange::count_alive;
use super::lock::{self, AdvisoryLock};
use super::plan::{Purpose, ShardPlan, times_built};
use super::progress::{self, Phase, Progress};
use crate::error;
use crate::failpoint::failpoint;
use crate::relation::Index;
use crate::storage::buffer::Locked;
use crate::storage::directory::{self, META_BLOCK, NO_SHARD};
use crate::storage::log;
use crate::storage::spans;
use crate::storage::update::{Logging, Update, grow_ahead};

/// Pages copied between two looks whether VACUUM waits.
const PAGES_BETWEEN_LOOKS: usize = 64;

/// What becomes of moved entries that are too few to be due for a shard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SmallRest {
    /// They become part of the tail: a small table that changes all the time needs no shard.
    JoinsTail,
    /// They get a shard of their own.
    GetsShard,
}

/// Where entries move to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Destination {
    /// Free blocks, or the end of the relation.
    Anywhere,
    /// Free blocks before this one.
    Below(u32),
}

impl Job<'_> {
    /// Moves the entries alive of these segments and builds a shard from them; then the old blocks are free.
    pub(super) fn reclaim(&mut self, segments: &[Segment], rest: SmallRest) -> Result<WorkDone, Stopped> {
        // There is always room at the end of the relation.
        let done = self.move_entries(segments, rest, Destination::Anywhere)?;
        Ok(done.unwrap_or_default())
    }

    /// Moves the entries alive of these segments to blocks before `below`; None, and nothing is done, when too few are
    /// free there.
    pub(super) fn move_below(&mut self, segments: &[Segment], below: u32) -> Result<Option<WorkDone>, Stopped> {
        self.move_entries(segments, SmallRest::JoinsTail, Destination::Below(below))
    }

    fn move_entries(
        &mut self,
        segments: &[Segment],
        rest: SmallRest,
        to: Destination,
    ) -> Result<Option<WorkDone>, Stopped> {
        let started = Instant::now();
        let name = self.index.name();
        let _progress = Progress::begin(self.index);
        self.watcher.begin(&format!("reclaiming space of index \"{name}\""));
        let Some(places) = lock::places_alone(self.index.oid()) else {
            return Err(Stopped::Yielded);
        };
        let all: i64 = segments.iter().map(|s| i64::from(s.entries)).sum();
        let old_blocks: u32 = segments.iter().map(|s| s.block_count).sum();
        let alive = count_alive(self.index, segments)?;
        let mut done = WorkDone::default();
        let mut new_blocks = 0;
        if alive == 0 {
            self.free(segments)?;
        } else {
            let Some(pending) = self.add_pending(segments, alive, to) else {
                return Ok(None);
            };
            failpoint!("move_after_pending");
            self.copy(segments, &pending, &places)?;
            drop(places);
            failpoint!("move_after_copy");
            new_blocks = pending.iter().map(|s| s.block_count).sum();
            done = self
                .replace(segments, &pending, rest)
                .inspect_err(|_| self.discard(&pending))?;
        }
        done.removed = all - alive as i64;
        let freed_blocks = i64::from(old_blocks) - i64::from(new_blocks);
        done.freed_blocks += freed_blocks;
        let what = match to {
            Destination::Anywhere => format!("reclaimed {} dead entries and {freed_blocks} blocks", done.removed),
            Destination::Below(_) => format!("moved {alive} entries towards the front"),
        };
        let time = milliseconds(started);
        error::log(format!("{what} of index \"{name}\" in {time} ms"));
        Ok(Some(done))
    }

    /// Puts the pending segments in the place of these.
    fn replace(&mut self, segments: &[Segment], pending: &[Segment], rest: SmallRest) -> Result<WorkDone, Stopped> {
        let directory = directory::read(self.index);
        let blocks = |of: &mut dyn Iterator<Item = &Segment>| of.map(|s| s.block_count).sum::<u32>();
        let leaves = blocks(&mut segments.iter().filter(|segment| segment.state == State::Closed));
        let tail = directory.tail_blocks() + blocks(&mut pending.iter()) - leaves;
        if rest == SmallRest::GetsShard || policy::tail_is_due(tail, self.limits().seal_blocks) {
            return self.build_shard(ShardPlan::moved(pending, segments));
        }
        let level = times_built(segments);
        let close = |segment: &Segment| Segment {
            state: State::Closed,
            level,
            ..*segment
        };
        let closed: Vec<Segment> = pending.iter().map(close).collect();
        self.exchange(pending, &closed, segments)?;
        failpoint!("move_after_list");
        self.unlink_replaced(&NO_SHARD, &[], segments);
        Ok(WorkDone::default())
    }

    /// Lists pending segments for the entries alive of these; None when there is no room where they are to move.
    fn add_pending(&self, segments: &[Segment], alive: u64, to: Destination) -> Option<Vec<Segment>> {
        let stride = stride_of(segments);
        let blocks = blocks_for(alive, stride);
        let mut pending = match to {
            Destination::Anywhere => self.add_pending_anywhere(blocks, stride),
            Destination::Below(below) => directory::change(self.index, self.logging, |directory| {
                directory.add_pending_below(blocks, stride, below)
            })?,
        };
        // The count of entries is what a segment is listed with once it is sealed.
        let mut rest = alive;
        for segment in &mut pending {
            let room = segment.room();
            segment.entries = rest.min(room) as u32;
            rest -= rest.min(room);
        }
        Some(pending)
    }

    fn add_pending_anywhere(&self, blocks: u32, stride: u16) -> Vec<Segment> {
        loop {
            let existing = self.index.block_count();
            let added = directory::change(self.index, self.logging, |directory| {
                directory.add_pending(blocks, stride, existing)
            });
            if let Some(pending) = added {
                return pending;
            }
            // The relation grows before they are listed: only a few blocks that are listed may be missing.
            let used = directory::read_header(self.index).used_blocks;
            grow_ahead(self.index, self.logging, used, blocks);
        }
    }

    /// Copies the entries alive to the pending segments.
    fn copy(&mut self, segments: &[Segment], pending: &[Segment], places: &AdvisoryLock) -> Result<(), Stopped> {
        let mut filler = PageFiller {
            index: self.index,
            logging: self.logging,
            stride: stride_of(pending),
            blocks: pending.iter().flat_map(|s| s.pages().map(|block| (block, s.epoch))),
            page: Vec::new(),
        };
        let mut pages = 0;
        let all_pages = segments.iter().map(|segment| u64::from(segment.page_count())).sum();
        progress::show(Purpose::Move, Phase::Moving, 0, all_pages);
        for segment in segments {
            for block in segment.pages() {
                pgrx::check_for_interrupts!();
                pages += 1;
                progress::show_done(pages as u64);
                if pages % PAGES_BETWEEN_LOOKS == 0 && (places.is_wanted() || self.watcher.must_yield()) {
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
                filler.add(entries);
            }
        }
        filler.write_page();
        Ok(())
    }
}

/// Bytes of a code column cell in whatever these segments become.
fn stride_of(segments: &[Segment]) -> u16 {
    segments.iter().map(|s| s.stride).max().unwrap_or(1)
}

/// Blocks that this number of entries takes up.
fn blocks_for(entries: u64, stride: u16) -> u32 {
    entries.div_ceil(u64::from(slots(stride))) as u32 * span::blocks(stride)
}

/// Fills the pages of pending segments.
struct PageFiller<'a, Blocks> {
    index: Index<'a>,
    logging: Logging,
    stride: u16,
    /// Pages to fill, with their epochs.
    blocks: Blocks,
    page: Vec<(Tid, Vec<u8>)>,
}

impl<Blocks: Iterator<Item = (u32, u32)>> PageFiller<'_, Blocks> {
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
        // Then there is one entry.
        if span::blocks(self.stride) > 1 {
            let span = Span {
                head: block,
                epoch,
                stride: self.stride,
            };
            for (_, value) in &self.page {
                spans::write_parts(index, &span, value, self.logging);
            }
        }
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
