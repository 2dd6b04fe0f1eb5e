//! What can be wrong with an input.

use std::fmt;

/// The class of an error, each with an SQLSTATE of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text that is not an ISCC, or not of the expected kind.
    Text,
    /// Bytes that are no sequence or identifier.
    Bytes,
    /// Well-formed parts that do not go together, or a number that is out of range.
    Combination,
    /// More than anybody needs, and too much to work on.
    TooLong,
}

/// An error: its class and one sentence without a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The class.
    pub kind: Kind,
    /// What is wrong.
    pub message: String,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn text(message: impl Into<String>) -> Self {
        Error::new(Kind::Text, message)
    }

    pub(crate) fn bytes(message: impl Into<String>) -> Self {
        Error::new(Kind::Bytes, message)
    }

    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Error::new(Kind::Combination, message)
    }

    pub(crate) fn too_long(message: impl Into<String>) -> Self {
        Error::new(Kind::TooLong, message)
    }

    /// The same message as an error of another class: parts that do not go together in a text are a fault of the text.
    pub(crate) fn of(self, kind: Kind) -> Self {
        match self.kind {
            Kind::TooLong => self,
            _ => Error { kind, ..self },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
