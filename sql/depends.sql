--
-- depends = 'auto': all that a query reads is found, in whatever way it was read, and
-- what cannot be known is refused.  sql/changes.sql has what then invalidates an
-- entry, and what does not.
--
-- Regions: "auto" varies by role and search_path and refuses, "auto_bypass" and
-- "auto_ignore" do otherwise; "auto_tenants" varies by app.tenant in addition,
-- "auto_file" is kept outside shared memory.
--

\set SHOW_CONTEXT never
-- Values only.
\pset tuples_only on
\pset format unaligned

SELECT name, setting, boot_val, enumvals, context FROM pg_settings
  WHERE name ~ '^dogpile_(auto|reports)\.(depends|nondeterministic|verify_fraction)$'
  ORDER BY name COLLATE "C";

-- A question is a query of one value.  look() gets the result from the cache, and
-- computes it as well: the two must be the same.  "computed" says that the cache has
-- run the query.
CREATE TABLE questions (name text PRIMARY KEY, query text);
CREATE FUNCTION computed(name text) RETURNS void STABLE LANGUAGE plpgsql
AS $$ BEGIN RAISE NOTICE 'computed: %', name; END $$;
CREATE FUNCTION ask(name text, query text, region text DEFAULT 'auto') RETURNS text
LANGUAGE sql VOLATILE AS $$
  SELECT dogpile_get_or_create(region, name,
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
-- All at once, silent but for what was computed.
CREATE FUNCTION look_all() RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
  SELECT name FROM questions WHERE look(name, query) IS NULL ORDER BY name COLLATE "C"
$$;

--
-- What a query has read
--

CREATE TABLE kind (id int PRIMARY KEY, label text);
CREATE TABLE fruit (id int PRIMARY KEY, kind int, price int);
CREATE TABLE other (id int);
INSERT INTO kind VALUES (1, 'berry'), (2, 'citrus');
INSERT INTO fruit VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);
INSERT INTO other VALUES (1);
CREATE VIEW berries AS SELECT * FROM fruit WHERE kind = 1;
CREATE VIEW cheap_berries AS SELECT b.id, k.label FROM berries AS b JOIN kind AS k ON k.id = b.kind WHERE price < 15;
CREATE MATERIALIZED VIEW prices AS SELECT sum(price) AS total FROM fruit;
CREATE TABLE sale (day int, amount int) PARTITION BY RANGE (day);
CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM (1) TO (10);
CREATE TABLE sale_2 PARTITION OF sale FOR VALUES FROM (10) TO (20) PARTITION BY LIST (day);
CREATE TABLE sale_2a PARTITION OF sale_2 FOR VALUES IN (10, 11);
CREATE TABLE sale_2b PARTITION OF sale_2 DEFAULT;
INSERT INTO sale VALUES (1, 100), (10, 200), (15, 300);
CREATE TABLE animal (name text, legs int);
CREATE TABLE bird (wings int) INHERITS (animal);
INSERT INTO animal VALUES ('cat', 4);
INSERT INTO bird VALUES ('robin', 2, 2);

-- Functions: one that is inlined, one that is not, and those of PL/pgSQL.
CREATE FUNCTION of_kind(k int) RETURNS SETOF fruit STABLE LANGUAGE sql
AS $$ SELECT * FROM fruit WHERE kind = k $$;
CREATE FUNCTION count_other() RETURNS bigint STABLE LANGUAGE sql
AS $$ SELECT 1; SELECT count(*) FROM other $$;
CREATE FUNCTION price_of(which int) RETURNS int STABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN (SELECT price FROM fruit WHERE id = which); END $$;
CREATE FUNCTION count_of(what regclass) RETURNS bigint STABLE LANGUAGE plpgsql
AS $$ DECLARE n bigint; BEGIN EXECUTE format('SELECT count(*) FROM %s', what) INTO n; RETURN n; END $$;
CREATE FUNCTION nested() RETURNS bigint STABLE LANGUAGE plpgsql
AS $$ DECLARE r record; n bigint := count_other(); BEGIN
  FOR r IN SELECT * FROM of_kind(2) LOOP n := n + price_of(r.id); END LOOP;
  RETURN n;
END $$;
CREATE FUNCTION limit_of(k int) RETURNS int IMMUTABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN (SELECT max(price) FROM fruit WHERE kind = k); END $$;
CREATE FUNCTION with_cursor() RETURNS bigint STABLE LANGUAGE plpgsql
AS $$ DECLARE c CURSOR FOR SELECT id FROM other; v int; n bigint := 0; BEGIN
  OPEN c; LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; n := n + v; END LOOP; CLOSE c; RETURN n;
END $$;
CREATE FUNCTION caught() RETURNS bigint STABLE LANGUAGE plpgsql
AS $$ BEGIN
  BEGIN PERFORM 1 / (count(*) - count(*)) FROM other; EXCEPTION WHEN division_by_zero THEN END;
  RETURN 1;
END $$;
CREATE FUNCTION add_price(total bigint, which int) RETURNS bigint STABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN total + price_of(which); END $$;
CREATE AGGREGATE price_sum(int) (SFUNC = add_price, STYPE = bigint, INITCOND = 0);
CREATE FUNCTION same_price(a int, b int) RETURNS boolean STABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN price_of(a) = price_of(b); END $$;
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same_price);

INSERT INTO questions VALUES
  ('fruit: plain', 'SELECT sum(price) FROM fruit'),
  ('fruit: index', 'SELECT price FROM fruit WHERE id = 1'),
  ('fruit: no row', 'SELECT count(*) FROM fruit WHERE id = 99'),
  ('fruit: cte', 'WITH c AS MATERIALIZED (SELECT * FROM fruit) SELECT sum(c.price * d.price) FROM c, c AS d'),
  ('fruit: recursive', 'WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT c.id + 1 FROM c JOIN fruit USING (id)) SELECT max(id) FROM c'),
  ('fruit: view', 'SELECT sum(price) FROM berries'),
  ('fruit: window', 'SELECT max(r) FROM (SELECT rank() OVER (ORDER BY price) AS r FROM fruit) AS w'),
  ('fruit: sql inlined', 'SELECT sum(price) FROM of_kind(1)'),
  ('fruit: plpgsql', 'SELECT price_of(2)'),
  ('fruit: plpgsql again', 'SELECT price_of(2) + 1'),
  ('fruit: immutable', 'SELECT limit_of(1)'),
  ('fruit: dynamic', 'SELECT count_of(''fruit'')'),
  ('fruit: aggregate', 'SELECT price_sum(i) FROM generate_series(1, 2) AS i'),
  ('fruit: operator', 'SELECT count(*) FROM generate_series(1, 3) AS i WHERE i === 1'),
  ('fruit other: union', 'SELECT sum(id) FROM (SELECT id FROM fruit UNION ALL SELECT id FROM other) AS u'),
  ('fruit other: exists', 'SELECT count(*) FROM fruit WHERE EXISTS (SELECT FROM other WHERE other.id = fruit.id)'),
  ('fruit other: not in', 'SELECT count(*) FROM fruit WHERE id NOT IN (SELECT id FROM other)'),
  ('fruit other: lateral', 'SELECT count(*) FROM other, LATERAL (SELECT * FROM fruit WHERE fruit.id > other.id LIMIT 1) AS l'),
  ('fruit other: nested', 'SELECT nested()'),
  ('fruit other: never executed', 'SELECT CASE WHEN (SELECT count(*) FROM fruit) < 0 THEN (SELECT id FROM other) ELSE 0 END'),
  ('fruit kind: join', 'SELECT count(*) FROM fruit JOIN kind ON kind.id = fruit.kind WHERE label = ''berry'''),
  ('fruit kind: join removed', 'SELECT count(*) FROM fruit LEFT JOIN kind ON kind.id = fruit.kind'),
  ('fruit kind: view of view', 'SELECT string_agg(label, '','') FROM cheap_berries'),
  ('other: sql', 'SELECT count_other()'),
  ('other: sql again', 'SELECT count_other() + 1'),
  ('other: dynamic', 'SELECT count_of(''other'')'),
  ('other: cursor', 'SELECT with_cursor()'),
  ('other: error caught', 'SELECT caught()'),
  ('prices: materialized view', 'SELECT total FROM prices'),
  ('sale: all', 'SELECT sum(amount) FROM sale'),
  ('sale: pruned', 'SELECT sum(amount) FROM sale WHERE day < 5'),
  ('sale: pruned below', 'SELECT sum(amount) FROM sale WHERE day = 15'),
  ('sale: partition', 'SELECT sum(amount) FROM sale_2a'),
  ('sale: pruned when executed', 'SELECT sum(amount) FROM sale WHERE day = (SELECT min(id) FROM kind)'),
  ('animal: children', 'SELECT sum(legs) FROM animal'),
  ('animal: only', 'SELECT sum(legs) FROM ONLY animal'),
  ('animal: child', 'SELECT sum(legs) FROM bird'),
  ('nothing', 'SELECT count(*) FROM generate_series(1, 3)');

-- Each is computed once.
SELECT look_all();
SELECT look_all();
-- A change of a table concerns entries whose query has read it, and no others.
UPDATE fruit SET price = price + 1;
SELECT look_all();
INSERT INTO other VALUES (2);
SELECT look_all();
UPDATE kind SET label = 'stone fruit' WHERE id = 1;
SELECT look_all();
REFRESH MATERIALIZED VIEW prices;
SELECT look_all();
-- Of partitions, those that were read.
INSERT INTO sale VALUES (2, 1000);
SELECT look_all();
INSERT INTO sale VALUES (16, 1000);
SELECT look_all();
UPDATE sale_2a SET amount = 1;
SELECT look_all();
INSERT INTO animal VALUES ('dog', 4);
SELECT look_all();
INSERT INTO bird VALUES ('wren', 2, 2);
SELECT look_all();

-- What the plan has left out may change its mind: the unique index that made a
-- join needless, a constraint that excluded a child.
ALTER TABLE kind DROP CONSTRAINT kind_pkey;
INSERT INTO kind VALUES (1, 'berry');
SELECT look('fruit kind: join removed', query) FROM questions WHERE name = 'fruit kind: join removed';
DELETE FROM kind WHERE label = 'berry';
ALTER TABLE kind ADD PRIMARY KEY (id);
ALTER TABLE bird ADD CONSTRAINT two_legs CHECK (legs = 2);
SELECT look('animal: excluded', 'SELECT count(*) FROM animal WHERE legs > 2');
SELECT look('animal: excluded', 'SELECT count(*) FROM animal WHERE legs > 2');
ALTER TABLE bird DROP CONSTRAINT two_legs;
INSERT INTO bird VALUES ('griffin', 4, 2);
SELECT look('animal: excluded', 'SELECT count(*) FROM animal WHERE legs > 2');

-- In workers of a parallel query, too.
CREATE TABLE large AS SELECT i AS id FROM generate_series(1, 200) AS i;
ANALYZE large;
CREATE FUNCTION other_of(which int) RETURNS bigint STABLE PARALLEL SAFE LANGUAGE plpgsql
AS $$ BEGIN RETURN (SELECT count(*) FROM other WHERE id = which); END $$;
ALTER TABLE other SET (parallel_workers = 0);
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SELECT dogpile_get_or_create('auto', 'parallel', 'SELECT sum(other_of(id)) FROM large');
COMMIT;
INSERT INTO other VALUES (3);
SELECT dogpile_get_or_create('auto', 'parallel', 'SELECT sum(other_of(id)) FROM large');
DELETE FROM large WHERE id = 3;
SELECT dogpile_get_or_create('auto', 'parallel', 'SELECT sum(other_of(id)) FROM large');
BEGIN;
-- Its name changed in PostgreSQL 16.
DO $$ BEGIN
  PERFORM set_config(name, 'on', true) FROM pg_settings
    WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
END $$;
SELECT dogpile_get_or_create('auto', 'forced parallel', 'SELECT other_of(3)');
COMMIT;
INSERT INTO other VALUES (3);
SELECT dogpile_get_or_create('auto', 'forced parallel', 'SELECT other_of(3)');

-- Parameters, result sets, types of results.
SELECT dogpile_get_or_create('auto', 'params', 'SELECT sum(price) FROM fruit WHERE kind = $1', params => row(1));
SELECT dogpile_get_or_create('auto', 'params function', 'SELECT price_of($1) FROM computed($2)', 0, row(1, 'params'));
SELECT * FROM dogpile_query('auto', 'set', 'SELECT * FROM fruit ORDER BY id', result_type => NULL::fruit);
UPDATE fruit SET price = 7 WHERE id = 1;
SELECT dogpile_get_or_create('auto', 'params', 'SELECT sum(price) FROM fruit WHERE kind = $1', params => row(1));
SELECT dogpile_get_or_create('auto', 'params function', 'SELECT price_of($1) FROM computed($2)', 0, row(1, 'params'));
SELECT dogpile_get_or_create('auto', 'params function', 'SELECT price_of($1) FROM computed($2)', 0, row(1, 'params'));
SELECT * FROM dogpile_query('auto', 'set', 'SELECT * FROM fruit ORDER BY id', result_type => NULL::fruit);
-- By way of a prepared statement, and of a function whose plan is kept.
PREPARE fruit_price(int) AS
  SELECT dogpile_get_or_create('auto', dogpile_key('prepared', $1), 'SELECT price FROM fruit WHERE id = $1', params => row($1));
EXECUTE fruit_price(1);
EXECUTE fruit_price(2);
UPDATE fruit SET price = price + 100 WHERE id <= 2;
EXECUTE fruit_price(1);
EXECUTE fruit_price(2);
DEALLOCATE fruit_price;
-- A function that the session has called before, outside of the cache.
SELECT price_of(3) FROM generate_series(1, 10) GROUP BY 1;
SELECT look('called before', 'SELECT price_of(3)');
UPDATE fruit SET price = 33 WHERE id = 3;
SELECT look('called before', 'SELECT price_of(3)');
-- ... and in the same statement, before and while another entry is created.
SELECT price_of(3), look('called in between', 'SELECT price_of(3)');
UPDATE fruit SET price = 34 WHERE id = 3;
SELECT look('called in between', 'SELECT price_of(3)');

-- A function that is folded into a constant when the query is planned.
CREATE FUNCTION twice(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 2 * n; END $$;
SELECT look('folded', 'SELECT twice(21)');
CREATE OR REPLACE FUNCTION twice(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN n + n + 1; END $$;
SELECT look('folded', 'SELECT twice(21)');

-- ... or in a plan that PL/pgSQL has kept from before, with what was inlined.
CREATE FUNCTION thrice(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 3 * n';
CREATE FUNCTION kept() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN twice(1) * 100 + thrice(1); END $$;
SELECT kept();
SELECT look('kept', 'SELECT kept()');
CREATE OR REPLACE FUNCTION twice(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN n; END $$;
SELECT look('kept', 'SELECT kept()');
CREATE OR REPLACE FUNCTION thrice(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 4 * n';
SELECT kept(), look('kept', 'SELECT kept()');
CREATE OR REPLACE FUNCTION thrice(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 5 * n';
SELECT look('kept', 'SELECT kept()');

-- Attributes of a type, operators, casts, dictionaries.
CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION make_pair() RETURNS pair STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN row(1, 2); END $$;
SELECT look('type', 'SELECT to_json(row(1, 2)::pair)'), look('type of function', 'SELECT to_json(make_pair())');
ALTER TYPE pair RENAME ATTRIBUTE a TO x;
SELECT look('type', 'SELECT to_json(row(1, 2)::pair)'), look('type of function', 'SELECT to_json(make_pair())');
CREATE OPERATOR ## (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
SELECT look('operator', 'SELECT sum(id ## 5) FROM fruit');
BEGIN;
DROP OPERATOR ## (int, int);
CREATE OPERATOR ## (LEFTARG = int, RIGHTARG = int, FUNCTION = int4mul);
COMMIT;
SELECT look('operator', 'SELECT sum(id ## 5) FROM fruit');
DROP OPERATOR ## (int, int);
CREATE FUNCTION to_int(pair) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1.x';
CREATE FUNCTION to_int_b(pair) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1.b';
CREATE CAST (pair AS int) WITH FUNCTION to_int(pair);
SELECT look('cast', 'SELECT make_pair()::int');
BEGIN;
DROP CAST (pair AS int);
CREATE CAST (pair AS int) WITH FUNCTION to_int_b(pair);
COMMIT;
SELECT look('cast', 'SELECT make_pair()::int');
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
SELECT look('search', 'SELECT to_tsvector(''words'', ''running dogs'')');
ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING REPLACE simple WITH english_stem;
SELECT look('search', 'SELECT to_tsvector(''words'', ''running dogs'')');
DROP TEXT SEARCH CONFIGURATION words;

-- Labels of an enum, which the text of a value depends on.
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE person (name text, feels mood);
INSERT INTO person VALUES ('ann', 'happy');
SELECT look('enum', 'SELECT feels FROM person');
ALTER TYPE mood RENAME VALUE 'happy' TO 'glad';
SELECT look('enum', 'SELECT feels FROM person');

-- What an entry has read, an entry that has read that one has read, too, even if
-- it was a hit.
CREATE FUNCTION inner_one() RETURNS text STABLE LANGUAGE sql
AS $$ SELECT dogpile_get_or_create('auto_ignore', 'inner', 'SELECT 1') $$;
SELECT ask('inner', 'SELECT sum(price) FROM fruit', 'auto_ignore');
SELECT ask('outer', 'SELECT inner_one()', 'auto_ignore');
SELECT ask('outer', 'SELECT inner_one()', 'auto_ignore');
UPDATE fruit SET price = 35 WHERE id = 3;
SELECT ask('inner', 'SELECT sum(price) FROM fruit', 'auto_ignore') = ask('outer', 'SELECT inner_one()', 'auto_ignore') AS same;

-- An inner one that fails does not end the search for what the outer one reads.
CREATE FUNCTION inner_fails(query text) RETURNS bigint STABLE LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    PERFORM dogpile_get_or_create('auto', 'inner fails', query);
  EXCEPTION WHEN division_by_zero OR feature_not_supported THEN
  END;
  RETURN (SELECT sum(price) FROM fruit);
END $$;
SELECT look('outer 1', 'SELECT inner_fails(''SELECT 1/0'')'), look('outer 2', 'SELECT inner_fails(''SELECT random()'')');
UPDATE fruit SET price = price + 1;
SELECT look('outer 1', 'SELECT inner_fails(''SELECT 1/0'')'), look('outer 2', 'SELECT inner_fails(''SELECT random()'')');

-- Tags of its own, besides.
SELECT dogpile_get_or_create('auto', 'tagged', 'SELECT count(*) FROM other, computed(''tagged'')', tags => '{tag}');
SELECT dogpile_invalidate_tags('{tag}');
SELECT dogpile_get_or_create('auto', 'tagged', 'SELECT count(*) FROM other, computed(''tagged'')', tags => '{tag}');
INSERT INTO other VALUES (4);
SELECT dogpile_get_or_create('auto', 'tagged', 'SELECT count(*) FROM other, computed(''tagged'')', tags => '{tag}');
SELECT dogpile_get_or_create('auto', 'tagged', 'SELECT count(*) FROM other, computed(''tagged'')', tags => '{tag}');
SELECT tags FROM dogpile_metadata('auto', 'tagged');
-- What is set depends on nothing.
SELECT dogpile_set('auto', 'set', 'value');
INSERT INTO other VALUES (5);
SELECT dogpile_get('auto', 'set'), fresh FROM dogpile_metadata('auto', 'set');
-- Nor is anything lost for those that only read.
SELECT look('only look', 'SELECT count(*) FROM other');
SELECT dogpile_get('auto', 'only look') = count(*)::text FROM other;
INSERT INTO other VALUES (6);
SELECT dogpile_get('auto', 'only look') IS NULL, dogpile_exists('auto', 'only look'),
       fresh IS TRUE FROM dogpile_metadata('auto', 'only look');

-- More than an entry can carry one by one.
CREATE TABLE many (id int, v int) PARTITION BY LIST (id);
DO $$ BEGIN
  FOR i IN 1..120 LOOP EXECUTE format('CREATE TABLE many_%s PARTITION OF many FOR VALUES IN (%s)', i, i); END LOOP;
END $$;
SELECT look('many', 'SELECT count(*) FROM many');
SELECT look('many', 'SELECT count(*) FROM many');
INSERT INTO many VALUES (1, 1);
SELECT look('many', 'SELECT count(*) FROM many');
INSERT INTO many VALUES (120, 1);
SELECT look('many', 'SELECT count(*) FROM many');
DROP TABLE many;

--
-- What cannot be known is refused, and named.
--

\set VERBOSITY default
CREATE SEQUENCE numbers;
CREATE VIEW today AS SELECT CURRENT_DATE AS day;
CREATE TEMP TABLE mine AS SELECT 1 AS id;
CREATE FUNCTION roll() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION roll_twice() RETURNS int VOLATILE LANGUAGE plpgsql AS $$ BEGIN RETURN 2; END $$;
CREATE VIEW rolled AS SELECT roll_twice() AS n;
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT random() < 2');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT now() IS NULL');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT CURRENT_TIMESTAMP IS NULL');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT LOCALTIME IS NULL');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT day IS NULL FROM today');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT clock_timestamp() IS NULL');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT statement_timestamp() IS NULL');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT transaction_timestamp() IS NULL');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT age(timestamp ''2000-01-01'') IS NULL');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT pg_backend_pid() IS NULL');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT session_user');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT nextval(''numbers'')');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT last_value FROM numbers');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT count(*) FROM pg_class');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT count(*) FROM information_schema.tables');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT count(*) FROM pg_stat_activity');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT id FROM mine');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT current_setting(''app.tenant'', true)');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT current_setting(name, true) FROM (VALUES (''app.tenant'')) AS v(name)');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT count(*) FROM fruit TABLESAMPLE SYSTEM (100)');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT roll()');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT n FROM rolled');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT count(*) FROM fruit ORDER BY random()');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT $1 FROM roll()', params => row(1));
-- Found only when the query runs.
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT count_of(''mine'')');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT count_of(''pg_class'')');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT count_of(''numbers'')');
-- A value whose dependencies are not known.
CREATE FUNCTION inner_none() RETURNS text STABLE LANGUAGE sql
AS $$ SELECT dogpile_get_or_create('reports', 'inner none', 'SELECT count(*) FROM other') $$;
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT inner_none()');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT inner_none()');
DROP FUNCTION inner_none;
-- Nothing was stored, and no lock is left that would stop other queries.
SELECT dogpile_exists('auto', 'refused');
SELECT dogpile_get_or_create('auto', 'refused', 'SELECT 1');
SELECT refused, failed_creations > 0 FROM dogpile_stats WHERE region = 'auto';
SELECT count(*) FROM pg_locks WHERE objsubid = 208;

-- What is known well enough.
SELECT dogpile_get_or_create('auto', 'allowed 1', 'SELECT current_user IS NOT NULL');
SELECT dogpile_get_or_create('auto', 'allowed 2', 'SELECT current_schema()');
SELECT dogpile_get_or_create('auto', 'allowed 3', 'SELECT current_setting(''search_path'')');
SELECT dogpile_get_or_create('auto_tenants', 'allowed 4', 'SELECT current_setting(''app.tenant'', true) IS NULL');
SELECT dogpile_get_or_create('auto_tenants', 'allowed 5', 'SELECT current_setting(''APP.Tenant'', true) IS NULL');
SELECT dogpile_get_or_create('auto', 'allowed 6', 'SELECT count(*) FROM fruit TABLESAMPLE SYSTEM (100) REPEATABLE (1)');
SELECT dogpile_get_or_create('auto', 'allowed 7', 'SELECT to_char(sum(price), ''FM999'') IS NOT NULL FROM fruit');
-- The declaration of a function as STABLE is trusted.
CREATE FUNCTION says_stable() RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
SELECT dogpile_get_or_create('auto', 'allowed 8', 'SELECT says_stable()');
-- It is checked again when the query has become another one.
SELECT dogpile_get_or_create('auto', 'turned', 'SELECT says_stable() FROM computed(''turned'')');
CREATE OR REPLACE FUNCTION says_stable() RETURNS boolean VOLATILE LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
SELECT dogpile_get_or_create('auto', 'turned', 'SELECT says_stable() FROM computed(''turned'')');
DROP FUNCTION says_stable();

-- "bypass": each session computes, and nothing is stored.
SELECT ask('bypassed', 'SELECT random() < 2', 'auto_bypass');
SELECT ask('bypassed', 'SELECT random() < 2', 'auto_bypass');
SELECT ask('bypassed', 'SELECT count(*) > 0 FROM pg_class', 'auto_bypass');
SELECT ask('bypassed', 'SELECT count_of(''mine'')', 'auto_bypass');
SELECT dogpile_exists('auto_bypass', 'bypassed');
SELECT ask('bypassed', 'SELECT count(*) FROM other', 'auto_bypass');
SELECT ask('bypassed', 'SELECT count(*) FROM other', 'auto_bypass');
-- A value that was stored before is not served after that.
INSERT INTO other VALUES (7);
SELECT ask('bypassed', 'SELECT count(*) FROM other, mine', 'auto_bypass');
SELECT dogpile_exists('auto_bypass', 'bypassed');

-- "ignore": stored with what is known.
SELECT ask('ignored', 'SELECT random() < 2', 'auto_ignore');
SELECT ask('ignored', 'SELECT random() < 2', 'auto_ignore');
SELECT ask('ignored 2', 'SELECT count(*) FROM other WHERE now() IS NOT NULL', 'auto_ignore');
SELECT ask('ignored 2', 'SELECT count(*) FROM other WHERE now() IS NOT NULL', 'auto_ignore');
INSERT INTO other VALUES (8);
SELECT ask('ignored 2', 'SELECT count(*) FROM other WHERE now() IS NOT NULL', 'auto_ignore');
-- What is in temporary tables is not stored even then.
SELECT ask('ignored 3', 'SELECT id FROM mine', 'auto_ignore');
SELECT ask('ignored 3', 'SELECT id FROM mine', 'auto_ignore');

-- A table that is created in an earlier schema of the search path hides another.
CREATE SCHEMA earlier;
SET search_path = earlier, public;
SELECT look('hidden', 'SELECT count(*) FROM kind');
CREATE TABLE earlier.kind (id int);
SELECT look('hidden', 'SELECT count(*) FROM kind');
DROP TABLE earlier.kind;
SELECT look('hidden', 'SELECT count(*) FROM kind');
RESET search_path;
DROP SCHEMA earlier CASCADE;

--
-- The verifier
--

CREATE VIEW verified AS
  SELECT hits, creations, verifications, mismatches FROM dogpile_stats WHERE region = 'auto';
SELECT dogpile_reset_stats();
SELECT dogpile_get_or_create('auto', 'verified', 'SELECT sum(price) FROM fruit, computed(''verified'')');
SELECT dogpile_get_or_create('auto', 'verified', 'SELECT sum(price) FROM fruit, computed(''verified'')');
SELECT * FROM verified;
SET dogpile_auto.verify_fraction = 1;
SELECT dogpile_get_or_create('auto', 'verified', 'SELECT sum(price) FROM fruit, computed(''verified'')');
SELECT dogpile_get_or_create('auto', 'verified', 'SELECT sum(price) FROM fruit, computed(''verified'')') FROM generate_series(1, 3);
SELECT * FROM verified;
-- Rows, and values of other types.
SELECT count(*) FROM dogpile_query('auto', 'verified set', 'SELECT * FROM fruit ORDER BY id', result_type => NULL::fruit);
SELECT count(*) FROM dogpile_query('auto', 'verified set', 'SELECT * FROM fruit ORDER BY id', result_type => NULL::fruit);
SELECT dogpile_get_or_create('auto', 'verified null', 'SELECT NULL::int') IS NULL FROM generate_series(1, 2);
SELECT * FROM verified;
-- After a change, there is nothing to verify.
UPDATE fruit SET price = price + 1;
SELECT dogpile_get_or_create('auto', 'verified', 'SELECT sum(price) FROM fruit, computed(''verified'')') > '0';
SELECT * FROM verified;
-- A value that is not what the query returns is detected, and logged.
SET dogpile_auto_ignore.verify_fraction = 1;
SET app.aside = 'one';
SELECT dogpile_get_or_create('auto_ignore', 'aside', 'SELECT current_setting(''app.aside'')');
SET app.aside = 'two';
SELECT dogpile_get_or_create('auto_ignore', 'aside', 'SELECT current_setting(''app.aside'')');
SELECT dogpile_get_or_create('auto_ignore', 'aside', 'SELECT current_setting(''app.aside'')');
SELECT verifications, mismatches FROM dogpile_stats WHERE region = 'auto_ignore';
RESET dogpile_auto_ignore.verify_fraction;
-- A query that fails when it is run again is no reason to fail.
CREATE FUNCTION divides() RETURNS int STABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN 1 / current_setting('app.divisor')::int; END $$;
SET app.divisor = 1;
SELECT dogpile_get_or_create('auto_ignore', 'divides', 'SELECT divides()');
SET app.divisor = 0;
SELECT dogpile_get_or_create('auto_ignore', 'divides', 'SELECT divides()');
SET dogpile_auto_ignore.verify_fraction = 1;
SELECT dogpile_get_or_create('auto_ignore', 'divides', 'SELECT divides()');
RESET dogpile_auto_ignore.verify_fraction;
SELECT dogpile_get_or_create('auto_ignore', 'divides', 'SELECT divides()');
DROP FUNCTION divides;
RESET dogpile_auto.verify_fraction;
SELECT dogpile_get_or_create('auto', 'verified', 'SELECT sum(price) FROM fruit, computed(''verified'')') > '0';
SET dogpile_auto.verify_fraction = 1.5;
SET dogpile_auto.verify_fraction = 0;
RESET dogpile_auto.verify_fraction;

--
-- Other regions
--

-- "none", the default: changes are not looked at.
SELECT ask('none', 'SELECT count(*) > 0 FROM other WHERE now() IS NOT NULL', 'reports');
TRUNCATE other;
SELECT ask('none', 'SELECT count(*) > 0 FROM other WHERE now() IS NOT NULL', 'reports');
SELECT dogpile_invalidate('reports', 'none');
-- What is stored elsewhere cannot follow.
\set VERBOSITY terse
SELECT ask('elsewhere', 'SELECT count(*) FROM other', 'auto_file');
SELECT dogpile_exists('auto_file', 'elsewhere');
\set VERBOSITY default

DROP VIEW verified;
DROP TABLE questions, fruit, kind, other, sale, animal, bird, large, person, mine CASCADE;
DROP SEQUENCE numbers;
DROP VIEW today, rolled;
DROP TYPE mood;
DROP TYPE pair CASCADE;
DROP OPERATOR === (int, int);
DROP AGGREGATE price_sum(int);
DROP FUNCTION computed, ask, look, look_all, count_other, price_of, count_of, nested, limit_of, with_cursor,
  caught, add_price, same_price, other_of, twice, thrice, kept, inner_one, inner_fails, roll, roll_twice;
