-- Casts between bitvec and bytea, varbit, bit, uuid, text.

-- bytea
SELECT '\xff80'::bytea::bitvec, 'ff80'::bitvec::bytea, sha256('')::bitvec;
SELECT ''::bytea::bitvec;
SELECT decode(repeat('00', 4096), 'hex')::bitvec = repeat('00', 4096)::bitvec AS same;
SELECT decode(repeat('00', 4097), 'hex')::bitvec;
SELECT octet_length(repeat('00', 4096)::bitvec::bytea);

-- varbit: the first bit is the most significant one
SELECT B'1111111110000000'::varbit::bitvec, 'ff80'::bitvec::varbit, '01'::bitvec::varbit;
SELECT B'1111111'::varbit::bitvec;
SELECT B'111111111'::varbit::bitvec;
SELECT B''::varbit::bitvec;
SELECT repeat('1', 32768)::varbit::bitvec = repeat('ff', 4096)::bitvec AS same;
SELECT repeat('1', 32776)::varbit::bitvec;
SELECT length(repeat('ff', 4096)::bitvec::varbit);

-- bit strings get there by varbit
SELECT B'10000001'::varbit::bitvec, X'81ff'::varbit::bitvec, '81ff'::bitvec::varbit::bit(16);

-- uuid
SELECT '00112233-4455-6677-8899-aabbccddeeff'::uuid::bitvec;
SELECT '00112233445566778899aabbccddeeff'::bitvec::uuid;
SELECT '00112233445566778899aabbccddee'::bitvec::uuid;
SELECT '00112233445566778899aabbccddeeff00'::bitvec::uuid;
SELECT prefix('00112233445566778899aabbccddeeff00', 128)::uuid;

-- bigint: as many perceptual hashes are stored
SELECT (-1)::bigint::bitvec, 1::bigint::bitvec, 'fcbd04c340212ef7'::bitvec::bigint, (-9223372036854775808)::bigint::bitvec::bigint;
SELECT 'ff'::bitvec::bigint;

-- text
SELECT 'ff80'::text::bitvec, 'ff80'::bitvec::text, 'ff80'::varchar::bitvec, 'ff80'::bitvec::varchar(4);
SELECT 'hello'::text::bitvec;

-- there and back
CREATE TABLE t (code bitvec);
INSERT INTO t SELECT prefix(sha256(i::text::bytea)::bitvec, 8 + i % 32 * 8) FROM generate_series(1, 1000) i;
SELECT count(*) AS codes, count(DISTINCT bit_length(code)) AS lengths,
       bool_and(code::bytea::bitvec = code) AS bytea,
       bool_and(code::varbit::bitvec = code) AS varbit,
       bool_and(prefix(code || code || code || code || code || code || code || code, 64)::bigint::bitvec
                = prefix(code || code || code || code || code || code || code || code, 64)) AS bigint,
       bool_and(code::text::bitvec = code) AS text,
       bool_and(bitvec_send(code) = code::bytea) AS send,
       bool_and(octet_length(code::bytea) = octet_length(code)) AS bytes,
       bool_and(length(code::varbit) = length(code)) AS bits
FROM t;
SELECT count(*), bool_and(code::uuid::bitvec = code) AS uuid FROM t WHERE length(code) = 128;
DROP TABLE t;

-- bytea in expressions as well, the others on assignment only
CREATE TABLE t (code bitvec, bytes bytea, bits varbit, id uuid);
INSERT INTO t VALUES ('\xff'::bytea, '80'::bitvec, '40'::bitvec, '00112233445566778899aabbccddeeff'::bitvec);
INSERT INTO t (code) VALUES (X'20'::varbit), ('00112233-4455-6677-8899-aabbccddeeff'::uuid);
INSERT INTO t (code) VALUES ('ff'::text);
SELECT * FROM t;
SELECT 'ff'::bitvec = '\xff'::bytea;
SELECT 'ff'::bitvec <~> '\xff'::bytea;
SELECT 'ff'::bitvec <~> '\xff'::bytea::bitvec;
SELECT 'ff'::bitvec <~> B'11111111';
SELECT 'ff'::bitvec <~> 1::bigint;
SELECT 1::int4::bitvec;
SELECT pg_typeof('\x01'::bytea || '02'::bitvec), '\x01'::bytea = '01'::bitvec AS equal, md5('ff'::bitvec) = md5('\xff'::bytea) AS same,
       encode('ff80', 'base64'), substr('ff80'::bitvec, 2), bit_count('ff80'::bitvec), '\x00ff'::bytea <~> '00'::bytea AS distance;
DROP TABLE t;

SELECT castsource::regtype, casttarget::regtype, castcontext, castmethod
FROM pg_cast WHERE 'bitvec'::regtype IN (castsource, casttarget) 
ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";

-- bit, directly
SELECT B'1000000111111111'::bitvec, '81ff'::bitvec::bit(16), '81ff'::bitvec::bit(12);
SELECT B'101'::bitvec;
