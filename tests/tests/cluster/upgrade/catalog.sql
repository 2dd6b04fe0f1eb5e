-- Everything that the catalogs say about an extension, one line per field, with names in the place of OIDs.
WITH members AS (
  SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
   WHERE d.refclassid = 'pg_extension'::regclass AND e.extname = 'iscc_usearch' AND d.deptype = 'e'
), objects AS (
  SELECT classid, objid FROM members
  UNION SELECT 'pg_type'::regclass, typarray FROM pg_type JOIN members ON classid = 'pg_type'::regclass AND objid = oid
  UNION SELECT 'pg_type'::regclass, reltype FROM pg_class JOIN members ON classid = 'pg_class'::regclass AND objid = oid
  UNION SELECT 'pg_type'::regclass, typarray FROM pg_type t JOIN members ON classid = 'pg_class'::regclass AND objid = typrelid
  UNION SELECT 'pg_class'::regclass, typrelid FROM pg_type JOIN members ON classid = 'pg_type'::regclass AND objid = oid
  UNION SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite JOIN members ON classid = 'pg_class'::regclass AND objid = ev_class
  UNION SELECT 'pg_amop'::regclass, oid FROM pg_amop JOIN members ON classid = 'pg_opfamily'::regclass AND objid = amopfamily
  UNION SELECT 'pg_amproc'::regclass, oid FROM pg_amproc JOIN members ON classid = 'pg_opfamily'::regclass AND objid = amprocfamily
  UNION SELECT 'pg_extension'::regclass, oid FROM pg_extension WHERE extname = 'iscc_usearch'
), named AS (
  SELECT classid, objid, pg_describe_object(classid, objid, 0) AS name FROM objects WHERE objid <> 0
), entries AS (
  SELECT classid, name, to_jsonb(p) - 'prosqlbody' - 'proargdefaults' || jsonb_build_object(
         'body', pg_get_function_sqlbody(p.oid), 'arguments', pg_get_function_arguments(p.oid)) AS entry
    FROM named JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) FROM named JOIN pg_aggregate c ON classid = 'pg_proc'::regclass AND objid = aggfnoid
  UNION ALL SELECT classid, name, to_jsonb(c) FROM named JOIN pg_operator c ON classid = 'pg_operator'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) FROM named JOIN pg_opclass c ON classid = 'pg_opclass'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) FROM named JOIN pg_opfamily c ON classid = 'pg_opfamily'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) FROM named JOIN pg_amop c ON classid = 'pg_amop'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) FROM named JOIN pg_amproc c ON classid = 'pg_amproc'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) FROM named JOIN pg_cast c ON classid = 'pg_cast'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) FROM named JOIN pg_am c ON classid = 'pg_am'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) - 'typdefaultbin' FROM named JOIN pg_type c ON classid = 'pg_type'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) || jsonb_build_object('view', pg_get_viewdef(c.oid))
    FROM named JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = oid
  UNION ALL SELECT classid, name || ' ' || attname, to_jsonb(c) FROM named JOIN pg_attribute c ON classid = 'pg_class'::regclass AND objid = attrelid
  UNION ALL SELECT classid, name, to_jsonb(c) - 'ev_action' FROM named JOIN pg_rewrite c ON classid = 'pg_rewrite'::regclass AND objid = oid
  UNION ALL SELECT classid, name, to_jsonb(c) - 'extconfig' FROM named JOIN pg_extension c ON classid = 'pg_extension'::regclass AND objid = oid
  UNION ALL SELECT classid, name || ' description ' || c.objsubid, to_jsonb(c) FROM named JOIN pg_description c ON classoid = classid AND objoid = objid
  UNION ALL SELECT classid, name || ' initial privileges ' || c.objsubid, to_jsonb(c) FROM named JOIN pg_init_privs c ON classoid = classid AND objoid = objid
  UNION ALL SELECT n.classid, n.name || ' depends on ' || pg_describe_object(refclassid, refobjid, refobjsubid) || ' by ' || c.objsubid, to_jsonb(c)
    FROM named n JOIN pg_depend c ON c.classid = n.classid AND c.objid = n.objid
), fields AS (
  SELECT row_number() OVER () AS field, classid::regclass || ' ' || name AS what, key, value
    FROM entries, jsonb_each_text(entry) WHERE key <> 'oid'
), tokens AS (
  SELECT field, what, key, n, COALESCE(name, token, 'NULL') AS token
    FROM fields LEFT JOIN LATERAL regexp_split_to_table(value, '[][{}" ,]+') WITH ORDINALITY AS t (token, n) ON true
    LEFT JOIN (SELECT DISTINCT ON (objid) objid::text AS token, name FROM named ORDER BY objid, name) AS names USING (token)
), lines AS (
  SELECT what || ' ' || key || ' = ' || string_agg(token, ' ' ORDER BY n) AS line FROM tokens GROUP BY field, what, key
)
SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM lines
