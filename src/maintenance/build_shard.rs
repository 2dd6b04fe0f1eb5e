//! One shard: read its part of the log, build, write, and let the directory point to it.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use iscc_hnsw::build::{BuiltShard, ShardBuilder, estimated_file_bytes};
use iscc_hnsw::shard::ShardIdentity;
use iscc_hnsw::shard::ranges::EntryRange;
use iscc_log::allocation;
use iscc_log::directory::{STATE_SEALED, Segment};
use iscc_log::log_page::is_alive;
use pgrx::pg_sys;

use super::context::{Done, Job, Stopped, What, milliseconds};
use super::threads;
use crate::error;
use crate::failpoint::failpoint;
use crate::relation::{Index, in_recovery};
use crate::storage::definition::IndexOptions;
use crate::storage::directory::{self, NO_SHARD};
use crate::storage::log::{self, Mismatch};
use crate::storage::shard_file::{self, Published, ShardId};
use crate::storage::update::Logging;

/// What was read of the log for a shard.
struct Collected {
    builder: ShardBuilder,
    /// For each segment.
    counts: Vec<Counts>,
    /// Where in WAL the last change of these pages ends.
    lsn: u64,
}

/// The entries of a segment that are no nodes of its shard.
#[derive(Clone, Copy, Default)]
struct Counts {
    nulls: u32,
    dead: u32,
    dead_nulls: u32,
}

impl Job<'_> {
    /// Builds a shard from `sources` and lists it. `replaced` are the segments that the directory has now for the same
    /// blocks, `freed` those whose entries were moved to the sources.
    pub(super) fn build_shard(
        &mut self,
        id: ShardId,
        sources: &[Segment],
        replaced: &[Segment],
        freed: &[Segment],
        what: What,
    ) -> Result<Done, Stopped> {
        let started = Instant::now();
        let sources = allocation::joined(sources);
        let name = self.index.name();
        self.watcher.begin(&format!("{} index \"{name}\"", what.doing));
        check_memory(&self.options, &sources)?;
        let Collected { builder, counts, lsn } = self.collect(&sources)?;
        let entries = builder.len() as i64;
        if entries == 0 {
            self.list(&sources, &counts, NO_SHARD, 0, what.level, replaced, freed)?;
            self.unlink_replaced(&NO_SHARD, replaced, freed);
            return Ok(Done::default());
        }
        let busy = [replaced, freed].concat();
        let built = threads::run(builder, self.threads, self.watcher, &busy)?;
        let nodes = built.nodes();
        let identity = ShardIdentity {
            id,
            ranges: sources.iter().map(entry_range).collect(),
            built_at: unix_time(),
            lsn,
        };
        // A shard that is listed already must not know of a change that a crash can take back: it would lack a row.
        self.flush_wal_to(lsn);
        let published = self.publish(&built, &identity)?;
        failpoint!("shard_before_list");
        self.list(&sources, &counts, id, nodes, what.level, replaced, freed)?;
        failpoint!("shard_after_list");
        self.unlink_replaced(&id, replaced, freed);
        error::log(format!(
            "{} {entries} entries ({nodes} distinct codes) of index \"{name}\" into a shard of {} bytes in {} ms",
            what.verb,
            published.bytes,
            milliseconds(started)
        ));
        Ok(Done {
            shards: 1,
            entries,
            ..Done::default()
        })
    }

    fn publish(&mut self, built: &BuiltShard, identity: &ShardIdentity) -> Result<Published, Stopped> {
        let mut stopped = false;
        let result = shard_file::publish(self.index.locator(), &identity.id, |out| {
            let mut out = Watched {
                out,
                unwatched: 0,
                stop: || {
                    stopped = threads::wants_to_stop() || self.watcher.must_yield();
                    stopped
                },
            };
            built.write(&mut out, identity)
        });
        if stopped {
            pgrx::check_for_interrupts!();
            return Err(Stopped::Yielded);
        }
        Ok(result?)
    }

    /// Reads the entries alive of these segments, in the order of the shard's ordinals.
    fn collect(&self, segments: &[Segment]) -> Result<Collected, Mismatch> {
        let stride = segments.iter().map(|s| s.stride.get()).max().unwrap_or(1);
        let mut builder = ShardBuilder::new(self.options.build_params(stride, self.threads.count));
        let mut all_counts = Vec::with_capacity(segments.len());
        let mut base = 0;
        let mut lsn = 0;
        for segment in segments {
            let mut counts = Counts::default();
            log::for_each_page(self.index, segment, |block, page| {
                lsn = lsn.max(page.lsn());
                let first = base + (block - segment.start_block.get()) * u32::from(segment.slots_per_block());
                for slot in 0..page.len() {
                    let alive = page.tid(slot).is_some_and(|tid| is_alive(&tid));
                    match page.code(slot) {
                        Some(code) if alive => builder.push(first + slot as u32, code),
                        Some(_) => counts.dead += 1,
                        None => {
                            counts.nulls += 1;
                            counts.dead_nulls += u32::from(!alive);
                        }
                    }
                }
            })?;
            base += segment.block_count.get() * u32::from(segment.slots_per_block());
            all_counts.push(counts);
        }
        Ok(Collected {
            builder,
            counts: all_counts,
            lsn,
        })
    }

    /// Makes WAL durable up to there, where the index's changes are logged one by one.
    fn flush_wal_to(&self, lsn: u64) {
        if self.logging == Logging::EachChange && self.index.needs_wal() && !in_recovery() {
            // SAFETY: the end of a record that was inserted.
            unsafe { pg_sys::XLogFlush(lsn) };
        }
    }

    /// Puts the shard into the directory. On a standby it is there already: the file is all that was missing. A file that
    /// is not listed in the end is left to the sweep.
    fn list(
        &self,
        sources: &[Segment],
        counts: &[Counts],
        id: ShardId,
        nodes: u32,
        level: u8,
        replaced: &[Segment],
        freed: &[Segment],
    ) -> Result<(), Stopped> {
        if in_recovery() {
            return Ok(());
        }
        let listed: Vec<Segment> = sources
            .iter()
            .zip(counts)
            .enumerate()
            .map(|(at, (segment, counts))| Segment {
                // The nodes of a shard are counted once, in its first segment.
                nodes: if at == 0 { nodes } else { 0 }.into(),
                nulls: counts.nulls.into(),
                dead: counts.dead.into(),
                dead_nulls: counts.dead_nulls.into(),
                state: STATE_SEALED,
                shard_id: id,
                level,
                ..*segment
            })
            .collect();
        self.exchange(replaced, &listed, freed)
    }

    /// Changes the directory as [`Directory::exchange`](directory::Directory::exchange) does.
    pub(super) fn exchange(&self, replaced: &[Segment], new: &[Segment], freed: &[Segment]) -> Result<(), Stopped> {
        directory::change(self.index, self.logging, |d| d.exchange(replaced, new, freed))
            .then_some(())
            .ok_or(Stopped::Overtaken)
    }

    /// Removes the files of shards that the directory no longer lists. Who has one mapped keeps it until the end of
    /// the scan; a standby's own sweep removes its copies.
    pub(super) fn unlink_replaced(&self, id: &ShardId, replaced: &[Segment], freed: &[Segment]) {
        if in_recovery() {
            return;
        }
        let shards = replaced.iter().chain(freed).map(|segment| segment.shard_id);
        let mut old: Vec<ShardId> = shards.filter(|old| old != id && *old != NO_SHARD).collect();
        old.sort_unstable();
        old.dedup();
        if old.is_empty() {
            return;
        }
        // Were the change lost in a crash, the old files would be wanted again.
        directory::flush(self.index);
        failpoint!("shard_before_unlink");
        for old in &old {
            remove_if_there(&shard_file::path(self.index.locator(), old));
            failpoint!("shard_after_unlink");
        }
    }

    /// Frees segments that have nothing alive in them.
    pub(super) fn free(&mut self, segments: &[Segment]) -> Result<(), Stopped> {
        self.exchange(&[], &[], segments)?;
        failpoint!("move_after_free");
        self.unlink_replaced(&NO_SHARD, &[], segments);
        Ok(())
    }
}

/// A file whose writing ends with an error as soon as somebody wants it to stop.
struct Watched<W, F> {
    out: W,
    /// Bytes since the last look.
    unwatched: usize,
    stop: F,
}

/// Bytes written between two looks.
const LOOK_BYTES: usize = 16 << 20;

impl<W: Write, F: FnMut() -> bool> Write for Watched<W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unwatched += bytes.len();
        if self.unwatched >= LOOK_BYTES {
            self.unwatched = 0;
            if (self.stop)() {
                return Err(io::Error::other("stopped"));
            }
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file that cannot be removed stays for the sweep.
fn remove_if_there(path: &Path) {
    let _ = std::fs::remove_file(path);
}

fn entry_range(segment: &Segment) -> EntryRange {
    EntryRange {
        start_block: segment.start_block.get(),
        block_count: segment.block_count.get(),
        slots_per_block: segment.slots_per_block(),
    }
}

/// Counts the entries alive, NULLs included.
pub fn count_alive(index: Index<'_>, segments: &[Segment]) -> Result<u64, Mismatch> {
    let mut alive = 0;
    for segment in segments {
        log::for_each_page(index, segment, |_, page| {
            let tids = (0..page.len()).filter_map(|slot| page.tid(slot));
            alive += tids.filter(is_alive).count() as u64;
        })?;
    }
    Ok(alive)
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

fn unix_time() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64)
}
