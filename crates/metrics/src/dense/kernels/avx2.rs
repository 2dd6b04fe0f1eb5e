//! AVX2 and F16C: 32 lanes are four registers. Nothing is fused, so FMA is not needed; loads are what takes the time.

use std::arch::x86_64::*;

use super::simd::{LANES, Simd};

pub(crate) struct Avx2;

pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c")
}

/// Numbers of a register.
const WIDTH: usize = 8;
const REGISTERS: usize = LANES / WIDTH;

/// The first `count` numbers of 32 bits at `p`, and zeros.
///
/// # Safety
/// They are readable, those up to [`WIDTH`]; the processor has AVX2.
#[inline(always)]
unsafe fn part_f32(p: *const f32, count: usize) -> __m256 {
    // SAFETY: the mask covers `count` numbers, and masked-off ones are not accessed.
    unsafe {
        let mask = _mm256_cmpgt_epi32(
            _mm256_set1_epi32(count as i32),
            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
        );
        _mm256_maskload_ps(p, mask)
    }
}

/// One register after the other: `each!(i => term)` is `[term of 0, term of 1, ..]`. Not a closure, as those are compiled for
/// any processor, and instructions of this one would be calls of functions.
macro_rules! each {
    ($i:ident => $term:expr) => {
        [
            {
                const $i: usize = 0;
                $term
            },
            {
                const $i: usize = 1;
                $term
            },
            {
                const $i: usize = 2;
                $term
            },
            {
                const $i: usize = 3;
                $term
            },
        ]
    };
}

/// The same of two.
macro_rules! both {
    ($i:ident => $term:expr) => {
        [
            {
                const $i: usize = 0;
                $term
            },
            {
                const $i: usize = 1;
                $term
            },
        ]
    };
}

// SAFETY notes say what is particular; register-only instructions need AVX2, which the callers of all of these vouch for.
impl Simd for Avx2 {
    type Lanes = [__m256; REGISTERS];
    type Sums = [__m256d; 2];
    type Integers = [__m256i; 2];

    #[inline(always)]
    unsafe fn zero() -> Self::Lanes {
        // SAFETY: register only.
        [unsafe { _mm256_setzero_ps() }; REGISTERS]
    }

    #[inline(always)]
    unsafe fn load_f32(p: *const u8) -> Self::Lanes {
        // SAFETY: promised by the caller.
        unsafe { each!(I => _mm256_loadu_ps(p.cast::<f32>().add(I * WIDTH))) }
    }

    #[inline(always)]
    unsafe fn load_f16(p: *const u8) -> Self::Lanes {
        // SAFETY: promised by the caller.
        unsafe { each!(I => _mm256_cvtph_ps(_mm_loadu_si128(p.cast::<__m128i>().add(I)))) }
    }

    #[inline(always)]
    unsafe fn load_part_f32(p: *const u8, count: usize) -> Self::Lanes {
        // SAFETY: promised by the caller; where a register starts beyond `count`, nothing is read.
        unsafe { each!(I => part_f32(p.cast::<f32>().wrapping_add(I * WIDTH), count.saturating_sub(I * WIDTH))) }
    }

    #[inline(always)]
    unsafe fn load_part_f16(p: *const u8, count: usize) -> Self::Lanes {
        let mut padded = [0u16; LANES];
        // SAFETY: `count` is less than the array's length.
        unsafe { padded.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(p, 2 * count) };
        // SAFETY: the array is long enough.
        unsafe { Self::load_f16(padded.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn store(lanes: Self::Lanes, p: *mut f32) {
        // SAFETY: promised by the caller.
        unsafe { each!(I => _mm256_storeu_ps(p.add(I * WIDTH), lanes[I])) };
    }

    #[inline(always)]
    unsafe fn add_products(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: register only.
        unsafe { each!(I => _mm256_add_ps(sum[I], _mm256_mul_ps(a[I], b[I]))) }
    }

    #[inline(always)]
    unsafe fn add_squares(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: register only.
        unsafe {
            each!(I => {
                let difference = _mm256_sub_ps(a[I], b[I]);
                _mm256_add_ps(sum[I], _mm256_mul_ps(difference, difference))
            })
        }
    }

    #[inline(always)]
    unsafe fn add_differences(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: register only.
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            each!(I => _mm256_add_ps(sum[I], _mm256_andnot_ps(sign, _mm256_sub_ps(a[I], b[I]))))
        }
    }

    #[inline(always)]
    unsafe fn no_sums() -> Self::Sums {
        // SAFETY: register only.
        [unsafe { _mm256_setzero_pd() }; 2]
    }

    #[inline(always)]
    unsafe fn fold([low, high]: Self::Sums, [a, b, c, d]: Self::Lanes) -> Self::Sums {
        // SAFETY: register only.
        unsafe {
            let eight = _mm256_add_ps(_mm256_add_ps(a, c), _mm256_add_ps(b, d));
            let (first, second) = (_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            [
                _mm256_add_pd(low, _mm256_cvtps_pd(first)),
                _mm256_add_pd(high, _mm256_cvtps_pd(second)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn total([low, high]: Self::Sums) -> f64 {
        // SAFETY: register only.
        unsafe {
            let four = _mm256_add_pd(low, high);
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    unsafe fn no_integers() -> Self::Integers {
        // SAFETY: register only.
        [unsafe { _mm256_setzero_si256() }; 2]
    }

    #[inline(always)]
    unsafe fn add_integer_products(sum: Self::Integers, query: *const i16, row: *const i8) -> Self::Integers {
        // SAFETY: promised by the caller.
        unsafe {
            both!(I => {
                let row = _mm256_cvtepi8_epi16(_mm_loadu_si128(row.cast::<__m128i>().add(I)));
                let query = _mm256_loadu_si256(query.cast::<__m256i>().add(I));
                _mm256_add_epi32(sum[I], _mm256_madd_epi16(query, row))
            })
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
            both!(I => {
                let row = _mm256_cvtepi8_epi16(_mm_loadu_si128(row.cast::<__m128i>().add(I)));
                let query = _mm256_loadu_si256(query.cast::<__m256i>().add(I));
                let weights = _mm256_loadu_si256(weights.cast::<__m256i>().add(I));
                let difference = _mm256_abs_epi16(_mm256_sub_epi16(query, _mm256_slli_epi16::<4>(row)));
                _mm256_add_epi32(sum[I], _mm256_madd_epi16(difference, weights))
            })
        }
    }

    #[inline(always)]
    unsafe fn integer_total([a, b]: Self::Integers) -> i32 {
        // SAFETY: register only.
        unsafe {
            let eight = _mm256_add_epi32(a, b);
            let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
            let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
        }
    }
}
