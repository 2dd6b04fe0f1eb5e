-- Dense vectors within a radius: l2_within, ip_within, cosine_within, l1_within, pearson_within, jensen_shannon_within, haversine_within, balls, and comparisons of a distance.

-- what is within
SELECT l2_within('{0,0}'::real[], '{3,4}', 5) AS l2, l2_within('{0,0}'::real[], '{3,4}', 4.999999999) AS less,
       l1_within('{0,0}'::real[], '{3,4}', 7) AS l1, cosine_within('{1,0}'::real[], '{1,1}', 0.3) AS cosine,
       ip_within('{1,2}'::real[], '{3,4}', -11) AS ip, ip_within('{1,2}'::real[], '{3,4}', -11.000001) AS ip_less;
SELECT '{0,0}'::real[] <@ l2_ball('{3,4}', 5) AS l2, '{0,0}'::real[] <@ l1_ball('{3,4}', 6) AS l1, l2_ball('{3,4}', 5) AS ball,
       '{0,0}'::real[] <@ ROW(NULL, 5)::real_l2_ball AS no_center, '{0,0}'::real[] <@ ROW('{1,2}', NULL)::real_l2_ball AS no_radius;
SELECT l2_within(NULL::real[], '{1}', 1) AS vector, l2_within('{1}'::real[], NULL, 1) AS query, l2_within('{1}'::real[], '{1}', NULL) AS radius;
SELECT cosine_within('{0,0}'::real[], '{1,0}', 2) AS zero, cosine_within('{0,0}'::real[], '{1,0}', 'Infinity') AS infinite,
       cosine_within('{1,0}'::real[], '{-1,0}', 2) AS opposite, l2_within('{1}'::real[], '{1}', -0.0) AS negative_zero;

-- what is refused
CREATE FUNCTION refused(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := split_part(detail, E'\n', 1);
END $$;
SELECT call, r.* FROM unnest(ARRAY[$$l2_within('{1}'::real[], '{1}', -1)$$, $$l2_within('{1}'::real[], '{1}', 'NaN')$$,
        $$l1_within('{1}'::real[], '{1}', -1e-300)$$, $$cosine_within('{1}'::real[], '{1}', -1)$$, $$ip_within('{1}'::real[], '{1}', 'NaN')$$,
        $$l2_ball('{1}'::real[], '-Infinity')$$, $$l2_within('{1,2}'::real[], '{1}', 1)$$, $$l2_within('{}'::real[], '{}', 1)$$,
        $$l2_within('{1,NaN}'::real[], '{1,2}', 1)$$, $$pearson_within('{1,2}'::real[], '{1,2}', -1)$$,
        $$jensen_shannon_within('{1,2}'::real[], '{1,2}', 'NaN')$$, $$jensen_shannon_within('{1,-2}'::real[], '{1,2}', 1)$$,
        $$haversine_within('{1,2}'::real[], '{1,2}', -1)$$, $$haversine_within('{1,2,3}'::real[], '{1,2,3}', 1)$$]) AS call, refused('SELECT ' || call) AS r;

-- Vectors around centres, some equal, one without direction, one NULL.
CREATE FUNCTION vec(seed int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg((hashint8extended(i, seed)::numeric / 9.3e18)::real ORDER BY i) FROM generate_series(1, dimensions) i
$$;
CREATE FUNCTION near(a real[], b real[], share real) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(x + share * y ORDER BY i) FROM unnest(a, b) WITH ORDINALITY AS u (x, y, i)
$$;
CREATE FUNCTION weights(v real[]) RETURNS real[] LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT array_agg(abs(x) ORDER BY i) FROM unnest(v) WITH ORDINALITY AS u (x, i)
$$;
CREATE FUNCTION place(v real[]) RETURNS real[] LANGUAGE plpgsql IMMUTABLE STRICT AS 'BEGIN RETURN ARRAY[v[1] * 60, v[2] * 120]; END';
-- The columns w have the same values and no index; those of the expressions are stored, so that they are computed once.
CREATE TABLE t (id int PRIMARY KEY, v real[], w real[] GENERATED ALWAYS AS (v) STORED,
                w_weights real[] GENERATED ALWAYS AS (weights(v)) STORED, w_place real[] GENERATED ALWAYS AS (place(v)) STORED);
INSERT INTO t
SELECT c * 20 + n, near(vec(c, 24), vec(1000 + c * 20 + n / 2 * 2, 24), 0.3) FROM generate_series(0, 99) c, generate_series(0, 19) n;
INSERT INTO t VALUES (-1, NULL), (-2, array_fill(0::real, '{24}')), (-3, (SELECT v FROM t WHERE id = 77));
CREATE INDEX t_l2 ON t USING usearch (v real_l2_ops);
CREATE INDEX t_ip ON t USING usearch (v real_ip_ops) WITH (rows = f16);
CREATE INDEX t_cosine ON t USING usearch (v real_cosine_ops) WITH (shard_size = '128kB');
CREATE INDEX t_l1 ON t USING usearch (v real_l1_ops);
CREATE INDEX t_pearson ON t USING usearch (v real_pearson_ops);
CREATE INDEX t_weights ON t USING usearch (weights(v) real_jensen_shannon_ops);
CREATE INDEX t_place ON t USING usearch (place(v) real_haversine_ops);
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
WHERE amname = 'usearch' AND opcname LIKE 'real%' ORDER BY 1;
INSERT INTO t SELECT id + 10000, near(v, vec(id + 9000, 24), 0.1) FROM t WHERE id % 7 = 0 AND id >= 0;
DELETE FROM t WHERE id % 5 = 1 AND id >= 0;
VACUUM ANALYZE t;

-- what no index serves: a column without one, and a subtraction that may lose more than is known
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE l1_within(w, '{1,2}', 0.5);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE 1 - (v <-> '{1,2}') > 0.9;
-- plans: each function by the index of its metric, whichever argument the column is
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE l2_within(v, '{1,2}', 0.5);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE cosine_within('{1,2}', v, 0.5);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE ip_within(v, '{1,2}', -0.5) AND l1_within(v, '{1,2}', 3);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE v <@ l1_ball('{1,2}', 0.5);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE v <-> '{1,2}' < 0.5;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE 0.5 >= '{1,2}' <#> v;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE 1 - (v <=> '{1,2}') > 0.9;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE pearson_within(v, '{1,2}', 0.5);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE 1 - (v <=~> '{1,2}') > 0.9;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE weights(v) <||> '{1,2}' < 0.5;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE haversine_within('{1,2}', place(v), 0.5);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE v <-> '{1,2}' < 0.5 ORDER BY v <-> '{1,2}' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE l2_within(v, '{1,2}', 0.5) ORDER BY v <-> '{1,2}' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT a.id, b.id FROM t a, t b WHERE a.id = 100 AND l2_within(b.v, a.v, 0.5);
RESET enable_bitmapscan;

-- the same answers as without an index, for radii at, just below and just above the distances of rows
CREATE FUNCTION ids(condition text, query real[], radius float8) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE found int[];
BEGIN
    EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM t WHERE %s) s', condition) INTO found USING query, radius;
    RETURN found;
END $$;
CREATE PROCEDURE compare(metric text, operator text, value text DEFAULT 'v', truth text DEFAULT 'w') LANGUAGE plpgsql AS $$
DECLARE
    query real[];
    distances float8[];
    radius float8;
    condition text;
    found int[];
    wrong int := 0;
    queries int := 0;
    rows int := 0;
BEGIN
    FOREACH query SLICE 1 IN ARRAY ARRAY[(SELECT v FROM t WHERE id = 100), (SELECT near(v, vec(5, 24), 0.2) FROM t WHERE id = 500)] LOOP
        EXECUTE format('SELECT %s FROM (SELECT $1 AS v) s', value) INTO query USING query;
        EXECUTE format('SELECT array_agg(d ORDER BY d) FROM (SELECT %2$s %1$s $1 AS d FROM t WHERE %2$s IS NOT NULL) s', operator, truth) INTO distances USING query;
        FOREACH radius IN ARRAY ARRAY[distances[1], distances[2], distances[300], 0, 1, 'Infinity'] LOOP
            FOREACH radius IN ARRAY ARRAY[radius, radius - abs(radius) * 1.2e-16, radius + abs(radius) * 2.3e-16] LOOP
                CONTINUE WHEN radius < 0 AND metric <> 'ip' OR radius = 'NaN';
                FOREACH condition IN ARRAY ARRAY['%1$s_within(%3$s, $1, $2)', '%3$s <@ %1$s_ball($1, $2)', '%3$s %2$s $1 <= $2', '$2 > $1 %2$s %3$s',
                                                 '%1$s_within(%3$s, $1, $2) AND %1$s_within(%3$s, $1, $2 / 2 + 0.25)'] LOOP
                    found := ids(format(condition, metric, operator, value), query, radius);
                    wrong := wrong + (found IS DISTINCT FROM ids(format(condition, metric, operator, truth), query, radius))::int;
                    queries := queries + 1;
                    rows := rows + coalesce(cardinality(found), 0);
                END LOOP;
            END LOOP;
        END LOOP;
    END LOOP;
    RAISE NOTICE '% of % answers of % wrong, any rows: %', wrong, queries, metric, rows > 1000;
END $$;
SET plan_cache_mode = force_custom_plan;
CALL compare('l2', '<->');
CALL compare('ip', '<#>');
CALL compare('cosine', '<=>');
CALL compare('l1', '<+>');
CALL compare('pearson', '<=~>');
CALL compare('jensen_shannon', '<||>', 'weights(v)', 'w_weights');
CALL compare('haversine', '<^>', 'place(v)', 'w_place');
SELECT usearch_seal('t_l2') > 0 AS sealed, (SELECT count(*) > 1 FROM usearch_shards('t_cosine')) AS several;
CALL compare('l2', '<->');
SET plan_cache_mode = force_generic_plan;
CALL compare('cosine', '<=>');
RESET plan_cache_mode;

-- in order, with and without a limit
SELECT count(*), count(*) FILTER (WHERE i.d IS DISTINCT FROM s.d) AS wrong FROM
    (SELECT row_number() OVER () AS n, d FROM (SELECT v <-> vec(3, 24) AS d FROM t WHERE l2_within(v, vec(3, 24), 2.5) ORDER BY v <-> vec(3, 24)) a) i
    FULL JOIN (SELECT row_number() OVER () AS n, d FROM (SELECT w <-> vec(3, 24) AS d FROM t WHERE w <-> vec(3, 24) <= 2.5 ORDER BY w <-> vec(3, 24)) a) s USING (n);
SELECT count(*), max(d) < 0.9 AS near FROM (SELECT v <-> vec(3, 24) AS d FROM t WHERE v <-> vec(3, 24) < 0.9 ORDER BY v <-> vec(3, 24) LIMIT 1000) s;
SELECT count(*) FROM t WHERE w <-> vec(3, 24) < 0.9;
SELECT count(*) FROM (SELECT id FROM t WHERE v <-> vec(3, 24) < 0.9 ORDER BY v <-> vec(3, 24) LIMIT 5) s;
-- in the order of another vector
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM t WHERE w <-> vec(3, 24) <= 1 ORDER BY w <-> vec(4, 24), id) a) AS same
FROM (SELECT id FROM t WHERE l2_within(v, vec(3, 24), 1) ORDER BY v <-> vec(4, 24), id) s;

-- NULL, NaN, radii that are refused, other dimensions
SELECT count(*) FROM t WHERE l2_within(v, NULL, 1);
SELECT count(*) FROM t WHERE l2_within(v, vec(3, 24), NULL);
SELECT count(*) FROM t WHERE v <@ NULL::real_l2_ball;
SELECT count(*) FROM t WHERE v <@ ROW(NULL, 1)::real_l2_ball;
SELECT count(*) FROM t WHERE v <-> vec(3, 24) < -1;
SELECT count(*) = (SELECT count(v) FROM t) AS all_but_null FROM t WHERE v <=> vec(3, 24) <= 'NaN';
SELECT count(*) = (SELECT count(v) - 1 FROM t) AS all_but_zero FROM t WHERE cosine_within(v, vec(3, 24), 'Infinity');
SELECT count(*) FROM t WHERE l2_within(v, vec(3, 24), -1);
SELECT count(*) FROM t WHERE cosine_within(v, vec(3, 24), 'NaN');
SELECT count(*) FROM t WHERE ip_within(v, vec(3, 24), 'NaN');
SELECT count(*) FROM t WHERE l2_within(v, '{1,2}', 1);
SELECT count(*) FROM t WHERE v <-> '{1,2}' < 1;
SELECT count(*) FROM t WHERE l2_within(v, vec(3, 24), 0.1) AND l2_within(v, '{1,2}', 5);
SELECT id FROM t WHERE l2_within(v, '{1,2}', 5) ORDER BY v <-> vec(3, 24) LIMIT 1;

-- estimates come from the index
CREATE FUNCTION estimate(condition text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT id FROM t WHERE %s', condition) INTO plan;
    RETURN plan->0->'Plan'->>'Plan Rows';
END $$;
SELECT estimate('l2_within(v, vec(3, 24), 100)') > 1500 AS all, estimate('l2_within(v, vec(3, 24), 0.1)') < 20 AS few,
       estimate('v <-> vec(3, 24) < 100') > 500 AS all_compared, estimate('l2_within(v, NULL, 1)') <= 1 AS none;
SELECT estimate(format('cosine_within(v, vec(3, 24), %s)', d)) / count BETWEEN 0.5 AND 2 AS good
FROM (SELECT d, count(*) FROM unnest('{0.9,1,1.1}'::float8[]) d, t WHERE w <=> vec(3, 24) <= d GROUP BY d) s;
RESET enable_seqscan;

-- partitions
CREATE TABLE p (id int, v real[]) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX ON p USING usearch (v real_l1_ops);
INSERT INTO p SELECT id, v FROM t;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM p WHERE v <+> '{1,2}' < 1;
SELECT count(*) = (SELECT count(*) FROM t WHERE w <+> vec(3, 24) < 6) AS same, count(*) > 10 AS some FROM p WHERE v <+> vec(3, 24) < 6;
RESET enable_seqscan;

DROP TABLE t, p;
DROP FUNCTION vec, near, refused, ids, estimate, weights, place;
DROP PROCEDURE compare;
