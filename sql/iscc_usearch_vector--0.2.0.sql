-- Operator classes of the access method usearch for the types of pgvector, with the names that pgvector's own have.
\echo Use "CREATE EXTENSION iscc_usearch_vector" to load this file. \quit

CREATE FUNCTION usearch_vector_within_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'dense_within_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION usearch_vector_within_support(internal) IS 'planner support for l2_within and the like';
CREATE FUNCTION usearch_vector_ball_sel(internal, oid, internal, integer) RETURNS double precision
    AS 'MODULE_PATHNAME', 'dense_ball_sel' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION usearch_vector_ball_sel(internal, oid, internal, integer) IS
    'restriction selectivity of <@ with balls of vectors';

-- For each class the function that says what its values are and how they are compared, thresholds, and the class
-- itself. pgvector's objects are named with its schema, wherever that is: nothing of the same name in another schema is
-- taken for one of them.

DO $$
DECLARE
    pgvector pg_catalog.text := (
        SELECT pg_catalog.quote_ident(n.nspname::pg_catalog.text)
          FROM pg_catalog.pg_extension e
          JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
         WHERE e.extname OPERATOR(pg_catalog.=) 'vector'::pg_catalog.name);
    class pg_catalog.record;
    statement pg_catalog.text;
BEGIN
    -- Distances that pgvector does not have.
    FOR class IN
        SELECT * FROM (VALUES
            ('vector', 'pearson', '<=~>', '1 minus Pearson''s correlation',
                ', 0 to 2; NaN if the numbers of a vector are all the same; error 22000 for different numbers of dimensions'),
            ('halfvec', 'pearson', '<=~>', '1 minus Pearson''s correlation',
                ', 0 to 2; NaN if the numbers of a vector are all the same; error 22000 for different numbers of dimensions'),
            ('vector', 'jensen_shannon', '<||>', 'Jensen-Shannon divergence',
                ' of two vectors of weights, in nats: 0 to ln(2) if each has the sum 1; error 22023 for negative weights, 22000 for different numbers of dimensions'),
            ('halfvec', 'jensen_shannon', '<||>', 'Jensen-Shannon divergence',
                ' of two vectors of weights, in nats: 0 to ln(2) if each has the sum 1; error 22023 for negative weights, 22000 for different numbers of dimensions'),
            ('vector', 'haversine', '<^>', 'angle between points on a sphere, in radians',
                '; a point is its latitude and longitude, in degrees; error 22023 for other numbers of dimensions')
        ) AS distances (type, metric, operator, what, more)
    LOOP
        FOREACH statement IN ARRAY ARRAY[
            'CREATE FUNCTION %2$s_distance(%6$s.%1$s, %6$s.%1$s) RETURNS pg_catalog.float8
                AS ''MODULE_PATHNAME'', ''%1$s_%2$s_distance'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST %7$s',
            'COMMENT ON FUNCTION %2$s_distance(%6$s.%1$s, %6$s.%1$s) IS %5$L',
            'CREATE OPERATOR %3$s (
                LEFTARG = %6$s.%1$s, RIGHTARG = %6$s.%1$s, FUNCTION = %2$s_distance, COMMUTATOR = %3$s)',
            'COMMENT ON OPERATOR %3$s (%6$s.%1$s, %6$s.%1$s) IS %4$L']
        LOOP
            EXECUTE pg_catalog.format(statement, class.type, class.metric, class.operator, class.what,
                                      class.what OPERATOR(pg_catalog.||) class.more, pgvector,
                                      CASE WHEN class.metric OPERATOR(pg_catalog.=) 'jensen_shannon' THEN 300 ELSE 100 END);
        END LOOP;
    END LOOP;
    -- Those without the name of a function of pgvector's are those above.
    FOR class IN
        SELECT * FROM (VALUES
            ('vector', 'l2', '<->', 'l2_distance', 'the Euclidean distance',
                '0 or greater'),
            ('vector', 'ip', '<#>', 'vector_negative_inner_product', 'the negative inner product',
                'any number but NaN; for inner products of at least 0.8, -0.8'),
            ('vector', 'cosine', '<=>', 'cosine_distance', 'the cosine distance',
                'from 0 to 2, greater ones contain the same as 2'),
            ('vector', 'l1', '<+>', 'l1_distance', 'the sum of absolute differences',
                '0 or greater'),
            ('halfvec', 'l2', '<->', 'l2_distance', 'the Euclidean distance',
                '0 or greater'),
            ('halfvec', 'ip', '<#>', 'halfvec_negative_inner_product', 'the negative inner product',
                'any number but NaN; for inner products of at least 0.8, -0.8'),
            ('halfvec', 'cosine', '<=>', 'cosine_distance', 'the cosine distance',
                'from 0 to 2, greater ones contain the same as 2'),
            ('halfvec', 'l1', '<+>', 'l1_distance', 'the sum of absolute differences',
                '0 or greater'),
            ('vector', 'pearson', '<=~>', NULL, 'the correlation distance',
                'from 0 to 2, greater ones contain the same as 2'),
            ('halfvec', 'pearson', '<=~>', NULL, 'the correlation distance',
                'from 0 to 2, greater ones contain the same as 2'),
            ('vector', 'jensen_shannon', '<||>', NULL, 'the Jensen-Shannon divergence',
                '0 or greater'),
            ('halfvec', 'jensen_shannon', '<||>', NULL, 'the Jensen-Shannon divergence',
                '0 or greater'),
            ('vector', 'haversine', '<^>', NULL, 'the angle between points on a sphere',
                '0 or greater, in radians')
        ) AS classes (type, metric, operator, distance, what, radii)
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE FUNCTION usearch_%1$s_%2$s_info(internal) RETURNS internal
                AS ''MODULE_PATHNAME'', ''pgvector_%1$s_%2$s_info'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE',
            class.type, class.metric);
        FOREACH statement IN ARRAY ARRAY[
            'CREATE TYPE %1$s_%2$s_ball AS (center %6$s.%1$s, radius pg_catalog.float8)',
            'COMMENT ON TYPE %1$s_%2$s_ball IS ''a %1$s and a radius, by %5$s''',
            'CREATE FUNCTION %2$s_ball(center %6$s.%1$s, radius pg_catalog.float8) RETURNS %1$s_%2$s_ball
                AS ''MODULE_PATHNAME'', ''dense_%2$s_ball'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE',
            'COMMENT ON FUNCTION %2$s_ball(%6$s.%1$s, pg_catalog.float8) IS
                ''the values within a radius of one, by %5$s: %7$s; error 22023 for other radii''',
            'CREATE FUNCTION %2$s_ball_unchecked(center %6$s.%1$s, radius pg_catalog.float8) RETURNS %1$s_%2$s_ball
                AS ''MODULE_PATHNAME'', ''dense_%2$s_ball_unchecked'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE',
            'COMMENT ON FUNCTION %2$s_ball_unchecked(%6$s.%1$s, pg_catalog.float8) IS
                ''internal: like %2$s_ball, for any radius''',
            'CREATE FUNCTION %2$s_within(vector %6$s.%1$s, query %6$s.%1$s, radius pg_catalog.float8) RETURNS pg_catalog.bool
                AS ''MODULE_PATHNAME'', ''dense_%2$s_within'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST %8$s
                SUPPORT usearch_vector_within_support',
            'COMMENT ON FUNCTION %2$s_within(%6$s.%1$s, %6$s.%1$s, pg_catalog.float8) IS
                ''is vector %3$s query, %5$s, at most radius (%7$s)? Served completely by usearch indexes; error 22023 for other radii''',
            'CREATE FUNCTION %2$s_near(vector %6$s.%1$s, query %6$s.%1$s, radius pg_catalog.float8) RETURNS pg_catalog.bool
                AS ''MODULE_PATHNAME'', ''dense_%2$s_near'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST %8$s
                SUPPORT usearch_vector_within_support',
            'COMMENT ON FUNCTION %2$s_near(%6$s.%1$s, %6$s.%1$s, pg_catalog.float8) IS
                ''internal: follows from vector %3$s query <= radius, so that an index serves that''',
            'CREATE FUNCTION %1$s_in_%2$s_ball(%6$s.%1$s, %1$s_%2$s_ball) RETURNS pg_catalog.bool
                AS ''MODULE_PATHNAME'', ''dense_in_%2$s_ball'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST %8$s',
            'COMMENT ON FUNCTION %1$s_in_%2$s_ball(%6$s.%1$s, %1$s_%2$s_ball) IS ''implementation of <@ operator''',
            'CREATE OPERATOR <@ (LEFTARG = %6$s.%1$s, RIGHTARG = %1$s_%2$s_ball, FUNCTION = %1$s_in_%2$s_ball,
                RESTRICT = usearch_vector_ball_sel, JOIN = pg_catalog.contjoinsel)',
            'COMMENT ON OPERATOR <@ (%6$s.%1$s, %1$s_%2$s_ball) IS ''is within the ball''',
            'CREATE OPERATOR <@~ (LEFTARG = %6$s.%1$s, RIGHTARG = %1$s_%2$s_ball, FUNCTION = %1$s_in_%2$s_ball,
                RESTRICT = usearch_vector_ball_sel, JOIN = pg_catalog.contjoinsel)',
            'COMMENT ON OPERATOR <@~ (%6$s.%1$s, %1$s_%2$s_ball) IS
                ''like <@, but where a LIMIT bounds an ordered index search, that search may be approximate''']
        LOOP
            EXECUTE pg_catalog.format(statement, class.type, class.metric, class.operator, class.distance, class.what,
                                      pgvector, class.radii,
                                      CASE WHEN class.metric OPERATOR(pg_catalog.=) 'jensen_shannon' THEN 300 ELSE 100 END);
        END LOOP;
        EXECUTE pg_catalog.format(
            'CREATE OPERATOR CLASS %1$s_%2$s_ops FOR TYPE %6$s.%1$s USING usearch AS
                OPERATOR 1 %7$s%3$s (%6$s.%1$s, %6$s.%1$s) FOR ORDER BY pg_catalog.float_ops,
                OPERATOR 2 <@ (%6$s.%1$s, %1$s_%2$s_ball) FOR SEARCH,
                OPERATOR 3 <@~ (%6$s.%1$s, %1$s_%2$s_ball) FOR SEARCH,
                FUNCTION 1 %7$s%4$s(%6$s.%1$s, %6$s.%1$s),
                FUNCTION 2 usearch_%1$s_%2$s_info(internal)',
            class.type, class.metric, class.operator,
            coalesce(class.distance, class.metric OPERATOR(pg_catalog.||) '_distance'), class.what, pgvector,
            CASE WHEN class.distance IS NULL THEN '' ELSE pgvector OPERATOR(pg_catalog.||) '.' END);
        EXECUTE pg_catalog.format(
            'COMMENT ON OPERATOR CLASS %1$s_%2$s_ops USING usearch IS ''order by %3$s, %5$s; search by <@''',
            class.type, class.metric, class.operator, class.distance, class.what);
        EXECUTE pg_catalog.format(
            'COMMENT ON FUNCTION usearch_%1$s_%2$s_info(internal) IS ''support function of usearch: %1$s, by %3$s''',
            class.type, class.metric, class.what);
    END LOOP;
    FOR class IN
        SELECT * FROM (VALUES
            ('hamming', '<~>', 'the number of different bits'),
            ('jaccard', '<%>', 'the Jaccard distance of the set bits')
        ) AS classes (metric, operator, what)
    LOOP
        FOREACH statement IN ARRAY ARRAY[
            'CREATE FUNCTION usearch_bit_%1$s_info(internal) RETURNS internal
                AS ''MODULE_PATHNAME'', ''pgvector_bit_%1$s_info'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE',
            'COMMENT ON FUNCTION usearch_bit_%1$s_info(internal) IS ''support function of usearch: bit, by %3$s''',
            'CREATE OPERATOR CLASS bit_%1$s_ops FOR TYPE pg_catalog.bit USING usearch AS
                OPERATOR 1 %4$s.%2$s (pg_catalog.bit, pg_catalog.bit) FOR ORDER BY pg_catalog.float_ops,
                FUNCTION 1 %4$s.%1$s_distance(pg_catalog.bit, pg_catalog.bit),
                FUNCTION 2 usearch_bit_%1$s_info(internal)',
            'COMMENT ON OPERATOR CLASS bit_%1$s_ops USING usearch IS ''order by %2$s, %3$s''']
        LOOP
            EXECUTE pg_catalog.format(statement, class.metric, class.operator, class.what, pgvector);
        END LOOP;
    END LOOP;
    -- Sparse vectors, by calling pgvector's own functions.
    FOR class IN
        SELECT * FROM (VALUES
            ('l2', '<->', 'l2_distance', 'the Euclidean distance'),
            ('ip', '<#>', 'sparsevec_negative_inner_product', 'the negative inner product'),
            ('cosine', '<=>', 'cosine_distance', 'the cosine distance'),
            ('l1', '<+>', 'l1_distance', 'the sum of absolute differences')
        ) AS classes (metric, operator, distance, what)
         WHERE pg_catalog.to_regtype(pgvector OPERATOR(pg_catalog.||) '.sparsevec') IS NOT NULL
    LOOP
        FOREACH statement IN ARRAY ARRAY[
            'CREATE OPERATOR CLASS sparsevec_%1$s_ops FOR TYPE %5$s.sparsevec USING usearch AS
                OPERATOR 1 %5$s.%2$s (%5$s.sparsevec, %5$s.sparsevec) FOR ORDER BY pg_catalog.float_ops,
                FUNCTION 1 %5$s.%3$s(%5$s.sparsevec, %5$s.sparsevec)',
            'COMMENT ON OPERATOR CLASS sparsevec_%1$s_ops USING usearch IS ''order by %2$s, %4$s''']
        LOOP
            EXECUTE pg_catalog.format(statement, class.metric, class.operator, class.distance, class.what, pgvector);
        END LOOP;
    END LOOP;
END
$$;
