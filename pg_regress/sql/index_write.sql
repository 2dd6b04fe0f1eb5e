-- Rows come and go; the index follows.
CREATE FUNCTION code_of(i int) RETURNS bitvec LANGUAGE sql IMMUTABLE
RETURN prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + abs(i) % 4));

CREATE TABLE t (id int PRIMARY KEY, code bitvec(256), note text) WITH (autovacuum_enabled = false, fillfactor = 50);
CREATE INDEX t_code ON t USING usearch (code);

-- Is what the index gives the same as what the table has, and does the index hold together?
CREATE FUNCTION agrees() RETURNS TABLE (rows bigint, nearest boolean, complete boolean, problems bigint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
    by_index float8[];
    by_table float8[];
BEGIN
    SELECT array_agg(d) INTO by_index FROM (SELECT code <~> sha256('7')::bitvec AS d FROM t ORDER BY code <~> sha256('7')::bitvec LIMIT 20) AS s;
    SELECT array_agg(d) INTO by_table FROM (SELECT nphd_distance(code, sha256('7')::bitvec) AS d FROM t ORDER BY 1 LIMIT 20) AS s;
    nearest := by_index IS NOT DISTINCT FROM by_table;
    SELECT array_agg(id ORDER BY id) IS NOT DISTINCT FROM (SELECT array_agg(id ORDER BY id) FROM t)
      INTO complete FROM (SELECT id FROM t ORDER BY code <~> sha256('7')::bitvec) AS s;
    SELECT count(*) INTO rows FROM t;
    SELECT count(*) INTO problems FROM usearch_check('t_code', true);
    RETURN NEXT;
END $$;

-- INSERT
SELECT * FROM agrees();
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1, 1000) i;
SELECT * FROM agrees();
SELECT entries, tail_entries FROM usearch_index_stats('t_code');

-- seal, and more rows after it
SELECT usearch_seal('t_code');
SELECT entries, tail_entries, shards FROM usearch_index_stats('t_code');
SELECT * FROM agrees();
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1001, 1500) i;
SELECT * FROM agrees();
SELECT entries, tail_entries, shards FROM usearch_index_stats('t_code');
SELECT usearch_seal('t_code');
SELECT usearch_seal('t_code');
SELECT entries, tail_entries, shards FROM usearch_index_stats('t_code');

-- UPDATE of the code; UPDATE of another column, which leaves the index alone
UPDATE t SET code = code_of(-id) WHERE id % 10 = 0;
SELECT * FROM agrees();
SELECT entries FROM usearch_index_stats('t_code');
VACUUM t;
UPDATE t SET note = 'x' WHERE id = 7;
SELECT entries FROM usearch_index_stats('t_code');
SELECT * FROM agrees();
UPDATE t SET code = NULL WHERE id IN (1, 2, 3);
SELECT * FROM agrees();
UPDATE t SET code = code_of(id) WHERE id IN (1, 2);
SELECT * FROM agrees();

-- DELETE and VACUUM
DELETE FROM t WHERE id BETWEEN 500 AND 899;
SELECT * FROM agrees();
VACUUM t;
SELECT * FROM agrees();
SELECT entries - dead_entries - null_entries AS alive, dead_entries > 400 AS dead FROM usearch_index_stats('t_code');
INSERT INTO t SELECT i, code_of(i) FROM generate_series(500, 899) i;
SELECT * FROM agrees();
SELECT usearch_seal('t_code');
SELECT * FROM agrees();
REINDEX INDEX t_code;
SELECT entries, dead_entries, null_entries FROM usearch_index_stats('t_code');
SELECT * FROM agrees();

-- rollback and savepoints
BEGIN;
INSERT INTO t SELECT i, code_of(i) FROM generate_series(2001, 2100) i;
DELETE FROM t WHERE id <= 100;
SELECT * FROM agrees();
ROLLBACK;
SELECT * FROM agrees();
BEGIN;
INSERT INTO t VALUES (3001, sha256('7'));
SAVEPOINT s;
INSERT INTO t VALUES (3002, sha256('7'));
DELETE FROM t WHERE id = 3001;
ROLLBACK TO s;
INSERT INTO t VALUES (3003, sha256('7'));
COMMIT;
SELECT id FROM t WHERE id > 3000 ORDER BY id;
SELECT * FROM agrees();
BEGIN;
SELECT usearch_seal('t_code');
INSERT INTO t VALUES (3004, sha256('7'));
ROLLBACK;
SELECT * FROM agrees();
VACUUM t;
SELECT * FROM agrees();

-- ON CONFLICT and MERGE
INSERT INTO t VALUES (3001, 'ff') ON CONFLICT (id) DO NOTHING;
INSERT INTO t VALUES (3001, 'ff'), (3005, 'ff') ON CONFLICT (id) DO UPDATE SET code = excluded.code;
SELECT id, code FROM t WHERE id IN (3001, 3005) ORDER BY id;
MERGE INTO t USING (VALUES (3005, '00'::bitvec), (3006, '00')) AS v (id, code) ON t.id = v.id
WHEN MATCHED THEN UPDATE SET code = v.code WHEN NOT MATCHED THEN INSERT (id, code) VALUES (v.id, v.code);
SELECT id, code FROM t WHERE id IN (3005, 3006) ORDER BY id;
SELECT * FROM agrees();

-- every row again and again
UPDATE t SET code = code_of(id + 1) WHERE id < 200;
VACUUM t;
UPDATE t SET code = code_of(id + 2) WHERE id < 200;
VACUUM t;
UPDATE t SET code = code_of(id + 3) WHERE id < 200;
SELECT * FROM agrees();

-- nothing left
DELETE FROM t;
SELECT * FROM agrees();
VACUUM t;
SELECT * FROM agrees();
SELECT usearch_seal('t_code');
SELECT * FROM agrees();
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1, 10) i;
SELECT * FROM agrees();

-- TRUNCATE, in a transaction and alone
BEGIN;
TRUNCATE t;
SELECT * FROM agrees();
INSERT INTO t VALUES (1, 'ff');
SELECT * FROM agrees();
ROLLBACK;
SELECT * FROM agrees();
TRUNCATE t;
SELECT * FROM agrees();
SELECT entries, segments, shards FROM usearch_index_stats('t_code');
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1, 100) i;
SELECT usearch_seal('t_code');
SELECT * FROM agrees();

-- created, filled, sealed, truncated and filled again in one transaction
BEGIN;
DROP TABLE t;
CREATE TABLE t (id int PRIMARY KEY, code bitvec(256), note text);
INSERT INTO t SELECT i, code_of(i) FROM generate_series(1, 100) i;
CREATE INDEX t_code ON t USING usearch (code);
TRUNCATE t;
INSERT INTO t SELECT i, code_of(-i) FROM generate_series(1, 200) i;
SELECT usearch_seal('t_code');
INSERT INTO t VALUES (201, sha256('7'));
SELECT * FROM agrees();
COMMIT;
SELECT * FROM agrees();

-- a row that the index cannot take fails and leaves nothing
INSERT INTO t VALUES (1000, sha256('8')::bitvec || '00');
SELECT * FROM agrees();

DROP INDEX t_code;
CREATE INDEX t_code ON t USING usearch (code);
SELECT * FROM agrees();
DROP TABLE t;
DROP FUNCTION agrees, code_of;
