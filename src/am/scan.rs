//! Index scans: what the executor calls.

use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::compat;
use crate::error::report;
use crate::guc::SearchSettings;
use crate::metrics::opclass::comparison_of;
use crate::metrics::value::Value;
use crate::nodes::{Node, View, views};
use crate::relation::Index;
use crate::search::conditions::Conditions;
use crate::search::counters::Counters;
use crate::search::demand::Demand;
use crate::search::plan::Plan;
use crate::search::query::Query;
use crate::search::scan::Scan;
use crate::storage::definition::{is_usearch_index, require_bits};
use crate::storage::log::item_pointer;

/// Starts a scan.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambeginscan(
    index: pg_sys::Relation,
    nkeys: i32,
    norderbys: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the executor's arguments; the state is dropped with the executor's memory context,
    // also when an error skips amendscan.
    unsafe {
        let scan = pg_sys::RelationGetIndexScan(index, nkeys, norderbys);
        let state = PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(Scan::default());
        (*scan).opaque = state.cast();
        scan
    }
}

/// Sets query and conditions of a scan, the first or other ones.
#[pg_guard]
pub unsafe extern "C-unwind" fn amrescan(
    scan: pg_sys::IndexScanDesc,
    keys: pg_sys::ScanKey,
    nkeys: i32,
    orderbys: pg_sys::ScanKey,
    norderbys: i32,
) {
    // SAFETY: the executor's arguments; an ordering key's argument is a value of the type that the operator
    // class says.
    unsafe {
        let state = &mut *(*scan).opaque.cast::<Scan>();
        let index = Index::from_raw((*scan).indexRelation);
        let comparison = comparison_of(index);
        let context = pg_sys::GetMemoryChunkContext(scan.cast());
        let mut demand = Demand::Exact;
        let query = if norderbys > 0 && !orderbys.is_null() {
            let order = &*orderbys;
            (*(*scan).orderByData) = *order;
            let is_null = order.sk_flags & pg_sys::SK_ISNULL as i32 != 0;
            demand = Demand::of_flags(order.sk_flags);
            (!is_null).then(|| {
                require_bits(index, order.sk_argument);
                let bytes = comparison.bytes(order.sk_argument);
                let query = Query::new(index, context, &mut state.function, bytes);
                if matches!(comparison.value, Value::Opaque(_)) {
                    // A copy. A join may come here for each of many rows.
                    pg_sys::pfree(bytes.as_ptr().cast_mut().cast());
                }
                query
            })
        } else {
            None
        };
        let conditions = if nkeys > 0 && !keys.is_null() {
            (*scan).keyData.copy_from(keys, nkeys as usize);
            let keys = std::slice::from_raw_parts(keys, nkeys as usize);
            Some(Conditions::of(index, context, &mut state.function, keys))
        } else {
            None
        };
        state.reset(Plan::new(query, demand, conditions));
    }
}

/// A scan of an index, as the executor has it.
pub type OpenScan<'a> = Node<'a, pg_sys::IndexScanDescData>;

views! {
    IndexScanDescData {
        index: Option<Index<'a>> = |scan| scan.indexRelation;
        /// Set before the executor asks for rows.
        snapshot: Node<'a, pg_sys::SnapshotData> = |scan| scan.xs_snapshot;
        <- set_tid: pg_sys::ItemPointerData = |scan| scan.xs_heaptid;
        <- set_recheck: bool = |scan| scan.xs_recheck;
        <- set_recheck_order: bool = |scan| scan.xs_recheckorderby;
    }
    SnapshotData {
        kind: pg_sys::SnapshotType::Type = |snapshot| snapshot.snapshot_type;
    }
}

/// Calls `work` with the state of a scan, which `work` does not call for again; None for a scan of an index that is not
/// ours.
fn with_state<T>(scan: OpenScan<'_>, work: impl FnOnce(&mut Scan, Index<'_>) -> T) -> Option<T> {
    let index = scan.index().filter(|&index| is_usearch_index(index))?;
    // SAFETY: a scan of one of our indexes has a state from its beginning on; nobody else has a reference to it.
    let state = unsafe { (*scan.raw()).opaque.cast::<Scan>().as_mut() }?;
    Some(work(state, index))
}

/// The same for a scan whose rows are wanted, which begins now if it has not yet.
fn with_begun<T>(scan: OpenScan<'_>, work: impl FnOnce(&mut Scan, Index<'_>) -> T) -> Option<T> {
    with_state(scan, |state, index| {
        if !state.has_begun() {
            require_mvcc(scan.snapshot());
            compat::count_search(scan.raw());
            state.begin(index, SearchSettings::of_session());
        }
        work(state, index)
    })
}

/// The next row, in order of distance if there is an order.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgettuple(
    scan: pg_sys::IndexScanDesc,
    _direction: pg_sys::ScanDirection::Type,
) -> bool {
    // SAFETY: the executor's own scan.
    let scan: OpenScan<'_> = unsafe { Node::view(scan) };
    let Some(tid) = with_begun(scan, |state, index| state.next(index)).flatten() else {
        return false;
    };
    scan.set_tid(item_pointer(&tid));
    scan.set_recheck(false);
    scan.set_recheck_order(false);
    true
}

/// TIDs that are added to a bitmap at once.
const BITMAP_BATCH: usize = 512;

/// All rows, as a bitmap; their number.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgetbitmap(scan: pg_sys::IndexScanDesc, bitmap: *mut pg_sys::TIDBitmap) -> i64 {
    // SAFETY: the executor's own scan.
    let scan = unsafe { Node::view(scan) };
    let rows = with_begun(scan, |state, index| {
        let mut rows = 0;
        let mut tids = Vec::with_capacity(BITMAP_BATCH);
        loop {
            let next = state.next(index);
            tids.extend(next.map(|tid| item_pointer(&tid)));
            if tids.len() == BITMAP_BATCH || next.is_none() {
                // SAFETY: the executor's bitmap, which copies the TIDs.
                unsafe { pg_sys::tbm_add_tuples(bitmap, tids.as_mut_ptr(), tids.len() as i32, false) };
                rows += tids.len() as i64;
                tids.clear();
            }
            if next.is_none() {
                return rows;
            }
        }
    });
    rows.unwrap_or_default()
}

/// Notes that a row of an index scan has passed the conditions above it.
pub fn row_has_left(scan: OpenScan<'_>) {
    with_state(scan, |state, _| state.row_has_left());
}

/// What a scan has counted since it began; None for a scan of an index that is not ours.
pub fn counters(scan: OpenScan<'_>) -> Option<Counters> {
    with_state(scan, |state, _| state.counters())
}

/// No pin protects a TID between reading it here and fetching the row, so VACUUM may have given it
/// to another row: only an MVCC snapshot cannot see that one.
fn require_mvcc(snapshot: Node<'_, pg_sys::SnapshotData>) {
    use pg_sys::SnapshotType::{SNAPSHOT_HISTORIC_MVCC, SNAPSHOT_MVCC};
    let kind = snapshot.kind();
    if kind != SNAPSHOT_MVCC && kind != SNAPSHOT_HISTORIC_MVCC {
        report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "usearch index scans need an MVCC snapshot",
        )
        .raise();
    }
}

/// Ends a scan: lets go of mapped shards and buffers.
#[pg_guard]
pub unsafe extern "C-unwind" fn amendscan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: the state lives until the memory context ends; this empties it.
    unsafe { *(*scan).opaque.cast::<Scan>() = Scan::default() };
}
