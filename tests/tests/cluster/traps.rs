//! The extension's schema belongs to somebody who puts functions and operators there that look like those which
//! scripts, function bodies and the library use: none of them is ever called.

use cluster_tests::search::{each, value};
use cluster_tests::{Cluster, wait_until};
use postgres::Client;
use postgres::error::SqlState;

const SET: &str = include_str!("traps/set.sql");
const USE: &str = include_str!("traps/use.sql");

/// What the extension has in its schema: kind, name, types of the arguments.
const MEMBERS: &str = "
    SELECT 'function' AS kind, proname::text AS name,
           ARRAY(SELECT format_type(type, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS a (type, n) ORDER BY n) AS types
      FROM pg_proc WHERE pronamespace = 'x'::regnamespace
    UNION ALL
    SELECT 'operator', oprname::text,
           ARRAY(SELECT format_type(type, NULL) FROM unnest(ARRAY[oprleft, oprright]) WITH ORDINALITY AS a (type, n)
                  WHERE type <> 0 ORDER BY n)
      FROM pg_operator WHERE oprnamespace = 'x'::regnamespace";

/// A server without the extension, whose schema x belongs to mallory.
fn prepare() -> (Cluster, Client) {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(
        &mut client,
        "CREATE TABLE codes AS SELECT i AS id, sha256(i::text::bytea) AS code FROM generate_series(1, 3000) i;
         DROP EXTENSION iscc_usearch;
         CREATE ROLE mallory;
         CREATE SCHEMA x AUTHORIZATION mallory",
    );
    (cluster, client)
}

/// The calls of traps so far.
fn calls(cluster: &Cluster) -> Vec<String> {
    let log = cluster.log();
    let calls = log.lines().filter(|line| line.contains("WARNING:  trap "));
    calls.map(str::to_string).collect()
}

fn set_traps(client: &mut Client, stand_ins: &str) {
    let sql = format!("SET ROLE mallory; SELECT workshop.set_traps({stand_ins}); RESET ROLE");
    client.batch_execute(&sql).expect("traps");
    let count: i64 = value(
        client,
        "SELECT count(*) FROM pg_proc WHERE proowner = 'mallory'::regrole",
    );
    assert!(count > 3000, "{count} functions");
}

/// Uses the whole extension, in a session that finds traps before anything else, and its worker with the same search
/// path.
fn use_everything(cluster: &Cluster) {
    let path = |path: &str| format!("ALTER DATABASE postgres SET search_path = {path}");
    each(&mut cluster.client(), &path("x, pg_catalog"));
    let mut client = cluster.client();
    let statements: Vec<&str> = USE.lines().filter(|line| !line.starts_with("--")).collect();
    each(&mut client, &statements.join("\n"));
    wait_until("the worker has sealed the tail", || {
        let sql = "SELECT tail_entries FROM x.usearch_index_stats('public.t_code'::pg_catalog.regclass)";
        value::<i64>(&mut client, sql) < 1000
    });
    let problems = client
        .query(
            "SELECT * FROM x.usearch_check('public.t_code'::pg_catalog.regclass, true)",
            &[],
        )
        .expect("check");
    assert!(problems.is_empty(), "{problems:?}");
    each(&mut client, "DROP TABLE public.t");
    each(&mut client, &path("DEFAULT"));
}

/// Everything is used after an installation among traps, and after an update among more.
#[test]
fn a_schema_full_of_traps() {
    let (cluster, mut client) = prepare();
    each(
        &mut client,
        &format!(
            "CREATE EXTENSION iscc_usearch SCHEMA x;
             CREATE SCHEMA workshop;
             CREATE TABLE workshop.taken AS {MEMBERS};
             DROP EXTENSION iscc_usearch;
             GRANT ALL ON SCHEMA workshop TO mallory;
             GRANT ALL ON workshop.taken TO mallory"
        ),
    );
    let unused: Vec<String> = client
        .query(
            "SELECT kind, name FROM workshop.taken WHERE types::text !~ 'internal|cstring' AND name !~ '^bitvec_'
                AND name !~ '^(iscc_id_(out|send|lt|le|eq|ne|ge|gt|cmp|hash|hash_extended|smaller|larger)|iscc_score_.*)$'",
            &[],
        )
        .expect("members")
        .iter()
        .map(|row| match row.get(0) {
            "function" => format!("x.{}(", row.get::<_, &str>(1)),
            _ => format!("OPERATOR(x.{})", row.get::<_, &str>(1)),
        })
        .filter(|call| !USE.contains(call.as_str()))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
    client.batch_execute(SET).expect("workshop");
    set_traps(&mut client, "'integer', 'oid', 'text'");
    // They do what they are for.
    client
        .batch_execute("SELECT x.unnest('{1}'::integer[])")
        .expect_err("a trap");
    assert_eq!(calls(&cluster).len(), 1);

    each(&mut client, "CREATE EXTENSION iscc_usearch SCHEMA x");
    use_everything(&cluster);
    assert_eq!(calls(&cluster).split_off(1), [""; 0], "after CREATE EXTENSION");

    each(
        &mut client,
        "DROP EXTENSION iscc_usearch; CREATE EXTENSION iscc_usearch SCHEMA x VERSION '0.1.0'",
    );
    set_traps(&mut client, "'x.bitvec', 'x.bitvec_ball'");
    each(&mut client, "ALTER EXTENSION iscc_usearch UPDATE");
    use_everything(&cluster);
    assert_eq!(calls(&cluster).split_off(1), [""; 0], "after ALTER EXTENSION UPDATE");
}

/// Between the installation of the library and ALTER EXTENSION UPDATE, what the library looks for is not there yet:
/// what stands in its place is not taken for it. The update then fails rather than leave somebody else's function
/// there.
#[test]
fn a_library_newer_than_its_script_calls_no_trap() {
    let (cluster, mut client) = prepare();
    let traps = [
        ("nphd_near(x.bitvec, x.bitvec, double precision)", "boolean"),
        ("nphd_within_unchecked(x.bitvec, x.bitvec, double precision)", "boolean"),
        ("nphd_radius(double precision)", "double precision"),
        ("nphd_ball_unchecked(x.bitvec, double precision)", "x.bitvec_ball"),
        ("hamming_ball(x.bitvec, integer)", "x.bitvec_ball"),
    ];
    each(
        &mut client,
        "CREATE EXTENSION iscc_usearch SCHEMA x VERSION '0.1.0';
         SET search_path = x, public;
         CREATE TABLE t (id int, code bitvec(256));
         INSERT INTO t SELECT id, code::bitvec FROM codes;
         CREATE INDEX t_code ON t USING usearch (code);
         CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM t WHERE id > 0;
         SET ROLE mallory",
    );
    for (signature, result) in traps {
        let create = format!(
            "CREATE FUNCTION x.{signature} RETURNS {result} LANGUAGE plpgsql IMMUTABLE AS
             $$BEGIN RAISE WARNING 'trap % was called', '{signature}'; RAISE EXCEPTION 'trapped'; END$$"
        );
        client.batch_execute(&create).expect(&create);
    }
    each(&mut client, "RESET ROLE; SET enable_seqscan = off");
    let finds_itself = |client: &mut Client| {
        for (table, condition) in [
            ("t", "code <~> (SELECT code::bitvec FROM codes WHERE id = 7) < 0.1"),
            ("t", "1 - (code <~> sha256('7')::bitvec) > 0.9"),
            ("barrier", "nphd_within(code, sha256('7')::bitvec, 0.1)"),
        ] {
            let sql = format!("SELECT array_agg(id) FROM {table} WHERE {condition}");
            assert_eq!(value::<Vec<i32>>(client, &sql), [7], "{sql}");
        }
    };
    finds_itself(&mut client);
    for (signature, _) in traps {
        let error = client
            .batch_execute("ALTER EXTENSION iscc_usearch UPDATE")
            .expect_err(signature);
        assert_eq!(
            error.code(),
            Some(&SqlState::DUPLICATE_FUNCTION),
            "{signature}: {error:?}"
        );
        each(&mut client, &format!("DROP FUNCTION x.{signature}"));
    }
    each(&mut client, "ALTER EXTENSION iscc_usearch UPDATE");
    finds_itself(&mut client);
    assert_eq!(calls(&cluster), [""; 0]);
}
