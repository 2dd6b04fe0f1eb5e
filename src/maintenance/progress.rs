//! How far this process's maintenance is. It is where PostgreSQL keeps that for its own commands, in the process's
//! entry of the server's statistics, under a number that none of its views asks for. What ends a transaction by an
//! error also ends this.

use pgrx::pg_sys;

use super::plan::Purpose;
use crate::relation::Index;
use crate::server;

/// Our number among those of PostgreSQL's commands.
pub const COMMAND: pg_sys::ProgressCommandType::Type = 0x15CC;

/// What is being done, in the order in which it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Counts pages.
    Moving,
    /// Counts entries.
    Reading,
    /// Counts distinct values.
    Building,
    /// Writes and publishes the file; counts nothing.
    Writing,
}

// The parameters of an entry.
const PURPOSE: i32 = 0;
const PHASE: i32 = 1;
const TOTAL: i32 = 2;
const DONE: i32 = 3;

/// An entry of the view.
pub struct Entry {
    /// Why a shard is built.
    pub purpose: &'static str,
    /// What is being done.
    pub phase: &'static str,
    /// How much of `total` is done.
    pub done: i64,
    /// How much there is to do; None if that is unknown.
    pub total: Option<i64>,
}

impl Entry {
    /// What a process has put into its parameters; None if they make no sense.
    pub fn of(parameters: &[i64]) -> Option<Self> {
        let parameter = |at: i32| parameters.get(at as usize).copied();
        let purposes = [Purpose::Seal, Purpose::Rebuild, Purpose::Merge, Purpose::Move];
        let phases = [
            (Phase::Moving, "moving entries"),
            (Phase::Reading, "reading the log"),
            (Phase::Building, "building the graph"),
            (Phase::Writing, "writing the file"),
        ];
        let purpose = purposes.into_iter().find(|&of| Some(of as i64) == parameter(PURPOSE))?;
        let (_, name) = phases
            .into_iter()
            .find(|&(of, _)| Some(of as i64) == parameter(PHASE))?;
        Some(Entry {
            purpose: purpose.present_participle(),
            phase: name,
            done: parameter(DONE)?,
            total: parameter(TOTAL).filter(|&total| total > 0),
        })
    }
}

/// Progress is shown as long as this exists.
pub struct Progress {
    is_own: bool,
}

impl Progress {
    /// Begins to show it, unless this process shows something else: an index being created, VACUUM, or the work that
    /// this is a part of.
    pub fn begin(index: Index<'_>) -> Self {
        let is_own = command() == Some(pg_sys::ProgressCommandType::PROGRESS_COMMAND_INVALID);
        if is_own {
            server::start_progress(COMMAND, index.oid());
        }
        Progress { is_own }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_own && is_shown() && !std::thread::panicking() {
            server::end_progress();
        }
    }
}

/// Shows what is done now and how much of it there is; 0 if that is not known.
pub fn show(purpose: Purpose, phase: Phase, done: u64, total: u64) {
    if is_shown() {
        let values = [purpose as i64, phase as i64, total as i64, done as i64];
        // SAFETY: as many numbers and values as it says; writes this process's own entry.
        unsafe {
            let count = values.len() as i32;
            pg_sys::pgstat_progress_update_multi_param(count, [PURPOSE, PHASE, TOTAL, DONE].as_ptr(), values.as_ptr());
        }
    }
}

/// Shows how much of it is done now.
pub fn show_done(done: u64) {
    if is_shown() {
        server::show_progress(DONE, done as i64);
    }
}

fn is_shown() -> bool {
    command() == Some(COMMAND)
}

/// What this process's entry is about.
fn command() -> Option<pg_sys::ProgressCommandType::Type> {
    // SAFETY: the entry of this process, or null; nobody else writes it.
    unsafe { pg_sys::MyBEEntry.as_ref().map(|entry| entry.st_progress_command) }
}
