//! A shard file: its bytes, its name, opening and checking it.

mod calibration;
pub mod file_name;
pub mod format;
mod identity;
pub mod ranges;
mod reader;
mod verify;
pub(crate) mod words;

pub(crate) use calibration::LENGTH_EIGHTHS;
pub use calibration::{CLASSES, Calibration, Curve, EFFORTS, LengthCurves, NEIGHBOURS};
pub use identity::ShardIdentity;
pub use ranges::EntryRange;
pub use reader::{Postings, Shard, ShardError};
pub use verify::Pause;
