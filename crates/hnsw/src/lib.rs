//! HNSW graphs over binary codes and dense vectors, and the immutable shard files that hold them.
//!
//! Pure: bytes in, bytes out. A `Vec<u8>` is the test double of a memory-mapped shard.
//!
//! ```
//! use iscc_hnsw::build::{NextStep, ShardBuilder};
//! use iscc_hnsw::control::BuildControl;
//! use iscc_hnsw::params::{BuildParams, ShardValues};
//! use iscc_hnsw::search::GraphSearch;
//! use iscc_hnsw::shard::{Shard, ShardIdentity};
//! use iscc_metrics::{Metric, Query};
//!
//! let values = ShardValues::Codes { metric: Metric::Nphd, max_bytes: 8 };
//! let params = BuildParams { values, m: 16, ef_construction: 128, threads: 1, seed: 1 };
//! let mut builder = ShardBuilder::new(params);
//! let collected = loop {
//!     for ordinal in 0..100 {
//!         builder.push(ordinal, &[ordinal as u8; 8]);
//!     }
//!     match builder.end_pass() {
//!         // Never for codes.
//!         NextStep::Pass(again) => builder = again,
//!         NextStep::Build(collected) => break collected,
//!         // Only for opaque values.
//!         NextStep::BuildHere(_) => unreachable!(),
//!     }
//! };
//! let built = collected.build(&BuildControl::new()).unwrap();
//! let mut file = Vec::new();
//! let identity = ShardIdentity { id: [1; 16], ranges: Vec::new(), built_at: 0, lsn: 0 };
//! built.write(&mut file, &identity).unwrap();
//!
//! let shard = Shard::open(file).unwrap();
//! let mut nearest = Vec::new();
//! GraphSearch::new().start(&shard, &Query::new(Metric::Nphd, &[42; 8]), 10, &mut nearest);
//! assert_eq!(shard.code(nearest[0].node), Some(&[42; 8][..]));
//! ```
//!
//! Modules import downward only:
//!
//! | module | job |
//! |---|---|
//! | [`build`] | collects values, builds the graph on several threads, measures it, writes the file |
//! | [`search`] | searches of a file that can be resumed: by its graph, or of all rows |
//! | [`shard`] | every byte of the file; opening it in constant time, checking all of it |
//! | `graph` | neighbour lists in memory, insertion, repair, the order of nodes |
//! | `space` | what a graph needs of its rows, and the kinds of rows that there are |
//! | [`opaque`] | values that only a function of the caller's understands |
//! | [`control`], [`params`], [`cost`], `random` | how a build is watched and stopped; how it is done; what searches cost; random numbers |

#![deny(unsafe_code)]

pub mod build;
pub mod control;
pub mod cost;
mod graph;
pub mod opaque;
pub mod params;
mod random;
pub mod search;
pub mod shard;
mod space;

pub use graph::levels::MAX_NODES;
