//! The primitives that differ between instruction sets.

/// Numbers that a step of the loops takes from each vector, and sums that are made side by side.
pub(crate) const LANES: usize = 32;

/// Numbers whose terms are added up in 32 bits, 16 a lane.
pub(crate) const BLOCK: usize = 16 * LANES;

/// 32 lanes of an instruction set. Number `i` of a vector belongs to lane `i % 32`.
///
/// All implementations return the same bits: nothing is fused, and lanes are added up in the same order.
pub(crate) trait Simd {
    /// [`LANES`] numbers of 32 bits.
    type Lanes: Copy;
    /// 8 sums of 64 bits.
    type Sums: Copy;
    /// Sums of integers of 32 bits, in any order.
    type Integers: Copy;

    /// Zeros.
    ///
    /// # Safety
    /// The processor has the instruction set; so for all that follows.
    unsafe fn zero() -> Self::Lanes;

    /// The [`LANES`] numbers of 32 bits at `p`.
    ///
    /// # Safety
    /// They are readable.
    unsafe fn load_f32(p: *const u8) -> Self::Lanes;

    /// The [`LANES`] numbers of 16 bits at `p`.
    ///
    /// # Safety
    /// They are readable.
    unsafe fn load_f16(p: *const u8) -> Self::Lanes;

    /// `count` numbers of 32 bits at `p`, and zeros.
    ///
    /// # Safety
    /// They are readable, and fewer than [`LANES`].
    unsafe fn load_part_f32(p: *const u8, count: usize) -> Self::Lanes;

    /// `count` numbers of 16 bits at `p`, and zeros.
    ///
    /// # Safety
    /// They are readable, and fewer than [`LANES`].
    unsafe fn load_part_f16(p: *const u8, count: usize) -> Self::Lanes;

    /// Writes the numbers.
    ///
    /// # Safety
    /// [`LANES`] numbers at `p` are writable.
    unsafe fn store(lanes: Self::Lanes, p: *mut f32);

    /// `sum + a * b`, rounded twice.
    ///
    /// # Safety
    /// See above.
    unsafe fn add_products(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;

    /// `sum + (a - b) * (a - b)`, rounded each time.
    ///
    /// # Safety
    /// See above.
    unsafe fn add_squares(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;

    /// `sum + |a - b|`, rounded twice.
    ///
    /// # Safety
    /// See above.
    unsafe fn add_differences(sum: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;

    /// Zeros.
    ///
    /// # Safety
    /// See above.
    unsafe fn no_sums() -> Self::Sums;

    /// Adds (lane i + lane i + 16) + (lane i + 8 + lane i + 24), all of 32 bits, to sum `i`.
    ///
    /// # Safety
    /// See above.
    unsafe fn fold(sums: Self::Sums, lanes: Self::Lanes) -> Self::Sums;

    /// The sum of all: sum `i` and sum `i + 4`, then of these four each and the one two further on, then both.
    ///
    /// # Safety
    /// See above.
    unsafe fn total(sums: Self::Sums) -> f64;

    /// Zeros.
    ///
    /// # Safety
    /// See above.
    unsafe fn no_integers() -> Self::Integers;

    /// Adds the products of [`LANES`] integers of 16 bits with as many of 8 bits.
    ///
    /// # Safety
    /// They are readable, and no integer of 16 bits is the least one.
    unsafe fn add_integer_products(sum: Self::Integers, query: *const i16, row: *const i8) -> Self::Integers;

    /// Adds weights times the differences, without sign, of [`LANES`] integers of 16 bits and 16 times as many of 8 bits.
    ///
    /// # Safety
    /// They are readable, and no difference exceeds 16 bits.
    unsafe fn add_integer_differences(
        sum: Self::Integers,
        query: *const i16,
        weights: *const i16,
        row: *const i8,
    ) -> Self::Integers;

    /// The sum of all, modulo 2^32.
    ///
    /// # Safety
    /// See above.
    unsafe fn integer_total(sum: Self::Integers) -> i32;
}
