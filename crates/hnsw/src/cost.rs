//! What a search costs, in nanoseconds on a machine of today: enough to choose between ways to search,
//! and for the planner to choose between plans.
//!
//! Measured with 256-bit codes and with vectors of 384 dimensions on one core; the ratios matter, not the absolute
//! values.

use iscc_metrics::DenseMetric;
use iscc_metrics::dense::rows::Encoding;

/// Reading and comparing one entry of the log, its share of page access included.
const EXACT_ENTRY_NS: f64 = 2.5;
/// Comparing one of the mapped codes of a shard, and each word of it.
const FLAT_CODE_NS: f64 = 0.2;
const FLAT_WORD_NS: f64 = 0.18;
/// Comparing one of the mapped rows derived from vectors, and each byte of it: in order, and as a candidate of a graph.
const FLAT_ROW_NS: f64 = 3.0;
const FLAT_ROW_BYTE_NS: f64 = 0.045;
const GRAPH_ROW_BYTE_NS: f64 = 2.0;
/// Looking up a piece of a code in a table, and comparing a code that is found there.
const PIECE_NS: f64 = 60.0;
const PIECE_CANDIDATE_NS: f64 = 20.0;
/// Reading and comparing one vector of the log with a query, and each byte of it.
const LOG_VECTOR_NS: f64 = 20.0;
const LOG_VECTOR_BYTE_NS: f64 = 0.19;
/// What the arithmetic of a distance takes beyond reading the numbers, for metrics that need more than a few instructions
/// per number: the sines of an arc; the divisions and logarithms of a divergence, per number of a row and of a vector. In a
/// sequential scan, the COST of the SQL functions stands for it.
const ARC_NS: f64 = 50.0;
const DIVERGENCE_ROW_NS: f64 = 2.0;
const DIVERGENCE_VECTOR_NS: f64 = 1.4;
/// Numbers that the arithmetic of divergences is done for at once, however few of them there are.
const DIVERGENCE_LANES: usize = 32;
/// Rows that are compared per candidate of a graph: about half of its links were seen before.
const GRAPH_ROWS: f64 = 12.0;
/// Calling a function for the distance of one, copies included.
const CALL_NS: f64 = 350.0;
/// Rows that the first pass over the log keeps.
pub const LOG_FIRST_ROWS: usize = 128;
/// More rows than this are not looked for in a graph: comparing all codes is cheaper.
pub const MOST_ROWS: u16 = 4_000;
/// Rows that the first search of a shard finds reliably.
pub const FIRST_ROWS: usize = 32;
/// The factor by which each further pass over all codes finds more rows than the one before.
pub const PASS_GROWTH: usize = 8;
/// The effort per row of resumed graph searches.
const SEARCH_ON: f64 = 4.0;
/// Looking up one row in the log, at random.
const LOOKUP_NS: f64 = 900.0;
/// Reading the whole log and sorting it: per code, and per row taken.
const DRAIN_CODE_NS: f64 = 60.0;
const DRAIN_ROW_NS: f64 = 120.0;
/// Starting any index scan: copying the directory, looking at files.
pub const START_NS: f64 = 5_000.0;

/// What is compared with a query, and how much of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// Codes, with a query of this many bytes.
    Code(usize),
    /// Rows derived from vectors, compared by this metric.
    Row {
        /// What compares them.
        metric: DenseMetric,
        /// Numbers of a row.
        dimensions: usize,
        /// Bytes of a row.
        bytes: usize,
    },
}

impl Width {
    /// Rows of this encoding.
    pub fn of_rows(encoding: &Encoding) -> Self {
        Self::Row {
            metric: encoding.metric(),
            dimensions: encoding.dimensions(),
            bytes: encoding.row_bytes(),
        }
    }
}

/// The arithmetic of a distance between rows.
fn row_arithmetic_ns(metric: DenseMetric, dimensions: usize) -> f64 {
    match metric {
        DenseMetric::Haversine => ARC_NS,
        DenseMetric::JensenShannon => DIVERGENCE_ROW_NS * dimensions.next_multiple_of(DIVERGENCE_LANES) as f64,
        _ => 0.0,
    }
}

/// The arithmetic of a distance between vectors.
fn vector_arithmetic_ns(metric: DenseMetric, dimensions: usize) -> f64 {
    match metric {
        DenseMetric::Haversine => ARC_NS,
        DenseMetric::JensenShannon => DIVERGENCE_VECTOR_NS * dimensions.next_multiple_of(DIVERGENCE_LANES) as f64,
        _ => 0.0,
    }
}

/// One candidate of effort in a graph of `nodes` nodes: the distances of its neighbours. The larger the graph, the more
/// of them are cache misses.
fn candidate_ns(nodes: f64, width: Width) -> f64 {
    let apart = (60.0 * nodes.max(2.0).log2() - 600.0).max(60.0);
    match width {
        // A code or two in a cache line: fetching it is all that counts.
        Width::Code(_) => apart,
        Width::Row {
            metric,
            dimensions,
            bytes,
        } => apart + GRAPH_ROW_BYTE_NS * bytes as f64 + GRAPH_ROWS * row_arithmetic_ns(metric, dimensions),
    }
}

/// An exact scan of `entries` log entries.
pub fn exact_ns(entries: f64) -> f64 {
    entries * EXACT_ENTRY_NS
}

/// A search of all of `nodes` mapped codes or rows.
pub fn flat_ns(nodes: f64, width: Width) -> f64 {
    nodes
        * match width {
            Width::Code(bytes) => FLAT_CODE_NS + FLAT_WORD_NS * bytes.div_ceil(8) as f64,
            Width::Row {
                metric,
                dimensions,
                bytes,
            } => FLAT_ROW_NS + FLAT_ROW_BYTE_NS * bytes as f64 + row_arithmetic_ns(metric, dimensions),
        }
}

/// Looking up `lookups` pieces, which `candidates` codes have.
pub(crate) fn lookups_ns(lookups: f64, candidates: f64) -> f64 {
    lookups * PIECE_NS + candidates * PIECE_CANDIDATE_NS
}

/// A graph search of effort `ef` over `nodes` nodes.
pub fn graph_ns(nodes: f64, width: Width, ef: f64) -> f64 {
    // A graph smaller than its effort is visited whole.
    ef.min(nodes) * candidate_ns(nodes, width)
}

/// How often a graph search calls the function that computes distances: about half of the `links` of each candidate
/// were seen before.
pub fn graph_calls(nodes: u32, links: usize, ef: usize) -> f64 {
    (ef as f64 * links as f64 / 2.0).min(f64::from(nodes))
}

/// True when comparing all codes or rows of a shard costs no more than searching its graph.
pub fn prefers_flat(nodes: f64, width: Width, ef: f64) -> bool {
    flat_ns(nodes, width) <= graph_ns(nodes, width, ef)
}

/// True when reading the whole log costs no more than looking up `rows` rows of it one by one.
pub fn prefers_log(entries: f64, rows: f64) -> bool {
    exact_ns(entries) <= rows * LOOKUP_NS
}

/// The first rows of an ordered scan over an index of `codes` codes, by the cheaper way.
pub fn first_rows_ns(codes: f64, width: Width, ef: f64) -> f64 {
    START_NS + flat_ns(codes, width).min(graph_ns(codes, width, ef))
}

/// What `rows` rows of an ordered scan cost beyond the first ones, in an index of `codes` codes: searching on, and
/// looking up each row in the log. A scan that wants most rows reads the log in its order instead.
pub fn more_rows_ns(codes: f64, width: Width, rows: f64) -> f64 {
    let beyond = rows / FIRST_ROWS as f64;
    let search = if beyond > 1.0 {
        let passes = 1.0 + beyond.log(PASS_GROWTH as f64);
        (flat_ns(codes, width) * passes).min(graph_ns(codes, width, SEARCH_ON * rows))
    } else {
        0.0
    };
    (search + rows * LOOKUP_NS).min(codes * DRAIN_CODE_NS + rows * DRAIN_ROW_NS)
}

/// Reading and comparing one vector of the log.
pub fn log_vector_ns(metric: DenseMetric, dimensions: usize, value_bytes: usize) -> f64 {
    LOG_VECTOR_NS + LOG_VECTOR_BYTE_NS * value_bytes as f64 + vector_arithmetic_ns(metric, dimensions)
}

/// An index of dense vectors. Its shards give candidates, and the log has the vectors themselves, so their bytes count
/// in both.
#[derive(Clone, Copy, Debug)]
pub struct Vectors {
    /// What compares them.
    pub metric: DenseMetric,
    /// Numbers of a vector.
    pub dimensions: usize,
    /// In shards.
    pub sealed: f64,
    /// In the log only.
    pub tail: f64,
    /// Bytes of a vector.
    pub value_bytes: usize,
    /// Bytes of a row derived from it.
    pub row_bytes: usize,
    /// Whether a distance in the log is a call of a user's function.
    pub has_calls: bool,
}

impl Vectors {
    fn value_ns(self) -> f64 {
        let call = if self.has_calls { CALL_NS } else { 0.0 };
        log_vector_ns(self.metric, self.dimensions, self.value_bytes) + call
    }

    /// Comparing all vectors once.
    pub fn exact_ns(self) -> f64 {
        (self.sealed + self.tail) * self.value_ns()
    }

    /// All of an approximate search with an effort of `ef` that looks up `looked_up` vectors.
    pub fn search_ns(self, ef: f64, looked_up: f64) -> f64 {
        let width = Width::Row {
            metric: self.metric,
            dimensions: self.dimensions,
            bytes: self.row_bytes,
        };
        let graph = graph_ns(self.sealed, width, ef);
        graph + looked_up.min(self.sealed) * (LOOKUP_NS + self.value_ns()) + self.tail * self.value_ns()
    }

    /// What `rows` rows of an exact scan in order cost beyond the first pass over the log.
    pub fn more_exact_rows_ns(self, rows: f64) -> f64 {
        let beyond = rows / LOG_FIRST_ROWS as f64;
        let passes = if beyond > 1.0 {
            beyond.log(PASS_GROWTH as f64).ceil()
        } else {
            0.0
        };
        passes * self.exact_ns() + rows * DRAIN_ROW_NS
    }
}

#[cfg(test)]
mod tests {
    use iscc_metrics::dense::rows::RowKind;

    use super::*;

    #[test]
    fn small_shards_are_scanned_and_large_ones_searched() {
        for nodes in [1.0, 100.0, 5_000.0] {
            assert!(prefers_flat(nodes, Width::Code(32), 64.0), "{nodes}");
        }
        for nodes in [100_000.0, 1e6, 1e9] {
            assert!(!prefers_flat(nodes, Width::Code(32), 64.0), "{nodes}");
        }
    }

    #[test]
    fn short_queries_favour_the_scan() {
        assert!(prefers_flat(50_000.0, Width::Code(8), 128.0));
        assert!(!prefers_flat(50_000.0, Width::Code(64), 128.0));
    }

    fn of_cosine(dimensions: usize) -> Width {
        row(DenseMetric::Cosine, dimensions, RowKind::I8)
    }

    fn row(metric: DenseMetric, dimensions: usize, kind: RowKind) -> Width {
        Width::Row {
            metric,
            dimensions,
            bytes: dimensions * kind.bytes(),
        }
    }

    #[test]
    fn wide_rows_favour_the_graph_sooner() {
        let width = of_cosine(384);
        assert!(prefers_flat(2_000.0, width, 64.0));
        assert!(!prefers_flat(20_000.0, width, 128.0));
        assert!(!prefers_flat(20_000.0, of_cosine(1536), 128.0));
    }

    #[test]
    fn rows_cost_less_the_more_there_are() {
        let per_row = |rows: f64| more_rows_ns(100_000.0, Width::Code(32), rows) / rows;
        assert!(per_row(100.0) > per_row(3_000.0));
        assert!(per_row(3_000.0) > 3.0 * per_row(100_000.0));
        for rows in [1.0, 31.0, 33.0, 1e3, 1e4] {
            let more = more_rows_ns(100_000.0, Width::Code(32), 1.01 * rows);
            assert!(more_rows_ns(100_000.0, Width::Code(32), rows) < more, "{rows}");
        }
    }

    #[test]
    fn cost_grows_with_codes_and_effort() {
        assert!(first_rows_ns(1e3, Width::Code(32), 200.0) < first_rows_ns(1e5, Width::Code(32), 200.0));
        assert!(first_rows_ns(1e6, Width::Code(32), 200.0) < first_rows_ns(1e6, Width::Code(32), 2000.0));
    }

    /// Vectors of 32-bit numbers.
    fn vectors(metric: DenseMetric, sealed: f64, tail: f64, value_bytes: usize) -> Vectors {
        Vectors {
            metric,
            dimensions: value_bytes / 4,
            sealed,
            tail,
            value_bytes,
            row_bytes: value_bytes / 4,
            has_calls: false,
        }
    }

    #[test]
    fn vectors_cost_by_their_bytes() {
        let vectors = |sealed, tail, value_bytes| vectors(DenseMetric::Cosine, sealed, tail, value_bytes);
        let usual = vectors(20_480.0, 0.0, 1536);
        assert!(20.0 * usual.search_ns(64.0, 32.0) < usual.exact_ns());
        assert!(usual.search_ns(2000.0, 1500.0) < usual.exact_ns());
        assert!(usual.search_ns(8000.0, 6000.0) > usual.exact_ns());
        assert!(usual.search_ns(64.0, 32.0) < vectors(20_480.0, 0.0, 6144).search_ns(64.0, 32.0));
        // A tail is compared by each search.
        assert!(usual.search_ns(64.0, 32.0) < vectors(15_480.0, 5_000.0, 1536).search_ns(64.0, 32.0) / 5.0);
        assert_eq!(usual.exact_ns(), vectors(480.0, 20_000.0, 1536).exact_ns());
        // Each pass finds eight times more rows.
        assert!(usual.more_exact_rows_ns(128.0) < usual.exact_ns() / 10.0);
        assert!(usual.more_exact_rows_ns(5_000.0) > 2.0 * usual.exact_ns());
        assert!(usual.more_exact_rows_ns(20_480.0) > 3.0 * usual.exact_ns());
    }

    #[test]
    fn arcs_and_divergences_cost_more_than_products() {
        let kind_of = |metric: DenseMetric| metric.row_kinds()[0];
        for (metric, dimensions) in [
            (DenseMetric::Haversine, 2),
            (DenseMetric::JensenShannon, 2),
            (DenseMetric::JensenShannon, 384),
        ] {
            let (width, cosine) = (row(metric, dimensions, kind_of(metric)), of_cosine(dimensions));
            assert!(flat_ns(1e4, width) > 5.0 * flat_ns(1e4, cosine), "{metric:?}");
            assert!(
                graph_ns(1e4, width, 64.0) > 2.0 * graph_ns(1e4, cosine, 64.0),
                "{metric:?}"
            );
            let in_log = |metric| vectors(metric, 0.0, 1e4, 4 * dimensions).exact_ns();
            assert!(in_log(metric) > 1.5 * in_log(DenseMetric::Cosine), "{metric:?}");
        }
        // A graph compares fewer rows, so the more a comparison takes, the sooner it is worth it.
        let arcs = row(DenseMetric::Haversine, 2, RowKind::F32);
        assert!(prefers_flat(1_000.0, of_cosine(2), 64.0) && !prefers_flat(1_000.0, arcs, 64.0));
    }
}
