//! What EXPLAIN (ANALYZE) shows of a scan, where the version has a hook for it.

use std::ffi::CString;

use pgrx::pg_sys;

use crate::am::scan;
use crate::compat;
use crate::relation::Index;
use crate::search::counters::Counters;
use crate::storage::definition::is_usearch_index;

/// Has scans of our indexes shown; called when the library is loaded.
pub fn register() {
    compat::on_explain_node(show);
}

/// Adds our lines to a node that scans one of our indexes and has run in this process.
unsafe fn show(node: *mut pg_sys::PlanState, explain: *mut pg_sys::ExplainState) {
    // SAFETY: the hook's arguments. The tag tells the node's type; relation and scan stay open until EXPLAIN has printed.
    unsafe {
        let (index, scan) = match (*node).type_ {
            pg_sys::NodeTag::T_IndexScanState => {
                let node = &*node.cast::<pg_sys::IndexScanState>();
                (node.iss_RelationDesc, node.iss_ScanDesc)
            }
            pg_sys::NodeTag::T_BitmapIndexScanState => {
                let node = &*node.cast::<pg_sys::BitmapIndexScanState>();
                (node.biss_RelationDesc, node.biss_ScanDesc)
            }
            _ => return,
        };
        if (*explain).analyze && !index.is_null() && !scan.is_null() && is_usearch_index(Index::from_raw(index)) {
            print(&scan::counters(scan), explain);
        }
    }
}

/// # Safety
/// `explain` is the state of a running EXPLAIN.
unsafe fn print(counters: &Counters, explain: *mut pg_sys::ExplainState) {
    let Counters {
        graph_shards,
        exact_shards,
        nodes,
        tail_rows,
    } = counters;
    // SAFETY: EXPLAIN copies labels and values.
    unsafe {
        if (*explain).format == pg_sys::ExplainFormat::EXPLAIN_FORMAT_TEXT {
            let line =
                format!("{graph_shards} graph, {exact_shards} exact; Nodes Visited: {nodes}; Tail Rows: {tail_rows}");
            let line = CString::new(line).unwrap_or_default();
            pg_sys::ExplainPropertyText(c"Shards".as_ptr(), line.as_ptr(), explain);
            return;
        }
        let properties = [
            (c"Graph Shards", graph_shards),
            (c"Exact Shards", exact_shards),
            (c"Nodes Visited", nodes),
            (c"Tail Rows", tail_rows),
        ];
        for (label, value) in properties {
            pg_sys::ExplainPropertyInteger(label.as_ptr(), std::ptr::null(), *value as i64, explain);
        }
    }
}
