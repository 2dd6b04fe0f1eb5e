-- Operator classes of the access method usearch for the types of pgvector, with the names that pgvector's own have.
\echo Use "CREATE EXTENSION iscc_usearch_vector" to load this file. \quit

-- For each class the function that says what its values are and how they are compared, and the class itself. pgvector's
-- objects are named with its schema, wherever that is: nothing of the same name in another schema is taken for one of
-- them.

DO $$
DECLARE
    pgvector pg_catalog.text := (
        SELECT pg_catalog.quote_ident(n.nspname::pg_catalog.text)
          FROM pg_catalog.pg_extension e
          JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
         WHERE e.extname OPERATOR(pg_catalog.=) 'vector'::pg_catalog.name);
    class pg_catalog.record;
BEGIN
    FOR class IN
        SELECT * FROM (VALUES
            ('vector', 'l2', '<->', 'l2_distance', 'the Euclidean distance'),
            ('vector', 'ip', '<#>', 'vector_negative_inner_product', 'the negative inner product'),
            ('vector', 'cosine', '<=>', 'cosine_distance', 'the cosine distance'),
            ('vector', 'l1', '<+>', 'l1_distance', 'the sum of absolute differences'),
            ('halfvec', 'l2', '<->', 'l2_distance', 'the Euclidean distance'),
            ('halfvec', 'ip', '<#>', 'halfvec_negative_inner_product', 'the negative inner product'),
            ('halfvec', 'cosine', '<=>', 'cosine_distance', 'the cosine distance'),
            ('halfvec', 'l1', '<+>', 'l1_distance', 'the sum of absolute differences')
        ) AS classes (type, metric, operator, distance, what)
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE FUNCTION usearch_%1$s_%2$s_info(internal) RETURNS internal
                AS ''MODULE_PATHNAME'', ''pgvector_%1$s_%2$s_info'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE',
            class.type, class.metric);
        EXECUTE pg_catalog.format(
            'CREATE OPERATOR CLASS %1$s_%2$s_ops FOR TYPE %6$s.%1$s USING usearch AS
                OPERATOR 1 %6$s.%3$s (%6$s.%1$s, %6$s.%1$s) FOR ORDER BY pg_catalog.float_ops,
                FUNCTION 1 %6$s.%4$s(%6$s.%1$s, %6$s.%1$s),
                FUNCTION 2 usearch_%1$s_%2$s_info(internal)',
            class.type, class.metric, class.operator, class.distance, class.what, pgvector);
        EXECUTE pg_catalog.format(
            'COMMENT ON OPERATOR CLASS %1$s_%2$s_ops USING usearch IS ''order by %3$s, %5$s''',
            class.type, class.metric, class.operator, class.distance, class.what);
        EXECUTE pg_catalog.format(
            'COMMENT ON FUNCTION usearch_%1$s_%2$s_info(internal) IS ''support function of usearch: %1$s, by %3$s''',
            class.type, class.metric, class.what);
    END LOOP;
END
$$;
