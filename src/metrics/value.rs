//! How values of the indexed types are read.

use iscc_hnsw::opaque::{CHECKSUM_BYTES, Layout};
use iscc_metrics::dense::Scalar;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

use super::opaque;
use crate::types::array::SqlArray;
use crate::types::bitvec::varlena_bytes;
use crate::types::cast::bit_string;
use crate::types::vector::{array_numbers, pgvector_numbers};

/// What the values of an operator class are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// A varlena whose payload is a code: bitvec.
    Code,
    /// real[], an array of one dimension.
    Array,
    /// pgvector's vector.
    Vector,
    /// pgvector's halfvec.
    HalfVector,
    /// PostgreSQL's bit, a code of as many bits as the column declares; what fills the last byte is zeros.
    Bits,
    /// Of any type: only the operator class's function knows what it means.
    Opaque(Layout),
}

impl Value {
    /// The number that stands for it in a type info; 0 for what none describes.
    pub const fn number(self) -> u8 {
        match self {
            Self::Opaque(_) => 0,
            Self::Code => 1,
            Self::Array => 2,
            Self::Vector => 3,
            Self::HalfVector => 4,
            Self::Bits => 5,
        }
    }

    /// The one with this number.
    pub fn of_number(number: u8) -> Option<Self> {
        let all = [Self::Code, Self::Array, Self::Vector, Self::HalfVector, Self::Bits];
        all.into_iter().find(|value| value.number() == number)
    }

    /// The numbers that a vector consists of; None for other values.
    pub const fn scalar(self) -> Option<Scalar> {
        match self {
            Self::Code | Self::Bits | Self::Opaque(_) => None,
            Self::Array | Self::Vector => Some(Scalar::F32),
            Self::HalfVector => Some(Scalar::F16),
        }
    }

    /// Bytes of a checksum that stands before each value in the log.
    pub const fn checksum_bytes(self) -> usize {
        match self {
            Self::Opaque(_) => CHECKSUM_BYTES,
            _ => 0,
        }
    }

    /// Whether the operators of its type are this extension's own.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Code | Self::Array)
    }

    /// Whether the values of a type can be this.
    pub fn can_be(self, input: pg_sys::Oid) -> bool {
        match self {
            Self::Array => input == pg_sys::FLOAT4ARRAYOID,
            Self::Bits => input == pg_sys::BITOID,
            _ => crate::catalog::type_length(input) == -1,
        }
    }

    /// Whether these bytes of the log are what was written, as far as they tell.
    pub fn is_sound(self, stored: &[u8]) -> bool {
        match self {
            Self::Opaque(layout) => layout.unseal(stored).is_some(),
            Self::Code | Self::Array | Self::Vector | Self::HalfVector | Self::Bits => true,
        }
    }

    /// The bytes of a value, as the log has them: a code, numbers, or what [`opaque`] makes of it. Raises an error for an array that is no vector.
    ///
    /// # Safety
    /// `datum` is such a value, and lives, as the current memory context does (where a copy may have to be made), for
    /// `'a`.
    pub unsafe fn bytes<'a>(self, datum: Datum) -> &'a [u8] {
        // SAFETY: as the caller says.
        unsafe {
            match self {
                Self::Code => varlena_bytes(datum),
                Self::Array => array_numbers(SqlArray::of(datum)),
                Self::Vector => pgvector_numbers(Scalar::F32, varlena_bytes(datum)),
                Self::HalfVector => pgvector_numbers(Scalar::F16, varlena_bytes(datum)),
                Self::Bits => bit_string(datum).1,
                Self::Opaque(layout) => opaque::stored_bytes(layout, datum),
            }
        }
    }
}
