//! The distinct rows of a shard to be: arenas and a hash table over them.

use super::levels::MAX_NODES;
use crate::space::{LOCATOR_BYTES, locator};

const EMPTY: u32 = u32::MAX;

/// Mixes two words into one; both halves of the 128-bit product count.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Seeded hash of a row's content.
pub(crate) fn hash_content(content: &[u8], seed: u64) -> u64 {
    let mut state = fold(
        seed ^ 0x9E37_79B9_7F4A_7C15,
        content.len() as u64 ^ 0xD6E8_FEB8_6659_FD93,
    );
    for chunk in content.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = fold(state ^ u64::from_le_bytes(word), 0xA076_1D64_78BD_642F);
    }
    fold(state ^ seed, 0xE703_7ED1_A0B4_28DB)
}

/// Distinct contents, numbered from 0.
pub(crate) trait Contents {
    /// How many there are.
    fn len(&self) -> u32;

    /// One of them.
    fn content(&self, index: u32) -> &[u8];
}

/// A hash table of the numbers of contents that are kept elsewhere.
#[derive(Default)]
struct Table {
    numbers: Vec<u32>,
    seed: u64,
}

impl Table {
    fn new(seed: u64) -> Self {
        Self {
            numbers: vec![EMPTY; 1024],
            seed,
        }
    }

    /// The number of this content among `count`, and whether it is new: then its number is `count`.
    #[inline]
    fn insert<'a>(&mut self, content: &[u8], count: u32, content_of: impl Fn(u32) -> &'a [u8]) -> (u32, bool) {
        if count as usize >= self.numbers.len() / 3 * 2 {
            self.grow(count, &content_of);
        }
        let position = self.position(content, &content_of);
        let is_new = self.numbers[position] == EMPTY;
        if is_new {
            assert!(count < MAX_NODES, "a shard has too many distinct rows");
            self.numbers[position] = count;
        }
        (self.numbers[position], is_new)
    }

    /// Where the number of this content is, or would be.
    #[inline]
    fn position<'a>(&self, content: &[u8], content_of: &impl Fn(u32) -> &'a [u8]) -> usize {
        let mask = self.numbers.len() - 1;
        let mut position = hash_content(content, self.seed) as usize & mask;
        while self.numbers[position] != EMPTY && content_of(self.numbers[position]) != content {
            position = (position + 1) & mask;
        }
        position
    }

    fn grow<'a>(&mut self, count: u32, content_of: &impl Fn(u32) -> &'a [u8]) {
        self.numbers = vec![EMPTY; self.numbers.len() * 2];
        let mask = self.numbers.len() - 1;
        for number in 0..count {
            let mut position = hash_content(content_of(number), self.seed) as usize & mask;
            while self.numbers[position] != EMPTY {
                position = (position + 1) & mask;
            }
            self.numbers[position] = number;
        }
    }
}

/// Distinct rows of the same size, numbered in the order of their first appearance.
///
/// A row has the length of its content, if contents differ in length, then the content, then zeros.
pub(crate) struct RowSet {
    rows: Vec<u8>,
    length_bytes: usize,
    max_content: usize,
    count: u32,
    table: Table,
}

impl RowSet {
    /// An empty set for contents of at most `max_content` bytes, of exactly that many if `length_bytes` is 0.
    pub(crate) fn new(length_bytes: usize, max_content: usize, seed: u64) -> Self {
        Self {
            rows: Vec::new(),
            length_bytes,
            max_content,
            count: 0,
            table: Table::new(seed),
        }
    }

    /// Bytes of a row, length field and padding included.
    pub(crate) fn stride(&self) -> usize {
        self.length_bytes + self.max_content
    }

    /// A row: length, content, padding.
    pub(crate) fn row(&self, index: u32) -> &[u8] {
        &self.rows[index as usize * self.stride()..][..self.stride()]
    }

    /// All rows from this one on.
    pub(crate) fn rows_from(&self, index: u32) -> &[u8] {
        self.rows.get(index as usize * self.stride()..).unwrap_or_default()
    }

    /// Number of the row with this content, new or known. The content is no longer than it may be.
    ///
    /// # Panics
    /// If it would be one more than [`MAX_NODES`].
    pub(crate) fn insert(&mut self, content: &[u8]) -> u32 {
        let mut table = std::mem::take(&mut self.table);
        let (row, is_new) = table.insert(content, self.count, |row| self.content(row));
        self.table = table;
        if is_new {
            self.rows
                .extend_from_slice(&(content.len() as u16).to_le_bytes()[..self.length_bytes]);
            self.rows.extend_from_slice(content);
            self.count += 1;
            self.rows.resize(self.count as usize * self.stride(), 0);
        }
        row
    }

    /// Number of the row with this content, if there is one.
    pub(crate) fn find(&self, content: &[u8]) -> Option<u32> {
        let position = self.table.position(content, &|row| self.content(row));
        Some(self.table.numbers[position]).filter(|&row| row != EMPTY)
    }
}

impl Contents for RowSet {
    fn len(&self) -> u32 {
        self.count
    }

    fn content(&self, index: u32) -> &[u8] {
        let (field, content) = self.row(index).split_at(self.length_bytes);
        let length = field
            .iter()
            .rev()
            .fold(0, |length, &byte| length << 8 | usize::from(byte));
        if self.length_bytes == 0 {
            content
        } else {
            &content[..length]
        }
    }
}

/// Distinct values of any length, numbered in the order of their first appearance.
pub(crate) struct ValueSet {
    bytes: Vec<u8>,
    /// Where each begins, and ends.
    places: Vec<(usize, usize)>,
    table: Table,
}

impl ValueSet {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            bytes: Vec::new(),
            places: Vec::new(),
            table: Table::new(seed),
        }
    }

    /// Number of a value, new or known.
    ///
    /// # Panics
    /// If it would be one more than [`MAX_NODES`].
    pub(crate) fn insert(&mut self, value: &[u8]) -> u32 {
        let mut table = std::mem::take(&mut self.table);
        let (row, is_new) = table.insert(value, self.places.len() as u32, |row| self.content(row));
        self.table = table;
        if is_new {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(value);
            self.places.push((start, self.bytes.len()));
        }
        row
    }

    /// The values in this order: where each is, and their bytes.
    pub(crate) fn gathered(&self, order: &[u32]) -> (Vec<u8>, Vec<u8>) {
        let mut locators = Vec::with_capacity(order.len() * LOCATOR_BYTES);
        let mut values = Vec::with_capacity(self.bytes.len());
        for &row in order {
            let value = self.content(row);
            locators.extend_from_slice(&locator(values.len(), value.len()));
            values.extend_from_slice(value);
        }
        (locators, values)
    }
}

impl Contents for ValueSet {
    fn len(&self) -> u32 {
        self.places.len() as u32
    }

    fn content(&self, index: u32) -> &[u8] {
        let (start, end) = self.places[index as usize];
        &self.bytes[start..end]
    }
}
