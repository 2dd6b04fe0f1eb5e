-- Statements of every kind around ORDER BY distance, by the index and as a sequential scan and a sort answer them.
SET extra_float_digits = 0;

-- 300 codes in groups of near-duplicates, of 64 to 256 bits; some rows without a code
CREATE TABLE t (id int PRIMARY KEY, kind text NOT NULL, code bitvec(256));
INSERT INTO t
SELECT c * 10 + v, (ARRAY['text', 'image', 'audio'])[1 + c % 3],
       prefix(set_bit(set_bit(sha256(c::text::bytea), v * 7, v % 2), v * 23, v % 3 % 2)::bitvec, 64 * (1 + v % 4))
FROM generate_series(0, 29) c, generate_series(0, 9) v;
INSERT INTO t SELECT 1000 + i, 'text', NULL FROM generate_series(1, 5) i;
CREATE INDEX t_code ON t USING usearch (code);
INSERT INTO t SELECT 2000 + c, 'tail', sha256(c::text::bytea) FROM generate_series(0, 9) c;
ANALYZE t;
SET enable_seqscan = off;

-- Runs a query by the index and without it; whether the index took part, and whether both gave the same rows.
CREATE FUNCTION compare(query text, OUT by_index boolean, OUT same boolean, OUT rows int) LANGUAGE plpgsql AS $$
DECLARE
    line text;
    got text[];
    truth text[];
BEGIN
    by_index := false;
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        by_index := by_index OR line LIKE '%Index Scan using t_code%';
    END LOOP;
    query := format('SELECT array_agg(x::text) FROM (%s) AS x', query);
    EXECUTE query INTO got;
    PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true);
    EXECUTE query INTO truth;
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
    same := got IS NOT DISTINCT FROM truth;
    rows := coalesce(cardinality(got), 0);
END $$;

-- LATERAL: the nearest other rows of each; a NULL on the outer side; none on the inner side
SELECT * FROM compare($$SELECT a.id, b.d FROM t a CROSS JOIN LATERAL
    (SELECT b.code <~> a.code AS d FROM t b WHERE b.id <> a.id ORDER BY b.code <~> a.code LIMIT 3) b
    WHERE a.kind = 'text' ORDER BY a.id, b.d$$);
SELECT count(*), count(d) FROM (SELECT code FROM t WHERE id IN (1001, 2005)) AS q
CROSS JOIN LATERAL (SELECT code <~> q.code AS d FROM t ORDER BY code <~> q.code LIMIT 4) AS x;
SELECT count(*), count(x.id) FROM (VALUES ('ff'::bitvec), (NULL)) AS q (code)
LEFT JOIN LATERAL (SELECT id FROM t WHERE kind = 'none' ORDER BY code <~> q.code LIMIT 4) AS x ON true;
SELECT n, array_agg(d ORDER BY d) FROM unnest(ARRAY['00', NULL, 'ff00']::bitvec[]) WITH ORDINALITY AS q (code, n)
CROSS JOIN LATERAL (SELECT round((code <~> q.code)::numeric, 3) AS d FROM t ORDER BY code <~> q.code LIMIT 2) AS x GROUP BY n ORDER BY n;

-- subqueries: scalar, in the select list, IN, EXISTS, NOT EXISTS, ARRAY
SELECT query, x.* FROM unnest(ARRAY[
    $$SELECT code <~> '00ff' FROM t WHERE kind = 'image' ORDER BY code <~> '00ff' LIMIT 1$$,
    $$SELECT code <~> (SELECT code FROM t WHERE id = 55) FROM t ORDER BY code <~> (SELECT code FROM t WHERE id = 55) LIMIT 7$$,
    $$SELECT id, (SELECT min(d) FROM (SELECT o.code <~> t.code AS d FROM t o WHERE o.kind <> t.kind ORDER BY o.code <~> t.code LIMIT 3) AS s) FROM t WHERE id < 20 ORDER BY id$$,
    $$SELECT count(*) > 0 FROM t WHERE code IN (SELECT code FROM t ORDER BY code <~> '00ff' LIMIT 1)$$,
    $$SELECT a.id FROM t a WHERE EXISTS (SELECT FROM (SELECT code <~> a.code AS d FROM t o WHERE o.id <> a.id ORDER BY code <~> a.code LIMIT 1) AS x WHERE d < 0.02) ORDER BY 1$$,
    $$SELECT a.id FROM t a WHERE NOT EXISTS (SELECT FROM (SELECT code <~> a.code AS d FROM t o WHERE o.id <> a.id ORDER BY code <~> a.code LIMIT 1) AS x WHERE d < 0.02) ORDER BY 1$$,
    $$SELECT ARRAY(SELECT code <~> '00ff' FROM t ORDER BY code <~> '00ff' LIMIT 4)$$]) AS query, compare(query) AS x;

-- CTEs, inlined or not, also recursive: from a row to its nearest one not seen yet, and on from there
SELECT query, x.* FROM unnest(ARRAY[
    $$WITH n AS (SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 10) SELECT d, d = t.code <~> '00ff' FROM n JOIN t USING (id) WHERE d < 0.5 ORDER BY d$$,
    $$WITH n AS MATERIALIZED (SELECT code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff') SELECT d FROM n WHERE d < 0.4$$,
    $$WITH q AS (SELECT code FROM t WHERE id = 77) SELECT t.code <~> q.code FROM q, LATERAL (SELECT * FROM t ORDER BY t.code <~> q.code LIMIT 3) AS t$$,
    $$WITH RECURSIVE walk AS (SELECT 0 AS step, 0::float8 AS d, code, ARRAY[id] AS seen FROM t WHERE id = 5
      UNION ALL SELECT step + 1, n.d, n.code, seen || n.id FROM walk CROSS JOIN LATERAL
        (SELECT id, code, t.code <~> walk.code AS d FROM t WHERE id <> ALL (seen) ORDER BY t.code <~> walk.code LIMIT 1) AS n WHERE step < 5)
      SELECT step, CASE WHEN step < 2 THEN d END, cardinality(seen) FROM walk ORDER BY step$$]) AS query, compare(query) AS x;

-- views
CREATE VIEW images AS SELECT id, code FROM t WHERE kind = 'image';
CREATE VIEW nearest AS SELECT kind, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 20;
SELECT query, x.* FROM unnest(ARRAY[
    $$SELECT code <~> '00ff' FROM images ORDER BY code <~> '00ff' LIMIT 5$$,
    $$SELECT d FROM nearest WHERE kind <> 'none' ORDER BY d$$]) AS query, compare(query) AS x;
DROP VIEW images, nearest;

-- set operations and aggregates of ordered scans; a sort above UNION ALL does not reach the index
SELECT query, x.* FROM unnest(ARRAY[
    $$(SELECT code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 5) UNION ALL (SELECT code <~> 'ff00' FROM t ORDER BY code <~> 'ff00' LIMIT 5)$$,
    $$SELECT d FROM (SELECT code <~> '00ff' AS d FROM t WHERE kind = 'text' UNION ALL SELECT code <~> '00ff' FROM t WHERE kind = 'image') AS s ORDER BY d LIMIT 9$$,
    $$SELECT round(d::numeric, 1) FROM (SELECT code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 30) AS s GROUP BY 1 ORDER BY 1$$,
    $$SELECT min(d), max(d), count(*) FROM (SELECT code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 30) AS s$$]) AS query, compare(query) AS x;

-- window functions over the ordered scan
SELECT query, x.* FROM unnest(ARRAY[
    $$SELECT d, row_number() OVER (ORDER BY d) FROM (SELECT code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 10) AS s$$,
    $$SELECT code <~> '00ff', rank() OVER (ORDER BY code <~> '00ff') FROM t ORDER BY code <~> '00ff' LIMIT 10$$,
    $$SELECT d, d - lag(d) OVER (ORDER BY d) FROM (SELECT code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff') AS s$$]) AS query, compare(query) AS x;

-- further sort keys and other orders
SELECT query, by_index OR current_setting('server_version_num')::int < 170000 AND query LIKE '%, id%' AS as_expected, same, rows
FROM unnest(ARRAY[
    $$SELECT id FROM t ORDER BY code <~> '00ff', id LIMIT 30$$,
    $$SELECT id FROM t ORDER BY code <~> '00ff', id DESC$$,
    $$SELECT id FROM t WHERE kind = 'text' ORDER BY code <~> '00', kind, id LIMIT 50 OFFSET 20$$]) AS query, compare(query);
SELECT query, x.* FROM unnest(ARRAY[
    $$SELECT id FROM t ORDER BY code <~> '00ff' DESC NULLS LAST, id LIMIT 30$$,
    $$SELECT id FROM t ORDER BY id, code <~> '00ff' LIMIT 30$$,
    $$SELECT DISTINCT code <~> '00ff' AS d FROM t ORDER BY d LIMIT 10$$]) AS query, compare(query) AS x;
SELECT d FROM (SELECT DISTINCT ON (code <~> '00ff') code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff', id LIMIT 3) AS s;

-- FETCH FIRST, WITH TIES
SELECT query, x.* FROM unnest(ARRAY[
    $$SELECT code <~> '00ff' FROM t ORDER BY code <~> '00ff' FETCH FIRST 5 ROWS ONLY$$,
    $$SELECT code <~> '00' FROM t ORDER BY code <~> '00' FETCH FIRST 3 ROWS WITH TIES$$]) AS query, compare(query) AS x;

-- joins: the nearest rows that another table lets pass, in order; more like one row
CREATE TABLE asset (id int PRIMARY KEY, source text);
INSERT INTO asset SELECT id, 'source' || id % 7 FROM t;
ANALYZE asset;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT t.id FROM t JOIN asset a USING (id) WHERE a.source = 'source3' ORDER BY t.code <~> '00ff' LIMIT 10;
SELECT query, x.* FROM unnest(ARRAY[
    $$SELECT t.code <~> '00ff' FROM t JOIN asset a USING (id) WHERE a.source = 'source3' ORDER BY t.code <~> '00ff' LIMIT 10$$,
    $$SELECT t.code <~> '00ff' FROM t LEFT JOIN asset a ON a.id = t.id + 1 ORDER BY t.code <~> '00ff' LIMIT 1$$,
    $$SELECT b.code <~> a.code FROM t a, LATERAL (SELECT * FROM t x WHERE x.id <> a.id ORDER BY x.code <~> a.code LIMIT 10) b WHERE a.id = 123$$]) AS query, compare(query) AS x;
RESET enable_hashjoin;
RESET enable_mergejoin;
DROP TABLE asset;

-- parts of assets, 128-bit keys of asset and offset: which assets share parts with those of a query, rare parts first
CREATE TABLE simprint (chunk uuid PRIMARY KEY, sp bitvec(256) NOT NULL);
INSERT INTO simprint
SELECT set_byte(set_byte('\x00000000000000000000000000000000'::bytea, 7, a), 15, o)::bitvec::uuid,
       set_bit(sha256((CASE WHEN o < 3 THEN o ELSE a * 10 + o END)::text::bytea), o * 5, a % 2)::bitvec
FROM generate_series(10, 39) a, generate_series(0, 9) o;
CREATE INDEX simprint_sp ON simprint USING usearch (sp) WITH (m = 8);
CREATE INDEX ON simprint USING hash (sp);
ANALYZE simprint;
PREPARE parts (bitvec[]) AS
WITH q AS (SELECT n, sp FROM unnest($1) WITH ORDINALITY t (sp, n)),
    n AS (SELECT count(DISTINCT prefix(chunk::bitvec, 64)) AS total FROM simprint),
    hit AS (SELECT DISTINCT ON (q.n, prefix(c.chunk::bitvec, 64)) q.n, prefix(c.chunk::bitvec, 64) AS id, c.chunk, c.sp, 1 - c.d AS sim
            FROM q CROSS JOIN LATERAL (SELECT chunk, sp, sp <~> q.sp AS d FROM simprint ORDER BY sp <~> q.sp LIMIT 40) c
            WHERE c.d <= 0.25 ORDER BY 1, 2, c.d),
    w AS (SELECT hit.*, ln(1 + total::float8 / (1 + (SELECT count(DISTINCT prefix(s.chunk::bitvec, 64)) FROM simprint s WHERE s.sp = hit.sp))) AS idf
          FROM hit, n)
SELECT id, count(*) AS matches, round(sum(idf * sim)::numeric, 2) AS score,
       jsonb_agg(jsonb_build_object('part', get_byte(chunk::bitvec::bytea, 15), 'sim', round(sim::numeric, 3)) ORDER BY n) AS parts
FROM w GROUP BY id ORDER BY 3 DESC, 1 LIMIT 3;
SELECT ARRAY(SELECT sp FROM simprint WHERE prefix(chunk::bitvec, 64) = '0000000000000010' ORDER BY chunk) AS q \gset
EXECUTE parts(:'q');
EXECUTE parts(ARRAY[sha256('1'), sha256('105')]::bitvec[]);
EXECUTE parts('{}');
DEALLOCATE parts;
DROP TABLE simprint;

-- quoted names, casts and parameters as ORMs write them
CREATE TABLE "Asset" ("Id" int, "Code" bitvec(256));
INSERT INTO "Asset" SELECT id, code FROM t;
CREATE INDEX "Asset_Code_idx" ON "Asset" USING usearch ("Code" bitvec_nphd_ops);
PREPARE orm (text, int, int) AS SELECT "Asset"."Id" IS NOT NULL, "Asset"."Code" <~> $1::bitvec AS anon_1 FROM "public"."Asset" AS "Asset"
    ORDER BY "Asset"."Code" <~> $1::bitvec LIMIT $2 OFFSET $3;
PREPARE cast_typmod (text) AS SELECT "Code" <~> CAST($1 AS bitvec(256)) FROM "Asset" ORDER BY ("Code" <~> CAST($1 AS bitvec(256))) ASC LIMIT 2;
PREPARE bytes (bytea) AS SELECT "Code" <~> $1::bitvec FROM "Asset" ORDER BY "Code" <~> $1::bitvec LIMIT 2;
EXPLAIN (COSTS OFF) EXECUTE cast_typmod('00ff');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE orm('\x00ff', 2, 1);
EXECUTE orm('\x00ff', 2, 1);
EXECUTE cast_typmod('00ff');
EXECUTE cast_typmod('\x00ff');
EXECUTE bytes('\x00ff');
RESET plan_cache_mode;
EXECUTE orm('\x00ff', 2, 1);
EXECUTE orm('\x00ff', NULL, 303);
EXECUTE orm('\x00f', 2, 1);
EXECUTE cast_typmod(repeat('ab', 33));
SELECT "Id" FROM "Asset" ORDER BY "Code" <~> '00ff' LIMIT -1;
DEALLOCATE ALL;
DROP TABLE "Asset";

-- expressions and generated columns are indexed, too
CREATE TABLE e (id int, code bitvec, bits64 bitvec(64) GENERATED ALWAYS AS (prefix(code, 64)) STORED);
INSERT INTO e SELECT id, code FROM t;
CREATE INDEX e_prefix ON e USING usearch (prefix(code, 64));
CREATE INDEX e_bits64 ON e USING usearch (bits64);
CREATE INDEX e_partial ON e USING usearch (code) WHERE id < 100;
EXPLAIN (COSTS OFF) SELECT id FROM e ORDER BY prefix(code, 64) <~> '00ff' LIMIT 3;
EXPLAIN (COSTS OFF) SELECT id FROM e ORDER BY bits64 <~> '00ff' LIMIT 3;
EXPLAIN (COSTS OFF) SELECT id FROM e WHERE id < 100 ORDER BY code <~> '00ff' LIMIT 3;
SELECT ARRAY(SELECT prefix(code, 64) <~> '00ff' FROM e ORDER BY prefix(code, 64) <~> '00ff' LIMIT 9)
     = ARRAY(SELECT nphd_distance(prefix(code, 64), '00ff') FROM e ORDER BY 1 LIMIT 9) AS by_prefix,
       ARRAY(SELECT bits64 <~> '00ff' FROM e ORDER BY bits64 <~> '00ff' LIMIT 9)
     = ARRAY(SELECT nphd_distance(bits64, '00ff') FROM e ORDER BY 1 LIMIT 9) AS by_generated,
       ARRAY(SELECT code <~> '00ff' FROM e WHERE id < 100 ORDER BY code <~> '00ff' LIMIT 9)
     = ARRAY(SELECT nphd_distance(code, '00ff') FROM e WHERE id < 100 ORDER BY 1 LIMIT 9) AS by_partial;
UPDATE e SET code = 'ffffffffffffffff' WHERE id = 7;
SELECT id, bits64 <~> 'ffffffffffffffff' AS d FROM e ORDER BY bits64 <~> 'ffffffffffffffff' LIMIT 1;
SELECT id FROM e ORDER BY prefix(code, 64) <~> 'ffffffffffffffff' LIMIT 1;
DROP TABLE e;

-- domains over bitvec
CREATE DOMAIN fingerprint AS bitvec(128) CHECK (octet_length(VALUE) >= 8);
CREATE TABLE f (id int, code fingerprint);
INSERT INTO f SELECT id, prefix(code, least(length(code), 128)) FROM t;
INSERT INTO f VALUES (1, 'ff');
CREATE INDEX f_code ON f USING usearch (code);
EXPLAIN (COSTS OFF) SELECT id FROM f ORDER BY code <~> '00ff' LIMIT 3;
SELECT ARRAY(SELECT code <~> '00ff' FROM f ORDER BY code <~> '00ff' LIMIT 9)
     = ARRAY(SELECT nphd_distance(code, '00ff') FROM f ORDER BY 1 LIMIT 9) AS same;
SELECT ARRAY(SELECT code <~> q FROM f ORDER BY code <~> q LIMIT 9) = ARRAY(SELECT nphd_distance(code, q) FROM f ORDER BY 1 LIMIT 9) AS same
FROM (SELECT code AS q FROM f WHERE id = 42) AS s;
DROP TABLE f;
DROP DOMAIN fingerprint;

-- plpgsql: loops, variables, early exit, dynamic statements
CREATE FUNCTION until(query bitvec, farthest float8) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    r record;
    n int := 0;
BEGIN
    FOR r IN SELECT code <~> query AS d FROM t ORDER BY code <~> query LOOP
        EXIT WHEN r.d IS NULL OR r.d > farthest;
        n := n + 1;
    END LOOP;
    RETURN n;
END $$;
SELECT until('00ff', d) = (SELECT count(*) FROM t WHERE nphd_distance(code, '00ff') <= d) AS same FROM unnest(ARRAY[0, 0.3, 0.5, 1]) AS d;
CREATE FUNCTION nearest_of(query bitvec, k int) RETURNS SETOF float8 LANGUAGE sql STABLE AS
'SELECT code <~> query FROM t ORDER BY code <~> query LIMIT k';
SELECT id, ARRAY(SELECT nearest_of(code, 4)) = ARRAY(SELECT nphd_distance(o.code, t.code) FROM t o ORDER BY 1 LIMIT 4) AS same
FROM t WHERE id % 50 = 3 ORDER BY id;
DROP FUNCTION until, nearest_of;

DROP FUNCTION compare;
DROP TABLE t;
