//! Units and codes: normal form, parts, composition, comparison.

use iscc_codes::compare::compare;
use iscc_codes::compose::{compose, read_normal};
use iscc_codes::explain::{explain, type_of};
use iscc_codes::{Header, Iscc, Unit};
use pgrx::pg_sys::Datum;

use super::values::{Rows, Short, row, texts, varlena};
use super::{checked, made};
use crate::types::bitvec::{Args, float8};
use crate::types::sql_function;

/// What these functions call their input in messages.
const ISCC: &str = "ISCC";

/// An argument as it is, sequences included.
fn read(args: Args, n: usize) -> Iscc {
    let text = args.bytes(n);
    checked(ISCC, text, Iscc::read(text))
}

/// An argument in its normal form.
fn normal(args: Args, n: usize) -> Iscc {
    let text = args.bytes(n);
    checked(ISCC, text, read_normal(text))
}

/// The single units of an argument of type text[].
pub fn read_units(args: Args, n: usize, limit: usize) -> Vec<Iscc> {
    let texts = texts(args, n);
    if texts.len() > limit {
        super::too_many(texts.len(), limit);
    }
    let unit = |text: &[u8]| {
        let iscc = checked(ISCC, text, Iscc::read(text));
        checked("unit", text, iscc.into_unit())
    };
    texts.into_iter().map(unit).collect()
}

/// The type of units that an argument names.
fn unit_type(args: Args, n: usize) -> Header {
    let name = String::from_utf8_lossy(args.bytes(n));
    made("unit type", Header::of_type(&name))
}

sql_function!(
    /// `iscc_normalize(iscc)`: the canonical form.
    iscc_normalize, |args| varlena(normal(args, 0).text().as_bytes())
);

sql_function!(
    /// `iscc_is_valid(iscc)`: whether it is the canonical form of a unit, code or identifier.
    iscc_is_valid, |args| Datum::from(Iscc::is_canonical(args.bytes(0)))
);

sql_function!(
    /// `iscc_decode(iscc)`: header and body.
    iscc_decode, |args| {
        let iscc = normal(args, 0);
        let header = iscc.header();
        let body = iscc.first().body;
        row(args, [
            varlena(header.main.name().as_bytes()),
            varlena(header.sub_name().as_bytes()),
            Datum::from(i32::from(header.version)),
            Datum::from(body.len() as i32 * 8),
            varlena(body),
        ])
    }
);

sql_function!(
    /// `iscc_body(iscc)`.
    iscc_body, |args| varlena(normal(args, 0).first().body)
);

sql_function!(
    /// `iscc_unit_body(iscc, unit_type)`: NULL without such a unit.
    iscc_unit_body, |args| {
        let unit_type = unit_type(args, 1);
        match read(args, 0).unit(unit_type) {
            Some(unit) => varlena(unit.body),
            None => args.null(),
        }
    }
);

sql_function!(
    /// `iscc_encode(unit_type, body)`.
    iscc_encode, |args| {
        let body = args.bytes(1);
        let name = String::from_utf8_lossy(args.bytes(0));
        let header = made("unit", Header::of_unit(&name, body.len() * 8));
        varlena(Unit { header, body }.text().as_bytes())
    }
);

sql_function!(
    /// `iscc_decompose(iscc)`: a row for each unit.
    iscc_decompose, |args| {
        let iscc = read(args, 0);
        let mut rows = Rows::begin(args);
        for unit in iscc.units() {
            let unit_type = Short::of(unit.header.unit_type().as_bytes());
            let body = Short::of(unit.body);
            let text = Short::new(unit.text_len(), |text| unit.write(text));
            let bits = Datum::from(unit.bits() as i32);
            rows.push([unit_type.datum(), bits, body.datum(), text.datum()]);
        }
        args.null()
    }
);

sql_function!(
    /// `iscc_compose(units, wide)`.
    iscc_compose, |args| {
        // More than five cannot form a code; that is for `compose` to say, of whatever can be read in no time.
        let units = read_units(args, 0, 1000);
        let units: Vec<Unit> = units.iter().map(Iscc::first).collect();
        let code = made("combination of units", compose(&units, args.boolean(1)));
        varlena(code.text().as_bytes())
    }
);

sql_function!(
    /// `iscc_type(iscc)`.
    iscc_type, |args| varlena(type_of(&normal(args, 0)).as_bytes())
);

sql_function!(
    /// `iscc_explain(iscc)`.
    iscc_explain, |args| varlena(explain(&normal(args, 0)).as_bytes())
);

sql_function!(
    /// `iscc_compare(a, b)`: a row for each type of which both have a unit.
    iscc_compare, |args| {
        let (a, b) = (read(args, 0), read(args, 1));
        let mut rows = Rows::begin(args);
        for (unit, similarity) in compare(&a, &b) {
            let unit_type = Short::of(unit.header.unit_type().as_bytes());
            let bits = Datum::from(similarity.bits as i32);
            rows.push([unit_type.datum(), float8(similarity.similarity), bits]);
        }
        args.null()
    }
);
