//! The kinds of values that sessions write and search for.

use cluster_tests::Random;
use cluster_tests::codes::{hex, literal};
use cluster_tests::search::each;
use postgres::Client;

/// A kind of values in column `code` of table `t`, which is indexed by `t_code`.
pub struct Kind {
    /// What to call it.
    pub name: &'static str,
    /// The table with its rows. Small shards and quick builds, so that maintenance never ends.
    table: &'static str,
    /// Builds `t_second`.
    pub second_index: &'static str,
    /// The operator.
    operator: &'static str,
    /// Whether rows can be asked for by a threshold.
    pub has_thresholds: bool,
    /// How much is done at once.
    pub sizes: Sizes,
    /// Numbers of a vector; 0 for codes.
    dimensions: usize,
}

/// Rows that one statement touches.
pub struct Sizes {
    /// Rows of an INSERT.
    pub inserts: [usize; 4],
    /// Per cent of the table that updated rows are taken from.
    pub sample: usize,
    /// Most rows of an UPDATE.
    pub updates: usize,
    /// Most rows of a DELETE.
    pub deletes: usize,
}

/// Codes of up to 256 bits.
pub const BITS: Kind = Kind {
    name: "codes",
    table: "
        CREATE TABLE t (id bigserial PRIMARY KEY, code bitvec(256));
        CREATE INDEX t_code ON t USING usearch (code) WITH (m = 6, ef_construction = 16, shard_size = '1MB');
        INSERT INTO t (code) SELECT substr(sha256(g::text::bytea), 1, 8)::bitvec FROM generate_series(1, 20000) g",
    second_index: "CREATE INDEX CONCURRENTLY t_second ON t USING usearch (code)
                     WITH (m = 4, ef_construction = 8, shard_size = '512kB')",
    operator: "<~>",
    has_thresholds: true,
    sizes: Sizes {
        inserts: [1, 10, 200, 2_000],
        sample: 1,
        updates: 50,
        deletes: 400,
    },
    dimensions: 0,
};

/// Vectors of which a page has many.
pub const VECTORS: Kind = Kind {
    name: "vectors",
    table: "
        CREATE TABLE t (id bigserial PRIMARY KEY, code real[]);
        CREATE INDEX t_code ON t USING usearch (code real_l2_ops) WITH (m = 6, ef_construction = 16, shard_size = '1MB');
        INSERT INTO t (code) SELECT near(g % 400, g % 64, g) FROM generate_series(1, 8000) g",
    second_index: "CREATE INDEX CONCURRENTLY t_second ON t USING usearch (code real_cosine_ops)
                     WITH (m = 4, ef_construction = 8, shard_size = '512kB')",
    operator: "<->",
    has_thresholds: false,
    sizes: Sizes {
        inserts: [1, 10, 200, 1_000],
        sample: 2,
        updates: 50,
        deletes: 400,
    },
    dimensions: 64,
};

/// Vectors that span two pages.
pub const SPANS: Kind = Kind {
    name: "vectors that span pages",
    table: "
        CREATE TABLE t (id bigserial PRIMARY KEY, code real[]);
        CREATE INDEX t_code ON t USING usearch (code real_l2_ops) WITH (m = 6, ef_construction = 16, shard_size = '1MB');
        INSERT INTO t (code) SELECT near(g % 400, g % 3072, g) FROM generate_series(1, 800) g",
    second_index: "CREATE INDEX CONCURRENTLY t_second ON t USING usearch (code real_cosine_ops)
                     WITH (m = 4, ef_construction = 8, shard_size = '512kB')",
    operator: "<->",
    has_thresholds: false,
    sizes: Sizes {
        inserts: [1, 5, 30, 150],
        sample: 20,
        updates: 15,
        deletes: 80,
    },
    dimensions: 3_072,
};

/// Vectors that only a function of a user's compares.
pub const BY_FUNCTION: Kind = Kind {
    name: "values compared by a function",
    table: "
        CREATE FUNCTION apart(real[], real[]) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
            SET search_path = pg_catalog AS 'SELECT $1 OPERATOR(public.<->) $2';
        CREATE OPERATOR <@@> (FUNCTION = apart, LEFTARG = real[], RIGHTARG = real[], COMMUTATOR = <@@>);
        CREATE OPERATOR CLASS apart_ops FOR TYPE real[] USING usearch AS
            OPERATOR 1 <@@> (real[], real[]) FOR ORDER BY float_ops, FUNCTION 1 apart(real[], real[]);
        CREATE TABLE t (id bigserial PRIMARY KEY, code real[]);
        CREATE INDEX t_code ON t USING usearch (code apart_ops) WITH (m = 6, ef_construction = 16, shard_size = '256kB');
        INSERT INTO t (code) SELECT near(g % 400, g % 16, g) FROM generate_series(1, 1000) g",
    second_index: "CREATE INDEX CONCURRENTLY t_second ON t USING usearch (code apart_ops)
                     WITH (m = 4, ef_construction = 8, shard_size = '128kB')",
    operator: "<@@>",
    has_thresholds: false,
    // Fewer than a build takes in the same time: 1,500 rows a second.
    sizes: Sizes {
        inserts: [1, 2, 5, 20],
        sample: 10,
        updates: 5,
        deletes: 100,
    },
    dimensions: 16,
};

/// Values of which all others are near-duplicates.
const POOL: usize = 400;

impl Kind {
    /// Creates table and index.
    pub fn create(&self, client: &mut Client) {
        if self.dimensions > 0 {
            let dimensions = self.dimensions;
            // A slice of a hash's bytes for each number would take the time of the whole test.
            each(
                client,
                &format!(
                    "CREATE TABLE pool (n int PRIMARY KEY, v real[]);
                     INSERT INTO pool
                     SELECT n, (SELECT array_agg((hashint4extended(i, n) % 1000)::real ORDER BY i)
                                  FROM generate_series(1, {dimensions}) i)
                       FROM generate_series(0, {POOL} - 1) n"
                ),
            );
            let near = format!(
                "CREATE FUNCTION near(n int, place int, number real) RETURNS real[] LANGUAGE sql STABLE STRICT AS $$
                     SELECT v[1:$2] || $3 || v[$2 + 2:{dimensions}] FROM pool WHERE pool.n = $1 $$"
            );
            client.batch_execute(&near).expect("near");
        }
        each(client, self.table);
    }
}

/// Where values come from.
#[derive(Clone)]
pub struct Values {
    kind: &'static Kind,
    /// Codes only; those of vectors are in a table.
    pool: Vec<Vec<u8>>,
}

impl Values {
    /// Those of a kind.
    pub fn new(kind: &'static Kind, random: &mut Random) -> Values {
        let mut code = || {
            let bytes = 8 * (1 + random.below(4));
            random.bytes(bytes)
        };
        let pool = std::iter::repeat_with(&mut code).take(POOL).collect();
        Values { kind, pool }
    }

    /// Which kind.
    pub fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// One of the pool with up to five bits flipped.
    fn code(&self, random: &mut Random) -> Vec<u8> {
        let mut code = self.pool[random.below(POOL)].clone();
        for _ in 0..[0, 0, 1, 2, 5][random.below(5)] {
            let bit = random.below(code.len() * 8);
            code[bit / 8] ^= 1 << (bit % 8);
        }
        code
    }

    /// The arguments of `near`: one of the pool with one number changed.
    fn vector(&self, random: &mut Random) -> String {
        let number = [0, 10, 1_000, 10_000][random.below(4)];
        let place = random.below(self.kind.dimensions);
        format!("{}, {place}, {number}", random.below(POOL))
    }

    /// Any value, in SQL.
    pub fn any(&self, random: &mut Random) -> String {
        match self.kind.dimensions {
            0 => literal(&self.code(random)),
            _ => format!("(SELECT near({}))", self.vector(random)),
        }
    }

    /// The distance to a value.
    pub fn distance(&self, value: &str) -> String {
        format!("code {} {value}", self.kind.operator)
    }

    /// An INSERT of this many rows, some of them NULL.
    pub fn insert(&self, rows: usize, random: &mut Random) -> String {
        let mut value = || match (random.below(50), self.kind.dimensions) {
            (0, 0) => "NULL".to_string(),
            (0, _) => "(NULL, 0, 0)".to_string(),
            (_, 0) => hex(&self.code(random)),
            (_, _) => format!("({})", self.vector(random)),
        };
        let values: Vec<String> = (0..rows.max(1)).map(|_| value()).collect();
        let values = values.join(",");
        match self.kind.dimensions {
            0 => format!(
                "INSERT INTO t (code) SELECT x::bitvec FROM unnest('{{{}}}'::text[]) x",
                values.replace('\\', "\\\\")
            ),
            _ => format!(
                "INSERT INTO t (code) SELECT near(n::int, place, number) FROM (VALUES {values}) AS v (n, place, number)"
            ),
        }
    }

    /// An INSERT of values that are no near-duplicates, or for vectors of equal ones.
    pub fn insert_others(&self, random: &mut Random) -> String {
        match self.kind.dimensions {
            0 => format!(
                "INSERT INTO t (code) SELECT substr(sha256((g::text || '{}')::bytea), 1, 8)::bitvec
                   FROM generate_series(1, 3000) g",
                random.bits()
            ),
            _ => format!(
                "INSERT INTO t (code) SELECT near({}) FROM generate_series(1, {}) g",
                self.vector(random),
                self.kind.sizes.inserts[2]
            ),
        }
    }
}
