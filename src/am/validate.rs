//! Checking operator classes (`amvalidate`) and their properties (`amproperty`).

use std::ffi::c_char;

use iscc_metrics::Metric;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::report;
use crate::metrics::opclass::{BALL_STRATEGY, DISTANCE_PROC, NEAR_STRATEGY, ORDER_STRATEGY};
use crate::metrics::opclass::{address_of, metric_of_function};
use crate::types::ball;

/// Name, input type, support function, whether the ordering operator is that function and returns float8, and the
/// function of each other operator: for searching, with this type on the left, as strategy 2 or 3, or 0 if it is anything else.
type Opclass = (
    Option<String>,
    Option<pg_sys::Oid>,
    Option<pg_sys::Oid>,
    Option<bool>,
    Option<Vec<pg_sys::Oid>>,
);

/// Checks an operator class: a distance function that usearch knows, an ordering operator that calls it, and no other
/// operators than `<@` and `<@~`, for NPHD.
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
            "has an unsupported operator: besides strategy 1, only <@ (2) and <@~ (3) of bitvec are allowed, with nphd_distance",
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
    // Nobody else's operator or type is found, whatever the search path.
    let sql = "
        SELECT c.opcname::pg_catalog.text, c.opcintype, p.amproc::pg_catalog.oid,
               EXISTS (SELECT FROM pg_catalog.pg_amop a
                         JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
                        WHERE a.amopfamily OPERATOR(pg_catalog.=) c.opcfamily
                          AND a.amoppurpose OPERATOR(pg_catalog.=) 'o'::pg_catalog.\"char\"
                          AND a.amopstrategy OPERATOR(pg_catalog.=) $2
                          AND a.amoplefttype OPERATOR(pg_catalog.=) c.opcintype
                          AND a.amoprighttype OPERATOR(pg_catalog.=) c.opcintype
                          AND o.oprcode::pg_catalog.oid OPERATOR(pg_catalog.=) p.amproc::pg_catalog.oid
                          AND o.oprresult OPERATOR(pg_catalog.=) 701::pg_catalog.oid),
               ARRAY(SELECT CASE WHEN a.amoppurpose OPERATOR(pg_catalog.=) 's'::pg_catalog.\"char\"
                                  AND (a.amopstrategy OPERATOR(pg_catalog.=) $4 OR a.amopstrategy OPERATOR(pg_catalog.=) $5)
                                  AND a.amoplefttype OPERATOR(pg_catalog.=) c.opcintype
                                 THEN o.oprcode::pg_catalog.oid ELSE 0::pg_catalog.oid END
                       FROM pg_catalog.pg_amop a
                       JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
                      WHERE a.amopfamily OPERATOR(pg_catalog.=) c.opcfamily
                        AND NOT (a.amoppurpose OPERATOR(pg_catalog.=) 'o'::pg_catalog.\"char\"
                                 AND a.amopstrategy OPERATOR(pg_catalog.=) $2))
          FROM pg_catalog.pg_opclass c
          LEFT JOIN pg_catalog.pg_amproc p ON p.amprocfamily OPERATOR(pg_catalog.=) c.opcfamily
                                          AND p.amprocnum OPERATOR(pg_catalog.=) $3
                                          AND p.amproclefttype OPERATOR(pg_catalog.=) c.opcintype
                                          AND p.amprocrighttype OPERATOR(pg_catalog.=) c.opcintype
         WHERE c.oid OPERATOR(pg_catalog.=) $1";
    // Read-only: assigns no transaction id, works on a standby.
    Spi::connect(|client| {
        let arguments = [
            opclass.into(),
            i32::from(ORDER_STRATEGY).into(),
            i32::from(DISTANCE_PROC).into(),
            i32::from(BALL_STRATEGY).into(),
            i32::from(NEAR_STRATEGY).into(),
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
