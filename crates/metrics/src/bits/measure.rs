//! The metrics, as the loops are compiled for them.

use super::key::{count_key, greatest_count, greatest_numerator, jaccard_key, nphd_key, sorensen_key};
use super::layout::Column;
use super::popcount::Popcount;
use super::word_columns::{self, Words};

/// A metric, as the loops are compiled for it.
pub(crate) trait Measure {
    /// What single pairs are compared with.
    type Bound: Copy;

    /// The bound of the keys less than `below`, which is not 0.
    fn bound(below: u32) -> Self::Bound;

    /// Key of two codes over `m` bytes.
    ///
    /// # Safety
    /// As for [`Popcount::xor`].
    unsafe fn key<P: Popcount>(a: *const u8, b: *const u8, m: usize) -> u32;

    /// Whether the key of two codes over `m` bytes is within the bound.
    ///
    /// # Safety
    /// As for [`Popcount::xor`].
    unsafe fn is_near<P: Popcount>(a: *const u8, b: *const u8, m: usize, bound: Self::Bound) -> bool;

    /// See [`Popcount::nphd_near_32`].
    ///
    /// # Safety
    /// The same.
    #[inline(always)]
    unsafe fn near_32<P: Popcount>(_query: &[u8], _column: Column<'_>, _below: u32, _near: &mut Vec<u32>) -> usize {
        0
    }

    /// Adds to `near` keys and numbers of those of `codes` codes from the first on that have a key less than `below`, which
    /// is not 0.
    fn near_block(words: &Words<'_>, first: usize, codes: usize, below: u32, near: &mut Vec<(u32, u32)>);
}

/// [`Metric::Nphd`](crate::Metric::Nphd).
pub(crate) struct Nphd;
/// [`Metric::Jaccard`](crate::Metric::Jaccard).
pub(crate) struct Jaccard;
/// [`Metric::Hamming`](crate::Metric::Hamming).
pub(crate) struct Hamming;
/// [`Metric::Sorensen`](crate::Metric::Sorensen).
pub(crate) struct Sorensen;

/// A function for each metric, by the metric's number: its instance for the metric's [`Measure`].
macro_rules! by_metric {
    ($function:ident) => {
        [
            $function::<$crate::bits::measure::Nphd>,
            $function::<$crate::bits::measure::Jaccard>,
            $function::<$crate::bits::measure::Hamming>,
            $function::<$crate::bits::measure::Sorensen>,
        ]
    };
}
pub(super) use by_metric;

impl Measure for Nphd {
    type Bound = u32;

    #[inline(always)]
    fn bound(below: u32) -> u32 {
        below
    }

    #[inline(always)]
    unsafe fn key<P: Popcount>(a: *const u8, b: *const u8, m: usize) -> u32 {
        // SAFETY: promised by the caller.
        nphd_key(unsafe { P::xor(a, b, m) }, m)
    }

    #[inline(always)]
    unsafe fn is_near<P: Popcount>(a: *const u8, b: *const u8, m: usize, below: u32) -> bool {
        // SAFETY: promised by the caller.
        unsafe { Self::key::<P>(a, b, m) < below }
    }

    #[inline(always)]
    unsafe fn near_32<P: Popcount>(query: &[u8], column: Column<'_>, below: u32, near: &mut Vec<u32>) -> usize {
        // SAFETY: promised by the caller.
        unsafe { P::nphd_near_32(query, column, below, near) }
    }

    #[inline(always)]
    fn near_block(words: &Words<'_>, first: usize, codes: usize, below: u32, near: &mut Vec<(u32, u32)>) {
        let most = greatest_numerator(8 * words.bytes() as u64, below);
        word_columns::differing_block(words, first, codes, most, nphd_key, near);
    }
}

/// A metric of the numbers of bits that are set in both codes, and in either.
pub(crate) trait Counts {
    /// What the number of bits set in one code only is divided by.
    fn whole(both: u64, either: u64) -> u64;

    /// The key.
    fn count_key(both: u32, either: u32) -> u32;
}

impl Counts for Jaccard {
    #[inline(always)]
    fn whole(_both: u64, either: u64) -> u64 {
        either
    }

    #[inline(always)]
    fn count_key(both: u32, either: u32) -> u32 {
        jaccard_key(both, either)
    }
}

impl Counts for Sorensen {
    #[inline(always)]
    fn whole(both: u64, either: u64) -> u64 {
        both + either
    }

    #[inline(always)]
    fn count_key(both: u32, either: u32) -> u32 {
        sorensen_key(both, either)
    }
}

impl<C: Counts> Measure for C {
    type Bound = u32;

    #[inline(always)]
    fn bound(below: u32) -> u32 {
        below
    }

    #[inline(always)]
    unsafe fn key<P: Popcount>(a: *const u8, b: *const u8, m: usize) -> u32 {
        // SAFETY: promised by the caller.
        let (both, either) = unsafe { P::and_or(a, b, m) };
        C::count_key(both, either)
    }

    #[inline(always)]
    unsafe fn is_near<P: Popcount>(a: *const u8, b: *const u8, m: usize, below: u32) -> bool {
        // SAFETY: promised by the caller.
        unsafe { Self::key::<P>(a, b, m) < below }
    }

    #[inline(always)]
    fn near_block(words: &Words<'_>, first: usize, codes: usize, below: u32, near: &mut Vec<(u32, u32)>) {
        word_columns::counted_block(words, first, codes, below, C::whole, C::count_key, near);
    }
}

impl Measure for Hamming {
    /// The most bits that may differ.
    type Bound = u64;

    #[inline(always)]
    fn bound(below: u32) -> u64 {
        greatest_count(below)
    }

    #[inline(always)]
    unsafe fn key<P: Popcount>(a: *const u8, b: *const u8, m: usize) -> u32 {
        // SAFETY: promised by the caller.
        count_key(unsafe { P::xor(a, b, m) })
    }

    #[inline(always)]
    unsafe fn is_near<P: Popcount>(a: *const u8, b: *const u8, m: usize, most: u64) -> bool {
        // SAFETY: promised by the caller.
        u64::from(unsafe { P::xor(a, b, m) }) <= most
    }

    #[inline(always)]
    fn near_block(words: &Words<'_>, first: usize, codes: usize, below: u32, near: &mut Vec<(u32, u32)>) {
        word_columns::differing_block(
            words,
            first,
            codes,
            greatest_count(below),
            |bits, _| count_key(bits),
            near,
        );
    }
}
