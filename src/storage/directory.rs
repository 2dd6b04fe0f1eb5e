//! Reading and changing the segment directory in the relation.
//!
//! Lock order: metapage, directory pages along the chain, log pages. Every change of the directory
//! holds the metapage exclusively.

use iscc_hnsw::directory::{self as format, MetaHeader, STATE_CLOSED, STATE_NONE, STATE_OPEN, STATE_SEALED, Segment};
use iscc_hnsw::log_page::{self, LogPage};
use iscc_hnsw::page::{PageError, PageKind};
use pgrx::pg_sys;

use super::buffer::{Lock, LockedBuffer, Page, relation_name};
use super::update::{Logging, Update};
use crate::error::corrupt_page;

/// Block number of the metapage.
pub const META_BLOCK: u32 = 0;

/// A consistent copy of the directory.
pub struct Directory {
    /// Header of the metapage, with the open segment.
    pub header: MetaHeader,
    /// All other segments: closed or sealed.
    pub listed: Vec<Segment>,
}

impl Directory {
    /// All segments, the open one last.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.listed.iter().chain(self.header.open_segment())
    }
}

/// Unwraps a page operation, raising the corruption error that names index and block.
fn checked<T>(index: pg_sys::Relation, block: u32, result: Result<T, PageError>) -> T {
    result.unwrap_or_else(|why| corrupt_page(&relation_name(index), block, why))
}

fn kind_of(block: u32) -> PageKind {
    if block == META_BLOCK {
        PageKind::Meta
    } else {
        PageKind::Directory
    }
}

/// Creates the metapage of an empty index in an empty fork.
pub fn create(index: pg_sys::Relation, fork: pg_sys::ForkNumber::Type, metric: u8, logging: Logging) {
    let mut buffer = LockedBuffer::new_block(index, fork, META_BLOCK);
    let mut update = Update::begin(index, logging);
    format::init_meta(update.new_page(&mut buffer), metric);
    update.commit();
}

/// The header of the metapage, as of now.
pub fn read_header(index: pg_sys::Relation) -> MetaHeader {
    let meta = LockedBuffer::read(index, META_BLOCK, Lock::Share);
    header_of(index, meta.page())
}

fn header_of(index: pg_sys::Relation, page: &Page) -> MetaHeader {
    checked(index, META_BLOCK, format::meta(page))
}

/// A copy of the whole directory, as of now.
pub fn read(index: pg_sys::Relation) -> Directory {
    let meta = LockedBuffer::read(index, META_BLOCK, Lock::Share);
    read_under(index, &meta)
}

/// A copy of the whole directory while the caller holds the metapage.
fn read_under(index: pg_sys::Relation, meta: &LockedBuffer) -> Directory {
    let header = header_of(index, meta.page());
    let mut listed = Vec::new();
    let mut collect = |block: u32, page: &Page| {
        listed.extend(checked(index, block, format::segments(page, kind_of(block))));
        checked(index, block, format::next(page, kind_of(block)))
    };
    let mut next = collect(META_BLOCK, meta.page());
    let mut pages = 0;
    while let Some(block) = next {
        // A chain longer than the index has blocks is a loop.
        pages += 1;
        if pages > header.used_blocks.get() {
            corrupt_page(&relation_name(index), block, "the directory chain is a loop");
        }
        next = collect(block, LockedBuffer::read(index, block, Lock::Share).page());
    }
    Directory { header, listed }
}

/// What bounds new segments. From the index's definition as it is now: ALTER TABLE can lift the limit of
/// a column's type without rewriting the index.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Blocks of one segment at most.
    pub max_blocks: u32,
    /// Bytes that the column's type allows; 0 without a limit.
    pub declared_bytes: u16,
}

/// What an insert needs of the open segment.
#[derive(Clone, Copy)]
pub struct Room {
    /// The block found full (or closed), if any.
    pub full_block: Option<u32>,
    /// Bytes of the code to insert.
    pub code_bytes: usize,
    /// What bounds the open segment.
    pub limits: Limits,
}

/// Makes sure that there is an open page other than `room.full_block` whose cells hold the code.
pub fn make_room(index: pg_sys::Relation, room: Room, logging: Logging) {
    let mut meta = LockedBuffer::read(index, META_BLOCK, Lock::Exclusive);
    let header = header_of(index, meta.page());
    if let Some(open) = header.open_segment() {
        let fits = room.code_bytes <= usize::from(open.stride.get());
        if fits && open.last_block() != room.full_block {
            return;
        }
        let can_grow = open.block_count < room.limits.max_blocks && header.used_blocks.get() == open.blocks().end;
        if fits && can_grow {
            return add_page(index, &mut meta, header, logging);
        }
        close_under(index, &mut meta, logging);
    }
    let mut header = header_of(index, meta.page());
    header.open = Segment {
        start_block: header.used_blocks,
        block_count: 0.into(),
        stride: stride_for(&header, room).into(),
        state: STATE_OPEN,
        epoch: header.next_epoch,
        ..Segment::default()
    };
    header.next_epoch = (header.next_epoch.get().wrapping_add(1)).into();
    add_page(index, &mut meta, header, logging);
}

/// The stride of a new segment: what the column's type declares, else what the last segment had,
/// doubled until the code fits. (So the stride only grows and alternating lengths do not open a
/// segment each.)
fn stride_for(header: &MetaHeader, room: Room) -> u16 {
    const SMALLEST: usize = 32;
    match room.limits.declared_bytes {
        0 => usize::from(header.open.stride.get())
            .max(room.code_bytes)
            .max(SMALLEST)
            .next_power_of_two()
            .min(log_page::MAX_CODE_BYTES) as u16,
        declared => declared,
    }
}

/// Adds a page to the open segment of `header`, which may be new.
fn add_page(index: pg_sys::Relation, meta: &mut LockedBuffer, mut header: MetaHeader, logging: Logging) {
    let block = header.used_blocks.get();
    let mut log = LockedBuffer::new_block(index, pg_sys::ForkNumber::MAIN_FORKNUM, block);
    header.used_blocks = (block + 1).into();
    header.open.block_count += 1;
    let mut update = Update::begin(index, logging);
    format::set_meta(update.page(meta), &header);
    let page = update.new_page(&mut log);
    log_page::init(page, header.open.stride.get(), header.open.epoch.get());
    update.commit();
}

/// Closes the open segment, if it has entries: it goes to the list and takes no more.
pub fn close_open(index: pg_sys::Relation, logging: Logging) {
    let mut meta = LockedBuffer::read(index, META_BLOCK, Lock::Exclusive);
    close_under(index, &mut meta, logging);
}

fn close_under(index: pg_sys::Relation, meta: &mut LockedBuffer, logging: Logging) {
    let mut header = header_of(index, meta.page());
    let Some(open) = header.open_segment().copied() else {
        return;
    };
    let Some(last_block) = open.last_block() else { return };
    let mut last = LockedBuffer::read(index, last_block, Lock::Exclusive);
    let last_len = checked(index, last_block, LogPage::parse(last.page())).len() as u32;
    // All pages before the last one are full: a page is left only then.
    let entries = (open.block_count.get() - 1) * u32::from(open.slots_per_block()) + last_len;
    if entries == 0 {
        return;
    }
    let closed = Segment {
        state: STATE_CLOSED,
        entries: entries.into(),
        ..open
    };
    header.open = Segment {
        state: STATE_NONE,
        stride: open.stride,
        ..Segment::default()
    };

    let directory_block = header.last_directory.get();
    if directory_block == META_BLOCK {
        let mut update = Update::begin(index, logging);
        let page = update.page(meta);
        if checked(index, META_BLOCK, format::push(page, PageKind::Meta, &closed)) {
            format::set_meta(page, &header);
            checked(index, last_block, log_page::close(update.page(&mut last)));
            return update.commit();
        }
        drop(update);
        return close_into_new_page(index, (meta, None), &mut last, header, &closed, logging);
    }
    let mut directory = LockedBuffer::read(index, directory_block, Lock::Exclusive);
    let mut update = Update::begin(index, logging);
    let pushed = format::push(update.page(&mut directory), PageKind::Directory, &closed);
    if checked(index, directory_block, pushed) {
        format::set_meta(update.page(meta), &header);
        checked(index, last_block, log_page::close(update.page(&mut last)));
        return update.commit();
    }
    drop(update);
    close_into_new_page(index, (meta, Some(directory)), &mut last, header, &closed, logging);
}

/// Closes a segment when the last page of the directory chain is full: adds a page to the chain.
/// `chain` is the metapage and the last directory page, if that is another one.
fn close_into_new_page(
    index: pg_sys::Relation,
    chain: (&mut LockedBuffer, Option<LockedBuffer>),
    last: &mut LockedBuffer,
    mut header: MetaHeader,
    closed: &Segment,
    logging: Logging,
) {
    let (meta, tail) = chain;
    let block = header.used_blocks.get();
    let mut added = LockedBuffer::new_block(index, pg_sys::ForkNumber::MAIN_FORKNUM, block);
    header.used_blocks = (block + 1).into();
    header.last_directory = block.into();
    let last_block = last.block();

    let mut tail = tail;
    let mut update = Update::begin(index, logging);
    let page = update.new_page(&mut added);
    format::init_directory(page);
    checked(index, block, format::push(page, PageKind::Directory, closed));
    let meta_page = update.page(meta);
    format::set_meta(meta_page, &header);
    match tail.as_mut() {
        None => checked(index, META_BLOCK, format::set_next(meta_page, PageKind::Meta, block)),
        Some(tail) => {
            let at = tail.block();
            let page = update.page(tail);
            checked(index, at, format::set_next(page, PageKind::Directory, block));
        }
    }
    checked(index, last_block, log_page::close(update.page(last)));
    update.commit();
}

/// Applies `change` to each listed segment that it wants to change (it returns true), one WAL
/// record for each directory page.
pub fn update_segments(index: pg_sys::Relation, logging: Logging, mut change: impl FnMut(&mut Segment) -> bool) {
    let mut meta = LockedBuffer::read(index, META_BLOCK, Lock::Exclusive);
    let mut next = update_page(index, &mut meta, logging, &mut change);
    while let Some(block) = next {
        let mut page = LockedBuffer::read(index, block, Lock::Exclusive);
        next = update_page(index, &mut page, logging, &mut change);
    }
}

fn update_page(
    index: pg_sys::Relation,
    buffer: &mut LockedBuffer,
    logging: Logging,
    change: &mut impl FnMut(&mut Segment) -> bool,
) -> Option<u32> {
    let block = buffer.block();
    let kind = kind_of(block);
    let segments = checked(index, block, format::segments(buffer.page(), kind));
    let changed: Vec<(usize, Segment)> = segments
        .into_iter()
        .enumerate()
        .filter_map(|(slot, mut segment)| change(&mut segment).then_some((slot, segment)))
        .collect();
    let next = checked(index, block, format::next(buffer.page(), kind));
    if !changed.is_empty() {
        let mut update = Update::begin(index, logging);
        let page = update.page(buffer);
        for (slot, segment) in &changed {
            checked(index, block, format::replace(page, kind, *slot, segment));
        }
        update.commit();
    }
    next
}

/// Identity of a segment over time: its first block and the generation of its contents.
pub fn same(a: &Segment, b: &Segment) -> bool {
    a.start_block == b.start_block && a.epoch == b.epoch
}

/// True when a segment has a shard, whatever the state of its file.
pub fn is_sealed(segment: &Segment) -> bool {
    segment.state == STATE_SEALED
}
