//! Entries whose values span pages: the blocks that they take, read and written. [`span`](iscc_log::span) says how they
//! are laid out, and why a reader needs no lock of the head while it reads the parts.

use std::cell::Cell;

use iscc_log::directory::Segment;
use iscc_log::log_page::LogPage;
use iscc_log::span::{Span, SpanBuffer};
use pgrx::pg_sys;

use super::buffer::{Locked, Shared};
use super::log::{self, Mismatch};
use super::update::{Logging, Update};
use crate::failpoint::failpoint;
use crate::relation::Index;

thread_local! {
    /// The buffer of the value read last, for its memory: less than 100 kB.
    static SPARE: Cell<Option<SpanBuffer>> = const { Cell::new(None) };
}

/// Calls `read` with a copy of an entry and its value; no lock is held then.
pub fn read<T>(
    index: Index<'_>,
    segment: &Segment,
    head: u32,
    read: impl FnOnce(&LogPage<'_>) -> T,
) -> Result<T, Mismatch> {
    let mut buffer = SPARE.take().unwrap_or_default();
    fill(index, segment, head, &mut buffer)?;
    let page = buffer.page().map_err(|why| Mismatch::at(head, why))?;
    let result = read(&page);
    SPARE.set(Some(buffer));
    Ok(result)
}

/// Copies an entry, then the parts of its value, each page under a lock of its own. Those of a NULL are empty.
fn fill(index: Index<'_>, segment: &Segment, head: u32, buffer: &mut SpanBuffer) -> Result<(), Mismatch> {
    let page = Locked::<Shared>::read(index, head);
    let epoch = log::entries(segment, &page)?.epoch();
    let bytes = buffer.begin(page.page()).map_err(|why| Mismatch::at(head, why))?;
    drop(page);
    failpoint!("span_before_parts");
    let span = Span {
        head,
        epoch,
        stride: segment.stride,
    };
    for (number, block) in span.parts() {
        let page = Locked::<Shared>::read(index, block);
        match span.part(page.page(), number, bytes) {
            Ok(Some(part)) => buffer.add(part),
            Ok(None) => return Err(Mismatch::of_another(block)),
            Err(why) => return Err(Mismatch::at(block, why)),
        }
    }
    Ok(())
}

/// Writes the parts of a value, or for a NULL empty ones, each with a WAL record of its own. Nobody else knows their
/// blocks yet: the caller writes the head when this is done.
pub fn write_parts(index: Index<'_>, span: &Span, value: &[u8], logging: Logging) {
    for (number, block) in span.parts() {
        let mut buffer = Locked::new_block(index, pg_sys::ForkNumber::MAIN_FORKNUM, block);
        let mut update = Update::begin(index, logging);
        span.init_part(update.new_page(&mut buffer), number, value);
        update.commit();
        drop(buffer);
        failpoint!("span_part_written");
    }
    failpoint!("span_before_head");
}
