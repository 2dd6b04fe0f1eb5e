//! Where bytes come from: files, and vectors in tests.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{FileError, Result, damaged};

/// Bytes read at once.
const CHUNK_BYTES: u64 = 1 << 18;

/// Bytes at any offset.
pub trait Source {
    /// How many there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills the buffer with the bytes at an offset.
    ///
    /// # Errors
    /// `UnexpectedEof` if there are fewer.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A regular file, and its length when it was opened.
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    /// Opens a file. It does not wait for the other end of a pipe.
    ///
    /// # Errors
    /// The system's, or that this is no regular file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(FileError::WrongKind);
        }
        Ok(Self {
            file,
            len: metadata.len(),
        })
    }
}

impl Source for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl Source for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let bytes = rest.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// An array of `N` bytes at an offset.
pub(crate) fn array_at<const N: usize>(source: &impl Source, offset: u64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    if offset.checked_add(N as u64).is_none_or(|end| end > source.len()) {
        return damaged("it ends too early");
    }
    source.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

/// Reads on from an offset up to an end, in chunks.
pub(crate) struct Cursor<'a, S> {
    source: &'a S,
    /// Where the next chunk begins.
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    /// How much of the buffer has been taken.
    taken: usize,
}

impl<'a, S: Source> Cursor<'a, S> {
    /// From an offset to an end, which may lie beyond the end of the source.
    pub(crate) fn new(source: &'a S, start: u64, end: u64) -> Self {
        Self {
            source,
            next: start,
            end: end.min(source.len()),
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// The next `count` bytes; the caller has bounded that number.
    pub(crate) fn take(&mut self, count: usize) -> Result<&[u8]> {
        if self.buffer.len() - self.taken < count {
            self.refill(count)?;
        }
        let start = self.taken;
        self.taken += count;
        Ok(&self.buffer[start..start + count])
    }

    /// Reads the next chunk behind what has not been taken, so that there are at least `count` bytes.
    fn refill(&mut self, count: usize) -> Result<()> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let missing = (count - self.buffer.len()) as u64;
        let available = self.end.saturating_sub(self.next);
        if missing > available {
            return damaged("it ends too early");
        }
        let more = missing.max(CHUNK_BYTES).min(available) as usize;
        let have = self.buffer.len();
        self.buffer.try_reserve_exact(more)?;
        self.buffer.resize(have + more, 0);
        self.source.read_at(self.next, &mut self.buffer[have..])?;
        self.next += more as u64;
        Ok(())
    }

    /// Where the next byte is.
    pub(crate) fn position(&self) -> u64 {
        self.next - (self.buffer.len() - self.taken) as u64
    }
}
