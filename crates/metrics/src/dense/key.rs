//! Distances as order-preserving integers.

/// The distance as an integer: order and equality are those of SQL's float8, so 0 and −0 have the same key, and NaN has
/// the greatest of all. Less than `u64::MAX`.
pub fn key_of(distance: f64) -> u64 {
    if distance.is_nan() {
        return NAN_KEY;
    }
    // -0 + 0 is 0.
    let bits = (distance + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

const NAN_KEY: u64 = u64::MAX - 1;

/// The distance that [`key_of`] made a key of; NaN for an integer that is none.
pub fn distance_of_key(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// The greatest key of a row.
pub(crate) const GREATEST_ROW_KEY: u32 = (1 << 31) - 1;

/// The key of a row at a distance that may be negative: 31 bits in the order of the distances, the last bit of which is
/// lost. NaN comes last.
#[inline(always)]
pub(crate) fn signed_row_key(distance: f32) -> u32 {
    let bits = (distance + 0.0).to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    if distance.is_nan() {
        GREATEST_ROW_KEY
    } else {
        ordered >> 1
    }
}

/// The key of a row at a distance that is not negative: its bits. NaN comes last.
#[inline(always)]
pub(crate) fn row_key(distance: f32) -> u32 {
    distance.to_bits() & GREATEST_ROW_KEY
}

/// The distance that [`signed_row_key`] made a key of, without the last bit.
pub(crate) fn signed_of_row_key(key: u32) -> f32 {
    let ordered = key << 1;
    f32::from_bits(if ordered >> 31 == 1 {
        ordered & !(1 << 31)
    } else {
        !(ordered | 1)
    })
}

/// The distance that [`row_key`] made a key of.
pub(crate) fn of_row_key(key: u32) -> f32 {
    f32::from_bits(key & GREATEST_ROW_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_order_of_distances() {
        let ascending = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.0,
            -f64::MIN_POSITIVE,
            0.0,
            f64::MIN_POSITIVE,
            1.0,
            1.0f64.next_up(),
            f64::MAX,
            f64::INFINITY,
        ];
        for pair in ascending.windows(2) {
            assert!(key_of(pair[0]) < key_of(pair[1]), "{pair:?}");
            assert!(
                signed_row_key(pair[0] as f32) <= signed_row_key(pair[1] as f32),
                "{pair:?}"
            );
        }
        for distance in ascending {
            assert_eq!(distance_of_key(key_of(distance)), distance);
        }
        assert_eq!(key_of(-0.0), key_of(0.0));
        assert_eq!(key_of(f64::NAN), key_of(-f64::NAN));
        assert!(key_of(f64::NAN) > key_of(f64::INFINITY) && key_of(f64::NAN) < u64::MAX);
        assert!(distance_of_key(key_of(f64::NAN)).is_nan());
        for distance in [0.0, 1.5, -1.5, 1048576.0, -1048576.0] {
            assert_eq!(signed_of_row_key(signed_row_key(distance)), distance);
            assert_eq!(of_row_key(row_key(distance.abs())), distance.abs());
        }
        assert_eq!(signed_row_key(-f32::NAN), GREATEST_ROW_KEY);
        assert!(signed_row_key(f32::INFINITY) < GREATEST_ROW_KEY);
        assert!(row_key(f32::INFINITY) < row_key(-f32::NAN));
        assert!(row_key(0.5) < row_key(0.75));
    }
}
