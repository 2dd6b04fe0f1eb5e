//! Thresholds for the distances of dense vectors: functions such as `l2_within`, and balls, what an index is asked for.
//!
//! A ball is a composite type, `(center, radius)`, one for each type of vectors and metric. The functions below are the same
//! for all types of vectors: which one it is they see from their declaration. Distances of arrays are ours, and so are those
//! that pgvector does not have; others are computed by the function of the type's own operator, so that all of them agree bit
//! for bit.

use std::ffi::{CStr, CString};

use iscc_metrics::DenseMetric;
use iscc_metrics::ball::is_within;
use iscc_metrics::dense::Scalar;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::prelude::*;

use super::array::SqlArray;
use super::ball::text_of;
use super::bitvec::{Args, varlena_bytes};
use super::sql_function;
use super::vector::{array_distance, pgvector_distance};
use crate::catalog;
use crate::error::report;

/// The distance that a function compares with a radius.
enum Distance {
    /// Of arrays.
    Ours(DenseMetric),
    /// Of another extension's type, which has no such distance.
    OursOfTheirs(DenseMetric, Scalar),
    /// By the function of another extension's type.
    Theirs(pg_sys::FmgrInfo),
}

impl Distance {
    /// That of the call's function; looked up in the first call.
    fn of<'a>(args: Args<'a>, metric: DenseMetric) -> &'a mut Distance {
        const { assert!(!std::mem::needs_drop::<Distance>()) };
        // SAFETY: the call's information, whose `fn_extra` is the function's own, and lives as long as `fn_mcxt`.
        unsafe {
            let function = (*args.raw()).flinfo;
            if (*function).fn_extra.is_null() {
                let found = Distance::look_up((*function).fn_oid, metric, (*function).fn_mcxt);
                let place = pg_sys::MemoryContextAlloc((*function).fn_mcxt, size_of::<Distance>()).cast::<Distance>();
                place.write(found);
                (*function).fn_extra = place.cast();
            }
            &mut *(*function).fn_extra.cast::<Distance>()
        }
    }

    fn look_up(function: Oid, metric: DenseMetric, context: pg_sys::MemoryContext) -> Distance {
        let vector = catalog::signature(function).0.first().copied().unwrap_or_default();
        if vector == pg_sys::FLOAT4ARRAYOID {
            return Distance::Ours(metric);
        }
        let (schema, name) = schema_and_name(vector);
        let scalar = if name == "halfvec" { Scalar::F16 } else { Scalar::F32 };
        let Some(theirs) = their_function(metric, &name) else {
            return Distance::OursOfTheirs(metric, scalar);
        };
        let Some(theirs) = distance_of_type(vector, schema, theirs) else {
            let name = catalog::type_name(vector);
            report(
                PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
                format!("type {name} has no such distance"),
            )
            .detail(format!(
                "There is no function of pgvector for the metric \"{}\".",
                metric.name()
            ))
            .raise()
        };
        let mut info = pg_sys::FmgrInfo::default();
        // SAFETY: a function of the catalog; what it keeps lives as long as `info` does.
        unsafe { pg_sys::fmgr_info_cxt(theirs, &mut info, context) };
        Distance::Theirs(info)
    }

    /// The distance of two values.
    fn between(&mut self, a: Datum, b: Datum) -> f64 {
        // SAFETY: values of the type that the function is declared with; copies of them are in the call's memory
        // context.
        unsafe {
            match self {
                Distance::Ours(metric) => array_distance(*metric, SqlArray::of(a), SqlArray::of(b)),
                Distance::OursOfTheirs(metric, scalar) => {
                    pgvector_distance(*metric, *scalar, varlena_bytes(a), varlena_bytes(b))
                }
                Distance::Theirs(function) => {
                    let distance = pg_sys::FunctionCall2Coll(function, pg_sys::InvalidOid, a, b);
                    f64::from_bits(distance.value() as u64)
                }
            }
        }
    }
}

/// The schema and the name of a type.
fn schema_and_name(of: Oid) -> (Oid, String) {
    // SAFETY: reads the catalog; the entry is released when its fields are copied.
    unsafe {
        let entry = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::TYPEOID as i32, Datum::from(of));
        if entry.is_null() {
            return (pg_sys::InvalidOid, String::new());
        }
        let row = pg_sys::GETSTRUCT(entry).cast::<pg_sys::FormData_pg_type>();
        let name = CStr::from_ptr((*row).typname.data.as_ptr())
            .to_string_lossy()
            .into_owned();
        let schema = (*row).typnamespace;
        pg_sys::ReleaseSysCache(entry);
        (schema, name)
    }
}

/// The name of the function that computes the distance of two values of a type of pgvector's; None if there is none.
fn their_function(metric: DenseMetric, of: &str) -> Option<String> {
    match metric {
        DenseMetric::L2 => Some("l2_distance".to_string()),
        DenseMetric::L1 => Some("l1_distance".to_string()),
        DenseMetric::Cosine => Some("cosine_distance".to_string()),
        DenseMetric::InnerProduct => Some(format!("{of}_negative_inner_product")),
        DenseMetric::Pearson | DenseMetric::JensenShannon | DenseMetric::Haversine => None,
    }
}

/// The function of this name for two values of a type. It is in the schema of the type.
fn distance_of_type(vector: Oid, schema: Oid, function: String) -> Option<Oid> {
    let function = CString::new(function).ok()?;
    let found = catalog::function_named(&function, &[vector, vector], schema);
    (found != pg_sys::InvalidOid && catalog::result_type(found) == pg_sys::FLOAT8OID).then_some(found)
}

/// Center and radius of a ball; None if one of them is NULL.
///
/// # Safety
/// `ball` is a value of one of the ball types, which lives, as the current memory context does, for as long as the
/// center is used.
pub unsafe fn parts(ball: Datum) -> Option<(Datum, f64)> {
    // SAFETY: as the caller says: a composite value with these two fields.
    unsafe {
        let tuple: pg_sys::HeapTupleHeader = pg_sys::pg_detoast_datum(ball.cast_mut_ptr()).cast();
        let (mut no_center, mut no_radius) = (false, false);
        let center = pg_sys::GetAttributeByNum(tuple, 1, &mut no_center);
        let radius = pg_sys::GetAttributeByNum(tuple, 2, &mut no_radius);
        (!no_center && !no_radius).then(|| (center, f64::from_bits(radius.value() as u64)))
    }
}

/// The ball of arguments 0, the center, and `radius`, of the type that the call's function returns.
fn new_ball(args: Args<'_>, radius: f64) -> Datum {
    let mut values = [args.datum(0), Datum::from(radius.to_bits())];
    // SAFETY: SQL declares that the function returns a composite type with these two fields.
    unsafe {
        let result = catalog::result_type(args.call().function().oid());
        let fields = pg_sys::lookup_rowtype_tupdesc_copy(result, -1);
        let tuple = pg_sys::heap_form_tuple(fields, values.as_mut_ptr(), [false; 2].as_mut_ptr());
        pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data)
    }
}

/// A radius that a user gives.
fn checked_radius(metric: DenseMetric, radius: f64) -> f64 {
    let (is_sound, detail, hint) = match metric {
        DenseMetric::InnerProduct => (
            !radius.is_nan(),
            "The negative inner product cannot be NaN.",
            "As with <#>, the sign is turned: for inner products of at least 0.8, pass -0.8.",
        ),
        DenseMetric::Cosine => (
            radius >= 0.0,
            "A cosine distance is a number from 0 to 2.",
            "For a similarity of at least 0.8, pass 1 - 0.8.",
        ),
        DenseMetric::Pearson => (
            radius >= 0.0,
            "A correlation distance is a number from 0 to 2.",
            "For a correlation of at least 0.8, pass 1 - 0.8.",
        ),
        DenseMetric::JensenShannon => (
            radius >= 0.0,
            "A divergence is 0 or greater; of weights with the sum 1, at most ln(2).",
            "Pass the greatest divergence that vectors may have.",
        ),
        DenseMetric::Haversine => (
            radius >= 0.0,
            "An angle is 0 or greater, in radians.",
            "For kilometers on the earth, divide them by 6371.",
        ),
        DenseMetric::L2 | DenseMetric::L1 => (
            radius >= 0.0,
            "A distance is 0 or greater.",
            "Pass the greatest distance that vectors may have.",
        ),
    };
    if !is_sound {
        let text = text_of(radius);
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("radius {text} is out of range"),
        )
        .detail(detail)
        .hint(hint)
        .raise();
    }
    radius
}

/// `within(a, b, radius)`.
fn is_near_enough(args: Args<'_>, metric: DenseMetric, radius: f64) -> Datum {
    let distance = Distance::of(args, metric).between(args.datum(0), args.datum(1));
    Datum::from(is_within(distance, radius))
}

/// `vector <@ ball`.
fn is_in_ball(args: Args<'_>, metric: DenseMetric) -> Datum {
    // SAFETY: SQL declares the argument as a ball; a copy of it is in the call's memory context.
    let Some((center, radius)) = (unsafe { parts(args.datum(1)) }) else {
        return args.null();
    };
    let distance = Distance::of(args, metric).between(args.datum(0), center);
    Datum::from(is_within(distance, radius))
}

/// What a function of this module is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// `l2_within`: for a radius that a user gives.
    Within,
    /// `l2_near`: for any radius.
    Near,
    /// `<@`.
    InBall,
    /// `l2_ball` and `l2_ball_unchecked`.
    Ball,
}

macro_rules! thresholds {
    ($($metric:ident: $within:ident $near:ident $in_ball:ident $ball:ident $unchecked:ident;)*) => {
        $(
            sql_function!(
                /// Whether the distance of two vectors is at most a radius.
                $within, |args| {
                    let radius = checked_radius(DenseMetric::$metric, args.float(2));
                    is_near_enough(args, DenseMetric::$metric, radius)
                }
            );
            sql_function!(
                /// The same with any number as radius, as SQL compares them: NaN is the greatest of all.
                $near, |args| is_near_enough(args, DenseMetric::$metric, args.float(2))
            );
            sql_function!(
                /// Whether a vector is in a ball.
                $in_ball, |args| is_in_ball(args, DenseMetric::$metric)
            );
            sql_function!(
                /// The ball of a radius around a vector.
                $ball, |args| new_ball(args, checked_radius(DenseMetric::$metric, args.float(1)))
            );
            sql_function!(
                /// The same with any number as radius.
                $unchecked, |args| new_ball(args, args.float(1))
            );
        )*

        /// The metric of a function of this module, and what it is for.
        pub fn role_of(address: pg_sys::PGFunction) -> Option<(DenseMetric, Role)> {
            let address = address? as *const ();
            let is = |function: *const ()| std::ptr::eq(address, function);
            $(
                let metric = DenseMetric::$metric;
                if is($within as *const ()) {
                    return Some((metric, Role::Within));
                }
                if is($near as *const ()) {
                    return Some((metric, Role::Near));
                }
                if is($in_ball as *const ()) {
                    return Some((metric, Role::InBall));
                }
                if is($ball as *const ()) || is($unchecked as *const ()) {
                    return Some((metric, Role::Ball));
                }
            )*
            None
        }
    };
}

thresholds! {
    L2: dense_l2_within dense_l2_near dense_in_l2_ball dense_l2_ball dense_l2_ball_unchecked;
    InnerProduct: dense_ip_within dense_ip_near dense_in_ip_ball dense_ip_ball dense_ip_ball_unchecked;
    Cosine: dense_cosine_within dense_cosine_near dense_in_cosine_ball dense_cosine_ball dense_cosine_ball_unchecked;
    L1: dense_l1_within dense_l1_near dense_in_l1_ball dense_l1_ball dense_l1_ball_unchecked;
    Pearson:
        dense_pearson_within dense_pearson_near dense_in_pearson_ball dense_pearson_ball dense_pearson_ball_unchecked;
    JensenShannon:
        dense_jensen_shannon_within dense_jensen_shannon_near dense_in_jensen_shannon_ball dense_jensen_shannon_ball
        dense_jensen_shannon_ball_unchecked;
    Haversine:
        dense_haversine_within dense_haversine_near dense_in_haversine_ball dense_haversine_ball
        dense_haversine_ball_unchecked;
}
