-- usearch_recall: what a search finds of the exact answer, and how long it takes.
CREATE TABLE t (id int, code bitvec(256)) WITH (autovacuum_enabled = false);
CREATE INDEX t_code ON t USING usearch (code);
CREATE FUNCTION plausible(index regclass, k int DEFAULT 10, sample int DEFAULT 100, queries bitvec[] DEFAULT NULL,
    OUT queries_run int, OUT recalls boolean, OUT times boolean) LANGUAGE sql AS $$
    SELECT queries_run, 0 <= min_recall AND min_recall <= recall AND recall <= 1,
        0 < median_ms AND median_ms <= p95_ms AND 0 < exact_median_ms FROM usearch_recall(index, k, sample, queries)
$$;
CREATE FUNCTION recall(index regclass, k int DEFAULT 10, sample int DEFAULT 100, queries bitvec[] DEFAULT NULL,
    OUT queries_run int, OUT recall float8, OUT min_recall float8) LANGUAGE sql AS $$
    SELECT queries_run, recall, min_recall FROM usearch_recall(index, k, sample, queries)
$$;

-- nothing to search
SELECT * FROM usearch_recall('t_code');
INSERT INTO t VALUES (0, NULL);
SELECT * FROM usearch_recall('t_code');
SELECT queries_run, recall, min_recall, median_ms > 0 AS time FROM usearch_recall('t_code', queries => '{ff,00}');

-- fewer codes than wanted
INSERT INTO t SELECT i, sha256(i::text::bytea) FROM generate_series(1, 5) i;
SELECT * FROM recall('t_code');
SELECT * FROM plausible('t_code');
SELECT * FROM recall('t_code', k => 10000, sample => 100000);

-- shards and tail
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 4)) FROM generate_series(6, 3000) i;
SELECT usearch_seal('t_code');
INSERT INTO t SELECT i, sha256(i::text::bytea) FROM generate_series(3001, 3100) i;
SELECT * FROM plausible('t_code');
SET iscc_usearch.search_mode = exact;
SELECT * FROM plausible('t_code');
SELECT * FROM recall('t_code');
SELECT * FROM recall('t_code', k => 1, sample => 1);
SELECT * FROM recall('t_code', k => 200, sample => 7);
SELECT * FROM recall('t_code', sample => 3100);
SELECT * FROM recall('t_code', k => 10000, sample => 2);
SET iscc_usearch.search_mode = graph;
SELECT * FROM plausible('t_code');
-- who wants all rows gets them all
SELECT * FROM recall('t_code', k => 10000, sample => 2);
SET iscc_usearch.ef_search = 1;
SELECT * FROM plausible('t_code', k => 50);
-- of a graph that hardly looks, some rows are missing
CREATE TABLE poor AS SELECT * FROM t;
CREATE INDEX poor_code ON poor USING usearch (code) WITH (m = 2, ef_construction = 4);
SELECT recall < 1 AS misses, min_recall < recall AS varies FROM usearch_recall('poor_code', k => 20, sample => 500);
SET iscc_usearch.search_mode = exact;
SELECT * FROM recall('poor_code', k => 20, sample => 500);
RESET iscc_usearch.search_mode;
RESET iscc_usearch.ef_search;

-- queries: of any length, more than once
SELECT * FROM plausible('t_code', queries => ARRAY['ff', 'ff', repeat('5a', 4096)]::bitvec[]);
SELECT queries_run FROM usearch_recall('t_code', queries => (SELECT array_agg(code) FROM t WHERE code IS NOT NULL));
SELECT queries_run FROM usearch_recall('t_code', queries => '{{ff,00},{0f,f0}}');
SELECT queries_run FROM usearch_recall('t_code', 10, 1, '{ff,00}');

-- codes that VACUUM has removed are not sampled; until then, both ways find them
DELETE FROM t WHERE id % 2 = 0;
SET iscc_usearch.search_mode = exact;
SELECT * FROM recall('t_code', sample => 5000);
VACUUM t;
SELECT * FROM recall('t_code', sample => 5000);
RESET iscc_usearch.search_mode;
SELECT * FROM plausible('t_code', sample => 5000);

-- equally near rows count, whichever are found
CREATE TABLE same (code bitvec(64));
INSERT INTO same SELECT CASE WHEN i % 2 = 0 THEN 'ff00ff00'::bitvec ELSE 'ff00ff01' END FROM generate_series(1, 1000) i;
CREATE INDEX same_code ON same USING usearch (code bitvec_jaccard_ops);
SET iscc_usearch.search_mode = graph;
SELECT * FROM recall('same_code');
RESET iscc_usearch.search_mode;

-- the rows of a transaction; nothing is written, nothing counts as a scan
BEGIN;
INSERT INTO same VALUES ('00');
SELECT queries_run FROM usearch_recall('same_code', sample => 2000);
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM plausible('t_code');
COMMIT;
SELECT pg_stat_get_xact_numscans('t_code'::regclass), pg_stat_get_xact_numscans('same_code'::regclass)
    FROM usearch_recall('t_code') AS a, usearch_recall('same_code') AS b;

-- unlogged and temporary
ALTER TABLE same SET UNLOGGED;
SELECT * FROM plausible('same_code');
CREATE TEMP TABLE p (code bitvec(256));
CREATE INDEX p_code ON p USING usearch (code);
INSERT INTO p SELECT code FROM t;
SELECT * FROM recall('p_code');

-- NULL
SELECT count(*) FROM usearch_recall(NULL);
SELECT count(*) FROM usearch_recall('t_code', NULL);
SELECT count(*) FROM usearch_recall('t_code', 10, NULL);

-- errors, and a search is stopped when that is asked for
CREATE FUNCTION refused(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
SELECT arguments, r.* FROM unnest(ARRAY['k => 0', 'k => 10001', 'sample => 0', 'sample => 100001',
        $$queries => '{}'$$, $$queries => '{ff,NULL}'$$, 'k => -1, queries => NULL']) AS arguments,
    refused(format($$SELECT usearch_recall('t_code', %s)$$, arguments)) AS r;
CREATE TABLE parted (code bitvec) PARTITION BY HASH (code);
CREATE INDEX parted_code ON parted USING usearch (code);
CREATE INDEX t_id ON t (id);
SELECT relation, r.state, r.message FROM unnest('{t,t_id,parted_code}'::text[]) AS relation,
    refused(format('SELECT usearch_recall(%L)', relation)) AS r;
SET statement_timeout = '50ms';
SELECT usearch_recall('t_code', 10000, queries => array_fill('ff'::bitvec, '{100000}'));
RESET statement_timeout;

-- who may: those who may read the table, and the owner
CREATE ROLE regress_usearch_owner;
CREATE ROLE regress_usearch_other;
ALTER TABLE t OWNER TO regress_usearch_owner;
GRANT INSERT, UPDATE, DELETE, SELECT (id, code) ON t TO regress_usearch_other;
SET ROLE regress_usearch_other;
\x
SELECT * FROM refused($$SELECT usearch_recall('t_code')$$);
\x
RESET ROLE;
GRANT SELECT ON t TO regress_usearch_other;
SET ROLE regress_usearch_other;
SELECT queries_run FROM usearch_recall('t_code');
RESET ROLE;
REVOKE SELECT ON t FROM regress_usearch_owner;
SET ROLE regress_usearch_owner;
SELECT queries_run FROM usearch_recall('t_code');
RESET ROLE;
DROP TABLE t, poor, same, p, parted;
DROP FUNCTION refused, recall, plausible;
DROP ROLE regress_usearch_owner, regress_usearch_other;
