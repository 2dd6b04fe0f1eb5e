//! Checking operator classes (`amvalidate`).

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::{DISTANCE_PROC, ORDER_STRATEGY};
use crate::error::report;

/// Checks an operator class: one ordering operator that returns float8, and its function.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvalidate(opclass: pg_sys::Oid) -> bool {
    let sql = "
        SELECT c.opcname::text,
               (SELECT count(*) FROM pg_amop o
                 WHERE o.amopfamily = c.opcfamily AND o.amoplefttype = c.opcintype
                   AND (o.amopstrategy, o.amoppurpose) = ($2, 'o')
                   AND (SELECT oprresult FROM pg_operator WHERE oid = o.amopopr) = 'float8'::regtype) = 1,
               (SELECT count(*) FROM pg_amproc p
                 WHERE p.amprocfamily = c.opcfamily AND p.amproclefttype = c.opcintype
                   AND p.amprocnum = $3) = 1
          FROM pg_opclass c WHERE c.oid = $1";
    let checked = Spi::get_three_with_args::<String, bool, bool>(
        sql,
        &[
            opclass.into(),
            i32::from(ORDER_STRATEGY).into(),
            i32::from(DISTANCE_PROC).into(),
        ],
    );
    let Ok((Some(name), operator, function)) = checked else {
        return false;
    };
    let mut valid = true;
    for (present, what) in [
        (operator, "an ordering operator that returns float8 as strategy 1"),
        (function, "a distance function as support function 1"),
    ] {
        if present != Some(true) {
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
