//! The launcher of a server that has the library preloaded: shards are built where no statement asks for them.

use std::ffi::OsString;
use std::fs;

use cluster_tests::codes::{self, create_indexed, load};
use cluster_tests::search::{assert_answers, each, value};
use cluster_tests::{Cluster, Shutdown, wait_until};

const PRELOADED: [(&str, &str); 3] = [
    ("shared_preload_libraries", "iscc_usearch"),
    ("iscc_usearch.background_worker", "on"),
    ("iscc_usearch.launcher_interval", "1s"),
];

/// Names of the finished shard files.
fn shards(cluster: &Cluster) -> Vec<OsString> {
    let files = cluster.shard_files();
    let names = files
        .iter()
        .map(|file| file.file_name().expect("a name").to_os_string());
    names
        .filter(|name| !name.to_string_lossy().starts_with("pgsql_tmp"))
        .collect()
}

/// Nobody queries a standby, and yet it has the shards of its primary, those of later ones, and none of a dropped
/// index.
#[test]
fn keeps_a_standby_warm() {
    let rows = codes::text(6_000);
    let primary = Cluster::start();
    let mut client = primary.client();
    create_indexed(&mut client, &rows[..3_000]);
    let mut standby = primary.standby(&PRELOADED);
    for rows in [&rows[3_000..4_000], &rows[4_000..]] {
        load(&mut client, "t", rows);
        each(&mut client, "SELECT usearch_compact('t_code')");
        primary.replayed_by(&standby);
        let listed = shards(&primary);
        assert!(!listed.is_empty());
        wait_until("the standby has the primary's shards", || shards(&standby) == listed);
    }
    // Also after a start that finds none.
    standby.stop(Shutdown::Fast);
    let listed = shards(&standby);
    fs::remove_dir_all(standby.data_dir().join("iscc_usearch")).expect("remove the shards");
    standby.start_server();
    wait_until("the shards are built again", || shards(&standby) == listed);

    let states: String = value(
        &mut standby.client(),
        "SELECT string_agg(DISTINCT state, ' ') FROM usearch_shards('t_code')",
    );
    assert_eq!(states, "ok");
    assert_answers(&standby.connector(), "postgres", "t", &codes::sample(&rows, 10));

    each(&mut client, "DROP INDEX t_code");
    primary.replayed_by(&standby);
    wait_until("the standby has removed the files", || shards(&standby).is_empty());
    // A worker that is still there when the server stops is ended by it.
    assert!(!standby.log().contains("iscc_usearch worker failed"));
}

/// All databases have their turn, unless they do not want it; nobody who wants to have a database for himself is kept
/// from it.
#[test]
fn looks_after_all_databases() {
    let rows = codes::text(2_000);
    let cluster = Cluster::with(&PRELOADED);
    let files_of = |database: &str| -> Vec<OsString> {
        let oid = cluster.psql(&format!("SELECT oid FROM pg_database WHERE datname = '{database}'"));
        let is_of = |name: &OsString| name.to_string_lossy().split('_').nth(1) == Some(oid.as_str());
        shards(&cluster).into_iter().filter(is_of).collect()
    };
    for name in ["one", "two", "quiet", "other"] {
        cluster.psql(&format!("CREATE DATABASE {name}"));
    }
    cluster.psql("ALTER DATABASE quiet SET iscc_usearch.background_worker = off");
    for name in ["one", "two", "quiet"] {
        let mut client = cluster.connector().client_of(name);
        each(&mut client, "CREATE EXTENSION iscc_usearch");
        create_indexed(&mut client, &rows);
        assert!(!files_of(name).is_empty(), "{name}");
    }
    fs::remove_dir_all(cluster.data_dir().join("iscc_usearch")).expect("remove the shards");
    wait_until("the shards are built again", || {
        ["one", "two"].iter().all(|name| !files_of(name).is_empty())
    });
    assert!(files_of("quiet").is_empty());

    for _ in 0..20 {
        cluster.psql("CREATE DATABASE copy TEMPLATE one");
        cluster.psql("DROP DATABASE copy");
    }
    cluster.psql("DROP DATABASE two");
    cluster.psql("ALTER DATABASE other RENAME TO another");
}

/// The launcher comes back when it was ended, does nothing while it is switched off, and is gone with the server.
#[test]
fn starts_and_stops() {
    let mut cluster = Cluster::with(&PRELOADED);
    let launcher = "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'iscc_usearch launcher'";
    let mut client = cluster.client();
    let running = |client: &mut postgres::Client| {
        let mut pid = 0;
        wait_until("the launcher runs", || {
            pid = value::<i32>(client, launcher);
            pid != 0
        });
        pid
    };
    let first = running(&mut client);
    each(&mut client, &format!("SELECT pg_terminate_backend({first}, 60000)"));
    assert_ne!(running(&mut client), first);

    create_indexed(&mut client, &codes::text(2_000));
    drop(client);
    cluster.stop(Shutdown::Fast);
    cluster.set("iscc_usearch.background_worker", "off");
    fs::remove_dir_all(cluster.data_dir().join("iscc_usearch")).expect("remove the shards");
    cluster.start_server();
    running(&mut cluster.client());
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert!(shards(&cluster).is_empty());

    cluster.kill9_postmaster();
    cluster.set("iscc_usearch.background_worker", "on");
    cluster.start_server();
    wait_until("the shards are built again", || !shards(&cluster).is_empty());
    cluster.stop(Shutdown::Fast);
    assert!(
        !cluster
            .log()
            .contains("FATAL:  terminating background worker \"iscc_usearch launcher\"")
    );
}
