//! Storage parameters that an index cannot have: PostgreSQL parses them without knowing which index they are for.

use std::ffi::c_char;
use std::sync::OnceLock;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::nodes::{List, Node, View, views};
use crate::relation::OpenRelation;
use crate::storage::definition::{IndexOptions, is_usearch_index};

views! {
    AlterTableStmt {
        relation: Node<'a, pg_sys::RangeVar> = |statement| statement.relation;
        commands: List<'a> = |statement| statement.cmds;
    }
    AlterTableCmd(T_AlterTableCmd) {
        sets_options: bool = |command| command.subtype == pg_sys::AlterTableType::AT_SetRelOptions;
    }
}

/// Has each ALTER examined when it has run; called when the library is loaded.
pub fn register() {
    // SAFETY: called from _PG_init, in the backend's only thread.
    unsafe {
        if PREVIOUS.set(pg_sys::ProcessUtility_hook).is_ok() {
            pg_sys::ProcessUtility_hook = Some(hook);
        }
    }
}

/// The hook that another library has installed before us.
static PREVIOUS: OnceLock<pg_sys::ProcessUtility_hook_type> = OnceLock::new();

#[pg_guard]
unsafe extern "C-unwind" fn hook(
    planned: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    is_shared: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    receiver: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    let previous = PREVIOUS.get().copied().flatten();
    // SAFETY: PostgreSQL's arguments, passed on as they are. A statement that ends its transaction is gone when it has run,
    // with its memory; this one does not.
    unsafe {
        let statement = (*planned).utilityStmt;
        let is_alter = (*statement).type_ == pg_sys::NodeTag::T_AlterTableStmt;
        match previous {
            Some(run) => run(
                planned,
                text,
                is_shared,
                context,
                parameters,
                environment,
                receiver,
                completion,
            ),
            None => pg_sys::standard_ProcessUtility(
                planned,
                text,
                is_shared,
                context,
                parameters,
                environment,
                receiver,
                completion,
            ),
        }
        if is_alter {
            examine(Node::view(statement.cast()));
        }
    }
}

/// Raises an error, which undoes the statement, if it has given an index parameters that the index cannot have. The
/// statement's own lock on the index is held until the transaction ends.
fn examine(statement: Node<'_, pg_sys::AlterTableStmt>) {
    let sets_options = |command: Node<'_>| {
        command
            .cast::<pg_sys::AlterTableCmd>()
            .is_some_and(|command| command.sets_options())
    };
    if !statement.commands().iter().any(sets_options) {
        return;
    }
    let (name, missing_ok) = (statement.relation().raw(), pg_sys::RVROption::RVR_MISSING_OK);
    // SAFETY: looks up the statement's own relation.
    let relation = unsafe {
        let (lock, none) = (pg_sys::NoLock as i32, std::ptr::null_mut());
        pg_sys::RangeVarGetRelidExtended(name, lock, missing_ok, None, none)
    };
    if let Some(opened) = OpenRelation::open(relation, pg_sys::NoLock) {
        let index = opened.handle();
        if is_usearch_index(index) {
            IndexOptions::of(index).require_sound(index);
        }
    }
}
