//! Every byte of a shard file.
//!
//! All numbers are little-endian and may be unaligned.
//!
//! ```text
//! ┌──────────────────────── payload: what USearch 2.x serializes ───────────────────────┐┌──────────── trailer, 8-aligned parts ───────────┐
//! ┌──────┬─────────────────┬────────────┬──────────────┬──────────────┬─────────────────┐┌─────────┬───────┬────────┬────────┬───────┬────────┐┌────────┐
//! │ size │ rows (vectors)  │ dense head │ graph header │ node levels  │ node records    ││ posting │ ordi- │ entry  │ groups/│ words │ cali-  ││ footer │
//! │ 8 B  │ nodes × stride  │ 64 B       │ 40 B         │ nodes × 2 B  │ 1 per node      ││ offsets │ nals  │ ranges │ scales │       │ bration││ 392 B  │
//! └──────┴─────────────────┴────────────┴──────────────┴──────────────┴─────────────────┘└─────────┴───────┴────────┴────────┴───────┴────────┘└────────┘
//!  └─ section "vectors" ─┘  └──────────────────── section "graph" ────────────────────┘
//! ```
//!
//! The rows of a shard are codes ([`CODES_VERSION`], [`PIECES_VERSION`]), or are derived from dense vectors
//! ([`DENSE_VERSION`]), or say where values are that only a function of the caller's understands ([`OPAQUE_VERSION`]).
//!
//! | part | content |
//! |---|---|
//! | size | rows `u32`, at most [`MAX_NODES`](crate::MAX_NODES), stride `u32` |
//! | row of a code | length (1 byte; 2 bytes if codes of more than 255 bytes are allowed), code, zeros up to the longest code |
//! | row of a vector | as [`iscc_metrics::dense::rows`] encodes it; as USearch does where scalars are `f16` or `f32` |
//! | row of an opaque value | where it begins among the words (40 bits) and its length there (24 bits), as one `u64` |
//! | dense head | [`DenseHead`]; metric as [`Metric::letter`] has it; scalars `b1x8` of codes, unknown of opaque values, else `i8`, `f16` or `f32`; keys `u64`; slots `u32` |
//! | graph header | [`GraphHeader`]; the entry slot is node 0 |
//! | node levels | `i16` each |
//! | node record | key `u64` (the node number), level `i16`, then for each level from 0: count `u32` and room for `2 m` (level 0) or `m` links `u32`; unused room is zero |
//! | posting offsets | `u32` × (nodes + 1): node `n` has the ordinals from offset `n` to offset `n + 1` |
//! | ordinals | `u32` × entries, ascending within a node |
//! | entry ranges | [`RangeRecord`] each: where in the log the ordinals are, see [`super::ranges`] |
//! | groups | of codes: [`GroupRecord`] each, by ascending length of their codes |
//! | scales | of vectors: `f32` for each dimension, if rows have them |
//! | words | of codes, for each group: node number of each code `u32`, padded to 8 bytes, left out if there is one group only; then the codes in columns of 8-byte words. Behind all groups, for each piece of each group that has tables: where each bucket begins `u32` × (codes / 16 + 1), then the entries `u32`, see `pieces.rs` |
//! | words | of opaque values, instead: the values, each behind its checksum as [`opaque`](crate::opaque) stores it |
//! | calibration | how well searches of the graph do, see [`Calibration`](super::Calibration) |
//! | footer | [`Footer`] |
//!
//! Nodes are numbered by level descending, then bytewise by code or opaque value (a prefix before its extensions)
//! or by row. So the record of a
//! node is found from the footer's level counts alone, without a table of offsets: before node `n` lie `n` base parts
//! and, for each level `l > 0`, `min(n, level_counts[l])` upper lists.

use zerocopy::byteorder::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use iscc_metrics::Metric;

use super::calibration::CodeCurves;
pub use super::words::GroupRecord;
use crate::graph::levels::{Levels, MAX_LEVEL};

/// Last bytes of every shard file.
pub const MAGIC: [u8; 8] = *b"ISCCHNSW";

/// Version of this format for shards of codes.
pub const CODES_VERSION: u32 = 2;

/// The same with tables of the pieces of codes, behind their words.
pub const PIECES_VERSION: u32 = 5;

/// Version of this format for shards of dense vectors.
pub const DENSE_VERSION: u32 = 3;

/// Version of this format for shards of values that only a function of the caller's understands.
pub const OPAQUE_VERSION: u32 = 4;

/// USearch's description of the index, after the vectors.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct DenseHead {
    /// `usearch`.
    pub magic: [u8; 7],
    /// Major, minor and patch version of USearch whose format this is.
    pub version: [U16; 3],
    /// [`Metric::letter`].
    pub metric: u8,
    /// Scalar: 1 = one bit, 11 = `f32`, 12 = `f16`, 23 = `i8`.
    pub scalar: u8,
    /// Key: 14 = `u64`.
    pub key: u8,
    /// Slot: 15 = `u32`.
    pub slot: u8,
    /// Number of nodes.
    pub present: U64,
    /// Always 0.
    pub deleted: U64,
    /// Bits of a row of a code, length field included; or dimensions of a vector.
    pub dimensions: U64,
    /// Always 0: keys are unique.
    pub multi: u8,
    /// Zeros up to 64 bytes.
    pub reserved: [u8; 22],
}

impl DenseHead {
    /// The head of a shard.
    pub fn new(metric: Metric, nodes: u32, scalar: u8, dimensions: u64) -> Self {
        Self {
            magic: *b"usearch",
            version: [2.into(), 26.into(), 6.into()],
            metric: metric.letter(),
            scalar,
            key: 14,
            slot: 15,
            present: u64::from(nodes).into(),
            deleted: 0.into(),
            dimensions: dimensions.into(),
            multi: 0,
            reserved: [0; 22],
        }
    }
}

/// USearch's description of the graph, after the dense head.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct GraphHeader {
    /// Number of nodes.
    pub nodes: U64,
    /// Links of a node on the upper levels.
    pub connectivity: U64,
    /// Links of a node on the base level.
    pub connectivity_base: U64,
    /// Highest level.
    pub max_level: U64,
    /// Always 0.
    pub entry_slot: U64,
}

impl GraphHeader {
    /// The header of a shard.
    pub(crate) fn new(levels: &Levels, m: u16) -> Self {
        Self {
            nodes: u64::from(levels.nodes()).into(),
            connectivity: u64::from(m).into(),
            connectivity_base: (2 * u64::from(m)).into(),
            max_level: (levels.max_level() as u64).into(),
            entry_slot: 0.into(),
        }
    }
}

/// An [`EntryRange`](super::ranges::EntryRange) in the file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct RangeRecord {
    /// First block.
    pub start_block: U32,
    /// Number of blocks.
    pub block_count: U32,
    /// Entries that each page of entries has room for.
    pub slots_per_page: U16,
    /// Blocks after each of these pages that have no entries; zero unless values span pages.
    pub part_blocks: U16,
}

/// Where a section is, and its checksum.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Section {
    /// From the start of the file.
    pub offset: U64,
    /// Length in bytes, padding not included.
    pub bytes: U64,
    /// CRC-32C of the section.
    pub crc: U32,
    /// Zero.
    pub reserved: U32,
}

/// The last bytes of the file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct Footer {
    /// Random identity of the shard.
    pub id: [u8; 16],
    /// When it was built, Unix seconds.
    pub built_at: I64,
    /// Where in the write-ahead log the last change of the entries ends.
    pub lsn: U64,
    /// Length of the whole file.
    pub file_bytes: U64,
    /// Entries: ordinals of all posting lists.
    pub entries: U32,
    /// [`Metric::number`].
    pub metric: u8,
    /// Highest level.
    pub max_level: u8,
    /// Links of a node on the upper levels.
    pub m: U16,
    /// Candidates kept while it was built.
    pub ef_construction: U16,
    /// Longest code in bytes; or dimensions; or the length of opaque values, 0 if it varies.
    pub width: U16,
    /// Of vectors: number of the scalar of their values; else zero.
    pub scalar: u8,
    /// Of vectors: number of the kind of their rows; of opaque values: that of their layout; else zero.
    pub row_kind: u8,
    /// Zero.
    pub reserved: U16,
    /// Nodes of each level or higher; the first is the number of nodes.
    pub level_counts: [U32; MAX_LEVEL + 1],
    /// Sizes and rows.
    pub vectors: Section,
    /// Dense head to node records.
    pub graph: Section,
    /// Offsets into the ordinals.
    pub posting_offsets: Section,
    /// Ordinals of all nodes.
    pub ordinals: Section,
    /// Entry ranges.
    pub ranges: Section,
    /// What there is to know of the rows: groups of codes of one length each; or the scales of vectors.
    pub details: Section,
    /// Words of codes; of vectors empty; opaque values.
    pub words: Section,
    /// Measured when the shard was built.
    pub calibration: Section,
    /// [`CODES_VERSION`], [`PIECES_VERSION`], [`DENSE_VERSION`] or [`OPAQUE_VERSION`].
    pub version: U32,
    /// CRC-32C of the footer before this field.
    pub crc: U32,
    /// [`MAGIC`].
    pub magic: [u8; 8],
}

/// Length of the footer.
pub const FOOTER_BYTES: usize = size_of::<Footer>();

/// Bytes of the footer that its checksum covers.
pub const FOOTER_CRC_BYTES: usize = std::mem::offset_of!(Footer, crc);

const _: () = assert!(size_of::<DenseHead>() == 64 && size_of::<GraphHeader>() == 40 && FOOTER_BYTES == 392);

/// Bytes that do not grow with the number of nodes: head, header, size, calibration, footer, padding.
pub(crate) const FIXED_BYTES: u64 = 8 + 64 + 40 + 4 + 6 * 8 + (size_of::<CodeCurves>() + FOOTER_BYTES) as u64;

/// Bytes of a node record before its links: key and level.
pub(crate) const NODE_HEAD_BYTES: u64 = 10;

/// Bytes of a neighbour list on an upper level.
pub(crate) const fn upper_list_bytes(m: u64) -> u64 {
    4 + 4 * m
}

/// Bytes of a node record of level 0.
pub(crate) const fn base_node_bytes(m: u64) -> u64 {
    NODE_HEAD_BYTES + 4 + 8 * m
}

/// Offsets and sizes in the payload, all that follows from counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) levels: Levels,
    pub(crate) m: u64,
    /// Bytes of a row.
    pub(crate) stride: u64,
    /// All upper lists of the graph, the addend for most nodes.
    upper_lists: u64,
}

impl Layout {
    /// Bytes before the first row.
    pub(crate) const ROWS_OFFSET: u64 = 8;

    pub(crate) fn new(levels: &Levels, m: u16, stride: usize) -> Self {
        Self {
            levels: *levels,
            m: u64::from(m),
            stride: stride as u64,
            upper_lists: levels.upper_lists(),
        }
    }

    fn nodes(&self) -> u64 {
        u64::from(self.levels.nodes())
    }

    /// Length of the section "vectors", which starts the file.
    pub(crate) fn vectors_bytes(&self) -> u64 {
        Self::ROWS_OFFSET + self.nodes() * self.stride
    }

    /// Offset of the node levels in the section "graph".
    pub(crate) fn levels_offset(&self) -> u64 {
        (size_of::<DenseHead>() + size_of::<GraphHeader>()) as u64
    }

    /// Offset of the first node record in the section "graph".
    pub(crate) fn records_offset(&self) -> u64 {
        self.levels_offset() + 2 * self.nodes()
    }

    /// Length of the section "graph".
    pub(crate) fn graph_bytes(&self) -> u64 {
        self.records_offset() + self.nodes() * base_node_bytes(self.m) + self.upper_lists * upper_list_bytes(self.m)
    }

    /// Offset of a node's record in the section "graph".
    #[inline]
    pub(crate) fn record_offset(&self, node: u32) -> u64 {
        let upper = if node >= self.levels.at_least(1) {
            self.upper_lists
        } else {
            self.levels.upper_lists_before(node)
        };
        self.records_offset() + u64::from(node) * base_node_bytes(self.m) + upper * upper_list_bytes(self.m)
    }

    /// Offset of a node's neighbour list (its count) in the section "graph", and its capacity; `None` if the node has
    /// none on that level.
    #[inline]
    pub(crate) fn list_offset(&self, node: u32, level: usize) -> Option<(u64, u64)> {
        if node >= self.levels.at_least(level) {
            return None;
        }
        let record = self.record_offset(node);
        Some(match level {
            0 => (record + NODE_HEAD_BYTES, 2 * self.m),
            _ => (
                record + base_node_bytes(self.m) + (level as u64 - 1) * upper_list_bytes(self.m),
                self.m,
            ),
        })
    }
}
