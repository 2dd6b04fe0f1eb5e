//! Indexes of dense vectors, of type real[] and where pgvector is there of its types, through what happens to a server.
//! The same by distances that a user's functions compute.

use cluster_tests::search::{
    Hit, assert_each_once, assert_no_orphans, assert_same_distances, assert_sound, each, hits, index_client, recall,
    seal, truth_client, use_index, value,
};
use cluster_tests::{Cluster, Connector, wait_until};
use postgres::Client;

/// Bytes of hashes as vectors of 32 dimensions: a hundred centres, and what differs from them by a little. The same as
/// vectors of 3,072, which span two pages.
const FUNCTIONS: &str = "
    CREATE FUNCTION vec(id bigint) RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT array_agg(get_byte(center, i)::real - 128 + (get_byte(own, i) - 128) / 8.0 ORDER BY i)
          FROM (SELECT sha256((id % 100)::text::bytea) AS center, sha256(('x' || id)::bytea) AS own) AS s,
               generate_series(0, 31) AS i $$;
    CREATE FUNCTION long_vec(id bigint) RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT array_agg(number * (1 + part / 100.0)::real ORDER BY part, at)
          FROM unnest(vec(id)) WITH ORDINALITY AS v (number, at), generate_series(1, 96) AS part $$;
    CREATE FUNCTION weights(id bigint) RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT array_agg(abs(number) / 100 ORDER BY at) FROM unnest(vec(id)) WITH ORDINALITY AS v (number, at) $$;
    CREATE FUNCTION place(id bigint) RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT ARRAY[v[1] / 1.7, v[2] * 1.2] FROM vec(id) AS v $$;
    CREATE FUNCTION own_l2(a real[], b real[]) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
        'BEGIN RETURN public.real_l2_distance(a, b); END';
    CREATE FUNCTION own_cosine(a real[], b real[]) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
        'BEGIN RETURN public.real_cosine_distance(a, b); END';
    CREATE OPERATOR <@-> (LEFTARG = real[], RIGHTARG = real[], FUNCTION = own_l2, COMMUTATOR = <@->);
    CREATE OPERATOR <@=> (LEFTARG = real[], RIGHTARG = real[], FUNCTION = own_cosine, COMMUTATOR = <@=>);
    CREATE OPERATOR CLASS own_l2_ops FOR TYPE real[] USING usearch AS
        OPERATOR 1 <@-> (real[], real[]) FOR ORDER BY float_ops, FUNCTION 1 own_l2(real[], real[]);
    CREATE OPERATOR CLASS own_cosine_ops FOR TYPE real[] USING usearch AS
        OPERATOR 1 <@=> (real[], real[]) FOR ORDER BY float_ops, FUNCTION 1 own_cosine(real[], real[])";

/// A column type, its operator classes by two metrics with their operators, and what makes its values.
struct Kind {
    column: &'static str,
    cast: &'static str,
    class: &'static str,
    metrics: [&'static str; 2],
    operators: [&'static str; 2],
    function: &'static str,
    /// Rows of the table, in units.
    unit: i64,
    shard_size: &'static str,
}

impl Kind {
    /// Whether there are functions and operators for all that is within a radius.
    fn has_thresholds(&self) -> bool {
        !["own", "sparsevec"].contains(&self.class)
    }

    /// A value, in SQL.
    fn value(&self, id: &str) -> String {
        format!("{}({id})::{}", self.function, self.cast)
    }

    /// Inserts `count` units of rows, from this unit on.
    fn insert(&self, first: i64, count: i64) -> String {
        let (first, last) = (first * self.unit + 1, (first + count) * self.unit);
        let value = self.value("id");
        format!("INSERT INTO t SELECT id, {value} FROM generate_series({first}, {last}) id")
    }
}

const ARRAY: Kind = Kind {
    column: "real[]",
    cast: "real[]",
    class: "real",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "vec",
    unit: 1000,
    shard_size: "256kB",
};
const VECTOR: Kind = Kind {
    column: "vector(32)",
    cast: "vector",
    class: "vector",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "vec",
    unit: 1000,
    shard_size: "256kB",
};
const HALF_VECTOR: Kind = Kind {
    column: "halfvec(32)",
    cast: "halfvec",
    class: "halfvec",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "vec",
    unit: 1000,
    shard_size: "256kB",
};
/// Distances by a user's functions.
const BY_FUNCTION: Kind = Kind {
    column: "real[]",
    cast: "real[]",
    class: "own",
    metrics: ["l2", "cosine"],
    operators: ["<@->", "<@=>"],
    function: "vec",
    unit: 300,
    shard_size: "256kB",
};
/// Distances by pgvector's functions.
const SPARSE_VECTOR: Kind = Kind {
    column: "sparsevec(32)",
    cast: "sparsevec",
    class: "sparsevec",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "vec",
    unit: 300,
    shard_size: "256kB",
};
/// Metrics that pgvector does not have.
const WEIGHTS: Kind = Kind {
    metrics: ["jensen_shannon", "pearson"],
    operators: ["<||>", "<=~>"],
    function: "weights",
    ..ARRAY
};
const PLACE: Kind = Kind {
    metrics: ["haversine", "l2"],
    operators: ["<^>", "<->"],
    function: "place",
    shard_size: "128kB",
    ..ARRAY
};
const HALF_WEIGHTS: Kind = Kind {
    metrics: WEIGHTS.metrics,
    operators: WEIGHTS.operators,
    function: "weights",
    ..HALF_VECTOR
};
const LONG_ARRAY: Kind = Kind {
    column: "real[]",
    cast: "real[]",
    class: "real",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "long_vec",
    unit: 100,
    shard_size: "1MB",
};
const LONG_VECTOR: Kind = Kind {
    column: "vector(3072)",
    cast: "vector",
    class: "vector",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "long_vec",
    unit: 100,
    shard_size: "1MB",
};

/// Whether this server has pgvector; then its types can be used.
fn has_pgvector(client: &mut Client) -> bool {
    let has_pgvector: bool = value(
        client,
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')",
    );
    if has_pgvector {
        each(client, "CREATE EXTENSION iscc_usearch_vector CASCADE");
    }
    has_pgvector
}

/// A server with what makes the values, and those kinds of the first `own` and the other ones that it has.
fn cluster_for(kinds: &[Kind], own: usize) -> (Cluster, &[Kind]) {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute(FUNCTIONS).expect("functions");
    let count = if has_pgvector(&mut client) { kinds.len() } else { own };
    (cluster, &kinds[..count])
}

/// A table of a kind with two indexes, of several shards and a tail.
fn create(client: &mut Client, kind: &Kind) {
    let Kind {
        column,
        class,
        metrics: [first_metric, second_metric],
        shard_size,
        ..
    } = kind;
    let (first, second) = (kind.insert(0, 4), kind.insert(4, 1));
    each(
        client,
        &format!(
            "DROP TABLE IF EXISTS t;
             CREATE TABLE t (id bigint PRIMARY KEY, v {column});
             {first};
             CREATE INDEX t_first ON t USING usearch (v {class}_{first_metric}_ops) WITH (shard_size = '{shard_size}');
             CREATE INDEX t_second ON t USING usearch (v {class}_{second_metric}_ops);
             {second};
             INSERT INTO t VALUES (0, NULL)"
        ),
    );
}

fn nearest(client: &mut Client, kind: &Kind, operator: &str, id: i64, limit: &str) -> Vec<Hit> {
    let query = format!("(SELECT {})", kind.value(&id.to_string()));
    hits(
        client,
        &format!("SELECT id, v {operator} {query} FROM t ORDER BY v {operator} {query} LIMIT {limit}"),
    )
}

/// Rows within a radius, each with its distance, by a threshold function or a comparison with this text, in no order.
fn within(client: &mut Client, kind: &Kind, operator: &str, id: i64, condition: &str) -> Vec<Hit> {
    let query = kind.value(&id.to_string());
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
    for (operator, metric) in kind.operators.into_iter().zip(kind.metrics) {
        for id in [7, 999_999] {
            let sorted = nearest(&mut truth, kind, operator, id, "300");
            let sorted: Vec<f64> = sorted.iter().filter_map(|hit| hit.1).collect();
            for rank in [0, 9, 299] {
                let radius = sorted[rank.min(sorted.len() - 1)];
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
    for operator in kind.operators {
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
    if kind.has_thresholds() {
        assert_thresholds(&cluster.connector(), kind);
    }
    let mut client = cluster.client();
    assert_sound(&mut client, "t_first");
    assert_sound(&mut client, "t_second");
    assert_no_orphans(cluster, &mut client);
}

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
        let other = kind.value("id + 100000");
        each(
            &mut client,
            &format!(
                "DELETE FROM t WHERE id % 3 = 0 AND id > 0; VACUUM t;
                 UPDATE t SET v = {other} WHERE id % 50 = 1"
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
