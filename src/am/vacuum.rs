//! VACUUM: one pass over the log marks dead entries; afterwards what is due gets sealed.

use std::ffi::c_void;

use iscc_hnsw::directory::Segment;
use iscc_hnsw::log_page::{self, is_alive};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::options::IndexOptions;
use crate::seal::{self, Inspect, Maintenance, Wait};
use crate::storage::buffer::{Lock, LockedBuffer, block_count};
use crate::storage::directory;
use crate::storage::log::{self, item_pointer};
use crate::storage::sweep;
use crate::storage::update::{Logging, Update};

/// VACUUM seals the tail when it has more entries than this: an exact scan of so many costs a query
/// a few microseconds.
const SEAL_TAIL_ENTRIES: u64 = 10_000;

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
        let index = (*info).index;
        let stats = if stats.is_null() { new_stats() } else { stats };
        let Some(callback) = callback else { return stats };
        let mut is_dead = |tid: &log_page::Tid| {
            let mut pointer = item_pointer(tid);
            pg_sys::ffi::pg_guard_ffi_boundary(|| callback(&mut pointer, callback_state))
        };
        let directory = directory::read(index);
        let mut dead_of = Vec::new();
        let mut live = 0u64;
        for segment in directory.segments() {
            let pass = sweep_segment(index, segment, (*info).strategy, &mut is_dead);
            live += pass.live;
            (*stats).tuples_removed += pass.removed as f64;
            dead_of.push((*segment, pass.dead));
        }
        directory::update_segments(index, Logging::EachChange, |listed| {
            let found = dead_of.iter().find(|(s, _)| directory::same(s, listed));
            found.is_some_and(|&(_, dead)| {
                let changed = listed.dead != dead;
                listed.dead = dead.into();
                changed
            })
        });
        (*stats).num_index_tuples = live as f64;
        (*stats).num_pages = block_count(index);
        stats
    }
}

#[derive(Default)]
struct Pass {
    live: u64,
    removed: u64,
    /// Entries with a code that are dead after the pass.
    dead: u32,
}

/// One pass over a segment. Pages without anything to mark are only locked for reading.
fn sweep_segment(
    index: pg_sys::Relation,
    segment: &Segment,
    strategy: pg_sys::BufferAccessStrategy,
    is_dead: &mut impl FnMut(&log_page::Tid) -> bool,
) -> Pass {
    let mut pass = Pass::default();
    let mut to_kill: Vec<usize> = Vec::new();
    for block in segment.blocks() {
        // SAFETY: VACUUM's own delay point; checks for interrupts.
        unsafe { crate::compat::vacuum_delay_point() };
        to_kill.clear();
        let mut buffer = LockedBuffer::read_with(index, block, Lock::Exclusive, strategy);
        let page = log::parse(index, segment, &buffer);
        for slot in 0..page.len() {
            let Some(tid) = page.tid(slot) else { continue };
            let mut alive = is_alive(&tid);
            if alive && is_dead(&tid) {
                to_kill.push(slot);
                alive = false;
            }
            if alive {
                pass.live += 1;
            } else if page.code_len(slot) > 0 {
                pass.dead += 1;
            }
        }
        if !to_kill.is_empty() {
            let mut update = Update::begin(index, Logging::EachChange);
            let page = update.page(&mut buffer);
            for &slot in &to_kill {
                log_page::kill(page, slot);
            }
            update.commit();
            pass.removed += to_kill.len() as u64;
        }
    }
    pass
}

unsafe fn new_stats() -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: a zeroed result is a valid one.
    unsafe { pg_sys::palloc0(size_of::<pg_sys::IndexBulkDeleteResult>()).cast() }
}

/// Ends a VACUUM of the index: seals a large tail, rebuilds lost shards, sweeps orphan files.
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
        let index = (*info).index;
        seal_what_is_due(index);
        sweep::sweep();
        let stats = if stats.is_null() {
            let stats = new_stats();
            (*stats).num_index_tuples = (*info).num_heap_tuples;
            (*stats).estimated_count = (*info).estimated_count;
            stats
        } else {
            stats
        };
        (*stats).num_pages = block_count(index);
        stats
    }
}

fn seal_what_is_due(index: pg_sys::Relation) {
    let directory = directory::read(index);
    let due = seal::tail_entries(&directory) > SEAL_TAIL_ENTRIES || seal::lacks_shards(index, &directory);
    if !due {
        return;
    }
    let Some(_lock) = Maintenance::lock(index, Wait::No) else {
        return;
    };
    let options = IndexOptions::of(index);
    if let Err(why) = seal::seal_all(index, &options, Inspect::Header, Logging::EachChange, &mut |_, _| ()) {
        seal::warn_io(index, &why);
    }
}
