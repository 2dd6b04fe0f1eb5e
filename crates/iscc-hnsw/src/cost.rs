//! What a search costs, in nanoseconds on a machine of today: enough to choose between ways to search,
//! and for the planner to choose between plans.
//!
//! Measured with 256-bit codes on one core; the ratios matter, not the absolute values.

/// Reading and comparing one entry of the log, its share of page access included.
const EXACT_ENTRY_NS: f64 = 2.5;
/// Comparing one of the mapped codes of a shard, and each word of it.
const FLAT_CODE_NS: f64 = 0.2;
const FLAT_WORD_NS: f64 = 0.18;
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

/// An exact search of so many mapped codes with a query of so many bytes.
pub fn flat_ns(nodes: f64, query_bytes: usize) -> f64 {
    nodes * (FLAT_CODE_NS + FLAT_WORD_NS * query_bytes.div_ceil(8) as f64)
}

/// A graph search of effort `ef` over so many nodes.
pub fn graph_ns(nodes: f64, ef: f64) -> f64 {
    // A graph smaller than its effort is visited whole.
    ef.min(nodes) * candidate_ns(nodes)
}

/// True when comparing all codes of a shard is not dearer than searching its graph.
pub fn prefers_flat(nodes: f64, query_bytes: usize, ef: f64) -> bool {
    flat_ns(nodes, query_bytes) <= graph_ns(nodes, ef)
}

/// The first rows of an ordered scan over an index of so many codes, by the cheaper way.
pub fn first_rows_ns(codes: f64, query_bytes: usize, ef: f64) -> f64 {
    START_NS + flat_ns(codes, query_bytes).min(graph_ns(codes, ef))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shards_are_scanned_and_large_ones_searched() {
        for nodes in [1.0, 100.0, 5_000.0] {
            assert!(prefers_flat(nodes, 32, 64.0), "{nodes}");
        }
        for nodes in [100_000.0, 1e6, 1e9] {
            assert!(!prefers_flat(nodes, 32, 64.0), "{nodes}");
        }
    }

    #[test]
    fn short_queries_favour_the_scan() {
        assert!(prefers_flat(50_000.0, 8, 128.0));
        assert!(!prefers_flat(50_000.0, 64, 128.0));
    }

    #[test]
    fn cost_grows_with_codes_and_effort() {
        assert!(first_rows_ns(1e3, 32, 200.0) < first_rows_ns(1e5, 32, 200.0));
        assert!(first_rows_ns(1e6, 32, 200.0) < first_rows_ns(1e6, 32, 2000.0));
    }
}
