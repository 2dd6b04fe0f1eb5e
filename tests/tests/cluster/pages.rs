//! Damaged pages of the index relation: an error that says so, or an answer; never a crash, never a hang.

use std::fs;
use std::path::PathBuf;

use cluster_tests::codes::{self, create_table, load};
use cluster_tests::search::{each, use_index, value};
use cluster_tests::{Cluster, Random, Shutdown};
use postgres::error::SqlState;

const PAGE: usize = 8192;

/// What a session does with the index: each on its own may fail, but only with an error about damaged data.
const STATEMENTS: [&str; 12] = [
    "SELECT id FROM t ORDER BY code <~> '\\xf040ace7060c6732c06b49a91a808eac' LIMIT 50",
    "SET iscc_usearch.search_mode = graph",
    "SELECT id FROM t ORDER BY code <~> '\\xf040ace7060c6732c06b49a91a808eac' LIMIT 50",
    "SELECT id FROM t ORDER BY code <~> '\\xf040ace7060c6732' LIMIT 30000",
    "SELECT id FROM t WHERE nphd_within(code, '\\xf040ace7060c6732c06b49a91a808eac', 0.4)",
    "SELECT id FROM t WHERE nphd_within(code, '\\xf040ace7060c6732', 0.4) ORDER BY code <~> '\\xf040ace7060c6732'",
    "EXPLAIN SELECT * FROM t a JOIN t b ON nphd_within(a.code, b.code, 0.1) WHERE b.id < 100",
    "SELECT * FROM usearch_check('t_code', true)",
    "SELECT * FROM usearch_index_stats('t_code'), usearch_shards('t_code')",
    "INSERT INTO t SELECT (SELECT min(id) FROM t) - i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 500) i",
    "VACUUM t",
    "SELECT usearch_seal('t_code')",
];

/// Overwrites bytes of some pages: anywhere, or where the fields are that other reads depend on.
fn damage(file: &PathBuf, random: &mut Random, first: usize, pages: usize) {
    let mut bytes = fs::read(file).expect("read");
    for _ in 0..pages {
        let page = first + random.below((bytes.len() / PAGE - first).max(1));
        for _ in 0..1 + random.below(8) {
            let offset = match random.below(4) {
                // pd_lower and pd_upper; the rest of PostgreSQL's header is its own business.
                0 => 12 + random.below(4),
                1 => PAGE - 16 + random.below(16),
                // The metapage's header and first directory entries.
                2 => 24 + random.below(224),
                _ => 24 + random.below(PAGE - 24),
            };
            bytes[page * PAGE + offset] = random.bits() as u8;
        }
    }
    fs::write(file, bytes).expect("write");
}

/// The metapage, the other pages, and all of them, again and again from a whole index.
#[test]
fn damaged() {
    let mut cluster = Cluster::with(&[("ignore_checksum_failure", "on")]);
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &codes::text(12_000));
    // Many shards: the directory has pages of its own.
    let create = "CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '64kB', m = 4)";
    each(&mut client, create);
    each(
        &mut client,
        "INSERT INTO t SELECT 1000000 + i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 300) i",
    );
    each(&mut client, "DELETE FROM t WHERE id % 7 = 0; CHECKPOINT");
    let relation: String = value(&mut client, "SELECT pg_relation_filepath('t_code')");
    let file = cluster.data_dir().join(relation);
    drop(client);
    cluster.stop(Shutdown::Fast);
    let whole = fs::read(&file).expect("read");
    let mut random = Random(11);
    let mut failures = 0;
    for round in 0..36 {
        fs::write(&file, &whole).expect("write");
        match round % 3 {
            0 => damage(&file, &mut random, 0, 1),
            1 => damage(&file, &mut random, 1, 20),
            _ => damage(&file, &mut random, 0, 400),
        }
        if round % 3 == 0 {
            // The metapage itself, for certain.
            let mut bytes = fs::read(&file).expect("read");
            bytes[24 + random.below(224)] ^= 1 << random.below(8);
            fs::write(&file, bytes).expect("write");
        }
        cluster.start_server();
        failures += run_statements(&cluster);
        cluster.assert_no_crash();
        cluster.stop(Shutdown::Immediate);
    }
    assert!(failures > 30, "the damage was hardly noticed: {failures} errors");
}

/// Runs the statements in a new session; the number of those that failed.
fn run_statements(cluster: &Cluster) -> usize {
    let mut client = cluster.client();
    client.batch_execute("SET statement_timeout = '60s'").expect("SET");
    use_index(&mut client, "auto");
    let mut failures = 0;
    for sql in STATEMENTS {
        let Err(error) = client.batch_execute(sql) else {
            continue;
        };
        let code = error.code().unwrap_or_else(|| panic!("{sql}: {error:?}"));
        let about_damage = [
            SqlState::INDEX_CORRUPTED,
            SqlState::DATA_CORRUPTED,
            // A block that the relation does not have.
            SqlState::IO_ERROR,
            // A heap row that an entry points to and that does not exist.
            SqlState::INTERNAL_ERROR,
        ];
        assert!(about_damage.contains(code), "{sql}: {error:?}");
        failures += 1;
    }
    failures
}
