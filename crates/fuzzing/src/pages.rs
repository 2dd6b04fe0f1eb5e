//! Pages of an index.

use iscc_log::directory;
use iscc_log::log_page::{self, Entries, LogPage, is_alive};
use iscc_log::page::{self, PAGE_BYTES, PageKind, TAIL_OFFSET};
use iscc_log::span::{self, MAX_STRIDE, Span, SpanBuffer};
use iscc_metrics::{Metric, Query};

/// A page that begins with the first half of the input and ends with the other: a short input has header and tail.
fn page_of(input: &[u8]) -> [u8; PAGE_BYTES] {
    let input = &input[..input.len().min(PAGE_BYTES)];
    let (front, back) = input.split_at(input.len() / 2);
    let mut page = [0; PAGE_BYTES];
    page[..front.len()].copy_from_slice(front);
    page[PAGE_BYTES - back.len()..].copy_from_slice(back);
    page
}

/// Reads all of a log page, and changes it as an insert and VACUUM do.
pub fn log_page(input: &[u8]) {
    let mut page = page_of(input);
    spanned(&page);
    if let Ok(view) = LogPage::parse(&page) {
        let mut lengths = Vec::new();
        view.lengths(&mut lengths);
        assert_eq!(lengths.len(), view.len());
        for slot in 0..view.len() + 2 {
            let code = view.code(slot).unwrap_or_default();
            assert!(code.len() <= view.stride());
            assert_eq!(view.tid(slot).is_some(), slot < view.len());
        }
        let _ = (view.problems(), view.epoch(), view.lsn());
        for metric in Metric::of_codes() {
            for bytes in [3, 32] {
                let mut near = Vec::new();
                Query::new(metric, &[0x5a; 32][..bytes]).near(view.column(), u32::MAX, &mut near);
                assert!(near.iter().all(|&slot| (slot as usize) < view.len()));
            }
        }
    }
    if log_page::kill(&mut page, 3) {
        let view = Entries::parse(&page).expect("still a page");
        assert!(!is_alive(&view.tid(3).expect("an entry")));
    }
    if log_page::append(&mut page, &[7; 5], &[0, 0, 1, 0, 5, 0]).is_some() {
        let view = Entries::parse(&page).expect("still a page");
        assert_eq!(view.code_len(view.len() - 1), 5);
        if let Ok(view) = LogPage::parse(&page) {
            assert_eq!(view.code(view.len() - 1), Some(&[7; 5][..]));
        }
    }
    if log_page::close(&mut page).is_ok() {
        assert!(log_page::append(&mut page, &[7; 5], &[0, 0, 1, 0, 5, 0]).is_none());
    }
}

/// Reads a page as part of a value that spans pages, and as the one that has the entry.
fn spanned(page: &[u8; PAGE_BYTES]) {
    let number = |at: usize| u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
    // What the part itself says, or it would be another entry's.
    let span = Span {
        epoch: number(TAIL_OFFSET),
        head: number(TAIL_OFFSET + 4),
        stride: number(TAIL_OFFSET + 8) as u16,
    };
    for (number, _) in span.parts() {
        for bytes in [span.stride.into(), 0, MAX_STRIDE] {
            if let Ok(Some(part)) = span.part(page, number, bytes) {
                assert!(part.len() <= span::PART_BYTES);
            }
        }
    }
    let mut buffer = SpanBuffer::default();
    if let Ok(bytes) = buffer.begin(page)
        && let Ok(page) = buffer.page()
    {
        assert!(bytes == 0 || bytes == page.stride());
        for slot in 0..page.len() + 2 {
            let _ = (page.code(slot), page.tid(slot));
        }
        let _ = page.problems();
    }
}

/// Reads all of a metapage or directory page, and writes it anew.
pub fn directory(input: &[u8]) {
    let mut page = page_of(input);
    if let Ok(header) = directory::meta(&page) {
        if let Some(open) = &header.open {
            assert!(header.has_blocks(open) && open.slots_per_page() > 0);
        }
        directory::set_meta(&mut page, &header);
        assert_eq!(directory::meta(&page), Ok(header));
    }
    for kind in [PageKind::Meta, PageKind::Directory] {
        let _ = directory::next(&page, kind);
        let Ok(segments) = directory::segments(&page, kind) else {
            continue;
        };
        assert!(segments.len() <= directory::capacity(kind));
        for segment in &segments {
            assert!(segment.blocks().end < page::NO_BLOCK && segment.slots_per_page() > 0);
            let _ = (segment.all_dead(), segment.has_epoch(7), segment.is_searchable());
        }
        directory::set_segments(&mut page, kind, &segments).expect("as many as there were");
        assert_eq!(directory::segments(&page, kind), Ok(segments));
    }
}
