SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","iscc_code":"ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM","metadata":{"name":"a"},
  "simprints":{"CONTENT_TEXT_V0":[{"simprint":"POwZ6eI8-U4","offset":1,"size":2},{"simprint":"POwZ6eI8+U4=","offset":1,"size":2}]}}')::text
-- ISCC:MAIGIIFJRDGEQQAA

SELECT catalogue.entry('ISCC:MAIGIIFJRDGEQQAA')::text
-- {"units": ["ISCC:GAAW2PRCRS5LNVZV", "ISCC:IAAUVACQKXE3V44W"], "iscc_id": "ISCC:MAIGIIFJRDGEQQAA", "metadata": {"name": "a"}, "iscc_code": "ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM", "simprints": {"CONTENT_TEXT_V0": [{"size": 2, "offset": 1, "simprint": "POwZ6eI8-U4"}]}}

SELECT (set_config('test.rows', string_agg(r, ' ' ORDER BY r), false) <> '')::text FROM (
  SELECT concat(tableoid, ctid, xmin) FROM catalogue.asset UNION ALL SELECT concat(tableoid, ctid, xmin) FROM catalogue.unit
  UNION ALL SELECT concat(tableoid, ctid, xmin) FROM catalogue.simprint) t (r)
-- true

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","iscc_code":"kuag2prcrs5lnvzvjkafavojxlzzm","metadata":{"name":"a"},
  "simprints":{"CONTENT_TEXT_V0":[{"simprint":"POwZ6eI8-U4","offset":1,"size":2}]}}')::text
-- ISCC:MAIGIIFJRDGEQQAA

SELECT (current_setting('test.rows') = string_agg(r, ' ' ORDER BY r))::text FROM (
  SELECT concat(tableoid, ctid, xmin) FROM catalogue.asset UNION ALL SELECT concat(tableoid, ctid, xmin) FROM catalogue.unit
  UNION ALL SELECT concat(tableoid, ctid, xmin) FROM catalogue.simprint) t (r)
-- true

SELECT catalogue.declare('[]')::text
-- 22023

SELECT catalogue.declare(NULL)::text
-- 22023

SELECT catalogue.declare('{"iscc_code":"ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM"}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:GAAW2PRCRS5LNVZV","iscc_code":"ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM"}')::text
-- 22P02

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA"}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":[]}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM"]}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:MAIGIIFJRDGEQQAA"]}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:GAAW2PRCRS5LNVZV",null]}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":"ISCC:GAAW2PRCRS5LNVZV"}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:GAAW2PRCRS5LNVZV","ISCC:nonsense"]}')::text
-- 22P02

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:GAAW2PRCRS5LNVZV"],"metadata":[]}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:GAAW2PRCRS5LNVZV"],"simprints":["POwZ6eI8-U4"]}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:GAAW2PRCRS5LNVZV"],"simprints":{"CONTENT_TEXT_V0":["POwZ6eI8-U4"]}}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:GAAW2PRCRS5LNVZV"],"simprints":{"CONTENT_TEXT_V0":[{"simprint":"POwZ6eI8-U4","offset":1}]}}')::text
-- 22023

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:GAAW2PRCRS5LNVZV"],"simprints":{"CONTENT_TEXT_V0":[{"simprint":"!","offset":1,"size":2}]}}')::text
-- 22P02

SELECT catalogue.declare('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA","units":["ISCC:GAAW2PRCRS5LNVZV"],"simprints":{"CONTENT_TEXT_V0":[{"simprint":"POwZ","offset":1,"size":2}]}}')::text
-- 23514

SELECT (catalogue.declare(jsonb_build_object('iscc_id', 'ISCC:MAIGIIFJRDGEQQAA', 'iscc_code', 'ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM', 'units',
  ARRAY[iscc_encode('DATA_NONE_V0', '\x6d3e228cbab6d735'), iscc_encode('DATA_NONE_V0', '\x6d3e228cbab6d73501020304'), iscc_encode('META_NONE_V0', '\x0102030405060708')])))::text
-- ISCC:MAIGIIFJRDGEQQAA

SELECT string_agg(unit_type || body::text, ' ' ORDER BY unit_type) FROM catalogue.unit
-- DATA_NONE_V0\x6d3e228cbab6d73501020304 META_NONE_V0\x0102030405060708

SELECT count(*)::text FROM catalogue.simprint
-- 0

SELECT (catalogue.declare(jsonb_build_object('iscc_id', 'ISCC:MAIGIIFJRDGEQQAA', 'units',
  ARRAY[iscc_encode('DATA_NONE_V0', '\x6d3e228cbab6d735'), iscc_encode('META_NONE_V0', '\x0102030405060709')])))::text
-- ISCC:MAIGIIFJRDGEQQAA

SELECT string_agg(unit_type || body::text, ' ' ORDER BY unit_type) FROM catalogue.unit
-- DATA_NONE_V0\x6d3e228cbab6d73501020304 META_NONE_V0\x0102030405060709

SELECT (catalogue.declare(jsonb_build_object('iscc_id', 'ISCC:MAIGIIFJRDGEQQAA', 'units', ARRAY[iscc_encode('INSTANCE_NONE_V0', '\x0102030405060708090a0b0c')])))::text
-- ISCC:MAIGIIFJRDGEQQAA

SELECT string_agg(unit_type || body::text, ' ') FROM catalogue.unit
-- INSTANCE_NONE_V0\x0102030405060708090a0b0c

SELECT string_agg(s::text, ' ') FROM catalogue.search(jsonb_build_object('units', ARRAY[iscc_encode('INSTANCE_NONE_V0', '\x0102030405060708')])) s
-- (ISCC:MAIGIIFJRDGEQQAA,1,"{""INSTANCE_NONE_V0"": 1}")

SELECT string_agg(s::text, ' ') FROM catalogue.search(jsonb_build_object('units', ARRAY[iscc_encode('INSTANCE_NONE_V0', '\x0102030405060708090a0b0c0d0e0f10')])) s
-- (ISCC:MAIGIIFJRDGEQQAA,1,"{""INSTANCE_NONE_V0"": 1}")

SELECT count(*)::text FROM catalogue.search(jsonb_build_object('units', ARRAY[iscc_encode('INSTANCE_NONE_V0', '\x0102030405060709')]))
-- 0

SELECT count(*)::text FROM catalogue.search('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA"}')
-- 0

SELECT count(*)::text FROM catalogue.search('{"iscc_id":"ISCC:MEIGIIFJRDGEQQAA"}')
-- P0002

SELECT count(*)::text FROM catalogue.search_chunks('{"iscc_id":"ISCC:MEIGIIFJRDGEQQAA"}')
-- P0002

SELECT count(*)::text FROM catalogue.search('{}')
-- 22023

SELECT count(*)::text FROM catalogue.search('{"iscc_id":"ISCC:MAIGIIFJRDGEQQAA"}', 0)
-- 22023

SELECT count(*)::text FROM catalogue.search('{"simprints":{"CONTENT_TEXT_V0":["POwZ6eI8-U4"]}}')
-- 0

SELECT count(*)::text FROM catalogue.search_chunks('{"simprints":{"CONTENT_TEXT_V0":[5]}}')
-- 22P02

SELECT (catalogue.declare(jsonb_build_object('iscc_id', 'ISCC:MAIGIIFJRDGEQQAA', 'units', ARRAY[
  iscc_encode('DATA_NONE_V0', sha256('a')::bitvec), iscc_encode('INSTANCE_NONE_V0', sha256('b')::bitvec)])))::text
-- ISCC:MAIGIIFJRDGEQQAA

SELECT string_agg(b::text, ' ') FROM (
SELECT s.iscc_id, s.score, s.types
  FROM (SELECT iscc_seq_decode(decode((SELECT encode(iscc_seq_encode(ARRAY[iscc_encode('DATA_NONE_V0', sha256('a')::bitvec), iscc_encode('INSTANCE_NONE_V0', sha256('b')::bitvec)]), 'base64')), 'base64')) AS units) q
 CROSS JOIN LATERAL catalogue.search(jsonb_build_object('units', q.units), 10) s
 WHERE (SELECT bool_and(length(iscc_body(u)) = 256) FROM unnest(q.units) u)
 ORDER BY s.score DESC, s.iscc_id) b
-- (ISCC:MAIGIIFJRDGEQQAA,1,"{""DATA_NONE_V0"": 1, ""INSTANCE_NONE_V0"": 1}")

SELECT string_agg(b::text, ' ') FROM (
SELECT s.iscc_id, s.score, s.types
  FROM (SELECT iscc_seq_decode(decode((SELECT encode(iscc_seq_encode(ARRAY[iscc_encode('DATA_NONE_V0', prefix(sha256('a')::bitvec, 64)), iscc_encode('INSTANCE_NONE_V0', sha256('b')::bitvec)]), 'base64')), 'base64')) AS units) q
 CROSS JOIN LATERAL catalogue.search(jsonb_build_object('units', q.units), 10) s
 WHERE (SELECT bool_and(length(iscc_body(u)) = 256) FROM unnest(q.units) u)
 ORDER BY s.score DESC, s.iscc_id) b
-- NULL

SELECT catalogue.forget('ISCC:MAIGIIFJRDGEQQAA')::text
-- true

SELECT catalogue.forget('ISCC:MAIGIIFJRDGEQQAA')::text
-- false

SELECT (SELECT count(*) FROM catalogue.unit)::text || (SELECT count(*) FROM catalogue.simprint)
-- 00

SELECT catalogue.entry('ISCC:MAIGIIFJRDGEQQAA')::text
-- NULL
