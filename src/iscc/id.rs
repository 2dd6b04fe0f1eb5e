//! The type `iscc_id`, and chunks: an identifier's body, an offset and a size in a uuid.

use std::cmp::Ordering;

use iscc_codes::Id;
use iscc_codes::id::ID_BYTES;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::values::varlena;
use super::{checked, made};
use crate::error::report;
use crate::types::bitvec::{Args, build_fixed, build_text};
use crate::types::compare::{comparisons, hash, hash_extended};
use crate::types::io::read_rest;
use crate::types::sql_function;

const ISCC_ID: &str = "ISCC-ID";
/// From 1970 to 2000, where PostgreSQL's time begins.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const UUID_BYTES: usize = 16;

fn id(args: Args, n: usize) -> Id {
    Id::from_stored(args.fixed::<ID_BYTES>(n))
}

/// The lesser is earlier, or at the same time from a lower hub, or in a lower realm.
fn compare(args: Args) -> Ordering {
    id(args, 0).key().cmp(&id(args, 1).key())
}

sql_function!(
    /// Text input: an ISCC-ID in any form.
    iscc_id_in, |args| {
        let text = args.text(0).to_bytes();
        build_fixed(checked(ISCC_ID, text, Id::read(text)).bytes())
    }
);
sql_function!(
    /// Text output: the canonical form.
    iscc_id_out, |args| {
        let text = id(args, 0).text();
        build_text(text.len(), |payload| payload.copy_from_slice(text.as_bytes()))
    }
);
sql_function!(
    /// Binary input: the ten bytes.
    iscc_id_recv, |args| {
        build_fixed(made(ISCC_ID, Id::from_bytes(read_rest(args.view(0)))).bytes())
    }
);
sql_function!(
    /// Binary output: the ten bytes, as a bytea.
    iscc_id_send, |args| varlena(id(args, 0).bytes())
);

fn equal(args: Args) -> bool {
    compare(args).is_eq()
}

comparisons!(compare, equal: iscc_id_lt iscc_id_le iscc_id_eq iscc_id_ne iscc_id_ge iscc_id_gt iscc_id_cmp);

sql_function!(
    /// Hash for hash joins, hash aggregates and hash indexes.
    iscc_id_hash, |args| hash(id(args, 0).bytes())
);
sql_function!(
    /// Seeded 64-bit hash, for hash partitioning.
    iscc_id_hash_extended, |args| hash_extended(id(args, 0).bytes(), args.bigint(1) as u64)
);
sql_function!(
    /// Transition function of `min`.
    iscc_id_smaller, |args| args.datum(usize::from(compare(args).is_gt()))
);
sql_function!(
    /// Transition function of `max`.
    iscc_id_larger, |args| args.datum(usize::from(compare(args).is_lt()))
);

sql_function!(
    /// `iscc_id(realm, time, hub)`.
    iscc_id_make, |args| {
        // Infinite times overflow; no identifier has what comes of them.
        let micros = args.bigint(1).checked_add(EPOCH_MICROS).unwrap_or(-1);
        build_fixed(made(ISCC_ID, Id::new(args.int(0), micros, args.int(2))).bytes())
    }
);
sql_function!(
    /// `iscc_id(body, realm)`.
    iscc_id_from_body, |args| {
        let id = Id::from_body(args.int(1), args.bigint(0) as u64);
        build_fixed(made(ISCC_ID, id).bytes())
    }
);
sql_function!(
    /// The body's 64 bits as a bigint: from 2041 on negative.
    iscc_id_body, |args| Datum::from(id(args, 0).body() as i64)
);
sql_function!(
    /// `iscc_id_realm(id)`.
    iscc_id_realm, |args| Datum::from(id(args, 0).realm())
);
sql_function!(
    /// `iscc_id_time(id)`.
    iscc_id_time, |args| Datum::from(id(args, 0).micros() - EPOCH_MICROS)
);
sql_function!(
    /// `iscc_id_micros(id)`: since 1970.
    iscc_id_micros, |args| Datum::from(id(args, 0).micros())
);
sql_function!(
    /// `iscc_id_hub(id)`.
    iscc_id_hub, |args| Datum::from(id(args, 0).hub())
);

/// An argument that must fit into four bytes, unsigned.
fn unsigned(args: Args, n: usize, what: &str) -> [u8; 4] {
    let value = args.bigint(n);
    let Ok(value) = u32::try_from(value) else {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("invalid {what} of a chunk: {value}"),
        )
        .detail(format!("It must be between 0 and {}.", u32::MAX))
        .raise()
    };
    value.to_be_bytes()
}

/// The four bytes at this place of a chunk's uuid.
fn number_at(args: Args, at: usize) -> Datum {
    let chunk = args.fixed::<UUID_BYTES>(0);
    let number = chunk[at..at + 4]
        .iter()
        .fold(0, |number, byte| number << 8 | i64::from(*byte));
    Datum::from(number)
}

sql_function!(
    /// `iscc_chunk(id, offset, size)`.
    iscc_chunk, |args| {
        let mut chunk = [0; UUID_BYTES];
        chunk[..8].copy_from_slice(&id(args, 0).body().to_be_bytes());
        chunk[8..12].copy_from_slice(&unsigned(args, 1, "offset"));
        chunk[12..].copy_from_slice(&unsigned(args, 2, "size"));
        build_fixed(&chunk)
    }
);
sql_function!(
    /// `iscc_chunk_id(chunk, realm)`.
    iscc_chunk_id, |args| {
        let chunk = args.fixed::<UUID_BYTES>(0);
        let body = chunk[..8].iter().fold(0, |body, byte| body << 8 | u64::from(*byte));
        build_fixed(made(ISCC_ID, Id::from_body(args.int(1), body)).bytes())
    }
);
sql_function!(
    /// `iscc_chunk_offset(chunk)`.
    iscc_chunk_offset, |args| number_at(args, 8)
);
sql_function!(
    /// `iscc_chunk_size(chunk)`.
    iscc_chunk_size, |args| number_at(args, 12)
);
