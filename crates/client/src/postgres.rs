//! tokio-postgres and postgres: parameters, results, arrays and binary COPY.

use std::error::Error;

use bytes::BytesMut;
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::Bitvec;

// Both have the same binary form, and the server takes bytea for a code beside a code.
fn accepts(ty: &Type) -> bool {
    ty.name() == "bitvec" || *ty == Type::BYTEA
}

impl ToSql for Bitvec {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        accepts(ty)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Bitvec {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(ty: &Type) -> bool {
        accepts(ty)
    }
}
