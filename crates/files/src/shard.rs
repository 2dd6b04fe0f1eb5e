//! One `.usearch` file: matrix of rows, head, graph header, levels, node records. `format` of `iscc_hnsw` has the
//! fields.
//!
//! Rows, levels and records are read side by side from the start to the end. A file that does not say the same
//! everywhere is damaged. A change of a row cannot be seen: there are no checksums.

use iscc_hnsw::shard::format::{DenseHead, GraphHeader};
use zerocopy::FromBytes;

use crate::error::{FileError, Result, damaged};
use crate::key::{Key, KeyKind};
use crate::source::{Cursor, Source, array_at};

/// Longest row in bytes: that of the longest code, and its length.
const MAX_ROW_BYTES: u64 = 4096;
/// Most links of a node on the upper levels. USearch's default is 16.
const MAX_LINKS: u64 = 4096;
/// Highest level. With the fewest links, two, one of 2⁶⁴ nodes would get there.
const MAX_LEVEL: u64 = 64;
/// Bytes before the matrix.
const MATRIX_OFFSET: u64 = 8;
const HEAD_BYTES: u64 = size_of::<DenseHead>() as u64;
const HEADER_BYTES: u64 = size_of::<GraphHeader>() as u64;
/// USearch's number for one bit.
const SCALAR_BITS: u8 = 1;
/// Its letters for metrics of bits: Hamming, Tanimoto, Jaccard, Sørensen.
const BIT_METRICS: &[u8] = b"btjs";
const NPHD: u8 = b'n';

/// What all rows of a file have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description {
    /// The keys.
    pub keys: KeyKind,
    /// USearch's letter of the metric.
    pub metric: u8,
    /// Bytes of a row: of NPHD the length and the code, else the code.
    pub row_bytes: usize,
    /// Whether a key can have several rows.
    pub multi: bool,
}

/// An open file.
pub struct ShardFile<S> {
    source: S,
    description: Description,
    nodes: u64,
    removed: u64,
    /// Bytes of a slot in a list of links.
    slot_bytes: usize,
    header: GraphHeader,
}

impl<S: Source> ShardFile<S> {
    /// Opens a file: reads its head.
    ///
    /// # Errors
    /// It is no file of USearch, or too short for its nodes, or holds something else than codes.
    pub fn open(source: S) -> Result<Self> {
        if source.is_empty() {
            return damaged("it is empty");
        }
        let size: [u8; 8] = array_at(&source, 0)?;
        let [rows, columns] = [&size[..4], &size[4..]].map(|n| u64::from(u32::from_le_bytes([n[0], n[1], n[2], n[3]])));
        // A product of two 32-bit numbers does not overflow; the sum can, and is then beyond any end.
        let head_offset = (rows * columns).saturating_add(MATRIX_OFFSET);
        let bytes: [u8; HEAD_BYTES as usize] = array_at(&source, head_offset)?;
        let head = DenseHead::read_from_bytes(&bytes).map_err(|_| FileError::WrongKind)?;
        let (description, slot_bytes) = describe(&head, columns)?;
        let bytes: [u8; HEADER_BYTES as usize] = array_at(&source, head_offset + HEAD_BYTES)?;
        let header = GraphHeader::read_from_bytes(&bytes).map_err(|_| FileError::WrongKind)?;
        let shard = Self {
            source,
            description,
            nodes: rows,
            removed: head.deleted.get(),
            slot_bytes,
            header,
        };
        shard.check_counts(&head)?;
        Ok(shard)
    }

    /// What the head says.
    pub fn description(&self) -> Description {
        self.description
    }

    /// Nodes, removed ones included.
    pub fn nodes(&self) -> u64 {
        self.nodes
    }

    /// Bytes of a list of links on a level, its count included.
    fn list_bytes(&self, level: u64) -> u64 {
        let links = match level {
            0 => self.header.connectivity_base.get(),
            _ => self.header.connectivity.get(),
        };
        4 + links * self.slot_bytes as u64
    }

    /// Bytes of the record of a node of level 0.
    fn least_record_bytes(&self) -> u64 {
        self.description.keys.bytes() as u64 + 2 + self.list_bytes(0)
    }

    fn levels_offset(&self) -> u64 {
        MATRIX_OFFSET + self.nodes * self.description.row_bytes as u64 + HEAD_BYTES + HEADER_BYTES
    }

    fn check_counts(&self, head: &DenseHead) -> Result<()> {
        let header = &self.header;
        if head.present.get().checked_add(self.removed) != Some(self.nodes) || header.nodes.get() != self.nodes {
            return damaged("its numbers of nodes do not agree");
        }
        // The highest level of a graph without nodes is -1.
        if self.nodes == 0 {
            return Ok(());
        }
        let is_in_range = |links: u64| (1..=2 * MAX_LINKS).contains(&links);
        if !is_in_range(header.connectivity.get()) || !is_in_range(header.connectivity_base.get()) {
            return damaged("its number of links is out of range");
        }
        if header.max_level.get() > MAX_LEVEL || header.entry_slot.get() >= self.nodes {
            return damaged("its graph has no entry");
        }
        // Fewer than 2³² nodes of less than 2¹⁷ bytes.
        let least = self.levels_offset() + self.nodes * (2 + self.least_record_bytes());
        if least > self.source.len() {
            return damaged("it ends too early");
        }
        Ok(())
    }

    /// All rows.
    pub fn rows(&self) -> Rows<'_, S> {
        let levels = self.levels_offset();
        let records = levels + 2 * self.nodes;
        let end = self.source.len();
        Rows {
            shard: self,
            next: 0,
            removed: 0,
            matrix: Cursor::new(&self.source, MATRIX_OFFSET, levels - HEAD_BYTES - HEADER_BYTES),
            levels: Cursor::new(&self.source, levels, records),
            records: Cursor::new(&self.source, records, end),
        }
    }

    /// Checks a list of links: their number, and that there are such nodes.
    fn check_links(&self, list: &[u8]) -> Result<()> {
        let (count, slots) = list.split_at(4);
        let count = u32::from_le_bytes([count[0], count[1], count[2], count[3]]) as usize;
        let Some(slots) = count.checked_mul(self.slot_bytes).and_then(|bytes| slots.get(..bytes)) else {
            return damaged("a node has more links than there is room for");
        };
        let value = |slot: &[u8]| slot.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
        if slots
            .chunks_exact(self.slot_bytes)
            .any(|slot| value(slot) >= self.nodes)
        {
            return damaged("a link leads to no node");
        }
        Ok(())
    }
}

/// What a head describes; an error if that is not codes.
fn describe(head: &DenseHead, columns: u64) -> Result<(Description, usize)> {
    if head.magic != *b"usearch" {
        return damaged("it is not a file of USearch");
    }
    let [major, minor, _] = head.version.map(|number| number.get());
    // Before 2.10 the scalars and metrics had other numbers.
    if major != 2 || minor < 10 {
        return Err(FileError::Unsupported(format!(
            "files of USearch {major}.{minor} cannot be read"
        )));
    }
    let (keys, slot_bytes) = match (head.key, head.slot) {
        (14, 15) => (KeyKind::Number, 4),
        (14, 2) => (KeyKind::Number, 5),
        (3, 2) => (KeyKind::Uuid, 5),
        (3, 15) => (KeyKind::Uuid, 4),
        (key, slot) => return damaged(format!("kind {key} of keys and kind {slot} of slots are unknown")),
    };
    if head.scalar != SCALAR_BITS || !(head.metric == NPHD || BIT_METRICS.contains(&head.metric)) {
        return Err(FileError::Unsupported("it holds vectors of numbers, not codes".into()));
    }
    let least = 1 + u64::from(head.metric == NPHD);
    if !(least..=MAX_ROW_BYTES).contains(&columns) || head.dimensions.get().div_ceil(8) != columns {
        return damaged("the length of its rows is not that of its codes");
    }
    if head.multi > 1 {
        return damaged("its head is not USearch's");
    }
    let description = Description {
        keys,
        metric: head.metric,
        row_bytes: columns as usize,
        multi: head.multi == 1,
    };
    Ok((description, slot_bytes))
}

/// Reads the rows one after the other.
pub struct Rows<'a, S> {
    shard: &'a ShardFile<S>,
    next: u64,
    removed: u64,
    matrix: Cursor<'a, S>,
    levels: Cursor<'a, S>,
    records: Cursor<'a, S>,
}

/// A row.
pub struct Row<'a> {
    /// Its key.
    pub key: Key,
    /// The code; without bytes where the package has stored none.
    pub code: &'a [u8],
}

impl<S: Source> Rows<'_, S> {
    /// The next row that has not been removed; None at the end.
    ///
    /// # Errors
    /// The file is damaged here, or not complete.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        let description = self.shard.description;
        let key = loop {
            let Some(key) = self.next_key()? else { return Ok(None) };
            if key.is_removed() {
                self.matrix.take(description.row_bytes)?;
            } else {
                break key;
            }
        };
        let row = self.matrix.take(description.row_bytes)?;
        let code = match (description.metric, row.split_first()) {
            // Of longer codes the package has kept the beginning and the length.
            (NPHD, Some((&length, code))) => &code[..code.len().min(length.into())],
            _ => row,
        };
        Ok(Some(Row { key, code }))
    }

    /// The next key, also that of a removed row. Either this is called or [`Rows::next`].
    pub(crate) fn next_key(&mut self) -> Result<Option<Key>> {
        let shard = self.shard;
        if self.next == shard.nodes {
            return self.end().map(|()| None);
        }
        self.next += 1;
        let level = self.levels.take(2)?;
        let level = u16::from_le_bytes([level[0], level[1]]);
        if u64::from(level) > shard.header.max_level.get() {
            return damaged("a node has a level that the graph does not have");
        }
        let keys = shard.description.keys;
        let head = self.records.take(keys.bytes() + 2)?;
        let (key, stated) = (keys.read(&head[..keys.bytes()]), &head[keys.bytes()..]);
        if *stated != level.to_le_bytes() {
            return damaged("the levels of a node do not agree");
        }
        self.removed += u64::from(key.is_removed());
        for level in 0..=u64::from(level) {
            shard.check_links(self.records.take(shard.list_bytes(level) as usize)?)?;
        }
        Ok(Some(key))
    }

    /// What must hold at the end.
    fn end(&self) -> Result<()> {
        if self.records.position() != self.shard.source.len() {
            return damaged("it is longer than its graph");
        }
        // A key of all ones that somebody gave to an entry is not counted as removed.
        if self.removed < self.shard.removed {
            return damaged("its number of removed nodes is wrong");
        }
        Ok(())
    }
}
