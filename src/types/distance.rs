//! Distances as SQL functions; the operators `<~>`, `<%>`, `<%%>` and `<#~>` call them.

use iscc_metrics::Metric;
use iscc_metrics::distance::hamming;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::float8;
use super::sql_function;
use crate::error::report;

sql_function!(
    /// Normalized Prefix Hamming Distance: the share of different bits in the common prefix, 0 to 1.
    nphd_distance, |args| float8(Metric::Nphd.distance(args.bytes(0), args.bytes(1)))
);

sql_function!(
    /// Jaccard distance of the bits set in the common prefix, 0 to 1; 0 when none is set.
    jaccard_distance, |args| float8(Metric::Jaccard.distance(args.bytes(0), args.bytes(1)))
);

sql_function!(
    /// Sørensen-Dice distance of the bits set in the common prefix, 0 to 1; 0 when none is set.
    sorensen_distance, |args| float8(Metric::Sorensen.distance(args.bytes(0), args.bytes(1)))
);

sql_function!(
    /// Number of different bits in the common prefix.
    prefix_hamming_distance, |args| float8(Metric::Hamming.distance(args.bytes(0), args.bytes(1)))
);

sql_function!(
    /// Number of different bits of two codes of equal length.
    hamming_distance, |args| {
        let (a, b) = (args.bytes(0), args.bytes(1));
        if a.len() != b.len() {
            report(
                PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
                format!("codes have different lengths: {} and {} bits", a.len() * 8, b.len() * 8),
            )
            .hint("Compare codes of different lengths with nphd_distance, or shorten them with prefix(code, bits).")
            .raise();
        }
        Datum::from(hamming(a, b) as i32)
    }
);
