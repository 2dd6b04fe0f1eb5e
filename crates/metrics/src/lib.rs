//! Distances between binary codes of any length, and between dense vectors.
//!
//! ```
//! use iscc_metrics::{Metric, Query};
//!
//! // Codes are compared over their common prefix.
//! let query = Query::new(Metric::Nphd, &[0b1111_0000, 7]);
//! assert_eq!(query.distance(&[0b1100_0000]), 0.25);
//! // Keys are integers in the same order.
//! assert!(query.key(&[0b1100_0000]) < query.key(&[0]));
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`code`] | the limit of a code's length, and words |
//! | [`metric`] | the table of metrics |
//! | [`bits`] | kernels per instruction set, for codes |
//! | [`dense`] | dense vectors: distances, rows derived from them, and kernels |
//! | [`distance`](mod@distance) | distances of two codes |
//! | [`nearest`] | the nearest few of a pass over many codes |
//! | [`query`] | a code to search for, and keys |
//! | [`ball`] | a code and a radius, as a bound of keys |
//! | [`text`] | codes in hexadecimal |
//! | [`prefetch`] | hints to the processor's cache |

#![deny(unsafe_code)]

#[allow(unsafe_code)]
pub mod ahead;
pub mod ball;
#[allow(unsafe_code)]
pub mod bits;
pub mod code;
pub mod dense;
pub mod distance;
mod kernels;
pub mod metric;
pub mod nearest;
#[allow(unsafe_code)]
pub mod prefetch;
pub mod query;
pub mod text;

pub use bits::NO_KEY;
pub use code::MAX_CODE_BYTES;
pub use metric::{BitMetric, DenseMetric, Metric, Values};
pub use query::Query;
