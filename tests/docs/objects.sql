-- What the extensions have for users: kind and name. What only implements something else (an operator, a type, a cast, an
-- aggregate, an operator class) is reached by that, and is not listed; neither is what a comment calls internal.
WITH member AS (
  SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid
   WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname LIKE 'iscc\_usearch%'
),
implementation (oid) AS (
  SELECT unnest(ARRAY[oprcode, oprrest, oprjoin]::oid[]) FROM pg_operator
  UNION SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin]::oid[]) FROM pg_type
  UNION SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn]::oid[]) FROM pg_aggregate
  UNION SELECT castfunc FROM pg_cast
  UNION SELECT amproc FROM pg_amproc
  UNION SELECT amhandler FROM pg_am
  UNION SELECT prosupport FROM pg_proc
),
object (kind, name, comment) AS (
  SELECT 'function', proname, obj_description(p.oid, 'pg_proc')
    FROM pg_proc p JOIN member ON objid = p.oid AND classid = 'pg_proc'::regclass
   WHERE p.oid NOT IN (SELECT oid FROM implementation)
      -- A function that a user may prefer to its operator.
      OR p.oid IN (SELECT oprcode FROM pg_operator) AND obj_description(p.oid, 'pg_proc') NOT LIKE 'implementation of %'
  UNION ALL
  SELECT 'operator', oprname, obj_description(o.oid, 'pg_operator')
    FROM pg_operator o JOIN member ON objid = o.oid AND classid = 'pg_operator'::regclass
  UNION ALL
  SELECT 'type', typname, obj_description(t.oid, 'pg_type')
    FROM pg_type t JOIN member ON objid = t.oid AND classid = 'pg_type'::regclass WHERE typcategory <> 'A'
  UNION ALL
  SELECT 'operator class', opcname, NULL
    FROM pg_opclass c JOIN member ON objid = c.oid AND classid = 'pg_opclass'::regclass
   WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'usearch')
  UNION ALL
  SELECT 'view', relname, obj_description(c.oid, 'pg_class')
    FROM pg_class c JOIN member ON objid = c.oid AND classid = 'pg_class'::regclass WHERE relkind = 'v'
  UNION ALL
  SELECT 'access method', amname, NULL FROM pg_am a JOIN member ON objid = a.oid AND classid = 'pg_am'::regclass
  UNION ALL
  SELECT 'setting', name, NULL FROM pg_settings WHERE name LIKE 'iscc\_usearch.%' AND name <> 'iscc_usearch.failpoint'
)
SELECT DISTINCT kind, name FROM object WHERE comment IS NULL OR comment NOT LIKE 'internal:%' ORDER BY 1, 2;
