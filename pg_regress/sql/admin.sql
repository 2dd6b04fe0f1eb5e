-- Functions for operators.
CREATE TABLE t (id int, code bitvec(128)) WITH (autovacuum_enabled = false);
CREATE INDEX t_code ON t USING usearch (code);
CREATE INDEX t_id ON t (id);

-- an index as it grows
SELECT * FROM usearch_shards('t_code');
INSERT INTO t SELECT i, md5((i / 2)::text)::bitvec FROM generate_series(0, 999) i;
SELECT entries, dead_entries, null_entries, tail_entries, segments, shards, distinct_codes,
       index_bytes = pg_relation_size('t_code') AS index_bytes, shard_bytes, metric, max_bits, format_version
FROM usearch_index_stats('t_code');
SELECT usearch_seal('t_code');
SELECT entries, dead_entries, null_entries, tail_entries, segments, shards, distinct_codes, shard_bytes > 0 AS shard_bytes
FROM usearch_index_stats('t_code');
SELECT shard_id IS NOT NULL AS shard_id, file ~ '^[a-z_/]+' AS file, state, bytes > 0 AS bytes, nodes, entries, dead, blocks > 0 AS blocks,
       built_at BETWEEN now() - interval '1 hour' AND now() + interval '1 hour' AS built_at
FROM usearch_shards('t_code');
INSERT INTO t SELECT i, NULL FROM generate_series(101, 110) i;
SELECT (SELECT sum(bytes) FROM usearch_shards('t_code')) = shard_bytes AS same FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code');
SELECT * FROM usearch_check('t_code', false);
SELECT * FROM usearch_check('t_code', heap => true);
DELETE FROM t WHERE id < 100;
VACUUM t;
SELECT entries, dead_entries, null_entries FROM usearch_index_stats('t_code');
SELECT state, entries, dead FROM usearch_shards('t_code');
SELECT * FROM usearch_check('t_code', true);

-- in a query over all indexes
SELECT c.oid::regclass AS index, s.entries FROM pg_class c, usearch_index_stats(c.oid) s
WHERE relkind = 'i' AND relam = (SELECT oid FROM pg_am WHERE amname = 'usearch');

-- NULL
SELECT usearch_seal(NULL);
SELECT * FROM usearch_index_stats(NULL);
SELECT * FROM usearch_shards(NULL);
SELECT * FROM usearch_check(NULL);
SELECT * FROM usearch_check('t_code', NULL);

-- not an index of ours
CREATE TABLE parted (code bitvec) PARTITION BY HASH (code);
CREATE INDEX parted_code ON parted USING usearch (code);
CREATE VIEW v AS SELECT * FROM t;
CREATE SEQUENCE s;
CREATE FUNCTION refused(statement text, OUT state text, OUT message text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END $$;
SELECT relation, r.state, r.message FROM unnest('{t,t_id,parted,parted_code,v,s,pg_class,pg_class_oid_index}'::text[]) AS relation,
    refused(format('SELECT usearch_seal(%L)', relation)) AS r;
SELECT hint FROM refused($$SELECT usearch_seal('parted_code')$$);
SELECT function, r.state, r.message FROM unnest('{usearch_index_stats,usearch_shards,usearch_check}'::text[]) AS function,
    refused(format('SELECT * FROM %s(%L)', function, 't_id')) AS r;
SELECT relation, r.state, r.message FROM unnest('{t,t_id,parted,parted_code,v}'::text[]) AS relation,
    refused(format('SELECT * FROM usearch_check(%L, true)', relation)) AS r;
SELECT usearch_seal('nonexistent');
SELECT state, message FROM refused('SELECT usearch_seal(4294967295)');

-- who may
CREATE ROLE regress_usearch_owner;
CREATE ROLE regress_usearch_other;
ALTER TABLE t OWNER TO regress_usearch_owner;
SET ROLE regress_usearch_other;
SELECT usearch_seal('t_code');
SELECT * FROM usearch_check('t_code');
SELECT * FROM usearch_check('t_code', true);
SELECT usearch_sweep();
RESET ROLE;
SET ROLE regress_usearch_owner;
SELECT usearch_seal('t_code');
SELECT * FROM usearch_check('t_code', true);
SELECT usearch_sweep();
RESET ROLE;
GRANT EXECUTE ON FUNCTION usearch_sweep() TO regress_usearch_owner;
SET ROLE regress_usearch_owner;
SELECT usearch_sweep() AS orphans \gset
SELECT usearch_sweep() AS more;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION usearch_sweep() FROM regress_usearch_owner;

-- in a read-only transaction
BEGIN READ ONLY;
SELECT entries FROM usearch_index_stats('t_code');
SELECT count(*) FROM usearch_check('t_code');
ROLLBACK;

DROP TABLE t, parted CASCADE;
DROP SEQUENCE s;
DROP FUNCTION refused;
DROP ROLE regress_usearch_owner, regress_usearch_other;
