-- Row-level security and security barriers: hidden rows stay hidden, whatever the index reads.
CREATE TABLE t (id int PRIMARY KEY, owner text NOT NULL, code bitvec(128) NOT NULL);
INSERT INTO t SELECT i, CASE WHEN i % 4 = 0 THEN 'regress_alice' ELSE 'regress_bob' END, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 2))
FROM generate_series(1, 800) i;
-- bob's rows are nearest to this one
INSERT INTO t SELECT 1000 + i, 'regress_bob', '00ff00ff00ff00ff' FROM generate_series(1, 50) i;
CREATE INDEX t_code ON t USING usearch (code);
ANALYZE t;
CREATE ROLE regress_alice;
CREATE ROLE regress_bob;
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO regress_alice, regress_bob;
CREATE POLICY own ON t USING (owner = current_user);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
-- Tells what it sees, cheap enough to come first if it may.
CREATE FUNCTION leak(what text, OUT ok boolean) LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    IF what = 'regress_bob' THEN RAISE NOTICE 'leaked: %', what; END IF;
    ok := true;
END $$;
SET enable_seqscan = off;
SET enable_sort = off;

-- the index serves ORDER BY, the policy filters its rows before anything else does
SET ROLE regress_alice;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE leak(owner) ORDER BY code <~> '00ff00ff' LIMIT 5;
SELECT count(*), count(*) FILTER (WHERE owner = 'regress_alice') AS own
FROM (SELECT owner FROM t WHERE leak(owner) ORDER BY code <~> '00ff00ff00ff00ff' LIMIT 20) AS s;
SELECT ARRAY(SELECT code <~> '00ff00ff' FROM t ORDER BY code <~> '00ff00ff' LIMIT 20)
     = ARRAY(SELECT nphd_distance(code, '00ff00ff') FROM t ORDER BY 1 LIMIT 20) AS same;
SELECT count(*), min(code <~> '00ff00ff00ff00ff') > 0 AS hidden FROM (SELECT code FROM t ORDER BY code <~> '00ff00ff00ff00ff') AS s;
SELECT code <~> '00ff00ff00ff00ff' = 0 AS hidden FROM t WHERE owner = 'regress_bob' ORDER BY code <~> '00ff00ff00ff00ff' LIMIT 1;
SELECT bool_and(owner = 'regress_alice') AS own, count(*) FROM t a CROSS JOIN LATERAL
    (SELECT owner AS o FROM t b WHERE leak(b.owner) ORDER BY b.code <~> a.code LIMIT 2) AS b WHERE o = 'regress_alice' AND a.id < 100;
PREPARE near (bitvec) AS SELECT owner, count(*) FROM (SELECT owner FROM t ORDER BY code <~> $1 LIMIT 30) AS s GROUP BY owner;
SET plan_cache_mode = force_generic_plan;
EXECUTE near('00ff00ff00ff00ff');
RESET ROLE;
-- the same prepared statement for another role, and for the owner, to whom the policy does not apply
SET ROLE regress_bob;
EXECUTE near('00ff00ff00ff00ff');
RESET ROLE;
SELECT count(*) FROM (SELECT owner FROM t ORDER BY code <~> '00ff00ff00ff00ff') AS s;
RESET plan_cache_mode;
DEALLOCATE near;

-- functions on distances do not see hidden rows either
SET ROLE regress_alice;
CREATE TEMP TABLE seen (d float8);
CREATE FUNCTION pg_temp.note(d float8, OUT ok boolean) LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    INSERT INTO seen VALUES (d);
    ok := true;
END $$;
SELECT count(*) FROM (SELECT id FROM t WHERE pg_temp.note(code <~> '00ff00ff00ff00ff') ORDER BY code <~> '00ff00ff00ff00ff' LIMIT 100) AS s;
SELECT count(*) AS seen, count(*) FILTER (WHERE d = 0) AS hidden FROM seen;
RESET ROLE;

-- rows are changed only where the policy allows
SET ROLE regress_alice;
BEGIN;
WITH near AS (SELECT id FROM t ORDER BY code <~> '00ff00ff00ff00ff' LIMIT 10 FOR UPDATE),
    gone AS (DELETE FROM t USING near WHERE t.id = near.id RETURNING owner)
SELECT owner, count(*) FROM gone GROUP BY owner;
ROLLBACK;
UPDATE t SET owner = 'regress_bob' WHERE id = (SELECT id FROM t ORDER BY code <~> '00ff00ff00ff00ff' LIMIT 1);
RESET ROLE;

-- a policy that itself asks for distances
CREATE POLICY close_ones ON t FOR SELECT TO regress_alice USING (code <~> '00ff00ff00ff00ff' = 0);
SET ROLE regress_alice;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <~> '00ff00ff' LIMIT 5;
SELECT owner, count(*) FROM (SELECT owner FROM t ORDER BY code <~> '00ff00ff00ff00ff' LIMIT 60) AS s GROUP BY owner ORDER BY owner;
RESET ROLE;
DROP POLICY close_ones ON t;

-- a security barrier keeps conditions above it; the order is by the index where it is part of the view
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
CREATE VIEW own WITH (security_barrier) AS SELECT id, owner, code FROM t WHERE owner = 'regress_alice';
CREATE VIEW own_nearest WITH (security_barrier) AS
SELECT id, owner, code <~> '00ff00ff00ff00ff' AS d FROM t WHERE owner = 'regress_alice' ORDER BY code <~> '00ff00ff00ff00ff';
EXPLAIN (COSTS OFF) SELECT id FROM own_nearest WHERE leak(owner) LIMIT 5;
SELECT count(*), min(d) > 0 AS hidden FROM (SELECT d FROM own_nearest WHERE leak(owner) LIMIT 20) AS s;
RESET enable_sort;
RESET enable_seqscan;
EXPLAIN (COSTS OFF) SELECT id FROM own WHERE leak(owner) ORDER BY code <~> '00ff00ff' LIMIT 5;
SELECT ARRAY(SELECT code <~> '00ff00ff' FROM own WHERE leak(owner) ORDER BY code <~> '00ff00ff' LIMIT 20)
     = ARRAY(SELECT nphd_distance(code, '00ff00ff') FROM t WHERE owner = 'regress_alice' ORDER BY 1 LIMIT 20) AS same;

-- nobody needs more than SELECT on the columns that a statement names
REVOKE ALL ON t FROM regress_bob;
GRANT SELECT (id, code) ON t TO regress_bob;
SET ROLE regress_bob;
SELECT count(*) FROM (SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 3) AS s;
SELECT count(*) FROM (SELECT owner FROM t ORDER BY code <~> '00ff' LIMIT 3) AS s;
RESET ROLE;
REVOKE SELECT (code) ON t FROM regress_bob;
SET ROLE regress_bob;
SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 3;
RESET ROLE;

DROP VIEW own, own_nearest;
DROP TABLE t;
DROP FUNCTION leak;
DROP OWNED BY regress_alice, regress_bob;
DROP ROLE regress_alice, regress_bob;
