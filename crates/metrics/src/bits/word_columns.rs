//! Near codes of a group, from its columns of words. Plain loops over words: the compiler makes of them what the instruction
//! set has.

use super::key::is_fraction_below;
use super::layout::WordGroup;
use crate::code::WORD_BYTES;
use crate::prefetch::prefetch_lines;

/// Codes whose counts are summed up side by side.
pub(super) const BLOCK: usize = 64;
/// Codes from those that are compared to those that are asked for: fewer come too late, more are displaced before they are
/// read.
const AHEAD: usize = 6 * BLOCK;
/// Counts that are compared together.
const LANES: usize = 8;

/// The common words of a query and the codes of a group.
pub(crate) struct Words<'a> {
    /// Of the query, as many as are in common.
    query: &'a [u64],
    /// Bits of the last one that are in common.
    last: u64,
    /// Bytes in common.
    bytes: usize,
    /// Columns of `count` words.
    columns: &'a [[u8; WORD_BYTES]],
    pub(super) count: usize,
}

impl<'a> Words<'a> {
    /// A query of `bytes` bytes and a group.
    pub(crate) fn new(query: &'a [u64], bytes: usize, group: &WordGroup<'a>) -> Self {
        let bytes = bytes.min(group.code_bytes);
        let query = &query[..bytes.div_ceil(WORD_BYTES).min(query.len())];
        let beyond = (query.len() * WORD_BYTES - bytes) * 8;
        Self {
            query,
            last: u64::MAX.checked_shr(beyond as u32).unwrap_or(0),
            bytes,
            columns: group.words,
            count: group.count,
        }
    }

    /// Bytes in common.
    #[inline(always)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A word of the query, which bits of it count, and this word of some codes.
    #[inline(always)]
    fn column(&self, word: usize, first: usize, codes: usize) -> (u64, u64, &'a [[u8; WORD_BYTES]]) {
        let column = self.columns.get(word * self.count + first..).unwrap_or_default();
        // The processor's own prefetching can lose columns that are read side by side, above all if they begin at nearly the
        // same place of a page, as those of a million codes do.
        prefetch_lines(column.as_ptr().wrapping_add(AHEAD).cast(), BLOCK * WORD_BYTES);
        let mask = if word + 1 == self.query.len() {
            self.last
        } else {
            u64::MAX
        };
        (self.query[word], mask, column.get(..codes).unwrap_or_default())
    }
}

/// Adds keys and numbers of codes of which at most `most` bits differ from the query's; `key` makes a key of the number of
/// these bits and the number of bytes.
#[inline(always)]
pub(super) fn differing_block(
    words: &Words<'_>,
    first: usize,
    codes: usize,
    most: u64,
    key: impl Fn(u32, usize) -> u32,
    near: &mut Vec<(u32, u32)>,
) {
    let mut differing = [0u64; BLOCK];
    for word in 0..words.query.len() {
        let (query, mask, column) = words.column(word, first, codes);
        let mut least = u64::MAX;
        for (bits, code) in differing.iter_mut().zip(column) {
            *bits += u64::from(((u64::from_le_bytes(*code) ^ query) & mask).count_ones());
            least = least.min(*bits);
        }
        if least > most {
            return;
        }
    }
    // Eight are tested at a time, as nearly all are too far.
    for (first_of, some) in (first..).step_by(LANES).zip(differing[..codes].chunks(LANES)) {
        if some.iter().fold(u64::MAX, |least, &bits| least.min(bits)) <= most {
            let near_ones = (first_of..).zip(some).filter(|&(_, &bits)| bits <= most);
            near.extend(near_ones.map(|(number, &bits)| (key(bits as u32, words.bytes), number as u32)));
        }
    }
}

/// Adds keys and numbers of codes with a key less than `below`. `key` makes a key of the number of bits that are set in one of
/// the two codes only, and of `whole`.
#[inline(always)]
pub(super) fn counted_block(
    words: &Words<'_>,
    first: usize,
    codes: usize,
    below: u32,
    whole: impl Fn(u64, u64) -> u64,
    key: impl Fn(u32, u32) -> u32,
    near: &mut Vec<(u32, u32)>,
) {
    let (mut both, mut either) = ([0u64; BLOCK], [0u64; BLOCK]);
    for word in 0..words.query.len() {
        let (query, mask, column) = words.column(word, first, codes);
        for ((both, either), code) in both.iter_mut().zip(&mut either).zip(column) {
            let code = u64::from_le_bytes(*code);
            *both += u64::from((code & query & mask).count_ones());
            *either += u64::from(((code | query) & mask).count_ones());
        }
    }
    let counts = both[..codes].iter().zip(&either[..codes]);
    for (index, (&both, &either)) in counts.enumerate() {
        if is_fraction_below(either - both, whole(both, either), below) {
            near.push((key(both as u32, either as u32), (first + index) as u32));
        }
    }
}
