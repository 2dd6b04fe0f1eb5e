//! From units to a code.

use crate::error::{Error, Kind, Result};
use crate::header::{
    HEADER_BYTES, Header, MAX_BODY_BYTES, Main, NONE, SUM, WIDE, WITH_CONTENT, WITH_META, WITH_SEMANTIC,
};
use crate::read::{Iscc, Unit};

/// Reads a text in any form and normalizes it: what is left is one unit, code or identifier.
pub fn read_normal(text: &[u8]) -> Result<Iscc> {
    let iscc = Iscc::read(text)?;
    if !iscc.is_sequence() {
        return Ok(iscc);
    }
    let units: Vec<Unit> = iscc.units().collect();
    compose(&units, false).map_err(|error| error.of(Kind::Text))
}

/// The code of some units, in any order: 64 bits of each, or 128 of Data- and Instance-Code when `wide` is asked for,
/// both have them and there are no others.
pub fn compose(units: &[Unit], wide: bool) -> Result<Iscc> {
    let mut of_type: [Option<Unit>; 5] = [None; 5];
    for unit in units {
        let main = unit.header.main;
        let Some(place) = of_type.get_mut(main as usize) else {
            return Err(Error::combination(format!("{} is not a unit of a code", main.name())));
        };
        if place.replace(*unit).is_some() {
            return Err(Error::combination(format!(
                "a code cannot have two units of type {}",
                main.name()
            )));
        }
        if unit.body.len() < 8 {
            let bits = unit.bits();
            return Err(Error::combination(format!(
                "a code needs 64 bits of {}, but there are {bits}",
                main.name()
            )));
        }
    }
    let [meta, semantic, content, data, instance] = of_type;
    let (Some(data), Some(instance)) = (data, instance) else {
        let missing = if data.is_none() { Main::Data } else { Main::Instance };
        return Err(Error::combination(format!(
            "a code needs a unit of type {}",
            missing.name()
        )));
    };
    if let (Some(semantic), Some(content)) = (semantic, content)
        && semantic.header.sub != content.header.sub
    {
        return Err(Error::combination(format!(
            "SEMANTIC {} and CONTENT {} do not form a code",
            semantic.header.sub_name(),
            content.header.sub_name()
        )));
    }
    let is_wide = wide && units.len() == 2 && data.body.len() >= 16 && instance.body.len() >= 16;
    let media = semantic.or(content).map(|unit| unit.header.sub);
    let sub = match media {
        Some(sub) => sub,
        None if is_wide => WIDE,
        None if meta.is_some() => NONE,
        None => SUM,
    };
    let flag = |unit: Option<Unit>, flag: u8| if unit.is_some() { flag } else { 0 };
    let header = Header {
        main: Main::Iscc,
        sub,
        version: 0,
        length: flag(meta, WITH_META) | flag(semantic, WITH_SEMANTIC) | flag(content, WITH_CONTENT),
    };
    let mut bytes = Vec::with_capacity(HEADER_BYTES + MAX_BODY_BYTES);
    bytes.extend_from_slice(&header.bytes());
    let part = if is_wide { 16 } else { 8 };
    for unit in of_type.iter().flatten() {
        bytes.extend(unit.body.iter().take(part));
    }
    Iscc::from_bytes(bytes)
}
