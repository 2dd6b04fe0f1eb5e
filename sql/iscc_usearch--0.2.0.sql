-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION iscc_usearch" to load this file. \quit

-- The type

CREATE TYPE bitvec;

CREATE FUNCTION bitvec_in(cstring, oid, integer) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_out(bitvec) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_recv(internal, oid, integer) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_send(bitvec) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_typmod_in(cstring[]) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION bitvec_in(cstring, oid, integer) IS 'I/O';
COMMENT ON FUNCTION bitvec_out(bitvec) IS 'I/O';
COMMENT ON FUNCTION bitvec_recv(internal, oid, integer) IS 'I/O';
COMMENT ON FUNCTION bitvec_send(bitvec) IS 'I/O';
COMMENT ON FUNCTION bitvec_typmod_in(cstring[]) IS 'I/O typmod';

CREATE TYPE bitvec (
    INPUT = bitvec_in,
    OUTPUT = bitvec_out,
    RECEIVE = bitvec_recv,
    SEND = bitvec_send,
    TYPMOD_IN = bitvec_typmod_in,
    INTERNALLENGTH = VARIABLE,
    STORAGE = external,
    -- Beside bytea, with implicit casts both ways, the operators of bitvec are preferred.
    PREFERRED = true
);
COMMENT ON TYPE bitvec IS 'binary code of 8 to 32768 bits in whole bytes; bitvec(n) allows at most n bits';

-- Lengths and prefixes

CREATE FUNCTION length(bitvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_bit_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION length(bitvec) IS 'length in bits';

CREATE FUNCTION bit_length(bitvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_bit_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bit_length(bitvec) IS 'length in bits';

CREATE FUNCTION octet_length(bitvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_octet_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION octet_length(bitvec) IS 'length in bytes';

CREATE FUNCTION prefix(code bitvec, bits integer) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_prefix' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION prefix(bitvec, integer) IS
    'the first bits of a code, a positive multiple of 8; the whole code if it is not longer';

CREATE FUNCTION bitvec_concat(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_concat(bitvec, bitvec) IS 'implementation of || operator';
CREATE OPERATOR || (LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_concat);
COMMENT ON OPERATOR || (bitvec, bitvec) IS 'concatenate';

-- Casts

CREATE FUNCTION bitvec(bitvec, integer, boolean) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_enforce_typmod' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec(bitvec, integer, boolean) IS
    'checks the length of a code against a type modifier; error 22001 if it is too long';
CREATE FUNCTION bitvec(bytea) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec(bytea) IS 'the bytes as a code';
CREATE FUNCTION bitvec(bit varying) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_varbit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec(bit varying) IS 'the bits as a code; their number must be a multiple of 8';
CREATE FUNCTION bitvec(uuid) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec(uuid) IS 'the 128 bits of a uuid as a code';
CREATE FUNCTION varbit(bitvec) RETURNS bit varying
    AS 'MODULE_PATHNAME', 'bitvec_to_varbit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION varbit(bitvec) IS 'the bits of a code';
CREATE FUNCTION uuid(bitvec) RETURNS uuid
    AS 'MODULE_PATHNAME', 'bitvec_to_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION uuid(bitvec) IS 'a code of 128 bits as a uuid';

CREATE FUNCTION bitvec(bigint) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_int8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec(bigint) IS 'the 64 bits of a number as a code, most significant first';
CREATE FUNCTION int8(bitvec) RETURNS bigint
    AS 'MODULE_PATHNAME', 'bitvec_to_int8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION int8(bitvec) IS 'a code of 64 bits as a number';

CREATE CAST (bitvec AS bitvec) WITH FUNCTION bitvec(bitvec, integer, boolean) AS IMPLICIT;
CREATE CAST (bytea AS bitvec) WITH FUNCTION bitvec(bytea) AS IMPLICIT;
CREATE CAST (bitvec AS bytea) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (bit varying AS bitvec) WITH FUNCTION bitvec(bit varying) AS ASSIGNMENT;
CREATE CAST (bitvec AS bit varying) WITH FUNCTION varbit(bitvec) AS ASSIGNMENT;
CREATE CAST (bit AS bitvec) WITH FUNCTION bitvec(bit varying) AS ASSIGNMENT;
CREATE CAST (bitvec AS bit) WITH FUNCTION varbit(bitvec) AS ASSIGNMENT;
CREATE CAST (uuid AS bitvec) WITH FUNCTION bitvec(uuid) AS ASSIGNMENT;
CREATE CAST (bitvec AS uuid) WITH FUNCTION uuid(bitvec) AS ASSIGNMENT;
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

-- Order, equality, hashing

CREATE FUNCTION bitvec_lt(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_le(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_eq(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ne(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ge(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_gt(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_cmp(bitvec, bitvec) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_hash(bitvec) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_hash_extended(bitvec, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_lt(bitvec, bitvec) IS 'implementation of < operator';
COMMENT ON FUNCTION bitvec_le(bitvec, bitvec) IS 'implementation of <= operator';
COMMENT ON FUNCTION bitvec_eq(bitvec, bitvec) IS 'implementation of = operator';
COMMENT ON FUNCTION bitvec_ne(bitvec, bitvec) IS 'implementation of <> operator';
COMMENT ON FUNCTION bitvec_ge(bitvec, bitvec) IS 'implementation of >= operator';
COMMENT ON FUNCTION bitvec_gt(bitvec, bitvec) IS 'implementation of > operator';
COMMENT ON FUNCTION bitvec_cmp(bitvec, bitvec) IS 'less-equal-greater, bytewise';
COMMENT ON FUNCTION bitvec_hash(bitvec) IS 'hash';
COMMENT ON FUNCTION bitvec_hash_extended(bitvec, bigint) IS 'hash with seed';

CREATE OPERATOR < (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR <= (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR = (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR <> (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR >= (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR > (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = bitvec_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR < (bitvec, bitvec) IS 'less than, bytewise';
COMMENT ON OPERATOR <= (bitvec, bitvec) IS 'less than or equal, bytewise';
COMMENT ON OPERATOR = (bitvec, bitvec) IS 'equal: same length and same bits';
COMMENT ON OPERATOR <> (bitvec, bitvec) IS 'not equal';
COMMENT ON OPERATOR >= (bitvec, bitvec) IS 'greater than or equal, bytewise';
COMMENT ON OPERATOR > (bitvec, bitvec) IS 'greater than, bytewise';

CREATE OPERATOR CLASS bitvec_ops DEFAULT FOR TYPE bitvec USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 bitvec_cmp(bitvec, bitvec);
CREATE OPERATOR CLASS bitvec_ops DEFAULT FOR TYPE bitvec USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 bitvec_hash(bitvec),
    FUNCTION 2 bitvec_hash_extended(bitvec, bigint);
COMMENT ON OPERATOR CLASS bitvec_ops USING btree IS 'bytewise order of codes; a prefix sorts first';
COMMENT ON OPERATOR CLASS bitvec_ops USING hash IS 'equality of codes';

CREATE FUNCTION starts_with(code bitvec, start bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_starts_with' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION starts_with(bitvec, bitvec) IS 'true if the second code is a prefix of the first';
CREATE OPERATOR ^@ (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = starts_with,
    RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR ^@ (bitvec, bitvec) IS 'starts with';

CREATE FUNCTION prefixes(code bitvec, bits integer[]) RETURNS bitvec[]
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    -- DISTINCT of numbers, not of codes: pg_upgrade creates this function before the operator classes of bitvec.
    RETURN ARRAY(SELECT prefix(code, b)
                   FROM (SELECT DISTINCT b FROM pg_catalog.unnest(bits) AS b
                          WHERE b OPERATOR(pg_catalog.<=) length(code)) AS s
                  ORDER BY b);
COMMENT ON FUNCTION prefixes(bitvec, integer[]) IS 'the prefixes of a code with these lengths in bits';

-- Bits

CREATE FUNCTION get_bit(code bitvec, n integer) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_get_bit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION get_bit(bitvec, integer) IS 'a bit of a code, 0 or 1; bit 0, the first, is the most significant';
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
    'the code in which each bit is set if more than half of the codes that have this bit set it: the middle of a cluster';

-- Distances

CREATE FUNCTION nphd_distance(bitvec, bitvec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nphd_distance(bitvec, bitvec) IS
    'Normalized Prefix Hamming Distance: fraction of the bits of the common prefix that differ, 0 to 1';
CREATE FUNCTION jaccard_distance(bitvec, bitvec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION jaccard_distance(bitvec, bitvec) IS
    'Jaccard distance of the bits set in the common prefix, 0 to 1; 0 when none is set';
CREATE FUNCTION prefix_hamming_distance(bitvec, bitvec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION prefix_hamming_distance(bitvec, bitvec) IS
    'number of bits of the common prefix that differ, as double precision';
CREATE FUNCTION hamming_distance(bitvec, bitvec) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hamming_distance(bitvec, bitvec) IS
    'number of bits that differ between two codes of equal length; error 22000 for different lengths';

CREATE OPERATOR <~> (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = nphd_distance, COMMUTATOR = <~>
);
COMMENT ON OPERATOR <~> (bitvec, bitvec) IS 'Normalized Prefix Hamming Distance';
CREATE OPERATOR <%> (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = jaccard_distance, COMMUTATOR = <%>
);
COMMENT ON OPERATOR <%> (bitvec, bitvec) IS 'Jaccard distance';
CREATE OPERATOR <#~> (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = prefix_hamming_distance, COMMUTATOR = <#~>
);
COMMENT ON OPERATOR <#~> (bitvec, bitvec) IS 'number of bits of the common prefix that differ';

-- Within a radius

CREATE TYPE bitvec_ball;

CREATE FUNCTION bitvec_ball_in(cstring) RETURNS bitvec_ball
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_out(bitvec_ball) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_recv(internal) RETURNS bitvec_ball
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_send(bitvec_ball) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION bitvec_ball_in(cstring) IS 'I/O';
COMMENT ON FUNCTION bitvec_ball_out(bitvec_ball) IS 'I/O';
COMMENT ON FUNCTION bitvec_ball_recv(internal) IS 'I/O';
COMMENT ON FUNCTION bitvec_ball_send(bitvec_ball) IS 'I/O';

CREATE TYPE bitvec_ball (
    INPUT = bitvec_ball_in,
    OUTPUT = bitvec_ball_out,
    RECEIVE = bitvec_ball_recv,
    SEND = bitvec_ball_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = external
);
COMMENT ON TYPE bitvec_ball IS
    'a code and a radius: contains all codes whose Normalized Prefix Hamming Distance from the code is at most the radius';

CREATE FUNCTION nphd_ball(query bitvec, radius double precision) RETURNS bitvec_ball
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nphd_ball(bitvec, double precision) IS
    'the ball of this radius around a code; error 22023 unless the radius is 0 to 1';

CREATE FUNCTION nphd_within_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nphd_within_support(internal) IS 'planner support for nphd_within and nphd_within_unchecked';

CREATE FUNCTION nphd_within(code bitvec, query bitvec, radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    SUPPORT nphd_within_support;
COMMENT ON FUNCTION nphd_within(bitvec, bitvec, double precision) IS
    'true if the Normalized Prefix Hamming Distance of two codes is at most the radius; error 22023 unless the radius is 0 to 1; an index of bitvec_nphd_ops finds all such codes';

CREATE FUNCTION bitvec_in_ball(bitvec, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_contains(bitvec_ball, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_sel(internal, oid, internal, integer) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bitvec_ball_joinsel(internal, oid, internal, smallint, internal) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_in_ball(bitvec, bitvec_ball) IS 'implementation of <@ operator';
COMMENT ON FUNCTION bitvec_ball_contains(bitvec_ball, bitvec) IS 'implementation of @> operator';
COMMENT ON FUNCTION bitvec_ball_sel(internal, oid, internal, integer) IS 'restriction selectivity of <@ and @>';
COMMENT ON FUNCTION bitvec_ball_joinsel(internal, oid, internal, smallint, internal) IS
    'join selectivity of <@ and @>';

CREATE OPERATOR <@ (
    LEFTARG = bitvec, RIGHTARG = bitvec_ball, FUNCTION = bitvec_in_ball,
    COMMUTATOR = @>, RESTRICT = bitvec_ball_sel, JOIN = bitvec_ball_joinsel
);
CREATE OPERATOR @> (
    LEFTARG = bitvec_ball, RIGHTARG = bitvec, FUNCTION = bitvec_ball_contains,
    COMMUTATOR = <@, RESTRICT = bitvec_ball_sel, JOIN = bitvec_ball_joinsel
);
COMMENT ON OPERATOR <@ (bitvec, bitvec_ball) IS 'is within the ball';
COMMENT ON OPERATOR @> (bitvec_ball, bitvec) IS 'contains the code';

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
-- So that equality without an operator's name, as in IS DISTINCT FROM, works in a dump, which has no search path.
CREATE CAST (bitvec_ball AS bytea) WITHOUT FUNCTION AS IMPLICIT;
COMMENT ON CAST (bitvec_ball AS bytea) IS 'the bytes of radius and code, as they are in memory';
COMMENT ON OPERATOR CLASS bitvec_ball_ops USING btree IS 'order of balls, by code, then radius';
COMMENT ON OPERATOR CLASS bitvec_ball_ops USING hash IS 'equality of balls';

-- What the planner puts into statements: no error depends on a row's value.

CREATE FUNCTION nphd_radius(radius double precision) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nphd_radius(double precision) IS
    'internal: the radius; error 22023 unless it is 0 to 1';
CREATE FUNCTION nphd_ball_unchecked(query bitvec, radius double precision) RETURNS bitvec_ball
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION nphd_ball_unchecked(bitvec, double precision) IS
    'internal: like nphd_ball, for any radius; a negative radius contains nothing, one above 1 or NaN everything';
CREATE FUNCTION nphd_within_unchecked(code bitvec, query bitvec, radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT nphd_within_support;
COMMENT ON FUNCTION nphd_within_unchecked(bitvec, bitvec, double precision) IS
    'internal: what nphd_within becomes where row-level security hides rows; for any radius';
CREATE FUNCTION nphd_near_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nphd_near_support(internal) IS 'planner support for nphd_near';
CREATE FUNCTION nphd_near(code bitvec, query bitvec, radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'nphd_within_unchecked' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT nphd_near_support;
COMMENT ON FUNCTION nphd_near(bitvec, bitvec, double precision) IS
    'internal: what the planner puts beside a comparison of a distance so that an index serves it; for any radius';
CREATE OPERATOR <@~ (
    LEFTARG = bitvec, RIGHTARG = bitvec_ball, FUNCTION = bitvec_in_ball,
    RESTRICT = bitvec_ball_sel, JOIN = bitvec_ball_joinsel
);
COMMENT ON OPERATOR <@~ (bitvec, bitvec_ball) IS
    'like <@, but where a LIMIT bounds an ordered index search, that search may be approximate';

-- Within a number of bits

CREATE FUNCTION hamming_ball(query bitvec, bits integer) RETURNS bitvec_ball
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION hamming_ball(bitvec, integer) IS
    'internal: the ball around a code that contains all codes of its length that differ in at most this number of bits';
CREATE FUNCTION hamming_within_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hamming_within_support(internal) IS 'planner support for hamming_within';
CREATE FUNCTION hamming_within(code bitvec, query bitvec, bits integer) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT hamming_within_support;
COMMENT ON FUNCTION hamming_within(bitvec, bitvec, integer) IS
    'true if two codes have the same length and differ in at most this number of bits; an index of bitvec_nphd_ops finds all such codes';

-- The access method

CREATE FUNCTION usearch_handler(internal) RETURNS index_am_handler
    AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION usearch_handler(internal) IS 'usearch index access method handler';
CREATE ACCESS METHOD usearch TYPE INDEX HANDLER usearch_handler;
COMMENT ON ACCESS METHOD usearch IS 'sharded HNSW index for nearest-neighbour search';

CREATE OPERATOR CLASS bitvec_nphd_ops DEFAULT FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops,
    OPERATOR 2 <@ (bitvec, bitvec_ball) FOR SEARCH,
    FUNCTION 1 nphd_distance(bitvec, bitvec);
CREATE OPERATOR CLASS bitvec_jaccard_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <%> (bitvec, bitvec) FOR ORDER BY float_ops,
    FUNCTION 1 jaccard_distance(bitvec, bitvec);
CREATE OPERATOR CLASS bitvec_hamming_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <#~> (bitvec, bitvec) FOR ORDER BY float_ops,
    FUNCTION 1 prefix_hamming_distance(bitvec, bitvec);
ALTER OPERATOR FAMILY bitvec_nphd_ops USING usearch ADD OPERATOR 3 <@~ (bitvec, bitvec_ball) FOR SEARCH;
CREATE FUNCTION bitvec_nphd_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_nphd_info(internal) IS 'support function of usearch: bitvec, by the Normalized Prefix Hamming Distance';
ALTER OPERATOR FAMILY bitvec_nphd_ops USING usearch ADD FUNCTION 2 (bitvec, bitvec) bitvec_nphd_info(internal);
CREATE FUNCTION bitvec_jaccard_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_jaccard_info(internal) IS 'support function of usearch: bitvec, by the Jaccard distance';
ALTER OPERATOR FAMILY bitvec_jaccard_ops USING usearch ADD FUNCTION 2 (bitvec, bitvec) bitvec_jaccard_info(internal);
CREATE FUNCTION bitvec_hamming_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_hamming_info(internal) IS 'support function of usearch: bitvec, by the number of bits that differ';
ALTER OPERATOR FAMILY bitvec_hamming_ops USING usearch ADD FUNCTION 2 (bitvec, bitvec) bitvec_hamming_info(internal);
COMMENT ON OPERATOR CLASS bitvec_nphd_ops USING usearch IS 'order by <~>, the Normalized Prefix Hamming Distance; search by <@';
COMMENT ON OPERATOR CLASS bitvec_jaccard_ops USING usearch IS 'order by <%>, the Jaccard distance';
COMMENT ON OPERATOR CLASS bitvec_hamming_ops USING usearch IS 'order by <#~>, the number of bits that differ';

-- Sørensen-Dice distance

CREATE FUNCTION sorensen_distance(bitvec, bitvec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sorensen_distance(bitvec, bitvec) IS
    'Sørensen-Dice distance of the bits set in the common prefix, 0 to 1; 0 when none is set';
CREATE OPERATOR <%%> (
    LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = sorensen_distance, COMMUTATOR = <%%>
);
COMMENT ON OPERATOR <%%> (bitvec, bitvec) IS 'Sørensen-Dice distance';
CREATE FUNCTION bitvec_sorensen_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bitvec_sorensen_info(internal) IS
    'support function of usearch: bitvec, by the Sørensen-Dice distance';
CREATE OPERATOR CLASS bitvec_sorensen_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <%%> (bitvec, bitvec) FOR ORDER BY float_ops,
    FUNCTION 1 sorensen_distance(bitvec, bitvec),
    FUNCTION 2 bitvec_sorensen_info(internal);
COMMENT ON OPERATOR CLASS bitvec_sorensen_ops USING usearch IS 'order by <%%>, the Sørensen-Dice distance';

-- Dense vectors: arrays of type real[] with one dimension, without NULLs, NaN or infinities

CREATE FUNCTION dense_within_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION dense_within_support(internal) IS 'planner support for l2_within and the like';
CREATE FUNCTION dense_ball_sel(internal, oid, internal, integer) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION dense_ball_sel(internal, oid, internal, integer) IS
    'restriction selectivity of <@ with balls of vectors';

CREATE FUNCTION real_l2_distance(real[], real[]) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_l2_distance(real[], real[]) IS
    'Euclidean distance; error 22000 for different numbers of dimensions';
CREATE OPERATOR <-> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = real_l2_distance, COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (real[], real[]) IS 'Euclidean distance';
CREATE FUNCTION real_l2_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION real_l2_info(internal) IS 'support function of usearch: real[], by the Euclidean distance';
CREATE TYPE real_l2_ball AS (center real[], radius double precision);
COMMENT ON TYPE real_l2_ball IS 'a vector and a radius, by the Euclidean distance';
CREATE FUNCTION l2_ball(center real[], radius double precision) RETURNS real_l2_ball
    AS 'MODULE_PATHNAME', 'dense_l2_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_ball(real[], double precision) IS
    'the vectors within a radius of one, by the Euclidean distance: 0 or greater; error 22023 for other radii';
CREATE FUNCTION l2_ball_unchecked(center real[], radius double precision) RETURNS real_l2_ball
    AS 'MODULE_PATHNAME', 'dense_l2_ball_unchecked' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_ball_unchecked(real[], double precision) IS
    'internal: like l2_ball, for any radius';
CREATE FUNCTION l2_within(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_l2_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION l2_within(real[], real[], double precision) IS
    'is vector <-> query, the Euclidean distance, at most radius (0 or greater)? Served completely by usearch indexes; error 22023 for other radii, 22000 for other dimensions';
CREATE FUNCTION l2_near(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_l2_near' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION l2_near(real[], real[], double precision) IS
    'internal: follows from vector <-> query <= radius, so that an index serves that';
CREATE FUNCTION real_in_l2_ball(real[], real_l2_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_in_l2_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_in_l2_ball(real[], real_l2_ball) IS 'implementation of <@ operator';
CREATE OPERATOR <@ (
    LEFTARG = real[], RIGHTARG = real_l2_ball, FUNCTION = real_in_l2_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@ (real[], real_l2_ball) IS 'is within the ball';
CREATE OPERATOR <@~ (
    LEFTARG = real[], RIGHTARG = real_l2_ball, FUNCTION = real_in_l2_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@~ (real[], real_l2_ball) IS
    'like <@, but where a LIMIT bounds an ordered index search, that search may be approximate';
CREATE OPERATOR CLASS real_l2_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <-> (real[], real[]) FOR ORDER BY float_ops,
    OPERATOR 2 <@ (real[], real_l2_ball) FOR SEARCH,
    OPERATOR 3 <@~ (real[], real_l2_ball) FOR SEARCH,
    FUNCTION 1 real_l2_distance(real[], real[]),
    FUNCTION 2 real_l2_info(internal);
COMMENT ON OPERATOR CLASS real_l2_ops USING usearch IS 'order by <->, the Euclidean distance; search by <@';

CREATE FUNCTION real_negative_inner_product(real[], real[]) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_negative_inner_product(real[], real[]) IS
    'inner product, negated, so that the nearest vectors have the greatest one; error 22000 for different numbers of dimensions';
CREATE OPERATOR <#> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = real_negative_inner_product, COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (real[], real[]) IS 'inner product, negated, so that the nearest vectors have the greatest one';
CREATE FUNCTION real_ip_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION real_ip_info(internal) IS 'support function of usearch: real[], by the negative inner product';
CREATE TYPE real_ip_ball AS (center real[], radius double precision);
COMMENT ON TYPE real_ip_ball IS 'a vector and a radius, by the negative inner product';
CREATE FUNCTION ip_ball(center real[], radius double precision) RETURNS real_ip_ball
    AS 'MODULE_PATHNAME', 'dense_ip_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ip_ball(real[], double precision) IS
    'the vectors within a radius of one, by the negative inner product: any number but NaN; for inner products of at least 0.8, -0.8; error 22023 for other radii';
CREATE FUNCTION ip_ball_unchecked(center real[], radius double precision) RETURNS real_ip_ball
    AS 'MODULE_PATHNAME', 'dense_ip_ball_unchecked' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ip_ball_unchecked(real[], double precision) IS
    'internal: like ip_ball, for any radius';
CREATE FUNCTION ip_within(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_ip_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION ip_within(real[], real[], double precision) IS
    'is vector <#> query, the negative inner product, at most radius (any number but NaN; for inner products of at least 0.8, -0.8)? Served completely by usearch indexes; error 22023 for other radii, 22000 for other dimensions';
CREATE FUNCTION ip_near(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_ip_near' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION ip_near(real[], real[], double precision) IS
    'internal: follows from vector <#> query <= radius, so that an index serves that';
CREATE FUNCTION real_in_ip_ball(real[], real_ip_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_in_ip_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_in_ip_ball(real[], real_ip_ball) IS 'implementation of <@ operator';
CREATE OPERATOR <@ (
    LEFTARG = real[], RIGHTARG = real_ip_ball, FUNCTION = real_in_ip_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@ (real[], real_ip_ball) IS 'is within the ball';
CREATE OPERATOR <@~ (
    LEFTARG = real[], RIGHTARG = real_ip_ball, FUNCTION = real_in_ip_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@~ (real[], real_ip_ball) IS
    'like <@, but where a LIMIT bounds an ordered index search, that search may be approximate';
CREATE OPERATOR CLASS real_ip_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <#> (real[], real[]) FOR ORDER BY float_ops,
    OPERATOR 2 <@ (real[], real_ip_ball) FOR SEARCH,
    OPERATOR 3 <@~ (real[], real_ip_ball) FOR SEARCH,
    FUNCTION 1 real_negative_inner_product(real[], real[]),
    FUNCTION 2 real_ip_info(internal);
COMMENT ON OPERATOR CLASS real_ip_ops USING usearch IS 'order by <#>, the negative inner product; search by <@';

CREATE FUNCTION real_cosine_distance(real[], real[]) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_cosine_distance(real[], real[]) IS
    'cosine distance: 1 minus the cosine of the angle, 0 to 2; NaN if a vector is all zeros; error 22000 for different numbers of dimensions';
CREATE OPERATOR <=> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = real_cosine_distance, COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (real[], real[]) IS 'cosine distance: 1 minus the cosine of the angle, 0 to 2';
CREATE FUNCTION real_cosine_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION real_cosine_info(internal) IS 'support function of usearch: real[], by the cosine distance';
CREATE TYPE real_cosine_ball AS (center real[], radius double precision);
COMMENT ON TYPE real_cosine_ball IS 'a vector and a radius, by the cosine distance';
CREATE FUNCTION cosine_ball(center real[], radius double precision) RETURNS real_cosine_ball
    AS 'MODULE_PATHNAME', 'dense_cosine_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cosine_ball(real[], double precision) IS
    'the vectors within a radius of one, by the cosine distance: from 0 to 2, greater ones contain the same as 2; error 22023 for other radii';
CREATE FUNCTION cosine_ball_unchecked(center real[], radius double precision) RETURNS real_cosine_ball
    AS 'MODULE_PATHNAME', 'dense_cosine_ball_unchecked' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cosine_ball_unchecked(real[], double precision) IS
    'internal: like cosine_ball, for any radius';
CREATE FUNCTION cosine_within(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_cosine_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION cosine_within(real[], real[], double precision) IS
    'is vector <=> query, the cosine distance, at most radius (from 0 to 2, greater ones contain the same as 2)? Served completely by usearch indexes; error 22023 for other radii, 22000 for other dimensions';
CREATE FUNCTION cosine_near(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_cosine_near' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION cosine_near(real[], real[], double precision) IS
    'internal: follows from vector <=> query <= radius, so that an index serves that';
CREATE FUNCTION real_in_cosine_ball(real[], real_cosine_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_in_cosine_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_in_cosine_ball(real[], real_cosine_ball) IS 'implementation of <@ operator';
CREATE OPERATOR <@ (
    LEFTARG = real[], RIGHTARG = real_cosine_ball, FUNCTION = real_in_cosine_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@ (real[], real_cosine_ball) IS 'is within the ball';
CREATE OPERATOR <@~ (
    LEFTARG = real[], RIGHTARG = real_cosine_ball, FUNCTION = real_in_cosine_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@~ (real[], real_cosine_ball) IS
    'like <@, but where a LIMIT bounds an ordered index search, that search may be approximate';
CREATE OPERATOR CLASS real_cosine_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <=> (real[], real[]) FOR ORDER BY float_ops,
    OPERATOR 2 <@ (real[], real_cosine_ball) FOR SEARCH,
    OPERATOR 3 <@~ (real[], real_cosine_ball) FOR SEARCH,
    FUNCTION 1 real_cosine_distance(real[], real[]),
    FUNCTION 2 real_cosine_info(internal);
COMMENT ON OPERATOR CLASS real_cosine_ops USING usearch IS 'order by <=>, the cosine distance; search by <@';

CREATE FUNCTION real_l1_distance(real[], real[]) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_l1_distance(real[], real[]) IS
    'sum of the absolute differences; error 22000 for different numbers of dimensions';
CREATE OPERATOR <+> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = real_l1_distance, COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (real[], real[]) IS 'sum of the absolute differences';
CREATE FUNCTION real_l1_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION real_l1_info(internal) IS 'support function of usearch: real[], by the sum of absolute differences';
CREATE TYPE real_l1_ball AS (center real[], radius double precision);
COMMENT ON TYPE real_l1_ball IS 'a vector and a radius, by the sum of absolute differences';
CREATE FUNCTION l1_ball(center real[], radius double precision) RETURNS real_l1_ball
    AS 'MODULE_PATHNAME', 'dense_l1_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l1_ball(real[], double precision) IS
    'the vectors within a radius of one, by the sum of absolute differences: 0 or greater; error 22023 for other radii';
CREATE FUNCTION l1_ball_unchecked(center real[], radius double precision) RETURNS real_l1_ball
    AS 'MODULE_PATHNAME', 'dense_l1_ball_unchecked' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l1_ball_unchecked(real[], double precision) IS
    'internal: like l1_ball, for any radius';
CREATE FUNCTION l1_within(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_l1_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION l1_within(real[], real[], double precision) IS
    'is vector <+> query, the sum of absolute differences, at most radius (0 or greater)? Served completely by usearch indexes; error 22023 for other radii, 22000 for other dimensions';
CREATE FUNCTION l1_near(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_l1_near' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION l1_near(real[], real[], double precision) IS
    'internal: follows from vector <+> query <= radius, so that an index serves that';
CREATE FUNCTION real_in_l1_ball(real[], real_l1_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_in_l1_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_in_l1_ball(real[], real_l1_ball) IS 'implementation of <@ operator';
CREATE OPERATOR <@ (
    LEFTARG = real[], RIGHTARG = real_l1_ball, FUNCTION = real_in_l1_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@ (real[], real_l1_ball) IS 'is within the ball';
CREATE OPERATOR <@~ (
    LEFTARG = real[], RIGHTARG = real_l1_ball, FUNCTION = real_in_l1_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@~ (real[], real_l1_ball) IS
    'like <@, but where a LIMIT bounds an ordered index search, that search may be approximate';
CREATE OPERATOR CLASS real_l1_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <+> (real[], real[]) FOR ORDER BY float_ops,
    OPERATOR 2 <@ (real[], real_l1_ball) FOR SEARCH,
    OPERATOR 3 <@~ (real[], real_l1_ball) FOR SEARCH,
    FUNCTION 1 real_l1_distance(real[], real[]),
    FUNCTION 2 real_l1_info(internal);
COMMENT ON OPERATOR CLASS real_l1_ops USING usearch IS 'order by <+>, the sum of absolute differences; search by <@';

CREATE FUNCTION pearson_distance(real[], real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'real_pearson_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION pearson_distance(real[], real[]) IS
    '1 minus Pearson''s correlation, 0 to 2; NaN if the numbers of a vector are all the same; error 22000 for different numbers of dimensions';
CREATE OPERATOR <=~> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = pearson_distance, COMMUTATOR = <=~>
);
COMMENT ON OPERATOR <=~> (real[], real[]) IS '1 minus Pearson''s correlation';
CREATE FUNCTION real_pearson_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION real_pearson_info(internal) IS 'support function of usearch: real[], by the correlation distance';
CREATE TYPE real_pearson_ball AS (center real[], radius double precision);
COMMENT ON TYPE real_pearson_ball IS 'a vector and a radius, by the correlation distance';
CREATE FUNCTION pearson_ball(center real[], radius double precision) RETURNS real_pearson_ball
    AS 'MODULE_PATHNAME', 'dense_pearson_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION pearson_ball(real[], double precision) IS
    'the vectors within a radius of one, by the correlation distance: from 0 to 2, greater ones contain the same as 2; error 22023 for other radii';
CREATE FUNCTION pearson_ball_unchecked(center real[], radius double precision) RETURNS real_pearson_ball
    AS 'MODULE_PATHNAME', 'dense_pearson_ball_unchecked' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION pearson_ball_unchecked(real[], double precision) IS
    'internal: like pearson_ball, for any radius';
CREATE FUNCTION pearson_within(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_pearson_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION pearson_within(real[], real[], double precision) IS
    'is vector <=~> query, the correlation distance, at most radius (from 0 to 2, greater ones contain the same as 2)? Served completely by usearch indexes; error 22023 for other radii, 22000 for other dimensions';
CREATE FUNCTION pearson_near(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_pearson_near' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION pearson_near(real[], real[], double precision) IS
    'internal: follows from vector <=~> query <= radius, so that an index serves that';
CREATE FUNCTION real_in_pearson_ball(real[], real_pearson_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_in_pearson_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_in_pearson_ball(real[], real_pearson_ball) IS 'implementation of <@ operator';
CREATE OPERATOR <@ (
    LEFTARG = real[], RIGHTARG = real_pearson_ball, FUNCTION = real_in_pearson_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@ (real[], real_pearson_ball) IS 'is within the ball';
CREATE OPERATOR <@~ (
    LEFTARG = real[], RIGHTARG = real_pearson_ball, FUNCTION = real_in_pearson_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@~ (real[], real_pearson_ball) IS
    'like <@, but where a LIMIT bounds an ordered index search, that search may be approximate';
CREATE OPERATOR CLASS real_pearson_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <=~> (real[], real[]) FOR ORDER BY float_ops,
    OPERATOR 2 <@ (real[], real_pearson_ball) FOR SEARCH,
    OPERATOR 3 <@~ (real[], real_pearson_ball) FOR SEARCH,
    FUNCTION 1 pearson_distance(real[], real[]),
    FUNCTION 2 real_pearson_info(internal);
COMMENT ON OPERATOR CLASS real_pearson_ops USING usearch IS 'order by <=~>, the correlation distance; search by <@';

CREATE FUNCTION jensen_shannon_distance(real[], real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'real_jensen_shannon_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300;
COMMENT ON FUNCTION jensen_shannon_distance(real[], real[]) IS
    'Jensen-Shannon divergence of two vectors of weights, in nats: 0 to ln(2) if each has the sum 1; error 22023 for negative weights, 22000 for different numbers of dimensions';
CREATE OPERATOR <||> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = jensen_shannon_distance, COMMUTATOR = <||>
);
COMMENT ON OPERATOR <||> (real[], real[]) IS 'Jensen-Shannon divergence';
CREATE FUNCTION real_jensen_shannon_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION real_jensen_shannon_info(internal) IS 'support function of usearch: real[], by the Jensen-Shannon divergence';
CREATE TYPE real_jensen_shannon_ball AS (center real[], radius double precision);
COMMENT ON TYPE real_jensen_shannon_ball IS 'a vector and a radius, by the Jensen-Shannon divergence';
CREATE FUNCTION jensen_shannon_ball(center real[], radius double precision) RETURNS real_jensen_shannon_ball
    AS 'MODULE_PATHNAME', 'dense_jensen_shannon_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION jensen_shannon_ball(real[], double precision) IS
    'the vectors within a radius of one, by the Jensen-Shannon divergence: 0 or greater; error 22023 for other radii';
CREATE FUNCTION jensen_shannon_ball_unchecked(center real[], radius double precision) RETURNS real_jensen_shannon_ball
    AS 'MODULE_PATHNAME', 'dense_jensen_shannon_ball_unchecked' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION jensen_shannon_ball_unchecked(real[], double precision) IS
    'internal: like jensen_shannon_ball, for any radius';
CREATE FUNCTION jensen_shannon_within(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_jensen_shannon_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300
    SUPPORT dense_within_support;
COMMENT ON FUNCTION jensen_shannon_within(real[], real[], double precision) IS
    'is vector <||> query, the Jensen-Shannon divergence, at most radius (0 or greater)? Served completely by usearch indexes; error 22023 for other radii, 22000 for other dimensions';
CREATE FUNCTION jensen_shannon_near(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_jensen_shannon_near' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300
    SUPPORT dense_within_support;
COMMENT ON FUNCTION jensen_shannon_near(real[], real[], double precision) IS
    'internal: follows from vector <||> query <= radius, so that an index serves that';
CREATE FUNCTION real_in_jensen_shannon_ball(real[], real_jensen_shannon_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_in_jensen_shannon_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300;
COMMENT ON FUNCTION real_in_jensen_shannon_ball(real[], real_jensen_shannon_ball) IS 'implementation of <@ operator';
CREATE OPERATOR <@ (
    LEFTARG = real[], RIGHTARG = real_jensen_shannon_ball, FUNCTION = real_in_jensen_shannon_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@ (real[], real_jensen_shannon_ball) IS 'is within the ball';
CREATE OPERATOR <@~ (
    LEFTARG = real[], RIGHTARG = real_jensen_shannon_ball, FUNCTION = real_in_jensen_shannon_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@~ (real[], real_jensen_shannon_ball) IS
    'like <@, but where a LIMIT bounds an ordered index search, that search may be approximate';
CREATE OPERATOR CLASS real_jensen_shannon_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <||> (real[], real[]) FOR ORDER BY float_ops,
    OPERATOR 2 <@ (real[], real_jensen_shannon_ball) FOR SEARCH,
    OPERATOR 3 <@~ (real[], real_jensen_shannon_ball) FOR SEARCH,
    FUNCTION 1 jensen_shannon_distance(real[], real[]),
    FUNCTION 2 real_jensen_shannon_info(internal);
COMMENT ON OPERATOR CLASS real_jensen_shannon_ops USING usearch IS 'order by <||>, the Jensen-Shannon divergence; search by <@';

CREATE FUNCTION haversine_distance(real[], real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'real_haversine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION haversine_distance(real[], real[]) IS
    'angle between two points on a sphere, in radians; a point is its latitude and longitude, in degrees; error 22023 for other numbers of elements';
CREATE OPERATOR <^> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = haversine_distance, COMMUTATOR = <^>
);
COMMENT ON OPERATOR <^> (real[], real[]) IS 'angle between points on a sphere, in radians';
CREATE FUNCTION real_haversine_info(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION real_haversine_info(internal) IS 'support function of usearch: real[], by the angle between points on a sphere';
CREATE TYPE real_haversine_ball AS (center real[], radius double precision);
COMMENT ON TYPE real_haversine_ball IS 'a vector and a radius, by the angle between points on a sphere';
CREATE FUNCTION haversine_ball(center real[], radius double precision) RETURNS real_haversine_ball
    AS 'MODULE_PATHNAME', 'dense_haversine_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION haversine_ball(real[], double precision) IS
    'the vectors within a radius of one, by the angle between points on a sphere: 0 or greater, in radians; error 22023 for other radii';
CREATE FUNCTION haversine_ball_unchecked(center real[], radius double precision) RETURNS real_haversine_ball
    AS 'MODULE_PATHNAME', 'dense_haversine_ball_unchecked' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION haversine_ball_unchecked(real[], double precision) IS
    'internal: like haversine_ball, for any radius';
CREATE FUNCTION haversine_within(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_haversine_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION haversine_within(real[], real[], double precision) IS
    'is vector <^> query, the angle between points on a sphere, at most radius (0 or greater, in radians)? Served completely by usearch indexes; error 22023 for other radii, 22000 for other dimensions';
CREATE FUNCTION haversine_near(vector real[], query real[], radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_haversine_near' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
    SUPPORT dense_within_support;
COMMENT ON FUNCTION haversine_near(real[], real[], double precision) IS
    'internal: follows from vector <^> query <= radius, so that an index serves that';
CREATE FUNCTION real_in_haversine_ball(real[], real_haversine_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dense_in_haversine_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION real_in_haversine_ball(real[], real_haversine_ball) IS 'implementation of <@ operator';
CREATE OPERATOR <@ (
    LEFTARG = real[], RIGHTARG = real_haversine_ball, FUNCTION = real_in_haversine_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@ (real[], real_haversine_ball) IS 'is within the ball';
CREATE OPERATOR <@~ (
    LEFTARG = real[], RIGHTARG = real_haversine_ball, FUNCTION = real_in_haversine_ball,
    RESTRICT = dense_ball_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR <@~ (real[], real_haversine_ball) IS
    'like <@, but where a LIMIT bounds an ordered index search, that search may be approximate';
CREATE OPERATOR CLASS real_haversine_ops FOR TYPE real[] USING usearch AS
    OPERATOR 1 <^> (real[], real[]) FOR ORDER BY float_ops,
    OPERATOR 2 <@ (real[], real_haversine_ball) FOR SEARCH,
    OPERATOR 3 <@~ (real[], real_haversine_ball) FOR SEARCH,
    FUNCTION 1 haversine_distance(real[], real[]),
    FUNCTION 2 real_haversine_info(internal);
COMMENT ON OPERATOR CLASS real_haversine_ops USING usearch IS 'order by <^>, the angle between points on a sphere; search by <@';

-- Functions for operators

CREATE FUNCTION usearch_seal(index regclass) RETURNS bigint
    AS 'MODULE_PATHNAME', 'usearch_seal_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION usearch_seal(regclass) IS
    'builds shards from the tail of a usearch index and rebuilds those whose files are lost or damaged; returns the number of entries in them; for the owner';

CREATE FUNCTION usearch_compact(
    index regclass,
    OUT shards_built integer, OUT entries_built bigint, OUT entries_removed bigint, OUT bytes_freed bigint
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'usearch_compact_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    ROWS 1;
COMMENT ON FUNCTION usearch_compact(regclass) IS
    'merges all shards of a usearch index into as few as shard_size allows, without dead entries, whose space in the log is reused; for the owner';

CREATE FUNCTION usearch_sweep() RETURNS integer
    AS 'MODULE_PATHNAME', 'usearch_sweep_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION usearch_sweep() IS 'removes shard files that no index lists; returns the number of files removed';
REVOKE EXECUTE ON FUNCTION usearch_sweep() FROM PUBLIC;

CREATE FUNCTION usearch_index_stats(
    index regclass,
    OUT entries bigint, OUT dead_entries bigint, OUT null_entries bigint, OUT tail_entries bigint,
    OUT segments integer, OUT shards integer, OUT distinct_codes bigint,
    OUT index_bytes bigint, OUT shard_bytes bigint,
    OUT metric text, OUT m integer, OUT ef_construction integer, OUT shard_size bigint,
    OUT max_bits integer, OUT format_version integer,
    OUT dead_share double precision, OUT code_bits jsonb, OUT total_bytes bigint, OUT free_bytes bigint,
    OUT dimensions integer, OUT rows text
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'usearch_index_stats_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    ROWS 1;
COMMENT ON FUNCTION usearch_index_stats(regclass) IS
    'one row about a usearch index, whose log it reads; dead entries are those that VACUUM has marked, dead_share is their fraction of the entries with a code, code_bits the number of live entries by length in bits, free_bytes the space that the log will reuse; distinct codes are as of when shards were built; dimensions are those of the vectors, or the bits that the type of a code allows; rows is the storage parameter, or bits for codes; for the owner, members of pg_read_all_stats, and whoever may SELECT from the table and is not subject to row-level security';

CREATE FUNCTION usearch_shards(
    index regclass,
    OUT shard_id uuid, OUT file text, OUT state text, OUT bytes bigint, OUT nodes bigint,
    OUT entries bigint, OUT dead bigint, OUT blocks bigint, OUT built_at timestamptz,
    OUT level smallint, OUT dead_share double precision, OUT calibration jsonb,
    OUT metric text, OUT dimensions integer, OUT rows text
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'usearch_shards_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    ROWS 10;
COMMENT ON FUNCTION usearch_shards(regclass) IS
    'one row per shard of a usearch index; state is ok, missing, damaged or refused (a distance function has failed); entries are those with a code; dead and dead_share are as of the last VACUUM; level is the maximum number of times that its entries were built into a shard before; calibration is the recall of the ten nearest by effort, measured when the shard was built, by length of the query and distance of the tenth code; rows is what the shard keeps of each value: i8, f16 or f32 numbers of a vector, or the bits of a code; dimensions is how many, at most; for the owner, members of pg_read_all_stats, and whoever may SELECT from the table and is not subject to row-level security';

CREATE FUNCTION usearch_index_summary(
    index regclass,
    OUT log_bytes bigint, OUT shard_bytes bigint, OUT shards integer, OUT unusable_shards integer,
    OUT entries bigint, OUT tail_entries bigint, OUT dead_share double precision,
    OUT last_seal timestamptz, OUT worker_state text
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'usearch_index_summary_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    ROWS 1;
COMMENT ON FUNCTION usearch_index_summary(regclass) IS
    'internal: a row of the view usearch_indexes; none where the current user may not know it, or the index cannot be read now';

-- Arguments have the exact types, and operators are qualified, so that nobody else's is bound.
CREATE VIEW usearch_indexes AS
    SELECT n.nspname AS schemaname, t.relname, c.relname AS indexrelname, i.indrelid AS relid, i.indexrelid,
           s.log_bytes, s.shard_bytes, s.shards, s.unusable_shards, s.entries, s.tail_entries, s.dead_share,
           s.last_seal, s.worker_state
      FROM pg_catalog.pg_index AS i
      JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
      JOIN pg_catalog.pg_class AS t ON t.oid OPERATOR(pg_catalog.=) i.indrelid
      JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      JOIN pg_catalog.pg_am AS a ON a.oid OPERATOR(pg_catalog.=) c.relam
      -- An index that is only being created has nothing to read yet.
      LEFT JOIN LATERAL usearch_index_summary(CASE WHEN i.indisready THEN i.indexrelid::pg_catalog.regclass END) AS s ON true
     WHERE a.amname OPERATOR(pg_catalog.=) 'usearch'::pg_catalog.name
       AND c.relkind OPERATOR(pg_catalog.=) 'i'::pg_catalog."char";
GRANT SELECT ON usearch_indexes TO PUBLIC;
COMMENT ON VIEW usearch_indexes IS
    'one row per usearch index of this database, for monitoring: reads no log, takes no lock that others wait for; numbers are NULL where the current user may not call usearch_index_stats, and for indexes that are damaged, exclusively locked, or not readable here';
COMMENT ON COLUMN usearch_indexes.log_bytes IS 'size of the index relation';
COMMENT ON COLUMN usearch_indexes.shard_bytes IS 'size of the shard files';
COMMENT ON COLUMN usearch_indexes.shards IS 'number of shards';
COMMENT ON COLUMN usearch_indexes.unusable_shards IS
    'shards whose file is missing or damaged, or whose distance function has failed: searches compare all their entries';
COMMENT ON COLUMN usearch_indexes.entries IS 'entries of the log, with dead ones and NULLs';
COMMENT ON COLUMN usearch_indexes.tail_entries IS 'entries that are in no shard yet: searches compare all of them';
COMMENT ON COLUMN usearch_indexes.dead_share IS 'fraction of the entries that VACUUM has marked dead, as of its last run';
COMMENT ON COLUMN usearch_indexes.last_seal IS 'when the newest shard was built; NULL without a usable shard';
COMMENT ON COLUMN usearch_indexes.worker_state IS
    'working: somebody seals, merges or compacts this index now; waiting: that is due, and the background worker is busy elsewhere; due: that is due, and no worker runs; idle: nothing is due';

CREATE FUNCTION usearch_get_progress(
    OUT pid integer, OUT datid oid, OUT indexrelid oid, OUT command text, OUT phase text,
    OUT done bigint, OUT total bigint
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'usearch_get_progress_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
    ROWS 10;
COMMENT ON FUNCTION usearch_get_progress() IS 'internal: the rows of the view usearch_progress';

CREATE VIEW usearch_progress AS
    SELECT p.pid, p.datid, d.datname, p.indexrelid, c.relname AS indexrelname, p.command, p.phase, p.done, p.total
      FROM usearch_get_progress() AS p
      LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) p.datid
      LEFT JOIN pg_catalog.pg_class AS c
        ON c.oid OPERATOR(pg_catalog.=) p.indexrelid AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database();
GRANT SELECT ON usearch_progress TO PUBLIC;
COMMENT ON VIEW usearch_progress IS
    'one row per process of the server that seals, rebuilds, merges or compacts shards, but for CREATE INDEX and VACUUM, which pg_stat_progress_create_index and pg_stat_progress_vacuum show; what the processes of other users do is for members of pg_read_all_stats';
COMMENT ON COLUMN usearch_progress.indexrelname IS 'name of the index, if it is in this database';
COMMENT ON COLUMN usearch_progress.command IS 'sealing, rebuilding, merging or compacting';
COMMENT ON COLUMN usearch_progress.phase IS 'moving entries, reading the log, building the graph, or writing the file';
COMMENT ON COLUMN usearch_progress.done IS
    'how much is done of total: pages while entries are moved, entries while the log is read, distinct values while the graph is built';
COMMENT ON COLUMN usearch_progress.total IS 'how much there is to do in this phase; NULL before a graph is begun, and while a file is written';

CREATE FUNCTION usearch_total_size(index regclass) RETURNS bigint
    AS 'MODULE_PATHNAME', 'usearch_total_size_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION usearch_total_size(regclass) IS
    'bytes of a usearch index: all forks of the relation and its shard files; for the owner, members of pg_read_all_stats, and whoever may SELECT from the table';

CREATE FUNCTION usearch_prewarm(index regclass) RETURNS bigint
    AS 'MODULE_PATHNAME', 'usearch_prewarm_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION usearch_prewarm(regclass) IS
    'loads the log of a usearch index into shared buffers and its shard files into the operating system''s cache; on a standby, builds missing shards first; returns the bytes read; for the owner and whoever may SELECT from the table';

-- No row if the index, k or sample is NULL; not STRICT, because queries and vectors may be NULL.
CREATE FUNCTION usearch_recall(
    index regclass, k integer DEFAULT 10, sample integer DEFAULT 100, queries bitvec[] DEFAULT NULL,
    vectors anyarray DEFAULT NULL::real[],
    OUT queries_run integer, OUT recall double precision, OUT min_recall double precision,
    OUT median_ms double precision, OUT p95_ms double precision, OUT exact_median_ms double precision
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'usearch_recall_wrapper' LANGUAGE C VOLATILE PARALLEL UNSAFE
    ROWS 1;
COMMENT ON FUNCTION usearch_recall(regclass, integer, integer, bitvec[], anyarray) IS
    'fraction of the exact k nearest that a usearch index finds at the current settings, and milliseconds per query, for these queries (of an index of dense vectors: these vectors, an array of their type, or for real[] an array whose rows they are) or for a sample of the values in the index; for the owner and whoever may SELECT from the table and is not subject to row-level security';

CREATE FUNCTION usearch_check(
    index regclass, heap boolean DEFAULT false, OUT part text, OUT problem text
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'usearch_check_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    ROWS 1;
COMMENT ON FUNCTION usearch_check(regclass, boolean) IS
    'problems of a usearch index, no rows if there are none; with heap, also checks against the table, which locks out writers; for the owner';

-- ISCCs: units, codes, sequences

CREATE FUNCTION iscc_normalize(iscc text) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_normalize(text) IS
    'the canonical form of an ISCC in any form; a sequence of units becomes the code that they form; error 22P02 if it is none';

CREATE FUNCTION iscc_is_valid(iscc text) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_is_valid(text) IS
    'true if the text is the canonical form of an ISCC unit, code or identifier; never an error';

CREATE FUNCTION iscc_decode(
    iscc text, OUT main_type text, OUT sub_type text, OUT version integer, OUT bits integer, OUT body bitvec
)
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_decode(text) IS 'header and body of an ISCC unit, code or identifier';

CREATE FUNCTION iscc_body(iscc text) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_body(text) IS 'the body of an ISCC unit, code or identifier';

CREATE FUNCTION iscc_unit_body(code text, unit_type text) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_unit_body(text, text) IS
    'the body of the first unit of a type, such as CONTENT_TEXT_V0, of an ISCC; NULL if it has none';

CREATE FUNCTION iscc_encode(unit_type text, body bitvec) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_encode(text, bitvec) IS 'the ISCC unit of a type, such as CONTENT_TEXT_V0, with a body';

CREATE FUNCTION iscc_decompose(
    code text, OUT unit_type text, OUT bits integer, OUT body bitvec, OUT unit text
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    ROWS 4;
COMMENT ON FUNCTION iscc_decompose(text) IS 'the units of an ISCC code, unit or sequence of units, in its order';

CREATE FUNCTION iscc_compose(units text[], wide boolean DEFAULT false) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_compose(text[], boolean) IS
    'the ISCC code of some units, in any order; with wide, of 128 bits each of Data- and Instance-Code if there are no others; error 22023 if they form none';

CREATE FUNCTION iscc_type(iscc text) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_type(text) IS 'the type of an ISCC, such as ISCC-TEXT-V0-MCDI or DATA-NONE-V0-256';

CREATE FUNCTION iscc_explain(iscc text) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_explain(text) IS 'the type of an ISCC and its body, or the time and hub of an ISCC-ID';

CREATE FUNCTION iscc_compare(
    a text, b text, OUT unit_type text, OUT similarity double precision, OUT bits integer
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    ROWS 4;
COMMENT ON FUNCTION iscc_compare(text, text) IS
    'for each type of which both ISCCs have a unit, the fraction of the common bits that are equal; Instance-Codes are equal, 1, or not, 0';

CREATE FUNCTION iscc_seq_encode(units text[]) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_seq_encode(text[]) IS 'ISCC units as an ISCC-SEQ: their bytes, one after the other';

CREATE FUNCTION iscc_seq_decode(sequence bytea) RETURNS text[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_seq_decode(bytea) IS 'the units of an ISCC-SEQ; error 22P03 if it is none';

-- ISCC-IDs and chunks

CREATE TYPE iscc_id;

CREATE FUNCTION iscc_id_in(cstring) RETURNS iscc_id
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_id_out(iscc_id) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_id_recv(internal) RETURNS iscc_id
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_id_send(iscc_id) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_id_in(cstring) IS 'I/O';
COMMENT ON FUNCTION iscc_id_out(iscc_id) IS 'I/O';
COMMENT ON FUNCTION iscc_id_recv(internal) IS 'I/O';
COMMENT ON FUNCTION iscc_id_send(iscc_id) IS 'I/O';

CREATE TYPE iscc_id (
    INPUT = iscc_id_in,
    OUTPUT = iscc_id_out,
    RECEIVE = iscc_id_recv,
    SEND = iscc_id_send,
    INTERNALLENGTH = 10,
    ALIGNMENT = char
);
COMMENT ON TYPE iscc_id IS 'ISCC-ID of version 1, 10 bytes: ordered by time, then hub, then realm';

CREATE FUNCTION iscc_id_lt(iscc_id, iscc_id) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION iscc_id_le(iscc_id, iscc_id) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION iscc_id_eq(iscc_id, iscc_id) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION iscc_id_ne(iscc_id, iscc_id) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION iscc_id_ge(iscc_id, iscc_id) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION iscc_id_gt(iscc_id, iscc_id) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION iscc_id_cmp(iscc_id, iscc_id) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION iscc_id_hash(iscc_id) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION iscc_id_hash_extended(iscc_id, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION iscc_id_lt(iscc_id, iscc_id) IS 'implementation of < operator';
COMMENT ON FUNCTION iscc_id_le(iscc_id, iscc_id) IS 'implementation of <= operator';
COMMENT ON FUNCTION iscc_id_eq(iscc_id, iscc_id) IS 'implementation of = operator';
COMMENT ON FUNCTION iscc_id_ne(iscc_id, iscc_id) IS 'implementation of <> operator';
COMMENT ON FUNCTION iscc_id_ge(iscc_id, iscc_id) IS 'implementation of >= operator';
COMMENT ON FUNCTION iscc_id_gt(iscc_id, iscc_id) IS 'implementation of > operator';
COMMENT ON FUNCTION iscc_id_cmp(iscc_id, iscc_id) IS 'less-equal-greater';
COMMENT ON FUNCTION iscc_id_hash(iscc_id) IS 'hash';
COMMENT ON FUNCTION iscc_id_hash_extended(iscc_id, bigint) IS 'hash with seed';

CREATE OPERATOR < (
    LEFTARG = iscc_id, RIGHTARG = iscc_id, FUNCTION = iscc_id_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR <= (
    LEFTARG = iscc_id, RIGHTARG = iscc_id, FUNCTION = iscc_id_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR = (
    LEFTARG = iscc_id, RIGHTARG = iscc_id, FUNCTION = iscc_id_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR <> (
    LEFTARG = iscc_id, RIGHTARG = iscc_id, FUNCTION = iscc_id_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR >= (
    LEFTARG = iscc_id, RIGHTARG = iscc_id, FUNCTION = iscc_id_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR > (
    LEFTARG = iscc_id, RIGHTARG = iscc_id, FUNCTION = iscc_id_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR < (iscc_id, iscc_id) IS 'less than, by time, then hub, then realm';
COMMENT ON OPERATOR <= (iscc_id, iscc_id) IS 'less than or equal, by time, then hub, then realm';
COMMENT ON OPERATOR = (iscc_id, iscc_id) IS 'equal';
COMMENT ON OPERATOR <> (iscc_id, iscc_id) IS 'not equal';
COMMENT ON OPERATOR >= (iscc_id, iscc_id) IS 'greater than or equal, by time, then hub, then realm';
COMMENT ON OPERATOR > (iscc_id, iscc_id) IS 'greater than, by time, then hub, then realm';

CREATE OPERATOR CLASS iscc_id_ops DEFAULT FOR TYPE iscc_id USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 iscc_id_cmp(iscc_id, iscc_id);
CREATE OPERATOR CLASS iscc_id_hash_ops DEFAULT FOR TYPE iscc_id USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 iscc_id_hash(iscc_id),
    FUNCTION 2 iscc_id_hash_extended(iscc_id, bigint);
COMMENT ON OPERATOR CLASS iscc_id_ops USING btree IS 'by time, then hub, then realm';
COMMENT ON OPERATOR CLASS iscc_id_hash_ops USING hash IS 'equality';
COMMENT ON OPERATOR FAMILY iscc_id_ops USING btree IS 'by time, then hub, then realm';
COMMENT ON OPERATOR FAMILY iscc_id_hash_ops USING hash IS 'equality';

CREATE FUNCTION iscc_id_smaller(iscc_id, iscc_id) RETURNS iscc_id
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_id_larger(iscc_id, iscc_id) RETURNS iscc_id
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_id_smaller(iscc_id, iscc_id) IS 'smaller of two';
COMMENT ON FUNCTION iscc_id_larger(iscc_id, iscc_id) IS 'larger of two';
CREATE AGGREGATE min(iscc_id) (
    SFUNC = iscc_id_smaller, STYPE = iscc_id, COMBINEFUNC = iscc_id_smaller, SORTOP = <, PARALLEL = SAFE
);
CREATE AGGREGATE max(iscc_id) (
    SFUNC = iscc_id_larger, STYPE = iscc_id, COMBINEFUNC = iscc_id_larger, SORTOP = >, PARALLEL = SAFE
);
COMMENT ON AGGREGATE min(iscc_id) IS 'earliest ISCC-ID';
COMMENT ON AGGREGATE max(iscc_id) IS 'latest ISCC-ID';

CREATE FUNCTION iscc_id(realm integer, "time" timestamptz, hub integer) RETURNS iscc_id
    AS 'MODULE_PATHNAME', 'iscc_id_make' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_id(integer, timestamptz, integer) IS
    'the ISCC-ID of a realm, 0 or 1, a time from 1970 to 2112 and a hub, 0 to 4095';
CREATE FUNCTION iscc_id(body bigint, realm integer) RETURNS iscc_id
    AS 'MODULE_PATHNAME', 'iscc_id_from_body' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_id(bigint, integer) IS 'the ISCC-ID with these 64 bits as its body, in a realm, 0 or 1';
CREATE FUNCTION int8(iscc_id) RETURNS bigint
    AS 'MODULE_PATHNAME', 'iscc_id_body' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION int8(iscc_id) IS
    'the 64 bits of an ISCC-ID''s body, without its realm; negative from 2041 on, so that the order is another then';
CREATE CAST (iscc_id AS bigint) WITH FUNCTION int8(iscc_id);
COMMENT ON CAST (iscc_id AS bigint) IS 'the 64 bits of the body, without the realm';

CREATE FUNCTION iscc_id_realm(id iscc_id) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_id_time(id iscc_id) RETURNS timestamptz
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_id_micros(id iscc_id) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_id_hub(id iscc_id) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_id_realm(iscc_id) IS 'the realm of an ISCC-ID: 0 or 1';
COMMENT ON FUNCTION iscc_id_time(iscc_id) IS 'the time of an ISCC-ID';
COMMENT ON FUNCTION iscc_id_micros(iscc_id) IS 'the time of an ISCC-ID in microseconds since 1970';
COMMENT ON FUNCTION iscc_id_hub(iscc_id) IS 'the hub of an ISCC-ID: 0 to 4095';

CREATE FUNCTION iscc_chunk(id iscc_id, "offset" bigint, size bigint) RETURNS uuid
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_chunk_id(chunk uuid, realm integer DEFAULT 0) RETURNS iscc_id
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_chunk_offset(chunk uuid) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_chunk_size(chunk uuid) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_chunk(iscc_id, bigint, bigint) IS
    'a part of what an ISCC-ID stands for: the body of the ISCC-ID, offset and size, which are 32 bits each, unsigned';
COMMENT ON FUNCTION iscc_chunk_id(uuid, integer) IS 'the ISCC-ID of a chunk, in a realm';
COMMENT ON FUNCTION iscc_chunk_offset(uuid) IS 'the offset of a chunk';
COMMENT ON FUNCTION iscc_chunk_size(uuid) IS 'the size of a chunk';

-- Simprints and scores

CREATE FUNCTION iscc_simprint(simprint text) RETURNS bitvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_simprint(text) IS 'the code of a simprint in base64url without padding';
CREATE FUNCTION iscc_simprint_text(code bitvec) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_simprint_text(bitvec) IS 'a code as a simprint in base64url without padding';

CREATE FUNCTION iscc_score_add(point, double precision) RETURNS point
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_score_combine(point, point) RETURNS point
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iscc_score_result(point) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_score_add(point, double precision) IS 'transition function of iscc_score';
COMMENT ON FUNCTION iscc_score_combine(point, point) IS 'combine function of iscc_score';
COMMENT ON FUNCTION iscc_score_result(point) IS 'final function of iscc_score';
CREATE AGGREGATE iscc_score(double precision) (
    SFUNC = iscc_score_add, STYPE = point, INITCOND = '(0,0)', COMBINEFUNC = iscc_score_combine,
    FINALFUNC = iscc_score_result, PARALLEL = SAFE
);
COMMENT ON AGGREGATE iscc_score(double precision) IS
    'the similarity of two assets from those of their units: the sum of the fourth powers, divided by the sum';

CREATE FUNCTION iscc_idf(total bigint, frequency bigint) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iscc_idf(bigint, bigint) IS
    'the weight of a simprint that occurs in so many of all assets: ln(1 + total / (1 + frequency))';

-- Fingerprints

CREATE FUNCTION iscc_gen_text(content text, bits integer DEFAULT 64) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 1000;
COMMENT ON FUNCTION iscc_gen_text(text, integer) IS 'the Text-Code of a text, 32 to 256 bits in steps of 32';
-- Not STRICT, because description and meta may be NULL.
CREATE FUNCTION iscc_gen_meta(
    name text, description text DEFAULT NULL, meta text DEFAULT NULL, bits integer DEFAULT 64
) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000;
COMMENT ON FUNCTION iscc_gen_meta(text, text, text, integer) IS
    'the Meta-Code of a name, a description, and metadata as JSON or data URL, 32 to 256 bits in steps of 32';
CREATE FUNCTION iscc_gen_data(data bytea, bits integer DEFAULT 64) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 1000;
COMMENT ON FUNCTION iscc_gen_data(bytea, integer) IS 'the Data-Code of some bytes, 32 to 256 bits in steps of 32';
CREATE FUNCTION iscc_gen_instance(data bytea, bits integer DEFAULT 64) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 1000;
COMMENT ON FUNCTION iscc_gen_instance(bytea, integer) IS
    'the Instance-Code of some bytes, 32 to 256 bits in steps of 32';
CREATE FUNCTION iscc_gen_mixed(codes text[], bits integer DEFAULT 64) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 1000;
COMMENT ON FUNCTION iscc_gen_mixed(text[], integer) IS
    'the Mixed-Code of two or more Content-Codes, 32 to 256 bits in steps of 32';

-- Files of iscc-usearch

CREATE FUNCTION usearch_import(path text, OUT key numeric, OUT uuid uuid, OUT code bitvec) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 10000 ROWS 1000000;
COMMENT ON FUNCTION usearch_import(text) IS
    'the entries of an index of iscc-usearch, which is a file or a directory of the server, an absolute path; 64-bit keys are in key, 128-bit keys in uuid; a code without bits is NULL; error XX001 for damaged files; for members of pg_read_server_files';
CREATE FUNCTION usearch_export(index regclass, key_column name, path text) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION usearch_export(regclass, name, text) IS
    'writes the rows of a usearch index that the current user can see as an index of iscc-usearch, to a new directory of the server, an absolute path; keys are bigint from 0, uuid or iscc_id, unique, and not all ones; returns the number of entries; for members of pg_write_server_files';
