//! The numbers that a value is made of.

/// Type of the numbers of a value, which lie in memory one after the other, little-endian and not aligned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Scalar {
    /// 32 bits.
    F32 = 0,
    /// 16 bits, of IEEE 754: `halfvec`'s.
    F16 = 1,
}

impl Scalar {
    /// Number of types.
    pub(crate) const COUNT: usize = 2;

    /// Bytes of a number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// The numbers of a value, which 32 bits hold exactly. What is left over at the end is no number.
    pub(crate) fn numbers(self, value: &[u8]) -> impl Iterator<Item = f32> {
        value.chunks_exact(self.bytes()).map(|bytes| match *bytes {
            [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
            [a, b] => f32_of_f16(u16::from_le_bytes([a, b])),
            _ => 0.0,
        })
    }
}

/// Largest finite number of 16 bits.
pub(crate) const F16_MAX: f32 = 65504.0;

/// The number that 16 bits stand for.
#[inline(always)]
pub(crate) fn f32_of_f16(half: u16) -> f32 {
    let half = u32::from(half);
    // The exponents differ by 112; multiplying also turns the subnormal numbers into normal ones.
    const EXPONENTS: f32 = f32::from_bits((127 + 112) << 23);
    let magnitude = (f32::from_bits((half & 0x7FFF) << 13) * EXPONENTS).to_bits();
    let infinite = if half & 0x7C00 == 0x7C00 { 0x7F80_0000 } else { 0 };
    f32::from_bits(magnitude | infinite | (half & 0x8000) << 16)
}

/// The number of 16 bits that is nearest, of two equally near the even one.
pub(crate) fn f16_of_f32(number: f32) -> u16 {
    const INFINITE: u32 = 0x7F80_0000;
    let bits = number.to_bits();
    let (sign, magnitude) = ((bits >> 16 & 0x8000) as u16, bits & 0x7FFF_FFFF);
    let half = if magnitude > INFINITE {
        0x7E00
    } else if magnitude >= 0x4780_0000 {
        0x7C00
    } else if magnitude < 0x3880_0000 {
        // Subnormal: the last bit of a half is that of a number from 0.5 to 1, and the addition rounds.
        (f32::from_bits(magnitude) + 0.5).to_bits() - 0.5f32.to_bits()
    } else {
        let is_odd = magnitude >> 13 & 1;
        (magnitude - (112 << 23) + 0xFFF + is_odd) >> 13
    };
    sign | half as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_the_nearest_numbers() {
        for half in (0..=u16::MAX).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let number = f32_of_f16(half);
            let (sign, exponent, fraction) = (half >> 15, i32::from(half >> 10 & 31), f32::from(half & 1023) / 1024.0);
            // `powi` promises no exact result, and has none under Miri.
            let power = |exponent: i32| f32::from_bits(((127 + exponent) as u32) << 23);
            let magnitude = match exponent {
                31 if fraction > 0.0 => f32::NAN,
                31 => f32::INFINITY,
                0 => fraction * power(-14),
                _ => (1.0 + fraction) * power(exponent - 15),
            };
            let expected = if sign == 1 { -magnitude } else { magnitude };
            assert!(number.to_bits() == expected.to_bits() || number.is_nan() && expected.is_nan());
            if number.is_nan() {
                assert!(f32_of_f16(f16_of_f32(number)).is_nan());
                continue;
            }
            assert_eq!(f16_of_f32(number), half);
            // Up to half of the way to the next one, which is even or odd.
            let next = f32_of_f16(half + 1);
            if next.is_finite() && number.is_finite() {
                let middle = (number + next) / 2.0;
                let even = if half % 2 == 0 { half } else { half + 1 };
                assert_eq!(f16_of_f32(middle), even, "{middle}");
                let (before, after) = if sign == 1 { (half + 1, half) } else { (half, half + 1) };
                assert_eq!(f16_of_f32(middle.next_down()), before);
                assert_eq!(f16_of_f32(middle.next_up()), after);
            }
        }
        assert_eq!(f16_of_f32(65519.0), f16_of_f32(F16_MAX));
        assert_eq!(f16_of_f32(65520.0), 0x7C00);
        assert_eq!(f16_of_f32(-f32::MAX), 0xFC00);
    }

    #[test]
    fn numbers_of_a_value() {
        let value = [1.5f32, -2.0].map(f32::to_le_bytes).concat();
        assert!(Scalar::F32.numbers(&value[..7]).eq([1.5]));
        assert!(Scalar::F32.numbers(&value).eq([1.5, -2.0]));
        assert!(Scalar::F16.numbers(&[0, 0x3C, 0, 0xC0, 9]).eq([1.0, -2.0]));
    }
}
