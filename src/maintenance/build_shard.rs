//! One shard: beginning it, by reading its part of the log, and publishing it, by writing its file and letting the
//! directory point to it.

use std::io::{self, Write};
use std::time::Instant;

use iscc_hnsw::build::{BuiltShard, CollectedShard, CollectedValues, NextStep, ShardBuilder};
use iscc_hnsw::shard::ShardIdentity;
use iscc_log::directory::{Segment, State};
use iscc_log::log_page::is_alive;

use super::context::{Job, Stopped, WorkDone, milliseconds};
use super::plan::ShardPlan;
use super::progress::{self, Phase};
use super::signals;
use super::threads::{self, GraphBuild};
use crate::error;
use crate::failpoint::failpoint;
use crate::relation::{flush_wal, in_recovery};
use crate::server;
use crate::storage::directory::NO_SHARD;
use crate::storage::log::{self, Mismatch};
use crate::storage::shard_cache::entry_range;
use crate::storage::shard_file::{self, Published, ShardId};
use crate::storage::update::Logging;

/// Bytes written between two checks whether the writer must stop.
const BYTES_BETWEEN_LOOKS: usize = 16 << 20;

/// A shard whose graph is being built. Dropping it ends that, see [`GraphBuild`].
pub struct RunningBuild {
    /// What is built.
    pub plan: ShardPlan,
    /// What to call it in `pg_stat_activity`.
    pub title: String,
    graph: Graph,
    log: LogPart,
    entries: i64,
    started: Instant,
}

/// Where a graph is built.
enum Graph {
    /// On threads.
    OnThreads(GraphBuild),
    /// In this process: done already.
    Built(Box<BuiltShard>),
}

/// The values of a shard, ready to be built.
enum Collected {
    ForThreads(CollectedShard),
    /// For this process, which calls a function.
    ForHere(CollectedValues),
}

impl Collected {
    fn len(&self) -> usize {
        match self {
            Collected::ForThreads(collected) => collected.len(),
            Collected::ForHere(collected) => collected.len(),
        }
    }
}

impl RunningBuild {
    /// True when it can be published.
    pub fn is_finished(&self) -> bool {
        match &self.graph {
            Graph::OnThreads(graph) => graph.is_finished(),
            Graph::Built(_) => true,
        }
    }

    /// How many codes are inserted, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        match &self.graph {
            Graph::OnThreads(graph) => graph.progress(),
            Graph::Built(built) => (built.nodes().into(), built.nodes().into()),
        }
    }
}

/// The part of the log that a shard covers, as it was read.
struct LogPart {
    segments: Vec<Segment>,
    /// For each segment.
    counts: Vec<EntryCounts>,
    /// Where in WAL the last change of its pages ends.
    lsn: u64,
}

/// The entries of a segment that are no nodes of its shard.
#[derive(Clone, Copy, Default)]
struct EntryCounts {
    nulls: u32,
    dead: u32,
    dead_nulls: u32,
}

impl Job<'_> {
    /// Begins to build a shard. None when no code is alive in it: then the directory says so already, and there is no
    /// file.
    pub(super) fn begin(&mut self, plan: ShardPlan) -> Result<Option<RunningBuild>, Stopped> {
        let started = Instant::now();
        let title = format!("{} index \"{}\"", plan.purpose.present_participle(), self.index.name());
        self.watcher.begin(&title);
        let segments = plan.joined_sources();
        let expected = segments.iter().map(|s| u64::from(s.entries)).sum();
        let stride = segments.iter().map(|s| s.stride).max().unwrap_or(1);
        progress::show(plan.purpose, Phase::Reading, 0, expected);
        threads::check_memory(expected, &self.options.build_params(stride, 1))?;
        let (collected, log) = self.collect(segments)?;
        let entries = collected.len() as i64;
        if entries == 0 {
            self.list(&plan, &log, NO_SHARD, 0)?;
            return Ok(None);
        }
        // A build takes long; meanwhile a snapshot for reading catalogs would keep VACUUM from removing rows.
        server::forget_catalog_snapshot();
        progress::show(plan.purpose, Phase::Building, 0, 0);
        let graph = match collected {
            Collected::ForThreads(collected) => Graph::OnThreads(GraphBuild::start(collected, self.threads.are_nice)?),
            Collected::ForHere(collected) => Graph::Built(Box::new(self.build_here(collected, &title)?)),
        };
        Ok(Some(RunningBuild {
            plan,
            title,
            graph,
            log,
            entries,
            started,
        }))
    }

    /// Writes the file of a finished build and lists the shard.
    pub(super) fn publish(&mut self, build: RunningBuild) -> Result<WorkDone, Stopped> {
        let RunningBuild { plan, log, entries, .. } = build;
        let built = match build.graph {
            Graph::OnThreads(graph) => graph.finish(),
            Graph::Built(built) => *built,
        };
        let nodes = built.nodes();
        progress::show(plan.purpose, Phase::Writing, 0, 0);
        let identity = ShardIdentity {
            id: plan.id,
            ranges: log.segments.iter().map(entry_range).collect(),
            built_at: unix_time(),
            lsn: log.lsn,
        };
        // A shard that is listed must not know of a change that a crash can take back: it would lack a row.
        self.flush_wal_to(log.lsn);
        let published = self.write_file(&built, &identity)?;
        failpoint!("shard_before_list");
        self.list(&plan, &log, plan.id, nodes)?;
        if nodes == 0 {
            // Refused.
            return Ok(WorkDone::default());
        }
        error::log(format!(
            "{} {entries} entries ({nodes} distinct) of index \"{}\" into a shard of {} bytes in {} ms",
            plan.purpose.past_participle(),
            self.index.name(),
            published.bytes,
            milliseconds(build.started)
        ));
        Ok(WorkDone {
            shards: 1,
            entries,
            ..WorkDone::default()
        })
    }

    fn write_file(&mut self, built: &BuiltShard, identity: &ShardIdentity) -> Result<Published, Stopped> {
        let mut stopped = false;
        let result = shard_file::publish(self.index.locator(), &identity.id, |out| {
            let mut out = StoppableWriter {
                out,
                bytes_since_look: 0,
                is_to_stop: || {
                    stopped = signals::wants_to_stop() || self.watcher.must_yield();
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

    /// Reads the entries alive of these segments, as often as it takes.
    fn collect(&self, segments: Vec<Segment>) -> Result<(Collected, LogPart), Mismatch> {
        let stride = segments.iter().map(|s| s.stride).max().unwrap_or(1);
        let mut builder = ShardBuilder::new(self.options.build_params(stride, self.threads.count));
        loop {
            let (counts, lsn) = self.push_all(&segments, &mut builder)?;
            match builder.end_pass() {
                NextStep::Pass(again) => builder = again,
                NextStep::Build(collected) => {
                    let part = LogPart { segments, counts, lsn };
                    return Ok((Collected::ForThreads(collected), part));
                }
                NextStep::BuildHere(collected) => {
                    let part = LogPart { segments, counts, lsn };
                    return Ok((Collected::ForHere(collected), part));
                }
            }
        }
    }

    /// Reads the entries alive of these segments, in the order of the shard's ordinals: what else is in each, and where
    /// in WAL the last change of its pages ends.
    fn push_all(&self, segments: &[Segment], builder: &mut ShardBuilder) -> Result<(Vec<EntryCounts>, u64), Mismatch> {
        let value = self.options.comparison.value;
        let mut all_counts = Vec::with_capacity(segments.len());
        let mut base = 0;
        let mut lsn = 0;
        let mut entries = 0;
        for segment in segments {
            let mut counts = EntryCounts::default();
            let mut first = base;
            log::for_each_page(self.index, segment, |block, page| {
                // The parts of a value were written before its page.
                lsn = lsn.max(page.lsn());
                entries += page.len() as u64;
                progress::show_done(entries);
                for slot in 0..page.len() {
                    let alive = page.tid(slot).is_some_and(|tid| is_alive(&tid));
                    match page.code(slot) {
                        // The builder would leave it out, and with it the row.
                        Some(code) if alive && !value.is_sound(code) => {
                            self.index.corrupt(block, "a value does not match its checksum")
                        }
                        Some(code) if alive => builder.push(first + slot as u32, code),
                        Some(_) => counts.dead += 1,
                        None => {
                            counts.nulls += 1;
                            counts.dead_nulls += u32::from(!alive);
                        }
                    }
                }
                first += u32::from(segment.slots_per_page());
            })?;
            base += segment.room() as u32;
            all_counts.push(counts);
        }
        Ok((all_counts, lsn))
    }

    /// Makes WAL durable up to there, if the index's changes are logged one by one.
    fn flush_wal_to(&self, lsn: u64) {
        if self.logging == Logging::EachChange && self.index.needs_wal() && !in_recovery() {
            flush_wal(lsn);
        }
    }

    /// Puts the shard into the directory and removes the files that it replaces. On a standby it is listed already:
    /// only the file was missing. If it cannot be listed, its file is left to the sweep.
    fn list(&mut self, plan: &ShardPlan, log: &LogPart, id: ShardId, nodes: u32) -> Result<(), Stopped> {
        if in_recovery() {
            return Ok(());
        }
        let with_counts = log.segments.iter().zip(&log.counts).enumerate();
        let sealed: Vec<Segment> = with_counts
            .map(|(at, (segment, counts))| Segment {
                // The nodes of a shard are counted once, in its first segment.
                nodes: if at == 0 { nodes } else { 0 },
                nulls: counts.nulls,
                dead: counts.dead,
                dead_nulls: counts.dead_nulls,
                state: State::Sealed,
                shard_id: id,
                level: plan.level,
                ..*segment
            })
            .collect();
        self.exchange(&plan.sources, &sealed, &plan.freed)?;
        failpoint!("shard_after_list");
        self.unlink_replaced(&id, &plan.sources, &plan.freed);
        Ok(())
    }
}

/// A file whose writing ends with an error as soon as it must stop.
struct StoppableWriter<W, F> {
    out: W,
    bytes_since_look: usize,
    is_to_stop: F,
}

impl<W: Write, F: FnMut() -> bool> Write for StoppableWriter<W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes_since_look += bytes.len();
        if self.bytes_since_look >= BYTES_BETWEEN_LOOKS {
            self.bytes_since_look = 0;
            if (self.is_to_stop)() {
                return Err(io::Error::other("stopped"));
            }
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn unix_time() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64)
}
