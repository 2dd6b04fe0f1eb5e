//! What the plan above an ordered scan wants of it.
//!
//! It is written into the scan's ordering key by the executor's hook ([`hooks::demand`](crate::hooks::demand)): the upper
//! bits of `sk_flags` belong to the access method, and `amrescan` gets them back with each query.

/// How the rows of an ordered scan are used.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Demand {
    /// Its order and all its rows count.
    #[default]
    Exact,
    /// About this many of the nearest rows; none below the scan is thrown away.
    Nearest(u16),
    /// About this many of the nearest rows, until a condition above the index has let enough of them pass.
    Filtered(u16),
}

/// Where the number of rows begins, and its width.
const ROWS_SHIFT: u32 = 16;
const ROWS_MASK: u32 = 0x1fff;
/// A condition throws rows away.
const FILTERED: u32 = 1 << 29;

/// More rows than this are not looked for in a graph.
pub const MOST_ROWS: u16 = iscc_hnsw::cost::MOST_ROWS;

impl Demand {
    /// Reads the flags of an ordering key.
    pub fn of_flags(flags: i32) -> Self {
        let flags = flags as u32;
        match ((flags >> ROWS_SHIFT & ROWS_MASK) as u16, flags & FILTERED != 0) {
            (0, _) => Demand::Exact,
            (rows, false) => Demand::Nearest(rows),
            (rows, true) => Demand::Filtered(rows),
        }
    }

    /// The flags to add to an ordering key.
    pub fn flags(self) -> i32 {
        let flags = match self {
            Demand::Exact => 0,
            Demand::Nearest(rows) => u32::from(rows) << ROWS_SHIFT,
            Demand::Filtered(rows) => u32::from(rows) << ROWS_SHIFT | FILTERED,
        };
        flags as i32
    }
}
