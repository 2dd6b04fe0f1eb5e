//! What an index is doing when a process ends: how to bring an index there, and the statement that does it.

use cluster_tests::Random;
use cluster_tests::codes::literal;
use cluster_tests::search::{each, value};
use postgres::Client;

/// A step of an index's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Rows come, and with them pages.
    Insert,
    /// The relation grows.
    Grow,
    /// The tail becomes a shard.
    Seal,
    /// Four shards become one.
    Merge,
    /// The entries alive of mostly dead shards move to other blocks.
    Move,
    /// The blocks of a shard without entries alive become free.
    Free,
    /// What a move left behind, when an error ended it, is cleared away.
    Leftover,
    /// A directory of several pages is written to other pages.
    Chain,
    /// What stands at the end of a file that is mostly free moves down, and the file is cut.
    Shrink,
    /// Vectors come that span pages.
    InsertSpans,
    /// The entries alive of a mostly dead shard of such vectors move to other blocks.
    MoveSpans,
    /// VACUUM marks entries.
    Vacuum,
    /// A file is removed that a seal has written and, when an error ended it, not listed.
    Sweep,
}

/// Tables of the cluster. All stages work on `t`, but for those that need a fresh index, which is `d`'s, and those
/// about vectors of 3,072 numbers, which take two pages each.
pub const TABLES: &str = "
    CREATE TABLE t (id bigint PRIMARY KEY, code bitvec(256));
    CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '256kB');
    CREATE TABLE d (id bigint PRIMARY KEY, code bitvec(256));
    CREATE INDEX d_code ON d USING usearch (code) WITH (shard_size = '64MB');
    CREATE TABLE s (id bigint PRIMARY KEY, code real[]);
    CREATE INDEX s_code ON s USING usearch (code real_l2_ops) WITH (shard_size = '512kB');
    CREATE FUNCTION long(seed bigint) RETURNS real[] LANGUAGE sql IMMUTABLE AS
        'SELECT array_agg((hashint4extended(i, seed) % 1000)::real ORDER BY i) FROM generate_series(1, 3072) i';
    CREATE SEQUENCE ids";

/// Tables that have codes, and all tables.
pub const CODE_TABLES: [&str; 2] = ["t", "d"];
pub const ALL_TABLES: [&str; 3] = ["t", "d", "s"];

/// The distance of a table's rows to something.
pub fn distance(table: &str, random: &mut Random) -> String {
    match table {
        "s" => format!("code <-> (SELECT long({}))", random.below(500)),
        _ => {
            let bytes = 8 * (1 + random.below(4));
            format!("code <~> {}", literal(&random.bytes(bytes)))
        }
    }
}

/// Rows that make a worker start.
pub const TRIGGER_ROWS: i64 = 1_700;

/// More than two pages of the directory have room for.
const MANY_SEGMENTS: usize = 420;

/// Inserts codes of all lengths, or vectors, with a NULL now and then.
pub fn insert(table: &str, rows: i64) -> String {
    if table == "s" {
        return format!(
            "INSERT INTO s SELECT id, CASE WHEN id % 20 > 0 THEN long(id) END
               FROM (SELECT nextval('ids') id FROM generate_series(1, {rows})) n"
        );
    }
    format!(
        "INSERT INTO {table}
         SELECT id, CASE WHEN id % 50 > 0 THEN substr(sha256(id::text::bytea), 1, (8 * (1 + id % 4))::int)::bitvec END
           FROM (SELECT nextval('ids') id FROM generate_series(1, {rows})) n"
    )
}

/// Deletes about so many of 100 rows.
fn delete(table: &str, percent: usize, random: &mut Random) -> String {
    let salt = random.below(1_000_000);
    format!("DELETE FROM {table} WHERE abs(hashint8(id + {salt})) % 100 < {percent}")
}

impl Stage {
    /// The table that the stage is about.
    pub fn table(self) -> &'static str {
        match self {
            Stage::Grow | Stage::Chain | Stage::Shrink => "d",
            Stage::InsertSpans | Stage::MoveSpans => "s",
            _ => "t",
        }
    }

    /// Brings the index to where the stage can begin. The session has no background worker.
    pub fn prepare(self, client: &mut Client, by_worker: bool, random: &mut Random) {
        if value::<i64>(client, "SELECT count(*) FROM t") > 5_000 {
            each(client, &delete("t", 70, random));
        }
        if random.below(8) == 0 {
            each(client, "CHECKPOINT");
        }
        match self {
            Stage::Insert => {}
            Stage::InsertSpans => each(client, &delete("s", 30, random)),
            Stage::MoveSpans => {
                each(client, &format!("{}; SELECT usearch_seal('s_code')", insert("s", 60)));
                each(client, &delete("s", 65, random));
            }
            Stage::Grow => {
                each(
                    client,
                    &format!("TRUNCATE d; {}; SELECT usearch_seal('d_code')", insert("d", 900)),
                );
                each(client, &delete("d", 60, random));
            }
            // More than one shard's worth: so much is due for the worker.
            Stage::Seal => each(client, &insert("t", if by_worker { 1_600 } else { 600 })),
            Stage::Merge => {
                each(client, "VACUUM t; SELECT usearch_compact('t_code')");
                for _ in 0..4 {
                    each(client, &format!("{}; SELECT usearch_seal('t_code')", insert("t", 100)));
                }
            }
            Stage::Move => {
                each(
                    client,
                    &format!("{}; SELECT usearch_seal('t_code')", insert("t", 1_200)),
                );
                each(client, &delete("t", 65, random));
            }
            Stage::Free => {
                each(client, "VACUUM t; SELECT usearch_compact('t_code')");
                let last: i64 = value(client, "SELECT last_value FROM ids");
                each(client, &format!("{}; SELECT usearch_seal('t_code')", insert("t", 300)));
                each(client, &format!("DELETE FROM t WHERE id > {last}"));
            }
            Stage::Leftover => {
                Stage::Move.prepare(client, by_worker, random);
                each(client, "SET iscc_usearch.failpoint = 'move_between_pages:error'");
                client
                    .batch_execute("VACUUM t")
                    .expect_err("the failure point raises an error");
                each(client, "RESET iscc_usearch.failpoint");
            }
            Stage::Chain => {
                each(client, "TRUNCATE d");
                let many = format!(
                    "DO $$ BEGIN FOR i IN 1..{MANY_SEGMENTS} LOOP
                       INSERT INTO d VALUES (nextval('ids'), NULL);
                       PERFORM usearch_seal('d_code');
                     END LOOP; END $$"
                );
                client.batch_execute(&many).expect("many segments");
            }
            Stage::Shrink => {
                // Many blocks, quickly.
                let nulls = "INSERT INTO d SELECT nextval('ids'), NULL FROM generate_series(1, 40000)";
                each(client, &format!("TRUNCATE d; {nulls}; {}", insert("d", 500)));
                each(client, "DELETE FROM d WHERE id < (SELECT max(id) FROM d) - 700");
            }
            Stage::Vacuum => {
                each(client, &insert("t", 600));
                each(client, &delete("t", 20, random));
            }
            Stage::Sweep => {
                each(client, &insert("t", 50));
                each(client, "SET iscc_usearch.failpoint = 'shard_before_list:error'");
                client
                    .batch_execute("SELECT usearch_seal('t_code')")
                    .expect_err("the failure point raises an error");
                each(client, "RESET iscc_usearch.failpoint");
            }
        }
    }

    /// What does the step in a session.
    pub fn statements(self) -> String {
        match self {
            Stage::Insert => insert("t", 700),
            Stage::InsertSpans => insert("s", 30),
            Stage::MoveSpans => "VACUUM s; SELECT usearch_compact('s_code')".into(),
            Stage::Grow => insert("d", 3_000),
            Stage::Seal => "SELECT usearch_seal('t_code')".into(),
            Stage::Merge => "SELECT usearch_compact('t_code')".into(),
            Stage::Chain => "SELECT usearch_compact('d_code')".into(),
            Stage::Move | Stage::Leftover => "VACUUM t; SELECT usearch_compact('t_code')".into(),
            Stage::Free | Stage::Vacuum => "VACUUM t".into(),
            // Processes that work together cannot cut a file.
            Stage::Shrink => "VACUUM (PARALLEL 0) d".into(),
            Stage::Sweep => "SELECT usearch_sweep()".into(),
        }
    }

    /// What makes the background worker do the step, in a session that may start it; None when it never does.
    pub fn trigger(self) -> Option<String> {
        match self {
            Stage::Insert | Stage::Vacuum | Stage::Free | Stage::InsertSpans => None,
            // A VACUUM would sweep itself.
            Stage::Seal | Stage::Sweep => Some(insert("t", TRIGGER_ROWS)),
            Stage::Grow | Stage::Chain | Stage::Shrink => Some("VACUUM d".into()),
            Stage::Merge | Stage::Move | Stage::Leftover => Some("VACUUM t".into()),
            Stage::MoveSpans => Some("VACUUM s".into()),
        }
    }
}
