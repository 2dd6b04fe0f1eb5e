-- Distances that a function of the user's computes, for values of any type.

-- All rows in the order of a sort, and the nearest ten: by the index as without it?
CREATE PROCEDURE compare(tab text, col text, operator text, queries text) LANGUAGE plpgsql AS $$
DECLARE
    literal text;
    sorted float8[];
    indexed float8[];
    wrong int := 0;
    found numeric := 0;
    wanted int := 0;
    count int := 0;
    line text;
    plan text;
    sql text := 'SELECT array_agg(d ORDER BY n) FROM (SELECT row_number() OVER () AS n, d FROM (SELECT %I %s %s AS d FROM %I ORDER BY %1$I %2$s %3$s LIMIT %5$s) s) t';
BEGIN
    FOR literal IN EXECUTE queries LOOP
        SET LOCAL enable_indexscan = off;
        EXECUTE format(sql, col, operator, literal, tab, 'ALL') INTO sorted;
        SET LOCAL enable_indexscan = on;
        SET LOCAL enable_seqscan = off;
        SET LOCAL enable_sort = off;
        plan := '';
        FOR line IN EXECUTE 'EXPLAIN ' || format(sql, col, operator, literal, tab, '10') LOOP
            plan := plan || line;
        END LOOP;
        ASSERT plan LIKE '%Index Scan%', plan;
        EXECUTE format(sql, col, operator, literal, tab, 'ALL') INTO indexed;
        wrong := wrong + (indexed IS DISTINCT FROM sorted)::int;
        EXECUTE format(sql, col, operator, literal, tab, '10') INTO indexed;
        found := found + (SELECT count(*) FROM unnest(indexed) d WHERE d <= sorted[10]);
        wanted := wanted + (SELECT count(*) FROM unnest(sorted[1:10]) d WHERE d IS NOT NULL);
        count := count + 1;
        RESET enable_sort;
        RESET enable_seqscan;
    END LOOP;
    RAISE NOTICE '% of % answers wrong, recall %', wrong, count,
        CASE WHEN found / wanted >= 0.99 THEN 'at least 0.99' ELSE round(found / wanted, 4)::text END;
END $$;

-- text: the edit distance, in PL/pgSQL. It takes the length of the words squared, so they are short.
CREATE FUNCTION edits(a text, b text) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    line int[] := ARRAY(SELECT g FROM generate_series(0, length(b)) g);
    diagonal int;
    above int;
BEGIN
    FOR i IN 1 .. length(a) LOOP
        diagonal := line[1];
        line[1] := i;
        FOR j IN 1 .. length(b) LOOP
            above := line[j + 1];
            line[j + 1] := least(above + 1, line[j] + 1, diagonal + (substr(a, i, 1) <> substr(b, j, 1))::int);
            diagonal := above;
        END LOOP;
    END LOOP;
    RETURN line[length(b) + 1];
END $$;
CREATE OPERATOR <@@> (LEFTARG = text, RIGHTARG = text, FUNCTION = edits, COMMUTATOR = <@@>);
CREATE OPERATOR CLASS text_edit_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <@@> (text, text) FOR ORDER BY float_ops, FUNCTION 1 edits(text, text);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'text_edit_ops';
CREATE TABLE words (id int, word text);
INSERT INTO words SELECT i, substr(md5((i / 4)::text), 1, 3) || substr(md5(i::text), 1, i % 3) FROM generate_series(1, 400) i;
INSERT INTO words VALUES (0, ''), (-1, NULL), (-2, 'abc'), (-3, 'abc');
CREATE INDEX words_word ON words USING usearch (word text_edit_ops);
SELECT metric, m, ef_construction, entries, null_entries, distinct_codes FROM usearch_index_stats('words_word');
CALL compare('words', 'word', '<@@>', $$VALUES ($q$''$q$), ($q$'abd'$q$), ($q$'fedcba'$q$)$$);
INSERT INTO words SELECT i, substr(md5(i::text), 1, 4) FROM generate_series(1001, 1100) i;
DELETE FROM words WHERE id % 5 = 0 AND id > 0;
VACUUM words;
CALL compare('words', 'word', '<@@>', $$VALUES ($q$''$q$), ($q$'abd'$q$)$$);
SELECT usearch_seal('words_word') > 0 AS sealed;
CALL compare('words', 'word', '<@@>', $$VALUES ($q$''$q$), ($q$'abd'$q$)$$);
SELECT count(*) FROM usearch_compact('words_word');
CALL compare('words', 'word', '<@@>', $$VALUES ($q$'1a'$q$), ($q$'abd'$q$)$$);
SELECT * FROM usearch_check('words_word', true);
SELECT state, nodes, entries FROM usearch_shards('words_word');
SELECT queries_run, recall >= 0.99 AS recalled FROM usearch_recall('words_word', 5, 20);
SELECT * FROM usearch_recall('words_word', queries => '{00}'::bitvec[]);
EXPLAIN (COSTS OFF) SELECT * FROM words ORDER BY 'abc' <@@> word LIMIT 3;
DROP TABLE words;

-- a number passed by value; a function that is cheap, asymmetric, and returns all kinds of numbers
CREATE FUNCTION beyond(a float8, b float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN a = 5000 THEN 'NaN' WHEN a = 5001 THEN 'Infinity' WHEN a = 5002 THEN '-Infinity'
                WHEN a < b THEN 3 * (b - a) ELSE a - b END - 100;
END $$;
CREATE OPERATOR <@@> (LEFTARG = float8, RIGHTARG = float8, FUNCTION = beyond);
CREATE OPERATOR CLASS float8_beyond_ops FOR TYPE float8 USING usearch AS
    OPERATOR 1 <@@> (float8, float8) FOR ORDER BY float_ops, FUNCTION 1 beyond(float8, float8);
CREATE TABLE numbers (id int, n float8);
INSERT INTO numbers SELECT i, (i * 7919) % 5003 FROM generate_series(1, 3000) i;
INSERT INTO numbers VALUES (0, NULL), (-1, 5000), (-2, 5001), (-3, 5002), (-4, 0), (-5, -0.0), (-6, 'NaN');
CREATE INDEX numbers_n ON numbers USING usearch (n float8_beyond_ops);
CALL compare('numbers', 'n', '<@@>', $$VALUES ('77.5'), ('4000'), ($q$'-Infinity'$q$), ('1e6')$$);
SELECT * FROM usearch_check('numbers_n', true);
SET enable_seqscan = off;
SELECT n, n <@@> 77 AS d FROM (SELECT * FROM numbers ORDER BY n <@@> 77 LIMIT 4) s;
RESET enable_seqscan;
DROP TABLE numbers;

-- other lengths by value, also negative ones
CREATE FUNCTION apart(a int2, b int2) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog RETURN abs(a - b);
CREATE FUNCTION apart(a int4, b int4) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog RETURN abs(a::float8 - b);
CREATE FUNCTION apart(a boolean, b boolean) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog RETURN (a <> b)::int;
CREATE OPERATOR <@@> (LEFTARG = int2, RIGHTARG = int2, FUNCTION = apart);
CREATE OPERATOR <@@> (LEFTARG = int4, RIGHTARG = int4, FUNCTION = apart);
CREATE OPERATOR <@@> (LEFTARG = boolean, RIGHTARG = boolean, FUNCTION = apart);
CREATE OPERATOR CLASS int2_apart_ops FOR TYPE int2 USING usearch AS
    OPERATOR 1 <@@> (int2, int2) FOR ORDER BY float_ops, FUNCTION 1 apart(int2, int2);
CREATE OPERATOR CLASS int4_apart_ops FOR TYPE int4 USING usearch AS
    OPERATOR 1 <@@> (int4, int4) FOR ORDER BY float_ops, FUNCTION 1 apart(int4, int4);
CREATE OPERATOR CLASS bool_apart_ops FOR TYPE boolean USING usearch AS
    OPERATOR 1 <@@> (boolean, boolean) FOR ORDER BY float_ops, FUNCTION 1 apart(boolean, boolean);
CREATE TABLE small (two int2, four int4, one boolean);
INSERT INTO small SELECT i - 300, (i - 300) * 1000003, i % 3 = 0 FROM generate_series(1, 600) i;
CREATE INDEX ON small USING usearch (two int2_apart_ops);
CREATE INDEX ON small USING usearch (four int4_apart_ops);
CREATE INDEX ON small USING usearch (one bool_apart_ops);
CALL compare('small', 'two', '<@@>', $$VALUES ('(-7)::int2'), ('400::int2')$$);
CALL compare('small', 'four', '<@@>', $$VALUES ('-70000000'), ('5')$$);
CALL compare('small', 'one', '<@@>', $$VALUES ('true'), ('false')$$);
DROP TABLE small;

-- of fixed length, by reference: kilometres between points on the earth
CREATE FUNCTION haversine(a point, b point) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
    12742 * asin(sqrt(least(1, sind((b[1] - a[1]) / 2) ^ 2 + cosd(a[1]) * cosd(b[1]) * sind((b[0] - a[0]) / 2) ^ 2)));
CREATE OPERATOR <@@> (LEFTARG = point, RIGHTARG = point, FUNCTION = haversine, COMMUTATOR = <@@>);
CREATE OPERATOR CLASS point_haversine_ops FOR TYPE point USING usearch AS
    OPERATOR 1 <@@> (point, point) FOR ORDER BY float_ops, FUNCTION 1 haversine(point, point);
CREATE TABLE places (id int, place point);
INSERT INTO places SELECT i, point((i * 7919) % 360 - 180, (i * 104729) % 180 - 90) FROM generate_series(1, 800) i;
CREATE INDEX places_place ON places USING usearch (place point_haversine_ops);
CALL compare('places', 'place', '<@@>', $$VALUES ($q$'(13.4,52.5)'$q$), ($q$'(179.9,-17)'$q$), ($q$'(0,90)'$q$)$$);
SELECT * FROM usearch_check('places_place', true);

-- arrays: a weighted distance, which refuses what it cannot compare
CREATE FUNCTION weighted(a float8[], b float8[]) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    sum float8 := 0;
BEGIN
    IF cardinality(a) <> cardinality(b) THEN
        RAISE EXCEPTION 'arrays of % and % elements', cardinality(a), cardinality(b) USING ERRCODE = 'array_subscript_error';
    END IF;
    FOR i IN 1 .. cardinality(a) LOOP
        sum := sum + (a[i] - b[i]) ^ 2 / i;
    END LOOP;
    RETURN sqrt(sum);
END $$;
CREATE OPERATOR <@@> (LEFTARG = float8[], RIGHTARG = float8[], FUNCTION = weighted, COMMUTATOR = <@@>);
CREATE OPERATOR CLASS weighted_ops FOR TYPE float8[] USING usearch AS
    OPERATOR 1 <@@> (float8[], float8[]) FOR ORDER BY float_ops, FUNCTION 1 weighted(float8[], float8[]);
CREATE TABLE vectors (id int, v float8[]);
INSERT INTO vectors SELECT i, ARRAY[i % 7, i % 11, i % 13, (i * 7919) % 101 / 50.0] FROM generate_series(1, 800) i;
CREATE INDEX vectors_v ON vectors USING usearch (v weighted_ops) WITH (m = 8, ef_construction = 32);
SELECT m, ef_construction FROM usearch_index_stats('vectors_v');
CALL compare('vectors', 'v', '<@@>', $$VALUES ($q$'{1,2,3,1}'$q$), ($q$'{6,6,6,0.5}'$q$)$$);
-- an insert does not call it
INSERT INTO vectors VALUES (0, '{1,2}'), (0, '{1,2,3,4}');
SELECT id FROM vectors ORDER BY v <@@> '{1,2,3,4}' LIMIT 1;
\set SHOW_CONTEXT never
SELECT usearch_seal('vectors_v');
\echo :LAST_ERROR_SQLSTATE
REINDEX INDEX vectors_v;
DELETE FROM vectors WHERE id = 0;
VACUUM vectors;
CALL compare('vectors', 'v', '<@@>', $$VALUES ($q$'{1,2,3,1}'$q$)$$);
DROP TABLE vectors, places;

-- Pearson and Jensen-Shannon, as functions
CREATE FUNCTION pearson(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    'SELECT 1 - corr(x, y) FROM unnest(a, b) AS u (x, y)';
CREATE FUNCTION jensen_shannon(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    'SELECT sum(CASE WHEN x > 0 THEN x * ln(2 * x / (x + y)) ELSE 0 END + CASE WHEN y > 0 THEN y * ln(2 * y / (x + y)) ELSE 0 END) / 2
       FROM unnest(a::float8[], b::float8[]) AS u (x, y)';
CREATE OPERATOR <@@> (LEFTARG = real[], RIGHTARG = real[], FUNCTION = pearson, COMMUTATOR = <@@>);
CREATE OPERATOR <@@@> (LEFTARG = real[], RIGHTARG = real[], FUNCTION = jensen_shannon, COMMUTATOR = <@@@>);
CREATE OPERATOR CLASS own_pearson_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <@@> (real[], real[]) FOR ORDER BY float_ops, FUNCTION 1 pearson(real[], real[]);
CREATE OPERATOR CLASS real_js_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <@@@> (real[], real[]) FOR ORDER BY float_ops, FUNCTION 1 jensen_shannon(real[], real[]);
CREATE TABLE shares (v real[]);
INSERT INTO shares SELECT ARRAY[x / s, y / s, z / s, 1 / s]
  FROM (SELECT x, y, z, x + y + z + 1 AS s FROM (SELECT i % 17 AS x, i % 13 AS y, (i % 7 + 0.5)::real AS z FROM generate_series(1, 300) i) a) b;
CREATE INDEX ON shares USING usearch (v own_pearson_ops);
CALL compare('shares', 'v', '<@@>', $$VALUES ($q$'{0.1,0.2,0.3,0.4}'::real[]$q$)$$);
CREATE INDEX ON shares USING usearch (v real_js_ops);
CALL compare('shares', 'v', '<@@@>', $$VALUES ($q$'{0.1,0.2,0.3,0.4}'::real[]$q$), ($q$'{1,0,0,0}'::real[]$q$)$$);
DROP TABLE shares;

-- a constant array has no correlation: NULL
CREATE TABLE constants (v real[]);
INSERT INTO constants VALUES ('{1,2}'), ('{1,1}'), ('{2,1}');
CREATE INDEX ON constants USING usearch (v own_pearson_ops);
DROP TABLE constants;

-- the collation of the column
CREATE FUNCTION collated(a text, b text) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    IF pg_collation_for(a) IS DISTINCT FROM '"POSIX"' THEN
        RAISE EXCEPTION 'collation is %', pg_collation_for(a);
    END IF;
    RETURN abs(length(a) - length(b));
END $$;
CREATE OPERATOR <@@@> (LEFTARG = text, RIGHTARG = text, FUNCTION = collated);
CREATE OPERATOR CLASS text_collated_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <@@@> (text, text) FOR ORDER BY float_ops, FUNCTION 1 collated(text, text);
CREATE TABLE cased (t text COLLATE "POSIX", u text COLLATE "C");
INSERT INTO cased SELECT repeat('x', i), repeat('x', i) FROM generate_series(1, 30) i;
CREATE INDEX ON cased USING usearch (t text_collated_ops);
SET enable_seqscan = off;
SELECT t, t <@@@> 'abc' AS d FROM cased ORDER BY t <@@@> 'abc' LIMIT 1;
RESET enable_seqscan;
CREATE INDEX ON cased USING usearch (u text_collated_ops);
DROP TABLE cased;

-- compressed, toasted, and too long
CREATE FUNCTION longer(a text, b text) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog RETURN abs(length(a) - length(b));
CREATE OPERATOR <@#> (LEFTARG = text, RIGHTARG = text, FUNCTION = longer);
CREATE OPERATOR CLASS text_length_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <@#> (text, text) FOR ORDER BY float_ops, FUNCTION 1 longer(text, text);
CREATE TABLE texts (id int, t text);
INSERT INTO texts SELECT i, repeat(md5(i::text), i) FROM generate_series(1, 254) i;
CREATE INDEX texts_t ON texts USING usearch (t text_length_ops);
INSERT INTO texts VALUES (1000, repeat('x', 8140));
CALL compare('texts', 't', '<@#>', $$VALUES ($q$''$q$), ($q$repeat('x', 8000)$q$), ($q$repeat('x', 100000)$q$)$$);
SELECT * FROM usearch_check('texts_t', true);
INSERT INTO texts VALUES (1001, repeat('x', 8141));
\echo :LAST_ERROR_SQLSTATE
DROP INDEX texts_t;
INSERT INTO texts VALUES (1001, repeat('x', 8141));
CREATE INDEX ON texts USING usearch (t text_length_ops);
DROP TABLE texts;

-- functions whose calls the planner replaces by their bodies: their operators are gone before an index is looked for
CREATE FUNCTION inlined(a text, b text) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT RETURN abs(length(a) - length(b));
CREATE FUNCTION renamed(a text, b text) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 OPERATOR(public.<@#>) $2';
CREATE SCHEMA elsewhere;
CREATE FUNCTION elsewhere.size(text) RETURNS int LANGUAGE sql IMMUTABLE STRICT RETURN length($1);
SET search_path = elsewhere, public;
CREATE FUNCTION public.unfound(a text, b text) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT abs(size(a) - size(b))::float8';
RESET search_path;
CREATE OPERATOR <#@> (LEFTARG = text, RIGHTARG = text, FUNCTION = inlined);
CREATE OPERATOR <#@@> (LEFTARG = text, RIGHTARG = text, FUNCTION = renamed);
CREATE OPERATOR <#@#> (LEFTARG = text, RIGHTARG = text, FUNCTION = unfound);
CREATE OPERATOR CLASS inlined_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <#@> (text, text) FOR ORDER BY float_ops, FUNCTION 1 inlined(text, text);
CREATE OPERATOR CLASS renamed_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <#@@> (text, text) FOR ORDER BY float_ops, FUNCTION 1 renamed(text, text);
CREATE OPERATOR CLASS unfound_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <#@#> (text, text) FOR ORDER BY float_ops, FUNCTION 1 unfound(text, text);
CREATE TABLE texts (t text);
INSERT INTO texts SELECT repeat('x', i) FROM generate_series(1, 50) i;
CREATE INDEX texts_inlined ON texts USING usearch (t inlined_ops);
EXPLAIN (COSTS OFF) SELECT * FROM texts ORDER BY t <#@> 'xxx' LIMIT 1;
ALTER FUNCTION inlined SET search_path = pg_catalog;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM texts ORDER BY t <#@> 'xxx' LIMIT 1;
SELECT * FROM texts ORDER BY t <#@> 'xxx' LIMIT 1;
REINDEX INDEX texts_inlined;
CREATE INDEX texts_renamed ON texts USING usearch (t renamed_ops);
\set VERBOSITY terse
REINDEX INDEX CONCURRENTLY texts_renamed;
DROP INDEX texts_renamed;
CREATE INDEX CONCURRENTLY texts_renamed ON texts USING usearch (t renamed_ops);
\set VERBOSITY default
RESET enable_seqscan;
DROP TABLE texts;
-- a body that cannot be parsed: an error when there is something to compare
CREATE TABLE texts (t text);
CREATE INDEX ON texts USING usearch (t unfound_ops);
INSERT INTO texts VALUES ('a'), ('b');
REINDEX TABLE texts;
DROP TABLE texts;
DROP OPERATOR FAMILY inlined_ops USING usearch;
DROP OPERATOR FAMILY renamed_ops USING usearch;
DROP OPERATOR FAMILY unfound_ops USING usearch;
DROP OPERATOR <#@> (text, text), <#@@> (text, text), <#@#> (text, text);
DROP FUNCTION inlined, renamed, unfound, elsewhere.size;
DROP SCHEMA elsewhere;

-- what cannot be an index
CREATE TABLE t (word text, n int4, a int4[]);
INSERT INTO t VALUES ('a', 1, '{1}'), ('b', 2, '{2}');
CREATE FUNCTION volatile_edits(text, text) RETURNS float8 LANGUAGE sql VOLATILE AS 'SELECT random()';
CREATE FUNCTION stable_edits(text, text) RETURNS float8 LANGUAGE sql STABLE AS 'SELECT 1.0::float8';
CREATE FUNCTION int_edits(text, text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION set_edits(text, text) RETURNS SETOF float8 LANGUAGE sql IMMUTABLE AS 'SELECT 1.0::float8';
CREATE FUNCTION any_edits(anyarray, anyarray) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 1.0::float8';
CREATE OPERATOR <@~> (LEFTARG = text, RIGHTARG = text, FUNCTION = volatile_edits);
CREATE OPERATOR <@#~> (LEFTARG = text, RIGHTARG = text, FUNCTION = stable_edits);
CREATE OPERATOR <@~~> (LEFTARG = anyarray, RIGHTARG = anyarray, FUNCTION = any_edits);
CREATE OPERATOR CLASS volatile_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <@~> (text, text) FOR ORDER BY float_ops, FUNCTION 1 volatile_edits(text, text);
CREATE OPERATOR CLASS stable_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <@#~> (text, text) FOR ORDER BY float_ops, FUNCTION 1 stable_edits(text, text);
CREATE OPERATOR CLASS orderless_ops FOR TYPE text USING usearch AS FUNCTION 1 edits(text, text);
CREATE OPERATOR CLASS crossed_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <@@> (text, text) FOR ORDER BY float_ops, FUNCTION 1 longer(text, text);
CREATE OPERATOR CLASS nothing_ops FOR TYPE text USING usearch AS OPERATOR 1 <@@> (text, text) FOR ORDER BY float_ops;
CREATE OPERATOR CLASS int_ops FOR TYPE text USING usearch AS FUNCTION 1 int_edits(text, text);
CREATE OPERATOR CLASS set_ops FOR TYPE text USING usearch AS FUNCTION 1 set_edits(text, text);
CREATE OPERATOR CLASS other_ops FOR TYPE int4 USING usearch AS FUNCTION 1 (int4, int4) edits(text, text);
CREATE OPERATOR CLASS any_ops FOR TYPE anyarray USING usearch AS
    OPERATOR 1 <@~~> (anyarray, anyarray) FOR ORDER BY float_ops, FUNCTION 1 any_edits(anyarray, anyarray);
CREATE INDEX ON t USING usearch (word volatile_ops);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX ON t USING usearch (word stable_ops);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX ON t USING usearch (word orderless_ops);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX ON t USING usearch (word crossed_ops);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX ON t USING usearch (word nothing_ops);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX ON t USING usearch (word int_ops);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX ON t USING usearch (word set_ops);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX ON t USING usearch (n other_ops);
\echo :LAST_ERROR_SQLSTATE
CREATE INDEX ON t USING usearch (a any_ops);
\echo :LAST_ERROR_SQLSTATE
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
 WHERE amname = 'usearch' AND opcname IN ('volatile_ops', 'stable_ops', 'orderless_ops', 'crossed_ops', 'nothing_ops', 'int_ops',
                                          'set_ops', 'other_ops', 'any_ops') ORDER BY 1;

-- a function that takes for ever is cancelled, while it builds and while it searches
CREATE FUNCTION slow(a text, b text) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM pg_sleep(0.02); RETURN abs(length(a) - length(b)); END';
CREATE OPERATOR <@##> (LEFTARG = text, RIGHTARG = text, FUNCTION = slow);
CREATE OPERATOR CLASS slow_ops FOR TYPE text USING usearch AS
    OPERATOR 1 <@##> (text, text) FOR ORDER BY float_ops, FUNCTION 1 slow(text, text);
CREATE INDEX t_word ON t USING usearch (word slow_ops);
INSERT INTO t SELECT repeat('x', i) FROM generate_series(1, 500) i;
SET statement_timeout = '200ms';
SELECT usearch_seal('t_word');
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT FROM t ORDER BY word <@##> 'x' LIMIT 3) s;
RESET enable_seqscan;
RESET statement_timeout;
DROP TABLE t;

-- what the index needs stays
CREATE TABLE t (word text);
CREATE INDEX t_word ON t USING usearch (word text_length_ops);
DROP FUNCTION longer;
DROP TABLE t;

DROP PROCEDURE compare;
SET client_min_messages = warning;
DROP FUNCTION edits, beyond, haversine, weighted, pearson, jensen_shannon, collated, longer, volatile_edits, stable_edits, int_edits,
    set_edits, any_edits, slow CASCADE;
DROP FUNCTION apart(int2, int2), apart(int4, int4), apart(boolean, boolean) CASCADE;
DROP OPERATOR FAMILY nothing_ops USING usearch CASCADE;
RESET client_min_messages;
