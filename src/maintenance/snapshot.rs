//! A snapshot of our own, for queries and functions that look at tables.

use pgrx::pg_sys;

/// The snapshot in use. The one before it is in use again when this is dropped; an error sees to that at the end of the
/// transaction.
pub struct Snapshot(());

impl Snapshot {
    /// Takes a new one, inside a transaction.
    pub fn push() -> Self {
        // SAFETY: inside a transaction. An error ends the transaction, and with it all snapshots.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        Snapshot(())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: pushed by us; what was pushed later has been dropped before.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}
