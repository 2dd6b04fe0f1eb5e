//! The tables of compiled loops, one for each instruction set, and the choice between them.
//!
//! The loops are generic over `Simd`, the primitives of an instruction set, and over what is compared. Each set wraps them in
//! functions with the matching `#[target_feature]`, so that the primitives are inlined and a whole page or neighbour list
//! costs one indirect call.

use std::ops::Range;

use super::divergence::Divergences;
use super::element::{Element, F16, F32};
use super::loops::{self, Cells};
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::portable;
use super::row_keys::{Arcs, Center, Comparison, Integers, Numbers, RowKey, by_row};
use super::sums::{self, Differences, Products, SquaredDifferences};
use super::values::{Measure, by_metric};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::dense::rows::{RowKind, Rows};
use crate::dense::scalar::Scalar;
use crate::kernels::kernels;
use crate::metric::DenseMetric;

type ByScalar<T> = [T; Scalar::COUNT];
type ByMetric<T> = [[T; DenseMetric::COUNT]; Scalar::COUNT];
type ByRow<T> = [[T; Comparison::COUNT]; RowKind::COUNT];

type DistanceFn = unsafe fn(&[u8], &[u8]) -> f64;
type DistanceToFn = unsafe fn(&[f32], f64, &[u8]) -> f64;
type NearFn = unsafe fn(&[f32], f64, Cells<'_>, u64, &mut Vec<(u64, u32)>);
type KeysFn = unsafe fn(&Center, Rows<'_>, &[u32], &mut [u32]);
type AnyBelowFn = unsafe fn(&Center, Rows<'_>, &[u32], u32) -> bool;
type NearRowsFn = unsafe fn(&Center, Rows<'_>, Range<u32>, u32, &mut Vec<(u32, u32)>);

/// The entry points of one instruction set.
struct Table {
    name: &'static str,
    square: unsafe fn(&[f32]) -> f64,
    widen: ByScalar<unsafe fn(*const u8, &mut [f32])>,
    scaled_integers: unsafe fn(&[u8], &[i16], &mut [i16]),
    distance: ByMetric<DistanceFn>,
    distance_to: ByMetric<DistanceToFn>,
    near: ByMetric<NearFn>,
    keys: ByRow<KeysFn>,
    any_below: ByRow<AnyBelowFn>,
    near_rows: ByRow<NearRowsFn>,
}

/// Compiles the generic loops for one instruction set into a `TABLE` in a module.
macro_rules! kernel_table {
    ($module:ident, $name:literal, $simd:ty $(, $feature:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn square(numbers: &[f32]) -> f64 {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { sums::square::<$simd>(numbers) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn widen<E: Element>(from: *const u8, to: &mut [f32]) {
                // SAFETY: the caller vouches for the numbers and the instruction set.
                unsafe { sums::widen::<$simd, E>(from, to) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn scaled_integers(row: &[u8], factors: &[i16], integers: &mut [i16]) {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::scaled_integers(row, factors, integers) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn distance<M: Measure, E: Element>(a: &[u8], b: &[u8]) -> f64 {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::distance::<$simd, M, E>(a, b) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn distance_to<M: Measure, E: Element>(query: &[f32], square: f64, value: &[u8]) -> f64 {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::distance_to::<$simd, M, E>(query, square, value) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn near<M: Measure, E: Element>(
                query: &[f32],
                square: f64,
                cells: Cells<'_>,
                below: u64,
                keys: &mut Vec<(u64, u32)>,
            ) {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { loops::near::<$simd, M, E>(query, square, cells, below, keys) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn keys<K: RowKey>(center: &Center, rows: Rows<'_>, ids: &[u32], keys: &mut [u32]) {
                // SAFETY: the caller vouches for the instruction set and for the center.
                unsafe { loops::keys::<$simd, K>(center, rows, ids, keys) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn any_below<K: RowKey>(center: &Center, rows: Rows<'_>, ids: &[u32], limit: u32) -> bool {
                // SAFETY: the caller vouches for the instruction set and for the center.
                unsafe { loops::any_below::<$simd, K>(center, rows, ids, limit) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn near_rows<K: RowKey>(
                center: &Center,
                rows: Rows<'_>,
                range: Range<u32>,
                below: u32,
                near: &mut Vec<(u32, u32)>,
            ) {
                // SAFETY: the caller vouches for the instruction set and for the center.
                unsafe { loops::near_rows::<$simd, K>(center, rows, range, below, near) }
            }

            pub(super) static TABLE: Table = Table {
                name: $name,
                square,
                widen: [widen::<F32>, widen::<F16>],
                scaled_integers,
                distance: [by_metric!(distance, F32), by_metric!(distance, F16)],
                distance_to: [by_metric!(distance_to, F32), by_metric!(distance_to, F16)],
                near: [by_metric!(near, F32), by_metric!(near, F16)],
                keys: by_row!(keys),
                any_below: by_row!(any_below),
                near_rows: by_row!(near_rows),
            };
        }
    };
}

kernel_table!(portable_table, "portable", portable::Portable);
#[cfg(target_arch = "x86_64")]
kernel_table!(avx2_table, "avx2", avx2::Avx2, "avx2,f16c");
#[cfg(target_arch = "x86_64")]
kernel_table!(
    avx512_table,
    "avx512",
    avx512::Avx512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx2"
);
#[cfg(target_arch = "aarch64")]
kernel_table!(neon_table, "neon", neon::Neon, "neon");

kernels! {
    /// One compiled set of loops that this processor can run.
    pub struct Kernel;
    portable_table::TABLE,
    #[cfg(target_arch = "x86_64")]
    avx2 => avx2_table::TABLE,
    #[cfg(target_arch = "x86_64")]
    avx512 => avx512_table::TABLE,
    #[cfg(target_arch = "aarch64")]
    neon => neon_table::TABLE,
}

impl Kernel {
    /// The product of a vector with itself.
    pub(crate) fn square(self, numbers: &[f32]) -> f64 {
        // SAFETY: a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.square)(numbers) }
    }

    /// The numbers of a value, as many as both have room for.
    pub(crate) fn widen(self, scalar: Scalar, value: &[u8], numbers: &mut [f32]) {
        let count = numbers.len().min(value.len() / scalar.bytes());
        // SAFETY: the value has as many numbers; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.widen[scalar as usize])(value.as_ptr(), &mut numbers[..count]) }
    }

    /// A row's integers of 8 bits times factors, divided by 128.
    pub(crate) fn scaled_integers(self, row: &[u8], factors: &[i16], integers: &mut [i16]) {
        // SAFETY: a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.scaled_integers)(row, factors, integers) }
    }

    /// What [`distance`](crate::dense::distance) does, with this kernel.
    pub fn distance(self, metric: DenseMetric, scalar: Scalar, a: &[u8], b: &[u8]) -> f64 {
        // SAFETY: a `Kernel` exists only for a detected instruction set; bounds are checked.
        unsafe { (self.0.distance[scalar as usize][metric as usize])(a, b) }
    }

    /// The same from a query's numbers and the product with themselves.
    pub(crate) fn distance_to(
        self,
        metric: DenseMetric,
        scalar: Scalar,
        query: &[f32],
        square: f64,
        value: &[u8],
    ) -> f64 {
        // SAFETY: a `Kernel` exists only for a detected instruction set; bounds are checked.
        unsafe { (self.0.distance_to[scalar as usize][metric as usize])(query, square, value) }
    }

    /// What [`Query::near`](crate::dense::Query::near) does, with this kernel.
    #[allow(clippy::too_many_arguments)] // a query in parts
    pub(crate) fn near(
        self,
        metric: DenseMetric,
        scalar: Scalar,
        query: &[f32],
        square: f64,
        cells: Cells<'_>,
        below: u64,
        keys: &mut Vec<(u64, u32)>,
    ) {
        // SAFETY: a `Kernel` exists only for a detected instruction set; bounds are checked.
        unsafe { (self.0.near[scalar as usize][metric as usize])(query, square, cells, below, keys) }
    }

    /// Keys of rows.
    #[inline]
    pub(crate) fn keys(self, center: &Center, rows: Rows<'_>, ids: &[u32], keys: &mut [u32]) {
        // SAFETY: the function is for this center; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.keys[center.kind as usize][center.comparison as usize])(center, rows, ids, keys) }
    }

    /// Whether any of the rows has a key below `limit`.
    #[inline]
    pub(crate) fn any_below(self, center: &Center, rows: Rows<'_>, ids: &[u32], limit: u32) -> bool {
        // SAFETY: the function is for this center; a `Kernel` exists only for a detected instruction set.
        unsafe { (self.0.any_below[center.kind as usize][center.comparison as usize])(center, rows, ids, limit) }
    }

    /// Adds keys and numbers of rows in a range that have a key less than `below`.
    pub(crate) fn near_rows(
        self,
        center: &Center,
        rows: Rows<'_>,
        range: Range<u32>,
        below: u32,
        near: &mut Vec<(u32, u32)>,
    ) {
        // SAFETY: the function is for this center; a `Kernel` exists only for a detected instruction set.
        unsafe {
            (self.0.near_rows[center.kind as usize][center.comparison as usize])(center, rows, range, below, near)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dense::kernels::{padded, place};
    use crate::dense::key::{row_key, signed_row_key};

    /// Integers that look random, or the greatest and least ones.
    fn integers(count: usize, seed: usize, most: i32) -> Vec<i32> {
        let mixed = |i: usize| (i * 31 + seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let integer = |i: usize| match seed % 3 {
            0 => most,
            1 => [most, -most][i % 2],
            _ => mixed(i) as i32 % (2 * most + 1) - most,
        };
        (0..count).map(integer).collect()
    }

    /// Integers where a center has them.
    fn placed(integers: &[i32]) -> Vec<i16> {
        let mut all = vec![0; padded(integers.len())];
        for (i, &integer) in integers.iter().enumerate() {
            all[place(integers.len(), i)] = integer as i16;
        }
        all
    }

    #[test]
    fn sums_of_integers_are_exact() {
        let all: Vec<usize> = (1..=70).chain([127, 128, 129, 384, 511, 512, 513, 16_000]).collect();
        for dimensions in if cfg!(miri) { vec![1, 33, 70] } else { all } {
            for seed in 0..9 {
                // The greatest magnitudes that there can be; -128 stands in damaged rows only.
                let row = integers(dimensions, seed / 3, if seed == 8 { 128 } else { 127 });
                let row: Vec<i32> = row.into_iter().map(|integer| integer.min(127)).collect();
                let bytes: Vec<u8> = row.iter().map(|&integer| integer as i8 as u8).collect();
                let most = ((1 << 23) / dimensions as i32).min(32_767);
                let (products, steps) = (integers(dimensions, seed, most), integers(dimensions, seed, 127 * 16));
                let weights: Vec<i32> = integers(dimensions, seed, 1000).into_iter().map(i32::abs).collect();
                let product: i64 = row.iter().zip(&products).map(|(a, b)| i64::from(a * b)).sum();
                let distances = row.iter().zip(&steps).zip(&weights);
                let distance: i64 = distances
                    .map(|((a, b), weight)| i64::from((16 * a - b).abs() * weight))
                    .sum();
                let mut center = Center {
                    kind: RowKind::I8,
                    dimensions,
                    integers: placed(&products),
                    weights: Arc::from(placed(&weights)),
                    scale: 1.0,
                    ..Center::default()
                };
                let mut keys = [0];
                for kernel in Kernel::available() {
                    center.comparison = Comparison::Products;
                    kernel.keys(&center, Rows::new(&bytes, dimensions), &[0], &mut keys);
                    assert_eq!(
                        keys[0],
                        signed_row_key(-product as f32),
                        "{kernel:?} {dimensions} {seed}"
                    );
                    let mut center = Center {
                        comparison: Comparison::Differences,
                        integers: placed(&steps),
                        ..center.clone()
                    };
                    kernel.keys(&center, Rows::new(&bytes, dimensions), &[0], &mut keys);
                    assert_eq!(keys[0], row_key(distance as f32), "{kernel:?} {dimensions} {seed}");
                    // One that lacks a number is compared with nothing.
                    center.integers.pop();
                    kernel.keys(&center, Rows::new(&bytes, dimensions), &[0], &mut keys);
                    assert_eq!(keys[0], crate::NO_KEY);
                }
            }
        }
    }
}
