//! AVX-512: NPHD filter over a column with a stride of 32 bytes, eight codes at a time, one lane per code at the end.

use std::arch::x86_64::*;

use super::key::FRACTION_BITS;
use super::layout::{Column, ENTRY_BYTES};

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

/// The query in both halves of a register, and what blocks of codes need of its length.
struct Prepared {
    code: __m512i,
    /// The query's last byte: a code that is not zero there is as long as the query or longer.
    last_byte: __m512i,
    /// The lanes of that byte, one for each code of a pair; none when the query is empty.
    last_lanes: __mmask8,
    /// Bytes of the query, at most [`STRIDE`], in every lane.
    length: __m512i,
    /// Bits beyond those bytes.
    beyond: __m512i,
    /// The least key that is too far, in every lane.
    too_far: __m512i,
    /// Most bits that may differ in a code as long as the query or longer.
    most: __m512i,
}

/// For each number of bits, how many of them may differ: what [`greatest_numerator`](super::key::greatest_numerator) says.
///
/// # Safety
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn most_differing(bits: __m512i, too_far: __m512i) -> __m512i {
    // SAFETY: register-only instructions. For no bits at all the result is a large number.
    unsafe {
        let product = _mm512_mul_epu32(bits, too_far);
        _mm512_srli_epi64::<FRACTION_BITS>(_mm512_sub_epi64(product, _mm512_set1_epi64(1)))
    }
}

impl Prepared {
    /// # Safety
    /// The processor has the features of [`nphd_near`].
    #[inline(always)]
    unsafe fn new(query: &[u8], below: u32) -> Self {
        let m = query.len().min(STRIDE);
        let (mut padded, mut last_byte) = ([0u8; STRIDE], [0u8; STRIDE]);
        padded[..m].copy_from_slice(&query[..m]);
        let mut last_lanes = 0;
        if let Some(last) = m.checked_sub(1) {
            last_byte[last] = 255;
            last_lanes = 0b1_0001 << (last / 8);
        }
        // SAFETY: the arrays have the 32 bytes that are loaded; the rest is register-only.
        unsafe {
            let twice = |bytes: [u8; STRIDE]| _mm512_broadcast_i64x4(_mm256_loadu_si256(bytes.as_ptr().cast()));
            let bits = _mm512_set1_epi64(8 * m as i64);
            let too_far = _mm512_set1_epi64(i64::from(below));
            Self {
                code: twice(padded),
                last_byte: twice(last_byte),
                last_lanes,
                length: _mm512_set1_epi64(m as i64),
                beyond: bits_beyond(bits),
                too_far,
                most: most_differing(bits, too_far),
            }
        }
    }

    /// Numbers of bits that differ in eight codes, without the bits in `beyond`.
    ///
    /// # Safety
    /// The processor has the features of [`nphd_near`].
    #[inline(always)]
    unsafe fn differing(&self, codes: [__m512i; 4], beyond: [__m512i; 4]) -> __m512i {
        // SAFETY: register-only instructions; 0x14 is `(a ^ b) & !c`.
        unsafe {
            let count =
                |k: usize| _mm512_popcnt_epi64(_mm512_ternarylogic_epi64::<0x14>(self.code, codes[k], beyond[k]));
            sum_quarters([count(0), count(1), count(2), count(3)])
        }
    }

    /// Whether eight codes are all known to be as long as the query without looking at their lengths.
    ///
    /// # Safety
    /// The processor has the features of [`nphd_near`].
    #[inline(always)]
    unsafe fn are_long(&self, codes: [__m512i; 4]) -> bool {
        // SAFETY: register-only instructions.
        unsafe {
            let least = _mm512_min_epu8(_mm512_min_epu8(codes[0], codes[1]), _mm512_min_epu8(codes[2], codes[3]));
            let not_zero = _mm512_test_epi64_mask(least, self.last_byte);
            (not_zero != 0) & (not_zero == self.last_lanes)
        }
    }

    /// Which of eight codes as long as the query or longer are near enough.
    ///
    /// # Safety
    /// The processor has the features of [`nphd_near`].
    #[inline(always)]
    unsafe fn long_block(&self, codes: [__m512i; 4]) -> u8 {
        // SAFETY: promised by the caller.
        unsafe { _mm512_cmple_epu64_mask(self.differing(codes, [self.beyond; 4]), self.most) }
    }

    /// Which of eight codes of any lengths are near enough.
    ///
    /// # Safety
    /// `entries` is readable for the entries of eight codes; the processor has the features of [`nphd_near`].
    #[inline(always)]
    unsafe fn mixed_block(&self, codes: [__m512i; 4], entries: *const u8) -> u8 {
        // SAFETY: promised by the caller; all but one load is register-only.
        unsafe {
            // Little-endian, the length is the upper quarter of an entry; the first code's entry comes last.
            let lengths = _mm512_srli_epi64::<48>(_mm512_loadu_si512(entries.cast()));
            let lengths = _mm512_permutexvar_epi64(_mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0), lengths);
            let bits = _mm512_slli_epi64::<3>(_mm512_min_epu16(lengths, self.length));
            let beyond = |a, b| {
                bits_beyond(_mm512_permutexvar_epi64(
                    _mm512_setr_epi64(a, a, a, a, b, b, b, b),
                    bits,
                ))
            };
            let beyond = [beyond(0, 1), beyond(2, 3), beyond(4, 5), beyond(6, 7)];
            let most = most_differing(bits, self.too_far);
            let near = _mm512_cmple_epu64_mask(self.differing(codes, beyond), most);
            near & _mm512_test_epi64_mask(lengths, lengths)
        }
    }
}

/// Adds the numbers of codes of a mask.
#[cold]
fn push(near: &mut Vec<u32>, first: usize, mut mask: u8) {
    while mask != 0 {
        near.push(first as u32 + mask.trailing_zeros());
        mask &= mask - 1;
    }
}

/// Adds to `near` the numbers of codes with a key less than `below`, among whole blocks of codes from the start of a
/// column; the number of these codes.
///
/// Most codes end with a byte that is not zero, and in a page codes are padded with zeros. So the lengths are looked at
/// only in blocks where a code has a zero byte where the query ends: this saves a fifth of the memory traffic.
///
/// # Safety
/// `below` is not 0, and the processor has AVX-512F, BW, DQ, VL and VPOPCNTDQ.
#[inline(always)]
pub(super) unsafe fn nphd_near(query: &[u8], column: Column<'_>, below: u32, near: &mut Vec<u32>) -> usize {
    let mut done = 0;
    // SAFETY: promised by the caller.
    let query = unsafe { Prepared::new(query, below) };
    let blocks = column.codes().chunks_exact(BLOCK * STRIDE);
    for (codes, entries) in blocks.zip(column.entries().rchunks_exact(BLOCK * ENTRY_BYTES)) {
        column.prefetch_next(done, BLOCK);
        // SAFETY: both have a block, and all accesses are to these.
        let mask = unsafe {
            let pair = |k: usize| _mm512_loadu_si512(codes.as_ptr().add(k * 2 * STRIDE).cast());
            let codes = [pair(0), pair(1), pair(2), pair(3)];
            if query.are_long(codes) {
                query.long_block(codes)
            } else {
                query.mixed_block(codes, entries.as_ptr())
            }
        };
        if mask != 0 {
            push(near, done, mask);
        }
        done += BLOCK;
    }
    done
}
