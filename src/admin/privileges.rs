//! Who may call what.

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::catalog;
use crate::compat;
use crate::error::report;
use crate::relation::Index;

/// Raises an error unless the current user owns the index.
pub fn require_owner(index: Index<'_>) {
    if !owns(index) {
        report(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of index {}", index.name()),
        )
        .raise();
    }
}

/// Raises an error unless the current user may read the table or owns the index. `what` needs that right: it begins the
/// sentence that says so.
pub fn require_select(index: Index<'_>, what: &str) {
    if !owns(index) && !may_select(index) {
        report(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for index {}", index.name()),
        )
        .detail(format!(
            "{what} requires ownership or the SELECT privilege on its table."
        ))
        .hint("The table's owner can GRANT SELECT on it.")
        .raise();
    }
}

/// The same where the answer tells of all rows, also of those that row-level security hides from the current user.
pub fn require_all_rows(index: Index<'_>, what: &str) {
    require_select(index, what);
    if !owns(index) && has_policies(index) {
        report(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for index {}", index.name()),
        )
        .detail(format!(
            "{what} reveals something about all rows of its table, but row-level security hides some from the current user."
        ))
        .hint("Call the function as the owner or as a role that bypasses row-level security.")
        .raise();
    }
}

/// Raises an error unless the current user may know an index's size: may read the table or statistics of all, or owns
/// the index.
pub fn require_size(index: Index<'_>) {
    if !reads_all_statistics() && !owns(index) && !may_select(index) {
        refuse_statistics(index, "");
    }
}

/// Raises an error unless the current user may know how many codes of what kind the index has: as for its size, but who
/// sees some of the rows only does not, as in the view pg_stats.
pub fn require_statistics(index: Index<'_>) {
    if !may_see_statistics(index) {
        refuse_statistics(index, " without row-level security");
    }
}

/// Whether the current user may know that.
pub fn may_see_statistics(index: Index<'_>) -> bool {
    let may = || may_select(index) && !has_policies(index);
    reads_all_statistics() || owns(index) || may()
}

/// Whether the current user may know what processes of this user do, as in pg_stat_activity.
pub fn may_see_activity_of(user: pg_sys::Oid) -> bool {
    reads_all_statistics() || catalog::has_privileges_of(catalog::current_user(), user)
}

fn refuse_statistics(index: Index<'_>, condition: &str) -> ! {
    report(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("permission denied for index {}", index.name()),
    )
    .detail(format!(
        "Statistics of an index require ownership, the privileges of pg_read_all_stats, or the SELECT privilege on its \
         table{condition}."
    ))
    .hint("Grant pg_monitor to roles that monitor the server.")
    .raise()
}

/// Whether the current user owns the index.
fn owns(index: Index<'_>) -> bool {
    compat::owns_relation(catalog::current_user(), index.oid())
}

/// Whether the current user has the SELECT privilege on the index's table.
fn may_select(index: Index<'_>) -> bool {
    let right = pg_sys::ACL_SELECT as pg_sys::AclMode;
    catalog::check_privileges(index.table(), catalog::current_user(), right) == pg_sys::AclResult::ACLCHECK_OK
}

/// Whether row-level security applies to the current user on the index's table.
fn has_policies(index: Index<'_>) -> bool {
    let applies = catalog::check_row_security(index.table(), pg_sys::InvalidOid, true);
    applies == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32
}

/// Whether the current user is a member of pg_read_all_stats, as pg_monitor is.
fn reads_all_statistics() -> bool {
    let role = pg_sys::Oid::from(pg_sys::ROLE_PG_READ_ALL_STATS);
    catalog::has_privileges_of(catalog::current_user(), role)
}
