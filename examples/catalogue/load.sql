-- psql --set ON_ERROR_STOP=1 --file load.sql: declares what export.py has written to the current directory, in one transaction.
BEGIN;
CREATE TEMP TABLE entry (entry jsonb) ON COMMIT DROP;
CREATE TEMP TABLE passage (iscc_id text, simprint_type text, simprint text, "offset" bigint, size bigint) ON COMMIT DROP;
\copy entry FROM assets.jsonl WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
\copy passage FROM simprints.tsv
ANALYZE entry, passage;
SELECT count(catalogue.declare(entry || coalesce(simprints, '{}'))) AS declared FROM entry LEFT JOIN (
  SELECT iscc_id, jsonb_build_object('simprints', jsonb_object_agg(simprint_type, simprints)) AS simprints FROM (
    SELECT iscc_id, simprint_type, jsonb_agg(jsonb_build_object('simprint', simprint, 'offset', "offset", 'size', size)) AS simprints
      FROM passage GROUP BY iscc_id, simprint_type) t GROUP BY iscc_id) p ON p.iscc_id = entry->>'iscc_id';
COMMIT;
ANALYZE catalogue.asset, catalogue.unit, catalogue.simprint;
