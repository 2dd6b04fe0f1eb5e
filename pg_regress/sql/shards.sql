-- Many small shards: the list of segments goes on to further pages.
CREATE TABLE t (id int, code bitvec(16384));
CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '64kB', m = 4, ef_construction = 16);

-- by INSERT
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 4)) FROM generate_series(1, 5000) i;
SELECT entries, tail_entries, segments > 130 AS many_segments, shards FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);
SELECT usearch_seal('t_code');
SELECT entries, tail_entries, segments = shards AS sealed, shards > 130 AS many_shards, distinct_codes FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);
SELECT count(DISTINCT shard_id) > 130 AS many, count(*) = count(DISTINCT file) AS files, array_agg(DISTINCT state) AS states,
       max(bytes) <= 64 * 1024 AS small, sum(entries) AS entries, sum(nodes) AS nodes, sum(dead) AS dead
FROM usearch_shards('t_code');

-- every mode finds the same
SET enable_seqscan = off;
CREATE FUNCTION nearest(query bitvec, mode text) RETURNS float8[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('iscc_usearch.search_mode', mode, true);
    RETURN ARRAY(SELECT code <~> query FROM t ORDER BY code <~> query LIMIT 10);
END $$;
SELECT n, nearest(query, 'auto') = truth AS auto, nearest(query, 'exact') = truth AS exact, nearest(query, 'graph') = truth AS graph
FROM (SELECT n, sha256(n::text::bytea)::bitvec AS query FROM unnest(ARRAY[1, 2500, 5000, 9999]) AS n) AS q,
     LATERAL (SELECT array_agg(d) AS truth FROM (SELECT nphd_distance(code, query) AS d FROM t ORDER BY 1 LIMIT 10) AS s) AS x
ORDER BY n;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY code <~> 'ff') AS s;

-- DELETE and VACUUM reach all of them
DELETE FROM t WHERE id % 2 = 0;
VACUUM t;
SELECT entries - dead_entries AS alive FROM usearch_index_stats('t_code');
SELECT tail_entries + (SELECT sum(entries - dead) FROM usearch_shards('t_code')) AS alive FROM usearch_index_stats('t_code');
SELECT count(*), count(DISTINCT id), max(id % 2) FROM (SELECT id FROM t ORDER BY code <~> 'ff') AS s;
SELECT * FROM usearch_check('t_code', true);

-- by REINDEX, and rows after it
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 4)) FROM generate_series(2, 5000, 2) i;
REINDEX INDEX t_code;
SELECT entries, dead_entries, tail_entries, segments = shards AS sealed, shards > 130 AS many_shards FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 4)) FROM generate_series(5001, 9000) i;
SELECT entries, tail_entries, segments > 260 AS many_segments FROM usearch_index_stats('t_code');
SELECT n, nearest(query, 'auto') = truth AS auto, nearest(query, 'exact') = truth AS exact, nearest(query, 'graph') = truth AS graph
FROM (SELECT n, sha256(n::text::bytea)::bitvec AS query FROM unnest(ARRAY[1, 2500, 8999, 9999]) AS n) AS q,
     LATERAL (SELECT array_agg(d) AS truth FROM (SELECT nphd_distance(code, query) AS d FROM t ORDER BY 1 LIMIT 10) AS s) AS x
ORDER BY n;
SELECT usearch_seal('t_code');
SELECT entries, tail_entries, segments = shards AS sealed FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY code <~> 'ff') AS s;
RESET enable_seqscan;

-- a larger shard_size for those to come
ALTER INDEX t_code RESET (shard_size);
REINDEX INDEX t_code;
SELECT entries, segments, shards, distinct_codes FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);

-- dropped indexes leave no files
DROP TABLE t;
SELECT usearch_sweep();
DROP FUNCTION nearest;
