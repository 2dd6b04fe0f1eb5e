//! Files that are not in the operating system's memory, and what processes read from the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of fewer bytes are left alone: what is measured is in larger ones.
const SMALL: u64 = 1 << 20;

/// What a process has read from the disk.
#[derive(Clone, Copy)]
pub struct Reads {
    /// How often it touched memory of a file that had to be read first.
    pub faults: u64,
    /// Bytes read, in whatever way.
    pub bytes: u64,
}

impl Reads {
    /// What a running process has read so far; nothing if it has ended.
    pub fn of(pid: &str) -> Reads {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let (stat, io) = (read("stat"), read("io"));
        // pid (name) state … with major faults as the tenth number after the name, which may contain anything
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let faults = after.split_whitespace().nth(9).and_then(|number| number.parse().ok());
        let bytes = io
            .lines()
            .find_map(|line| line.strip_prefix("read_bytes: ")?.parse().ok());
        Reads {
            faults: faults.unwrap_or(0),
            bytes: bytes.unwrap_or(0),
        }
    }
}

/// Whether a directory's files are on a disk, and not memory themselves.
pub fn is_on_disk(dir: &Path) -> bool {
    let output = Command::new("stat")
        .args(["--file-system", "--format=%T"])
        .arg(dir)
        .output();
    let kind = String::from_utf8_lossy(&output.expect("run stat").stdout)
        .trim()
        .to_string();
    !matches!(kind.as_str(), "tmpfs" | "ramfs")
}

/// The large files of a directory.
pub fn large_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("data directory") {
        let entry = entry.expect("data directory");
        match entry.file_type().expect("type of a file") {
            kind if kind.is_dir() => files.append(&mut large_files(&entry.path())),
            kind if kind.is_file() && entry.metadata().expect("a file").len() >= SMALL => files.push(entry.path()),
            _ => {}
        }
    }
    files
}

/// Writes files to the disk and removes them from the operating system's memory.
pub fn make_cold(files: &[PathBuf]) {
    for file in files {
        let mut dd = Command::new("dd");
        dd.arg(format!("of={}", file.display())).args([
            "oflag=nocache",
            "conv=notrunc,fdatasync",
            "count=0",
            "status=none",
        ]);
        assert!(dd.status().expect("run dd").success(), "dd");
    }
}
