//! Keys of entries.

use crate::error::Result;

/// A key: all of an index are of one kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// 64 bits, unsigned.
    Number(u64),
    /// 128 bits, in the order in which they stand in the file.
    Uuid([u8; 16]),
}

/// The kinds of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// [`Key::Number`].
    Number,
    /// [`Key::Uuid`].
    Uuid,
}

impl KeyKind {
    /// Bytes of a key in a file.
    pub(crate) fn bytes(self) -> usize {
        match self {
            KeyKind::Number => 8,
            KeyKind::Uuid => 16,
        }
    }

    /// Reads a key of as many bytes.
    pub(crate) fn read(self, bytes: &[u8]) -> Key {
        match self {
            KeyKind::Number => Key::Number(u64::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default())),
            KeyKind::Uuid => Key::Uuid(bytes.first_chunk().copied().unwrap_or_default()),
        }
    }
}

impl Key {
    /// Whether this marks a removed entry: all bits are one.
    pub(crate) fn is_removed(self) -> bool {
        self == Key::Number(u64::MAX) || self == Key::Uuid([0xff; 16])
    }

    /// A number that spreads keys over parts.
    pub(crate) fn hash(self) -> u64 {
        let (high, low) = match self {
            Key::Number(number) => (number, 0),
            Key::Uuid(bytes) => {
                let value = u128::from_le_bytes(bytes);
                ((value >> 64) as u64, value as u64)
            }
        };
        let mut hash = (high ^ low.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
        hash.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32
    }
}

/// Values, sorted when all are there.
pub(crate) struct Sorted<T>(Vec<T>);

impl<T: Ord + Copy> Sorted<T> {
    pub(crate) fn empty() -> Self {
        Sorted(Vec::new())
    }

    /// Adds a value; an error where there is no memory for it, which would otherwise end the process.
    pub(crate) fn push(&mut self, value: T) -> Result<()> {
        if self.0.len() == self.0.capacity() {
            self.0.try_reserve(1)?;
        }
        self.0.push(value);
        Ok(())
    }

    pub(crate) fn sort(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Whether a sorted set has a value.
    pub(crate) fn has(&self, value: T) -> bool {
        self.0.binary_search(&value).is_ok()
    }

    pub(crate) fn values(&self) -> &[T] {
        &self.0
    }
}
