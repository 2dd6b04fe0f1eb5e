//! From one version of the extension to the next: ALTER EXTENSION UPDATE leaves the same catalogs as CREATE EXTENSION.

use cluster_tests::search::{each, value};
use cluster_tests::{Cluster, wait_until};
use postgres::Client;

/// All fields of all catalog entries that belong to the extension.
const CATALOG: &str = include_str!("upgrade/catalog.sql");

/// What the catalogs have of the extension, a line per field.
fn catalog(client: &mut Client) -> Vec<String> {
    value::<String>(client, CATALOG).lines().map(str::to_string).collect()
}

/// Panics with the lines that only one of them has.
fn assert_same(new: &[String], updated: &[String]) {
    let missing: Vec<&String> = new.iter().filter(|line| !updated.contains(line)).collect();
    let surplus: Vec<&String> = updated.iter().filter(|line| !new.contains(line)).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "only in a new one: {missing:#?}\nonly in an updated one: {surplus:#?}"
    );
    assert_eq!(new.len(), updated.len());
}

/// From each version that there is an install script for, in the schema that the extension is in, also one that nobody
/// searches.
#[test]
fn an_update_leaves_the_catalogs_of_an_installation() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let versions: Vec<String> = client
        .query(
            "SELECT version FROM pg_available_extension_versions WHERE name = 'iscc_usearch' AND NOT installed",
            &[],
        )
        .expect("versions")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(versions.contains(&"0.1.0".to_string()), "{versions:?}");
    each(&mut client, "DROP EXTENSION iscc_usearch; CREATE SCHEMA x");
    for schema in ["public", "x"] {
        each(&mut client, &format!("CREATE EXTENSION iscc_usearch SCHEMA {schema}"));
        let new = catalog(&mut client);
        // It sees what it should: a member of an operator class, a comment, a privilege, a support function.
        for part in [
            "pg_amop operator 1 ",
            "description 0 description = ",
            "initpriv",
            "prosupport = ",
        ] {
            assert!(new.iter().any(|line| line.contains(part)), "no line has {part:?}");
        }
        assert!(new.len() > 5_000, "{} lines", new.len());
        for version in &versions {
            let update = format!(
                "DROP EXTENSION iscc_usearch; CREATE EXTENSION iscc_usearch SCHEMA {schema} VERSION '{version}';
                 ALTER EXTENSION iscc_usearch UPDATE"
            );
            each(&mut client, &update);
            assert_same(&new, &catalog(&mut client));
        }
        each(&mut client, "DROP EXTENSION iscc_usearch");
    }
}

/// What users have made of the extension's objects is there after an update, and so are the new casts.
#[test]
fn an_update_under_objects_in_use() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(
        &mut client,
        "DROP EXTENSION iscc_usearch; CREATE EXTENSION iscc_usearch VERSION '0.1.0';
         CREATE TABLE t (id int, code bitvec(64)); INSERT INTO t VALUES (1, '\\xff'), (2, '\\x00');
         CREATE INDEX t_code ON t USING usearch (code);
         CREATE VIEW v AS SELECT id FROM t WHERE nphd_within(code, '\\xff', 0.1);
         ALTER EXTENSION iscc_usearch UPDATE",
    );
    assert_eq!(value::<i32>(&mut client, "SELECT id FROM v"), 1);
    let compared = "SELECT id FROM t WHERE code <~> '\\x00'::bytea < 0.1";
    assert_eq!(value::<i32>(&mut client, compared), 2);
    let entries = "SELECT entries FROM usearch_indexes WHERE indexrelname = 't_code'";
    assert_eq!(value::<i64>(&mut client, entries), 2);
}

/// All that the extension has is documented. Operator families, array types and the row types of views
/// come with what has a comment.
#[test]
fn objects_have_comments() {
    let cluster = Cluster::start();
    let sql = "SELECT COALESCE(string_agg(pg_describe_object(classid, objid, 0), ', '), '') FROM pg_depend
                WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'iscc_usearch') AND deptype = 'e'
                  AND classid <> 'pg_opfamily'::regclass
                  AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class v ON v.oid = typrelid AND relkind = 'v'
                                   WHERE classid = 'pg_type'::regclass AND t.oid = objid AND (typelem <> 0 OR v.oid IS NOT NULL))
                  AND obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)) IS NULL";
    assert_eq!(value::<String>(&mut cluster.client(), sql), "");
}

/// A library that is newer than the objects of a database works with them, and says what to run: in the check of an
/// index, and in the server's log whenever the worker starts.
#[test]
fn a_newer_library_says_what_to_run() {
    let cluster = Cluster::with(&[("iscc_usearch.background_worker", "on")]);
    let (mut client, notices) = cluster.connector().client_with_notices();
    each(
        &mut client,
        "DROP EXTENSION iscc_usearch; CREATE EXTENSION iscc_usearch VERSION '0.1.0';
         CREATE TABLE t (id int, code bitvec(256)); CREATE INDEX t_code ON t USING usearch (code);
         INSERT INTO t SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 50000) i",
    );
    let this: String = value(
        &mut client,
        "SELECT default_version FROM pg_available_extensions WHERE name = 'iscc_usearch'",
    );
    let message = format!("extension \"iscc_usearch\" has version 0.1.0 here, but its library has version {this}");
    let hint = "HINT:  Run ALTER EXTENSION iscc_usearch UPDATE in this database.";
    wait_until("the worker has said so", || {
        let log = cluster.log();
        let mut lines = log
            .lines()
            .skip_while(|line| !line.contains(&format!("WARNING:  {message}")));
        lines.next().is_some() && lines.next().is_some_and(|line| line.contains(hint))
    });
    let shards = "SELECT shards > 0 FROM usearch_index_stats('t_code')";
    wait_until("the worker has sealed the tail", || value(&mut client, shards));
    each(&mut client, "SELECT usearch_check('t_code', true)");
    let warning = format!("WARNING: {message}");
    assert!(notices.lock().unwrap().contains(&warning), "{notices:?}");

    each(&mut client, "ALTER EXTENSION iscc_usearch UPDATE");
    notices.lock().unwrap().clear();
    each(&mut client, "SELECT usearch_check('t_code', true)");
    assert!(!notices.lock().unwrap().contains(&warning), "{notices:?}");
}
