-- The access method as the catalogs describe it, and operator classes that are right or wrong.

SELECT opcname, amvalidate(o.oid), opcdefault, opcintype::regtype
FROM pg_opclass o JOIN pg_am a ON a.oid = opcmethod WHERE opcintype = 'bitvec'::regtype ORDER BY amname, opcname;

-- without writing anything, so that it works on a standby, too
BEGIN;
SELECT count(*) AS valid FROM pg_opclass WHERE opcintype = 'bitvec'::regtype AND amvalidate(oid);
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;

SELECT amname, amtype, obj_description(oid, 'pg_am') FROM pg_am WHERE amname = 'usearch';

SELECT opfname, amoplefttype::regtype, amoprighttype::regtype, amopstrategy, amoppurpose, amopopr::regoperator,
       (SELECT opfname FROM pg_opfamily s WHERE s.oid = amopsortfamily) AS sort
FROM pg_amop JOIN pg_opfamily f ON f.oid = amopfamily WHERE amopmethod = (SELECT oid FROM pg_am WHERE amname = 'usearch')
ORDER BY opfname, amopstrategy;
SELECT opfname, amproclefttype::regtype, amprocnum, amproc
FROM pg_amproc JOIN pg_opfamily f ON f.oid = amprocfamily WHERE opfmethod = (SELECT oid FROM pg_am WHERE amname = 'usearch')
ORDER BY opfname, amprocnum;

SELECT p, pg_indexam_has_property(a.oid, p)
FROM pg_am a, unnest(ARRAY['can_order', 'can_unique', 'can_multi_col', 'can_exclude', 'can_include']) AS p
WHERE amname = 'usearch';
CREATE TABLE t (code bitvec(64));
CREATE INDEX t_code ON t USING usearch (code);
SELECT p, pg_index_has_property('t_code'::regclass, p)
FROM unnest(ARRAY['clusterable', 'index_scan', 'bitmap_scan', 'backward_scan']) AS p;
SELECT p, pg_index_column_has_property('t_code'::regclass, 1, p)
FROM unnest(ARRAY['asc', 'desc', 'nulls_first', 'nulls_last', 'orderable', 'returnable', 'search_array', 'search_nulls']) AS p;
DROP INDEX t_code;

-- Is an operator class valid?
CREATE FUNCTION valid(name text) RETURNS boolean LANGUAGE sql AS
$$SELECT amvalidate(o.oid) FROM pg_opclass o JOIN pg_am a ON a.oid = opcmethod WHERE opcname = name AND amname = 'usearch'$$;
\set SHOW_CONTEXT never

-- a copy of ours
CREATE OPERATOR CLASS copied_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 1 nphd_distance(bitvec, bitvec);
SELECT valid('copied_ops');
CREATE INDEX t_code ON t USING usearch (code copied_ops);
INSERT INTO t VALUES ('ff'), ('00');
SELECT metric, entries FROM usearch_index_stats('t_code');
SELECT * FROM usearch_check('t_code', true);
DROP INDEX t_code;

-- no operator
CREATE OPERATOR CLASS no_operator_ops FOR TYPE bitvec USING usearch AS FUNCTION 1 nphd_distance(bitvec, bitvec);
SELECT valid('no_operator_ops');

-- no function
CREATE OPERATOR CLASS no_function_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops;
SELECT valid('no_function_ops');

-- nothing
CREATE OPERATOR CLASS empty_ops FOR TYPE bitvec USING usearch AS STORAGE bitvec;
SELECT valid('empty_ops');

-- a distance that usearch does not know
SET client_min_messages = error;
CREATE FUNCTION my_distance(bitvec, bitvec) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT RETURN $1 <~> $2;
CREATE OPERATOR CLASS unknown_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 1 my_distance(bitvec, bitvec);
SELECT valid('unknown_ops');
CREATE INDEX ON t USING usearch (code unknown_ops);

-- another distance than the operator's
CREATE OPERATOR CLASS crossed_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 1 jaccard_distance(bitvec, bitvec);
SELECT valid('crossed_ops');
CREATE OPERATOR CLASS integer_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <#~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 1 hamming_distance(bitvec, bitvec);
SELECT valid('integer_ops');

-- another type
CREATE OPERATOR CLASS bytes_ops FOR TYPE bytea USING usearch AS FUNCTION 1 (bytea, bytea) nphd_distance(bitvec, bitvec);
SELECT valid('bytes_ops');
RESET client_min_messages;

-- to search: within a radius, by NPHD, as strategy 2
CREATE OPERATOR CLASS searching_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops, OPERATOR 2 <@ (bitvec, bitvec_ball), FUNCTION 1 nphd_distance(bitvec, bitvec);
SELECT valid('searching_ops');
CREATE OPERATOR CLASS first_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <@ (bitvec, bitvec_ball), FUNCTION 1 nphd_distance(bitvec, bitvec);
SELECT valid('first_ops');
CREATE OPERATOR CLASS jaccard_ball_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <%> (bitvec, bitvec) FOR ORDER BY float_ops, OPERATOR 2 <@ (bitvec, bitvec_ball), FUNCTION 1 jaccard_distance(bitvec, bitvec);
SELECT valid('jaccard_ball_ops');
CREATE OPERATOR CLASS hamming_ball_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <#~> (bitvec, bitvec) FOR ORDER BY float_ops, OPERATOR 2 <@ (bitvec, bitvec_ball), FUNCTION 1 prefix_hamming_distance(bitvec, bitvec);
SELECT valid('hamming_ball_ops');
CREATE OPERATOR CLASS equal_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops, OPERATOR 2 =, FUNCTION 1 nphd_distance(bitvec, bitvec);
SELECT valid('equal_ops');
INSERT INTO t VALUES ('ff'), ('00');
CREATE INDEX t_code ON t USING usearch (code equal_ops);
SET enable_seqscan = off;
SELECT count(*) FROM t WHERE code = 'ff';
RESET enable_seqscan;
DROP INDEX t_code;

-- the numbers that there are
CREATE OPERATOR CLASS numbered_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 2 <~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 1 nphd_distance(bitvec, bitvec);
SELECT valid('numbered_ops');
CREATE INDEX t_code ON t USING usearch (code numbered_ops);
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT FROM t ORDER BY code <~> 'ff') AS s;
RESET enable_seqscan;
DROP INDEX t_code;
CREATE OPERATOR CLASS third_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 4 <~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 1 nphd_distance(bitvec, bitvec);
CREATE OPERATOR CLASS second_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 3 nphd_distance(bitvec, bitvec);

-- described by support function 2, whatever computes the distance
CREATE FUNCTION far(bitvec, bitvec) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT AS 'BEGIN RETURN nphd_distance($1, $2); END';
CREATE OPERATOR <~~> (LEFTARG = bitvec, RIGHTARG = bitvec, FUNCTION = far);
CREATE OPERATOR CLASS described_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 1 far(bitvec, bitvec), FUNCTION 2 bitvec_nphd_info(internal);
SELECT valid('described_ops');
CREATE INDEX t_code ON t USING usearch (code described_ops);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT code FROM t ORDER BY code <~~> 'fe' LIMIT 2;
SELECT code FROM t ORDER BY code <~~> 'fe' LIMIT 2;
RESET enable_seqscan;
SELECT metric FROM usearch_index_stats('t_code');
DROP INDEX t_code;

-- what is no description, or one of another type
CREATE OPERATOR CLASS undescribed_ops FOR TYPE bitvec USING usearch AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY float_ops, FUNCTION 1 nphd_distance(bitvec, bitvec), FUNCTION 2 hashtext(text);
SELECT valid('undescribed_ops');
CREATE INDEX ON t USING usearch (code undescribed_ops);
CREATE FUNCTION int4_distance(int4, int4) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT RETURN abs($1 - $2);
CREATE OPERATOR <~~> (LEFTARG = int4, RIGHTARG = int4, FUNCTION = int4_distance);
CREATE OPERATOR CLASS numbers_ops FOR TYPE int4 USING usearch AS
    OPERATOR 1 <~~> (int4, int4) FOR ORDER BY float_ops, FUNCTION 1 int4_distance(int4, int4), FUNCTION 2 bitvec_nphd_info(internal);
SELECT valid('numbers_ops');
CREATE TABLE numbers (n int4);
CREATE INDEX ON numbers USING usearch (n numbers_ops);
DROP TABLE numbers;

\set SHOW_CONTEXT errors
DROP TABLE t;
DROP FUNCTION valid, my_distance CASCADE;
DROP OPERATOR FAMILY described_ops USING usearch CASCADE;
DROP OPERATOR FAMILY undescribed_ops USING usearch CASCADE;
DROP OPERATOR FAMILY numbers_ops USING usearch CASCADE;
DROP OPERATOR <~~> (bitvec, bitvec), <~~> (int4, int4);
DROP FUNCTION far, int4_distance;
DROP OPERATOR FAMILY copied_ops USING usearch CASCADE;
DROP OPERATOR FAMILY no_operator_ops USING usearch CASCADE;
DROP OPERATOR FAMILY no_function_ops USING usearch CASCADE;
DROP OPERATOR FAMILY empty_ops USING usearch CASCADE;
DROP OPERATOR FAMILY unknown_ops USING usearch CASCADE;
DROP OPERATOR FAMILY crossed_ops USING usearch CASCADE;
DROP OPERATOR FAMILY bytes_ops USING usearch CASCADE;
DROP OPERATOR FAMILY searching_ops USING usearch CASCADE;
DROP OPERATOR FAMILY first_ops USING usearch CASCADE;
DROP OPERATOR FAMILY jaccard_ball_ops USING usearch CASCADE;
DROP OPERATOR FAMILY hamming_ball_ops USING usearch CASCADE;
DROP OPERATOR FAMILY integer_ops USING usearch CASCADE;
DROP OPERATOR FAMILY equal_ops USING usearch CASCADE;
DROP OPERATOR FAMILY numbered_ops USING usearch CASCADE;
SELECT count(*) FROM pg_opclass WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'usearch');

-- a distance function of ours declared for another type would take any bytes for codes
CREATE OPERATOR CLASS int4_ops FOR TYPE int4 USING usearch AS
    FUNCTION 1 (int4, int4) nphd_distance(bitvec, bitvec);
CREATE TABLE number (n int4);
CREATE INDEX ON number USING usearch (n int4_ops);
DROP TABLE number;
DROP OPERATOR FAMILY int4_ops USING usearch;
