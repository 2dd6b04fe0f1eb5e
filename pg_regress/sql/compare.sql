-- Order and equality of bitvec: bytewise, a prefix before what it is a prefix of.

SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, bitvec_cmp(a, b) AS cmp
FROM (VALUES ('01'::bitvec, '02'::bitvec), ('02', '01'), ('01', '01'), ('01', '0100'), ('0100', '01'),
             ('7f', '80'), ('ff', '00ff'), ('00', '0000')) AS v (a, b);
SELECT 'ff'::bitvec = NULL AS eq, 'ff'::bitvec < NULL AS lt;
SELECT bitvec_hash('ff80') = bitvec_hash('\xFF80') AS same, bitvec_hash('ff80') = bitvec_hash('ff8000') AS other,
       bitvec_hash_extended('ff80', 1) = bitvec_hash_extended('ff80', 2) AS seeds,
       bitvec_hash('ff80') = bitvec_hash_extended('ff80', 0)::bit(32)::int AS low_half;

CREATE TABLE t (id int, code bitvec);
INSERT INTO t VALUES (1, '80'), (2, '7f'), (3, 'ff'), (4, '7fff'), (5, '7f00'), (6, NULL), (7, '00'), (8, '7f');
SELECT * FROM t ORDER BY code, id;
SELECT * FROM t ORDER BY code DESC NULLS LAST, id;
SELECT DISTINCT code FROM t ORDER BY code;
SELECT code, count(*) FROM t GROUP BY code HAVING count(*) > 1;
SELECT greatest('7f'::bitvec, '80', '7fff'), least('7f'::bitvec, '80', '7fff');
DROP TABLE t;

-- the same order as bytea's
CREATE TABLE t (id int PRIMARY KEY, code bitvec);
INSERT INTO t SELECT i, prefix(sha256((i % 400)::text::bytea)::bitvec, 8 + i % 5 * 8) FROM generate_series(1, 1000) i;
SELECT array_agg(id ORDER BY code, id) = array_agg(id ORDER BY code::bytea, id) AS same FROM t;
ANALYZE t;

-- Does the plan of a query have this node?
CREATE FUNCTION plan_has(node text, query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line LIKE '%' || node || '%' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;

-- btree
CREATE INDEX t_btree ON t (code);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT plan_has('t_btree', $$SELECT * FROM t WHERE code = 'ff'$$) AS equal,
       plan_has('t_btree', $$SELECT * FROM t WHERE code >= '80' AND code < '81'$$) AS range,
       plan_has('Sort', $$SELECT * FROM t ORDER BY code$$) AS sort,
       plan_has('t_btree', $$SELECT * FROM t WHERE code = ANY (prefixes('0123456789', '{8,16,24,32,40}'))$$) AS prefixes;
SELECT count(*) FROM t WHERE code >= '80' AND code < '90';
SELECT count(*) FROM t WHERE code = ANY (prefixes((SELECT code FROM t WHERE id = 14), '{8,16,24,32,40}'));
SET enable_seqscan = on;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SELECT count(*) FROM t WHERE code >= '80' AND code < '90';
SELECT count(*) FROM t WHERE (SELECT code FROM t WHERE id = 14) ^@ code;
RESET enable_indexscan;
RESET enable_indexonlyscan;
DROP INDEX t_btree;

-- unique btree
CREATE TABLE u (code bitvec UNIQUE, n int DEFAULT 1);
INSERT INTO u VALUES ('ff'), ('ff00');
INSERT INTO u VALUES ('\xFF');
INSERT INTO u VALUES ('ff') ON CONFLICT (code) DO UPDATE SET n = u.n + 1;
SELECT * FROM u ORDER BY code;
DROP TABLE u;

-- hash index
CREATE INDEX t_hash ON t USING hash (code);
SET enable_seqscan = off;
SELECT plan_has('t_hash', $$SELECT * FROM t WHERE code = 'ff'$$) AS hash_index;
SELECT count(*) FROM t WHERE code = (SELECT code FROM t WHERE id = 20);
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT count(*) FROM t WHERE code::text = (SELECT code::text FROM t WHERE id = 20);
DROP INDEX t_hash;

-- joins by hash, merge and nested loop, and aggregation by hash and sort, agree
SET enable_mergejoin = off;
SET enable_nestloop = off;
SELECT plan_has('Hash Join', 'SELECT * FROM t a JOIN t b USING (code)');
SELECT count(*) FROM t a JOIN t b USING (code);
RESET enable_mergejoin;
SET enable_hashjoin = off;
SELECT plan_has('Merge Join', 'SELECT * FROM t a JOIN t b USING (code)');
SELECT count(*) FROM t a JOIN t b USING (code);
RESET enable_nestloop;
SET enable_mergejoin = off;
SELECT count(*) FROM t a JOIN t b USING (code);
RESET enable_hashjoin;
RESET enable_mergejoin;
SET enable_sort = off;
SELECT plan_has('HashAggregate', 'SELECT code FROM t GROUP BY code');
SELECT count(*), sum(n) FROM (SELECT code, count(*) AS n FROM t GROUP BY code) AS g;
RESET enable_sort;
SET enable_hashagg = off;
SELECT count(*), sum(n) FROM (SELECT code, count(*) AS n FROM t GROUP BY code) AS g;
RESET enable_hashagg;

-- partitions by hash and by range
CREATE TABLE h (id int, code bitvec) PARTITION BY HASH (code);
CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO h SELECT * FROM t;
SELECT count(*) > 300 AS even FROM h0;
SELECT count(*) > 300 AS even FROM h1;
SELECT count(*) FROM h0 JOIN h1 USING (code);
CREATE TABLE r (id int, code bitvec) PARTITION BY RANGE (code);
CREATE TABLE r0 PARTITION OF r FOR VALUES FROM (MINVALUE) TO ('80');
CREATE TABLE r1 PARTITION OF r FOR VALUES FROM ('80') TO (MAXVALUE);
INSERT INTO r VALUES (1, '7fffffff'), (2, '80'), (3, '00');
SELECT tableoid::regclass AS part, * FROM r ORDER BY id;
DROP TABLE h, r, t;
DROP FUNCTION plan_has;
