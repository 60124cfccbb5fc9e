--
-- What is computed with any object in pg_temp is for one session only, in any region; and
-- that session does not get values of objects that its temporary objects hide.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned

CREATE TABLE tmp_t (x int);
INSERT INTO tmp_t VALUES (1), (2);
CREATE VIEW tmp_v AS SELECT x FROM tmp_t;
CREATE DOMAIN tmp_num AS numeric;
CREATE TABLE tmp_pair (a int, b text);
CREATE TABLE queries (name text PRIMARY KEY, query text);
-- Runs all queries, in all regions, and returns which values were stored.
CREATE FUNCTION ask_all() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  q record;
  answers text[];
  truth text;
  where_stored text;
BEGIN
  FOR q IN SELECT * FROM queries ORDER BY name COLLATE "C" LOOP
    answers := NULL;
    where_stored := '';
    FOR r IN 1..3 LOOP
      BEGIN
        answers[r] := dogpile_get_or_create((ARRAY['reports', 'auto', 'auto_ignore'])[r], q.name, q.query);
      EXCEPTION WHEN feature_not_supported THEN
        answers[r] := 'refused';
      END;
      IF dogpile_exists((ARRAY['reports', 'auto', 'auto_ignore'])[r], q.name) THEN
        where_stored := where_stored || ' ' || (ARRAY['reports', 'auto', 'auto_ignore'])[r];
      END IF;
    END LOOP;
    EXECUTE q.query INTO truth;
    IF truth <> ALL (array_remove(answers, 'refused')) THEN
      RAISE WARNING 'WRONG: % is %, not %', q.name, truth, answers;
    END IF;
    RETURN NEXT q.name || ': ' || truth || ', stored in:' || where_stored;
  END LOOP;
END $$;

CREATE FUNCTION total() RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(x) FROM tmp_v); END $$;
CREATE FUNCTION total_sql() RETURNS bigint STABLE LANGUAGE sql AS $$ SELECT sum(x) FROM tmp_t $$;
CREATE FUNCTION rounded() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 7.6::tmp_num; END $$;
CREATE FUNCTION rounded_sql() RETURNS text STABLE LANGUAGE sql AS $$ SELECT 7.6::tmp_num::text $$;
CREATE FUNCTION rounded_variable() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE n tmp_num; BEGIN n := 7.6; RETURN n; END $$;
CREATE FUNCTION rowed() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE p tmp_pair; BEGIN p := row(1, 'x'); RETURN row_to_json(p); END $$;
CREATE FUNCTION rowed_sql() RETURNS text STABLE LANGUAGE sql AS $$ SELECT row_to_json(row(1, 'x')::tmp_pair)::text $$;
CREATE FUNCTION folded() RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(x) FROM tmp_v); END $$;
CREATE FUNCTION kept() RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN folded(); END $$;
CREATE FUNCTION read_if_any() RETURNS bigint STABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN (SELECT count(*) FROM tmp_later); EXCEPTION WHEN undefined_table THEN RETURN -1; END $$;
INSERT INTO queries VALUES
  ('table', 'SELECT sum(x) FROM tmp_t'), ('view', 'SELECT sum(x) FROM tmp_v'), ('type', 'SELECT (7.6::tmp_num)::text'),
  ('row type', 'SELECT row_to_json(row(1, ''x'')::tmp_pair)'), ('in plpgsql', 'SELECT total()'), ('in sql', 'SELECT total_sql()'),
  ('type in plpgsql', 'SELECT rounded()'), ('type in sql', 'SELECT rounded_sql()'), ('variable', 'SELECT rounded_variable()'),
  ('row in plpgsql', 'SELECT rowed()'), ('row in sql', 'SELECT rowed_sql()'), ('missing', 'SELECT read_if_any()'), ('folded', 'SELECT kept()'),
  ('tmp none', 'SELECT 42');

-- Without temporary objects; until functions have plans that they keep.
SELECT ask_all();
SELECT count(total()), count(rounded()), count(rounded_variable()), count(rowed()), count(read_if_any()) + count(kept()) FROM generate_series(1, 7);
SELECT ask_all();

-- Objects that nothing here uses.
CREATE TEMP TABLE tmp_unrelated (y int);
SELECT ask_all();

-- A table of the same name: what others have stored is neither returned nor replaced.
CREATE TEMP TABLE tmp_t AS SELECT 10 AS x;
SELECT ask_all();
SELECT ask_all();
\c -
\pset tuples_only on
\pset format unaligned
SELECT dogpile_get('auto', 'table'), dogpile_get('auto', 'in sql'), dogpile_get('reports', 'table');
SELECT ask_all();
-- ... made in the transaction that has just stored a value.
CREATE TEMP TABLE tmp_before (a int);
BEGIN;
INSERT INTO tmp_pair VALUES (1, 'one');
SELECT dogpile_get_or_create('auto', 'pending', 'SELECT sum(x) FROM tmp_t');
CREATE TEMP TABLE tmp_t AS SELECT 10 AS x;
SELECT dogpile_get_or_create('auto', 'pending', 'SELECT sum(x) FROM tmp_t');
ROLLBACK;
SELECT dogpile_get_or_create('auto', 'pending', 'SELECT sum(x) FROM tmp_t');

-- ... made, dropped and undone, and that of others.
SELECT dogpile_get('auto', 'row in plpgsql');
BEGIN;
SAVEPOINT a;
CREATE TEMP TABLE tmp_pair (c int, d text);
SELECT dogpile_get('auto', 'row in plpgsql') IS NULL AS hidden;
ROLLBACK TO a;
SELECT dogpile_get('auto', 'row in plpgsql') IS NULL AS hidden;
CREATE TEMP TABLE tmp_pair (c int, d text);
SELECT dogpile_get('auto', 'row in plpgsql') IS NULL AS hidden;
DROP TABLE tmp_pair;
SELECT dogpile_get('auto', 'row in plpgsql') IS NULL AS hidden;
CREATE TEMP TABLE tmp_pair (c int, d text);
ROLLBACK;
SELECT dogpile_get('auto', 'row in plpgsql') IS NULL AS hidden;

-- Nothing is stored yet: each object, and the plans that functions keep.
CREATE FUNCTION forget() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(dogpile_delete(region, name)) FROM queries, unnest('{reports,auto,auto_ignore}'::text[]) AS r(region)
$$;
CREATE FUNCTION keep_plans() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(total()) + count(rounded()) + count(rounded_variable()) + count(rowed()) + count(read_if_any()) + count(kept()) FROM generate_series(1, 7)
$$;
CREATE TEMP VIEW tmp_v AS SELECT x * 100 AS x FROM public.tmp_t;
SELECT keep_plans(), forget();
SELECT ask_all();
DISCARD TEMP;
CREATE TEMP VIEW tmp_v AS SELECT x * 1000 AS x FROM public.tmp_t;
SELECT keep_plans(), forget();
SELECT ask_all();
DISCARD ALL;
SELECT forget();
SELECT ask_all();
\c -
\pset tuples_only on
\pset format unaligned
CREATE DOMAIN pg_temp.tmp_num AS int;
SELECT keep_plans(), forget();
SELECT ask_all();
\c -
\pset tuples_only on
\pset format unaligned
CREATE TEMP TABLE tmp_pair (c int, d text);
SELECT keep_plans(), forget();
SELECT ask_all();
\c -
\pset tuples_only on
\pset format unaligned
CREATE TYPE pg_temp.tmp_pair AS (e int, f text);
SELECT keep_plans(), forget();
SELECT ask_all();
\c -
\pset tuples_only on
\pset format unaligned
SELECT forget();
SELECT ask_all();
CREATE TEMP TABLE tmp_later AS SELECT 1;
SELECT ask_all();
DROP TABLE tmp_later;
SELECT ask_all();

-- Objects that are named.
CREATE FUNCTION pg_temp.tmp_f() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION pg_temp.tmp_sql() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION tmp_calls() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN pg_temp.tmp_f(); END $$;
CREATE OPERATOR pg_temp.<#> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE AGGREGATE pg_temp.tmp_sum (int) (SFUNC = int4pl, STYPE = int, INITCOND = 0);
CREATE TYPE pg_temp.tmp_mood AS ENUM ('sad');
CREATE TYPE pg_temp.tmp_span AS RANGE (subtype = int);
CREATE COLLATION pg_temp.tmp_c FROM "C";
CREATE TEXT SEARCH CONFIGURATION pg_temp.tmp_words (COPY = simple);
CREATE TEMP SEQUENCE tmp_seq;
CREATE TEMP TABLE tmp_own (a int);
CREATE TABLE named (query text);
INSERT INTO named VALUES
  ('SELECT pg_temp.tmp_f()'), ('SELECT pg_temp.tmp_sql()'), ('SELECT tmp_calls()'), ('SELECT 1 OPERATOR(pg_temp.<#>) 2'),
  ('SELECT pg_temp.tmp_sum(x) FROM tmp_t'), ('SELECT ''sad''::tmp_mood'), ('SELECT ''{sad}''::tmp_mood[]'), ('SELECT ''[1,2)''::tmp_span'),
  ('SELECT x::text COLLATE pg_temp.tmp_c FROM tmp_t ORDER BY 1 LIMIT 1'), ('SELECT to_tsvector(''pg_temp.tmp_words'', ''a'')'),
  ('SELECT last_value FROM tmp_seq'), ('SELECT row_to_json(row(1)::tmp_own)'), ('SELECT NULL::tmp_own IS NULL'),
  ('SELECT ''tmp_own''::regclass'), ('SELECT ''tmp_mood''::regtype'), ('SELECT ''pg_temp.tmp_f''::regproc'),
  ('SELECT count(*) FROM json_to_recordset(''[]'') AS r(m tmp_mood)'), ('SELECT EXISTS (SELECT FROM tmp_own)'),
  ('SELECT count(*) FROM generate_series(1, pg_temp.tmp_f())'), ('SELECT sum(x) FROM tmp_t WHERE x < pg_temp.tmp_sql()');
SELECT query FROM named
  WHERE dogpile_get_or_create('reports', query, query) IS NOT NULL AND dogpile_exists('reports', query);
SELECT query FROM named
  WHERE dogpile_get_or_create('auto_ignore', query, query) IS NOT NULL AND dogpile_exists('auto_ignore', query);
-- Also within a value that is stored otherwise.
CREATE FUNCTION inner_temporary() RETURNS text STABLE LANGUAGE sql AS $$ SELECT dogpile_get_or_create('reports', 'inner temporary', 'SELECT ''sad''::tmp_mood') $$;
SELECT dogpile_get_or_create('reports', 'outer temporary', 'SELECT ''x'' || inner_temporary()'), dogpile_exists('reports', 'outer temporary');
CREATE FUNCTION inner_plain() RETURNS text STABLE LANGUAGE sql AS $$ SELECT dogpile_get_or_create('reports', 'inner plain', 'SELECT 1') $$;
SELECT dogpile_get_or_create('reports', 'outer temporary', 'SELECT ''sad''::tmp_mood || inner_plain()'), dogpile_exists('reports', 'outer temporary'),
       dogpile_exists('reports', 'inner plain');
-- A transaction that only used a type may still be prepared.
BEGIN;
SELECT dogpile_get_or_create('reports', 'prepared temporary', 'SELECT ''sad''::tmp_mood');
PREPARE TRANSACTION 'temporary';
ROLLBACK PREPARED 'temporary';
\c -
\pset tuples_only on
\pset format unaligned
\set VERBOSITY terse
SET client_min_messages = error;
DROP TABLE tmp_t, tmp_pair, queries, named CASCADE;
DROP DOMAIN tmp_num;
DROP FUNCTION ask_all, forget, keep_plans, total, total_sql, rounded, rounded_sql, rounded_variable, rowed, rowed_sql, read_if_any,
  tmp_calls, inner_temporary, inner_plain, folded, kept;
