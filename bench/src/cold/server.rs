//! A server whose memory is limited and whose files can be made cold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cluster_tests::{Cluster, Shutdown};

use super::group::{Group, Reads};

/// Files of fewer bytes are left alone: none of what is measured is in them.
const SMALL: u64 = 1 << 20;

/// What is in memory when a measurement begins, and how much may be.
#[derive(Clone, Copy, PartialEq)]
pub enum State {
    /// All files, without a limit.
    Cached,
    /// What queries have left there, of so many bytes.
    Limited(u64),
    /// Nothing.
    Cold,
}

/// A server in a control group.
pub struct Limited {
    cluster: Cluster,
    // Removed after the server has ended.
    group: Group,
}

impl Limited {
    /// Takes a running server, which has to be restarted to belong to the group.
    pub fn new(cluster: Cluster, group: Group) -> Self {
        Self { cluster, group }
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Starts the server anew in a state; of a limited one nothing is in memory yet.
    pub fn restart_in(&mut self, state: State) {
        self.cluster.stop(Shutdown::Fast);
        let files = files_below(&self.cluster.data_dir());
        drop_pages(&files);
        let limit = match state {
            State::Limited(bytes) => Some(bytes),
            State::Cached | State::Cold => None,
        };
        self.group.limit(limit).expect("limit the memory");
        if state == State::Cached {
            files.iter().for_each(|file| drop(fs::read(file)));
        }
        let cluster = &mut self.cluster;
        self.group.starts(|| cluster.start_server());
    }

    /// What the server's processes have read.
    pub fn reads(&self) -> Reads {
        self.group.reads()
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
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("data directory") {
        let entry = entry.expect("data directory");
        match entry.file_type().expect("type of a file") {
            kind if kind.is_dir() => files.append(&mut files_below(&entry.path())),
            kind if kind.is_file() && entry.metadata().expect("a file").len() >= SMALL => files.push(entry.path()),
            _ => {}
        }
    }
    files
}

/// Writes files to the disk and removes them from the operating system's cache.
fn drop_pages(files: &[PathBuf]) {
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
