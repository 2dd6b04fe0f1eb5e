//! Indexes that go leave no file behind, in whatever way they go, and no file of others goes.

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row, create_table, load};
use cluster_tests::search::{assert_complete, assert_sound, each, index_client, nearest, seal, truth_client, value};
use postgres::Client;

/// An index of several shards.
pub const CREATE: &str = "CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '2MB')";

/// A table `t` of these rows with that index.
pub fn indexed(client: &mut Client, rows: &[Row]) {
    create_table(client, "t");
    load(client, "t", rows);
    client.batch_execute(CREATE).expect("CREATE INDEX");
}

/// The number of files now: those of a dropped index go when the transaction ends.
pub fn files(cluster: &Cluster) -> usize {
    cluster.shard_files().len()
}

/// The number of files after orphans are gone. A dropped relation's own file lives until the next checkpoint.
pub fn files_after_sweep(cluster: &Cluster) -> usize {
    let mut client = cluster.client();
    client.batch_execute("CHECKPOINT").expect("CHECKPOINT");
    value::<i32>(&mut client, "SELECT usearch_sweep()");
    files(cluster)
}

/// Every way to get rid of an index gets rid of its files.
#[test]
fn no_files_left() {
    let rows = codes::text(12_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let other = |sql: &str| cluster.psql(sql);

    indexed(&mut client, &rows);
    let built = files(&cluster);
    assert!(built > 1, "{built} files");

    for sql in [
        "REINDEX INDEX t_code",
        "REINDEX INDEX CONCURRENTLY t_code",
        "ALTER TABLE t ALTER id TYPE numeric",
        "ALTER TABLE t ALTER id TYPE bigint",
        "ALTER TABLE t SET UNLOGGED",
        "ALTER TABLE t SET LOGGED",
        "REINDEX TABLE CONCURRENTLY t",
        "VACUUM FULL t",
        "CLUSTER t USING t_pkey",
    ] {
        other(sql);
        assert_eq!(files(&cluster), built, "after {sql}");
    }
    assert_complete(
        &mut index_client(&cluster, "graph"),
        &mut truth_client(&cluster),
        "t",
        &rows[0].code,
    );

    for sql in [
        "BEGIN; TRUNCATE t; ROLLBACK",
        "BEGIN; DROP TABLE t; ROLLBACK",
        "BEGIN; REINDEX TABLE t; ROLLBACK",
        "BEGIN; SAVEPOINT s; DROP INDEX t_code; ROLLBACK TO s; COMMIT",
        "BEGIN; SAVEPOINT s; REINDEX INDEX t_code; ROLLBACK TO s; COMMIT",
        "BEGIN; SAVEPOINT s; DROP EXTENSION iscc_usearch CASCADE; ROLLBACK TO s; SELECT 1; COMMIT",
    ] {
        client.batch_execute(sql).expect(sql);
        assert_eq!(files(&cluster), built, "after {sql}");
    }
    assert_complete(
        &mut index_client(&cluster, "graph"),
        &mut truth_client(&cluster),
        "t",
        &rows[0].code,
    );

    client.batch_execute("TRUNCATE t").expect("TRUNCATE");
    assert_eq!(files(&cluster), 0, "after TRUNCATE");

    load(&mut client, "t", &rows);
    seal(&mut client, "t_code");
    assert!(files(&cluster) > 0, "a seal builds shards");
    client.batch_execute("DROP INDEX t_code").expect("DROP INDEX");
    assert_eq!(files(&cluster), 0, "after DROP INDEX");

    client
        .batch_execute(&format!("BEGIN; {CREATE}; ROLLBACK"))
        .expect("ROLLBACK");
    assert_eq!(files(&cluster), 0, "after ROLLBACK of CREATE INDEX");

    client
        .batch_execute(&format!("{CREATE}; DROP TABLE t"))
        .expect("DROP TABLE");
    assert_eq!(files(&cluster), 0, "after DROP TABLE");

    // The same relation file number and other content: only the shard's own identity tells them apart.
    let mut transaction = client.transaction().expect("BEGIN");
    transaction
        .batch_execute("CREATE TABLE t (id bigint PRIMARY KEY, code bitvec(256))")
        .expect("CREATE TABLE");
    transaction.batch_execute(CREATE).expect("CREATE INDEX");
    load(&mut transaction, "t", &rows[..6_000]);
    transaction
        .batch_execute("SELECT usearch_seal('t_code'); TRUNCATE t")
        .expect("TRUNCATE");
    load(&mut transaction, "t", &rows[6_000..]);
    transaction.commit().expect("COMMIT");
    assert_complete(
        &mut index_client(&cluster, "graph"),
        &mut truth_client(&cluster),
        "t",
        &rows[0].code,
    );
    client.batch_execute("DROP TABLE t").expect("DROP TABLE");
    assert_eq!(
        files(&cluster),
        0,
        "after TRUNCATE in the creating transaction and DROP TABLE"
    );
}

/// Another session's mappings of a dropped index do not keep its disk space, though it does nothing with indexes any
/// more.
#[test]
fn mappings_of_dropped_indexes() {
    let rows = codes::text(12_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    indexed(&mut client, &rows);
    let mut other = index_client(&cluster, "graph");
    nearest(&mut other, "t", &rows[0].code, "LIMIT 5");
    let pid: i32 = value(&mut other, "SELECT pg_backend_pid()");
    let mapped = || {
        std::fs::read_to_string(format!("/proc/{pid}/maps"))
            .expect("maps")
            .matches(".usearch")
            .count()
    };
    assert!(mapped() > 0, "the shards are mapped");
    each(&mut client, "DROP INDEX t_code");
    value::<i32>(&mut other, "SELECT count(*)::int FROM t WHERE id < 3");
    assert_eq!(mapped(), 0);
}

/// The sweep covers all databases, and file numbers that have another owner now.
#[test]
fn a_sweep_of_the_cluster() {
    let rows = codes::text(4_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    indexed(&mut client, &rows);
    let built = files(&cluster);
    let copy_to = |name: &str| {
        let copy = cluster.data_dir().join("iscc_usearch").join(name);
        std::fs::copy(&cluster.shard_files()[0], &copy).expect("copy");
        cluster.give_to_server(&copy);
    };
    // A number that belongs to a table now; one of another database that has no such relation; a database that is gone.
    let table: i64 = value(
        &mut client,
        "SELECT relfilenode::int8 FROM pg_class WHERE relname = 't'",
    );
    let database: i64 = value(
        &mut client,
        "SELECT oid::int8 FROM pg_database WHERE datname = current_database()",
    );
    let other: i64 = value(
        &mut client,
        "SELECT oid::int8 FROM pg_database WHERE datname = 'template1'",
    );
    let id = "00112233445566778899aabbccddeeff";
    for (of, number) in [(database, table), (other, 4_000_000), (3_999_999, table)] {
        copy_to(&format!("1663_{of}_{number}_{id}.usearch"));
    }
    assert_eq!(files(&cluster), built + 3);
    assert_eq!(value::<i32>(&mut client, "SELECT usearch_sweep()"), 3);
    assert_eq!(files(&cluster), built);
    // Another database's index keeps its files when this one is swept.
    cluster.psql("CREATE DATABASE d");
    let mut d = cluster.connector().client_of("d");
    each(&mut d, "CREATE EXTENSION iscc_usearch");
    indexed(&mut d, &rows);
    assert_eq!(value::<i32>(&mut client, "SELECT usearch_sweep()"), 0);
    assert_sound(&mut d, "t_code");
    each(&mut d, "DROP EXTENSION iscc_usearch CASCADE");
    assert_eq!(files(&cluster), built, "after DROP EXTENSION");
}

/// DROP DATABASE runs no code of ours, and the files of other databases stay.
#[test]
fn drop_database() {
    let rows = codes::text(8_000);
    let cluster = Cluster::start();
    indexed(&mut cluster.client(), &rows);
    let own = files_after_sweep(&cluster);
    cluster.psql("CREATE DATABASE d");
    let mut client = cluster.connector().client_of("d");
    client
        .batch_execute("CREATE EXTENSION iscc_usearch")
        .expect("CREATE EXTENSION");
    indexed(&mut client, &rows);
    assert!(
        files_after_sweep(&cluster) > own,
        "the files of both databases are kept"
    );
    drop(client);
    cluster.psql("DROP DATABASE d");
    assert_eq!(files_after_sweep(&cluster), own);
    assert_sound(&mut cluster.client(), "t_code");
}
