//! VACUUM: one pass over the log marks dead entries; afterwards maintenance does what is due.

use std::ffi::c_void;

use iscc_log::directory::Segment;
use iscc_log::log_page::{self, is_alive};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::compat;
use crate::failpoint::failpoint;
use crate::maintenance::{self, lock};
use crate::memory;
use crate::relation::Index;
use crate::storage::buffer::{Exclusive, Locked};
use crate::storage::directory::{self, Directory};
use crate::storage::log::{self, Mismatch, item_pointer};
use crate::storage::open_segment;
use crate::storage::sweep;
use crate::storage::table::TableExtent;
use crate::storage::update::{Logging, Update};

/// Marks the entries dead whose rows VACUUM removes. Also asks about every entry for CREATE INDEX
/// CONCURRENTLY, which wants to see all TIDs.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambulkdelete(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
    callback: pg_sys::IndexBulkDeleteCallback,
    callback_state: *mut c_void,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: VACUUM passes valid arguments; the result is allocated in its memory context.
    unsafe {
        let index = Index::from_raw((*info).index);
        let stats = if stats.is_null() { new_stats() } else { stats };
        let Some(callback) = callback else { return stats };
        // Now, as the callback runs under a page's lock; later only for a table that has grown meanwhile.
        let mut table = TableExtent::of(index);
        let mut is_dead = |tid: &log_page::Tid, block| {
            table.require(index, tid, block);
            let mut pointer = item_pointer(tid);
            pg_sys::ffi::pg_guard_ffi_boundary(|| callback(&mut pointer, callback_state))
        };
        // Entries must not move to where this has been already.
        let _places = lock::places_shared(index.oid());
        let directory = directory::read(index);
        let mut passes = Vec::new();
        let mut live = 0u64;
        // A move that is not finished yet: its entries are in both places, and both must know which are dead.
        for segment in directory.segments().chain(directory.pending()) {
            let pass = match sweep_segment(index, segment, (*info).strategy, &mut is_dead) {
                Ok(pass) => pass,
                // Used again since: its entries are in a segment that was pending, which comes later.
                Err(mismatch) => {
                    mismatch.confirm(index);
                    continue;
                }
            };
            if segment.is_searchable() {
                live += pass.live;
                (*stats).tuples_removed += pass.removed as f64;
            }
            passes.push((*segment, pass));
        }
        failpoint!("vacuum_before_note");
        remember_dead(index, &directory, &passes);
        failpoint!("vacuum_after_note");
        (*stats).num_index_tuples = live as f64;
        (*stats).num_pages = index.block_count();
        stats
    }
}

#[derive(Default)]
struct Pass {
    live: u64,
    removed: u64,
    /// Entries with a code that are dead after the pass.
    dead: u32,
    /// Entries without one.
    dead_nulls: u32,
}

/// Notes in the directory how many entries are dead. An open segment that is mostly dead is closed, so that its space
/// can be reclaimed.
fn remember_dead(index: Index<'_>, seen: &Directory, passes: &[(Segment, Pass)]) {
    let open = seen.header.open.as_ref();
    let is_open = |segment: &Segment| open.is_some_and(|open| open.is_same(segment));
    if passes
        .iter()
        .any(|(segment, pass)| is_open(segment) && u64::from(pass.dead + pass.dead_nulls) > pass.live)
    {
        open_segment::close_open(index, Logging::EachChange);
    }
    let dead_in = |listed: &Segment| {
        // A segment may have become one with its neighbours since.
        let inside = passes.iter().filter(|(segment, _)| {
            let (part, whole) = (segment.blocks(), listed.blocks());
            listed.has_epoch(segment.epoch) && whole.start <= part.start && part.end <= whole.end
        });
        let (mut blocks, mut dead, mut dead_nulls) = (0, 0, 0);
        for (segment, pass) in inside {
            blocks += segment.block_count;
            dead += pass.dead;
            dead_nulls += pass.dead_nulls;
        }
        (blocks == listed.block_count).then_some((dead, dead_nulls))
    };
    directory::change(index, Logging::EachChange, |directory| {
        for listed in directory.listed.iter_mut().filter(|s| !s.is_free()) {
            if let Some((dead, dead_nulls)) = dead_in(listed) {
                listed.dead = dead;
                listed.dead_nulls = dead_nulls;
            }
        }
    });
}

/// One pass over a segment. Pages without anything to mark are not changed.
fn sweep_segment(
    index: Index<'_>,
    segment: &Segment,
    strategy: pg_sys::BufferAccessStrategy,
    is_dead: &mut impl FnMut(&log_page::Tid, u32) -> bool,
) -> Result<Pass, Mismatch> {
    let mut pass = Pass::default();
    let mut to_kill: Vec<usize> = Vec::new();
    for block in segment.pages() {
        compat::vacuum_delay_point();
        to_kill.clear();
        let mut buffer = Locked::<Exclusive>::read_with(index, block, strategy);
        let page = log::entries(segment, &buffer)?;
        for slot in 0..page.len() {
            let Some(tid) = page.tid(slot) else { continue };
            let mut alive = is_alive(&tid);
            if alive && is_dead(&tid, block) {
                to_kill.push(slot);
                alive = false;
            }
            if alive {
                pass.live += 1;
            } else if page.code_len(slot) > 0 {
                pass.dead += 1;
            } else {
                pass.dead_nulls += 1;
            }
        }
        if !to_kill.is_empty() {
            let mut update = Update::begin(index, Logging::EachChange);
            let page = update.page(&mut buffer);
            for &slot in &to_kill {
                log_page::kill(page, slot);
            }
            update.commit();
            drop(buffer);
            failpoint!("vacuum_between_pages");
            pass.removed += to_kill.len() as u64;
        }
    }
    Ok(pass)
}

fn new_stats() -> *mut pg_sys::IndexBulkDeleteResult {
    memory::store(pg_sys::IndexBulkDeleteResult::default())
}

/// The entries that VACUUM has not found dead, NULLs included.
fn count_live(index: Index<'_>) -> u64 {
    let directory = directory::read(index);
    let noted = |segment: &Segment| u64::from(segment.entries).saturating_sub(segment.all_dead());
    let complete: u64 = directory.complete().map(noted).sum();
    // Nothing is noted of the open segment, which is small.
    let mut open = 0;
    if let Some(segment) = directory.header.open.as_ref() {
        let counted = log::for_each_entries(index, segment, |page| {
            let tids = (0..page.len()).filter_map(|slot| page.tid(slot));
            open += tids.filter(is_alive).count() as u64;
        });
        if let Err(mismatch) = counted {
            mismatch.confirm(index);
        }
    }
    complete + open
}

/// Ends a VACUUM of the index: sees to it that what is due gets done, and sweeps orphan files.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvacuumcleanup(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: VACUUM passes valid arguments.
    unsafe {
        if (*info).analyze_only {
            return stats;
        }
        let index = Index::from_raw((*info).index);
        maintenance::after_vacuum(index);
        sweep::sweep();
        let stats = if stats.is_null() {
            // Not the table's number of rows: a partial index has fewer.
            let stats = new_stats();
            (*stats).num_index_tuples = count_live(index) as f64;
            stats
        } else {
            stats
        };
        (*stats).num_pages = index.block_count();
        (*stats).pages_free = directory::read(index).free_blocks();
        stats
    }
}
