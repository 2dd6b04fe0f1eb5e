//! Writing a finished shard, front to back in one pass.

use std::io::{self, Write};

use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{U16, U32};

use super::builder::BuiltShard;
use crate::shard::format::{FOOTER_BYTES, FOOTER_CRC_BYTES, Footer, GraphHeader, MAGIC};
use crate::shard::format::{RangeRecord, Section, base_node_bytes, upper_list_bytes};
use crate::shard::{EntryRange, ShardIdentity};

/// Bytes collected before they are written.
const BUFFER_BYTES: usize = 1 << 18;

/// A buffered writer that knows its position and sums up the current section.
struct SectionWriter<'a, W: Write> {
    out: &'a mut W,
    buffer: Vec<u8>,
    position: u64,
    start: u64,
    crc: u32,
}

impl<W: Write> SectionWriter<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.position += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            return self.out.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Pads to a multiple of 8.
    fn align(&mut self) -> io::Result<()> {
        let padding = self.position.next_multiple_of(8) - self.position;
        self.put(&[0; 8][..padding as usize])
    }

    fn start_section(&mut self) {
        self.start = self.position;
        self.crc = 0;
    }

    fn end_section(&mut self) -> Section {
        Section {
            offset: self.start.into(),
            bytes: (self.position - self.start).into(),
            crc: self.crc.into(),
            reserved: 0.into(),
        }
    }

    /// In pieces, so that the checksum works on bytes that are still in the cache when they are written.
    fn put_pieces(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(BUFFER_BYTES).try_for_each(|piece| self.put(piece))
    }

    fn put_section(&mut self, bytes: &[u8]) -> io::Result<Section> {
        self.align()?;
        self.start_section();
        self.put_pieces(bytes)?;
        Ok(self.end_section())
    }

    fn put_numbers(&mut self, numbers: &[u32]) -> io::Result<Section> {
        self.align()?;
        self.start_section();
        for &number in numbers {
            self.put(&number.to_le_bytes())?;
        }
        Ok(self.end_section())
    }
}

impl BuiltShard {
    /// Writes the file; its length in bytes. The caller syncs it. Many small parts are buffered here, so `out` need
    /// not.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write, identity: &ShardIdentity) -> io::Result<u64> {
        let mut out = SectionWriter {
            out,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            position: 0,
            start: 0,
            crc: 0,
        };
        let vectors = self.write_vectors(&mut out)?;
        let graph = self.write_graph(&mut out)?;
        let posting_offsets = out.put_numbers(&self.postings.offsets)?;
        let ordinals = out.put_numbers(&self.postings.ordinals)?;
        let ranges = write_ranges(&mut out, &identity.ranges)?;
        let details = out.put_section(&self.parts.details)?;
        let words = out.put_section(&self.parts.words)?;
        let calibration = out.put_section(&self.parts.calibration)?;
        out.align()?;
        let (scalar, row_kind) = self.parts.format.numbers();
        let mut footer = Footer {
            id: identity.id,
            built_at: identity.built_at.into(),
            lsn: identity.lsn.into(),
            file_bytes: (out.position + FOOTER_BYTES as u64).into(),
            entries: self.entries().into(),
            metric: self.parts.format.metric().number(),
            max_level: self.levels().max_level() as u8,
            m: self.params.m.into(),
            ef_construction: self.params.ef_construction.into(),
            width: self.parts.format.width().into(),
            scalar,
            row_kind,
            reserved: 0.into(),
            level_counts: self.levels().counts().map(U32::new),
            vectors,
            graph,
            posting_offsets,
            ordinals,
            ranges,
            details,
            words,
            calibration,
            version: self.parts.format.version().into(),
            crc: 0.into(),
            magic: MAGIC,
        };
        footer.crc = crc32c::crc32c(&footer.as_bytes()[..FOOTER_CRC_BYTES]).into();
        out.put(footer.as_bytes())?;
        out.flush()?;
        Ok(out.position)
    }

    fn write_vectors(&self, out: &mut SectionWriter<'_, impl Write>) -> io::Result<Section> {
        out.start_section();
        out.put(&self.nodes().to_le_bytes())?;
        out.put(&(self.parts.format.stride() as u32).to_le_bytes())?;
        out.put_pieces(&self.rows)?;
        Ok(out.end_section())
    }

    fn write_graph(&self, out: &mut SectionWriter<'_, impl Write>) -> io::Result<Section> {
        let levels = self.levels();
        let m = u64::from(self.params.m);
        out.start_section();
        out.put(self.parts.format.head(self.nodes()).as_bytes())?;
        out.put(GraphHeader::new(levels, self.params.m).as_bytes())?;
        for node in 0..self.nodes() {
            out.put(U16::new(levels.level_of(node) as u16).as_bytes())?;
        }
        let mut record = Vec::new();
        for node in 0..self.nodes() {
            let node_level = levels.level_of(node);
            record.clear();
            record.extend_from_slice(&u64::from(node).to_le_bytes());
            record.extend_from_slice(&(node_level as u16).to_le_bytes());
            for level in 0..=node_level {
                let ids = self.parts.graph.neighbors(node, level);
                record.extend_from_slice(&(ids.len() as u32).to_le_bytes());
                ids.for_each(|id| record.extend_from_slice(&id.to_le_bytes()));
                record.resize((base_node_bytes(m) + level as u64 * upper_list_bytes(m)) as usize, 0);
            }
            out.put(&record)?;
        }
        Ok(out.end_section())
    }
}

fn write_ranges(out: &mut SectionWriter<'_, impl Write>, ranges: &[EntryRange]) -> io::Result<Section> {
    out.align()?;
    out.start_section();
    for range in ranges {
        let record = RangeRecord {
            start_block: range.start_block.into(),
            block_count: range.block_count.into(),
            slots_per_page: range.slots_per_page.into(),
            part_blocks: range.part_blocks.into(),
        };
        out.put(record.as_bytes())?;
    }
    Ok(out.end_section())
}
