//! Node numbering: levels, the order of nodes, and the order of insertion.

use super::levels::{Levels, MAX_LEVEL};
use super::row_set::{Contents, hash_content};
use crate::control::{BuildControl, CHECK_STRIDE, Cancelled};
use crate::random::Random;

/// Sort key of a node: level descending, then the first bytes of the row's content, then the rest of it through the
/// arena.
#[derive(Clone, Copy)]
struct SortKey {
    prefix: u64,
    row: u32,
    level: u32,
}

/// Level of a row: geometric with ratio `1 / m`, drawn from a hash, so that it does not depend on the order of arrival.
fn level_of(content: &[u8], m: usize, seed: u64) -> usize {
    let hash = hash_content(content, seed ^ 0x6C65_7665_6C73);
    // 53 random bits, offset by one half so that the logarithm is finite.
    let uniform = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    ((-uniform.ln() / (m as f64).ln()) as usize).min(MAX_LEVEL)
}

fn prefix_of(content: &[u8]) -> u64 {
    let mut word = [0; 8];
    let n = content.len().min(8);
    word[..n].copy_from_slice(&content[..n]);
    u64::from_be_bytes(word)
}

/// Numbers the rows as nodes: `result[node]` is the index of its row. Level descending, then bytewise by content.
pub(crate) fn number_nodes(
    rows: &impl Contents,
    m: usize,
    seed: u64,
    control: &BuildControl,
) -> Result<(Vec<u32>, Levels), Cancelled> {
    let mut levels = Levels::empty();
    let mut keys = Vec::with_capacity(rows.len() as usize);
    for index in 0..rows.len() {
        control.check_at(index as usize)?;
        let content = rows.content(index);
        let level = level_of(content, m, seed);
        levels.add(level);
        keys.push(SortKey {
            prefix: prefix_of(content),
            row: index,
            level: level as u32,
        });
    }
    let before = |a: &SortKey, b: &SortKey| {
        let leading = (b.level, a.prefix).cmp(&(a.level, b.prefix));
        leading.then_with(|| rows.content(a.row).cmp(rows.content(b.row)))
    };
    merge_sort(&mut keys, before, control)?;
    Ok((keys.iter().map(|key| key.row).collect(), levels))
}

/// Sorts runs, then merges them bottom-up: the standard sort cannot be interrupted.
fn merge_sort<T: Copy>(
    items: &mut Vec<T>,
    compare: impl Fn(&T, &T) -> std::cmp::Ordering,
    control: &BuildControl,
) -> Result<(), Cancelled> {
    for run in items.chunks_mut(CHECK_STRIDE) {
        control.check()?;
        run.sort_unstable_by(&compare);
    }
    let mut width = CHECK_STRIDE;
    while width < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        for pair in items.chunks(width * 2) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([first, left_rest @ ..], [second, right_rest @ ..]) = (left, right) {
                control.check_at(merged.len())?;
                if compare(first, second).is_le() {
                    merged.push(*first);
                    left = left_rest;
                } else {
                    merged.push(*second);
                    right = right_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *items = merged;
        width *= 2;
    }
    Ok(())
}

/// The order of insertion: higher levels first, so that the entry point never changes, and shuffled within a level,
/// because neighbours in the sort order are neighbours in space, and inserting a region at a time leaves the graph
/// without the long links that earlier, sparser stages give it.
pub(crate) fn insertion_order(levels: &Levels, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..levels.nodes()).collect();
    let mut random = Random(seed ^ 0x006F_7264_6572);
    for level in 0..=levels.max_level() {
        // Node 0 stays first in its class.
        let start = (levels.at_least(level + 1) as usize).max(1);
        let class = order
            .get_mut(start..levels.at_least(level) as usize)
            .unwrap_or_default();
        for i in (1..class.len()).rev() {
            class.swap(i, random.below(i as u64 + 1) as usize);
        }
    }
    order
}
