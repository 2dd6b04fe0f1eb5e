//! Transactions of all kinds, and what a crash makes of them.

use std::fs;

use cluster_tests::Cluster;
use cluster_tests::codes::{self, create_indexed, insert_sql, load};
use cluster_tests::search::{
    assert_answers, assert_good, assert_rebuilt, assert_sound, each, index_client, mean_recall, seal, truth_client,
};

/// Prepared transactions outlive a crash, with what they inserted, deleted and built, until they are decided.
#[test]
fn prepared_transactions() {
    let rows = codes::text(6_000);
    let queries = codes::sample(&rows, 20);
    let mut cluster = Cluster::with(&[("max_prepared_transactions", "10")]);
    let mut client = cluster.client();
    create_indexed(&mut client, &rows[..3_000]);
    let build = |table: &str| {
        format!(
            "CREATE TABLE {table} AS SELECT * FROM t; CREATE INDEX {table}_code ON {table} USING usearch (code)
             WITH (shard_size = '256kB')"
        )
    };
    for (name, sql) in [
        ("kept_insert", insert_sql("t", &rows[3_000..4_000])),
        ("lost_insert", insert_sql("t", &rows[4_000..5_000])),
        ("kept_delete", "DELETE FROM t WHERE id % 5 = 0".into()),
        ("lost_delete", "DELETE FROM t WHERE id % 5 = 1".into()),
        ("kept_update", "UPDATE t SET id = -id WHERE id % 5 = 2".into()),
        ("kept_build", build("u")),
        ("lost_build", build("v")),
    ] {
        client.batch_execute(&format!("BEGIN; {sql}")).expect(name);
        if name.ends_with("insert") {
            seal(&mut client, "t_code");
        }
        client
            .batch_execute(&format!("PREPARE TRANSACTION '{name}'"))
            .expect(name);
    }
    let answers = |cluster: &Cluster| assert_answers(&cluster.connector(), "postgres", "t", &queries);
    answers(&cluster);
    cluster.psql("VACUUM t");
    cluster.kill9_postmaster();
    cluster.start_server();
    cluster.psql("VACUUM t");
    cluster.psql("SELECT usearch_sweep()");
    answers(&cluster);
    let names = cluster.psql("SELECT gid FROM pg_prepared_xacts ORDER BY gid");
    assert_eq!(names.lines().count(), 7, "{names}");
    for name in names.lines() {
        let verb = if name.starts_with("kept") { "COMMIT" } else { "ROLLBACK" };
        cluster.psql(&format!("{verb} PREPARED '{name}'"));
        answers(&cluster);
    }
    cluster.psql("VACUUM t");
    let mut client = cluster.client();
    assert_answers(&cluster.connector(), "postgres", "u", &queries);
    // No shard is missing: the sweep has left those of an index that was only prepared.
    assert_sound(&mut client, "u_code");
    assert_rebuilt(&cluster, &queries);
}

/// Rolled back subtransactions leave entries that no answer has, before a crash and after it.
#[test]
fn subtransactions() {
    let rows = codes::text(3_000);
    let queries = codes::sample(&rows, 20);
    let mut cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows[..2_000]);
    client.batch_execute("BEGIN").expect("BEGIN");
    for (round, batch) in rows[2_000..].chunks(100).enumerate() {
        let insert = insert_sql("t", batch);
        let end = if round % 2 == 0 { "ROLLBACK TO s" } else { "RELEASE s" };
        client
            .batch_execute(&format!(
                "SAVEPOINT s; {insert}; DELETE FROM t WHERE id % 50 = {round};
                 SAVEPOINT inner_; UPDATE t SET code = NULL WHERE id % 50 = {round} + 1; ROLLBACK TO inner_;
                 SELECT usearch_seal('t_code'); {end}"
            ))
            .expect("subtransaction");
    }
    client.batch_execute("COMMIT").expect("COMMIT");
    // Each iteration of the block with EXCEPTION is a subtransaction; every third one fails after its work.
    client
        .batch_execute(
            "DO $$ BEGIN
               FOR i IN 1..300 LOOP
                 BEGIN
                   INSERT INTO t SELECT -i, code FROM t WHERE id = 2 * i;
                   DELETE FROM t WHERE id = 3 * i;
                   IF i % 3 = 0 THEN PERFORM 1 / 0; END IF;
                 EXCEPTION WHEN division_by_zero THEN NULL;
                 END;
               END LOOP;
             END $$",
        )
        .expect("DO");
    assert_good(&cluster, &queries);
    drop(client);
    cluster.kill9_postmaster();
    cluster.start_server();
    assert_good(&cluster, &queries);
    cluster.psql("VACUUM t");
    assert_rebuilt(&cluster, &queries);
}

/// Table and index made, filled, sealed and emptied in one transaction whose data pages PostgreSQL need not log: after
/// a crash the rows are there.
#[test]
fn created_without_wal() {
    let rows = codes::text(4_000);
    let queries = codes::sample(&rows, 20);
    for threshold in ["0", "1GB"] {
        let mut cluster = Cluster::with(&[
            ("wal_level", "minimal"),
            ("max_wal_senders", "0"),
            ("wal_skip_threshold", threshold),
        ]);
        let mut client = cluster.client();
        client.batch_execute("BEGIN").expect("BEGIN");
        create_indexed(&mut client, &rows[..1_500]);
        seal(&mut client, "t_code");
        client
            .batch_execute("SAVEPOINT s; TRUNCATE t; ROLLBACK TO s; TRUNCATE t")
            .expect("TRUNCATE");
        load(&mut client, "t", &rows[1_500..3_500]);
        seal(&mut client, "t_code");
        load(&mut client, "t", &rows[3_500..]);
        client
            .batch_execute("SAVEPOINT s; DELETE FROM t WHERE id % 5 = 0; ROLLBACK TO s; COMMIT")
            .expect("COMMIT");
        drop(client);
        cluster.kill9_postmaster();
        cluster.start_server();
        assert_eq!(cluster.psql("SELECT count(*) FROM t"), "2500");
        assert_good(&cluster, &queries);
        cluster.psql("DELETE FROM t WHERE id % 3 = 0");
        cluster.psql("VACUUM t");
        assert_rebuilt(&cluster, &queries);
    }
}

/// A crash may take back the deletion of rows that VACUUM has already removed, when no commit waited for its WAL. A
/// shard that was built again in between must not lack them.
#[test]
fn rebuilt_beyond_the_wal() {
    let rows = codes::text(2_000);
    let queries = codes::sample(&rows, 20);
    let mut cluster = Cluster::with(&[("wal_writer_delay", "10s"), ("wal_writer_flush_after", "1GB")]);
    create_indexed(&mut cluster.client(), &rows);
    seal(&mut cluster.client(), "t_code");
    let mut client = cluster.client();
    each(&mut client, "CHECKPOINT; SET synchronous_commit = off");
    cluster.pause("walwriter");
    for file in cluster.shard_files() {
        fs::remove_file(file).expect("remove");
    }
    each(&mut client, "DELETE FROM t WHERE id % 5 = 0; VACUUM t");
    seal(&mut client, "t_code");
    cluster.kill9_postmaster();
    cluster.start_server();
    let deleted: Vec<_> = rows.iter().filter(|row| row.id % 5 == 0).cloned().collect();
    let (mut graph, mut truth) = (index_client(&cluster, "graph"), truth_client(&cluster));
    let recall = mean_recall(&mut graph, &mut truth, "t", &deleted, "true", 10);
    assert!(recall >= 0.99, "recall@10 is {recall}");
    assert_rebuilt(&cluster, &queries);
}
