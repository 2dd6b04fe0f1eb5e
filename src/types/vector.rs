//! Dense vectors: arrays of type real[] and the values of pgvector's types, as numbers in memory; distances as SQL functions.

use iscc_metrics::DenseMetric;
use iscc_metrics::dense::{MAX_DIMENSIONS, Scalar, distance};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::array::SqlArray;
use super::bitvec::{Args, float8};
use super::sql_function;
use crate::error::{Report, report};

fn refuse(message: impl Into<String>) -> Report {
    report(PgSqlErrorCode::ERRCODE_DATA_EXCEPTION, message)
}

/// The numbers of an array of type real[]. Raises an error for one that is no vector: without or with several
/// dimensions, with NULLs, NaN or infinities.
pub fn array_numbers(array: SqlArray<'_>) -> &[u8] {
    require_reals(array);
    let dimensions = array.lengths().len();
    if dimensions != 1 {
        let dimensions = format!("The array has {dimensions} dimensions.");
        let hint = "A vector is an array of type real[] with one dimension and at least one element.";
        refuse("array is no vector").detail(dimensions).hint(hint).raise();
    }
    let numbers = elements(array);
    require_numbers(Scalar::F32, numbers);
    numbers
}

/// The vectors that are the rows of an array of type real[]; the array itself, if that is one vector.
pub fn array_rows(array: SqlArray<'_>) -> Vec<&[u8]> {
    require_reals(array);
    match array.lengths() {
        [] => Vec::new(),
        [rows, _] => {
            let numbers = elements(array);
            let rows: Vec<&[u8]> = numbers.chunks_exact(numbers.len() / *rows as usize).collect();
            rows.iter().for_each(|row| require_numbers(Scalar::F32, row));
            rows
        }
        _ => vec![array_numbers(array)],
    }
}

fn require_reals(array: SqlArray<'_>) {
    if array.element_type() != pg_sys::FLOAT4OID {
        refuse("array is no vector")
            .detail("Its elements are not of type real.")
            .raise();
    }
}

/// The elements of an array of type real[]. Raises an error if there are NULLs among them.
fn elements(array: SqlArray<'_>) -> &[u8] {
    array.numbers().unwrap_or_else(|| {
        report(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "vector cannot contain NULL",
        )
        .raise()
    })
}

/// The numbers in the payload of a value of pgvector's types `vector` (32 bits each) and `halfvec` (16 bits each).
pub fn pgvector_numbers(scalar: Scalar, payload: &[u8]) -> &[u8] {
    // The number of dimensions, a field that is 0, and the numbers.
    let numbers = payload.split_first_chunk::<4>().and_then(|(head, numbers)| {
        let dimensions = usize::from(u16::from_le_bytes([head[0], head[1]]));
        let is_whole = numbers.len() == dimensions * scalar.bytes() && head[2..] == [0, 0];
        is_whole.then_some(numbers)
    });
    let Some(numbers) = numbers else {
        report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "value has an unknown layout",
        )
        .detail("It is none of the types vector and halfvec as pgvector 0.8 stores them.")
        .raise();
    };
    require_numbers(scalar, numbers);
    numbers
}

/// Raises an error unless these are the numbers of a vector.
fn require_numbers(scalar: Scalar, numbers: &[u8]) {
    let dimensions = numbers.len() / scalar.bytes();
    if dimensions > MAX_DIMENSIONS {
        report(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("vector cannot have {dimensions} dimensions"),
        )
        .detail(format!("The maximum is {MAX_DIMENSIONS} dimensions."))
        .raise();
    }
    if !are_finite(scalar, numbers) {
        refuse("vector cannot contain NaN or infinity").raise();
    }
}

/// Whether none of these numbers is NaN or infinite: both have all bits of the exponent set.
fn are_finite(scalar: Scalar, numbers: &[u8]) -> bool {
    match scalar {
        Scalar::F32 => {
            let numbers = numbers.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes));
            numbers.fold(true, |finite, number| finite & (number & 0x7F80_0000 != 0x7F80_0000))
        }
        Scalar::F16 => {
            let numbers = numbers.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes));
            numbers.fold(true, |finite, number| finite & (number & 0x7C00 != 0x7C00))
        }
    }
}

/// Raises the error for vectors that cannot be compared.
pub fn require_same_dimensions(a: usize, b: usize) {
    if a != b {
        refuse(format!("vectors have different numbers of dimensions: {a} and {b}")).raise();
    }
}

/// Raises an error unless these numbers, which are those of a vector, are in the domain of a metric.
pub fn require_domain(metric: DenseMetric, scalar: Scalar, numbers: &[u8]) {
    let dimensions = numbers.len() / scalar.bytes();
    if !metric.takes(dimensions) {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("point has {dimensions} numbers, not 2"),
        )
        .detail("The haversine distance is one of points on a sphere: latitude and longitude, in degrees.")
        .raise();
    }
    if metric == DenseMetric::JensenShannon && has_negative(scalar, numbers) {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "weight cannot be negative",
        )
        .detail("The Jensen-Shannon divergence is one of weights, such as probabilities.")
        .raise();
    }
}

/// Whether a number is less than 0.
fn has_negative(scalar: Scalar, numbers: &[u8]) -> bool {
    match scalar {
        Scalar::F32 => numbers
            .as_chunks()
            .0
            .iter()
            .any(|&bytes| f32::from_le_bytes(bytes) < 0.0),
        // The sign, but not that of 0.
        Scalar::F16 => {
            let mut numbers = numbers.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes));
            numbers.any(|number| number > 0x8000)
        }
    }
}

/// The distance of the numbers of two vectors.
fn checked_distance(metric: DenseMetric, scalar: Scalar, a: &[u8], b: &[u8]) -> f64 {
    require_same_dimensions(a.len() / scalar.bytes(), b.len() / scalar.bytes());
    require_domain(metric, scalar, a);
    require_domain(metric, scalar, b);
    distance(metric, scalar, a, b)
}

/// The distance of two arrays of type real[].
pub fn array_distance(metric: DenseMetric, a: SqlArray<'_>, b: SqlArray<'_>) -> f64 {
    checked_distance(metric, Scalar::F32, array_numbers(a), array_numbers(b))
}

/// The distance of the payloads of two values of pgvector's types.
pub fn pgvector_distance(metric: DenseMetric, scalar: Scalar, a: &[u8], b: &[u8]) -> f64 {
    checked_distance(metric, scalar, pgvector_numbers(scalar, a), pgvector_numbers(scalar, b))
}

/// The distance of two arguments of type real[].
fn distance_of(metric: DenseMetric, args: Args<'_>) -> Datum {
    float8(array_distance(metric, args.array(0), args.array(1)))
}

/// The distance of two arguments of one of pgvector's types.
fn distance_of_pgvector(metric: DenseMetric, scalar: Scalar, args: Args<'_>) -> Datum {
    float8(pgvector_distance(metric, scalar, args.bytes(0), args.bytes(1)))
}

/// The metric of a distance function of arrays, recognised by its code; None for any other.
pub fn metric_of_array_distance(address: pg_sys::PGFunction) -> Option<DenseMetric> {
    let address = address? as *const ();
    let functions = [
        (real_l2_distance as *const (), DenseMetric::L2),
        (real_negative_inner_product as *const (), DenseMetric::InnerProduct),
        (real_cosine_distance as *const (), DenseMetric::Cosine),
        (real_l1_distance as *const (), DenseMetric::L1),
        (real_pearson_distance as *const (), DenseMetric::Pearson),
        (real_jensen_shannon_distance as *const (), DenseMetric::JensenShannon),
        (real_haversine_distance as *const (), DenseMetric::Haversine),
    ];
    let found = functions
        .into_iter()
        .find(|(function, _)| std::ptr::eq(address, *function));
    found.map(|(_, metric)| metric)
}

sql_function!(
    /// Euclidean distance.
    real_l2_distance, |args| distance_of(DenseMetric::L2, args)
);

sql_function!(
    /// Inner product, negative, so that the nearest vectors have the greatest one.
    real_negative_inner_product, |args| distance_of(DenseMetric::InnerProduct, args)
);

sql_function!(
    /// Cosine distance: 1 minus the cosine of the angle, 0 to 2; NaN if a vector has no direction.
    real_cosine_distance, |args| distance_of(DenseMetric::Cosine, args)
);

sql_function!(
    /// Sum of the absolute differences.
    real_l1_distance, |args| distance_of(DenseMetric::L1, args)
);

/// Distances that pgvector does not have: of arrays, and of its types.
macro_rules! distances {
    ($($(#[$meta:meta])* $metric:ident: $real:ident $($pgvector:ident $scalar:ident)*;)*) => {$(
        sql_function!(
            $(#[$meta])*
            $real, |args| distance_of(DenseMetric::$metric, args)
        );
        $(
            sql_function!(
                /// The same of one of pgvector's types.
                $pgvector, |args| distance_of_pgvector(DenseMetric::$metric, Scalar::$scalar, args)
            );
        )*
    )*};
}

distances! {
    /// Correlation distance: 1 minus Pearson's correlation, 0 to 2; NaN if the numbers of a vector are all the same.
    Pearson: real_pearson_distance vector_pearson_distance F32 halfvec_pearson_distance F16;
    /// Jensen-Shannon divergence, in nats.
    JensenShannon:
        real_jensen_shannon_distance vector_jensen_shannon_distance F32 halfvec_jensen_shannon_distance F16;
    /// Angle between two points on a sphere, in radians.
    Haversine: real_haversine_distance vector_haversine_distance F32;
}
