-- One table for all types of codes, a partition each: statements prune at run time, MergeAppend keeps the order.
CREATE TABLE unit (id int NOT NULL, unit_type text NOT NULL, body bitvec(256) NOT NULL, PRIMARY KEY (unit_type, id)) PARTITION BY LIST (unit_type);
CREATE TABLE unit_text PARTITION OF unit FOR VALUES IN ('TEXT');
CREATE TABLE unit_data PARTITION OF unit FOR VALUES IN ('DATA');
CREATE TABLE unit_instance PARTITION OF unit FOR VALUES IN ('INSTANCE');
INSERT INTO unit SELECT c * 10 + v, 'TEXT', prefix(set_bit(sha256(c::text::bytea), v * 7, v % 2)::bitvec, 64 * (1 + v % 4))
FROM generate_series(0, 29) c, generate_series(0, 9) v;
INSERT INTO unit SELECT id, 'DATA', sha256(body::bytea) FROM unit_text WHERE id % 3 = 0;
INSERT INTO unit SELECT id, 'INSTANCE', prefix(sha256(id::text::bytea)::bitvec, 64 * (1 + id % 4)) FROM unit_text;
CREATE INDEX ON unit_text USING usearch (body bitvec_nphd_ops) WITH (m = 8, ef_construction = 64, shard_size = '1MB');
CREATE INDEX ON unit_data USING usearch (body);
CREATE INDEX ON unit_instance (body);
ANALYZE unit;
SET enable_seqscan = off;

-- Lines of a plan that match, with what the executor found out.
CREATE FUNCTION plan_lines(statement text, pattern text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || statement LOOP
        IF line ~ pattern THEN
            RETURN NEXT regexp_replace(trim(line, ' ->'), '\(actual.*\)', '(executed)');
        END IF;
    END LOOP;
END $$;

-- across partitions: ordered scans merged, a sort where there is no index
EXPLAIN (COSTS OFF) SELECT id FROM unit WHERE unit_type IN ('TEXT', 'DATA') ORDER BY body <~> '00ff' LIMIT 5;
SELECT ARRAY(SELECT body <~> '00ff' FROM unit ORDER BY body <~> '00ff' LIMIT 50)
     = ARRAY(SELECT nphd_distance(body, '00ff') FROM unit ORDER BY 1 LIMIT 50) AS first_50,
       ARRAY(SELECT body <~> '00ff' FROM unit WHERE unit_type <> 'INSTANCE' ORDER BY body <~> '00ff')
     = ARRAY(SELECT nphd_distance(body, '00ff') FROM unit WHERE unit_type <> 'INSTANCE' ORDER BY 1) AS all_of_two;
BEGIN;
DECLARE c CURSOR FOR SELECT body <~> '00ff' AS d FROM unit WHERE unit_type IN ('TEXT', 'DATA') ORDER BY body <~> '00ff';
FETCH 4 FROM c;
MOVE 390 IN c;
FETCH ALL FROM c;
COMMIT;

-- pruned when planned, when a prepared statement starts, and for each row of LATERAL
EXPLAIN (COSTS OFF) SELECT id FROM unit WHERE unit_type = 'TEXT' ORDER BY body <~> '00ff' LIMIT 5;
PREPARE near (text, bitvec) AS SELECT unit_type, body <~> $2 AS d FROM unit WHERE unit_type = $1 ORDER BY body <~> $2 LIMIT 2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE near('DATA', '00ff');
EXECUTE near('DATA', '00ff');
EXECUTE near('TEXT', '00ff');
EXECUTE near('NONE', '00ff');
EXECUTE near(NULL, '00ff');
SET plan_cache_mode = force_custom_plan;
EXPLAIN (COSTS OFF) EXECUTE near('DATA', '00ff');
EXECUTE near('DATA', '00ff');
RESET plan_cache_mode;
DEALLOCATE near;
SELECT * FROM plan_lines($$SELECT * FROM (VALUES ('TEXT', '00ff'::bitvec), ('TEXT', 'ff00'), ('TEXT', NULL)) AS q (unit_type, body)
CROSS JOIN LATERAL (SELECT id FROM unit u WHERE u.unit_type = q.unit_type ORDER BY u.body <~> q.body LIMIT 3) AS x$$, 'on unit_');

-- a ranking over all units of an asset: the nearest of each type and those of the same instance
CREATE TABLE query (unit_type text, body bitvec);
INSERT INTO query SELECT unit_type, body FROM unit WHERE id = 42;
PREPARE ranking AS
WITH h AS (
    SELECT q.unit_type, x.id, 1 - x.d AS s FROM query q CROSS JOIN LATERAL
        (SELECT u.id, u.body <~> q.body AS d FROM unit u WHERE u.unit_type = q.unit_type ORDER BY u.body <~> q.body LIMIT 10) x
    WHERE q.unit_type <> 'INSTANCE'
    UNION ALL
    SELECT q.unit_type, u.id, 1.0 FROM query q JOIN unit_instance u ON u.body ^@ q.body OR q.body ^@ u.body WHERE q.unit_type = 'INSTANCE')
SELECT id, round((sum(s ^ 4) / sum(s))::numeric, 3) AS score, jsonb_object_agg(unit_type, round(s::numeric, 3)) AS types
FROM h WHERE s >= 0.75 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5;
EXECUTE ranking;
CREATE TEMP TABLE by_index AS EXECUTE ranking;
SET enable_seqscan = on;
SET enable_indexscan = off;
CREATE TEMP TABLE by_sort AS EXECUTE ranking;
SELECT count(*) AS differ FROM (TABLE by_index EXCEPT ALL TABLE by_sort) AS s;
SET enable_indexscan = on;
SET enable_seqscan = off;

-- identity: codes that a code starts with, and those that start with it
CREATE FUNCTION identity(q bitvec) RETURNS int[] LANGUAGE sql AS
'SELECT array_agg(id ORDER BY id) FROM unit_instance WHERE body ^@ q OR body = ANY (prefixes(q, ''{64,128,192}''))';
SELECT id, identity(body || 'ff') AS longer, identity(prefix(body, 64)) AS shorter, identity(sha256(id::text::bytea)::bitvec) AS whole
FROM unit_instance WHERE id < 4 ORDER BY id;
SELECT identity('00ff');

-- rows that move between partitions, and partitions that come and go
UPDATE unit SET unit_type = 'DATA' WHERE unit_type = 'TEXT' AND id IN (1, 2);
INSERT INTO unit VALUES (7000, 'DATA', '00ff00ff00ff00ff') ON CONFLICT (unit_type, id) DO UPDATE SET body = excluded.body;
INSERT INTO unit VALUES (7000, 'DATA', '00ff00ff00ff00fe') ON CONFLICT (unit_type, id) DO UPDATE SET body = excluded.body;
CREATE TABLE unit_rest PARTITION OF unit DEFAULT;
CREATE INDEX ON unit_rest USING usearch (body);
INSERT INTO unit VALUES (8000, 'AUDIO', '00ff00ff00ff00fe');
SELECT id, unit_type, body <~> '00ff00ff00ff00fe' AS d FROM unit WHERE unit_type <> 'INSTANCE' ORDER BY body <~> '00ff00ff00ff00fe', id LIMIT 2;
SELECT ARRAY(SELECT body <~> '00ff' FROM unit WHERE unit_type = 'DATA' ORDER BY body <~> '00ff')
     = ARRAY(SELECT nphd_distance(body, '00ff') FROM unit WHERE unit_type = 'DATA' ORDER BY 1) AS same;

-- partitionwise, sub-partitions
CREATE TABLE unit_image PARTITION OF unit FOR VALUES IN ('IMAGE') PARTITION BY HASH (id);
CREATE TABLE unit_image_0 PARTITION OF unit_image FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE unit_image_1 PARTITION OF unit_image FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX ON unit_image USING usearch (body);
INSERT INTO unit SELECT id, 'IMAGE', body FROM unit_text;
ANALYZE unit;
EXPLAIN (COSTS OFF) SELECT id FROM unit WHERE unit_type = 'IMAGE' ORDER BY body <~> '00ff' LIMIT 5;
SELECT ARRAY(SELECT body <~> '00ff' FROM unit WHERE unit_type = 'IMAGE' ORDER BY body <~> '00ff' LIMIT 30)
     = ARRAY(SELECT nphd_distance(body, '00ff') FROM unit_text ORDER BY 1 LIMIT 30) AS same;
DROP TABLE unit, query, by_index, by_sort;

-- inheritance
CREATE TABLE parent (id int, code bitvec(128));
CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO parent SELECT i, prefix(sha256(i::text::bytea)::bitvec, 128) FROM generate_series(1, 100) i;
INSERT INTO child SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64) FROM generate_series(101, 200) i;
CREATE INDEX parent_code ON parent USING usearch (code);
CREATE INDEX child_code ON child USING usearch (code);
EXPLAIN (COSTS OFF) SELECT id FROM parent ORDER BY code <~> '00ff' LIMIT 5;
SELECT ARRAY(SELECT code <~> '00ff' FROM parent ORDER BY code <~> '00ff') = ARRAY(SELECT nphd_distance(code, '00ff') FROM parent ORDER BY 1) AS same,
       ARRAY(SELECT code <~> '00ff' FROM ONLY parent ORDER BY code <~> '00ff') = ARRAY(SELECT nphd_distance(code, '00ff') FROM ONLY parent ORDER BY 1) AS same_only;
DELETE FROM parent WHERE id IN (SELECT id FROM parent ORDER BY code <~> '00ff' LIMIT 20);
SELECT count(*), min(nphd_distance(code, '00ff')) = (SELECT code <~> '00ff' FROM parent ORDER BY code <~> '00ff' LIMIT 1) AS same FROM parent;
DROP TABLE parent CASCADE;

-- parallel plans: no parallel index scan, but the index in a worker, and beside parallel scans
CREATE TABLE t (id int, code bitvec(256));
INSERT INTO t SELECT i, sha256(i::text::bytea) FROM generate_series(1, 2000) i;
CREATE INDEX t_code ON t USING usearch (code);
ANALYZE t;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SELECT set_config(name, 'on', false) AS value FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 5;
SELECT ARRAY(SELECT code <~> '00ff' FROM t ORDER BY code <~> '00ff' LIMIT 20) = ARRAY(SELECT nphd_distance(code, '00ff') FROM t ORDER BY 1 LIMIT 20) AS same;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY code <~> '00ff') AS s;
SELECT count(*) FROM t a CROSS JOIN LATERAL (SELECT id FROM t b WHERE b.id <> a.id ORDER BY b.code <~> a.code LIMIT 2) AS b WHERE a.id % 100 = 0;
SELECT set_config(name, 'off', false) AS value FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SET enable_seqscan = on;
SELECT count(*), count(d) FROM (
    (SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 10)
    UNION ALL (SELECT id, code <~> 'ff00' FROM t ORDER BY code <~> 'ff00' LIMIT 10)
    UNION ALL SELECT id, code <~> '0f' FROM t WHERE id < 100) AS s;
DROP TABLE t;
DROP FUNCTION plan_lines, identity;
