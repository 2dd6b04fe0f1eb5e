//! A shard file is a cache: whatever happens to it costs time, never an answer and never the server.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cluster_tests::codes::{self, Row, create_table, load};
use cluster_tests::search::{
    assert_complete, assert_each_once, assert_same_distances, assert_sound, each, nearest, seal, truth_client,
    use_index, value,
};
use cluster_tests::{Cluster, Notices, Random};
use postgres::Client;

/// An index of several shards, and a connection that has used all of them.
struct Fixture {
    cluster: Cluster,
    old: (Client, Notices),
    shards: usize,
    queries: Vec<Row>,
}

/// How much the answers may differ from the truth.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// The file is gone or recognizably bad: its codes are scanned exactly.
    Exact,
    /// The file may pass for good: the answer may miss rows, and until the damage is noticed a row may come late, but
    /// what it has is right.
    Valid,
}

impl Fixture {
    fn new() -> Fixture {
        let rows = codes::text(20_000);
        let cluster = Cluster::start();
        let mut client = cluster.client();
        create_table(&mut client, "t");
        load(&mut client, "t", &rows);
        client
            .batch_execute("CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '2MB')")
            .expect("CREATE INDEX");
        let shards = cluster.shard_files().len();
        assert!(shards > 1, "{shards} shards");
        let mut fixture = Fixture {
            old: cluster.connector().client_with_notices(),
            cluster,
            shards,
            queries: codes::sample(&rows, 25),
        };
        fixture.reopen();
        fixture
    }

    /// Makes the old connection one that has all shards open as they are now.
    fn reopen(&mut self) {
        self.old = self.connect("graph");
        for query in &self.queries {
            nearest(&mut self.old.0, "t", &query.code, "LIMIT 10");
        }
        self.old.1.lock().unwrap().clear();
    }

    fn connect(&self, mode: &str) -> (Client, Notices) {
        let (mut client, notices) = self.cluster.connector().client_with_notices();
        use_index(&mut client, mode);
        (client, notices)
    }

    fn damage(&self, mut damage: impl FnMut(&Path)) {
        self.cluster.shard_files().iter().for_each(|file| damage(file));
    }

    /// Both the connection that had the files open and new ones answer, and complain at most once about each shard.
    fn assert_answers(&mut self, expect: Expect) {
        let mut truth = truth_client(&self.cluster);
        let (mut graph, graph_notices) = self.connect("graph");
        let (mut auto, auto_notices) = self.connect("auto");
        let connections = [
            (&mut self.old.0, &self.old.1),
            (&mut graph, &graph_notices),
            (&mut auto, &auto_notices),
        ];
        for (client, notices) in connections {
            for query in &self.queries {
                let got = nearest(client, "t", &query.code, "LIMIT 10");
                let exact = nearest(&mut truth, "t", &query.code, "LIMIT 10");
                assert_each_once(&got);
                assert_eq!(got.len(), 10, "too few rows");
                if expect == Expect::Exact {
                    assert_same_distances(&got, &exact);
                }
            }
            assert_complete(client, &mut truth, "t", &self.queries[0].code);
            let mut notices = notices.lock().unwrap();
            let warnings = notices.iter().filter(|line| line.starts_with("WARNING")).count();
            assert!(warnings <= self.shards, "{notices:#?}");
            notices.clear();
        }
        let mut exact = self.connect("exact").0;
        for query in &self.queries {
            let got = nearest(&mut exact, "t", &query.code, "LIMIT 10");
            assert_same_distances(&got, &nearest(&mut truth, "t", &query.code, "LIMIT 10"));
        }
        self.cluster.assert_no_crash();
    }

    /// REINDEX makes everything good again.
    fn repair(&mut self) {
        let mut client = self.cluster.client();
        each(&mut client, "REINDEX INDEX t_code; CHECKPOINT; SELECT usearch_sweep()");
        self.assert_whole(&mut client);
        self.shards = self.cluster.shard_files().len();
        self.reopen();
        self.assert_answers(Expect::Valid);
    }

    fn assert_whole(&self, client: &mut Client) {
        let bad: i64 = value(
            client,
            "SELECT count(*) FROM usearch_shards('t_code') WHERE state <> 'ok'",
        );
        assert_eq!(bad, 0, "shards are not repaired");
        assert_sound(client, "t_code");
    }
}

/// Gone files are scanned from the log; a seal builds them again.
#[test]
fn deleted() {
    let mut fixture = Fixture::new();
    fixture.damage(|file| fs::remove_file(file).expect("remove"));
    let mut fresh = fixture.connect("graph").0;
    let mut truth = truth_client(&fixture.cluster);
    for query in &fixture.queries {
        let got = nearest(&mut fresh, "t", &query.code, "LIMIT 10");
        assert_same_distances(&got, &nearest(&mut truth, "t", &query.code, "LIMIT 10"));
    }
    // The old connection may still have the removed files mapped.
    fixture.assert_answers(Expect::Valid);
    seal(&mut fixture.cluster.client(), "t_code");
    fixture.assert_whole(&mut fixture.cluster.client());
    fixture.assert_answers(Expect::Valid);
    fixture.repair();
}

/// The whole directory is gone, as on a server restored without it.
#[test]
fn deleted_directory() {
    let mut fixture = Fixture::new();
    fs::remove_dir_all(fixture.cluster.data_dir().join("iscc_usearch")).expect("remove");
    fixture.assert_answers(Expect::Valid);
    seal(&mut fixture.cluster.client(), "t_code");
    fixture.assert_whole(&mut fixture.cluster.client());
    fixture.assert_answers(Expect::Valid);
}

/// Files that shrink while backends have them mapped: touching what is gone would be a SIGBUS.
#[test]
fn truncated() {
    let mut fixture = Fixture::new();
    for (part, of) in [(9, 10), (1, 2), (1, 100), (0, 1)] {
        fixture.damage(|file| {
            let length = fs::metadata(file).expect("metadata").len() * part / of;
            File::options()
                .write(true)
                .open(file)
                .expect("open")
                .set_len(length)
                .expect("truncate");
        });
        fixture.assert_answers(Expect::Exact);
    }
    fixture.repair();
}

/// Flipped bits all over the file: sizes, offsets, levels, neighbours, codes, the trailer.
#[test]
fn flipped_bits() {
    let mut fixture = Fixture::new();
    let mut random = Random(1);
    for flips in [1, 10, 1_000, 100_000] {
        fixture.damage(|file| {
            let mut bytes = fs::read(file).expect("read");
            for _ in 0..flips {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            // In place: the old connection sees it in its mapping.
            let mut out = File::options().write(true).open(file).expect("open");
            std::io::Write::write_all(&mut out, &bytes).expect("write");
        });
        fixture.assert_answers(Expect::Valid);
    }
    // A seal reads whole files, so it finds what opening one does not.
    let mut client = fixture.cluster.client();
    seal(&mut client, "t_code");
    fixture.assert_whole(&mut client);
    fixture.repair();
}

/// The same at the ends, where headers and trailers are.
#[test]
fn flipped_ends() {
    let mut fixture = Fixture::new();
    let mut random = Random(2);
    for at_end in [false, true] {
        for flips in [1, 20] {
            fixture.damage(|file| {
                let mut bytes = fs::read(file).expect("read");
                for _ in 0..flips {
                    let near = random.below(256.min(bytes.len()));
                    let at = if at_end { bytes.len() - 1 - near } else { near };
                    bytes[at] ^= 1 << random.below(8);
                }
                let mut out = File::options().write(true).open(file).expect("open");
                std::io::Write::write_all(&mut out, &bytes).expect("write");
            });
            fixture.assert_answers(Expect::Valid);
        }
        fixture.repair();
    }
}

/// A file that a dead writer left under the name that this one will use does not keep a shard from being rebuilt.
#[test]
fn leftover_of_a_writer() {
    let fixture = Fixture::new();
    let mut client = fixture.cluster.client();
    let pid: i32 = value(&mut client, "SELECT pg_backend_pid()");
    for file in fixture.cluster.shard_files() {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("name");
        let id = name.rsplit('_').next().expect("id");
        let leftover = file.with_file_name(format!("pgsql_tmp_{pid}_{id}"));
        fs::rename(&file, &leftover).expect("rename");
    }
    seal(&mut client, "t_code");
    fixture.assert_whole(&mut client);
    let left = fixture.cluster.shard_files();
    assert!(left.iter().all(|file| file.extension().is_some()), "{left:?}");
}

/// Something else under the shard's name: garbage, another shard, a longer file, a directory.
#[test]
fn replaced() {
    let mut fixture = Fixture::new();
    let mut random = Random(3);
    for length in [1, 4096, 1_000_000] {
        let cluster = &fixture.cluster;
        fixture.damage(|file| {
            fs::remove_file(file).expect("remove");
            fs::write(file, random.bytes(length)).expect("write");
            cluster.give_to_server(file);
        });
        fixture.assert_answers(Expect::Valid);
    }
    fixture.repair();

    let files = fixture.cluster.shard_files();
    fs::copy(&files[0], fixture.cluster.data_dir().join("other")).expect("copy");
    fixture.damage(|file| {
        fs::copy(fixture.cluster.data_dir().join("other"), file).expect("copy");
    });
    fixture.assert_answers(Expect::Valid);
    fixture.repair();

    fixture.damage(|file| {
        let mut out = File::options().append(true).open(file).expect("open");
        std::io::Write::write_all(&mut out, &[7; 10_000]).expect("append");
    });
    fixture.assert_answers(Expect::Valid);
    fixture.repair();

    fixture.damage(|file| {
        fs::remove_file(file).expect("remove");
        fs::create_dir(file).expect("mkdir");
    });
    fixture.assert_answers(Expect::Valid);
}

/// Files that the server must not read.
#[test]
fn unreadable() {
    let mut fixture = Fixture::new();
    fixture.damage(|file| fs::set_permissions(file, Permissions::from_mode(0o000)).expect("chmod"));
    fixture.assert_answers(Expect::Valid);
    fixture.repair();
}
