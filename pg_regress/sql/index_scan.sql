-- Ordered index scans give what a sequential scan and a sort give.

-- clusters of near-duplicates: 50 codes, each with 20 variants of a few flipped bits, of 64 to 256 bits
CREATE TABLE t (id int, code bitvec(256), kind int);
INSERT INTO t
SELECT c * 20 + v, prefix(set_bit(set_bit(sha256(c::text::bytea), v * 7, v % 2), v * 3, v % 3 % 2)::bitvec, 64 * (1 + v % 4)), v % 5
FROM generate_series(0, 49) c, generate_series(0, 19) v;
SET max_parallel_maintenance_workers = 0;
CREATE INDEX t_code ON t USING usearch (code);
RESET max_parallel_maintenance_workers;
ANALYZE t;

-- the plan
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <~> 'ff00ff00' LIMIT 5;

-- Distances of the k nearest rows, by the index or without it.
CREATE FUNCTION nearest(query bitvec, k int, by_index boolean, filter text DEFAULT 'true') RETURNS float8[]
LANGUAGE plpgsql AS $$
DECLARE
    statement text := 'SELECT code <~> $1 AS d FROM t WHERE ' || filter || ' ORDER BY code <~> $1 LIMIT $2';
    line text;
    indexed boolean := false;
    distances float8[];
BEGIN
    PERFORM set_config('enable_indexscan', by_index::text, true);
    PERFORM set_config('enable_seqscan', (NOT by_index)::text, true);
    PERFORM set_config('enable_bitmapscan', 'off', true);
    PERFORM set_config('enable_sort', 'on', true);
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement USING query, k LOOP
        indexed := indexed OR line LIKE '%t_code%';
    END LOOP;
    IF indexed <> by_index THEN RAISE EXCEPTION 'unexpected plan'; END IF;
    EXECUTE format('SELECT array_agg(d) FROM (%s) AS s', statement) INTO distances USING query, k;
    RETURN distances;
END $$;

-- queries: present, absent, short, longer than any row
CREATE TABLE q (n int, query bitvec);
INSERT INTO q SELECT id, code FROM t WHERE id % 97 = 0;
INSERT INTO q SELECT 2000 + i, sha256((i + 5000)::text::bytea) FROM generate_series(1, 5) i;
INSERT INTO q SELECT 3000 + id, prefix(code, 32) FROM t WHERE id % 211 = 0;
INSERT INTO q SELECT 4000 + id, code || sha256('')::bitvec FROM t WHERE id % 211 = 0;
INSERT INTO q VALUES (5000, '00'), (5001, 'ff');

-- every mode
SELECT count(*) AS queries, bool_and(nearest(query, 10, true) = nearest(query, 10, false)) AS same FROM q;
SET iscc_usearch.search_mode = exact;
SELECT count(*) AS queries, bool_and(nearest(query, 10, true) = nearest(query, 10, false)) AS same FROM q;
SET iscc_usearch.search_mode = graph;
SET iscc_usearch.ef_search = 1000;
SELECT count(*) AS queries, bool_and(nearest(query, 10, true) = nearest(query, 10, false)) AS same FROM q;
RESET iscc_usearch.ef_search;
RESET iscc_usearch.search_mode;

-- ties in an order of one's own
CREATE FUNCTION with_ties(q bitvec, mode text) RETURNS int[] LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    PERFORM set_config('iscc_usearch.search_mode', mode, true);
    RETURN ARRAY(SELECT id FROM t ORDER BY code <~> q, id LIMIT 30);
END $$;
SET iscc_usearch.ef_search = 1000;
SELECT mode, count(*) AS queries, bool_and(with_ties(query, mode) = ARRAY(SELECT id FROM t ORDER BY nphd_distance(code, query), id LIMIT 30)) AS same
FROM q, unnest('{auto,exact,graph}'::text[]) WITH ORDINALITY AS m (mode, at) GROUP BY at, mode ORDER BY at;
RESET iscc_usearch.ef_search;
DROP FUNCTION with_ties;

-- ever more rows, up to all of them
SELECT k, bool_and(nearest(query, k, true) IS NOT DISTINCT FROM nearest(query, k, false)) AS same
FROM q, unnest(ARRAY[0, 1, 2, 50, 150, 999, 1000, 2000]) AS k WHERE n % 2 = 0 GROUP BY k ORDER BY k;

-- with conditions the LIMIT is still filled
SELECT filter, bool_and(nearest(query, 20, true, filter) IS NOT DISTINCT FROM nearest(query, 20, false, filter)) AS same,
       min(cardinality(nearest(query, 20, true, filter))) AS rows
FROM q, unnest(ARRAY['kind = 3', 'kind = 3 AND id >= 900', 'id IN (3, 500)', 'id < 0', 'length(code) = 128',
                     $$code <~> '00ff' < 0.4$$]) WITH ORDINALITY AS f (filter, at)
WHERE n % 2 = 0 GROUP BY at, filter ORDER BY at;

-- NULL codes come last; every row comes once, in every mode
INSERT INTO t SELECT 1000 + i, CASE WHEN i % 10 > 0 THEN sha256((i / 2)::text::bytea)::bitvec END, i % 5 FROM generate_series(0, 99) i;
SET enable_seqscan = off;
SET enable_sort = off;
CREATE VIEW numbered AS
SELECT id, code, code <~> 'ff00ff00' AS d, row_number() OVER () AS n
FROM (SELECT * FROM t ORDER BY code <~> 'ff00ff00' OFFSET 0) AS s;
EXPLAIN (COSTS OFF) SELECT * FROM t ORDER BY code <~> 'ff00ff00';
SELECT count(*), count(DISTINCT id) AS ids, count(code) AS codes, min(n) FILTER (WHERE code IS NULL) AS first_null,
       array_agg(d ORDER BY n) = array_agg(d ORDER BY d) AS sorted FROM numbered;
SET iscc_usearch.search_mode = exact;
SELECT count(*), count(DISTINCT id) AS ids, count(code) AS codes, min(n) FILTER (WHERE code IS NULL) AS first_null,
       array_agg(d ORDER BY n) = array_agg(d ORDER BY d) AS sorted FROM numbered;
SET iscc_usearch.search_mode = graph;
SELECT count(*), count(DISTINCT id) AS ids, count(code) AS codes, min(n) FILTER (WHERE code IS NULL) AS first_null FROM numbered;
SET iscc_usearch.ef_search = 1;
SELECT count(*), count(DISTINCT id) AS ids, count(code) AS codes, min(n) FILTER (WHERE code IS NULL) AS first_null FROM numbered;
RESET iscc_usearch.ef_search;
RESET iscc_usearch.search_mode;
DROP VIEW numbered;

-- conditions on NULL
SELECT count(*), count(code) FROM (SELECT * FROM t WHERE code IS NOT NULL ORDER BY code <~> 'ff') AS s;
SELECT count(*), count(code) FROM (SELECT * FROM t WHERE code IS NULL ORDER BY code <~> 'ff') AS s;

-- a NULL query: all distances are NULL, all rows come
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY code <~> NULL) AS s;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY code <~> (SELECT NULL::bitvec)) AS s;
SELECT count(*) FROM (SELECT id FROM t ORDER BY code <~> (SELECT NULL::bitvec) LIMIT 7) AS s;

-- LIMIT and OFFSET
SELECT id FROM t ORDER BY code <~> 'ff' LIMIT 0;
SELECT array_agg(d) = (SELECT (nearest('ff', 110, false))[101:110]) AS same
FROM (SELECT code <~> 'ff' AS d FROM t ORDER BY code <~> 'ff' LIMIT 10 OFFSET 100) AS s;
SELECT id FROM t ORDER BY code <~> 'ff' OFFSET 1100;

-- cursors
BEGIN;
DECLARE c CURSOR FOR SELECT code <~> sha256('7')::bitvec AS d FROM t ORDER BY code <~> sha256('7')::bitvec;
FETCH 1 FROM c;
MOVE 1098 IN c;
FETCH 5 FROM c;
FETCH 1 FROM c;
CLOSE c;
DECLARE s SCROLL CURSOR FOR SELECT code <~> sha256('7')::bitvec AS d FROM t ORDER BY code <~> sha256('7')::bitvec;
FETCH 2 FROM s;
FETCH BACKWARD 1 FROM s;
FETCH FIRST FROM s;
FETCH ABSOLUTE 1000 FROM s;
CLOSE s;
DECLARE h CURSOR WITH HOLD FOR SELECT code <~> sha256('7')::bitvec AS d FROM t ORDER BY code <~> sha256('7')::bitvec LIMIT 3;
COMMIT;
FETCH ALL FROM h;
CLOSE h;

-- a cursor sees neither what comes nor what goes after it was opened
CREATE FUNCTION rest_of(c refcursor, OUT rows int, OUT new_rows int) LANGUAGE plpgsql AS $$
DECLARE
    row_id int;
BEGIN
    rows := 0;
    new_rows := 0;
    LOOP
        FETCH c INTO row_id;
        EXIT WHEN NOT FOUND;
        rows := rows + 1;
        new_rows := new_rows + (row_id > 5000)::int;
    END LOOP;
END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY code <~> sha256('7')::bitvec;
MOVE 1 IN c;
DELETE FROM t WHERE id >= 1000;
INSERT INTO t SELECT 5000 + i, sha256('7'), 0 FROM generate_series(1, 10) i;
SELECT * FROM rest_of('c');
SELECT count(*), count(*) FILTER (WHERE id > 5000) AS new_rows FROM (SELECT id FROM t ORDER BY code <~> sha256('7')::bitvec) AS s;
ROLLBACK;
DROP FUNCTION rest_of;

-- rows found can be locked and changed
BEGIN;
SELECT id / 20 AS cluster FROM t ORDER BY code <~> sha256('7')::bitvec LIMIT 1 FOR UPDATE;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY code <~> sha256('7')::bitvec;
MOVE 2 IN c;
UPDATE t SET kind = 1000 WHERE CURRENT OF c;
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE kind < 1000 ORDER BY code <~> sha256('7')::bitvec LIMIT 3);
SELECT count(*), count(*) FILTER (WHERE kind = 1000) AS changed FROM t;
ROLLBACK;

-- rescans
RESET enable_seqscan;
EXPLAIN (COSTS OFF)
SELECT n, id FROM q CROSS JOIN LATERAL (SELECT id FROM t ORDER BY code <~> query LIMIT 3) AS x;
SET enable_seqscan = off;
SELECT count(*) AS queries, bool_and(near = (nearest(query, 3, false))) AS same
FROM q CROSS JOIN LATERAL (SELECT array_agg(d) AS near FROM (SELECT code <~> query AS d FROM t ORDER BY code <~> query LIMIT 3) AS s) AS x;
SELECT count(*), count(x.id) FROM (SELECT query FROM q UNION ALL SELECT NULL) AS q
CROSS JOIN LATERAL (SELECT id FROM t ORDER BY code <~> query LIMIT 5) AS x;

-- a correlated subquery: each row's nearest other row
SELECT count(*), bool_and(d <= 0.3) AS near
FROM (SELECT (SELECT o.code <~> t.code FROM t o WHERE o.id <> t.id ORDER BY o.code <~> t.code LIMIT 1) AS d
      FROM t WHERE id < 1000 AND id % 50 = 0) AS s;

-- prepared statements, with custom and generic plans
PREPARE near (bitvec, int) AS
SELECT array_agg(d) FROM (SELECT code <~> $1 AS d FROM t ORDER BY code <~> $1 LIMIT $2) AS s;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE near('ff', 3);
EXECUTE near('ff', 3);
EXECUTE near(NULL, 3);
EXECUTE near('00', 3);
SET plan_cache_mode = force_custom_plan;
EXECUTE near('ff', 3);
EXECUTE near('00', 3);
RESET plan_cache_mode;
SELECT nearest('ff', 3, false), nearest('00', 3, false);
DEALLOCATE near;
RESET enable_sort;

-- Does the index serve a query?
CREATE FUNCTION served(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line LIKE '%t_code%' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
SELECT query, served(query) FROM unnest(ARRAY[
    $$SELECT id FROM t ORDER BY code <~> 'ff' LIMIT 1$$,
    $$SELECT id FROM t ORDER BY 'ff' <~> code LIMIT 1$$,
    $$SELECT id FROM t ORDER BY code <~> 'ff' NULLS LAST LIMIT 1$$,
    $$SELECT id FROM t ORDER BY nphd_distance(code, 'ff') LIMIT 1$$,
    $$SELECT id FROM t ORDER BY code <~> 'ff' DESC LIMIT 1$$,
    $$SELECT id FROM t ORDER BY code <~> 'ff' NULLS FIRST LIMIT 1$$,
    $$SELECT id FROM t ORDER BY code <%> 'ff' LIMIT 1$$,
    $$SELECT id FROM t ORDER BY (code <~> 'ff') + 0 LIMIT 1$$,
    $$SELECT id FROM t ORDER BY prefix(code, 64) <~> 'ff' LIMIT 1$$,
    $$SELECT id FROM t ORDER BY code LIMIT 1$$,
    $$SELECT id FROM t WHERE code = 'ff'$$,
    $$SELECT count(*) FROM t WHERE code <~> 'ff' < 0.1$$]) AS query;
-- where other plans are disabled, PostgreSQL 18 may take the index for what it does not serve
SELECT count(*) AS all_rows FROM t;
SELECT array_agg(id) AS farthest FROM (SELECT id FROM t WHERE code IS NOT NULL ORDER BY code <~> prefix(sha256('7')::bitvec, 64) DESC, id LIMIT 1) AS s;

-- Jaccard has its own operator class
CREATE INDEX t_jaccard ON t USING usearch (code bitvec_jaccard_ops);
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <%> 'ff00ff00' LIMIT 5;
CREATE TABLE by_index AS SELECT n, d FROM q, LATERAL
    (SELECT array_agg(d) AS d FROM (SELECT code <%> query AS d FROM t ORDER BY code <%> query LIMIT 10) AS s) AS x;
SET enable_seqscan = on;
SET enable_indexscan = off;
SELECT count(*), bool_and(b.d = x.d) AS same FROM q JOIN by_index b USING (n), LATERAL
    (SELECT array_agg(d) AS d FROM (SELECT code <%> query AS d FROM t ORDER BY code <%> query LIMIT 10) AS s) AS x;
RESET enable_indexscan;
RESET enable_seqscan;
SELECT * FROM usearch_check('t_jaccard', true);
-- and so has Sørensen
CREATE INDEX t_sorensen ON t USING usearch (code bitvec_sorensen_ops);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <%%> 'ff00ff00' LIMIT 5;
SELECT count(*), bool_and(i.d = (SELECT array_agg(d) FROM (SELECT sorensen_distance(code, query) AS d FROM t WHERE code IS NOT NULL ORDER BY 1 LIMIT 10) AS s)) AS same
FROM (SELECT n, query, ARRAY(SELECT code <%%> query FROM t ORDER BY code <%%> query LIMIT 10) AS d FROM q) AS i;
SELECT metric, rows FROM usearch_shards('t_sorensen');
SELECT * FROM usearch_check('t_sorensen', true);
RESET enable_seqscan;
DROP TABLE t, q, by_index;

-- nothing to find
CREATE TABLE t (id int, code bitvec(64));
CREATE INDEX t_code ON t USING usearch (code);
SET enable_seqscan = off;
SELECT id FROM t ORDER BY code <~> 'ff';
SELECT id FROM t ORDER BY code <~> 'ff' LIMIT 3;
INSERT INTO t SELECT i, NULL FROM generate_series(1, 300) i;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY code <~> 'ff') AS s;
SELECT count(*) FROM (SELECT id FROM t ORDER BY code <~> 'ff' LIMIT 3) AS s;
SELECT usearch_seal('t_code');
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY code <~> 'ff') AS s;
RESET enable_seqscan;
DROP TABLE t;

-- one code hundreds of times, and a few others
CREATE TABLE t (id int, code bitvec(64));
INSERT INTO t SELECT i, '0123456789abcdef' FROM generate_series(1, 700) i;
INSERT INTO t SELECT 700 + i, prefix(sha256(i::text::bytea)::bitvec, 64) FROM generate_series(1, 300) i;
CREATE INDEX t_code ON t USING usearch (code);
SELECT entries, distinct_codes FROM usearch_index_stats('t_code');
SELECT mode, k, bool_and(nearest(query, k, true) = nearest(query, k, false)) AS same
FROM unnest('{auto,exact,graph}'::text[]) WITH ORDINALITY AS m (mode, at), unnest(ARRAY[1, 500, 700, 710]) AS k,
     LATERAL (SELECT CASE WHEN set_config('iscc_usearch.search_mode', mode, false) = mode THEN query END AS query
              FROM (VALUES ('0123456789abcdef'::bitvec), ('0123'), ('0123456789abcdee')) AS v (query)) AS q
GROUP BY at, mode, k ORDER BY at, k;
RESET iscc_usearch.search_mode;
SET enable_seqscan = off;
SELECT count(DISTINCT id), count(*) FILTER (WHERE id <= 700) AS equal
FROM (SELECT id FROM t ORDER BY code <~> '0123456789abcdef' LIMIT 701) AS s;
INSERT INTO t SELECT 1000 + i, '0123456789abcdef' FROM generate_series(1, 300) i;
SELECT count(DISTINCT id), count(*) FILTER (WHERE id <= 700 OR id > 1000) AS equal
FROM (SELECT id FROM t ORDER BY code <~> '0123456789abcdef' LIMIT 1001) AS s;
RESET enable_seqscan;
DROP TABLE t;
DROP FUNCTION nearest, served;
