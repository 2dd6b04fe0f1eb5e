//! iscc_usearch: variable-length binary codes, the Normalized Prefix Hamming Distance and a sharded
//! HNSW index access method for PostgreSQL. How it works: `src/README.md`.

// Every export is reached through SQL, where it is documented; PostgreSQL's callbacks have the
// contracts of its manual.
#![allow(clippy::missing_safety_doc, clippy::too_many_arguments)]

mod admin;
mod am;
mod catalog;
mod compat;
mod error;
mod failpoint;
mod files;
mod guc;
mod hooks;
mod iscc;
mod maintenance;
mod memory;
mod metrics;
mod nodes;
mod owner;
mod planner;
mod relation;
mod search;
mod server;
mod storage;
mod types;
mod version;

use pgrx::prelude::*;

pgrx::pg_module_magic!();

/// Called when the library is loaded: by a session, or once by the postmaster, whose processes then have it.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    error::without_backtraces();
    guc::register();
    maintenance::launcher::register();
    planner::comparison::register();
    hooks::demand::register();
    hooks::explain::register();
    storage::removal::register();
}
