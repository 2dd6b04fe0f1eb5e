//! Codes: byte strings of any length up to a limit, and their words.

/// Longest code in bytes (32,768 bits).
pub const MAX_CODE_BYTES: usize = 4096;

/// Bytes of a word.
pub const WORD_BYTES: usize = 8;

/// The code in words, the last one padded with zeros.
pub(crate) fn words_of(code: &[u8]) -> Box<[u64]> {
    code.chunks(WORD_BYTES).map(padded_word).collect()
}

fn padded_word(bytes: &[u8]) -> u64 {
    let mut word = [0; WORD_BYTES];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}
