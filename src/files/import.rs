//! `usearch_import(path)`: the rows of an index of iscc-usearch.

use iscc_files::shard::Row;
use iscc_files::{Failure, FileError, IndexFiles, Key};
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::{io_report, require_role, server_path};
use crate::error::{check_for_interrupts, report};
use crate::iscc::values::Rows;
use crate::types::bitvec::checked;
use crate::types::sql_function;

sql_function!(
    /// `usearch_import(path)`.
    usearch_import, |args| {
        require_role(pg_sys::ROLE_PG_READ_SERVER_FILES, "pg_read_server_files", "read files of the server");
        let path = server_path(args, 0);
        let memory = crate::server::maintenance_work_mem().max(1) as u64 * 1024;
        let files = IndexFiles::find(path, memory).unwrap_or_else(|failure| raise(failure));
        let mut rows = Rows::begin(args);
        let mut row_context = PgMemoryContexts::new("usearch_import row");
        let give = |row: Row<'_>| {
            // SAFETY: the values are copied before the context is emptied.
            unsafe {
                row_context.switch_to(|_| rows.push_some(values(&row)));
                row_context.reset();
            }
        };
        files.read(&check_for_interrupts, give).unwrap_or_else(|failure| raise(failure));
        args.null()
    }
);

/// Key as a number, key as a uuid, code.
fn values(row: &Row<'_>) -> [Option<Datum>; 3] {
    let (number, uuid) = match row.key {
        Key::Number(key) => (Some(numeric(key)), None),
        Key::Uuid(bytes) => (None, pgrx::Uuid::from_bytes(bytes).into_datum()),
    };
    [number, uuid, (!row.code.is_empty()).then(|| checked(row.code))]
}

/// A value of type numeric.
fn numeric(key: u64) -> Datum {
    match i64::try_from(key) {
        // SAFETY: makes a value in the current memory context.
        Ok(key) => Datum::from(unsafe { pg_sys::int64_to_numeric(key) }),
        Err(_) => AnyNumeric::from(key).into_datum().unwrap_or(Datum::from(0)),
    }
}

fn raise(Failure { path, error }: Failure) -> ! {
    let name = path.display();
    match error {
        FileError::Io(why) => io_report("read", &path, &why),
        FileError::Damaged(what) => report(
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            format!("\"{name}\" is damaged, or was not written by iscc-usearch"),
        )
        .detail(format!("When it was read: {what}.")),
        FileError::Unsupported(what) => report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("\"{name}\" cannot be imported"),
        )
        .detail(format!("When it was read: {what}.")),
        FileError::WrongKind => report(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("\"{name}\" is neither a file nor a directory"),
        ),
        FileError::OutOfMemory => report(
            PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
            format!("not enough memory for the keys of \"{name}\""),
        ),
    }
    .raise()
}
