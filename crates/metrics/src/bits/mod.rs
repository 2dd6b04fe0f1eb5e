//! Kernels for bits: one set of loops, compiled once per instruction set and chosen once per process. On ARM64 the
//! portable ones are compiled to NEON, which every such processor has.
//!
//! | file | job |
//! |---|---|
//! | `key` | distances as order-preserving integers |
//! | `layout` | how codes lie in memory: columns of a log page, rows and groups of a shard |
//! | `popcount` | the primitives that differ between instruction sets; `portable`, `avx2`, `avx512` have them |
//! | `measure` | the metrics as the loops are compiled for them; `word_columns` over words |
//! | `loops` | the loops, generic over both |
//! | `kernel` | the tables of compiled loops, and the choice between them |
//!
//! No kernel reads a byte outside the given codes.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_column;
mod kernel;
pub(crate) mod key;
mod layout;
mod loops;
mod measure;
mod popcount;
mod portable;
mod word_columns;

pub use kernel::Kernel;
pub use key::NO_KEY;
pub use layout::{Column, ENTRY_BYTES, Rows, WordGroup, length_bytes};
pub(crate) use word_columns::Words;
