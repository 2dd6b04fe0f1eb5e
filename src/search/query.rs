//! What a scan measures distances from.

use std::rc::Rc;

use iscc_metrics::Metric;

/// Greater than any key.
pub const NO_KEY: u64 = u64::MAX;

/// The value that a scan searches for, prepared once.
#[derive(Clone)]
pub enum Query {
    /// A code.
    Code(Rc<iscc_metrics::Query>),
}

impl Query {
    /// A value as the log has it.
    pub fn new(metric: Metric, value: &[u8]) -> Self {
        Query::Code(Rc::new(iscc_metrics::Query::new(metric, value)))
    }
}
