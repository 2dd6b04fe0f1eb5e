//! iscc-usearch 0.8.1 and iscc-search 0.3.3 themselves, beside a server: programs of `tests/package`, in a virtual
//! environment.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cluster_tests::Cluster;

/// What `scripts/fetch-package` ends with where PyPI cannot be reached.
const UNREACHABLE: i32 = 3;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The python that has the package; None where PyPI cannot be reached, which is a failure where tests must be complete.
fn python() -> Option<&'static str> {
    // Made once, however many tests ask for it at the same time.
    static PYTHON: OnceLock<Option<String>> = OnceLock::new();
    PYTHON.get_or_init(fetch).as_deref()
}

fn fetch() -> Option<String> {
    let mut fetch = Command::new(project().join("scripts/fetch-package"));
    let output = fetch.stderr(Stdio::inherit()).output().expect("scripts/fetch-package");
    if output.status.code() == Some(UNREACHABLE) && std::env::var_os("CI").is_none() {
        // Not by `eprintln`: what a test prints is shown when it fails only.
        let message = "\n*** SKIPPED: a test against iscc-usearch, which needs PyPI once. It did NOT run. ***\n\n";
        std::io::stderr().write_all(message.as_bytes()).expect("stderr");
        return None;
    }
    assert!(output.status.success(), "scripts/fetch-package: {}", output.status);
    Some(String::from_utf8(output.stdout).expect("a path").trim().to_string())
}

/// Runs a program of `tests/package` beside a server, with a directory where both may write.
fn run(program: &str) {
    run_after(program, "");
}

/// The same after some statements.
fn run_after(program: &str, statements: &str) {
    let Some(python) = python() else { return };
    let cluster = Cluster::start();
    cluster.client().batch_execute(statements).expect("statements");
    let shared = cluster.beside("shared");
    std::fs::create_dir(&shared).expect("a directory");
    cluster.give_to_server(&shared);
    let conninfo = cluster.conninfo();
    let mut program = Command::new(python)
        .arg(project().join("tests/package").join(program))
        .arg(conninfo)
        .arg(&shared)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .spawn()
        .expect("python");
    assert!(program.wait().expect("its end").success());
}

/// Import of each kind of index, export, and what the package does with exported files.
#[test]
fn round_trips_of_files() {
    run("round_trip.py");
}

/// What the package promises, by SQL and by the package itself.
#[test]
fn behaviours_of_the_package() {
    run("behaviours.py");
}

/// iscc-search's own client with the server of `examples/catalogue`.
#[test]
fn server_of_the_catalogue() {
    let schema = std::fs::read_to_string(project().join("examples/catalogue/schema.sql")).expect("the schema");
    run_after("catalogue.py", &schema);
}
