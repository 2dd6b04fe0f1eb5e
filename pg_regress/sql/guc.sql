-- Settings.

-- the library registers them when it is loaded
SELECT bit_length('ff'::bitvec);
SELECT name, setting, unit, context, vartype, min_val, max_val, enumvals, boot_val
FROM pg_settings WHERE name LIKE 'iscc\_usearch.%' AND name <> 'iscc_usearch.failpoint' ORDER BY name;

SHOW iscc_usearch.search_mode;
SET iscc_usearch.search_mode = graph;
SHOW iscc_usearch.search_mode;
SET iscc_usearch.search_mode = 'EXACT';
SHOW iscc_usearch.search_mode;
SET iscc_usearch.search_mode = fast;
SET iscc_usearch.search_mode = '';
RESET iscc_usearch.search_mode;
SHOW iscc_usearch.search_mode;

SHOW iscc_usearch.ef_search;
SET iscc_usearch.ef_search = 1;
SET iscc_usearch.ef_search = 10000;
SHOW iscc_usearch.ef_search;
SET iscc_usearch.ef_search = 10001;
SET iscc_usearch.ef_search = -1;
SET iscc_usearch.ef_search = 'many';
SET iscc_usearch.ef_search = DEFAULT;
SHOW iscc_usearch.ef_search;

-- for one transaction
BEGIN;
SET LOCAL iscc_usearch.ef_search = 33;
SET LOCAL iscc_usearch.search_mode = exact;
SHOW iscc_usearch.ef_search;
SHOW iscc_usearch.search_mode;
COMMIT;
SHOW iscc_usearch.ef_search;
SHOW iscc_usearch.search_mode;

-- for one function
CREATE FUNCTION my_mode() RETURNS text LANGUAGE sql SET iscc_usearch.search_mode = graph AS $$SELECT current_setting('iscc_usearch.search_mode')$$;
SELECT my_mode(), current_setting('iscc_usearch.search_mode');
DROP FUNCTION my_mode;

-- a misspelt one is an error
SET iscc_usearch.search = exact;
SET iscc_usearch.efsearch = 10;
SHOW iscc_usearch.efsearch;

-- also one that was set before the library was loaded
\c -
SET iscc_usearch.efsearch = 10;
SET iscc_usearch.ef_search = 20;
LOAD '$libdir/iscc_usearch';
SHOW iscc_usearch.ef_search;
SHOW iscc_usearch.efsearch;
