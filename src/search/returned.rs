//! Which rows a scan has returned.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use iscc_log::log_page::Tid;

/// Offset numbers of one word.
const WORD_BITS: u16 = u64::BITS as u16;

/// A set of heap TIDs: a bitmap for each 64 neighbouring offset numbers. A scan that returns a whole table needs a
/// fraction of a byte a row.
#[derive(Default)]
pub struct Returned {
    words: HashMap<u64, u64, BuildHasherDefault<WordHasher>>,
    len: usize,
}

impl Returned {
    /// Adds a TID; false when it is there already.
    pub fn insert(&mut self, tid: &Tid) -> bool {
        let (word, bit) = place(tid);
        let word = self.words.entry(word).or_default();
        let is_new = *word & bit == 0;
        *word |= bit;
        self.len += usize::from(is_new);
        is_new
    }

    /// True when the TID was added.
    pub fn contains(&self, tid: &Tid) -> bool {
        let (word, bit) = place(tid);
        self.words.get(&word).is_some_and(|word| word & bit != 0)
    }

    /// Number of TIDs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Empties the set; keeps its memory for the next query.
    pub fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }
}

/// Mixes a word's number: no resistance to chosen keys is needed, as users cannot choose TIDs.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write_u64(&mut self, number: u64) {
        // The table looks at the high and the low bits.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(self.0 ^ u64::from(byte)));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The word and the bit in it that stand for a TID.
fn place(tid: &Tid) -> (u64, u64) {
    let offset = u16::from_ne_bytes([tid[4], tid[5]]);
    let block = u32::from_ne_bytes([tid[0], tid[1], tid[2], tid[3]]);
    let word = u64::from(block) << 16 | u64::from(offset / WORD_BITS);
    (word, 1 << (offset % WORD_BITS))
}
