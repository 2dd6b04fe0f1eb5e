//! Tables of dense vectors: their types, metrics and values, and what must hold of the answers of their indexes.

use cluster_tests::search::{
    Hit, assert_each_once, assert_no_orphans, assert_same_distances, assert_sound, clients_of, each, hits, recall,
    use_index, value,
};
use cluster_tests::{Cluster, Connector};
use postgres::Client;

/// Bytes of hashes as vectors of 32 dimensions: a hundred centres, and what differs from them by a little. The same as
/// vectors of 3,072, which span two pages.
pub const FUNCTIONS: &str = "
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
pub struct Kind {
    column: &'static str,
    pub cast: &'static str,
    class: &'static str,
    pub metrics: [&'static str; 2],
    pub operators: [&'static str; 2],
    function: &'static str,
    /// Rows of the table, in units.
    unit: i64,
    shard_size: &'static str,
}

impl Kind {
    /// Whether there are functions and operators for all that is within a radius.
    pub fn has_thresholds(&self) -> bool {
        !["own", "sparsevec"].contains(&self.class)
    }

    /// A value, in SQL.
    pub fn value(&self, id: &str) -> String {
        format!("{}({id})::{}", self.function, self.cast)
    }

    /// Inserts `count` units of rows, from this unit on.
    pub fn insert(&self, first: i64, count: i64) -> String {
        let (first, last) = (first * self.unit + 1, (first + count) * self.unit);
        let value = self.value("id");
        format!("INSERT INTO t SELECT id, {value} FROM generate_series({first}, {last}) id")
    }
}

pub const ARRAY: Kind = Kind {
    column: "real[]",
    cast: "real[]",
    class: "real",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "vec",
    unit: 1000,
    shard_size: "256kB",
};
pub const VECTOR: Kind = Kind {
    column: "vector(32)",
    cast: "vector",
    class: "vector",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "vec",
    unit: 1000,
    shard_size: "256kB",
};
pub const HALF_VECTOR: Kind = Kind {
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
pub const BY_FUNCTION: Kind = Kind {
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
pub const SPARSE_VECTOR: Kind = Kind {
    column: "sparsevec(32)",
    cast: "sparsevec",
    class: "sparsevec",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "vec",
    unit: 300,
    shard_size: "256kB",
};
/// Metrics that pgvector does not have. The distances take longer, so there are fewer rows, in smaller shards.
pub const WEIGHTS: Kind = Kind {
    metrics: ["jensen_shannon", "pearson"],
    operators: ["<||>", "<=~>"],
    function: "weights",
    unit: 300,
    shard_size: "128kB",
    ..ARRAY
};
pub const PLACE: Kind = Kind {
    metrics: ["haversine", "l2"],
    operators: ["<^>", "<->"],
    function: "place",
    ..WEIGHTS
};
pub const HALF_WEIGHTS: Kind = Kind {
    metrics: WEIGHTS.metrics,
    operators: WEIGHTS.operators,
    function: "weights",
    unit: WEIGHTS.unit,
    shard_size: WEIGHTS.shard_size,
    ..HALF_VECTOR
};
pub const LONG_ARRAY: Kind = Kind {
    column: "real[]",
    cast: "real[]",
    class: "real",
    metrics: ["l2", "cosine"],
    operators: ["<->", "<=>"],
    function: "long_vec",
    unit: 100,
    shard_size: "1MB",
};
pub const LONG_VECTOR: Kind = Kind {
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
pub fn has_pgvector(client: &mut Client) -> bool {
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
pub fn cluster_for(kinds: &[Kind], own: usize) -> (Cluster, &[Kind]) {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute(FUNCTIONS).expect("functions");
    let count = if has_pgvector(&mut client) { kinds.len() } else { own };
    (cluster, &kinds[..count])
}

/// A table of a kind with two indexes, of several shards and a tail.
pub fn create(client: &mut Client, kind: &Kind) {
    let Kind {
        column,
        class,
        metrics: [first_metric, second_metric],
        shard_size,
        ..
    } = kind;
    let (first, second) = (kind.insert(0, 4), kind.insert(4, 1));
    let [nulls_before, nulls_after] =
        [-20, -40].map(|from| format!("INSERT INTO t SELECT i, NULL FROM generate_series({from}, {from} + 19) i"));
    each(
        client,
        &format!(
            "DROP TABLE IF EXISTS t;
             CREATE TABLE t (id bigint PRIMARY KEY, v {column});
             {nulls_before};
             {first};
             {nulls_after};
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
    let (mut index, mut truth) = clients_of(connector, "postgres");
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
pub fn assert_answers(connector: &Connector, kind: &Kind) {
    let (mut index, mut truth) = clients_of(connector, "postgres");
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

pub fn assert_good(cluster: &Cluster, kind: &Kind) {
    assert_answers(&cluster.connector(), kind);
    if kind.has_thresholds() {
        assert_thresholds(&cluster.connector(), kind);
    }
    let mut client = cluster.client();
    assert_sound(&mut client, "t_first");
    assert_sound(&mut client, "t_second");
    assert_no_orphans(cluster, &mut client);
}
