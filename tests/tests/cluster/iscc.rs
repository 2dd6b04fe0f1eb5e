//! ISCC in SQL: vectors made by iscc-core 1.5.0, real codes, and strings that may be anything.

use std::io::Read;

use cluster_tests::search::{each, value};
use cluster_tests::{Cluster, Random, codes, number_from_environment};
use flate2::read::GzDecoder;
use postgres::Client;
use postgres::error::SqlState;

/// `pg_temp.state(statement)`: the SQLSTATE of its error, or NULL; `pg_temp.result(statement)`: its text, NULL at an
/// error.
const HELPERS: &str = r"
    CREATE FUNCTION pg_temp.state(statement text) RETURNS text LANGUAGE plpgsql AS $$
      BEGIN EXECUTE statement; RETURN NULL; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
    CREATE FUNCTION pg_temp.result(statement text) RETURNS text LANGUAGE plpgsql AS $$
      DECLARE result text;
      BEGIN EXECUTE statement INTO result; RETURN result; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$;
    CREATE FUNCTION pg_temp.bytes(n int, s bigint) RETURNS bytea LANGUAGE sql AS $$
      SELECT CASE WHEN s = 0 THEN decode(repeat('00', n), 'hex') ELSE substr(coalesce(string_agg(
               decode(lpad(to_hex((s * 2654435761 + k * 40503) & 4294967295), 8, '0'), 'hex'), '' ORDER BY k), ''), 1, n) END
        FROM generate_series(0, n / 4) k $$;
    CREATE FUNCTION pg_temp.texts(list jsonb) RETURNS text[] LANGUAGE sql AS $$
      SELECT CASE WHEN jsonb_typeof(list) = 'array' THEN ARRAY(
               SELECT e FROM jsonb_array_elements_text(list) WITH ORDINALITY AS l (e, n) ORDER BY n) END $$";

/// What is wrong with a case, by the name of its vectors: `c` is the case.
const WRONG: [(&str, &str); 22] = [
    (
        "decompose",
        "c->1 <> (SELECT jsonb_agg(jsonb_build_array(unit_type, bits, encode(body, 'hex'), substr(unit, 6)))
                    FROM iscc_decompose(c->>0))
         OR EXISTS (SELECT FROM iscc_decompose(c->>0) d WHERE iscc_unit_body(c->>0, unit_type) <> body
                       OR iscc_encode(unit_type, body) <> unit OR iscc_body(unit) <> body OR NOT iscc_is_valid(unit))
         OR iscc_compose(ARRAY(SELECT unit FROM iscc_decompose(c->>0) ORDER BY bits, unit DESC), c->>0 ~ '^ISCC:K4') <> c->>0",
    ),
    (
        "decode",
        "iscc_decode(c->>0) <> ROW(split_part(c->>1, '_', 1), split_part(c->>1, '_', 2), (c->>4)::int, (c->>5)::int,
                                   (c->>6)::bitvec)
         OR iscc_encode(c->>1, (c->>6)::bitvec) <> c->>0",
    ),
    ("explain", "iscc_type(c->>0) <> c->>1 OR iscc_explain(c->>0) <> c->>2"),
    (
        "compose",
        "CASE WHEN c->>2 IS NULL
              THEN pg_temp.state(format('SELECT iscc_compose(%L, %L)', pg_temp.texts(c->0), c->>1)) IS DISTINCT FROM '22023'
              ELSE iscc_compose(pg_temp.texts(c->0), (c->>1)::boolean) <> c->>2 END",
    ),
    (
        "normalize",
        "iscc_normalize(c->>0) <> c->>1 OR NOT iscc_is_valid(c->>1) OR iscc_body(c->>0) <> iscc_body(c->>1)
         OR iscc_is_valid(c->>0) <> (c->>0 = c->>1)",
    ),
    (
        "reject",
        "iscc_is_valid(c->>0) OR EXISTS (
           SELECT FROM unnest('{normalize,decode,body,decompose,type,explain}'::text[]) f
            WHERE pg_temp.state(format('SELECT iscc_%s(%L)', f, c->>0)) IS DISTINCT FROM '22P02')",
    ),
    ("valid", "iscc_is_valid(c->>0) <> (c->>1)::boolean"),
    (
        "id",
        "iscc_id_realm((c->>0)::iscc_id) <> (c->>1)::int OR iscc_id_micros((c->>0)::iscc_id) <> (c->>2)::bigint
         OR iscc_id_hub((c->>0)::iscc_id) <> (c->>3)::int OR iscc_body(c->>0) <> (c->>4)::bitvec
         OR iscc_explain(c->>0) <> c->>5 OR (c->>0)::iscc_id::text <> c->>0
         OR iscc_id((c->>1)::int, '1970-01-01Z'::timestamptz + (c->>2)::bigint / 3600000000 * interval '1 hour'
                    + (c->>2)::bigint % 3600000000 * interval '1 microsecond', (c->>3)::int) <> (c->>0)::iscc_id
         OR iscc_id((c->>0)::iscc_id::bigint, (c->>1)::int) <> (c->>0)::iscc_id",
    ),
    (
        "id_reject",
        "pg_temp.state(format('SELECT %L::iscc_id', c #>> '{}')) IS DISTINCT FROM '22P02'",
    ),
    (
        "seq",
        "CASE WHEN c->>1 IS NULL
              THEN pg_temp.state(format('SELECT iscc_seq_decode(decode(%L, ''hex''))', c->>0)) IS DISTINCT FROM '22P03'
              ELSE iscc_seq_decode(decode(c->>0, 'hex')) <> pg_temp.texts(c->1)
                   OR iscc_seq_encode(pg_temp.texts(c->1)) <> decode(c->>0, 'hex') END",
    ),
    ("gen_text", "iscc_gen_text(c->>0, (c->>1)::int) <> c->>2"),
    (
        "gen_meta",
        "pg_temp.result(format('SELECT iscc_gen_meta(%L, %L, %L, %L)', c->>0, c->>1, c->>2, c->>3))
           IS DISTINCT FROM c->>4",
    ),
    (
        "gen_data",
        "iscc_gen_data(pg_temp.bytes((c->>0)::int, (c->>1)::bigint), (c->>2)::int) <> c->>3",
    ),
    (
        "gen_instance",
        "iscc_gen_instance(pg_temp.bytes((c->>0)::int, (c->>1)::bigint), (c->>2)::int) <> c->>3",
    ),
    (
        "gen_mixed",
        "CASE WHEN c->>2 IS NULL
              THEN pg_temp.state(format('SELECT iscc_gen_mixed(%L, %L)', pg_temp.texts(c->0), c->>1)) IS DISTINCT FROM '22023'
              ELSE iscc_gen_mixed(pg_temp.texts(c->0), (c->>1)::int) <> c->>2 END",
    ),
    (
        "distance",
        "(c->>0)::bitvec <~> (c->>1)::bitvec <> (c->>2)::float8
         OR least(length((c->>0)::bitvec), length((c->>1)::bitvec)) <> (c->>3)::int",
    ),
    (
        "compare",
        "c->2 <> (SELECT jsonb_object_agg(unit_type, similarity) FROM iscc_compare(c->>0, c->>1))
         OR EXISTS (SELECT FROM iscc_compare(c->>0, c->>1) WHERE bits NOT IN (64, 128))",
    ),
    (
        "chunk",
        "iscc_chunk((c->>0)::iscc_id, (c->>1)::bigint, (c->>2)::bigint) <> (c->>3)::uuid
         OR iscc_chunk_id((c->>3)::uuid, iscc_id_realm((c->>0)::iscc_id)) <> (c->>0)::iscc_id
         OR iscc_chunk_offset((c->>3)::uuid) <> (c->>1)::bigint OR iscc_chunk_size((c->>3)::uuid) <> (c->>2)::bigint",
    ),
    (
        "simprint",
        "iscc_simprint(c->>1) <> (c->>0)::bitvec OR iscc_simprint_text((c->>0)::bitvec) <> c->>1",
    ),
    (
        "score",
        "abs((SELECT iscc_score(s::float8) FROM jsonb_array_elements_text(c->0) s) - (c->>1)::float8) > 1e-15",
    ),
    (
        "idf",
        "abs(iscc_idf((c->>0)::bigint, (c->>1)::bigint) - (c->>2)::float8) > 1e-15 * (c->>2)::float8 + 1e-15",
    ),
    ("gen_text", "iscc_gen_text(c->>0) <> iscc_gen_text(c->>0, 64)"),
];

fn prepared(client: &mut Client) {
    let golden: &[u8] = include_bytes!("../../../crates/iscc/tests/golden.json.gz");
    let mut json = String::new();
    GzDecoder::new(golden).read_to_string(&mut json).expect("gzip");
    client.batch_execute(HELPERS).expect("helpers");
    let sql = "CREATE TEMP TABLE golden AS
               SELECT v.key AS name, c FROM json_each($1::text::json) v, LATERAL json_array_elements(v.value) e (j),
                      LATERAL (SELECT e.j::jsonb) j (c)
                WHERE json_typeof(v.value) = 'array' AND e.j::text !~ '\\\\u0000'";
    // Parameters are not for CREATE TABLE AS; dollars quote what is in the file.
    let sql = sql.replace("$1", &format!("$golden${json}$golden$"));
    client.batch_execute(&sql).expect("vectors");
}

#[test]
fn golden_vectors() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    prepared(&mut client);
    for (name, wrong) in WRONG {
        let sql = format!(
            "SELECT count(*), array_agg(left(c::text, 300)) FILTER (WHERE coalesce({wrong}, true)) FROM golden WHERE name = $1"
        );
        let row = client
            .query_one(&sql, &[&name])
            .unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let (count, wrong): (i64, Option<Vec<String>>) = (row.get(0), row.get(1));
        assert!(count > 0, "{name} has no vectors");
        assert_eq!(wrong, None, "{name}");
    }
}

/// The order of identifiers: time, hub, realm, also where a bigint is negative.
#[test]
fn identifiers_are_ordered_by_time() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(
        &mut client,
        "CREATE TABLE t AS SELECT r AS realm, h AS hub, y AS time,
                iscc_id(r, make_timestamptz(y, 1, 1, 0, 0, 0.000001, 'UTC'), h) AS id
           FROM generate_series(1970, 2112, 7) y, generate_series(0, 1) r, unnest('{0,1,4095}'::int[]) h;
         CREATE UNIQUE INDEX ON t (id);
         CREATE INDEX ON t USING hash (id);
         CREATE TABLE parts (id iscc_id) PARTITION BY HASH (id);
         CREATE TABLE part_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE part_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO parts SELECT id FROM t;
         COPY t (id) TO '/dev/null' (FORMAT binary)",
    );
    let same: bool = value(
        &mut client,
        "SELECT array_agg(id ORDER BY id) = array_agg(id ORDER BY time, hub, realm)
                AND min(id) = (SELECT id FROM t ORDER BY time, hub, realm LIMIT 1)
                AND max(id) = (SELECT id FROM t ORDER BY time DESC, hub DESC, realm DESC LIMIT 1)
                AND bool_and(iscc_id_micros(id) % 1000000 = 1 AND iscc_id_hub(id) = hub)
                AND min(id::bigint) < 0 AND (SELECT count(*) FROM t JOIN parts USING (id)) = count(*)
           FROM t",
    );
    assert!(same);
}

/// Composing the units of a code gives the code, for a code of each of 110,308 real assets.
#[test]
fn real_codes() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    for (table, rows) in [
        ("text", codes::text(110_308)),
        ("data", codes::data(110_308)),
        ("meta", codes::meta(36_770)),
        ("instance", codes::instance(36_770)),
    ] {
        codes::create_table(&mut client, table);
        codes::load(&mut client, table, &rows);
    }
    each(
        &mut client,
        "CREATE TABLE asset AS
           SELECT t.id, iscc_compose(array_remove(ARRAY[
                    iscc_encode('INSTANCE_NONE_V0', coalesce(i.code, sha256(d.code)::bitvec)),
                    iscc_encode('CONTENT_TEXT_V0', t.code), iscc_encode('META_NONE_V0', m.code),
                    iscc_encode('DATA_NONE_V0', d.code)], NULL)) AS iscc
             FROM text t JOIN data d USING (id) LEFT JOIN meta m ON m.id = t.id LEFT JOIN instance i ON i.id = t.id",
    );
    let (count, wrong): (i64, i64) = {
        let sql = "SELECT count(*), count(*) FILTER (WHERE NOT iscc_is_valid(iscc)
                       OR iscc <> iscc_compose(ARRAY(SELECT unit FROM iscc_decompose(iscc)))
                       OR iscc_unit_body(iscc, 'CONTENT_TEXT_V0') <> prefix(t.code, 64)
                       OR iscc_unit_body(iscc, 'DATA_NONE_V0') <> prefix(d.code, 64)
                       OR iscc_normalize(lower(substr(iscc, 6))) <> iscc)
                     FROM asset JOIN text t USING (id) JOIN data d USING (id)";
        let row = client.query_one(sql, &[]).expect("codes");
        (row.get(0), row.get(1))
    };
    assert_eq!((count, wrong), (110_308, 0));
}

/// Bytes that may be an ISCC: a unit, one with a changed header, a piece of one, a sequence, or anything.
fn any_bytes(rows: &[codes::Row], random: &mut Random) -> Vec<u8> {
    let row = &rows[random.below(rows.len())].code;
    let mut bytes = [vec![0x20, (row.len() / 4 - 1) as u8], row.clone()].concat();
    match random.below(4) {
        0 => bytes = random.bytes(random.0 as usize % 60),
        1 => bytes.truncate(random.below(bytes.len())),
        2 => bytes[random.below(2)] = random.bits() as u8,
        _ => {
            for header in [[0x30, 1], [0x40, 1]] {
                bytes.extend(header);
                bytes.extend(random.bytes(8));
            }
        }
    }
    bytes
}

/// Kilobytes of memory that only this process has.
fn own_memory(pid: i32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.expect("RssAnon")
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

/// Strings and bytes that may be anything: only the errors of malformed input, and normal forms that keep their
/// promises. `ISCC_STRINGS=1000000` makes that many. Memory does not grow with their number.
#[test]
fn any_strings() {
    const INPUTS: usize = 10_000;
    const STRINGS: usize = 4 * INPUTS;
    let count = number_from_environment("ISCC_STRINGS").map_or(80_000, |count| count as usize);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let rows = codes::text(500);
    let mut random = Random(11);
    let sql = r"
        CREATE TEMP TABLE input (bytes bytea);
        CREATE FUNCTION pg_temp.broken(input text) RETURNS text LANGUAGE plpgsql AS $$
          DECLARE normal text;
          BEGIN
            normal := iscc_normalize(input);
            IF NOT iscc_is_valid(normal) OR iscc_normalize(normal) <> normal OR EXISTS (
                 SELECT FROM iscc_decompose(normal) WHERE iscc_encode(unit_type, body) <> unit OR iscc_normalize(unit) <> unit)
            THEN RETURN normal; END IF;
            RETURN '';
          EXCEPTION WHEN invalid_text_representation THEN RETURN NULL; END $$;
        CREATE FUNCTION pg_temp.broken(input bytea) RETURNS text LANGUAGE plpgsql AS $$
          BEGIN
            IF iscc_seq_encode(iscc_seq_decode(input)) <> input THEN RETURN 'sequence'; END IF;
            RETURN '';
          EXCEPTION WHEN invalid_binary_representation THEN RETURN NULL; END $$";
    client.batch_execute(sql).expect("helpers");
    // Buffers of temporary tables are memory of the session, too.
    client.batch_execute("SET temp_buffers = '800kB'").expect("SET");
    let insert = "INSERT INTO input SELECT unnest($1::bytea[])";
    let insert = client.prepare(insert).expect("INSERT");
    let sql = "SELECT count(*), count(b), count(*) FILTER (WHERE b <> '') FROM input, LATERAL (VALUES
                 (pg_temp.broken(bytes)),
                 (pg_temp.broken('fcc01' || encode(bytes, 'hex'))),
                 (pg_temp.broken('u' || rtrim(translate(encode('\\xcc01' || bytes, 'base64'), E'+/\\n', '-_'), '='))),
                 (pg_temp.broken(translate(encode(bytes, 'base64'), '0189+/=', '')))) v (b)";
    let check = client.prepare(sql).expect("SELECT");
    let pid: i32 = value(&mut client, "SELECT pg_backend_pid()");
    let mut memory = Vec::new();
    for _ in 0..count.div_ceil(STRINGS).max(2) {
        let inputs: Vec<Vec<u8>> = (0..INPUTS).map(|_| any_bytes(&rows, &mut random)).collect();
        client.batch_execute("TRUNCATE input").expect("TRUNCATE");
        client.execute(&insert, &[&inputs]).expect("INSERT");
        let row = client.query_one(&check, &[]).expect("inputs");
        let (all, accepted, broken): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        assert_eq!((all, broken), (STRINGS as i64, 0));
        assert!(accepted > 5_000, "{accepted}");
        memory.push(own_memory(pid));
    }
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    println!(
        "memory of the session: {first} kB after {STRINGS} strings, {last} kB after {}",
        STRINGS * memory.len()
    );
    assert!(last < first + 4_096, "memory grows: {memory:?}");
}

/// What is too long is refused at once, and what takes long can be cancelled.
#[test]
fn long_inputs() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    for sql in [
        "SELECT * FROM iscc_decompose(repeat('AAAYCMZIOY36XXGZ', 10000))",
        "SELECT iscc_normalize('z' || repeat('z', 100000))",
        "SELECT iscc_seq_decode(decode(repeat('0001', 100000), 'hex'))",
        "SELECT iscc_gen_text(repeat('a', 9000000))",
        "SELECT iscc_gen_meta('a', repeat('a', 9000000))",
        "SELECT iscc_gen_meta('a', NULL, '\"' || repeat('a', 200000) || '\"')",
        "SELECT iscc_compose(array_fill('AAAYCMZIOY36XXGZ'::text, '{100000}'))",
        "SELECT iscc_gen_mixed(array_fill('EAA57SMMEN62J7ZA'::text, '{100000}'))",
    ] {
        let error = client.batch_execute(sql).expect_err(sql);
        assert_eq!(
            error.code(),
            Some(&SqlState::PROGRAM_LIMIT_EXCEEDED),
            "{sql}: {error:?}"
        );
    }
    assert!(!value::<bool>(
        &mut client,
        "SELECT iscc_is_valid('ISCC:' || repeat('A', 1000000))"
    ));
    for sql in [
        "SELECT iscc_gen_data(decode(repeat('00', 400000000), 'hex'))",
        "SELECT count(iscc_gen_text(repeat('lorem ipsum ', 600000) || i)) FROM generate_series(1, 1000) i",
    ] {
        let begun = std::time::Instant::now();
        let error = client
            .batch_execute(&format!("SET statement_timeout = '200ms'; {sql}"))
            .expect_err(sql);
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{sql}: {error:?}");
        assert!(begun.elapsed().as_secs() < 20, "{sql}");
    }
}

/// What the page on ISCCs in tables shows works, and the index serves it.
#[test]
fn documented_tables() {
    let page = include_str!("../../../docs/how-to/iscc-tables.md");
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let mut blocks = 0;
    for block in page.split("```sql\n").skip(1) {
        let sql = block.split_once("```").expect("the end of a block").0;
        client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        blocks += 1;
    }
    assert_eq!(blocks, 3);
    each(&mut client, "SET enable_seqscan = off");
    for (sql, index) in [
        ("asset ORDER BY content <~> 'ff' LIMIT 1", "asset_content_idx"),
        (
            "asset ORDER BY iscc_unit_body(iscc, 'DATA_NONE_V0')::bitvec(256) <~> 'ff' LIMIT 1",
            "asset_iscc_unit_body_idx",
        ),
        (
            "document WHERE nphd_within(content, 'ff', 0.25)",
            "document_content_idx",
        ),
    ] {
        let plan = client.query(&format!("EXPLAIN SELECT * FROM {sql}"), &[]).expect(sql);
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains(index)), "{plan:?}");
    }
    let found: bool = value(
        &mut client,
        "SELECT bool_and(iscc_is_valid(iscc)) AND count(*) = 2 AND min(d.near) <= 0.25
           FROM document, LATERAL (SELECT content <~> o.content AS near FROM document o WHERE o.id <> document.id) d",
    );
    assert!(found);
    let error = client
        .batch_execute("INSERT INTO asset (iscc) VALUES ('gaaw2prcrs5lnvzv')")
        .expect_err("a check");
    assert_eq!(error.code(), Some(&SqlState::CHECK_VIOLATION));
}

/// Each example of docs/iscc.md has the result that is written beside it, and each function has one.
#[test]
fn what_the_manual_shows() {
    let manual = include_str!("../../../docs/iscc.md");
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let mut shown = String::new();
    for line in manual.lines().filter(|line| line.starts_with("SELECT ")) {
        let (sql, expected) = line.rsplit_once("; ").expect("a result");
        let expected = expected.trim_start().strip_prefix("-- ").expect("a result");
        let messages = client.simple_query(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        let found = messages.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        assert_eq!(found, Some(expected), "{sql}");
        shown.push_str(sql);
    }
    let missing: Option<Vec<String>> = {
        let sql = "SELECT array_agg(DISTINCT proname::text) FROM pg_proc
                    WHERE proname ~ '^iscc_' AND prorettype <> 'cstring'::regtype AND NOT $1 ~ (proname || '\\(')
                      AND proname !~ '^iscc_(id_(recv|send|lt|le|eq|ne|ge|gt|cmp|hash.*|smaller|larger)|id_in|score_.*)$'";
        client.query_one(sql, &[&shown]).expect("functions").get(0)
    };
    assert_eq!(missing, None);
}
