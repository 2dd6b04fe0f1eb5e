//! Sealing: from closed log segments to published shards.
//!
//! The graph is built on threads of ours, which never call PostgreSQL; the backend's own thread
//! reads the log before and waits meanwhile, watching for cancel and shutdown.

use std::io;
use std::time::Duration;

use iscc_hnsw::build::{BuildControl, BuiltShard, ShardBuilder, ShardIdentity, estimated_file_bytes};
use iscc_hnsw::directory::{STATE_CLOSED, STATE_SEALED, Segment};
use iscc_hnsw::log_page::is_alive;
use iscc_hnsw::ranges::EntryRange;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::options::IndexOptions;
use crate::compat::{self, locator};
use crate::error::report;
use crate::storage::buffer::relation_name;
use crate::storage::directory::{self, META_BLOCK};
use crate::storage::log;
use crate::storage::shard_cache;
use crate::storage::shard_file::{self, Published, ShardId};
use crate::storage::update::Logging;

/// The id of a segment that has nothing to search: no code was alive when it was sealed.
pub const NO_SHARD: ShardId = [0; 16];

/// What a seal did.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sealed {
    /// Entries in the shards built.
    pub entries: i64,
    /// Shards built.
    pub shards: u32,
}

/// Whether to wait for another session that maintains the same index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Wait for it.
    Yes,
    /// Leave the work to it.
    No,
}

/// The maintenance lock of an index: at most one session seals, merges or reclaims. Released at the
/// end of the transaction when an error cuts in.
pub struct Maintenance(pg_sys::Relation);

impl Maintenance {
    const MODE: i32 = pg_sys::ExclusiveLock as i32;

    /// Takes the lock; None when somebody else has it and we do not wait.
    pub fn lock(index: pg_sys::Relation, wait: Wait) -> Option<Self> {
        // SAFETY: the caller holds the index open.
        let locked = unsafe {
            match wait {
                Wait::Yes => {
                    pg_sys::LockPage(index, META_BLOCK, Self::MODE);
                    true
                }
                Wait::No => pg_sys::ConditionalLockPage(index, META_BLOCK, Self::MODE),
            }
        };
        locked.then_some(Maintenance(index))
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: locked by us; the caller holds the index open.
            unsafe { pg_sys::UnlockPage(self.0, META_BLOCK, Self::MODE) };
        }
    }
}

/// Reports progress while a graph is built: nodes done, nodes in all.
pub type OnProgress<'a> = &'a mut dyn FnMut(u64, u64);

/// How closely to look at existing shards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inspect {
    /// Whether the file is there and is the right one.
    Header,
    /// Every byte of it, and that every node can be reached.
    Everything,
}

/// Seals the tail and whatever else lacks a usable shard. The caller holds the maintenance lock (or
/// is the only one that knows the index).
pub fn seal_all(
    index: pg_sys::Relation,
    options: &IndexOptions,
    inspect: Inspect,
    logging: Logging,
    on_progress: OnProgress<'_>,
) -> io::Result<Sealed> {
    let mut sealed = Sealed::default();
    // SAFETY: the caller holds the index open.
    if unsafe { (*(*index).rd_rel).relpersistence } == pg_sys::RELPERSISTENCE_TEMP as std::ffi::c_char {
        return Ok(sealed);
    }
    directory::close_open(index, logging);
    for (id, segments) in shards(&directory::read(index)) {
        if has_usable_shard(index, &id, &segments, inspect) {
            continue;
        }
        sealed.entries += seal_one(index, options, id, &segments, logging, on_progress)?;
        sealed.shards += 1;
    }
    Ok(sealed)
}

/// The segments of the directory by shard; a closed one stands alone, with [`NO_SHARD`].
pub fn shards(directory: &directory::Directory) -> Vec<(ShardId, Vec<Segment>)> {
    let mut groups: Vec<(ShardId, Vec<Segment>)> = Vec::new();
    for &segment in &directory.listed {
        let id = segment.shard_id;
        match groups.iter_mut().find(|(known, _)| id != NO_SHARD && *known == id) {
            Some((_, members)) => members.push(segment),
            None => groups.push((id, vec![segment])),
        }
    }
    groups
}

fn has_usable_shard(index: pg_sys::Relation, id: &ShardId, segments: &[Segment], inspect: Inspect) -> bool {
    if !segments.iter().all(directory::is_sealed) {
        return false;
    }
    if *id == NO_SHARD {
        return true;
    }
    match shard_cache::open(&shard_file::path(locator(index), id), id, segments) {
        Ok(shard) => inspect == Inspect::Header || shard.verify().is_empty(),
        Err(_) => false,
    }
}

/// True when a sealed segment's shard is missing or cannot be used.
pub fn lacks_shards(index: pg_sys::Relation, directory: &directory::Directory) -> bool {
    shards(directory).iter().any(|(id, segments)| {
        segments.iter().all(directory::is_sealed) && !has_usable_shard(index, id, segments, Inspect::Header)
    })
}

/// Builds the shard of these segments and lists it. A shard whose file was lost keeps its id.
/// Returns the number of entries in it.
fn seal_one(
    index: pg_sys::Relation,
    options: &IndexOptions,
    known_id: ShardId,
    segments: &[Segment],
    logging: Logging,
    on_progress: OnProgress<'_>,
) -> io::Result<i64> {
    let started = std::time::Instant::now();
    let id = if known_id == NO_SHARD {
        shard_file::new_id()
    } else {
        known_id
    };
    check_memory(options, segments)?;
    let (builder, counts) = collect(index, options, segments);
    let entries = builder.len() as i64;
    if entries == 0 {
        list(index, segments, &counts, NO_SHARD, 0, logging);
        return Ok(0);
    }
    let built = build(builder, on_progress);
    let nodes = built.nodes();
    let identity = ShardIdentity {
        id,
        ranges: segments
            .iter()
            .map(|s| EntryRange {
                start_block: s.start_block.get(),
                block_count: s.block_count.get(),
                slots_per_block: s.slots_per_block(),
            })
            .collect(),
        built_at: unix_time(),
    };
    let published: Published = shard_file::publish(locator(index), &id, |out| built.write(out, &identity))?;
    list(index, segments, &counts, id, nodes, logging);
    log_sealed(index, entries, nodes, published.bytes, started.elapsed());
    Ok(entries)
}

/// Fails unless the system would give the memory that a build takes, about twice the size of its file. An allocation
/// that fails later, inside the build, would end the process, and with it the server's other sessions.
fn check_memory(options: &IndexOptions, segments: &[Segment]) -> io::Result<()> {
    let entries: u64 = segments.iter().map(|s| u64::from(s.entries.get())).sum();
    let stride = segments.iter().map(|s| s.stride.get()).max().unwrap_or(1);
    let bytes = 2 * estimated_file_bytes(entries, &options.build_params(stride, 1));
    let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // Not touched, so it costs no memory; given back at once.
    Vec::<u8>::new()
        .try_reserve_exact(bytes)
        .map_err(|_| io::ErrorKind::OutOfMemory.into())
}

fn log_sealed(index: pg_sys::Relation, entries: i64, nodes: u32, bytes: u64, time: Duration) {
    // DEBUG1, as autovacuum is silent by default, too.
    pgrx::debug1!(
        "sealed {entries} entries ({nodes} distinct codes) of index \"{}\" into a shard of {bytes} bytes in {} ms",
        relation_name(index),
        time.as_millis()
    );
}

/// Entries without a code and dead entries of one segment.
#[derive(Clone, Copy, Default)]
struct Counts {
    nulls: u32,
    dead: u32,
}

/// Reads the entries alive of these segments, in the order of the shard's ordinals.
fn collect(index: pg_sys::Relation, options: &IndexOptions, segments: &[Segment]) -> (ShardBuilder, Vec<Counts>) {
    let stride = segments.iter().map(|s| s.stride.get()).max().unwrap_or(1);
    let mut builder = ShardBuilder::new(options.build_params(stride, build_threads()));
    let mut all_counts = Vec::with_capacity(segments.len());
    let mut base = 0;
    for segment in segments {
        let mut counts = Counts::default();
        log::for_each_page(index, segment, |block, page| {
            let first = base + (block - segment.start_block.get()) * u32::from(segment.slots_per_block());
            for slot in 0..page.len() {
                match (page.code(slot), page.tid(slot)) {
                    (None, _) => counts.nulls += 1,
                    (Some(_), Some(tid)) if !is_alive(&tid) => counts.dead += 1,
                    (Some(code), _) => builder.push(first + slot as u32, code),
                }
            }
        });
        base += segment.block_count.get() * u32::from(segment.slots_per_block());
        all_counts.push(counts);
    }
    (builder, all_counts)
}

/// Threads of one build: as many as PostgreSQL would use for building an index in parallel.
fn build_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    // SAFETY: the value of a server setting.
    let workers = unsafe { pg_sys::max_parallel_maintenance_workers }.max(0) as usize;
    cores.min(workers + 1)
}

/// Runs the build on other threads while this one watches for interrupts. Raises the pending error
/// when it was cancelled.
fn build(builder: ShardBuilder, on_progress: OnProgress<'_>) -> BuiltShard {
    let control = BuildControl::new();
    let result = std::thread::scope(|scope| {
        // Whatever leaves this scope early must stop the threads: the scope waits for them.
        let _stop = CancelOnDrop(&control);
        let worker = with_signals_blocked(|| scope.spawn(|| builder.build(&control)));
        while !worker.is_finished() {
            std::thread::sleep(Duration::from_millis(2));
            on_progress(control.done(), control.total());
            if wants_to_stop() {
                control.cancel();
            } else {
                // Barriers and the like; they must not wait for the build.
                pgrx::check_for_interrupts!();
            }
        }
        worker.join()
    });
    match result {
        Ok(Ok(built)) => built,
        Ok(Err(_cancelled)) => {
            pgrx::check_for_interrupts!();
            report(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, "canceled building a shard").raise()
        }
        Err(_panic) => report(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            "a thread failed while building a shard",
        )
        .raise(),
    }
}

struct CancelOnDrop<'a>(&'a BuildControl);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn wants_to_stop() -> bool {
    // SAFETY: flags set by signal handlers; single words.
    unsafe {
        (&raw const pg_sys::QueryCancelPending).read_volatile() != 0
            || (&raw const pg_sys::ProcDiePending).read_volatile() != 0
    }
}

/// Runs `start` with all signals blocked, so that threads started in it inherit that: PostgreSQL's
/// handlers must run on its own thread only.
fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: plain calls with valid sets; the old mask is put back.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        let mut old = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut old);
        let result = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &old, std::ptr::null_mut());
        result
    }
}

/// Puts the shard into the directory.
fn list(index: pg_sys::Relation, segments: &[Segment], counts: &[Counts], id: ShardId, nodes: u32, logging: Logging) {
    directory::update_segments(index, logging, |listed| {
        let Some(at) = segments.iter().position(|s| directory::same(s, listed)) else {
            return false;
        };
        listed.state = STATE_SEALED;
        listed.shard_id = id;
        // The nodes of a shard are counted once, in its first segment.
        listed.nodes = if at == 0 { nodes } else { 0 }.into();
        listed.nulls = counts[at].nulls.into();
        listed.dead = counts[at].dead.into();
        true
    });
}

/// Number of entries not yet in a shard: what every search scans exactly.
pub fn tail_entries(directory: &directory::Directory) -> u64 {
    let closed: u64 = directory
        .listed
        .iter()
        .filter(|segment| segment.state == STATE_CLOSED)
        .map(|segment| u64::from(segment.entries.get()))
        .sum();
    let open = directory.header.open_segment().map_or(0, |open| {
        u64::from(open.block_count.get()) * u64::from(open.slots_per_block())
    });
    closed + open
}

fn unix_time() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64)
}

/// Raises the error for a shard file that could not be written.
pub fn raise_io(index: pg_sys::Relation, why: &io::Error) -> ! {
    io_report(index, why).raise()
}

/// Warns that a shard file could not be written: the answers stay right without it.
pub fn warn_io(index: pg_sys::Relation, why: &io::Error) {
    io_report(index, why).warn();
}

fn io_report(index: pg_sys::Relation, why: &io::Error) -> crate::error::Report {
    let code = match why.kind() {
        io::ErrorKind::StorageFull => PgSqlErrorCode::ERRCODE_DISK_FULL,
        io::ErrorKind::PermissionDenied => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        io::ErrorKind::OutOfMemory => {
            return report(
                PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
                format!(
                    "not enough memory to build a shard of index \"{}\"",
                    relation_name(index)
                ),
            )
            .hint("Building takes about twice the size of the shard file; make the index with a smaller shard_size.");
        }
        _ => PgSqlErrorCode::ERRCODE_IO_ERROR,
    };
    report(
        code,
        format!("could not write a shard of index \"{}\": {why}", relation_name(index)),
    )
    .detail(format!(
        "Shards are files in \"{}\" below the data directory.",
        shard_file::DIRECTORY
    ))
}

/// Raises an error unless the server can write.
pub fn require_primary(function: &str) {
    // SAFETY: reads shared state.
    if unsafe { pg_sys::RecoveryInProgress() } {
        report(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            format!("cannot execute {function}() during recovery"),
        )
        .raise();
    }
}

/// Raises an error unless the current user owns the index.
pub fn require_owner(index: pg_sys::Relation) {
    // SAFETY: the caller holds the index open.
    let oid = unsafe { (*index).rd_id };
    if !compat::owns_relation(oid) {
        report(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of index {}", relation_name(index)),
        )
        .raise();
    }
}
