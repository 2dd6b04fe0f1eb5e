//! ISCC-SEQ (IEP-0020): the bytes of units, one after the other.

use crate::base::MAX_TEXT;
use crate::error::{Error, Kind, Result};
use crate::header::Header;
use crate::read::{Iscc, Unit};

/// Reads a sequence of one or more units.
pub fn decode(bytes: &[u8]) -> Result<Iscc> {
    if bytes.len() > MAX_TEXT {
        return Err(Error::too_long(format!("it has more than {MAX_TEXT} bytes")));
    }
    let iscc = Iscc::parse(bytes.to_vec(), Header::read_in_sequence).map_err(|error| error.of(Kind::Bytes))?;
    match iscc.header().main.is_part_of_codes() {
        true => Ok(iscc),
        false => Err(Error::bytes(format!("{} is not a unit", iscc.header().main.name()))),
    }
}

/// Adds a unit to a sequence.
pub fn push(sequence: &mut Vec<u8>, unit: Unit) -> Result<()> {
    sequence.extend_from_slice(&unit.header.bytes());
    sequence.extend_from_slice(unit.body);
    match sequence.len() <= MAX_TEXT {
        true => Ok(()),
        false => Err(Error::too_long(format!("a sequence has at most {MAX_TEXT} bytes"))),
    }
}
