-- Lengths, prefixes, concatenation.

SELECT length('ff80'::bitvec), bit_length('ff80'::bitvec), octet_length('ff80'::bitvec);
SELECT length(repeat('00', 4096)::bitvec), octet_length(repeat('00', 4096)::bitvec);

-- prefix: a positive multiple of 8 bits; the whole code when it is not longer
SELECT b AS bits, prefix('0123456789abcdef', b) FROM unnest(ARRAY[8, 16, 56, 64, 72, 256, 2147483640]) AS b;
SELECT prefix('0123456789abcdef', 0);
SELECT prefix('0123456789abcdef', 4);
SELECT prefix('0123456789abcdef', 12);
SELECT prefix('0123456789abcdef', -8);
SELECT prefix('0123456789abcdef', 2147483647);
SELECT prefix('0123456789abcdef', NULL), prefix(NULL::bitvec, 8);

-- prefixes: those of the lengths given that the code has
SELECT b AS bits, ARRAY(SELECT unnest(prefixes('0123456789abcdef', b)) ORDER BY 1) AS prefixes
FROM (VALUES ('{8,32,64}'::int[]), ('{64,128,192}'), ('{72}'), ('{}'), ('{8,8,NULL,16}')) AS v (b);
\set SHOW_CONTEXT never
SELECT prefixes('0123456789abcdef', '{8,12}');
SELECT prefixes('0123456789abcdef', '{0}');
\set SHOW_CONTEXT errors
SELECT prefixes(NULL, '{8}'), prefixes('ff', NULL);

-- concatenation
SELECT '0123'::bitvec || '45'::bitvec AS code, '0123'::bitvec || '45' AS literal, '0123'::bitvec || NULL AS nothing;
SELECT length(repeat('00', 2048)::bitvec || repeat('00', 2048)::bitvec);
SELECT repeat('00', 2048)::bitvec || repeat('00', 2049)::bitvec;
SELECT count(*) AS rows, bool_and(prefix(code, b) || substr(code::bytea, b / 8 + 1)::bitvec = code) AS same
FROM (SELECT sha256(i::text::bytea)::bitvec AS code, 8 + i % 31 * 8 AS b FROM generate_series(1, 100) i) AS s;

-- starts with
SELECT s AS start, '0123456789abcdef'::bitvec ^@ s AS code_starts_with, starts_with(s, '0123456789abcdef') AS reverse
FROM unnest('{01,0123,0123456789abcdef,0123456789abcdef00,02,0124}'::bitvec[]) AS s;
SELECT '01'::bitvec ^@ NULL AS nothing;

-- a code and all that identify it, long or short
CREATE TABLE t (id int PRIMARY KEY, code bitvec(256));
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 4)) FROM generate_series(1, 200) i;
INSERT INTO t SELECT id + 1000, prefix(code, 64) FROM t WHERE id <= 3;
SELECT id, length(code) FROM t WHERE code ^@ (SELECT prefix(code, 64) FROM t WHERE id = 3) ORDER BY id;
SELECT id, length(code) FROM t
WHERE code = ANY (prefixes((SELECT code FROM t WHERE id = 3), '{64,128,192,256}')) ORDER BY id;
DROP TABLE t;
