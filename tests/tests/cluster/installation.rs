//! `make install` and `make uninstall`: what they copy and remove, and what they need.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory that is gone afterwards.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let base = std::env::var_os("ISCC_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = base.join(format!("{name}.{}", std::process::id()));
        fs::create_dir(&path).expect("mkdir");
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Calls `make` with the environment that `sudo` leaves, and programs in it that must not be called: each leaves its
/// name in `traps` and fails. `built` is where the library was built; None where the tests built it.
fn make(target: &str, destination: &Path, traps: &Path, built: Option<&Path>) -> Output {
    for name in ["cargo", "rustc", "rustup", "cc", "apt-get"] {
        let trap = traps.join(name);
        fs::write(&trap, "#!/bin/sh\ntouch \"$0.called\"\nexit 1\n").expect("trap");
        fs::set_permissions(&trap, Permissions::from_mode(0o755)).expect("chmod");
    }
    let mut command = Command::new("make");
    command
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", traps.display()))
        .args(["--silent", "--directory"])
        .arg(root())
        .arg(target)
        .arg(format!("DESTDIR={}", destination.display()));
    // What these tests run with has another name than what is to be installed.
    for name in ["PG_CONFIG", "ISCC_FEATURES", "CARGO_TARGET_DIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(built) = built {
        command.env("CARGO_TARGET_DIR", built);
    }
    command.output().expect("run make")
}

/// Runs a program that must succeed; what it printed.
fn printed(program: &Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect("run a program");
    assert!(output.status.success(), "{program:?} {args:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_string()
}

/// What `readelf` prints of a file.
fn read_elf(option: &str, file: &Path) -> String {
    printed(Path::new("readelf"), &[option, file.to_str().expect("UTF-8")])
}

/// All files below a directory, sorted.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("read a directory") {
        let path = entry.expect("directory entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn pg_config(option: &str) -> String {
    let program = std::env::var_os("PG_CONFIG").expect("PG_CONFIG is not set");
    printed(Path::new(&program), &[option])
}

/// Where `make build` has left the library that these tests run with.
fn built_library() -> PathBuf {
    let version = pg_config("--version");
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let major: String = digits.chars().take_while(char::is_ascii_digit).collect();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let features = std::env::var("ISCC_FEATURES").map_or(String::new(), |features| format!("-{features}"));
    target.join(format!("pg{major}/library{features}/iscc_usearch.so"))
}

/// The project.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where PostgreSQL looks for the library and for the extension's other files, below `root`.
fn places(root: &Path) -> [PathBuf; 2] {
    let below = |path: String| root.join(path.trim_start_matches('/'));
    [
        below(pg_config("--pkglibdir")),
        below(pg_config("--sharedir")).join("extension"),
    ]
}

/// Root, who has no Rust, installs what a user has built: the same files that PostgreSQL needs, nothing else, and
/// nothing is built or installed besides. Uninstalling takes all of it away, and what was there before stays.
#[test]
fn installs_what_was_built() {
    let (destination, traps) = (Directory::new("install"), Directory::new("traps"));
    let [lib, share] = places(&destination.0);
    fs::create_dir_all(&share).expect("mkdir");
    let other = share.join("other--1.0.sql");
    fs::write(&other, "").expect("another extension's file");

    // Twice: what is there is replaced.
    for _ in 0..2 {
        let output = make("install", &destination.0, &traps.0, None);
        assert!(output.status.success(), "{output:?}");
    }
    let mut expected: Vec<_> = files(&root().join("sql"))
        .iter()
        .map(|script| share.join(script.file_name().expect("a name")))
        .collect();
    expected.extend([
        lib.join("iscc_usearch.so"),
        share.join("iscc_usearch.control"),
        share.join("iscc_usearch_vector.control"),
        other.clone(),
    ]);
    expected.sort();
    assert_eq!(files(&destination.0), expected);
    let installed = read_elf("-SW", &lib.join("iscc_usearch.so"));
    for section in [".dynsym", ".gnu_debuglink"] {
        assert!(installed.contains(section), "no {section}: {installed}");
    }
    for section in [".symtab", ".debug_"] {
        assert!(!installed.contains(section), "{section} is installed: {installed}");
    }

    let output = make("uninstall", &destination.0, &traps.0, None);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(files(&destination.0), [other]);
    let called: Vec<_> = files(&traps.0)
        .into_iter()
        .filter(|f| f.extension().is_some())
        .collect();
    assert!(called.is_empty(), "called: {called:?}");
}

/// The symbols are beside the library that was built, and are those of this library.
#[test]
fn symbols_are_kept_apart() {
    let library = built_library();
    let symbols = library.with_extension("so.debug");
    let id = |file: &Path| {
        let notes = read_elf("-nW", file);
        let id = notes.lines().find(|line| line.contains("Build ID"));
        id.expect("a build ID").to_string()
    };
    assert_eq!(id(&library), id(&symbols));
    assert!(read_elf("-SW", &symbols).contains(".symtab"));
}

/// Where nothing was built, it says what to do and touches nothing.
#[test]
fn says_what_to_do_first() {
    let (destination, traps, empty) = (
        Directory::new("unbuilt"),
        Directory::new("unbuilt-traps"),
        Directory::new("empty"),
    );
    let output = make("install", &destination.0, &traps.0, Some(&empty.0));
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("run `make build` first"), "{message}");
    assert!(files(&destination.0).is_empty() && files(&empty.0).is_empty());
}
