-- Threshold search: nphd_within, the operator <@, and how an index serves them.

-- the function: as comparing distances
SELECT nphd_within('ff00', 'ff01', 0.0625) AS equal, nphd_within('ff00', 'ff01', 0.0624) AS less,
       nphd_within('ff00', 'ff', 0) AS prefix, nphd_within('ff', '00', 1) AS opposite, nphd_within('ff', '00', 0.999) AS nearly;
-- 24 of 80 bits are 0.3
SELECT nphd_within('ffffff00000000000000', '00000000000000000000', 0.3) AS within,
       nphd_within('00000000000000000000', 'ffffff00000000000000', 0.3) AS symmetric,
       nphd_within('ffffff80000000000000', '00000000000000000000', 0.3) AS beyond;
SELECT radius, nphd_within('ff', 'ff', radius) AS same, nphd_within('ff', '00', radius) AS opposite,
       0::float8 <= radius AS zero, 1::float8 <= radius AS one
FROM unnest('{-0,0,1e-300,0.5,1}'::float8[]) AS radius;
-- a radius is a share, not a number of bits
CREATE FUNCTION radius_error(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT nphd_within('ff', 'ff', 6);
SELECT radius, what, radius_error(format('SELECT %s', format(what, radius)))
FROM unnest('{-Infinity,-1,-1e-300,1.0000000000000002,6,Infinity,NaN}'::float8[]) AS radius,
     unnest(ARRAY['nphd_within($$ff$$, $$ff$$, %L)', 'nphd_ball($$ff$$, %L)', '$$(ff,%s)$$::bitvec_ball']) AS what
ORDER BY what COLLATE "C", radius;
SELECT nphd_within(NULL, 'ff', 1), nphd_within('ff', NULL, 1), nphd_within('ff', 'ff', NULL);

-- the type: a code and a radius
SELECT nphd_ball('ff80', 0.25), nphd_ball('00', 1), nphd_ball('00', -0.0), nphd_ball(NULL, 1), nphd_ball('ff', NULL);
SELECT b, b::text::bitvec_ball::text = b::text AS same, bitvec_ball_send(b)
FROM unnest(ARRAY['(\xff80,0.25)', '(FF80,1e-3)', ' ( ff , 0.1 ) ', '(\x00,1)', '(\x00,0)']::bitvec_ball[]) AS b;
SELECT length(bitvec_ball_send(nphd_ball(prefix(sha256('')::bitvec, 256), 0.1))),
       octet_length(nphd_ball(repeat('ab', 4096)::bitvec, 0.1)::text);
SELECT '\xff80,0.25'::bitvec_ball;
SELECT '(\xff80)'::bitvec_ball;
SELECT '(,1)'::bitvec_ball;
SELECT '(\xff8,1)'::bitvec_ball;
SELECT '(\xff80,)'::bitvec_ball;
SELECT '(\xff80,1,2)'::bitvec_ball;
\getenv builddir PG_ABS_BUILDDIR
\cd :builddir
CREATE TEMP TABLE ball (b bitvec_ball);
INSERT INTO ball VALUES (nphd_ball('ff80', 0.25)), (NULL);
\copy ball TO 'results/within.bin' (FORMAT binary)
\copy ball FROM 'results/within.bin' (FORMAT binary)
SELECT b, count(*) FROM (SELECT b::text FROM ball) AS s GROUP BY b ORDER BY b;
DROP TABLE ball;

-- the operators
SELECT 'ff'::bitvec <@ nphd_ball('fe', 0.125) AS within, nphd_ball('fe', 0.125) @> 'ff' AS has,
       'ff'::bitvec <@ '(fc,0.125)' AS not_within, NULL::bitvec <@ nphd_ball('fe', 1), 'ff'::bitvec <@ NULL::bitvec_ball;

-- clusters of near-duplicates: 60 codes, each with 20 variants of a few flipped bits, of 64 to 256 bits
CREATE TABLE t (id int PRIMARY KEY, code bitvec(256), kind int);
INSERT INTO t
SELECT c * 20 + v, prefix(set_bit(set_bit(sha256(c::text::bytea), v * 7, v % 2), v * 3, v % 3 % 2)::bitvec, 64 * (1 + v % 4)), v % 5
FROM generate_series(0, 59) c, generate_series(0, 19) v;
CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '64kB');
INSERT INTO t SELECT 2000 + i, CASE WHEN i % 5 > 0 THEN sha256((i / 2)::text::bytea)::bitvec END, i % 5 FROM generate_series(0, 49) i;
ANALYZE t;

-- the plans, where a sequential scan costs more
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, '\xff00ff00', 0.1);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within('\xff00ff00', code, 0.1);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE code <@ nphd_ball('\xff00ff00', 0.1);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_ball('\xff00ff00', 0.1) @> code;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, '\xff00ff00', 0.1) OR nphd_within(code, '\x00ff', 0.1) OR id = 7;
EXPLAIN (COSTS OFF) SELECT a.id, b.id FROM t a JOIN t b ON nphd_within(b.code, a.code, 0.05) WHERE a.id < 10;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, '\xff00ff00', 0.1);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, '\xff00ff00', 0.5) ORDER BY code <~> '\xff00ff00' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, '\xff00ff00', 0.5) AND nphd_within(code, '\x00', 0.7) ORDER BY code <~> '\x0ff0';
RESET enable_bitmapscan;

-- The rows that meet a condition, by the index (an error without it) or without any.
CREATE FUNCTION found(condition text, by_index text, query bitvec, radius float8, tail text DEFAULT '') RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
    statement text := 'SELECT id FROM t WHERE ' || condition || ' ' || tail;
    line text;
    indexed boolean := false;
    ids int[];
BEGIN
    PERFORM set_config('enable_seqscan', (by_index = 'none')::text, true);
    PERFORM set_config('enable_indexscan', (by_index = 'plain')::text, true);
    PERFORM set_config('enable_bitmapscan', (by_index = 'bitmap')::text, true);
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement USING query, radius LOOP
        indexed := indexed OR line LIKE '%t_code%';
    END LOOP;
    IF indexed <> (by_index <> 'none') THEN RAISE EXCEPTION 'unexpected plan'; END IF;
    EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (%s) AS s', statement) INTO ids USING query, radius;
    RETURN ids;
END $$;

-- queries: present, absent, short, longer than any row
CREATE TABLE q (n int, query bitvec);
INSERT INTO q SELECT id, code FROM t WHERE id % 97 = 0 AND code IS NOT NULL;
INSERT INTO q SELECT 3000 + i, sha256((i + 5000)::text::bytea) FROM generate_series(1, 3) i;
INSERT INTO q SELECT 4000 + id, prefix(code, 24) FROM t WHERE id % 411 = 0;
INSERT INTO q SELECT 5000 + id, code || sha256('')::bitvec FROM t WHERE id % 411 = 0;
INSERT INTO q VALUES (6000, '00'), (6001, 'ff');
-- radii: usual ones, and distances that occur
CREATE TABLE r (radius float8);
INSERT INTO r VALUES (0), (0.01), (0.05), (0.1), (0.25), (0.3), (0.5), (0.999), (1);
INSERT INTO r SELECT DISTINCT code <~> query FROM t, q WHERE n % 2 = 0 AND id % 200 = 3 AND code <~> query < 0.4;

SELECT by_index, condition, count(*) AS searches, sum(coalesce(cardinality(ids), 0)) > 1000 AS found,
       bool_and(ids IS NOT DISTINCT FROM found(condition, 'none', query, radius)) AS same
FROM q, r, unnest('{plain,bitmap}'::text[]) AS by_index,
     unnest(ARRAY['nphd_within(code, $1, $2)', 'nphd_within($1, code, $2)', 'code <@ nphd_ball($1, $2)',
                  'nphd_within(code, $1, $2) AND nphd_within(code, $$\x00ff$$, 0.6)',
                  'nphd_within(code, $1, $2) AND kind = 3 AND id % 2 = 0']) AS condition,
     LATERAL found(condition, by_index, query, radius) AS ids
WHERE n % 2 = 0 OR condition = 'nphd_within(code, $1, $2)'
GROUP BY by_index, condition ORDER BY by_index, condition COLLATE "C";

-- the truth is comparing distances
SELECT bool_and(found('nphd_within(code, $1, $2)', 'none', query, radius)
                IS NOT DISTINCT FROM found('(code <~> $1) + 0 <= $2', 'none', query, radius)) AS same FROM q, r;

-- in order of distance, with LIMIT, in each mode: exactly
SET enable_bitmapscan = off;
SET enable_sort = off;
SELECT mode, k, bool_and(ids IS NOT DISTINCT FROM (
           SELECT array_agg(round(d::numeric, 9) ORDER BY d) FROM (
               SELECT nphd_distance(code, query) AS d FROM t WHERE nphd_distance(code, query) <= radius ORDER BY d LIMIT k) AS s)) AS same
FROM q, r, unnest('{auto,exact,graph}'::text[]) AS mode, unnest(ARRAY[1, 7, 1000]) AS k,
     LATERAL (SELECT set_config('iscc_usearch.search_mode', mode, true)) AS c,
     LATERAL (SELECT array_agg(round(d::numeric, 9)) AS ids FROM (
         SELECT code <~> query AS d FROM t WHERE nphd_within(code, query, radius) ORDER BY code <~> query LIMIT k) AS s) AS x
WHERE n % 3 = 0 GROUP BY mode, k ORDER BY mode, k;
RESET iscc_usearch.search_mode;
-- in order of the distance from something else
SELECT bool_and(by_index = by_distance) AS same
FROM (SELECT array_agg(d ORDER BY place) AS by_index, array_agg(d ORDER BY d) AS by_distance
      FROM q, LATERAL (SELECT code <~> 'a5a5' AS d, row_number() OVER () AS place FROM
           (SELECT code FROM t WHERE nphd_within(code, query, 0.45) ORDER BY code <~> 'a5a5' OFFSET 0) AS s) AS x GROUP BY q.n) AS s;
RESET enable_sort;
RESET enable_bitmapscan;

-- NULL finds nothing
SELECT count(*) FROM t WHERE code <@ (SELECT NULL::bitvec_ball);
SELECT count(*) FROM t WHERE code <@ (SELECT NULL::bitvec_ball) AND nphd_within(code, 'ff', 1);
SELECT count(*) FROM (SELECT id FROM t WHERE code <@ (SELECT NULL::bitvec_ball) ORDER BY code <~> 'ff') AS s;
-- a NULL order: the rows within, in any order
SELECT count(*) = (SELECT count(*) FROM t WHERE (code <~> 'ff') + 0 <= 0.5) AS same
FROM (SELECT id FROM t WHERE nphd_within(code, 'ff', 0.5) ORDER BY code <~> (SELECT NULL::bitvec)) AS s;
SELECT count(*), count(code) FROM t WHERE nphd_within(code, 'ff', 1);
SELECT radius_error('SELECT count(*) FROM t WHERE nphd_within(code, $$ff$$, 6)');

-- any of several balls
SELECT count(*) = (SELECT count(*) FROM t WHERE (code <~> '00') + 0 <= 0.2 OR (code <~> 'ff') + 0 <= 0.3) AS same
FROM t WHERE code <@ ANY (ARRAY[nphd_ball('00', 0.2), nphd_ball('ff', 0.3), NULL]);

-- parameters: custom and generic plans
PREPARE within (bitvec, float8) AS SELECT count(*) FROM t WHERE nphd_within(code, $1, $2);
PREPARE within_ordered (bitvec, float8) AS
SELECT round((code <~> $1)::numeric, 6) FROM t WHERE nphd_within(code, $1, $2) ORDER BY code <~> $1 LIMIT 3;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE within ('00ff', 0.3);
EXPLAIN (COSTS OFF) EXECUTE within_ordered ('00ff', 0.3);
EXECUTE within ('00ff', 0.3);
EXECUTE within (NULL, 0.3);
EXECUTE within ('00ff', NULL);
EXECUTE within_ordered ('00ff', 0.3);
SET plan_cache_mode = force_custom_plan;
EXECUTE within ('00ff', 0.3);
EXECUTE within_ordered ('00ff', 0.3);
RESET plan_cache_mode;
DEALLOCATE ALL;
SELECT count(*) FROM t WHERE (code <~> '00ff') + 0 <= 0.3;

-- joins: pairs of near-duplicates
SET enable_bitmapscan = off;
CREATE TEMP TABLE pairs AS SELECT a.id AS a, b.id AS b FROM t a JOIN t b ON nphd_within(b.code, a.code, 0.04) AND a.id < b.id;
CREATE TEMP TABLE pairs_of_balls AS SELECT a.id AS a, b.id AS b FROM t a JOIN t b ON b.code <@ nphd_ball(a.code, 0.04) AND a.id < b.id;
RESET enable_bitmapscan;
CREATE TEMP TABLE true_pairs AS SELECT a.id AS a, b.id AS b FROM t a JOIN t b ON (a.code <~> b.code) + 0 <= 0.04 AND a.id < b.id;
SELECT count(*) > 1000 AS many, (SELECT count(*) FROM (TABLE pairs EXCEPT TABLE true_pairs) AS s) AS wrong,
       (SELECT count(*) FROM (TABLE true_pairs EXCEPT TABLE pairs) AS s) AS missing,
       (SELECT count(*) FROM (TABLE true_pairs EXCEPT TABLE pairs_of_balls) AS s) AS missing_of_balls,
       count(*) = (SELECT count(*) FROM pairs) AND count(*) = (SELECT count(*) FROM pairs_of_balls) AS once FROM true_pairs;
SELECT bool_and(x.ids IS NOT DISTINCT FROM found('nphd_within(code, $1, $2)', 'none', query, 0.2)) AS same
FROM q, LATERAL (SELECT array_agg(id ORDER BY id) AS ids FROM t WHERE nphd_within(code, query, 0.2)) AS x;

-- own inserts, deletes and updates, with and without VACUUM
BEGIN;
INSERT INTO t SELECT 3000 + i, sha256('own'), 0 FROM generate_series(1, 3) i;
SELECT array_agg(id ORDER BY id) FROM t WHERE nphd_within(code, sha256('own')::bitvec, 0.01);
DELETE FROM t WHERE id = 3002;
SELECT array_agg(id ORDER BY id) FROM t WHERE nphd_within(code, sha256('own')::bitvec, 0.01);
SAVEPOINT s;
UPDATE t SET code = sha256('other') WHERE id = 3001;
SELECT array_agg(id ORDER BY id) FROM t WHERE nphd_within(code, sha256('own')::bitvec, 0.01);
ROLLBACK TO s;
SELECT array_agg(id ORDER BY id) FROM t WHERE nphd_within(code, sha256('own')::bitvec, 0.01);
ROLLBACK;
SELECT count(*) FROM t WHERE nphd_within(code, sha256('own')::bitvec, 0.01);
DELETE FROM t WHERE id % 3 = 0;
CREATE FUNCTION same() RETURNS boolean LANGUAGE sql AS $$
SELECT bool_and(found('nphd_within(code, $1, $2)', by_index, query, radius)
                IS NOT DISTINCT FROM found('(code <~> $1) + 0 <= $2', 'none', query, radius))
FROM q, r, unnest('{plain,bitmap}'::text[]) AS by_index WHERE n % 5 = 0 $$;
SELECT same();
VACUUM t;
SELECT same();
INSERT INTO t SELECT 7000 + i, sha256((i % 60)::text::bytea)::bitvec, i % 5 FROM generate_series(1, 400) i;
SELECT same();
SELECT usearch_seal('t_code') > 0 AS sealed, same();
SELECT entries_removed > 0 AS removed, same() FROM usearch_compact('t_code');
SELECT * FROM usearch_check('t_code', true);

-- cursors
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t WHERE nphd_within(code, '00', 1);
MOVE 5 IN c;
DELETE FROM t;
INSERT INTO t SELECT 9000 + i, '00', 0 FROM generate_series(1, 10) i;
MOVE ALL IN c;
CLOSE c;
SELECT count(*) FROM t WHERE nphd_within(code, '00', 1);
ROLLBACK;

-- what is not served: the column on both sides, another column's radius, another operator class
CREATE FUNCTION served(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line ~ 't_(code|jaccard)' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
SELECT query, served(query) FROM unnest(ARRAY[
    $$SELECT id FROM t WHERE nphd_within(code, code, 0.1)$$,
    $$SELECT id FROM t WHERE nphd_within(code, 'ff', id * 0.1)$$,
    $$SELECT id FROM t WHERE nphd_within(prefix(code, 64), 'ff', 0.1)$$,
    $$SELECT id FROM t WHERE nphd_within('ff', 'ff', kind)$$,
    $$SELECT id FROM t WHERE NOT nphd_within(code, 'ff', 0.1)$$,
    $$SELECT id FROM t WHERE nphd_within(code, 'ff', random())$$,
    $$SELECT id FROM t WHERE nphd_within(code, (SELECT query FROM q LIMIT 1), 0.1)$$,
    $$SELECT id FROM t WHERE code = 'ff'$$]) AS query;
DROP INDEX t_code;
CREATE INDEX t_jaccard ON t USING usearch (code bitvec_jaccard_ops);
CREATE INDEX t_btree ON t (code);
SELECT query, served(query) FROM unnest(ARRAY[
    $$SELECT id FROM t WHERE nphd_within(code, 'ff', 0.1)$$,
    $$SELECT id FROM t WHERE code <@ nphd_ball('ff', 0.1)$$]) AS query;
DROP TABLE t, q, r, pairs, pairs_of_balls, true_pairs;
DROP FUNCTION same, found;

-- indexes of expressions, partial indexes, partitions
CREATE TABLE t (id int, code bitvec(256), kind int) PARTITION BY LIST (kind);
CREATE TABLE t0 PARTITION OF t FOR VALUES IN (0);
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1, 2);
INSERT INTO t SELECT i, sha256((i / 10)::text::bytea), i % 3 FROM generate_series(0, 599) i;
CREATE INDEX t_code ON t USING usearch (code);
CREATE INDEX t_code64 ON t1 USING usearch (prefix(code, 64)) WHERE kind = 2;
ANALYZE t;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, sha256('7')::bitvec, 0.1);
SELECT array_agg(id ORDER BY id) FROM t WHERE nphd_within(code, sha256('7')::bitvec, 0.1);
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t1 WHERE nphd_within(prefix(code, 64), sha256('7')::bitvec, 0.1) AND kind = 2;
SELECT array_agg(id ORDER BY id) FROM t1 WHERE nphd_within(prefix(code, 64), sha256('7')::bitvec, 0.1) AND kind = 2;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, sha256('7')::bitvec, 0.4) ORDER BY code <~> sha256('7')::bitvec LIMIT 3;
SELECT array_agg(id / 10) FROM (SELECT id FROM t WHERE nphd_within(code, sha256('7')::bitvec, 0.4) ORDER BY code <~> sha256('7')::bitvec LIMIT 10) AS s;
RESET enable_bitmapscan;

-- row-level security and security barriers do not keep a leakproof function from the index
CREATE ROLE regress_within_user;
GRANT SELECT ON t0 TO regress_within_user;
ALTER TABLE t0 ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON t0 USING (id % 2 = 0);
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM t0 WHERE id % 4 = 2;
GRANT SELECT ON barrier TO regress_within_user;
CREATE FUNCTION told(id int) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
    RAISE NOTICE 'told of %', id;
    RETURN true;
END $$;
SET ROLE regress_within_user;
EXPLAIN (COSTS OFF) SELECT id FROM t0 WHERE nphd_within(code, sha256('7')::bitvec, 0.1);
SELECT id FROM t0 WHERE nphd_within(code, sha256('7')::bitvec, 0.1) AND told(id) ORDER BY id;
SELECT id FROM t0 WHERE nphd_within(code, sha256('7')::bitvec, 0.1) AND told(id) ORDER BY code <~> sha256('7')::bitvec, id;
EXPLAIN (COSTS OFF) SELECT id FROM barrier WHERE nphd_within(code, sha256('7')::bitvec, 0.1);
SELECT id FROM barrier WHERE nphd_within(code, sha256('7')::bitvec, 0.1) AND told(id) ORDER BY id;
RESET ROLE;
DROP VIEW barrier;
DROP TABLE t;
DROP FUNCTION told, served, radius_error;
DROP ROLE regress_within_user;
RESET enable_seqscan;

-- the extension's schema need not be in the search path, nor usable by who searches
CREATE TABLE t (id int, code bitvec(64));
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64) FROM generate_series(1, 2000) i;
CREATE INDEX t_code ON t USING usearch (code);
CREATE VIEW v AS SELECT id FROM t WHERE nphd_within(code, prefix(sha256('7')::bitvec, 64), 0.1);
CREATE SCHEMA elsewhere;
ALTER EXTENSION iscc_usearch SET SCHEMA elsewhere;
CREATE ROLE regress_within_user;
GRANT SELECT ON v, t TO regress_within_user;
SET ROLE regress_within_user;
EXPLAIN (COSTS OFF) SELECT id FROM v;
SELECT id FROM v;
RESET ROLE;
ALTER EXTENSION iscc_usearch SET SCHEMA public;
DROP SCHEMA elsewhere;
DROP VIEW v;
DROP TABLE t;
DROP ROLE regress_within_user;
