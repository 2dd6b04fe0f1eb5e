//! Reading a shard file: opened in constant time, every access checked, nothing copied.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use zerocopy::FromBytes;

use iscc_metrics::Metric;
use iscc_metrics::ahead;
use iscc_metrics::bits::{Rows, WordGroup};
use iscc_metrics::dense::rows::Encoding;

use super::calibration::{Calibration, CodeCurves, DenseCurves};
use super::file_links::FileLinks;
use super::format::{CODES_VERSION, DENSE_VERSION, OPAQUE_VERSION, PIECES_VERSION};
use super::format::{FOOTER_BYTES, FOOTER_CRC_BYTES, Footer, Layout, MAGIC};
use super::format::{GroupRecord, RangeRecord, Section};
use super::pieces::PieceTables;
use super::ranges::EntryRange;
use super::row_format::RowFormat;
use super::verify::Pause;
use super::words::WordTable;
use crate::graph::levels::Levels;
use crate::opaque;
use crate::params::{MAX_M, MIN_M};
use crate::space::{Codes, ValueTable, Vectors};

/// Bytes of which a checksum is computed at once.
const CHECKSUM_PIECE: usize = 1 << 20;

/// Why a file is no shard that this version can read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShardError {
    /// Shorter than a footer.
    TooShort,
    /// The last bytes are not those of a shard file.
    Magic,
    /// A format of another version.
    Version(u32),
    /// The footer's checksum does not match.
    FooterChecksum,
    /// The footer states another file length.
    Length {
        /// What the footer says.
        expected: u64,
        /// What there is.
        actual: u64,
    },
    /// A field of the footer is out of its range.
    Field(&'static str),
    /// A section is not where, or not as long as, the counts imply.
    Section(&'static str),
}

impl std::fmt::Display for ShardError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooShort => f.write_str("file is too short for a shard"),
            Self::Magic => f.write_str("file does not end as a shard does"),
            Self::Version(version) => write!(f, "shard format version {version} is not supported"),
            Self::FooterChecksum => f.write_str("checksum of the shard footer does not match"),
            Self::Length { expected, actual } => {
                write!(f, "shard file has {actual} bytes instead of {expected}")
            }
            Self::Field(field) => write!(f, "field \"{field}\" of the shard footer is out of range"),
            Self::Section(section) => write!(f, "section \"{section}\" of the shard has a wrong place or length"),
        }
    }
}

impl std::error::Error for ShardError {}

/// An open shard over the bytes of its file (a memory map, or a `Vec<u8>` in tests).
pub struct Shard<B: AsRef<[u8]>> {
    bytes: B,
    pub(crate) footer: Footer,
    pub(crate) layout: Layout,
    pub(crate) rows: RowFormat,
    calibration: Calibration,
    is_on_disk: AtomicBool,
}

impl<B: AsRef<[u8]>> Shard<B> {
    /// Opens a shard: reads the footer, the scales of vectors and the calibration, and nothing else, so corruption
    /// elsewhere is found by [`Shard::verify`] only, and harmless.
    ///
    /// # Errors
    /// [`ShardError`], if the footer is not that of a shard of this format and file length.
    pub fn open(bytes: B) -> Result<Self, ShardError> {
        let file = bytes.as_ref();
        let (body, tail) = file.split_last_chunk::<FOOTER_BYTES>().ok_or(ShardError::TooShort)?;
        let footer = Footer::read_from_bytes(tail).map_err(|_| ShardError::TooShort)?;
        if footer.magic != MAGIC {
            return Err(ShardError::Magic);
        }
        let version = footer.version.get();
        if !matches!(version, CODES_VERSION | PIECES_VERSION | DENSE_VERSION | OPAQUE_VERSION) {
            return Err(ShardError::Version(footer.version.get()));
        }
        if crc32c::crc32c(&tail[..FOOTER_CRC_BYTES]) != footer.crc.get() {
            return Err(ShardError::FooterChecksum);
        }
        let (expected, actual) = (footer.file_bytes.get(), file.len() as u64);
        if expected != actual {
            return Err(ShardError::Length { expected, actual });
        }
        let rows = RowFormat::read(&footer, part(file, &footer.details))?;
        let layout = checked_layout(&footer, &rows)?;
        check_sections(&footer, &layout, &rows, body.len() as u64)?;
        let calibration = read_calibration(&rows, part(file, &footer.calibration));
        Ok(Self {
            calibration,
            footer,
            layout,
            rows,
            bytes,
            is_on_disk: AtomicBool::new(false),
        })
    }

    /// Says whether parts of a mapped file have to be read from the disk: then searches ask for all that a step reads at
    /// once. It costs time where they are in memory.
    pub fn set_on_disk(&self, is_on_disk: bool) {
        self.is_on_disk.store(is_on_disk, Relaxed);
    }

    /// What [`Shard::set_on_disk`] said.
    pub fn is_on_disk(&self) -> bool {
        self.is_on_disk.load(Relaxed)
    }

    /// Identity, as given when it was written.
    pub fn id(&self) -> [u8; 16] {
        self.footer.id
    }

    /// Distinct rows.
    pub fn nodes(&self) -> u32 {
        self.layout.levels.nodes()
    }

    /// Entries: ordinals of all posting lists.
    pub fn entries(&self) -> u32 {
        self.footer.entries.get()
    }

    /// Longest code in bytes; 0 where rows are not codes.
    pub fn max_code_bytes(&self) -> u16 {
        match self.rows {
            RowFormat::Codes { max_bytes, .. } => max_bytes,
            RowFormat::Dense(_) | RowFormat::Opaque(_) => 0,
        }
    }

    /// How rows are derived from dense vectors; `None` where they are not.
    pub fn encoding(&self) -> Option<&Encoding> {
        match &self.rows {
            RowFormat::Dense(encoding) => Some(encoding),
            RowFormat::Codes { .. } | RowFormat::Opaque(_) => None,
        }
    }

    /// What values are that only the caller's function understands; `None` where rows are no such values.
    pub fn value_layout(&self) -> Option<opaque::Layout> {
        match self.rows {
            RowFormat::Opaque(layout) => Some(layout),
            RowFormat::Codes { .. } | RowFormat::Dense(_) => None,
        }
    }

    /// Whether this shard only says that its values cannot be compared.
    pub fn is_refused(&self) -> bool {
        self.nodes() == 0 && self.value_layout().is_some()
    }

    /// The opaque value of a node as stored; `None` out of range, and where rows are no such values.
    pub fn stored_value(&self, node: u32) -> Option<&[u8]> {
        self.value_table().stored(node)
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.rows.stride()
    }

    /// Distance that the graph was built for.
    pub fn metric(&self) -> Metric {
        self.rows.metric()
    }

    /// Links of a node on the upper levels; twice that on the base level.
    pub fn m(&self) -> u16 {
        self.footer.m.get()
    }

    /// Candidates kept while it was built.
    pub fn ef_construction(&self) -> u16 {
        self.footer.ef_construction.get()
    }

    /// Unix seconds.
    pub fn built_at(&self) -> i64 {
        self.footer.built_at.get()
    }

    /// Where in the write-ahead log the last change of its entries ends; 0 if they are not logged one by one.
    pub fn lsn(&self) -> u64 {
        self.footer.lsn.get()
    }

    /// Length of the file.
    pub fn file_bytes(&self) -> u64 {
        self.footer.file_bytes.get()
    }

    /// Highest level of the graph.
    pub fn max_level(&self) -> u8 {
        self.layout.levels.max_level() as u8
    }

    /// Where the ordinals are in the log; copied.
    pub fn ranges(&self) -> Vec<EntryRange> {
        let records = <[RangeRecord]>::ref_from_bytes(self.section(&self.footer.ranges)).unwrap_or_default();
        let range = |record: &RangeRecord| EntryRange {
            start_block: record.start_block.get(),
            block_count: record.block_count.get(),
            slots_per_page: record.slots_per_page.get(),
            part_blocks: record.part_blocks.get(),
        };
        records.iter().map(range).collect()
    }

    /// The code of a node; `None` out of range, and where rows are not codes. A corrupt length is cut to
    /// `max_code_bytes`.
    pub fn code(&self, node: u32) -> Option<&[u8]> {
        self.code_rows().code(node)
    }

    /// The bytes of a row, whatever it is; `None` out of range.
    pub fn row(&self, node: u32) -> Option<&[u8]> {
        let stride = self.row_bytes();
        self.row_bytes_of_all().get(node as usize * stride..)?.get(..stride)
    }

    /// Ordinals of a node, ascending; empty for a node out of range or corrupt offsets.
    pub fn postings(&self, node: u32) -> Postings<'_> {
        let offsets = self.section(&self.footer.posting_offsets);
        let range = read_u32(offsets, u64::from(node) * 4).zip(read_u32(offsets, (u64::from(node) + 1) * 4));
        let ordinals = range.and_then(|(start, end)| {
            self.section(&self.footer.ordinals)
                .get(start as usize * 4..end as usize * 4)
        });
        Postings {
            ordinals: ordinals.unwrap_or_default().as_chunks().0.iter(),
        }
    }

    /// Asks for the posting lists of nodes, to have them read from the disk at the same time, if need be.
    pub fn read_postings_ahead(&self, nodes: impl Iterator<Item = u32> + Clone) {
        if !self.is_on_disk() {
            return;
        }
        let offsets = self.section(&self.footer.posting_offsets);
        let place = |node: u32| offsets.get(node as usize * 4..)?.get(..2 * size_of::<u32>());
        ahead::read(nodes.clone().filter_map(place));
        ahead::read(nodes.map(|node| self.postings(node).ordinals.as_slice().as_flattened()));
    }

    /// All rows; fewer than [`Shard::nodes`] only if the bytes changed since they were opened.
    pub(crate) fn row_bytes_of_all(&self) -> &[u8] {
        self.section(&self.footer.vectors)
            .get(Layout::ROWS_OFFSET as usize..)
            .unwrap_or_default()
    }

    /// The codes; none where rows are not codes.
    fn code_rows(&self) -> Rows<'_> {
        match self.rows {
            RowFormat::Codes { max_bytes, .. } => Rows::new(self.row_bytes_of_all(), max_bytes.into()),
            RowFormat::Dense(_) | RowFormat::Opaque(_) => Rows::new(&[], 1),
        }
    }

    /// The codes, to be compared by this metric; none where rows are not codes.
    pub(crate) fn codes(&self, metric: Metric) -> Codes<'_> {
        Codes::new(self.code_rows(), metric)
    }

    /// The rows derived from vectors; none where they are codes.
    pub(crate) fn vectors(&self) -> Vectors<'_> {
        self.encoding().map_or(Vectors::none(), |encoding| {
            Vectors::new(encoding, self.row_bytes_of_all())
        })
    }

    /// The opaque values; none where rows are none.
    pub(crate) fn value_table(&self) -> ValueTable<'_> {
        match self.rows {
            RowFormat::Opaque(layout) => {
                ValueTable::new(layout, self.row_bytes_of_all(), self.section(&self.footer.words))
            }
            RowFormat::Codes { .. } | RowFormat::Dense(_) => ValueTable::new(opaque::Layout::Varying, &[], &[]),
        }
    }

    /// The neighbour lists.
    pub(crate) fn links(&self) -> FileLinks<'_> {
        FileLinks::new(self.section(&self.footer.graph), &self.layout)
    }

    /// The codes in columns of words; none where rows are not codes.
    pub(crate) fn word_table(&self) -> WordTable<'_> {
        match self.rows {
            RowFormat::Codes { .. } => {
                WordTable::new(self.section(&self.footer.details), self.section(&self.footer.words))
            }
            RowFormat::Dense(_) | RowFormat::Opaque(_) => WordTable::new(&[], &[]),
        }
    }

    /// The groups of codes that have tables of their pieces, with these.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (WordGroup<'_>, PieceTables<'_>)> {
        let is_on_disk = self.is_on_disk();
        let pieces = self.word_table().pieces(self.nodes());
        pieces.map(move |(group, tables)| (group, tables.on_disk(is_on_disk)))
    }

    /// How well searches of the graph do; of a damaged file maybe nonsense, but safe.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Whether what an exact search and posting lists read is as it was written. Takes time in proportion to these
    /// parts.
    pub fn has_sound_codes(&self, pause: Pause<'_>) -> bool {
        let footer = &self.footer;
        let others = [
            &footer.details,
            &footer.posting_offsets,
            &footer.ordinals,
            &footer.ranges,
        ];
        let mut sections = others.into_iter().chain([self.flat_section()]);
        sections.all(|section| self.is_sound(section, pause))
    }

    /// What an exact search streams through.
    fn flat_section(&self) -> &Section {
        match self.rows {
            RowFormat::Codes { .. } | RowFormat::Opaque(_) => &self.footer.words,
            RowFormat::Dense(_) => &self.footer.vectors,
        }
    }

    pub(crate) fn is_sound(&self, section: &Section, pause: Pause<'_>) -> bool {
        let pieces = self.section(section).chunks(CHECKSUM_PIECE);
        let crc = pieces.fold(0, |crc, piece| {
            pause();
            crc32c::crc32c_append(crc, piece)
        });
        crc == section.crc.get()
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &B {
        &self.bytes
    }

    /// Where the words of codes are, which an exact search reads from end to end: offset and length in the file. Of other
    /// rows the graph alone is searched.
    pub fn word_part(&self) -> Option<(usize, usize)> {
        let words = &self.footer.words;
        let bytes = self.word_table().word_bytes().min(words.bytes.get() as usize);
        (bytes > 0).then_some((words.offset.get() as usize, bytes))
    }

    pub(crate) fn section(&self, section: &Section) -> &[u8] {
        part(self.bytes.as_ref(), section)
    }
}

/// The bytes of a section; none if the file is too short for it.
fn part<'a>(file: &'a [u8], section: &Section) -> &'a [u8] {
    let (start, bytes) = (section.offset.get() as usize, section.bytes.get() as usize);
    file.get(start..).and_then(|rest| rest.get(..bytes)).unwrap_or_default()
}

/// Checks the fields that sizes follow from.
fn read_calibration(rows: &RowFormat, section: &[u8]) -> Calibration {
    match rows {
        RowFormat::Codes { metric, .. } => {
            let curves = CodeCurves::read_from_bytes(section).ok();
            curves.map(|curves| Calibration::of_codes(*metric, &curves))
        }
        RowFormat::Dense(_) | RowFormat::Opaque(_) => {
            let curves = DenseCurves::read_from_bytes(section).ok();
            curves.map(|curves| Calibration::of_dense(&curves))
        }
    }
    .unwrap_or_default()
}

fn checked_layout(footer: &Footer, rows: &RowFormat) -> Result<Layout, ShardError> {
    let m = footer.m.get();
    if !(MIN_M..=MAX_M).contains(&m) {
        return Err(ShardError::Field("m"));
    }
    let levels = Levels::new(footer.level_counts.map(|count| count.get())).ok_or(ShardError::Field("level_counts"))?;
    if levels.max_level() != usize::from(footer.max_level) {
        return Err(ShardError::Field("max_level"));
    }
    Ok(Layout::new(&levels, m, rows.stride()))
}

/// Checks that each section lies in the `available` bytes before the footer and is as long as the counts imply.
fn check_sections(footer: &Footer, layout: &Layout, rows: &RowFormat, available: u64) -> Result<(), ShardError> {
    let vectors = layout.vectors_bytes();
    let (words, calibration) = match rows {
        RowFormat::Codes { .. } => (footer.words.bytes.get(), size_of::<CodeCurves>()),
        RowFormat::Dense(_) => (0, size_of::<DenseCurves>()),
        RowFormat::Opaque(_) => (footer.words.bytes.get(), size_of::<DenseCurves>()),
    };
    // No overflow: 2^31 nodes of at most 64 KB a row, 31 levels and 200 links.
    let expected = [
        ("vectors", &footer.vectors, vectors),
        ("graph", &footer.graph, layout.graph_bytes()),
        (
            "posting_offsets",
            &footer.posting_offsets,
            4 * (u64::from(layout.levels.nodes()) + 1),
        ),
        ("ordinals", &footer.ordinals, 4 * u64::from(footer.entries.get())),
        ("ranges", &footer.ranges, footer.ranges.bytes.get()),
        (rows.details_name(), &footer.details, footer.details.bytes.get()),
        ("words", &footer.words, words),
        ("calibration", &footer.calibration, calibration as u64),
    ];
    for (name, section, bytes) in expected {
        let end = section.offset.get().checked_add(bytes);
        if section.bytes.get() != bytes || end.is_none_or(|end| end > available) {
            return Err(ShardError::Section(name));
        }
    }
    if footer.vectors.offset.get() != 0 || footer.graph.offset.get() != vectors {
        return Err(ShardError::Section("graph"));
    }
    let has_records = |section: &Section, bytes: usize| section.bytes.get().is_multiple_of(bytes as u64);
    if !has_records(&footer.ranges, size_of::<RangeRecord>()) {
        return Err(ShardError::Section("ranges"));
    }
    let has_groups = matches!(rows, RowFormat::Codes { .. });
    if has_groups && !has_records(&footer.details, size_of::<GroupRecord>()) {
        return Err(ShardError::Section("groups"));
    }
    Ok(())
}

/// A little-endian number; `None` out of range.
#[inline]
pub(crate) fn read_u32(bytes: &[u8], offset: u64) -> Option<u32> {
    let chunk = bytes.get(usize::try_from(offset).ok()?..)?.first_chunk()?;
    Some(u32::from_le_bytes(*chunk))
}

/// Iterator over the ordinals of a node.
#[derive(Clone)]
pub struct Postings<'a> {
    ordinals: std::slice::Iter<'a, [u8; 4]>,
}

impl Iterator for Postings<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.ordinals.next().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ordinals.size_hint()
    }
}

impl ExactSizeIterator for Postings<'_> {}
