//! A hot standby answers from the replicated log, with shard files or without.

use cluster_tests::codes::{self, Row, create_table, load};
use cluster_tests::search::{
    assert_complete, assert_exact, assert_sound, each, index_client, seal, truth_client, value,
};
use cluster_tests::{Cluster, wait_until};

/// Waits until the standby has replayed all that the primary has written so far. Also what VACUUM wrote last, which it
/// leaves to others to flush: a cursor that is then opened on the standby holds pages that this would wait for.
pub fn catch_up(primary: &Cluster, standby: &Cluster) {
    let mut client = primary.client();
    each(&mut client, "SELECT pg_logical_emit_message(true, 'test', 'flush')");
    let lsn: String = value(&mut client, "SELECT pg_current_wal_flush_lsn()::text");
    let mut client = standby.client();
    let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn");
    wait_until("the standby has caught up", || value::<bool>(&mut client, &sql));
}

/// In each mode the standby gives every row, and in exact mode the answers of its own sequential scan.
fn assert_answers(standby: &Cluster, queries: &[Row]) {
    let mut truth = truth_client(standby);
    for mode in ["auto", "graph", "exact"] {
        assert_complete(&mut index_client(standby, mode), &mut truth, "t", &queries[0].code);
    }
    assert_exact(&mut index_client(standby, "exact"), &mut truth, "t", queries);
}

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
        catch_up(&primary, &standby);
        assert_answers(&standby, &queries);
    }

    let mut client = standby.client();
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
    assert_answers(&standby, &queries);
    assert_sound(&mut client, "t_code");
    primary.assert_no_crash();
    standby.assert_no_crash();
}
