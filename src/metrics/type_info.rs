//! Support function 2 of an operator class: what its values are and how they are compared.

use iscc_metrics::Metric;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

use crate::types::sql_function;

/// First field of a [`TypeInfo`].
const MAGIC: u64 = u64::from_le_bytes(*b"usearch\0");
/// Version of [`TypeInfo`].
const VERSION: u32 = 1;
/// The value is a varlena whose payload is a code.
const CODE: u8 = 1;

/// What a type info function, `(internal) → internal`, returns a pointer to. It lives as long as the process.
#[repr(C)]
struct TypeInfo {
    magic: u64,
    version: u32,
    /// How the value is read: [`CODE`].
    value: u8,
    /// How two values are compared: [`Metric::number`].
    metric: u8,
    reserved: [u8; 2],
}

impl TypeInfo {
    const fn of_code(metric: Metric) -> Self {
        TypeInfo {
            magic: MAGIC,
            version: VERSION,
            value: CODE,
            metric: metric.number(),
            reserved: [0; 2],
        }
    }
}

/// Defines a type info function for codes.
macro_rules! code_info {
    ($(#[$meta:meta])* $name:ident, $metric:expr) => {
        sql_function!(
            $(#[$meta])*
            $name, |_args| {
                static INFO: TypeInfo = TypeInfo::of_code($metric);
                Datum::from(&raw const INFO)
            }
        );
    };
}

code_info!(
    /// Codes, by the Normalized Prefix Hamming Distance.
    bitvec_nphd_info, Metric::Nphd
);
code_info!(
    /// Codes, by the Jaccard distance of their bits.
    bitvec_jaccard_info, Metric::Jaccard
);
code_info!(
    /// Codes, by the number of different bits.
    bitvec_hamming_info, Metric::Hamming
);

/// The metric that a type info function states for values of a type; None for a function that is none, or of another
/// version, or states what the type cannot be.
pub fn metric_by(function: pg_sys::Oid, input: pg_sys::Oid) -> Option<Metric> {
    // SAFETY: looks up a function and a type of the catalog; raises an error when there is none.
    let (result, length) = unsafe { (pg_sys::get_func_rettype(function), pg_sys::get_typlen(input)) };
    // Only C functions return `internal`, and only superusers make operator classes of them.
    if result != pg_sys::INTERNALOID {
        return None;
    }
    // SAFETY: a function of the catalog that takes one argument, which it does not look at.
    let info: *const TypeInfo =
        unsafe { pg_sys::OidFunctionCall1Coll(function, pg_sys::InvalidOid, Datum::from(0)) }.cast_mut_ptr();
    // SAFETY: null, or what the function says it is. The magic is looked at before the rest.
    let info = unsafe { info.as_ref() }?;
    let is_code = info.magic == MAGIC && info.version == VERSION && info.value == CODE && length == -1;
    Metric::of_number(info.metric).filter(|metric| is_code && metric.dense().is_none())
}
