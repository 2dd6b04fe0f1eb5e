//! The SQL type `bitvec_ball`, a code and a radius, and what is within it.
//!
//! The value is a varlena whose payload is the radius (float8, in native order) and then the code.

use std::ffi::CString;

use iscc_metrics::Metric;
use iscc_metrics::ball::is_within;
use iscc_metrics::distance::hamming;
use iscc_metrics::text;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::{Args, build, build_text, check_len, float8, varlena_bytes};
use super::{io, sql_function};
use crate::error::report;
use crate::nodes::functions;

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
        // No negative zero: equal balls are equal bytes.
        first.copy_from_slice(&(radius + 0.0).to_ne_bytes());
        rest.copy_from_slice(code);
    })
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
        let text = args.text(0).to_bytes();
        let Some((code, radius)) = split(text) else {
            let shown: String = String::from_utf8_lossy(text).chars().take(80).collect();
            report(
                PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
                format!("invalid input syntax for type bitvec_ball: \"{shown}\""),
            )
            .hint("Write the code and the radius in parentheses: (\\xff80,0.25).")
            .raise()
        };
        let code = io::parse(code, -1);
        let mut radius = radius.to_vec();
        radius.push(0);
        // SAFETY: float8in takes a C string and returns no NULL; the code was just built.
        unsafe {
            let text = Some(Datum::from(radius.as_ptr()));
            let radius = pgrx::direct_function_call::<f64>(pg_sys::float8in, &[text]).unwrap_or(f64::NAN);
            new_ball(varlena_bytes(code), checked_radius(radius))
        }
    }
);

sql_function!(
    /// Text output: `(code,radius)`.
    bitvec_ball_out, |args| {
        let (radius, code) = parts(args.bytes(0));
        let radius = text_of(radius);
        let at = 1 + text::text_len(code);
        build_text(at + radius.len() + 2, |text| {
            text[0] = b'(';
            text::write(code, &mut text[1..at]);
            text[at] = b',';
            text[at + 1..][..radius.len()].copy_from_slice(radius.as_bytes());
            text[at + 1 + radius.len()] = b')';
        })
    }
);

sql_function!(
    /// Binary input: the radius as float8 has it, and the bytes of the code.
    bitvec_ball_recv, |args| {
        let message: io::Message<'_> = args.view(0);
        let radius = io::read_float(message);
        new_ball(io::read_rest(message), checked_radius(radius))
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

functions! {
    fn float_text(number: f64) -> CString = float8out_internal;
}

/// A radius as PostgreSQL writes it.
pub(super) fn text_of(radius: f64) -> String {
    float_text(radius).to_string_lossy().into_owned()
}

/// A radius that a user gives.
fn checked_radius(radius: f64) -> f64 {
    if !(0.0..=1.0).contains(&radius) {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("radius {} is out of range", text_of(radius)),
        )
        .detail("A radius is a fraction of the bits, from 0 to 1.")
        .hint("For up to 6 different bits out of 64, write 6/64.0 or use hamming_within(code, query, 6).")
        .raise();
    }
    radius
}

/// `within(a, b, radius)`.
fn is_near_enough(args: Args, radius: f64) -> Datum {
    Datum::from(is_within(Metric::Nphd.distance(args.bytes(0), args.bytes(1)), radius))
}

sql_function!(
    /// A radius, checked.
    nphd_radius, |args| float8(checked_radius(args.float(0)))
);

sql_function!(
    /// The ball of this radius around a code.
    nphd_ball, |args| new_ball(args.bytes(0), checked_radius(args.float(1)))
);

sql_function!(
    /// The same with any number as radius: no code is within a negative one, all are within one above 1, or NaN.
    nphd_ball_unchecked, |args| new_ball(args.bytes(0), args.float(1))
);

sql_function!(
    /// `nphd_within(a, b, radius)`: whether the distance of two codes is at most this.
    nphd_within, |args| is_near_enough(args, checked_radius(args.float(2)))
);

sql_function!(
    /// The same with any number as radius, as in `nphd_ball_unchecked`.
    nphd_within_unchecked, |args| is_near_enough(args, args.float(2))
);

/// The radius of the ball that has all codes that differ in at most `bits` bits from one of this length, if they are of
/// this length, too.
pub fn hamming_radius(bits: i32, bytes: usize) -> f64 {
    f64::from(bits) / (8 * bytes) as f64
}

sql_function!(
    /// `hamming_ball(query, bits)`.
    hamming_ball, |args| {
        let query = args.bytes(0);
        new_ball(query, hamming_radius(args.int(1), query.len()))
    }
);

sql_function!(
    /// `hamming_within(a, b, bits)`: whether two codes have the same length and differ in at most that many bits.
    hamming_within, |args| {
        let (a, b) = (args.bytes(0), args.bytes(1));
        Datum::from(a.len() == b.len() && i64::from(hamming(a, b)) <= i64::from(args.int(2)))
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

fn is(address: pg_sys::PGFunction, function: *const ()) -> bool {
    address.is_some_and(|address| std::ptr::eq(address as *const (), function))
}

/// True for the function of the operator `<@`.
pub fn is_in_ball(address: pg_sys::PGFunction) -> bool {
    is(address, bitvec_in_ball as *const ())
}

/// True for the functions that make a ball of a code and a radius.
pub fn is_constructor(address: pg_sys::PGFunction) -> bool {
    is(address, nphd_ball as *const ()) || is(address, nphd_ball_unchecked as *const ())
}

/// True for `nphd_radius`.
pub fn is_radius(address: pg_sys::PGFunction) -> bool {
    is(address, nphd_radius as *const ())
}

/// True for `nphd_within_unchecked`.
pub fn is_within_unchecked(address: pg_sys::PGFunction) -> bool {
    is(address, nphd_within_unchecked as *const ())
}

/// True for `hamming_ball`.
pub fn is_hamming_ball(address: pg_sys::PGFunction) -> bool {
    is(address, hamming_ball as *const ())
}
