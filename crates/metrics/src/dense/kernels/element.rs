//! The numbers that vectors are made of, as the loops are compiled for them.

use super::simd::Simd;
use crate::dense::scalar::f32_of_f16;

/// A type of numbers.
pub(crate) trait Element {
    const BYTES: usize;

    /// Number `i` at `p`.
    ///
    /// # Safety
    /// It is readable.
    unsafe fn number(p: *const u8, i: usize) -> f32;

    /// See [`Simd::load_f32`].
    ///
    /// # Safety
    /// The same.
    unsafe fn load<S: Simd>(p: *const u8) -> S::Lanes;

    /// See [`Simd::load_part_f32`].
    ///
    /// # Safety
    /// The same.
    unsafe fn load_part<S: Simd>(p: *const u8, count: usize) -> S::Lanes;
}

/// 32 bits.
pub(crate) struct F32;
/// 16 bits.
pub(crate) struct F16;

impl Element for F32 {
    const BYTES: usize = 4;

    #[inline(always)]
    unsafe fn number(p: *const u8, i: usize) -> f32 {
        // SAFETY: promised by the caller.
        unsafe { p.cast::<f32>().add(i).read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const u8) -> S::Lanes {
        // SAFETY: promised by the caller.
        unsafe { S::load_f32(p) }
    }

    #[inline(always)]
    unsafe fn load_part<S: Simd>(p: *const u8, count: usize) -> S::Lanes {
        // SAFETY: promised by the caller.
        unsafe { S::load_part_f32(p, count) }
    }
}

impl Element for F16 {
    const BYTES: usize = 2;

    #[inline(always)]
    unsafe fn number(p: *const u8, i: usize) -> f32 {
        // SAFETY: promised by the caller.
        f32_of_f16(unsafe { p.cast::<u16>().add(i).read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const u8) -> S::Lanes {
        // SAFETY: promised by the caller.
        unsafe { S::load_f16(p) }
    }

    #[inline(always)]
    unsafe fn load_part<S: Simd>(p: *const u8, count: usize) -> S::Lanes {
        // SAFETY: promised by the caller.
        unsafe { S::load_part_f16(p, count) }
    }
}
