-- Single bits, bitwise operators, and aggregates of codes; equality of balls.

SELECT get_bit('80ff01'::bitvec, n) FROM unnest(ARRAY[0, 1, 7, 8, 15, 16, 22, 23]) AS n;
SELECT get_bit('ff'::bitvec, -1);
SELECT get_bit('ff'::bitvec, 8);

SELECT 'f0f0'::bitvec & 'ff00' AS "and", 'f0f0'::bitvec | 'ff00' AS "or", 'f0f0'::bitvec # 'ff00' AS xor, ~ 'f0f0'::bitvec AS "not";
SELECT 'ff'::bitvec & 'ff00';
SELECT 'ff'::bitvec | 'ff00';
SELECT 'ff'::bitvec # 'ff00';
SELECT bool_and(hamming_distance(a, b) = bit_count(a # b)) AS bits, bool_and(a # b = (a | b) & ~ (a & b)) AS laws,
       bool_and((a & b)::varbit = (a::varbit & b::varbit) AND (~ a)::varbit = ~ a::varbit) AS as_bit_strings,
       bool_and(get_bit(a, n) = get_bit(a::varbit, n)) AS single
FROM (SELECT sha256(i::text::bytea)::bitvec AS a, sha256((i * 7)::text::bytea)::bitvec AS b, i % 256 AS n FROM generate_series(1, 300) i) AS s;

-- min and max: bytewise; by an index where there is one
CREATE TABLE t (id int, code bitvec);
SELECT min(code), max(code), majority(code) FROM t;
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 4)) FROM generate_series(1, 2000) i;
INSERT INTO t VALUES (0, NULL);
SELECT min(code) = (SELECT code FROM t ORDER BY code LIMIT 1) AS min,
       max(code) = (SELECT code FROM t WHERE code IS NOT NULL ORDER BY code DESC LIMIT 1) AS max FROM t;
CREATE INDEX t_code ON t (code);
SET enable_seqscan = off;
SELECT min(code) = (SELECT bitvec(m) FROM (SELECT min(code::text)::bitvec AS m FROM t) AS s) AS min FROM t;
RESET enable_seqscan;

-- majority: what most codes have, bit by bit; a tie is 0; each bit among the codes that have it
SELECT majority(c) FROM unnest('{ff,f0,f8}'::bitvec[]) AS c;
SELECT majority(c) FROM unnest('{ff,00}'::bitvec[]) AS c;
SELECT majority(c) FROM unnest('{ff,ffff,0000,NULL}'::bitvec[]) AS c;
SELECT majority(c) FROM unnest('{NULL}'::bitvec[]) AS c;
CREATE TEMP VIEW by_bit AS
SELECT kind, string_agg((2 * ones > n)::int::text, '' ORDER BY bit)::varbit::bitvec AS code
FROM (SELECT id % 3 AS kind, bit, sum(get_bit(code, bit)) AS ones, count(*) AS n
      FROM t, generate_series(0, 63) AS bit WHERE code IS NOT NULL GROUP BY 1, 2) AS s GROUP BY kind;
SELECT kind, majority(prefix(t.code, 64)) = by_bit.code AS same FROM t JOIN by_bit ON id % 3 = kind GROUP BY kind, by_bit.code ORDER BY kind;
SELECT count(*) FILTER (WHERE m IS NOT NULL) FROM (SELECT majority(code) OVER (ORDER BY id ROWS 5 PRECEDING) AS m FROM t) AS s;

-- a number of bits: by the index what comparing all finds, of equal lengths only
DROP INDEX t_code;
CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '64kB');
SELECT hamming_within('ff', 'fe', 1) AS yes, hamming_within('ff', 'fc', 1) AS no, hamming_within('ff', 'ffff', 8) AS length,
       hamming_within('ff', 'ff', -1) AS negative, hamming_within('ff', '00', 2147483647) AS all, hamming_within('ff', NULL, 1);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE hamming_within(code, '00ff00ff00ff00ff', 12) ORDER BY id;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE hamming_within('00ff00ff00ff00ff', code, 12) ORDER BY code <~> '00ff00ff00ff00ff' LIMIT 3;
SELECT q.id, bits, (SELECT count(*) FROM t WHERE hamming_within(t.code, q.code, bits)) AS found,
       (SELECT count(*) FROM t WHERE length(t.code) = length(q.code) AND bit_count(CASE WHEN length(t.code) = length(q.code) THEN t.code # q.code END) <= bits) AS expected
FROM t q, unnest(ARRAY[-1, 0, 5, 22, 80, 256]) AS bits WHERE q.id IN (4, 5, 6, 7) ORDER BY 1, 2;
RESET enable_seqscan;
DROP TABLE t CASCADE;

-- balls are equal when code and radius are
CREATE TABLE b (id int, ball bitvec_ball);
INSERT INTO b SELECT i, nphd_ball(substr('00ff0f', 1 + 2 * (i % 3), 2)::bitvec, i % 4 / 4.0) FROM generate_series(1, 24) i;
INSERT INTO b VALUES (25, NULL), (26, nphd_ball('00ff', 0)), (27, nphd_ball('00ff', -0.0));
SELECT ball, count(*) FROM b GROUP BY ball ORDER BY ball;
SELECT count(*) FROM (SELECT DISTINCT ball FROM b) AS s;
SET enable_hashagg = off;
SELECT count(*) FROM (SELECT DISTINCT ball FROM b UNION SELECT ball FROM b) AS s;
RESET enable_hashagg;
SELECT count(*) FROM b x JOIN b y USING (ball);
SELECT count(*) FROM b x JOIN b y ON x.* IS NOT DISTINCT FROM y.*;
SELECT ARRAY[nphd_ball('00', 0.5)] = ARRAY['(00,0.5)'::bitvec_ball] AS arrays, nphd_ball('00', 0.5) < nphd_ball('00', 0.75) AS radius,
       nphd_ball('00', 1) < nphd_ball('0000', 0) AS code, nphd_ball('00', 0.5) IN ('(01,0.5)', '(00,0.5)') AS "in",
       nphd_ball('00', 0.5) <> nphd_ball('00', 0.5) AS differs;
CREATE TABLE bp (ball bitvec_ball PRIMARY KEY) PARTITION BY HASH (ball);
CREATE TABLE bp1 PARTITION OF bp FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE bp2 PARTITION OF bp FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO bp SELECT DISTINCT ball FROM b WHERE ball IS NOT NULL;
SELECT count(*), (SELECT count(*) FROM bp JOIN b USING (ball)) AS joined FROM bp;
INSERT INTO bp VALUES ('(00ff,0)');
DROP TABLE b, bp;
