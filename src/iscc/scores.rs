//! Simprints as text, and what a search makes of similarities.

use iscc_codes::base::{decode_simprint, encode_simprint};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::checked;
use super::values::varlena;
use crate::error::report;
use crate::types::bitvec::{Args, check_len, float8};
use crate::types::sql_function;

sql_function!(
    /// `iscc_simprint(text)`: base64url without padding.
    iscc_simprint, |args| {
        let text = args.bytes(0);
        let bytes = checked("simprint", text, decode_simprint(text));
        check_len(bytes.len());
        varlena(&bytes)
    }
);
sql_function!(
    /// `iscc_simprint_text(code)`.
    iscc_simprint_text, |args| varlena(encode_simprint(args.bytes(0)).as_bytes())
);

/// The sums of an aggregate, in a value of type point: of the scores, and of their fourth powers.
fn sums(args: Args, n: usize) -> pg_sys::Point {
    // SAFETY: SQL declares the argument as point, which is passed by reference.
    unsafe { *args.datum(n).cast_mut_ptr::<pg_sys::Point>() }
}

fn state(x: f64, y: f64) -> Datum {
    // SAFETY: the allocation is for a point, and aligned for any value.
    unsafe {
        let point = pg_sys::palloc(size_of::<pg_sys::Point>()).cast::<pg_sys::Point>();
        point.write(pg_sys::Point { x, y });
        Datum::from(point)
    }
}

sql_function!(
    /// Transition function of `iscc_score`.
    iscc_score_add, |args| {
        let (sums, score) = (sums(args, 0), args.float(1));
        state(sums.x + score, sums.y + score.powi(4))
    }
);
sql_function!(
    /// Combine function of `iscc_score`.
    iscc_score_combine, |args| {
        let (a, b) = (sums(args, 0), sums(args, 1));
        state(a.x + b.x, a.y + b.y)
    }
);
sql_function!(
    /// Final function of `iscc_score`: NULL without scores other than zero.
    iscc_score_result, |args| {
        let sums = sums(args, 0);
        match sums.x == 0.0 {
            true => args.null(),
            false => float8(sums.y / sums.x),
        }
    }
);

sql_function!(
    /// `iscc_idf(total, frequency)`.
    iscc_idf, |args| {
        let (total, frequency) = (args.bigint(0), args.bigint(1));
        if total < 0 || frequency < 0 {
            report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "total and frequency must not be negative",
            )
            .raise();
        }
        float8((1.0 + total as f64 / (1.0 + frequency as f64)).ln())
    }
);
