//! An index as the package keeps it: one file, or a directory of shards.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Failure, FileError, Result, damaged};
use crate::key::{Key, Sorted};
use crate::npy;
use crate::shard::{Description, Row, ShardFile};
use crate::source::FileSource;

/// Rows read between two pauses.
const ROWS_BETWEEN_PAUSES: u64 = 256;
/// Bytes that one key of a pass over all keys takes.
const KEY_BYTES: u64 = size_of::<(Key, u32)>() as u64;
const TOMBSTONES: &str = "tombstones.npy";
/// Files beside the shards that show that a directory is an index, though one without entries.
const COMPANIONS: [&str; 2] = [TOMBSTONES, "bloom.isbf"];

/// The files of an index, oldest shard first.
pub struct IndexFiles {
    shards: Vec<PathBuf>,
    tombstones: Option<PathBuf>,
    /// Bytes to use for a pass over the keys.
    memory: u64,
}

impl IndexFiles {
    /// Finds the files: `path` itself, or those in the directory. `memory` bounds the bytes that a pass over the keys
    /// of several shards takes.
    ///
    /// # Errors
    /// There is neither, or the directory is not that of an index.
    pub fn find(path: &Path, memory: u64) -> std::result::Result<Self, Failure> {
        let is_directory = fs::metadata(path).map(|metadata| metadata.is_dir());
        let found = match is_directory {
            Ok(true) => find_shards(path),
            Ok(false) => Ok((vec![path.to_path_buf()], None)),
            Err(error) => Err(error.into()),
        };
        let (shards, tombstones) = found.map_err(Failure::of(path))?;
        Ok(Self {
            shards,
            tombstones,
            memory,
        })
    }

    /// Calls `each` with all rows: of a key that several shards hold, the row of the newest; of those with a tombstone,
    /// none. Calls `pause` every now and then, which may unwind.
    ///
    /// # Errors
    /// The first file that cannot be read. Rows before it have been given.
    pub fn read(&self, pause: &dyn Fn(), mut each: impl FnMut(Row<'_>)) -> std::result::Result<(), Failure> {
        let Some(description) = self.check_heads(pause)? else {
            return Ok(());
        };
        let tombstones = self.read_tombstones(description, pause)?;
        let outdated = match description.multi {
            false if self.shards.len() > 1 => self.find_outdated(pause)?,
            _ => Sorted::empty(),
        };
        for (number, path) in (0..).zip(&self.shards) {
            let mut give = |row: Row<'_>| {
                if !tombstones.has(row.key) && !outdated.has((row.key, number)) {
                    each(row);
                }
            };
            read_rows(path, pause, &mut give).map_err(Failure::of(path))?;
        }
        Ok(())
    }

    /// What all shards have in common; None if there are none.
    fn check_heads(&self, pause: &dyn Fn()) -> std::result::Result<Option<Description>, Failure> {
        let mut common = None;
        for path in &self.shards {
            pause();
            let description = open(path).map_err(Failure::of(path))?.description();
            if *common.get_or_insert(description) != description {
                let error = FileError::Damaged("its keys, codes or metric differ from those of the first shard".into());
                return Err(Failure::of(path)(error));
            }
        }
        Ok(common)
    }

    fn read_tombstones(&self, description: Description, pause: &dyn Fn()) -> std::result::Result<Sorted<Key>, Failure> {
        let mut keys = Sorted::empty();
        if let Some(path) = &self.tombstones {
            let read = FileSource::open(path)
                .and_then(|source| npy::read_keys(&source, description.keys, pause, |key| keys.push(key)));
            read.map_err(Failure::of(path))?;
        }
        pause();
        keys.sort();
        Ok(keys)
    }

    /// Keys that a newer shard holds, too, with the number of the shard. Memory bounds how many keys are compared at
    /// once: the shards are read as often as it takes.
    fn find_outdated(&self, pause: &dyn Fn()) -> std::result::Result<Sorted<(Key, u32)>, Failure> {
        let mut nodes = 0;
        for path in &self.shards {
            nodes += open(path).map_err(Failure::of(path))?.nodes();
        }
        let parts = (nodes * KEY_BYTES).div_ceil(self.memory.max(KEY_BYTES)).max(1);
        let mut outdated = Sorted::empty();
        for part in 0..parts {
            let mut keys = Sorted::empty();
            for (number, path) in (0..).zip(&self.shards) {
                let mut take = |key: Key| match key.hash() % parts == part && !key.is_removed() {
                    true => keys.push((key, number)),
                    false => Ok(()),
                };
                read_keys(path, pause, &mut take).map_err(Failure::of(path))?;
            }
            pause();
            keys.sort();
            let pairs = keys.values().windows(2).filter(|pair| pair[0].0 == pair[1].0);
            for pair in pairs {
                outdated.push(pair[0]).map_err(Failure::of(&self.shards[0]))?;
            }
        }
        outdated.sort();
        Ok(outdated)
    }
}

fn open(path: &Path) -> Result<ShardFile<FileSource>> {
    ShardFile::open(FileSource::open(path)?)
}

fn read_rows(path: &Path, pause: &dyn Fn(), each: &mut dyn FnMut(Row<'_>)) -> Result<()> {
    let shard = open(path)?;
    let mut rows = shard.rows();
    for n in 0u64.. {
        if n.is_multiple_of(ROWS_BETWEEN_PAUSES) {
            pause();
        }
        match rows.next()? {
            Some(row) => each(row),
            None => break,
        }
    }
    Ok(())
}

fn read_keys(path: &Path, pause: &dyn Fn(), each: &mut dyn FnMut(Key) -> Result<()>) -> Result<()> {
    let shard = open(path)?;
    let mut rows = shard.rows();
    for n in 0u64.. {
        if n.is_multiple_of(ROWS_BETWEEN_PAUSES) {
            pause();
        }
        match rows.next_key()? {
            Some(key) => each(key)?,
            None => break,
        }
    }
    Ok(())
}

/// The shards of a directory by number, and the file of tombstones.
fn find_shards(directory: &Path) -> Result<(Vec<PathBuf>, Option<PathBuf>)> {
    let mut shards = Vec::new();
    let (mut tombstones, mut is_index) = (None, false);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else {
            continue;
        };
        is_index |= COMPANIONS.contains(&name);
        if name == TOMBSTONES {
            tombstones = Some(path);
        } else if let Some(number) = name
            .strip_prefix("shard_")
            .and_then(|rest| rest.strip_suffix(".usearch"))
        {
            let Ok(number) = number.parse::<u64>() else {
                return damaged(format!("\"{name}\" is not the name of a shard"));
            };
            shards.push((number, path));
        }
    }
    if shards.is_empty() && !is_index {
        return damaged("the directory has no shards");
    }
    shards.sort();
    if shards.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return damaged("two shards have the same number");
    }
    Ok((shards.into_iter().map(|(_, path)| path).collect(), tombstones))
}
