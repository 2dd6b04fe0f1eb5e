//! A hot standby answers from the replicated log, with shard files or without.

use cluster_tests::Cluster;
use cluster_tests::codes::{self, create_table, load};
use cluster_tests::search::{assert_answers, assert_sound, each, seal, value};

/// Cycles of inserts, deletes, VACUUM and seals on the primary; then the standby takes over.
#[test]
fn follows_and_takes_over() {
    let rows = codes::text(12_000);
    let queries = codes::sample(&rows, 20);
    let primary = Cluster::start();
    let mut client = primary.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows[..3_000]);
    client
        .batch_execute("CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '256kB')")
        .expect("CREATE INDEX");
    let standby = primary.standby(&[("wal_consistency_checking", "generic")]);
    for (round, rows) in rows[3_000..].chunks(3_000).enumerate() {
        load(&mut client, "t", rows);
        each(&mut client, &format!("DELETE FROM t WHERE id % 5 = {round}; VACUUM t"));
        if round % 2 == 0 {
            seal(&mut client, "t_code");
        }
        primary.replayed_by(&standby);
        assert_answers(&standby.connector(), "postgres", "t", &queries);
    }

    let mut client = standby.client();
    let recall: f64 = value(&mut client, "SELECT recall FROM usearch_recall('t_code')");
    assert!(recall >= 0.99, "recall is {recall}");
    let error = client
        .batch_execute("SELECT usearch_seal('t_code')")
        .expect_err("read-only");
    assert!(
        error.to_string().contains("recovery") || format!("{error:?}").contains("25006"),
        "{error:?}"
    );
    each(&mut client, "SELECT pg_promote()");
    seal(&mut client, "t_code");
    let missing: i64 = value(
        &mut client,
        "SELECT count(*) FROM usearch_shards('t_code') WHERE state <> 'ok'",
    );
    assert_eq!(missing, 0, "a seal builds the shards that the primary had");
    assert_answers(&standby.connector(), "postgres", "t", &queries);
    assert_sound(&mut client, "t_code");
    primary.assert_no_crash();
    standby.assert_no_crash();
}
