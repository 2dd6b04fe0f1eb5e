//! Indexes of dense vectors, of type real[] and where pgvector is there of its types, through what happens to a server.

use cluster_tests::search::{
    Hit, assert_each_once, assert_no_orphans, assert_same_distances, assert_sound, each, hits, index_client, recall,
    seal, truth_client, use_index, value,
};
use cluster_tests::{Cluster, Connector, wait_until};
use postgres::Client;

/// Bytes of hashes as vectors of 32 dimensions: a hundred centres, and what differs from them by a little.
const FUNCTION: &str = "
    CREATE FUNCTION vec(id bigint) RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT array_agg(get_byte(center, i)::real - 128 + (get_byte(own, i) - 128) / 8.0 ORDER BY i)
          FROM (SELECT sha256((id % 100)::text::bytea) AS center, sha256(('x' || id)::bytea) AS own) AS s,
               generate_series(0, 31) AS i $$";

/// A column type, its operator class by L2 and by cosine.
struct Kind {
    column: &'static str,
    cast: &'static str,
    class: &'static str,
}

const ARRAY: Kind = Kind {
    column: "real[]",
    cast: "real[]",
    class: "real",
};
const VECTOR: Kind = Kind {
    column: "vector(32)",
    cast: "vector",
    class: "vector",
};
const HALF_VECTOR: Kind = Kind {
    column: "halfvec(32)",
    cast: "halfvec",
    class: "halfvec",
};

/// Those that this server has, with their extensions.
fn kinds(client: &mut Client) -> Vec<Kind> {
    let has_pgvector: bool = value(
        client,
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')",
    );
    if !has_pgvector {
        return vec![ARRAY];
    }
    each(client, "CREATE EXTENSION iscc_usearch_vector CASCADE");
    vec![ARRAY, VECTOR, HALF_VECTOR]
}

/// A table of a kind with two indexes, of several shards and a tail.
fn create(client: &mut Client, kind: &Kind) {
    let Kind { column, cast, class } = kind;
    each(
        client,
        &format!(
            "DROP TABLE IF EXISTS t;
             CREATE TABLE t (id bigint PRIMARY KEY, v {column});
             INSERT INTO t SELECT id, vec(id)::{cast} FROM generate_series(1, 4000) id;
             CREATE INDEX t_l2 ON t USING usearch (v {class}_l2_ops) WITH (shard_size = '256kB');
             CREATE INDEX t_cosine ON t USING usearch (v {class}_cosine_ops);
             INSERT INTO t SELECT id, vec(id)::{cast} FROM generate_series(4001, 5000) id;
             INSERT INTO t VALUES (0, NULL)"
        ),
    );
}

fn nearest(client: &mut Client, kind: &Kind, operator: &str, id: i64, limit: &str) -> Vec<Hit> {
    let query = format!("(SELECT vec({id})::{})", kind.cast);
    hits(
        client,
        &format!("SELECT id, v {operator} {query} FROM t ORDER BY v {operator} {query} LIMIT {limit}"),
    )
}

/// Rows within a radius, each with its distance, by a threshold function or a comparison with this text, in no order.
fn within(client: &mut Client, kind: &Kind, operator: &str, id: i64, condition: &str) -> Vec<Hit> {
    let query = format!("vec({id})::{}", kind.cast);
    let condition = condition.replace("QUERY", &query);
    hits(
        client,
        &format!("SELECT id, v {operator} {query} AS d FROM t WHERE {condition} ORDER BY d, id"),
    )
}

/// Panics unless thresholds at, below and above the distance of a row let the same rows through as without an index.
fn assert_thresholds(connector: &Connector, kind: &Kind) {
    let (mut index, mut truth) = cluster_tests::search::clients_of(connector, "postgres");
    use_index(&mut index, "auto");
    for (operator, metric) in [("<->", "l2"), ("<=>", "cosine")] {
        for id in [7, 999_999] {
            let sorted = nearest(&mut truth, kind, operator, id, "300");
            for rank in [0, 9, 299] {
                let radius = sorted[rank].1.expect("a distance");
                for radius in [radius.next_down().max(0.0), radius, radius.next_up()] {
                    for condition in [
                        format!("{metric}_within(v, QUERY, '{radius:e}')"),
                        format!("{metric}_within(QUERY, v, '{radius:e}') AND {metric}_within(v, QUERY, 1000)"),
                        format!("v {operator} QUERY <= '{radius:e}'"),
                    ] {
                        let found = within(&mut index, kind, operator, id, &condition);
                        let expected = within(&mut truth, kind, operator, id, &condition);
                        assert_eq!(found, expected, "{condition}");
                        assert!(
                            expected
                                .iter()
                                .all(|hit| hit.1.is_some_and(|distance| distance <= radius)),
                            "{condition}"
                        );
                    }
                }
            }
        }
    }
}

/// Panics unless all rows come in the order of a sort, and the nearest ten are found.
fn assert_answers(connector: &Connector, kind: &Kind) {
    let (mut index, mut truth) = cluster_tests::search::clients_of(connector, "postgres");
    for operator in ["<->", "<=>"] {
        let (mut found, mut queries) = (0.0, 0.0);
        for id in [7, 1234, 999_999] {
            use_index(&mut index, "auto");
            let sorted = nearest(&mut truth, kind, operator, id, "ALL");
            let all = nearest(&mut index, kind, operator, id, "ALL");
            assert_each_once(&all);
            assert_same_distances(&all, &sorted);
            found += recall(&nearest(&mut index, kind, operator, id, "10"), &sorted[..10]);
            queries += 1.0;
        }
        assert!(found / queries >= 0.9, "recall of {operator} is {}", found / queries);
    }
}

fn assert_good(cluster: &Cluster, kind: &Kind) {
    assert_answers(&cluster.connector(), kind);
    assert_thresholds(&cluster.connector(), kind);
    let mut client = cluster.client();
    assert_sound(&mut client, "t_l2");
    assert_sound(&mut client, "t_cosine");
    assert_no_orphans(cluster, &mut client);
}

#[test]
fn maintenance_and_crashes() {
    let mut cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, FUNCTION);
    for kind in kinds(&mut client) {
        let mut client = cluster.client();
        create(&mut client, &kind);
        let plan = cluster_tests::search::explain(
            &mut index_client(&cluster, "auto"),
            &format!("SELECT id FROM t ORDER BY v <-> vec(1)::{} LIMIT 1", kind.cast),
        );
        assert!(plan.contains("t_l2"), "{plan}");
        let cast = kind.cast;
        for (condition, index) in [
            (format!("l2_within(v, vec(1)::{cast}, 3)"), "t_l2"),
            (format!("cosine_within(v, vec(1)::{cast}, 0.1)"), "t_cosine"),
            (format!("v <-> vec(1)::{cast} < 3"), "t_l2"),
            (format!("1 - (v <=> vec(1)::{cast}) > 0.9"), "t_cosine"),
        ] {
            let plan = cluster_tests::search::explain(
                &mut index_client(&cluster, "auto"),
                &format!("SELECT id FROM t WHERE {condition}"),
            );
            assert!(plan.contains(index) && plan.contains("_ball"), "{condition}: {plan}");
        }
        assert_good(&cluster, &kind);
        assert!(value::<i64>(&mut client, "SELECT count(*) FROM usearch_shards('t_l2')") > 1);
        let cast = kind.cast;
        each(
            &mut client,
            &format!(
                "DELETE FROM t WHERE id % 3 = 0 AND id > 0; VACUUM t;
                 UPDATE t SET v = vec(id + 100000)::{cast} WHERE id % 50 = 1"
            ),
        );
        cluster.kill9_postmaster();
        cluster.start_server();
        assert_good(&cluster, &kind);

        let mut client = cluster.client();
        seal(&mut client, "t_l2");
        each(
            &mut client,
            "SELECT * FROM usearch_compact('t_cosine'); REINDEX INDEX CONCURRENTLY t_l2; VACUUM t",
        );
        assert_good(&cluster, &kind);
        // A lost shard costs speed only, and is built again.
        let lost = cluster.shard_files();
        lost.iter().for_each(|file| std::fs::remove_file(file).expect("remove"));
        assert_answers(&cluster.connector(), &kind);
        seal(&mut cluster.client(), "t_l2");
        seal(&mut cluster.client(), "t_cosine");
        assert_good(&cluster, &kind);
    }
    cluster.assert_no_crash();
}

#[test]
fn standby() {
    let primary = Cluster::start();
    let mut client = primary.client();
    each(&mut client, FUNCTION);
    create(&mut client, &ARRAY);
    let standby = primary.standby(&[("wal_consistency_checking", "generic")]);
    each(
        &mut client,
        "INSERT INTO t SELECT id, vec(id) FROM generate_series(6000, 8000) id;
         DELETE FROM t WHERE id % 7 = 1; VACUUM t",
    );
    seal(&mut client, "t_l2");
    primary.replayed_by(&standby);
    assert_answers(&standby.connector(), &ARRAY);
    standby.promote();
    let mut client = standby.client();
    each(
        &mut client,
        "INSERT INTO t SELECT id, vec(id) FROM generate_series(8001, 8100) id",
    );
    seal(&mut client, "t_l2");
    assert_answers(&standby.connector(), &ARRAY);
    assert_sound(&mut client, "t_l2");
    primary.assert_no_crash();
    standby.assert_no_crash();
}

/// The worker seals a tail of vectors, and sessions that insert at the same time lose nothing.
#[test]
fn worker_seals() {
    let cluster = Cluster::with(&[("iscc_usearch.background_worker", "on")]);
    let mut client = cluster.client();
    each(&mut client, FUNCTION);
    each(
        &mut client,
        "CREATE TABLE t (id bigint PRIMARY KEY, v real[]); CREATE INDEX t_l2 ON t USING usearch (v real_l2_ops);
         CREATE INDEX t_cosine ON t USING usearch (v real_cosine_ops) WITH (shard_size = '128kB')",
    );
    let connector = cluster.connector();
    let writers: Vec<_> = (0..3i64)
        .map(|writer| {
            let connector = connector.clone();
            std::thread::spawn(move || {
                let mut client = connector.client();
                for batch in 0..10 {
                    let first = writer * 20_000 + batch * 2_000;
                    each(
                        &mut client,
                        &format!("INSERT INTO t SELECT id, vec(id) FROM generate_series({first}, {first} + 1999) id"),
                    );
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().expect("writer"));
    wait_until("the worker has sealed", || {
        value::<i64>(
            &mut client,
            "SELECT count(*) FROM usearch_shards('t_cosine') WHERE state = 'ok'",
        ) > 2
    });
    assert_answers(&connector, &ARRAY);
    let mut truth = truth_client(&cluster);
    assert_sound(&mut truth, "t_l2");
    assert_sound(&mut truth, "t_cosine");
    cluster.assert_no_crash();
}

/// PostgreSQL's bit by pgvector's operators: the index gives the order of a sort, and refuses what pgvector refuses.
#[test]
fn bit_strings() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    if kinds(&mut client).len() == 1 {
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
    each(&mut client, FUNCTION);
    for kind in kinds(&mut client) {
        create(&mut client, &kind);
        let Kind { cast, .. } = kind;
        let call = |vectors: &str| format!("SELECT recall FROM usearch_recall('t_l2', vectors => {vectors})");
        let recall: f64 = value(
            &mut client,
            &call(&format!("ARRAY[vec(1)::{cast}, vec(70000)::{cast}]")),
        );
        assert!(recall >= 0.9, "{cast}: {recall}");
        for (vectors, code) in [
            ("ARRAY['[1,2]'::text]".to_string(), "42804"),
            ("ARRAY['00'::bitvec]".to_string(), "42804"),
            (
                match cast {
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
