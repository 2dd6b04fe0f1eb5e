//! Pages of the index relation and shard files; nothing here knows about SQL or the executor.

pub mod buffer;
pub mod definition;
pub mod directory;
pub mod log;
pub mod relation;
pub mod removal;
pub mod shard_cache;
pub mod shard_file;
pub mod sweep;
pub mod table;
pub mod update;
