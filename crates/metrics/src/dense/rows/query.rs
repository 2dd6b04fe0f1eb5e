//! What rows are compared with.

use std::ops::Range;
use std::sync::Arc;

use super::encoding::{Encoding, MOST_INTEGERS, nearest_integer};
use super::{RowKind, Rows, prepare};
use crate::dense::kernels::{Center, Comparison, Kernel, STEPS, padded, place, row_bytes};
use crate::dense::scalar::Scalar;

/// A vector that rows are compared with, prepared once. The default one has no dimensions, and no rows.
#[derive(Clone, Debug)]
pub struct RowQuery {
    center: Center,
    kernel: Kernel,
}

impl Default for RowQuery {
    fn default() -> Self {
        Self {
            center: Center::default(),
            kernel: Kernel::active(),
        }
    }
}

impl RowQuery {
    /// The same with another kernel.
    pub fn with_kernel(self, kernel: Kernel) -> RowQuery {
        RowQuery { kernel, ..self }
    }

    /// Fills `keys` with those of the rows `ids`: integers below 2^31 in the order of the distances, or
    /// [`NO_KEY`](crate::NO_KEY) for an id out of range, or if the rows are shorter than the encoding's.
    #[inline]
    pub fn keys(&self, rows: Rows<'_>, ids: &[u32], keys: &mut Vec<u32>) {
        keys.resize(ids.len(), 0);
        self.kernel.keys(&self.center, rows, ids, keys);
    }

    /// The key of one row.
    #[inline]
    pub fn key(&self, rows: Rows<'_>, id: u32) -> u32 {
        let mut key = [0];
        self.kernel.keys(&self.center, rows, &[id], &mut key);
        key[0]
    }

    /// Whether the key of any of the rows `ids` is below `limit`.
    #[inline]
    pub fn any_below(&self, rows: Rows<'_>, ids: &[u32], limit: u32) -> bool {
        self.kernel.any_below(&self.center, rows, ids, limit)
    }

    /// Adds keys and numbers of rows in a range that have a key less than `below` to `near`, in ascending order of the numbers.
    pub fn near_rows(&self, rows: Rows<'_>, range: Range<u32>, below: u32, near: &mut Vec<(u32, u32)>) {
        self.kernel.near_rows(&self.center, rows, range, below, near);
    }
}

impl Encoding {
    /// [`Encoding::query`] in the memory of another one.
    pub fn center_value(&self, value: &[u8], query: &mut RowQuery) {
        self.start(&mut query.center);
        let center = &mut query.center;
        center.numbers.resize(self.dimensions, 0.0);
        prepare(self.metric, self.scalar, value, &mut center.numbers);
        if self.kind == RowKind::I8 {
            match center.comparison {
                Comparison::Products => self.center_products(center),
                Comparison::Squares => {
                    let square = |number: &f32| f64::from(*number).powi(2);
                    center.constant = center.numbers.iter().map(square).sum();
                    self.center_products(center);
                }
                Comparison::Differences => self.center_differences(center),
                // There are no rows of integers.
                Comparison::Divergences | Comparison::Arcs => {}
            }
        }
    }

    /// [`Encoding::query_of_row`] in the memory of another one. Of a row that is too short, there is none.
    pub fn center_row(&self, row: &[u8], query: &mut RowQuery) {
        self.start(&mut query.center);
        let (center, kernel) = (&mut query.center, query.kernel);
        let (whole, dimensions) = (self.dimensions - self.dimensions % 32, self.dimensions);
        if row.len() < row_bytes(self.kind, center.comparison, dimensions) {
            return;
        }
        let scalar = match self.kind {
            RowKind::I8 => {
                center.integers.clear();
                center.integers.resize(padded(dimensions), 0);
                let tail = place(dimensions, whole);
                if center.comparison == Comparison::Differences {
                    center.scale = self.integers.unit / f64::from(STEPS);
                    for (dimension, &byte) in row[..dimensions].iter().enumerate() {
                        center.integers[place(dimensions, dimension)] = STEPS * i16::from(byte as i8);
                    }
                } else {
                    let (factors, row, integers) = (&self.integers.factors, &row[..dimensions], &mut center.integers);
                    kernel.scaled_integers(&row[..whole], factors, integers);
                    if whole < dimensions {
                        kernel.scaled_integers(&row[whole..], &factors[whole..], &mut integers[tail..]);
                    }
                    center.scale = 128.0 * self.integers.unit;
                }
                if center.comparison == Comparison::Squares
                    && let Some(&[a, b, c, d]) = row.get(dimensions..dimensions + 4)
                {
                    center.constant = f32::from_le_bytes([a, b, c, d]).into();
                }
                return;
            }
            RowKind::F16 => Scalar::F16,
            RowKind::F32 => Scalar::F32,
        };
        center.numbers.resize(dimensions, 0.0);
        kernel.widen(scalar, row, &mut center.numbers);
    }

    /// A center without numbers.
    fn start(&self, center: &mut Center) {
        center.kind = self.kind;
        center.comparison = Comparison::of(self.metric);
        center.dimensions = self.dimensions;
        center.numbers.clear();
        center.integers.clear();
        (center.constant, center.scale) = (0.0, 0.0);
        if !Arc::ptr_eq(&center.weights, &self.integers.weights) {
            center.weights = self.integers.weights.clone();
        }
    }

    /// Integers of a center's numbers: in units of `scale`, times what 1 stands for in a row.
    fn center_products(&self, center: &mut Center) {
        let products = || {
            let pairs = center.numbers.iter().zip(&*self.scales);
            pairs.map(|(&number, &scale)| f64::from(number) * f64::from(scale))
        };
        let (sum, greatest) = products().fold((0.0, 0.0f64), |(sum, greatest), product| {
            (sum + product.abs(), greatest.max(product.abs()))
        });
        // Each is rounded.
        let most = MOST_INTEGERS - self.dimensions as f64;
        let unit = (sum / most).max(greatest / f64::from(i16::MAX));
        let per_unit = if unit > 0.0 { unit.recip() } else { 0.0 };
        let mut integers = vec![0; padded(self.dimensions)];
        for (dimension, product) in products().enumerate() {
            integers[place(self.dimensions, dimension)] =
                nearest_integer((product * per_unit) as f32, i16::MAX.into()) as i16;
        }
        (center.integers, center.scale) = (integers, unit);
    }

    /// Integers of a center's numbers: in steps of what 1 stands for in a row.
    fn center_differences(&self, center: &mut Center) {
        const MOST: f32 = 127.0 * STEPS as f32;
        center.scale = self.integers.unit / f64::from(STEPS);
        let mut integers = vec![0; padded(self.dimensions)];
        for (dimension, (&number, &scale)) in center.numbers.iter().zip(&*self.scales).enumerate() {
            // No row is farther out than this, so the rest is the same for all.
            let inside = number.clamp(-127.0 * scale, 127.0 * scale);
            center.constant += f64::from((number - inside).abs());
            if scale > 0.0 {
                integers[place(self.dimensions, dimension)] =
                    nearest_integer(inside / scale * f32::from(STEPS), MOST) as i16;
            }
        }
        center.integers = integers;
    }
}
