-- Text and binary form of bitvec.

-- hexadecimal with or without \x, in any case; \x and lower case on output
SELECT '\xff80'::bitvec, 'ff80'::bitvec, '\xFF80'::bitvec, 'Ff8'::text || 'E' AS text, ('Ff8' || 'E')::bitvec AS mixed;
SELECT '\x00'::bitvec, '00'::bitvec, '0123456789abcdefABCDEF'::bitvec;

-- whole bytes only
SELECT '\xf'::bitvec;
SELECT 'ff8'::bitvec;

-- not empty
SELECT ''::bitvec;
SELECT '\x'::bitvec;

-- nothing but digits
SELECT 'fg'::bitvec;
SELECT '0xff'::bitvec, '0XFF80'::bitvec;
SELECT '\x0xff'::bitvec;
SELECT '0x'::bitvec;
SELECT '\Xff'::bitvec;
SELECT '\x\xff'::bitvec;
SELECT ' ff'::bitvec;
SELECT 'ff '::bitvec;
SELECT '\xff 80'::bitvec;
SELECT (repeat('0123456789', 1000) || 'x')::bitvec;

-- 8 to 32768 bits
SELECT bit_length(repeat('a5', 4096)::bitvec) AS bits, md5(repeat('a5', 4096)::bitvec::text) = md5('\x' || repeat('a5', 4096)) AS same;
SELECT repeat('a5', 4097)::bitvec;
SELECT repeat('a5', 100000)::bitvec;

-- SQLSTATEs
CREATE FUNCTION sqlstate_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT s AS input, sqlstate_of(format('SELECT %L::bitvec', s))
FROM unnest(ARRAY['ff', '', '\x', 'f', 'fg']) AS s;
SELECT sqlstate_of('SELECT repeat(''00'', 4097)::bitvec');
DROP FUNCTION sqlstate_of;

-- COPY in text form
CREATE TABLE codes (id int, code bitvec);
COPY codes FROM STDIN;
1	\\xff80
2	ff81
3	\N
4	FFFFFFFFFFFFFFFF
\.
COPY codes FROM STDIN;
5	ff8
\.
INSERT INTO codes VALUES (5, repeat('5a', 4096)::bitvec);
SELECT id, left(code::text, 20) AS code, bit_length(code) AS bits FROM codes ORDER BY id;
COPY (SELECT * FROM codes WHERE id < 4 ORDER BY id) TO STDOUT;
COPY (SELECT * FROM codes WHERE id < 4 ORDER BY id) TO STDOUT (FORMAT csv);

-- the binary form is the bytes
SELECT bitvec_send('\xff80'), octet_length(bitvec_send(repeat('5a', 4096)::bitvec));

-- COPY in binary form, to a file and back
\getenv builddir PG_ABS_BUILDDIR
\cd :builddir
CREATE TABLE copied (LIKE codes);
\copy codes TO 'results/type_io.bin' (FORMAT binary)
\copy copied FROM 'results/type_io.bin' (FORMAT binary)
SELECT count(*) AS rows, count(copied.code) AS codes FROM codes JOIN copied USING (id)
WHERE codes.code IS NOT DISTINCT FROM copied.code;

-- binary input is checked, too
CREATE TABLE narrow (id int, code bitvec(64));
\copy narrow FROM 'results/type_io.bin' (FORMAT binary)
CREATE TABLE bytes (id int, code bytea);
INSERT INTO bytes VALUES (1, '');
\copy bytes TO 'results/type_io.bin' (FORMAT binary)
\copy copied FROM 'results/type_io.bin' (FORMAT binary)
UPDATE bytes SET code = decode(repeat('00', 4097), 'hex');
\copy bytes TO 'results/type_io.bin' (FORMAT binary)
\copy copied FROM 'results/type_io.bin' (FORMAT binary)
SELECT count(*) FROM narrow;
SELECT count(*) FROM copied;

-- arrays, records, jsonb
SELECT '{ff,"\\x80",NULL}'::bitvec[], ARRAY['ff', '80']::bitvec[], ROW('ff'::bitvec), to_jsonb('ff'::bitvec);

-- stored out of line and uncompressed
SELECT typstorage, typlen, typbyval FROM pg_type WHERE oid = 'bitvec'::regtype;
SELECT pg_column_size(code) FROM codes WHERE id = 5;

DROP TABLE codes, copied, narrow, bytes;
