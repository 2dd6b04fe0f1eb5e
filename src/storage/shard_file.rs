//! Names of shard files, and writing one so that it is there whole or not at all.
//!
//! A file is `iscc_usearch/<name>` below the data directory; [`ShardName`] says what the name tells.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use iscc_hnsw::shard::file_name::ShardName;
use pgrx::pg_sys;

use crate::compat::Locator;
use crate::failpoint::failpoint;
use crate::server;

/// Directory of all shard files, below the data directory, which is a backend's working directory.
pub const DIRECTORY: &str = "iscc_usearch";
/// Files being written; base backups leave out what has this name.
const TEMPORARY_PREFIX: &str = "pgsql_tmp_";

/// Identity of a shard.
pub type ShardId = [u8; 16];

/// What a file name says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileName {
    /// A published shard.
    Shard(Locator, ShardId),
    /// A file being written, or left by a writer that died.
    Temporary,
}

/// A new random id.
pub fn new_id() -> ShardId {
    let mut id = [0; 16];
    // SAFETY: fills the 16 bytes given.
    let ok = unsafe { pg_sys::pg_strong_random(id.as_mut_ptr().cast(), id.len()) };
    if !ok {
        crate::error::report(
            pgrx::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            "could not generate a shard id",
        )
        .raise();
    }
    id
}

/// The id in hexadecimal.
pub fn hex(id: &ShardId) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

/// Path of a published shard, relative to the data directory.
pub fn path(at: Locator, id: &ShardId) -> PathBuf {
    let name = ShardName {
        tablespace: at.tablespace,
        database: at.database,
        relation: at.number,
        id: *id,
    };
    Path::new(DIRECTORY).join(name.to_string())
}

/// Path of a file being written by this process. The process is part of it, because an id is not enough: a copy of a
/// database has the ids of its template, and may be rebuilding the same shard.
fn temporary_path(id: &ShardId) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{TEMPORARY_PREFIX}{}_{}", std::process::id(), hex(id)))
}

/// Understands a file name; None for one that is not ours.
pub fn parse_name(name: &str) -> Option<FileName> {
    if name.starts_with(TEMPORARY_PREFIX) {
        return Some(FileName::Temporary);
    }
    ShardName::parse(name).map(|name| {
        let at = Locator {
            tablespace: name.tablespace,
            database: name.database,
            number: name.relation,
        };
        FileName::Shard(at, name.id)
    })
}

/// A shard file under its final name, not yet known to be listed. While this lives, the sweep
/// leaves the file alone; if the writer dies, the lock dies with it.
pub struct Published {
    _locked: File,
    /// Size in bytes.
    pub bytes: u64,
}

/// Writes a file under a temporary name, makes it durable and gives it its final name.
///
/// `write` gets the file; it is removed again when anything fails.
pub fn publish(
    at: Locator,
    id: &ShardId,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<u64>,
) -> io::Result<Published> {
    create_directory()?;
    let temporary = temporary_path(id);
    // One of this name was left by a process that had our number and died: an index has one writer at a time.
    let _ = std::fs::remove_file(&temporary);
    let result = write_and_rename(&temporary, &path(at, id), write);
    if result.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn write_and_rename(
    temporary: &Path,
    target: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<u64>,
) -> io::Result<Published> {
    let file = create_locked(temporary)?;
    failpoint!("shard_created");
    let mut out = BufWriter::with_capacity(1 << 20, &file);
    let bytes = write(&mut out)?;
    // The end of the file is still in memory.
    failpoint!("shard_half_written");
    out.flush()?;
    drop(out);
    if server::fsync() {
        file.sync_all()?;
    }
    failpoint!("shard_before_rename");
    std::fs::rename(temporary, target)?;
    failpoint!("shard_after_rename");
    sync_directory(Path::new(DIRECTORY))?;
    Ok(Published { _locked: file, bytes })
}

unsafe extern "C" {
    /// Set once at server start, from the data directory's permissions.
    safe static pg_file_create_mode: std::ffi::c_int;
}

/// Creates a file and locks it; the sweep takes what is not locked, so it may have to be done again.
fn create_locked(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let mode = pg_file_create_mode as u32;
    loop {
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.lock()?;
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

fn create_directory() -> io::Result<()> {
    if Path::new(DIRECTORY).is_dir() {
        return Ok(());
    }
    const NAME: &CStr = c"iscc_usearch";
    debug_assert_eq!(NAME.to_str(), Ok(DIRECTORY));
    if server::make_directory(NAME) != 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(error);
        }
    }
    sync_directory(Path::new("."))
}

/// Makes the names in a directory durable, unless the server's `fsync` setting is off.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    if server::fsync() {
        File::open(directory)?.sync_all()
    } else {
        Ok(())
    }
}
