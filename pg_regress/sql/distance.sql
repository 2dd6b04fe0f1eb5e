-- NPHD, Jaccard and Hamming distance.
SET extra_float_digits = 1;

-- NPHD: share of different bits in the common prefix
SELECT a, b, nphd_distance(a, b), a <~> b AS operator, b <~> a AS reverse
FROM (VALUES ('0123456789abcdef'::bitvec, '0123456789abcdef'::bitvec),  -- identical
             ('0123456789abcdef', '0123456789abcdee'),                   -- 1 bit of 64
             ('00', 'ff'),                                               -- all bits
             ('0f', 'f0'),
             ('ff8040', 'ff81'),                                         -- 1 bit of the common 16
             ('f0', '0ff0'),
             ('ff', 'fe'),
             ('00ff', '00'),
             ('8000000000000000', '0000000000000001')) AS v (a, b);

-- a prefix is at distance 0 from what it is a prefix of
SELECT '0123456789abcdef'::bitvec <~> ('0123456789abcdef' || repeat('5a', 24))::bitvec AS prefix_of_32_bytes;

-- 12 against 20 bytes, 1 bit of 96: the nearest double to 1/96
SELECT code <~> longer AS distance, (code <~> longer) = 1::float8 / 96 AS exact
FROM (SELECT repeat('00', 12)::bitvec AS code, ('01' || repeat('00', 11) || repeat('ff', 8))::bitvec AS longer) AS s;

-- the longest codes
SELECT repeat('00', 4096)::bitvec <~> repeat('ff', 4096)::bitvec AS all,
       repeat('00', 4096)::bitvec <~> (repeat('00', 4095) || '01')::bitvec = 1::float8 / 32768 AS one_bit;

-- not a metric: a is at 0 from b and c, which are at 0.5
SELECT a <~> b AS ab, a <~> c AS ac, b <~> c AS bc FROM (SELECT 'ff'::bitvec AS a, 'ff00'::bitvec AS b, 'ffff'::bitvec AS c) AS s;

-- Jaccard: different bits among those set in either, of the common prefix
SELECT a, b, jaccard_distance(a, b), a <%> b AS operator, b <%> a AS reverse
FROM (VALUES ('ff'::bitvec, 'ff'::bitvec), ('ff', '0f'), ('f0', '0f'), ('00', '00'), ('00', '01'),
             ('00ff', '00'), ('80', '8001'), ('0f', '1e')) AS v (a, b);

-- Sørensen: different bits among those that both have together
SELECT a, b, sorensen_distance(a, b), a <%%> b AS operator, b <%%> a AS reverse
FROM (VALUES ('ff'::bitvec, 'ff'::bitvec), ('ff', '0f'), ('f0', '0f'), ('00', '00'), ('00', '01'),
             ('00ff', '00'), ('80', '8001'), ('0f', '1e')) AS v (a, b);

-- Hamming: codes of one length
SELECT hamming_distance('ff80', 'ff81'), hamming_distance('00', 'ff'), hamming_distance('ff', 'ff'),
       hamming_distance(repeat('00', 4096)::bitvec, repeat('ff', 4096)::bitvec);
SELECT hamming_distance('ff80', 'ff');
DO $$
BEGIN
    PERFORM hamming_distance('ff80', 'ff');
EXCEPTION WHEN data_exception THEN
    RAISE NOTICE '%', SQLSTATE;
END $$;

-- of any lengths, over the common prefix
SELECT a, b, prefix_hamming_distance(a, b), a <#~> b AS operator, b <#~> a AS reverse
FROM (VALUES ('ff'::bitvec, 'ff'::bitvec), ('00', 'ff'), ('ff8040', 'ff81'), ('f0', '0ff0'), ('00ff', '00'),
             ('8000000000000000', '0000000000000001')) AS v (a, b);
SELECT repeat('00', 4096)::bitvec <#~> repeat('ff', 4096)::bitvec AS all,
       repeat('00', 4096)::bitvec <#~> (repeat('00', 4095) || '01')::bitvec AS one_bit;

-- NULL
SELECT 'ff'::bitvec <~> NULL AS nphd, 'ff'::bitvec <%> NULL AS jaccard, 'ff'::bitvec <#~> NULL AS bits, NULL::bitvec <~> 'ff' AS reverse,
       nphd_distance(NULL, NULL) AS function, hamming_distance('ff', NULL) AS hamming;

-- against plain SQL over bit strings, all pairs of lengths
CREATE TABLE t AS SELECT i AS id, prefix(sha256(i::text::bytea)::bitvec || sha256((-i)::text::bytea)::bitvec, i * 8) AS code
FROM generate_series(1, 64) i;
SELECT count(*) AS pairs,
       count(*) FILTER (WHERE nphd <> length(replace((x # y)::text, '0', ''))::float8 / bits) AS wrong_nphd,
       count(*) FILTER (WHERE jaccard <> length(replace((x # y)::text, '0', ''))::float8 / length(replace((x | y)::text, '0', ''))) AS wrong_jaccard,
       count(*) FILTER (WHERE sorensen <> length(replace((x # y)::text, '0', ''))::float8 / length(replace(x::text || y::text, '0', ''))) AS wrong_sorensen,
       count(*) FILTER (WHERE hamming <> length(replace((x # y)::text, '0', ''))) AS wrong_hamming,
       count(*) FILTER (WHERE prefix_hamming <> length(replace((x # y)::text, '0', ''))) AS wrong_prefix_hamming,
       count(*) FILTER (WHERE nphd NOT BETWEEN 0 AND 1 OR jaccard NOT BETWEEN 0 AND 1) AS outside
FROM (SELECT a.code <~> b.code AS nphd, a.code <%> b.code AS jaccard, a.code <%%> b.code AS sorensen, a.code <#~> b.code AS prefix_hamming, bits,
             hamming_distance(prefix(a.code, bits), prefix(b.code, bits)) AS hamming,
             prefix(a.code, bits)::varbit AS x, prefix(b.code, bits)::varbit AS y
      FROM t a, t b, LATERAL (SELECT least(length(a.code), length(b.code)) AS bits) AS l) AS pairs
WHERE x | y <> repeat('0', bits)::varbit;
SELECT count(*) AS asymmetric FROM t a, t b
WHERE a.code <~> b.code <> b.code <~> a.code OR a.code <%> b.code <> b.code <%> a.code OR a.code <#~> b.code <> b.code <#~> a.code;
DROP TABLE t;

SELECT oprname, oprcom = oid AS commutes, oprresult::regtype, oprcode FROM pg_operator
WHERE oprleft = 'bitvec'::regtype AND oprresult = 'float8'::regtype ORDER BY 1;
