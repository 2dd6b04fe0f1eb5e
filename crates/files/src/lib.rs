//! Reading what iscc-usearch writes: single `.usearch` files, and directories of shards with their tombstones.
//!
//! Pure, and made for bytes that may be anything: every number of a file is checked before it is used, nothing is
//! mapped into memory (a file may be cut while it is read), and memory does not grow with the size of a file.
//!
//! ```
//! use iscc_files::{Key, ShardFile};
//!
//! // No nodes: the head says that there are none.
//! let mut file = vec![0; 8];
//! file[4] = 33;
//! file.extend_from_slice(b"usearch\x02\0\x18\0\0\0n\x01\x0e\x0f");
//! file.resize(8 + 64 + 40, 0);
//! file[8 + 33..8 + 35].copy_from_slice(&264u16.to_le_bytes());
//! file[8 + 72] = 16;
//! file[8 + 80] = 32;
//! let shard = ShardFile::open(file).unwrap();
//! assert!(shard.rows().next().unwrap().is_none());
//! ```
//!
//! Modules import downward only:
//!
//! | module | job |
//! |---|---|
//! | [`index`] | an index: a file, or a directory whose newest shard wins |
//! | [`shard`] | one `.usearch` file |
//! | [`npy`] | keys in NumPy's format |
//! | [`key`] | keys, and sorted sets of them |
//! | [`source`] | bytes at an offset, and reading on from there |
//! | [`error`] | what can be wrong |

#![deny(unsafe_code)]

pub mod error;
pub mod index;
pub mod key;
pub mod npy;
pub mod shard;
pub mod source;

pub use error::{Failure, FileError};
pub use index::IndexFiles;
pub use key::Key;
pub use shard::ShardFile;
