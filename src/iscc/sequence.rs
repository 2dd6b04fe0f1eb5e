//! ISCC-SEQ: units as bytes, one after the other.

use iscc_codes::{Error, Iscc, Kind, sequence};

use super::values::{text_array, texts, varlena};
use super::{checked, made, raise};
use crate::types::sql_function;

sql_function!(
    /// `iscc_seq_encode(units)`.
    iscc_seq_encode, |args| {
        let units = texts(args, 0);
        if units.is_empty() {
            let message = "it has no unit".to_string();
            raise("ISCC-SEQ", None, Error { kind: Kind::Combination, message });
        }
        let mut bytes = Vec::new();
        for text in units {
            let unit = checked("unit", text, Iscc::read_unit(text));
            made("ISCC-SEQ", sequence::push(&mut bytes, unit.first()));
        }
        varlena(&bytes)
    }
);

sql_function!(
    /// `iscc_seq_decode(bytes)`.
    iscc_seq_decode, |args| {
        let sequence = made("ISCC-SEQ", sequence::decode(args.bytes(0)));
        text_array(sequence.units().map(|unit| unit.text()))
    }
);
