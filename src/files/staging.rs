//! A directory that is made under another name, and gets its own when it is complete.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use crate::server;
use crate::storage::shard_file::{hex, new_id, sync_directory};

/// The mode of files that COPY writes.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// The directory that is being made, for the end of the process: an error that ends it does not unwind.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

fn set_unfinished(path: Option<PathBuf>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

/// Removes what an ended process leaves.
#[pg_guard]
unsafe extern "C-unwind" fn remove_unfinished(_code: i32, _argument: Datum) {
    if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = fs::remove_dir_all(path);
    }
}

/// A directory in the making. Dropping it removes it.
pub struct Staging {
    path: PathBuf,
    target: PathBuf,
}

impl Staging {
    /// Makes a directory beside the target, which must not exist.
    pub fn create(target: &Path) -> io::Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(exists());
        };
        if fs::symlink_metadata(target).is_ok() {
            return Err(exists());
        }
        let mut temporary = name.to_os_string();
        temporary.push(format!(".{}.tmp", hex(&new_id())));
        let path = target.with_file_name(temporary);
        static AT_EXIT: Once = Once::new();
        // SAFETY: the function stays where it is, and needs nothing that ends before it.
        AT_EXIT.call_once(|| unsafe { pg_sys::on_proc_exit(Some(remove_unfinished), Datum::from(0)) });
        DirBuilder::new().mode(DIRECTORY_MODE).create(&path)?;
        set_unfinished(Some(path.clone()));
        let staging = Staging {
            path,
            target: target.to_path_buf(),
        };
        // Whatever the server's mask takes away.
        fs::set_permissions(&staging.path, Permissions::from_mode(DIRECTORY_MODE))?;
        Ok(staging)
    }

    /// A new file in the directory.
    pub fn create_file(&self, name: &str) -> io::Result<File> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(self.path.join(name))?;
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        Ok(file)
    }

    /// Makes a file durable.
    pub fn sync(file: &File) -> io::Result<()> {
        if server::fsync() { file.sync_all() } else { Ok(()) }
    }

    /// Gives the directory its name, unless something has it by now.
    pub fn publish(self) -> io::Result<()> {
        sync_directory(&self.path)?;
        rename_to_new(&self.path, &self.target)?;
        set_unfinished(None);
        sync_directory(self.target.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After it has been published there is nothing of this name.
        let _ = fs::remove_dir_all(&self.path);
        set_unfinished(None);
    }
}

fn exists() -> io::Error {
    io::Error::from_raw_os_error(libc::EEXIST)
}

/// Renames without replacing anything. Where the file system cannot promise that, an empty directory could be replaced.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    let [old, new] = [from, to].map(|path| CString::new(path.as_os_str().as_bytes()).unwrap_or_default());
    // SAFETY: two C strings.
    let result = unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            old.as_ptr(),
            libc::AT_FDCWD,
            new.as_ptr(),
            libc::RENAME_NOREPLACE,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOSYS) if fs::symlink_metadata(to).is_err() => fs::rename(from, to),
        _ => Err(error),
    }
}
