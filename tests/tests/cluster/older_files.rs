//! Indexes that an older version has written work under this one: pages and shard files of 0.1.0, see
//! `tests/data/v0.1.0/table.sql`.

use std::fs;
use std::path::{Path, PathBuf};

use cluster_tests::search::{
    assert_complete, assert_no_orphans, assert_sound, each, index_client, truth_client, value,
};
use cluster_tests::{Cluster, Shutdown};

const INDEXES: [&str; 2] = ["t_code", "t_jaccard"];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/v0.1.0")
}

/// Puts pages and shard files of the older version in the place of an index's own.
fn replace(cluster: &Cluster, index: &str, path: &str) {
    let mut pages = fs::read(data().join(format!("{index}.pages"))).expect("pages");
    for page in pages.chunks_exact_mut(8192) {
        // They were logged by another server.
        page[..8].fill(0);
    }
    let file = cluster.data_dir().join(path);
    fs::write(&file, pages).expect("write");
    cluster.give_to_server(&file);
    let number = path.rsplit('/').next().expect("a number");
    let database = path.rsplit('/').nth(1).expect("a database");
    for own in cluster.shard_files() {
        if own.to_string_lossy().contains(&format!("_{database}_{number}_")) {
            fs::remove_file(own).expect("remove");
        }
    }
    for entry in fs::read_dir(data()).expect("data") {
        let name = entry.expect("entry").file_name().into_string().expect("UTF-8");
        if let Some(id) = name
            .strip_prefix(&format!("{index}."))
            .filter(|id| id.ends_with(".usearch"))
        {
            let shard = cluster
                .data_dir()
                .join("iscc_usearch")
                .join(format!("1663_{database}_{number}_{id}"));
            fs::copy(data().join(&name), &shard).expect("copy");
            cluster.give_to_server(&shard);
        }
    }
}

#[test]
fn indexes_of_version_0_1_0() {
    let mut cluster = Cluster::with(&[("ignore_checksum_failure", "on")]);
    let mut client = cluster.client();
    let table = fs::read_to_string(data().join("table.sql")).expect("table.sql");
    let statements: String = table.lines().filter(|line| !line.starts_with("--")).collect();
    each(&mut client, &statements);
    let paths = INDEXES.map(|index| value::<String>(&mut client, &format!("SELECT pg_relation_filepath('{index}')")));
    drop(client);
    cluster.stop(Shutdown::Fast);
    for (index, path) in INDEXES.iter().zip(&paths) {
        replace(&cluster, index, path);
    }
    cluster.start_server();
    let mut client = cluster.client();
    let whole = |client: &mut postgres::Client| {
        for index in INDEXES {
            assert_sound(client, index);
            let sql = format!("SELECT count(*) > 0 AND bool_and(state = 'ok') FROM usearch_shards('{index}')");
            assert!(value::<bool>(client, &sql), "{index}: a shard is not used");
        }
    };
    whole(&mut client);
    let same = |cluster: &Cluster| {
        let mut truth = truth_client(cluster);
        let codes: Vec<Vec<u8>> = ["\\x6b86b273ff34fce1", "\\xd4735e3a265e16eee03f59718b9b5d03", "\\xff"]
            .map(|code| value(&mut truth, &format!("SELECT '{code}'::bytea")))
            .to_vec();
        for mode in ["auto", "graph", "exact"] {
            let mut index = index_client(cluster, mode);
            for code in &codes {
                assert_complete(&mut index, &mut truth, "t", code);
            }
            let jaccard = "SELECT array_agg(d ORDER BY n) FROM (SELECT d, row_number() OVER () AS n FROM
                 (SELECT code <%> '\\x6b86b273ff34fce1' AS d FROM t ORDER BY code <%> '\\x6b86b273ff34fce1') s) s";
            assert_eq!(
                value::<Vec<Option<f64>>>(&mut index, jaccard),
                value::<Vec<Option<f64>>>(&mut truth, jaccard)
            );
        }
    };
    same(&cluster);
    // They live on: inserts, VACUUM, seals, a merger with what is new.
    each(
        &mut client,
        "INSERT INTO t SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series(1001, 1500) i; VACUUM t;
         SELECT usearch_seal('t_code'), usearch_seal('t_jaccard'); DELETE FROM t WHERE id % 5 = 2; VACUUM t",
    );
    whole(&mut client);
    same(&cluster);
    each(
        &mut client,
        "SELECT usearch_compact('t_code'), usearch_compact('t_jaccard')",
    );
    whole(&mut client);
    same(&cluster);
    assert_no_orphans(&cluster, &mut client);
}
