//! Which rows a statement's user may see, as PostgreSQL asks before it uses statistics: an estimate must not tell of others.

use pgrx::{PgList, pg_sys};

/// Whether the statement may know all values of an expression over columns of a relation: its user may read these columns,
/// and neither row-level security nor a security barrier hides rows.
///
/// # Safety
/// `column` is an expression over the relation of this number, which is a table's, of this planner.
pub unsafe fn sees_all(root: *mut pg_sys::PlannerInfo, number: u32, column: *mut pg_sys::Node) -> bool {
    // SAFETY: as the caller says; the planner's arrays have an element for each number.
    unsafe {
        let mut number = number;
        let mut columns = columns_of(column, number);
        // Who reads a partition by its parent needs no rights on it, and the parent's policies hold.
        while let Some(child) = parent_of(root, number) {
            let parents = std::slice::from_raw_parts(child.parent_colnos, child.num_child_cols as usize);
            for column in &mut columns {
                let position = usize::try_from(*column - 1).ok();
                *column = position
                    .and_then(|at| parents.get(at))
                    .map_or(0, |&parent| i32::from(parent));
            }
            number = child.parent_relid;
        }
        let table = &**(*root).simple_rte_array.add(number as usize);
        let relation = &**(*root).simple_rel_array.add(number as usize);
        let user = match relation.userid {
            pg_sys::InvalidOid => pg_sys::GetUserId(),
            user => user,
        };
        table.securityQuals.is_null() && !is_inside_barrier(root) && may_select(table.relid, &columns, user)
    }
}

/// Whether a query reads from what hides rows: by row-level security or a security barrier.
///
/// # Safety
/// A query that is being planned.
pub unsafe fn has_barrier(query: *const pg_sys::Query) -> bool {
    // SAFETY: as the caller says.
    unsafe {
        let tables = PgList::<pg_sys::RangeTblEntry>::from_pg((*query).rtable);
        let hides = |table: *mut pg_sys::RangeTblEntry| !(*table).securityQuals.is_null() || (*table).security_barrier;
        tables.iter_ptr().any(hides)
    }
}

/// Whether a query may be part of a view with a security barrier: then its conditions may come from outside.
unsafe fn is_inside_barrier(root: *const pg_sys::PlannerInfo) -> bool {
    // SAFETY: planners of a statement's parts stay until all of it is planned.
    unsafe {
        let mut outer = (*root).parent_root;
        while !outer.is_null() {
            if has_barrier((*outer).parse) {
                return true;
            }
            outer = (*outer).parent_root;
        }
        false
    }
}

/// The numbers of the columns in an expression; 0 or less for a whole row and system columns.
unsafe fn columns_of(node: *mut pg_sys::Node, relation: u32) -> Vec<i32> {
    let mut set = std::ptr::null_mut();
    let mut columns = Vec::new();
    // SAFETY: an expression; the set is ours.
    unsafe {
        pg_sys::pull_varattnos(node, relation, &mut set);
        let mut member = pg_sys::bms_next_member(set, -1);
        while member >= 0 {
            columns.push(member + pg_sys::FirstLowInvalidHeapAttributeNumber);
            member = pg_sys::bms_next_member(set, member);
        }
    }
    columns
}

/// How a relation belongs to the table whose partition or child it is, if the statement names that one.
unsafe fn parent_of<'a>(root: *const pg_sys::PlannerInfo, number: u32) -> Option<&'a pg_sys::AppendRelInfo> {
    // SAFETY: the planner's own arrays; the elements may be NULL.
    unsafe {
        if (*root).append_rel_array.is_null() {
            return None;
        }
        let child = (*(*root).append_rel_array.add(number as usize)).as_ref()?;
        let parent = &**(*root).simple_rte_array.add(child.parent_relid as usize);
        // Not an arm of UNION ALL.
        (parent.rtekind == pg_sys::RTEKind::RTE_RELATION).then_some(child)
    }
}

/// Whether a user may read these columns of a table.
unsafe fn may_select(table: pg_sys::Oid, columns: &[i32], user: pg_sys::Oid) -> bool {
    let right = pg_sys::ACL_SELECT as pg_sys::AclMode;
    let is_allowed = |result| result == pg_sys::AclResult::ACLCHECK_OK;
    // SAFETY: reads the catalogs; the planner has locked the table.
    unsafe {
        let may_read =
            |&column: &i32| column > 0 && is_allowed(pg_sys::pg_attribute_aclcheck(table, column as i16, user, right));
        is_allowed(pg_sys::pg_class_aclcheck(table, user, right)) || columns.iter().all(may_read)
    }
}
