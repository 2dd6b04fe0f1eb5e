//! Near-duplicate search over variable-length binary codes: distances, an HNSW builder, and immutable shard files.
//!
//! Pure: bytes in, bytes out. Nothing here knows PostgreSQL, pages, locks or files; a `Vec<u8>` is the test double of a
//! memory-mapped shard.
//!
//! | module | job |
//! |---|---|
//! | [`distance`] | the metrics, and a [`Query`](distance::Query) with order-preserving integer keys |
//! | [`ball`] | a code and a radius, as a bound of keys |
//! | [`kernels`] | popcount loops per instruction set |
//! | [`build`] | collects codes, builds the graph on several threads |
//! | [`format`](mod@format) | every byte of a shard file |
//! | [`ranges`] | from a shard's ordinals to blocks and slots of the log |
//! | [`shard`] | O(1) opening, codes and posting lists of a file |
//! | [`page`], [`log_page`], [`directory`] | pages of the index relation |
//! | [`allocation`] | free blocks, neighbouring segments |
//! | [`policy`] | what maintenance is due |
//! | [`file_name`] | names of shard files |
//! | [`cost`] | what searches cost |
//! | [`verify`] | full structural check of a file |
//! | [`calibration`] | what effort a shard's graph needs for which recall |
//! | [`search`] | resumable best-first search over a file |
//! | [`flat`] | resumable exact search over a file |

pub mod allocation;
pub mod ball;
pub mod build;
pub mod calibration;
mod code_set;
pub mod cost;
pub mod directory;
pub mod distance;
pub mod file_name;
pub mod flat;
pub mod format;
mod graph;
mod insert;
pub mod kernels;
mod levels;
pub mod log_page;
mod order;
pub mod page;
pub mod policy;
mod pool;
pub mod ranges;
mod repair;
pub mod search;
pub mod shard;
pub mod verify;
mod visited;
mod words;
mod write;
