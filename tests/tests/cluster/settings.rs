//! Settings in a session that has not used the type yet: the library, which knows them, is not loaded there.

use cluster_tests::search::server_version;
use cluster_tests::{Cluster, wait_until};
use postgres::SimpleQueryMessage;
use postgres::error::SqlState;

const LIBRARY: &str = "iscc_usearch";

/// Runs statements in a session of their own; the last value, as text.
fn fresh(cluster: &Cluster, database: &str, statements: &str) -> Result<String, SqlState> {
    let mut client = cluster.connector().client_of(database);
    let mut last = String::new();
    let lines = statements.lines().map(|line| line.split("--").next().unwrap_or(""));
    let statements = lines.collect::<Vec<_>>().join("\n");
    for sql in statements.split(';').map(str::trim).filter(|sql| !sql.is_empty()) {
        let answer = client.simple_query(sql).map_err(|error| {
            let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error:?}"));
            error.code().clone()
        })?;
        for message in answer {
            if let SimpleQueryMessage::Row(row) = message {
                last = row.get(0).unwrap_or("NULL").to_string();
            }
        }
    }
    Ok(last)
}

/// The SQL of the page on settings, block by block.
fn documented() -> Vec<&'static str> {
    let page = include_str!("../../../docs/reference/settings.md");
    let blocks = page.split("```sql\n").skip(1);
    blocks
        .map(|block| block.split_once("```").expect("the end of a block").0)
        .collect()
}

/// Statements on settings that work, and those that are errors, wherever the library is loaded.
fn assert_known(cluster: &Cluster, before: &str) {
    let run = |sql: &str| fresh(cluster, "mydb", &format!("{before} {sql}"));
    for (sql, value) in [
        ("SHOW iscc_usearch.ef_search", "0"),
        ("SET iscc_usearch.ef_search = 50; SHOW iscc_usearch.ef_search", "50"),
        (
            "BEGIN; SET LOCAL iscc_usearch.search_mode = exact; SHOW iscc_usearch.search_mode",
            "exact",
        ),
        (
            "ALTER SYSTEM SET iscc_usearch.worker_threads = 3; ALTER SYSTEM RESET iscc_usearch.worker_threads;
             SELECT 1",
            "1",
        ),
        (
            "SELECT count(*) > 4 FROM pg_settings WHERE name LIKE 'iscc\\_usearch.%'",
            "t",
        ),
        (
            "SET ROLE app; ALTER ROLE app SET iscc_usearch.ef_search = 40; ALTER ROLE app RESET ALL;
             SHOW iscc_usearch.ef_search",
            "0",
        ),
    ] {
        assert_eq!(run(sql).as_deref(), Ok(value), "{before} {sql}");
    }
    for sql in [
        "ALTER SYSTEM SET iscc_usearch.worker_threads = 'many'",
        "ALTER SYSTEM SET iscc_usearch.worker_threads = 65",
        "ALTER DATABASE mydb SET iscc_usearch.target_recall = 2",
        "SET iscc_usearch.target_recall = 2",
    ] {
        assert_eq!(run(sql), Err(SqlState::INVALID_PARAMETER_VALUE), "{before} {sql}");
    }
    for sql in [
        "ALTER SYSTEM SET iscc_usearch.worker_thread = 3",
        "ALTER DATABASE mydb SET iscc_usearch.recall = 0.9",
        "SET iscc_usearch.recall = 0.9",
        "SHOW iscc_usearch.recall",
    ] {
        let error = run(sql).expect_err(sql);
        let misspelt = [SqlState::UNDEFINED_OBJECT, SqlState::INVALID_NAME];
        assert!(misspelt.contains(&error), "{before} {sql}: {error:?}");
    }
    let refused = run("SET ROLE app; SET iscc_usearch.worker_threads = 3");
    assert_eq!(refused, Err(SqlState::INSUFFICIENT_PRIVILEGE), "{before}");
}

fn prepare(cluster: &Cluster) {
    cluster.psql("CREATE DATABASE mydb");
    cluster.psql("CREATE ROLE app");
    fresh(cluster, "mydb", "CREATE EXTENSION iscc_usearch").expect("CREATE EXTENSION");
}

/// What the page shows works in a fresh session, and has the effect that it tells of.
#[test]
fn documented_statements() {
    let cluster = Cluster::start();
    prepare(&cluster);
    let version = server_version(&mut cluster.client());
    let [first, always] = documented()[..] else {
        panic!("two blocks on settings: {:?}", documented());
    };

    // Before the library is loaded: as the page says.
    let run = |sql: &str| fresh(&cluster, "mydb", sql);
    assert_eq!(run("SHOW iscc_usearch.target_recall"), Err(SqlState::UNDEFINED_OBJECT));
    let change =
        run("ALTER SYSTEM SET iscc_usearch.worker_threads = 2; ALTER SYSTEM RESET iscc_usearch.worker_threads");
    assert_eq!(change.is_ok(), version >= 17, "{change:?}");
    let set = "SET iscc_usearch.target_recall = 0.5; SELECT bitvec '\\xff'; SHOW iscc_usearch.target_recall";
    assert_eq!(run(set).as_deref(), Ok("0.5"));

    run(first).unwrap_or_else(|error| panic!("{first}: {error:?}"));
    wait_until("new sessions have the settings", || {
        let show = "LOAD 'iscc_usearch'; SELECT concat_ws(' ', current_setting('iscc_usearch.worker_threads'),
                      current_setting('iscc_usearch.target_recall'))";
        run(show).expect(show) == "4 0.999"
    });
    run("ALTER DATABASE mydb RESET ALL").expect("RESET");
    assert_known(&cluster, "LOAD 'iscc_usearch';");
    // Those who may not LOAD use the type.
    let refused = run("SET ROLE app; LOAD 'iscc_usearch'");
    assert_eq!(refused, Err(SqlState::INSUFFICIENT_PRIVILEGE));
    assert_known(&cluster, "SELECT bitvec '\\xff';");
    assert_eq!(
        run("SET ROLE app; SELECT bitvec '\\xff'; SHOW iscc_usearch.ef_search").as_deref(),
        Ok("0")
    );

    run(always).unwrap_or_else(|error| panic!("{always}: {error:?}"));
    assert_known(&cluster, "");
}

/// A server that has the library from its start on knows the settings in each session, and in its configuration file.
#[test]
fn preloaded_by_the_server() {
    let cluster = Cluster::with(&[("shared_preload_libraries", LIBRARY), ("iscc_usearch.ef_search", "0")]);
    prepare(&cluster);
    assert_known(&cluster, "");
    // In databases without the extension, too.
    let show = fresh(&cluster, "template1", "SHOW iscc_usearch.search_mode");
    assert_eq!(show.as_deref(), Ok("auto"));
}
