-- Dense vectors: arrays of type real[].

-- the distances
SELECT d, a <-> b AS l2, a <#> b AS ip, a <=> b AS cosine, a <+> b AS l1
FROM (VALUES (1, '{0,0}'::real[], '{3,4}'::real[]), (2, '{1,0}', '{0,2}'), (3, '{1,2}', '{2,4}'), (4, '{1,2}', '{-1,-2}'),
             (5, '{5}', '{7}'), (6, '[3:4]={1,0}', '{1,0}'), (7, '{1e20,1e20}', '{-1e20,1e20}')) AS v (d, a, b)
ORDER BY d;
SELECT real_l2_distance('{1,2}', '{1,3}') AS l2, real_negative_inner_product('{1,2}', '{1,3}') AS ip,
       real_cosine_distance('{1,0}', '{1,1}') AS cosine, real_l1_distance('{1,2}', '{-1,3}') AS l1;
SELECT '{1,2}'::real[] <-> NULL AS is_null;
SELECT d, round((a <=~> b)::numeric, 6) AS pearson, pearson_distance(a, b) = (a <=~> b) AS same
FROM (VALUES (1, '{1,2,3}'::real[], '{2,4,6.5}'::real[]), (2, '{1,2,3}', '{3,2,1}'), (3, '{1,2,3}', '{1,3,1}'), (4, '{1,2,3}', '{7,7,7}'),
             (5, '{1e20,2e20,4e20}', '{-1,-2,-4}'), (6, '{1}', '{2}')) AS v (d, a, b)
ORDER BY d;
SELECT d, round((a <||> b)::numeric, 6) AS divergence, jensen_shannon_distance(a, b) = (b <||> a) AS same
FROM (VALUES (1, '{0.5,0.5}'::real[], '{0.25,0.75}'::real[]), (2, '{1,0}', '{0,1}'), (3, '{0.1,0.9}', '{0.1,0.9}'), (4, '{0,0}', '{1,3}'),
             (5, '{2,2}', '{1,3}'), (6, '{1e38,3e38}', '{3e38,1e38}')) AS v (d, a, b)
ORDER BY d;
SELECT place, round((6371.0088 * (berlin <^> point))::numeric) AS km, haversine_distance(berlin, point) = (point <^> berlin) AS same
FROM (VALUES (1, 'Hamburg', '{53.55,10}'::real[]), (2, 'Apia', '{-13.8,-171.8}'), (3, 'Suva', '{-18.1,178.4}'), (4, 'Berlin', '{52.5,13.4}'),
             (5, 'antipode', '{-52.5,-166.6}')) AS v (n, place, point), (SELECT '{52.5,13.4}'::real[] AS berlin) AS b
ORDER BY n;

-- what is no vector
SELECT '{1,2}'::real[] <-> '{1,2,3}'::real[];
SELECT '{}'::real[] <-> '{}'::real[];
SELECT '{{1,2},{3,4}}'::real[] <=> '{1,2,3,4}'::real[];
SELECT '{1,NULL}'::real[] <#> '{1,2}'::real[];
SELECT '{1,2}'::real[] <+> '{1,NaN}'::real[];
SELECT '{Infinity,2}'::real[] <-> '{1,2}'::real[];
SELECT '{1,2}'::real[] <=~> '{1,2,3}';
SELECT '{1,2}'::real[] <||> '{1,-0.5}';
SELECT '{0,0}'::real[] <||> '{-0.0,0}' AS negative_zero;
SELECT '{1,2,3}'::real[] <^> '{1,2,3}';
SELECT haversine_within('{1}', '{1}', 1);
SELECT array_fill(1::real, '{16001}') <-> array_fill(1::real, '{16001}');

-- Vectors around centres, one third of them toasted, some equal.
CREATE FUNCTION vec(seed int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg((hashint8extended(i, seed)::numeric / 9.3e18)::real ORDER BY i) FROM generate_series(1, dimensions) i
$$;
CREATE FUNCTION near(a real[], b real[], share real) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(x + share * y ORDER BY i) FROM unnest(a, b) WITH ORDINALITY AS u (x, y, i)
$$;
-- What other metrics compare: numbers that are not negative, and points on a sphere.
CREATE FUNCTION weights(v real[]) RETURNS real[] LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT array_agg(abs(x) ORDER BY i) FROM unnest(v) WITH ORDINALITY AS u (x, i)
$$;
CREATE FUNCTION place(v real[]) RETURNS real[] LANGUAGE plpgsql IMMUTABLE STRICT AS 'BEGIN RETURN ARRAY[v[1] * 60, v[2] * 120]; END';
CREATE TABLE t (id int PRIMARY KEY, v real[]);
INSERT INTO t
SELECT c * 20 + n, near(vec(c, 24), vec(1000 + c * 20 + n / 2 * 2, 24), 0.3) FROM generate_series(0, 99) c, generate_series(0, 19) n;
INSERT INTO t VALUES (-1, NULL), (-2, array_fill(0::real, '{24}')), (-3, NULL), (-4, (SELECT v FROM t WHERE id = 77));
ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
CREATE TABLE q (n int, v real[]);
INSERT INTO q SELECT id, near(v, vec(5000 + id, 24), 0.2) FROM t WHERE id % 150 = 3 AND id > 0;
INSERT INTO q VALUES (5000, vec(77777, 24)), (5001, (SELECT v FROM t WHERE id = 100));

-- there is no default operator class: one has to say which distance is meant
CREATE INDEX ON t USING usearch (v);
CREATE INDEX t_l2 ON t USING usearch (v real_l2_ops);
CREATE INDEX t_ip ON t USING usearch (v real_ip_ops);
CREATE INDEX t_cosine ON t USING usearch (v real_cosine_ops);
CREATE INDEX t_l1 ON t USING usearch (v real_l1_ops);
CREATE INDEX t_pearson ON t USING usearch (v real_pearson_ops);
CREATE INDEX t_weights ON t USING usearch (weights(v) real_jensen_shannon_ops);
CREATE INDEX t_place ON t USING usearch (place(v) real_haversine_ops);
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
WHERE amname = 'usearch' AND opcname LIKE 'real%' ORDER BY 1;
ANALYZE t;

-- the plan
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <-> '{1,2}' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY '{1,2}'::real[] <=> v LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <#> '{1,2}' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <+> '{1,2}' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <=~> '{1,2}' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY weights(v) <||> '{1,2}' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY place(v) <^> '{1,2}' LIMIT 5;

-- All rows in the order of a sort, and the nearest ten, by each operator.
CREATE FUNCTION answer(operator text, value text, query real[], rows int) RETURNS TABLE (number bigint, distance float8) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT row_number() OVER (), d FROM (SELECT %2$s %1$s $1 AS d FROM t ORDER BY %2$s %1$s $1 LIMIT %3$s) s',
                                operator, value, coalesce(rows::text, 'ALL')) USING query;
END $$;
CREATE PROCEDURE compare(operator text, value text DEFAULT 'v') LANGUAGE plpgsql AS $$
DECLARE
    query record;
    sorted float8[];
    indexed float8[];
    wrong int := 0;
    found numeric := 0;
    queries int := 0;
BEGIN
    FOR query IN EXECUTE format('SELECT %s AS v FROM q ORDER BY n', value) LOOP
        SET LOCAL enable_indexscan = off;
        SET LOCAL enable_sort = on;
        SELECT array_agg(distance ORDER BY number) INTO sorted FROM answer(operator, value, query.v, NULL);
        SET LOCAL enable_indexscan = on;
        SET LOCAL enable_sort = off;
        SELECT array_agg(distance ORDER BY number) INTO indexed FROM answer(operator, value, query.v, NULL);
        wrong := wrong + (indexed IS DISTINCT FROM sorted)::int;
        SELECT array_agg(distance ORDER BY number) INTO indexed FROM answer(operator, value, query.v, 10);
        found := found + (SELECT count(*) FROM unnest(indexed) d WHERE d <= sorted[10]);
        queries := queries + 1;
    END LOOP;
    RAISE NOTICE '% of % answers wrong, recall %', wrong, queries,
        CASE WHEN found / (10 * queries) >= 0.99 THEN 'at least 0.99' ELSE round(found / (10 * queries), 4)::text END;
END $$;
CALL compare('<->');
CALL compare('<#>');
CALL compare('<=>');
CALL compare('<+>');
CALL compare('<=~>');
CALL compare('<||>', 'weights(v)');
CALL compare('<^>', 'place(v)');
-- a vector without direction comes after all others, and before NULL
SELECT id, v <=> (SELECT v FROM q WHERE n = 5001) AS d FROM t ORDER BY 2 OFFSET 2000;
SELECT id, v <=~> (SELECT v FROM q WHERE n = 5001) AS d FROM t ORDER BY 2 OFFSET 2000;

-- the tail
INSERT INTO t SELECT id + 10000, near(v, vec(id + 9000, 24), 0.1) FROM t WHERE id % 7 = 0 AND id >= 0;
DELETE FROM t WHERE id % 5 = 1 AND id >= 0;
UPDATE t SET v = near(v, vec(id, 24), 0.1) WHERE id % 11 = 2;
CALL compare('<->');
CALL compare('<=>');
VACUUM t;
CALL compare('<->');
CALL compare('<#>');
CALL compare('<=~>');
CALL compare('<||>', 'weights(v)');
CALL compare('<^>', 'place(v)');
SELECT usearch_seal('t_l2') > 0 AS sealed, usearch_seal('t_weights') > 0 AS weights, usearch_seal('t_place') > 0 AS place;
CALL compare('<->');
CALL compare('<||>', 'weights(v)');
CALL compare('<^>', 'place(v)');
SELECT 'l2' AS index, * FROM usearch_check('t_l2', true) UNION ALL SELECT 'cosine', * FROM usearch_check('t_cosine', true)
UNION ALL SELECT i, c.* FROM unnest('{t_pearson,t_weights,t_place}'::text[]) i, usearch_check(i::regclass, true) c;
SELECT metric, entries, null_entries FROM usearch_index_stats('t_cosine');
SELECT metric, dimensions, s.rows FROM unnest('{t_pearson,t_weights,t_place}'::text[]) i, usearch_shards(i::regclass) s GROUP BY 1, 2, 3 ORDER BY 1;

-- queries of another kind
SELECT * FROM usearch_recall('t_l2', queries => '{00}'::bitvec[]);

-- other dimensions, and what is no vector, are refused, and nothing is lost
INSERT INTO t SELECT -20, v FROM t WHERE id = 100;
SELECT segments FROM usearch_index_stats('t_l2') \gset
INSERT INTO t VALUES (-10, '{1,2,3}');
INSERT INTO t VALUES (-11, '{}');
INSERT INTO t VALUES (-12, array_fill('NaN'::real, '{24}'));
INSERT INTO t VALUES (-13, array_fill(1::real, '{24,1}'));
CREATE TABLE other (v real[]);
CREATE INDEX other_weights ON other USING usearch (v real_jensen_shannon_ops);
CREATE INDEX other_place ON other USING usearch (v real_haversine_ops);
INSERT INTO other VALUES ('{1,-2}');
INSERT INTO other VALUES ('{1,2,3}');
SELECT v FROM other ORDER BY v <||> '{1,-2}' LIMIT 1;
SELECT v FROM other ORDER BY v <^> '{1,2,3}' LIMIT 1;
SELECT usearch_recall('other_weights', vectors => '{{1,2,2},{3,-4,2}}'::real[]);
DROP TABLE other;
-- the open segment is as it was
INSERT INTO t SELECT -21, v FROM t WHERE id = 100;
SELECT segments = :segments AS as_before FROM usearch_index_stats('t_l2');
DELETE FROM t WHERE id IN (-20, -21);
SELECT id FROM t ORDER BY v <-> '{1,2,3}' LIMIT 1;
CALL compare('<->');
TRUNCATE t;
SELECT id FROM t ORDER BY v <-> '{1,2,3}' LIMIT 1;
INSERT INTO t VALUES (1, NULL), (2, '{1,2,3}'), (3, '{1,2,4}');
SELECT id FROM t ORDER BY v <-> '{1,2,3}', id;
INSERT INTO t VALUES (4, '{1,2}');

-- partial and expression indexes
CREATE TABLE p (kind int, v real[], w float8[]);
INSERT INTO p SELECT i % 2, (vec(i, 8 + i % 2))::real[], vec(i, 4) FROM generate_series(1, 200) i;
CREATE INDEX p_8 ON p USING usearch (v real_l2_ops) WHERE kind = 0;
CREATE INDEX p_9 ON p USING usearch (v real_l2_ops) WHERE kind = 1;
CREATE INDEX p_w ON p USING usearch ((w::real[]) real_cosine_ops);
ANALYZE p;
EXPLAIN (COSTS OFF) SELECT v FROM p WHERE kind = 1 ORDER BY v <-> vec(1, 9) LIMIT 3;
SELECT v = vec(1, 9) AS found FROM p WHERE kind = 1 ORDER BY v <-> vec(1, 9) LIMIT 1;
SELECT w = vec(5, 4)::float8[] AS found FROM p ORDER BY w::real[] <=> vec(5, 4) LIMIT 1;

-- the longest that a page holds, and vectors that span two pages and eight
CREATE TABLE long (id int, v real[]);
CREATE INDEX long_v ON long USING usearch (v real_ip_ops);
CREATE FUNCTION orders(dimensions int, seed int, OUT indexed int[], OUT sorted int[]) LANGUAGE plpgsql AS $$
DECLARE
    query real[] := vec(seed, dimensions);
BEGIN
    SET LOCAL enable_sort = off;
    SELECT array_agg(id) INTO indexed FROM (SELECT id FROM long ORDER BY v <#> query) s;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_sort = on;
    SELECT array_agg(id) INTO sorted FROM (SELECT id FROM long ORDER BY v <#> query, id) s;
    SET LOCAL enable_indexscan = on;
END $$;
CREATE PROCEDURE try_dimensions(dimensions int) LANGUAGE plpgsql AS $$
DECLARE
    step text;
    same boolean;
    problems bigint;
    blocks bigint;
BEGIN
    EXECUTE 'TRUNCATE long';
    INSERT INTO long SELECT i, vec(i, dimensions) FROM generate_series(1, 40) i;
    INSERT INTO long VALUES (41, NULL);
    INSERT INTO long SELECT i, vec(i, dimensions) FROM generate_series(42, 50) i;
    blocks := pg_relation_size('long_v') / 8192;
    FOREACH step IN ARRAY ARRAY['SELECT 1', 'SELECT usearch_seal(''long_v'')', 'DELETE FROM long WHERE id % 3 = 1',
                                'INSERT INTO long SELECT i, vec(i, ' || dimensions || ') FROM generate_series(51, 60) i',
                                'SELECT usearch_compact(''long_v'')', 'REINDEX INDEX long_v'] LOOP
        EXECUTE step;
        SELECT indexed = sorted INTO same FROM orders(dimensions, 7);
        SELECT count(*) INTO problems FROM usearch_check('long_v', true);
        IF NOT same OR problems > 0 THEN
            RAISE WARNING '%: same order %, % problems', step, same, problems;
        END IF;
    END LOOP;
    RAISE NOTICE '% dimensions, % blocks', dimensions, blocks;
END $$;
EXPLAIN (COSTS OFF) SELECT id FROM long ORDER BY v <#> '{1,2}';
CALL try_dimensions(2036);
CALL try_dimensions(2037);
CALL try_dimensions(3072);
CALL try_dimensions(16000);
-- dead entries, and other rows where they were
DELETE FROM long WHERE id % 2 = 0;
VACUUM long;
SELECT indexed = sorted AS same, cardinality(indexed) FROM orders(16000, 3);
INSERT INTO long SELECT i, vec(i, 16000) FROM generate_series(101, 130) i;
SELECT usearch_seal('long_v') > 0 AS sealed;
VACUUM long;
SELECT indexed = sorted AS same, cardinality(indexed) FROM orders(16000, 8);
SELECT * FROM usearch_check('long_v', true);
SELECT id FROM long ORDER BY v <#> vec(105, 16000) LIMIT 1;
SELECT min_recall FROM usearch_recall('long_v', 5, 10);
-- the first value comes when there were only NULLs, whose segments are small, and blocks of these are free
CREATE TABLE nulls (v real[]);
CREATE INDEX nulls_v ON nulls USING usearch (v real_l2_ops) WITH (shard_size = '64kB');
INSERT INTO nulls SELECT NULL FROM generate_series(1, 20000);
DELETE FROM nulls;
VACUUM nulls;
INSERT INTO nulls SELECT vec(i, 16000) FROM generate_series(1, 5) i;
SELECT count(*) FROM (SELECT v FROM nulls ORDER BY v <-> vec(1, 16000)) s;
SELECT * FROM usearch_check('nulls_v', true);
-- other dimensions, and too many
INSERT INTO long SELECT 0, vec(1, 3072);
INSERT INTO long SELECT 0, vec(1, 16001);

DROP TABLE t, q, p, long, nulls;
DROP FUNCTION vec, near, answer, orders, weights, place;
DROP PROCEDURE compare, try_dimensions;
