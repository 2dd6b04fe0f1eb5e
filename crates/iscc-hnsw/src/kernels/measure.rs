//! The metrics in fixed point: keys, and what the loops need to know of each.

use super::{Column, Popcount, Words, words};
use crate::distance::MAX_CODE_BYTES;

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

/// [`Metric::Nphd`](crate::distance::Metric::Nphd).
pub(crate) struct Nphd;
/// [`Metric::Jaccard`](crate::distance::Metric::Jaccard).
pub(crate) struct Jaccard;
/// [`Metric::Hamming`](crate::distance::Metric::Hamming).
pub(crate) struct Hamming;

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
        // The most bits that may differ: the largest number with a key below the bound.
        let most = (8 * words.bytes() as u64 * u64::from(below)).saturating_sub(1) >> 31;
        words::differing_block(words, first, codes, most, nphd_key, near);
    }
}

impl Measure for Jaccard {
    type Bound = u32;

    #[inline(always)]
    fn bound(below: u32) -> u32 {
        below
    }

    #[inline(always)]
    unsafe fn key<P: Popcount>(a: *const u8, b: *const u8, m: usize) -> u32 {
        // SAFETY: promised by the caller.
        let (both, either) = unsafe { P::and_or(a, b, m) };
        jaccard_key(both, either)
    }

    #[inline(always)]
    unsafe fn is_near<P: Popcount>(a: *const u8, b: *const u8, m: usize, below: u32) -> bool {
        // SAFETY: promised by the caller.
        unsafe { Self::key::<P>(a, b, m) < below }
    }

    #[inline(always)]
    fn near_block(words: &Words<'_>, first: usize, codes: usize, below: u32, near: &mut Vec<(u32, u32)>) {
        words::jaccard_block(words, first, codes, below, near);
    }
}

impl Measure for Hamming {
    /// The most bits that may differ.
    type Bound = u64;

    #[inline(always)]
    fn bound(below: u32) -> u64 {
        most_differing(below)
    }

    #[inline(always)]
    unsafe fn key<P: Popcount>(a: *const u8, b: *const u8, m: usize) -> u32 {
        // SAFETY: promised by the caller.
        hamming_key(unsafe { P::xor(a, b, m) })
    }

    #[inline(always)]
    unsafe fn is_near<P: Popcount>(a: *const u8, b: *const u8, m: usize, most: u64) -> bool {
        // SAFETY: promised by the caller.
        u64::from(unsafe { P::xor(a, b, m) }) <= most
    }

    #[inline(always)]
    fn near_block(words: &Words<'_>, first: usize, codes: usize, below: u32, near: &mut Vec<(u32, u32)>) {
        words::differing_block(
            words,
            first,
            codes,
            most_differing(below),
            |bits, _| hamming_key(bits),
            near,
        );
    }
}

/// Fractional bits of [`RECIPROCALS`] beyond those of a key.
const RECIPROCAL_SHIFT: u32 = 28;

/// `RECIPROCALS[m]` = ceil(2^56 / m), so that `(bits * RECIPROCALS[m]) >> 28` is exactly floor(bits / (8 m) * 2^31).
///
/// The rounding error is below `bits / 2^28 <= 2^-13`, and a quotient that is no integer lies at least `1 / m >= 2^-12`
/// under the next one; the product stays below 2^60 because `bits <= 8 m`.
static RECIPROCALS: [u64; MAX_CODE_BYTES + 1] = {
    let mut table = [0; MAX_CODE_BYTES + 1];
    let mut m = 1;
    while m <= MAX_CODE_BYTES {
        table[m] = (1u64 << (28 + RECIPROCAL_SHIFT)).div_ceil(m as u64);
        m += 1;
    }
    table
};

/// Key of an NPHD distance of `bits` differing bits in `m` bytes: floor(bits / (8 m) * 2^31).
#[inline(always)]
pub(crate) fn nphd_key(bits: u32, m: usize) -> u32 {
    match RECIPROCALS.get(m) {
        Some(&reciprocal) => ((u64::from(bits) * reciprocal) >> RECIPROCAL_SHIFT) as u32,
        None => ((u64::from(bits) << RECIPROCAL_SHIFT) / m as u64) as u32,
    }
}

/// Key of a Jaccard distance: floor((either - both) / either * 2^31).
#[inline(always)]
pub(crate) fn jaccard_key(both: u32, either: u32) -> u32 {
    if either == 0 {
        return 0;
    }
    (f64::from(either - both) / f64::from(either) * 2_147_483_648.0) as u32
}

/// Differing bits with a key of half the scale, see [`hamming_key`].
pub(crate) const HALF_SCALE_BITS: u32 = 128;

/// Key of a Hamming distance of `bits` differing bits: floor(bits / (bits + 128) * 2^31).
///
/// A number of bits has no greatest value to be measured by, as codes have any length. This fraction grows with it, is never
/// 1, and uses the scale for numbers that matter: random codes of 256 bits are at one half, as by NPHD. The fractions of two
/// numbers up to 32,768 differ by more than 2^-24, so keys differ, too.
#[inline(always)]
pub(crate) fn hamming_key(bits: u32) -> u32 {
    (f64::from(bits) / f64::from(bits + HALF_SCALE_BITS) * 2_147_483_648.0) as u32
}

/// The most differing bits with a Hamming key less than `below`, which is not 0.
#[inline(always)]
fn most_differing(below: u32) -> u64 {
    // bits / (bits + half) * 2^31 < below, solved for the bits.
    match (1u64 << 31).checked_sub(u64::from(below)) {
        None | Some(0) => u64::MAX,
        Some(rest) => (u64::from(HALF_SCALE_BITS) * u64::from(below) - 1) / rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hamming_keys_and_bounds_are_exact() {
        for bits in 0..=8 * MAX_CODE_BYTES as u32 {
            let key = hamming_key(bits);
            let (numerator, denominator) = (u64::from(bits), u64::from(bits + HALF_SCALE_BITS));
            assert_eq!(u64::from(key), (numerator << 31) / denominator);
            assert_eq!(most_differing(key + 1), u64::from(bits));
            if bits > 0 {
                assert!(hamming_key(bits - 1) < key);
                assert_eq!(most_differing(key), u64::from(bits) - 1);
            }
        }
        assert_eq!(most_differing(1 << 31), u64::MAX);
        assert_eq!(most_differing(u32::MAX), u64::MAX);
    }
}
