-- Near-duplicate search over real codes, step by step. Run it with `make demo`.
\pset pager off
\pset footer off
SET client_min_messages = warning;

\echo
\echo '  iscc_usearch: find near-duplicates among binary codes of any length, in SQL'
\echo '  ==========================================================================='
\echo
\echo '  The data: 110,308 versions of source files from the histories of four public repositories.'
\echo '  Each version is represented by its ISCC Text-Code: 64 to 256 bits; similar texts have similar bits.'
\echo
\echo
\echo '  1. CREATE EXTENSION is the whole setup, and codes are an ordinary column type.'
\echo
\set ECHO queries
CREATE EXTENSION iscc_usearch;
CREATE TABLE asset (id bigint PRIMARY KEY, name text, created timestamptz);
CREATE TABLE unit (asset_id bigint REFERENCES asset, code bitvec(256));
\set ECHO none

CREATE TEMP TABLE raw_asset (id bigint, name text, seconds bigint);
CREATE TEMP TABLE raw_code (id bigint, bits int, code text);
\copy raw_asset FROM PROGRAM 'gzip -dc data/assets.tsv.gz'
\copy raw_code FROM PROGRAM 'gzip -dc data/text.tsv.gz'
INSERT INTO asset SELECT id, name, to_timestamp(seconds) FROM raw_asset;
INSERT INTO unit SELECT id, left(code, bits / 4)::bitvec FROM raw_code;

\echo
\echo '     After COPY from data/*.tsv.gz:'
\echo
SELECT bit_length(code) AS bits, count(*) AS codes, min(code::text) AS "for example" FROM unit GROUP BY 1 ORDER BY 1;

\echo
\echo '  2. Build the index.'
\echo
\timing on
\set ECHO queries
CREATE INDEX unit_code ON unit USING usearch (code);
\set ECHO none
\timing off
ANALYZE asset, unit;
SELECT substr(code::text, 3) AS query, substr(prefix(code, 64)::text, 3) AS short, 'ff' || substr(code::text, 5) AS changed
FROM unit WHERE asset_id = 6942283622658129920 \gset

\echo
\echo
\echo '  3. Take a version of pgvector''s src/hnswscan.c from September 2023. Which of all versions are nearest?'
\echo '     <~> is the fraction of bits that differ over the common length, so codes of different lengths compare.'
\echo
\timing on
\set ECHO queries
SELECT round((code <~> :'query')::numeric, 4) AS distance, name, created::date, bit_length(code) AS bits
FROM unit JOIN asset ON id = asset_id
ORDER BY code <~> :'query' LIMIT 10;
\set ECHO none
\timing off

\echo
\echo
\echo '  4. How? With an index scan that continues for as long as rows are wanted ...'
\echo
\set ECHO queries
EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM unit ORDER BY code <~> :'query' LIMIT 10;
\set ECHO none
\echo '     ... which can also compare every code, when the answer must be exact ...'
\echo
\set ECHO queries
SET iscc_usearch.search_mode = exact;
EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM unit ORDER BY code <~> :'query' LIMIT 10;
RESET iscc_usearch.search_mode;
\set ECHO none
\echo
\echo '     ... and this is how long it takes without the index.'
\echo
SET enable_indexscan = off;
\set ECHO queries
EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM unit ORDER BY code <~> :'query' LIMIT 10;
\set ECHO none
RESET enable_indexscan;

\echo
\echo '  5. A short code finds long ones: a query of 64 bits is enough.'
\echo
\timing on
\set ECHO queries
SELECT round((code <~> :'short')::numeric, 4) AS distance, name, created::date, bit_length(code) AS bits
FROM unit JOIN asset ON id = asset_id
ORDER BY code <~> :'short' LIMIT 5;
\set ECHO none

\echo
\echo
\echo '  6. With any WHERE clause, LIMIT is still filled. Is there anything like it under a different name?'
\echo
\set ECHO queries
SELECT round((code <~> :'query')::numeric, 4) AS distance, name, created::date
FROM unit JOIN asset ON id = asset_id
WHERE name NOT LIKE '%:src/hnswscan.c'
ORDER BY code <~> :'query' LIMIT 3;
\set ECHO none
\timing off

\echo
\echo
\echo '  7. Inserts are transactional, and new rows are found at once.'
\echo
\set ECHO queries
BEGIN;
INSERT INTO asset VALUES (1, 'my/fork:hnswscan.c', now());
INSERT INTO unit VALUES (1, :'changed');
SELECT round((code <~> :'query')::numeric, 4) AS distance, name, created::date
FROM unit JOIN asset ON id = asset_id
ORDER BY code <~> :'query' LIMIT 4;
COMMIT;
\set ECHO none

\echo
\echo
\echo '  8. WAL-logged pages hold the truth; shard files only make it fast, and can be rebuilt from the pages.'
\echo
\set ECHO queries
SELECT entries, dead_entries, tail_entries, shards, distinct_codes FROM usearch_index_stats('unit_code');
SELECT file, state, pg_size_pretty(bytes) AS size, nodes, entries FROM usearch_shards('unit_code');
SELECT count(*) AS problems FROM usearch_check('unit_code', true);
\set ECHO none

\echo
\echo
\echo '  9. A catalogue of ISCC assets: examples/catalogue has the schema. 2,000 of the files, each with four units and its'
\echo '     passages, are declared as JSON. Which are most like this one? All units count, and the search is complete.'
\echo
\i examples/catalogue/schema.sql
CREATE TEMP TABLE line (line jsonb);
\copy line FROM PROGRAM 'gzip -dc tests/data/catalogue.jsonl.gz' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
\set ECHO queries
SELECT count(catalogue.declare(line->'entry')) AS declared FROM line WHERE line ? 'entry';
SELECT round(score::numeric, 4) AS score, types, name
FROM catalogue.search('{"iscc_id": "ISCC:MAIGAJBXSGGHVEAD"}', 5) s JOIN asset ON id = s.iscc_id::bigint
ORDER BY score DESC, s.iscc_id;
\set ECHO none
\echo
\echo '  That was a private server, and nothing of it is left. `make install` installs the extension into yours.'
\echo
