//! Indexes of dense vectors, of type real[] and where pgvector is there of its types, through what happens to a server.
//! The same by distances that a user's functions compute.

use cluster_tests::search::{
    assert_each_once, assert_same_distances, assert_sound, each, hits, index_client, seal, truth_client, use_index,
    value,
};
use cluster_tests::{Cluster, wait_until};
use postgres::Client;

use crate::vector_kinds::{
    ARRAY, BY_FUNCTION, FUNCTIONS, HALF_VECTOR, HALF_WEIGHTS, Kind, LONG_ARRAY, LONG_VECTOR, PLACE, SPARSE_VECTOR,
    VECTOR, WEIGHTS, assert_answers, assert_good, cluster_for, create, has_pgvector,
};

#[test]
fn maintenance_and_crashes() {
    maintain_and_crash(&[ARRAY, VECTOR, HALF_VECTOR], 1);
}

#[test]
fn maintenance_and_crashes_of_other_metrics() {
    maintain_and_crash(&[WEIGHTS, PLACE, HALF_WEIGHTS], 2);
}

#[test]
fn maintenance_and_crashes_by_function() {
    maintain_and_crash(&[BY_FUNCTION, SPARSE_VECTOR], 1);
}

#[test]
fn maintenance_and_crashes_of_spans() {
    maintain_and_crash(&[LONG_ARRAY, LONG_VECTOR], 1);
}

/// The first `own` kinds are none of pgvector's.
fn maintain_and_crash(kinds: &[Kind], own: usize) {
    let (mut cluster, kinds) = cluster_for(kinds, own);
    for kind in kinds {
        let mut client = cluster.client();
        create(&mut client, kind);
        let plan = cluster_tests::search::explain(
            &mut index_client(&cluster, "auto"),
            &format!(
                "SELECT id FROM t ORDER BY v {} {} LIMIT 1",
                kind.operators[0],
                kind.value("1")
            ),
        );
        assert!(plan.contains("t_first"), "{plan}");
        if kind.has_thresholds() {
            assert_thresholds_are_planned(&cluster, kind);
        }
        assert_good(&cluster, kind);
        assert!(value::<i64>(&mut client, "SELECT count(*) FROM usearch_shards('t_first')") > 1);
        // Some become NULL, among others that do not.
        let other = kind.value("id + 100000");
        each(
            &mut client,
            &format!(
                "DELETE FROM t WHERE id % 3 = 0 AND id > 0; VACUUM t;
                 UPDATE t SET v = CASE WHEN id % 100 <> 1 THEN {other} END WHERE id % 50 = 1"
            ),
        );
        cluster.kill9_postmaster();
        cluster.start_server();
        assert_good(&cluster, kind);

        let mut client = cluster.client();
        seal(&mut client, "t_first");
        each(
            &mut client,
            "SELECT * FROM usearch_compact('t_second'); REINDEX INDEX CONCURRENTLY t_first; VACUUM t",
        );
        assert_good(&cluster, kind);
        // A lost shard costs speed only, and is built again.
        let lost = cluster.shard_files();
        lost.iter().for_each(|file| std::fs::remove_file(file).expect("remove"));
        assert_answers(&cluster.connector(), kind);
        seal(&mut cluster.client(), "t_first");
        seal(&mut cluster.client(), "t_second");
        assert_good(&cluster, kind);
        give_space_back(&mut cluster.client());
        assert_good(&cluster, kind);
    }
    cluster.assert_no_crash();
}

/// Panics unless conditions on distances are served by the index.
fn assert_thresholds_are_planned(cluster: &Cluster, kind: &Kind) {
    let query = kind.value("1");
    let ([first, second], [by_first, by_second]) = (kind.metrics, kind.operators);
    let conditions = [
        (format!("{first}_within(v, {query}, 3)"), "t_first"),
        (format!("{second}_within(v, {query}, 0.1)"), "t_second"),
        (format!("v {by_first} {query} < 3"), "t_first"),
        (format!("1 - (v {by_second} {query}) > 0.9"), "t_second"),
    ];
    // Only a distance that is never large may be subtracted.
    let served = if second == "l2" { 3 } else { 4 };
    for (condition, index) in conditions.into_iter().take(served) {
        let sql = format!("SELECT id FROM t WHERE {condition}");
        let plan = cluster_tests::search::explain(&mut index_client(cluster, "auto"), &sql);
        assert!(plan.contains(index) && plan.contains("_ball"), "{condition}: {plan}");
    }
}

/// Deletes most rows, so that the others move to the front of the file, and the file is cut.
fn give_space_back(client: &mut Client) {
    let pages = "SELECT pg_relation_size('t_first') / 8192";
    let before: i64 = value(client, pages);
    each(
        client,
        "DELETE FROM t WHERE id % 20 > 1; VACUUM t; SELECT usearch_compact('t_first'); VACUUM (PARALLEL 0) t; VACUUM (PARALLEL 0) t",
    );
    let after: i64 = value(client, pages);
    // Fewer than 128 free blocks are not worth a cut.
    assert!(after < before / 2 || before < 300, "{before} blocks, then {after}");
}

#[test]
fn standby() {
    replicate(&ARRAY);
}

#[test]
fn standby_of_other_metrics() {
    replicate(&WEIGHTS);
}

#[test]
fn standby_by_function() {
    replicate(&BY_FUNCTION);
}

#[test]
fn standby_of_spans() {
    replicate(&LONG_ARRAY);
}

fn replicate(kind: &Kind) {
    let primary = Cluster::start();
    let mut client = primary.client();
    client.batch_execute(FUNCTIONS).expect("functions");
    create(&mut client, kind);
    let standby = primary.standby(&[("wal_consistency_checking", "generic")]);
    each(
        &mut client,
        &format!("{}; DELETE FROM t WHERE id % 7 = 1; VACUUM t", kind.insert(6, 2)),
    );
    seal(&mut client, "t_first");
    // Moves what is alive to other blocks, and uses the old ones again.
    each(
        &mut client,
        "DELETE FROM t WHERE id % 7 > 3; VACUUM t; SELECT usearch_compact('t_first')",
    );
    each(&mut client, &kind.insert(8, 1));
    primary.replayed_by(&standby);
    assert_answers(&standby.connector(), kind);
    standby.promote();
    let mut client = standby.client();
    each(&mut client, &kind.insert(9, 1));
    seal(&mut client, "t_first");
    assert_answers(&standby.connector(), kind);
    assert_sound(&mut client, "t_first");
    primary.assert_no_crash();
    standby.assert_no_crash();
}

/// A dump restores functions, classes and indexes, though it sets an empty search path.
#[test]
fn dump_and_restore() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute(FUNCTIONS).expect("functions");
    create(&mut client, &BY_FUNCTION);
    let dump = cluster.beside("own.sql");
    let file = dump.to_str().expect("UTF-8");
    cluster.run("pg_dump", &["--file", file]);
    cluster.psql("CREATE DATABASE restored");
    cluster.run(
        "psql",
        &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "restored", "-f", file],
    );
    let mut restored = cluster.connector().client_of("restored");
    for index in ["t_first", "t_second"] {
        assert_sound(&mut restored, index);
        let metric: String = value(
            &mut restored,
            &format!("SELECT metric FROM usearch_index_stats('{index}')"),
        );
        assert_eq!(metric, "user");
    }
    cluster.assert_no_crash();
}

/// The worker seals a tail of vectors, and sessions that insert at the same time lose nothing.
#[test]
fn worker_seals() {
    seal_by_worker(&ARRAY, "128kB");
}

#[test]
fn worker_seals_spans() {
    seal_by_worker(&LONG_ARRAY, "512kB");
}

fn seal_by_worker(kind: &Kind, shard_size: &str) {
    let cluster = Cluster::with(&[("iscc_usearch.background_worker", "on")]);
    let mut client = cluster.client();
    client.batch_execute(FUNCTIONS).expect("functions");
    each(
        &mut client,
        &format!(
            "CREATE TABLE t (id bigint PRIMARY KEY, v real[]); CREATE INDEX t_first ON t USING usearch (v real_l2_ops);
             CREATE INDEX t_second ON t USING usearch (v real_cosine_ops) WITH (shard_size = '{shard_size}')"
        ),
    );
    let connector = cluster.connector();
    let writers: Vec<_> = (0..3i64)
        .map(|writer| {
            let connector = connector.clone();
            let inserts: Vec<_> = (0..10).map(|batch| kind.insert(writer * 20 + batch * 2, 2)).collect();
            std::thread::spawn(move || {
                let mut client = connector.client();
                inserts.iter().for_each(|insert| each(&mut client, insert));
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().expect("writer"));
    wait_until("the worker has sealed", || {
        value::<i64>(
            &mut client,
            "SELECT count(*) FROM usearch_shards('t_second') WHERE state = 'ok'",
        ) > 2
    });
    assert_answers(&connector, kind);
    let mut truth = truth_client(&cluster);
    assert_sound(&mut truth, "t_first");
    assert_sound(&mut truth, "t_second");
    cluster.assert_no_crash();
}

/// A scan has read the page of the last entry of a segment, but not yet the rest of its value. Until it does, the entry
/// moves, and its blocks are used again. (Of any other entry, the next page would tell.)
#[test]
fn blocks_of_a_span_are_used_again_while_it_is_read() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute(FUNCTIONS).expect("functions");
    // Row 36 is nearest to row 40, nearer than a third of another vector would let it be.
    let rows = "SELECT id, long_vec(CASE id WHEN 36 THEN 440 ELSE id END) FROM generate_series";
    each(
        &mut client,
        &format!(
            "CREATE TABLE t (id bigint PRIMARY KEY, v real[]);
             CREATE INDEX t_first ON t USING usearch (v real_l2_ops);
             INSERT INTO t {rows}(1, 40) id; SELECT usearch_seal('t_first');
             DELETE FROM t WHERE id % 4 > 0"
        ),
    );
    let sql = "SELECT id, v <-> (SELECT long_vec(40)) FROM t ORDER BY v <-> (SELECT long_vec(40))";
    let truth = hits(&mut truth_client(&cluster), sql);
    assert_eq!((truth.len(), truth[0]), (10, (40, Some(0.0))));

    each(&mut client, "SELECT pg_advisory_lock(42)");
    let mut reader = index_client(&cluster, "exact");
    each(&mut reader, "SET iscc_usearch.failpoint = 'span_before_parts:lock:40'");
    let reader = std::thread::spawn(move || hits(&mut reader, sql));
    wait_until("the scan has read a head", || {
        cluster.log().contains("reached failpoint span_before_parts")
    });
    // Rows that the scan does not see, and unlike those that were there.
    each(
        &mut client,
        &format!("VACUUM t; SELECT usearch_compact('t_first'); INSERT INTO t {rows}(1007, 1066) id"),
    );
    let reused = "SELECT entries = 70 AND free_bytes = 0 FROM usearch_index_stats('t_first')";
    assert!(value::<bool>(&mut client, reused), "blocks are free");
    each(&mut client, "SELECT pg_advisory_unlock(42)");
    assert_same_distances(&reader.join().expect("the scan"), &truth);
    assert_sound(&mut client, "t_first");
    cluster.assert_no_crash();
}

/// PostgreSQL's bit by pgvector's operators: the index gives the order of a sort, and refuses what pgvector refuses.
#[test]
fn bit_strings() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    if !has_pgvector(&mut client) {
        return;
    }
    // 63 bits: the last byte is not full. Some are all zeros, for which pgvector's Jaccard distance is 1.
    each(
        &mut client,
        "CREATE TABLE t (id bigint PRIMARY KEY, b bit(63));
         INSERT INTO t SELECT i, CASE WHEN i % 500 = 0 THEN 0 ELSE hashint8extended(i / 3, 1) END::bit(63)
                         FROM generate_series(1, 3000) i;
         INSERT INTO t VALUES (0, NULL);
         CREATE INDEX t_hamming ON t USING usearch (b bit_hamming_ops);
         CREATE INDEX t_jaccard ON t USING usearch (b bit_jaccard_ops);
         INSERT INTO t SELECT i, hashint8extended(i, 2)::bit(63) FROM generate_series(3001, 3300) i",
    );
    let (mut index, mut truth) = cluster_tests::search::clients_of(&cluster.connector(), "postgres");
    use_index(&mut index, "auto");
    for (operator, name) in [("<~>", "t_hamming"), ("<%>", "t_jaccard")] {
        for query in ["hashint8extended(7, 1)::bit(63)", "0::bit(63)", "B'1'::bit(63)"] {
            let sql =
                |limit| format!("SELECT id, b {operator} {query} FROM t ORDER BY b {operator} {query} LIMIT {limit}");
            let plan = cluster_tests::search::explain(&mut index, &sql("10"));
            assert!(plan.contains(name), "{plan}");
            let all = hits(&mut index, &sql("ALL"));
            assert_each_once(&all);
            assert_same_distances(&all, &hits(&mut truth, &sql("ALL")));
            assert_same_distances(&hits(&mut index, &sql("10")), &hits(&mut truth, &sql("10")));
        }
        assert_sound(&mut client, name);
    }
    let kind: (String, Option<i32>) = {
        let row = client
            .query_one("SELECT rows, dimensions FROM usearch_index_stats('t_hamming')", &[])
            .expect("stats");
        (row.get(0), row.get(1))
    };
    assert_eq!(kind, ("bits".to_string(), Some(64)));
    let recall: f64 = value(
        &mut client,
        "SELECT recall FROM usearch_recall('t_hamming', vectors => ARRAY[B'1'::bit(63), 5::bit(63)])",
    );
    assert!(recall >= 0.99, "{recall}");
    each(&mut index, "SET enable_seqscan = off");
    for (statement, code) in [
        ("SELECT id FROM t ORDER BY b <~> B'101' LIMIT 1", "22000"),
        ("SELECT id FROM t ORDER BY b <~> 5::bit(64) LIMIT 1", "22000"),
        (
            "SELECT usearch_recall('t_hamming', vectors => ARRAY[5::bit(64)])",
            "22000",
        ),
        (
            "SELECT usearch_recall('t_hamming', vectors => ARRAY['[1,2]'::vector])",
            "42804",
        ),
        (
            "CREATE INDEX ON t USING usearch ((b::varbit::bit varying) bit_hamming_ops)",
            "22023",
        ),
        (
            "CREATE INDEX ON t USING usearch ((b::bit(40000)) bit_hamming_ops)",
            "54000",
        ),
    ] {
        let error = index.batch_execute(statement).expect_err(statement);
        assert_eq!(
            error.code().map(|code| code.code()),
            Some(code),
            "{statement}: {error:?}"
        );
    }
    cluster.assert_no_crash();
}

/// Given queries are searched for in an index of each type; of other types and dimensions they are refused.
#[test]
fn recall_of_given_vectors() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute(FUNCTIONS).expect("functions");
    let kinds = [ARRAY, VECTOR, HALF_VECTOR];
    let count = if has_pgvector(&mut client) { 3 } else { 1 };
    for kind in &kinds[..count] {
        create(&mut client, kind);
        let Kind { cast, .. } = kind;
        let call = |vectors: &str| format!("SELECT recall FROM usearch_recall('t_first', vectors => {vectors})");
        let recall: f64 = value(
            &mut client,
            &call(&format!("ARRAY[vec(1)::{cast}, vec(70000)::{cast}]")),
        );
        assert!(recall >= 0.9, "{cast}: {recall}");
        for (vectors, code) in [
            ("ARRAY['[1,2]'::text]".to_string(), "42804"),
            ("ARRAY['00'::bitvec]".to_string(), "42804"),
            (
                match *cast {
                    "real[]" => "'{{1,2},{3,4}}'::real[]".to_string(),
                    _ => format!("ARRAY['[1,2]'::{cast}]"),
                },
                "22023",
            ),
        ] {
            let error = client.batch_execute(&call(&vectors)).expect_err(&vectors);
            assert_eq!(error.code().map(|code| code.code()), Some(code), "{vectors}: {error:?}");
        }
    }
    cluster.assert_no_crash();
}
