//! Bytewise order, equality, hashing, starts-with, lengths and prefixes.

use std::cmp::Ordering;

use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::{Args, build, checked};
use super::sql_function;
use crate::error::report;

/// Bytewise order; a prefix comes before what it is a prefix of.
fn compare(args: Args) -> Ordering {
    args.bytes(0).cmp(args.bytes(1))
}

fn equal(args: Args) -> bool {
    args.bytes(0) == args.bytes(1)
}

/// Defines the comparison operators of a type and its function for btree, in this order, from functions that compare
/// two arguments: one for their order, one for equality.
macro_rules! comparisons {
    ($compare:path, $equal:path: $lt:ident $le:ident $eq:ident $ne:ident $ge:ident $gt:ident $cmp:ident) => {
        sql_function!(
            /// `a < b`.
            $lt, |args| Datum::from($compare(args).is_lt())
        );
        sql_function!(
            /// `a <= b`.
            $le, |args| Datum::from($compare(args).is_le())
        );
        sql_function!(
            /// `a = b`.
            $eq, |args| Datum::from($equal(args))
        );
        sql_function!(
            /// `a <> b`.
            $ne, |args| Datum::from(!$equal(args))
        );
        sql_function!(
            /// `a >= b`.
            $ge, |args| Datum::from($compare(args).is_ge())
        );
        sql_function!(
            /// `a > b`.
            $gt, |args| Datum::from($compare(args).is_gt())
        );
        sql_function!(
            /// Three-way comparison for btree: -1, 0 or 1.
            $cmp, |args| Datum::from($compare(args) as i32)
        );
    };
}
pub(crate) use comparisons;

comparisons!(compare, equal: bitvec_lt bitvec_le bitvec_eq bitvec_ne bitvec_ge bitvec_gt bitvec_cmp);

unsafe extern "C-unwind" {
    fn hash_bytes(key: *const u8, len: i32) -> u32;
    fn hash_bytes_extended(key: *const u8, len: i32, seed: u64) -> u64;
}

/// PostgreSQL's hash of some bytes, as an SQL integer.
pub fn hash(bytes: &[u8]) -> Datum {
    // SAFETY: reads `len` bytes and raises no error.
    Datum::from(unsafe { hash_bytes(bytes.as_ptr(), bytes.len() as i32) } as i32)
}

/// PostgreSQL's seeded hash of some bytes, as an SQL bigint.
pub fn hash_extended(bytes: &[u8], seed: u64) -> Datum {
    // SAFETY: reads `len` bytes and raises no error.
    Datum::from(unsafe { hash_bytes_extended(bytes.as_ptr(), bytes.len() as i32, seed) })
}

sql_function!(
    /// Hash for hash joins, hash aggregates and hash indexes.
    bitvec_hash, |args| hash(args.bytes(0))
);
sql_function!(
    /// Seeded 64-bit hash, for hash partitioning.
    bitvec_hash_extended, |args| hash_extended(args.bytes(0), args.bigint(1) as u64)
);

sql_function!(
    /// Transition function of `min`.
    bitvec_smaller, |args| args.datum(usize::from(compare(args).is_gt()))
);
sql_function!(
    /// Transition function of `max`.
    bitvec_larger, |args| args.datum(usize::from(compare(args).is_lt()))
);

sql_function!(
    /// `code ^@ start`: true when `start` is a prefix of `code`.
    bitvec_starts_with, |args| Datum::from(args.bytes(0).starts_with(args.bytes(1)))
);

sql_function!(
    /// Length in bits.
    bitvec_bit_length, |args| Datum::from(args.bytes(0).len() as i32 * 8)
);
sql_function!(
    /// Length in bytes.
    bitvec_octet_length, |args| Datum::from(args.bytes(0).len() as i32)
);

sql_function!(
    /// The first `bits` bits of a code; the whole code when it is not longer.
    bitvec_prefix, |args| {
        let (bytes, bits) = (args.bytes(0), args.int(1));
        if bits < 8 || bits % 8 != 0 {
            report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("invalid prefix length: {bits} bits"),
            )
            .detail("The length of a prefix must be a positive multiple of 8 bits.")
            .raise();
        }
        checked(&bytes[..bytes.len().min(bits as usize / 8)])
    }
);

sql_function!(
    /// The codes one after the other.
    bitvec_concat, |args| {
        let (a, b) = (args.bytes(0), args.bytes(1));
        super::bitvec::check_len(a.len() + b.len());
        build(a.len() + b.len(), |payload| {
            payload[..a.len()].copy_from_slice(a);
            payload[a.len()..].copy_from_slice(b);
        })
    }
);
