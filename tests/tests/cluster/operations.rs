//! What happens to a table and its index: it moves, is rewritten, dumped, replicated, and takes part in all kinds of
//! transactions.

use std::fs;

use cluster_tests::churn::Churn;
use cluster_tests::codes::{self, create_indexed, create_table, load};
use cluster_tests::search::{
    assert_agrees, assert_answers, assert_good, assert_no_orphans, assert_rebuilt, assert_sound, clients_of, each,
    explain, seal, use_index, value,
};
use cluster_tests::{Cluster, wait_until};
use postgres::Client;

/// The SQLSTATE of a statement that fails.
fn error_code(client: &mut Client, sql: &str) -> String {
    let error = client.batch_execute(sql).expect_err(sql);
    error.code().expect("SQLSTATE").code().to_string()
}

/// A database of its own for a test, with the extension.
fn create_database(cluster: &Cluster, name: &str) -> Client {
    cluster.psql(&format!("CREATE DATABASE {name}"));
    let mut client = cluster.connector().client_of(name);
    client
        .batch_execute("CREATE EXTENSION iscc_usearch")
        .expect("CREATE EXTENSION");
    client
}

/// Index, table and database move to other tablespaces and back, with a crash on the way.
#[test]
fn tablespaces() {
    let rows = codes::text(4_000);
    let queries = codes::sample(&rows, 20);
    let mut cluster = Cluster::start();
    for name in ["one", "two"] {
        let directory = cluster.beside(name);
        fs::create_dir(&directory).expect("mkdir");
        cluster.give_to_server(&directory);
        cluster.psql(&format!("CREATE TABLESPACE {name} LOCATION '{}'", directory.display()));
    }
    create_indexed(&mut create_database(&cluster, "d"), &rows);
    for (round, sql) in [
        "ALTER INDEX t_code SET TABLESPACE one",
        "ALTER TABLE t SET TABLESPACE one",
        "REINDEX (TABLESPACE two) INDEX t_code",
        "ALTER INDEX ALL IN TABLESPACE two SET TABLESPACE pg_default",
        "ALTER DATABASE d SET TABLESPACE two",
        "ALTER DATABASE d SET TABLESPACE pg_default",
    ]
    .into_iter()
    .enumerate()
    {
        let database = if sql.contains("DATABASE") { "postgres" } else { "d" };
        each(&mut cluster.connector().client_of(database), sql);
        if round % 3 == 0 {
            cluster.kill9_postmaster();
            cluster.start_server();
        }
        assert_answers(&cluster.connector(), "d", "t", &queries);
        let mut client = cluster.connector().client_of("d");
        seal(&mut client, "t_code");
        assert_answers(&cluster.connector(), "d", "t", &queries);
        assert_sound(&mut client, "t_code");
        assert_no_orphans(&cluster, &mut client);
    }
}

/// SET UNLOGGED and SET LOGGED rewrite table and index; what is logged survives a crash, what is not is empty after it.
#[test]
fn persistence() {
    let rows = codes::text(4_000);
    let queries = codes::sample(&rows, 20);
    let mut cluster = Cluster::start();
    create_indexed(&mut cluster.client(), &rows);
    for expected in [0, 4_000] {
        let mut client = cluster.client();
        each(&mut client, "ALTER TABLE t SET UNLOGGED; SELECT usearch_seal('t_code')");
        assert_good(&cluster, &queries);
        if expected > 0 {
            each(&mut client, "ALTER TABLE t SET LOGGED; SELECT usearch_seal('t_code')");
        }
        drop(client);
        cluster.kill9_postmaster();
        cluster.start_server();
        let mut client = cluster.client();
        assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM t"), expected);
        if expected == 0 {
            assert_no_orphans(&cluster, &mut client);
            load(&mut client, "t", &rows);
        }
        assert_rebuilt(&cluster, &queries);
    }
}

/// An index is built again, in each way there is, beside sessions that change the table: no row is missing or there
/// twice.
#[test]
fn reindexed_beside_writers() {
    let rows = codes::text(5_000);
    let queries = codes::sample(&rows, 20);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows[..3_000]);
    let churn = Churn::start(&cluster.connector(), &rows[1_000..]);
    for (round, sql) in [
        "REINDEX INDEX CONCURRENTLY t_code",
        "REINDEX TABLE CONCURRENTLY t",
        "REINDEX TABLE t",
        "REINDEX INDEX t_code",
        "CREATE INDEX CONCURRENTLY other ON t USING usearch (code); DROP INDEX CONCURRENTLY t_code;
         ALTER INDEX other RENAME TO t_code",
        "REINDEX INDEX CONCURRENTLY t_code",
    ]
    .into_iter()
    .enumerate()
    {
        churn.wait_for(1);
        each(&mut client, sql);
        let mut reader = cluster.client();
        for mode in ["auto", "graph", "exact"] {
            assert_agrees(&mut reader, mode, &queries[round]);
        }
    }
    churn.finish();
    assert_rebuilt(&cluster, &queries);
}

/// Statements that write the table anew leave an index with the new content.
#[test]
fn rewrites() {
    let rows = codes::text(3_000);
    let queries = codes::sample(&rows, 20);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    each(&mut client, "DELETE FROM t WHERE id % 5 = 0");
    for sql in [
        "ALTER TABLE t ADD COLUMN note uuid DEFAULT gen_random_uuid()",
        "ALTER TABLE t ADD COLUMN size int DEFAULT 1",
        "ALTER TABLE t ALTER COLUMN size TYPE bigint",
        "ALTER TABLE t DROP COLUMN note",
        "CLUSTER t USING t_pkey",
        "VACUUM FULL t",
        "ALTER TABLE t ALTER COLUMN code TYPE bitvec",
        "ALTER INDEX t_code SET (m = 8, shard_size = '64kB')",
        "REINDEX INDEX t_code",
        "ALTER TABLE t ALTER COLUMN code TYPE bitvec(64) USING prefix(code, 64)",
        "UPDATE t SET code = ~code::bit(64) WHERE id % 5 = 1",
    ] {
        each(&mut client, sql);
        assert_good(&cluster, &queries);
    }
    for (sql, code) in [
        ("ALTER TABLE t ALTER COLUMN code TYPE bitvec(32)", "22001"),
        ("ALTER TABLE t ALTER COLUMN code TYPE bytea", "42704"),
        ("CLUSTER t USING t_code", "0A000"),
    ] {
        assert_eq!(error_code(&mut client, sql), code, "{sql}");
        assert_good(&cluster, &queries);
    }
    let bits: i32 = value(&mut client, "SELECT max_bits FROM usearch_index_stats('t_code')");
    assert_eq!(bits, 64);
    assert_rebuilt(&cluster, &queries);
}

/// pg_dump in both formats: the restored database has the same indexes, built anew.
#[test]
fn dump_and_restore() {
    let rows = codes::text(4_000);
    let queries = codes::sample(&rows, 20);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    each(
        &mut client,
        "CREATE INDEX t_jaccard ON t USING usearch (code bitvec_jaccard_ops) WITH (m = 7, ef_construction = 33);
         CREATE INDEX t_prefix ON t USING usearch ((prefix(code, 64))) WHERE id % 2 = 0;
         INSERT INTO t VALUES (-1, NULL);
         DELETE FROM t WHERE id % 5 = 0",
    );
    let (plain, custom) = (cluster.beside("plain"), cluster.beside("custom"));
    let (plain, custom) = (plain.to_str().expect("UTF-8"), custom.to_str().expect("UTF-8"));
    cluster.run("pg_dump", &["--file", plain]);
    cluster.run("pg_dump", &["--format=custom", "--file", custom]);
    cluster.psql("CREATE DATABASE plain");
    cluster.psql("CREATE DATABASE custom");
    cluster.run("psql", &["-XAtq", "-v", "ON_ERROR_STOP=1", "-f", plain, "-d", "plain"]);
    cluster.run("pg_restore", &["--jobs=2", "--exit-on-error", "-d", "custom", custom]);

    let definitions = "SELECT string_agg(pg_get_indexdef(indexrelid), E'\\n' ORDER BY indexrelid::regclass::text)
                         FROM pg_index WHERE indrelid = 't'::regclass";
    let options = "SELECT string_agg(concat_ws(' ', metric, s.m, ef_construction, shard_size, max_bits), E'\\n'
                                     ORDER BY c.relname)
                     FROM pg_class c JOIN pg_am a ON a.oid = relam AND amname = 'usearch', usearch_index_stats(c.oid) s";
    let expected: [String; 2] = [definitions, options].map(|sql| value(&mut client, sql));
    for database in ["plain", "custom"] {
        let mut restored = cluster.connector().client_of(database);
        assert_eq!(
            [definitions, options].map(|sql| value::<String>(&mut restored, sql)),
            expected
        );
        assert_answers(&cluster.connector(), database, "t", &queries);
        for index in ["t_code", "t_jaccard", "t_prefix"] {
            assert_sound(&mut restored, index);
        }
        assert_no_missing(&mut restored);
    }
}

/// Panics unless all shards of table `t`'s indexes are there, and there are some.
fn assert_no_missing(client: &mut Client) {
    let sql = "SELECT count(*) > 0 AND bool_and(state = 'ok') FROM pg_index, usearch_shards(indexrelid)
                WHERE indrelid = 't'::regclass AND indexrelid::regclass::text <> 't_pkey'";
    assert!(value::<bool>(client, sql), "shards are missing");
}

/// ALTER EXTENSION knows a way from each version to this one; DROP EXTENSION takes indexes and columns, and what is
/// left of the shards goes with the next sweep.
#[test]
fn extension_updated_and_dropped() {
    let rows = codes::text(3_000);
    let queries = codes::sample(&rows, 20);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows);
    client
        .batch_execute("ALTER EXTENSION iscc_usearch UPDATE")
        .expect("UPDATE");
    let broken: i64 = value(
        &mut client,
        "SELECT count(*) FROM pg_extension_update_paths('iscc_usearch') p
           JOIN pg_available_extensions e ON e.name = 'iscc_usearch' AND p.target = e.default_version
          WHERE p.path IS NULL",
    );
    assert_eq!(broken, 0, "versions without a way to this one");
    assert_good(&cluster, &queries);

    assert_eq!(error_code(&mut client, "DROP EXTENSION iscc_usearch"), "2BP01");
    assert_good(&cluster, &queries);
    client
        .batch_execute("BEGIN; DROP EXTENSION iscc_usearch CASCADE; ROLLBACK")
        .expect("ROLLBACK");
    assert_good(&cluster, &queries);
    client
        .batch_execute("DROP EXTENSION iscc_usearch CASCADE")
        .expect("DROP EXTENSION");
    let columns = "SELECT string_agg(attname, ' ') FROM pg_attribute
                    WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped";
    assert_eq!(value::<String>(&mut client, columns), "id");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM t"), 3_000);

    each(&mut client, "CREATE EXTENSION iscc_usearch; DROP TABLE t");
    assert_no_orphans(&cluster, &mut client);
    assert_eq!(cluster.shard_files().len(), 0);
    create_indexed(&mut client, &rows);
    assert_good(&cluster, &queries);
}

/// Logical replication into indexed tables: copied rows and streamed changes, found by key and by the whole row.
#[test]
fn logical_replication() {
    let rows = codes::text(4_000);
    let queries = codes::sample(&rows, 20);
    let publisher = Cluster::with(&[("wal_level", "logical")]);
    let subscriber = Cluster::start();
    let (mut from, mut to) = (publisher.client(), subscriber.client());
    create_indexed(&mut from, &rows[..2_000]);
    create_indexed(&mut to, &[]);
    for client in [&mut from, &mut to] {
        each(
            client,
            "CREATE TABLE u (id bigint, code bitvec(256)); ALTER TABLE u REPLICA IDENTITY FULL;
             CREATE INDEX u_code ON u USING usearch (code) WITH (shard_size = '64kB')",
        );
    }
    load(&mut from, "u", &rows[..500]);
    each(&mut from, "CREATE PUBLICATION p FOR TABLE t, u");
    each(
        &mut to,
        &format!(
            "CREATE SUBSCRIPTION s CONNECTION '{}' PUBLICATION p",
            publisher.conninfo()
        ),
    );
    wait_until("the tables are copied", || {
        value(&mut to, "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel")
    });
    for (round, batch) in rows[2_000..].chunks(500).enumerate() {
        load(&mut from, "t", batch);
        each(
            &mut from,
            &format!(
                "DELETE FROM t WHERE id % 7 = {round};
                 UPDATE t SET code = (SELECT code FROM t o ORDER BY code LIMIT 1) WHERE id % 31 = {round};
                 DELETE FROM u WHERE id % 7 = {round};
                 UPDATE u SET code = code || '\\x00' WHERE id % 31 = {round} AND length(code) < 256;
                 VACUUM t"
            ),
        );
        seal(&mut to, "t_code");
    }
    // Changes arrive in their order: this is the last one.
    each(&mut from, "INSERT INTO u VALUES (-1, NULL)");
    wait_until("the changes are applied", || {
        value(&mut to, "SELECT EXISTS (SELECT FROM u WHERE id = -1)")
    });
    for table in ["t", "u"] {
        let content = format!("SELECT md5(string_agg(id || ' ' || code::text, ' ' ORDER BY id, code)) FROM {table}");
        assert_eq!(value::<String>(&mut to, &content), value::<String>(&mut from, &content));
        assert_answers(&subscriber.connector(), "postgres", table, &queries);
    }
    assert_sound(&mut to, "u_code");
    assert_rebuilt(&subscriber, &queries);
    each(&mut to, "DROP SUBSCRIPTION s");
}

/// Tables become partitions, with the index they have or one that is built, and tables of their own again.
#[test]
fn partitions_attached_and_detached() {
    let rows = codes::text(4_000);
    let queries = codes::sample(&rows, 20);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_indexed(&mut client, &rows[..2_000]);
    create_table(&mut client, "bare");
    load(&mut client, "bare", &rows[2_000..]);
    let connector = cluster.connector();
    each(
        &mut client,
        "CREATE TABLE p (id bigint PRIMARY KEY, code bitvec(256)) PARTITION BY RANGE (id);
         CREATE INDEX p_code ON p USING usearch (code);
         ALTER TABLE t ALTER COLUMN code SET STORAGE MAIN;
         ALTER TABLE p ATTACH PARTITION t FOR VALUES FROM (MINVALUE) TO (2001);
         ALTER TABLE p ATTACH PARTITION bare FOR VALUES FROM (2001) TO (MAXVALUE)",
    );
    let children: i64 = value(
        &mut client,
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'p_code'::regclass",
    );
    assert_eq!(children, 2);
    let own: bool = value(
        &mut client,
        "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = 't_code'::regclass)",
    );
    assert!(own, "the index that was there is taken");
    for table in ["p", "t", "bare"] {
        assert_answers(&connector, "postgres", table, &queries);
    }
    each(
        &mut client,
        "UPDATE p SET id = id + 100000 WHERE id < 500; ALTER TABLE p DETACH PARTITION t CONCURRENTLY;
         INSERT INTO t SELECT id - 1000000, code FROM p",
    );
    for table in ["p", "t"] {
        assert_answers(&connector, "postgres", table, &queries);
    }
    let (mut index, _) = clients_of(&connector, "postgres");
    use_index(&mut index, "auto");
    let plan = explain(&mut index, "SELECT id FROM p ORDER BY code <~> '\\x00ff' LIMIT 3");
    assert!(plan.contains("bare_code_idx"), "{plan}");
    each(&mut client, "VACUUM t; DROP TABLE p");
    assert_rebuilt(&cluster, &queries);
}
