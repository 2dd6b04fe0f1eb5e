//! Equality, order and hashes of balls: by code, then radius.

use std::cmp::Ordering;

use pgrx::pg_sys::Datum;

use super::ball::parts;
use super::bitvec::Args;
use super::compare::{comparisons, hash, hash_extended};
use super::sql_function;

fn compare(args: Args) -> Ordering {
    let ((a_radius, a), (b_radius, b)) = (parts(args.bytes(0)), parts(args.bytes(1)));
    // Balls of version 0.1.0 may have a negative zero.
    a.cmp(b).then((a_radius + 0.0).total_cmp(&(b_radius + 0.0)))
}

/// What equal balls have in common: the code, and the bits of the radius.
fn bytes(args: Args) -> Vec<u8> {
    let (radius, code) = parts(args.bytes(0));
    [code, &(radius + 0.0).to_le_bytes()].concat()
}

fn equal(args: Args) -> bool {
    compare(args).is_eq()
}

comparisons!(compare, equal: bitvec_ball_lt bitvec_ball_le bitvec_ball_eq bitvec_ball_ne bitvec_ball_ge bitvec_ball_gt bitvec_ball_cmp);

sql_function!(
    /// Hash for hash joins, hash aggregates and hash indexes.
    bitvec_ball_hash, |args| hash(&bytes(args))
);
sql_function!(
    /// Seeded 64-bit hash, for hash partitioning.
    bitvec_ball_hash_extended, |args| hash_extended(&bytes(args), args.bigint(1) as u64)
);
