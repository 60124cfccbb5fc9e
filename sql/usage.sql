--
-- Wherever a function may be called: prepared statements, views, CTEs, cursors,
-- triggers, other functions, the query of another entry.
--

CREATE FUNCTION compute(value anyelement) RETURNS anyelement
LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE 'computing %', value;
  RETURN value;
END $$;
CREATE TABLE usage_items (id int, name text);
INSERT INTO usage_items VALUES (1, 'one'), (2, 'two'), (3, 'three');

--
-- Prepared statements
--

PREPARE usage_get(text, int) AS
  SELECT dogpile_get_or_create('reports', 'usage ' || $1, 'SELECT compute($1)', 0, row($2));
EXECUTE usage_get('prepared', 1);
EXECUTE usage_get('prepared', 2);
EXECUTE usage_get('prepared 2', 2);
-- Neither a generic plan nor another one changes that.
SET plan_cache_mode = force_generic_plan;
EXECUTE usage_get('prepared', 3);
EXECUTE usage_get('prepared 3', 3);
RESET plan_cache_mode;
DEALLOCATE usage_get;
-- A row type that is altered between two calls of a statement.
PREPARE usage_row AS
  SELECT dogpile_get_or_create('reports', 'usage row', 'SELECT * FROM usage_items WHERE id = 1',
                               result_type => NULL::usage_items);
EXECUTE usage_row;
ALTER TABLE usage_items ADD COLUMN price numeric DEFAULT 9.99;
EXECUTE usage_row;
ALTER TABLE usage_items DROP COLUMN name;
EXECUTE usage_row;
ALTER TABLE usage_items ADD COLUMN name text DEFAULT 'x', DROP COLUMN price;
EXECUTE usage_row;
DEALLOCATE usage_row;
UPDATE usage_items SET name = 'n' || id;

--
-- Views, CTEs, joins, subqueries
--

CREATE VIEW usage_view AS
  SELECT * FROM dogpile_query('reports', 'usage view', 'SELECT id, compute(name) FROM usage_items',
                              expiration_time => '5 min') AS t(id int, name text);
SELECT count(*) FROM usage_view;
SELECT * FROM usage_view WHERE id = 2;
-- Several times in one statement, it is created once.
SELECT a.id, b.name FROM usage_view AS a JOIN usage_view AS b ON a.id + 1 = b.id ORDER BY 1;
WITH t AS (
  SELECT dogpile_get_or_create('reports', 'usage with', 'SELECT compute(1)', 0) AS v
    FROM generate_series(1, 3))
SELECT sum(v), count(*) FROM t;
-- Once for each row of the other side, with its values.
SELECT i, t.n FROM generate_series(1, 2) AS i,
       LATERAL dogpile_query('reports', dogpile_key('usage lateral', i),
                             'SELECT compute($1 * n) FROM generate_series(1, 2) AS n',
                             0, row(i)) AS t(n);
SELECT i, (SELECT sum(n) FROM dogpile_query('reports', dogpile_key('usage lateral', i), '', 0) AS t(n))
  FROM generate_series(1, 2) AS i;
SELECT * FROM ROWS FROM (dogpile_query('reports', 'usage lateral:1', '', 0),
                         dogpile_query('reports', 'usage lateral:2', '', 0)) AS t(a, b);
-- Only where it is called.
SELECT CASE WHEN id = 1 THEN dogpile_get_or_create('reports', 'usage case', 'SELECT compute(id) FROM usage_items WHERE id = 1')
            ELSE 'no' END
  FROM usage_items ORDER BY id;
-- What copies rows.
COPY (SELECT id, dogpile_get_or_create('reports', 'usage copy', 'SELECT compute(7)') FROM usage_items) TO STDOUT;
CREATE TABLE usage_copy AS SELECT * FROM usage_view;
INSERT INTO usage_copy SELECT id + 10, name FROM usage_view;
UPDATE usage_copy AS c SET name = v.name FROM usage_view AS v WHERE c.id = v.id + 10;
SELECT count(*), count(DISTINCT name) FROM usage_copy;
-- Where nothing volatile may stand.
CREATE INDEX ON usage_copy (dogpile_get('reports', name));
CREATE TABLE usage_generated (id int, v text GENERATED ALWAYS AS (dogpile_get('reports', id::text)) STORED);

--
-- Cursors
--

SELECT dogpile_query('reports', 'usage cursor', 'SELECT * FROM generate_series(1, 5)', 0) LIMIT 1;
BEGIN;
DECLARE usage_scroll SCROLL CURSOR FOR
  SELECT * FROM dogpile_query('reports', 'usage cursor', '', 0);
FETCH 2 FROM usage_scroll;
-- What is invalidated meanwhile has been read already.
SELECT dogpile_invalidate('reports', 'usage cursor');
FETCH BACKWARD 1 FROM usage_scroll;
FETCH ALL FROM usage_scroll;
CLOSE usage_scroll;
-- One that outlives its transaction runs at COMMIT, and so do its changes.
DECLARE usage_hold CURSOR WITH HOLD FOR
  SELECT i, dogpile_set('reports', 'usage hold ' || i, i) FROM generate_series(1, 2) AS i;
SELECT dogpile_exists('reports', 'usage hold 1');
COMMIT;
FETCH ALL FROM usage_hold;
CLOSE usage_hold;
SELECT dogpile_get('reports', 'usage hold 1'), dogpile_get('reports', 'usage hold 2');

--
-- Tables: defaults, constraints, triggers
--

CREATE TABLE usage_defaults (
  id int CHECK (id <= dogpile_get_or_create('reports', 'usage limit', 'SELECT compute(10)', 0)),
  name text DEFAULT dogpile_get_or_create('reports', 'usage default', 'SELECT compute(''d''::text)'));
INSERT INTO usage_defaults VALUES (1);
INSERT INTO usage_defaults VALUES (10), (2);
INSERT INTO usage_defaults VALUES (11);
SELECT * FROM usage_defaults ORDER BY id;
CREATE FUNCTION usage_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.name := dogpile_get_or_create('reports', 'usage trigger', 'SELECT compute(''t''::text)');
  RETURN NEW;
END $$;
CREATE TRIGGER usage_before BEFORE INSERT ON usage_defaults
  FOR EACH ROW EXECUTE FUNCTION usage_trigger();
-- In a transaction that has written, the value waits for COMMIT.
BEGIN;
DELETE FROM usage_defaults WHERE id = 2;
INSERT INTO usage_defaults VALUES (3), (4);
ROLLBACK;
SELECT dogpile_exists('reports', 'usage trigger');
INSERT INTO usage_defaults VALUES (3), (4);
SELECT dogpile_get('reports', 'usage trigger'), count(*) FROM usage_defaults WHERE name = 't';

--
-- Functions
--

-- Polymorphic ones: the type is that of each call.
CREATE FUNCTION usage_store(key text, value anyelement) RETURNS anyelement LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_set('reports', key, value);
  RETURN dogpile_get('reports', key, value);
END $$;
SELECT usage_store('usage 1', 1), usage_store('usage 2', 'x'::text), usage_store('usage 3', ARRAY[1, 2]),
       usage_store('usage 1', 2.5), usage_store('usage 4', row(1, 'x')::usage_items);
SELECT i, type FROM generate_series(1, 4) AS i, dogpile_metadata('reports', 'usage ' || i);
CREATE FUNCTION usage_create(key text, query text, value anyelement) RETURNS anyelement
LANGUAGE sql VOLATILE AS $$ SELECT dogpile_get_or_create('reports', key, query, value) $$;
SELECT usage_create('usage sql', 'SELECT compute(1)', 0), usage_create('usage sql', '', 0);
SELECT usage_create('usage sql', '', ''::text);
-- Variables of PL/pgSQL keep arrays and records unpacked.
DO $$
DECLARE
  numbers int[] := '{1,2,3}';
  item usage_items := row(1, 'x');
  rec record;
BEGIN
  numbers[2] := 20;
  item.name := 'y';
  SELECT 5 AS a, 'z'::text AS b INTO rec;
  rec.a := rec.a + 1;
  PERFORM dogpile_set('reports', 'usage array', numbers), dogpile_set('reports', 'usage item', item),
          dogpile_set('reports', 'usage record', rec);
  RAISE NOTICE '% % %', dogpile_get('reports', 'usage array', numbers),
    dogpile_get('reports', 'usage item', item), dogpile_get('reports', 'usage record');
  RAISE NOTICE '%', dogpile_get_or_create('reports', 'usage params', 'SELECT $2 || $1', params => rec);
  item := dogpile_get('reports', 'usage item', item);
  item.name := item.name || item.name;
  RAISE NOTICE '% %', item.name, (dogpile_get('reports', 'usage item', item)).name;
  FOR item IN SELECT * FROM dogpile_query('reports', 'usage items', 'SELECT id, name FROM usage_items ORDER BY id',
                                          result_type => item) LOOP
    RAISE NOTICE '%', item;
  END LOOP;
END $$;
-- A result set as the result of a function.
CREATE FUNCTION usage_set() RETURNS SETOF usage_items LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT * FROM dogpile_query('reports', 'usage items', '', result_type => NULL::usage_items);
END $$;
SELECT * FROM usage_set();

--
-- The query of another entry
--

-- An error of the inner one that is caught leaves the outer one as it was.
CREATE FUNCTION usage_try() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    PERFORM dogpile_get_or_create('reports', 'usage inner', 'SELECT 1/0');
  EXCEPTION WHEN division_by_zero THEN
    RAISE NOTICE 'failed';
  END;
  RETURN dogpile_get_or_create('reports', 'usage inner', 'SELECT compute(1)');
END $$;
SELECT dogpile_get_or_create('reports', 'usage outer', 'SELECT usage_try()');
SELECT dogpile_get('reports', 'usage outer'), dogpile_get('reports', 'usage inner');
-- So does the error about waiting for itself.
CREATE FUNCTION usage_self() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN dogpile_get_or_create('reports', 'usage self', 'SELECT 1');
EXCEPTION WHEN invalid_recursion THEN
  RETURN 'refused';
END $$;
SELECT dogpile_get_or_create('reports', 'usage self', 'SELECT usage_self()');
SELECT dogpile_get('reports', 'usage self');
SELECT dogpile_get_or_create('reports', 'usage add', $$ SELECT dogpile_add('reports', 'usage add', 1) $$);
SELECT dogpile_exists('reports', 'usage add');
-- It may look at what was there.
SELECT dogpile_set('reports', 'usage count', 1);
SELECT dogpile_invalidate('reports', 'usage count', false);
SELECT dogpile_get_or_create('reports', 'usage count', $$ SELECT 1 + dogpile_get('reports', 'usage count', 0) $$, 0);
-- What it sets itself is the value from then on.
SELECT dogpile_get_or_create('reports', 'usage own', $$ SELECT 'old' || dogpile_set('reports', 'usage own', 'new')::text $$);
SELECT dogpile_get('reports', 'usage own');
-- No creator lock is left by any of this.
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();

--
-- Parallel plans: the query may use them, calls are in the leader.
--

CREATE TABLE usage_large AS SELECT i FROM generate_series(1, 20000) AS i;
ANALYZE usage_large;
CREATE FUNCTION usage_pid() RETURNS int LANGUAGE plpgsql VOLATILE PARALLEL SAFE
AS $$ BEGIN RETURN pg_backend_pid(); END $$;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT dogpile_get_or_create('reports', 'usage parallel',
                             'SELECT count(*) FILTER (WHERE usage_pid() <> $1) FROM usage_large',
                             params => row(pg_backend_pid())) AS rows_of_workers;
EXPLAIN (COSTS OFF) SELECT count(*) FROM usage_large WHERE dogpile_get('reports', i::text) IS NOT NULL;
EXPLAIN (COSTS OFF) SELECT count(*) FROM usage_large WHERE dogpile_get_or_create('reports', i::text, '') IS NOT NULL;
RESET ALL;

--
-- The end of a session's state is not the end of the cache.
--

SELECT dogpile_set('reports', 'usage discard', row(1, 'x')::usage_items);
DISCARD ALL;
SELECT dogpile_get('reports', 'usage discard', NULL::usage_items);
\c -
SELECT dogpile_get('reports', 'usage discard', NULL::usage_items), dogpile_get('reports', 'usage record');
SELECT count(*) FROM usage_view;

DROP FUNCTION usage_set, usage_store, usage_create, usage_try, usage_self, usage_pid;
DROP VIEW usage_view;
DROP TABLE usage_items, usage_copy, usage_defaults, usage_large;
DROP FUNCTION compute, usage_trigger;
