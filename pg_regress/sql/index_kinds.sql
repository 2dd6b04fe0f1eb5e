-- Indexes of all kinds of tables, and what DDL does to them.
CREATE FUNCTION code_of(i int) RETURNS bitvec LANGUAGE sql IMMUTABLE
RETURN prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 4));

-- Distances of the 5 nearest rows of a table, by its index; an error without an index scan.
CREATE FUNCTION nearest(relation regclass) RETURNS float8[] LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
    statement text := format($q$SELECT code <~> sha256('7')::bitvec FROM %s ORDER BY code <~> sha256('7')::bitvec LIMIT 5$q$, relation);
    line text;
    scans int := 0;
    distances float8[];
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
        scans := scans + (line LIKE '%Index Scan%')::int;
    END LOOP;
    IF scans = 0 THEN RAISE EXCEPTION 'no index scan'; END IF;
    EXECUTE format('SELECT ARRAY(%s)', statement) INTO distances;
    RETURN distances;
END $$;
CREATE FUNCTION truth(relation regclass) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
    distances float8[];
BEGIN
    EXECUTE format($q$SELECT ARRAY(SELECT nphd_distance(code, sha256('7')::bitvec) FROM %s ORDER BY 1 LIMIT 5)$q$, relation) INTO distances;
    RETURN distances;
END $$;

-- unlogged
CREATE UNLOGGED TABLE u (id int, code bitvec(256));
INSERT INTO u SELECT i, code_of(i) FROM generate_series(1, 300) i;
CREATE INDEX u_code ON u USING usearch (code);
SELECT nearest('u') = truth('u') AS same;
INSERT INTO u SELECT i, code_of(i) FROM generate_series(301, 600) i;
SELECT usearch_seal('u_code');
SELECT nearest('u') = truth('u') AS same;
SELECT * FROM usearch_check('u_code', true);
ALTER TABLE u SET LOGGED;
SELECT nearest('u') = truth('u') AS same;
INSERT INTO u VALUES (7000, sha256('7'));
SELECT nearest('u') = truth('u') AS same;
SELECT * FROM usearch_check('u_code', true);
ALTER TABLE u SET UNLOGGED;
SELECT nearest('u') = truth('u') AS same;
TRUNCATE u;
SELECT nearest('u');
DROP TABLE u;

-- temporary: no shards, all is scanned
CREATE TEMP TABLE p (id int, code bitvec(256));
INSERT INTO p SELECT i, code_of(i) FROM generate_series(1, 300) i;
CREATE INDEX p_code ON p USING usearch (code);
INSERT INTO p SELECT i, code_of(i) FROM generate_series(301, 600) i;
SELECT nearest('p') = truth('p') AS same;
SELECT usearch_seal('p_code');
SELECT entries, tail_entries, shards FROM usearch_index_stats('p_code');
DELETE FROM p WHERE id % 2 = 0;
VACUUM p;
SELECT nearest('p') = truth('p') AS same;
SELECT * FROM usearch_check('p_code', true);
DROP TABLE p;
CREATE TEMP TABLE p (id int, code bitvec(256)) ON COMMIT DELETE ROWS;
CREATE INDEX p_code ON p USING usearch (code);
BEGIN;
INSERT INTO p SELECT i, code_of(i) FROM generate_series(1, 300) i;
SELECT nearest('p') = truth('p') AS same;
COMMIT;
SELECT nearest('p');
SELECT entries FROM usearch_index_stats('p_code');
BEGIN;
INSERT INTO p SELECT i, code_of(i) FROM generate_series(1, 30) i;
SELECT nearest('p') = truth('p') AS same;
COMMIT;
SELECT entries FROM usearch_index_stats('p_code');
DROP TABLE p;

-- partitioned: in order across partitions
CREATE TABLE t (id int, kind text, code bitvec(256)) PARTITION BY LIST (kind);
CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a');
CREATE TABLE t_b PARTITION OF t FOR VALUES IN ('b');
INSERT INTO t SELECT i, CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END, code_of(i) FROM generate_series(1, 600) i;
CREATE INDEX t_code ON t USING usearch (code) WITH (m = 8);
SELECT relname, relkind, reloptions FROM pg_class WHERE relname ~ '^t_.*code' ORDER BY relname;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <~> 'ff' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE kind = 'a' ORDER BY code <~> 'ff' LIMIT 5;
RESET enable_seqscan;
SELECT nearest('t') = truth('t') AS same;
SELECT nearest('t_a') = truth('t_a') AS same;

-- attach and detach
CREATE TABLE t_c (id int, kind text, code bitvec(256));
INSERT INTO t_c SELECT i, 'c', code_of(i) FROM generate_series(601, 700) i;
CREATE INDEX t_c_own ON t_c USING usearch (code) WITH (m = 8);
ALTER TABLE t ATTACH PARTITION t_c FOR VALUES IN ('c');
CREATE TABLE t_d (id int, kind text, code bitvec(256));
INSERT INTO t_d VALUES (701, 'd', sha256('7'));
ALTER TABLE t ATTACH PARTITION t_d FOR VALUES IN ('d');
SELECT i.inhrelid::regclass AS index FROM pg_inherits i WHERE inhparent = 't_code'::regclass
ORDER BY i.inhrelid::regclass::text COLLATE "C";
SELECT nearest('t') = truth('t') AS same;
SELECT (nearest('t'))[1];
ALTER TABLE t DETACH PARTITION t_d;
SELECT nearest('t') = truth('t') AS same;
SELECT nearest('t_d');
UPDATE t SET kind = 'c' WHERE id <= 50;
SELECT nearest('t') = truth('t') AS same;
SELECT i.inhrelid::regclass AS index, c.problem FROM pg_inherits i, usearch_check(i.inhrelid, true) AS c WHERE inhparent = 't_code'::regclass;
DROP TABLE t, t_d;

-- an index on the partitioned table alone, to which the others are attached
CREATE TABLE t (id int, code bitvec(256)) PARTITION BY RANGE (id);
CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (100);
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1, 99) i;
CREATE INDEX t_code ON ONLY t USING usearch (code);
CREATE INDEX t_1_code ON t_1 USING usearch (code);
SELECT indisvalid FROM pg_index WHERE indexrelid = 't_code'::regclass;
ALTER INDEX t_code ATTACH PARTITION t_1_code;
SELECT indisvalid FROM pg_index WHERE indexrelid = 't_code'::regclass;
SELECT nearest('t') = truth('t') AS same;
DROP TABLE t;

-- inheritance
CREATE TABLE t (id int, code bitvec(256));
CREATE TABLE child () INHERITS (t);
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1, 200) i;
INSERT INTO child SELECT i, code_of(i) FROM generate_series(201, 400) i;
CREATE INDEX t_code ON t USING usearch (code);
CREATE INDEX child_code ON child USING usearch (code);
SELECT nearest('t') = truth('t') AS same;
DROP TABLE t CASCADE;

-- materialized view
CREATE TABLE t (id int, code bitvec(256));
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1, 300) i;
CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE id % 3 = 0;
CREATE INDEX v_code ON v USING usearch (code);
SELECT nearest('v') = truth('v') AS same;
INSERT INTO t VALUES (600, sha256('7'));
REFRESH MATERIALIZED VIEW v;
SELECT nearest('v') = truth('v') AS same;
SELECT (nearest('v'))[1];
CREATE UNIQUE INDEX ON v (id);
INSERT INTO t VALUES (603, sha256('7'));
REFRESH MATERIALIZED VIEW CONCURRENTLY v;
SELECT nearest('v') = truth('v') AS same;
SELECT * FROM usearch_check('v_code', true);
DROP MATERIALIZED VIEW v;

-- concurrently
CREATE INDEX CONCURRENTLY t_code ON t USING usearch (code);
SELECT entries, tail_entries, indisvalid FROM usearch_index_stats('t_code'), pg_index WHERE indexrelid = 't_code'::regclass;
SELECT nearest('t') = truth('t') AS same;
SELECT * FROM usearch_check('t_code', true);
DELETE FROM t WHERE id % 2 = 0;
REINDEX INDEX CONCURRENTLY t_code;
SELECT nearest('t') = truth('t') AS same;
SELECT * FROM usearch_check('t_code', true);
REINDEX TABLE t;
REINDEX TABLE CONCURRENTLY t;
SELECT nearest('t') = truth('t') AS same;
SELECT relname FROM pg_class WHERE relname ~ '^t_code' ORDER BY 1;
DROP INDEX CONCURRENTLY t_code;

-- CLUSTER and VACUUM FULL rewrite the table
CREATE INDEX t_code ON t USING usearch (code);
CREATE INDEX t_id ON t (id);
CLUSTER t USING t_id;
SELECT nearest('t') = truth('t') AS same;
DELETE FROM t WHERE id < 100;
VACUUM FULL t;
SELECT nearest('t') = truth('t') AS same;
SELECT entries = (SELECT count(*) FROM t) AS all_entries FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);
CLUSTER t USING t_code;
DROP INDEX t_id;

-- parameters, names, schemas, tablespaces, statistics
ALTER INDEX t_code SET (m = 4);
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1000, 1100) i;
SELECT usearch_seal('t_code');
SELECT nearest('t') = truth('t') AS same;
ALTER INDEX t_code RENAME TO t_renamed;
CREATE SCHEMA elsewhere;
ALTER TABLE t SET SCHEMA elsewhere;
SELECT nearest('elsewhere.t') = truth('elsewhere.t') AS same;
SELECT * FROM usearch_check('elsewhere.t_renamed', true);
ALTER INDEX elsewhere.t_renamed SET TABLESPACE pg_default;
ALTER TABLE elsewhere.t ADD COLUMN more int DEFAULT 1;
ALTER TABLE elsewhere.t RENAME code TO body;
ALTER TABLE elsewhere.t RENAME body TO code;
ALTER TABLE elsewhere.t ALTER code SET STORAGE plain;
INSERT INTO elsewhere.t VALUES (5000, sha256('7'), 2);
SELECT nearest('elsewhere.t') = truth('elsewhere.t') AS same;
ALTER TABLE elsewhere.t ALTER code SET NOT NULL;
INSERT INTO elsewhere.t VALUES (5001, NULL, 2);
ALTER TABLE elsewhere.t DROP COLUMN code;
SELECT to_regclass('elsewhere.t_renamed');
DROP SCHEMA elsewhere CASCADE;

-- a table copied with its indexes
CREATE TABLE t (id int, code bitvec(256));
CREATE INDEX ON t USING usearch (code bitvec_jaccard_ops) WITH (m = 5, shard_size = '2MB');
CREATE TABLE copied (LIKE t INCLUDING INDEXES);
SELECT indexdef FROM pg_indexes WHERE tablename = 'copied';
DROP TABLE t, copied;

DROP FUNCTION nearest, truth, code_of;
