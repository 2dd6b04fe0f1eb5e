//! How far a long step is, with its rate and the time left.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Time between two lines where nobody watches.
const PAUSE: Duration = Duration::from_secs(10);

/// A step of so many rows.
pub struct Progress {
    step: String,
    rows: f64,
    started: Instant,
    shown: Instant,
}

impl Progress {
    /// Begins a step.
    pub fn new(step: impl Into<String>, rows: usize) -> Self {
        let now = Instant::now();
        Self {
            step: step.into(),
            rows: rows as f64,
            started: now,
            shown: now,
        }
    }

    /// Says now and then that so many rows are done.
    pub fn show(&mut self, done: usize) {
        let watched = stderr().is_terminal();
        let pause = if watched { PAUSE / 20 } else { PAUSE };
        if self.shown.elapsed() < pause || done == 0 {
            return;
        }
        self.shown = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = done as f64 / seconds;
        let line = format!(
            "{}: {:.0} %, {rate:.0} rows/s, {:.0} s left",
            self.step,
            100.0 * done as f64 / self.rows,
            (self.rows - done as f64) / rate
        );
        let (before, after) = if watched { ("\r\x1b[K", "") } else { ("", "\n") };
        eprint!("{before}{line}{after}");
        // Progress that cannot be shown is no reason to stop.
        let _ = stderr().flush();
    }

    /// Ends the step: what it took, in seconds.
    pub fn finish(self) -> f64 {
        let seconds = self.started.elapsed().as_secs_f64();
        let before = if stderr().is_terminal() { "\r\x1b[K" } else { "" };
        eprintln!("{before}{}: {:.0} rows/s", self.step, self.rows / seconds);
        seconds
    }
}
