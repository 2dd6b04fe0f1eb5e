//! Distances in fixed point: order-preserving keys.

use crate::code::MAX_CODE_BYTES;

/// 2^31: the scale of a key, see [`Query::key`](crate::Query::key).
pub(crate) const KEY_SCALE: f64 = 2_147_483_648.0;

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
    (f64::from(either - both) / f64::from(either) * KEY_SCALE) as u32
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
    (f64::from(bits) / f64::from(bits + HALF_SCALE_BITS) * KEY_SCALE) as u32
}

/// The most differing bits with a Hamming key less than `below`, which is not 0.
#[inline(always)]
pub(crate) fn most_differing(below: u32) -> u64 {
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
