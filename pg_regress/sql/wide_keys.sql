-- Keys of 128 bits: the table's own column, whose every value is a key like any other.
CREATE TABLE simprint (chunk uuid PRIMARY KEY, code bitvec(256) NOT NULL);
INSERT INTO simprint
SELECT iscc_chunk(iscc_id(0, '2025-01-01Z'::timestamptz + i * interval '1 s', i % 4096), i * 1000, 4294967295 - i),
       sha256(i::text::bytea)::bitvec
  FROM generate_series(1, 2000) AS i;
INSERT INTO simprint VALUES
    ('ffffffff-ffff-ffff-ffff-ffffffffffff', sha256('all ones'::bytea)::bitvec),
    ('00000000-0000-0000-0000-000000000000', sha256('all zeros'::bytea)::bitvec);
CREATE INDEX simprint_code ON simprint USING usearch (code bitvec_hamming_ops);
SELECT usearch_seal('simprint_code'), shards FROM usearch_index_stats('simprint_code');
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT chunk FROM simprint ORDER BY code <#~> sha256('all ones'::bytea)::bitvec LIMIT 1;
-- Found by search, by key and by both.
SELECT chunk FROM simprint ORDER BY code <#~> sha256('all ones'::bytea)::bitvec LIMIT 1;
SELECT chunk FROM simprint ORDER BY code <#~> sha256('all zeros'::bytea)::bitvec LIMIT 1;
SELECT code = sha256('all ones'::bytea)::bitvec AS same FROM simprint WHERE chunk = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
-- All parts of a key come back.
SELECT iscc_chunk_id(chunk), iscc_chunk_offset(chunk), iscc_chunk_size(chunk)
  FROM simprint ORDER BY code <#~> sha256('777'::bytea)::bitvec LIMIT 1;
-- Changed and removed like any other.
UPDATE simprint SET code = sha256('changed'::bytea)::bitvec WHERE chunk = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
SELECT chunk FROM simprint ORDER BY code <#~> sha256('changed'::bytea)::bitvec LIMIT 1;
DELETE FROM simprint WHERE chunk = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
SELECT count(*) FROM (SELECT code FROM simprint ORDER BY code <#~> sha256('changed'::bytea)::bitvec LIMIT 5) AS s
 WHERE code = sha256('changed'::bytea)::bitvec;
INSERT INTO simprint VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff', sha256('again'::bytea)::bitvec);
INSERT INTO simprint VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff', 'ff') ON CONFLICT DO NOTHING;
SELECT chunk FROM simprint ORDER BY code <#~> sha256('again'::bytea)::bitvec LIMIT 1;
DROP TABLE simprint;
