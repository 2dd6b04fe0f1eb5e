-- The extension as a whole.

-- what it has
SELECT classid::regclass AS kind, count(*) FROM pg_depend
WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'iscc_usearch') AND deptype = 'e'
  AND classid IN ('pg_am'::regclass, 'pg_cast'::regclass, 'pg_opclass'::regclass, 'pg_operator'::regclass)
GROUP BY 1 ORDER BY classid::regclass::text COLLATE "C";
CREATE TEMP VIEW ours AS
SELECT p.* FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e'
WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'iscc_usearch');
SELECT oid::regprocedure AS function, prorettype::regtype AS result FROM ours ORDER BY oid::regprocedure::text COLLATE "C";

-- functions of their arguments alone
SELECT oid::regprocedure AS function, provolatile, proisstrict, proparallel
FROM ours WHERE (provolatile, proisstrict, proparallel) <> ('i', true, 's')
ORDER BY oid::regprocedure::text COLLATE "C";
SELECT oid::regprocedure AS leakproof FROM ours WHERE proleakproof ORDER BY oid::regprocedure::text COLLATE "C";
SELECT oid::regprocedure AS restricted FROM ours WHERE NOT has_function_privilege('public', oid, 'EXECUTE');

-- all have comments
SELECT pg_describe_object(classid, objid, 0) AS without_comment FROM pg_depend
WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'iscc_usearch') AND deptype = 'e'
  AND classid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_am'::regclass)
  AND obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)) IS NULL
ORDER BY pg_describe_object(classid, objid, 0) COLLATE "C";
SELECT obj_description('bitvec'::regtype, 'pg_type') IS NOT NULL AS type,
       (SELECT comment IS NOT NULL FROM pg_available_extensions WHERE name = 'iscc_usearch') AS extension;

-- the catalogs hold together: operators with their commutators and negators
SELECT o.oid::regoperator FROM pg_operator o WHERE oprleft = 'bitvec'::regtype
  AND (oprcom <> 0 AND (SELECT oprcom FROM pg_operator c WHERE c.oid = o.oprcom) <> o.oid
       OR oprnegate <> 0 AND (SELECT oprnegate FROM pg_operator n WHERE n.oid = o.oprnegate) <> o.oid
       OR oprresult = 'boolean'::regtype AND (oprrest = 0 OR oprjoin = 0));

-- dropped and created again
CREATE TABLE t (id int, code bitvec(64));
INSERT INTO t VALUES (1, 'ff');
CREATE INDEX t_code ON t USING usearch (code);
DROP EXTENSION iscc_usearch;
DROP EXTENSION iscc_usearch CASCADE;
SELECT * FROM t;
SELECT to_regtype('bitvec'), to_regclass('t_code'), (SELECT count(*) FROM pg_am WHERE amname = 'usearch') AS access_methods;
DROP TABLE t;

-- in another schema, which nobody searches
CREATE SCHEMA elsewhere;
CREATE EXTENSION iscc_usearch SCHEMA elsewhere;
CREATE TABLE t (id int, code elsewhere.bitvec(128));
INSERT INTO t SELECT i, md5(i::text)::uuid FROM generate_series(1, 100) i;
CREATE INDEX t_code ON t USING usearch (code);
SELECT pg_get_indexdef('t_code'::regclass);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code OPERATOR(elsewhere.<~>) 'ff' LIMIT 1;
SELECT id FROM t ORDER BY code OPERATOR(elsewhere.<~>) elsewhere.bitvec(md5('42')::uuid) LIMIT 1;
RESET enable_seqscan;
SELECT cardinality(elsewhere.prefixes(code, '{32,64,128,256}')) FROM t WHERE id = 1;
SELECT * FROM elsewhere.usearch_check('t_code', true);
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'usearch') ORDER BY 1;

-- moved to where it is found
ALTER EXTENSION iscc_usearch SET SCHEMA public;
SELECT id FROM t ORDER BY code <~> md5('42')::bitvec LIMIT 1;
SELECT * FROM usearch_check('t_code', true);
DROP TABLE t;
DROP SCHEMA elsewhere;

-- for superusers only: it has an access method and C functions
CREATE ROLE regress_usearch_user;
DROP EXTENSION iscc_usearch;
SET ROLE regress_usearch_user;
CREATE EXTENSION iscc_usearch;
RESET ROLE;
CREATE EXTENSION iscc_usearch;

-- a user needs no rights but those on the table
GRANT CREATE ON SCHEMA public TO regress_usearch_user;
SET ROLE regress_usearch_user;
CREATE TABLE t (id int, code bitvec(64));
INSERT INTO t VALUES (1, 'ff'), (2, '0f');
CREATE INDEX t_code ON t USING usearch (code);
SELECT id FROM t ORDER BY code <~> '00';
SELECT usearch_seal('t_code');
DROP TABLE t;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM regress_usearch_user;
DROP ROLE regress_usearch_user;
