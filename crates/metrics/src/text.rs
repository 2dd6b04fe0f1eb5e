//! Codes as text: hexadecimal, with or without `\x` or `0x` in front.

const HEX: &[u8; 16] = b"0123456789abcdef";
const PREFIXES: [&[u8]; 3] = [b"\\x", b"0x", b"0X"];

/// Why a text is no code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextError {
    /// A character that is no hexadecimal digit.
    Digit(char),
    /// No digits, or half a byte: their number.
    Count(usize),
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The digits of a code: an even number of them, at least two.
///
/// # Errors
/// [`TextError`], if the text is not that of a code.
pub fn digits(text: &[u8]) -> Result<&[u8], TextError> {
    let prefix = |prefix: &&[u8]| text.strip_prefix(*prefix);
    let digits = PREFIXES.iter().find_map(prefix).unwrap_or(text);
    if let Some(at) = digits.iter().position(|&byte| digit(byte).is_none()) {
        let rest = String::from_utf8_lossy(&digits[at..]);
        return Err(TextError::Digit(rest.chars().next().unwrap_or('?')));
    }
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return Err(TextError::Count(digits.len()));
    }
    Ok(digits)
}

/// Writes the bytes that [`digits`] stand for to `code`, half as long.
pub fn decode(digits: &[u8], code: &mut [u8]) {
    for (byte, pair) in code.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0]).unwrap_or(0) << 4 | digit(pair[1]).unwrap_or(0);
    }
}

/// Length of a code's text.
pub fn text_len(code: &[u8]) -> usize {
    2 + 2 * code.len()
}

/// Writes the text of a code, `\x` and lower-case digits, to `text`, of [`text_len`] bytes.
pub fn write(code: &[u8], text: &mut [u8]) {
    text[..2].copy_from_slice(PREFIXES[0]);
    for (pair, byte) in text[2..].chunks_exact_mut(2).zip(code) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<u8>, TextError> {
        let digits = digits(text.as_bytes())?;
        let mut code = vec![0; digits.len() / 2];
        decode(digits, &mut code);
        Ok(code)
    }

    #[test]
    fn text_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        let mut text = vec![0; text_len(&all)];
        write(&all, &mut text);
        assert!(text.starts_with(b"\\x000102") && text.ends_with(b"feff"));
        assert_eq!(parsed(std::str::from_utf8(&text).unwrap()), Ok(all));
        for text in ["\\xFf80", "0xff80", "0Xff80", "fF80"] {
            assert_eq!(parsed(text), Ok(vec![0xff, 0x80]), "{text}");
        }
    }

    #[test]
    fn errors() {
        for (text, count) in [("", 0), ("\\x", 0), ("abc", 3), ("0x1", 1)] {
            assert_eq!(parsed(text), Err(TextError::Count(count)), "{text}");
        }
        for (text, bad) in [("\\xgg", 'g'), ("ff ", ' '), ("\\X00", '\\'), ("fä", 'ä')] {
            assert_eq!(parsed(text), Err(TextError::Digit(bad)), "{text}");
        }
        assert_eq!(digits(&[0xff]), Err(TextError::Digit('\u{fffd}')));
    }
}
