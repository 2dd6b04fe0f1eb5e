//! Indexes of dense vectors, of type real[] and where pgvector is there of its types, through what happens to a server. The same
//! by distances that a user's functions compute.

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

/// A column type, its operator classes by L2 and by cosine, and their operators.
struct Kind {
    column: &'static str,
    cast: &'static str,
    class: &'static str,
    operators: [&'static str; 2],
    rows: i64,
}

/// Functions, operators and classes of a user's.
const OWN: &str = "
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

const ARRAY: Kind = Kind {
    column: "real[]",
    cast: "real[]",
    class: "real",
    operators: ["<->", "<=>"],
    rows: 4000,
};
const VECTOR: Kind = Kind {
    column: "vector(32)",
    cast: "vector",
    class: "vector",
    operators: ["<->", "<=>"],
    rows: 4000,
};
const HALF_VECTOR: Kind = Kind {
    column: "halfvec(32)",
    cast: "halfvec",
    class: "halfvec",
    operators: ["<->", "<=>"],
    rows: 4000,
};

const BY_FUNCTION: Kind = Kind {
    column: "real[]",
    cast: "real[]",
    class: "own",
    operators: ["<@->", "<@=>"],
    rows: 1200,
};

/// Those that this server has, with their extensions.
fn kinds(client: &mut Client) -> Vec<Kind> {
    let has_pgvector: bool = value(
        client,
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')",
    );
    if !has_pgvector {
        return vec![ARRAY, BY_FUNCTION];
    }
    each(client, "CREATE EXTENSION iscc_usearch_vector CASCADE");
    vec![ARRAY, VECTOR, HALF_VECTOR, BY_FUNCTION]
}

/// A table of a kind with two indexes, of several shards and a tail.
fn create(client: &mut Client, kind: &Kind) {
    let Kind {
        column,
        cast,
        class,
        rows,
        ..
    } = kind;
    each(
        client,
        &format!(
            "DROP TABLE IF EXISTS t;
             CREATE TABLE t (id bigint PRIMARY KEY, v {column});
             INSERT INTO t SELECT id, vec(id)::{cast} FROM generate_series(1, {rows}) id;
             CREATE INDEX t_l2 ON t USING usearch (v {class}_l2_ops) WITH (shard_size = '256kB');
             CREATE INDEX t_cosine ON t USING usearch (v {class}_cosine_ops);
             INSERT INTO t SELECT id, vec(id)::{cast} FROM generate_series({rows} + 1, {rows} * 5 / 4) id;
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
    client.batch_execute(OWN).expect("functions of a user's");
    for kind in kinds(&mut client) {
        let mut client = cluster.client();
        create(&mut client, &kind);
        let plan = cluster_tests::search::explain(
            &mut index_client(&cluster, "auto"),
            &format!(
                "SELECT id FROM t ORDER BY v {} vec(1)::{} LIMIT 1",
                kind.operators[0], kind.cast
            ),
        );
        assert!(plan.contains("t_l2"), "{plan}");
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
    standby_of(&ARRAY);
}

#[test]
fn standby_by_function() {
    standby_of(&BY_FUNCTION);
}

fn standby_of(kind: &Kind) {
    let primary = Cluster::start();
    let mut client = primary.client();
    each(&mut client, FUNCTION);
    client.batch_execute(OWN).expect("functions of a user's");
    create(&mut client, kind);
    let standby = primary.standby(&[("wal_consistency_checking", "generic")]);
    each(
        &mut client,
        "INSERT INTO t SELECT id, vec(id) FROM generate_series(6000, 8000) id;
         DELETE FROM t WHERE id % 7 = 1; VACUUM t",
    );
    seal(&mut client, "t_l2");
    primary.replayed_by(&standby);
    assert_answers(&standby.connector(), kind);
    standby.promote();
    let mut client = standby.client();
    each(
        &mut client,
        "INSERT INTO t SELECT id, vec(id) FROM generate_series(8001, 8100) id",
    );
    seal(&mut client, "t_l2");
    assert_answers(&standby.connector(), kind);
    assert_sound(&mut client, "t_l2");
    primary.assert_no_crash();
    standby.assert_no_crash();
}

/// A dump restores functions, classes and indexes, though it sets an empty search path.
#[test]
fn dump_and_restore() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, FUNCTION);
    client.batch_execute(OWN).expect("functions of a user's");
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
    for index in ["t_l2", "t_cosine"] {
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
