//! Text and binary form, and the type modifier.

use iscc_metrics::text::{self, TextError};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::{MAX_BITS, build, build_text, check_len, checked};
use super::sql_function;
use crate::error::report;
use crate::nodes::{Node, functions, views};

/// Parses the text form of a code that has at most as many bits as the type modifier says, if it is not negative.
/// Raises an error that quotes the input.
pub(super) fn parse(text: &[u8], typmod: i32) -> Datum {
    let digits = text::digits(text).unwrap_or_else(|why| raise(text, why));
    check_len(digits.len() / 2);
    check_typmod(digits.len() / 2, typmod);
    build(digits.len() / 2, |payload| text::decode(digits, payload))
}

fn raise(text: &[u8], why: TextError) -> ! {
    let shown: String = String::from_utf8_lossy(text).chars().take(80).collect();
    let report = report(
        PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
        format!("invalid input syntax for type bitvec: \"{shown}\""),
    );
    match why {
        TextError::Digit(bad) => report
            .detail(format!("\"{bad}\" is not a hexadecimal digit."))
            .hint("Write the code in hexadecimal: \\xff80 or ff80.")
            .raise(),
        TextError::Count(count) => report
            .detail(format!("The number of hexadecimal digits is {count}."))
            .hint("A bitvec has at least one byte, and each byte is two digits.")
            .raise(),
    }
}

/// What a receive function gets: a value in binary form.
pub type Message<'a> = Node<'a, pg_sys::StringInfoData>;

views! {
    StringInfoData {
        length: i32 = |message| message.len;
        position: i32 = |message| message.cursor;
    }
}

functions! {
    /// Reads the next eight bytes of a message; an error if it is shorter.
    pub fn read_float(message: Message<'_>) -> f64 = pq_getmsgfloat8;
}

/// Reads the part of a message that has not been read.
pub fn read_rest(message: Message<'_>) -> &[u8] {
    let len = message.length() - message.position();
    // SAFETY: pq_getmsgbytes checks the bounds; what it returns is part of the message.
    unsafe { std::slice::from_raw_parts(pg_sys::pq_getmsgbytes(message.raw(), len).cast(), len as usize) }
}

/// Raises an error when a code is longer than the type modifier allows.
fn check_typmod(bytes: usize, typmod: i32) {
    if typmod >= 0 && bytes * 8 > typmod as usize {
        report(
            PgSqlErrorCode::ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
            format!("code of {} bits is too long for type bitvec({typmod})", bytes * 8),
        )
        .hint("Codes are never truncated silently. Use prefix(code, bits) to shorten one.")
        .raise();
    }
}

sql_function!(
    /// Text input: hexadecimal, with or without `\x` or `0x` in front.
    bitvec_in, |args| {
        parse(args.text(0).to_bytes(), args.int(2))
    }
);

sql_function!(
    /// Text output: `\x` and lower-case hexadecimal.
    bitvec_out, |args| {
        let bytes = args.bytes(0);
        build_text(text::text_len(bytes), |text| text::write(bytes, text))
    }
);

sql_function!(
    /// Binary input: the bytes of the code.
    bitvec_recv, |args| {
        let bytes = read_rest(args.view(0));
        check_typmod(bytes.len(), args.int(2));
        checked(bytes)
    }
);

sql_function!(
    /// Binary output: the bytes of the code, as a bytea.
    bitvec_send, |args| {
        let bytes = args.bytes(0);
        build(bytes.len(), |payload| payload.copy_from_slice(bytes))
    }
);

sql_function!(
    /// Type modifier input: `bitvec(bits)`.
    bitvec_typmod_in, |args| {
        let mut n = 0;
        // SAFETY: the argument is a cstring array; the result has `n` elements.
        let modifiers = unsafe {
            let array = pg_sys::pg_detoast_datum(args.datum(0).cast_mut_ptr());
            let values = pg_sys::ArrayGetIntegerTypmods(array.cast(), &mut n);
            std::slice::from_raw_parts(values, n as usize)
        };
        match *modifiers {
            [bits] if bits >= 8 && bits as usize <= MAX_BITS && bits % 8 == 0 => {
                Datum::from(bits)
            }
            [bits] => report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("invalid length for type bitvec: {bits} bits"),
            )
            .detail(format!("The length must be a multiple of 8 between 8 and {MAX_BITS} bits."))
            .raise(),
            _ => report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "type bitvec takes one modifier, the maximum length in bits",
            )
            .raise(),
        }
    }
);

sql_function!(
    /// Length coercion: refuses what is longer than the type modifier.
    bitvec_enforce_typmod, |args| {
        check_typmod(args.bytes(0).len(), args.int(1));
        args.datum(0)
    }
);
