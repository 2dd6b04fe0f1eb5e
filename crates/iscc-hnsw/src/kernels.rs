//! Popcount kernels: one set of loops, compiled once per instruction set and chosen once per process. On ARM64 the
//! portable ones are compiled to NEON, which every such processor has.
//!
//! The loops (`near`, `rows`, `any_below`) are generic over `Popcount`, the two primitives that differ between
//! instruction sets, and over `Measure`, the metric. Each set wraps them in functions with the matching `#[target_feature]`, so that the primitives are
//! inlined and a whole column or neighbour list costs one indirect call. No kernel reads a byte outside the given codes.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_column;
mod loops;
mod measure;
mod portable;
mod words;

use std::ops::Range;
use std::sync::OnceLock;

use crate::distance::Metric;
pub use loops::Column;
pub(crate) use loops::{ENTRY_BYTES, Rows, length_bytes, prefetch, prefetch_at};
pub(crate) use measure::{HALF_SCALE_BITS, Hamming, Jaccard, Measure, Nphd, hamming_key, jaccard_key, nphd_key};
pub(crate) use words::Words;

/// The primitives of one instruction set.
pub(crate) trait Popcount {
    /// Number of differing bits in the first `m` bytes.
    ///
    /// # Safety
    /// `a` and `b` are readable for `m` bytes, and the processor has the instruction set.
    unsafe fn xor(a: *const u8, b: *const u8, m: usize) -> u32;

    /// Numbers of bits set in both and in either of the first `m` bytes.
    ///
    /// # Safety
    /// As for [`Popcount::xor`].
    unsafe fn and_or(a: *const u8, b: *const u8, m: usize) -> (u32, u32);

    /// Adds to `near` the numbers of codes with an NPHD key less than `below`, in a column of codes 32 bytes apart, from the
    /// first one to where the instruction set has no better way than one by one; the number of codes looked at.
    ///
    /// # Safety
    /// The processor has the instruction set, and `below` is not 0.
    #[inline(always)]
    unsafe fn nphd_near_32(_query: &[u8], _column: Column<'_>, _below: u32, _near: &mut Vec<u32>) -> usize {
        0
    }
}

type PairFn<T> = unsafe fn(*const u8, *const u8, usize) -> T;
type NearFn = unsafe fn(&[u8], Column<'_>, u32, &mut Vec<u32>);
type RowsFn = unsafe fn(&[u8], Rows<'_>, &[u32], &mut [u32]);
type AnyBelowFn = unsafe fn(&[u8], Rows<'_>, &[u32], usize, u32) -> bool;
type WordsFn = unsafe fn(&Words<'_>, Range<usize>, u32, &mut Vec<(u32, u32)>);

/// Number of metrics.
const METRICS: usize = 3;

/// The entry points of one instruction set; arrays are indexed by [`Metric`].
struct Table {
    name: &'static str,
    xor: PairFn<u32>,
    and_or: PairFn<(u32, u32)>,
    near: [NearFn; METRICS],
    rows: [RowsFn; METRICS],
    any_below: [AnyBelowFn; METRICS],
    words: [WordsFn; METRICS],
}

/// An entry point for each metric, in the order of [`Metric`].
macro_rules! by_metric {
    (entry::$function:ident) => {
        [
            entry::$function::<$crate::kernels::Nphd>,
            entry::$function::<$crate::kernels::Jaccard>,
            entry::$function::<$crate::kernels::Hamming>,
        ]
    };
}
use by_metric;

/// Compiles the generic loops for one instruction set into a `TABLE`.
macro_rules! kernel_table {
    ($name:literal, $ops:ty $(, $feature:literal)?) => {
        mod entry {
            use super::*;
            use $crate::kernels::{Measure, loops, words};

            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn xor(a: *const u8, b: *const u8, m: usize) -> u32 {
                // SAFETY: the caller vouches for both ranges and the instruction set.
                unsafe { <$ops>::xor(a, b, m) }
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn and_or(a: *const u8, b: *const u8, m: usize) -> (u32, u32) {
                // SAFETY: the caller vouches for both ranges and the instruction set.
                unsafe { <$ops>::and_or(a, b, m) }
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn near<M: Measure>(
                query: &[u8],
                column: loops::Column<'_>,
                below: u32,
                near: &mut Vec<u32>,
            ) {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::near::<$ops, M>(query, column, below, near) }
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn rows<M: Measure>(
                query: &[u8],
                rows: loops::Rows<'_>,
                ids: &[u32],
                out: &mut [u32],
            ) {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::rows::<$ops, M>(query, rows, ids, out) }
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn any_below<M: Measure>(
                query: &[u8],
                rows: loops::Rows<'_>,
                ids: &[u32],
                min_length: usize,
                limit: u32,
            ) -> bool {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::any_below::<$ops, M>(query, rows, ids, min_length, limit) }
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn near_words<M: Measure>(
                words: &words::Words<'_>,
                range: std::ops::Range<usize>,
                below: u32,
                near: &mut Vec<(u32, u32)>,
            ) {
                words::near::<M>(words, range, below, near)
            }
        }

        pub(super) static TABLE: super::Table = super::Table {
            name: $name,
            xor: entry::xor,
            and_or: entry::and_or,
            near: super::by_metric!(entry::near),
            rows: super::by_metric!(entry::rows),
            any_below: super::by_metric!(entry::any_below),
            words: super::by_metric!(entry::near_words),
        };
    };
}
pub(crate) use kernel_table;

/// One compiled set of distance loops that this processor can run.
///
/// A value exists only for an instruction set that was detected, so its methods are safe to call.
#[derive(Clone, Copy)]
pub struct Kernel(&'static Table);

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Kernel {
    /// Every kernel that this processor can run, slowest first; never empty.
    pub fn available() -> Vec<Kernel> {
        #[allow(unused_mut)] // grows on x86-64 only
        let mut kernels = vec![Kernel(&portable::TABLE)];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::is_available() {
                kernels.push(Kernel(&avx2::TABLE));
            }
            if avx512::is_available() {
                kernels.push(Kernel(&avx512::TABLE));
            }
        }
        kernels
    }

    /// The fastest kernel, detected at the first call.
    pub fn active() -> Kernel {
        static ACTIVE: OnceLock<Kernel> = OnceLock::new();
        *ACTIVE.get_or_init(|| Self::available().last().copied().unwrap_or(Kernel(&portable::TABLE)))
    }

    /// `portable`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Number of differing bits over the common prefix of `a` and `b`.
    pub fn hamming(self, a: &[u8], b: &[u8]) -> u32 {
        // SAFETY: both slices hold the common prefix; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.xor)(a.as_ptr(), b.as_ptr(), a.len().min(b.len())) }
    }

    /// Bits set in both and in either code, over the common prefix.
    pub fn jaccard_counts(self, a: &[u8], b: &[u8]) -> (u32, u32) {
        // SAFETY: both slices hold the common prefix; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.and_or)(a.as_ptr(), b.as_ptr(), a.len().min(b.len())) }
    }

    /// What [`Query::near`](crate::distance::Query::near) does, with this kernel.
    pub fn near(self, metric: Metric, query: &[u8], column: Column<'_>, below: u32, near: &mut Vec<u32>) {
        // SAFETY: a column's bounds are checked; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.near[metric as usize])(query, column, below, near) }
    }

    /// Fills `near` with keys and numbers of codes in a range of a group that have a key less than `below`.
    pub(crate) fn near_words(
        self,
        metric: Metric,
        words: &Words<'_>,
        range: Range<usize>,
        below: u32,
        near: &mut Vec<(u32, u32)>,
    ) {
        // SAFETY: a `Kernel` exists only for a detected instruction set; the rest is checked.
        unsafe { (self.0.words[metric as usize])(words, range, below, near) }
    }

    /// Keys of the rows `ids`; `u32::MAX` for an id out of range.
    pub(crate) fn row_keys(self, metric: Metric, query: &[u8], rows: Rows<'_>, ids: &[u32], out: &mut [u32]) {
        // SAFETY: `rows` checks all bounds itself; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.rows[metric as usize])(query, rows, ids, out) }
    }

    /// Whether the key of any of the rows `ids` with a code of at least `min_length` bytes is below `limit`.
    pub(crate) fn any_below(
        self,
        metric: Metric,
        query: &[u8],
        rows: Rows<'_>,
        ids: &[u32],
        min_length: usize,
        limit: u32,
    ) -> bool {
        // SAFETY: `any_below` checks all bounds itself; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.any_below[metric as usize])(query, rows, ids, min_length, limit) }
    }
}
