//! One place that turns a cause into a PostgreSQL error report.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// An error report under construction: SQLSTATE and message, then detail and hint if they help.
pub struct Report(ErrorReport);

/// Starts a report. `message` is one line, lower-case, without a final period.
#[track_caller]
pub fn report(code: PgSqlErrorCode, message: impl Into<String>) -> Report {
    Report(ErrorReport::new(code, message.into(), ""))
}

impl Report {
    /// Adds a DETAIL: full sentences.
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Report(self.0.set_detail(detail))
    }

    /// Adds a HINT: full sentences.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Report(self.0.set_hint(hint))
    }

    /// Raises it as an ERROR: ends the current (sub)transaction.
    pub fn raise(self) -> ! {
        self.0.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }

    /// Reports it as a WARNING and goes on.
    pub fn warn(self) {
        without_interrupts(|| self.0.report(PgLogLevel::WARNING));
    }
}

/// Writes a line to the server's log.
#[track_caller]
pub fn log(message: impl Into<String>) {
    let report = ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message.into(), "");
    without_interrupts(|| report.report(PgLogLevel::LOG));
}

/// Keeps stack traces out of error messages, whatever `RUST_BACKTRACE` says: they would tell clients paths of the
/// server. Rust looks at the environment once, when the first trace could be taken: that is here.
pub fn without_backtraces() {
    const VARIABLE: &str = "RUST_LIB_BACKTRACE";
    let before = std::env::var_os(VARIABLE);
    // SAFETY: called when the library is loaded, in the process's only thread. Others find the variable as it was.
    unsafe {
        std::env::set_var(VARIABLE, "0");
        drop(std::backtrace::Backtrace::capture());
        match before {
            Some(value) => std::env::set_var(VARIABLE, value),
            None => std::env::remove_var(VARIABLE),
        }
    }
}

/// Ends the statement if it has been cancelled: raises the error from here.
pub fn check_for_interrupts() {
    pgrx::check_for_interrupts!();
}

/// PostgreSQL ends a message below ERROR by looking for interrupts. A cancel found there would leave by `longjmp`, past
/// our frames and what they hold: open files, for instance, and with them their locks.
fn without_interrupts(report: impl FnOnce()) {
    // SAFETY: the counter is this backend's own; nothing in between unwinds.
    unsafe {
        pgrx::pg_sys::InterruptHoldoffCount += 1;
        report();
        pgrx::pg_sys::InterruptHoldoffCount -= 1;
    }
}

/// Raises the error for a page whose contents cannot be used.
pub fn corrupt_page(index: &str, block: u32, why: impl std::fmt::Display) -> ! {
    report(
        PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
        format!("block {block} of index \"{index}\" cannot be used: {why}"),
    )
    .hint(format!("Rebuild the index with REINDEX INDEX {index}."))
    .raise()
}
