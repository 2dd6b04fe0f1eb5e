//! What can be wrong with a file.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file cannot be read.
#[derive(Debug)]
pub enum FileError {
    /// The system says so.
    Io(io::Error),
    /// The content is not what the format demands: the text says what.
    Damaged(String),
    /// A file that is no damage, but nothing that holds codes.
    Unsupported(String),
    /// It is neither a file nor a directory.
    WrongKind,
    /// More memory than the system gives.
    OutOfMemory,
}

/// A result of reading.
pub type Result<T> = std::result::Result<T, FileError>;

/// The error for damage.
pub(crate) fn damaged<T>(what: impl Into<String>) -> Result<T> {
    Err(FileError::Damaged(what.into()))
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Shorter than it was a moment ago.
            io::ErrorKind::UnexpectedEof => FileError::Damaged("it ends too early".into()),
            _ => FileError::Io(error),
        }
    }
}

impl From<std::collections::TryReserveError> for FileError {
    fn from(_: std::collections::TryReserveError) -> Self {
        FileError::OutOfMemory
    }
}

/// An error with the file that it is about.
#[derive(Debug)]
pub struct Failure {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub error: FileError,
}

impl Failure {
    /// Names the file in an error.
    pub(crate) fn of(path: &Path) -> impl Fn(FileError) -> Failure {
        move |error| Failure {
            path: path.to_path_buf(),
            error,
        }
    }
}
