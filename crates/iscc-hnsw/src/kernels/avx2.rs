//! AVX2 and POPCNT: a nibble lookup for blocks of 32 bytes and for short codes, the popcount instruction for the rest.

use std::arch::x86_64::*;

use super::Popcount;
use super::portable::for_words;

pub(crate) struct Avx2;

pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// Popcounts of the four 64-bit lanes.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn lane_counts(v: __m256i) -> __m256i {
    // SAFETY: register-only instructions of AVX2.
    unsafe {
        let nibble_bits = _mm256_setr_epi8(
            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
        );
        let mask = _mm256_set1_epi8(15);
        let low = _mm256_shuffle_epi8(nibble_bits, _mm256_and_si256(v, mask));
        let high = _mm256_shuffle_epi8(nibble_bits, _mm256_and_si256(_mm256_srli_epi16::<4>(v), mask));
        _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256())
    }
}

/// Sum of the four 64-bit lanes.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn sum_lanes(v: __m256i) -> u32 {
    // SAFETY: register-only instructions of AVX2.
    unsafe {
        let half = _mm_add_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
        (_mm_cvtsi128_si64(half) + _mm_extract_epi64::<1>(half)) as u32
    }
}

/// The whole 4-byte words among the first `n` bytes, the rest zero.
///
/// # Safety
/// `p` is readable for `n <= 32` bytes; the processor has AVX2.
#[inline(always)]
unsafe fn load_words(p: *const u8, n: usize) -> __m256i {
    // SAFETY: the mask covers whole words below `n`, and masked-off words are not accessed.
    unsafe {
        let positions = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((n / 4) as i32), positions);
        _mm256_maskload_epi32(p.cast(), mask)
    }
}

// A code of up to 32 bytes takes one masked block, whatever its length: columns mix lengths, and a mispredicted loop costs
// more than all the counting.
impl Popcount for Avx2 {
    #[inline(always)]
    unsafe fn xor(a: *const u8, b: *const u8, m: usize) -> u32 {
        let (mut bits, mut at) = (0, 0);
        // SAFETY: every block and word read lies inside the `m` bytes that the caller vouches for.
        unsafe {
            let mut sum = _mm256_setzero_si256();
            if m <= 32 {
                sum = lane_counts(_mm256_xor_si256(load_words(a, m), load_words(b, m)));
                at = m & !3;
            }
            while at + 32 <= m {
                let (x, y) = (
                    _mm256_loadu_si256(a.add(at).cast()),
                    _mm256_loadu_si256(b.add(at).cast()),
                );
                sum = _mm256_add_epi64(sum, lane_counts(_mm256_xor_si256(x, y)));
                at += 32;
            }
            for_words(a.add(at), b.add(at), m - at, |x, y| bits += (x ^ y).count_ones());
            bits + sum_lanes(sum)
        }
    }

    #[inline(always)]
    unsafe fn and_or(a: *const u8, b: *const u8, m: usize) -> (u32, u32) {
        let (mut both, mut either, mut at) = (0, 0, 0);
        // SAFETY: every block and word read lies inside the `m` bytes that the caller vouches for.
        unsafe {
            let (mut and_sum, mut or_sum) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            if m <= 32 {
                let (x, y) = (load_words(a, m), load_words(b, m));
                and_sum = lane_counts(_mm256_and_si256(x, y));
                or_sum = lane_counts(_mm256_or_si256(x, y));
                at = m & !3;
            }
            while at + 32 <= m {
                let (x, y) = (
                    _mm256_loadu_si256(a.add(at).cast()),
                    _mm256_loadu_si256(b.add(at).cast()),
                );
                and_sum = _mm256_add_epi64(and_sum, lane_counts(_mm256_and_si256(x, y)));
                or_sum = _mm256_add_epi64(or_sum, lane_counts(_mm256_or_si256(x, y)));
                at += 32;
            }
            for_words(a.add(at), b.add(at), m - at, |x, y| {
                both += (x & y).count_ones();
                either += (x | y).count_ones();
            });
            (both + sum_lanes(and_sum), either + sum_lanes(or_sum))
        }
    }
}

super::kernel_table!("avx2", Avx2, "avx2,popcnt");
