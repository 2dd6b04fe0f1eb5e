//! Threshold search: all codes within a radius of a code, by NPHD.

use crate::bits::key::{ONE, least_nphd_bits, nphd_key};
use crate::bits::{Column, NO_KEY};
use crate::metric::Metric;
use crate::query::Query;

/// Whether a distance is within a radius, as SQL compares numbers of type float8: NaN is the greatest of all.
pub fn is_within(distance: f64, radius: f64) -> bool {
    distance <= radius || radius.is_nan()
}

/// A code and a radius: the codes [within](is_within) it, as a bound of their keys.
#[derive(Clone, Debug)]
pub struct Ball {
    query: Query,
    below: u32,
}

impl Ball {
    /// The codes at a distance of at most `radius` from `code`.
    pub fn new(code: &[u8], radius: f64) -> Ball {
        Ball {
            query: Query::new(Metric::Nphd, code),
            below: key_bound(radius, code.len()),
        }
    }

    /// What distances are measured from.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// A code is within the radius exactly if its key ([`Query::key`]) is less than this; 0 if none is.
    pub fn below(&self) -> u32 {
        self.below
    }

    /// True for a code within the radius.
    pub fn contains(&self, code: &[u8]) -> bool {
        self.query.key(code) < self.below
    }

    /// Adds the numbers of codes in a column that are within the radius to `near`, see [`Query::near`].
    pub fn near(&self, column: Column<'_>, near: &mut Vec<u32>) {
        self.query.near(column, self.below, near);
    }
}

/// The least key of those beyond `radius`, for common prefixes of at most `max_bytes`.
///
/// A distance is the quotient of two integers, rounded to float8; a key is the quotient times 2^31, rounded down. A
/// multiple of 2^-31 is a float8, so rounding never crosses one: of two distances with different keys the one with the
/// smaller key is not greater. So all keys below that of the radius are within, all above are not. Distinct quotients
/// have distinct keys; so there is one quotient at most with the key of the radius, and that one is compared.
fn key_bound(radius: f64, max_bytes: usize) -> u32 {
    if is_within(1.0, radius) {
        return NO_KEY;
    }
    if !is_within(0.0, radius) {
        return 0;
    }
    let key = (radius * f64::from(ONE)) as u32;
    let is_in = |m: usize| {
        let bits = least_nphd_bits(key, m);
        nphd_key(bits, m) == key && is_within(f64::from(bits) / (8 * m) as f64, radius)
    };
    key + u32::from((1..=max_bytes).any(is_in))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::MAX_CODE_BYTES;

    fn distance(bits: u32, m: usize) -> f64 {
        f64::from(bits) / (8 * m) as f64
    }

    /// Each distance over `m` bytes, its neighbours among the float8 numbers, and numbers that people write.
    fn radii(lengths: &[usize]) -> Vec<f64> {
        let mut radii: Vec<f64> = (0..=1000).map(|n| f64::from(n) / 1000.0).collect();
        for &m in lengths {
            let exact = (0..=8 * m as u32).map(|bits| distance(bits, m));
            radii.extend(exact.flat_map(|d| [d.next_down(), d, d.next_up()]));
        }
        radii.extend([-1.0, -0.0, -f64::MIN_POSITIVE, 1e-300, 1.5, f64::MAX]);
        radii.extend([f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        radii
    }

    /// Panics unless the bound says of each number of bits in each of these lengths what comparing distances says.
    fn assert_exact(lengths: &[usize]) {
        let longest = lengths.iter().copied().max().unwrap();
        for radius in radii(lengths) {
            let below = key_bound(radius, longest);
            for &m in lengths {
                let most = 8 * m as u32;
                let boundary = (radius.clamp(0.0, 1.0) * f64::from(most)) as u32;
                let all = if most > 600 {
                    boundary.saturating_sub(2)..=most.min(boundary + 2)
                } else {
                    0..=most
                };
                for bits in all {
                    assert_eq!(
                        nphd_key(bits, m) < below,
                        is_within(distance(bits, m), radius),
                        "{bits} of {most} bits, {radius:e}"
                    );
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow there")]
    fn exact_at_every_boundary() {
        assert_exact(&[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 20, 23, 24, 31, 32,
        ]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow there")]
    fn exact_at_boundaries_of_long_codes() {
        assert_exact(&[32, 1000, 4093, 4095, MAX_CODE_BYTES]);
    }

    #[test]
    fn what_users_write_includes_the_distance() {
        let query = [0u8; 10];
        for (bits, radius) in [(24, 0.3), (8, 0.1), (56, 0.7), (0, 0.0), (80, 1.0)] {
            let code_with = |ones: u32| -> Vec<u8> {
                (0..10u32)
                    .map(|byte| (0xff00u32 >> ones.saturating_sub(8 * byte).min(8)) as u8)
                    .collect()
            };
            let ball = Ball::new(&query, radius);
            assert!(ball.contains(&code_with(bits)), "{bits} of 80 bits, {radius}");
            if bits < 80 {
                assert!(!ball.contains(&code_with(bits + 1)), "{bits} + 1 of 80 bits, {radius}");
            }
        }
    }

    #[test]
    fn all_and_nothing() {
        let opposite = [0xff; 4];
        for (radius, same, other) in [
            (f64::NAN, true, true),
            (f64::INFINITY, true, true),
            (1.0, true, true),
            (1.0f64.next_down(), true, false),
            (0.0, true, false),
            (-0.0, true, false),
            (-f64::MIN_POSITIVE, false, false),
            (f64::NEG_INFINITY, false, false),
        ] {
            let ball = Ball::new(&[0; 4], radius);
            assert_eq!(
                (ball.contains(&[0; 4]), ball.contains(&opposite)),
                (same, other),
                "{radius}"
            );
        }
    }

    #[test]
    fn columns_and_single_codes_agree() {
        // 40 codes of 32 bytes, with 0, 7, 14, ... bits, of all lengths; NULLs are never near.
        let (mut codes, mut entries) = (vec![0u8; 40 * 32], vec![0u8; 40 * 8]);
        for slot in 0..40 {
            let length = slot % 33;
            (0..7 * slot).for_each(|bit| {
                if bit / 8 < length {
                    codes[32 * slot + bit / 8] |= 0x80 >> (bit % 8);
                }
            });
            let end = entries.len() - 8 * slot;
            entries[end - 2..end].copy_from_slice(&(length as u16).to_le_bytes());
        }
        for radius in radii(&[3, 8, 32]).into_iter().step_by(if cfg!(miri) { 50 } else { 1 }) {
            let ball = Ball::new(&[0; 32], radius);
            let mut near = Vec::new();
            ball.near(Column::new(&codes, 32, &entries), &mut near);
            let expected: Vec<u32> = (0..40)
                .filter(|&slot| slot % 33 > 0 && ball.contains(&codes[32 * slot..32 * slot + slot % 33]))
                .map(|slot| slot as u32)
                .collect();
            assert_eq!(near, expected, "{radius}");
        }
    }
}
