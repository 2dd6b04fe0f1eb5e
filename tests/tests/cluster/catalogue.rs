//! The catalogue of `examples/catalogue`: answers, rules, and assets that are whole at every moment.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use cluster_tests::search::{each, value};
use cluster_tests::{Cluster, Connector, Random, wait_until};
use flate2::read::GzDecoder;
use postgres::Client;
use postgres::error::SqlState;

/// What search must return: every unit within reach, grouped and sorted.
const PLAIN: &str = r"
    CREATE FUNCTION pg_temp.plain(query jsonb, max_results int) RETURNS TABLE (iscc_id iscc_id, score float8, types jsonb)
    LANGUAGE sql AS $$
      SELECT h.iscc_id, iscc_score(s ORDER BY s DESC), jsonb_object_agg(unit_type, s) FROM (
        SELECT u.iscc_id, u.unit_type, max(1 - (u.body <~> q.body)) AS s
          FROM catalogue.units_of((catalogue.resolve(query)).query) q JOIN catalogue.unit u
            ON u.unit_type = q.unit_type
               AND nphd_within(u.body, q.body, CASE q.unit_type WHEN 'INSTANCE_NONE_V0' THEN 0 ELSE 0.25 END)
         GROUP BY 1, 2) h
       WHERE h.iscc_id::text IS DISTINCT FROM query->>'iscc_id'
       GROUP BY 1 ORDER BY 2 DESC, sum(s ORDER BY s DESC) DESC, 1 LIMIT max_results $$";

/// Queries whose answers differ from those computed beforehand, whose scores have nine digits.
const WRONG: &str = r"
    SELECT count(*) FROM golden, unnest('{10,100}'::int[]) AS l (k) WHERE line ? 'query' AND (
      (SELECT jsonb_agg(e ORDER BY i) FROM jsonb_array_elements(line->'assets') WITH ORDINALITY a (e, i) WHERE i <= k)
        IS DISTINCT FROM
      (SELECT jsonb_agg(jsonb_build_array(iscc_id, round(score::numeric, 9),
                (SELECT jsonb_object_agg(key, round(value::numeric, 9)) FROM jsonb_each(types))) ORDER BY i)
         FROM catalogue.search(line->'query', k) WITH ORDINALITY s (iscc_id, score, types, i))
      OR line ? 'chunks' AND
      (SELECT jsonb_agg(e ORDER BY i) FROM jsonb_array_elements(line->'chunks') WITH ORDINALITY a (e, i) WHERE i <= k)
        IS DISTINCT FROM
      (SELECT jsonb_agg(jsonb_build_array(iscc_id, round(score::numeric, 9), matches) ORDER BY i)
         FROM catalogue.search_chunks(line->'query', k) WITH ORDINALITY s (iscc_id, score, matches, i)
        WHERE i <= jsonb_array_length(line->'chunks'))
      OR (SELECT count(*) FROM catalogue.search(line->'query', 10000)) <> (line->'total')::int)";

const SEAL: &str = "
    SELECT sum(usearch_seal(i.indexrelid)) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid
      JOIN pg_am a ON a.oid = relam AND amname = 'usearch' WHERE relkind = 'i'";

fn project(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A server with an empty catalogue.
fn catalogue() -> Cluster {
    let cluster = Cluster::start();
    let schema = std::fs::read_to_string(project("examples/catalogue/schema.sql")).expect("the schema");
    cluster.client().batch_execute(&schema).expect("the schema");
    cluster
}

/// Entries of 2,000 real assets and queries with their answers, in the table `golden`; a program in Python computed the
/// answers from the definitions, comparing all pairs.
fn golden(client: &mut Client) {
    let file = std::fs::File::open(project("tests/data/catalogue.jsonl.gz")).expect("the file");
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    let sql = "CREATE TABLE golden AS SELECT n, l::jsonb AS line
                 FROM string_to_table(rtrim($1, E'\\n'), E'\\n') WITH ORDINALITY AS l (l, n)";
    client.execute(sql, &[&text]).expect("lines");
}

fn count(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).expect("a number").get(0)
}

/// Scores and order, before and after shards are built; and the plain statement on other queries.
#[test]
fn answers() {
    let cluster = catalogue();
    let mut client = cluster.client();
    golden(&mut client);
    client.batch_execute(PLAIN).expect("plain");
    each(
        &mut client,
        "SELECT catalogue.declare(line->'entry') FROM golden WHERE line ? 'entry'",
    );
    let plain = "
        SELECT count(*) FROM golden, unnest('{1,7,100,3000}'::int[]) limits,
          LATERAL (SELECT line->'entry' || '{\"iscc_id\":null}' AS whole,
                          jsonb_build_object('iscc_id', line->'entry'->'iscc_id') AS by_id,
                          jsonb_build_object('units', (line->'entry'->'units') - 0) AS untitled,
                          jsonb_build_object('units', (SELECT jsonb_agg(iscc_encode(unit_type, prefix(body, 64)))
                            FROM catalogue.units_of(line->'entry'))) AS short) e,
          LATERAL (VALUES (whole), (by_id), (untitled), (short)) q (query)
         WHERE line ? 'entry' AND n % 100 = 1 AND
           (SELECT jsonb_agg(s) FROM catalogue.search(query, limits) s) IS DISTINCT FROM
           (SELECT jsonb_agg(s) FROM pg_temp.plain(query, limits) s)";
    for prepare in ["ANALYZE", "VACUUM", SEAL, "VACUUM ANALYZE"] {
        each(&mut client, prepare);
        assert_eq!(count(&mut client, WRONG), 0, "after {prepare}");
        assert_eq!(count(&mut client, plain), 0, "after {prepare}");
    }
    // They can fail.
    each(
        &mut client,
        "SELECT catalogue.forget(iscc_id) FROM catalogue.asset
            WHERE iscc_id::text NOT IN (SELECT line->'query'->>'iscc_id' FROM golden WHERE line->'query' ? 'iscc_id')",
    );
    assert!(count(&mut client, WRONG) > 0);
}

/// Entries of one asset. All units have 256 bits: none is a prefix of another entry's, which would leave that in place.
fn versions(client: &mut Client) -> Vec<String> {
    golden(client);
    let sql = r#"SELECT (line->'entry' || '{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA"}')::text FROM golden
                  WHERE line ? 'entry' AND jsonb_array_length(line->'entry'->'simprints'->'CONTENT_TEXT_V0') BETWEEN 3 AND 20
                    AND NOT line->'entry' @? '$.units[*] ? (!(@ like_regex "^.{60}$"))'
                  ORDER BY n LIMIT 40"#;
    client
        .query(sql, &[])
        .expect("entries")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// The asset as it is stored and as it was declared, without the order of its parts.
const SAME: &str = "
    (SELECT array_agg(u ORDER BY u) FROM jsonb_array_elements(stored->'units') u)
      = (SELECT array_agg(u ORDER BY u) FROM jsonb_array_elements(declared->'units') u)
    AND (SELECT array_agg(DISTINCT s ORDER BY s) FROM jsonb_array_elements(stored->'simprints'->'CONTENT_TEXT_V0') s)
      = (SELECT array_agg(DISTINCT s ORDER BY s) FROM jsonb_array_elements(declared->'simprints'->'CONTENT_TEXT_V0') s)";

/// Each statement and what it returns, or the SQLSTATE of its error.
#[test]
fn rules() {
    let cluster = catalogue();
    let mut client = cluster.client();
    let cases = include_str!("catalogue/rules.sql");
    let mut state = String::new();
    for (number, case) in cases.split("\n\n").enumerate() {
        let (statement, expected) = case.trim().rsplit_once("\n-- ").expect("a statement and its result");
        let result = match client.query_one(statement, &[]) {
            Ok(row) => row.get::<_, Option<String>>(0).unwrap_or("NULL".into()),
            Err(error) => error.code().map_or(error.to_string(), |code| code.code().to_string()),
        };
        assert_eq!(result, expected.trim(), "case {number}: {statement}");
        // An error changes nothing.
        let whole = "SELECT coalesce(md5(string_agg(catalogue.entry(iscc_id)::text || xmin, '' ORDER BY iscc_id)), '') FROM catalogue.asset";
        let now = value(&mut client, whole);
        if result.len() == 5 && result != "false" {
            assert_eq!(now, state, "case {number}: {statement}");
        }
        state = now;
    }
}

/// What was acknowledged is there after `kill -9`, and nothing that is there is a part.
#[test]
fn killed_in_the_middle_of_declarations() {
    let mut cluster = catalogue();
    let mut client = cluster.client();
    golden(&mut client);
    let entries: Vec<String> = client
        .query(
            "SELECT (line->'entry')::text FROM golden WHERE line ? 'entry' ORDER BY n",
            &[],
        )
        .expect("entries")
        .iter()
        .map(|row| row.get(0))
        .collect();
    for round in 0..3 {
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = entries
            .chunks(entries.len() / 2)
            .map(|entries| {
                let (connector, entries, acknowledged) = (cluster.connector(), entries.to_vec(), acknowledged.clone());
                thread::spawn(move || declare_until_killed(&connector, &entries, &acknowledged))
            })
            .collect();
        wait_until("assets are declared", || {
            acknowledged.lock().unwrap().len() > 150 * (round + 1)
        });
        cluster.kill9_postmaster();
        threads.into_iter().for_each(|thread| thread.join().expect("a thread"));
        cluster.start_server();
        let mut client = cluster.client();
        let declared = acknowledged.lock().unwrap().clone();
        let sql = "SELECT count(*) FROM unnest($1::text[]) d WHERE NOT EXISTS (
                     SELECT FROM catalogue.asset WHERE iscc_id::text = d::jsonb->>'iscc_id')";
        let lost: i64 = client.query_one(sql, &[&declared]).expect("count").get(0);
        assert_eq!(lost, 0, "lost assets");
        assert_whole(&mut client);
        each(&mut client, SEAL);
        assert_eq!(
            cluster.psql("SELECT count(*) FROM usearch_check('catalogue.unit_data_body', true)"),
            "0"
        );
    }
}

fn declare_until_killed(connector: &Connector, entries: &[String], acknowledged: &Mutex<Vec<String>>) {
    let mut client = connector.client();
    for entry in entries {
        if client
            .execute("SELECT catalogue.declare($1::text::jsonb)", &[entry])
            .is_err()
        {
            return;
        }
        acknowledged.lock().unwrap().push(entry.clone());
    }
}

/// Each asset is what its entry in `golden` says, and no unit or simprint is without its asset.
fn assert_whole(client: &mut Client) {
    let parts = format!(
        "SELECT count(*) FROM (SELECT line->'entry' AS declared, catalogue.entry(iscc_id) AS stored FROM catalogue.asset
            LEFT JOIN golden ON line->'entry'->>'iscc_id' = iscc_id::text) e WHERE ({SAME}) IS NOT TRUE"
    );
    assert_eq!(count(client, &parts), 0, "parts of assets");
    let orphans =
        "SELECT count(*) FROM (SELECT iscc_id FROM catalogue.unit UNION ALL SELECT iscc_id FROM catalogue.simprint) p
                    WHERE NOT EXISTS (SELECT FROM catalogue.asset a WHERE a.iscc_id = p.iscc_id)";
    assert_eq!(count(client, orphans), 0, "parts without an asset");
}

/// Sessions that declare and forget the same asset: it is always one of the entries, or none.
#[test]
fn declared_by_several_at_once() {
    let cluster = catalogue();
    let mut client = cluster.client();
    let versions = versions(&mut client);
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let (mut client, versions, stop) = (cluster.client(), versions.clone(), stop.clone());
            thread::spawn(move || {
                let mut random = Random(number);
                while !stop.load(Ordering::Relaxed) {
                    let result = if random.below(8) == 0 {
                        client.execute("SELECT catalogue.forget('ISCC:MAIGIIFJRDGEQQAA')", &[])
                    } else {
                        let version = &versions[random.below(versions.len())];
                        client.execute("SELECT catalogue.declare($1::text::jsonb)", &[version])
                    };
                    result.expect("no error, whoever else is there");
                }
            })
        })
        .collect();
    let sql = format!(
        "SELECT count(*) FROM (SELECT catalogue.entry('ISCC:MAIGIIFJRDGEQQAA') AS stored OFFSET 0) e
          WHERE stored IS NOT NULL AND NOT EXISTS (SELECT FROM (SELECT v::jsonb AS declared FROM unnest($1::text[]) v) d WHERE {SAME})"
    );
    for _ in 0..150 {
        let mixed: i64 = client.query_one(&sql, &[&versions]).expect("count").get(0);
        assert_eq!(mixed, 0, "a mixture of entries");
    }
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().expect("a thread"));
    // A unit that two sessions have inserted would be seen by the index only.
    assert_eq!(
        cluster.psql("SELECT count(*) FROM usearch_check('catalogue.unit_data_body', true)"),
        "0"
    );
}

/// A search beside deletions returns whole assets: with all their units, or not at all.
#[test]
fn searched_beside_deletions() {
    let cluster = catalogue();
    let mut client = cluster.client();
    golden(&mut client);
    each(
        &mut client,
        "SELECT catalogue.declare(line->'entry') FROM golden WHERE n <= 300",
    );
    let stop = Arc::new(AtomicBool::new(false));
    let deleting = {
        let (mut client, stop) = (cluster.client(), stop.clone());
        thread::spawn(move || {
            let mut random = Random(1);
            while !stop.load(Ordering::Relaxed) {
                let number = 1 + random.below(300) as i64;
                let sql = match random.below(2) {
                    0 => "SELECT catalogue.forget((line->'entry'->>'iscc_id')::iscc_id) FROM golden WHERE n = $1",
                    _ => "SELECT catalogue.declare(line->'entry') FROM golden WHERE n = $1",
                };
                client.execute(sql, &[&number]).expect("forget or declare");
            }
        })
    };
    let mut random = Random(2);
    let (mut whole, mut gone) = (0, 0);
    for round in 0..600 {
        let number = 1 + random.below(300) as i64;
        // Its own units are found in full.
        let sql = "SELECT (SELECT count(*) FROM jsonb_object_keys(types) t) FROM golden LEFT JOIN LATERAL
                     catalogue.search((line->'entry') - 'iscc_id', 1000) s ON s.iscc_id::text = line->'entry'->>'iscc_id'
                    WHERE n = $1";
        match client.query_one(sql, &[&number]).expect("a search").get::<_, i64>(0) {
            4 => whole += 1,
            0 => gone += 1,
            units => panic!("an asset with {units} of 4 units"),
        }
        if round % 200 == 100 {
            each(&mut client, SEAL);
        }
    }
    stop.store(true, Ordering::Relaxed);
    deleting.join().expect("a thread");
    assert!(whole > 0 && gone > 0, "{whole} found, {gone} not");
    assert_whole(&mut client);
    let unknown = client.query(
        "SELECT * FROM catalogue.search('{\"iscc_id\":\"ISCC:MAIGIIFJRDGEQQAA\"}')",
        &[],
    );
    assert_eq!(unknown.expect_err("unknown").code(), Some(&SqlState::NO_DATA_FOUND));
}
