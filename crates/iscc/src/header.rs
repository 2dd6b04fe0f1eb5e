//! The two bytes before a body: main type, subtype, version and length, four bits each.
//!
//! The standard could write larger numbers in more than four bits, but no type, version or length that exists needs
//! that. So a header of another size is not one.

use crate::error::{Error, Result};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 2;
/// The longest body of a unit.
pub const MAX_UNIT_BYTES: usize = 32;
/// The longest body of a code: five units of 64 bits.
pub const MAX_BODY_BYTES: usize = 40;

/// The main types, in the order of their numbers and of the units in a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Main {
    /// Similarity of metadata.
    Meta,
    /// Similarity of meaning.
    Semantic,
    /// Similarity of content.
    Content,
    /// Similarity of data.
    Data,
    /// Identity of data: a hash.
    Instance,
    /// A code of several units.
    Iscc,
    /// An identifier.
    Id,
    /// A unique number.
    Flake,
}

const MAIN: [(Main, &str); 8] = [
    (Main::Meta, "META"),
    (Main::Semantic, "SEMANTIC"),
    (Main::Content, "CONTENT"),
    (Main::Data, "DATA"),
    (Main::Instance, "INSTANCE"),
    (Main::Iscc, "ISCC"),
    (Main::Id, "ID"),
    (Main::Flake, "FLAKE"),
];
/// All types by main type and version; the index of a name is the number of its subtype.
const TYPES: [(Main, u8, &[&str]); 9] = [
    (Main::Meta, 0, &["META_NONE_V0"]),
    (
        Main::Semantic,
        0,
        &[
            "SEMANTIC_TEXT_V0",
            "SEMANTIC_IMAGE_V0",
            "SEMANTIC_AUDIO_V0",
            "SEMANTIC_VIDEO_V0",
            "SEMANTIC_MIXED_V0",
        ],
    ),
    (
        Main::Content,
        0,
        &[
            "CONTENT_TEXT_V0",
            "CONTENT_IMAGE_V0",
            "CONTENT_AUDIO_V0",
            "CONTENT_VIDEO_V0",
            "CONTENT_MIXED_V0",
        ],
    ),
    (Main::Data, 0, &["DATA_NONE_V0"]),
    (Main::Instance, 0, &["INSTANCE_NONE_V0"]),
    (
        Main::Iscc,
        0,
        &[
            "ISCC_TEXT_V0",
            "ISCC_IMAGE_V0",
            "ISCC_AUDIO_V0",
            "ISCC_VIDEO_V0",
            "ISCC_MIXED_V0",
            "ISCC_SUM_V0",
            "ISCC_NONE_V0",
            "ISCC_WIDE_V0",
        ],
    ),
    (
        Main::Id,
        0,
        &["ID_PRIVATE_V0", "ID_BITCOIN_V0", "ID_ETHEREUM_V0", "ID_POLYGON_V0"],
    ),
    (Main::Flake, 0, &["FLAKE_NONE_V0"]),
    (Main::Id, 1, &["ID_REALM_0_V1", "ID_REALM_1_V1"]),
];
/// Subtypes of these are below that, the reserved ones included.
const RESERVED_END: usize = 8;

/// The subtype of a code of Data- and Instance-Code only.
pub const SUM: u8 = 5;
/// The subtype of a code without Semantic- and Content-Code, but with a Meta-Code.
pub const NONE: u8 = 6;
/// The subtype of a code of 128 bits of Data-Code and as many of Instance-Code.
pub const WIDE: u8 = 7;
/// Units of a code beside Data- and Instance-Code, as bits of its length.
pub const WITH_META: u8 = 4;
/// See [`WITH_META`].
pub const WITH_SEMANTIC: u8 = 2;
/// See [`WITH_META`].
pub const WITH_CONTENT: u8 = 1;

impl Main {
    /// Its name.
    pub fn name(self) -> &'static str {
        MAIN[self as usize].1
    }

    /// True for the types of which a code consists.
    pub fn is_part_of_codes(self) -> bool {
        self < Main::Iscc
    }
}

/// A header that has been checked, or made from what had been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The main type.
    pub main: Main,
    /// The subtype's number, whose meaning depends on the main type and version.
    pub sub: u8,
    /// The version.
    pub version: u8,
    /// The number that stands for the length; for a code it tells what units it has.
    pub length: u8,
}

impl Header {
    /// Reads the first two bytes. The message of an error says what is wrong, its class is for the caller to say.
    pub fn read(bytes: &[u8]) -> Result<Header> {
        let header = Header::read_in_sequence(bytes)?;
        match header.types() {
            Some(subtypes) if usize::from(header.sub) < subtypes.len() => Ok(header),
            _ => Err(header.no_subtype()),
        }
    }

    /// Like `read`, but as ISCC-SEQ has it: subtypes of SEMANTIC and CONTENT that are reserved are accepted.
    pub fn read_in_sequence(bytes: &[u8]) -> Result<Header> {
        let [first, second, ..] = *bytes else {
            return Err(Error::text("it ends within a header"));
        };
        let main = first >> 4;
        let Some(&(main, _)) = MAIN.get(usize::from(main)) else {
            return Err(Error::text(format!("there is no main type {main}")));
        };
        let header = Header {
            main,
            sub: first & 15,
            version: second >> 4,
            length: second & 15,
        };
        header.check()?;
        Ok(header)
    }

    fn check(self) -> Result<()> {
        let main = self.main.name();
        let Some(subtypes) = self.types() else {
            return Err(Error::text(format!("there is no version {} of {main}", self.version)));
        };
        let end = if self.has_media() { RESERVED_END } else { subtypes.len() };
        if usize::from(self.sub) >= end {
            return Err(self.no_subtype());
        }
        let fits = match self.main {
            Main::Iscc => match self.sub {
                SUM | WIDE => self.length == 0,
                NONE => self.length == WITH_META,
                _ => self.length < 8 && self.length & (WITH_SEMANTIC | WITH_CONTENT) != 0,
            },
            Main::Id if self.version == 1 => self.length == 0,
            Main::Id => self.length <= 4,
            _ => self.length < 8,
        };
        match fits {
            true => Ok(()),
            false => Err(Error::text(format!(
                "length {} does not go with {main} {}",
                self.length,
                self.sub_name()
            ))),
        }
    }

    fn no_subtype(self) -> Error {
        Error::text(format!("there is no subtype {} of {}", self.sub, self.main.name()))
    }

    fn has_media(self) -> bool {
        matches!(self.main, Main::Semantic | Main::Content)
    }

    /// The header of a unit or identifier of these types with a body of this many bits.
    pub fn of_unit(unit_type: &str, bits: usize) -> Result<Header> {
        let mut header = Header::of_type(unit_type)?;
        let range = match header.main {
            Main::Id if header.version == 1 => 64..=64,
            Main::Id => 64..=96,
            _ => 32..=256,
        };
        let step = if header.main == Main::Id { 8 } else { 32 };
        if !range.contains(&bits) || !bits.is_multiple_of(step) {
            return Err(Error::combination(format!(
                "a unit {unit_type} cannot have {bits} bits"
            )));
        }
        header.length = ((bits - range.start()) / step) as u8;
        Ok(header)
    }

    /// The header that a name such as `CONTENT_TEXT_V0` stands for, with the least length.
    pub fn of_type(unit_type: &str) -> Result<Header> {
        for (main, version, names) in TYPES {
            let sub = names.iter().position(|name| *name == unit_type);
            if let Some(sub) = sub.filter(|_| main != Main::Iscc) {
                return Ok(Header {
                    main,
                    sub: sub as u8,
                    version,
                    length: 0,
                });
            }
        }
        Err(Error::combination(format!(
            "there is no unit type \"{}\"",
            shown(unit_type)
        )))
    }

    /// The names of the types with this main type and version.
    fn types(self) -> Option<&'static [&'static str]> {
        let types = match self.version {
            0 => TYPES.get(self.main as usize)?,
            _ => TYPES
                .iter()
                .find(|types| (types.0, types.1) == (self.main, self.version))?,
        };
        Some(types.2)
    }

    /// Its name as iscc-search writes it: `CONTENT_TEXT_V0`.
    pub fn unit_type(self) -> &'static str {
        let types = self.types().unwrap_or_default();
        types.get(usize::from(self.sub)).copied().unwrap_or("RESERVED")
    }

    /// The subtype's name: what is between the main type's and the version.
    pub fn sub_name(self) -> &'static str {
        let name = self.unit_type();
        let start = self.main.name().len() + 1;
        let end = name.len().saturating_sub("_V0".len());
        name.get(start..end).unwrap_or(name)
    }

    /// True when both have the same type, whatever their lengths.
    pub fn is_same_type(self, other: Header) -> bool {
        (self.main, self.sub, self.version) == (other.main, other.sub, other.version)
    }

    /// Bytes of the body.
    pub fn body_bytes(self) -> usize {
        let length = usize::from(self.length);
        match self.main {
            Main::Iscc if self.sub == WIDE => 32,
            Main::Iscc => 16 + 8 * self.length.count_ones() as usize,
            Main::Id => 8 + length,
            _ => 4 * (length + 1),
        }
    }

    /// The two bytes.
    pub fn bytes(self) -> [u8; HEADER_BYTES] {
        [(self.main as u8) << 4 | self.sub, self.version << 4 | self.length]
    }
}

/// As much of a text as a message should quote.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
