//! Checking operator classes (`amvalidate`) and their properties (`amproperty`).

use std::ffi::c_char;

use iscc_metrics::Metric;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::report;
use crate::metrics::opclass::{BALL_STRATEGY, DISTANCE_PROC, NEAR_STRATEGY, ORDER_STRATEGY, TYPE_INFO_PROC};
use crate::metrics::opclass::{Support, address_of};
use crate::types::ball;
use crate::types::dense_ball::{self, Role};

/// An operator class, as the catalogs have it.
struct Opclass {
    name: String,
    support: Support,
    /// Whether its ordering operator is the distance.
    has_order: bool,
    /// The function of each other operator, if that is one for searching with this type on the left, as strategy 2 or
    /// 3; 0 for anything else.
    searches: Vec<pg_sys::Oid>,
}

/// Checks an operator class: a distance function of its type, described by the type info, one of ours, or any that
/// is IMMUTABLE; an ordering operator that calls it; and no other operators than `<@` and `<@~`, with balls of this
/// distance.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvalidate(opclass: pg_sys::Oid) -> bool {
    let Ok(Some(opclass)) = look_up(opclass) else {
        return false;
    };
    let metric = opclass.support.comparison().map(|comparison| comparison.metric);
    let is_constant = || metric != Some(Metric::User) || opclass.support.is_immutable();
    let is_ball = |&operator: &pg_sys::Oid| {
        operator != pg_sys::InvalidOid && metric_of_ball(address_of(operator)).is_some_and(|of| metric == Some(of))
    };
    let searches = &opclass.searches;
    let mut valid = true;
    for (holds, problem) in [
        (
            metric.is_some(),
            "lacks a supported distance function of its type as support function 1",
        ),
        (is_constant(), "has a distance function that is not IMMUTABLE"),
        (
            opclass.has_order,
            "lacks an ordering operator that is this function as strategy 1",
        ),
        (
            searches.iter().all(is_ball),
            "has an unsupported operator: besides strategy 1, only <@ (2) and <@~ (3) with balls of its distance are allowed",
        ),
    ] {
        if !holds {
            valid = false;
            report(
                PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
                format!("operator class \"{}\" of access method usearch {problem}", opclass.name),
            )
            .warn();
        }
    }
    valid
}

/// The metric of the balls that an operator with this function is for.
fn metric_of_ball(function: pg_sys::PGFunction) -> Option<Metric> {
    match dense_ball::role_of(function) {
        Some((metric, Role::InBall)) => Some(metric.metric()),
        Some(_) => None,
        None => ball::is_in_ball(function).then_some(Metric::Nphd),
    }
}

fn look_up(opclass: pg_sys::Oid) -> Result<Option<Opclass>, pgrx::spi::Error> {
    // Finds only PostgreSQL's own operators and types, whatever the search path.
    let sql = "
        SELECT c.opcname::pg_catalog.text, c.opcintype, p.amproc::pg_catalog.oid, t.amproc::pg_catalog.oid,
               EXISTS (SELECT FROM pg_catalog.pg_amop a
                         JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
                        WHERE a.amopfamily OPERATOR(pg_catalog.=) c.opcfamily
                          AND a.amoppurpose OPERATOR(pg_catalog.=) 'o'::pg_catalog.\"char\"
                          AND a.amopstrategy OPERATOR(pg_catalog.=) $2
                          AND a.amoplefttype OPERATOR(pg_catalog.=) c.opcintype
                          AND a.amoprighttype OPERATOR(pg_catalog.=) c.opcintype
                          AND o.oprcode::pg_catalog.oid OPERATOR(pg_catalog.=) p.amproc::pg_catalog.oid
                          AND o.oprresult OPERATOR(pg_catalog.=) 701::pg_catalog.oid
                          AND a.amopsortfamily OPERATOR(pg_catalog.=) 1970::pg_catalog.oid),
               ARRAY(SELECT CASE WHEN a.amoppurpose OPERATOR(pg_catalog.=) 's'::pg_catalog.\"char\"
                                  AND (a.amopstrategy OPERATOR(pg_catalog.=) $5 OR a.amopstrategy OPERATOR(pg_catalog.=) $6)
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
          LEFT JOIN pg_catalog.pg_amproc t ON t.amprocfamily OPERATOR(pg_catalog.=) c.opcfamily
                                          AND t.amprocnum OPERATOR(pg_catalog.=) $4
                                          AND t.amproclefttype OPERATOR(pg_catalog.=) c.opcintype
                                          AND t.amprocrighttype OPERATOR(pg_catalog.=) c.opcintype
         WHERE c.oid OPERATOR(pg_catalog.=) $1";
    // Read-only: assigns no transaction id, works on a standby.
    Spi::connect(|client| {
        let arguments = [
            opclass.into(),
            i32::from(ORDER_STRATEGY).into(),
            i32::from(DISTANCE_PROC).into(),
            i32::from(TYPE_INFO_PROC).into(),
            i32::from(BALL_STRATEGY).into(),
            i32::from(NEAR_STRATEGY).into(),
        ];
        let row = client.select(sql, Some(1), &arguments)?.first();
        let (Some(name), Some(input)) = (row.get(1)?, row.get(2)?) else {
            return Ok(None);
        };
        let support = Support {
            input,
            distance: row.get(3)?.unwrap_or(pg_sys::InvalidOid),
            type_info: row.get(4)?.unwrap_or(pg_sys::InvalidOid),
        };
        Ok(Some(Opclass {
            name,
            support,
            has_order: row.get(5)?.unwrap_or(false),
            searches: row.get(6)?.unwrap_or_default(),
        }))
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
