//! Values that only a function of the caller's understands.
//!
//! Such a function may do anything when it is given bytes that are no value of its type. So values are stored behind
//! their checksum, in the log as in a shard, and nothing is handed out that does not match it. A value without bytes is
//! stored, too, and is not nothing.

/// Bytes that a value takes beyond its own.
pub const CHECKSUM_BYTES: usize = 4;

/// Where checksums begin. From 0, four bytes with all bits set would be their own checksum, and no bytes would have 0:
/// what damage looks like.
const SEED: u32 = 0x5573_6552;

/// How long values are, and how their owner passes them on: all that a shard has to know of their type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// Any length.
    Varying,
    /// All of this many bytes, at least 1.
    Fixed(u16),
    /// All of this many bytes, 1 to 8, which are a number.
    Number(u8),
}

impl Layout {
    /// What a file says; `None` if it is no layout.
    pub fn of_numbers(kind: u8, bytes: u16) -> Option<Self> {
        match (kind, bytes) {
            (1, 0) => Some(Self::Varying),
            (2, 1..) => Some(Self::Fixed(bytes)),
            (3, 1..=8) => Some(Self::Number(bytes as u8)),
            _ => None,
        }
    }

    /// What stands for it in a file: its kind, and the length of values that all have the same.
    pub fn numbers(self) -> (u8, u16) {
        match self {
            Self::Varying => (1, 0),
            Self::Fixed(bytes) => (2, bytes),
            Self::Number(bytes) => (3, bytes.into()),
        }
    }

    /// The length of a stored value; `None` if they differ.
    pub fn stored_bytes(self) -> Option<usize> {
        match self {
            Self::Varying => None,
            Self::Fixed(bytes) => Some(usize::from(bytes) + CHECKSUM_BYTES),
            Self::Number(bytes) => Some(usize::from(bytes) + CHECKSUM_BYTES),
        }
    }

    /// The value that was stored so; `None` if these bytes are none.
    #[inline]
    pub fn unseal(self, stored: &[u8]) -> Option<&[u8]> {
        if self.stored_bytes().is_some_and(|bytes| bytes != stored.len()) {
            return None;
        }
        let (checksum, value) = stored.split_first_chunk()?;
        (checksum_of(value) == *checksum).then_some(value)
    }
}

/// What stands before a value where it is stored.
pub fn checksum_of(value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    crc32c::crc32c_append(SEED, value).to_le_bytes()
}

/// A distance that the caller computes.
pub trait Distance: Copy {
    /// A value that distances are measured from, prepared. Its memory is used again.
    type Query: Default;

    /// Prepares a value.
    fn prepare(&self, value: &[u8], query: &mut Self::Query);

    /// The distance of a row from it: any number, also infinite, negative or NaN, which comes last.
    fn distance(&self, row: &[u8], query: &Self::Query) -> f64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_stored_comes_out() {
        for value in [&b""[..], b"a", b"0123456789"] {
            let stored = [&checksum_of(value)[..], value].concat();
            assert_eq!(Layout::Varying.unseal(&stored), Some(value));
            assert_eq!(Layout::Fixed(10).unseal(&stored).is_some(), value.len() == 10);
            for at in 0..stored.len() {
                let mut changed = stored.clone();
                changed[at] ^= 4;
                assert_eq!(Layout::Varying.unseal(&changed), None);
            }
            assert_eq!(Layout::Varying.unseal(&stored[..3]), None);
        }
        for byte in [0, 0xFF] {
            for bytes in 0..100 {
                assert_eq!(Layout::Varying.unseal(&vec![byte; bytes]), None, "{bytes} of {byte}");
            }
        }
    }

    #[test]
    fn layouts_have_numbers() {
        for layout in [Layout::Varying, Layout::Fixed(16), Layout::Number(8)] {
            let (kind, bytes) = layout.numbers();
            assert_eq!(Layout::of_numbers(kind, bytes), Some(layout));
        }
        for (kind, bytes) in [(0, 0), (1, 3), (2, 0), (3, 0), (3, 9), (4, 1)] {
            assert_eq!(Layout::of_numbers(kind, bytes), None);
        }
    }
}
