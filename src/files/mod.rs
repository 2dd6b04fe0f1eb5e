//! The files of iscc-usearch in SQL: reading its indexes into rows, writing an index as one of its own.

mod cursor;
mod export;
mod import;
mod staging;
mod table;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::catalog;
use crate::error::{Report, report};
use crate::types::bitvec::Args;

/// Raises an error unless the current user has the privileges of one of PostgreSQL's own roles.
fn require_role(role: u32, name: &str, what: &str) {
    if !catalog::has_privileges_of(catalog::current_user(), pg_sys::Oid::from(role)) {
        report(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied to {what}"),
        )
        .detail(format!(
            "Only roles with privileges of the \"{name}\" role may do this."
        ))
        .raise();
    }
}

/// An argument of type text that is the absolute path of a file of the server.
fn server_path<'call>(args: Args<'call>, n: usize) -> &'call Path {
    let path = Path::new(OsStr::from_bytes(args.bytes(n)));
    if !path.is_absolute() {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_NAME,
            format!("path \"{}\" is not absolute", path.display()),
        )
        .raise();
    }
    path
}

/// Starts the report for what the system has refused to do with a file.
fn io_report(doing: &str, path: &Path, why: &io::Error) -> Report {
    let code = match why.kind() {
        io::ErrorKind::NotFound => PgSqlErrorCode::ERRCODE_UNDEFINED_FILE,
        io::ErrorKind::AlreadyExists => PgSqlErrorCode::ERRCODE_DUPLICATE_FILE,
        io::ErrorKind::PermissionDenied => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        io::ErrorKind::StorageFull => PgSqlErrorCode::ERRCODE_DISK_FULL,
        _ => PgSqlErrorCode::ERRCODE_IO_ERROR,
    };
    report(code, format!("could not {doing} \"{}\": {why}", path.display()))
}
