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
pub use test_random::Random;

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
