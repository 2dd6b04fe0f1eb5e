//! What differs between instruction sets.

use super::layout::Column;

/// The primitives of one instruction set.
pub(crate) trait Popcount {
    /// Number of differing bits in the first `m` bytes.
    ///
    /// # Safety
    /// `a` and `b` are readable for `m` bytes, and the processor has the instruction set.
    unsafe fn xor(a: *const u8, b: *const u8, m: usize) -> u32;

    /// Numbers of bits set in both and in either of the first `m` bytes.
    ///
    /// # Safety
    /// As for [`Popcount::xor`].
    unsafe fn and_or(a: *const u8, b: *const u8, m: usize) -> (u32, u32);

    /// Adds to `near` the numbers of codes with an NPHD key less than `below`, in a column of codes 32 bytes apart, from the
    /// first one to where the instruction set has no better way than one by one; the number of codes looked at.
    ///
    /// # Safety
    /// The processor has the instruction set, and `below` is not 0.
    #[inline(always)]
    unsafe fn nphd_near_32(_query: &[u8], _column: Column<'_>, _below: u32, _near: &mut Vec<u32>) -> usize {
        0
    }
}
