//! Entries of a damaged log that point to rows which the table cannot have. PostgreSQL takes block 4294967295 for "add
//! a block", and reads nothing good from others: each is an error that names index and block.

use std::fs;
use std::path::{Path, PathBuf};

use cluster_tests::search::{each, use_index, value};
use cluster_tests::{Cluster, Shutdown};
use postgres::Client;
use postgres::error::SqlState;

const PAGE: usize = 8192;

/// Block and offset number that no row of a table of so many blocks has, each by another limit.
fn impossible(blocks: u32) -> [(u32, u16); 5] {
    [(u32::MAX, 1), (blocks, 1), (0, 292), (0, u16::MAX), (u32::MAX - 1, 7)]
}

/// A heap TID as the log stores it.
fn stored((block, offset): (u32, u16)) -> [u8; 6] {
    let [high, low, offset] = [(block >> 16) as u16, block as u16, offset].map(u16::to_ne_bytes);
    [high[0], high[1], low[0], low[1], offset[0], offset[1]]
}

/// The TID of a row.
fn tid(client: &mut Client, table: &str, id: i64) -> (u32, u16) {
    let ctid: String = value(client, &format!("SELECT ctid::text FROM {table} WHERE id = {id}"));
    let (block, offset) = ctid.trim_matches(['(', ')']).split_once(',').expect("a TID");
    (
        block.parse().expect("a block"),
        offset.parse().expect("an offset number"),
    )
}

/// An entry that the test damages: the row, where it is, where it says to be then, and the block of the log.
struct Entry {
    id: i64,
    is: (u32, u16),
    becomes: (u32, u16),
    block: usize,
}

/// Entries for these rows, each with another impossible TID.
fn entries(client: &mut Client, table: &str, ids: [i64; 5]) -> Vec<Entry> {
    let blocks: i64 = value(client, &format!("SELECT pg_relation_size('{table}') / {PAGE}"));
    ids.into_iter()
        .zip(impossible(blocks as u32))
        .map(|(id, becomes)| Entry {
            id,
            is: tid(client, table, id),
            becomes,
            block: 0,
        })
        .collect()
}

/// Where an index is, seen from outside.
fn file(cluster: &Cluster, client: &mut Client, index: &str) -> PathBuf {
    let path: String = value(client, &format!("SELECT pg_relation_filepath('{index}')"));
    cluster.data_dir().join(path)
}

/// Overwrites the entries' TIDs in the file.
fn damage(file: &Path, entries: &mut [Entry]) {
    let mut bytes = fs::read(file).expect("read");
    for entry in entries {
        // The column of entries grows downward from the page's tail; block 0 is the metapage.
        let places = (1..bytes.len() / PAGE).flat_map(|block| (0..200).map(move |slot| (block, slot)));
        let at = |(block, slot): (usize, usize)| (block + 1) * PAGE - 16 - (slot + 1) * 8;
        let mut places = places.filter(|&place| bytes[at(place)..][..6] == stored(entry.is));
        let place = places.next().expect("the row's entry");
        entry.block = place.0;
        bytes[at(place)..][..6].copy_from_slice(&stored(entry.becomes));
    }
    fs::write(file, bytes).expect("write");
}

/// Panics unless a statement fails with the error for this entry.
fn assert_refused(client: &mut Client, sql: &str, index: &str, entry: &Entry) {
    let error = client.batch_execute(sql).expect_err(sql);
    let error = error.as_db_error().expect("an error of the server");
    assert_eq!(*error.code(), SqlState::INDEX_CORRUPTED, "{sql}: {error:?}");
    let (block, offset) = entry.becomes;
    let expected = format!(
        "block {} of index \"{index}\" cannot be used: it points to row ({block},{offset}), which is beyond the table",
        entry.block
    );
    assert_eq!(error.message(), expected, "{sql}");
}

/// Panics unless each scan that meets one of the entries is refused, and nothing has changed the table's size.
fn assert_all_refused(client: &mut Client, table: &str, entries: &[Entry]) {
    let index = format!("{table}_code");
    let size = format!("SELECT pg_relation_size('{table}')");
    let before: i64 = value(client, &size);
    for entry in entries {
        let code = format!("sha256('{}'::bytea)::bitvec", entry.id);
        for mode in ["auto", "exact", "graph"] {
            use_index(client, mode);
            let nearest = format!("SELECT id FROM {table} ORDER BY code <~> {code} LIMIT 1");
            assert_refused(client, &nearest, &index, entry);
        }
        let bitmap = "SET enable_indexscan = off; SET enable_bitmapscan = on";
        client.batch_execute(bitmap).expect("SET");
        let within = format!("SELECT id FROM {table} WHERE nphd_within(code, {code}, 0.01)");
        assert_refused(client, &within, &index, entry);
    }
    assert_eq!(value::<i64>(client, &size), before, "the table has grown");
}

/// Panics unless the check of the index finds the entries and nothing else.
fn assert_found(client: &mut Client, index: &str, entries: &[Entry]) {
    let sql = format!("SELECT part || ': ' || problem FROM usearch_check('{index}')");
    let rows = client.query(&sql, &[]).expect("usearch_check");
    let mut found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let told = |entry: &Entry, problem: &String| {
        let (block, offset) = entry.becomes;
        problem.starts_with(&format!("block {}: entry ", entry.block))
            && problem.ends_with(&format!(" points to row ({block},{offset}), which is beyond the table"))
    };
    for entry in entries {
        let at = found.iter().position(|problem| told(entry, problem));
        found.swap_remove(at.unwrap_or_else(|| panic!("({:?}) is not in {found:#?}", entry.becomes)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// A table whose index has 2,000 rows in a shard and 300 in the tail.
fn create(client: &mut Client, kind: &str, table: &str) {
    let insert = format!("INSERT INTO {table} SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series");
    each(
        client,
        &format!(
            "CREATE {kind} TABLE {table} (id bigint, code bitvec);
             {insert}(1, 2000) i;
             CREATE INDEX {table}_code ON {table} USING usearch (code);
             {insert}(2001, 2300) i"
        ),
    );
}

const SEALED: [i64; 5] = [1, 400, 800, 1200, 1999];
const TAIL: [i64; 5] = [2001, 2100, 2200, 2299, 2300];

/// Scans, VACUUM and the check, of entries in a shard's segment, in the tail and without a code; REINDEX mends it.
#[test]
fn refused() {
    let mut cluster = Cluster::with(&[("ignore_checksum_failure", "on")]);
    let mut client = cluster.client();
    create(&mut client, "", "t");
    create(&mut client, "UNLOGGED", "u");
    each(
        &mut client,
        "CREATE TABLE n (id bigint, code bitvec);
         INSERT INTO n SELECT i, NULL FROM generate_series(1, 5) i;
         CREATE INDEX n_code ON n USING usearch (code)",
    );
    let mut damaged = Vec::new();
    for (table, ids) in [("t", SEALED), ("t", TAIL), ("u", SEALED), ("n", [1, 2, 3, 4, 5])] {
        let entries = entries(&mut client, table, ids);
        damaged.push((table, file(&cluster, &mut client, &format!("{table}_code")), entries));
    }
    drop(client);
    cluster.stop(Shutdown::Fast);
    damaged.iter_mut().for_each(|(_, file, entries)| damage(file, entries));
    cluster.start_server();

    let mut client = cluster.client();
    for (table, _, entries) in &damaged[..3] {
        assert_all_refused(&mut client, table, entries);
    }
    use_index(&mut client, "auto");
    let (_, _, nulls) = &damaged[3];
    assert_refused(
        &mut client,
        "SELECT id FROM n ORDER BY code <~> '\\x00'",
        "n_code",
        &nulls[0],
    );
    // VACUUM asks about every entry when there are dead rows; the first in the log comes first.
    for (table, _, entries) in [&damaged[0], &damaged[2], &damaged[3]] {
        each(&mut client, &format!("DELETE FROM {table} WHERE id IN (4, 5)"));
        let vacuum = format!("VACUUM (INDEX_CLEANUP ON) {table}");
        assert_refused(&mut client, &vacuum, &format!("{table}_code"), &entries[0]);
    }
    assert_found(&mut client, "u_code", &damaged[2].2);
    assert_found(&mut client, "n_code", nulls);
    each(
        &mut client,
        "REINDEX TABLE t; REINDEX TABLE u; REINDEX TABLE n; VACUUM t; VACUUM u; VACUUM n",
    );
    for table in ["t", "u", "n"] {
        let problems = format!("SELECT count(*) FROM usearch_check('{table}_code', true)");
        assert_eq!(value::<i64>(&mut client, &problems), 0, "{table}");
    }
    cluster.assert_no_crash();
}

/// A temporary table's index, whose pages only its session reads.
#[test]
fn refused_in_a_temporary_table() {
    let cluster = Cluster::with(&[("ignore_checksum_failure", "on"), ("temp_buffers", "100")]);
    let mut client = cluster.client();
    create(&mut client, "TEMPORARY", "t");
    let mut entries = entries(&mut client, "t", SEALED);
    let file = file(&cluster, &mut client, "t_code");
    // Reading it puts everything else out of the session's buffers.
    let evict = "CREATE TEMPORARY TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 10000);
                 SELECT count(*) FROM large; SELECT count(*) FROM large";
    client.batch_execute(evict).expect("a large table");
    damage(&file, &mut entries);
    assert_all_refused(&mut client, "t", &entries);
    assert_found(&mut client, "t_code", &entries);
}

/// A standby's copy of the index.
#[test]
fn refused_on_a_standby() {
    let primary = Cluster::start();
    let mut client = primary.client();
    create(&mut client, "", "t");
    let mut entries = entries(&mut client, "t", TAIL);
    let mut standby = primary.standby(&[("ignore_checksum_failure", "on")]);
    let file = file(&standby, &mut client, "t_code");
    primary.replayed_by(&standby);
    // So that replay begins behind what it could write anew.
    client.batch_execute("CHECKPOINT").expect("CHECKPOINT");
    primary.replayed_by(&standby);
    standby.stop(Shutdown::Fast);
    damage(&file, &mut entries);
    standby.start_server();
    let mut client = standby.client();
    assert_all_refused(&mut client, "t", &entries);
    assert_found(&mut client, "t_code", &entries);
    standby.assert_no_crash();
}

/// A table that grows while a statement scans its index: rows that are new to the statement are no damage.
#[test]
fn growth_is_no_damage() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create(&mut client, "", "t");
    client
        .batch_execute(
            "CREATE FUNCTION grow(step int) RETURNS int LANGUAGE plpgsql AS $$
             BEGIN
                 INSERT INTO t SELECT 10000 * step + i, sha256('7'::bytea)::bitvec FROM generate_series(1, 1000) i;
                 RETURN pg_relation_size('t') / 8192;
             END $$",
        )
        .expect("a function");
    use_index(&mut client, "auto");
    let sql = "SELECT n.id, g.blocks FROM (SELECT grow(i) AS blocks FROM generate_series(1, 4) i OFFSET 0) g,
               LATERAL (SELECT id FROM t WHERE g.blocks > 0 ORDER BY code <~> sha256('7'::bytea)::bitvec LIMIT 1) n";
    let rows = client.query(sql, &[]).expect("a join");
    let found: Vec<(i64, i32)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(found.iter().all(|row| row.0 == 7), "{found:?}");
    assert!(
        found.windows(2).all(|two| two[0].1 < two[1].1),
        "the table has not grown: {found:?}"
    );
    assert_eq!(found.len(), 4);
}
