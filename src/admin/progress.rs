//! How far maintenance is, in all processes of the server.

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::privileges::may_see_activity_of;
use crate::compat;
use crate::maintenance::progress::{COMMAND, Entry};

/// One row per process that maintains an index. Users who may not see what the process does get its PID and database.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn usearch_get_progress() -> TableIterator<
    'static,
    (
        name!(pid, i32),
        name!(datid, pg_sys::Oid),
        name!(indexrelid, Option<pg_sys::Oid>),
        name!(command, Option<String>),
        name!(phase, Option<String>),
        name!(done, Option<i64>),
        name!(total, Option<i64>),
    ),
> {
    let rows = compat::processes().into_iter().filter_map(|process| {
        if process.st_progress_command != COMMAND {
            return None;
        }
        let entry = Entry::of(&process.st_progress_param)?;
        let shown = may_see_activity_of(process.st_userid).then_some(entry);
        let shown = shown.as_ref();
        Some((
            process.st_procpid,
            process.st_databaseid,
            shown.map(|_| process.st_progress_command_target),
            shown.map(|entry| entry.purpose.to_string()),
            shown.map(|entry| entry.phase.to_string()),
            shown.map(|entry| entry.done),
            shown.and_then(|entry| entry.total),
        ))
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}
