//! The open segment, which takes new entries: making room in it, opening the next one, closing it.

use iscc_log::allocation;
use iscc_log::directory::{self as format, MetaHeader, Segment, State};
use iscc_log::log_page::{self, LogPage};
use iscc_metrics::MAX_CODE_BYTES;
use iscc_metrics::dense::Scalar;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::buffer::{Exclusive, Locked};
use super::directory::{
    Directory, LEAST_REUSED_BLOCKS, META_BLOCK, OtherPage, checked, header_of, read_to_change, write,
};
use super::update::{Logging, Update};
use crate::error::report;
use crate::failpoint::failpoint;
use crate::metrics::opclass::comparison_of;
use crate::metrics::value::Value;
use crate::relation::Index;

/// An open segment is content with so many blocks that are used again; of more it takes the first.
const ENOUGH_REUSED_BLOCKS: u32 = 64;

/// What bounds new segments. From the index's definition as it is now: ALTER TABLE can lift the limit of
/// a column's type without rewriting the index.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Blocks of one segment at most.
    pub max_blocks: u32,
    /// Blocks of a tail that is sealed.
    pub seal_blocks: u32,
    /// How long values are.
    pub lengths: Lengths,
}

/// How long the values of an index are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lengths {
    /// Up to so many bytes, as the column's type declares; None without a limit.
    UpTo(Option<u16>),
    /// All the same number of bytes: that of the first value.
    Equal,
}

/// The stride of a segment that has nothing but NULLs so far, where all values have the same length: no value is so short.
const NO_VALUES: u16 = 1;

/// What an insert needs of the open segment.
#[derive(Clone, Copy)]
pub struct Room {
    /// The block found full (or closed), if any.
    pub full_block: Option<u32>,
    /// Bytes of the value to insert; 0 for a NULL.
    pub value_bytes: usize,
    /// What bounds the open segment.
    pub limits: Limits,
}

/// Makes sure that there is an open page other than `room.full_block` whose cells hold the value. Returns the number of
/// blocks of the open segment when this added one.
pub fn make_room(index: Index<'_>, room: Room, logging: Logging) -> Option<u32> {
    let mut meta = Locked::<Exclusive>::read(index, META_BLOCK);
    let header = header_of(index, meta.page());
    if let Some(open) = header.open {
        let fits = room.limits.lengths.fit(room.value_bytes, usize::from(open.stride));
        if fits && open.last_block() != room.full_block {
            return None;
        }
        let may_grow = fits && open.block_count < room.limits.max_blocks;
        if may_grow && let Some((header, open)) = grown(&header, open) {
            let mut log = new_log_block(index, &open);
            let mut update = Update::begin(index, logging);
            format::set_meta(update.page(&mut meta), &header);
            log_page::init(update.new_page(&mut log), open.stride, open.epoch);
            update.commit();
            return Some(open.block_count);
        }
    }
    // Before anything changes.
    if room.limits.lengths == Lengths::Equal && room.value_bytes > 0 {
        require_length(index, &read_to_change(index, &meta), room.value_bytes);
    }
    close_under(index, &mut meta, logging);
    open_segment(index, &mut meta, room, logging);
    Some(1)
}

/// Opens a segment of one page, in free blocks if there are enough.
fn open_segment(index: Index<'_>, meta: &mut Locked<Exclusive>, room: Room, logging: Logging) {
    let before = read_to_change(index, meta);
    let mut after = before.clone();
    let stride = stride_for(&after.header, room);
    let reused = allocation::take_room(
        &mut after.listed,
        LEAST_REUSED_BLOCKS,
        ENOUGH_REUSED_BLOCKS,
        room.limits.max_blocks,
    );
    let start = reused.as_ref().map_or(after.header.used_blocks, |free| free.start);
    after.header.open_limit = reused.map_or(0, |free| free.end);
    let empty = Segment::new(State::Open, start..start, stride, after.new_epoch());
    let Some((header, open)) = grown(&after.header, empty) else {
        index.corrupt(META_BLOCK, "a new segment has no room");
    };
    after.header = header;
    let mut log = new_log_block(index, &open);
    let new_page = OtherPage {
        buffer: &mut log,
        is_new: true,
        change: &|page| log_page::init(page, open.stride, open.epoch),
    };
    write(index, meta, &before, after, logging, Some(new_page));
}

/// The header and its open segment with one more block; None when the block behind it belongs to another segment.
fn grown(header: &MetaHeader, open: Segment) -> Option<(MetaHeader, Segment)> {
    let mut header = header.clone();
    let end = open.blocks().end;
    match header.open_limit {
        0 if header.used_blocks == end => header.used_blocks += 1,
        limit if end < limit => {}
        _ => return None,
    }
    let open = Segment {
        block_count: open.block_count + 1,
        ..open
    };
    header.open = Some(open);
    header.stride = open.stride;
    Some((header, open))
}

/// The last block of the open segment, which has just been added.
fn new_log_block(index: Index<'_>, open: &Segment) -> Locked<Exclusive> {
    let block = open.blocks().end - 1;
    let buffer = Locked::new_block(index, pg_sys::ForkNumber::MAIN_FORKNUM, block);
    failpoint!("log_page_new");
    buffer
}

/// The stride of a new segment: that of all values if they have the same length. Otherwise what the column's type declares,
/// else what the last segment had, doubled until the code fits. (So the stride only grows and alternating lengths do not
/// open a segment each.)
fn stride_for(header: &MetaHeader, room: Room) -> u16 {
    const SMALLEST: usize = 32;
    match room.limits.lengths {
        Lengths::UpTo(None) => usize::from(header.stride)
            .max(room.value_bytes)
            .max(SMALLEST)
            .next_power_of_two()
            .min(MAX_CODE_BYTES) as u16,
        Lengths::UpTo(Some(declared)) => declared,
        Lengths::Equal => (room.value_bytes as u16).max(NO_VALUES),
    }
}

impl Lengths {
    /// Those of values of a kind, of which the column's type declares so many bytes.
    pub fn of(value: Value, declared_bytes: Option<u16>) -> Self {
        match value {
            Value::Code | Value::Bits => Lengths::UpTo(declared_bytes),
            Value::Array | Value::Vector | Value::HalfVector => Lengths::Equal,
        }
    }

    /// Whether a cell of `stride` bytes takes a value; a NULL has 0 bytes.
    pub fn fit(self, bytes: usize, stride: usize) -> bool {
        match self {
            Lengths::UpTo(_) => bytes <= stride,
            Lengths::Equal => bytes == stride || bytes == 0,
        }
    }
}

/// The bytes of each vector of the index; None while it has none.
pub fn length_of_vectors(directory: &Directory) -> Option<usize> {
    let mut strides = directory.segments().map(|segment| segment.stride);
    strides.find(|&stride| stride != NO_VALUES).map(usize::from)
}

/// Raises an error for a vector of `bytes` bytes unless all vectors of the index have as many.
pub fn require_length(index: Index<'_>, directory: &Directory, bytes: usize) {
    let Some(others) = length_of_vectors(directory) else {
        return;
    };
    if bytes != others {
        let number_bytes = comparison_of(index).value.scalar().map_or(1, Scalar::bytes);
        report(
            PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
            format!(
                "vector has {} dimensions, but those in index \"{}\" have {}",
                bytes / number_bytes,
                index.name(),
                others / number_bytes
            ),
        )
        .hint("All vectors of an index have the same number of dimensions. Use a partial index for each number.")
        .raise();
    }
}

/// Closes the open segment, if it has entries: it goes to the list and takes no more.
pub fn close_open(index: Index<'_>, logging: Logging) {
    let mut meta = Locked::<Exclusive>::read(index, META_BLOCK);
    close_under(index, &mut meta, logging);
}

fn close_under(index: Index<'_>, meta: &mut Locked<Exclusive>, logging: Logging) {
    let before = read_to_change(index, meta);
    let Some(open) = before.header.open else { return };
    let Some(last_block) = open.last_block() else { return };
    let mut last = Locked::<Exclusive>::read(index, last_block);
    let last_len = checked(index, last_block, LogPage::parse(last.page())).len() as u32;
    // All pages before the last one are full: a page is left only then.
    let entries = (open.block_count - 1) * u32::from(open.slots_per_block()) + last_len;
    if entries == 0 {
        return;
    }
    let mut after = before.clone();
    let rest = open.blocks().end..before.header.open_limit.max(open.blocks().end);
    allocation::release(&mut after.listed, rest);
    after.listed.push(Segment {
        state: State::Closed,
        entries,
        ..open
    });
    after.header.open_limit = 0;
    after.header.open = None;
    let last_page = OtherPage {
        buffer: &mut last,
        is_new: false,
        change: &|page| checked(index, last_block, log_page::close(page)),
    };
    write(index, meta, &before, after, logging, Some(last_page));
}
