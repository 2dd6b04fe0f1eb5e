//! Written forms: base32, the multibase forms, and base64url for simprints.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, Encoding};

use crate::error::{Error, Result};

/// The longest text that is read. A code has 77 characters at most; what is longer can only be a sequence of units.
pub const MAX_TEXT: usize = 16_384;
/// What the multibase forms have before the ISCC: the multicodec of ISCC.
const MULTICODEC: [u8; 2] = [0xcc, 0x01];
const PREFIX: &str = "ISCC:";
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The text in base32, with the prefix `ISCC:`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(encoded_len(bytes.len()));
    text.push_str(PREFIX);
    BASE32_NOPAD.encode_append(bytes, &mut text);
    text
}

/// The length of that text.
pub fn encoded_len(bytes: usize) -> usize {
    PREFIX.len() + BASE32_NOPAD.encode_len(bytes)
}

/// Writes that text; `text` has its length.
pub fn encode_into(bytes: &[u8], text: &mut [u8]) {
    if let Some((prefix, digits)) = text.split_at_mut_checked(PREFIX.len())
        && digits.len() == BASE32_NOPAD.encode_len(bytes.len())
    {
        prefix.copy_from_slice(PREFIX.as_bytes());
        BASE32_NOPAD.encode_mut(bytes, digits);
    }
}

/// The bytes of a text in any form: canonical, in lower case, grouped by hyphens, without prefix, multibase.
pub fn decode(text: &[u8]) -> Result<Vec<u8>> {
    if text.len() > MAX_TEXT {
        return Err(Error::too_long(format!("it has more than {MAX_TEXT} characters")));
    }
    let text = text.trim_ascii();
    if let Some(&bad) = text.iter().find(|byte| !(b' '..=b'~').contains(*byte)) {
        return Err(Error::text(match bad.is_ascii() {
            true => "it contains a control character",
            false => "it contains a character beyond ASCII",
        }));
    }
    let Some(at) = text.iter().position(|byte| *byte == b':') else {
        return match text {
            [form @ (b'f' | b'b' | b'v' | b'z' | b'u'), rest @ ..] => multibase(*form, rest),
            _ => base32(text),
        };
    };
    if !text[..at].trim_ascii().eq_ignore_ascii_case(b"ISCC") {
        return Err(Error::text("the prefix is not \"ISCC:\""));
    }
    base32(text[at + 1..].trim_ascii())
}

fn base32(text: &[u8]) -> Result<Vec<u8>> {
    // Most are canonical.
    if let (Ok(bytes), false) = (BASE32_NOPAD.decode(text), text.is_empty()) {
        return Ok(bytes);
    }
    let digits: Vec<u8> = text
        .iter()
        .filter(|byte| **byte != b'-')
        .map(u8::to_ascii_uppercase)
        .collect();
    if digits.is_empty() {
        return Err(Error::text("it is empty"));
    }
    plain(&BASE32_NOPAD, &digits, "base32")
}

/// Decodes, and refuses bits that are not zero in the last digit.
fn plain(encoding: &Encoding, digits: &[u8], name: &str) -> Result<Vec<u8>> {
    encoding.decode(digits).map_err(|error| {
        use data_encoding::DecodeKind::{Length, Padding, Symbol, Trailing};
        Error::text(match error.kind {
            Symbol | Padding => {
                let bad = digits.get(error.position).copied().map_or('?', char::from);
                format!("\"{bad}\" is not a digit of {name}")
            }
            Trailing => "bits after the last byte are not zero".to_string(),
            Length => format!("{} digits of {name} are not a whole number of bytes", digits.len()),
        })
    })
}

fn multibase(form: u8, digits: &[u8]) -> Result<Vec<u8>> {
    let bytes = match form {
        b'f' => plain(&data_encoding::HEXLOWER_PERMISSIVE, digits, "base16")?,
        b'b' => plain(&BASE32_NOPAD, &digits.to_ascii_uppercase(), "base32")?,
        b'v' => plain(
            &data_encoding::BASE32HEX_NOPAD,
            &digits.to_ascii_uppercase(),
            "base32hex",
        )?,
        b'z' => base58(digits)?,
        _ => plain(&BASE64URL_NOPAD, digits, "base64url")?,
    };
    match bytes.strip_prefix(&MULTICODEC) {
        Some(rest) => Ok(rest.to_vec()),
        None => Err(Error::text("the multibase form is not that of an ISCC")),
    }
}

/// Base58 as Bitcoin has it: a number in big-endian bytes, and a zero byte for each leading `1`.
fn base58(digits: &[u8]) -> Result<Vec<u8>> {
    let zeros = digits.iter().take_while(|digit| **digit == b'1').count();
    // Limbs of 32 bits, least significant first.
    let mut number: Vec<u32> = Vec::new();
    for digit in &digits[zeros..] {
        let Some(value) = BASE58.iter().position(|known| known == digit) else {
            return Err(Error::text(format!(
                "\"{}\" is not a digit of base58",
                char::from(*digit)
            )));
        };
        let mut carry = value as u64;
        for limb in &mut number {
            let sum = u64::from(*limb) * 58 + carry;
            *limb = sum as u32;
            carry = sum >> 32;
        }
        if carry > 0 {
            number.push(carry as u32);
        }
    }
    let bytes = number.iter().rev().flat_map(|limb| limb.to_be_bytes());
    let significant = bytes.skip_while(|byte| *byte == 0);
    Ok(std::iter::repeat_n(0, zeros).chain(significant).collect())
}

/// The bytes of a simprint: base64url without padding.
pub fn decode_simprint(text: &[u8]) -> Result<Vec<u8>> {
    match text {
        [] => Err(Error::text("it is empty")),
        _ => plain(&BASE64URL_NOPAD, text, "base64url"),
    }
}

/// A simprint as text.
pub fn encode_simprint(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
