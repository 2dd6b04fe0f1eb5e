//! From one version of the extension to the next: ALTER EXTENSION UPDATE leaves the same catalogs as CREATE EXTENSION.

use cluster_tests::Cluster;
use cluster_tests::search::{each, value};
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
