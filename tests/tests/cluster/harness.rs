//! The harness itself: what it kills is dead, what it restarts is back, and a crash does not go unnoticed.

use cluster_tests::search::each;
use cluster_tests::{Cluster, Shutdown, wait_until};
use postgres::error::SqlState;

/// Committed rows survive each way to stop; WAL replay does the rest.
#[test]
fn stops_and_kills() {
    let mut cluster = Cluster::start();
    cluster.psql("CREATE TABLE t (i int)");
    let mut expected = 0;
    for round in 0..4 {
        cluster.psql("INSERT INTO t VALUES (1)");
        expected += 1;
        match round {
            0 => cluster.restart(),
            1 => {
                cluster.stop(Shutdown::Immediate);
                cluster.start_server();
            }
            2 => {
                cluster.kill9_postmaster();
                cluster.start_server();
            }
            _ => {
                let mut victim = cluster.client();
                let pid = victim.query_one("SELECT pg_backend_pid()", &[]).expect("pid").get(0);
                cluster.kill9_backend(pid);
                assert!(victim.batch_execute("SELECT 1").is_err());
            }
        }
        assert_eq!(cluster.psql("SELECT count(*) FROM t"), expected.to_string());
    }
}

/// Copies of a server have its rows; a standby gets the later ones too.
#[test]
fn copies() {
    let cluster = Cluster::start();
    cluster.psql("CREATE TABLE t AS SELECT 1 AS i");
    let standby = cluster.standby(&[]);
    let restored = cluster.restored_basebackup(&[("work_mem", "1MB")]);
    cluster.psql("INSERT INTO t VALUES (2)");
    wait_until("the standby has replayed", || {
        standby.psql("SELECT count(*) FROM t") == "2"
    });
    assert_eq!(standby.psql("SELECT pg_is_in_recovery()"), "t");
    assert_eq!(restored.psql("SELECT count(*) FROM t"), "1");
    assert_eq!(restored.psql("SHOW work_mem"), "1MB");
}

/// A process that ends by a signal which no test has sent fails the test.
#[test]
#[should_panic(expected = "the server crashed")]
fn crashes_are_noticed() {
    let cluster = Cluster::start();
    let pid = cluster.psql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
    std::process::Command::new("kill")
        .args(["-SEGV", &pid])
        .status()
        .expect("kill");
    wait_until("the log tells", || {
        cluster.log().contains("was terminated by signal 11")
    });
    cluster.assert_no_crash();
}

/// So does a panic in Rust, which the client sees as an ordinary error.
#[test]
#[should_panic(expected = "the server crashed")]
fn panics_are_noticed() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(
        &mut client,
        "CREATE TABLE t (code bitvec); CREATE INDEX t_code ON t USING usearch (code);
         INSERT INTO t SELECT sha256(i::text::bytea)::bitvec FROM generate_series(1, 100) i;
         SET iscc_usearch.failpoint = 'seal_after_close:panic'",
    );
    let error = client
        .batch_execute("SELECT usearch_seal('t_code')")
        .expect_err("a panic");
    assert_eq!(error.code(), Some(&SqlState::INTERNAL_ERROR), "{error:?}");
}
