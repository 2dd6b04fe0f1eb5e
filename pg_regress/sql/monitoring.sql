-- Views for monitoring.

CREATE TABLE t (id int PRIMARY KEY, code bitvec(256));
CREATE INDEX t_code ON t USING usearch (code);
CREATE VIEW seen AS
SELECT indexrelname, shards, unusable_shards, entries, tail_entries, round(dead_share::numeric, 3) AS dead_share,
       last_seal BETWEEN now() - interval '1 hour' AND now() + interval '1 minute' AS sealed, worker_state
  FROM usearch_indexes;
SELECT * FROM seen;
INSERT INTO t SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series(1, 1000) i;
INSERT INTO t SELECT i, NULL FROM generate_series(1001, 1010) i;
SELECT * FROM seen;
SELECT usearch_seal('t_code');
INSERT INTO t SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series(2001, 2300) i;
SELECT * FROM seen;
DELETE FROM t WHERE id % 4 = 0;
VACUUM t;
SELECT * FROM seen;

-- the same numbers as those of who reads the log
SELECT i.entries = s.entries AS entries, i.tail_entries = s.tail_entries AS tail, i.shards = s.shards AS shards,
       i.log_bytes = s.index_bytes AS log, i.shard_bytes = s.shard_bytes AS files,
       i.last_seal = (SELECT max(built_at) FROM usearch_shards('t_code')) AS time
  FROM usearch_indexes i, usearch_index_stats('t_code') s;
SELECT schemaname, relname, indexrelname, relid::regclass, indexrelid::regclass FROM usearch_indexes;

-- a tail that is due for a shard, and no worker
INSERT INTO t SELECT i, sha256(i::text::bytea)::bitvec FROM generate_series(3001, 48000) i;
SELECT shards, tail_entries > 40000 AS long, worker_state FROM usearch_indexes;
SELECT usearch_seal('t_code') > 40000 AS sealed;
SELECT shards, tail_entries, worker_state FROM usearch_indexes;

-- other kinds of indexes and tables
CREATE TABLE p (id int, code bitvec(64)) PARTITION BY LIST (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE INDEX p_code ON p USING usearch (code);
CREATE TEMP TABLE own (code bitvec(64));
CREATE INDEX own_code ON own USING usearch (code);
INSERT INTO own VALUES ('\xff'), ('\x00');
CREATE UNLOGGED TABLE v (embedding real[]);
INSERT INTO v SELECT array_fill(i::real, ARRAY[3000]) FROM generate_series(1, 5) i;
CREATE INDEX v_l2 ON v USING usearch (embedding real_l2_ops);
INSERT INTO v SELECT array_fill(i::real, ARRAY[3000]) FROM generate_series(1, 7) i;
SELECT indexrelname, shards, entries, tail_entries, worker_state FROM usearch_indexes ORDER BY 1;

-- who sees numbers: as for usearch_index_stats, but the others see the names
CREATE ROLE regress_usearch_reader;
CREATE ROLE regress_usearch_monitor;
GRANT pg_monitor TO regress_usearch_monitor;
SET ROLE regress_usearch_reader;
SELECT indexrelname, entries, worker_state FROM usearch_indexes WHERE indexrelname IN ('t_code', 'v_l2') ORDER BY 1;
SET ROLE regress_usearch_monitor;
SELECT indexrelname, entries, worker_state FROM usearch_indexes WHERE indexrelname IN ('t_code', 'v_l2') ORDER BY 1;
RESET ROLE;
GRANT SELECT ON v TO regress_usearch_reader;
SET ROLE regress_usearch_reader;
SELECT indexrelname, entries, worker_state FROM usearch_indexes WHERE indexrelname IN ('t_code', 'v_l2') ORDER BY 1;
RESET ROLE;
ALTER TABLE v ENABLE ROW LEVEL SECURITY;
SET ROLE regress_usearch_reader;
SELECT indexrelname, entries, worker_state FROM usearch_indexes WHERE indexrelname IN ('t_code', 'v_l2') ORDER BY 1;
RESET ROLE;

-- the function behind it takes any relation, and gives no row for one that is no index of ours
SELECT count(*) FROM usearch_index_summary('t_pkey');
SELECT count(*) FROM usearch_index_summary('p_code');
SELECT count(*) FROM usearch_index_summary(0);
SELECT count(*) FROM usearch_index_summary(NULL);

-- nobody is at work
SELECT * FROM usearch_progress;

DROP VIEW seen;
DROP TABLE t, p, own, v;
DROP ROLE regress_usearch_reader, regress_usearch_monitor;
SELECT count(*) FROM usearch_indexes;
