//! Checking operator classes (`amvalidate`) and their properties (`amproperty`).

use std::ffi::c_char;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::options::metric_of_function;
use super::{DISTANCE_PROC, ORDER_STRATEGY};
use crate::error::report;

/// Name, input type, support function, and whether the ordering operator is that function and returns float8.
type Opclass = (Option<String>, Option<pg_sys::Oid>, Option<pg_sys::Oid>, Option<bool>);

/// Checks an operator class: a distance function that usearch knows, and an ordering operator that calls it.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvalidate(opclass: pg_sys::Oid) -> bool {
    let Ok((Some(name), Some(input), function, operator)) = look_up(opclass) else {
        return false;
    };
    let function = function.unwrap_or(pg_sys::InvalidOid);
    let mut valid = true;
    for (present, what) in [
        (
            metric_of_function(function, input).is_some(),
            "a distance function of bitvec as support function 1",
        ),
        (
            operator == Some(true),
            "an ordering operator that is this function as strategy 1",
        ),
    ] {
        if !present {
            valid = false;
            report(
                PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
                format!("operator class \"{name}\" of access method usearch lacks {what}"),
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
                          AND o.oprcode = p.amproc AND o.oprresult = 'float8'::regtype)
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
        ];
        let row = client.select(sql, Some(1), &arguments)?.first();
        Ok((row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
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
