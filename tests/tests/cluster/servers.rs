//! What happens to whole servers: backups, recovery to a point, standbys that take over, upgrades.

use std::fs;
use std::path::{Path, PathBuf};

use cluster_tests::churn::Churn;
use cluster_tests::codes::{self, Row, create_indexed, load};
use cluster_tests::search::{
    assert_agrees, assert_answers, assert_good, assert_no_orphans, assert_rebuilt, each, seal,
};
use cluster_tests::{Cluster, Shutdown};

const MODES: [&str; 3] = ["auto", "graph", "exact"];

/// Archives WAL into a directory beside the data directory.
const ARCHIVING: [(&str, &str); 2] = [
    ("archive_mode", "on"),
    ("archive_command", "mkdir -p ../archive && cp %p ../archive/%f"),
];

/// The ids in the table.
fn ids(cluster: &Cluster) -> String {
    cluster.psql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t")
}

/// Inserts rows, deletes others, and gets both into the index.
fn change(cluster: &Cluster, rows: &[Row], deleted: &str) {
    let mut client = cluster.client();
    load(&mut client, "t", rows);
    each(&mut client, &format!("DELETE FROM t WHERE {deleted}; VACUUM t"));
    seal(&mut client, "t_code");
}

/// A standby and a standby of it answer right while they replay; then the first takes over and the second follows.
#[test]
fn cascading_standbys() {
    let rows = codes::text(6_000);
    let queries = codes::sample(&rows, 20);
    let primary = Cluster::with(&[("max_standby_streaming_delay", "-1")]);
    create_indexed(&mut primary.client(), &rows[..4_000]);
    let standby = primary.standby(&[]);
    let cascade = standby.standby(&[]);

    let churn = Churn::start(&primary.connector(), &rows[1_000..]);
    let mut readers = [standby.client(), cascade.client()];
    for (round, mode) in MODES.into_iter().cycle().take(9).enumerate() {
        churn.wait_for(1);
        for client in &mut readers {
            assert_agrees(client, mode, &queries[round]);
        }
    }
    churn.finish();
    for copy in [&standby, &cascade] {
        primary.replayed_by(copy);
        copy.psql("SELECT usearch_sweep()");
        assert_answers(&copy.connector(), "postgres", "t", &queries);
        assert_eq!(ids(copy), ids(&primary));
    }

    drop(primary);
    standby.promote();
    let churn = Churn::start(&standby.connector(), &rows);
    for (round, mode) in MODES.into_iter().enumerate() {
        churn.wait_for(1);
        assert_agrees(&mut readers[1], mode, &queries[round]);
    }
    churn.finish();
    standby.replayed_by(&cascade);
    assert_answers(&cascade.connector(), "postgres", "t", &queries);
    assert_eq!(ids(&cascade), ids(&standby));
    assert_rebuilt(&standby, &queries);
}

/// Base backups made while rows and shards come and go pass pg_verifybackup and give servers that answer right.
#[test]
fn backups_beside_seals() {
    let rows = codes::text(6_000);
    let queries = codes::sample(&rows, 20);
    let cluster = Cluster::start();
    create_indexed(&mut cluster.client(), &rows[..4_000]);
    let churn = Churn::start(&cluster.connector(), &rows[1_000..]);
    for _ in 0..3 {
        churn.wait_for(2);
        let mut copy = cluster.backup(&[]);
        verify(&copy);
        copy.start_server();
        assert_rebuilt(&copy, &queries);
    }
    churn.finish();
    assert_good(&cluster, &queries);
}

fn verify(backup: &Cluster) {
    if !backup.has_program("pg_verifybackup") {
        eprintln!("not verified: this installation has no pg_verifybackup that runs");
        return;
    }
    let data = backup.data_dir();
    let printed = backup.run("pg_verifybackup", &[data.to_str().expect("UTF-8")]);
    assert!(printed.contains("successfully verified"), "{printed}");
}

/// An incremental backup, put together with the full one before it, is as good as a full one (PostgreSQL 17 and later).
#[test]
fn incremental_backup() {
    let rows = codes::text(6_000);
    let queries = codes::sample(&rows, 20);
    if !Cluster::start().has_program("pg_combinebackup") {
        eprintln!("skipped: this PostgreSQL has no incremental backups");
        return;
    }
    let cluster = Cluster::with(&[("summarize_wal", "on")]);
    create_indexed(&mut cluster.client(), &rows[..4_000]);
    let full = cluster.backup(&[]);
    change(&cluster, &rows[4_000..5_000], "id % 5 = 0");
    let churn = Churn::start(&cluster.connector(), &rows[5_000..]);
    churn.wait_for(1);
    let manifest = full.data_dir().join("backup_manifest");
    let incremental = cluster.backup(&["--incremental", manifest.to_str().expect("UTF-8")]);
    churn.finish();
    verify(&incremental);
    let mut whole = full.combined_with(&incremental);
    verify(&whole);
    whole.start_server();
    assert_rebuilt(&whole, &queries);
    change(&whole, &[], "id % 5 = 1");
    assert_good(&whole, &queries);
}

/// Recovery to a point before a seal: the index is as of then, and shard files of the future are of no use.
#[test]
fn point_in_time() {
    let rows = codes::text(6_000);
    let queries = codes::sample(&rows, 20);
    let primary = Cluster::with(&ARCHIVING);
    create_indexed(&mut primary.client(), &rows[..3_000]);
    let mut restored = primary.backup(&[]);
    change(&primary, &rows[3_000..4_000], "id % 5 = 0");
    load(&mut primary.client(), "t", &rows[4_000..5_000]);
    let then = ids(&primary);
    primary.psql("SELECT pg_create_restore_point('then')");
    change(&primary, &rows[5_000..], "id % 5 = 1");
    let segment = primary.psql("SELECT pg_walfile_name(pg_switch_wal())");
    let archived = format!("SELECT coalesce(last_archived_wal >= '{segment}', false) FROM pg_stat_archiver");
    cluster_tests::wait_until("the WAL is archived", || primary.psql(&archived) == "t");

    copy_shards(&primary, &restored);
    let from_archive = format!("cp {}/%f %p", primary.beside("archive").display());
    restored.set("archive_mode", "off");
    restored.set("restore_command", &from_archive);
    restored.set("recovery_target_name", "then");
    restored.set("recovery_target_action", "promote");
    restored.signal("recovery.signal");
    restored.start_server();
    restored.recovered();
    assert_eq!(ids(&restored), then);
    assert_answers(&restored.connector(), "postgres", "t", &queries);
    assert_no_orphans(&restored, &mut restored.client());
    assert_rebuilt(&restored, &queries);

    change(&restored, &rows[5_000..], "id % 5 = 2");
    restored.kill9_postmaster();
    restored.start_server();
    assert_good(&restored, &queries);
}

/// Gives a server all shard files of another that it does not have.
fn copy_shards(from: &Cluster, to: &Cluster) {
    let mut copied = 0;
    for file in from.shard_files() {
        let target = to
            .data_dir()
            .join("iscc_usearch")
            .join(file.file_name().expect("file name"));
        if !target.exists() {
            fs::copy(&file, &target).expect("copy");
            to.give_to_server(&target);
            copied += 1;
        }
    }
    assert!(copied > 0, "no shard was built since");
}

/// An old primary that went on after its standby had taken over is rewound and follows it.
#[test]
fn rewound_primary() {
    let rows = codes::text(8_000);
    let queries = codes::sample(&rows, 20);
    let mut old = Cluster::start();
    // In the configuration file, where pg_rewind finds it, too, when it recovers the stopped server: it reads this WAL.
    old.psql("ALTER SYSTEM SET wal_keep_size = '1GB'");
    old.psql("SELECT pg_reload_conf()");
    create_indexed(&mut old.client(), &rows[..4_000]);
    let new = old.standby(&[]);
    old.replayed_by(&new);
    new.promote();
    new.psql("CHECKPOINT");
    change(&old, &rows[4_000..5_500], "id % 5 = 0");
    change(&new, &rows[5_000..6_500], "id % 5 = 1");
    // What is in the tail on one side is in shards on the other.
    load(&mut old.client(), "t", &rows[5_500..6_000]);
    load(&mut new.client(), "t", &rows[4_000..4_500]);
    assert_good(&old, &queries);

    old.stop(Shutdown::Immediate);
    let mut lost = names(&old);
    lost.retain(|name| !names(&new).contains(name));
    assert!(!lost.is_empty(), "the old primary has built no shard since");
    let (data, source) = (old.data_dir(), new.conninfo());
    let data = data.to_str().expect("UTF-8");
    let args = ["--target-pgdata", data, "--source-server", &source];
    old.run(
        "pg_rewind",
        &[&args[..], &["--no-sync", "--write-recovery-conf"]].concat(),
    );
    assert!(!names(&old).iter().any(|name| lost.contains(name)), "{lost:?}");
    old.start_server();
    new.replayed_by(&old);
    assert_answers(&old.connector(), "postgres", "t", &queries);

    let churn = Churn::start(&new.connector(), &rows[6_500..]);
    churn.wait_for(2);
    churn.finish();
    new.replayed_by(&old);
    assert_eq!(ids(&old), ids(&new));
    assert_answers(&old.connector(), "postgres", "t", &queries);
    drop(new);
    old.promote();
    assert_rebuilt(&old, &queries);
}

/// Names of the shard files.
fn names(cluster: &Cluster) -> Vec<String> {
    let name = |file: &Path| file.file_name().expect("file name").to_string_lossy().into_owned();
    cluster.shard_files().iter().map(|file| name(file)).collect()
}

/// The shard files with what is in them.
fn contents(cluster: &Cluster) -> Vec<(String, Vec<u8>)> {
    let files = cluster.shard_files();
    let read = files.iter().map(|file| fs::read(file).expect("read"));
    names(cluster).into_iter().zip(read).collect()
}

/// pg_checksums looks at every file below `base`; it must find none that it cannot understand, and change none of ours.
#[test]
fn checksums() {
    let rows = codes::text(5_000);
    let queries = codes::sample(&rows, 20);
    let mut cluster = Cluster::start();
    create_indexed(&mut cluster.client(), &rows[..3_000]);
    for (round, option) in ["--check", "--disable", "--enable", "--check"].into_iter().enumerate() {
        cluster.stop(Shutdown::Fast);
        let before = contents(&cluster);
        cluster.run("pg_checksums", &["--no-sync", option]);
        assert!(contents(&cluster) == before, "pg_checksums {option} changed a shard");
        cluster.start_server();
        assert_eq!(cluster.psql("SHOW data_checksums") == "off", option == "--disable");
        assert_good(&cluster, &queries);
        let next = 3_000 + round * 500;
        change(&cluster, &rows[next..next + 500], &format!("id % 7 = {round}"));
        assert_good(&cluster, &queries);
    }
}

/// pg_upgrade takes the pages along, not the shards. It upgrades to the same version, or to the PostgreSQL whose
/// programs are in ISCC_UPGRADE_BINDIR, which must have the extension (`with-prefix` inside of `with-prefix` provides
/// that) and be released no earlier than this one, as pg_upgrade demands.
#[test]
fn upgrade() {
    let bindir = std::env::var_os("ISCC_UPGRADE_BINDIR").map(PathBuf::from);
    let rows = codes::text(6_000);
    let queries = codes::sample(&rows, 20);
    let mut old = Cluster::start();
    create_indexed(&mut old.client(), &rows[..5_000]);
    each(&mut old.client(), "DELETE FROM t WHERE id % 5 = 0; VACUUM t");
    let before = ids(&old);
    old.stop(Shutdown::Fast);
    let mut new = old.upgraded(bindir.as_deref());
    assert!(new.shard_files().is_empty(), "{:?}", new.shard_files());
    new.start_server();
    assert_eq!(ids(&new), before);
    assert_rebuilt(&new, &queries);
    change(&new, &rows[5_000..], "id % 5 = 1");
    new.kill9_postmaster();
    new.start_server();
    assert_good(&new, &queries);
}
