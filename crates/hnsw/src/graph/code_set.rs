//! The distinct codes of a shard to be: an arena of rows and a hash table over it.

use iscc_metrics::bits::length_bytes;

use super::levels::MAX_NODES;

const EMPTY: u32 = u32::MAX;

/// Mixes two words into one; both halves of the 128-bit product count.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Seeded hash of a code.
pub(crate) fn hash_code(code: &[u8], seed: u64) -> u64 {
    let mut state = fold(seed ^ 0x9E37_79B9_7F4A_7C15, code.len() as u64 ^ 0xD6E8_FEB8_6659_FD93);
    for chunk in code.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = fold(state ^ u64::from_le_bytes(word), 0xA076_1D64_78BD_642F);
    }
    fold(state ^ seed, 0xE703_7ED1_A0B4_28DB)
}

/// Distinct codes, numbered in the order of their first appearance.
pub(crate) struct CodeSet {
    rows: Vec<u8>,
    max_code_bytes: usize,
    count: u32,
    table: Vec<u32>,
    seed: u64,
}

impl CodeSet {
    pub(crate) fn new(max_code_bytes: usize, seed: u64) -> Self {
        Self {
            rows: Vec::new(),
            max_code_bytes,
            count: 0,
            table: vec![EMPTY; 1024],
            seed,
        }
    }

    /// Number of distinct codes.
    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    /// Bytes of a row, length field and padding included.
    pub(crate) fn stride(&self) -> usize {
        length_bytes(self.max_code_bytes) + self.max_code_bytes
    }

    /// The row of a code: length, code, padding.
    pub(crate) fn row(&self, index: u32) -> &[u8] {
        &self.rows[index as usize * self.stride()..][..self.stride()]
    }

    /// A code.
    pub(crate) fn code(&self, index: u32) -> &[u8] {
        let (field, code) = self.row(index).split_at(length_bytes(self.max_code_bytes));
        let length = field
            .iter()
            .rev()
            .fold(0, |length, &byte| length << 8 | usize::from(byte));
        &code[..length]
    }

    /// Number of the code, new or known. The code is at most `max_code_bytes` long.
    ///
    /// # Panics
    /// If it would be one more than [`MAX_NODES`].
    pub(crate) fn insert(&mut self, code: &[u8]) -> u32 {
        if self.count as usize >= self.table.len() / 3 * 2 {
            self.grow();
        }
        let position = self.position(code);
        if self.table[position] == EMPTY {
            assert!(self.count < MAX_NODES, "a shard has too many distinct codes");
            self.table[position] = self.count;
            self.rows
                .extend_from_slice(&(code.len() as u16).to_le_bytes()[..length_bytes(self.max_code_bytes)]);
            self.rows.extend_from_slice(code);
            self.count += 1;
            self.rows.resize(self.count as usize * self.stride(), 0);
        }
        self.table[position]
    }

    /// Where the code is in the table, or where it belongs.
    fn position(&self, code: &[u8]) -> usize {
        let mask = self.table.len() - 1;
        let mut position = hash_code(code, self.seed) as usize & mask;
        while self.table[position] != EMPTY && self.code(self.table[position]) != code {
            position = (position + 1) & mask;
        }
        position
    }

    fn grow(&mut self) {
        self.table = vec![EMPTY; self.table.len() * 2];
        let mask = self.table.len() - 1;
        for index in 0..self.count {
            let mut position = hash_code(self.code(index), self.seed) as usize & mask;
            while self.table[position] != EMPTY {
                position = (position + 1) & mask;
            }
            self.table[position] = index;
        }
    }
}
