-- What roles learn that may not read the table, or not all of its rows.
CREATE ROLE regress_owner;
CREATE ROLE regress_nobody;
CREATE ROLE regress_reader;
CREATE ROLE regress_columns;
CREATE ROLE regress_tenant;
CREATE ROLE regress_bypass BYPASSRLS;
CREATE ROLE regress_monitor IN ROLE pg_monitor;
CREATE ROLE regress_stats IN ROLE pg_read_all_stats;
CREATE ROLE regress_all_data IN ROLE pg_read_all_data;
CREATE TABLE t (id int, code bitvec(64) NOT NULL);
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64) FROM generate_series(1, 4000) i;
-- these are the ones to hide
INSERT INTO t SELECT i, '5ec2e75ec2e75ec2' FROM generate_series(4001, 4400) i;
CREATE INDEX t_code ON t USING usearch (code);
ALTER TABLE t OWNER TO regress_owner;
GRANT SELECT ON t TO regress_reader, regress_tenant, regress_bypass;
GRANT SELECT (id, code), INSERT, UPDATE ON t TO regress_columns;
CREATE POLICY own ON t TO regress_tenant USING (id <= 4000);
ANALYZE t;

-- What a role gets: the error, or "allowed".
CREATE FUNCTION outcome(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM set_config('role', role, true);
    EXECUTE statement;
    PERFORM set_config('role', 'none', true);
    RETURN 'allowed';
EXCEPTION WHEN insufficient_privilege THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s %s', sqlstate, detail);
END $$;
CREATE FUNCTION outcomes() RETURNS TABLE (who text, what text, outcome text) LANGUAGE sql BEGIN ATOMIC
    SELECT role, call, outcome('regress_' || role, format('SELECT * FROM usearch_%s', call))
    FROM unnest('{owner,nobody,reader,columns,tenant,bypass,monitor,stats,all_data}'::text[]) WITH ORDINALITY AS r (role, n),
         unnest('{total_size,index_stats,shards,prewarm,recall}'::text[]) WITH ORDINALITY AS f (name, m),
         format('%s(%L)', name, 't_code') AS call
    ORDER BY n, m;
END;

-- without policies, and with them
SELECT * FROM outcomes();
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
SELECT * FROM outcomes() WHERE who IN ('owner', 'reader', 'tenant', 'bypass', 'monitor', 'all_data');
ALTER TABLE t FORCE ROW LEVEL SECURITY;
SELECT * FROM outcomes() WHERE who = 'owner';
ALTER TABLE t NO FORCE ROW LEVEL SECURITY;
-- with queries of one's own, and whatever row_security says
SELECT outcome('regress_tenant', $$SELECT usearch_recall('t_code', 1, queries => '{5ec2e75ec2e75ec2}')$$);
SET row_security = off;
SELECT outcome('regress_tenant', $$SELECT usearch_index_stats('t_code')$$);
RESET row_security;

-- the errors
SET ROLE regress_nobody;
SELECT usearch_total_size('t_code');
SELECT usearch_index_stats('t_code');
SELECT usearch_shards('t_code');
SELECT usearch_seal('t_code');
SELECT usearch_compact('t_code');
SELECT usearch_check('t_code');
SET ROLE regress_tenant;
SELECT usearch_index_stats('t_code');
SELECT usearch_recall('t_code');
RESET ROLE;

-- Estimates: how many rows are expected, as this role.
CREATE FUNCTION estimate(role text, statement text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    PERFORM set_config('role', role, true);
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
    PERFORM set_config('role', 'none', true);
    RETURN plan->0->'Plan'->>'Plan Rows';
END $$;
-- Whether it tells the hidden code from one that is nowhere.
CREATE FUNCTION tells(role text, rest text) RETURNS boolean LANGUAGE sql BEGIN ATOMIC
    SELECT estimate(role, 'SELECT id FROM ' || replace(rest, '$', '5ec2e75ec2e75ec2'))
        <> estimate(role, 'SELECT id FROM ' || replace(rest, '$', '0123456789abcdef'));
END;
CREATE VIEW open_view AS SELECT * FROM t WHERE id <= 4000;
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM t WHERE id <= 4000;
ALTER VIEW open_view OWNER TO regress_owner;
ALTER VIEW barrier OWNER TO regress_owner;
GRANT SELECT ON open_view, barrier TO regress_nobody;
CREATE TABLE conditions (n serial, condition text);
INSERT INTO conditions (condition) VALUES
    ($$nphd_within(code, '$', 0.0)$$), ($$nphd_within('$', code, 0.0)$$), ($$code <@ nphd_ball('$', 0.0)$$),
    ($$nphd_ball('$', 0.0) @> code$$), ($$hamming_within(code, '$', 0)$$), ($$code <~> '$' <= 0$$),
    ($$1 - (code <~> '$') >= 1$$);
SELECT condition,
       tells('regress_owner', 't WHERE ' || condition) AS owner,
       tells('regress_tenant', 't WHERE ' || condition) AS tenant,
       tells('regress_bypass', 't WHERE ' || condition) AS bypass,
       tells('regress_nobody', 'open_view WHERE ' || condition) AS view,
       tells('regress_nobody', 'barrier WHERE ' || condition) AS barrier,
       tells('regress_owner', 'barrier WHERE ' || condition) AS owner_barrier
FROM conditions ORDER BY n;
-- where rows are hidden, the radius still counts
SELECT estimate('regress_tenant', $$SELECT id FROM t WHERE nphd_within(code, '5ec2e75ec2e75ec2', 0.5)$$) > 1000 AS wide,
       estimate('regress_tenant', $$SELECT id FROM t WHERE nphd_within(code, '5ec2e75ec2e75ec2', 0.2)$$) < 1000 AS narrow;
-- for a function that is not leakproof, nothing is known: a thousandth
BEGIN;
ALTER FUNCTION bitvec_in_ball(bitvec, bitvec_ball) NOT LEAKPROOF;
SELECT estimate(role, $$SELECT id FROM t WHERE code <@ nphd_ball('5ec2e75ec2e75ec2', 0.5)$$) BETWEEN 2 AND 5 AS default,
       role, tells(role, $$t WHERE code <@ nphd_ball('$', 0.0)$$)
FROM unnest('{regress_tenant,regress_bypass}'::text[]) AS role;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
SELECT tells('regress_columns', $$t WHERE code <@ nphd_ball('$', 0.0)$$) AS columns;
ROLLBACK;

-- Partitions have no policies of their own when the statement names their parent; nor need they grant anything.
CREATE TABLE parent (id int, code bitvec(64), dropped int) PARTITION BY RANGE (id);
ALTER TABLE parent DROP COLUMN dropped;
CREATE TABLE part (dropped int, code bitvec(64), id int);
ALTER TABLE part DROP COLUMN dropped;
INSERT INTO part (id, code) SELECT id, code FROM t;
ALTER TABLE parent ATTACH PARTITION part DEFAULT;
CREATE INDEX ON parent USING usearch (code);
ANALYZE parent;
GRANT SELECT ON parent TO regress_tenant, regress_reader;
GRANT SELECT (id, code) ON parent TO regress_columns;
CREATE POLICY own ON parent TO regress_tenant USING (id <= 4000);
CREATE POLICY others ON parent TO regress_reader, regress_columns USING (true);
SELECT role, tells('regress_' || role, $$parent WHERE nphd_within(code, '$', 0.0)$$)
FROM unnest('{reader,columns,tenant}'::text[]) AS role;
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
SELECT role, tells('regress_' || role, $$parent WHERE nphd_within(code, '$', 0.0)$$)
FROM unnest('{reader,columns,tenant}'::text[]) AS role;

-- an index on an expression needs the columns in it
CREATE INDEX t_short ON t USING usearch (prefix(code, 32));
ANALYZE t;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
SELECT role, tells('regress_' || role, $$t WHERE nphd_within(prefix(code, 32), prefix('$', 32), 0.0)$$)
FROM unnest('{columns,tenant}'::text[]) AS role;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
SELECT role, tells('regress_' || role, $$t WHERE nphd_within(prefix(code, 32), prefix('$', 32), 0.0)$$)
FROM unnest('{tenant,bypass}'::text[]) AS role;

DROP VIEW open_view, barrier;
DROP TABLE t, parent, conditions;
DROP FUNCTION outcomes, outcome, tells, estimate;
DROP ROLE regress_owner, regress_nobody, regress_reader, regress_columns, regress_tenant, regress_bypass, regress_monitor,
    regress_stats, regress_all_data;
