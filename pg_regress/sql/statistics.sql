-- an index scan counts in PostgreSQL's statistics
CREATE TABLE t (id int, code bitvec(64));
INSERT INTO t SELECT i, decode(lpad(to_hex(i), 16, '0'), 'hex') FROM generate_series(1, 100) i;
CREATE INDEX t_code ON t USING usearch (code);
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM t ORDER BY code <~> '0000000000000007' LIMIT 3) nearest;
SELECT count(*) FROM (SELECT id FROM t ORDER BY code <~> '0000000000000008' LIMIT 4) nearest;
RESET enable_seqscan;
SELECT pg_stat_force_next_flush();
SELECT idx_scan, idx_tup_read, idx_tup_fetch FROM pg_stat_user_indexes WHERE indexrelname = 't_code';
DROP TABLE t;
