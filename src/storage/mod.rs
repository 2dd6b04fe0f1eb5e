//! Pages of the index relation and shard files; nothing here knows about SQL or the executor.

pub mod buffer;
pub mod definition;
pub mod directory;
pub mod disk;
pub mod log;
#[cfg(misuse)]
mod misuse;
pub mod open_segment;
pub mod removal;
pub mod shard_cache;
pub mod shard_file;
pub mod spans;
pub mod sweep;
pub mod table;
pub mod table_scan;
pub mod update;
