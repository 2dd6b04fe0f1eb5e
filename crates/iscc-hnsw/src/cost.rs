//! What a search costs, in nanoseconds on a machine of today: enough to choose between ways to search,
//! and for the planner to choose between plans.
//!
//! Measured with 256-bit codes on one core; the ratios matter, not the absolute values.

/// Reading and comparing one entry of the log, its share of page access included.
const EXACT_ENTRY_NS: f64 = 2.5;
/// Starting any index scan: copying the directory, looking at files.
pub const START_NS: f64 = 5_000.0;

/// One candidate of effort in a graph of so many nodes: its neighbours' distances, more of them
/// cache misses the larger the graph.
fn candidate_ns(nodes: f64) -> f64 {
    (60.0 * nodes.max(2.0).log2() - 600.0).max(60.0)
}

/// An exact scan of so many log entries.
pub fn exact_ns(entries: f64) -> f64 {
    entries * EXACT_ENTRY_NS
}

/// A graph search of effort `ef` over so many nodes.
pub fn graph_ns(nodes: f64, ef: f64) -> f64 {
    // A graph smaller than its effort is visited whole.
    ef.min(nodes) * candidate_ns(nodes)
}

/// True when scanning a shard's entries one by one is not dearer than searching its graph.
pub fn prefers_exact(entries: f64, nodes: f64, ef: f64) -> bool {
    exact_ns(entries) <= graph_ns(nodes, ef)
}

/// The first rows of an ordered scan over an index of so many entries, by the cheaper way.
pub fn first_rows_ns(entries: f64, ef: f64) -> f64 {
    START_NS + exact_ns(entries).min(graph_ns(entries, ef))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shards_are_scanned_and_large_ones_searched() {
        for n in [1.0, 100.0, 5_000.0] {
            assert!(prefers_exact(n, n, 200.0), "{n}");
        }
        for n in [100_000.0, 1e6, 1e9] {
            assert!(!prefers_exact(n, n, 200.0), "{n}");
        }
    }

    #[test]
    fn massive_duplication_favours_the_graph() {
        assert!(!prefers_exact(1e6, 1_000.0, 200.0));
    }

    #[test]
    fn cost_grows_with_entries_and_effort() {
        assert!(first_rows_ns(1e3, 200.0) < first_rows_ns(1e5, 200.0));
        assert!(first_rows_ns(1e6, 200.0) < first_rows_ns(1e6, 2000.0));
    }
}
