//! Fingerprints. The algorithms are those of `iscc-lib`; here, inputs are checked and cut into pieces, so that the
//! caller is asked between them whether to go on.

use iscc_lib::{DataHasher, InstanceHasher, IsccError};
use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};
use crate::header::Main;
use crate::read::Iscc;

/// The longest text, in bytes. The last step cannot be interrupted, and takes a second for so much.
pub const MAX_TEXT_BYTES: usize = 8 << 20;
/// The longest name, description or metadata. Of the first two, only 128 and 4,096 bytes count.
pub const MAX_META_BYTES: usize = 1 << 20;
/// The most units of a Mixed-Code.
pub const MAX_MIXED: usize = 10_000;
const PIECE: usize = 256 << 10;

/// The version of Unicode whose tables the text functions use.
pub const UNICODE: (u8, u8, u8) = unicode_normalization::UNICODE_VERSION;

/// Bits must be 32 to 256, in steps of 32.
pub fn check_bits(bits: i32) -> Result<u32> {
    match u32::try_from(bits) {
        Ok(bits @ 32..=256) if bits % 32 == 0 => Ok(bits),
        _ => Err(Error::combination(format!("a unit cannot have {bits} bits"))),
    }
}

/// What iscc-lib refuses although it has been checked here: the message, without its prefix.
fn refused(error: IsccError) -> Error {
    let IsccError::InvalidInput(message) = error;
    Error::combination(message)
}

/// The Text-Code of a text. `go_on` is called between pieces; it may unwind.
pub fn text(text: &str, bits: i32, mut go_on: impl FnMut()) -> Result<String> {
    let bits = check_bits(bits)?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::too_long(format!("a text has at most {MAX_TEXT_BYTES} bytes")));
    }
    if text.len() <= PIECE {
        return iscc_lib::gen_text_code_v0(text, bits)
            .map(|code| code.iscc)
            .map_err(refused);
    }
    // Collapsing removes white space, and nothing reaches across it but the composition at the end, which therefore is
    // done once more over all.
    let mut collapsed = String::with_capacity(text.len());
    for piece in pieces(text) {
        go_on();
        collapsed.push_str(&iscc_lib::text_collapse(piece));
    }
    let mut composed = String::with_capacity(collapsed.len());
    for (n, letter) in collapsed.nfkc().enumerate() {
        if n % PIECE == 0 {
            go_on();
        }
        composed.push(letter);
    }
    drop(collapsed);
    let features = features(&composed, &mut go_on);
    let digest = iscc_lib::alg_minhash_256(&features);
    encode(Main::Content, bits, &digest)
}

/// Cuts a text before white space of ASCII, after about [`PIECE`] bytes.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let later = text.bytes().enumerate().skip(PIECE);
        let at = later.into_iter().find(|(_, byte)| byte.is_ascii_whitespace());
        let (piece, rest) = text.split_at(at.map_or(text.len(), |(at, _)| at));
        text = rest;
        Some(piece)
    })
}

/// A hash of each run of this many characters.
fn features(text: &str, go_on: &mut impl FnMut()) -> Vec<u32> {
    let width = iscc_lib::TEXT_NGRAM_SIZE;
    let ends = text.char_indices().map(|(at, _)| at).skip(width).chain([text.len()]);
    let starts = text.char_indices().map(|(at, _)| at);
    let mut features = Vec::with_capacity(text.len());
    for (n, (start, end)) in starts.zip(ends).enumerate() {
        if n % PIECE == 0 {
            go_on();
        }
        features.push(xxhash_rust::xxh32::xxh32(&text.as_bytes()[start..end], 0));
    }
    if features.is_empty() {
        features.push(xxhash_rust::xxh32::xxh32(text.as_bytes(), 0));
    }
    features
}

fn encode(main: Main, bits: u32, digest: &[u8]) -> Result<String> {
    let unit = iscc_lib::encode_component(main as u8, 0, 0, bits, digest).map_err(refused)?;
    Ok(format!("ISCC:{unit}"))
}

/// The Meta-Code of a name, a description, and metadata as JSON or data URL.
pub fn meta(name: &str, description: Option<&str>, meta: Option<&str>, bits: i32) -> Result<String> {
    let bits = check_bits(bits)?;
    for part in [Some(name), description, meta].into_iter().flatten() {
        if part.len() > MAX_META_BYTES {
            return Err(Error::too_long(format!("metadata has at most {MAX_META_BYTES} bytes")));
        }
    }
    let code = iscc_lib::gen_meta_code_v0(name, description, meta, bits).map_err(|error| {
        let refused = refused(error);
        let message = refused.message.as_str();
        if message.contains("exceeds size limit") {
            Error::too_long(message)
        } else if message.starts_with("name is empty") {
            Error::combination("the name is empty")
        } else {
            Error::text(message)
        }
    })?;
    Ok(code.iscc)
}

/// The Data-Code of some bytes. `go_on` is called between pieces; it may unwind.
pub fn data(bytes: &[u8], bits: i32, mut go_on: impl FnMut()) -> Result<String> {
    let bits = check_bits(bits)?;
    let mut hasher = DataHasher::new();
    for piece in bytes.chunks(4 * PIECE) {
        go_on();
        hasher.update(piece);
    }
    hasher.finalize(bits).map(|code| code.iscc).map_err(refused)
}

/// The Instance-Code of some bytes. `go_on` is called between pieces; it may unwind.
pub fn instance(bytes: &[u8], bits: i32, mut go_on: impl FnMut()) -> Result<String> {
    let bits = check_bits(bits)?;
    let mut hasher = InstanceHasher::new();
    for piece in bytes.chunks(16 * PIECE) {
        go_on();
        hasher.update(piece);
    }
    hasher.finalize(bits).map(|code| code.iscc).map_err(refused)
}

/// The Mixed-Code of Content-Codes, each of which has as many bits at least.
pub fn mixed(codes: &[Iscc], bits: i32) -> Result<String> {
    let bits = check_bits(bits)?;
    if codes.len() < 2 {
        return Err(Error::combination("a Mixed-Code needs at least 2 Content-Codes"));
    }
    for code in codes {
        let unit = code.first();
        if unit.header.main != Main::Content {
            return Err(Error::combination(format!(
                "{} is not a Content-Code",
                unit.header.unit_type()
            )));
        }
        if unit.bits() < bits as usize {
            return Err(Error::combination(format!(
                "a Content-Code of {} bits is too short for a Mixed-Code of {bits}",
                unit.bits()
            )));
        }
    }
    let texts: Vec<String> = codes.iter().map(Iscc::text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    iscc_lib::gen_mixed_code_v0(&texts, bits)
        .map(|code| code.iscc)
        .map_err(refused)
}
