-- Order by the number of different bits.

-- clusters of near-duplicates of 64 to 256 bits, as in index_scan
CREATE TABLE t (id int, code bitvec);
INSERT INTO t
SELECT c * 20 + v, prefix(set_bit(set_bit(sha256(c::text::bytea), v * 7, v % 2), v * 3, v % 3 % 2)::bitvec, 64 * (1 + v % 4))
FROM generate_series(0, 149) c, generate_series(0, 19) v;
INSERT INTO t VALUES (-1, NULL), (-2, '00'), (-3, repeat('ff', 4096)::bitvec);
CREATE TABLE q (n int, query bitvec);
INSERT INTO q SELECT id, code FROM t WHERE id % 97 = 0;
INSERT INTO q SELECT 2000 + i, sha256((i + 5000)::text::bytea) FROM generate_series(1, 5) i;
INSERT INTO q SELECT 3000 + id, prefix(code, 32) FROM t WHERE id % 211 = 0;
INSERT INTO q SELECT 4000 + id, code || sha256('')::bitvec FROM t WHERE id % 211 = 0;
INSERT INTO q VALUES (5000, '00'), (5001, 'ff'), (5002, repeat('00', 4096)::bitvec);

-- an integer, whatever the lengths
SELECT count(*) AS pairs,
       count(*) FILTER (WHERE d <> length(replace((x # y)::text, '0', ''))) AS wrong,
       count(*) FILTER (WHERE d <> hamming_distance(prefix(a, bits), prefix(b, bits))) AS unlike_hamming,
       count(*) FILTER (WHERE d <> b <#~> a) AS asymmetric
FROM (SELECT t.code AS a, query AS b, bits, t.code <#~> query AS d,
             prefix(t.code, bits)::varbit AS x, prefix(query, bits)::varbit AS y
      FROM t, q, LATERAL (SELECT least(length(t.code), length(query)) AS bits) AS l
      WHERE t.code IS NOT NULL AND t.id % 10 < 3) AS s;

-- the plan
CREATE INDEX t_code ON t USING usearch (code bitvec_hamming_ops);
SELECT metric FROM usearch_index_stats('t_code');
ANALYZE t;
SET enable_seqscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <#~> 'ff00ff00' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY '\xff00ff00'::bytea <#~> code LIMIT 5;
RESET enable_sort;
SET enable_seqscan = on;
-- of another distance, or to search, it is none
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <~> 'ff00ff00' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE code <#~> 'ff00ff00' <= 6;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE nphd_within(code, 'ff00ff00', 0.1);

-- Distances of the k nearest rows, by the index or without it.
CREATE FUNCTION nearest(query bitvec, k int, by_index boolean) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
    statement text := 'SELECT code <#~> $1 AS d FROM t WHERE code IS NOT NULL ORDER BY code <#~> $1 LIMIT $2';
    line text;
    indexed boolean := false;
    distances float8[];
BEGIN
    PERFORM set_config('enable_indexscan', by_index::text, true);
    PERFORM set_config('enable_seqscan', (NOT by_index)::text, true);
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement USING query, k LOOP
        indexed := indexed OR line LIKE '%t_code%';
    END LOOP;
    IF indexed <> by_index THEN RAISE EXCEPTION 'unexpected plan'; END IF;
    EXECUTE format('SELECT array_agg(d) FROM (%s) AS s', statement) INTO distances USING query, k;
    RETURN distances;
END $$;
CREATE VIEW compared AS
SELECT count(*) AS queries, bool_and(nearest(query, 10, true) = nearest(query, 10, false)) AS ten,
       bool_and(n % 5 > 0 OR nearest(query, NULL, true) = nearest(query, NULL, false)) AS all FROM q;

-- by shards, in every mode
SELECT sum(nodes) > 1000 AS nodes, sum(entries) AS entries FROM usearch_shards('t_code');
SELECT * FROM compared;
SET iscc_usearch.search_mode = exact;
SELECT * FROM compared;
SET iscc_usearch.search_mode = graph;
SET iscc_usearch.ef_search = 1000;
SELECT * FROM compared;
RESET iscc_usearch.ef_search;
RESET iscc_usearch.search_mode;
SELECT recall >= 0.99 AS recall FROM usearch_recall('t_code', sample => 200);

-- the calibration's classes end at numbers of bits
SELECT bool_and(distance_to = ANY ('{9,19,30,43,59,77,100,32768}')) AS known, count(DISTINCT distance_to) > 1 AS several
FROM usearch_shards('t_code'), jsonb_to_recordset(calibration) AS c (distance_to float8);

-- with a tail, sealed, with dead entries, merged and built anew
INSERT INTO t SELECT 10000 + id, ~ code FROM t WHERE id % 3 = 0;
INSERT INTO t SELECT 20000 + i, sha256((i - 9)::text::bytea) FROM generate_series(1, 300) i;
SELECT * FROM compared;
SELECT usearch_seal('t_code') > 0 AS sealed;
SELECT * FROM compared;
DELETE FROM t WHERE id % 7 = 0;
VACUUM t;
SELECT * FROM compared;
SELECT * FROM usearch_check('t_code', true);
SELECT usearch_compact('t_code') IS NOT NULL AS compacted;
SELECT * FROM compared;
SELECT * FROM usearch_check('t_code', true);
REINDEX INDEX t_code;
SELECT * FROM compared;
SELECT * FROM usearch_check('t_code', true);

-- what relies on the order
SET enable_seqscan = off;
SELECT count(d) = count(DISTINCT d) AS distinct, array_agg(d) = array_agg(d ORDER BY d) AS in_order FROM
    (SELECT DISTINCT code <#~> 'ff00ff00' AS d FROM t ORDER BY 1) AS s;
SELECT id FROM t ORDER BY code <#~> 'ff' LIMIT 1 OFFSET (SELECT count(*) - 1 FROM t);
SELECT min(code <#~> repeat('ff', 4096)::bitvec) AS least FROM t;
RESET enable_seqscan;

-- declared lengths, codes of 64 bits as numbers
CREATE TABLE h (id int, code bitvec(64));
INSERT INTO h SELECT i, (i::bigint * 7046029254386353131)::numeric::bigint FROM generate_series(0, 1) i;
CREATE INDEX h_code ON h USING usearch (code bitvec_hamming_ops);
SELECT id, code <#~> 0::bigint::bitvec AS bits FROM h ORDER BY 2;
DROP TABLE h, t, q CASCADE;
DROP FUNCTION nearest;
