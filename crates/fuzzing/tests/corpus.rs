//! The corpora in `fuzz/corpus`, and changes of their files, the same in each run.

use std::fs;
use std::path::Path;

use iscc_fuzzing::TARGETS;
use test_random::Random;

/// Changed inputs of a target. A shard file takes milliseconds, all else microseconds.
fn changes(target: &str) -> usize {
    match target {
        _ if cfg!(miri) => 1,
        "shard_file" => 300,
        "usearch_file" => 12_000,
        _ => 4_000,
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(&folder).expect("a corpus");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() > 3, "{} has few files", folder.display());
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

/// Changes some bytes, cuts a piece out, or puts another file's piece in.
fn change(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(input.len().max(1));
        let piece = random.below(16);
        match random.below(8) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..input.len().min(at + piece))),
            2 => {
                let from = random.below(other.len().max(1));
                let bytes = other[from..].iter().take(piece).copied().collect::<Vec<_>>();
                input.splice(at..at, bytes);
            }
            _ => {
                let value = [0, 1, 0x7f, 0x80, 0xff, random.below(256) as u8][random.below(6)];
                let end = input.len().min(at + 1 + random.below(4));
                input[at.min(end)..end].fill(value);
            }
        }
    }
}

#[test]
fn targets_survive_their_corpora() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        corpus.iter().for_each(|input| target(input));
        let mut random = Random(1);
        for _ in 0..changes(name) {
            let mut input = corpus[random.below(corpus.len())].clone();
            change(&mut input, &corpus[random.below(corpus.len())], &mut random);
            target(&input);
        }
    }
}
