//! sqlx: parameters, results and arrays.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Type};

use crate::Bitvec;

impl Type<Postgres> for Bitvec {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("bitvec")
    }
}

impl PgHasArrayType for Bitvec {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_bitvec")
    }
}

impl Encode<'_, Postgres> for Bitvec {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Bitvec {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => Ok(Self(value.as_bytes()?.to_vec())),
            PgValueFormat::Text => Ok(value.as_str()?.parse()?),
        }
    }
}
