//! The open segment, which takes new entries: making room in it, opening the next one, closing it.

use iscc_log::allocation;
use iscc_log::directory::{self as format, MetaHeader, Segment, State};
use iscc_log::log_page::{self, Entries, Tid};
use iscc_log::span::{self, Span};
use iscc_metrics::MAX_CODE_BYTES;
use iscc_metrics::dense::Scalar;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::buffer::Page;
use super::buffer::{Exclusive, Locked};
use super::directory::{
    Directory, LEAST_REUSED_BLOCKS, META_BLOCK, OtherPage, checked, header_of, read_to_change, write,
};
use super::spans;
use super::update::{Logging, Update};
use crate::error::report;
use crate::failpoint::failpoint;
use crate::metrics::opclass::comparison_of;
use crate::metrics::value::Value;
use crate::relation::Index;

/// This many reused blocks are enough for an open segment; of more it takes the first.
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
    /// Up to this many bytes, as the column's type declares; None without a limit.
    UpTo(Option<u16>),
    /// All the same number of bytes: that of the first value.
    Equal,
    /// All this number of bytes.
    Exactly(u16),
    /// Any that fits on a page.
    Any,
}

/// The stride of a segment that has nothing but NULLs so far, where all values have the same length: no value is so
/// short.
const NO_VALUES: u16 = 1;

// What is reused has room for at least one entry.
const _: () = assert!(span::MAX_BLOCKS <= LEAST_REUSED_BLOCKS);

/// What an insert needs of the open segment.
pub struct Room<'a> {
    /// The page found full (or closed), if any.
    pub full_block: Option<u32>,
    /// The value to insert; empty for a NULL.
    pub value: &'a [u8],
    /// The row that has it.
    pub tid: &'a Tid,
    /// What bounds the open segment.
    pub limits: Limits,
}

/// How the open segment has grown.
#[derive(Clone, Copy)]
pub struct Grown {
    /// Its blocks now.
    pub blocks: u32,
    /// Those of them that are new.
    pub added: u32,
}

/// What [`make_room`] has done.
pub enum Made {
    /// Nothing: there is another page already.
    Nothing,
    /// An empty page.
    Page(Grown),
    /// Pages for the entry, which spans them, and has been written.
    Entry(Grown),
}

impl Made {
    fn of(open: &Segment) -> Self {
        let added = open.span_blocks();
        let grown = Grown {
            blocks: open.block_count,
            added,
        };
        if added > 1 {
            Made::Entry(grown)
        } else {
            Made::Page(grown)
        }
    }
}

/// Makes sure that there is an open page other than `room.full_block` whose cells hold the value. Where values span
/// pages, a page has one entry, so this writes the entry as well.
pub fn make_room(index: Index<'_>, room: &Room<'_>, logging: Logging) -> Made {
    let mut meta = Locked::<Exclusive>::read(index, META_BLOCK);
    let header = header_of(index, meta.page());
    let bytes = room.value.len();
    if let Some(open) = header.open {
        let fits = room.limits.lengths.fit(bytes, usize::from(open.stride));
        if fits && open.span_blocks() == 1 && open.last_page() != room.full_block {
            return Made::Nothing;
        }
        let may_grow = fits && open.block_count < room.limits.max_blocks;
        if may_grow && let Some((header, open)) = grown(&header, open) {
            let mut log = new_log_page(index, &open, room, logging);
            let mut update = Update::begin(index, logging);
            format::set_meta(update.page(&mut meta), &header);
            begin_page(index, update.new_page(&mut log), &open, room);
            update.commit();
            return Made::of(&open);
        }
    }
    // Before anything changes.
    if room.limits.lengths == Lengths::Equal && bytes > 0 {
        require_length(index, &read_to_change(index, &meta), bytes);
    }
    close_under(index, &mut meta, logging);
    open_segment(index, &mut meta, room, logging)
}

/// Opens a segment of one page, in free blocks if there are enough.
fn open_segment(index: Index<'_>, meta: &mut Locked<Exclusive>, room: &Room<'_>, logging: Logging) -> Made {
    let before = read_to_change(index, meta);
    let mut after = before.clone();
    let stride = stride_for(&after.header, room);
    // The limit may come from a time when there were no values.
    let at_most = room.limits.max_blocks.max(span::blocks(stride));
    let reused = allocation::take_room(&mut after.listed, LEAST_REUSED_BLOCKS, ENOUGH_REUSED_BLOCKS, at_most);
    let start = reused.as_ref().map_or(after.header.used_blocks, |free| free.start);
    after.header.open_limit = reused.map_or(0, |free| free.end);
    let empty = Segment::new(State::Open, start..start, stride, after.new_epoch());
    let Some((header, open)) = grown(&after.header, empty) else {
        index.corrupt(META_BLOCK, "a new segment has no room");
    };
    after.header = header;
    let mut log = new_log_page(index, &open, room, logging);
    let new_page = OtherPage {
        buffer: &mut log,
        is_new: true,
        change: &|page| begin_page(index, page, &open, room),
    };
    write(index, meta, &before, after, logging, Some(new_page));
    Made::of(&open)
}

/// The header and its open segment with one more page; None when a block behind it belongs to another segment.
fn grown(header: &MetaHeader, open: Segment) -> Option<(MetaHeader, Segment)> {
    let mut header = header.clone();
    let added = open.span_blocks();
    let end = open.blocks().end;
    match header.open_limit {
        0 if header.used_blocks == end => header.used_blocks = end.checked_add(added)?,
        limit if end.checked_add(added)? <= limit => {}
        _ => return None,
    }
    let open = Segment {
        block_count: open.block_count + added,
        ..open
    };
    header.open = Some(open);
    header.stride = open.stride;
    Some((header, open))
}

/// The last page of the open segment, which has just been added. The parts of its value, if it has any, are written.
fn new_log_page(index: Index<'_>, open: &Segment, room: &Room<'_>, logging: Logging) -> Locked<Exclusive> {
    let block = open.blocks().end - open.span_blocks();
    if open.span_blocks() > 1 {
        let span = Span {
            head: block,
            epoch: open.epoch,
            stride: open.stride,
        };
        spans::write_parts(index, &span, room.value, logging);
    }
    let buffer = Locked::new_block(index, pg_sys::ForkNumber::MAIN_FORKNUM, block);
    failpoint!("log_page_new");
    buffer
}

/// What is on that page at first: nothing, or the entry, if it spans pages.
fn begin_page(index: Index<'_>, page: &mut Page, open: &Segment, room: &Room<'_>) {
    log_page::init(page, open.stride, open.epoch);
    if open.span_blocks() > 1 && log_page::append(page, room.value, room.tid).is_none() {
        index.corrupt(META_BLOCK, "a new page has no room for its entry");
    }
}

/// The stride of a new segment: that of all values if they have the same length. Otherwise, of codes, what the column's
/// type declares, else what the last segment had, doubled until the code fits. (So the stride only grows and
/// alternating lengths do not open a segment each.)
fn stride_for(header: &MetaHeader, room: &Room<'_>) -> u16 {
    const SMALLEST: usize = 32;
    match room.limits.lengths {
        Lengths::UpTo(None) => usize::from(header.stride)
            .max(room.value.len())
            .max(SMALLEST)
            .next_power_of_two()
            .min(MAX_CODE_BYTES) as u16,
        Lengths::UpTo(Some(declared)) => declared,
        Lengths::Equal => (room.value.len() as u16).max(NO_VALUES),
        Lengths::Exactly(bytes) => bytes,
        Lengths::Any => log_page::part_of_page(room.value.len().max(header.stride.into())),
    }
}

impl Lengths {
    /// Those of values of a kind, for which the column's type declares this many bytes.
    pub fn of(value: Value, declared_bytes: Option<u16>) -> Self {
        match value {
            Value::Code | Value::Bits => Lengths::UpTo(declared_bytes),
            Value::Array | Value::Vector | Value::HalfVector => Lengths::Equal,
            Value::Opaque(layout) => layout
                .stored_bytes()
                .map_or(Lengths::Any, |bytes| Lengths::Exactly(bytes as u16)),
        }
    }

    /// Whether a cell of `stride` bytes takes a value; a NULL has 0 bytes.
    pub fn fit(self, bytes: usize, stride: usize) -> bool {
        match self {
            Lengths::UpTo(_) | Lengths::Exactly(_) | Lengths::Any => bytes <= stride,
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
    let Some(last_block) = open.last_page() else { return };
    let mut last = Locked::<Exclusive>::read(index, last_block);
    let last_len = checked(index, last_block, Entries::parse(last.page())).len() as u32;
    // All pages before the last one are full: a page is left only then.
    let entries = (open.page_count() - 1) * u32::from(open.slots_per_page()) + last_len;
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
