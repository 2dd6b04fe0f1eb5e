//! A shard file: its bytes, its name, opening and checking it.

mod calibration;
mod file_links;
pub mod file_name;
pub mod format;
mod identity;
pub(crate) mod pieces;
pub mod ranges;
mod reader;
mod row_format;
mod verify;
pub(crate) mod words;

pub use calibration::{CLASSES, Calibration, Curve, EFFORTS, LengthCurves, NEIGHBOURS};
pub(crate) use calibration::{CodeCurves, DenseCurves, LENGTH_EIGHTHS};
pub use identity::ShardIdentity;
pub use ranges::EntryRange;
pub use reader::{Postings, Shard, ShardError};
pub(crate) use row_format::RowFormat;
pub use verify::Pause;
