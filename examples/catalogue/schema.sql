-- A catalogue of ISCC assets: declare, search, search for passages, forget.
-- Run it in a database that has the extension: psql --set ON_ERROR_STOP=1 --file schema.sql
-- Explained in docs/catalogue.md.
BEGIN;

CREATE SCHEMA catalogue;
COMMENT ON SCHEMA catalogue IS 'ISCC assets with their units and simprints: declare, search, search_chunks, forget';

CREATE TABLE catalogue.asset (
  iscc_id iscc_id PRIMARY KEY,
  iscc_code text CHECK (iscc_is_valid(iscc_code)),
  metadata jsonb CHECK (jsonb_typeof(metadata) = 'object'),
  declared timestamptz NOT NULL DEFAULT now(),
  changed timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE catalogue.asset IS 'one row per declared asset';
COMMENT ON COLUMN catalogue.asset.iscc_id IS 'the ISCC-ID that names the asset';
COMMENT ON COLUMN catalogue.asset.iscc_code IS 'the ISCC-CODE as declared, in canonical form; units that were declared beside it win';
COMMENT ON COLUMN catalogue.asset.metadata IS 'whatever the declarant added; kept as it is';
COMMENT ON COLUMN catalogue.asset.declared IS 'when the asset was first declared here';
COMMENT ON COLUMN catalogue.asset.changed IS 'when a declaration last changed the asset, its units or its simprints';

-- One partition per type, so that each type has an index of its own.
CREATE TABLE catalogue.unit (
  iscc_id iscc_id NOT NULL REFERENCES catalogue.asset ON DELETE CASCADE,
  unit_type text NOT NULL,
  body bitvec(256) NOT NULL,
  PRIMARY KEY (iscc_id, unit_type)
) PARTITION BY LIST (unit_type);
COMMENT ON TABLE catalogue.unit IS 'the ISCC-UNITs of assets, at most one of each type';
COMMENT ON COLUMN catalogue.unit.iscc_id IS 'the asset';
COMMENT ON COLUMN catalogue.unit.unit_type IS 'such as CONTENT_TEXT_V0; decides the partition';
COMMENT ON COLUMN catalogue.unit.body IS '32 to 256 bits, without header';

DO $$
DECLARE
  main text;
BEGIN
  FOREACH main IN ARRAY string_to_array('META_NONE DATA_NONE SEMANTIC_TEXT SEMANTIC_IMAGE SEMANTIC_AUDIO SEMANTIC_VIDEO'
      ' SEMANTIC_MIXED CONTENT_TEXT CONTENT_IMAGE CONTENT_AUDIO CONTENT_VIDEO CONTENT_MIXED', ' ') LOOP
    EXECUTE format('CREATE TABLE catalogue.%I PARTITION OF catalogue.unit FOR VALUES IN (%L)',
                   'unit_' || lower(replace(main, '_NONE', '')), main || '_V0');
    EXECUTE format('COMMENT ON TABLE catalogue.%I IS %L',
                   'unit_' || lower(replace(main, '_NONE', '')), 'units of type ' || main || '_V0');
    EXECUTE format('CREATE INDEX %I ON catalogue.%I USING usearch (body)',
                   'unit_' || lower(replace(main, '_NONE', '')) || '_body', 'unit_' || lower(replace(main, '_NONE', '')));
  END LOOP;
END $$;

-- Instance-Codes are hashes: only equality of prefixes means anything, and a btree finds that.
CREATE TABLE catalogue.unit_instance PARTITION OF catalogue.unit FOR VALUES IN ('INSTANCE_NONE_V0');
CREATE INDEX unit_instance_body ON catalogue.unit_instance (body);
COMMENT ON TABLE catalogue.unit_instance IS 'units of type INSTANCE_NONE_V0';

CREATE TABLE catalogue.simprint (
  iscc_id iscc_id NOT NULL REFERENCES catalogue.asset ON DELETE CASCADE,
  simprint_type text NOT NULL,
  chunk uuid NOT NULL,
  body bitvec(256) NOT NULL CHECK (bit_length(body) >= 64),
  PRIMARY KEY (iscc_id, simprint_type, chunk, body)
) PARTITION BY LIST (simprint_type);
COMMENT ON TABLE catalogue.simprint IS 'the simprints of assets: similarity hashes of their passages';
COMMENT ON COLUMN catalogue.simprint.iscc_id IS 'the asset';
COMMENT ON COLUMN catalogue.simprint.simprint_type IS 'such as CONTENT_TEXT_V0; decides the partition';
COMMENT ON COLUMN catalogue.simprint.chunk IS 'where the passage is: iscc_chunk(iscc_id, offset, size)';
COMMENT ON COLUMN catalogue.simprint.body IS '64 to 256 bits';

CREATE TABLE catalogue.simprint_content_text PARTITION OF catalogue.simprint FOR VALUES IN ('CONTENT_TEXT_V0');
CREATE TABLE catalogue.simprint_semantic_text PARTITION OF catalogue.simprint FOR VALUES IN ('SEMANTIC_TEXT_V0');
CREATE TABLE catalogue.simprint_other PARTITION OF catalogue.simprint DEFAULT;
CREATE INDEX simprint_body ON catalogue.simprint USING usearch (body);
COMMENT ON TABLE catalogue.simprint_content_text IS 'simprints of type CONTENT_TEXT_V0';
COMMENT ON TABLE catalogue.simprint_semantic_text IS 'simprints of type SEMANTIC_TEXT_V0';
COMMENT ON TABLE catalogue.simprint_other IS 'simprints of all other types; a type with many deserves a partition of its own';

-- The units of an entry or a query: `units`, or else those of `iscc_code`. Units win because a code has only 64 bits of each.
CREATE FUNCTION catalogue.units_of(entry jsonb, OUT unit_type text, OUT body bitvec) RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  given jsonb := nullif(nullif(entry->'units', 'null'), '[]');
  expected bigint;
  found bigint;
BEGIN
  IF given IS NULL THEN
    given := nullif(entry->'iscc_code', 'null');
    IF given IS NULL THEN
      RETURN;
    END IF;
    given := jsonb_build_array(given);
  ELSIF jsonb_typeof(given) = 'array' THEN
    expected := jsonb_array_length(given);
  END IF;
  IF jsonb_typeof(given) <> 'array' OR given @? '$[*] ? (@.type() != "string")' THEN
    RAISE 'invalid units' USING ERRCODE = '22023',
      DETAIL = '"units" is an array of strings, "iscc_code" a string.';
  END IF;
  RETURN QUERY SELECT d.unit_type, d.body
    FROM jsonb_array_elements_text(given) g, iscc_decompose(g) d
   WHERE d.unit_type ~ '^(META|SEMANTIC|CONTENT|DATA|INSTANCE)_';
  GET DIAGNOSTICS found = ROW_COUNT;
  IF found = 0 OR found <> expected THEN
    RAISE 'not all of the units are units of content' USING ERRCODE = '22023',
      DETAIL = format('Given: %s.', given),
      HINT = 'Give Meta-, Semantic-, Content-, Data- and Instance-Codes as "units", or the code that they form as "iscc_code".';
  END IF;
END $$;
COMMENT ON FUNCTION catalogue.units_of(jsonb) IS 'the units of an entry or a query in JSON';

-- iscc-search reads base64 with either alphabet, padded or not.
CREATE FUNCTION catalogue.read_simprint(simprint text) RETURNS bitvec
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN iscc_simprint(rtrim(translate(simprint, '+/', '-_'), '='));
COMMENT ON FUNCTION catalogue.read_simprint(text) IS 'a simprint in base64 of either alphabet, with or without padding';

-- The simprints of an entry, each {"simprint", "offset", "size"}, or of a query, each a string, by type.
CREATE FUNCTION catalogue.simprints_of(entry jsonb, OUT simprint_type text, OUT simprint jsonb) RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  given jsonb := coalesce(nullif(entry->'simprints', 'null'), '{}');
BEGIN
  IF jsonb_typeof(given) <> 'object' OR given @? 'strict $.* ? (@.type() != "array")' THEN
    RAISE 'invalid simprints' USING ERRCODE = '22023',
      DETAIL = '"simprints" is an object that has an array for each type.';
  END IF;
  RETURN QUERY SELECT t.key, s FROM jsonb_each(given) t, jsonb_array_elements(t.value) s;
END $$;
COMMENT ON FUNCTION catalogue.simprints_of(jsonb) IS 'the simprints of an entry or a query in JSON';

-- Plans live as long as the session, those of foreign keys too. One made when the tables were empty would read all of a
-- table that has grown meanwhile: hence no sequential scans, here and below.
-- For declare, which holds the lock of the asset.
CREATE FUNCTION catalogue.amend(id iscc_id, types text[], bodies bitvec[], simprint_types text[], chunks uuid[],
                                simprints bitvec[]) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
  n bigint;
  changes bigint;
BEGIN
  DELETE FROM catalogue.unit u WHERE u.iscc_id = id AND u.unit_type <> ALL (types);
  GET DIAGNOSTICS changes = ROW_COUNT;
  -- What is a prefix of what is stored says nothing new.
  INSERT INTO catalogue.unit SELECT id, t, b FROM unnest(types, bodies) AS n (t, b)
   WHERE NOT EXISTS (SELECT FROM catalogue.unit u WHERE u.iscc_id = id AND u.unit_type = t AND u.body ^@ b)
      ON CONFLICT (iscc_id, unit_type) DO UPDATE SET body = excluded.body;
  GET DIAGNOSTICS n = ROW_COUNT;
  changes := changes + n;
  DELETE FROM catalogue.simprint s
   WHERE s.iscc_id = id AND NOT EXISTS (SELECT FROM unnest(simprint_types, chunks, simprints) AS n (t, c, b)
                                         WHERE s.simprint_type = t AND s.chunk = c AND s.body = b);
  GET DIAGNOSTICS n = ROW_COUNT;
  changes := changes + n;
  INSERT INTO catalogue.simprint SELECT id, t, c, b FROM unnest(simprint_types, chunks, simprints) AS n (t, c, b)
   WHERE NOT EXISTS (SELECT FROM catalogue.simprint s
                      WHERE s.iscc_id = id AND s.simprint_type = t AND s.chunk = c AND s.body = b);
  GET DIAGNOSTICS n = ROW_COUNT;
  changes := changes + n;
  RETURN changes;
END $$;
COMMENT ON FUNCTION catalogue.amend(iscc_id, text[], bitvec[], text[], uuid[], bitvec[]) IS
  'gives a declared asset these units and simprints and no others; returns the number of rows that this has changed';

CREATE FUNCTION catalogue.declare(entry jsonb) RETURNS iscc_id
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  id iscc_id;
  code text := iscc_normalize(entry->>'iscc_code');
  meta jsonb := nullif(entry->'metadata', 'null');
  types text[];
  bodies bitvec[];
  simprint_types text[];
  chunks uuid[];
  simprints bitvec[];
  old catalogue.asset;
BEGIN
  IF jsonb_typeof(entry->'iscc_id') IS DISTINCT FROM 'string' OR jsonb_typeof(meta) <> 'object' THEN
    RAISE 'invalid entry' USING ERRCODE = '22023',
      DETAIL = 'An entry is an object with "iscc_id", a string, and if it has "metadata", that is an object.';
  END IF;
  id := entry->>'iscc_id';
  -- Of two units of a type the longer.
  SELECT array_agg(unit_type), array_agg(body) INTO types, bodies FROM (
    SELECT DISTINCT ON (unit_type) unit_type, body FROM catalogue.units_of(entry) WITH ORDINALITY AS u (unit_type, body, n)
     ORDER BY unit_type, length(body) DESC, n) u;
  IF types IS NULL THEN
    RAISE 'entry without units' USING ERRCODE = '22023', DETAIL = format('Asset %s.', id),
      HINT = 'Give "units" or "iscc_code".';
  END IF;
  SELECT array_agg(simprint_type), array_agg(chunk), array_agg(body) INTO simprint_types, chunks, simprints FROM (
    SELECT DISTINCT simprint_type, iscc_chunk(id, (simprint->>'offset')::bigint, (simprint->>'size')::bigint) AS chunk,
           catalogue.read_simprint(simprint->>'simprint') AS body
      FROM catalogue.simprints_of(entry)) s;
  IF array_position(chunks, NULL) > 0 OR array_position(simprints, NULL) > 0 THEN
    RAISE 'incomplete simprint' USING ERRCODE = '22023', DETAIL = format('Asset %s.', id),
      HINT = 'Each simprint is an object with "simprint", "offset" and "size".';
  END IF;

  -- The row of the asset is the lock: who declares or forgets the same asset waits here.
  LOOP
    INSERT INTO catalogue.asset (iscc_id, iscc_code, metadata) VALUES (id, code, meta) ON CONFLICT DO NOTHING;
    IF FOUND THEN
      INSERT INTO catalogue.unit SELECT id, t, b FROM unnest(types, bodies) AS u (t, b);
      INSERT INTO catalogue.simprint SELECT id, t, c, b FROM unnest(simprint_types, chunks, simprints) AS s (t, c, b);
      RETURN id;
    END IF;
    SELECT * INTO old FROM catalogue.asset a WHERE a.iscc_id = id FOR NO KEY UPDATE;
    EXIT WHEN FOUND;  -- or else it has been forgotten meanwhile
  END LOOP;

  IF catalogue.amend(id, types, bodies, simprint_types, chunks, simprints) > 0
     OR old.iscc_code IS DISTINCT FROM code OR old.metadata IS DISTINCT FROM meta THEN
    UPDATE catalogue.asset a SET iscc_code = code, metadata = meta, changed = now() WHERE a.iscc_id = id;
  END IF;
  RETURN id;
END $$;
COMMENT ON FUNCTION catalogue.declare(jsonb) IS
  'makes an asset what the entry says: new, changed or as it was, all or nothing; returns its ISCC-ID';

CREATE FUNCTION catalogue.forget(iscc_id iscc_id) RETURNS boolean
LANGUAGE plpgsql STRICT SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
  DELETE FROM catalogue.asset a WHERE a.iscc_id = forget.iscc_id;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION catalogue.forget(iscc_id) IS 'deletes an asset with its units and simprints; false if there was none';

CREATE FUNCTION catalogue.entry(iscc_id iscc_id) RETURNS jsonb
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT
RETURN (
  SELECT jsonb_strip_nulls(jsonb_build_object('iscc_id', a.iscc_id, 'iscc_code', a.iscc_code,
           'units', (SELECT jsonb_agg(iscc_encode(u.unit_type, u.body) ORDER BY array_position(
                              '{META,SEMANTIC,CONTENT,DATA,INSTANCE}'::text[], split_part(u.unit_type, '_', 1)), u.unit_type)
                       FROM catalogue.unit u WHERE u.iscc_id = a.iscc_id),
           'simprints', (SELECT jsonb_object_agg(t.simprint_type, t.simprints) FROM (
                           SELECT s.simprint_type, jsonb_agg(jsonb_build_object('simprint', iscc_simprint_text(s.body),
                                    'offset', iscc_chunk_offset(s.chunk), 'size', iscc_chunk_size(s.chunk))
                                    ORDER BY s.chunk, s.body) AS simprints
                             FROM catalogue.simprint s WHERE s.iscc_id = a.iscc_id GROUP BY s.simprint_type) t)))
         || CASE WHEN a.metadata IS NULL THEN '{}' ELSE jsonb_build_object('metadata', a.metadata) END
    FROM catalogue.asset a WHERE a.iscc_id = entry.iscc_id);
COMMENT ON FUNCTION catalogue.entry(iscc_id) IS 'the entry of an asset as it is stored, in the JSON of declare; NULL if there is none';

CREATE TYPE catalogue.hit AS (iscc_id iscc_id, unit_type text, similarity float8);
COMMENT ON TYPE catalogue.hit IS 'a unit of an asset that is similar to one of the query';

-- The query that a query by iscc_id stands for: the units and simprints of that asset, which take precedence.
CREATE FUNCTION catalogue.resolve(INOUT query jsonb, OUT self iscc_id)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  known jsonb;
BEGIN
  self := query->>'iscc_id';
  IF self IS NOT NULL THEN
    SELECT jsonb_build_object(
             'units', (SELECT jsonb_agg(iscc_encode(u.unit_type, u.body)) FROM catalogue.unit u WHERE u.iscc_id = self),
             'simprints', (SELECT jsonb_object_agg(t.simprint_type, t.simprints) FROM (
                             SELECT s.simprint_type, jsonb_agg(iscc_simprint_text(s.body)) AS simprints
                               FROM catalogue.simprint s WHERE s.iscc_id = self GROUP BY s.simprint_type) t))
      INTO known FROM catalogue.asset a WHERE a.iscc_id = self;
    IF NOT FOUND THEN
      RAISE 'asset % is not in the catalogue', self USING ERRCODE = 'P0002';
    END IF;
    query := known;
  ELSIF query IS NULL OR nullif(query->'iscc_code', 'null') IS NULL AND nullif(query->'units', 'null') IS NULL
        AND nullif(query->'simprints', 'null') IS NULL THEN
    RAISE 'empty query' USING ERRCODE = '22023',
      HINT = 'A query is an object with "iscc_id", "iscc_code", "units" or "simprints".';
  END IF;
END $$;
COMMENT ON FUNCTION catalogue.resolve(jsonb) IS 'a query with the units and simprints of the asset that it names, and that asset';

-- All assets whose Instance-Code starts with the code or is its start, at any length.
CREATE FUNCTION catalogue.same_instance(code bitvec) RETURNS SETOF iscc_id
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  -- In bytewise order, what starts with a code comes between the code and the code followed by ones.
  SELECT u.iscc_id FROM catalogue.unit_instance u
   WHERE u.body BETWEEN code AND code || '\xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'
  UNION ALL
  SELECT u.iscc_id FROM catalogue.unit_instance u
   WHERE u.body = ANY (prefixes(code, '{32,64,96,128,160,192,224}')) AND u.body <> code;
END;
COMMENT ON FUNCTION catalogue.same_instance(bitvec) IS 'the assets that have this Instance-Code, as far as both codes go';

CREATE FUNCTION catalogue.rank(hits catalogue.hit[], self iscc_id, max_results int)
RETURNS TABLE (iscc_id iscc_id, score float8, types jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  -- Ordered within each asset, so that equal similarities always give the same score.
  RETURN QUERY
    WITH hit AS MATERIALIZED (
      SELECT iscc_id, unit_type, max(similarity) AS s FROM unnest(hits) WHERE iscc_id IS DISTINCT FROM self GROUP BY 1, 2),
    best AS (
      SELECT iscc_id, iscc_score(s) AS score, sum(s) AS total FROM (SELECT * FROM hit ORDER BY iscc_id, s DESC) h
       GROUP BY 1 ORDER BY 2 DESC, 3 DESC, 1 LIMIT max_results)
    SELECT b.iscc_id, b.score, jsonb_object_agg(h.unit_type, h.s) FROM best b JOIN hit h ON h.iscc_id = b.iscc_id
     GROUP BY b.iscc_id, b.score, b.total ORDER BY b.score DESC, b.total DESC, b.iscc_id;
END $$;
COMMENT ON FUNCTION catalogue.rank(catalogue.hit[], iscc_id, int) IS
  'the assets of these hits, each type once, by their scores; without the asset `self`';

-- Complete, without reading everything: titles (Meta-Codes) may have thousands of units in reach, the other types have
-- few. An asset in reach by its title alone ranks by that distance. So of the titles only the nearest are read, enough of
-- them to fill the answer even if all assets that other types have found are among them.
CREATE FUNCTION catalogue.search(query jsonb, max_results int DEFAULT 100)
RETURNS TABLE (iscc_id iscc_id, score float8, types jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  reach CONSTANT float8 := 0.25;
  self iscc_id;
  unit record;
  broad record;                     -- the unit of which only the nearest are read
  nearest catalogue.hit[] := '{}';  -- those
  hits catalogue.hit[] := '{}';     -- of all other units
  found iscc_id[];                  -- the assets in `hits`
  wanted bigint;
  radius float8;
  bound float8;
BEGIN
  IF max_results < 1 OR max_results IS NULL THEN
    RAISE 'max_results must be at least 1' USING ERRCODE = '22023';
  END IF;
  SELECT * INTO query, self FROM catalogue.resolve(query);

  -- Meta, or else Semantic, Content or Data; the only unit of its type.
  FOR unit IN
    SELECT unit_type, body, array_position('{META,SEMANTIC,CONTENT,DATA}'::text[], split_part(unit_type, '_', 1)) AS rank,
           count(*) OVER (PARTITION BY unit_type) AS of_type
      FROM catalogue.units_of(query) ORDER BY rank
  LOOP
    IF broad IS NULL AND unit.of_type = 1 AND unit.rank IS NOT NULL THEN
      broad := unit;
    ELSIF unit.rank IS NULL THEN
      hits := hits || ARRAY(SELECT ROW(i, unit.unit_type, 1)::catalogue.hit FROM catalogue.same_instance(unit.body) i);
    ELSE
      hits := hits || ARRAY(SELECT ROW(u.iscc_id, unit.unit_type, 1 - (u.body <~> unit.body))::catalogue.hit
        FROM catalogue.unit u WHERE u.unit_type = unit.unit_type AND nphd_within(u.body, unit.body, reach));
    END IF;
  END LOOP;

  IF broad IS NOT NULL THEN
    found := ARRAY(SELECT DISTINCT h.iscc_id FROM unnest(hits) h);
    wanted := max_results + cardinality(found) + 1;
    -- The graph finds as many rows as wanted within this radius, so the nearest are within it, too.
    SELECT CASE WHEN count(*) < wanted THEN reach ELSE least(reach, max(d)) END INTO radius FROM (
      SELECT u.body <~> broad.body AS d FROM catalogue.unit u WHERE u.unit_type = broad.unit_type
       ORDER BY u.body <~> broad.body LIMIT wanted) u;
    nearest := ARRAY(SELECT ROW(u.iscc_id, broad.unit_type, 1 - u.d)::catalogue.hit FROM (
      SELECT u.iscc_id, u.body <~> broad.body AS d FROM catalogue.unit u
       WHERE u.unit_type = broad.unit_type AND nphd_within(u.body, broad.body, radius)
       ORDER BY 2, 1 LIMIT wanted) u);
    -- The assets in reach by this unit alone. If they fill the answer, who cannot reach the score of the last of them, not
    -- even with an equal unit of this type, is left out.
    nearest := ARRAY(SELECT n FROM unnest(nearest) n
                      WHERE iscc_id IS DISTINCT FROM self AND NOT EXISTS (SELECT FROM unnest(found) f WHERE f = n.iscc_id)
                      ORDER BY similarity DESC, iscc_id LIMIT max_results);
    IF cardinality(nearest) = max_results THEN
      bound := nearest[max_results].similarity ^ 3 - 1e-9;  -- less than any difference of scores, more than rounding
      found := ARRAY(SELECT iscc_id FROM (SELECT iscc_id, unit_type, max(similarity) AS s FROM unnest(hits) GROUP BY 1, 2) h
                      GROUP BY 1 HAVING greatest(sum(s ^ 4) / sum(s), (sum(s ^ 4) + 1) / (sum(s) + 1)) >= bound);
      hits := ARRAY(SELECT h FROM unnest(hits) h JOIN unnest(found) f ON f = h.iscc_id);
    END IF;
    hits := hits || nearest || ARRAY(
      SELECT ROW(u.iscc_id, u.unit_type, 1 - (u.body <~> broad.body))::catalogue.hit FROM catalogue.unit u
       WHERE u.unit_type = broad.unit_type AND u.iscc_id = ANY (found) AND nphd_within(u.body, broad.body, reach));
  END IF;

  RETURN QUERY SELECT * FROM catalogue.rank(hits, self, max_results);
END $$;
COMMENT ON FUNCTION catalogue.search(jsonb, int) IS
  'the assets most similar to a query by their units, best first: complete up to a distance of 0.25 per unit';

-- A function of its own, so that the index is asked for each simprint, whatever the planner makes of their number.
CREATE FUNCTION catalogue.near_simprints(simprint_type text, body bitvec, reach float8) RETURNS SETOF catalogue.simprint
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
  RETURN QUERY SELECT s.* FROM catalogue.simprint s
    WHERE s.simprint_type = near_simprints.simprint_type AND nphd_within(s.body, near_simprints.body, near_simprints.reach);
END $$;
COMMENT ON FUNCTION catalogue.near_simprints(text, bitvec, float8) IS
  'all simprints of this type within reach of the simprint, a distance';

-- Each simprint of the query with all stored ones within reach. Whatever equals a stored simprint is in reach too, so the
-- number of assets that have exactly this one is known without another look.
CREATE FUNCTION catalogue.search_chunks(query jsonb, max_results int DEFAULT 100)
RETURNS TABLE (iscc_id iscc_id, score float8, matches bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  reach CONSTANT float8 := 0.25;
  self iscc_id;
  total bigint;
BEGIN
  IF max_results < 1 OR max_results IS NULL THEN
    RAISE 'max_results must be at least 1' USING ERRCODE = '22023';
  END IF;
  SELECT * INTO query, self FROM catalogue.resolve(query);
  total := (SELECT count(*) FROM catalogue.asset);
  RETURN QUERY
    WITH asked AS MATERIALIZED (
      SELECT row_number() OVER () AS n, simprint_type, catalogue.read_simprint(simprint #>> '{}') AS body
        FROM catalogue.simprints_of(query)),
    stored AS (
      SELECT DISTINCT ON (a.n, s.body, s.iscc_id) a.n, s.body, s.iscc_id, s.chunk, s.d, s.body = a.body AS same
        FROM asked a CROSS JOIN LATERAL (
          SELECT *, s.body <~> a.body AS d FROM catalogue.near_simprints(a.simprint_type, a.body, reach) s) s
       ORDER BY a.n, s.body, s.iscc_id, s.chunk),
    weighed AS MATERIALIZED (
      SELECT *, iscc_idf(total, count(*) OVER (PARTITION BY n, body)) AS idf FROM stored),
    own AS MATERIALIZED (
      SELECT a.n, coalesce(w.idf, iscc_idf(total, 0)) AS idf
        FROM asked a LEFT JOIN (SELECT n, min(idf) AS idf FROM weighed WHERE same GROUP BY 1) w ON w.n = a.n),
    best AS (
      SELECT DISTINCT ON (iscc_id, n) iscc_id, 1 - d AS similarity, idf, (SELECT array_agg(idf ORDER BY n) FROM own)[n] AS own
        FROM weighed WHERE iscc_id IS DISTINCT FROM self ORDER BY iscc_id, n, d, chunk)
    -- Rounded, so that the order of summation does not decide between equals.
    SELECT iscc_id, round((sum(idf * similarity) / (sum(idf - own) + (SELECT sum(idf) FROM own)))::numeric, 12)::float8,
           count(*)
      FROM best GROUP BY 1 ORDER BY 2 DESC, 3 DESC, 1 LIMIT max_results;
END $$;
COMMENT ON FUNCTION catalogue.search_chunks(jsonb, int) IS
  'the assets with passages most similar to those of a query, by their simprints: complete up to a distance of 0.25';

COMMIT;
