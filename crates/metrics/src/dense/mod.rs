//! Dense vectors: exact distances of values, and rows derived from them that a graph is walked on.
//!
//! A *value* is a vector as SQL has it: numbers of 32 or 16 bits one after the other. Its [`distance`] decides the order of
//! results. A *row* is made of a value, often with fewer bits ([`rows`]): good enough to find what is near.
//!
//! ```
//! use iscc_metrics::DenseMetric;
//! use iscc_metrics::dense::{Query, Scalar};
//!
//! let value = |numbers: [f32; 2]| numbers.map(f32::to_le_bytes).concat();
//! let query = Query::new(DenseMetric::L2, Scalar::F32, &value([0.0, 0.0]));
//! assert_eq!(query.distance(&value([3.0, 4.0])), 5.0);
//! // Keys are integers in the same order.
//! assert!(query.key(&value([3.0, 4.0])) < query.key(&value([4.0, 4.0])));
//! ```
//!
//! | module | job |
//! |---|---|
//! | `scalar` | the numbers of a value |
//! | `value` | distances of values |
//! | `key` | distances as order-preserving integers |
//! | [`rows`] | rows derived from values |
//! | `kernels` | the loops, per instruction set |

#[allow(unsafe_code)]
mod kernels;
mod key;
pub mod rows;
mod scalar;
mod value;

pub use kernels::Kernel;
pub use key::{distance_of_key, key_of};
pub use scalar::Scalar;
pub use value::{Query, distance};

/// Most dimensions of a vector that rows can be derived from.
pub const MAX_DIMENSIONS: usize = 16_000;
