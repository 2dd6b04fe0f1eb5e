//! Near codes of a group, from its columns of words. Plain loops over words: the compiler makes of them what the instruction
//! set has.

use std::ops::Range;

use super::{Measure, jaccard_key};
use crate::words::{Group, WORD_BYTES};

/// Codes whose counts are summed up side by side.
const BLOCK: usize = 64;
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
    count: usize,
}

impl<'a> Words<'a> {
    /// A query of `bytes` bytes and a group.
    pub(crate) fn new(query: &'a [u64], bytes: usize, group: &Group<'a>) -> Self {
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
        let mask = if word + 1 == self.query.len() {
            self.last
        } else {
            u64::MAX
        };
        (self.query[word], mask, column.get(..codes).unwrap_or_default())
    }
}

/// Fills `near` with keys and numbers of codes in the range that have a key less than `below`.
#[inline(always)]
pub(crate) fn near<M: Measure>(words: &Words<'_>, range: Range<usize>, below: u32, near: &mut Vec<(u32, u32)>) {
    near.clear();
    if below == 0 {
        return;
    }
    let end = range.end.min(words.count);
    let mut first = range.start;
    while first + BLOCK <= end {
        M::near_block(words, first, BLOCK, below, near);
        first += BLOCK;
    }
    if first < end {
        M::near_block(words, first, end - first, below, near);
    }
}

/// Adds keys and numbers of codes of which at most `most` bits differ from the query's; `key` is that of so many bits in so
/// many bytes.
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
    // A look at eight together, as nearly all are too far.
    for (first_of, some) in (first..).step_by(LANES).zip(differing[..codes].chunks(LANES)) {
        if some.iter().fold(u64::MAX, |least, &bits| least.min(bits)) <= most {
            let near_ones = (first_of..).zip(some).filter(|&(_, &bits)| bits <= most);
            near.extend(near_ones.map(|(number, &bits)| (key(bits as u32, words.bytes), number as u32)));
        }
    }
}

/// Adds keys and numbers of codes with a Jaccard key less than `below`.
#[inline(always)]
pub(super) fn jaccard_block(words: &Words<'_>, first: usize, codes: usize, below: u32, near: &mut Vec<(u32, u32)>) {
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
        // As the key is less than `below`, without a division; a key of nothing at all is 0.
        if (either - both) << 31 < u64::from(below) * either.max(1) {
            near.push((jaccard_key(both as u32, either as u32), (first + index) as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::build::BuildControl;
    use crate::distance::{Metric, Query};
    use crate::kernels::{Kernel, Rows, Words};
    use crate::words::WordColumns;

    /// Numbers that look random.
    fn mixed(n: u64) -> u64 {
        (n ^ n >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ n.wrapping_mul(0x94D0_49BB_1331_11EB) >> 31
    }

    /// Rows of codes of up to 40 bytes, of these lengths in turn.
    fn rows(count: usize, lengths: &[usize]) -> Vec<u8> {
        let mut rows = vec![0; count * 41];
        for (number, row) in rows.chunks_mut(41).enumerate() {
            let length = lengths[number % lengths.len()];
            row[0] = length as u8;
            for (at, byte) in row[1..=length].iter_mut().enumerate() {
                *byte = mixed((number * 64 + at) as u64 + 1) as u8;
            }
        }
        rows
    }

    #[test]
    fn all_kernels_agree_with_single_keys() {
        for (count, lengths) in [(1, &[32][..]), (200, &[8]), (400, &[8, 16, 32]), (333, &[1, 5, 23, 40])] {
            let bytes = rows(count, lengths);
            let rows = Rows::new(&bytes, 40);
            let columns = WordColumns::of(rows, &BuildControl::new()).unwrap();
            for (metric, query_bytes) in [
                (Metric::Nphd, 32),
                (Metric::Nphd, 3),
                (Metric::Jaccard, 17),
                (Metric::Nphd, 64),
                (Metric::Hamming, 32),
                (Metric::Hamming, 3),
                (Metric::Hamming, 64),
            ] {
                let code: Vec<u8> = (0..query_bytes).map(|at| mixed(at + 9999) as u8).collect();
                let query = Query::new(metric, &code);
                for below in [
                    0,
                    1,
                    1 << 27,
                    1 << 28,
                    1 << 29,
                    1 << 30,
                    (1 << 30) + 12_345_678,
                    1 << 31,
                    u32::MAX,
                ] {
                    for kernel in Kernel::available() {
                        check(&query, rows, &columns, below, kernel);
                    }
                }
            }
        }
    }

    fn check(query: &Query, rows: Rows<'_>, columns: &WordColumns, below: u32, kernel: Kernel) {
        let mut found = Vec::new();
        let words: Vec<u64> = query.words().to_vec();
        for group in columns.table().groups() {
            let mut near = Vec::new();
            let common = Words::new(&words, query.code().len(), &group);
            kernel.near_words(query.metric(), &common, 0..group.count, below, &mut near);
            assert!(near.is_sorted_by_key(|&(_, number)| number));
            found.extend(near.iter().map(|&(key, number)| (group.node(number as usize), key)));
        }
        found.sort_unstable();
        let key = |node| query.key(rows.code(node).unwrap());
        let expected: Vec<(u32, u32)> = (0..rows.count())
            .map(|node| (node, key(node)))
            .filter(|&(_, key)| key < below)
            .collect();
        assert_eq!(found, expected, "{kernel:?} {below}");
    }
}
