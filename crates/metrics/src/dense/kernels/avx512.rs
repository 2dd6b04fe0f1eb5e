//! AVX-512 with BW, DQ and VL: 32 lanes are two registers.
//!
//! Masked-off numbers are not read (no fault, no access), so a vector may end at the end of a mapping. The instructions for
//! products of integers (VNNI) would save one of three for each load, and a load from memory takes longer than all three.

use std::arch::x86_64::*;

use super::simd::{LANES, Simd};

pub(crate) struct Avx512;

pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Numbers of a register.
const WIDTH: usize = LANES / 2;

/// Masks of the first `count` numbers of two registers.
#[inline(always)]
fn masks(count: usize) -> [__mmask16; 2] {
    let mask = (1u32 << count) - 1;
    [mask as u16, (mask >> WIDTH) as u16]
}

impl Simd for Avx512 {
    type Lanes = [__m512; 2];
    type Sums = __m512d;
    type Integers = __m512i;

    #[inline(always)]
    unsafe fn zero() -> Self::Lanes {
        // SAFETY: register only.
        [unsafe { _mm512_setzero_ps() }; 2]
    }

    #[inline(always)]
    unsafe fn load_f32(p: *const u8) -> Self::Lanes {
        let p = p.cast::<f32>();
        // SAFETY: promised by the caller.
        unsafe { [_mm512_loadu_ps(p), _mm512_loadu_ps(p.add(WIDTH))] }
    }

    #[inline(always)]
    unsafe fn load_f16(p: *const u8) -> Self::Lanes {
        let p = p.cast::<__m256i>();
        // SAFETY: promised by the caller.
        unsafe {
            [
                _mm512_cvtph_ps(_mm256_loadu_si256(p)),
                _mm512_cvtph_ps(_mm256_loadu_si256(p.add(1))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn load_part_f32(p: *const u8, count: usize) -> Self::Lanes {
        let ([first, second], p) = (masks(count), p.cast::<f32>());
        // SAFETY: the masks cover `count` numbers.
        unsafe {
            [
                _mm512_maskz_loadu_ps(first, p),
                _mm512_maskz_loadu_ps(second, p.wrapping_add(WIDTH)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn load_part_f16(p: *const u8, count: usize) -> Self::Lanes {
        let ([first, second], p) = (masks(count), p.cast::<i16>());
        // SAFETY: the masks cover `count` numbers.
        unsafe {
            [
                _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first, p)),
                _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(second, p.wrapping_add(WIDTH))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn store([first, second]: Self::Lanes, p: *mut f32) {
        // SAFETY: promised by the caller.
        unsafe {
            _mm512_storeu_ps(p, first);
            _mm512_storeu_ps(p.add(WIDTH), second);
        }
    }

    #[inline(always)]
    unsafe fn add_products(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: register only.
        unsafe {
            [
                _mm512_add_ps(sum[0], _mm512_mul_ps(a[0], b[0])),
                _mm512_add_ps(sum[1], _mm512_mul_ps(a[1], b[1])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn add_squares(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: register only.
        unsafe {
            let differences = [_mm512_sub_ps(a[0], b[0]), _mm512_sub_ps(a[1], b[1])];
            Self::add_products(sum, differences, differences)
        }
    }

    #[inline(always)]
    unsafe fn add_differences(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: register only.
        unsafe {
            [
                _mm512_add_ps(sum[0], _mm512_abs_ps(_mm512_sub_ps(a[0], b[0]))),
                _mm512_add_ps(sum[1], _mm512_abs_ps(_mm512_sub_ps(a[1], b[1]))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn no_sums() -> Self::Sums {
        // SAFETY: register only.
        unsafe { _mm512_setzero_pd() }
    }

    #[inline(always)]
    unsafe fn fold(sums: Self::Sums, [first, second]: Self::Lanes) -> Self::Sums {
        // SAFETY: register only.
        unsafe {
            let sixteen = _mm512_add_ps(first, second);
            let eight = _mm256_add_ps(_mm512_castps512_ps256(sixteen), _mm512_extractf32x8_ps::<1>(sixteen));
            _mm512_add_pd(sums, _mm512_cvtps_pd(eight))
        }
    }

    #[inline(always)]
    unsafe fn total(sums: Self::Sums) -> f64 {
        // SAFETY: register only.
        unsafe {
            let four = _mm256_add_pd(_mm512_castpd512_pd256(sums), _mm512_extractf64x4_pd::<1>(sums));
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    unsafe fn no_integers() -> Self::Integers {
        // SAFETY: register only.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn add_integer_products(sum: Self::Integers, query: *const i16, row: *const i8) -> Self::Integers {
        // SAFETY: promised by the caller.
        unsafe {
            let row = _mm512_cvtepi8_epi16(_mm256_loadu_si256(row.cast()));
            let query = _mm512_loadu_si512(query.cast());
            _mm512_add_epi32(sum, _mm512_madd_epi16(query, row))
        }
    }

    #[inline(always)]
    unsafe fn add_integer_differences(
        sum: Self::Integers,
        query: *const i16,
        weights: *const i16,
        row: *const i8,
    ) -> Self::Integers {
        // SAFETY: promised by the caller.
        unsafe {
            let row = _mm512_cvtepi8_epi16(_mm256_loadu_si256(row.cast()));
            let (query, weights) = (_mm512_loadu_si512(query.cast()), _mm512_loadu_si512(weights.cast()));
            let difference = _mm512_abs_epi16(_mm512_sub_epi16(query, _mm512_slli_epi16::<4>(row)));
            _mm512_add_epi32(sum, _mm512_madd_epi16(difference, weights))
        }
    }

    #[inline(always)]
    unsafe fn integer_total(sum: Self::Integers) -> i32 {
        // SAFETY: register only.
        unsafe { _mm512_reduce_add_epi32(sum) }
    }
}
