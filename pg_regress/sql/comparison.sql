-- Comparisons of a distance: the index serves them, and the answer is that of the comparison, bit for bit.
SET max_parallel_workers_per_gather = 0;
CREATE TABLE t (id int PRIMARY KEY, code bitvec(256), kind int, radius float8);
INSERT INTO t
SELECT c * 20 + v, prefix(set_bit(set_bit(sha256(c::text::bytea), v * 7, v % 2), v * 3, v % 3 % 2)::bitvec, 64 * (1 + v % 4)), v % 5, v / 40.0
FROM generate_series(0, 59) c, generate_series(0, 19) v;
CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '64kB');
INSERT INTO t SELECT 2000 + i, CASE WHEN i % 5 > 0 THEN sha256((i / 2)::text::bytea)::bitvec END, i % 5, 0.1 FROM generate_series(0, 49) i;
ANALYZE t;

SET enable_seqscan = off;
SET enable_bitmapscan = off;
\set q '''\\x7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451'''
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE code <~> :q < 0.1;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE code <~> :q <= 0.1 ORDER BY code <~> :q LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE 1 - (code <~> :q) > 0.9 ORDER BY code <~> :q LIMIT 5;
RESET enable_bitmapscan;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE code <~> :q < 0.1 OR code <~> '\x00ff' < 0.1 AND kind = 1 OR id = 7;

-- Whether the index serves a statement.
CREATE FUNCTION served(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
        IF line ~ 'Index Cond: .*(<@~|<@)' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
-- The rows that meet a condition, by the index or by comparing all.
CREATE FUNCTION found(condition text, by_index text, query bitvec, radius float8, tail text DEFAULT '') RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
    ids int[];
BEGIN
    PERFORM set_config('enable_seqscan', (by_index = 'none')::text, true);
    PERFORM set_config('enable_indexscan', (by_index = 'plain')::text, true);
    PERFORM set_config('enable_bitmapscan', (by_index = 'bitmap')::text, true);
    EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM t WHERE %s %s) AS s', condition, tail)
    INTO ids USING query, radius;
    RETURN ids;
END $$;

-- each form, as written and with the distance hidden from the planner
CREATE TABLE form (n int, condition text, hidden text);
INSERT INTO form VALUES
    (1, 'code <~> $1 < $2', '(code <~> $1) + 0 < $2'),
    (2, 'code <~> $1 <= $2', '(code <~> $1) + 0 <= $2'),
    (3, '$2 > $1 <~> code', '$2 > ($1 <~> code) + 0'),
    (4, '$2 >= nphd_distance(code, $1)', '$2 >= nphd_distance(code, $1) + 0'),
    (5, '1 - (code <~> $1) > 1 - $2', '1 - (code <~> $1) + 0 > 1 - $2'),
    (6, '1 - (code <~> $1) >= 1 - $2', '1 - (code <~> $1) + 0 >= 1 - $2'),
    (7, '1 - $2 < 1 - ($1 <~> code)', '1 - $2 < 1 - ($1 <~> code) + 0'),
    (8, '1 - $2 <= 1 - ($1 <~> code)', '1 - $2 <= 1 - ($1 <~> code) + 0'),
    (9, 'code <~> $1 < $2::real', '(code <~> $1) + 0 < $2::real'),
    (10, '$2::real >= code <~> $1', '$2::real >= (code <~> $1) + 0'),
    (11, 'code <~> $1 BETWEEN 0.01 AND $2 AND kind < 4', '(code <~> $1) + 0 BETWEEN 0.01 AND $2 AND kind < 4'),
    (12, '(code <~> $1 < $2 OR code <~> $$\xff00$$ <= 0.3 AND kind = 2)',
         '((code <~> $1) + 0 < $2 OR (code <~> $$\xff00$$) + 0 <= 0.3 AND kind = 2)');
-- queries, and radii: distances that occur, the numbers beside them, and beyond
CREATE TABLE q (n int, query bitvec);
INSERT INTO q SELECT id, code FROM t WHERE id % 197 = 0 AND code IS NOT NULL;
INSERT INTO q VALUES (5000, 'ff'), (5001, prefix(sha256('no such code')::bitvec, 192)), (5002, repeat('5a', 40)::bitvec);
CREATE TABLE r (n serial, radius float8);
INSERT INTO r (radius) VALUES (-1), (-0.0), (0), (1e-30), (0.3), (0.7), (1), (1.5), ('Infinity'), ('-Infinity'), ('NaN'), (NULL);
INSERT INTO r (radius) SELECT DISTINCT d + e FROM q, LATERAL (SELECT code <~> query AS d FROM t WHERE id % 90 = 3) AS s,
    unnest('{0,1.1102230246251565e-16,-5.551115123125783e-17}'::float8[]) AS e WHERE n % 2 = 0 AND d < 0.5 OR n = 5001 AND d < 0.4;
SELECT count(*) > 50 AS many FROM r;
SELECT form.n, by_index, bool_and(found(condition, by_index, query, radius) IS NOT DISTINCT FROM found(hidden, 'none', query, radius)) AS same,
       sum(coalesce(cardinality(found(condition, by_index, query, radius)), 0)) > 500 AS found
FROM form, q, r, unnest('{plain,bitmap}'::text[]) AS by_index WHERE (q.n + r.n + form.n) % 13 = 0
GROUP BY form.n, by_index ORDER BY form.n, by_index;
SELECT n, served('SELECT id FROM t WHERE ' || replace(replace(condition, '$1', '''\x00ff'''), '$2', '0.1')) FROM form ORDER BY n;

-- in order, with LIMIT: as many rows as there are, in each mode; few, some, or nearly all are within
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SELECT mode, k, radius, bool_and(ids IS NOT DISTINCT FROM (
           SELECT array_agg(d ORDER BY d) FROM (
               SELECT nphd_distance(code, query) + 0 AS d FROM t WHERE (code <~> query) + 0 < radius ORDER BY 1 LIMIT k) AS s)) AS same
FROM q, unnest('{0.02,0.1,0.45,0.9}'::float8[]) AS radius, unnest('{auto,exact,graph}'::text[]) AS mode, unnest(ARRAY[1, 7, 1000]) AS k,
     LATERAL (SELECT set_config('iscc_usearch.search_mode', mode, true)) AS c,
     LATERAL (SELECT array_agg(d) AS ids FROM (
         SELECT code <~> query AS d FROM t WHERE code <~> query < radius ORDER BY code <~> query LIMIT k) AS s) AS x
GROUP BY mode, k, radius ORDER BY mode, k, radius;
RESET iscc_usearch.search_mode;
RESET enable_sort;
RESET enable_bitmapscan;

-- parameters, generic plans, and functions as they are written for matching
PREPARE match (bitvec, float8) AS SELECT count(*) FROM t WHERE 1 - (code <~> $1) > $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE match ('00ff', 0.7);
EXECUTE match ('00ff', 0.7);
EXECUTE match ('00ff', NULL);
EXECUTE match (NULL, 0.7);
RESET plan_cache_mode;
SELECT count(*) FROM t WHERE 1 - (code <~> '00ff') + 0 > 0.7;
CREATE FUNCTION match_codes(query bitvec, threshold float8, count int) RETURNS TABLE (id int, similarity float8) LANGUAGE sql STABLE AS $$
    SELECT t.id, 1 - (t.code <~> query) FROM t WHERE 1 - (t.code <~> query) > threshold ORDER BY t.code <~> query LIMIT count $$;
EXPLAIN (COSTS OFF) SELECT * FROM match_codes('00ff', 0.8, 5);
SELECT count(*), min(similarity) > 0.7 AS near FROM match_codes('00ff', 0.7, 5);

-- joins, outer joins, views, subqueries, updates; a radius of the other table
SELECT statement, served(statement) FROM unnest(ARRAY[
    $$SELECT * FROM q JOIN t ON code <~> query < 0.05$$,
    $$SELECT * FROM q LEFT JOIN t ON 0.05 > query <~> code$$,
    $$SELECT * FROM t a JOIN t b ON a.code <~> b.code < a.radius$$,
    $$SELECT * FROM (SELECT id, code <~> '00ff' AS d FROM t) AS s WHERE d < 0.05$$,
    $$SELECT * FROM q WHERE EXISTS (SELECT FROM t WHERE code <~> query < 0.05)$$,
    $$UPDATE t SET kind = 0 WHERE code <~> '00ff' < 0.05$$,
    $$DELETE FROM t WHERE code <~> '00ff' < 0.05$$,
    $$SELECT * FROM t WHERE code <~> (SELECT query FROM q LIMIT 1) < 0.05$$]) AS statement;
SELECT (SELECT count(*) FROM t a JOIN t b ON a.code <~> b.code < a.radius)
     = (SELECT count(*) FROM t a JOIN t b ON (a.code <~> b.code) + 0 < a.radius) AS same;
SELECT count(*) FILTER (WHERE id IS NULL) AS without, count(*) = (SELECT count(*) FROM q LEFT JOIN t ON (query <~> code) + 0 < 0.05) AS same
FROM q LEFT JOIN t ON 0.05 > query <~> code;
-- what no index can serve
SELECT statement, served(statement) FROM unnest(ARRAY[
    $$SELECT * FROM t WHERE code <~> '00ff' > 0.05$$,
    $$SELECT * FROM t WHERE code <~> '00ff' = 0.05$$,
    $$SELECT * FROM t WHERE NOT code <~> '00ff' > 0.05$$,
    $$SELECT * FROM t WHERE code <~> code < 0.05$$,
    $$SELECT * FROM t WHERE code <~> '00ff' < radius$$,
    $$SELECT * FROM t WHERE code <~> '00ff' < random()$$,
    $$SELECT * FROM t WHERE code <%> '00ff' < 0.05$$,
    $$SELECT * FROM t WHERE hamming_distance(code, '00ff') < 2$$]) AS statement;

-- a partial index whose condition is a comparison
CREATE INDEX t_near ON t USING usearch (code) WHERE code <~> '00ff' < 0.2;
SELECT count(*) = (SELECT count(*) FROM t WHERE (code <~> '00ff') + 0 < 0.2 AND kind = 1) AS same
FROM t WHERE code <~> '00ff' < 0.2 AND kind = 1;
DROP INDEX t_near;

-- partitions; children without an index of their own
CREATE TABLE p (id int, code bitvec(256)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (600);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (600) TO (10000);
CREATE INDEX p_code ON p USING usearch (code);
INSERT INTO p SELECT id, code FROM t;
EXPLAIN (COSTS OFF) SELECT id FROM p WHERE code <~> :q < 0.1 AND id < 500;
SELECT array_agg(id ORDER BY id) = (SELECT array_agg(id ORDER BY id) FROM t WHERE (code <~> :q) + 0 < 0.3) AS same FROM p WHERE code <~> :q < 0.3;
DROP TABLE p;

-- row-level security: hidden rows stay hidden
CREATE ROLE regress_comparison_user;
GRANT SELECT ON t TO regress_comparison_user;
CREATE POLICY even ON t USING (id % 2 = 0);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
SET ROLE regress_comparison_user;
SELECT served('SELECT id FROM t WHERE code <~> $$\x7902$$ < 0.1');
SELECT bool_and(id % 2 = 0) AS own, count(*) > 0 AS some FROM t WHERE code <~> '\x7902' < 0.1;
SELECT served('SELECT id FROM t WHERE nphd_within(code, $$\x7902$$, 0.1)');
PREPARE within (bitvec, float8) AS SELECT bool_and(id % 2 = 0) AS own, count(*) > 0 AS some FROM t WHERE nphd_within(code, $1, $2);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE within('\x7902', 0.1);
EXECUTE within('\x7902', 0.1);
EXECUTE within('\x7902', 6);
RESET plan_cache_mode;
-- an error would tell of hidden rows: the condition comes after the policy
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, '\x7902', radius * 20) AND id = 1;
SELECT id FROM t WHERE nphd_within(code, '\x7902', radius + (id % 2) * 20) AND id < 4;
RESET ROLE;
DROP TABLE t, q, r, form;
DROP FUNCTION served, found, match_codes;
DROP ROLE regress_comparison_user;
