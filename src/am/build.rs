//! CREATE INDEX and REINDEX: scan the table into the log, then build the shards.

use std::ffi::c_char;

use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use crate::maintenance::{self, Inspect, Job, Watcher};
use crate::metrics::opclass::require_usable;
use crate::relation::Index;
use crate::storage::definition::IndexOptions;
use crate::storage::directory;
use crate::storage::log::{Appender, tid_bytes};
use crate::storage::update::Logging;

const PHASE_LOG: i64 = 2;
const PHASE_SHARDS: i64 = 3;

/// Names of the phases in pg_stat_progress_create_index.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildphasename(phase: i64) -> *mut c_char {
    let name = match phase {
        1 => c"initializing",
        PHASE_LOG => c"scanning table",
        PHASE_SHARDS => c"building shards",
        _ => return std::ptr::null_mut(),
    };
    name.as_ptr().cast_mut()
}

fn progress(parameter: u32, value: i64) {
    // SAFETY: writes this backend's own progress entry.
    unsafe { pg_sys::pgstat_progress_update_param(parameter as i32, value) };
}

/// Shows in pg_stat_progress_create_index how far the shards are, all that were begun together.
#[derive(Default)]
struct Progress {
    /// Of the shards that are finished.
    before: u64,
    /// Of the shard that is being built.
    done: u64,
    total: u64,
}

impl Watcher for Progress {
    fn progress(&mut self, _what: &str, done: u64, total: u64) {
        if done < self.done {
            self.before += self.total;
        }
        (self.done, self.total) = (done, total);
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_TOTAL, (self.before + total) as i64);
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, (self.before + done) as i64);
    }
}

struct BuildState {
    appender: Appender,
    options: IndexOptions,
    /// For the copies of a row that had to be fetched from elsewhere.
    row_context: PgMemoryContexts,
    rows: f64,
}

/// Builds a new index. Nothing is logged on the way; all pages are at the end.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuild(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    index_info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: PostgreSQL holds the new index open.
    let index = unsafe { Index::from_raw(index) };
    require_usable(index);
    let options = IndexOptions::of(index);
    options.require_sound(index);
    let logging = Logging::AtEndOfBuild;
    let main = pg_sys::ForkNumber::MAIN_FORKNUM;
    directory::create(index, main, options.metric_code(), logging);

    progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, PHASE_LOG);
    let mut state = BuildState {
        appender: Appender::new(index, logging),
        options,
        row_context: PgMemoryContexts::new("usearch row"),
        rows: 0.0,
    };
    // SAFETY: the executor's arguments; the callback gets `state` back.
    let heap_tuples = unsafe {
        pg_sys::table_index_build_scan(
            heap,
            index.raw(),
            index_info,
            true,
            true,
            Some(add_row),
            std::ptr::from_mut(&mut state).cast(),
            std::ptr::null_mut(),
        )
    };

    progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, PHASE_SHARDS);
    if let Err(why) = Job::foreground(index, logging, &mut Progress::default()).seal_all(Inspect::Header) {
        maintenance::raise(index, why);
    }
    if index.needs_wal() {
        // SAFETY: logs all pages of the new index; they follow the standard page layout.
        unsafe { pg_sys::log_newpage_range(index.raw(), main, 0, index.block_count(), true) };
    }
    // SAFETY: allocated in the caller's memory context.
    unsafe {
        let result = pg_sys::palloc0(size_of::<pg_sys::IndexBuildResult>()).cast::<pg_sys::IndexBuildResult>();
        (*result).heap_tuples = heap_tuples;
        (*result).index_tuples = state.rows;
        result
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn add_row(
    index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut Datum,
    isnull: *mut bool,
    _tuple_is_alive: bool,
    state: *mut std::ffi::c_void,
) {
    // SAFETY: table_index_build_scan passes what ambuild gave it and one value of our type.
    unsafe {
        let state = &mut *state.cast::<BuildState>();
        let (index, options) = (Index::from_raw(index), state.options);
        let BuildState {
            appender,
            row_context,
            rows,
            ..
        } = state;
        row_context.switch_to(|_| {
            let value = if *isnull {
                &[][..]
            } else {
                options.comparison.bytes(*values)
            };
            appender.append(index, value, &tid_bytes(&*tid), || options.limits(index));
        });
        row_context.reset();
        *rows += 1.0;
    }
}

/// Writes the init fork of an unlogged index: an empty metapage, to which a crash resets it.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildempty(index: pg_sys::Relation) {
    // SAFETY: PostgreSQL holds the new index open.
    let index = unsafe { Index::from_raw(index) };
    let options = IndexOptions::of(index);
    options.require_sound(index);
    let fork = pg_sys::ForkNumber::INIT_FORKNUM;
    let logging = Logging::AtEndOfBuild;
    directory::create(index, fork, options.metric_code(), logging);
    // The init fork is logged even though the index is not: replay must recreate it.
    // SAFETY: logs the one page of the init fork.
    unsafe { pg_sys::log_newpage_range(index.raw(), fork, 0, 1, true) };
}
