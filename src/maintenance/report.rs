//! Telling that maintenance had to stop.

use std::io;

use pgrx::prelude::*;

use super::context::Stopped;
use crate::error::report;
use crate::relation::Index;
use crate::storage::shard_file;

/// Raises the error for work that had to stop.
pub fn raise(index: Index<'_>, why: Stopped) -> ! {
    match why {
        Stopped::Io(why) => io_report(index, &why).raise(),
        Stopped::Changed(mismatch) => mismatch.raise(index),
        Stopped::Yielded => report(
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            format!("VACUUM is reading index \"{}\"", index.name()),
        )
        .hint("Try again when VACUUM has finished.")
        .raise(),
        Stopped::Overtaken => report(
            PgSqlErrorCode::ERRCODE_OBJECT_IN_USE,
            format!("index \"{}\" was changed concurrently by another session", index.name()),
        )
        .hint("Try again.")
        .raise(),
    }
}

/// Warns that maintenance failed: the answers stay right without it.
pub fn warn(index: Index<'_>, why: Stopped) {
    match why {
        Stopped::Io(why) => io_report(index, &why).warn(),
        Stopped::Changed(mismatch) => mismatch.confirm(index),
        Stopped::Yielded | Stopped::Overtaken => {}
    }
}

fn io_report(index: Index<'_>, why: &io::Error) -> crate::error::Report {
    let code = match why.kind() {
        io::ErrorKind::StorageFull => PgSqlErrorCode::ERRCODE_DISK_FULL,
        io::ErrorKind::PermissionDenied => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        io::ErrorKind::OutOfMemory => {
            return report(
                PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
                format!("not enough memory to build a shard of index \"{}\"", index.name()),
            )
            .hint("Building a shard takes about twice the size of its file. Use a smaller shard_size.");
        }
        _ => PgSqlErrorCode::ERRCODE_IO_ERROR,
    };
    report(
        code,
        format!("could not write a shard of index \"{}\": {why}", index.name()),
    )
    .detail(format!(
        "Shards are files in \"{}\" in the data directory.",
        shard_file::DIRECTORY
    ))
}
