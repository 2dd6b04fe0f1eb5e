//! AVX-512, NPHD keys of a column of codes 32 bytes apart: eight codes at a time, a lane for each at the end.

use std::arch::x86_64::*;

use super::loops::{RECIPROCAL_SHIFT, RECIPROCALS};

/// Bytes from one code to the next.
const STRIDE: usize = 32;

/// Codes of a block.
const BLOCK: usize = 8;

/// Sums of the quarters of eight codes, which come two to a register: lane `i` is of code `i`.
///
/// # Safety
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn sum_quarters(v: [__m512i; 4]) -> __m512i {
    // SAFETY: register-only instructions of AVX-512F.
    unsafe {
        let pairs = |a, b| _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
        let (low, high) = (pairs(v[0], v[1]), pairs(v[2], v[3]));
        let first = _mm512_setr_epi64(0, 4, 1, 5, 8, 12, 9, 13);
        let second = _mm512_setr_epi64(2, 6, 3, 7, 10, 14, 11, 15);
        _mm512_add_epi64(
            _mm512_permutex2var_epi64(low, first, high),
            _mm512_permutex2var_epi64(low, second, high),
        )
    }
}

/// The query in both halves of a register, and what blocks of codes need of its length.
struct Prepared {
    code: __m512i,
    /// Bytes of the query, at most [`STRIDE`], in every lane.
    length: __m128i,
    /// Bits beyond those bytes.
    beyond: __m512i,
    reciprocal: __m512i,
}

/// Bits beyond the first `bits` of a code, whose quarters have the same number in each lane.
///
/// # Safety
/// The processor has AVX-512F and BW.
#[inline(always)]
unsafe fn bits_beyond(bits: __m512i) -> __m512i {
    // SAFETY: register-only instructions. A shift by 64 and more gives 0.
    unsafe {
        let starts = _mm512_setr_epi64(0, 64, 128, 192, 0, 64, 128, 192);
        _mm512_sllv_epi64(_mm512_set1_epi64(-1), _mm512_subs_epu16(bits, starts))
    }
}

impl Prepared {
    /// # Safety
    /// The processor has the features of [`nphd_keys`].
    #[inline(always)]
    unsafe fn new(query: &[u8]) -> Self {
        let m = query.len().min(STRIDE);
        let mut padded = [0u8; STRIDE];
        padded[..m].copy_from_slice(&query[..m]);
        // SAFETY: `padded` has the 32 bytes that are loaded; the rest is register-only.
        unsafe {
            Self {
                code: _mm512_broadcast_i64x4(_mm256_loadu_si256(padded.as_ptr().cast())),
                length: _mm_set1_epi16(m as i16),
                beyond: bits_beyond(_mm512_set1_epi64(8 * m as i64)),
                reciprocal: _mm512_set1_epi64(RECIPROCALS[m] as i64),
            }
        }
    }

    /// Numbers of bits that differ in eight codes, without the bits in `beyond`.
    ///
    /// # Safety
    /// `codes` is readable for eight codes; the processor has the features of [`nphd_keys`].
    #[inline(always)]
    unsafe fn differing(&self, codes: *const u8, beyond: [__m512i; 4]) -> __m512i {
        let mut counts = [self.code; 4];
        for (k, count) in counts.iter_mut().enumerate() {
            // SAFETY: the `k`-th pair of codes; 0x14 is `(a ^ b) & !c`.
            *count = unsafe {
                let pair = _mm512_loadu_si512(codes.add(k * 2 * STRIDE).cast());
                _mm512_popcnt_epi64(_mm512_ternarylogic_epi64::<0x14>(self.code, pair, beyond[k]))
            };
        }
        // SAFETY: promised by the caller.
        unsafe { sum_quarters(counts) }
    }

    /// Keys of eight codes as long as the query or longer.
    ///
    /// # Safety
    /// As for [`Prepared::differing`].
    #[inline(always)]
    unsafe fn long_block(&self, codes: *const u8) -> __m256i {
        // SAFETY: promised by the caller; the rest is register-only.
        unsafe {
            let product = _mm512_mullo_epi64(self.differing(codes, [self.beyond; 4]), self.reciprocal);
            _mm512_cvtepi64_epi32(_mm512_srli_epi64::<RECIPROCAL_SHIFT>(product))
        }
    }

    /// Keys of eight codes of any lengths.
    ///
    /// # Safety
    /// As for [`Prepared::differing`].
    #[inline(always)]
    unsafe fn mixed_block(&self, codes: *const u8, lengths: __m128i) -> __m256i {
        // SAFETY: promised by the caller; the gather's indexes are at most `STRIDE`, inside the table; the rest is
        // register-only.
        unsafe {
            let common = _mm512_cvtepu16_epi64(_mm_min_epu16(lengths, self.length));
            let bits = _mm512_slli_epi64::<3>(common);
            let beyond = |a, b| {
                bits_beyond(_mm512_permutexvar_epi64(
                    _mm512_setr_epi64(a, a, a, a, b, b, b, b),
                    bits,
                ))
            };
            let beyond = [beyond(0, 1), beyond(2, 3), beyond(4, 5), beyond(6, 7)];
            let reciprocals = _mm512_i64gather_epi64::<8>(common, RECIPROCALS.as_ptr().cast());
            let product = _mm512_mullo_epi64(self.differing(codes, beyond), reciprocals);
            let keys = _mm512_cvtepi64_epi32(_mm512_srli_epi64::<RECIPROCAL_SHIFT>(product));
            let missing = _mm_cmpeq_epi16_mask(lengths, _mm_setzero_si128());
            _mm256_mask_set1_epi32(keys, missing, -1)
        }
    }
}

/// Keys of whole blocks of codes from the start of a column; the number of codes.
///
/// # Safety
/// The processor has AVX-512F, BW, DQ, VL and VPOPCNTDQ.
#[inline(always)]
pub(super) unsafe fn nphd_keys(query: &[u8], codes: &[u8], lengths: &[u16], out: &mut [u32]) -> usize {
    let mut done = 0;
    // SAFETY: promised by the caller.
    let query = unsafe { Prepared::new(query) };
    let blocks = codes.chunks_exact(BLOCK * STRIDE).zip(lengths.chunks_exact(BLOCK));
    for ((codes, lengths), out) in blocks.zip(out.chunks_exact_mut(BLOCK)) {
        // SAFETY: the three have a block each, and all accesses are to these.
        unsafe {
            let lengths = _mm_loadu_si128(lengths.as_ptr().cast());
            // A code of no bytes is never long enough, not even for a query of none.
            let is_long = _mm_cmpge_epu16_mask(lengths, _mm_max_epu16(query.length, _mm_set1_epi16(1)));
            let keys = if is_long == u8::MAX {
                query.long_block(codes.as_ptr())
            } else {
                query.mixed_block(codes.as_ptr(), lengths)
            };
            _mm256_storeu_si256(out.as_mut_ptr().cast(), keys);
        }
        done += BLOCK;
    }
    done
}
