//! NEON, which every 64-bit ARM processor has: 32 lanes are eight registers.

use std::arch::aarch64::*;

use super::simd::{LANES, Simd};

pub(crate) struct Neon;

pub(super) fn is_available() -> bool {
    true
}

/// Numbers of a register.
const WIDTH: usize = 4;
const REGISTERS: usize = LANES / WIDTH;

// No closures, which the compiler need not inline; the loops are of fixed length.
impl Simd for Neon {
    type Lanes = [float32x4_t; REGISTERS];
    type Sums = [float64x2_t; 4];
    type Integers = [int32x4_t; 4];

    #[inline(always)]
    unsafe fn zero() -> Self::Lanes {
        // SAFETY: register only.
        [unsafe { vdupq_n_f32(0.0) }; REGISTERS]
    }

    #[inline(always)]
    unsafe fn load_f32(p: *const u8) -> Self::Lanes {
        // SAFETY: promised by the caller; NEON loads need no alignment.
        unsafe {
            let mut lanes = Self::zero();
            for i in 0..REGISTERS {
                lanes[i] = vld1q_f32(p.cast::<f32>().add(i * WIDTH));
            }
            lanes
        }
    }

    #[inline(always)]
    unsafe fn load_f16(p: *const u8) -> Self::Lanes {
        // SAFETY: promised by the caller.
        unsafe {
            let mut lanes = Self::zero();
            for i in 0..REGISTERS {
                let half = vld1_u16(p.cast::<u16>().add(i * WIDTH));
                lanes[i] = vcvt_f32_f16(vreinterpret_f16_u16(half));
            }
            lanes
        }
    }

    #[inline(always)]
    unsafe fn load_part_f32(p: *const u8, count: usize) -> Self::Lanes {
        let mut padded = [0f32; LANES];
        // SAFETY: `count` is less than the array's length.
        unsafe {
            padded.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(p, 4 * count);
            Self::load_f32(padded.as_ptr().cast())
        }
    }

    #[inline(always)]
    unsafe fn load_part_f16(p: *const u8, count: usize) -> Self::Lanes {
        let mut padded = [0u16; LANES];
        // SAFETY: `count` is less than the array's length.
        unsafe {
            padded.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(p, 2 * count);
            Self::load_f16(padded.as_ptr().cast())
        }
    }

    #[inline(always)]
    unsafe fn store(lanes: Self::Lanes, p: *mut f32) {
        for (i, lane) in lanes.into_iter().enumerate() {
            // SAFETY: promised by the caller.
            unsafe { vst1q_f32(p.add(i * WIDTH), lane) };
        }
    }

    #[inline(always)]
    unsafe fn add_products(mut sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        for i in 0..REGISTERS {
            // SAFETY: register only. `vmlaq_f32` may be fused.
            sum[i] = unsafe { vaddq_f32(sum[i], vmulq_f32(a[i], b[i])) };
        }
        sum
    }

    #[inline(always)]
    unsafe fn add_squares(mut sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        for i in 0..REGISTERS {
            // SAFETY: register only.
            sum[i] = unsafe {
                let difference = vsubq_f32(a[i], b[i]);
                vaddq_f32(sum[i], vmulq_f32(difference, difference))
            };
        }
        sum
    }

    #[inline(always)]
    unsafe fn add_differences(mut sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        for i in 0..REGISTERS {
            // SAFETY: register only.
            sum[i] = unsafe { vaddq_f32(sum[i], vabdq_f32(a[i], b[i])) };
        }
        sum
    }

    #[inline(always)]
    unsafe fn no_sums() -> Self::Sums {
        // SAFETY: register only.
        [unsafe { vdupq_n_f64(0.0) }; 4]
    }

    #[inline(always)]
    unsafe fn fold(mut sums: Self::Sums, lanes: Self::Lanes) -> Self::Sums {
        // SAFETY: register only.
        unsafe {
            for i in 0..2 {
                let first = vaddq_f32(lanes[i], lanes[i + 4]);
                let four = vaddq_f32(first, vaddq_f32(lanes[i + 2], lanes[i + 6]));
                sums[2 * i] = vaddq_f64(sums[2 * i], vcvt_f64_f32(vget_low_f32(four)));
                sums[2 * i + 1] = vaddq_f64(sums[2 * i + 1], vcvt_high_f64_f32(four));
            }
        }
        sums
    }

    #[inline(always)]
    unsafe fn total(sums: Self::Sums) -> f64 {
        // SAFETY: register only.
        unsafe {
            let (first, second) = (vaddq_f64(sums[0], sums[2]), vaddq_f64(sums[1], sums[3]));
            vaddvq_f64(vaddq_f64(first, second))
        }
    }

    #[inline(always)]
    unsafe fn no_integers() -> Self::Integers {
        // SAFETY: register only.
        [unsafe { vdupq_n_s32(0) }; 4]
    }

    #[inline(always)]
    unsafe fn add_integer_products(mut sum: Self::Integers, query: *const i16, row: *const i8) -> Self::Integers {
        for i in 0..LANES / 8 {
            // SAFETY: promised by the caller.
            unsafe {
                let (row, query) = (vmovl_s8(vld1_s8(row.add(8 * i))), vld1q_s16(query.add(8 * i)));
                let low = vmlal_s16(sum[i], vget_low_s16(query), vget_low_s16(row));
                sum[i] = vmlal_high_s16(low, query, row);
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn add_integer_differences(
        mut sum: Self::Integers,
        query: *const i16,
        weights: *const i16,
        row: *const i8,
    ) -> Self::Integers {
        for i in 0..LANES / 8 {
            // SAFETY: promised by the caller.
            unsafe {
                let row = vshlq_n_s16::<4>(vmovl_s8(vld1_s8(row.add(8 * i))));
                let difference = vabdq_s16(vld1q_s16(query.add(8 * i)), row);
                let weights = vld1q_s16(weights.add(8 * i));
                let low = vmlal_s16(sum[i], vget_low_s16(difference), vget_low_s16(weights));
                sum[i] = vmlal_high_s16(low, difference, weights);
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn integer_total(sum: Self::Integers) -> i32 {
        // SAFETY: register only.
        unsafe { vaddvq_s32(vaddq_s32(vaddq_s32(sum[0], sum[1]), vaddq_s32(sum[2], sum[3]))) }
    }
}
