-- Cursors over ordered scans: in pieces, held, backward, beside the transaction's own changes.
CREATE TABLE t (id int PRIMARY KEY, code bitvec(128));
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 64 * (1 + i % 2)) FROM generate_series(1, 600) i;
CREATE INDEX t_code ON t USING usearch (code);
INSERT INTO t SELECT i, prefix(sha256(i::text::bytea)::bitvec, 128) FROM generate_series(601, 900) i;
INSERT INTO t SELECT i, NULL FROM generate_series(901, 910) i;
ANALYZE t;
SET enable_seqscan = off;
SET enable_sort = off;

-- The rows that are left in a cursor.
CREATE FUNCTION rest_of(c refcursor, OUT ids int[], OUT distances float8[]) LANGUAGE plpgsql AS $$
DECLARE
    row_id int;
    d float8;
BEGIN
    LOOP
        FETCH c INTO row_id, d;
        EXIT WHEN NOT FOUND;
        ids := ids || row_id;
        distances := distances || d;
    END LOOP;
END $$;
-- What a sequential scan and a sort find, as that is the truth.
CREATE FUNCTION truth() RETURNS float8[] LANGUAGE sql SET enable_sort = on AS
'SELECT ARRAY(SELECT nphd_distance(code, ''00ff'') FROM t ORDER BY 1)';
CREATE FUNCTION ids() RETURNS int[] LANGUAGE sql SET enable_sort = on AS 'SELECT ARRAY(SELECT id FROM t ORDER BY id)';
CREATE FUNCTION sorted(ids int[]) RETURNS int[] LANGUAGE sql SET enable_sort = on AS
'SELECT ARRAY(SELECT unnest(ids) ORDER BY 1)';

-- forward, in pieces: each row once, in order
BEGIN;
EXPLAIN (COSTS OFF) DECLARE c CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
DECLARE c CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
FETCH 0 FROM c;
FETCH FORWARD 1 FROM c;
MOVE RELATIVE 4 IN c;
MOVE FORWARD 150 IN c;
SELECT cardinality(ids) AS rows, distances = (truth())[156:] AS same FROM rest_of('c');
FETCH NEXT FROM c;
COMMIT;

-- backward: not without SCROLL, which materializes
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
MOVE 5 IN c;
FETCH PRIOR FROM c;
ROLLBACK;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
EXPLAIN (COSTS OFF) DECLARE e SCROLL CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
CREATE FUNCTION there_and_back() RETURNS TABLE (there int, back int) LANGUAGE plpgsql AS $$
DECLARE
    c refcursor := 'c';
    ids int[] := '{}';
    row_id int;
BEGIN
    FOR i IN 1..300 LOOP
        FETCH NEXT FROM c INTO row_id;
        ids := ids || row_id;
    END LOOP;
    there := cardinality(ids);
    back := 1;
    FOR i IN REVERSE 299..1 LOOP
        FETCH PRIOR FROM c INTO row_id;
        back := back + (row_id = ids[i])::int;
    END LOOP;
    RETURN NEXT;
END $$;
SELECT * FROM there_and_back();
FETCH PRIOR FROM c;
MOVE LAST IN c;
FETCH NEXT FROM c;
MOVE ABSOLUTE 0 IN c;
SELECT cardinality(ids) AS rows, distances = truth() AS same FROM rest_of('c');
ROLLBACK;

-- held: all rows of when it was declared
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
MOVE 2 IN h;
CREATE TEMP TABLE before AS SELECT truth() AS distances, ids() AS ids;
COMMIT;
DELETE FROM t WHERE id % 3 = 0;
VACUUM t;
INSERT INTO t SELECT i, '00ff00ff00ff00ff' FROM generate_series(2001, 2050) i;
SELECT cardinality(rest.ids) AS rows, rest.distances = before.distances[3:] AS same FROM rest_of('h') AS rest, before;
CLOSE h;
SELECT (truth())[1:3] AS now;
DELETE FROM t WHERE id > 2000;
DROP TABLE before;

-- what the transaction itself does after the cursor was opened is not seen by it, whatever is rolled back
BEGIN;
SELECT set_config('test.distances', truth()::text, true) <> '' AS kept;
DECLARE c CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
MOVE 10 IN c;
DELETE FROM t WHERE id % 2 = 0;
INSERT INTO t SELECT i, '00ff00ff00ff00ff' FROM generate_series(2001, 2050) i;
SAVEPOINT s;
UPDATE t SET code = '00ff00ff00ff00ff' WHERE id % 5 = 0;
MOVE 10 IN c;
DECLARE inner_c CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
SELECT sorted(ids) = ids() AS each_once, distances = truth() AS same FROM rest_of('inner_c');
CLOSE inner_c;
ROLLBACK TO s;
MOVE 10 IN c;
SAVEPOINT s;
DECLARE inner_c CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
MOVE 20 IN inner_c;
DELETE FROM t;
INSERT INTO t VALUES (3000, '00ff');
RELEASE s;
SELECT cardinality(ids) AS rows, distances = (current_setting('test.distances')::float8[])[31:] AS same FROM rest_of('c');
SELECT cardinality(ids) AS rows FROM rest_of('inner_c');
SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
ROLLBACK;
FETCH 1 FROM c;
SELECT count(*) FROM (SELECT id FROM t ORDER BY code <~> '00ff') AS s;

-- a cursor that a subtransaction opened ends with it
BEGIN;
SAVEPOINT s;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY code <~> '00ff';
MOVE 1 IN c;
ROLLBACK TO s;
FETCH 1 FROM c;
ROLLBACK;

-- several cursors at once on one index, each with a query of its own
BEGIN;
DECLARE a CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff';
DECLARE b CURSOR FOR SELECT id, code <~> 'ff00' AS d FROM t ORDER BY code <~> 'ff00';
MOVE 100 IN a;
MOVE 200 IN b;
MOVE 100 IN a;
SELECT distances = (truth())[201:] AS same FROM rest_of('a');
SELECT distances = (ARRAY(SELECT nphd_distance(code, 'ff00') FROM t ORDER BY 1))[201:] AS same FROM rest_of('b');
COMMIT;

-- changes through a cursor
BEGIN;
DECLARE c CURSOR FOR SELECT id, code <~> '00ff' AS d FROM t ORDER BY code <~> '00ff' FOR UPDATE;
MOVE 3 IN c;
UPDATE t SET code = 'ff00ff00ff00ff00' WHERE CURRENT OF c RETURNING code;
MOVE 1 IN c;
DELETE FROM t WHERE CURRENT OF c;
SELECT cardinality(ids) AS rows FROM rest_of('c');
SELECT cardinality(ids()) AS rows;
ROLLBACK;

-- loops of plpgsql that change what they read
CREATE FUNCTION shorten() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    r record;
    n int := 0;
BEGIN
    FOR r IN SELECT id, code FROM t WHERE code IS NOT NULL ORDER BY code <~> '00ff' LOOP
        UPDATE t SET code = prefix(r.code, 64) WHERE id = r.id;
        n := n + 1;
    END LOOP;
    RETURN n;
END $$;
SELECT shorten() = count(code) AS all_rows FROM t;
SELECT max(length(code)) AS bits, ARRAY(SELECT code <~> '00ff' FROM t ORDER BY code <~> '00ff') = truth() AS same FROM t;
SELECT * FROM usearch_check('t_code', true);

DROP TABLE t;
DROP FUNCTION rest_of, truth, ids, sorted, shorten;
