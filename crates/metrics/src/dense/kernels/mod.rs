//! Kernels for dense vectors: one set of loops, compiled once per instruction set and chosen once per process.
//!
//! | file | job |
//! |---|---|
//! | `simd` | the primitives that differ between instruction sets; `portable`, `avx2`, `avx512`, `neon` have them |
//! | `element` | the numbers that vectors are made of |
//! | `sums` | sums over two vectors |
//! | `correlation`, `divergence`, `arc` | what is more than such a sum |
//! | `values` | exact distances, as the loops are compiled for them |
//! | `row_keys` | keys of rows, as the loops are compiled for them |
//! | `loops` | the loops over values and rows |
//! | `kernel` | the tables of compiled loops, and the choice between them |
//!
//! No kernel reads a byte outside the given vectors.

mod arc;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod correlation;
mod divergence;
mod element;
mod kernel;
mod loops;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod row_keys;
mod simd;
mod sums;
mod values;

pub(crate) use arc::of_haversine;
pub use kernel::Kernel;
pub(crate) use loops::Cells;
pub(crate) use row_keys::{Center, Comparison, STEPS, padded, place, row_bytes};
