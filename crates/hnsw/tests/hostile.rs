//! Damaged and malicious files: an error or a wrong answer, never a panic, an endless loop or a read out of bounds.
#![cfg(not(miri))] // too slow there

mod common;

use std::collections::HashSet;

use common::{
    Function, build, build_opaque, clusters, dense_params, in_domain, levenshtein, params, to_bytes, value, values,
};
use common::{vectors, words};
use iscc_hnsw::params::BuildParams;
use iscc_hnsw::search::{FlatSearch, GraphSearch, ShardQuery, ValueQuery};
use iscc_hnsw::shard::format::{FOOTER_BYTES, Footer, Section};
use iscc_hnsw::shard::{Shard, ShardError};
use iscc_metrics::dense::Scalar;
use iscc_metrics::dense::rows::{Encoding, RowKind};
use iscc_metrics::{DenseMetric, Metric, Query};
use test_random::Random;
use zerocopy::{FromBytes, IntoBytes};

/// A shard of values that only a function understands.
fn opaque_sample() -> Vec<u8> {
    to_bytes(&build_opaque(&words(300, 1), Function(&levenshtein)))
}

/// A shard of codes, one of each kind of rows derived from vectors, and one of opaque values.
fn samples() -> Vec<Vec<u8>> {
    let mut samples = transparent_samples();
    samples.push(opaque_sample());
    samples
}

fn transparent_samples() -> Vec<Vec<u8>> {
    let small = |params| BuildParams {
        m: 4,
        ef_construction: 20,
        ..params
    };
    let mut samples = vec![to_bytes(&build(&clusters(400, 1), small(params(1))))];
    let metrics = [DenseMetric::L2, DenseMetric::Cosine, DenseMetric::L1];
    let kinds = RowKind::ALL.into_iter().zip(metrics);
    let others = [
        (RowKind::F16, DenseMetric::JensenShannon),
        (RowKind::F32, DenseMetric::Haversine),
    ];
    for (kind, metric) in kinds.chain(others) {
        let vectors = in_domain(metric, &vectors(300, 17, 1));
        let params = small(dense_params(metric, vectors[0].len(), Some(kind), 1));
        samples.push(to_bytes(&build(&values(&vectors), params)));
    }
    samples
}

fn footer(file: &[u8]) -> Footer {
    Footer::read_from_bytes(&file[file.len() - FOOTER_BYTES..]).unwrap()
}

/// Replaces the footer, with a checksum that matches.
fn set_footer(file: &mut [u8], mut footer: Footer) {
    footer.crc = crc32c::crc32c(&footer.as_bytes()[..std::mem::offset_of!(Footer, crc)]).into();
    let start = file.len() - FOOTER_BYTES;
    file[start..].copy_from_slice(footer.as_bytes());
}

fn sections(footer: &Footer) -> [Section; 8] {
    [
        footer.vectors,
        footer.graph,
        footer.posting_offsets,
        footer.ordinals,
        footer.ranges,
        footer.details,
        footer.words,
        footer.calibration,
    ]
}

/// Uses everything that a file offers; what it answers does not matter.
fn exercise(file: &[u8], state: &mut GraphSearch) -> Result<(), ShardError> {
    let shard = Shard::open(file)?;
    for (metric, code) in [
        (Metric::Nphd, &[0x5A; 32][..]),
        (Metric::Jaccard, &[7; 3]),
        (Metric::Hamming, &[7; 9]),
    ] {
        search_all(&shard, &Query::new(metric, code), state);
    }
    // Made by another encoding, too, if the shard has none.
    let other = Encoding::from_parts(DenseMetric::L2, Scalar::F32, RowKind::F16, 5, &[]).unwrap();
    for encoding in [shard.encoding(), Some(&other)].into_iter().flatten() {
        for number in [0.5, f32::NAN, f32::INFINITY] {
            search_all(&shard, &encoding.query(&value(&[number; 17])), state);
        }
    }
    // The function sees nothing but values that were written.
    let all: HashSet<Vec<u8>> = words(300, 1).into_iter().collect();
    let distance = |row: &[u8], query: &[u8]| {
        assert!(all.contains(row), "{row:?}");
        levenshtein(row, query)
    };
    search_all(&shard, &ValueQuery::new(Function(&distance), b"abc"), state);
    let calibration = shard.calibration();
    let _ = (
        calibration.favours_graph(32, 0.99),
        calibration.effort(32, 5, 0.99),
        calibration.effort(68, u32::MAX, 0.99),
    );
    let _ = (
        shard.verify(&|| {}),
        shard.has_sound_codes(&|| {}),
        shard.ranges(),
        shard.code(u32::MAX),
        shard.row(u32::MAX),
        shard.stored_value(u32::MAX),
        shard.postings(u32::MAX).count(),
    );
    Ok(())
}

/// Only damaged scales keep a file with a sound footer from being opened: they are all that is read then.
fn survive(file: &[u8], state: &mut GraphSearch) {
    let result = exercise(file, state);
    assert!(
        matches!(result, Ok(()) | Err(ShardError::Section("scales"))),
        "{result:?}"
    );
}

/// Searches for all rows, by the graph and without it.
fn search_all(shard: &Shard<&[u8]>, query: &impl ShardQuery, state: &mut GraphSearch) {
    let mut out = Vec::new();
    state.start(shard, query, 10, &mut out);
    let mut returned = 0;
    while !out.is_empty() {
        for candidate in &out {
            assert!(shard.row(candidate.node).is_some());
            assert!(shard.postings(candidate.node).count() <= shard.entries() as usize);
        }
        returned += out.len();
        assert!(returned <= shard.nodes() as usize);
        state.resume(shard, query, 50, &mut out);
    }
    let mut flat = FlatSearch::default();
    flat.start(u32::MAX);
    let mut returned = 0;
    while !flat.is_complete() {
        flat.next(shard, query, 64, u32::MAX, &mut out);
        let postings = out.iter().map(|candidate| shard.postings(candidate.node).count());
        returned += out.len() + postings.filter(|&count| count > shard.entries() as usize).count();
    }
    assert!(returned <= shard.bytes().len());
}

#[test]
fn truncated_files_do_not_open() {
    for file in samples() {
        let mut state = GraphSearch::new();
        assert_eq!(exercise(&file, &mut state), Ok(()));
        let borders = sections(&footer(&file)).map(|s| (s.offset.get() as usize, s.bytes.get() as usize));
        let mut cuts: Vec<usize> = borders
            .iter()
            .flat_map(|&(start, bytes)| [start, start + bytes])
            .collect();
        cuts.extend([
            0,
            1,
            FOOTER_BYTES - 1,
            FOOTER_BYTES,
            file.len() - FOOTER_BYTES,
            file.len() - 1,
            file.len() / 2,
        ]);
        for cut in cuts
            .iter()
            .flat_map(|&cut| [cut.saturating_sub(1), cut, cut + 1])
            .filter(|&cut| cut < file.len())
        {
            assert!(exercise(&file[..cut], &mut state).is_err(), "cut at {cut}");
            assert!(
                exercise(&file[file.len() - cut..], &mut state).is_err(),
                "cut to the last {cut}"
            );
        }
        let mut longer = file.clone();
        longer.splice(0..0, [0; 8]);
        assert!(matches!(exercise(&longer, &mut state), Err(ShardError::Length { .. })));
    }
}

#[test]
fn flipped_bits_are_survived_and_found() {
    for file in samples() {
        let mut random = Random(2);
        let mut state = GraphSearch::new();
        for section in sections(&footer(&file)) {
            let (start, bytes) = (section.offset.get() as usize, section.bytes.get() as usize);
            if bytes == 0 {
                continue;
            }
            for round in 0..60 {
                let mut damaged = file.clone();
                for _ in 0..1 + round % 20 {
                    let position = start + random.below(bytes);
                    damaged[position] ^= 1 << random.below(8);
                }
                if damaged != file {
                    survive(&damaged, &mut state);
                    let found = Shard::open(damaged).map(|shard| shard.verify(&|| {}));
                    assert!(found.is_err() || found.is_ok_and(|found| !found.is_empty()));
                }
            }
        }
    }
}

#[test]
fn overwritten_regions_are_survived() {
    for file in samples() {
        let mut random = Random(3);
        let mut state = GraphSearch::new();
        let body = file.len() - FOOTER_BYTES;
        for round in 0..150 {
            let mut damaged = file.clone();
            let start = random.below(body);
            let end = (start + 1 + random.below(4000)).min(body);
            match round % 3 {
                0 => damaged[start..end].fill(0xFF),
                1 => damaged[start..end].fill(0),
                _ => damaged[start..end].copy_from_slice(&random.bytes(end - start)),
            }
            survive(&damaged, &mut state);
        }
        let mut noise = random.bytes(file.len());
        noise[body..].copy_from_slice(&file[body..]);
        survive(&noise, &mut state);
    }
}

#[test]
fn a_damaged_footer_does_not_open() {
    for file in samples() {
        let mut state = GraphSearch::new();
        for position in file.len() - FOOTER_BYTES..file.len() {
            let mut damaged = file.clone();
            damaged[position] ^= 0x41;
            assert!(exercise(&damaged, &mut state).is_err(), "byte {position}");
        }
    }
}

/// Any bytes of the footer changed, with a checksum that matches: most do not open, and the rest is harmless.
#[test]
fn forged_footers_are_survived() {
    for file in samples() {
        let mut random = Random(4);
        let mut state = GraphSearch::new();
        let checked = std::mem::offset_of!(Footer, version);
        let mut opened = 0;
        for round in 0..1500 {
            let mut bytes = file[file.len() - FOOTER_BYTES..].to_vec();
            for _ in 0..1 + round % 3 {
                let position = random.below(checked);
                bytes[position] = [0, 1, 0x7F, 0xFF, random.bits() as u8][random.below(5)];
            }
            let mut forged = file.clone();
            set_footer(&mut forged, Footer::read_from_bytes(&bytes).unwrap());
            opened += usize::from(exercise(&forged, &mut state).is_ok());
        }
        assert!(opened > 0, "identity and checksums may change");
    }
}

/// Forgeries of single fields that would lead astray without their check.
#[test]
fn forged_fields_are_refused() {
    type Forge = fn(&mut Footer);
    let forgeries: [(&str, Forge); 14] = [
        ("metric", |f| f.metric = 3),
        ("m small", |f| f.m = 1.into()),
        ("m large", |f| f.m = 101.into()),
        ("m other", |f| f.m = 5.into()),
        ("no code bytes", |f| f.width = 0.into()),
        ("too many code bytes", |f| f.width = 5000.into()),
        ("other code bytes", |f| f.width = 31.into()),
        ("rising levels", |f| f.level_counts[5] = f.level_counts[0]),
        ("max level", |f| f.max_level += 1),
        ("all nodes on all levels", |f| f.level_counts = [u32::MAX.into(); 32]),
        ("file length", |f| f.file_bytes = (f.file_bytes.get() + 1).into()),
        ("section beyond the end", |f| f.ordinals.offset = u64::MAX.into()),
        ("section overflows", |f| f.ranges.bytes = (u64::MAX - 5).into()),
        ("entries", |f| f.entries = u32::MAX.into()),
    ];
    let file = samples().swap_remove(0);
    for (name, forge) in forgeries {
        let (mut forged, mut fields) = (file.clone(), footer(&file));
        forge(&mut fields);
        set_footer(&mut forged, fields);
        let error = Shard::open(forged).map(|_| ()).unwrap_err();
        let message = error.to_string();
        assert!(
            !message.contains('\n') && message.starts_with(|c: char| c.is_lowercase()),
            "{name}: {message}"
        );
    }
    let (mut other, mut fields) = (file.clone(), footer(&file));
    fields.version = 6.into();
    set_footer(&mut other, fields);
    assert_eq!(Shard::open(other).map(|_| ()), Err(ShardError::Version(6)));
}

/// The same for what only shards of opaque values have.
#[test]
fn forged_fields_of_opaque_values_are_refused() {
    type Forge = fn(&mut Footer);
    let forgeries: [(&str, Forge); 7] = [
        ("a metric of codes", |f| f.metric = 0),
        ("a metric of vectors", |f| f.metric = 5),
        ("the version of codes", |f| f.version = 2.into()),
        ("the version of vectors", |f| f.version = 3.into()),
        ("layout", |f| f.row_kind = 4),
        ("a length of values that differ", |f| f.width = 3.into()),
        ("values beyond the end", |f| f.words.bytes = (1 << 40).into()),
    ];
    let file = opaque_sample();
    for (name, forge) in forgeries {
        let (mut forged, mut fields) = (file.clone(), footer(&file));
        forge(&mut fields);
        set_footer(&mut forged, fields);
        assert!(Shard::open(forged).is_err(), "{name}");
    }
    // Another layout is possible, but no value has it.
    let (mut other, mut fields) = (file.clone(), footer(&file));
    (fields.row_kind, fields.width) = (2, 77.into());
    set_footer(&mut other, fields);
    let shard = Shard::open(other).unwrap();
    assert!(!shard.verify(&|| {}).is_empty());
    let never = |_: &[u8], _: &[u8]| panic!("no value has 77 bytes");
    let query = ValueQuery::new(Function(&never), b"abc");
    GraphSearch::new().start(&shard, &query, 10, &mut Vec::new());
    assert!(query.has_found_damage());
}

/// The same for what only shards of vectors have.
#[test]
fn forged_fields_of_vectors_are_refused() {
    type Forge = fn(&mut Footer);
    let forgeries: [(&str, Forge); 8] = [
        ("a metric of codes", |f| f.metric = 0),
        ("the version of codes", |f| f.version = 2.into()),
        ("scalar", |f| f.scalar = 2),
        ("row kind", |f| f.row_kind = 3),
        ("no dimensions", |f| f.width = 0.into()),
        ("too many dimensions", |f| f.width = 16_001.into()),
        ("other dimensions", |f| f.width = 16.into()),
        ("words", |f| f.words.bytes = 8.into()),
    ];
    for file in transparent_samples().split_off(1) {
        for (name, forge) in forgeries {
            let (mut forged, mut fields) = (file.clone(), footer(&file));
            forge(&mut fields);
            set_footer(&mut forged, fields);
            assert!(Shard::open(forged).is_err(), "{name}");
        }
    }
    // Scales that no encoding has.
    let file = samples().swap_remove(1);
    let scales = footer(&file).details.offset.get() as usize;
    for scale in [f32::NAN, f32::INFINITY, f32::MAX, -1.0] {
        let mut forged = file.clone();
        forged[scales + 4..][..4].copy_from_slice(&scale.to_le_bytes());
        let mut fields = footer(&file);
        fields.details.crc = crc32c::crc32c(&forged[scales..][..4 * 17]).into();
        set_footer(&mut forged, fields);
        assert_eq!(Shard::open(forged).map(|_| ()), Err(ShardError::Section("scales")));
    }
}

/// The check of a large shard asks its caller often whether to go on, who can unwind from there.
#[test]
fn a_check_can_be_given_up() {
    use std::cell::Cell;
    let file = samples().swap_remove(0);
    let shard = Shard::open(file.as_slice()).unwrap();
    let pauses = Cell::new(0);
    shard.verify(&|| pauses.set(pauses.get() + 1));
    assert!(pauses.get() >= 8, "{} pauses", pauses.get());
    for wanted in 1..=pauses.get() {
        let left = Cell::new(wanted);
        let given_up = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            shard.verify(&|| {
                left.set(left.get() - 1);
                assert!(left.get() > 0, "given up");
            })
        }));
        assert!(given_up.is_err());
    }
    assert_eq!(shard.verify(&|| {}), Vec::<String>::new());
}
