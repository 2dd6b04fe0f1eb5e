//! The codes of a shard once more, in columns of words: what an exact scan streams through.
//!
//! Codes of one length form a group. It has the first words (8 bytes) of all its codes, then their second words, and so
//! on; the last one is padded with zeros. A scan reads the words that query and code have in common and no others, no
//! code needs a look at its length, and the other words are not read where the first ones differ too much.
//!
//! Behind all words come the tables of the groups' pieces.

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use iscc_metrics::MAX_CODE_BYTES;
use iscc_metrics::bits::{Rows, WordGroup};
use iscc_metrics::code::WORD_BYTES;

use super::pieces::{self, PieceTables};
use crate::control::{BuildControl, Cancelled};

/// A group in the file, see [`mod@super::format`].
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct GroupRecord {
    /// Length of the codes in bytes.
    pub code_bytes: U16,
    /// Number of pieces of the codes that have tables, see `pieces.rs`.
    pub pieces: U16,
    /// Number of codes.
    pub count: U32,
}

/// The sections `groups` and `words` of a shard.
#[derive(Clone, Copy)]
pub(crate) struct WordTable<'a> {
    groups: &'a [GroupRecord],
    bytes: &'a [u8],
}

/// Bytes of a group's node numbers, where there are any.
fn number_bytes(groups: usize, count: usize) -> usize {
    if groups > 1 {
        (count * 4).next_multiple_of(WORD_BYTES)
    } else {
        0
    }
}

impl<'a> WordTable<'a> {
    /// The table in these bytes, whatever they are.
    pub(crate) fn new(groups: &'a [u8], bytes: &'a [u8]) -> Self {
        Self {
            groups: <[GroupRecord]>::ref_from_bytes(groups).unwrap_or_default(),
            bytes,
        }
    }

    /// Bytes of the words of all groups, before the tables of pieces.
    pub(crate) fn word_bytes(&self) -> usize {
        let rest = self.parts().last().map_or(self.bytes, |(_, rest)| rest);
        self.bytes.len() - rest.len()
    }

    /// The groups; on damaged bytes those before the damage.
    pub(crate) fn groups(&self) -> impl Iterator<Item = WordGroup<'a>> + use<'a> {
        self.parts().map(|(group, _)| group)
    }

    /// The groups with what follows their words.
    fn parts(&self) -> impl Iterator<Item = (WordGroup<'a>, &'a [u8])> + use<'a> {
        let (groups, mut rest) = (self.groups, self.bytes);
        groups.iter().map_while(move |record| {
            let (code_bytes, count) = (usize::from(record.code_bytes.get()), record.count.get() as usize);
            if !(1..=MAX_CODE_BYTES).contains(&code_bytes) {
                return None;
            }
            let (numbers, after) = rest.split_at_checked(number_bytes(groups.len(), count))?;
            let words;
            (words, rest) = after.split_at_checked(code_bytes.div_ceil(WORD_BYTES) * count * WORD_BYTES)?;
            let group = WordGroup {
                code_bytes,
                numbers: (groups.len() > 1).then(|| &numbers.as_chunks().0[..count]),
                words: words.as_chunks().0,
                count,
            };
            Some((group, rest))
        })
    }

    /// The groups with the tables of their pieces, in a shard of `nodes` nodes; on damaged bytes those before the
    /// damage.
    pub(crate) fn pieces(&self, nodes: u32) -> impl Iterator<Item = (WordGroup<'a>, PieceTables<'a>)> + use<'a> {
        let records = self.groups;
        let (words, mut rest) = self
            .parts()
            .fold((Vec::new(), self.bytes), |(mut groups, _), (group, rest)| {
                groups.push(group);
                (groups, rest)
            });
        words.into_iter().zip(records).map_while(move |(group, record)| {
            let tables;
            (tables, rest) = PieceTables::split_from(rest, record.pieces.get().into(), group.count, nodes)?;
            Some((group, tables))
        })
    }
}

/// A table under construction.
#[derive(Default)]
pub(crate) struct WordColumns {
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) bytes: Vec<u8>,
}

impl WordColumns {
    /// The table of all rows, with tables of their pieces if wanted.
    pub(crate) fn of(rows: Rows<'_>, wants_pieces: bool, control: &BuildControl) -> Result<Self, Cancelled> {
        let mut counts = vec![0u32; MAX_CODE_BYTES + 1];
        for node in 0..rows.count() {
            counts[length_of(rows, node)] += 1;
        }
        let lengths = || (1..counts.len()).filter(|&length| counts[length] > 0);
        let group_count = lengths().count();
        let mut columns = Self::default();
        // Of each length: where its numbers and words are, and how many codes are there already.
        let mut places = vec![(0, 0, 0); counts.len()];
        let mut end = 0;
        for length in lengths() {
            let count = counts[length] as usize;
            let numbers = end;
            let words = numbers + number_bytes(group_count, count);
            end = words + length.div_ceil(WORD_BYTES) * count * WORD_BYTES;
            places[length] = (numbers, words, 0usize);
            columns.groups.push(GroupRecord {
                code_bytes: (length as u16).into(),
                pieces: if wants_pieces { pieces::count(length, count) } else { 0 }.into(),
                count: counts[length].into(),
            });
        }
        columns.bytes.resize(end, 0);
        for node in 0..rows.count() {
            control.check_at(node as usize)?;
            let code = rows.code(node).unwrap_or_default();
            let (numbers, words, index) = &mut places[code.len()];
            if group_count > 1 {
                columns.bytes[*numbers + *index * 4..][..4].copy_from_slice(&node.to_le_bytes());
            }
            let count = counts[code.len()] as usize;
            for (column, word) in code.chunks(WORD_BYTES).enumerate() {
                columns.bytes[*words + (column * count + *index) * WORD_BYTES..][..word.len()].copy_from_slice(word);
            }
            *index += 1;
        }
        columns.add_pieces(rows.count(), control)?;
        Ok(columns)
    }

    /// Adds the tables of pieces.
    fn add_pieces(&mut self, nodes: u32, control: &BuildControl) -> Result<(), Cancelled> {
        let mut bytes = Vec::new();
        for (group, record) in self.table().groups().zip(&self.groups) {
            for piece in 0..usize::from(record.pieces.get()) {
                pieces::write_table(&group, piece, nodes, &mut bytes, control)?;
            }
        }
        self.bytes.append(&mut bytes);
        Ok(())
    }

    /// Whether any code has tables of its pieces.
    pub(crate) fn has_pieces(&self) -> bool {
        self.groups.iter().any(|group| group.pieces.get() > 0)
    }

    pub(crate) fn table(&self) -> WordTable<'_> {
        WordTable {
            groups: &self.groups,
            bytes: &self.bytes,
        }
    }
}

fn length_of(rows: Rows<'_>, node: u32) -> usize {
    rows.code(node).map_or(0, <[u8]>::len)
}

/// The most bytes that the table takes for `nodes` codes of at most this length.
pub(crate) fn estimated_bytes(nodes: u64, max_code_bytes: u16) -> u64 {
    let words = nodes * (4 + u64::from(max_code_bytes).next_multiple_of(WORD_BYTES as u64));
    words + pieces::estimated_bytes(nodes, max_code_bytes.into())
}
