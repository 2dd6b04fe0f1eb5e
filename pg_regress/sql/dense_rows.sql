-- Dense vectors: what shards keep of them (storage parameter rows), what functions for operators show, recall of given queries.
\set VERBOSITY default
CREATE FUNCTION vec(seed int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg((hashint8extended(i, seed)::numeric / 9.3e18)::real ORDER BY i) FROM generate_series(1, dimensions) i
$$;
CREATE FUNCTION refused(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := split_part(detail, E'\n', 1);
END $$;
CREATE TABLE t (id int PRIMARY KEY, v real[], code bitvec(64));
CREATE INDEX empty ON t USING usearch (v real_l2_ops);
SELECT metric, dimensions, rows, max_bits FROM usearch_index_stats('empty');
DROP INDEX empty;
INSERT INTO t SELECT i, vec(i, 16), int8send(i)::bitvec FROM generate_series(1, 1000) i;

-- each kind of rows: what the index is to have, what its shards have, and that they find what they should
CREATE INDEX t_auto ON t USING usearch (v real_l2_ops);
CREATE INDEX t_asked ON t USING usearch (v real_ip_ops) WITH (rows = auto);
CREATE INDEX t_i8 ON t USING usearch (v real_cosine_ops) WITH (rows = 'i8');
CREATE INDEX t_f16 ON t USING usearch (v real_l1_ops) WITH (rows = f16);
CREATE INDEX t_f32 ON t USING usearch (v real_l2_ops) WITH (rows = f32);
CREATE INDEX t_pearson ON t USING usearch (v real_pearson_ops);
CREATE INDEX t_code ON t USING usearch (code);
SELECT i.name, i.metric, i.dimensions, i.rows, i.max_bits, s.metric, s.dimensions, s.rows, s.nodes
FROM (SELECT name, s.* FROM unnest('{t_auto,t_asked,t_i8,t_f16,t_f32,t_pearson,t_code}'::text[]) name, usearch_index_stats(name::regclass) s) i,
     usearch_shards(i.name::regclass) s ORDER BY i.name;
SELECT a.bytes < b.bytes AND b.bytes < c.bytes AS wider FROM usearch_shards('t_i8') a, usearch_shards('t_f16') b, usearch_shards('t_f32') c;
SET iscc_usearch.search_mode = graph;
SELECT name, recall >= 0.99 AS good FROM unnest('{t_auto,t_asked,t_i8,t_f16,t_f32,t_pearson}'::text[]) name, usearch_recall(name::regclass) ORDER BY 1;
RESET iscc_usearch.search_mode;
SELECT pg_get_indexdef('t_i8'::regclass);

-- numbers that 8 bits do not tell apart: auto takes 16, numbers that 16 bits do not hold: 32
CREATE TABLE wide (v real[]);
INSERT INTO wide SELECT ARRAY[i / 100.0, 0] FROM generate_series(1, 2000) i;
CREATE INDEX wide_auto ON wide USING usearch (v real_l2_ops);
CREATE INDEX wide_i8 ON wide USING usearch (v real_l2_ops) WITH (rows = i8);
SELECT a.rows, b.rows FROM usearch_shards('wide_auto') a, usearch_shards('wide_i8') b;
UPDATE wide SET v = ARRAY[v[1] * 10000, 1];
REINDEX TABLE wide;
SELECT a.rows, b.rows FROM usearch_shards('wide_auto') a, usearch_shards('wide_i8') b;

-- another kind for the shards to come
ALTER INDEX t_auto SET (rows = f32);
SELECT i.rows, s.rows FROM usearch_index_stats('t_auto') i, usearch_shards('t_auto') s;
INSERT INTO t SELECT i, vec(i, 16) FROM generate_series(1001, 1200) i;
SELECT usearch_seal('t_auto');
SELECT rows, entries FROM usearch_shards('t_auto') ORDER BY entries;
ALTER INDEX t_auto RESET (rows);
SELECT shards_built, entries_built FROM usearch_compact('t_auto');
SELECT i.rows, s.rows FROM usearch_index_stats('t_auto') i, usearch_shards('t_auto') s;
SELECT * FROM usearch_check('t_auto', true);

-- what is refused
SELECT * FROM refused('CREATE INDEX ON t USING usearch (v real_l2_ops) WITH (rows = bits)');
SELECT * FROM refused('ALTER INDEX t_auto SET (rows = 8)');
SELECT * FROM refused('CREATE INDEX ON t USING usearch (v real_jensen_shannon_ops) WITH (rows = i8)');
SELECT * FROM refused('CREATE INDEX bad ON t USING usearch (code) WITH (rows = i8)');
-- ALTER INDEX does not know the index; nothing uses what it cannot have, and REINDEX refuses it
CREATE INDEX t_place ON t USING usearch ((v[1:2]) real_haversine_ops) WITH (rows = f32);
ALTER INDEX t_place SET (m = 8, rows = f16);
INSERT INTO t SELECT i, vec(i, 16) FROM generate_series(1201, 1300) i;
SELECT usearch_seal('t_place');
SELECT DISTINCT rows FROM usearch_shards('t_place');
SELECT * FROM refused('REINDEX INDEX t_place');
DROP INDEX t_place;
CREATE INDEX t_code_auto ON t USING usearch (code bitvec_hamming_ops) WITH (rows = auto);
ALTER INDEX t_code_auto SET (rows = f16);
SELECT rows FROM usearch_index_stats('t_code_auto');
SELECT * FROM refused('REINDEX INDEX t_code_auto');
ALTER INDEX t_code_auto RESET (rows);
REINDEX INDEX t_code_auto;

-- recall of given queries: an array whose rows they are, or one vector
SELECT queries_run, recall >= 0.99 AS good FROM usearch_recall('t_auto', vectors => ARRAY[vec(5001, 16), vec(5002, 16), vec(5003, 16)]);
SELECT queries_run, recall FROM usearch_recall('t_i8', k => 1, vectors => vec(7, 16));
SELECT queries_run FROM usearch_recall('t_i8', vectors => (SELECT array_agg(v) FROM t));
SELECT queries_run FROM usearch_recall('t_i8', vectors => NULL::real[], sample => 3);
SELECT arguments, r.* FROM unnest(ARRAY[$$'t_i8', queries => '{00}'$$, $$'t_code', vectors => '{1,2}'::real[]$$,
        $$'t_i8', queries => '{00}', vectors => '{1,2}'::real[]$$, $$'t_i8', vectors => '{}'::real[]$$,
        $$'t_i8', vectors => vec(1, 17)$$, $$'t_i8', vectors => ARRAY[vec(1, 15), vec(2, 15)]$$,
        $$'t_i8', vectors => ARRAY[NULL]::real[]$$, $$'t_i8', vectors => '{{1,NaN},{1,2}}'::real[]$$,
        $$'t_i8', vectors => '{{{1}}}'::real[]$$, $$'t_i8', vectors => '{1,2}'::float8[]$$,
        $$'t_i8', vectors => '{a}'::text[]$$, $$'t_i8', vectors => '{1,2}'$$]) AS arguments,
    refused(format($$SELECT usearch_recall(%s)$$, arguments)) AS r;

DROP TABLE t, wide;
DROP FUNCTION vec, refused;
