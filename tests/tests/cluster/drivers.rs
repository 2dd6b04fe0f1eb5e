//! What drivers, dumps and updates need of types, casts and operators.

use cluster_tests::Cluster;
use cluster_tests::search::{each, explain, value};
use postgres::Client;
use postgres::types::Type;

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, code bitvec(64), bytes bytea);
     INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64), substr(sha256(i::text::bytea), 1, 8)
       FROM generate_series(1, 3000) i;
     CREATE INDEX t_code ON t USING usearch (code);
     CREATE INDEX t_btree ON t (code);
     ANALYZE t";

fn prepared(client: &mut Client) {
    client
        .batch_execute(
            "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; SET enable_bitmapscan = off",
        )
        .expect("SET");
}

/// Each way to pass a code, with each operator that an index serves: the same answer as a literal of the type has, and
/// by that index.
#[test]
fn parameters_of_all_types() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, SETUP);
    prepared(&mut client);
    let statements = [
        ("SELECT id FROM t ORDER BY code <~> {p} LIMIT 3", "t_code"),
        ("SELECT id FROM t ORDER BY {p} <~> code LIMIT 3", "t_code"),
        ("SELECT id FROM t WHERE nphd_within(code, {p}, 0.05)", "t_code"),
        ("SELECT id FROM t WHERE nphd_within({p}, code, 0.05)", "t_code"),
        ("SELECT id FROM t WHERE hamming_within(code, {p}, 3)", "t_code"),
        ("SELECT id FROM t WHERE code <~> {p} <= 0.05", "t_code"),
        ("SELECT id FROM t WHERE code <@ nphd_ball({p}, 0.05)", "t_code"),
        ("SELECT id FROM t WHERE code = {p}", "t_btree"),
        ("SELECT id FROM t WHERE {p} = code", "t_btree"),
        ("SELECT id FROM t WHERE code IN ({p})", "t_btree"),
        (
            "SELECT id FROM t WHERE code IS NOT DISTINCT FROM {p} AND code >= {p}",
            "t_btree",
        ),
        ("SELECT id FROM t WHERE code BETWEEN {p} AND {p}", "t_btree"),
        ("SELECT id FROM t WHERE code = ANY (ARRAY[{p}, {p}])", "t_btree"),
        ("SELECT id FROM t WHERE (code, id) = ({p}, 7)", "t_"),
        (
            "SELECT id FROM t WHERE code = COALESCE({p}, code) AND code = {p}",
            "t_btree",
        ),
    ];
    let code: Vec<u8> = value(&mut client, "SELECT code::bytea FROM t WHERE id = 7");
    for (statement, index) in statements {
        let with_literal = statement.replace("{p}", "(SELECT code FROM t WHERE id = 7)");
        let rows = client
            .query(&with_literal, &[])
            .unwrap_or_else(|e| panic!("{with_literal}: {e:?}"));
        let expected: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        assert!(expected.contains(&7), "{statement}: {expected:?}");
        // As drivers do that declare the types of their parameters, and with a cast in the statement.
        for parameter in ["$1", "$1::bytea", "$1::bitvec"] {
            let sql = statement.replace("{p}", parameter);
            let prepared = client
                .prepare_typed(&sql, &[Type::BYTEA])
                .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
            let rows = client.query(&prepared, &[&code]).expect("query");
            let found: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(found, expected, "{sql}");
        }
        let plan = explain(
            &mut client,
            &statement.replace("{p}", &format!("'\\x{}'::bytea", hex(&code))),
        );
        assert!(plan.contains(index), "{statement}\n{plan}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Operators and functions of bytea mean what they meant, whatever our casts are.
#[test]
fn bytea_keeps_its_own() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, SETUP);
    for (expression, result) in [
        ("pg_typeof(bytes || bytes)", "bytea"),
        ("pg_typeof(bytes || '\\x00')", "bytea"),
        ("pg_typeof('\\x00' || bytes)", "bytea"),
        ("pg_typeof(code || '\\x00')", "bitvec"),
        ("pg_typeof(COALESCE(bytes, '\\x00'))", "bytea"),
        ("pg_typeof(substr(bytes, 1, 2))", "bytea"),
        ("pg_typeof(substr(code, 1, 2))", "bytea"),
        ("length(bytes)", "8"),
        ("length(code)", "64"),
        ("length(''::bytea)", "0"),
        ("octet_length(code)", "8"),
        ("bytes = '\\x00'", "false"),
        ("bytes > '\\x00'", "true"),
        ("bytes = code", "true"),
        ("code = bytes", "true"),
        ("md5(bytes) = md5(code)", "true"),
        ("encode(bytes, 'hex') = encode(code, 'hex')", "true"),
        ("sha256(bytes) = sha256(code)", "true"),
        ("bit_count(bytes) = bit_count(code)", "true"),
        ("get_byte(code, 0) = get_byte(bytes, 0)", "true"),
        ("pg_typeof(COALESCE(code, bytes))", "bitvec"),
        ("GREATEST(bytes, '\\x00') = bytes", "true"),
    ] {
        let sql = format!("SELECT ({expression})::text FROM t WHERE id = 1");
        assert_eq!(value::<String>(&mut client, &sql), result, "{expression}");
    }
    // An index of bytea serves its own type as before.
    each(
        &mut client,
        "CREATE INDEX t_bytes ON t (bytes); SET enable_seqscan = off; SET enable_bitmapscan = off",
    );
    let plan = explain(&mut client, "SELECT id FROM t WHERE bytes = '\\x00'::bytea");
    assert!(plan.contains("t_bytes"), "{plan}");
}

/// Views, triggers and more in which equality has no name that a dump could qualify.
const NAMELESS: &str = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
     CREATE TRIGGER a BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.code IS DISTINCT FROM NEW.code) EXECUTE FUNCTION f();
     CREATE TRIGGER b BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION f();
     CREATE VIEW v_using AS SELECT a.id, b.id AS other FROM t a JOIN t b USING (code);
     CREATE VIEW v_natural AS SELECT id FROM t NATURAL JOIN (SELECT code FROM t WHERE id < 9) s;
     CREATE VIEW v_nullif AS SELECT nullif(code, '\\x00') AS code FROM t;
     CREATE VIEW v_case AS SELECT CASE code WHEN '\\x00' THEN 1 END AS x FROM t;
     CREATE VIEW v_in AS SELECT id FROM t WHERE code IN ('\\x00', '\\x01');
     CREATE VIEW v_in_select AS SELECT id FROM t WHERE code IN (SELECT code FROM t WHERE id > 1);
     CREATE VIEW v_any AS SELECT id FROM t WHERE code = ANY (ARRAY['\\x00'::bitvec]);
     CREATE VIEW v_row AS SELECT id FROM t WHERE (code, id) = ('\\x01', 1);
     CREATE VIEW v_between AS SELECT id FROM t WHERE code BETWEEN '\\x01' AND '\\x02';
     CREATE VIEW v_distinct AS SELECT DISTINCT code FROM t;
     CREATE VIEW v_group AS SELECT code, count(*) FROM t GROUP BY code;
     CREATE VIEW v_order AS SELECT id FROM t ORDER BY code <~> '\\x01' LIMIT 3;
     CREATE VIEW v_within AS SELECT id FROM t WHERE nphd_within(code, '\\x01', 0.1) AND code <~> '\\x01' < 0.05;
     CREATE VIEW v_bits AS SELECT code & '\\x0000000000000000' AS c, get_bit(code, 1) AS b, ~ code AS n FROM t;
     CREATE VIEW v_min AS SELECT min(code), max(code), majority(code) FROM t;
     CREATE VIEW v_bytea AS SELECT md5(code), encode(code, 'hex') FROM t;
     CREATE MATERIALIZED VIEW mv AS SELECT a.id FROM t a WHERE a.code IS NOT DISTINCT FROM '\\x01';
     CREATE TABLE balls (ball bitvec_ball UNIQUE, CHECK (ball IS DISTINCT FROM '(\\x00,0.5)'));
     CREATE VIEW v_ball AS SELECT a.ball FROM balls a JOIN balls b USING (ball);
     CREATE TABLE checked (code bitvec CHECK (code IS DISTINCT FROM '\\x00'), old bytea DEFAULT '\\x01'::bitvec)";

/// A dump restores all of it, though it sets an empty search path, and the restored objects give the same answers.
#[test]
fn a_dump_restores_equality_without_a_name() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, SETUP);
    client.batch_execute(NAMELESS).expect("objects");
    client
        .batch_execute("INSERT INTO balls VALUES ('(\\xff,0.25)')")
        .expect("INSERT");
    let dump = cluster.beside("nameless.sql");
    let file = dump.to_str().expect("UTF-8");
    cluster.run("pg_dump", &["--file", file]);
    client
        .batch_execute("CREATE DATABASE restored")
        .expect("CREATE DATABASE");
    cluster.run(
        "psql",
        &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "restored", "-f", file],
    );
    let mut restored = cluster.connector().client_of("restored");
    let views = "SELECT string_agg(relname, ',' ORDER BY relname COLLATE \"C\") FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE objid = pg_class.oid AND deptype = 'e')";
    let names: String = value(&mut client, views);
    assert_eq!(value::<String>(&mut restored, views), names);
    assert!(names.split(",").count() > 17, "{names}");
    for view in names.split(',') {
        let sql = format!("SELECT COALESCE(md5(string_agg(v::text, ' ' ORDER BY v::text)), '') FROM {view} v");
        assert_eq!(
            value::<String>(&mut restored, &sql),
            value::<String>(&mut client, &sql),
            "{view}"
        );
    }
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass";
    assert_eq!(value::<i64>(&mut restored, triggers), 2);
}

/// Beside pgvector, which has operators and functions of the same names for `bit`: in a schema of its own, whatever the
/// order of the search path, and in the same schema.
#[test]
fn beside_pgvector() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let is_there = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')";
    if !value::<bool>(&mut client, is_there) {
        eprintln!("this PostgreSQL has no pgvector: not tested");
        return;
    }
    each(
        &mut client,
        "DROP EXTENSION iscc_usearch; CREATE EXTENSION vector;
         CREATE SCHEMA codes; CREATE EXTENSION iscc_usearch SCHEMA codes;
         CREATE TABLE t (id int, code codes.bitvec(64), bits bit(64));
         INSERT INTO t SELECT i, c, c::bit(64) FROM (
             SELECT i, codes.prefix(sha256(i::text::bytea)::codes.bitvec, 64) AS c FROM generate_series(1, 2000) i) s;
         CREATE INDEX t_code ON t USING usearch (code);
         CREATE INDEX t_bits ON t USING hnsw (bits bit_hamming_ops);
         ANALYZE t; SET enable_seqscan = off",
    );
    for path in ["public, codes", "codes, public"] {
        each(&mut client, &format!("SET search_path = {path}"));
        assert_beside_pgvector(&mut client, path);
    }
    each(
        &mut client,
        "SET search_path = public; ALTER EXTENSION iscc_usearch SET SCHEMA public",
    );
    assert_beside_pgvector(&mut client, "public alone");
    // Where nothing says which type is meant, nobody can: a cast or a column tells.
    for untyped in ["hamming_distance('\\x0f', '\\x0f')", "'\\x0f' <~> '\\x0f'"] {
        assert!(client.query(&format!("SELECT {untyped}"), &[]).is_err(), "{untyped}");
    }
}

fn assert_beside_pgvector(client: &mut Client, path: &str) {
    for (order, index) in [
        ("code <~> '\\x00ff00ff00ff00ff'", "t_code"),
        ("code <~> '\\x00ff00ff00ff00ff'::bytea", "t_code"),
        (
            "bits <~> B'0000000011111111000000001111111100000000111111110000000011111111'",
            "t_bits",
        ),
    ] {
        let sql = format!("SELECT id FROM t ORDER BY {order} LIMIT 1");
        let plan = explain(client, &sql);
        assert!(plan.contains(index), "{path}: {sql}\n{plan}");
        value::<i32>(client, &sql);
    }
    for (expression, result) in [
        (
            "hamming_distance(code, '\\x00ff00ff00ff00ff')::int = bit_count(code # '\\x00ff00ff00ff00ff')",
            true,
        ),
        ("hamming_distance(bits, bits) = 0", true),
        ("jaccard_distance(code, code) = 0", true),
        ("jaccard_distance(bits, bits) = 0", true),
        ("'\\x0f'::bitvec <~> '\\xff' = 0.5", true),
        ("B'00001111' <~> B'11111111' = 4", true),
        ("nphd_distance('\\x0f', '\\xff') = 0.5", true),
        ("nphd_within('\\x0f', '\\xff', 0.5)", true),
    ] {
        let sql = format!("SELECT {expression} FROM t WHERE id = 1");
        assert_eq!(value::<bool>(client, &sql), result, "{path}: {expression}");
    }
}
