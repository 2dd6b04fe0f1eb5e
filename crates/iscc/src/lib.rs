//! ISCCs (ISO 24138) as PostgreSQL needs them: strict reading of every written form, normal forms, composition,
//! ISCC-IDs, ISCC-SEQ, comparison, and fingerprints.
//!
//! Nothing here knows of PostgreSQL, and nothing panics, whatever the input. What is read is checked as a whole:
//! header, length of the body, and the combination of types. So the functions of `iscc-lib`, which compute the
//! fingerprints, only ever see what they can cope with.

#![deny(unsafe_code)]

pub mod base;
pub mod compare;
pub mod compose;
pub mod error;
pub mod explain;
pub mod generate;
pub mod header;
pub mod id;
pub mod read;
pub mod sequence;

pub use error::{Error, Kind, Result};
pub use header::{Header, Main};
pub use id::Id;
pub use read::{Iscc, Unit};
