//! Pages that version 0.1.0 has written; `tests/data/v0.1.0/table.sql` says of which table.

use iscc_log::directory;
use iscc_log::log_page::{LogPage, is_alive};
use iscc_log::page::{PAGE_BYTES, PageKind};

/// Number of the metric, first byte of the shard's id, and the file.
const FILES: [(u8, u8, &[u8]); 2] = [
    (1, 0xcf, include_bytes!("../../../tests/data/v0.1.0/t_code.pages")),
    (2, 0x73, include_bytes!("../../../tests/data/v0.1.0/t_jaccard.pages")),
];

fn blocks(file: &[u8]) -> &[[u8; PAGE_BYTES]] {
    let (blocks, rest) = file.as_chunks();
    assert!(blocks.len() == 4 && rest.is_empty());
    blocks
}

#[test]
fn metapage() {
    for (metric, shard, file) in FILES {
        let page = &blocks(file)[0];
        let header = directory::meta(page).unwrap();
        assert_eq!((header.metric, header.used_blocks), (metric, 4));
        assert_eq!((header.next_epoch, header.open_limit), (3, 0));
        let open = header.open.expect("an open segment");
        assert_eq!((open.blocks(), open.stride, open.epoch), (3..4, 32, 2));

        let segments = directory::segments(page, PageKind::Meta).unwrap();
        let [sealed] = segments.as_slice() else {
            panic!("{segments:?}");
        };
        assert!(sealed.is_sealed() && sealed.has_epoch(1) && sealed.blocks() == (1..3));
        assert_eq!((sealed.entries, sealed.nodes, sealed.nulls), (250, 245, 5));
        assert_eq!((sealed.dead, sealed.shard_id[0]), (28, shard));
        assert_eq!(directory::next(page, PageKind::Meta), Ok(None));
    }
}

/// The row with this id, as the table has it: its code's first bytes are known.
fn assert_code(code: Option<&[u8]>, id: usize) {
    let bytes = if id <= 250 && id.is_multiple_of(50) {
        0
    } else {
        8 * (1 + id % 4)
    };
    assert_eq!(code.map_or(0, <[u8]>::len), bytes, "row {id}");
    // SHA-256 of "0", "1" and "150", with bit `id % 64` as the table's definition sets it.
    let known: &[(usize, [u8; 8])] = &[
        (1, [0x5f, 0xec, 0xeb, 0x66, 0xff, 0xc8, 0x6f, 0x38]),
        (2, [0x5b, 0xec, 0xeb, 0x66, 0xff, 0xc8, 0x6f, 0x38]),
        (3, [0x6b, 0x86, 0xb2, 0x73, 0xff, 0x34, 0xfc, 0xe1]),
        (301, [0x9a, 0xe2, 0xbd, 0xd7, 0xbe, 0xed, 0xc2, 0xe7]),
    ];
    if let Some((_, start)) = known.iter().find(|(known, _)| *known == id) {
        assert_eq!(code.map(|code| &code[..8]), Some(&start[..]), "row {id}");
    }
}

#[test]
fn log_pages() {
    for (_, _, file) in FILES {
        // Row 1 is the first entry, and no row is left out.
        let mut ids = (1..=250).chain(301..=340);
        for (block, (count, epoch)) in blocks(file)[1..].iter().zip([(203, 1), (47, 1), (40, 2)]) {
            let page = LogPage::parse(block).unwrap();
            assert_eq!((page.len(), page.stride(), page.epoch()), (count, 32, epoch));
            assert_eq!(page.problems(), Vec::<String>::new());
            for slot in 0..page.len() {
                let id = ids.next().expect("a row");
                assert_code(page.code(slot), id);
                // Every ninth row was deleted.
                assert_eq!(is_alive(&page.tid(slot).unwrap()), id % 9 != 4, "row {id}");
            }
            assert_eq!((page.code(count), page.tid(count)), (None, None));
        }
        assert_eq!(ids.next(), None);
    }
}
