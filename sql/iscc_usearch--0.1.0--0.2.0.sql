-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION iscc_usearch UPDATE TO '0.2.0'" to load this file. \quit

-- Names of the system's are qualified: nobody else's function is bound to.

CREATE OR REPLACE FUNCTION prefixes(code bitvec, bits integer[]) RETURNS bitvec[]
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    -- DISTINCT of numbers, not of codes: pg_upgrade makes this function before the operator classes of bitvec.
    RETURN ARRAY(SELECT prefix(code, b)
                   FROM (SELECT DISTINCT b FROM pg_catalog.unnest(bits) AS b
                          WHERE b OPERATOR(pg_catalog.<=) length(code)) AS s
                  ORDER BY b);
