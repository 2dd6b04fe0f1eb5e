-- CREATE INDEX ... USING usearch: what is accepted, what is refused and how.

CREATE TABLE t (id int, code bitvec(256), other bitvec, bytes bytea, note text, num int);
INSERT INTO t SELECT i, sha256(i::text::bytea), prefix(sha256(i::text::bytea)::bitvec, 64), sha256(i::text::bytea), 'note', i
FROM generate_series(1, 500) i;

-- defaults
CREATE INDEX t_code ON t USING usearch (code);
SELECT entries, dead_entries, null_entries, tail_entries, shards, distinct_codes,
       metric, m, ef_construction, pg_size_pretty(shard_size) AS shard_size, max_bits
FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);
SELECT pg_get_indexdef('t_code'::regclass);
SELECT reloptions FROM pg_class WHERE oid = 't_code'::regclass;
CREATE INDEX IF NOT EXISTS t_code ON t USING usearch (other);
CREATE INDEX t_code ON t USING usearch (other);
COMMENT ON INDEX t_code IS 'nearest codes';
SELECT obj_description('t_code'::regclass, 'pg_class');
DROP INDEX t_code;

-- a name of its own
CREATE INDEX ON t USING usearch (code);
SELECT indexname FROM pg_indexes WHERE tablename = 't';
DROP INDEX t_code_idx;

-- operator classes
CREATE INDEX t_nphd ON t USING usearch (code bitvec_nphd_ops);
CREATE INDEX t_jaccard ON t USING usearch (code bitvec_jaccard_ops);
SELECT pg_get_indexdef('t_nphd'::regclass), pg_get_indexdef('t_jaccard'::regclass);
SELECT a.metric, b.metric FROM usearch_index_stats('t_nphd') a, usearch_index_stats('t_jaccard') b;
DROP INDEX t_nphd, t_jaccard;
CREATE INDEX ON t USING usearch (code bitvec_ops);
CREATE INDEX ON t USING btree (code bitvec_nphd_ops);

-- storage parameters
CREATE FUNCTION refused(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := split_part(detail, E'\n', 1);
END $$;
CREATE INDEX t_code ON t USING usearch (code) WITH (m = 8, ef_construction = 64, shard_size = '16MB');
SELECT m, ef_construction, shard_size FROM usearch_index_stats('t_code');
SELECT pg_get_indexdef('t_code'::regclass);
ALTER INDEX t_code SET (m = 4);
ALTER INDEX t_code RESET (ef_construction);
SELECT m, ef_construction, shard_size FROM usearch_index_stats('t_code');
REINDEX INDEX t_code;
SELECT m, ef_construction, shard_size, entries FROM usearch_index_stats('t_code');
SELECT * FROM refused('ALTER INDEX t_code SET (m = 1)');
SELECT * FROM refused($$ALTER INDEX t_code SET (shard_size = '1kB')$$);
DROP INDEX t_code;
CREATE INDEX t_low ON t USING usearch (code) WITH (m = 2, ef_construction = 4, shard_size = 64);
CREATE INDEX t_high ON t USING usearch (code) WITH (m = 100, ef_construction = 2000, shard_size = '1.5TB');
SELECT m, ef_construction, shard_size, entries, shards > 0 AS sealed FROM usearch_index_stats('t_low');
SELECT m, ef_construction, shard_size, entries, shards > 0 AS sealed FROM usearch_index_stats('t_high');
SELECT * FROM usearch_check('t_low', true);
SELECT * FROM usearch_check('t_high', true);
DROP INDEX t_low, t_high;
SELECT options, r.* FROM unnest(ARRAY[
    $$m = 1$$,
    $$m = 101$$,
    $$m = 'many'$$,
    $$ef_construction = 3$$,
    $$ef_construction = 2001$$,
    $$shard_size = '63kB'$$,
    $$shard_size = 0$$,
    $$shard_size = -1$$,
    $$shard_size = 'large'$$,
    $$shard_size = '1 furlong'$$,
    $$shard_size = '9999999TB'$$,
    $$shard_size$$,
    $$ef_search = 10$$,
    $$fillfactor = 90$$]) AS options,
    refused(format('CREATE INDEX ON t USING usearch (code) WITH (%s)', options)) AS r;

DROP FUNCTION refused;

-- one plain column
CREATE INDEX ON t USING usearch (code, other);
CREATE UNIQUE INDEX ON t USING usearch (code);
CREATE INDEX ON t USING usearch (code) INCLUDE (id);
CREATE INDEX ON t USING usearch (code DESC);
CREATE INDEX ON t USING usearch (code NULLS FIRST);

-- bitvec only
CREATE INDEX ON t USING usearch (bytes);
CREATE INDEX ON t USING usearch (note);
CREATE INDEX ON t USING usearch (num);
CREATE INDEX ON t USING usearch (bytes bitvec_nphd_ops);
CREATE INDEX t_cast ON t USING usearch ((bytes::bitvec));
SELECT entries, max_bits FROM usearch_index_stats('t_cast');
DROP INDEX t_cast;

-- expressions
CREATE INDEX t_prefix ON t USING usearch (prefix(code, 64));
SELECT entries, distinct_codes FROM usearch_index_stats('t_prefix');
SELECT * FROM usearch_check('t_prefix', true);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY prefix(code, 64) <~> '00' LIMIT 3;
SELECT id FROM t ORDER BY prefix(code, 64) <~> (SELECT prefix(code, 64) FROM t WHERE id = 77) LIMIT 1;
DROP INDEX t_prefix;

-- partial
CREATE INDEX t_partial ON t USING usearch (code) WHERE id <= 100;
SELECT entries FROM usearch_index_stats('t_partial');
SELECT * FROM usearch_check('t_partial', true);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE id <= 100 ORDER BY code <~> '00' LIMIT 3;
SELECT count(*), max(id) FROM (SELECT id FROM t WHERE id <= 100 ORDER BY code <~> (SELECT code FROM t WHERE id = 400)) AS s;
UPDATE t SET id = id + 1000 WHERE id = 50;
SELECT count(*), max(id) FROM (SELECT id FROM t WHERE id <= 100 ORDER BY code <~> '00') AS s;
RESET enable_seqscan;
SELECT * FROM usearch_check('t_partial', true);
DROP TABLE t;

-- without a declared length: codes of any length, in any order
CREATE TABLE t (id int, code bitvec);
CREATE INDEX t_code ON t USING usearch (code);
SELECT entries, max_bits FROM usearch_index_stats('t_code');
INSERT INTO t SELECT n, substr(repeat(md5(n::text), 256), 1, 16 << n)::bitvec FROM generate_series(0, 9) n;
INSERT INTO t VALUES (10, repeat('5a', 4096)::bitvec), (11, 'ff'), (12, NULL);
INSERT INTO t SELECT 20 + n, substr(repeat(md5(n::text), 256), 1, 8192 >> n)::bitvec FROM generate_series(0, 9) n;
SELECT * FROM usearch_check('t_code', true);
SELECT entries, null_entries FROM usearch_index_stats('t_code');
SELECT usearch_seal('t_code');
SELECT * FROM usearch_check('t_code', true);
REINDEX INDEX t_code;
SELECT * FROM usearch_check('t_code', true);
SELECT entries, null_entries, tail_entries FROM usearch_index_stats('t_code');
SET enable_seqscan = off;
SELECT id, bit_length(code) AS bits FROM t ORDER BY code <~> repeat('5a', 4096)::bitvec LIMIT 1;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY code <~> 'ff') AS s;
RESET enable_seqscan;
DROP TABLE t;

-- an empty table
CREATE TABLE t (code bitvec(64));
CREATE INDEX t_code ON t USING usearch (code);
SELECT entries, tail_entries, segments, shards FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);
DROP TABLE t;

-- not on views
CREATE VIEW v AS SELECT 'ff'::bitvec AS code;
CREATE INDEX ON v USING usearch (code);
DROP VIEW v;
