//! CREATE INDEX and REINDEX: scan the table into the log, then build the shards.

use std::ffi::c_char;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::catalog;
use crate::error::report;
use crate::maintenance::{self, Inspect, Job, Watcher, subtransaction};
use crate::memory;
use crate::metrics::opclass::{ORDER_STRATEGY, function_of, require_usable};
use crate::nodes::{Node, View};
use crate::planner::inlining::is_inlined;
use crate::relation::Index;
use crate::server;
use crate::storage::definition::IndexOptions;
use crate::storage::directory;
use crate::storage::log::Appender;
use crate::storage::table_scan::{Purpose, for_each_row};
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
    server::show_progress(parameter as i32, value);
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

/// Warns if no query can use the index, because none has the operator that it serves once it is planned.
fn warn_of_inlining(index: Index<'_>) {
    let (family, input) = (index.operator_family(), index.input_type());
    let Some(function) = function_of(family, input).filter(|_| subtransaction::is_possible()) else {
        return;
    };
    let operator = catalog::operator_of_family(family, input, input, ORDER_STRATEGY as i16);
    // A body that cannot be parsed here is an error of whoever calls it.
    let replaced = subtransaction::run(|| is_inlined(operator, input, index.collation()));
    if !matches!(replaced, Ok(true)) {
        return;
    }
    let function = catalog::function_name(function);
    report(
        PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
        format!("no query will use index \"{}\"", index.name()),
    )
    .detail(format!(
        "PostgreSQL replaces calls of {function} by its body when it plans a query. Then the operator is gone that the index \
         serves."
    ))
    .hint(format!(
        "Give the function a SET clause, which prevents that: ALTER FUNCTION {function} SET search_path = pg_catalog."
    ))
    .warn();
}

/// Builds a new index. Nothing is logged on the way; all pages are at the end.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuild(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    index_info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: PostgreSQL holds the new index and its table open.
    let (table, index, info) = unsafe { (Index::from_raw(heap), Index::from_raw(index), Node::view(index_info)) };
    require_usable(index);
    warn_of_inlining(index);
    let options = IndexOptions::of(index);
    options.require_sound(index);
    let logging = Logging::AtEndOfBuild;
    let main = pg_sys::ForkNumber::MAIN_FORKNUM;
    directory::create(index, main, options.metric_code(), logging);

    progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, PHASE_LOG);
    let mut appender = Appender::new(index, logging);
    let mut rows = 0.0;
    let heap_tuples = for_each_row(table, index, info, Purpose::Build, &mut |tid, value| {
        appender.append(index, value, tid, || options.limits(index));
        rows += 1.0;
    });

    progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, PHASE_SHARDS);
    if let Err(why) = Job::foreground(index, logging, &mut Progress::default()).seal_all(Inspect::Header) {
        maintenance::raise(index, why);
    }
    if index.needs_wal() {
        index.log_all_pages(main);
    }
    memory::store(pg_sys::IndexBuildResult {
        heap_tuples,
        index_tuples: rows,
    })
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
    index.log_all_pages(fork);
}
