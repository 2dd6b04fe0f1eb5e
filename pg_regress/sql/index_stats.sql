-- What usearch_index_stats and usearch_shards count: lengths, dead entries, bytes.
CREATE TABLE t (id int, code bitvec) WITH (autovacuum_enabled = false);
CREATE INDEX t_code ON t USING usearch (code);

-- empty
SELECT entries, dead_entries, null_entries, dead_share, code_bits, total_bytes = index_bytes AS total FROM usearch_index_stats('t_code');
SELECT level, dead_share FROM usearch_shards('t_code');

-- NULLs only: no code that could be dead
INSERT INTO t SELECT -i, NULL FROM generate_series(1, 20) i;
SELECT entries, null_entries, dead_share, code_bits FROM usearch_index_stats('t_code');
SELECT usearch_seal('t_code');
SELECT entries, null_entries, tail_entries, shards, dead_share, code_bits FROM usearch_index_stats('t_code');

-- mixed lengths, keys in order of the numbers; the longest and the shortest code there are
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 4)) FROM generate_series(1, 1000) i;
INSERT INTO t VALUES (1001, 'ff'), (1002, repeat('a5', 4096)::bitvec), (1003, repeat('a5', 128)::bitvec);
SELECT entries, null_entries, tail_entries, dead_share, code_bits FROM usearch_index_stats('t_code');
SELECT usearch_seal('t_code');
SELECT entries, null_entries, tail_entries, dead_share, code_bits, shard_bytes > 0 AS sealed,
       total_bytes = index_bytes + shard_bytes AS total
FROM usearch_index_stats('t_code');
SELECT code_bits = (SELECT jsonb_object_agg(bits, n) FROM (SELECT length(code) AS bits, count(*) AS n FROM t WHERE code IS NOT NULL GROUP BY 1) s) AS same
FROM usearch_index_stats('t_code');
SELECT level, dead_share, sum(entries) AS entries FROM usearch_shards('t_code') GROUP BY 1, 2;

-- deleted rows count as alive until VACUUM, in shards and in the tail; dead NULLs are NULLs
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64) FROM generate_series(2000, 2099) i;
DELETE FROM t WHERE id % 4 = 1 OR id >= 2050 OR id < -10;
SELECT dead_entries, dead_share, code_bits FROM usearch_index_stats('t_code');
VACUUM t;
SELECT entries - dead_entries - null_entries AS alive, null_entries, code_bits FROM usearch_index_stats('t_code');
SELECT dead_share = dead_entries::float8 / (entries - null_entries) AS share,
       (SELECT sum(value::int) FROM jsonb_each(code_bits)) = entries - null_entries - dead_entries AS alive
FROM usearch_index_stats('t_code');
SELECT code_bits = (SELECT jsonb_object_agg(bits, n) FROM (SELECT length(code) AS bits, count(*) AS n FROM t WHERE code IS NOT NULL GROUP BY 1) s) AS same
FROM usearch_index_stats('t_code');
SELECT bool_and(dead_share = dead::float8 / entries) AS share, sum(dead) AS dead FROM usearch_shards('t_code');

-- nobody left
DELETE FROM t;
VACUUM t;
SELECT coalesce(dead_share, 1) AS dead_share, code_bits FROM usearch_index_stats('t_code');
REINDEX INDEX t_code;
SELECT entries, dead_share, code_bits FROM usearch_index_stats('t_code');
DROP TABLE t;

-- temporary: no shards
CREATE TEMP TABLE p (id int, code bitvec(128));
CREATE INDEX p_code ON p USING usearch (code);
INSERT INTO p SELECT i, md5(i::text)::bitvec FROM generate_series(1, 100) i;
DELETE FROM p WHERE id <= 25;
VACUUM p;
SELECT entries, dead_share, code_bits, total_bytes = index_bytes AS total FROM usearch_index_stats('p_code');
SELECT * FROM usearch_shards('p_code');
DROP TABLE p;
