use super::*;

const MAX_BLOCKS: u32 = 22_000;

fn unit(kind: Kind, blocks: u32, dead_share: f64) -> Unit {
    let entries = u64::from(blocks) * 200;
    Unit {
        kind,
        blocks,
        stride: 32,
        entries,
        dead: (entries as f64 * dead_share) as u64,
    }
}

fn next(units: &[Unit], open_blocks: u32, max_blocks: u32) -> Option<Action> {
    let state = State {
        open_blocks,
        seal_blocks: SEAL_BLOCKS.min(max_blocks),
        max_blocks,
        may_seal: true,
        may_move: true,
        may_change: true,
    };
    super::next(units, &state)
}

fn sealed(blocks: u32) -> Unit {
    unit(Kind::Sealed, blocks, 0.0)
}

#[test]
fn nothing_to_do() {
    assert_eq!(next(&[], 0, MAX_BLOCKS), None);
    assert_eq!(next(&[], SEAL_BLOCKS - 1, MAX_BLOCKS), None);
    assert_eq!(
        next(&[sealed(20_000), sealed(200), sealed(200), sealed(200)], 10, MAX_BLOCKS),
        None
    );
    // Each nearly as large as a shard may be.
    assert_eq!(next(&vec![sealed(12_000); 9], 10, MAX_BLOCKS), None);
    assert_eq!(next(&[], 0, 1), None, "an empty index");
}

#[test]
fn order_of_importance() {
    let mut units = vec![sealed(200); 4];
    assert_eq!(next(&units, 0, MAX_BLOCKS), Some(Action::Merge(vec![0, 1, 2, 3])));
    units.push(unit(Kind::Sealed, 300, 0.6));
    assert_eq!(next(&units, 0, MAX_BLOCKS), Some(Action::Move(vec![4])));
    units.push(unit(Kind::Unusable, 5000, 0.0));
    units.push(unit(Kind::Unusable, 700, 0.0));
    assert_eq!(next(&units, 0, MAX_BLOCKS), Some(Action::Rebuild(6)));
    assert_eq!(next(&units, SEAL_BLOCKS, MAX_BLOCKS), Some(Action::Seal));
    units.push(unit(Kind::Tail, SEAL_BLOCKS / 2, 0.0));
    assert_eq!(next(&units, SEAL_BLOCKS / 2, MAX_BLOCKS), Some(Action::Seal));
}

#[test]
fn full_segments_of_small_shards_are_sealed() {
    assert_eq!(next(&[unit(Kind::Tail, 5, 0.0)], 0, 5), Some(Action::Seal));
    assert_eq!(next(&[unit(Kind::Tail, 2, 0.0)], 1, 5), None);
}

#[test]
fn a_dead_tail_is_reclaimed_too() {
    assert_eq!(
        next(&[unit(Kind::Tail, 20, 1.0)], 0, MAX_BLOCKS),
        Some(Action::Move(vec![0]))
    );
}

#[test]
fn a_dead_tail_is_not_sealed() {
    let units = [
        unit(Kind::Sealed, 300, 0.9),
        unit(Kind::Tail, 100, 0.6),
        unit(Kind::Tail, 90, 0.1),
    ];
    assert_eq!(next(&units, SEAL_BLOCKS, MAX_BLOCKS), Some(Action::Move(vec![1])));
    assert_eq!(next(&units[2..], SEAL_BLOCKS, MAX_BLOCKS), Some(Action::Seal));
}

#[test]
fn a_tail_of_vectors_is_as_long_as_a_query_has_time() {
    for (dimensions, at_least, at_most) in [
        (2, 32, 128),
        (16, 128, 400),
        (64, 512, 1_000),
        (384, 512, 1_100),
        (1_536, 512, 1_100),
        (3_072, 512, 1_100),
        (16_000, 512, 1_100),
    ] {
        let blocks = vector_seal_blocks(4 * dimensions);
        assert!((at_least..=at_most).contains(&blocks), "{dimensions}: {blocks} blocks");
    }
    for stride in 0..=u16::MAX {
        let blocks = vector_seal_blocks(stride);
        // Twice as much is still in the tier.
        assert!(
            blocks > 16 && tier(blocks) == tier(2 * blocks - 1),
            "{stride}: {blocks}"
        );
    }
}

#[test]
fn files_become_shorter() {
    assert!(is_to_shrink(128, 200) && is_to_shrink(3_000, 5_000));
    assert!(!is_to_shrink(127, 200) && !is_to_shrink(2_000, 5_000));
    assert!(is_to_cut(128, 200) && is_to_cut(700, 5_000));
    assert!(!is_to_cut(127, 200) && !is_to_cut(600, 5_000));
}

#[test]
fn merging_many_dead_moves_the_others() {
    let units = vec![unit(Kind::Sealed, 200, 0.3); 4];
    assert_eq!(next(&units, 0, MAX_BLOCKS), Some(Action::Move(vec![0, 1, 2, 3])));
}

#[test]
fn beside_vacuum_and_on_a_standby() {
    let state = State {
        open_blocks: 10 * SEAL_BLOCKS,
        seal_blocks: SEAL_BLOCKS,
        max_blocks: MAX_BLOCKS,
        may_seal: true,
        may_move: false,
        may_change: true,
    };
    let standby = State {
        may_change: false,
        ..state
    };
    let vacuuming = State {
        open_blocks: 0,
        ..state
    };
    let sealed = State {
        may_seal: false,
        may_move: true,
        ..state
    };
    let mut units = vec![unit(Kind::Sealed, 200, 0.9); 4];
    assert_eq!(super::next(&units, &state), Some(Action::Seal));
    assert_eq!(super::next(&units, &sealed), Some(Action::Move(vec![0, 1, 2, 3])));
    assert_eq!(super::next(&units, &vacuuming), Some(Action::Merge(vec![0, 1, 2, 3])));
    assert_eq!(super::next(&units, &standby), None);
    units[2].kind = Kind::Unusable;
    assert_eq!(super::next(&units, &standby), Some(Action::Rebuild(2)));
}

#[test]
fn strides_are_kept_apart() {
    let mut units = vec![sealed(200); 6];
    for unit in &mut units[..3] {
        unit.stride = 64;
    }
    assert_eq!(next(&units, 0, MAX_BLOCKS), None);
    let mut dead = vec![unit(Kind::Sealed, 200, 1.0); 2];
    dead[1].stride = 64;
    assert_eq!(next(&dead, 0, MAX_BLOCKS), Some(Action::Move(vec![0])));
}

#[test]
fn mergers_respect_the_size_of_a_shard() {
    let units = vec![sealed(8_000); 4];
    assert_eq!(next(&units, 0, MAX_BLOCKS), Some(Action::Merge(vec![0, 1])));
    // A merger that would fill the next tier takes that along.
    let units = [vec![sealed(200); 4], vec![sealed(900); 3]].concat();
    assert_eq!(next(&units, 0, MAX_BLOCKS), Some(Action::Merge((0..7).collect())));
    assert_eq!(next(&units, 0, 2_000), Some(Action::Merge((0..4).collect())));
}

#[test]
fn compaction_packs_and_drops() {
    assert_eq!(compact(&[sealed(20)], MAX_BLOCKS), Vec::<Vec<usize>>::new());
    assert_eq!(compact(&[unit(Kind::Sealed, 20, 0.1)], MAX_BLOCKS), [vec![0]]);
    let units = [sealed(20_000), sealed(200), sealed(4_000), unit(Kind::Sealed, 300, 1.0)];
    assert_eq!(compact(&units, MAX_BLOCKS), [vec![1, 3, 2]]);
}

#[test]
fn packing() {
    let parts = [(32, 5), (32, 5), (32, 1), (64, 1), (64, 20), (64, 1), (32, 1)];
    assert_eq!(pack(parts, 10), [0..2, 2..3, 3..4, 4..5, 5..6, 6..7]);
    assert_eq!(pack(parts, 11), [0..3, 3..4, 4..5, 5..6, 6..7]);
    assert_eq!(pack([], 11), []);
}

/// Carries out what the policy wants and counts how often each unit's entries were built.
fn simulate(batches: impl Iterator<Item = u32>, max_blocks: u32) -> (usize, u32) {
    let mut units: Vec<Unit> = Vec::new();
    let mut builds: Vec<u32> = Vec::new();
    let (mut open, mut most_shards) = (0, 0);
    for batch in batches {
        open += batch;
        while let Some(action) = next(&units, open, max_blocks) {
            match action {
                Action::Seal => {
                    units.push(sealed(open));
                    builds.push(1);
                    open = 0;
                }
                Action::Merge(mut group) => {
                    group.sort_unstable();
                    let blocks = group.iter().map(|&at| units[at].blocks).sum();
                    let built = group.iter().map(|&at| builds[at]).max().unwrap() + 1;
                    for &at in group.iter().rev() {
                        units.remove(at);
                        builds.remove(at);
                    }
                    units.push(sealed(blocks));
                    builds.push(built);
                }
                other => panic!("{other:?}"),
            }
        }
        most_shards = most_shards.max(units.len());
    }
    (most_shards, builds.into_iter().max().unwrap_or(0))
}

/// A million codes of 256 bits are 5,000 blocks.
#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn few_shards_and_few_builds() {
    let mut state = 1u32;
    let mut random = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    for late in [1, 20, 100, 300] {
        let batches: Vec<u32> = std::iter::repeat_with(|| 1 + random(late))
            .scan(0, |sum, batch| {
                *sum += batch;
                (*sum < 5_000).then_some(batch)
            })
            .collect();
        let (shards, builds) = simulate(batches.into_iter(), MAX_BLOCKS);
        assert!(
            shards <= 8 && builds <= 4,
            "late {late}: {shards} shards, {builds} builds"
        );
    }
    let (shards, builds) = simulate(std::iter::repeat_n(1, 1_000_000), MAX_BLOCKS);
    assert!(
        shards <= 100 && builds <= 6,
        "200 million: {shards} shards, {builds} builds"
    );
}
