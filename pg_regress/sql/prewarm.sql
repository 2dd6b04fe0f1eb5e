-- usearch_prewarm: loads the log and the shards.
CREATE TABLE t (id int, code bitvec(256)) WITH (autovacuum_enabled = false);
CREATE INDEX t_code ON t USING usearch (code);
SELECT usearch_prewarm('t_code');
INSERT INTO t SELECT i, sha256(i::text::bytea) FROM generate_series(1, 2000) i;
INSERT INTO t VALUES (0, NULL);
SELECT usearch_prewarm('t_code') BETWEEN 2000 * 32 AND pg_relation_size('t_code') AS log;
SELECT usearch_seal('t_code');
INSERT INTO t SELECT i, sha256(i::text::bytea) FROM generate_series(2001, 3000) i;
SELECT usearch_prewarm('t_code') BETWEEN shard_bytes + 3000 * 32 AND total_bytes AS log_and_shards FROM usearch_index_stats('t_code');
DELETE FROM t WHERE id % 2 = 0;
VACUUM t;
SELECT usearch_prewarm('t_code') BETWEEN shard_bytes + 1500 * 32 AND total_bytes AS log_and_shards FROM usearch_index_stats('t_code');

-- unlogged and temporary
ALTER TABLE t SET UNLOGGED;
SELECT usearch_prewarm('t_code') > 0 AS loaded;
CREATE TEMP TABLE p (code bitvec(256));
CREATE INDEX p_code ON p USING usearch (code);
SELECT usearch_prewarm('p_code');
INSERT INTO p SELECT code FROM t;
SELECT usearch_prewarm('p_code') BETWEEN 1500 * 32 AND pg_relation_size('p_code') AS log;

-- in a read-only transaction
BEGIN READ ONLY;
SELECT usearch_prewarm('t_code') > 0 AS loaded;
COMMIT;

-- who may: those who may read the table, and the owner
CREATE FUNCTION refused(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE ROLE regress_usearch_owner;
CREATE ROLE regress_usearch_other;
CREATE ROLE regress_usearch_reader;
GRANT pg_read_all_data TO regress_usearch_reader;
ALTER TABLE t OWNER TO regress_usearch_owner;
SET ROLE regress_usearch_other;
\x
SELECT * FROM refused($$SELECT usearch_prewarm('t_code')$$);
\x
RESET ROLE;
GRANT INSERT, UPDATE, DELETE, SELECT (id, code) ON t TO regress_usearch_other;
SET ROLE regress_usearch_other;
SELECT state FROM refused($$SELECT usearch_prewarm('t_code')$$);
RESET ROLE;
GRANT SELECT ON t TO regress_usearch_other;
SET ROLE regress_usearch_other;
SELECT usearch_prewarm('t_code') > 0 AS loaded;
SET ROLE regress_usearch_reader;
SELECT usearch_prewarm('t_code') > 0 AS loaded;
SET ROLE regress_usearch_owner;
SELECT usearch_prewarm('t_code') > 0 AS loaded;
REVOKE SELECT ON t FROM regress_usearch_owner;
SELECT count(*) FROM t;
SELECT usearch_prewarm('t_code') > 0 AS loaded;
RESET ROLE;

-- not an index of ours
CREATE TABLE parted (code bitvec) PARTITION BY HASH (code);
CREATE INDEX parted_code ON parted USING usearch (code);
CREATE INDEX t_id ON t (id);
SELECT relation, r.state, r.message FROM unnest('{t,t_id,parted,parted_code,pg_class}'::text[]) AS relation,
    refused(format('SELECT usearch_prewarm(%L)', relation)) AS r;
SELECT usearch_prewarm(NULL);
DROP TABLE t, p, parted;
DROP FUNCTION refused;
DROP ROLE regress_usearch_owner, regress_usearch_other, regress_usearch_reader;
