//! Building a graph by a user's function: in this process, as the table's owner.
//!
//! Such a function may do whatever its author likes, and the background worker and VACUUM run as a superuser. So it is
//! called with the rights of the table's owner only, as PostgreSQL calls the functions of index expressions.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use iscc_hnsw::build::{BuiltShard, CollectedValues};
use iscc_hnsw::control::BuildControl;
use iscc_hnsw::opaque::{Distance, Layout};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::context::{Job, Stopped, Watcher, YIELD_INTERVAL};
use super::progress;
use super::snapshot::Snapshot;
use super::subtransaction::{self, Failed};
use crate::error::report;
use crate::metrics::function::{DistanceFunction, Stored};
use crate::metrics::opaque::Argument;
use crate::nodes::{self, functions};
use crate::owner::{SearchPath, as_owner};
use crate::relation::Index;
use crate::server;

/// Calls between two looks at the clock.
const CALLS_PER_LOOK: u32 = 32;

/// What to build.
struct Task<'a> {
    index: Index<'a>,
    layout: Layout,
    collected: CollectedValues,
    title: &'a str,
    watcher: &'a mut dyn Watcher,
}

impl Job<'_> {
    /// Builds a graph of values that only the index's function understands. If the function fails and this job must
    /// not, the result is a shard that says so, after a warning.
    pub(super) fn build_here(&mut self, collected: CollectedValues, title: &str) -> Result<BuiltShard, Stopped> {
        let refusal = BuiltShard::refused(collected.params());
        let index = self.index;
        let task = Task {
            index,
            layout: collected.layout(),
            collected,
            title,
            watcher: &mut *self.watcher,
        };
        if !self.tolerates_functions {
            return task.run();
        }
        if !subtransaction::is_possible() {
            return Err(Stopped::Yielded);
        }
        match subtransaction::run(|| task.run()) {
            Ok(built) => built,
            Err(Failed { message }) => {
                warn_of_failure(index, &message);
                Ok(refusal)
            }
        }
    }
}

fn warn_of_failure(index: Index<'_>, message: &str) {
    report(
        PgSqlErrorCode::ERRCODE_EXTERNAL_ROUTINE_EXCEPTION,
        format!("distance function of index \"{}\" failed: {message}", index.name()),
    )
    .detail("No graph is built of the rows concerned. Queries scan them sequentially: answers stay complete, but take longer.")
    .hint("The next VACUUM tries again. Call usearch_seal(index) to try now.")
    .warn();
}

impl Task<'_> {
    fn run(self) -> Result<BuiltShard, Stopped> {
        as_owner(self.index, SearchPath::Safe, || {
            let snapshot = OwnSnapshot::take();
            let built = self.build(&snapshot);
            drop(snapshot);
            built
        })
    }

    fn build(self, snapshot: &OwnSnapshot) -> Result<BuiltShard, Stopped> {
        let memory = Memory::new();
        // SAFETY: the memory outlives the function, and the index is open.
        let function = unsafe { DistanceFunction::new(self.index, memory.0, Stored::Opaque(self.layout)) };
        let control = BuildControl::new();
        let watched = Watched {
            function: &function,
            control: &control,
            title: self.title,
            watcher: RefCell::new(self.watcher),
            snapshot,
            calls: Cell::new(0),
            looked: Cell::new(Instant::now()),
        };
        let built = self.collected.build(&watched, &control);
        delete(memory);
        built.map_err(|_cancelled| Stopped::Yielded)
    }
}

/// The distance of a build: asks now and then what the process that builds must ask.
struct Watched<'a> {
    function: &'a DistanceFunction<'a>,
    control: &'a BuildControl,
    title: &'a str,
    watcher: RefCell<&'a mut dyn Watcher>,
    snapshot: &'a OwnSnapshot,
    calls: Cell<u32>,
    looked: Cell<Instant>,
}

impl Watched<'_> {
    /// Whether another session wants what the build holds; the function itself looks for interrupts.
    fn look(&self) {
        let calls = self.calls.get().wrapping_add(1);
        self.calls.set(calls);
        if !calls.is_multiple_of(CALLS_PER_LOOK) || self.looked.get().elapsed() < YIELD_INTERVAL {
            return;
        }
        self.looked.set(Instant::now());
        self.snapshot.renew();
        let mut watcher = self.watcher.borrow_mut();
        watcher.progress(self.title, self.control.done(), self.control.total());
        progress::show_done(self.control.done());
        if watcher.must_yield() {
            self.control.cancel();
        }
    }
}

impl Distance for &Watched<'_> {
    type Query = Argument;

    fn prepare(&self, value: &[u8], query: &mut Argument) {
        self.function.prepare(value, query);
    }

    fn distance(&self, row: &[u8], query: &Argument) -> f64 {
        self.look();
        self.function.distance(row, query)
    }
}

/// A memory context for what a function keeps.
struct Memory(pg_sys::MemoryContext);

impl nodes::Argument<pg_sys::MemoryContext> for Memory {
    fn to_raw(self) -> pg_sys::MemoryContext {
        self.0
    }
}

functions! {
    /// Frees it, when nothing in it is used any more.
    fn delete(memory: Memory) = MemoryContextDelete;
}

impl Memory {
    fn new() -> Self {
        let name = c"usearch build";
        let parent = server::memory_context();
        // SAFETY: below the current context, with which it is freed after an error.
        Memory(unsafe { pg_sys::AllocSetContextCreateExtended(parent, name.as_ptr(), 0, 8192, 1 << 23) })
    }
}

/// A snapshot for functions that look at tables, where the process has none. It is renewed all the time, because an old
/// one keeps VACUUM from removing rows.
struct OwnSnapshot(RefCell<Option<Snapshot>>);

impl OwnSnapshot {
    fn take() -> Self {
        OwnSnapshot(RefCell::new((!server::has_snapshot()).then(Snapshot::push)))
    }

    fn renew(&self) {
        let mut snapshot = self.0.borrow_mut();
        if snapshot.take().is_some() {
            *snapshot = Some(Snapshot::push());
        }
    }
}
