//! Sums over two vectors, generic over the instruction set.

use super::element::{Element, F32};
use super::simd::{BLOCK, LANES, Simd};

/// What is added up: `N` sums at once.
pub(crate) trait Terms<const N: usize> {
    /// Adds the terms of [`LANES`] numbers of each vector.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn add<S: Simd>(sums: [S::Lanes; N], a: S::Lanes, b: S::Lanes) -> [S::Lanes; N];

    /// The terms of a pair of numbers.
    fn of_pair(a: f64, b: f64) -> [f64; N];
}

/// a b.
pub(crate) struct Products;
/// a b, and b b.
pub(crate) struct ProductsAndSquares;
/// (a − b)².
pub(crate) struct SquaredDifferences;
/// |a − b|.
pub(crate) struct Differences;

impl Terms<1> for Products {
    #[inline(always)]
    unsafe fn add<S: Simd>([sum]: [S::Lanes; 1], a: S::Lanes, b: S::Lanes) -> [S::Lanes; 1] {
        // SAFETY: promised by the caller.
        [unsafe { S::add_products(sum, a, b) }]
    }

    fn of_pair(a: f64, b: f64) -> [f64; 1] {
        [a * b]
    }
}

impl Terms<2> for ProductsAndSquares {
    #[inline(always)]
    unsafe fn add<S: Simd>([products, squares]: [S::Lanes; 2], a: S::Lanes, b: S::Lanes) -> [S::Lanes; 2] {
        // SAFETY: promised by the caller.
        unsafe { [S::add_products(products, a, b), S::add_products(squares, b, b)] }
    }

    fn of_pair(a: f64, b: f64) -> [f64; 2] {
        [a * b, b * b]
    }
}

impl Terms<1> for SquaredDifferences {
    #[inline(always)]
    unsafe fn add<S: Simd>([sum]: [S::Lanes; 1], a: S::Lanes, b: S::Lanes) -> [S::Lanes; 1] {
        // SAFETY: promised by the caller.
        [unsafe { S::add_squares(sum, a, b) }]
    }

    fn of_pair(a: f64, b: f64) -> [f64; 1] {
        [(a - b) * (a - b)]
    }
}

impl Terms<1> for Differences {
    #[inline(always)]
    unsafe fn add<S: Simd>([sum]: [S::Lanes; 1], a: S::Lanes, b: S::Lanes) -> [S::Lanes; 1] {
        // SAFETY: promised by the caller.
        [unsafe { S::add_differences(sum, a, b) }]
    }

    fn of_pair(a: f64, b: f64) -> [f64; 1] {
        [(a - b).abs()]
    }
}

/// The sums over `count` numbers: in 32 bits up to [`BLOCK`], in 64 bits over those.
///
/// # Safety
/// `a` and `b` are readable for as many numbers; the processor has the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn sums<S: Simd, A: Element, B: Element, T: Terms<N>, const N: usize>(
    a: *const u8,
    b: *const u8,
    count: usize,
) -> [f64; N] {
    // SAFETY: every load is of numbers below `count`.
    unsafe {
        let mut sums = [S::no_sums(); N];
        let mut at = 0;
        while at < count {
            let end = count.min(at + BLOCK);
            let mut lanes = [S::zero(); N];
            while at + LANES <= end {
                lanes = T::add::<S>(
                    lanes,
                    A::load::<S>(a.add(at * A::BYTES)),
                    B::load::<S>(b.add(at * B::BYTES)),
                );
                at += LANES;
            }
            if at < end {
                let rest = end - at;
                let a = A::load_part::<S>(a.add(at * A::BYTES), rest);
                let b = B::load_part::<S>(b.add(at * B::BYTES), rest);
                lanes = T::add::<S>(lanes, a, b);
                at = end;
            }
            for i in 0..N {
                sums[i] = S::fold(sums[i], lanes[i]);
            }
        }
        let mut totals = [0.0; N];
        for i in 0..N {
            totals[i] = S::total(sums[i]);
        }
        totals
    }
}

/// The sums in 64 bits throughout, which neither overflow nor vanish.
///
/// # Safety
/// `a` and `b` are readable for `count` numbers.
#[cold]
#[inline(never)]
pub(crate) unsafe fn wide_sums<A: Element, B: Element, T: Terms<N>, const N: usize>(
    a: *const u8,
    b: *const u8,
    count: usize,
) -> [f64; N] {
    let mut sums = [0.0; N];
    for i in 0..count {
        // SAFETY: `i` is less than `count`.
        let (x, y) = unsafe { (A::number(a, i), B::number(b, i)) };
        for (sum, term) in sums.iter_mut().zip(T::of_pair(x.into(), y.into())) {
            *sum += term;
        }
    }
    sums
}

/// The numbers of a vector, as 32 bits.
///
/// # Safety
/// `from` is readable for as many numbers as `to` has; the processor has the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn widen<S: Simd, E: Element>(from: *const u8, to: &mut [f32]) {
    let (whole, rest) = to.as_chunks_mut::<LANES>();
    // SAFETY: every load and store is of numbers that `to` has.
    unsafe {
        for (i, chunk) in whole.iter_mut().enumerate() {
            S::store(E::load::<S>(from.add(i * LANES * E::BYTES)), chunk.as_mut_ptr());
        }
        let from = from.add(whole.len() * LANES * E::BYTES);
        for (i, number) in rest.iter_mut().enumerate() {
            *number = E::number(from, i);
        }
    }
}

/// The product of a vector with itself.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn square<S: Simd>(numbers: &[f32]) -> f64 {
    let p = numbers.as_ptr().cast();
    // SAFETY: `p` is readable for as many numbers.
    unsafe { sums::<S, F32, F32, Products, 1>(p, p, numbers.len())[0] }
}

/// Sum of the products of integers. See [`Center`](super::Center) for how they lie.
///
/// # Safety
/// `row` is readable for `count` integers, and `query` for `count` rounded up to [`LANES`]; the processor has the instruction
/// set of `S`.
#[inline(always)]
pub(crate) unsafe fn integer_products<S: Simd>(query: *const i16, row: *const i8, count: usize) -> i32 {
    // SAFETY: promised by the caller.
    unsafe {
        let mut sum = S::no_integers();
        let mut at = 0;
        while at + LANES <= count {
            sum = S::add_integer_products(sum, query.add(at), row.add(at));
            at += LANES;
        }
        if at < count {
            let mut padded = [0; LANES];
            sum = S::add_integer_products(sum, query.add(at), last_integers(row, count, &mut padded));
        }
        S::integer_total(sum)
    }
}

/// Sum of weights times differences.
///
/// # Safety
/// As for [`integer_products`], for `weights` as for `query`.
#[inline(always)]
pub(crate) unsafe fn integer_differences<S: Simd>(
    query: *const i16,
    weights: *const i16,
    row: *const i8,
    count: usize,
) -> i64 {
    // SAFETY: promised by the caller.
    unsafe {
        let (mut total, mut at) = (0, 0);
        while at < count {
            let end = count.min(at + BLOCK);
            let mut sum = S::no_integers();
            while at + LANES <= end {
                sum = S::add_integer_differences(sum, query.add(at), weights.add(at), row.add(at));
                at += LANES;
            }
            if at < end {
                let mut padded = [0; LANES];
                let last = last_integers(row, count, &mut padded);
                sum = S::add_integer_differences(sum, query.add(at), weights.add(at), last);
                at = end;
            }
            total += i64::from(S::integer_total(sum));
        }
        total
    }
}

/// The last [`LANES`] of a row's integers, or all and zeros.
///
/// # Safety
/// `row` is readable for `count` integers.
#[inline(always)]
unsafe fn last_integers(row: *const i8, count: usize, padded: &mut [i8; LANES]) -> *const i8 {
    if count >= LANES {
        // SAFETY: that many lie before the end.
        return unsafe { row.add(count - LANES) };
    }
    // SAFETY: `count` is less than `LANES`.
    unsafe { padded.as_mut_ptr().copy_from_nonoverlapping(row, count) };
    padded.as_ptr()
}
