--
-- What invalidates an entry that knows what it depends on, and what does not:
-- every kind of change, and what is no change; transactions.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned

-- look() gets the result of a query from the cache, and computes it as well: the two
-- must be the same.  "computed" says that the cache has run the query.
CREATE FUNCTION computed(name text) RETURNS void STABLE LANGUAGE plpgsql
AS $$ BEGIN RAISE NOTICE 'computed: %', name; END $$;
CREATE FUNCTION ask(name text, query text) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT dogpile_get_or_create('auto', name,
           format('SELECT (%s)::text FROM computed(%L)', query, name))
$$;
CREATE FUNCTION look(name text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
  truth text;
BEGIN
  answer := ask(name, query);
  EXECUTE format('SELECT (%s)::text', query) INTO truth;
  IF answer IS DISTINCT FROM truth THEN
    RAISE WARNING 'WRONG: % is %, not %', name, truth, answer;
  END IF;
  RETURN answer;
END $$;

CREATE TABLE kind (id int PRIMARY KEY, label text);
CREATE TABLE fruit (id int PRIMARY KEY, kind int, price int);
CREATE TABLE other (id int PRIMARY KEY, v int);
INSERT INTO kind VALUES (1, 'berry'), (2, 'citrus');
INSERT INTO fruit VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);
INSERT INTO other VALUES (1, 1);
CREATE FUNCTION fruit() RETURNS text LANGUAGE sql VOLATILE
AS $$ SELECT look('fruit', 'SELECT count(*) || '' '' || coalesce(sum(price), 0) FROM fruit') $$;
CREATE FUNCTION kinds() RETURNS text LANGUAGE sql VOLATILE
AS $$ SELECT look('kinds', 'SELECT string_agg(label, '' '' ORDER BY id) FROM kind') $$;
SELECT fruit(), kinds();
SELECT fruit(), kinds();

--
-- Changes of rows
--

INSERT INTO fruit VALUES (4, 1, 40);
SELECT fruit(), kinds();
INSERT INTO fruit SELECT i, 1, 50 FROM generate_series(5, 6) AS i;
SELECT fruit();
INSERT INTO fruit VALUES (7, 1, 1) RETURNING id;
SELECT fruit();
UPDATE fruit SET price = 41 WHERE id = 4;
SELECT fruit();
UPDATE fruit SET id = 70 WHERE id = 7;
SELECT fruit();
-- To what it was before.
UPDATE fruit SET price = price;
SELECT fruit();
DELETE FROM fruit WHERE id = 70;
SELECT fruit();
MERGE INTO fruit USING (VALUES (8)) AS v(id) ON v.id = fruit.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, 1, 80);
SELECT fruit();
MERGE INTO fruit USING (VALUES (8)) AS v(id) ON v.id = fruit.id WHEN MATCHED THEN UPDATE SET price = 81;
SELECT fruit();
MERGE INTO fruit USING (VALUES (8)) AS v(id) ON v.id = fruit.id WHEN MATCHED THEN DELETE;
SELECT fruit();
COPY fruit FROM STDIN;
9	1	90
10	1	100
\.
SELECT fruit();
BEGIN;
CREATE TABLE frozen (id int);
COPY frozen FROM STDIN WITH (FREEZE);
1
\.
SELECT look('frozen', 'SELECT count(*) FROM frozen');
COMMIT;
SELECT look('frozen', 'SELECT count(*) FROM frozen');
BEGIN;
TRUNCATE frozen;
COPY frozen FROM STDIN WITH (FREEZE);
1
2
\.
COMMIT;
SELECT look('frozen', 'SELECT count(*) FROM frozen');
INSERT INTO fruit VALUES (10, 1, 5) ON CONFLICT (id) DO UPDATE SET price = excluded.price;
SELECT fruit();
INSERT INTO fruit VALUES (11, 1, 5) ON CONFLICT DO NOTHING;
SELECT fruit();
WITH gone AS (DELETE FROM fruit WHERE id = 11 RETURNING id) SELECT id FROM gone;
SELECT fruit();
WITH gone AS (DELETE FROM fruit WHERE id = 10 RETURNING id) INSERT INTO other SELECT id, 0 FROM gone;
SELECT fruit();
UPDATE fruit SET price = 1 FROM kind WHERE kind.id = fruit.kind AND label = 'citrus';
SELECT fruit();
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM fruit WHERE id = 9 FOR UPDATE;
FETCH c;
UPDATE fruit SET price = 91 WHERE CURRENT OF c;
COMMIT;
SELECT fruit();
PREPARE change(int) AS UPDATE fruit SET price = $1 WHERE id = 9;
SELECT fruit();
EXECUTE change(92);
SELECT fruit();
DO $$ BEGIN EXECUTE 'EXPLAIN ANALYZE UPDATE fruit SET price = 93 WHERE id = 9'; END $$;
SELECT fruit();
CREATE TABLE made AS SELECT 1 AS id;
SELECT look('made', 'SELECT count(*) FROM made');
DROP TABLE made;
CREATE TABLE made AS SELECT 1 AS id UNION SELECT 2;
SELECT look('made', 'SELECT count(*) FROM made');

-- TRUNCATE, alone, with others, and of an empty table.
TRUNCATE fruit;
SELECT fruit(), kinds();
INSERT INTO fruit VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);
SELECT fruit();
TRUNCATE other, fruit RESTART IDENTITY;
SELECT fruit();
BEGIN;
INSERT INTO fruit VALUES (1, 1, 10), (2, 1, 20);
TRUNCATE fruit;
INSERT INTO fruit VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);
COMMIT;
SELECT fruit();

-- Foreign keys.
CREATE TABLE cascades (id int PRIMARY KEY, kind int REFERENCES kind ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE nulls (id int, kind int REFERENCES kind ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE deep (id int REFERENCES cascades ON DELETE CASCADE);
CREATE FUNCTION keys() RETURNS TABLE (cascades text, nulls text, deep text) LANGUAGE sql VOLATILE AS $$
  SELECT look('cascades', 'SELECT string_agg(kind::text, '','' ORDER BY id) FROM cascades'),
         look('nulls', 'SELECT count(kind) FROM nulls'), look('deep', 'SELECT count(*) FROM deep')
$$;
INSERT INTO kind VALUES (3, 'stone'), (4, 'pome'), (5, 'nut');
INSERT INTO cascades VALUES (1, 3), (2, 4);
INSERT INTO nulls VALUES (1, 3), (2, 4);
INSERT INTO deep VALUES (1), (2);
SELECT * FROM keys();
-- A check of the key locks rows, and changes none.
INSERT INTO cascades VALUES (3, 5);
SELECT kinds();
SELECT * FROM keys();
DELETE FROM kind WHERE id = 5;
SELECT * FROM keys();
ALTER TABLE nulls DROP CONSTRAINT nulls_kind_fkey;
UPDATE kind SET id = 30 WHERE id = 3;
SELECT * FROM keys();
DELETE FROM kind WHERE id = 30;
SELECT * FROM keys();
UPDATE nulls SET kind = NULL WHERE kind = 3;
ALTER TABLE nulls ADD FOREIGN KEY (kind) REFERENCES kind ON DELETE SET NULL;
SELECT * FROM keys();
DELETE FROM kind WHERE id = 4;
SELECT * FROM keys();
SELECT kinds();
INSERT INTO cascades VALUES (1, 1);
INSERT INTO nulls VALUES (1, 1);
INSERT INTO deep VALUES (1);
SELECT * FROM keys();
BEGIN;
TRUNCATE cascades CASCADE;
COMMIT;
SELECT * FROM keys();
DROP TABLE cascades, nulls, deep;

-- Triggers: before, after, deferred, instead of; rules.
CREATE TABLE log (what text);
CREATE FUNCTION logs() RETURNS text LANGUAGE sql VOLATILE
AS $$ SELECT look('log', 'SELECT count(*) FROM log') $$;
CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log VALUES (TG_NAME);
  RETURN CASE TG_WHEN WHEN 'BEFORE' THEN NULL ELSE NEW END;
END $$;
SELECT logs();
CREATE TRIGGER t AFTER INSERT ON other FOR EACH ROW EXECUTE FUNCTION log_it();
INSERT INTO other VALUES (20, 0);
SELECT logs();
DROP TRIGGER t ON other;
CREATE TRIGGER t AFTER INSERT ON other FOR EACH STATEMENT EXECUTE FUNCTION log_it();
INSERT INTO other SELECT * FROM other WHERE false;
SELECT logs();
DROP TRIGGER t ON other;
-- The row itself is not inserted here.
CREATE TRIGGER t BEFORE INSERT ON fruit FOR EACH ROW EXECUTE FUNCTION log_it();
SELECT fruit();
INSERT INTO fruit VALUES (99, 1, 99);
SELECT fruit(), logs();
DROP TRIGGER t ON fruit;
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON other DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION log_it();
BEGIN;
INSERT INTO other VALUES (21, 0);
SELECT logs();
COMMIT;
SELECT logs();
BEGIN;
INSERT INTO other VALUES (22, 0);
SET CONSTRAINTS ALL IMMEDIATE;
SELECT logs();
COMMIT;
SELECT logs();
DROP TRIGGER t ON other;
CREATE VIEW berries AS SELECT * FROM fruit WHERE kind = 1;
SELECT fruit(), look('berries', 'SELECT count(*) FROM berries');
UPDATE berries SET price = 11 WHERE id = 1;
SELECT fruit(), look('berries', 'SELECT count(*) FROM berries');
INSERT INTO berries VALUES (4, 1, 40);
SELECT fruit(), look('berries', 'SELECT count(*) FROM berries');
DELETE FROM berries WHERE id = 4;
SELECT fruit(), look('berries', 'SELECT count(*) FROM berries');
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE kind SET label = NEW.label WHERE id = NEW.id;
  RETURN NEW;
END $$;
CREATE VIEW labels AS SELECT DISTINCT id, label FROM kind;
CREATE TRIGGER t INSTEAD OF UPDATE ON labels FOR EACH ROW EXECUTE FUNCTION instead();
SELECT kinds();
UPDATE labels SET label = 'soft' WHERE id = 1;
SELECT kinds();
CREATE RULE also AS ON INSERT TO other DO ALSO INSERT INTO log VALUES ('rule');
INSERT INTO other VALUES (23, 0);
SELECT logs();
DROP RULE also ON other;

-- Functions, procedures, blocks.
CREATE FUNCTION change(what int, price_then int) RETURNS int LANGUAGE sql VOLATILE
AS $$ UPDATE fruit SET price = price_then WHERE id = what RETURNING price $$;
CREATE FUNCTION change_dynamic(what regclass) RETURNS void LANGUAGE plpgsql
AS $$ BEGIN EXECUTE format('DELETE FROM %s', what); END $$;
CREATE FUNCTION change_and_undo() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    UPDATE fruit SET price = 0;
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN
    UPDATE kind SET label = 'caught' WHERE id = 1;
  END;
END $$;
CREATE PROCEDURE change_twice() LANGUAGE plpgsql AS $$
BEGIN
  UPDATE fruit SET price = 51 WHERE id = 1;
  COMMIT;
  RAISE NOTICE '%', fruit();
  UPDATE fruit SET price = 52 WHERE id = 1;
  ROLLBACK;
  RAISE NOTICE '%', fruit();
  UPDATE fruit SET price = 53 WHERE id = 1;
  RAISE NOTICE '%', fruit();
END $$;
SELECT change(1, 14);
SELECT fruit();
SELECT sum(change(id, 15)) FROM generate_series(1, 2) AS id;
SELECT fruit();
SELECT change_dynamic('log');
SELECT logs(), fruit();
SELECT change_and_undo();
SELECT kinds(), fruit();
DO $$ BEGIN PERFORM change(1, 16); END $$;
SELECT fruit();
CALL change_twice();
SELECT fruit();
DO $$ BEGIN FOR i IN 1..2 LOOP UPDATE fruit SET price = 60 + i WHERE id = 1; COMMIT; RAISE NOTICE '%', fruit(); END LOOP; END $$;

-- A cursor that runs at COMMIT; several statements that are one transaction;
-- statistics that are reset before it.
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT change(1, 70);
COMMIT;
SELECT fruit();
CLOSE held;
UPDATE fruit SET price = 71 WHERE id = 1\; SELECT fruit()\; SELECT sum(price) FROM fruit;
SELECT fruit();
BEGIN;
UPDATE fruit SET price = 72 WHERE id = 1;
SELECT pg_stat_reset_single_table_counters('fruit'::regclass), pg_stat_reset(), pg_stat_force_next_flush();
COMMIT;
SELECT fruit();

-- Partitions.
CREATE TABLE sale (day int, amount int) PARTITION BY RANGE (day);
CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM (1) TO (10);
CREATE TABLE sale_2 PARTITION OF sale FOR VALUES FROM (10) TO (20);
CREATE TABLE sale_3 (day int, amount int);
INSERT INTO sale VALUES (1, 100), (10, 200);
INSERT INTO sale_3 VALUES (20, 300);
CREATE FUNCTION sales() RETURNS TABLE (total text, early text, third text) LANGUAGE sql VOLATILE AS $$
  SELECT look('sales', 'SELECT sum(amount) FROM sale'),
         look('sales early', 'SELECT sum(amount) FROM sale WHERE day < 10'),
         look('sales third', 'SELECT sum(amount) FROM sale_3')
$$;
SELECT * FROM sales();
UPDATE sale_2 SET amount = 201;
SELECT * FROM sales();
-- A row that moves.
UPDATE sale SET day = 11 WHERE day = 1;
SELECT * FROM sales();
INSERT INTO sale_1 VALUES (2, 50);
SELECT * FROM sales();
TRUNCATE sale_1;
SELECT * FROM sales();
ALTER TABLE sale ATTACH PARTITION sale_3 FOR VALUES FROM (20) TO (30);
SELECT total, early FROM sales();
SELECT third FROM sales();
INSERT INTO sale VALUES (22, 7);
SELECT total, third FROM sales();
ALTER TABLE sale DETACH PARTITION sale_3;
SELECT total, third FROM sales();
INSERT INTO sale_3 VALUES (23, 8);
SELECT total, third FROM sales();
ALTER TABLE sale DETACH PARTITION sale_2 CONCURRENTLY;
SELECT total FROM sales();
ALTER TABLE sale ATTACH PARTITION sale_2 FOR VALUES FROM (10) TO (20);
SELECT total FROM sales();
TRUNCATE sale;
SELECT total FROM sales();
CREATE TABLE sale_default PARTITION OF sale DEFAULT;
SELECT total FROM sales();
INSERT INTO sale VALUES (100, 1);
SELECT total FROM sales();
DROP TABLE sale_default;
SELECT total FROM sales();
CREATE TABLE parent (day int);
SELECT look('parent', 'SELECT count(*) FROM parent');
ALTER TABLE sale_3 INHERIT parent;
SELECT look('parent', 'SELECT count(*) FROM parent');
ALTER TABLE sale_3 NO INHERIT parent;
SELECT look('parent', 'SELECT count(*) FROM parent');
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1);
SELECT look('parent', 'SELECT count(*) FROM parent');
-- Created with a row in it.
BEGIN;
CREATE TABLE child_2 () INHERITS (parent);
INSERT INTO child_2 VALUES (1);
COMMIT;
SELECT look('parent', 'SELECT count(*) FROM parent');
DROP TABLE parent, child, child_2, sale, sale_3;

--
-- Changes of definitions
--

SELECT look('columns', 'SELECT string_agg(f::text, '' '' ORDER BY id) FROM fruit AS f');
ALTER TABLE fruit ADD COLUMN weight int DEFAULT 7;
SELECT look('columns', 'SELECT string_agg(f::text, '' '' ORDER BY id) FROM fruit AS f');
ALTER TABLE fruit ALTER weight TYPE numeric(10, 1);
SELECT look('columns', 'SELECT string_agg(f::text, '' '' ORDER BY id) FROM fruit AS f');
ALTER TABLE fruit RENAME weight TO mass;
SELECT look('columns', 'SELECT string_agg(f::text, '' '' ORDER BY id) FROM fruit AS f');
ALTER TABLE fruit DROP COLUMN mass;
SELECT look('columns', 'SELECT string_agg(f::text, '' '' ORDER BY id) FROM fruit AS f');
SELECT look('column', 'SELECT max(label) FROM kind');
ALTER TABLE kind RENAME label TO name;
SELECT ask('column', 'SELECT max(label) FROM kind');
ALTER TABLE kind RENAME name TO label;
SELECT look('column', 'SELECT max(label) FROM kind');
ALTER TABLE kind RENAME TO kind_2;
SELECT ask('column', 'SELECT max(label) FROM kind');
CREATE TABLE kind (label text);
SELECT look('column', 'SELECT max(label) FROM kind');
DROP TABLE kind;
ALTER TABLE kind_2 RENAME TO kind;
SELECT look('column', 'SELECT max(label) FROM kind');
CREATE SCHEMA away;
ALTER TABLE kind SET SCHEMA away;
SELECT ask('column', 'SELECT max(label) FROM kind');
ALTER TABLE away.kind SET SCHEMA public;
SELECT look('column', 'SELECT max(label) FROM kind');
ALTER SCHEMA away RENAME TO far;
DROP SCHEMA far;
-- Swapped with another one in one transaction.
CREATE TABLE kind_new (id int PRIMARY KEY, label text);
INSERT INTO kind_new VALUES (1, 'new'), (2, 'newer');
SELECT kinds();
BEGIN;
ALTER TABLE kind RENAME TO kind_old;
ALTER TABLE kind_new RENAME TO kind;
COMMIT;
SELECT kinds();
DROP VIEW labels;
DROP TABLE kind_old;
SELECT kinds();
ALTER TABLE kind ALTER label SET DEFAULT 'x', SET UNLOGGED;
SELECT kinds();
DROP TABLE made;
SELECT ask('made', 'SELECT count(*) FROM made');
DROP TABLE IF EXISTS made;

-- Views, materialized views.
CREATE OR REPLACE VIEW berries AS SELECT * FROM fruit WHERE kind = 2;
SELECT look('berries', 'SELECT count(*) FROM berries');
CREATE MATERIALIZED VIEW total AS SELECT 1 AS id, sum(price) AS total FROM fruit;
CREATE UNIQUE INDEX ON total (id);
SELECT look('total', 'SELECT total FROM total');
UPDATE fruit SET price = price + 1;
SELECT look('total', 'SELECT total FROM total');
REFRESH MATERIALIZED VIEW total;
SELECT look('total', 'SELECT total FROM total');
UPDATE fruit SET price = price + 1;
REFRESH MATERIALIZED VIEW CONCURRENTLY total;
SELECT look('total', 'SELECT total FROM total');
REFRESH MATERIALIZED VIEW total WITH NO DATA;
SELECT ask('total', 'SELECT total FROM total');
REFRESH MATERIALIZED VIEW total;
SELECT look('total', 'SELECT total FROM total');

-- Functions, whether inlined or not, also those behind an operator, an
-- aggregate, or another function.  Which ones an entry has called is not told
-- apart.
CREATE FUNCTION f_sql(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
CREATE FUNCTION f_plpgsql(int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 + 1; END $$;
CREATE FUNCTION f_deep(int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN f_plpgsql($1); END $$;
CREATE FUNCTION f_query(int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT f_plpgsql(id) FROM kind WHERE id = $1); END $$;
CREATE FUNCTION f_op(int, int) RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 = $2; END $$;
CREATE OPERATOR ==== (LEFTARG = int, RIGHTARG = int, FUNCTION = f_op);
CREATE FUNCTION f_step(int, int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 + $2; END $$;
CREATE AGGREGATE f_agg(int) (SFUNC = f_step, STYPE = int, INITCOND = 0);
CREATE FUNCTION functions() RETURNS TABLE (a text, b text, c text, d text, e text, f text) LANGUAGE sql VOLATILE AS $$
  SELECT look('f sql', 'SELECT f_sql(id) FROM kind WHERE id = 1'), look('f plpgsql', 'SELECT f_plpgsql(1)'),
         look('f deep', 'SELECT f_deep(1)'), look('f query', 'SELECT f_query(1)'),
         look('f op', 'SELECT count(*) FROM kind WHERE id ==== 1'), look('f agg', 'SELECT f_agg(id) FROM kind')
$$;
SELECT * FROM functions();
CREATE OR REPLACE FUNCTION f_sql(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 2';
SELECT * FROM functions();
CREATE OR REPLACE FUNCTION f_plpgsql(int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 + 2; END $$;
SELECT * FROM functions();
CREATE OR REPLACE FUNCTION f_op(int, int) RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 <> $2 + 5; END $$;
SELECT * FROM functions();
CREATE OR REPLACE FUNCTION f_step(int, int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 + $2 + 1; END $$;
SELECT * FROM functions();
ALTER FUNCTION f_plpgsql(int) RENAME TO f_other;
SELECT ask('f plpgsql', 'SELECT f_plpgsql(1)');
ALTER FUNCTION f_other(int) RENAME TO f_plpgsql;
DROP FUNCTION f_sql(int);
SELECT ask('f sql', 'SELECT f_sql(id) FROM kind WHERE id = 1');
CREATE FUNCTION f_sql(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 3';
ALTER FUNCTION f_plpgsql(int) SET extra_float_digits = 0;
SELECT * FROM functions();
DROP AGGREGATE f_agg(int);
DROP OPERATOR ==== (int, int);
DROP FUNCTION f_sql, f_plpgsql, f_deep, f_query, f_op, f_step, functions;

--
-- What is no change
--

SELECT fruit(), kinds(), logs();
UPDATE fruit SET price = 0 WHERE id = 12345;
DELETE FROM fruit WHERE false;
DELETE FROM fruit WHERE id = 12345;
INSERT INTO fruit SELECT * FROM fruit WHERE id = 12345;
MERGE INTO fruit USING (VALUES (12345)) AS v(id) ON v.id = fruit.id WHEN MATCHED THEN DELETE;
MERGE INTO fruit USING (VALUES (1)) AS v(id) ON v.id = fruit.id WHEN MATCHED THEN DO NOTHING;
INSERT INTO fruit VALUES (1, 1, 1) ON CONFLICT DO NOTHING;
INSERT INTO fruit VALUES (1, 1, 1) ON CONFLICT (id) DO UPDATE SET price = 0 WHERE false;
INSERT INTO fruit VALUES (1, 1, 1);
WITH none AS (DELETE FROM fruit WHERE id = 12345 RETURNING id) SELECT * FROM none;
COPY fruit FROM STDIN;
\.
SELECT fruit(), kinds(), logs();
SELECT id FROM fruit WHERE id = 1 FOR UPDATE;
SELECT id FROM fruit WHERE id = 1 FOR NO KEY UPDATE;
SELECT id FROM fruit WHERE id = 1 FOR SHARE;
BEGIN;
LOCK TABLE fruit;
COMMIT;
BEGIN;
LOCK TABLE fruit IN ROW EXCLUSIVE MODE;
COMMIT;
VACUUM fruit;
ANALYZE fruit;
VACUUM (FREEZE) fruit;
CHECKPOINT;
SELECT fruit(), kinds(), logs();
DO $$ BEGIN EXECUTE 'EXPLAIN UPDATE fruit SET price = 0'; END $$;
PREPARE nothing AS UPDATE fruit SET price = 0;
DEALLOCATE nothing;
COPY (SELECT id FROM fruit ORDER BY id) TO STDOUT;
SELECT fruit(), kinds(), logs();
-- Undone.
BEGIN;
UPDATE fruit SET price = 0;
ROLLBACK;
BEGIN;
TRUNCATE fruit;
ROLLBACK;
BEGIN;
ALTER TABLE fruit ADD COLUMN x int;
ROLLBACK;
BEGIN;
DROP TABLE fruit CASCADE;
ROLLBACK;
BEGIN;
SAVEPOINT a;
UPDATE fruit SET price = 0;
SAVEPOINT b;
DELETE FROM fruit;
RELEASE b;
ROLLBACK TO a;
COMMIT;
BEGIN;
SAVEPOINT a;
TRUNCATE fruit;
ROLLBACK TO a;
COMMIT;
SELECT fruit(), kinds(), logs();
BEGIN;
SAVEPOINT a;
INSERT INTO fruit VALUES (1, 1, 1);
ROLLBACK TO a;
COMMIT;
DO $$ BEGIN INSERT INTO fruit VALUES (1, 1, 1); EXCEPTION WHEN unique_violation THEN END $$;
DO $$ BEGIN UPDATE fruit SET price = 0; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END $$;
SELECT fruit(), kinds(), logs();
-- Of something else.
UPDATE other SET v = 5;
TRUNCATE other;
CREATE TABLE unrelated (id int REFERENCES fruit);
INSERT INTO unrelated VALUES (1);
SELECT logs();
DROP TABLE unrelated;
CREATE TEMP TABLE fruit_copy AS SELECT * FROM fruit;
UPDATE fruit_copy SET price = 0;
DROP TABLE fruit_copy;
CREATE SEQUENCE numbers;
SELECT nextval('numbers');
DROP SEQUENCE numbers;
CREATE ROLE regress_dogpile_unrelated;
DROP ROLE regress_dogpile_unrelated;
SET work_mem = '1MB';
RESET work_mem;
NOTIFY nothing;
SELECT logs(), kinds();

--
-- Transactions
--

-- A transaction sees its own writes, and no other does: nothing is served from the cache,
-- and nothing is published.
SELECT fruit();
BEGIN;
SELECT fruit();
UPDATE fruit SET price = 1000 WHERE id = 1;
SELECT fruit();
SELECT fruit();
SELECT dogpile_exists('auto', 'fruit');
-- What does not depend on them is served.
SELECT kinds();
ROLLBACK;
SELECT fruit();
BEGIN;
UPDATE fruit SET price = 1000 WHERE id = 1;
SELECT fruit();
COMMIT;
SELECT fruit();
SELECT fruit();
-- Also in the statement that writes, and by functions that it calls.
WITH changed AS (UPDATE fruit SET price = 1001 WHERE id = 1 RETURNING price) SELECT price, fruit() FROM changed;
SELECT fruit();
SELECT change(1, 1002), fruit();
-- An entry that the transaction creates before it writes.
BEGIN;
SELECT look('before', 'SELECT max(price) FROM fruit');
UPDATE fruit SET price = 1003 WHERE id = 1;
SELECT look('before', 'SELECT max(price) FROM fruit');
COMMIT;
SELECT look('before', 'SELECT max(price) FROM fruit');
-- An entry whose query writes what it reads.
CREATE FUNCTION writes() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN writes_indeed(); END $$;
CREATE FUNCTION writes_indeed() RETURNS int VOLATILE LANGUAGE plpgsql
AS $$ BEGIN UPDATE other SET v = v + 1; RETURN 1; END $$;
INSERT INTO other VALUES (1, 0);
SELECT dogpile_get_or_create('auto_ignore', 'writes', 'SELECT v + 0 * writes() FROM other, computed(''writes'')');
SELECT dogpile_get_or_create('auto_ignore', 'writes', 'SELECT v FROM other, computed(''writes'')');

-- Savepoints: what was undone does not count any more.
BEGIN;
SELECT fruit();
SAVEPOINT a;
UPDATE fruit SET price = 2000 WHERE id = 1;
SELECT fruit();
ROLLBACK TO a;
SELECT fruit();
SAVEPOINT b;
UPDATE fruit SET price = 2001 WHERE id = 1;
SAVEPOINT c;
UPDATE fruit SET price = 2002 WHERE id = 1;
RELEASE c;
SELECT fruit();
ROLLBACK TO b;
SELECT fruit();
SAVEPOINT d;
UPDATE fruit SET price = 2003 WHERE id = 1;
RELEASE d;
SELECT fruit();
COMMIT;
SELECT fruit();

-- Definitions, too.
SELECT kinds();
BEGIN;
ALTER TABLE kind ADD COLUMN rank int DEFAULT 1;
SELECT look('rank', 'SELECT sum(rank) FROM kind');
SELECT kinds();
SAVEPOINT a;
ALTER TABLE kind RENAME TO kind_3;
SELECT ask('kinds', 'SELECT string_agg(label, '' '' ORDER BY id) FROM kind');
ROLLBACK TO a;
ALTER TABLE kind DROP COLUMN rank;
SELECT kinds();
ROLLBACK;
SELECT kinds();
BEGIN;
TRUNCATE kind;
SELECT kinds();
SAVEPOINT a;
DROP TABLE kind;
ROLLBACK TO a;
SELECT kinds();
ROLLBACK;
SELECT kinds();
BEGIN;
CREATE OR REPLACE VIEW berries AS SELECT * FROM fruit WHERE kind = 1;
SELECT look('berries', 'SELECT count(*) FROM berries');
ROLLBACK;
SELECT look('berries', 'SELECT count(*) FROM berries');
BEGIN;
CREATE TABLE young (id int);
INSERT INTO young VALUES (1);
SELECT look('young', 'SELECT count(*) FROM young');
ROLLBACK;
SELECT ask('young', 'SELECT count(*) FROM young');

-- Isolation levels.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT fruit();
SELECT fruit();
UPDATE fruit SET price = 2004 WHERE id = 1;
SELECT fruit(), kinds();
COMMIT;
SELECT fruit();
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT look('repeatable', 'SELECT count(*) FROM fruit');
COMMIT;
SELECT look('repeatable', 'SELECT count(*) FROM fruit');
SET default_transaction_isolation = 'repeatable read';
SELECT fruit();
UPDATE fruit SET price = price + 1 WHERE id = 2;
SELECT fruit();
BEGIN;
SELECT kinds();
COMMIT AND CHAIN;
SELECT fruit();
COMMIT;
RESET default_transaction_isolation;
-- A hit would not register what was read, so each transaction computes.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT fruit();
SELECT fruit();
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT fruit();
COMMIT;
SELECT fruit();
-- A value that was set comes from no query, so there is nothing to register.
SELECT dogpile_set('auto', 'set', 'by hand');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT dogpile_get('auto', 'set'), dogpile_get('auto', 'fruit') IS NULL AS computed_only;
COMMIT;
SET row_security = off;
SELECT dogpile_get('auto', 'set'), dogpile_get('auto', 'fruit') IS NULL AS computed_only;
RESET row_security;

-- The changes of a session with track_counts off are known by its locks.
SET track_counts = off;
UPDATE fruit SET price = 2005 WHERE id = 1;
SELECT fruit(), kinds();
SELECT fruit(), kinds();
DELETE FROM other;
TRUNCATE other;
SELECT fruit(), kinds();
BEGIN;
UPDATE fruit SET price = 2006 WHERE id = 1;
SELECT fruit();
COMMIT;
SELECT fruit();
BEGIN;
SAVEPOINT a;
UPDATE fruit SET price = 0 WHERE id = 1;
ROLLBACK TO a;
COMMIT;
SELECT fruit();
RESET track_counts;
SELECT fruit();
-- ... even if it counts again when it commits, or has counted before.
BEGIN;
SET LOCAL track_counts = off;
UPDATE fruit SET price = 2007 WHERE id = 1;
SET LOCAL track_counts = on;
COMMIT;
SELECT fruit();
BEGIN;
UPDATE other SET v = 0;
SET LOCAL track_counts = off;
UPDATE fruit SET price = 2008 WHERE id = 1;
SET LOCAL track_counts = on;
SELECT fruit();
COMMIT;
SELECT fruit();
CREATE FUNCTION uncounted(int) RETURNS void LANGUAGE sql SET track_counts = off
AS $$ UPDATE fruit SET price = $1 WHERE id = 1 $$;
SELECT uncounted(2009);
SELECT fruit();
BEGIN;
UPDATE fruit SET price = 1 WHERE id = 12345;
SELECT uncounted(2010);
COMMIT;
SELECT fruit();

-- Prepared transactions: nothing has changed until they are committed.
SELECT fruit(), kinds();
BEGIN;
UPDATE fruit SET price = 3000 WHERE id = 1;
PREPARE TRANSACTION 'dogpile';
SELECT fruit(), kinds();
COMMIT PREPARED 'dogpile';
SELECT fruit(), kinds();
SELECT fruit();
BEGIN;
UPDATE fruit SET price = 3001 WHERE id = 1;
PREPARE TRANSACTION 'dogpile';
ROLLBACK PREPARED 'dogpile';
SELECT fruit(), kinds();
SELECT fruit(), kinds();
BEGIN;
INSERT INTO kind VALUES (7, 'prepared');
CREATE OR REPLACE VIEW berries AS SELECT * FROM fruit WHERE kind = 1;
PREPARE TRANSACTION 'dogpile';
COMMIT PREPARED 'dogpile';
SELECT kinds(), look('berries', 'SELECT count(*) FROM berries');
BEGIN;
DELETE FROM kind WHERE id = 7;
SAVEPOINT a;
DELETE FROM fruit;
ROLLBACK TO a;
PREPARE TRANSACTION 'dogpile';
COMMIT PREPARED 'dogpile';
SELECT kinds();
SELECT fruit();
-- The role that ends one need not be allowed to read locks.
CREATE ROLE regress_dogpile_plain;
GRANT SELECT, UPDATE ON fruit TO regress_dogpile_plain;
REVOKE SELECT ON pg_locks, pg_prepared_xacts FROM PUBLIC;
SET SESSION AUTHORIZATION regress_dogpile_plain;
BEGIN;
UPDATE fruit SET price = 3002 WHERE id = 1;
PREPARE TRANSACTION 'dogpile';
COMMIT PREPARED 'dogpile';
RESET SESSION AUTHORIZATION;
GRANT SELECT ON pg_locks, pg_prepared_xacts TO PUBLIC;
SELECT fruit();
-- Nor does reading them run that role's functions with the rights of others.
CREATE SCHEMA regress_dogpile_trap;
CREATE FUNCTION regress_dogpile_trap.equals(text, text) RETURNS boolean LANGUAGE plpgsql AS
$$BEGIN
  RAISE NOTICE 'run';
  RETURN $1 OPERATOR(pg_catalog.=) $2;
END$$;
CREATE OPERATOR regress_dogpile_trap.= (LEFTARG = text, RIGHTARG = text,
                                        FUNCTION = regress_dogpile_trap.equals);
GRANT USAGE ON SCHEMA regress_dogpile_trap TO regress_dogpile_plain;
SET SESSION AUTHORIZATION regress_dogpile_plain;
SET search_path = regress_dogpile_trap, pg_catalog;
SELECT 'a'::text = 'a'::text;
BEGIN;
UPDATE public.fruit SET price = 3003 WHERE id OPERATOR(pg_catalog.=) 1;
PREPARE TRANSACTION 'dogpile';
COMMIT PREPARED 'dogpile';
RESET search_path;
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_dogpile_trap CASCADE;
RESET client_min_messages;
SELECT fruit(), kinds();
DROP OWNED BY regress_dogpile_plain;
DROP ROLE regress_dogpile_plain;
-- One that has created an entry and changed nothing, and one with changes of
-- the cache itself.
BEGIN;
SELECT look('prepared', 'SELECT count(*) FROM kind');
PREPARE TRANSACTION 'dogpile';
COMMIT PREPARED 'dogpile';
BEGIN;
UPDATE kind SET label = 'x';
SELECT look('prepared', 'SELECT count(*) FROM kind');
PREPARE TRANSACTION 'dogpile';
ROLLBACK PREPARED 'dogpile';
SELECT kinds();

-- Both in and out of the cache.
SELECT dogpile_invalidate('auto', 'fruit');
SELECT fruit();
SELECT dogpile_invalidate('auto', 'fruit', false);
UPDATE fruit SET price = 4000 WHERE id = 1;
SELECT fruit();
BEGIN;
UPDATE fruit SET price = 4001 WHERE id = 1;
SELECT dogpile_invalidate('auto', 'fruit');
SELECT fruit();
COMMIT;
SELECT fruit();
SELECT fruit();
DISCARD ALL;
SELECT fruit(), kinds();
\c -
\pset tuples_only on
\pset format unaligned
SELECT fruit(), kinds();
SELECT count(*) FROM pg_locks WHERE objsubid = 208;

DROP MATERIALIZED VIEW total;
DROP VIEW berries;
DROP TABLE fruit, kind, other, log, frozen;
DROP FUNCTION computed, ask, look, fruit, kinds, logs, keys, sales, log_it, instead, change, change_dynamic,
  change_and_undo, writes, writes_indeed, uncounted;
DROP PROCEDURE change_twice;
