//! The SQL type `bitvec_ball`, a code and a radius, and what is within it.
//!
//! The value is a varlena whose payload is the radius (float8, in native order) and then the code.

use std::ffi::CStr;

use iscc_hnsw::ball::is_within;
use iscc_hnsw::distance::Metric;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::{Args, build, check_len, varlena_bytes};
use super::{io, sql_function};
use crate::error::report;

const RADIUS_BYTES: usize = size_of::<f64>();

/// Radius and code of a ball. What is too short to be one holds nothing.
pub fn parts(payload: &[u8]) -> (f64, &[u8]) {
    match payload.split_first_chunk::<RADIUS_BYTES>() {
        Some((radius, code)) if !code.is_empty() => (f64::from_ne_bytes(*radius), code),
        _ => (-1.0, &[]),
    }
}

fn new_ball(code: &[u8], radius: f64) -> Datum {
    check_len(code.len());
    build(RADIUS_BYTES + code.len(), |payload| {
        let (first, rest) = payload.split_at_mut(RADIUS_BYTES);
        first.copy_from_slice(&radius.to_ne_bytes());
        rest.copy_from_slice(code);
    })
}

fn float8(datum: Datum) -> f64 {
    f64::from_bits(datum.value() as u64)
}

/// The text of a ball without the parentheses, as code and radius.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.trim_ascii().strip_prefix(b"(")?.strip_suffix(b")")?;
    let comma = inner.iter().position(|&byte| byte == b',')?;
    Some((inner[..comma].trim_ascii(), &inner[comma + 1..]))
}

sql_function!(
    /// Text input: `(code,radius)`.
    bitvec_ball_in, |args| {
        // SAFETY: an input function's argument is a C string.
        let text = unsafe { CStr::from_ptr(args.datum(0).cast_mut_ptr()) }.to_bytes();
        let Some((code, radius)) = split(text) else {
            let shown: String = String::from_utf8_lossy(text).chars().take(80).collect();
            report(
                PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
                format!("invalid input syntax for type bitvec_ball: \"{shown}\""),
            )
            .hint("Write code and radius in parentheses: (\\xff80,0.25).")
            .raise()
        };
        let code = io::parse(code);
        let mut radius = radius.to_vec();
        radius.push(0);
        // SAFETY: float8in takes a C string and returns no NULL; the code was just built.
        unsafe {
            let text = Some(Datum::from(radius.as_ptr()));
            let radius = pgrx::direct_function_call::<f64>(pg_sys::float8in, &[text]).unwrap_or(f64::NAN);
            new_ball(varlena_bytes(code), radius)
        }
    }
);

sql_function!(
    /// Text output: `(code,radius)`.
    bitvec_ball_out, |args| {
        let (radius, code) = parts(args.bytes(0));
        // SAFETY: float8out_internal returns a C string in memory of its own; the allocation holds the text and the
        // final NUL of palloc0.
        unsafe {
            let radius = CStr::from_ptr(pg_sys::float8out_internal(radius)).to_bytes();
            let (at, len) = (1 + io::text_len(code), io::text_len(code) + radius.len() + 3);
            let text = pg_sys::palloc0(len + 1).cast::<u8>();
            let out = std::slice::from_raw_parts_mut(text, len);
            out[0] = b'(';
            io::write_text(code, &mut out[1..at]);
            out[at] = b',';
            out[at + 1..len - 1].copy_from_slice(radius);
            out[len - 1] = b')';
            Datum::from(text)
        }
    }
);

sql_function!(
    /// Binary input: the radius as float8 has it, and the bytes of the code.
    bitvec_ball_recv, |args| {
        let buffer: pg_sys::StringInfo = args.datum(0).cast_mut_ptr();
        // SAFETY: a receive function's argument is a StringInfo; PostgreSQL checks its bounds.
        let radius = unsafe { pg_sys::pq_getmsgfloat8(buffer) };
        new_ball(io::rest_of_message(buffer), radius)
    }
);

sql_function!(
    /// Binary output: the radius as float8 has it, and the bytes of the code.
    bitvec_ball_send, |args| {
        let (radius, code) = parts(args.bytes(0));
        build(RADIUS_BYTES + code.len(), |payload| {
            let (first, rest) = payload.split_at_mut(RADIUS_BYTES);
            first.copy_from_slice(&radius.to_be_bytes());
            rest.copy_from_slice(code);
        })
    }
);

sql_function!(
    /// The ball of this radius around a code.
    nphd_ball, |args| new_ball(args.bytes(0), float8(args.datum(1)))
);

sql_function!(
    /// `nphd_within(a, b, radius)`: whether the distance of two codes is at most this.
    nphd_within, |args| {
        let distance = Metric::Nphd.distance(args.bytes(0), args.bytes(1));
        Datum::from(is_within(distance, float8(args.datum(2))))
    }
);

/// Whether argument `code` is within the ball that is argument `ball`.
fn contains(args: Args, code: usize, ball: usize) -> Datum {
    let (radius, center) = parts(args.bytes(ball));
    Datum::from(is_within(Metric::Nphd.distance(args.bytes(code), center), radius))
}

sql_function!(
    /// `code <@ ball`.
    bitvec_in_ball, |args| contains(args, 0, 1)
);
sql_function!(
    /// `ball @> code`.
    bitvec_ball_contains, |args| contains(args, 1, 0)
);

/// True for the function of the operator `<@`.
pub fn is_in_ball(address: pg_sys::PGFunction) -> bool {
    address.is_some_and(|address| std::ptr::eq(address as *const (), bitvec_in_ball as *const ()))
}

/// True for the function `nphd_ball`.
pub fn is_constructor(address: pg_sys::PGFunction) -> bool {
    address.is_some_and(|address| std::ptr::eq(address as *const (), nphd_ball as *const ()))
}
