-- Statements that change rows and ask for nearest ones: locks, UPDATE, DELETE, MERGE, RETURNING, triggers.
CREATE TABLE t (id int PRIMARY KEY, code bitvec(128), label text, n int NOT NULL DEFAULT 0);
INSERT INTO t SELECT c * 10 + v, prefix(set_bit(sha256(c::text::bytea), v * 7, v % 2)::bitvec, 64 * (1 + v % 2)), 'c' || c
FROM generate_series(0, 39) c, generate_series(0, 9) v;
CREATE INDEX t_code ON t USING usearch (code);
ANALYZE t;
SET enable_seqscan = off;
SET enable_sort = off;
CREATE FUNCTION sound(OUT sound boolean) LANGUAGE sql AS
'SELECT ARRAY(SELECT code <~> ''00ff'' FROM t ORDER BY code <~> ''00ff'') IS NOT DISTINCT FROM
        ARRAY(SELECT nphd_distance(code, ''00ff'') FROM t ORDER BY 1)
    AND NOT EXISTS (SELECT FROM usearch_check(''t_code'', true))';

-- row locks in order of distance
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 3 FOR UPDATE SKIP LOCKED;
BEGIN;
SELECT code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 1 FOR UPDATE;
SELECT code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' LIMIT 1 FOR SHARE SKIP LOCKED;
SELECT count(*) FROM (SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 20 FOR NO KEY UPDATE NOWAIT) AS s;
COMMIT;

-- a queue: the nearest ones that are not done, a few at a time
CREATE FUNCTION take(k int) RETURNS int LANGUAGE sql AS
'WITH next AS (SELECT id FROM t WHERE n = 0 ORDER BY code <~> ''00ff'' LIMIT k FOR UPDATE SKIP LOCKED),
      done AS (UPDATE t SET n = 1 FROM next WHERE t.id = next.id RETURNING t.id)
 SELECT count(*)::int FROM done';
SELECT take(7), take(7), take(400), take(1);
SELECT count(*) FILTER (WHERE n = 1) AS done FROM t;
UPDATE t SET n = 0;

-- UPDATE and DELETE with a nearest-neighbour subquery
EXPLAIN (COSTS OFF) UPDATE t SET label = 'near' FROM (SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 5) AS x WHERE t.id = x.id;
UPDATE t SET label = 'near' FROM (SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 5) AS x WHERE t.id = x.id RETURNING t.code <~> '00ff' < 0.5 AS near;
UPDATE t SET label = (SELECT o.label FROM t o WHERE o.id <> t.id AND o.label <> 'near' ORDER BY o.code <~> t.code LIMIT 1) WHERE label = 'near';
SELECT count(*) FROM t WHERE label = 'c' || id / 10;
UPDATE t SET code = x.code FROM t a CROSS JOIN LATERAL (SELECT b.code FROM t b WHERE b.id / 10 <> a.id / 10 ORDER BY b.code <~> a.code LIMIT 1) AS x
WHERE t.id = a.id AND a.id < 50;
SELECT sound();
DELETE FROM t USING (SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 5) AS x WHERE t.id = x.id;
DELETE FROM t WHERE id = (SELECT id FROM t ORDER BY code <~> '00ff' LIMIT 1) RETURNING code <~> '00ff' < 0.5 AS near;
SELECT count(*), sound() FROM t;

-- near-duplicates removed: of rows closer than some distance the one with the least id stays
DELETE FROM t WHERE EXISTS (
    SELECT FROM (SELECT o.id, o.code <~> t.code AS d FROM t o WHERE o.id < t.id ORDER BY o.code <~> t.code LIMIT 1) AS x WHERE d < 0.1);
SELECT count(*) BETWEEN 30 AND 60 AS about_one_of_each, min(d) >= 0.1 AS apart, sound()
FROM (SELECT (SELECT o.code <~> t.code FROM t o WHERE o.id < t.id ORDER BY o.code <~> t.code LIMIT 1) AS d FROM t) AS s;

-- INSERT ... RETURNING the nearest row that was there before
INSERT INTO t VALUES (5000, '00ff00ff00ff00ff', 'first') RETURNING (SELECT label FROM t o ORDER BY o.code <~> t.code LIMIT 1) <> 'first' AS other;
INSERT INTO t VALUES (5001, '00ff00ff00ff00fe', 'second'), (5002, '00ff00ff00ff00fd', 'third')
RETURNING label, (SELECT label FROM t o ORDER BY o.code <~> t.code LIMIT 1) AS nearest;
INSERT INTO t (id, code, label) SELECT 6000 + i, set_bit('\x00ff00ff00ff00ff'::bytea, i, 1)::bitvec, 'copy' FROM generate_series(1, 3) i
RETURNING (SELECT label FROM t o ORDER BY o.code <~> t.code LIMIT 1) AS nearest;
INSERT INTO t VALUES (5000, 'ffffffffffffffff', 'replaced') ON CONFLICT (id) DO UPDATE SET code = excluded.code, label = excluded.label
RETURNING (SELECT label FROM t o ORDER BY o.code <~> '00ff00ff00ff00ff' LIMIT 1) AS before;
SELECT label FROM t ORDER BY code <~> 'ffffffffffffffff' LIMIT 1;
INSERT INTO t SELECT id + 10000, code, 'again' FROM t ORDER BY code <~> '00ff' LIMIT 10;
SELECT sound();

-- MERGE: a new code near a known one joins it, another becomes one itself
CREATE TABLE new (id int, code bitvec(128));
INSERT INTO new VALUES (7001, 'ffffffffffffff00'), (7002, '0f0f0f0f0f0f0f0f'), (7003, '00ff00ff00ff00fe'), (7004, NULL);
MERGE INTO t USING (
    SELECT new.id, new.code, x.id AS near FROM new LEFT JOIN LATERAL
        (SELECT id, t.code <~> new.code AS d FROM t ORDER BY t.code <~> new.code LIMIT 1) AS x ON d <= 0.15) AS m ON t.id = m.near
WHEN MATCHED AND t.n = 0 THEN UPDATE SET n = t.n + 1
WHEN NOT MATCHED THEN INSERT VALUES (m.id, m.code, 'merged');
MERGE INTO t USING (SELECT id FROM t ORDER BY code <~> '0f0f0f0f0f0f0f0f' LIMIT 1) AS m ON t.id = m.id WHEN MATCHED THEN DELETE;
SELECT id, label, n FROM t WHERE n > 0 OR label = 'merged' ORDER BY id;
SELECT sound();

-- a trigger that looks for near-duplicates: of other transactions, of this one, of the same statement
CREATE TABLE alert (id int, near int, d float8);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alert SELECT new.id, x.* FROM
        (SELECT id, code <~> new.code AS d FROM t WHERE id <> new.id ORDER BY code <~> new.code, id LIMIT 1) AS x WHERE d < 0.1;
    RETURN new;
END $$;
SET enable_sort = on;
CREATE TRIGGER watch AFTER INSERT OR UPDATE OF code ON t FOR EACH ROW EXECUTE FUNCTION watch();
INSERT INTO t VALUES (8000, '3333333333333333'), (8001, '3333333333333332');
INSERT INTO t VALUES (8002, '3333333333333333cccccccccccccccc');
UPDATE t SET code = '3333333333333330' WHERE id = 7002 OR id = 8000;
SELECT * FROM alert ORDER BY id, near;
SET enable_sort = off;

-- a statement that fails leaves nothing
INSERT INTO t SELECT CASE WHEN i < 100 THEN 9000 + i ELSE 8000 END, '3333333333333333' FROM generate_series(1, 100) i;
SELECT count(*) FROM (SELECT id FROM t ORDER BY code <~> '3333333333333333' LIMIT 50) AS s WHERE id BETWEEN 9000 AND 9999;
SELECT sound();

-- tables filled from the nearest of each
CREATE TABLE pairs AS SELECT DISTINCT least(a.id, b.id) AS x, greatest(a.id, b.id) AS y, b.d FROM t a CROSS JOIN LATERAL
    (SELECT t.id, t.code <~> a.code AS d FROM t WHERE t.id <> a.id ORDER BY t.code <~> a.code LIMIT 20) AS b WHERE b.d <= 0.05;
SELECT count(*) = (SELECT count(*) FROM t a JOIN t b ON a.id < b.id AND nphd_distance(a.code, b.code) <= 0.05) AS all_pairs FROM pairs;
SELECT 3 AS n INTO found FROM t ORDER BY code <~> '00ff' LIMIT 1;
TABLE found;
DROP TABLE t, new, alert, pairs, found;
DROP FUNCTION sound, take, watch;
