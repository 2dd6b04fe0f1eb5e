//! `usearch_import` and `usearch_export` in a server: errors, rights, snapshots, and what is left when they end early.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cluster_tests::search::{each, value};
use cluster_tests::{Cluster, Random, wait_until};
use postgres::Client;
use postgres::error::SqlState;

/// Files that iscc-usearch has written: `crates/files/tests/data/make.py`.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/files/tests/data")
        .join(name)
}

/// A directory where the server may write, with nothing in it.
fn shared(cluster: &Cluster) -> PathBuf {
    let path = cluster.beside("shared");
    fs::create_dir(&path).expect("a directory");
    cluster.give_to_server(&path);
    path
}

/// A copy of a sample, for the server to read.
fn copy(cluster: &Cluster, name: &str) -> PathBuf {
    let path = cluster.beside(&name.replace('/', "_"));
    if sample(name).is_dir() {
        fs::create_dir(&path).expect("a directory");
        for entry in fs::read_dir(sample(name)).expect("a sample") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), path.join(entry.file_name())).expect("a copy");
        }
    } else {
        fs::copy(sample(name), &path).expect("a copy");
    }
    path
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|e| e.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

/// SQLSTATE and message of the error that a statement ends with.
fn refused(client: &mut Client, sql: &str) -> (SqlState, String) {
    let error = client.batch_execute(sql).expect_err(sql);
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error:?}"));
    assert!(
        !error.message().contains('\n') && !error.message().ends_with('.'),
        "{error:?}"
    );
    (error.code().clone(), error.message().to_string())
}

fn import(path: &Path) -> String {
    format!("SELECT * FROM usearch_import('{}')", path.display())
}

fn export(index: &str, path: &Path) -> String {
    format!("SELECT usearch_export('{index}', 'k', '{}')", path.display())
}

#[test]
fn import_reads_what_the_package_wrote() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    for (name, count, keys) in [
        ("nphd64", 38_i64, 38_i64),
        ("hamming64", 38, 38),
        ("nphd128", 38, 0),
        ("hamming128", 38, 0),
        ("single.usearch", 20, 20),
        ("multi.usearch", 6, 6),
        ("none.usearch", 0, 0),
    ] {
        // With memory for few keys at once, and for all.
        for memory in ["1MB", "64MB"] {
            each(&mut client, &format!("SET maintenance_work_mem = '{memory}'"));
            let path = copy_once(&cluster, name);
            let sql = format!(
                "SELECT ARRAY[count(*), count(key), count(uuid)] FROM usearch_import('{}')",
                path.display()
            );
            assert_eq!(
                value::<Vec<i64>>(&mut client, &sql),
                [count, keys, count - keys],
                "{name}"
            );
        }
    }
    // A code without bytes is NULL; a key beyond bigint is whole.
    let path = cluster.beside("single.usearch");
    let sql = format!(
        "SELECT string_agg(key || ':' || coalesce(code::text, '-'), ' ' ORDER BY key) FROM usearch_import('{}')
          WHERE key >= 19 OR code = '0007'::bitvec",
        path.display()
    );
    let rows: String = value(&mut client, &sql);
    assert!(
        rows.contains("20:- ") && rows.contains("18446744073709551614:"),
        "{rows}"
    );
}

fn copy_once(cluster: &Cluster, name: &str) -> PathBuf {
    let path = cluster.beside(name);
    if path.exists() { path } else { copy(cluster, name) }
}

#[test]
fn import_names_what_is_wrong() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let missing = cluster.beside("missing");
    let (state, message) = refused(&mut client, &import(&missing));
    assert_eq!(state, SqlState::UNDEFINED_FILE);
    assert!(message.contains(&missing.display().to_string()), "{message}");
    let path = copy(&cluster, "nphd64/shard_000.usearch");
    let whole = fs::read(&path).expect("a file");
    for damaged in [
        &[][..],
        b"foreign",
        &whole[..whole.len() - 1],
        &[&whole[..], &[0]].concat(),
    ] {
        fs::write(&path, damaged).expect("a file");
        let (state, message) = refused(&mut client, &import(&path));
        assert_eq!(state, SqlState::DATA_CORRUPTED);
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
    let directory = copy(&cluster, "nphd64");
    let shard = directory.join("shard_001.usearch");
    fs::write(&shard, &whole[..100]).expect("a file");
    let (state, message) = refused(&mut client, &import(&directory));
    assert_eq!(state, SqlState::DATA_CORRUPTED);
    assert!(message.contains("shard_001.usearch"), "{message}");
    fs::remove_file(&shard).expect("a file");
    fs::write(directory.join("tombstones.npy"), "none").expect("a file");
    let (state, message) = refused(&mut client, &import(&directory));
    assert_eq!(state, SqlState::DATA_CORRUPTED);
    assert!(message.contains("tombstones.npy"), "{message}");
    let vectors = copy(&cluster, "vectors.usearch");
    assert_eq!(
        refused(&mut client, &import(&vectors)).0,
        SqlState::FEATURE_NOT_SUPPORTED
    );
    assert_eq!(
        refused(&mut client, &import(Path::new("/dev/zero"))).0,
        SqlState::WRONG_OBJECT_TYPE
    );
    for relative in ["nphd64", "", "./x"] {
        assert_eq!(
            refused(&mut client, &import(Path::new(relative))).0,
            SqlState::INVALID_NAME
        );
    }
    // Nobody may read it: neither the server's user nor, if this is another one, the test's.
    use std::os::unix::fs::PermissionsExt;
    cluster.give_to_server(&vectors);
    fs::set_permissions(&vectors, fs::Permissions::from_mode(0o000)).expect("chmod");
    assert_eq!(
        refused(&mut client, &import(&vectors)).0,
        SqlState::INSUFFICIENT_PRIVILEGE
    );
}

/// Files with changed bytes, pieces taken out or repeated: an error or rows, and the session goes on.
#[test]
fn damaged_files_harm_nobody() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let mut random = Random(3);
    let path = cluster.beside("damaged.usearch");
    let mut refusals = 0;
    for round in 0..600 {
        let name = [
            "nphd64/shard_001.usearch",
            "nphd128/shard_000.usearch",
            "single.usearch",
        ][round % 3];
        let mut file = fs::read(sample(name)).expect("a sample");
        for _ in 0..=random.below(3) {
            let at = random.below(file.len());
            match random.below(4) {
                0 => file.truncate(at + 1),
                1 => drop(file.drain(..at / 2)),
                _ => file[at] = random.bits() as u8,
            }
        }
        fs::write(&path, &file).expect("a file");
        if let Err(error) = client.batch_execute(&import(&path)) {
            let known = [SqlState::DATA_CORRUPTED, SqlState::FEATURE_NOT_SUPPORTED];
            assert!(error.code().is_some_and(|code| known.contains(code)), "{error:?}");
            refusals += 1;
        }
    }
    assert!(refusals > 200, "{refusals}");
    cluster.assert_no_crash();
}

#[test]
fn only_those_with_the_roles() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let directory = copy(&cluster, "nphd64");
    let shared = shared(&cluster);
    each(
        &mut client,
        "CREATE ROLE reader; CREATE ROLE writer; CREATE ROLE owner; GRANT pg_read_server_files TO reader;
         GRANT pg_write_server_files TO writer; GRANT CREATE ON SCHEMA public TO owner; SET ROLE owner;
         CREATE TABLE t (k bigint, code bitvec, tenant text); CREATE INDEX t_code ON t USING usearch (code);
         INSERT INTO t SELECT i, sha256(i::text::bytea)::bitvec, 't' || i % 2 FROM generate_series(1, 100) i;
         SET ROLE reader",
    );
    assert_eq!(
        refused(&mut client, &export("t_code", &shared.join("a"))).0,
        SqlState::INSUFFICIENT_PRIVILEGE
    );
    client.batch_execute(&import(&directory)).expect("the reader may");
    each(&mut client, "SET ROLE writer");
    assert_eq!(
        refused(&mut client, &import(&directory)).0,
        SqlState::INSUFFICIENT_PRIVILEGE
    );
    // Both columns must be readable.
    for grant in [
        "",
        "GRANT SELECT (k) ON t TO writer",
        "REVOKE SELECT (k) ON t FROM writer; GRANT SELECT (code) ON t TO writer",
    ] {
        each(&mut client, &format!("RESET ROLE; {grant}; SET ROLE writer"));
        let (state, message) = refused(&mut client, &export("t_code", &shared.join("a")));
        assert_eq!(state, SqlState::INSUFFICIENT_PRIVILEGE, "{message}");
    }
    each(
        &mut client,
        "RESET ROLE; GRANT SELECT (k, code) ON t TO writer; SET ROLE writer",
    );
    assert_eq!(value::<i64>(&mut client, &export("t_code", &shared.join("all"))), 100);
    // Of a table with policies, what they show.
    each(
        &mut client,
        "RESET ROLE; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO writer USING (k % 4 = 1); SET ROLE writer",
    );
    assert_eq!(value::<i64>(&mut client, &export("t_code", &shared.join("some"))), 25);
    each(&mut client, "SET row_security = off");
    assert_eq!(
        refused(&mut client, &export("t_code", &shared.join("a"))).0,
        SqlState::INSUFFICIENT_PRIVILEGE
    );
    // Functions of an index run only for the table's owner, or where that is a superuser.
    each(
        &mut client,
        "RESET ALL; RESET ROLE; ALTER TABLE t DISABLE ROW LEVEL SECURITY; SET ROLE owner;
         CREATE FUNCTION f(bitvec) RETURNS bitvec IMMUTABLE LANGUAGE sql RETURN prefix($1, 64);
         CREATE INDEX t_f ON t USING usearch (f(code)); CREATE INDEX t_part ON t USING usearch (code) WHERE k > 90;
         RESET ROLE",
    );
    for index in ["t_f", "t_part"] {
        assert_eq!(
            refused(&mut client, &export(index, &shared.join("a"))).0,
            SqlState::INSUFFICIENT_PRIVILEGE
        );
    }
    each(&mut client, "GRANT pg_write_server_files TO owner; SET ROLE owner");
    assert_eq!(
        value::<i64>(&mut client, &export("t_f", &shared.join("expression"))),
        100
    );
    assert_eq!(value::<i64>(&mut client, &export("t_part", &shared.join("part"))), 10);
    each(&mut client, "RESET ROLE");
    let lengths = format!(
        "SELECT max(bit_length(code)) FROM usearch_import('{}')",
        shared.join("expression").display()
    );
    assert_eq!(value::<i32>(&mut client, &lengths), 64);
    assert_eq!(names(&shared), ["all", "expression", "part", "some"]);
}

#[test]
fn export_refuses_and_leaves_nothing() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let shared = shared(&cluster);
    let path = shared.join("exported");
    each(
        &mut client,
        "CREATE TABLE t (k bigint, u uuid, n text, code bitvec); CREATE INDEX t_code ON t USING usearch (code);
         CREATE INDEX t_hamming ON t USING usearch (code bitvec_hamming_ops);
         CREATE TABLE v (k bigint, e real[]); CREATE INDEX v_e ON v USING usearch (e real_l2_ops);
         CREATE INDEX t_k ON t (k); INSERT INTO t VALUES (1, gen_random_uuid(), 'a', 'ff00ff00')",
    );
    let cases = [
        ("(1, NULL, 'b', 'ff')", "t_code", "k", SqlState::UNIQUE_VIOLATION),
        (
            "(NULL, NULL, 'b', 'ff')",
            "t_code",
            "k",
            SqlState::NULL_VALUE_NOT_ALLOWED,
        ),
        (
            "(-1, NULL, 'b', 'ff')",
            "t_code",
            "k",
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        ),
        (
            "(5, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'b', 'ff')",
            "t_code",
            "u",
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        ),
        (
            "(5, NULL, 'b', ('\\x' || repeat('ab', 33))::bitvec)",
            "t_code",
            "k",
            SqlState::INVALID_PARAMETER_VALUE,
        ),
        (
            "(5, NULL, 'b', 'ff00')",
            "t_hamming",
            "k",
            SqlState::INVALID_PARAMETER_VALUE,
        ),
        ("(5, NULL, 'b', 'ff')", "t_code", "n", SqlState::DATATYPE_MISMATCH),
        ("(5, NULL, 'b', 'ff')", "t_code", "x", SqlState::UNDEFINED_COLUMN),
        ("(5, NULL, 'b', 'ff')", "t_k", "k", SqlState::WRONG_OBJECT_TYPE),
        ("(5, NULL, 'b', 'ff')", "v_e", "k", SqlState::FEATURE_NOT_SUPPORTED),
    ];
    for (row, index, column, expected) in cases {
        each(&mut client, &format!("BEGIN; INSERT INTO t VALUES {row}"));
        let sql = format!("SELECT usearch_export('{index}', '{column}', '{}')", path.display());
        let (state, message) = refused(&mut client, &sql);
        assert_eq!(state, expected, "{row}: {message}");
        each(&mut client, "ROLLBACK");
        assert!(names(&shared).is_empty(), "{row}: {:?}", names(&shared));
    }
    assert_eq!(
        refused(&mut client, &export("t_code", Path::new("exported"))).0,
        SqlState::INVALID_NAME
    );
    assert_eq!(
        refused(&mut client, &export("t_code", &path.join("deeper"))).0,
        SqlState::UNDEFINED_FILE
    );
    fs::create_dir(&path).expect("a directory");
    for existing in [&path, Path::new("/")] {
        assert_eq!(
            refused(&mut client, &export("t_code", existing)).0,
            SqlState::DUPLICATE_FILE
        );
    }
    assert_eq!(names(&shared), ["exported"]);
    // A key of another type than bigint that fits, a domain, and a name that must be quoted.
    each(
        &mut client,
        "CREATE DOMAIN small AS integer; CREATE TABLE \"T\" (\"my k\" small, \"a code\" bitvec);
         INSERT INTO \"T\" VALUES (7, 'ff'), (8, NULL); CREATE INDEX \"an index\" ON \"T\" USING usearch (\"a code\")",
    );
    let quoted = shared.join("quoted");
    let sql = format!("SELECT usearch_export('\"an index\"', 'my k', '{}')", quoted.display());
    assert_eq!(value::<i64>(&mut client, &sql), 1);
    let sql = format!("SELECT key::int FROM usearch_import('{}')", quoted.display());
    assert_eq!(value::<i32>(&mut client, &sql), 7);
}

/// Other users may read an export, as they may what COPY writes.
#[test]
fn permissions_of_exports() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = shared(&cluster).join("exported");
    each(
        &mut client,
        "CREATE TABLE t (k bigint, code bitvec); CREATE INDEX t_code ON t USING usearch (code)",
    );
    assert_eq!(value::<i64>(&mut client, &export("t_code", &path)), 0);
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("shard_000.usearch"))), (0o755, 0o644));
}

#[test]
fn export_has_one_snapshot() {
    let cluster = Cluster::start();
    let (mut client, mut other) = (cluster.client(), cluster.client());
    let shared = shared(&cluster);
    each(
        &mut client,
        "CREATE TABLE t (k bigint, code bitvec); CREATE INDEX t_code ON t USING usearch (code);
         INSERT INTO t SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 50) i;
         BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1",
    );
    each(
        &mut other,
        "INSERT INTO t VALUES (51, 'ff'); DELETE FROM t WHERE k < 10",
    );
    assert_eq!(value::<i64>(&mut client, &export("t_code", &shared.join("old"))), 50);
    each(&mut client, "COMMIT");
    assert_eq!(value::<i64>(&mut client, &export("t_code", &shared.join("new"))), 42);
}

/// A cancel, and the end of the session, take the directory with them.
#[test]
fn an_export_that_is_ended() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let shared = shared(&cluster);
    each(
        &mut client,
        "CREATE TABLE t (k bigint, code bitvec); CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '1MB');
         INSERT INTO t SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 40000) i",
    );
    for end in ["pg_cancel_backend", "pg_terminate_backend"] {
        let mut session = cluster.client();
        let pid: i32 = value(&mut session, "SELECT pg_backend_pid()");
        let sql = export("t_code", &shared.join("exported"));
        let running = std::thread::spawn(move || session.batch_execute(&sql).expect_err("it was ended"));
        // A shard is there, and others are to come.
        wait_until("a shard is written", || {
            names(&shared)
                .first()
                .is_some_and(|name| !names_or_none(&shared.join(name)).is_empty())
        });
        each(&mut client, &format!("SELECT {end}({pid})"));
        let error = running.join().expect("the session");
        let code = error.code().cloned();
        let expected = [SqlState::QUERY_CANCELED, SqlState::ADMIN_SHUTDOWN];
        assert!(code.as_ref().is_none_or(|code| expected.contains(code)), "{error:?}");
        wait_until("nothing is left", || {
            std::thread::sleep(Duration::from_millis(10));
            names(&shared).is_empty()
        });
    }
    // Undisturbed it ends.
    assert_eq!(
        value::<i64>(&mut client, &export("t_code", &shared.join("exported"))),
        40_000
    );
    assert!(names(&shared.join("exported")).len() > 5);
}

/// As `names`, of a directory that may be gone by now.
fn names_or_none(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}
