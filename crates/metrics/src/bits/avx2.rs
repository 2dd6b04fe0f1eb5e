//! AVX2 and POPCNT: a nibble lookup for blocks of 32 bytes and for short codes, the popcount instruction for the rest.

use std::arch::x86_64::*;

use super::key::{greatest_numerator, nphd_key};
use super::layout::{Column, ENTRY_BYTES};
use super::popcount::Popcount;
use super::portable::for_words;

/// Bytes from one code of a column to the next, and codes of a block.
const STRIDE: usize = 32;
const BLOCK: usize = 4;

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

/// Popcounts of the four lanes of a code's difference to the query, within the prefix.
///
/// # Safety
/// `code` is readable for 32 bytes; the processor has AVX2.
#[inline(always)]
unsafe fn prefix_counts(query: __m256i, prefix: __m256i, code: *const u8) -> __m256i {
    // SAFETY: promised by the caller.
    unsafe {
        let code = _mm256_loadu_si256(code.cast());
        lane_counts(_mm256_and_si256(_mm256_xor_si256(query, code), prefix))
    }
}

/// Which of four codes, 32 bytes apart, differ from the query in more than `most` bits within the prefix: a bit for each.
///
/// # Safety
/// `codes` is readable for four codes; the processor has AVX2.
#[inline(always)]
unsafe fn far_of_four(query: &[u8; STRIDE], prefix: &[u8; STRIDE], codes: *const u8, most: i32) -> i32 {
    // SAFETY: promised by the caller.
    unsafe {
        let query = _mm256_loadu_si256(query.as_ptr().cast());
        let prefix = _mm256_loadu_si256(prefix.as_ptr().cast());
        let first = prefix_counts(query, prefix, codes);
        let second = prefix_counts(query, prefix, codes.add(STRIDE));
        let third = prefix_counts(query, prefix, codes.add(2 * STRIDE));
        let fourth = prefix_counts(query, prefix, codes.add(3 * STRIDE));
        // Two sums share a lane, then four a register.
        let low = _mm256_or_si256(first, _mm256_slli_epi64::<32>(second));
        let high = _mm256_or_si256(third, _mm256_slli_epi64::<32>(fourth));
        let sums = _mm256_add_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
        let sums = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(sums, _mm_set1_epi32(most))))
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

    /// Four codes at a time where the last byte tells that all are as long as the query, one by one elsewhere.
    #[inline(always)]
    unsafe fn nphd_near_32(query: &[u8], column: Column<'_>, below: u32, near: &mut Vec<u32>) -> usize {
        let m = query.len().min(STRIDE);
        if m == 0 {
            return 0;
        }
        let (mut padded, mut prefix) = ([0u8; STRIDE], [0u8; STRIDE]);
        padded[..m].copy_from_slice(&query[..m]);
        prefix[..m].fill(255);
        // The largest number of bits with a key below the bound; at most 512.
        let most = greatest_numerator(8 * m as u64, below) as i32;
        let mut first = 0;
        let blocks = column.codes().chunks_exact(BLOCK * STRIDE);
        for (codes, entries) in blocks.zip(column.entries().rchunks_exact(BLOCK * ENTRY_BYTES)) {
            column.prefetch_next(first, BLOCK);
            if codes.chunks_exact(STRIDE).all(|code| code[m - 1] != 0) {
                // SAFETY: the arrays and the block have the bytes that are loaded.
                let far = unsafe { far_of_four(&padded, &prefix, codes.as_ptr(), most) };
                if far != 0b1111 {
                    near.extend((0..BLOCK).filter(|k| far >> k & 1 == 0).map(|k| (first + k) as u32));
                }
            } else {
                let entries = entries.rchunks_exact(ENTRY_BYTES);
                for (slot, (code, entry)) in (first..).zip(codes.chunks_exact(STRIDE).zip(entries)) {
                    let length = usize::from(u16::from_le_bytes([entry[6], entry[7]]));
                    let common = length.min(m);
                    // SAFETY: both have the common prefix.
                    let bits = unsafe { Self::xor(query.as_ptr(), code.as_ptr(), common) };
                    if (nphd_key(bits, common) < below) & (length != 0) {
                        near.push(slot as u32);
                    }
                }
            }
            first += BLOCK;
        }
        first
    }
}
