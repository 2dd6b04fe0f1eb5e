//! Shards mapped by this backend.
//!
//! A mapping is shared with all other backends, so it costs address space, not memory. Before each
//! scan the file's length is compared with what was mapped: a file that was truncated would
//! otherwise kill the backend with SIGBUS.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use iscc_hnsw::shard::{EntryRange, Shard};
use iscc_log::directory::Segment;
use memmap2::{Advice, Mmap};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::directory;
use super::disk;
use super::shard_file::{self, ShardId};
use crate::compat::Locator;
use crate::error::{check_for_interrupts, report};
use crate::relation::{Index, in_recovery};

/// A shard in mapped memory.
pub type MappedShard = Shard<Mmap>;

/// Which version of a file was looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Stamp {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

struct Cached {
    relation: pg_sys::Oid,
    stamp: Option<Stamp>,
    shard: Option<Rc<MappedShard>>,
    /// Its codes were checked.
    is_sound: bool,
    /// What this backend had read from the disk when it last looked for the shard.
    reads: disk::Reads,
}

impl Cached {
    /// The shard, to be searched as it is best where its file is: what was read from the disk since the last time was probably
    /// this file.
    fn for_search(&mut self) -> Option<Rc<MappedShard>> {
        let before = std::mem::replace(&mut self.reads, disk::Reads::now());
        let shard = self.shard.as_ref()?;
        shard.set_on_disk(self.reads.are_many_more_than(before));
        Some(shard.clone())
    }
}

thread_local! {
    // A backend has one thread; thread_local is how Rust spells a mutable static without unsafe.
    static CACHE: RefCell<HashMap<(Locator, ShardId), Cached>> = RefCell::default();
}

/// Why a shard cannot be used.
pub enum Unusable {
    /// There is no file.
    Missing,
    /// There is one, but it is not what the directory says.
    Damaged(String),
}

/// What looking for a shard finds.
pub enum Lookup {
    /// The shard, mapped.
    Found(Rc<MappedShard>),
    /// None that can be used.
    Unusable,
    /// One that was built from more of the log than this standby has replayed since it started: it may lack entries that
    /// are alive here.
    NotYet,
    /// Its file is gone because the directory has changed: it was merged into another.
    NoLongerListed,
}

/// Looks for the shard with this id. Reports an unusable one by a WARNING the first time that this backend sees it so.
/// `segments` are those that the directory gives to the shard.
pub fn get(index: Index<'_>, id: &ShardId, segments: &[Segment]) -> Lookup {
    let at = index.locator();
    let path = shard_file::path(at, id);
    let stamp = std::fs::metadata(&path).ok().as_ref().map(Stamp::of);
    let known = CACHE.with_borrow_mut(|cache| {
        let cached = cache.get_mut(&(at, *id)).filter(|cached| cached.stamp == stamp);
        cached.map(Cached::for_search)
    });
    let shard = match known {
        Some(shard) => shard,
        None => match open(&path, id, segments) {
            Ok(shard) => remember(index, id, stamp, Some(Rc::new(shard))),
            Err(Unusable::Missing) if !directory::read(index).lists(id) => return Lookup::NoLongerListed,
            Err(why) => {
                warn(&path, &why, HINT_FOOTER);
                remember(index, id, stamp, None)
            }
        },
    };
    match shard {
        None => Lookup::Unusable,
        Some(shard) if in_recovery() && shard.lsn() > replayed() => Lookup::NotYet,
        Some(shard) => Lookup::Found(shard),
    }
}

/// How far a standby has replayed.
fn replayed() -> u64 {
    // SAFETY: reads shared memory; the timeline is not asked for.
    unsafe { pgrx::pg_sys::GetXLogReplayRecPtr(std::ptr::null_mut()) }
}

/// Whether the codes and posting lists of a shard are as they were written. Reads them all, once for a connection and
/// version of the file: a search that looks at nothing else of a code relies on that.
pub fn has_sound_codes(index: Index<'_>, shard: &MappedShard) -> bool {
    let key = (index.locator(), shard.id());
    if CACHE.with_borrow(|cache| cache.get(&key).is_some_and(|cached| cached.is_sound)) {
        return true;
    }
    let _ = shard.bytes().advise(Advice::Sequential);
    let is_sound = shard.has_sound_codes(&check_for_interrupts);
    advise(shard);
    if is_sound {
        CACHE.with_borrow_mut(|cache| {
            if let Some(cached) = cache.get_mut(&key) {
                cached.is_sound = true;
            }
        });
    } else {
        condemn(key.0, &key.1, "checksums of its codes do not match");
    }
    is_sound
}

fn remember(
    index: Index<'_>,
    id: &ShardId,
    stamp: Option<Stamp>,
    shard: Option<Rc<MappedShard>>,
) -> Option<Rc<MappedShard>> {
    let at = index.locator();
    let cached = Cached {
        relation: index.oid(),
        stamp,
        shard: shard.clone(),
        is_sound: false,
        reads: disk::Reads::now(),
    };
    CACHE.with_borrow_mut(|cache| {
        cache.retain(is_of_use);
        cache.insert((at, *id), cached);
    });
    shard
}

/// Whether the file is still there. The mapping of a removed file, of a dropped index for instance, would keep its disk space.
fn is_of_use((at, id): &(Locator, ShardId), cached: &mut Cached) -> bool {
    cached.shard.is_none() || shard_file::path(*at, id).exists()
}

/// Lets go of shards whose files are gone.
pub fn forget_missing() {
    CACHE.with(|cache| {
        // It is in use when PostgreSQL tells of a change in the middle of our own work: then the next time will do.
        if let Ok(mut cache) = cache.try_borrow_mut() {
            cache.retain(is_of_use);
        }
    });
}

/// Has this backend let go of shards when another session has dropped or rewritten their index.
pub fn watch_relations() {
    // SAFETY: called from _PG_init; the function lives as long as the backend.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_has_changed), pg_sys::Datum::from(0)) };
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_has_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let is_cached = |cache: &RefCell<HashMap<_, Cached>>| {
        let cached = |cache: &HashMap<_, Cached>| cache.values().any(|c| c.relation == relation);
        relation == pg_sys::InvalidOid || cache.try_borrow().is_ok_and(|cache| cached(&cache))
    };
    if CACHE.with(is_cached) {
        forget_missing();
    }
}

/// Stops using a shard that turned out to be wrong, until its file changes.
pub fn condemn(at: Locator, id: &ShardId, why: &str) {
    let in_use = CACHE.with_borrow_mut(|cache| cache.get_mut(&(at, *id)).and_then(|cached| cached.shard.take()));
    if in_use.is_some() {
        warn(&shard_file::path(at, id), &Unusable::Damaged(why.into()), HINT_BODY);
    }
}

/// Lets go of this relation's shards that the directory no longer lists.
pub fn retain(at: Locator, is_listed: impl Fn(&ShardId) -> bool) {
    CACHE.with_borrow_mut(|cache| cache.retain(|(of, id), _| *of != at || is_listed(id)));
}

/// Maps a shard file and checks that it is the one that the directory means.
pub fn open(path: &Path, id: &ShardId, segments: &[Segment]) -> Result<MappedShard, Unusable> {
    let file = File::open(path).map_err(|why| match why.kind() {
        std::io::ErrorKind::NotFound => Unusable::Missing,
        _ => Unusable::Damaged(why.to_string()),
    })?;
    let damaged = |why: &dyn std::fmt::Display| Unusable::Damaged(why.to_string());
    // SAFETY: published files are never changed in place; should somebody else do so, every value
    // read from the mapping is checked before it is used as an offset.
    let map = unsafe { Mmap::map(&file) }.map_err(|why| damaged(&why))?;
    // Before the footer is read: with read-ahead, that would load megabytes beside it.
    let _ = map.advise(Advice::Random);
    let shard = Shard::open(map).map_err(|why| damaged(&why))?;
    advise(&shard);
    // Until it is known better: the first search of a connection is often the first one of all.
    shard.set_on_disk(true);
    if shard.id() != *id {
        return Err(damaged(&"its id does not match its name"));
    }
    let by_start = |range: &EntryRange| range.start_block;
    let mut covered: Vec<EntryRange> = segments.iter().map(entry_range).collect();
    covered.sort_unstable_by_key(by_start);
    let mut ranges = shard.ranges();
    ranges.sort_unstable_by_key(by_start);
    if covered != ranges {
        return Err(damaged(&"its blocks are not those that the directory lists"));
    }
    Ok(shard)
}

/// Tells the operating system how searches read a file that is not in memory. Advice that it does not take costs speed only.
fn advise(shard: &MappedShard) {
    // A graph jumps about: to read more than the page that it wants would only evict others.
    let _ = shard.bytes().advise(Advice::Random);
    if let Some((offset, bytes)) = shard.word_part() {
        let _ = shard.bytes().advise_range(Advice::Sequential, offset, bytes);
    }
}

/// The part of the log that a segment is, as a shard's file has it.
pub fn entry_range(segment: &Segment) -> EntryRange {
    EntryRange {
        start_block: segment.start_block,
        block_count: segment.block_count,
        slots_per_page: segment.slots_per_page(),
        part_blocks: (segment.span_blocks() - 1) as u16,
    }
}

/// What is seen from the end of a file the worker looks for, too; not what only reading all of it shows.
const HINT_FOOTER: &str =
    "The background worker or VACUUM will rebuild it. Call usearch_seal(index) to rebuild it now.";
const HINT_BODY: &str = "Call usearch_seal(index) to rebuild it.";

fn warn(path: &Path, why: &Unusable, hint: &str) {
    // A standby gets the log, not the files: that is no fault.
    if matches!(why, Unusable::Missing) && in_recovery() {
        return;
    }
    let path = path.display();
    let (code, message) = match why {
        Unusable::Missing => (
            PgSqlErrorCode::ERRCODE_UNDEFINED_FILE,
            format!("shard file \"{path}\" does not exist"),
        ),
        Unusable::Damaged(why) => (
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            format!("shard file \"{path}\" cannot be used: {why}"),
        ),
    };
    report(code, message)
        .detail("Queries scan its codes sequentially: answers stay complete, but take longer.")
        .hint(hint)
        .warn();
}
