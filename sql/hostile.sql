--
-- No role's code runs as another role because a stored value is read, inspected, listed,
-- verified or refreshed.
--
-- Region "outside" keeps values in files and varies by nothing, so a superuser gets what
-- a guest has stored.  The guest's functions count, in a sequence, how often other roles
-- run them.
--
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_hostile_guest;
CREATE ROLE regress_hostile_guest;
CREATE SCHEMA hostile AUTHORIZATION regress_hostile_guest;
RESET client_min_messages;

SET ROLE regress_hostile_guest;
CREATE SEQUENCE hostile.runs;
-- Tries to gain privileges, and counts.
CREATE FUNCTION hostile.spy() RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  IF current_user <> 'regress_hostile_guest' THEN
    PERFORM nextval('hostile.runs');
    EXECUTE 'ALTER ROLE regress_hostile_guest SUPERUSER';
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION hostile.checks(int) RETURNS bool LANGUAGE plpgsql VOLATILE AS $$
BEGIN RETURN hostile.spy(); END $$;
CREATE FUNCTION hostile.checks(text) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT hostile.spy() $$;
-- An immutable one is called with constants when an expression is planned.
CREATE FUNCTION hostile.folds(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN RETURN hostile.spy(); END $$;
CREATE FUNCTION hostile.equals(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN RETURN hostile.spy(); END $$;
CREATE OPERATOR hostile.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = hostile.equals);
CREATE TYPE hostile.box AS (a int);
CREATE FUNCTION hostile.unbox(hostile.box) RETURNS int LANGUAGE plpgsql AS $$
BEGIN PERFORM hostile.spy(); RETURN 1; END $$;
CREATE CAST (hostile.box AS int) WITH FUNCTION hostile.unbox(hostile.box);

-- Types of all kinds.  Their constraints come later, or the values would not be stored.
CREATE DOMAIN hostile.d AS int;
CREATE DOMAIN hostile.t AS text;
CREATE DOMAIN hostile.folded AS int;
CREATE DOMAIN hostile.compared AS int;
CREATE DOMAIN hostile.cast_away AS hostile.box;
CREATE DOMAIN hostile.dd AS hostile.d;
CREATE TYPE hostile.pair AS (a hostile.d, b text);
CREATE DOMAIN hostile.dpair AS hostile.pair;
CREATE TYPE hostile.deep AS (p hostile.pair[], x int);
CREATE TYPE hostile.r AS RANGE (subtype = hostile.d, multirange_type_name = hostile.mr);
CREATE TABLE hostile.tab (a hostile.d, b hostile.t);
CREATE TABLE hostile.keys (n serial, key text, type text, query text, columns text);
INSERT INTO hostile.keys (key, type, query, columns) VALUES
  ('domain', 'hostile.d', '42::hostile.d', 'v hostile.d'),
  ('text', 'hostile.t', '''x''::hostile.t', 'v hostile.t'),
  ('folded', 'hostile.folded', '1::hostile.folded', 'v hostile.folded'),
  ('operator', 'hostile.compared', '1::hostile.compared', 'v hostile.compared'),
  ('cast', 'hostile.cast_away', 'ROW(1)::hostile.box::hostile.cast_away', 'v hostile.cast_away'),
  ('domain over domain', 'hostile.dd', '1::hostile.dd', 'v hostile.dd'),
  ('composite', 'hostile.pair', 'ROW(1, ''x'')::hostile.pair', 'v hostile.pair'),
  ('domain over composite', 'hostile.dpair', 'ROW(1, ''x'')::hostile.pair::hostile.dpair', 'v hostile.dpair'),
  ('deep', 'hostile.deep', 'ROW(ARRAY[ROW(1, ''x'')::hostile.pair], 2)::hostile.deep', 'v hostile.deep'),
  ('array', 'hostile.d[]', 'ARRAY[1, 2]::hostile.d[]', 'v hostile.d[]'),
  ('range', 'hostile.r', 'hostile.r(1, 5)', 'v hostile.r'),
  ('multirange', 'hostile.mr', 'hostile.mr(hostile.r(1, 5))', 'v hostile.mr'),
  ('record', 'record', 'ROW(1::hostile.d, ROW(2::hostile.d))', 'v record'),
  ('records', 'record[]', 'ARRAY[ROW(1::hostile.d), ROW(2::hostile.d)]', 'v record[]'),
  ('columns', 'hostile.tab', '1::hostile.d, ''x''::hostile.t', 'a hostile.d, b hostile.t');
SELECT count(dogpile_get_or_create('outside', key, 'SELECT ' || query)) FROM hostile.keys WHERE key <> 'columns';
SELECT * FROM dogpile_query('outside', 'columns', 'SELECT 1::hostile.d, ''x''::hostile.t') AS t(a hostile.d, b hostile.t);
SELECT dogpile_set('outside', 'tagged', 42::hostile.d, tags => '{hostile}');
-- All of it is there, and can be read.
SELECT key, dogpile_exists('outside', key), m.type, m.rows FROM hostile.keys, dogpile_metadata('outside', key) AS m ORDER BY n;
SELECT key, dogpile_get('outside', key) FROM hostile.keys WHERE key <> 'columns' ORDER BY n;

ALTER DOMAIN hostile.d ADD CHECK (hostile.checks(VALUE));
ALTER DOMAIN hostile.t ADD CHECK (VALUE <> '' AND hostile.checks(VALUE));
ALTER DOMAIN hostile.folded ADD CHECK (hostile.folds(1) AND VALUE > 0);
ALTER DOMAIN hostile.compared ADD CHECK (VALUE OPERATOR(hostile.===) 1);
ALTER DOMAIN hostile.cast_away ADD CHECK (VALUE::hostile.box::int > 0);
-- A session that has not cached these types yet.
\c -

-- Read a value in every way but by its type, which is code that the reader has asked for.
CREATE FUNCTION hostile_read(k hostile.keys) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  said text;
  found bool;
BEGIN
  PERFORM dogpile_exists('outside', k.key), m.* FROM dogpile_metadata('outside', k.key) AS m;
  PERFORM dogpile_get('outside', k.key), dogpile_get('outside', k.key, 0), dogpile_get('outside', k.key, ''::text),
    dogpile_get('outside', k.key, NULL::record), dogpile_get('outside', k.key, NULL::int[]),
    dogpile_get('outside', k.key, NULL::int4range);
  PERFORM dogpile_add('outside', k.key, 1);
  BEGIN
    EXECUTE format('SELECT dogpile_get(''outside'', $1, result_type => NULL::%s) IS NOT NULL',
                   CASE WHEN k.type ~ '(pair|deep|\[\]|r|record|tab)$' AND k.key <> 'domain over composite'
                     THEN k.type ELSE 'hostile.pair' END) INTO found USING k.key;
  EXCEPTION WHEN OTHERS THEN said := SQLERRM;
  END;
  RETURN coalesce(said, CASE WHEN found THEN 'given' ELSE 'a miss' END);
END $$;
SELECT key, hostile_read(k) FROM hostile.keys AS k ORDER BY n;
SELECT key, dogpile_get('outside', key) FROM hostile.keys WHERE key <> 'columns' ORDER BY n;
SELECT count(*) >= 0 AS listed FROM dogpile_entries;
SELECT count(*) > 0 AS listed FROM dogpile_stats;
SELECT is_called AS hostile_code_ran FROM hostile.runs;

-- Nor when the reader creates a value in its place, verifies it, sets or adds another.
SET dogpile_outside.verify_fraction = 1;
SELECT key, dogpile_get_or_create('outside', key, 'SELECT ''mine''') FROM hostile.keys ORDER BY n;
SELECT key, dogpile_get_or_create('outside', key, 'SELECT ''never''') FROM hostile.keys ORDER BY n LIMIT 2;
SET ROLE regress_hostile_guest;
ALTER DOMAIN hostile.d DROP CONSTRAINT d_check;
SELECT dogpile_set('outside', 'again', 42::hostile.d), dogpile_set('outside', 'aging', 42::hostile.d, expiration_time => '0'),
       dogpile_set('outside', 'listed', ARRAY[1]::hostile.d[]), dogpile_set('outside', 'counted', 1::hostile.d);
ALTER DOMAIN hostile.d ADD CHECK (hostile.checks(VALUE));
RESET ROLE;
SELECT * FROM dogpile_query('outside', 'again', 'SELECT 7') AS t(v int);
SELECT * FROM dogpile_query('outside', 'aging', 'SELECT 7') AS t(v int);
SELECT * FROM dogpile_query('outside', 'listed', 'SELECT NULL::hostile.d[]') AS t(v hostile.d[]);
SELECT dogpile_increment('outside', 'counted');
SELECT dogpile_set('outside', 'counted', 'mine'), dogpile_add('outside', 'tagged', 'mine'),
       dogpile_invalidate('outside', 'text', false), dogpile_delete('outside', 'array');
SELECT dogpile_invalidate_tags('{hostile}');
SELECT dogpile_exists('outside', 'tagged');
RESET dogpile_outside.verify_fraction;
SELECT is_called AS hostile_code_ran FROM hostile.runs;

-- Values that a superuser reads from a guest's table, which runs nothing, and puts into
-- the cache: nothing runs at COMMIT, either.
SET ROLE regress_hostile_guest;
INSERT INTO hostile.tab VALUES (1, 'x');
RESET ROLE;
BEGIN;
SELECT dogpile_set('outside', 'from table', a), dogpile_set('outside', 'row from table', tab) FROM hostile.tab;
COMMIT;
SELECT dogpile_get_or_create('outside', 'query of table', 'SELECT a FROM hostile.tab');
SELECT * FROM dogpile_query('outside', 'columns of table', 'SELECT * FROM hostile.tab') AS t(a hostile.d, b hostile.t);
SELECT * FROM dogpile_query('outside', 'rows of table', 'SELECT * FROM hostile.tab', result_type => NULL::hostile.tab);
SELECT * FROM dogpile_query('outside', 'rows of table', 'SELECT * FROM hostile.tab', result_type => NULL::hostile.tab);
SELECT is_called AS hostile_code_ran FROM hostile.runs;
-- In shared memory, too, where values are read without any function.
SELECT dogpile_set('shared_all', 'from table', a), dogpile_set('shared_all', 'row from table', tab) FROM hostile.tab;
SELECT dogpile_get('shared_all', 'from table'), dogpile_get('shared_all', 'row from table'),
       dogpile_get('shared_all', 'row from table', NULL::hostile.tab);
SELECT type FROM dogpile_metadata('shared_all', 'row from table');
SELECT * FROM dogpile_query('shared_all', 'rows of table', 'SELECT * FROM hostile.tab', result_type => NULL::hostile.tab);
SELECT is_called AS hostile_code_ran FROM hostile.runs;

-- Nor to find out what a query depends on that reads the guest's tables.
SET ROLE regress_hostile_guest;
CREATE TABLE hostile.judged (f hostile.folded, c hostile.compared, p hostile.pair, dp hostile.dpair, r hostile.r, ds hostile.d[], ca hostile.cast_away);
INSERT INTO hostile.judged VALUES (1, 1, ROW(1, 'x'), ROW(1, 'x')::hostile.pair, hostile.r(1, 5), '{1}', ROW(1)::hostile.box);
\c -
SELECT dogpile_get_or_create('auto', 'judged f', 'SELECT f FROM hostile.judged'), dogpile_get_or_create('auto', 'judged c', 'SELECT c FROM hostile.judged'),
       dogpile_get_or_create('auto', 'judged p', 'SELECT p FROM hostile.judged'), dogpile_get_or_create('auto', 'judged r', 'SELECT r FROM hostile.judged'),
       dogpile_get_or_create('auto', 'judged row', 'SELECT j FROM hostile.judged AS j');
SELECT * FROM dogpile_query('auto', 'judged', 'SELECT * FROM hostile.judged ORDER BY f + 1', result_type => NULL::hostile.judged);
SELECT * FROM dogpile_query('auto', 'judged', 'SELECT * FROM hostile.judged', result_type => NULL::hostile.judged);
SELECT dogpile_get('auto', 'judged f'), dogpile_exists('auto', 'judged row');
SELECT is_called AS hostile_code_ran FROM hostile.runs;

-- A call that asks for a domain checks its constraints, as any other statement does.
SET ROLE regress_hostile_guest;
SELECT dogpile_set('outside', 'asked for', 42::hostile.d);
SELECT dogpile_get('outside', 'asked for', NULL::hostile.d), dogpile_get('outside', 'asked for') IS NULL AS missed;
SELECT dogpile_get_or_create('outside', 'asked for', '1/0', NULL::hostile.d);
RESET ROLE;
SELECT is_called AS hostile_code_ran FROM hostile.runs;

-- Constraints that consist of built-in functions are checked wherever the domain is.
CREATE DOMAIN hostile.small AS int;
CREATE DOMAIN hostile.code AS varchar(5) CHECK (VALUE ~ '^[a-z]+$' AND length(VALUE) > 1);
CREATE DOMAIN hostile.filled AS hostile.box CHECK ((VALUE).a IS NOT NULL AND (VALUE).a IN (1, 2, 3));
SELECT dogpile_set('outside', 'small', ARRAY[5, 10]::hostile.small[]), dogpile_set('outside', 'code', 'abc'::hostile.code),
       dogpile_set('outside', 'filled', ROW(2)::hostile.box::hostile.filled);
SELECT dogpile_get('outside', 'small'), dogpile_get('outside', 'code'), dogpile_get('outside', 'filled');
ALTER DOMAIN hostile.small ADD CHECK (VALUE < 10);
SELECT dogpile_get('outside', 'small'), dogpile_get('outside', 'small', NULL::hostile.small[]);
SELECT * FROM dogpile_query('outside', 'small', 'SELECT ARRAY[7]::hostile.small[]') AS t(v hostile.small[]);
SELECT dogpile_get('outside', 'small');
-- Of built-in ones, not those that could run something, whatever they claim.
CREATE DOMAIN hostile.runs_query AS text CHECK (query_to_xml(VALUE, true, true, '') IS NOT NULL);
CREATE DOMAIN hostile.rows AS hostile.box CHECK (VALUE = VALUE);
CREATE DOMAIN hostile.arrays AS hostile.box[] CHECK (VALUE <> '{}');
CREATE DOMAIN hostile.sets AS text CHECK (set_config('hostile.x', VALUE, false) = VALUE);
CREATE DOMAIN hostile.nested AS int CHECK (VALUE::hostile.d > 0);
SELECT dogpile_set('outside', 'runs query', 'SELECT 1'::hostile.runs_query), dogpile_set('outside', 'rows', ROW(1)::hostile.box::hostile.rows),
       dogpile_set('outside', 'arrays', ARRAY[ROW(1)]::hostile.box[]::hostile.arrays), dogpile_set('outside', 'sets', 'x'::hostile.sets);
SELECT key, dogpile_exists('outside', key), dogpile_get('outside', key)
  FROM unnest('{runs query,rows,arrays,sets}'::text[]) AS key;

SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_hostile_guest';
SET client_min_messages = warning;
SELECT dogpile_invalidate('outside');
DROP SCHEMA hostile CASCADE;
DROP FUNCTION IF EXISTS hostile_read;
DROP ROLE regress_hostile_guest;
