//! What PostgreSQL keeps for this process: settings and state that are read as they are, and functions that take plain
//! values. Called from the backend's only thread that may call PostgreSQL.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};

use crate::nodes::functions;

/// Defines functions that read a variable of PostgreSQL's: `fn name() -> type = variable;`.
macro_rules! variables {
    ($($(#[$meta:meta])* fn $name:ident() -> $type:ty = $variable:ident;)*) => {$(
        $(#[$meta])*
        pub fn $name() -> $type {
            // SAFETY: a plain value of this process, which only the calling thread writes.
            unsafe { pg_sys::$variable }
        }
    )*};
}

variables! {
    /// The database that this process is connected to.
    fn database() -> Oid = MyDatabaseId;
    /// `cpu_index_tuple_cost`.
    fn cpu_index_tuple_cost() -> f64 = cpu_index_tuple_cost;
    /// `fsync`.
    fn fsync() -> bool = enableFsync;
    /// `maintenance_work_mem` in kilobytes.
    fn maintenance_work_mem() -> i32 = maintenance_work_mem;
    /// `wal_level`.
    fn wal_level() -> i32 = wal_level;
    /// `max_parallel_maintenance_workers`.
    fn max_parallel_maintenance_workers() -> i32 = max_parallel_maintenance_workers;
    /// The tablespace of relations of this database for which the catalog names none.
    fn database_tablespace() -> Oid = MyDatabaseTableSpace;
    /// True while the postmaster loads the libraries that every process will have.
    fn is_loading_preload_libraries() -> bool = process_shared_preload_libraries_in_progress;
    /// True in the servers of pg_upgrade.
    fn is_binary_upgrade() -> bool = IsBinaryUpgrade;
    /// Where `palloc` allocates.
    fn memory_context() -> pg_sys::MemoryContext = CurrentMemoryContext;
}

functions! {
    /// True on a standby.
    pub fn in_recovery() -> bool = RecoveryInProgress;
    /// True beside parallel processes.
    pub fn is_parallel() -> bool = IsInParallelMode;
    /// Makes WAL durable up to the end of a record that was inserted; 0 stands for none. An error for one beyond the
    /// end of WAL.
    pub fn flush_wal(lsn: pg_sys::XLogRecPtr) = XLogFlush;
    /// Tells statistics and the server's log what this process is; the text is copied.
    pub fn set_application_name(name: &CStr) = pgstat_report_appname;
    /// Shows in `pg_stat_activity` what this process does; the text is copied.
    pub fn report_activity(state: pg_sys::BackendState::Type, text: Option<&CStr>) = pgstat_report_activity;
    /// Begins to show the progress of a command.
    pub fn start_progress(command: pg_sys::ProgressCommandType::Type, relation: Oid) = pgstat_progress_start_command;
    /// Ends what `start_progress` has begun.
    pub fn end_progress() = pgstat_progress_end_command;
    /// Sets one of the numbers that show the progress.
    pub fn show_progress(parameter: i32, value: i64) = pgstat_progress_update_param;
    /// Lets go of the snapshot for reading catalogs, which keeps VACUUM from removing rows. The next reader takes
    /// another one.
    pub fn forget_catalog_snapshot() = InvalidateCatalogSnapshot;
    /// Whether a statement or function has a snapshot.
    pub fn has_snapshot() -> bool = ActiveSnapshotSet;
    /// Creates a directory with the permissions of the data directory; not 0 if that fails.
    pub fn make_directory(name: &CStr) -> i32 = MakePGDirectory;
    /// Changes a setting; an error if it cannot have this value.
    pub fn set_option(name: &CStr, value: &CStr, context: pg_sys::GucContext::Type, source: pg_sys::GucSource::Type)
        = SetConfigOption;
}
