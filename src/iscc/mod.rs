//! ISCCs in SQL: codes and their units, identifiers, sequences, simprints, scores and fingerprints.

mod codes;
mod generate;
mod id;
mod scores;
mod sequence;
pub mod values;

use iscc_codes::{Error, Kind, Result};
use pgrx::prelude::*;

use crate::error::report;

/// Raises the error of an input, which is quoted when it is a text.
fn raise(what: &str, input: Option<&[u8]>, error: Error) -> ! {
    let (code, message) = match error.kind {
        Kind::Text => (PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION, "invalid"),
        Kind::Bytes => (PgSqlErrorCode::ERRCODE_INVALID_BINARY_REPRESENTATION, "invalid"),
        Kind::Combination => (PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, "impossible"),
        Kind::TooLong => (PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, "too long"),
    };
    let quoted = input.map(|input| {
        let shown: String = String::from_utf8_lossy(&input[..input.len().min(320)])
            .chars()
            .take(80)
            .collect();
        format!(": \"{shown}\"")
    });
    report(code, format!("{message} {what}{}", quoted.unwrap_or_default()))
        .detail(sentence(&error.message))
        .raise()
}

fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

/// The result, or the error about this text.
fn checked<T>(what: &str, input: &[u8], result: Result<T>) -> T {
    result.unwrap_or_else(|error| raise(what, Some(input), error))
}

/// The result, or the error.
fn made<T>(what: &str, result: Result<T>) -> T {
    result.unwrap_or_else(|error| raise(what, None, error))
}

/// Raises the error for an array with more units than are read.
fn too_many(count: usize, limit: usize) -> ! {
    report(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!("too many units: {count}"),
    )
    .detail(format!("There can be at most {limit}."))
    .raise()
}
