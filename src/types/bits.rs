//! Single bits, and operations bit by bit.

use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::{Args, build};
use super::sql_function;
use crate::error::report;

sql_function!(
    /// `get_bit(code, n)`: bit 0 is the most significant one of the first byte.
    bitvec_get_bit, |args| {
        let (bytes, n) = (args.bytes(0), args.int(1));
        let byte = usize::try_from(n).ok().and_then(|n| bytes.get(n / 8));
        let Some(byte) = byte else {
            report(
                PgSqlErrorCode::ERRCODE_ARRAY_ELEMENT_ERROR,
                format!("bit {n} is out of range"),
            )
            .detail(format!("The code has bits 0 to {}.", bytes.len() * 8 - 1))
            .raise()
        };
        Datum::from(i32::from(byte >> (7 - n % 8) & 1))
    }
);

/// The bytes of two codes of equal length, each pair combined.
fn combine(args: Args, what: impl Fn(u8, u8) -> u8) -> Datum {
    let (a, b) = (args.bytes(0), args.bytes(1));
    if a.len() != b.len() {
        report(
            PgSqlErrorCode::ERRCODE_STRING_DATA_LENGTH_MISMATCH,
            format!("codes have different lengths: {} and {} bits", a.len() * 8, b.len() * 8),
        )
        .hint("Shorten the longer one with prefix(code, bits).")
        .raise();
    }
    build(a.len(), |payload| {
        for (byte, (a, b)) in payload.iter_mut().zip(a.iter().zip(b)) {
            *byte = what(*a, *b);
        }
    })
}

sql_function!(
    /// `a & b`.
    bitvec_and, |args| combine(args, |a, b| a & b)
);
sql_function!(
    /// `a | b`.
    bitvec_or, |args| combine(args, |a, b| a | b)
);
sql_function!(
    /// `a # b`: exclusive or.
    bitvec_xor, |args| combine(args, |a, b| a ^ b)
);
sql_function!(
    /// `~ a`.
    bitvec_not, |args| {
        let bytes = args.bytes(0);
        build(bytes.len(), |payload| {
            payload.iter_mut().zip(bytes).for_each(|(to, from)| *to = !from);
        })
    }
);
