-- usearch_total_size: the relation's files and the shards'.
CREATE TABLE t (id int, code bitvec(256)) WITH (autovacuum_enabled = false);
CREATE INDEX t_code ON t USING usearch (code);
SELECT usearch_total_size('t_code') = pg_total_relation_size('t_code') AS same;
INSERT INTO t SELECT i, sha256(i::text::bytea) FROM generate_series(1, 2000) i;
SELECT usearch_total_size('t_code') = pg_total_relation_size('t_code') AS same;
SELECT usearch_seal('t_code');
SELECT usearch_total_size('t_code') = pg_total_relation_size('t_code') + sum(bytes) AS same FROM usearch_shards('t_code');
SELECT usearch_total_size('t_code') = total_bytes AS same FROM usearch_index_stats('t_code');

-- an unlogged index has an init fork
ALTER TABLE t SET UNLOGGED;
SELECT usearch_total_size('t_code') - total_bytes = pg_relation_size('t_code', 'init') AS same FROM usearch_index_stats('t_code');

-- temporary
CREATE TEMP TABLE p (code bitvec(256));
INSERT INTO p SELECT code FROM t;
CREATE INDEX p_code ON p USING usearch (code);
SELECT usearch_total_size('p_code') = pg_total_relation_size('p_code') AS same;

-- all together, by a role for monitoring, in a read-only transaction
CREATE ROLE regress_usearch_other IN ROLE pg_monitor;
BEGIN READ ONLY;
SET LOCAL ROLE regress_usearch_other;
SELECT sum(usearch_total_size(c.oid)) > 0 AS some FROM pg_class c
WHERE relkind = 'i' AND relam = (SELECT oid FROM pg_am WHERE amname = 'usearch');
COMMIT;
DROP ROLE regress_usearch_other;

-- not an index of ours
CREATE TABLE parted (code bitvec) PARTITION BY HASH (code);
CREATE INDEX parted_code ON parted USING usearch (code);
CREATE INDEX t_id ON t (id);
SELECT usearch_total_size('t');
SELECT usearch_total_size('t_id');
SELECT usearch_total_size('parted_code');
SELECT usearch_total_size('nonexistent');
SELECT usearch_total_size(NULL);
DROP TABLE t, p, parted;
