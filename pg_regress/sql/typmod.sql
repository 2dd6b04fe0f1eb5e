-- bitvec(n): n bits at most, and never a silent cut.

CREATE TABLE t (id int, code bitvec(64));
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'code';

-- any length up to n
INSERT INTO t VALUES (1, 'ff'), (2, 'ffffffff'), (3, '0123456789abcdef'), (4, NULL);
INSERT INTO t VALUES (5, '0123456789abcdef00');
INSERT INTO t SELECT 5, prefix(sha256('5')::bitvec, 72);
INSERT INTO t SELECT 5, sha256('5');
INSERT INTO t SELECT 5, md5('5')::uuid;
UPDATE t SET code = code || '00' WHERE id = 3;
UPDATE t SET code = code || '00' WHERE id = 2;
SELECT * FROM t ORDER BY id;

-- explicit casts do not cut either
SELECT '0123456789abcdef'::bitvec(64);
SELECT '0123456789abcdef'::bitvec(56);
SELECT '0123456789abcdef'::bitvec::bitvec(56);
SELECT '\x0123456789abcdef'::bytea::bitvec(56);
SELECT 'x0123456789abcdef'::varbit::bitvec(56);
SELECT '0123456789abcdef0123456789abcdef'::uuid::bitvec(64);
SELECT '{0123456789abcdef}'::bitvec(56)[];
SELECT ARRAY['0123456789abcdef'::bitvec]::bitvec(64)[];
SELECT ARRAY['0123456789abcdef'::bitvec]::bitvec(56)[];
SELECT prefix('0123456789abcdef', 56)::bitvec(56);
DO $$
BEGIN
    PERFORM 'ffff'::bitvec(8);
EXCEPTION WHEN string_data_right_truncation THEN
    RAISE NOTICE '%', SQLSTATE;
END $$;

-- from 8 to 32768, in steps of 8
SELECT 'ff'::bitvec(8), bit_length(repeat('ff', 4096)::bitvec(32768));
SELECT 'ff'::bitvec(0);
SELECT 'ff'::bitvec(4);
SELECT 'ff'::bitvec(12);
SELECT 'ff'::bitvec(-8);
SELECT 'ff'::bitvec(32776);
SELECT 'ff'::bitvec(2147483647);
SELECT 'ff'::bitvec(8, 8);
\set VERBOSITY terse
SELECT 'ff'::bitvec(4294967304);
SELECT 'ff'::bitvec('eight');
\set VERBOSITY default
CREATE TABLE bad (code bitvec(100));

-- ALTER COLUMN TYPE checks the rows
ALTER TABLE t ALTER code TYPE bitvec(56);
ALTER TABLE t ALTER code TYPE bitvec(56) USING prefix(code, 56);
ALTER TABLE t ALTER code TYPE bitvec(128);
INSERT INTO t VALUES (6, '0123456789abcdef0123456789abcdef');
INSERT INTO t VALUES (7, '0123456789abcdef0123456789abcdef00');
ALTER TABLE t ALTER code TYPE bitvec;
INSERT INTO t VALUES (7, '0123456789abcdef0123456789abcdef00');
SELECT * FROM t ORDER BY id;
DROP TABLE t;

-- also of a column that is indexed
CREATE TABLE t (id int, code bitvec(64));
INSERT INTO t SELECT i, prefix(md5(i::text)::bitvec, 64) FROM generate_series(1, 100) i;
CREATE INDEX t_code ON t USING usearch (code);
SELECT max_bits FROM usearch_index_stats('t_code');
ALTER TABLE t ALTER code TYPE bitvec(128);
INSERT INTO t VALUES (101, md5('101')::bitvec);
ALTER TABLE t ALTER code TYPE bitvec;
INSERT INTO t VALUES (102, sha256('102'));
SELECT entries FROM usearch_index_stats('t_code');
SET enable_seqscan = off;
SELECT id FROM t ORDER BY code <~> sha256('102')::bitvec LIMIT 1;
RESET enable_seqscan;
SELECT * FROM usearch_check('t_code', true);
DROP TABLE t;

-- domains
CREATE DOMAIN iscc_unit AS bitvec(256) CHECK (bit_length(VALUE) % 32 = 0);
SELECT 'ffffffff'::iscc_unit;
SELECT 'ffff'::iscc_unit;
SELECT repeat('ff', 36)::iscc_unit;
DROP DOMAIN iscc_unit;
