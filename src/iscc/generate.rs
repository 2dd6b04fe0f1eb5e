//! Fingerprints of texts, metadata and bytes.

use iscc_codes::generate;
use pgrx::pg_sys::Datum;

use super::codes::read_units;
use super::made;
use super::values::{utf8, varlena};
use crate::error::check_for_interrupts;
use crate::types::bitvec::Args;
use crate::types::sql_function;

fn code(what: &str, result: iscc_codes::Result<String>) -> Datum {
    varlena(made(what, result).as_bytes())
}

sql_function!(
    /// `iscc_gen_text(text, bits)`.
    iscc_gen_text, |args| {
        let text = utf8(args, 0);
        code("Text-Code", generate::text(text, args.int(1), check_for_interrupts))
    }
);

/// A text that may be NULL.
fn optional<'call>(args: Args<'call>, n: usize) -> Option<&'call str> {
    (!args.is_null(n)).then(|| utf8(args, n))
}

sql_function!(
    /// `iscc_gen_meta(name, description, meta, bits)`: NULL without a name or bits.
    iscc_gen_meta, |args| {
        let Some(name) = optional(args, 0) else { return args.null() };
        if args.is_null(3) {
            return args.null();
        }
        let (description, meta) = (optional(args, 1), optional(args, 2));
        code("Meta-Code", generate::meta(name, description, meta, args.int(3)))
    }
);

sql_function!(
    /// `iscc_gen_data(bytes, bits)`.
    iscc_gen_data, |args| {
        code("Data-Code", generate::data(args.bytes(0), args.int(1), check_for_interrupts))
    }
);

sql_function!(
    /// `iscc_gen_instance(bytes, bits)`.
    iscc_gen_instance, |args| {
        code("Instance-Code", generate::instance(args.bytes(0), args.int(1), check_for_interrupts))
    }
);

sql_function!(
    /// `iscc_gen_mixed(codes, bits)`.
    iscc_gen_mixed, |args| {
        let units = read_units(args, 0, generate::MAX_MIXED);
        code("Mixed-Code", generate::mixed(&units, args.int(1)))
    }
);
