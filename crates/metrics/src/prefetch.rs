//! Hints to load memory soon.

/// Bytes of a cache line.
pub(crate) const CACHE_LINE: usize = 64;

/// Asks the processor to load the cache line of `bytes[offset]`; does nothing where that is out of range.
#[inline(always)]
pub fn prefetch<T>(items: &[T], offset: usize) {
    if let Some(item) = items.get(offset) {
        prefetch_at(item);
    }
}

/// Asks the processor to load the cache lines of this many bytes from an address on, which need not be valid.
#[inline(always)]
pub(crate) fn prefetch_lines(at: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(CACHE_LINE) {
        prefetch_at(at.wrapping_add(line));
    }
}

/// Asks the processor to load a cache line. The address need not be valid.
#[inline(always)]
pub fn prefetch_at<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults, and SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
