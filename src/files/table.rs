//! What to export: the query of an index's keys and codes, and what the keys are.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::cursor::{for_each_row, query};
use crate::catalog;
use crate::error::report;

/// What the values of the key column are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// smallint, integer or bigint.
    Integer(pg_sys::Oid),
    /// uuid.
    Uuid,
    /// iscc_id.
    IsccId,
}

/// The rows of an index.
pub struct IndexedTable {
    /// Selects key and code of every row that the index covers, by key.
    pub rows: CString,
    /// What the keys are.
    pub key: KeyType,
}

/// Looks up the table of an index. Raises an error if it has no such column, or one that cannot be a key; and if
/// functions of another user would run with the rights of the current user.
pub fn look_up(index: pg_sys::Oid, index_name: &str, column: &CStr) -> IndexedTable {
    let mut found = None;
    for_each_row::<5>(&lookup_query(index, column), |values| {
        let oid = |n: usize| values[n].map_or(pg_sys::InvalidOid, |value| pg_sys::Oid::from(value.number() as u32));
        let rows = values[0].map(|text| query(text.bytes()));
        let has_functions = values[4].is_some_and(|value| value.number() != 0);
        found = Some((rows.unwrap_or_default(), oid(1), oid(2), oid(3), has_functions));
    });
    let Some((rows, column_type, iscc_id, owner, has_functions)) = found else {
        let column = column.to_string_lossy();
        report(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            format!("the table of index \"{index_name}\" has no column \"{column}\""),
        )
        .raise()
    };
    if has_functions {
        require_trust(index_name, owner);
    }
    let base = catalog::base_type(column_type);
    let key = match base {
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => KeyType::Integer(base),
        pg_sys::UUIDOID => KeyType::Uuid,
        _ if base == iscc_id && iscc_id != pg_sys::InvalidOid => KeyType::IsccId,
        _ => report(
            PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            format!("column \"{}\" cannot be a key", column.to_string_lossy()),
        )
        .detail("Keys are of type bigint, uuid or iscc_id.")
        .raise(),
    };
    IndexedTable { rows, key }
}

/// The query behind [`look_up`]: the query of the rows, the column's type, the type iscc_id, the table's owner, and
/// whether the index has expressions or a condition.
fn lookup_query(index: pg_sys::Oid, column: &CStr) -> CString {
    let index = index.to_u32();
    let column = catalog::quoted(column);
    let before = format!(
        "SELECT pg_catalog.format('SELECT %I, %s FROM ONLY %I.%I WHERE (%s) IS NOT NULL%s ORDER BY 1',
                                  a.attname, e.code, n.nspname, c.relname, e.code,
                                  CASE WHEN i.indpred IS NOT NULL THEN
                                      pg_catalog.format(' AND (%s)', pg_catalog.pg_get_expr(i.indpred, i.indrelid))
                                  END),
                a.atttypid, s.oid, c.relowner, i.indpred IS NOT NULL OR i.indexprs IS NOT NULL
           FROM pg_catalog.pg_index i
           CROSS JOIN LATERAL pg_catalog.pg_get_indexdef(i.indexrelid, 1, false) AS e(code)
           JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indrelid
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
           JOIN pg_catalog.pg_opclass o ON o.oid OPERATOR(pg_catalog.=) i.indclass[0]
           JOIN pg_catalog.pg_type b ON b.oid OPERATOR(pg_catalog.=) o.opcintype
           JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
           LEFT JOIN pg_catalog.pg_type s ON s.typnamespace OPERATOR(pg_catalog.=) b.typnamespace
                                         AND s.typname OPERATOR(pg_catalog.=) 'iscc_id'
          WHERE i.indexrelid OPERATOR(pg_catalog.=) {index}::pg_catalog.oid AND NOT a.attisdropped
            AND a.attname OPERATOR(pg_catalog.=) "
    );
    query(&[before.as_bytes(), column.as_bytes(), b"::pg_catalog.name"].concat())
}

/// Raises an error unless the functions of the index may run as the current user: who owns the table has chosen them.
fn require_trust(index_name: &str, owner: pg_sys::Oid) {
    let is_trusted = catalog::current_user() == owner || catalog::is_superuser(owner);
    if !is_trusted {
        report(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for index {index_name}"),
        )
        .detail(
            "The index has expressions or a condition, whose functions would run with the rights of the current user.",
        )
        .hint("Call the function as the owner of the table.")
        .raise();
    }
}
