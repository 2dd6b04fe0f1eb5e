//! Casts from and to bytea, bit varying, uuid and bigint.

use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::{build, build_fixed, check_len, checked, varlena_bytes};
use super::sql_function;
use crate::error::report;

const UUID_BYTES: usize = 16;

sql_function!(
    /// bytea to bitvec. (bitvec to bytea needs no function: the representations are the same.)
    bitvec_from_bytea, |args| checked(args.bytes(0))
);

/// The number of bits of a value of type bit or bit varying, and its bytes, the last one filled with zeros.
///
/// # Safety
/// As for [`varlena_bytes`], of a value of one of these types.
pub unsafe fn bit_string<'a>(datum: Datum) -> (usize, &'a [u8]) {
    // SAFETY: as the caller says.
    let payload = unsafe { varlena_bytes(datum) };
    // The payload is the length in bits and then the bits.
    match payload.split_first_chunk() {
        Some((bits, data)) => (i32::from_ne_bytes(*bits) as usize, data),
        None => (0, &[]),
    }
}

sql_function!(
    /// bit varying to bitvec; the number of bits must be a multiple of 8.
    bitvec_from_varbit, |args| {
        // SAFETY: SQL declares the argument as bit varying. A copy of it is in the call's memory context.
        let (bits, data) = unsafe { bit_string(args.datum(0)) };
        if bits % 8 != 0 {
            report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("cannot cast a bit string of {bits} bits to bitvec"),
            )
            .detail("A bitvec consists of whole bytes.")
            .hint("Pad the bit string to a multiple of 8 bits.")
            .raise();
        }
        checked(data)
    }
);

sql_function!(
    /// bitvec to bit varying.
    bitvec_to_varbit, |args| {
        let bytes = args.bytes(0);
        build(size_of::<i32>() + bytes.len(), |payload| {
            let (bits, data) = payload.split_at_mut(size_of::<i32>());
            bits.copy_from_slice(&(bytes.len() as i32 * 8).to_ne_bytes());
            data.copy_from_slice(bytes);
        })
    }
);

sql_function!(
    /// bigint to a bitvec of 64 bits, most significant first.
    bitvec_from_int8, |args| checked(&args.bigint(0).to_be_bytes())
);

sql_function!(
    /// A bitvec of 64 bits to bigint.
    bitvec_to_int8, |args| {
        let bytes = args.bytes(0);
        let Ok(bytes) = <[u8; 8]>::try_from(bytes) else {
            report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("cannot cast a code of {} bits to bigint", bytes.len() * 8),
            )
            .detail("A bigint has 64 bits.")
            .hint("Take the first 64 bits of a longer code with prefix(code, 64).")
            .raise()
        };
        Datum::from(i64::from_be_bytes(bytes))
    }
);

sql_function!(
    /// uuid to a bitvec of 128 bits.
    bitvec_from_uuid, |args| {
        check_len(UUID_BYTES);
        checked(&args.fixed::<UUID_BYTES>(0))
    }
);

sql_function!(
    /// A bitvec of 128 bits to uuid.
    bitvec_to_uuid, |args| {
        let bytes = args.bytes(0);
        if bytes.len() != UUID_BYTES {
            report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("cannot cast a code of {} bits to uuid", bytes.len() * 8),
            )
            .detail("A uuid has 128 bits.")
            .hint("Take the first 128 bits of a longer code with prefix(code, 128).")
            .raise();
        }
        build_fixed(bytes)
    }
);
