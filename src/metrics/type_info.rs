//! Support function 2 of an operator class: what its values are and how they are compared.

use iscc_metrics::Metric;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

use super::value::Value;
use crate::types::sql_function;

/// First field of a [`TypeInfo`].
const MAGIC: u64 = u64::from_le_bytes(*b"usearch\0");
/// Version of [`TypeInfo`].
const VERSION: u32 = 1;

/// What a type info function, `(internal) → internal`, returns a pointer to. It lives as long as the process.
#[repr(C)]
struct TypeInfo {
    magic: u64,
    version: u32,
    /// How the value is read: [`Value::number`].
    value: u8,
    /// How two values are compared: [`Metric::number`].
    metric: u8,
    reserved: [u8; 2],
}

/// Defines a type info function.
macro_rules! type_info {
    ($(#[$meta:meta])* $name:ident, $value:ident, $metric:ident) => {
        sql_function!(
            $(#[$meta])*
            $name, |_args| {
                static INFO: TypeInfo = TypeInfo {
                    magic: MAGIC,
                    version: VERSION,
                    value: Value::$value.number(),
                    metric: Metric::$metric.number(),
                    reserved: [0; 2],
                };
                Datum::from(&raw const INFO)
            }
        );
    };
}

type_info!(
    /// Codes, by the Normalized Prefix Hamming Distance.
    bitvec_nphd_info, Code, Nphd
);
type_info!(
    /// Codes, by the Jaccard distance of their bits.
    bitvec_jaccard_info, Code, Jaccard
);
type_info!(
    /// Codes, by the number of different bits.
    bitvec_hamming_info, Code, Hamming
);
type_info!(
    /// Codes, by the Sørensen-Dice distance of their bits.
    bitvec_sorensen_info, Code, Sorensen
);
type_info!(
    /// PostgreSQL's bit, by the number of different bits.
    pgvector_bit_hamming_info, Bits, Hamming
);
type_info!(
    /// PostgreSQL's bit, by the Jaccard distance.
    pgvector_bit_jaccard_info, Bits, Jaccard
);
type_info!(
    /// Arrays of type real[], by Euclidean distance.
    real_l2_info, Array, L2
);
type_info!(
    /// Arrays of type real[], by negative inner product.
    real_ip_info, Array, InnerProduct
);
type_info!(
    /// Arrays of type real[], by cosine distance.
    real_cosine_info, Array, Cosine
);
type_info!(
    /// Arrays of type real[], by the sum of absolute differences.
    real_l1_info, Array, L1
);
type_info!(
    /// pgvector's vector, by Euclidean distance.
    pgvector_vector_l2_info, Vector, L2
);
type_info!(
    /// pgvector's vector, by negative inner product.
    pgvector_vector_ip_info, Vector, InnerProduct
);
type_info!(
    /// pgvector's vector, by cosine distance.
    pgvector_vector_cosine_info, Vector, Cosine
);
type_info!(
    /// pgvector's vector, by the sum of absolute differences.
    pgvector_vector_l1_info, Vector, L1
);
type_info!(
    /// pgvector's halfvec, by Euclidean distance.
    pgvector_halfvec_l2_info, HalfVector, L2
);
type_info!(
    /// pgvector's halfvec, by negative inner product.
    pgvector_halfvec_ip_info, HalfVector, InnerProduct
);
type_info!(
    /// pgvector's halfvec, by cosine distance.
    pgvector_halfvec_cosine_info, HalfVector, Cosine
);
type_info!(
    /// pgvector's halfvec, by the sum of absolute differences.
    pgvector_halfvec_l1_info, HalfVector, L1
);
type_info!(
    /// Arrays of type real[], by correlation distance.
    real_pearson_info, Array, Pearson
);
type_info!(
    /// Arrays of type real[], by the Jensen-Shannon divergence.
    real_jensen_shannon_info, Array, JensenShannon
);
type_info!(
    /// Arrays of type real[], by the angle between points on a sphere.
    real_haversine_info, Array, Haversine
);
type_info!(
    /// pgvector's vector, by correlation distance.
    pgvector_vector_pearson_info, Vector, Pearson
);
type_info!(
    /// pgvector's vector, by the Jensen-Shannon divergence.
    pgvector_vector_jensen_shannon_info, Vector, JensenShannon
);
type_info!(
    /// pgvector's vector, by the angle between points on a sphere.
    pgvector_vector_haversine_info, Vector, Haversine
);
type_info!(
    /// pgvector's halfvec, by correlation distance.
    pgvector_halfvec_pearson_info, HalfVector, Pearson
);
type_info!(
    /// pgvector's halfvec, by the Jensen-Shannon divergence.
    pgvector_halfvec_jensen_shannon_info, HalfVector, JensenShannon
);

/// What a type info function states for values of a type; None for a function that is none, or of another version, or
/// states what the type cannot be.
pub fn described_by(function: pg_sys::Oid, input: pg_sys::Oid) -> Option<(Value, Metric)> {
    // Only C functions return `internal`, and only superusers make operator classes of them.
    if crate::catalog::result_type(function) != pg_sys::INTERNALOID {
        return None;
    }
    // SAFETY: a function of the catalog that takes one argument, which it does not look at.
    let info: *const TypeInfo =
        unsafe { pg_sys::OidFunctionCall1Coll(function, pg_sys::InvalidOid, Datum::from(0)) }.cast_mut_ptr();
    // SAFETY: null, or what the function says it is. The magic is looked at before the rest.
    let info = unsafe { info.as_ref() }?;
    if info.magic != MAGIC || info.version != VERSION {
        return None;
    }
    let value = Value::of_number(info.value)?;
    let metric = Metric::of_number(info.metric)?;
    let is_possible = value.can_be(input) && metric.dense().is_some() == value.scalar().is_some();
    is_possible.then_some((value, metric))
}
