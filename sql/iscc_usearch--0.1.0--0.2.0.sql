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

-- Codes and bytea

UPDATE pg_catalog.pg_type SET typispreferred = true
 WHERE oid OPERATOR(pg_catalog.=) 'bitvec'::pg_catalog.regtype::pg_catalog.oid;
DROP CAST (bytea AS bitvec);
DROP CAST (bitvec AS bytea);
CREATE CAST (bytea AS bitvec) WITH FUNCTION bitvec(bytea) AS IMPLICIT;
CREATE CAST (bitvec AS bytea) WITHOUT FUNCTION AS IMPLICIT;

-- Numbers

CREATE FUNCTION bitvec(bigint) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_int8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec(bigint) IS 'the 64 bits of a number as a code, most significant first';
CREATE FUNCTION int8(bitvec) RETURNS bigint
    AS 'MODULE_PATHNAME', 'bitvec_to_int8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION int8(bitvec) IS 'a code of 64 bits as a number';

CREATE CAST (bigint AS bitvec) WITH FUNCTION bitvec(bigint) AS ASSIGNMENT;
CREATE CAST (bitvec AS bigint) WITH FUNCTION int8(bitvec) AS ASSIGNMENT;
COMMENT ON CAST (bitvec AS bitvec) IS 'checks the length against a type modifier';
COMMENT ON CAST (bytea AS bitvec) IS 'the bytes as a code: parameters of type bytea are codes';
COMMENT ON CAST (bitvec AS bytea) IS 'the same bytes, so that functions on bytea take codes';
COMMENT ON CAST (bit varying AS bitvec) IS 'the bits as a code; whole bytes';
COMMENT ON CAST (bitvec AS bit varying) IS 'the bits of a code';
COMMENT ON CAST (bit AS bitvec) IS 'the bits as a code; whole bytes';
COMMENT ON CAST (bitvec AS bit) IS 'the bits of a code';
COMMENT ON CAST (uuid AS bitvec) IS 'the 128 bits of a uuid as a code';
COMMENT ON CAST (bitvec AS uuid) IS 'a code of 128 bits as a uuid';
COMMENT ON CAST (bigint AS bitvec) IS 'the 64 bits of a number as a code';
COMMENT ON CAST (bitvec AS bigint) IS 'a code of 64 bits as a number';
COMMENT ON OPERATOR CLASS bitvec_ops USING btree IS 'bytewise order of codes, a prefix first';
COMMENT ON OPERATOR CLASS bitvec_ops USING hash IS 'equality of codes';

-- A radius is 0 to 1: an error may tell of it, so that these are not leakproof.

ALTER FUNCTION nphd_ball(bitvec, double precision) NOT LEAKPROOF;
COMMENT ON FUNCTION nphd_ball(bitvec, double precision) IS
    'the ball of this radius, 0 to 1, around a code; error 22023 for another radius';
ALTER FUNCTION nphd_within(bitvec, bitvec, double precision) NOT LEAKPROOF;
COMMENT ON FUNCTION nphd_within(bitvec, bitvec, double precision) IS
    'true when the Normalized Prefix Hamming Distance of two codes is at most this, 0 to 1; an index of bitvec_nphd_ops finds all such codes; error 22023 for another radius';
COMMENT ON FUNCTION nphd_within_support(internal) IS 'planner support for nphd_within and nphd_within_unchecked';

-- Bits

CREATE FUNCTION get_bit(code bitvec, n integer) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_get_bit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION get_bit(bitvec, integer) IS 'a bit of a code, 0 or 1; the first, number 0, is the most significant';
CREATE FUNCTION bitvec_and(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_or(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_xor(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_not(bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_and(bitvec, bitvec) IS 'implementation of & operator';
COMMENT ON FUNCTION bitvec_or(bitvec, bitvec) IS 'implementation of | operator';
COMMENT ON FUNCTION bitvec_xor(bitvec, bitvec) IS 'implementation of # operator';
COMMENT ON FUNCTION bitvec_not(bitvec) IS 'implementation of ~ operator';
CREATE OPERATOR & (LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_and, COMMUTATOR = &);
CREATE OPERATOR | (LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_or, COMMUTATOR = |);
CREATE OPERATOR # (LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_xor, COMMUTATOR = #);
CREATE OPERATOR ~ (RIGHTARG = bitvec, FUNCTION = bitvec_not);
COMMENT ON OPERATOR & (bitvec, bitvec) IS 'bitwise and, of codes of equal length';
COMMENT ON OPERATOR | (bitvec, bitvec) IS 'bitwise or, of codes of equal length';
COMMENT ON OPERATOR # (bitvec, bitvec) IS 'bitwise exclusive or, of codes of equal length';
COMMENT ON OPERATOR ~ (NONE, bitvec) IS 'bitwise not';

-- Aggregates

CREATE FUNCTION bitvec_smaller(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_larger(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_smaller(bitvec, bitvec) IS 'smaller of two, bytewise';
COMMENT ON FUNCTION bitvec_larger(bitvec, bitvec) IS 'larger of two, bytewise';
CREATE AGGREGATE min(bitvec) (
    SFUNC = bitvec_smaller, STYPE = bitvec, COMBINEFUNC = bitvec_smaller, SORTOP = <, PARALLEL = SAFE
);
CREATE AGGREGATE max(bitvec) (
    SFUNC = bitvec_larger, STYPE = bitvec, COMBINEFUNC = bitvec_larger, SORTOP = >, PARALLEL = SAFE
);
COMMENT ON AGGREGATE min(bitvec) IS 'smallest code, bytewise';
COMMENT ON AGGREGATE max(bitvec) IS 'largest code, bytewise';

CREATE FUNCTION bitvec_majority_count(internal, bitvec) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION bitvec_majority_code(internal) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_majority_count(internal, bitvec) IS 'transition function of majority';
COMMENT ON FUNCTION bitvec_majority_code(internal) IS 'final function of majority';
CREATE AGGREGATE majority(bitvec) (
    SFUNC = bitvec_majority_count, STYPE = internal, FINALFUNC = bitvec_majority_code, PARALLEL = SAFE
);
COMMENT ON AGGREGATE majority(bitvec) IS
    'the code whose bits are set that more than half of the codes set which have them: the middle of a cluster';

-- Equality and order of balls

CREATE FUNCTION bitvec_ball_lt(bitvec_ball, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_le(bitvec_ball, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_eq(bitvec_ball, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_ne(bitvec_ball, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_ge(bitvec_ball, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_gt(bitvec_ball, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_cmp(bitvec_ball, bitvec_ball) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_hash(bitvec_ball) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_hash_extended(bitvec_ball, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_ball_lt(bitvec_ball, bitvec_ball) IS 'implementation of < operator';
COMMENT ON FUNCTION bitvec_ball_le(bitvec_ball, bitvec_ball) IS 'implementation of <= operator';
COMMENT ON FUNCTION bitvec_ball_eq(bitvec_ball, bitvec_ball) IS 'implementation of = operator';
COMMENT ON FUNCTION bitvec_ball_ne(bitvec_ball, bitvec_ball) IS 'implementation of <> operator';
COMMENT ON FUNCTION bitvec_ball_ge(bitvec_ball, bitvec_ball) IS 'implementation of >= operator';
COMMENT ON FUNCTION bitvec_ball_gt(bitvec_ball, bitvec_ball) IS 'implementation of > operator';
COMMENT ON FUNCTION bitvec_ball_cmp(bitvec_ball, bitvec_ball) IS 'less-equal-greater, by code, then radius';
COMMENT ON FUNCTION bitvec_ball_hash(bitvec_ball) IS 'hash';
COMMENT ON FUNCTION bitvec_ball_hash_extended(bitvec_ball, bigint) IS 'hash with seed';

CREATE OPERATOR < (
    LEFTARG = bitvec_ball, RIGHTARG = bitvec_ball, FUNCTION = bitvec_ball_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR <= (
    LEFTARG = bitvec_ball, RIGHTARG = bitvec_ball, FUNCTION = bitvec_ball_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR = (
    LEFTARG = bitvec_ball, RIGHTARG = bitvec_ball, FUNCTION = bitvec_ball_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR <> (
    LEFTARG = bitvec_ball, RIGHTARG = bitvec_ball, FUNCTION = bitvec_ball_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR >= (
    LEFTARG = bitvec_ball, RIGHTARG = bitvec_ball, FUNCTION = bitvec_ball_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR > (
    LEFTARG = bitvec_ball, RIGHTARG = bitvec_ball, FUNCTION = bitvec_ball_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR < (bitvec_ball, bitvec_ball) IS 'less than, by code, then radius';
COMMENT ON OPERATOR <= (bitvec_ball, bitvec_ball) IS 'less than or equal, by code, then radius';
COMMENT ON OPERATOR = (bitvec_ball, bitvec_ball) IS 'equal: same code and same radius';
COMMENT ON OPERATOR <> (bitvec_ball, bitvec_ball) IS 'not equal';
COMMENT ON OPERATOR >= (bitvec_ball, bitvec_ball) IS 'greater than or equal, by code, then radius';
COMMENT ON OPERATOR > (bitvec_ball, bitvec_ball) IS 'greater than, by code, then radius';

CREATE OPERATOR CLASS bitvec_ball_ops DEFAULT FOR TYPE bitvec_ball USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 bitvec_ball_cmp(bitvec_ball, bitvec_ball);
CREATE OPERATOR CLASS bitvec_ball_ops DEFAULT FOR TYPE bitvec_ball USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 bitvec_ball_hash(bitvec_ball),
    FUNCTION 2 bitvec_ball_hash_extended(bitvec_ball, bigint);
-- Where equality has no name, as in IS DISTINCT FROM, it is found in a dump, which has no search path, too.
CREATE CAST (bitvec_ball AS bytea) WITHOUT FUNCTION AS IMPLICIT;
COMMENT ON CAST (bitvec_ball AS bytea) IS 'the bytes of radius and code, as they are in memory';
COMMENT ON OPERATOR CLASS bitvec_ball_ops USING btree IS 'order of balls, by code, then radius';
COMMENT ON OPERATOR CLASS bitvec_ball_ops USING hash IS 'equality of balls';

-- What the planner puts into statements: no error depends on a row.

CREATE FUNCTION nphd_radius(radius double precision) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nphd_radius(double precision) IS
    'internal: the radius; error 22023 unless it is 0 to 1';
CREATE FUNCTION nphd_ball_unchecked(query bitvec, radius double precision) RETURNS bitvec_ball
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION nphd_ball_unchecked(bitvec, double precision) IS
    'internal: as nphd_ball, of any radius; nothing is within a negative one, everything within one above 1, or NaN';
CREATE FUNCTION nphd_within_unchecked(code bitvec, query bitvec, radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT nphd_within_support;
COMMENT ON FUNCTION nphd_within_unchecked(bitvec, bitvec, double precision) IS
    'internal: what nphd_within becomes where row-level security hides rows; any radius';
CREATE FUNCTION nphd_near_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nphd_near_support(internal) IS 'planner support for nphd_near';
CREATE FUNCTION nphd_near(code bitvec, query bitvec, radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'nphd_within_unchecked' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT nphd_near_support;
COMMENT ON FUNCTION nphd_near(bitvec, bitvec, double precision) IS
    'internal: what the planner puts beside a comparison of a distance, so that an index serves it; any radius';
CREATE OPERATOR <@~ (
    LEFTARG = bitvec, RIGHTARG = bitvec_ball, FUNCTION = bitvec_in_ball,
    RESTRICT = bitvec_ball_sel, JOIN = bitvec_ball_joinsel
);
COMMENT ON OPERATOR <@~ (bitvec, bitvec_ball) IS
    'as <@; where a LIMIT bounds an ordered search of an index, it may be approximate';

-- Within a number of bits

CREATE FUNCTION hamming_ball(query bitvec, bits integer) RETURNS bitvec_ball
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION hamming_ball(bitvec, integer) IS
    'internal: the ball around a code that has all codes of its length with at most so many different bits';
CREATE FUNCTION hamming_within_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hamming_within_support(internal) IS 'planner support for hamming_within';
CREATE FUNCTION hamming_within(code bitvec, query bitvec, bits integer) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT hamming_within_support;
COMMENT ON FUNCTION hamming_within(bitvec, bitvec, integer) IS
    'true when two codes have the same length and at most so many different bits; an index of bitvec_nphd_ops finds all such codes';

-- Number of different bits

CREATE FUNCTION prefix_hamming_distance(bitvec, bitvec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION prefix_hamming_distance(bitvec, bitvec) IS
    'number of different bits in the common prefix, as a double precision';
CREATE OPERATOR <#~> (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = prefix_hamming_distance, COMMUTATOR = <#~>
);
COMMENT ON OPERATOR <#~> (bitvec, bitvec) IS 'number of different bits in the common prefix';

-- The access method

CREATE OPERATOR CLASS bitvec_hamming_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <#~> (bitvec, bitvec) FOR ORDER BY float_ops,
    FUNCTION 1 prefix_hamming_distance(bitvec, bitvec);
ALTER OPERATOR FAMILY bitvec_nphd_ops USING usearch ADD OPERATOR 3 <@~ (bitvec, bitvec_ball) FOR SEARCH;
CREATE FUNCTION bitvec_nphd_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_nphd_info(internal) IS 'describes codes compared by the Normalized Prefix Hamming Distance to the access method usearch';
ALTER OPERATOR FAMILY bitvec_nphd_ops USING usearch ADD FUNCTION 2 (bitvec, bitvec) bitvec_nphd_info(internal);
CREATE FUNCTION bitvec_jaccard_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_jaccard_info(internal) IS 'describes codes compared by the Jaccard distance to the access method usearch';
ALTER OPERATOR FAMILY bitvec_jaccard_ops USING usearch ADD FUNCTION 2 (bitvec, bitvec) bitvec_jaccard_info(internal);
CREATE FUNCTION bitvec_hamming_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_hamming_info(internal) IS 'describes codes compared by the number of different bits to the access method usearch';
ALTER OPERATOR FAMILY bitvec_hamming_ops USING usearch ADD FUNCTION 2 (bitvec, bitvec) bitvec_hamming_info(internal);
COMMENT ON OPERATOR CLASS bitvec_nphd_ops USING usearch IS 'order by <~>, the Normalized Prefix Hamming Distance; search by <@';
COMMENT ON OPERATOR CLASS bitvec_jaccard_ops USING usearch IS 'order by <%>, the Jaccard distance';
COMMENT ON OPERATOR CLASS bitvec_hamming_ops USING usearch IS 'order by <#~>, the number of different bits';

COMMENT ON FUNCTION usearch_prewarm(regclass) IS
    'loads the log of a usearch index into shared buffers and its shard files into the cache of the operating system; on a standby builds those that are missing first; returns the bytes read; for the owner and those who may SELECT from the table';

-- Functions for operators: who may

COMMENT ON FUNCTION usearch_index_stats(regclass) IS
    'one row about a usearch index, whose log it reads; dead entries are those that VACUUM has marked, dead_share is of the entries with a code, code_bits the number of entries alive by length in bits, free_bytes those that the log will use again, distinct codes as of the seals; for the owner, members of pg_read_all_stats, and those who may SELECT from the table without row-level security';
COMMENT ON FUNCTION usearch_shards(regclass) IS
    'one row for each shard of a usearch index; state is ok, missing or damaged; entries are those with a code, dead and dead_share as of the last VACUUM; level is how often its entries were built into a shard before, at most; calibration has the recall of the ten nearest by effort, measured when the shard was built, by length of the query and distance of the tenth code; for the owner, members of pg_read_all_stats, and those who may SELECT from the table without row-level security';
COMMENT ON FUNCTION usearch_total_size(regclass) IS
    'bytes of a usearch index: all forks of the relation and its shard files; for the owner, members of pg_read_all_stats, and those who may SELECT from the table';
COMMENT ON FUNCTION usearch_recall(regclass, integer, integer, bitvec[]) IS
    'share of the exact k nearest that a usearch index finds at the present settings, and milliseconds for a query, for these queries or for a sample of the codes in the index; for the owner and those who may SELECT from the table without row-level security';
