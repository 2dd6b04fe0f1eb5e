//! Which codes have a given piece: tables that find all codes within a radius without comparing all codes.
//!
//! A piece is three bytes of a code. Codes that differ in few bits have pieces that differ in fewer bits still, or not
//! at all, so it is enough to look up the pieces near those of a query ([`crate::search::WithinSearch`]).
//!
//! A table is a hash table without collisions to resolve: buckets of about [`BUCKET`] codes each, in which an entry is
//! a node number and, in the bits that are left, as much of the piece as fits there.

use iscc_metrics::ahead;
use iscc_metrics::bits::WordGroup;
use iscc_metrics::code::WORD_BYTES;
use iscc_metrics::prefetch::{prefetch, prefetch_at};

use crate::control::{BuildControl, Cancelled};

/// Bytes of a piece.
pub(crate) const PIECE_BYTES: usize = 3;
/// Bits of a piece.
pub(crate) const PIECE_BITS: u32 = 8 * PIECE_BYTES as u32;
/// Pieces of a code that have tables: the first ones.
const MOST_PIECES: usize = 16;
/// Codes of one length that are not worth tables: comparing them all takes no longer than a look at the tables.
const FEWEST_CODES: usize = 1 << 14;
/// Entries of a bucket, on average.
pub(crate) const BUCKET: usize = 16;

/// Buckets that are loaded at once.
const AT_ONCE: usize = 32;

/// Number of pieces that get tables in a group of `codes` codes of a length in bytes.
pub(crate) fn count(code_bytes: usize, codes: usize) -> u16 {
    if codes < FEWEST_CODES {
        return 0;
    }
    (code_bytes / PIECE_BYTES).min(MOST_PIECES) as u16
}

fn buckets(codes: usize) -> usize {
    (codes / BUCKET).max(1)
}

/// Bytes of a table.
fn table_bytes(codes: usize) -> usize {
    (buckets(codes) + 1 + codes) * size_of::<u32>()
}

/// The most bytes that the tables take for `nodes` codes of at most this length.
pub(crate) fn estimated_bytes(nodes: u64, max_code_bytes: usize) -> u64 {
    // Each group rounds its number of buckets down, and adds an offset to each table.
    u64::from(count(max_code_bytes, nodes as usize)) * table_bytes(nodes as usize) as u64
}

/// Where pieces are looked up: the bucket, and what an entry keeps of them.
#[derive(Clone, Copy)]
struct Places {
    buckets: u64,
    node_bits: u32,
}

impl Places {
    fn new(codes: usize, nodes: u32) -> Self {
        Self {
            buckets: buckets(codes) as u64,
            node_bits: (u32::BITS - nodes.saturating_sub(1).leading_zeros()).clamp(1, u32::BITS - 1),
        }
    }

    /// The bucket of a piece, and the rest of it at the upper end of an entry.
    #[inline]
    fn of(self, piece: u32) -> (usize, u32) {
        // Odd, so that no two pieces become the same number; those of a bucket are neighbours, told apart by their
        // lowest bits.
        let mixed = piece.wrapping_mul(0x9e37_79b1);
        let bucket = (u64::from(mixed) * self.buckets) >> u32::BITS;
        (bucket as usize, mixed << self.node_bits)
    }

    #[inline]
    fn node_mask(self) -> u32 {
        (1 << self.node_bits) - 1
    }
}

/// A piece of a code that starts at a byte, as a number.
#[inline]
pub(crate) fn piece_of(code: &[u8], piece: usize) -> Option<u32> {
    let &[a, b, c] = code.get(piece * PIECE_BYTES..)?.first_chunk()?;
    Some(number_of([a, b, c]))
}

#[inline]
fn number_of([a, b, c]: [u8; PIECE_BYTES]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

/// Adds the table of a piece of a group's codes.
pub(crate) fn write_table(
    group: &WordGroup<'_>,
    piece: usize,
    nodes: u32,
    bytes: &mut Vec<u8>,
    control: &BuildControl,
) -> Result<(), Cancelled> {
    let places = Places::new(group.count, nodes);
    // A piece may begin in one word and end in the next.
    let byte = |index: usize, at: usize| group.words[at / WORD_BYTES * group.count + index][at % WORD_BYTES];
    let place_of = |index: usize| {
        let bytes = std::array::from_fn(|at| byte(index, piece * PIECE_BYTES + at));
        places.of(number_of(bytes))
    };
    // Counts, then where each bucket ends; filling them from behind makes that where each begins.
    let mut ends = vec![0u32; buckets(group.count) + 1];
    for index in 0..group.count {
        control.check_at(index)?;
        ends[place_of(index).0] += 1;
    }
    let mut end = 0;
    for bucket in &mut ends {
        end += *bucket;
        *bucket = end;
    }
    let mut entries = vec![0u32; group.count];
    for index in (0..group.count).rev() {
        control.check_at(index)?;
        let (bucket, rest) = place_of(index);
        ends[bucket] -= 1;
        entries[ends[bucket] as usize] = rest | group.node(index);
    }
    bytes.extend(ends.iter().chain(&entries).flat_map(|number| number.to_le_bytes()));
    Ok(())
}

/// How many times more codes than are asked for have a common piece.
const COMMON: usize = 16;

/// The tables of the pieces of a group.
#[derive(Clone, Copy)]
pub(crate) struct PieceTables<'a> {
    /// Offsets and entries of each piece in turn.
    numbers: &'a [[u8; 4]],
    codes: usize,
    places: Places,
    /// Whether parts may have to be read from the disk.
    is_on_disk: bool,
}

impl<'a> PieceTables<'a> {
    /// The tables at the start of these bytes, and what follows them; `None` if they are not whole.
    pub(crate) fn split_from(
        bytes: &'a [u8],
        pieces: usize,
        codes: usize,
        nodes: u32,
    ) -> Option<(PieceTables<'a>, &'a [u8])> {
        let (own, rest) = bytes.split_at_checked(pieces.checked_mul(table_bytes(codes))?)?;
        let tables = PieceTables {
            numbers: own.as_chunks().0,
            codes,
            places: Places::new(codes, nodes),
            is_on_disk: false,
        };
        Some((tables, rest))
    }

    /// The same, in a file that may have to be read from the disk.
    pub(crate) fn on_disk(self, is_on_disk: bool) -> Self {
        Self { is_on_disk, ..self }
    }

    /// Number of pieces.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len() / (table_bytes(self.codes) / size_of::<u32>())
    }

    /// Entries of a bucket, on average.
    pub(crate) fn mean_bucket(&self) -> f64 {
        self.codes as f64 / self.places.buckets as f64
    }

    /// Adds nodes of codes that have one of these pieces, given from the first one on, in its place, and few others: at most
    /// `most` for each piece, and none for one that is much more common.
    pub(crate) fn nodes_sharing(&self, pieces: &[u32], most: usize, nodes: &mut Vec<u32>) {
        let mut tables = [(self.table(0), 0, 0); AT_ONCE];
        for (number, pieces) in pieces.chunks(AT_ONCE).enumerate() {
            let tables = &mut tables[..pieces.len()];
            for (at, (place, &piece)) in tables.iter_mut().zip(pieces).enumerate() {
                let (table, (bucket, rest)) = (self.table(number * AT_ONCE + at), self.places.of(piece));
                prefetch(table.offsets, bucket);
                *place = (table, bucket, rest);
            }
            let entries_of = |table: &PieceTable<'a>, bucket: usize| {
                let entries = table.bucket(bucket);
                if entries.len() <= COMMON * most { entries } else { &[] }
            };
            if self.is_on_disk {
                ahead::read(tables.iter().map(|&(table, bucket, _)| table.offsets_of(bucket)));
                let entries = tables.iter().map(|(table, bucket, _)| entries_of(table, *bucket));
                ahead::read(entries.map(<[_]>::as_flattened));
            }
            for (table, bucket, _) in &*tables {
                if let [first, .., last] = entries_of(table, *bucket) {
                    prefetch_at(first);
                    prefetch_at(last);
                }
            }
            for (table, bucket, rest) in &*tables {
                let start = nodes.len();
                table.take(entries_of(table, *bucket), *rest, nodes);
                nodes.truncate(start + most);
            }
        }
    }

    /// The table of a piece; one without entries out of range.
    pub(crate) fn table(&self, piece: usize) -> PieceTable<'a> {
        let numbers = table_bytes(self.codes) / size_of::<u32>();
        let own = self.numbers.get(piece * numbers..).and_then(|rest| rest.get(..numbers));
        let (offsets, entries) = own
            .and_then(|own| own.split_at_checked(self.places.buckets as usize + 1))
            .unwrap_or_default();
        PieceTable {
            offsets,
            entries,
            places: self.places,
            is_on_disk: self.is_on_disk,
        }
    }
}

/// The table of a piece.
#[derive(Clone, Copy)]
pub(crate) struct PieceTable<'a> {
    offsets: &'a [[u8; 4]],
    entries: &'a [[u8; 4]],
    places: Places,
    is_on_disk: bool,
}

impl<'a> PieceTable<'a> {
    /// Where the offsets of a bucket's beginning and end are.
    fn offsets_of(&self, bucket: usize) -> &'a [u8] {
        self.offsets.get(bucket..bucket + 2).unwrap_or_default().as_flattened()
    }

    /// The entries of a bucket; none if the offsets are damaged.
    #[inline]
    fn bucket(&self, bucket: usize) -> &'a [[u8; 4]] {
        let offset = |at: usize| {
            self.offsets
                .get(at)
                .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
        };
        self.entries.get(offset(bucket)..offset(bucket + 1)).unwrap_or_default()
    }

    /// Entries of the buckets that this piece XORed with each of the masks is in.
    pub(crate) fn entries_near(&self, piece: u32, masks: &[u32]) -> usize {
        let mut buckets = [0; AT_ONCE];
        let mut entries = 0;
        for masks in masks.chunks(AT_ONCE) {
            let buckets = &mut buckets[..masks.len()];
            for (bucket, mask) in buckets.iter_mut().zip(masks) {
                *bucket = self.places.of(piece ^ mask).0;
                prefetch(self.offsets, *bucket);
            }
            if self.is_on_disk {
                ahead::read(buckets.iter().map(|&bucket| self.offsets_of(bucket)));
            }
            entries += buckets.iter().map(|&bucket| self.bucket(bucket).len()).sum::<usize>();
        }
        entries
    }

    /// Adds the nodes of codes that have this piece XORed with one of the masks to `nodes`, and few others.
    ///
    /// Each bucket is somewhere else in memory, so several are loaded at once.
    pub(crate) fn nodes_near(&self, piece: u32, masks: &[u32], nodes: &mut Vec<u32>) {
        let mut buckets = [(0, 0); AT_ONCE];
        let mut entries: [&[[u8; 4]]; AT_ONCE] = [&[]; AT_ONCE];
        for masks in masks.chunks(AT_ONCE) {
            for (place, mask) in buckets.iter_mut().zip(masks) {
                *place = self.places.of(piece ^ mask);
                prefetch(self.offsets, place.0);
            }
            if self.is_on_disk {
                let buckets = &buckets[..masks.len()];
                ahead::read(buckets.iter().map(|&(bucket, _)| self.offsets_of(bucket)));
                ahead::read(buckets.iter().map(|&(bucket, _)| self.bucket(bucket).as_flattened()));
            }
            for (entries, &(bucket, _)) in entries.iter_mut().zip(&buckets[..masks.len()]) {
                *entries = self.bucket(bucket);
                if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
                    prefetch_at(first);
                    prefetch_at(last);
                }
            }
            for (entries, &(_, rest)) in entries.iter().zip(&buckets[..masks.len()]) {
                self.take(entries, rest, nodes);
            }
        }
    }

    /// Adds the nodes of entries with this rest of a piece. Which have it is as good as random: gathered without a
    /// branch.
    #[inline]
    fn take(&self, entries: &[[u8; 4]], rest: u32, nodes: &mut Vec<u32>) {
        let mask = self.places.node_mask();
        let start = nodes.len();
        nodes.resize(start + entries.len(), 0);
        let mut end = start;
        for entry in entries {
            let entry = u32::from_le_bytes(*entry);
            nodes[end] = entry & mask;
            end += usize::from((entry ^ rest) & !mask == 0);
        }
        nodes.truncate(end);
    }
}
