-- The table of which the indexes beside this file are: made by version 0.1.0 on PostgreSQL 15, with the background worker off.
-- Statements whose rows' places do not depend on the version of PostgreSQL.
CREATE TABLE t (id bigint, code bitvec(256)) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT i, CASE WHEN i % 50 > 0 THEN
    prefix(set_bit(sha256((i / 3)::text::bytea), i % 64, i % 2)::bitvec, 64 * (1 + i % 4)) END FROM generate_series(1, 250) i;
CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '64kB', m = 4, ef_construction = 16);
CREATE INDEX t_jaccard ON t USING usearch (code bitvec_jaccard_ops) WITH (shard_size = '64kB', m = 4, ef_construction = 16);
INSERT INTO t SELECT i, prefix(sha256((i / 2)::text::bytea)::bitvec, 64 * (1 + i % 4)) FROM generate_series(301, 340) i;
DELETE FROM t WHERE id % 9 = 4;
VACUUM t;
