//! Reading and changing the segment directory in the relation.
//!
//! Lock order: metapage, directory pages along the chain, log pages. Every change of the directory
//! holds the metapage exclusively, and a reader holds it while it walks the chain; so a change that
//! touches many pages writes new ones first and then, in one WAL record, lets the metapage point to them.

use std::ops::Range;

use iscc_log::allocation;
use iscc_log::directory::{self as format, MetaHeader, Segment, State};
use iscc_log::page::{NO_BLOCK, PageError, PageKind};
use iscc_log::span;
use pgrx::pg_sys;

use super::buffer::{Exclusive, Locked, Mode, Page, Shared, lsn_of};
use super::shard_file::ShardId;
use super::update::{Logging, Update};
use crate::failpoint::failpoint;
use crate::relation::{Index, flush_wal};

/// Block number of the metapage.
pub const META_BLOCK: u32 = 0;

/// The id of a segment that has nothing to search: no code was alive when it was sealed.
pub const NO_SHARD: ShardId = [0; 16];

/// A segment that reuses blocks gets at least this many: fewer would make many small segments.
pub const LEAST_REUSED_BLOCKS: u32 = 8;

/// A consistent copy of the directory.
#[derive(Clone)]
pub struct Directory {
    /// Header of the metapage, with the open segment.
    pub header: MetaHeader,
    /// All other segments, and the free blocks.
    pub listed: Vec<Segment>,
    /// Blocks of the directory pages, in order.
    chain: Vec<u32>,
}

impl Directory {
    /// The segments that make up the index, the open one last.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.complete().chain(self.header.open.as_ref())
    }

    /// The closed and sealed segments.
    pub fn complete(&self) -> impl Iterator<Item = &Segment> {
        self.listed.iter().filter(|segment| segment.is_searchable())
    }

    /// The blocks that the open segment has or may grow to.
    pub fn open_room(&self) -> Option<Range<u32>> {
        let open = self.header.open?.blocks();
        Some(open.start..open.end.max(self.header.open_limit))
    }

    /// Blocks of the directory pages.
    pub fn pages(&self) -> impl Iterator<Item = u32> {
        self.chain.iter().copied()
    }

    /// Size of the open segment.
    pub fn open_blocks(&self) -> u32 {
        self.header.open.as_ref().map_or(0, |open| open.block_count)
    }

    /// Size of what has no shard yet: the open segment and the closed ones.
    pub fn tail_blocks(&self) -> u32 {
        let closed = self.listed.iter().filter(|segment| segment.state == State::Closed);
        self.open_blocks() + closed.map(|segment| segment.block_count).sum::<u32>()
    }

    /// Segments being filled with entries of others.
    pub fn pending(&self) -> impl Iterator<Item = &Segment> {
        self.listed.iter().filter(|segment| segment.state == State::Pending)
    }

    /// True when a segment has this shard.
    pub fn lists(&self, id: &ShardId) -> bool {
        self.listed.iter().any(|segment| segment.shard_id == *id)
    }

    /// The closed and sealed segments by shard; one without a shard stands alone, with [`NO_SHARD`].
    pub fn shards(&self) -> Vec<(ShardId, Vec<Segment>)> {
        let mut groups: Vec<(ShardId, Vec<Segment>)> = Vec::new();
        for &segment in self.complete() {
            let id = segment.shard_id;
            match groups.iter_mut().find(|(known, _)| id != NO_SHARD && *known == id) {
                Some((_, members)) => members.push(segment),
                None => groups.push((id, vec![segment])),
            }
        }
        groups
    }

    /// Blocks that will be used again.
    pub fn free_blocks(&self) -> u32 {
        let free = self.listed.iter().filter(|segment| segment.is_free());
        free.map(|segment| segment.block_count).sum()
    }

    /// Takes blocks for a new segment: free ones, or the next ones of the relation.
    fn allocate(&mut self, count: u32) -> Range<u32> {
        allocation::take(&mut self.listed, count).unwrap_or_else(|| {
            let start = self.header.used_blocks;
            self.header.used_blocks = start + count;
            start..start + count
        })
    }

    /// The number of a new generation.
    pub(super) fn new_epoch(&mut self) -> u32 {
        let epoch = self.header.next_epoch;
        self.header.next_epoch = epoch.wrapping_add(1);
        epoch
    }

    /// Adds a pending segment of `count` blocks, a multiple of those that a value of the stride spans. None when there
    /// would have to be more blocks than the relation has.
    pub fn add_pending(&mut self, count: u32, stride: u16, existing: u32) -> Option<Vec<Segment>> {
        let before = self.clone();
        let blocks = self.allocate(count);
        if self.header.used_blocks > existing {
            *self = before;
            return None;
        }
        Some(self.list_pending(vec![blocks], stride))
    }

    /// Adds pending segments of `count` blocks in total, each before block `below`. None when too few are free there.
    pub fn add_pending_below(&mut self, count: u32, stride: u16, below: u32) -> Option<Vec<Segment>> {
        let pieces = allocation::take_below(
            &mut self.listed,
            count,
            below,
            LEAST_REUSED_BLOCKS,
            span::blocks(stride),
        )?;
        Some(self.list_pending(pieces, stride))
    }

    fn list_pending(&mut self, pieces: Vec<Range<u32>>, stride: u16) -> Vec<Segment> {
        let mut pending = |blocks| Segment::new(State::Pending, blocks, stride, self.new_epoch());
        let pending: Vec<Segment> = pieces.into_iter().map(&mut pending).collect();
        self.listed.extend_from_slice(&pending);
        pending
    }

    /// Blocks without entries: the free ones, and those that the open segment may grow to.
    pub fn spare_blocks(&self) -> u32 {
        let room = self.open_room().map_or(0, |room| room.end - room.start) - self.open_blocks();
        room + self.free_blocks()
    }

    /// The free blocks at the end of those in use.
    pub fn free_at_end(&self) -> Range<u32> {
        allocation::free_at_end(&self.listed, self.header.used_blocks)
    }

    /// Forgets the free blocks at the end, so that the file can be cut there.
    pub fn cut_end(&mut self) {
        let end = self.free_at_end();
        self.listed
            .retain(|segment| !(segment.is_free() && segment.blocks() == end));
        self.header.used_blocks = end.start;
    }

    /// Puts `new` segments in the place of the `replaced` ones, whose blocks they cover, and makes the blocks of the
    /// `freed` ones free. False, and nothing is changed, unless each of the old ones is still listed as it was: who was
    /// overtaken must not list blocks twice, or free those of others.
    #[must_use]
    pub fn exchange(&mut self, replaced: &[Segment], new: &[Segment], freed: &[Segment]) -> bool {
        let mut old = replaced.iter().chain(freed);
        if !old.all(|segment| self.listed.iter().any(|listed| segment.is_same(listed))) {
            return false;
        }
        let is_old = |listed: &Segment| replaced.iter().chain(freed).any(|segment| segment.is_same(listed));
        self.listed.retain(|listed| !is_old(listed));
        self.listed.extend_from_slice(new);
        for segment in freed {
            allocation::release(&mut self.listed, segment.blocks());
        }
        true
    }

    /// Makes the blocks of these segments free, as [`Directory::exchange`] does.
    #[must_use]
    pub fn free(&mut self, segments: &[Segment]) -> bool {
        self.exchange(&[], &[], segments)
    }
}

/// Unwraps a page operation, raising the corruption error that names index and block.
pub(super) fn checked<T>(index: Index<'_>, block: u32, result: Result<T, PageError>) -> T {
    result.unwrap_or_else(|why| index.corrupt(block, why))
}

/// Creates the metapage of an empty index in an empty fork.
pub fn create(index: Index<'_>, fork: pg_sys::ForkNumber::Type, metric: u8, logging: Logging) {
    let mut buffer = Locked::new_block(index, fork, META_BLOCK);
    let mut update = Update::begin(index, logging);
    format::init_meta(update.new_page(&mut buffer), metric);
    update.commit();
}

/// The header of the metapage, as of now.
pub fn read_header(index: Index<'_>) -> MetaHeader {
    let meta = Locked::<Shared>::read(index, META_BLOCK);
    header_of(index, meta.page())
}

pub(super) fn header_of(index: Index<'_>, page: &Page) -> MetaHeader {
    checked(index, META_BLOCK, format::meta(page))
}

/// A copy of the whole directory, as of now.
pub fn read(index: Index<'_>) -> Directory {
    let meta = Locked::<Shared>::read(index, META_BLOCK);
    read_under(index, &meta)
}

/// A copy of the whole directory, as of now; None when its pages are damaged.
pub fn try_read(index: Index<'_>) -> Option<Directory> {
    let meta = Locked::<Shared>::read(index, META_BLOCK);
    walk(index, &meta).ok()
}

/// Makes durable what the directory says now.
pub fn flush(index: Index<'_>) {
    let meta = Locked::<Shared>::read(index, META_BLOCK);
    let lsn = lsn_of(&meta);
    drop(meta);
    flush_wal(lsn);
}

/// A copy of the whole directory while the caller holds the metapage.
fn read_under<M: Mode>(index: Index<'_>, meta: &Locked<M>) -> Directory {
    walk(index, meta).unwrap_or_else(|(block, why)| index.corrupt(block, why))
}

/// The same for a caller that is going to change it: then no block of a directory page may be for others to take, which
/// would wait for our own lock on it.
pub(super) fn read_to_change(index: Index<'_>, meta: &Locked<Exclusive>) -> Directory {
    let directory = read_under(index, meta);
    let others = directory
        .listed
        .iter()
        .map(Segment::blocks)
        .chain(directory.open_room());
    let twice = others.flat_map(|blocks| directory.pages().filter(move |page| blocks.contains(page)));
    if let Some(block) = twice.min() {
        index.corrupt(block, "the directory claims it twice");
    }
    directory
}

/// Reads the metapage and the directory pages; an error names the block that is damaged.
fn walk<M: Mode>(index: Index<'_>, meta: &Locked<M>) -> Result<Directory, (u32, PageError)> {
    let at = |block| move |why| (block, why);
    let header = format::meta(meta.page()).map_err(at(META_BLOCK))?;
    // Read under the metapage's lock: what it lists exists by now, except what is still being filled, or free.
    let existing = index.block_count();
    let exists = |segment: &Segment| !segment.is_searchable() || segment.blocks().end <= existing;
    let inside = |segments: Vec<Segment>| match segments.iter().all(|s| header.has_blocks(s) && exists(s)) {
        true => Ok(segments),
        false => Err(PageError::Layout),
    };
    if !header.open.as_ref().is_none_or(exists) {
        return Err((META_BLOCK, PageError::Layout));
    }
    let listed = format::segments(meta.page(), PageKind::Meta).and_then(inside);
    let mut listed = listed.map_err(at(META_BLOCK))?;
    let mut next = format::next(meta.page(), PageKind::Meta).map_err(at(META_BLOCK))?;
    let mut chain = Vec::new();
    while let Some(block) = next {
        // A page that comes again is locked by us already: waiting for it would never end.
        if block == META_BLOCK || block >= existing || chain.contains(&block) {
            return Err((block, PageError::Layout));
        }
        chain.push(block);
        let buffer = Locked::<Shared>::read(index, block);
        let more = format::segments(buffer.page(), PageKind::Directory).and_then(inside);
        listed.extend(more.map_err(at(block))?);
        next = format::next(buffer.page(), PageKind::Directory).map_err(at(block))?;
    }
    Ok(Directory { header, listed, chain })
}

/// Changes the directory in one atomic step.
pub fn change<T>(index: Index<'_>, logging: Logging, change: impl FnOnce(&mut Directory) -> T) -> T {
    let mut meta = Locked::<Exclusive>::read(index, META_BLOCK);
    let before = read_to_change(index, &meta);
    let mut after = before.clone();
    let result = change(&mut after);
    if after.header == before.header && after.listed == before.listed {
        return result;
    }
    write(index, &mut meta, &before, after, logging, None);
    result
}

/// A page outside of the directory that changes in the same WAL record.
pub(super) struct OtherPage<'a> {
    /// Where it is.
    pub buffer: &'a mut Locked<Exclusive>,
    /// It is filled anew.
    pub is_new: bool,
    /// The change.
    pub change: &'a dyn Fn(&mut Page),
}

impl<'a> OtherPage<'a> {
    fn change_in(self, update: &mut Update<'a>) {
        let page = match self.is_new {
            true => update.new_page(self.buffer),
            false => update.page(self.buffer),
        };
        (self.change)(page);
    }
}

/// Pages that one generic WAL record can change.
const PAGES_IN_RECORD: usize = 4;

/// Writes what has changed. `also` changes in the same WAL record.
pub(super) fn write(
    index: Index<'_>,
    meta: &mut Locked<Exclusive>,
    before: &Directory,
    after: Directory,
    logging: Logging,
    also: Option<OtherPage<'_>>,
) {
    let pages = Pages::of(&after.listed);
    let old = Pages::of(&before.listed);
    let existing = before.chain.len();
    let changed: Vec<usize> = (0..existing)
        .filter(|&at| pages.chained(at) != old.chained(at))
        .collect();
    // The metapage, the page of `also`, and where a page is added to the chain the one before it.
    if changed.len() + 2 > PAGES_IN_RECORD || pages.chained.len() > existing {
        return write_new_chain(index, meta, before, after, logging, also);
    }
    let mut buffers: Vec<(usize, Locked<Exclusive>)> = changed
        .into_iter()
        .map(|at| (at, Locked::<Exclusive>::read(index, before.chain[at])))
        .collect();
    failpoint!("directory_before_change");
    // Replay locks the pages in this order, and must not have one that a reader who holds the metapage waits for.
    let mut update = Update::begin(index, logging);
    let page = update.page(meta);
    format::set_meta(page, &after.header);
    checked(
        index,
        META_BLOCK,
        format::set_segments(page, PageKind::Meta, pages.meta),
    );
    for (at, buffer) in &mut buffers {
        let block = buffer.block();
        let page = update.page(buffer);
        checked(
            index,
            block,
            format::set_segments(page, PageKind::Directory, pages.chained(*at)),
        );
    }
    if let Some(other) = also {
        other.change_in(&mut update);
    }
    update.commit();
    failpoint!("directory_after_change");
}

/// The entries of a directory by page.
struct Pages<'a> {
    meta: &'a [Segment],
    chained: Vec<&'a [Segment]>,
}

impl<'a> Pages<'a> {
    fn of(listed: &'a [Segment]) -> Self {
        let (meta, rest) = listed.split_at(listed.len().min(format::capacity(PageKind::Meta)));
        let chained = rest.chunks(format::capacity(PageKind::Directory)).collect();
        Pages { meta, chained }
    }

    /// What stands on a page of the chain; nothing beyond its end.
    fn chained(&self, at: usize) -> &'a [Segment] {
        self.chained.get(at).copied().unwrap_or_default()
    }
}

/// Writes all directory pages anew to other blocks, then the metapage, which points to them. A crash in
/// between leaves the old chain.
fn write_new_chain(
    index: Index<'_>,
    meta: &mut Locked<Exclusive>,
    before: &Directory,
    mut after: Directory,
    logging: Logging,
    also: Option<OtherPage<'_>>,
) {
    // Half as many pages again, so that what is added next finds room; the blocks of the old chain are an entry each
    // at most.
    let entries = after.listed.len() + before.chain.len() + 1;
    let count = entries.div_ceil(format::capacity(PageKind::Directory)) * 3 / 2 + 1;
    let blocks = after.allocate(count as u32);
    for &block in &before.chain {
        allocation::release(&mut after.listed, block..block + 1);
    }
    let pages = Pages::of(&after.listed);
    for (at, block) in blocks.clone().enumerate() {
        let mut buffer = Locked::new_block(index, pg_sys::ForkNumber::MAIN_FORKNUM, block);
        let mut update = Update::begin(index, logging);
        let page = update.new_page(&mut buffer);
        format::init_directory(page);
        let kind = PageKind::Directory;
        checked(index, block, format::set_segments(page, kind, pages.chained(at)));
        let next = if block + 1 < blocks.end { block + 1 } else { NO_BLOCK };
        checked(index, block, format::set_next(page, kind, next));
        update.commit();
        drop(buffer);
        failpoint!("directory_new_page");
    }
    failpoint!("directory_before_switch");
    let mut update = Update::begin(index, logging);
    let page = update.page(meta);
    format::set_meta(page, &after.header);
    let kind = PageKind::Meta;
    checked(index, META_BLOCK, format::set_segments(page, kind, pages.meta));
    checked(index, META_BLOCK, format::set_next(page, kind, blocks.start));
    if let Some(other) = also {
        other.change_in(&mut update);
    }
    update.commit();
    failpoint!("directory_after_switch");
}

/// Writes all directory pages anew, to the first free blocks that have room.
pub fn move_chain(index: Index<'_>, logging: Logging) {
    let mut meta = Locked::<Exclusive>::read(index, META_BLOCK);
    let before = read_under(index, &meta);
    write_new_chain(index, &mut meta, &before, before.clone(), logging, None);
}
