//! Simprints as text, and what a search makes of similarities.

use iscc_codes::base::{decode_simprint, encode_simprint};
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::checked;
use super::values::varlena;
use crate::error::report;
use crate::types::bitvec::{Args, build_fixed, check_len, float8};
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
struct Sums {
    x: f64,
    y: f64,
}

fn sums(args: Args, n: usize) -> Sums {
    let bytes: [u8; 16] = args.fixed(n);
    let number = |at: usize| f64::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    Sums {
        x: number(0),
        y: number(8),
    }
}

fn state(x: f64, y: f64) -> Datum {
    build_fixed([x, y].map(f64::to_ne_bytes).as_flattened())
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
