//! AVX-512 with VPOPCNTDQ, BW, DQ and VL: one masked register per code of up to 64 bytes.
//!
//! Masked-off bytes are not read (no fault, no access), so a code may end at the end of a mapping.

use std::arch::x86_64::*;

use super::layout::Column;
use super::popcount::Popcount;

pub(crate) struct Avx512;

pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vpopcntdq")
        && is_x86_feature_detected!("bmi2")
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

/// Up to 32 bytes of `p`, the rest zero.
///
/// # Safety
/// `p` is readable for `n <= 32` bytes; the processor has the features of this module.
#[inline(always)]
unsafe fn load_32(p: *const u8, n: usize) -> __m256i {
    // SAFETY: the mask covers `n` bytes, and masked-off bytes are not accessed.
    unsafe { _mm256_maskz_loadu_epi8(_bzhi_u32(u32::MAX, n as u32), p.cast()) }
}

/// Up to 64 bytes of `p`, the rest zero.
///
/// # Safety
/// `p` is readable for `n <= 64` bytes; the processor has the features of this module.
#[inline(always)]
unsafe fn load_64(p: *const u8, n: usize) -> __m512i {
    // SAFETY: the mask covers `n` bytes, and masked-off bytes are not accessed.
    unsafe { _mm512_maskz_loadu_epi8(_bzhi_u64(u64::MAX, n as u32), p.cast()) }
}

impl Popcount for Avx512 {
    #[inline(always)]
    unsafe fn xor(a: *const u8, b: *const u8, m: usize) -> u32 {
        // SAFETY: every load is masked to the `m` bytes that the caller vouches for.
        unsafe {
            if m <= 32 {
                return sum_lanes(_mm256_popcnt_epi64(_mm256_xor_si256(load_32(a, m), load_32(b, m))));
            }
            let mut sum = _mm512_setzero_si512();
            let mut at = 0;
            while at < m {
                let n = (m - at).min(64);
                let (x, y) = (load_64(a.add(at), n), load_64(b.add(at), n));
                sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(x, y)));
                at += n;
            }
            _mm512_reduce_add_epi64(sum) as u32
        }
    }

    #[inline(always)]
    unsafe fn and_or(a: *const u8, b: *const u8, m: usize) -> (u32, u32) {
        // SAFETY: every load is masked to the `m` bytes that the caller vouches for.
        unsafe {
            if m <= 32 {
                let (x, y) = (load_32(a, m), load_32(b, m));
                let both = sum_lanes(_mm256_popcnt_epi64(_mm256_and_si256(x, y)));
                return (both, sum_lanes(_mm256_popcnt_epi64(_mm256_or_si256(x, y))));
            }
            let (mut both, mut either) = (_mm512_setzero_si512(), _mm512_setzero_si512());
            let mut at = 0;
            while at < m {
                let n = (m - at).min(64);
                let (x, y) = (load_64(a.add(at), n), load_64(b.add(at), n));
                both = _mm512_add_epi64(both, _mm512_popcnt_epi64(_mm512_and_si512(x, y)));
                either = _mm512_add_epi64(either, _mm512_popcnt_epi64(_mm512_or_si512(x, y)));
                at += n;
            }
            (
                _mm512_reduce_add_epi64(both) as u32,
                _mm512_reduce_add_epi64(either) as u32,
            )
        }
    }

    #[inline(always)]
    unsafe fn nphd_near_32(query: &[u8], column: Column<'_>, below: u32, near: &mut Vec<u32>) -> usize {
        // SAFETY: promised by the caller.
        unsafe { super::avx512_column::nphd_near(query, column, below, near) }
    }
}
