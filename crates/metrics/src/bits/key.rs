//! Distances as order-preserving integers: how the keys of the metrics are made.
//!
//! A key is any `u32` but [`NO_KEY`] that grows with the distance. How it is made is the metric's affair; nothing outside
//! of this crate knows. All metrics of codes make it of a fraction `numerator / denominator` from 0 to 1:
//! floor(fraction * [`ONE`]).

use crate::code::MAX_CODE_BYTES;

/// Greater than any key: as a bound it leaves nothing out, as a result it says that there is no code to compare.
pub const NO_KEY: u32 = u32::MAX;

/// Bits of a key that follow the binary point of a fraction.
pub(crate) const FRACTION_BITS: u32 = 31;

/// The key of the fraction 1.
pub(crate) const ONE: u32 = 1 << FRACTION_BITS;

/// Bits of a key that follow the binary point of a number of differing bytes, eight bits each.
const BYTE_FRACTION_BITS: u32 = FRACTION_BITS - 3;

/// Key of a fraction: floor(numerator / denominator * 2^31). Exact: a fraction of numbers below 2^17 that is no multiple of
/// 2^-31 is at least 2^-48 away from one, and rounding to a float8 moves it by less.
#[inline(always)]
fn fraction_key(numerator: u32, denominator: u32) -> u32 {
    (f64::from(numerator) / f64::from(denominator) * f64::from(ONE)) as u32
}

/// The greatest numerator of a fraction with a key less than `below`, which is not 0: the largest n with
/// n / denominator * 2^31 < below. For a denominator of 0 it is a large number.
#[inline(always)]
pub(crate) fn greatest_numerator(denominator: u64, below: u32) -> u64 {
    (denominator * u64::from(below)).wrapping_sub(1) >> FRACTION_BITS
}

/// Whether a fraction is less than the key `below`, without a division. A fraction of 0 / 0 counts as 0.
#[inline(always)]
pub(crate) fn is_fraction_below(numerator: u64, denominator: u64, below: u32) -> bool {
    numerator << FRACTION_BITS < u64::from(below) * denominator.max(1)
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
        table[m] = (1u64 << (BYTE_FRACTION_BITS + RECIPROCAL_SHIFT)).div_ceil(m as u64);
        m += 1;
    }
    table
};

/// Key of an NPHD distance of `bits` differing bits in `m` bytes: floor(bits / (8 m) * 2^31).
#[inline(always)]
pub(crate) fn nphd_key(bits: u32, m: usize) -> u32 {
    match RECIPROCALS.get(m) {
        Some(&reciprocal) => ((u64::from(bits) * reciprocal) >> RECIPROCAL_SHIFT) as u32,
        None => ((u64::from(bits) << BYTE_FRACTION_BITS) / m as u64) as u32,
    }
}

/// The least number of differing bits in `m` bytes whose NPHD key is `key` or greater.
pub(crate) fn least_nphd_bits(key: u32, m: usize) -> u32 {
    (u64::from(key) * m as u64).div_ceil(1 << BYTE_FRACTION_BITS) as u32
}

/// Key of a Jaccard distance: floor((either - both) / either * 2^31).
#[inline(always)]
pub(crate) fn jaccard_key(both: u32, either: u32) -> u32 {
    if either == 0 {
        return 0;
    }
    fraction_key(either - both, either)
}

/// Key of a Sørensen-Dice distance: floor((either - both) / (either + both) * 2^31). Both sets together have either + both
/// bits.
#[inline(always)]
pub(crate) fn sorensen_key(both: u32, either: u32) -> u32 {
    if either == 0 {
        return 0;
    }
    fraction_key(either - both, either + both)
}

/// The number whose key is half of [`ONE`], see [`count_key`].
const HALF_COUNT: u32 = 128;

/// Key of a number: floor(count / (count + 128) * 2^31).
///
/// A number of bits has no greatest value to be measured by, as codes have any length. This fraction grows with it, is never
/// 1, and spends most keys on the numbers that matter: random codes of 256 bits are at one half, as by NPHD. The fractions of
/// two numbers up to 32,768 differ by more than 2^-24, so their keys differ, too.
#[inline(always)]
pub(crate) fn count_key(count: u32) -> u32 {
    fraction_key(count, count + HALF_COUNT)
}

/// The greatest number with a [`count_key`] less than `below`, which is not 0.
#[inline(always)]
pub(crate) fn greatest_count(below: u32) -> u64 {
    // count / (count + half) * 2^31 < below, solved for the count.
    match ONE.checked_sub(below) {
        None | Some(0) => u64::MAX,
        Some(rest) => (u64::from(HALF_COUNT) * u64::from(below) - 1) / u64::from(rest),
    }
}

/// The least number with a [`count_key`] of `key` or more, up to the longest code's number of bits.
pub(crate) fn least_count(key: u32) -> f64 {
    let fraction = fraction_of(key);
    let count = f64::from(HALF_COUNT) * fraction / (1.0 - fraction);
    count.ceil().clamp(0.0, (8 * MAX_CODE_BYTES) as f64)
}

/// The fraction that a key stands for: a multiple of 2^-31.
pub(crate) fn fraction_of(key: u32) -> f64 {
    f64::from(key) / f64::from(ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_bounds_of_counts_are_exact() {
        for bits in (0..=8 * MAX_CODE_BYTES as u32).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let key = count_key(bits);
            let (numerator, denominator) = (u64::from(bits), u64::from(bits + HALF_COUNT));
            assert_eq!(u64::from(key), (numerator << FRACTION_BITS) / denominator);
            assert_eq!(greatest_count(key + 1), u64::from(bits));
            assert_eq!(least_count(key), f64::from(bits));
            if bits > 0 {
                assert!(count_key(bits - 1) < key);
                assert_eq!(greatest_count(key), u64::from(bits) - 1);
            }
        }
        assert_eq!(greatest_count(ONE), u64::MAX);
        assert_eq!(greatest_count(NO_KEY), u64::MAX);
    }

    #[test]
    fn bounds_of_fractions_are_exact() {
        for m in [1, 7, 32, 255, 4095, MAX_CODE_BYTES] {
            let most = 8 * m as u32;
            for bits in (0..=most).step_by(1 + m / 64) {
                let key = nphd_key(bits, m);
                assert_eq!(key, fraction_key(bits, most));
                assert_eq!(greatest_numerator(u64::from(most), key + 1), u64::from(bits));
                assert_eq!(least_nphd_bits(key, m), bits);
                let is_below = |below| is_fraction_below(bits.into(), most.into(), below);
                assert_eq!((is_below(key), is_below(key + 1)), (false, true));
            }
        }
    }
}
