//! Files that iscc-usearch 0.8.1 has written, by `data/make.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use iscc_files::{Failure, FileError, IndexFiles, Key, ShardFile};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

type Rows = Vec<(Key, Vec<u8>)>;

fn read(path: &Path, memory: u64) -> Result<Rows, Failure> {
    let mut rows = Vec::new();
    IndexFiles::find(path, memory)?.read(&|| {}, |row| rows.push((row.key, row.code.to_vec())))?;
    Ok(rows)
}

/// What `make.py` calls `code`.
fn code(key: usize, version: usize, length: Option<usize>) -> Vec<u8> {
    let length = length.unwrap_or([8, 16, 32][key % 3]);
    (0..length)
        .map(|i| ((key * 31 + version * 101 + i * 7) % 256) as u8)
        .collect()
}

fn number(key: usize) -> Key {
    Key::Number(key as u64)
}

fn uuid(key: usize) -> Key {
    Key::Uuid(std::array::from_fn(|i| ((key * 17 + i) % 251) as u8))
}

#[test]
fn directories() {
    type Case = (&'static str, fn(usize) -> Key, Option<usize>);
    let cases: [Case; 4] = [
        ("nphd64", number, None),
        ("nphd128", uuid, None),
        ("hamming64", number, Some(16)),
        ("hamming128", uuid, Some(16)),
    ];
    for (name, key, length) in cases {
        let version = |n| match n {
            6 => 1,
            3 => 2,
            _ => 0,
        };
        let live = (0..40).filter(|n| ![5, 7].contains(n));
        let expected: BTreeMap<Key, Vec<u8>> = live.map(|n| (key(n), code(n, version(n), length))).collect();
        // With memory for all keys, and with so little that it takes a pass for each.
        for memory in [u64::MAX / 64, 1, 1000] {
            let rows = read(&data(name), memory).unwrap();
            assert_eq!(rows.len(), expected.len(), "{name}");
            assert_eq!(rows.into_iter().collect::<BTreeMap<_, _>>(), expected, "{name}");
        }
    }
}

#[test]
fn single_files() {
    let mut rows = read(&data("single.usearch"), 1000).unwrap();
    rows.sort();
    let mut expected: Rows = (0..20)
        .filter(|n| ![4, 11].contains(n))
        .map(|n| (number(n), code(n, 0, None)))
        .collect();
    expected.push((Key::Number(20), Vec::new()));
    expected.push((Key::Number(u64::MAX - 1), code(9, 0, None)));
    assert_eq!(rows, expected);
    assert_eq!(read(&data("none.usearch"), 1000).unwrap(), []);
    let mut rows = read(&data("multi.usearch"), 1000).unwrap();
    rows.sort();
    let mut expected: Rows = (0..6).map(|n| (number(n / 2), code(n, 0, Some(8)))).collect();
    expected.sort();
    assert_eq!(rows, expected);
    let error = read(&data("vectors.usearch"), 1000).unwrap_err().error;
    assert!(matches!(error, FileError::Unsupported(_)), "{error:?}");
}

/// A copy of a directory, without what is taken away at the end.
struct Copy(PathBuf);

impl Copy {
    fn of(name: &str, test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("iscc-files-{}-{test}", std::process::id()));
        fs::create_dir(&path).unwrap();
        for entry in fs::read_dir(data(name)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), path.join(entry.file_name())).unwrap();
        }
        Copy(path)
    }

    fn damage(&self) -> (PathBuf, String) {
        match read(&self.0, 1000).unwrap_err() {
            Failure {
                path,
                error: FileError::Damaged(what),
            } => (path, what),
            failure => panic!("{failure:?}"),
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn names_of_shards() {
    let copy = Copy::of("nphd64", "names");
    let shards = read(&copy.0, 1000).unwrap();
    // Numbers, not letters, order the shards; other files do not matter.
    fs::rename(copy.0.join("shard_000.usearch"), copy.0.join("shard_0.usearch")).unwrap();
    fs::write(copy.0.join("shard_005.usearch.tmp"), "not yet").unwrap();
    fs::write(copy.0.join("bloom.isbf"), "").unwrap();
    assert_eq!(read(&copy.0, 1000).unwrap(), shards);
    fs::copy(copy.0.join("shard_001.usearch"), copy.0.join("shard_0001.usearch")).unwrap();
    assert_eq!(
        copy.damage(),
        (copy.0.clone(), "two shards have the same number".into())
    );
    fs::rename(copy.0.join("shard_0001.usearch"), copy.0.join("shard_one.usearch")).unwrap();
    assert_eq!(copy.damage().1, "\"shard_one.usearch\" is not the name of a shard");
    for entry in fs::read_dir(&copy.0).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(copy.damage().1, "the directory has no shards");
    // An index without entries has only these.
    fs::write(copy.0.join("bloom.isbf"), "").unwrap();
    assert_eq!(read(&copy.0, 1000).unwrap(), []);
}

#[test]
fn shards_that_do_not_fit_together() {
    let copy = Copy::of("nphd64", "foreign");
    for foreign in ["nphd128", "hamming64"] {
        let path = copy.0.join("shard_900.usearch");
        fs::copy(data(foreign).join("shard_000.usearch"), &path).unwrap();
        let what = "its keys, codes or metric differ from those of the first shard";
        assert_eq!(copy.damage(), (path.clone(), what.into()));
        fs::remove_file(path).unwrap();
    }
    let tombstones = copy.0.join("tombstones.npy");
    fs::copy(data("nphd128").join("tombstones.npy"), &tombstones).unwrap();
    let what = "it is not an array of keys of the same kind as those of the shards";
    assert_eq!(copy.damage(), (tombstones, what.into()));
}

#[test]
fn tombstones_count_in_the_last_shard_too() {
    let copy = Copy::of("nphd64", "tombstones");
    let before = read(&copy.0, 1000).unwrap();
    let (last, _) = before.last().unwrap();
    let mut array = fs::read(copy.0.join("tombstones.npy")).unwrap();
    let Key::Number(last) = last else { panic!() };
    let end = array.len() - 8;
    array[end..].copy_from_slice(&last.to_le_bytes());
    fs::write(copy.0.join("tombstones.npy"), array).unwrap();
    let after = read(&copy.0, 1000).unwrap();
    assert!(!after.iter().any(|(key, _)| key == &Key::Number(*last)));
}

#[test]
fn what_is_no_file() {
    let missing = read(&data("missing"), 1000).unwrap_err();
    assert!(matches!(missing.error, FileError::Io(why) if why.kind() == std::io::ErrorKind::NotFound));
    // A device, and a pipe that nobody writes to.
    let error = read(Path::new("/dev/null"), 1000).unwrap_err().error;
    assert!(matches!(error, FileError::WrongKind), "{error:?}");
    let pipe = std::env::temp_dir().join(format!("iscc-files-pipe-{}", std::process::id()));
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let error = read(&pipe, 1000).unwrap_err().error;
    fs::remove_file(&pipe).unwrap();
    assert!(matches!(error, FileError::WrongKind), "{error:?}");
}

/// Every shorter file is damaged, and every longer one; so is each in which one byte of another value changes anything
/// but a code, a key or which links there are.
#[test]
fn damage_is_told() {
    for name in [
        "single.usearch",
        "nphd128/shard_001.usearch",
        "hamming64/shard_000.usearch",
    ] {
        let file = fs::read(data(name)).unwrap();
        let check = |file: Vec<u8>| -> Result<Rows, FileError> {
            let shard = ShardFile::open(file)?;
            let (mut rows, mut found) = (shard.rows(), Vec::new());
            while let Some(row) = rows.next()? {
                found.push((row.key, row.code.to_vec()));
            }
            Ok(found)
        };
        let whole = check(file.clone()).unwrap();
        for end in 0..file.len() {
            assert!(
                matches!(check(file[..end].to_vec()), Err(FileError::Damaged(_))),
                "{name} cut to {end}"
            );
        }
        assert!(check([&file[..], &[0]].concat()).is_err());
        let (rows, row_bytes) = (file[0] as usize, file[4] as usize);
        let head = 8 + rows * row_bytes;
        for at in (0..8).chain(head..head + 64 + 40 + 2 * rows) {
            // USearch's own version but for the major one, the letter of a metric of bits, and reserved bytes.
            if (head + 9..head + 14).contains(&at) || at == head + 13 || (head + 42..head + 64).contains(&at) {
                continue;
            }
            let mut flipped = file.clone();
            flipped[at] ^= 0x10;
            if let Ok(found) = check(flipped) {
                assert_eq!(found, whole, "{name}: byte {at} changed unseen");
            }
        }
    }
}
