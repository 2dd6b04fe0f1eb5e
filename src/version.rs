//! Versions: of this library, and of the SQL objects in a database, which ALTER EXTENSION brings to the library's.

use pgrx::prelude::*;

use crate::error::{Report, report};

/// The version of the library.
const LIBRARY: &str = env!("CARGO_PKG_VERSION");

/// The report for a database whose objects are those of another version; None if they match. Runs a query, so the
/// caller is in a transaction and has a snapshot.
pub fn mismatch() -> Option<Report> {
    let sql = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'iscc_usearch'::pg_catalog.name";
    // Not `Spi::get_one`, which takes a transaction id: a standby has none to give.
    let installed = Spi::connect(|client| client.select(sql, Some(1), &[])?.first().get_one::<String>());
    let installed = installed.ok().flatten()?;
    if installed == LIBRARY {
        return None;
    }
    let message =
        format!("extension \"iscc_usearch\" has version {installed} here, but its library has version {LIBRARY}");
    let report = report(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message);
    Some(match numbers(&installed) < numbers(LIBRARY) {
        true => report.hint("Run ALTER EXTENSION iscc_usearch UPDATE in this database."),
        false => report.hint(format!("Install the library of version {installed}.")),
    })
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}
