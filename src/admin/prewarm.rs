//! Making an index quick before queries ask for it, after a restart or on a standby: loading it into memory, and
//! building the shards that a standby does not have yet.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::privileges::require_select;
use super::size;
use crate::error::report;
use crate::maintenance::{self, Foreground, Inspect, Job, Stopped};
use crate::relation::{Index, in_recovery};
use crate::storage::buffer::{Locked, Shared};
use crate::storage::directory::{self, Directory};
use crate::storage::shard_file;
use crate::storage::update::Logging;

/// Bytes read from a file at once, between two checks for interrupts.
const PIECE_BYTES: usize = 1 << 20;

/// How often to begin anew with the shards that are missing when the primary replaces what is being built.
const ATTEMPTS: usize = 5;

/// Reads the log pages into shared buffers and the shard files into the operating system's cache. Returns the bytes
/// read. Shard files that are missing are built first on a standby, which does not get them from its primary; elsewhere
/// they are passed over.
#[pg_extern(sql = false)]
fn usearch_prewarm(index: pg_sys::Oid) -> i64 {
    // On a standby the strongest lock that there is for a relation, as builds have it.
    let lock = match in_recovery() {
        true => pg_sys::RowExclusiveLock,
        false => pg_sys::AccessShareLock,
    };
    let opened = super::open(index, lock);
    let index = opened.handle();
    require_select(index, "Loading an index into memory");
    if in_recovery() {
        build_missing(index);
    }
    let directory = directory::read(index);
    load_log(index, &directory) + load_shards(index, &directory)
}

/// Builds the shards that a standby lacks. What cannot be built is a warning: the rest is loaded all the same.
fn build_missing(index: Index<'_>) {
    let _lock = super::lock_maintenance(index);
    for _ in 0..ATTEMPTS {
        pgrx::check_for_interrupts!();
        let mut watcher = Foreground;
        let mut job = Job::foreground(index, Logging::EachChange, &mut watcher);
        match job.rebuild_unusable(Inspect::Header) {
            // What was read has changed since: the next attempt knows the new directory.
            Err(Stopped::Changed(mismatch)) => mismatch.confirm(index),
            Err(why) => return maintenance::warn(index, why),
            Ok(_) => return,
        }
    }
}

fn load_log(index: Index<'_>, directory: &Directory) -> i64 {
    let mut blocks = 0;
    for block in directory.segments().flat_map(|segment| segment.blocks()) {
        pgrx::check_for_interrupts!();
        drop(Locked::<Shared>::read(index, block));
        blocks += 1;
    }
    blocks * i64::from(pg_sys::BLCKSZ)
}

fn load_shards(index: Index<'_>, directory: &Directory) -> i64 {
    let mut piece = vec![0; PIECE_BYTES];
    let mut loaded = 0;
    for id in size::shard_ids(directory) {
        let path = shard_file::path(index.locator(), &id);
        match load_file(&path, &mut piece, &mut loaded) {
            Ok(()) => {}
            // On a standby that is how it is; elsewhere searches warn.
            Err(why) if why.kind() == ErrorKind::NotFound => {}
            Err(why) => warn(&path, &why),
        }
    }
    loaded
}

/// Reads a file to its end and adds the bytes to `loaded`. Not through a mapping: if the file
/// were truncated meanwhile, that would raise SIGBUS.
fn load_file(path: &Path, piece: &mut [u8], loaded: &mut i64) -> io::Result<()> {
    let mut file = File::open(path)?;
    loop {
        pgrx::check_for_interrupts!();
        match file.read(piece) {
            Ok(0) => return Ok(()),
            Ok(bytes) => *loaded += bytes as i64,
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
}

fn warn(path: &Path, why: &io::Error) {
    report(
        PgSqlErrorCode::ERRCODE_IO_ERROR,
        format!("could not read shard file \"{}\": {why}", path.display()),
    )
    .detail("The rest of the index is loaded.")
    .hint("Call usearch_seal(index) to rebuild the shard.")
    .warn();
}
