//! Which rows the user of a statement may see. PostgreSQL checks the same before it uses statistics: an estimate must
//! not reveal hidden rows.

use pgrx::pg_sys::{self, AclMode, AclResult, Oid};

use super::functions::add_columns;
use super::nodes::Planner;
use crate::catalog;
use crate::nodes::{Node, Set, functions};

functions! {
    fn check_column(table: Oid, column: i16, user: Oid, right: AclMode) -> AclResult::Type = pg_attribute_aclcheck;
}

/// Whether the statement may know all values of an expression over columns of the relation with this number, a table:
/// its user may read these columns, and neither row-level security nor a security barrier hides rows.
pub fn sees_all<'a>(planner: Planner<'a>, number: u32, expression: Node<'a>) -> bool {
    let mut number = number;
    let mut columns = columns_of(expression, number);
    // Reading a partition through its parent needs no rights on the partition, and the parent's policies apply.
    while let Some(child) = parent_of(planner, number) {
        let parents = child.parent_columns();
        for column in &mut columns {
            let position = usize::try_from(*column - 1).ok();
            *column = position.and_then(|at| parents.get(at)).map_or(0, i32::from);
        }
        number = child.parent();
    }
    let at = number as usize;
    let (Some(table), Some(relation)) = (
        planner.tables().get(at).flatten(),
        planner.relations().get(at).flatten(),
    ) else {
        return false;
    };
    let user = match relation.user() {
        pg_sys::InvalidOid => catalog::current_user(),
        user => user,
    };
    table.security_quals().is_empty() && !is_inside_barrier(planner) && may_select(table.oid(), &columns, user)
}

/// Whether a query reads from something that hides rows, by row-level security or a security barrier.
pub fn has_barrier(query: Node<'_, pg_sys::Query>) -> bool {
    let mut tables = query.tables().iter();
    tables.any(|table| !table.security_quals().is_empty() || table.is_barrier())
}

/// Whether a query may be part of a view with a security barrier: then its conditions may come from outside.
fn is_inside_barrier(planner: Planner<'_>) -> bool {
    std::iter::successors(planner.outer(), |outer| outer.outer()).any(|outer| has_barrier(outer.query()))
}

/// The numbers of the columns in an expression; 0 or less for a whole row and system columns.
fn columns_of(expression: Node<'_>, relation: u32) -> Vec<i32> {
    let mut columns = Set::empty();
    add_columns(expression, relation, &mut columns);
    let number = |member: i32| member + pg_sys::FirstLowInvalidHeapAttributeNumber;
    columns.iter().map(number).collect()
}

/// How a relation belongs to the table whose partition or child it is, if the statement names that table.
fn parent_of(planner: Planner<'_>, number: u32) -> Option<Node<'_, pg_sys::AppendRelInfo>> {
    let child = planner.children().get(number as usize).flatten()?;
    let parent = planner.tables().get(child.parent() as usize).flatten()?;
    // An arm of UNION ALL is no child of a table.
    parent.is_relation().then_some(child)
}

/// Whether a user may read these columns of a table.
fn may_select(table: Oid, columns: &[i32], user: Oid) -> bool {
    let right = pg_sys::ACL_SELECT as AclMode;
    let is_allowed = |result| result == AclResult::ACLCHECK_OK;
    let may_read = |&column: &i32| column > 0 && is_allowed(check_column(table, column as i16, user, right));
    is_allowed(catalog::check_privileges(table, user, right)) || columns.iter().all(may_read)
}
