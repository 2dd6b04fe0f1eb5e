//! The tables of compiled loops, one for each instruction set, and the choice between them.
//!
//! The loops are generic over `Popcount`, the primitives of an instruction set, and over `Measure`, the metric. Each set
//! wraps them in functions with the matching `#[target_feature]`, so that the primitives are inlined and a whole column or
//! neighbour list costs one indirect call.

use std::ops::Range;

use super::layout::{Column, Rows};
use super::measure::{Measure, by_metric};
use super::popcount::Popcount;
use super::word_columns::Words;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use super::{loops, portable};
use crate::kernels::kernels;
use crate::metric::{BitMetric, Metric};

type PairFn<T> = unsafe fn(*const u8, *const u8, usize) -> T;
type NearFn = unsafe fn(&[u8], Column<'_>, u32, &mut Vec<u32>);
type RowsFn = unsafe fn(&[u8], Rows<'_>, &[u32], &mut [u32]);
type AnyBelowFn = unsafe fn(&[u8], Rows<'_>, &[u32], usize, u32) -> bool;
type WordsFn = unsafe fn(&Words<'_>, Range<usize>, u32, &mut Vec<(u32, u32)>);

/// The entry points of one instruction set; arrays are indexed by the metric's number.
struct Table {
    name: &'static str,
    xor: PairFn<u32>,
    and_or: PairFn<(u32, u32)>,
    key: [PairFn<u32>; BitMetric::COUNT],
    near: [NearFn; BitMetric::COUNT],
    rows: [RowsFn; BitMetric::COUNT],
    any_below: [AnyBelowFn; BitMetric::COUNT],
    words: [WordsFn; BitMetric::COUNT],
}

/// Compiles the generic loops for one instruction set into a `TABLE` in a module.
macro_rules! kernel_table {
    ($module:ident, $name:literal, $ops:ty $(, $feature:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn xor(a: *const u8, b: *const u8, m: usize) -> u32 {
                // SAFETY: the caller vouches for both ranges and the instruction set.
                unsafe { <$ops>::xor(a, b, m) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn and_or(a: *const u8, b: *const u8, m: usize) -> (u32, u32) {
                // SAFETY: the caller vouches for both ranges and the instruction set.
                unsafe { <$ops>::and_or(a, b, m) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn key<M: Measure>(a: *const u8, b: *const u8, m: usize) -> u32 {
                // SAFETY: the caller vouches for both ranges and the instruction set.
                unsafe { M::key::<$ops>(a, b, m) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn near<M: Measure>(query: &[u8], column: Column<'_>, below: u32, near: &mut Vec<u32>) {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::near::<$ops, M>(query, column, below, near) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn rows<M: Measure>(query: &[u8], rows: Rows<'_>, ids: &[u32], out: &mut [u32]) {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::rows::<$ops, M>(query, rows, ids, out) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn any_below<M: Measure>(
                query: &[u8],
                rows: Rows<'_>,
                ids: &[u32],
                min_length: usize,
                limit: u32,
            ) -> bool {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::any_below::<$ops, M>(query, rows, ids, min_length, limit) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn near_words<M: Measure>(
                words: &Words<'_>,
                range: Range<usize>,
                below: u32,
                near: &mut Vec<(u32, u32)>,
            ) {
                loops::near_words::<M>(words, range, below, near)
            }

            pub(super) static TABLE: Table = Table {
                name: $name,
                xor,
                and_or,
                key: by_metric!(key),
                near: by_metric!(near),
                rows: by_metric!(rows),
                any_below: by_metric!(any_below),
                words: by_metric!(near_words),
            };
        }
    };
}

kernel_table!(portable_table, "portable", portable::Portable);
#[cfg(target_arch = "x86_64")]
kernel_table!(avx2_table, "avx2", avx2::Avx2, "avx2,popcnt");
#[cfg(target_arch = "x86_64")]
kernel_table!(
    avx512_table,
    "avx512",
    avx512::Avx512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx2,bmi2"
);

kernels! {
    /// One compiled set of distance loops that this processor can run.
    pub struct Kernel;
    portable_table::TABLE,
    #[cfg(target_arch = "x86_64")]
    avx2 => avx2_table::TABLE,
    #[cfg(target_arch = "x86_64")]
    avx512 => avx512_table::TABLE,
}

impl Kernel {
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

    /// What [`Query::key`](crate::Query::key) does, with this kernel.
    pub(crate) fn key(self, metric: Metric, a: &[u8], b: &[u8]) -> u32 {
        // SAFETY: both slices hold the common prefix; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.key[metric.bits() as usize])(a.as_ptr(), b.as_ptr(), a.len().min(b.len())) }
    }

    /// What [`Query::near`](crate::Query::near) does, with this kernel.
    pub fn near(self, metric: Metric, query: &[u8], column: Column<'_>, below: u32, near: &mut Vec<u32>) {
        // SAFETY: a column's bounds are checked; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.near[metric.bits() as usize])(query, column, below, near) }
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
        unsafe { (self.0.words[metric.bits() as usize])(words, range, below, near) }
    }

    /// Keys of the rows `ids`; [`NO_KEY`](super::NO_KEY) for an id out of range.
    #[inline]
    pub fn row_keys(self, metric: Metric, query: &[u8], rows: Rows<'_>, ids: &[u32], out: &mut [u32]) {
        // SAFETY: `rows` checks all bounds itself; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.rows[metric.bits() as usize])(query, rows, ids, out) }
    }

    /// Whether the key of any of the rows `ids` with a code of at least `min_length` bytes is below `limit`.
    #[inline]
    pub fn any_below(
        self,
        metric: Metric,
        query: &[u8],
        rows: Rows<'_>,
        ids: &[u32],
        min_length: usize,
        limit: u32,
    ) -> bool {
        // SAFETY: `any_below` checks all bounds itself; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.any_below[metric.bits() as usize])(query, rows, ids, min_length, limit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::WordGroup;
    use crate::code::WORD_BYTES;
    use crate::query::Query;

    /// Numbers that look random.
    fn mixed(n: u64) -> u64 {
        (n ^ n >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ n.wrapping_mul(0x94D0_49BB_1331_11EB) >> 31
    }

    fn codes(count: usize, bytes: usize) -> Vec<Vec<u8>> {
        let code = |number: usize| {
            (0..bytes)
                .map(|at| mixed((number * 64 + at) as u64 + 1) as u8)
                .collect()
        };
        (0..count).map(code).collect()
    }

    /// The codes' words by column.
    fn columns(codes: &[Vec<u8>], bytes: usize) -> Vec<[u8; WORD_BYTES]> {
        let word = |code: &Vec<u8>, column: usize| {
            let mut word = [0; WORD_BYTES];
            let part = &code[column * WORD_BYTES..bytes.min((column + 1) * WORD_BYTES)];
            word[..part.len()].copy_from_slice(part);
            word
        };
        let columns = 0..bytes.div_ceil(WORD_BYTES);
        columns
            .flat_map(|column| codes.iter().map(move |code| word(code, column)))
            .collect()
    }

    #[test]
    fn word_kernels_agree_with_single_keys() {
        for (count, bytes) in [(1, 32), (200, 8), (400, 16), (333, 5), (100, 23), (65, 40), (64, 1)] {
            let count = if cfg!(miri) { count.min(3) } else { count };
            let codes = codes(count, bytes);
            let group = WordGroup {
                code_bytes: bytes,
                numbers: None,
                words: &columns(&codes, bytes),
                count,
            };
            for metric in Metric::of_codes() {
                for query_bytes in [3, 17, 32, 64] {
                    let code: Vec<u8> = (0..query_bytes).map(|at| mixed(at + 9999) as u8).collect();
                    check(&Query::new(metric, &code), &codes, &group);
                }
            }
        }
    }

    fn check(query: &Query, codes: &[Vec<u8>], group: &WordGroup<'_>) {
        let (count, words) = (codes.len(), Words::new(query.words(), query.code().len(), group));
        let limits = [
            0,
            1,
            1 << 27,
            1 << 28,
            1 << 29,
            1 << 30,
            (1 << 30) + 12_345_678,
            1 << 31,
            u32::MAX,
        ];
        for below in limits.into_iter().step_by(if cfg!(miri) { 4 } else { 1 }) {
            let keys = codes.iter().map(|code| query.key(code)).zip(0..);
            let expected: Vec<(u32, u32)> = keys.filter(|&(key, _)| key < below).collect();
            for kernel in Kernel::available() {
                let mut near = Vec::new();
                kernel.near_words(query.metric(), &words, 0..count, below, &mut near);
                assert_eq!(near, expected, "{kernel:?} {below}");
            }
        }
    }
}
