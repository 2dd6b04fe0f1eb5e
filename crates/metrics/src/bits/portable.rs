//! Any processor: 64-bit words and `count_ones`.

use super::popcount::Popcount;

pub(crate) struct Portable;

/// The up to 7 bytes at `p` as a number; the order of the bytes does not matter for a popcount.
///
/// # Safety
/// `p` is readable for `n < 8` bytes.
#[inline(always)]
pub(super) unsafe fn load_tail(p: *const u8, n: usize) -> u64 {
    let mut word = 0;
    let mut at = 0;
    // SAFETY: each read below starts at `at` and ends at or before `n`, because the bits of `n` are consumed in turn.
    unsafe {
        if n & 4 != 0 {
            word = u64::from(p.cast::<u32>().read_unaligned());
            at = 4;
        }
        if n & 2 != 0 {
            word = (word << 16) | u64::from(p.add(at).cast::<u16>().read_unaligned());
            at += 2;
        }
        if n & 1 != 0 {
            word = (word << 8) | u64::from(*p.add(at));
        }
    }
    word
}

/// Calls `each` with the words of both codes, the last one partial.
///
/// # Safety
/// `a` and `b` are readable for `m` bytes.
#[inline(always)]
pub(super) unsafe fn for_words(a: *const u8, b: *const u8, m: usize, mut each: impl FnMut(u64, u64)) {
    let whole = m & !7;
    let mut at = 0;
    while at < whole {
        // SAFETY: `at + 8 <= m`.
        unsafe {
            each(
                a.add(at).cast::<u64>().read_unaligned(),
                b.add(at).cast::<u64>().read_unaligned(),
            )
        };
        at += 8;
    }
    if whole < m {
        // SAFETY: the tail lies inside the `m` bytes.
        unsafe { each(load_tail(a.add(whole), m - whole), load_tail(b.add(whole), m - whole)) };
    }
}

impl Popcount for Portable {
    #[inline(always)]
    unsafe fn xor(a: *const u8, b: *const u8, m: usize) -> u32 {
        let mut bits = 0;
        // SAFETY: promised by the caller.
        unsafe { for_words(a, b, m, |x, y| bits += (x ^ y).count_ones()) };
        bits
    }

    #[inline(always)]
    unsafe fn and_or(a: *const u8, b: *const u8, m: usize) -> (u32, u32) {
        let (mut both, mut either) = (0, 0);
        // SAFETY: promised by the caller.
        unsafe {
            for_words(a, b, m, |x, y| {
                both += (x & y).count_ones();
                either += (x | y).count_ones();
            });
        }
        (both, either)
    }
}
