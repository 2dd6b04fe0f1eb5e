//! A server whose memory is limited and whose files can be made cold.

use std::fs;

use cluster_tests::disk::{Reads, large_files, make_cold};
use cluster_tests::{Cluster, Shutdown};

use super::group::Group;

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
        let files = large_files(&self.cluster.data_dir());
        make_cold(&files);
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
