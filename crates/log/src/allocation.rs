//! Which blocks of the index are free, and neighbouring segments that become one.

use std::ops::Range;

use crate::directory::{Segment, State};

/// Gives blocks back: they become a free entry of the list, joined with free neighbours.
pub fn release(list: &mut Vec<Segment>, blocks: Range<u32>) {
    let mut blocks = blocks;
    list.retain(|entry| {
        let touches = entry.is_free() && (entry.blocks().end == blocks.start || entry.blocks().start == blocks.end);
        if touches {
            blocks = entry.blocks().start.min(blocks.start)..entry.blocks().end.max(blocks.end);
        }
        !touches
    });
    if !blocks.is_empty() {
        list.push(Segment::new(State::Free, blocks, 1, 0));
    }
}

/// Free entries of at least `at_least` blocks.
fn free_entries(list: &[Segment], at_least: u32) -> impl Iterator<Item = &Segment> {
    list.iter()
        .filter(move |entry| entry.is_free() && entry.block_count >= at_least)
}

/// Takes `count` blocks from the first free entry that has them: so free blocks gather at the end, where they can be
/// cut off.
pub fn take(list: &mut Vec<Segment>, count: u32) -> Option<Range<u32>> {
    let from = *free_entries(list, count).min_by_key(|entry| entry.start_block)?;
    Some(take_from(list, &from, count))
}

/// Takes the first free entry that has `enough` blocks, else the largest, but no more than `at_most` blocks of it; None
/// if all have fewer than `at_least`.
pub fn take_room(list: &mut Vec<Segment>, at_least: u32, enough: u32, at_most: u32) -> Option<Range<u32>> {
    let first = free_entries(list, enough.max(at_least)).min_by_key(|entry| entry.start_block);
    let from = *first.or_else(|| free_entries(list, at_least).max_by_key(|entry| entry.block_count))?;
    Some(take_from(list, &from, from.block_count.min(at_most)))
}

/// Takes `count` blocks before block `below`, from the first free entries on, each piece a multiple of `span_blocks`,
/// as `count` is. Pieces of fewer than `least_piece` blocks are skipped, except for the last one. None, with nothing
/// taken, if there are too few.
pub fn take_below(
    list: &mut Vec<Segment>,
    count: u32,
    below: u32,
    least_piece: u32,
    span_blocks: u32,
) -> Option<Vec<Range<u32>>> {
    let mut free: Vec<Range<u32>> = free_entries(list, 1).map(Segment::blocks).collect();
    free.sort_unstable_by_key(|blocks| blocks.start);
    let mut missing = count;
    let mut pieces = Vec::new();
    for blocks in free {
        let has = blocks.end.min(below).saturating_sub(blocks.start);
        let has = has - has % span_blocks;
        if missing > 0 && has >= least_piece.min(missing) {
            let piece = blocks.start..blocks.start + has.min(missing);
            missing -= piece.end - piece.start;
            pieces.push(piece);
        }
    }
    if missing > 0 {
        return None;
    }
    for piece in &pieces {
        let from = *list.iter().find(|e| e.is_free() && e.start_block == piece.start)?;
        take_from(list, &from, piece.end - piece.start);
    }
    Some(pieces)
}

/// The free blocks before `end`, up to it.
pub fn free_at_end(list: &[Segment], end: u32) -> Range<u32> {
    let last = list.iter().find(|entry| entry.is_free() && entry.blocks().end == end);
    last.map_or(end..end, Segment::blocks)
}

fn take_from(list: &mut Vec<Segment>, from: &Segment, count: u32) -> Range<u32> {
    let Range { start, end } = from.blocks();
    list.retain(|entry| !(entry.is_free() && entry.start_block == start));
    release(list, start + count..end);
    start..start + count
}

/// The same blocks in as few segments as possible, by position: neighbours of one stride become one.
pub fn joined(segments: &[Segment]) -> Vec<Segment> {
    let mut sorted = segments.to_vec();
    sorted.sort_unstable_by_key(|segment| segment.start_block);
    let mut joined: Vec<Segment> = Vec::with_capacity(sorted.len());
    for segment in sorted {
        match joined.last_mut() {
            Some(last) if last.blocks().end == segment.blocks().start && last.stride == segment.stride => {
                last.block_count += segment.block_count;
                last.epoch = last.epoch.max(segment.epoch);
                last.oldest_epoch = last.oldest_epoch.min(segment.oldest_epoch);
                last.entries += segment.entries;
                last.dead += segment.dead;
                last.dead_nulls += segment.dead_nulls;
                last.nulls += segment.nulls;
            }
            _ => joined.push(segment),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free_ranges(list: &[Segment]) -> Vec<Range<u32>> {
        let mut free: Vec<_> = list.iter().filter(|e| e.is_free()).map(Segment::blocks).collect();
        free.sort_by_key(|range| range.start);
        free
    }

    #[test]
    fn neighbours_join_and_pieces_are_taken() {
        let mut list = vec![Segment::new(State::Sealed, 100..110, 32, 1)];
        for blocks in [10..20, 30..35, 20..30, 50..60, 90..100, 110..120] {
            release(&mut list, blocks);
        }
        assert_eq!(free_ranges(&list), [10..35, 50..60, 90..100, 110..120]);
        assert_eq!(take(&mut list, 11), Some(10..21));
        assert_eq!(take(&mut list, 10), Some(21..31), "the first, not the smallest");
        assert_eq!(take(&mut list, 15), None);
        assert_eq!(take_room(&mut list, 20, 20, 100), None);
        assert_eq!(take_room(&mut list, 8, 9, 9), Some(50..59), "the first that is enough");
        assert_eq!(take_room(&mut list, 4, 50, 9).map(|r| r.len()), Some(9), "the largest");
        release(&mut list, 7..7);
        assert_eq!(list.iter().filter(|e| e.state == State::Sealed).count(), 1);
    }

    #[test]
    fn blocks_are_taken_below_others() {
        let mut list = Vec::new();
        for blocks in [10..20, 30..33, 40..60, 90..100] {
            release(&mut list, blocks);
        }
        let before = list.clone();
        assert_eq!(take_below(&mut list, 26, 55, 8, 1), None);
        assert_eq!(list, before);
        assert_eq!(take_below(&mut list, 25, 55, 8, 1), Some(vec![10..20, 40..55]));
        let one_run = 30..32;
        assert_eq!(
            take_below(&mut list, 2, 55, 8, 1).as_deref(),
            Some(std::slice::from_ref(&one_run))
        );
        assert_eq!(free_ranges(&list), [32..33, 55..60, 90..100]);
        assert_eq!(free_at_end(&list, 100), 90..100);
        assert_eq!(free_at_end(&list, 101), 101..101);
    }

    #[test]
    fn spans_are_not_torn() {
        let mut list = Vec::new();
        for blocks in [10..21, 30..33, 40..60] {
            release(&mut list, blocks);
        }
        let before = list.clone();
        assert_eq!(take_below(&mut list, 27, 57, 8, 3), None, "9 blocks and 15");
        assert_eq!(list, before);
        assert_eq!(take_below(&mut list, 24, 57, 8, 3), Some(vec![10..19, 40..55]));
        assert_eq!(free_ranges(&list), [19..21, 30..33, 55..60]);
        let last = 30..33;
        assert_eq!(
            take_below(&mut list, 3, 57, 8, 3).as_deref(),
            Some(std::slice::from_ref(&last))
        );
    }

    #[test]
    fn taking_and_releasing_loses_nothing() {
        let mut list = Vec::new();
        release(&mut list, 1..1001);
        let mut state = 7u32;
        let mut taken = Vec::new();
        for _ in 0..if cfg!(miri) { 50 } else { 2_000 } {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let count = 1 + (state >> 16 & 63);
            if state & 3 == 0 && !taken.is_empty() {
                release(&mut list, taken.swap_remove(count as usize % taken.len()));
            } else if let Some(range) = take(&mut list, count) {
                assert_eq!(range.len(), count as usize);
                taken.push(range);
            }
            let free: usize = free_ranges(&list).iter().map(|r| r.len()).sum();
            let used: usize = taken.iter().map(|r: &Range<u32>| r.len()).sum();
            assert_eq!(free + used, 1000);
        }
        taken.into_iter().for_each(|range| release(&mut list, range));
        assert_eq!(free_ranges(&list), std::slice::from_ref(&(1..1001)));
    }

    #[test]
    fn segments_join_in_order() {
        let segment = |blocks, stride, epoch| Segment {
            entries: 10,
            ..Segment::new(State::Sealed, blocks, stride, epoch)
        };
        let all = [
            segment(20..30, 32, 5),
            segment(1..10, 32, 9),
            segment(10..20, 32, 2),
            segment(30..31, 64, 6),
            segment(40..41, 64, 7),
        ];
        let joined = joined(&all);
        let shape: Vec<_> = joined
            .iter()
            .map(|s| (s.blocks(), s.oldest_epoch, s.epoch, s.entries))
            .collect();
        assert_eq!(shape, [(1..30, 2, 9, 30), (30..31, 6, 6, 10), (40..41, 7, 7, 10)]);
    }
}
