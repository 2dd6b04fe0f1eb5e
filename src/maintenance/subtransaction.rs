//! Running what may fail in a transaction of its own inside the current one.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

/// What was run has failed with an error.
pub struct Failed {
    /// The error's message.
    pub message: String,
}

/// True if the current transaction can have others inside: not beside parallel processes.
pub fn is_possible() -> bool {
    !crate::server::is_parallel()
}

/// Runs `work`. What it has changed is undone if it raises an error, which is returned. That the statement is cancelled
/// or the process ended is raised again.
pub fn run<T>(work: impl FnOnce() -> T) -> Result<T, Failed> {
    let before = Before::begin();
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        let result = work();
        // SAFETY: begun above.
        unsafe { pg_sys::ReleaseCurrentSubTransaction() };
        Ok(result)
    }))
    .catch_others(|error| {
        before.roll_back();
        match failure(&error) {
            Some(failed) => Err(failed),
            None => error.rethrow(),
        }
    })
    .execute();
    before.restore();
    result
}

/// The failure that an error is; None if it is none of what was run.
fn failure(error: &CaughtError) -> Option<Failed> {
    use PgSqlErrorCode as Code;
    let (CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)) = error else {
        return None;
    };
    let ends = [
        Code::ERRCODE_QUERY_CANCELED,
        Code::ERRCODE_ADMIN_SHUTDOWN,
        Code::ERRCODE_CRASH_SHUTDOWN,
        Code::ERRCODE_CANNOT_CONNECT_NOW,
        Code::ERRCODE_DATABASE_DROPPED,
        Code::ERRCODE_INDEX_CORRUPTED,
    ];
    let message = || Failed {
        message: report.message().to_string(),
    };
    (!ends.contains(&report.sql_error_code())).then(message)
}

/// What a subtransaction changes of the process beyond what its end sets back.
struct Before {
    memory: pg_sys::MemoryContext,
    owner: pg_sys::ResourceOwner,
    /// How often interrupts and cancels are held off.
    holdoffs: (u32, u32),
}

impl Before {
    fn begin() -> Self {
        // SAFETY: this process's own state, inside a transaction. Work goes on in the same memory context.
        unsafe {
            let before = Before {
                memory: pg_sys::CurrentMemoryContext,
                owner: pg_sys::CurrentResourceOwner,
                holdoffs: (pg_sys::InterruptHoldoffCount, pg_sys::QueryCancelHoldoffCount),
            };
            pg_sys::BeginInternalSubTransaction(std::ptr::null());
            pg_sys::MemoryContextSwitchTo(before.memory);
            before
        }
    }

    fn roll_back(&self) {
        // SAFETY: begun above, and not ended. An error raised from Rust has not set back the counts.
        unsafe {
            (pg_sys::InterruptHoldoffCount, pg_sys::QueryCancelHoldoffCount) = self.holdoffs;
            pg_sys::MemoryContextSwitchTo(self.memory);
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        self.restore();
    }

    fn restore(&self) {
        // SAFETY: both are the enclosing transaction's, which goes on.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.memory);
            pg_sys::CurrentResourceOwner = self.owner;
        }
    }
}
