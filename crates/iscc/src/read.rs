//! Reading: from text to units whose headers and bodies are right.

use crate::base;
use crate::error::{Error, Result};
use crate::header::{HEADER_BYTES, Header, MAX_BODY_BYTES, Main, WIDE, WITH_CONTENT, WITH_META, WITH_SEMANTIC};

/// A unit: its header and the body, as long as the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit<'a> {
    /// The header.
    pub header: Header,
    /// The body.
    pub body: &'a [u8],
}

impl Unit<'_> {
    /// Header and body.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.header.bytes()[..], self.body].concat()
    }

    /// The canonical text.
    pub fn text(&self) -> String {
        base::encode(&self.bytes())
    }

    /// The length of that text.
    pub fn text_len(&self) -> usize {
        base::encoded_len(HEADER_BYTES + self.body.len())
    }

    /// Writes that text; `text` has its length.
    pub fn write(&self, text: &mut [u8]) {
        let mut bytes = [0; HEADER_BYTES + MAX_BODY_BYTES];
        let (header, body) = bytes.split_at_mut(HEADER_BYTES);
        header.copy_from_slice(&self.header.bytes());
        let length = self.body.len().min(body.len());
        body[..length].copy_from_slice(&self.body[..length]);
        base::encode_into(&bytes[..HEADER_BYTES + length], text);
    }

    /// Bits of the body.
    pub fn bits(&self) -> usize {
        self.body.len() * 8
    }
}

/// What a text says: a unit, code or identifier, or several units, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iscc {
    bytes: Vec<u8>,
    header: Header,
}

impl Iscc {
    /// Reads a text in any form.
    pub fn read(text: &[u8]) -> Result<Iscc> {
        Iscc::from_bytes(base::decode(text)?)
    }

    /// Takes bytes. Errors are of the class [`Kind::Text`](crate::Kind::Text).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Iscc> {
        Iscc::parse(bytes, Header::read)
    }

    /// Takes bytes, whose headers `read` reads.
    pub(crate) fn parse(bytes: Vec<u8>, read: fn(&[u8]) -> Result<Header>) -> Result<Iscc> {
        let header = read(&bytes)?;
        let mut rest = after(header, &bytes)?;
        if !rest.is_empty() && !header.main.is_part_of_codes() {
            return Err(Error::text(format!(
                "there are bytes after the body of {}",
                header.main.name()
            )));
        }
        while !rest.is_empty() {
            let next = read(rest)?;
            if !next.main.is_part_of_codes() {
                return Err(Error::text(format!("{} cannot follow a unit", next.main.name())));
            }
            rest = after(next, rest)?;
        }
        Ok(Iscc { bytes, header })
    }

    /// Reads a text that has one unit, as ISCC-SEQ knows them.
    pub fn read_unit(text: &[u8]) -> Result<Iscc> {
        Iscc::parse(base::decode(text)?, Header::read_in_sequence)?.into_unit()
    }

    /// The same if it is a single unit.
    pub fn into_unit(self) -> Result<Iscc> {
        match self.is_sequence() || !self.header.main.is_part_of_codes() {
            true => Err(Error::combination("it is not a single unit")),
            false => Ok(self),
        }
    }

    /// True when the text is the canonical form of one unit, code or identifier.
    pub fn is_canonical(text: &[u8]) -> bool {
        let is_digit = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
        let digits = text.strip_prefix(b"ISCC:");
        let digits = digits.filter(|digits| digits.len() < 80 && digits.iter().all(is_digit));
        digits.is_some() && Iscc::read(text).is_ok_and(|iscc| !iscc.is_sequence())
    }

    /// Several units one after the other?
    pub fn is_sequence(&self) -> bool {
        self.bytes.len() > HEADER_BYTES + self.header.body_bytes()
    }

    /// The header; of a sequence, that of its first unit.
    pub fn header(&self) -> Header {
        self.header
    }

    /// The unit, code or identifier; of a sequence, its first unit.
    pub fn first(&self) -> Unit<'_> {
        let end = HEADER_BYTES + self.header.body_bytes();
        Unit {
            header: self.header,
            body: self.bytes.get(HEADER_BYTES..end).unwrap_or_default(),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The canonical text.
    pub fn text(&self) -> String {
        base::encode(&self.bytes)
    }

    /// The units in their order. An identifier is a unit of itself.
    pub fn units(&self) -> Units<'_> {
        match self.header.main {
            Main::Iscc => Units {
                code: Some((self.header, 0)),
                rest: self.first().body,
            },
            _ => Units {
                code: None,
                rest: &self.bytes,
            },
        }
    }

    /// The first unit of this type.
    pub fn unit(&self, unit_type: Header) -> Option<Unit<'_>> {
        self.units().find(|unit| unit.header.is_same_type(unit_type))
    }
}

/// What follows an item that starts here.
fn after(header: Header, bytes: &[u8]) -> Result<&[u8]> {
    let end = HEADER_BYTES + header.body_bytes();
    bytes.get(end..).ok_or_else(|| {
        let has = bytes.len().saturating_sub(HEADER_BYTES) * 8;
        let main = header.main.name();
        Error::text(format!(
            "the body of {main} has {has} bits instead of {}",
            header.body_bytes() * 8
        ))
    })
}

/// Walks over units.
pub struct Units<'a> {
    /// The code whose bodies are in `rest`, and how many units of it have been given; `None` for a sequence.
    code: Option<(Header, u8)>,
    rest: &'a [u8],
}

/// The units that a code may have, as bits of its length; zero for those that it must have.
const PARTS: [(Main, u8); 5] = [
    (Main::Meta, WITH_META),
    (Main::Semantic, WITH_SEMANTIC),
    (Main::Content, WITH_CONTENT),
    (Main::Data, 0),
    (Main::Instance, 0),
];

impl<'a> Units<'a> {
    fn next_part(&mut self) -> Option<Header> {
        let Some((code, given)) = &mut self.code else {
            return Header::read_in_sequence(self.rest).ok();
        };
        loop {
            let (main, flag) = *PARTS.get(usize::from(*given))?;
            *given += 1;
            if flag != 0 && code.length & flag == 0 {
                continue;
            }
            let is_media = matches!(main, Main::Semantic | Main::Content);
            return Some(Header {
                main,
                sub: if is_media { code.sub } else { 0 },
                version: 0,
                length: if code.sub == WIDE { 3 } else { 1 },
            });
        }
    }
}

impl<'a> Iterator for Units<'a> {
    type Item = Unit<'a>;

    fn next(&mut self) -> Option<Unit<'a>> {
        let header = self.next_part()?;
        let start = if self.code.is_some() { 0 } else { HEADER_BYTES };
        let end = start + header.body_bytes();
        let body = self.rest.get(start..end)?;
        self.rest = &self.rest[end..];
        Some(Unit { header, body })
    }
}
