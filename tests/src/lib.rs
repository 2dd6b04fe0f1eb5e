//! What the whole-cluster tests stand on: private PostgreSQL servers that may be killed, and real codes to fill them.
//!
//! The tests run inside `scripts/with-prefix`, which provides a PostgreSQL with the extension installed:
//! `scripts/with-prefix cargo test -p cluster-tests`.

mod backup;
pub mod churn;
mod cluster;
pub mod codes;
pub mod disk;
pub mod embeddings;
pub mod exact;
mod log;
pub mod plans;
pub mod search;
pub mod sets;

pub use cluster::{Cluster, Connector, Notices, Shutdown};

use std::time::{Duration, Instant};

/// How long anything in a test may take before it counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Polls `condition` until it holds; panics with `what` when it does not in time.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A number that an environment variable sets.
pub fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// SplitMix64: random enough for tests and the same in each run.
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// `count` random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.bits() as u8).collect()
    }
}
