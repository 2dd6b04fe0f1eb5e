//! The distinct rows of a shard to be: an arena and a hash table over it.

use super::levels::MAX_NODES;

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

/// Distinct rows of the same size, numbered in the order of their first appearance.
///
/// A row has the length of its content, if contents differ in length, then the content, then zeros.
pub(crate) struct RowSet {
    rows: Vec<u8>,
    length_bytes: usize,
    max_content: usize,
    count: u32,
    table: Vec<u32>,
    seed: u64,
}

impl RowSet {
    /// An empty set for contents of at most `max_content` bytes, of exactly so many if `length_bytes` is 0.
    pub(crate) fn new(length_bytes: usize, max_content: usize, seed: u64) -> Self {
        Self {
            rows: Vec::new(),
            length_bytes,
            max_content,
            count: 0,
            table: vec![EMPTY; 1024],
            seed,
        }
    }

    /// Number of distinct rows.
    pub(crate) fn len(&self) -> u32 {
        self.count
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

    /// The content of a row.
    pub(crate) fn content(&self, index: u32) -> &[u8] {
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

    /// Number of the row with this content, new or known. The content is no longer than it may be.
    ///
    /// # Panics
    /// If it would be one more than [`MAX_NODES`].
    pub(crate) fn insert(&mut self, content: &[u8]) -> u32 {
        if self.count as usize >= self.table.len() / 3 * 2 {
            self.grow();
        }
        let position = self.position(content);
        if self.table[position] == EMPTY {
            assert!(self.count < MAX_NODES, "a shard has too many distinct rows");
            self.table[position] = self.count;
            self.rows
                .extend_from_slice(&(content.len() as u16).to_le_bytes()[..self.length_bytes]);
            self.rows.extend_from_slice(content);
            self.count += 1;
            self.rows.resize(self.count as usize * self.stride(), 0);
        }
        self.table[position]
    }

    /// Where the content is in the table, or where it belongs.
    fn position(&self, content: &[u8]) -> usize {
        let mask = self.table.len() - 1;
        let mut position = hash_content(content, self.seed) as usize & mask;
        while self.table[position] != EMPTY && self.content(self.table[position]) != content {
            position = (position + 1) & mask;
        }
        position
    }

    fn grow(&mut self) {
        self.table = vec![EMPTY; self.table.len() * 2];
        let mask = self.table.len() - 1;
        for index in 0..self.count {
            let mut position = hash_content(self.content(index), self.seed) as usize & mask;
            while self.table[position] != EMPTY {
                position = (position + 1) & mask;
            }
            self.table[position] = index;
        }
    }
}
