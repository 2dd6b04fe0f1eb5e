//! Damaged pages of the index relation: an error that says so, or an answer; never a crash, never a hang, and REINDEX
//! makes all well again. `ISCC_MUTATIONS=5000` damages the index so many times; `ISCC_SEED` chooses how, `ISCC_FIRST`
//! which is the first. A server with assertions (`scripts/fetch-assert`) notices most.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cluster_tests::codes::{self, create_table, load};
use cluster_tests::search::{each, use_index, value};
use cluster_tests::{Cluster, PATIENCE, Random, Shutdown, number_from_environment};
use postgres::Client;
use postgres::error::SqlState;

const PAGE: usize = 8192;
/// Where a page's tail begins, whose byte at `KIND` says what the page is.
const TAIL: usize = PAGE - 16;
const KIND: usize = TAIL + 11;
/// Where the metapage says how many blocks are in use.
const USED_BLOCKS: usize = 36;

/// What a session reads of the index: each on its own may fail, but only with an error about damaged data.
const READS: &[&str] = &[
    "SELECT id FROM t ORDER BY code <~> '\\xf040ace7060c6732c06b49a91a808eac' LIMIT 50",
    "SET iscc_usearch.search_mode = graph",
    "SELECT id FROM t ORDER BY code <~> '\\xf040ace7060c6732c06b49a91a808eac' LIMIT 50",
    "SELECT id FROM t ORDER BY code <~> '\\xf040ace7060c6732' LIMIT 30000",
    "RESET iscc_usearch.search_mode",
    "SELECT id FROM t WHERE nphd_within(code, '\\xf040ace7060c6732c06b49a91a808eac', 0.4)",
    "SELECT id FROM t WHERE nphd_within(code, '\\xf040ace7060c6732', 0.4) ORDER BY code <~> '\\xf040ace7060c6732'",
    "EXPLAIN SELECT * FROM t a JOIN t b ON nphd_within(a.code, b.code, 0.1) WHERE b.id < 100",
    "SELECT n.id FROM (SELECT code FROM t WHERE id BETWEEN 600 AND 610 OFFSET 0) q,
     LATERAL (SELECT id FROM t ORDER BY t.code <~> q.code LIMIT 2) n",
    "SET enable_indexscan = off; SET enable_bitmapscan = on",
    "SELECT id FROM t WHERE nphd_within(code, '\\xf040ace7060c6732c06b49a91a808eac', 0.4)",
    "SET enable_indexscan = on; SET enable_bitmapscan = off",
    "SELECT * FROM usearch_check('t_code', true)",
    "SELECT * FROM usearch_index_stats('t_code'), usearch_shards('t_code')",
    "SELECT usearch_total_size('t_code'), usearch_prewarm('t_code')",
    "SELECT * FROM usearch_recall('t_code', 10, 20)",
];

/// What changes it.
const WRITES: &[&str] = &[
    "INSERT INTO t SELECT 2000000 + i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 500) i",
    "INSERT INTO t VALUES (3000000, NULL)",
    "VACUUM (INDEX_CLEANUP ON) t",
    "SELECT usearch_seal('t_code')",
    "DELETE FROM t WHERE id % 3 = 0",
    "VACUUM (INDEX_CLEANUP ON) t",
    "SELECT usearch_compact('t_code')",
    "INSERT INTO t SELECT 4000000 + i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 300) i",
    "SELECT id FROM t ORDER BY code <~> '\\xf040ace7060c6732c06b49a91a808eac' LIMIT 50",
];

/// An index that has some of everything: shards, dead entries, free blocks, a tail, NULL codes, and so many segments
/// that the directory has pages of its own.
fn create_index(client: &mut Client) {
    create_table(client, "t");
    load(client, "t", &codes::text(4_000));
    each(
        client,
        "CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '64kB', m = 4);
         DELETE FROM t WHERE id <= 500;
         VACUUM (INDEX_CLEANUP ON) t",
    );
    for id in 0..130 {
        let one =
            format!("INSERT INTO t VALUES (-1 - {id}, sha256('{id}'::bytea)::bitvec); SELECT usearch_seal('t_code')");
        each(client, &one);
    }
    each(
        client,
        "INSERT INTO t SELECT 1000000 + i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 300) i;
         INSERT INTO t SELECT 1100000 + i, NULL FROM generate_series(1, 20) i;
         DELETE FROM t WHERE id % 7 = 0",
    );
}

/// An index that is damaged, and what is then done with it.
struct Subject {
    create: fn(&mut Client),
    /// The kinds of pages that it has.
    kinds: &'static [u8],
    reads: &'static [&'static str],
    writes: &'static [&'static str],
    /// How often it is damaged in a run of the whole suite.
    rounds: u64,
}

const CODES: Subject = Subject {
    create: create_index,
    kinds: &[1, 2, 3],
    reads: READS,
    writes: WRITES,
    rounds: 40,
};

/// Vectors of 3,072 numbers take two pages each.
const SPANS: Subject = Subject {
    create: create_spans,
    kinds: &[1, 3, 4],
    reads: &[
        "SELECT id FROM t ORDER BY code <-> (SELECT long(7)) LIMIT 10",
        "SET iscc_usearch.search_mode = graph",
        "SELECT id FROM t ORDER BY code <-> (SELECT long(7)) LIMIT 10",
        "SELECT id FROM t ORDER BY code <-> (SELECT long(9)) LIMIT 30000",
        "RESET iscc_usearch.search_mode",
        "SELECT id FROM t ORDER BY code <-> (SELECT long(9))",
        "SELECT * FROM usearch_check('t_code', true)",
        "SELECT * FROM usearch_index_stats('t_code'), usearch_shards('t_code')",
        "SELECT usearch_total_size('t_code'), usearch_prewarm('t_code')",
        "SELECT * FROM usearch_recall('t_code', 10, 20)",
    ],
    writes: &[
        "INSERT INTO t SELECT 2000000 + i, long(i) FROM generate_series(1, 50) i",
        "INSERT INTO t VALUES (3000000, NULL)",
        "VACUUM (INDEX_CLEANUP ON) t",
        "SELECT usearch_seal('t_code')",
        "DELETE FROM t WHERE id % 3 = 0",
        "VACUUM (INDEX_CLEANUP ON) t",
        "SELECT usearch_compact('t_code')",
        "INSERT INTO t SELECT 4000000 + i, long(i) FROM generate_series(1, 30) i",
        "SELECT id FROM t ORDER BY code <-> (SELECT long(7)) LIMIT 10",
    ],
    rounds: 20,
};

/// Some of everything but pages of the directory.
fn create_spans(client: &mut Client) {
    client
        .batch_execute(
            "CREATE FUNCTION long(seed bigint) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
                 SELECT array_agg((hashint4extended(i, seed) % 1000)::real ORDER BY i) FROM generate_series(1, 3072) i $$;
             CREATE TABLE t (id bigint PRIMARY KEY, code real[]);
             INSERT INTO t SELECT i, long(i) FROM generate_series(1, 200) i;
             CREATE INDEX t_code ON t USING usearch (code real_l2_ops) WITH (shard_size = '256kB', m = 4);
             DELETE FROM t WHERE id <= 60",
        )
        .expect("an index of spans");
    each(
        client,
        "VACUUM (INDEX_CLEANUP ON) t;
         INSERT INTO t SELECT 1000000 + i, long(i) FROM generate_series(1, 40) i;
         INSERT INTO t SELECT 1100000 + i, NULL FROM generate_series(1, 5) i;
         DELETE FROM t WHERE id % 7 = 0",
    );
}

/// The blocks of a kind: 1 metapage, 2 directory, 3 log, 4 parts of values.
fn blocks_of(bytes: &[u8], kind: u8) -> Vec<usize> {
    let blocks = 0..bytes.len() / PAGE;
    blocks.filter(|block| bytes[block * PAGE + KIND] == kind).collect()
}

/// A value that fields are not made for, or any other.
fn wild(random: &mut Random) -> [u8; 4] {
    match random.below(5) {
        0 => [0xff; 4],
        1 => [0; 4],
        2 => (random.below(400) as u32).to_ne_bytes(),
        3 => (u32::MAX - random.below(400) as u32).to_ne_bytes(),
        _ => (random.bits() as u32).to_ne_bytes(),
    }
}

/// Overwrites one to four bytes of a page, anywhere or where the fields are that other reads depend on. The beginning
/// of PostgreSQL's page header is its own business.
fn overwrite(page: &mut [u8], random: &mut Random) {
    let offset = match random.below(6) {
        // pd_lower and pd_upper.
        0 => 12 + random.below(4),
        // The page's tail.
        1 => TAIL + random.below(16),
        // The metapage's header and the first directory entries.
        2 => 24 + random.below(224),
        // Fields of any directory entry.
        3 => 24 + 4 * random.below((TAIL - 24) / 4),
        // The log's column of entries, two words each.
        4 => TAIL - 4 * (1 + random.below(400)),
        _ => 24 + random.below(PAGE - 24),
    };
    let end = PAGE.min(offset + 1 + random.below(4));
    let value = wild(random);
    page[offset..end].copy_from_slice(&value[..end - offset]);
}

/// Damages a file once.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let all = bytes.len() / PAGE;
    let mut pages = |kinds: &[u8], count: usize, random: &mut Random| {
        let mut blocks: Vec<usize> = kinds.iter().flat_map(|&kind| blocks_of(bytes, kind)).collect();
        if blocks.is_empty() {
            blocks.push(0);
        }
        for _ in 0..count {
            let block = blocks[random.below(blocks.len())];
            for _ in 0..1 + random.below(4) {
                overwrite(&mut bytes[block * PAGE..][..PAGE], random);
            }
        }
    };
    match random.below(8) {
        0 | 1 => pages(&[1], 1, random),
        2 => pages(&[2], 1, random),
        3 => pages(&[3, 4], 1 + random.below(3), random),
        4 => pages(&[3, 4], 30, random),
        5 => pages(&[1, 2, 3, 4], 100, random),
        // A write that went to another place, or nowhere.
        6 => {
            let (from, to) = (random.below(all) * PAGE, random.below(all) * PAGE);
            bytes.copy_within(from..from + PAGE, to);
        }
        _ => {
            let block = random.below(all);
            match random.below(2) {
                0 => bytes[block * PAGE..][..PAGE].fill(0),
                _ => bytes.truncate(block * PAGE),
            }
        }
    }
}

/// A number of four bytes.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..][..4].try_into().expect("4 bytes"))
}

/// A directory that says of one of its own pages that it comes next, or is free: whoever changes the directory has that
/// page locked, and would wait for itself, where no cancel reaches it.
#[test]
fn a_page_is_locked_once() {
    let mut cluster = Cluster::with(&[("ignore_checksum_failure", "on")]);
    let mut client = cluster.client();
    create_index(&mut client);
    each(&mut client, "ALTER TABLE t ALTER COLUMN code TYPE bitvec");
    let relation: String = value(&mut client, "SELECT pg_relation_filepath('t_code')");
    drop(client);
    cluster.stop(Shutdown::Fast);
    let file = cluster.data_dir().join(relation);
    let whole = fs::read(&file).expect("read");
    let first = number(&whole, TAIL + 4);
    let mut looped = whole.clone();
    looped[TAIL + 4..][..4].fill(0);
    // The first entry: first block, number of blocks, stride, and the state, where 5 is free.
    let mut free = whole.clone();
    free[120..][..4].copy_from_slice(&first.to_le_bytes());
    free[124..][..4].copy_from_slice(&8u32.to_le_bytes());
    free[130] = 5;
    for bytes in [looped, free] {
        fs::write(&file, bytes).expect("write");
        cluster.start_server();
        // Too long for the open segment, so it is closed and another one opened.
        let sql = "INSERT INTO t VALUES (5000000, decode(repeat('ab', 64), 'hex')::bitvec)";
        let (connector, (tell, told)) = (cluster.connector(), std::sync::mpsc::channel());
        std::thread::spawn(move || tell.send(connector.client().batch_execute(sql)));
        let answer = told.recv_timeout(PATIENCE).expect("the statement ends");
        let error = answer.expect_err("a damaged directory");
        assert_eq!(error.code(), Some(&SqlState::INDEX_CORRUPTED), "{error:?}");
        cluster.assert_no_crash();
        cluster.stop(Shutdown::Immediate);
    }
}

/// A metapage that counts more blocks than the relation has: nothing makes the relation as long as that.
#[test]
fn blocks_that_no_file_has() {
    let mut cluster = Cluster::with(&[("ignore_checksum_failure", "on")]);
    let mut client = cluster.client();
    create_index(&mut client);
    let relation: String = value(&mut client, "SELECT pg_relation_filepath('t_code')");
    drop(client);
    cluster.stop(Shutdown::Fast);
    let file = cluster.data_dir().join(relation);
    let mut bytes = fs::read(&file).expect("read");
    let (used, existing) = (number(&bytes, USED_BLOCKS), (bytes.len() / PAGE) as u32);
    assert!(used <= existing && used + 100 > existing, "{used} blocks of {existing}");
    bytes[USED_BLOCKS..][..4].copy_from_slice(&3_000_000_000u32.to_le_bytes());
    fs::write(&file, &bytes).expect("write");
    cluster.start_server();
    let mut client = cluster.client();
    each(&mut client, "SET statement_timeout = '60s'");
    let mut errors = BTreeMap::new();
    try_all(
        &mut client,
        &[
            "DELETE FROM t WHERE id % 3 = 0",
            "VACUUM (INDEX_CLEANUP ON) t",
            "SELECT usearch_compact('t_code')",
        ],
        &mut errors,
    );
    let codes: Vec<&str> = errors.keys().map(String::as_str).collect();
    assert_eq!(codes, [SqlState::INDEX_CORRUPTED.code()]);
    let length = fs::metadata(&file).expect("the file").len();
    assert!(length < 2 * bytes.len() as u64, "the index has grown to {length} bytes");
    cluster.assert_no_crash();
}

#[test]
fn damaged() {
    damage_again_and_again(&CODES);
}

#[test]
fn damaged_spans() {
    damage_again_and_again(&SPANS);
}

/// Each time from a whole index.
fn damage_again_and_again(subject: &Subject) {
    let number = |name, default| number_from_environment(name).unwrap_or(default);
    let (rounds, seed, first) = (
        number("ISCC_MUTATIONS", subject.rounds),
        number("ISCC_SEED", 1),
        number("ISCC_FIRST", 0),
    );
    let mut cluster = Cluster::with(&[("ignore_checksum_failure", "on"), ("min_wal_size", "32MB")]);
    let mut client = cluster.client();
    (subject.create)(&mut client);
    let relation: String = value(&mut client, "SELECT pg_relation_filepath('t_code')");
    drop(client);
    cluster.stop(Shutdown::Fast);
    cluster.save();
    let file = cluster.data_dir().join(relation);
    let whole = fs::read(&file).expect("read");
    for &kind in subject.kinds {
        assert!(
            !blocks_of(&whole, kind).is_empty(),
            "the index has no page of kind {kind}"
        );
    }
    let (mut errors, mut failed) = (BTreeMap::new(), Vec::new());
    for round in first..first + rounds {
        // Each by itself, so that one that fails can be had again.
        let mut random = Random(seed << 32 | round);
        let mut bytes = whole.clone();
        while bytes == whole {
            damage(&mut bytes, &mut random);
        }
        fs::write(&file, bytes).expect("write");
        cluster.start_server();
        let run = std::panic::AssertUnwindSafe(|| run(&cluster, subject, &file, &mut errors));
        if std::panic::catch_unwind(run).is_err() {
            println!("that was ISCC_SEED={seed} ISCC_FIRST={round}");
            failed.push(round);
        }
        cluster.assert_no_crash();
        cluster.stop(Shutdown::Immediate);
        cluster.restore();
    }
    println!("{rounds} mutations, errors: {errors:?}");
    assert!(failed.is_empty(), "rounds {failed:?} of ISCC_SEED={seed} failed");
    let noticed: u64 = errors.values().sum();
    assert!(noticed >= rounds, "the damage was hardly noticed: {errors:?}");
}

/// Runs the statements in a new session and counts those that fail, by SQLSTATE.
fn run(cluster: &Cluster, subject: &Subject, index: &Path, errors: &mut BTreeMap<String, u64>) {
    let mut client = cluster.client();
    client.batch_execute("SET statement_timeout = '60s'").expect("SET");
    use_index(&mut client, "auto");
    let size = "SELECT pg_relation_size('t')";
    let before: i64 = value(&mut client, size);
    try_all(&mut client, subject.reads, errors);
    assert_eq!(value::<i64>(&mut client, size), before, "the table has grown");
    try_all(&mut client, subject.writes, errors);
    let length = fs::metadata(index).map_or(0, |file| file.len());
    assert!(length < 32 << 20, "the index has grown to {length} bytes");
    each(&mut client, "REINDEX INDEX t_code; VACUUM t");
    let problems = client.query("SELECT * FROM usearch_check('t_code', true)", &[]);
    assert!(
        problems.expect("usearch_check").is_empty(),
        "REINDEX has not repaired the index"
    );
    cluster.assert_no_crash();
}

fn try_all(client: &mut Client, statements: &[&str], errors: &mut BTreeMap<String, u64>) {
    for sql in statements {
        let Err(error) = client.batch_execute(sql) else {
            continue;
        };
        let code = error.code().unwrap_or_else(|| panic!("{sql}: {error:?}"));
        let about_damage = [
            SqlState::INDEX_CORRUPTED,
            // A block that the relation does not have, by version.
            SqlState::DATA_CORRUPTED,
            SqlState::IO_ERROR,
        ];
        assert!(about_damage.contains(code), "{sql}: {error:?}");
        *errors.entry(code.code().to_string()).or_default() += 1;
    }
}
