//! What EXPLAIN (ANALYZE) shows about a scan, where the version has a hook for it.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use super::nodes::PlanState;
use crate::am::scan;
use crate::compat;
use crate::nodes::{Node, functions};
use crate::search::counters::Counters;

functions! {
    fn print_text(label: &CStr, value: &CStr, explain: Node<'_, pg_sys::ExplainState>) = ExplainPropertyText;
    fn print_number(label: &CStr, unit: Option<&CStr>, value: i64, explain: Node<'_, pg_sys::ExplainState>) =
        ExplainPropertyInteger;
}

/// Has scans of our indexes shown; called when the library is loaded.
pub fn register() {
    compat::on_explain_node(show);
}

/// Adds our lines to a node that scans one of our indexes and has run in this process.
fn show(node: PlanState<'_>, explain: Node<'_, pg_sys::ExplainState>) {
    let scanned = match (
        node.cast::<pg_sys::IndexScanState>(),
        node.cast::<pg_sys::BitmapIndexScanState>(),
    ) {
        (Some(node), _) => node.scan(),
        (_, Some(node)) => node.scan(),
        _ => None,
    };
    if explain.is_analyze()
        && let Some(counters) = scanned.and_then(scan::counters)
    {
        print(&counters, explain);
    }
}

fn print(counters: &Counters, explain: Node<'_, pg_sys::ExplainState>) {
    let Counters {
        graph_shards,
        exact_shards,
        nodes,
        tail_rows,
    } = counters;
    if explain.is_text() {
        let line =
            format!("{graph_shards} graph, {exact_shards} exact; Nodes Visited: {nodes}; Tail Rows: {tail_rows}");
        print_text(c"Shards", &CString::new(line).unwrap_or_default(), explain);
        return;
    }
    let properties = [
        (c"Graph Shards", graph_shards),
        (c"Exact Shards", exact_shards),
        (c"Nodes Visited", nodes),
        (c"Tail Rows", tail_rows),
    ];
    for (label, &value) in properties {
        print_number(label, None, value as i64, explain);
    }
}
