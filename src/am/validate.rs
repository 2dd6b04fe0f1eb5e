//! Checking operator classes (`amvalidate`) and their properties (`amproperty`).

use std::ffi::c_char;

use iscc_hnsw::distance::Metric;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::ball_expr::address_of;
use super::options::metric_of_function;
use super::{BALL_STRATEGY, DISTANCE_PROC, ORDER_STRATEGY};
use crate::error::report;
use crate::types::ball;

/// Name, input type, support function, whether the ordering operator is that function and returns float8, and the
/// function of each other operator: for searching, with this type on the left, as strategy 2, or 0 if it is anything else.
type Opclass = (
    Option<String>,
    Option<pg_sys::Oid>,
    Option<pg_sys::Oid>,
    Option<bool>,
    Option<Vec<pg_sys::Oid>>,
);

/// Checks an operator class: a distance function that usearch knows, an ordering operator that calls it, and no other
/// operator than `<@`, for NPHD.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvalidate(opclass: pg_sys::Oid) -> bool {
    let Ok((Some(name), Some(input), function, operator, others)) = look_up(opclass) else {
        return false;
    };
    let function = function.unwrap_or(pg_sys::InvalidOid);
    let metric = metric_of_function(function, input);
    let is_ball = |&operator: &pg_sys::Oid| {
        // SAFETY: a function of the catalog, unless it is 0.
        operator != pg_sys::InvalidOid && ball::is_in_ball(unsafe { address_of(operator) })
    };
    let others = others.unwrap_or_default();
    let mut valid = true;
    for (holds, problem) in [
        (
            metric.is_some(),
            "lacks a distance function of bitvec as support function 1",
        ),
        (
            operator == Some(true),
            "lacks an ordering operator that is this function as strategy 1",
        ),
        (
            others.is_empty() || metric == Some(Metric::Nphd) && others.iter().all(is_ball),
            "has a further operator, which can only be <@ of bitvec as strategy 2, with nphd_distance",
        ),
    ] {
        if !holds {
            valid = false;
            report(
                PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
                format!("operator class \"{name}\" of access method usearch {problem}"),
            )
            .warn();
        }
    }
    valid
}

fn look_up(opclass: pg_sys::Oid) -> Result<Opclass, pgrx::spi::Error> {
    let sql = "
        SELECT c.opcname::text, c.opcintype, p.amproc::oid,
               EXISTS (SELECT FROM pg_amop a JOIN pg_operator o ON o.oid = a.amopopr
                        WHERE a.amopfamily = c.opcfamily AND a.amoppurpose = 'o' AND a.amopstrategy = $2
                          AND (a.amoplefttype, a.amoprighttype) = (c.opcintype, c.opcintype)
                          AND o.oprcode = p.amproc AND o.oprresult = 'float8'::regtype),
               ARRAY(SELECT CASE WHEN (a.amoppurpose, a.amopstrategy, a.amoplefttype) = ('s', $4, c.opcintype)
                                 THEN o.oprcode::oid ELSE 0 END
                       FROM pg_amop a JOIN pg_operator o ON o.oid = a.amopopr
                      WHERE a.amopfamily = c.opcfamily AND (a.amoppurpose, a.amopstrategy) <> ('o', $2))
          FROM pg_opclass c
          LEFT JOIN pg_amproc p ON p.amprocfamily = c.opcfamily AND p.amprocnum = $3
                               AND (p.amproclefttype, p.amprocrighttype) = (c.opcintype, c.opcintype)
         WHERE c.oid = $1";
    // Read-only: assigns no transaction id, works on a standby.
    Spi::connect(|client| {
        let arguments = [
            opclass.into(),
            i32::from(ORDER_STRATEGY).into(),
            i32::from(DISTANCE_PROC).into(),
            i32::from(BALL_STRATEGY).into(),
        ];
        let row = client.select(sql, Some(1), &arguments)?.first();
        Ok((row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    })
}

/// Says that an index column can be ordered by distance.
#[pg_guard]
pub unsafe extern "C-unwind" fn amproperty(
    _index: pg_sys::Oid,
    column: i32,
    property: pg_sys::IndexAMProperty::Type,
    _name: *const c_char,
    result: *mut bool,
    is_null: *mut bool,
) -> bool {
    if column == 0 || property != pg_sys::IndexAMProperty::AMPROP_DISTANCE_ORDERABLE {
        return false;
    }
    // SAFETY: PostgreSQL passes valid pointers.
    unsafe {
        *result = true;
        *is_null = false;
    }
    true
}
