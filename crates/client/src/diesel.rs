//! Diesel: the SQL type, operators as methods of expressions, and functions.

use std::io::Write;

use diesel::deserialize::{self, FromSql};
use diesel::expression::{AsExpression, Expression};
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Nullable, SqlType};

use crate::Bitvec;

/// Types for `table!`.
pub mod sql_types {
    /// The type `bitvec`.
    #[derive(diesel::sql_types::SqlType, diesel::query_builder::QueryId, Debug, Clone, Copy, Default)]
    #[diesel(postgres_type(name = "bitvec"))]
    pub struct Bitvec;
}

impl ToSql<sql_types::Bitvec, Pg> for Bitvec {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0)?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql_types::Bitvec, Pg> for Bitvec {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(value.as_bytes().to_vec()))
    }
}

mod operators {
    use diesel::pg::Pg;
    use diesel::sql_types::Double;

    diesel::infix_operator!(NphdDistance, " <~> ", Double, backend: Pg);
    diesel::infix_operator!(PrefixHammingDistance, " <#~> ", Double, backend: Pg);
    diesel::infix_operator!(JaccardDistance, " <%> ", Double, backend: Pg);
    diesel::infix_operator!(SorensenDistance, " <%%> ", Double, backend: Pg);
}

pub use functions::{hamming_distance, hamming_within, nphd_within};

/// Functions on codes. For a column that may be `NULL`, write `column.assume_not_null()`.
#[allow(missing_docs)]
mod functions {
    use super::sql_types::Bitvec;
    use diesel::sql_types::{Double, Integer};

    diesel::define_sql_function! {
        /// Whether the NPHD of two codes is at most `radius`, a fraction from 0 to 1.
        fn nphd_within(code: Bitvec, query: Bitvec, radius: Double) -> Bool;
    }
    diesel::define_sql_function! {
        /// Whether the lengths are equal and at most `bits` bits differ.
        fn hamming_within(code: Bitvec, query: Bitvec, bits: Integer) -> Bool;
    }
    diesel::define_sql_function! {
        /// The number of bits that differ; codes of different lengths are an error.
        fn hamming_distance(code: Bitvec, query: Bitvec) -> Integer;
    }
}

/// `bitvec`, or `bitvec` that may be `NULL`.
pub trait BitvecOrNull: SqlType {}
impl BitvecOrNull for sql_types::Bitvec {}
impl BitvecOrNull for Nullable<sql_types::Bitvec> {}

/// Distances as methods of columns and other expressions.
pub trait BitvecExpressionMethods: Expression + Sized
where
    Self::SqlType: BitvecOrNull,
{
    /// `self <~> other`: the fraction of the bits of the common prefix that differ.
    fn nphd_distance<T>(self, other: T) -> operators::NphdDistance<Self, T::Expression>
    where
        T: AsExpression<Self::SqlType>,
    {
        operators::NphdDistance::new(self, other.as_expression())
    }

    /// `self <#~> other`: the number of bits of the common prefix that differ.
    fn prefix_hamming_distance<T>(self, other: T) -> operators::PrefixHammingDistance<Self, T::Expression>
    where
        T: AsExpression<Self::SqlType>,
    {
        operators::PrefixHammingDistance::new(self, other.as_expression())
    }

    /// `self <%> other`: the Jaccard distance of the set bits.
    fn jaccard_distance<T>(self, other: T) -> operators::JaccardDistance<Self, T::Expression>
    where
        T: AsExpression<Self::SqlType>,
    {
        operators::JaccardDistance::new(self, other.as_expression())
    }

    /// `self <%%> other`: the Sørensen-Dice distance of the set bits.
    fn sorensen_distance<T>(self, other: T) -> operators::SorensenDistance<Self, T::Expression>
    where
        T: AsExpression<Self::SqlType>,
    {
        operators::SorensenDistance::new(self, other.as_expression())
    }
}

impl<E: Expression> BitvecExpressionMethods for E where E::SqlType: BitvecOrNull {}
