//! A code, and its text form.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// A code: a value of the type `bitvec`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "diesel",
    derive(::diesel::expression::AsExpression, ::diesel::deserialize::FromSqlRow)
)]
#[cfg_attr(feature = "diesel", diesel(sql_type = crate::diesel::sql_types::Bitvec))]
pub struct Bitvec(pub Vec<u8>);

impl Bitvec {
    /// The bytes of the code.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bitvec {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Bitvec {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Bitvec {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Bitvec> for Vec<u8> {
    fn from(code: Bitvec) -> Self {
        code.0
    }
}

impl AsRef<[u8]> for Bitvec {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The text form, `\xff80…`.
impl fmt::Display for Bitvec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\\x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Bitvec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitvec({self})")
    }
}

/// A text that is not a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseBitvecError(());

impl fmt::Display for ParseBitvecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code is an even number of hexadecimal digits")
    }
}

impl Error for ParseBitvecError {}

/// Reads the text form; the `\x` may be missing, or be `0x`.
impl FromStr for Bitvec {
    type Err = ParseBitvecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("\\x").or(text.strip_prefix("0x")).unwrap_or(text);
        if digits.len() % 2 != 0 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseBitvecError(()));
        }
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| ParseBitvecError(()));
        (0..digits.len())
            .step_by(2)
            .map(byte)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}
