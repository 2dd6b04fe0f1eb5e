//! Differences between PostgreSQL major versions; no other file asks for the version.

use pgrx::pg_sys::{self, Oid};

#[cfg(feature = "pg18")]
use crate::nodes::views;
use crate::nodes::{Node, functions};

/// Where a relation's files are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Locator {
    /// Tablespace.
    pub tablespace: u32,
    /// Database.
    pub database: u32,
    /// Number of the relation's files.
    pub number: u32,
}

/// The locator of an open relation.
pub fn locator(relation: &pg_sys::RelationData) -> Locator {
    #[cfg(feature = "pg15")]
    return to_locator(&relation.rd_node);
    #[cfg(not(feature = "pg15"))]
    return to_locator(&relation.rd_locator);
}

/// The subtransaction that gave the relation its first new file in this transaction; 0 without one.
pub fn first_file_subid(relation: &pg_sys::RelationData) -> pg_sys::SubTransactionId {
    #[cfg(feature = "pg15")]
    return relation.rd_firstRelfilenodeSubid;
    #[cfg(not(feature = "pg15"))]
    return relation.rd_firstRelfilelocatorSubid;
}

/// The relation files that PostgreSQL will remove at the end of this transaction or of the inner one that ends: if it
/// commits, or if it does not. Not those of temporary relations.
pub fn files_to_be_removed(at_commit: bool) -> Vec<Locator> {
    let mut list = std::ptr::null_mut();
    // SAFETY: reads this backend's own list; the copy has `count` elements, and we own it.
    unsafe {
        let count = pg_sys::smgrGetPendingDeletes(at_commit, &mut list);
        if list.is_null() {
            return Vec::new();
        }
        let files = std::slice::from_raw_parts(list, usize::try_from(count).unwrap_or(0));
        let files = files.iter().map(to_locator).collect();
        pg_sys::pfree(list.cast());
        files
    }
}

#[cfg(feature = "pg15")]
fn to_locator(node: &pg_sys::RelFileNode) -> Locator {
    Locator {
        tablespace: node.spcNode.to_u32(),
        database: node.dbNode.to_u32(),
        number: node.relNode.to_u32(),
    }
}

#[cfg(not(feature = "pg15"))]
fn to_locator(locator: &pg_sys::RelFileLocator) -> Locator {
    Locator {
        tablespace: locator.spcOid.to_u32(),
        database: locator.dbOid.to_u32(),
        number: locator.relNumber.to_u32(),
    }
}

/// Where the first file of a relation is, of this or another database; below the data directory.
pub fn main_file(at: Locator) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let main = pg_sys::ForkNumber::MAIN_FORKNUM;
    let (database, tablespace) = (pg_sys::Oid::from(at.database), pg_sys::Oid::from(at.tablespace));
    // SAFETY: builds a C string; -1 stands for a relation that is not temporary.
    let text = unsafe {
        #[cfg(feature = "pg15")]
        let path = pg_sys::GetRelationPath(database, tablespace, pg_sys::Oid::from(at.number), -1, main);
        #[cfg(any(feature = "pg16", feature = "pg17"))]
        let path = pg_sys::GetRelationPath(database, tablespace, at.number.into(), -1, main);
        #[cfg(feature = "pg18")]
        let path = pg_sys::GetRelationPath(database, tablespace, at.number.into(), -1, main);
        #[cfg(feature = "pg18")]
        let path = path.str_.as_ptr();
        std::ffi::CStr::from_ptr(path).to_owned()
    };
    std::path::PathBuf::from(std::ffi::OsStr::from_bytes(text.as_bytes()))
}

/// Pins a block of the main fork if this buffer holds it, without looking for it.
pub fn read_recent_buffer(relation: &pg_sys::RelationData, block: u32, recent: pg_sys::Buffer) -> bool {
    let main = pg_sys::ForkNumber::MAIN_FORKNUM;
    #[cfg(feature = "pg15")]
    let at = relation.rd_node;
    #[cfg(not(feature = "pg15"))]
    let at = relation.rd_locator;
    // SAFETY: the buffer is one that this backend was given; what it holds now is compared with the locator.
    unsafe { pg_sys::ReadRecentBuffer(at, main, block, recent) }
}

functions! {
    #[cfg(feature = "pg15")]
    fn is_owned_by(relation: Oid, role: Oid) -> bool = pg_class_ownercheck;
    #[cfg(not(feature = "pg15"))]
    fn is_object_owned_by(class: Oid, object: Oid, role: Oid) -> bool = object_ownercheck;

    /// VACUUM's cost-based delay; checks for interrupts.
    #[cfg(not(feature = "pg18"))]
    pub fn vacuum_delay_point() = vacuum_delay_point;
    #[cfg(feature = "pg18")]
    fn vacuum_or_analyze_delay_point(is_analyze: bool) = vacuum_delay_point;

    #[cfg(any(feature = "pg17", feature = "pg18"))]
    fn new_wait_event(name: &std::ffi::CStr) -> u32 = WaitEventExtensionNew;
    /// Reserves the prefix of settings, so that a misspelt one is an error; the name is copied.
    pub fn reserve_guc_prefix(name: &std::ffi::CStr) = MarkGUCPrefixReserved;
}

/// VACUUM's cost-based delay; checks for interrupts.
#[cfg(feature = "pg18")]
pub fn vacuum_delay_point() {
    vacuum_or_analyze_delay_point(false);
}

/// True when a role owns the relation.
pub fn owns_relation(role: Oid, relation: Oid) -> bool {
    #[cfg(feature = "pg15")]
    return is_owned_by(relation, role);
    #[cfg(not(feature = "pg15"))]
    return is_object_owned_by(pg_sys::RelationRelationId, relation, role);
}

/// Fields of the access method's description that not every version has.
pub fn adjust_routine(_routine: &mut pg_sys::IndexAmRoutine) {
    #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
    {
        _routine.amsummarizing = false;
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        _routine.amcanbuildparallel = false;
    }
}

/// Makes the planner avoid a path altogether.
pub fn disable_path(path: Node<'_, pg_sys::IndexPath>) {
    let _ = path;
    #[cfg(feature = "pg18")]
    path.set_disabled_nodes(2);
}

#[cfg(feature = "pg18")]
views! {
    IndexPath {
        <- set_disabled_nodes: i32 = |path| path.path.disabled_nodes;
    }
}

/// Counts an index search for pg_stat_user_indexes and, where it is shown, EXPLAIN ANALYZE.
pub fn count_search(scan: pg_sys::IndexScanDesc) {
    // SAFETY: the executor passes a valid scan of an open index; the pointers to counters may be NULL.
    unsafe {
        let index = (*scan).indexRelation;
        if (*index).pgstat_info.is_null() && (*index).pgstat_enabled {
            pg_sys::pgstat_assoc_relation(index);
        }
        if let Some(statistics) = (*index).pgstat_info.as_mut() {
            #[cfg(feature = "pg15")]
            {
                statistics.t_counts.t_numscans += 1;
            }
            #[cfg(not(feature = "pg15"))]
            {
                statistics.counts.numscans += 1;
            }
        }
        #[cfg(feature = "pg18")]
        if let Some(instrument) = (*scan).instrument.as_mut() {
            instrument.nsearches += 1;
        }
    }
}

/// Defines `install`, which puts `hook` where PostgreSQL calls `variable`, and `CHAIN`: our function, and the hook that
/// another library has installed before us.
macro_rules! chain {
    ($variable:ident: $type:ident, $visit:ty) => {
        static CHAIN: std::sync::OnceLock<($visit, pg_sys::$type)> = std::sync::OnceLock::new();

        pub fn install(visit: $visit) {
            // SAFETY: called from _PG_init, in the backend's only thread.
            unsafe {
                if CHAIN.set((visit, pg_sys::$variable)).is_ok() {
                    pg_sys::$variable = Some(hook);
                }
            }
        }
    };
}

/// A function that EXPLAIN calls for a node of a plan.
pub type ExplainNode = fn(Node<'_, pg_sys::PlanState>, Node<'_, pg_sys::ExplainState>);

/// Has EXPLAIN call this function for each node, before the node's children are shown. There is no way to before
/// PostgreSQL 18.
pub fn on_explain_node(show: ExplainNode) {
    let _ = show;
    #[cfg(feature = "pg18")]
    explain_hook::install(show);
}

#[cfg(feature = "pg18")]
mod explain_hook {
    use std::ffi::c_char;

    use pgrx::pg_sys;
    use pgrx::prelude::*;

    use super::ExplainNode;
    use crate::nodes::{Node, View};

    chain!(explain_per_node_hook: explain_per_node_hook_type, ExplainNode);

    #[pg_guard]
    unsafe extern "C-unwind" fn hook(
        node: *mut pg_sys::PlanState,
        ancestors: *mut pg_sys::List,
        relationship: *const c_char,
        plan_name: *const c_char,
        explain: *mut pg_sys::ExplainState,
    ) {
        let Some((show, previous)) = CHAIN.get() else { return };
        // SAFETY: EXPLAIN's arguments, passed on as they are.
        unsafe {
            if let Some(previous) = previous {
                previous(node, ancestors, relationship, plan_name, explain);
            }
            show(Node::view(node), Node::view(explain));
        }
    }
}

/// A function for a relation of a statement that is being planned: planner, whether it is a parent of others, and what
/// is known about it.
pub type VisitRelation = fn(Node<'_, pg_sys::PlannerInfo>, bool, Node<'_, pg_sys::RelOptInfo>);

/// Has each relation visited when the planner has looked up what it has. Called once, when the library is loaded.
pub fn on_relation_info(visit: VisitRelation) {
    relation_hook::install(visit);
}

mod relation_hook {
    use pgrx::pg_sys;
    use pgrx::prelude::*;

    use super::VisitRelation;
    use crate::nodes::{Node, View};

    chain!(get_relation_info_hook: get_relation_info_hook_type, VisitRelation);

    #[pg_guard]
    unsafe extern "C-unwind" fn hook(
        root: *mut pg_sys::PlannerInfo,
        relation: pg_sys::Oid,
        is_parent: bool,
        info: *mut pg_sys::RelOptInfo,
    ) {
        let Some((visit, previous)) = CHAIN.get() else { return };
        // SAFETY: the planner's arguments, passed on as they are.
        unsafe {
            if let Some(previous) = previous {
                previous(root, relation, is_parent, info);
            }
            visit(Node::view(root), is_parent, Node::view(info));
        }
    }
}

/// A function for the top node of a plan.
pub type VisitPlan = fn(Node<'_, pg_sys::PlanState>);

/// Has each plan's top node visited when the plan has been started. Called once, when the library is loaded.
pub fn on_executor_start(visit: VisitPlan) {
    executor_hook::install(visit);
}

/// A function for an index scan.
pub type VisitScan = fn(Node<'_, pg_sys::IndexScanState>);

/// Has `visit` called whenever a row leaves this node, which has been started and has not run yet.
pub fn after_each_row(node: Node<'_, pg_sys::IndexScanState>, visit: VisitScan) {
    executor_hook::after_each_row(node, visit);
}

mod executor_hook {
    use std::cell::Cell;

    use pgrx::pg_sys;
    use pgrx::prelude::*;

    use super::{VisitPlan, VisitScan};
    use crate::nodes::{Node, View, views};

    chain!(ExecutorStart_hook: ExecutorStart_hook_type, VisitPlan);

    thread_local! {
        /// What runs an index scan, and what to call after each of its rows.
        static SCAN: Cell<Option<(pg_sys::ExecProcNodeMtd, VisitScan)>> = const { Cell::new(None) };
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn hook(query: *mut pg_sys::QueryDesc, flags: i32) {
        let Some((visit, previous)) = CHAIN.get() else { return };
        // SAFETY: the executor's arguments, passed on as they are.
        unsafe {
            match previous {
                Some(previous) => previous(query, flags),
                None => pg_sys::standard_ExecutorStart(query, flags),
            }
            if let Some(top) = View::view((*query).planstate) {
                visit(top);
            }
        }
    }

    views! {
        IndexScanState {
            /// What gives the node's next row.
            run: pg_sys::ExecProcNodeMtd = |node| node.ss.ps.ExecProcNodeReal;
            <- set_run: pg_sys::ExecProcNodeMtd = |node| node.ss.ps.ExecProcNodeReal;
        }
    }

    pub fn after_each_row(node: Node<'_, pg_sys::IndexScanState>, visit: VisitScan) {
        let run = node.run();
        // One function runs all index scans; another library may have put its own around some of them.
        let known = SCAN.get().map(|(known, _)| known);
        let address = |run: pg_sys::ExecProcNodeMtd| run.map(|run| run as usize);
        if known.is_none_or(|known| address(known) == address(run)) {
            SCAN.set(Some((run, visit)));
            node.set_run(Some(run_and_visit));
        }
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn run_and_visit(node: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
        let Some((Some(run), visit)) = SCAN.get() else {
            return std::ptr::null_mut();
        };
        // SAFETY: the executor's argument, an index scan, as only those run this; a slot's flags tell whether it is
        // empty.
        unsafe {
            let slot = pg_sys::ffi::pg_guard_ffi_boundary(|| run(node));
            if !slot.is_null() && u32::from((*slot).tts_flags) & pg_sys::TTS_FLAG_EMPTY == 0 {
                visit(Node::view(node.cast()));
            }
            slot
        }
    }
}

/// Sets the search path under which PostgreSQL itself would call functions of an index's definition: a safe one from
/// version 17 on; before, they see the session's.
pub fn restrict_search_path_as_reindex() {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    restrict_search_path();
}

/// Sets a search path in which only superusers can have put anything. The caller has opened a nest level of settings,
/// at whose end the path is as before.
pub fn restrict_search_path() {
    // SAFETY: inside a transaction; C strings, which are copied.
    unsafe {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        pg_sys::RestrictSearchPath();
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        pg_sys::set_config_option(
            c"search_path".as_ptr(),
            c"pg_catalog, pg_temp".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// The number of a wait event with this name. Before PostgreSQL 17 there is one for all extensions.
pub fn wait_event(name: &std::ffi::CStr) -> u32 {
    let _ = name;
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    // The same name gives the same number.
    return new_wait_event(name);
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    pg_sys::PG_WAIT_EXTENSION
}

/// The server's processes, as its statistics have them for this transaction.
pub fn processes() -> Vec<pg_sys::PgBackendStatus> {
    // SAFETY: numbers from 1 to the count; the result is this backend's own copy, or null.
    unsafe {
        let count = pg_sys::pgstat_fetch_stat_numbackends();
        #[cfg(feature = "pg15")]
        let get = |number| pg_sys::pgstat_fetch_stat_local_beentry(number);
        #[cfg(not(feature = "pg15"))]
        let get = |number| pg_sys::pgstat_get_local_beentry_by_index(number);
        let entries = (1..=count).filter_map(|number| get(number).as_ref());
        entries.map(|entry| entry.backendStatus).collect()
    }
}

/// Installs a signal handler.
pub fn handle_signal(signal: i32, handler: unsafe extern "C" fn(i32)) {
    // SAFETY: the handler is one of PostgreSQL's own; the two types differ only in how a panic would pass.
    unsafe {
        let handler: unsafe extern "C-unwind" fn(i32) = std::mem::transmute(handler);
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal, Some(handler));
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal, Some(handler));
    }
}

/// Settings under which a background worker could be made to fail, with the values that it needs.
pub const WORKER_SETTINGS: &[(&std::ffi::CStr, &std::ffi::CStr)] = &[
    (c"search_path", c""),
    (c"statement_timeout", c"0"),
    (c"lock_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    (c"transaction_timeout", c"0"),
    (c"default_transaction_isolation", c"read committed"),
];
