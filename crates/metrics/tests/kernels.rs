//! Every kernel against a bit-by-bit oracle, and keys against exact fractions.

use iscc_metrics::ball::Ball;
use iscc_metrics::bits::{Column, Kernel};
use iscc_metrics::distance::hamming;
use iscc_metrics::{MAX_CODE_BYTES, Metric, Query};
use proptest::prelude::*;
use test_random::Random;

fn oracle(a: &[u8], b: &[u8], combine: impl Fn(u8, u8) -> u8) -> u32 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| (0..8).filter(|bit| combine(x, y) >> bit & 1 == 1).count() as u32)
        .sum()
}

fn check_pair(a: &[u8], b: &[u8]) {
    for kernel in Kernel::available() {
        assert_eq!(kernel.hamming(a, b), oracle(a, b, |x, y| x ^ y), "{kernel:?}");
        let counts = (oracle(a, b, |x, y| x & y), oracle(a, b, |x, y| x | y));
        assert_eq!(kernel.jaccard_counts(a, b), counts, "{kernel:?}");
    }
}

/// Numerator and denominator of the fraction that a key is.
fn fraction(metric: Metric, a: &[u8], b: &[u8]) -> (u64, u64) {
    match metric {
        Metric::Nphd => (
            u64::from(oracle(a, b, |x, y| x ^ y)),
            8 * a.len().min(b.len()).max(1) as u64,
        ),
        Metric::Jaccard => {
            let either = u64::from(oracle(a, b, |x, y| x | y));
            (either - u64::from(oracle(a, b, |x, y| x & y)), either.max(1))
        }
        Metric::Sorensen => {
            let (both, either) = (oracle(a, b, |x, y| x & y), oracle(a, b, |x, y| x | y));
            (u64::from(either - both), u64::from(either + both).max(1))
        }
        _ => {
            let bits = u64::from(oracle(a, b, |x, y| x ^ y));
            (bits, bits + 128)
        }
    }
}

#[test]
fn all_lengths_and_alignments() {
    let mut random = Random(1);
    let (left, right) = (random.bytes(MAX_CODE_BYTES + 8), random.bytes(MAX_CODE_BYTES + 8));
    let (all, some) = if cfg!(miri) {
        (40, [0; 7])
    } else {
        (300, [511, 512, 513, 1023, 2048, 4095, 4096])
    };
    for length in (1..=all).chain(some) {
        for (i, j) in [(0, 0), (1, 0), (3, 5), (7, 2)] {
            check_pair(&left[i..i + length], &right[j..j + length]);
        }
    }
    check_pair(&[], &[]);
    check_pair(&[1], &[]);
}

/// A code that ends where its allocation ends: an over-read would be found under a sanitizer, and a wrong mask here.
#[test]
fn bytes_beyond_the_code_do_not_count() {
    let (zeros, ones) = ([0u8; 100], [255u8; 100]);
    for length in 0..=100 {
        for kernel in Kernel::available() {
            assert_eq!(kernel.hamming(&zeros[..length], &ones), 8 * length as u32, "{kernel:?}");
        }
    }
}

fn code() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => proptest::collection::vec(any::<u8>(), 1..=40), 1 => proptest::collection::vec(any::<u8>(), 1..=300)]
}

proptest! {
    #[test]
    fn kernels_agree_with_the_oracle(a in code(), b in code()) {
        check_pair(&a, &b);
    }

    #[test]
    fn keys_order_as_fractions_do(query in code(), a in code(), b in code()) {
        for metric in Metric::of_codes() {
            let prepared = Query::new(metric, &query);
            let ((p, q), (r, s)) = (fraction(metric, &query, &a), fraction(metric, &query, &b));
            prop_assert_eq!(prepared.key(&a).cmp(&prepared.key(&b)), (p * s).cmp(&(r * q)));
            prop_assert_eq!(u64::from(prepared.key(&a)), (p << 31) / q);
            prop_assert_eq!(prepared.distance(&a), metric.distance(&a, &query));
            if metric == Metric::Hamming {
                prop_assert_eq!(prepared.distance(&a), p as f64);
                prop_assert_eq!(metric.distance_of_key(prepared.key(&a)), prepared.distance(&a));
            } else {
                prop_assert_eq!(prepared.key(&a), (prepared.distance(&a) * f64::from(1u32 << 31)) as u32);
                prop_assert!(metric.distance_of_key(prepared.key(&a)) <= prepared.distance(&a));
            }
        }
    }

    #[test]
    fn balls_compare_distances((query, a, b) in (code(), code(), code())) {
        let distance = |code: &[u8]| Metric::Nphd.distance(&query, code);
        for radius in [distance(&a), distance(&a).next_down(), distance(&a).next_up()] {
            let ball = Ball::new(&query, radius);
            prop_assert_eq!(ball.contains(&a), distance(&a) <= radius);
            prop_assert_eq!(ball.contains(&b), distance(&b) <= radius);
        }
    }

    #[test]
    fn columns_agree_with_single_keys(
        query in code(),
        stride in prop_oneof![1usize..70, Just(32)],
        lengths in proptest::collection::vec(0u16..80, 0..40),
        seed: u64,
    ) {
        let codes = padded(Random(seed).bytes(stride * lengths.len()), stride, &lengths);
        for metric in Metric::of_codes() {
            let prepared = Query::new(metric, &query);
            let keys: Vec<u32> = lengths.iter().zip(codes.chunks(stride)).map(|(&length, code)| {
                if length == 0 { u32::MAX } else { prepared.key(&code[..stride.min(length.into())]) }
            }).collect();
            check_column(metric, &query, &codes, stride, &lengths, &keys);
        }
    }
}

/// The second column of a log page: (TID, length), the first code's last.
fn entries(lengths: &[u16]) -> Vec<u8> {
    let entry = |&length: &u16| [[9u8; 6].as_slice(), &length.to_le_bytes()].concat();
    lengths.iter().rev().flat_map(entry).collect()
}

/// Codes followed by zeros, as in a log page.
fn padded(mut codes: Vec<u8>, stride: usize, lengths: &[u16]) -> Vec<u8> {
    for (cell, &length) in codes.chunks_mut(stride).zip(lengths) {
        cell[stride.min(length.into())..].fill(0);
    }
    codes
}

/// Every kernel finds those with a key below some bound: each of the keys, one more, and none or all.
fn check_column(metric: Metric, query: &[u8], codes: &[u8], stride: usize, lengths: &[u16], keys: &[u32]) {
    let entries = entries(lengths);
    let column = Column::new(codes, stride, &entries);
    assert_eq!(column.count(), lengths.len());
    let mut bounds = vec![0, u32::MAX];
    bounds.extend(
        keys.iter()
            .filter(|&&key| key < u32::MAX)
            .flat_map(|&key| [key, key + 1]),
    );
    bounds.sort_unstable();
    bounds.dedup();
    for kernel in Kernel::available() {
        for &below in &bounds {
            let mut near = vec![7];
            kernel.near(metric, query, column, below, &mut near);
            let expected = (0..).zip(keys).filter(|&(_, &key)| key < below).map(|(i, _)| i);
            let expected: Vec<u32> = [7].into_iter().chain(expected).collect();
            assert_eq!(near, expected, "{kernel:?} {below} {query:?} {lengths:?}");
        }
    }
}

/// Columns that blocks of codes are made of, and rests: single lengths at or above the query's, a few others among them.
#[test]
fn columns_of_32_bytes_agree_with_the_oracle() {
    let mut random = Random(5);
    for case in 0..if cfg!(miri) { 6 } else { 2_000 } {
        let count = random.below(60);
        let usual = [0, 1, 8, 16, 31, 32, 32, 40, u16::MAX][random.below(9)];
        let lengths: Vec<u16> = (0..count)
            .map(|_| {
                if random.below(1 + case % 20) == 1 {
                    random.below(70) as u16
                } else {
                    usual
                }
            })
            .collect();
        let query_bytes = [0, 1, 7, 8, 9, 16, 31, 32, 33, 64][random.below(10)];
        let query = random.bytes(query_bytes);
        // An allocation of its own, which ends where the last code does.
        let mut codes = random.bytes(32 * count);
        match case % 6 {
            0 => codes.fill([0, 255][case / 6 % 2]),
            // Codes that end with zeros.
            1 => (0..count).for_each(|i| codes[32 * i + random.below(32)..32 * (i + 1)].fill(0)),
            _ => {}
        }
        let codes = padded(codes, 32, &lengths);
        for metric in Metric::of_codes() {
            let keys: Vec<u32> = lengths
                .iter()
                .zip(codes.chunks(32))
                .map(|(&length, code)| {
                    let (part, whole) = fraction(metric, &query, &code[..usize::from(length).min(32)]);
                    if length == 0 {
                        u32::MAX
                    } else {
                        ((part << 31) / whole) as u32
                    }
                })
                .collect();
            check_column(metric, &query, &codes, 32, &lengths, &keys);
        }
    }
}

/// The closest pairs of fractions that occur: neighbours with the largest denominators.
#[test]
fn keys_of_long_codes_are_exact() {
    for m in [4096usize, 4095, 4093, 3001] {
        let zeros = vec![0u8; m];
        for bits in [1usize, 2, 7, m, 8 * m - 1, 8 * m] {
            let mut code = vec![0u8; m];
            (0..bits).for_each(|bit| code[bit / 8] |= 1 << (bit % 8));
            let key = Query::new(Metric::Nphd, &zeros).key(&code);
            assert_eq!(u64::from(key), ((bits as u64) << 31) / (8 * m as u64));
            let key = Query::new(Metric::Hamming, &zeros).key(&code);
            assert_eq!(Metric::Hamming.distance_of_key(key), bits as f64);
        }
    }
}

#[test]
fn columns_with_odd_bounds_do_not_panic() {
    let query = Query::new(Metric::Nphd, &[1, 2, 3]);
    let near = |codes: &[u8], stride, entries: &[u8]| {
        let mut near = Vec::new();
        query.near(Column::new(codes, stride, entries), u32::MAX, &mut near);
        near
    };
    let lengths = entries(&[3, 0, u16::MAX]);
    assert!(near(&[], 0, &lengths).is_empty());
    assert!(near(&[1; 9], 3, &[]).is_empty());
    assert_eq!(near(&[1; 9], 3, &lengths), [0, 2]);
    assert_eq!(near(&[1; 8], 3, &lengths), [0]);
    assert_eq!(near(&[1; 9], 3, &lengths[5..]), [0]);
    assert_eq!(near(&[1; 20], 3, &lengths[8..]), [0]);
}

#[test]
fn nphd_golden_values() {
    let nphd = |a: &[u8], b: &[u8]| Metric::Nphd.distance(a, b);
    let long: Vec<u8> = (0..32).collect();
    assert_eq!(nphd(&long, &long), 0.0);
    assert_eq!(nphd(&long[..8], &long), 0.0);
    assert_eq!(nphd(&[0; 8], &[0, 0, 0, 0, 0, 0, 0, 1]), 0.015625);
    assert_eq!(nphd(&[0; 8], &[255; 8]), 1.0);
    assert_eq!(nphd(&[0xff, 0x80, 0x40], &[0xff, 0x81]), 0.0625);
    let mut twenty = [0; 20];
    twenty[11] = 1;
    assert_eq!(nphd(&[0; 12], &twenty), 1.0 / 96.0);
    assert_eq!(nphd(&[0xf0], &[0x0f, 0xf0, 0xf0]), 1.0);
    assert_eq!(nphd(&[], &[1; 8]), 0.0);
    // No triangle inequality: the short code is a prefix of both.
    assert_eq!(
        (nphd(&[7; 2], &[7]), nphd(&[7], &[7, 0xf8]), nphd(&[7; 2], &[7, 0xf8])),
        (0.0, 0.0, 0.5)
    );
    assert_eq!(hamming(&[0b1010], &[0b0110, 9]), 2);
}

#[test]
fn jaccard_golden_values() {
    let jaccard = |a: &[u8], b: &[u8]| Metric::Jaccard.distance(a, b);
    assert_eq!(jaccard(&[0b1100], &[0b0110]), 2.0 / 3.0);
    assert_eq!(jaccard(&[0], &[0, 255]), 0.0);
    assert_eq!(jaccard(&[0b1], &[0b10]), 1.0);
    assert_eq!(jaccard(&[9, 255], &[9]), 0.0);
}

#[test]
fn sorensen_golden_values() {
    let sorensen = |a: &[u8], b: &[u8]| Metric::Sorensen.distance(a, b);
    assert_eq!(sorensen(&[0b1100], &[0b0110]), 0.5);
    assert_eq!(sorensen(&[0], &[0, 255]), 0.0);
    assert_eq!(sorensen(&[0b1], &[0b10]), 1.0);
    assert_eq!(sorensen(&[9, 255], &[9]), 0.0);
    assert_eq!(sorensen(&[0xff], &[0x0f]), 4.0 / 12.0);
    // The same order as by the Jaccard distance j: it is j / (2 - j).
    let j = Metric::Jaccard.distance(&[0xff, 3], &[0x0f, 9]);
    assert!((sorensen(&[0xff, 3], &[0x0f, 9]) - j / (2.0 - j)).abs() < 1e-15);
}

#[test]
fn hamming_golden_values() {
    let bits = |a: &[u8], b: &[u8]| Metric::Hamming.distance(a, b);
    assert_eq!(bits(&[0b1100], &[0b0110]), 2.0);
    assert_eq!(bits(&[0xff, 0], &[0x0f, 0xff, 0xff]), 12.0);
    assert_eq!(bits(&[7], &[7, 0xff]), 0.0);
    assert_eq!(bits(&[], &[255]), 0.0);
    assert_eq!(bits(&[0; MAX_CODE_BYTES], &[255; MAX_CODE_BYTES]), 32_768.0);
    assert_eq!(Query::new(Metric::Hamming, &[0; 16]).key(&[255; 16]), 1 << 30);
    // The least number of bits with a key that is not smaller.
    assert_eq!(Metric::Hamming.distance_of_key(1 << 27), 9.0);
    assert_eq!(Metric::Hamming.distance_of_key(1 << 31), 32_768.0);
}
