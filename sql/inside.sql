--
-- What makes a result depend on more than rows, within functions and constants
--
CREATE SCHEMA inside;
SET search_path = inside, public;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE TABLE ev (id int, at timestamptz, day date, note text);
INSERT INTO ev VALUES (1, '2026-03-01 12:00+00', '2026-03-01', 'now');
CREATE TYPE span AS (begins timestamptz, note text);
CREATE DOMAIN moment AS timestamptz;
-- Shows why the region refuses a query, or whether it is cached.
CREATE FUNCTION verdict(query text, params record DEFAULT NULL, region text DEFAULT 'auto')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
  PERFORM * FROM dogpile_query(region, query, query, NULL::ev, params => params);
  RETURN 'not here';
EXCEPTION
  WHEN feature_not_supported THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN detail;
  WHEN datatype_mismatch THEN
    BEGIN
      PERFORM dogpile_get_or_create(region, query, query, params => params);
    EXCEPTION WHEN feature_not_supported THEN
      GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
      RETURN detail;
    END;
    RETURN CASE WHEN dogpile_exists(region, query) THEN 'cached' ELSE 'not cached' END;
END $$;
CREATE FUNCTION verdicts(VARIADIC queries text[]) RETURNS TABLE (query text, verdict text) LANGUAGE sql AS
$$ SELECT q, inside.verdict(q) FROM unnest(queries) WITH ORDINALITY AS u(q, n) ORDER BY n $$;

-- Literals that depend on the time
SELECT * FROM verdicts(
  'SELECT ''now''::timestamptz::text FROM ev',
  'SELECT timestamp ''NOW'' > at FROM ev',
  'SELECT at < ''today'' FROM ev',
  'SELECT day = ''tomorrow'' FROM ev',
  'SELECT day > date ''yesterday'' FROM ev',
  'SELECT count(*) FROM ev WHERE at < '' Today 10:00''',
  'SELECT count(*) FROM ev WHERE at = ANY (''{2020-01-01,now}'')',
  'SELECT count(*) FROM ev WHERE at <@ ''[now,]''::tstzrange',
  'SELECT count(*) FROM ev WHERE at <@ ''{[2020-01-01,today]}''::tstzmultirange',
  'SELECT (''(now,)''::inside.span).begins < at FROM ev',
  'SELECT ''now''::inside.moment < at FROM ev',
  'SELECT (ROW(''now'', note)::inside.span).begins < at FROM ev',
  'SELECT count(*) FROM ev WHERE at > CASE WHEN id = 1 THEN ''now'' ELSE at END',
  'SELECT at IN (SELECT at FROM ev UNION SELECT ''now'') FROM ev',
  'SELECT at IN (VALUES (timestamptz ''2020-01-01''), (''now'')) FROM ev',
  'WITH w AS (SELECT ''now''::time AS t) SELECT at::time < t FROM ev, w',
  'SELECT $$now$$::date > day FROM ev',
  'SELECT $a$now$a$::date > day FROM ev',
  'SELECT E''now''::date > day FROM ev',
  'SELECT E''n\x6fw''::date > day FROM ev',
  'SELECT coalesce(at, ''now'') > at FROM ev',
  'SELECT ''10:00''::timetz::text FROM ev');
-- Not: other literals, and the same words as text
SELECT * FROM verdicts(
  'SELECT count(*) FROM ev WHERE note = ''now''',
  'SELECT ''today''::text || note FROM ev',
  'SELECT ''now'' || note FROM ev',
  'SELECT count(*) FROM ev WHERE note IN (''now'', ''today'') AND at > ''2026-01-01''',
  'SELECT at < ''infinity'' AND at > ''epoch'' AND at::time >= ''allballs'' FROM ev',
  'SELECT (''(2020-01-01,nowhere)''::inside.span).begins < at FROM ev',
  'SELECT note::json IS NULL OR true FROM ev WHERE note <> ''now''',
  'SELECT ''10:00+02''::timetz::text FROM ev');

-- Texts that become times when the query runs
SELECT * FROM verdicts(
  'SELECT note::timestamptz > at FROM ev',
  'SELECT (upper(note) || '' '')::date > day FROM ev',
  'SELECT ''now''::text::date > day FROM ev',
  'SELECT note::varchar(10)::timestamp > at FROM ev',
  'SELECT (''{'' || note || ''}'')::date[] IS NULL FROM ev',
  'SELECT (ARRAY[note])::date[] IS NULL FROM ev',
  'SELECT (''['' || note || '',)'')::tstzrange IS NULL FROM ev',
  'SELECT note::inside.moment > at FROM ev',
  'SELECT timestamptz_in(''now'', 0, -1) > at FROM ev',
  'SELECT (day || '' 10:00'')::timestamptz > at FROM ev',
  'SELECT count(*) FROM ev WHERE note::timestamptz > at AND false');
SELECT verdict('SELECT $1::timestamptz > at FROM ev', params)
  FROM (VALUES (ROW('now')), (ROW('2020-01-01'::text)), (ROW('today'::varchar)), (ROW('2020-01-01'::timestamptz))) AS p(params);
SELECT verdict('SELECT count(*) FROM ev WHERE note = $1', ROW('now'));
SELECT verdict('SELECT $1::date[] IS NULL FROM ev', ROW('{2020-01-01,today}'));
SELECT verdict('SELECT $1::date[] IS NULL FROM ev', ROW(ARRAY['today']));
-- as the region wants it
SELECT verdict('SELECT ''now''::date > day FROM ev', NULL, 'auto_bypass'), verdict('SELECT note::date > day FROM ev', NULL, 'auto_bypass'),
       verdict('SELECT ''now''::date > day FROM ev', NULL, 'auto_ignore'), verdict('SELECT note::date > day FROM ev', NULL, 'auto_ignore'),
       verdict('SELECT ''now''::date > day FROM ev', NULL, 'reports');
-- views and defaults have made constants of them
CREATE VIEW since AS SELECT at > '2020-01-01' AS late, 'now'::timestamptz > at AS past FROM ev;
SELECT verdict('SELECT past FROM since');

-- Within functions, which are not as stable as declared
CREATE SEQUENCE numbers;
CREATE FUNCTION f_random() RETURNS float LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN random(); END $$;
CREATE FUNCTION f_random_sql() RETURNS float LANGUAGE sql IMMUTABLE AS $$ SELECT random() $$;
CREATE FUNCTION f_random_query() RETURNS float LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE r float; BEGIN SELECT random() * id INTO r FROM ev; RETURN r; END $$;
CREATE FUNCTION f_random_dynamic() RETURNS float LANGUAGE plpgsql STABLE AS $$ DECLARE r float; BEGIN EXECUTE 'SELECT random()' INTO r; RETURN r; END $$;
CREATE FUNCTION f_random_condition() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN IF random() < 2 THEN RETURN 1; END IF; RETURN 0; END $$;
CREATE FUNCTION f_nextval() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN nextval('inside.numbers'); END $$;
CREATE FUNCTION f_deep() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN inside.f_nextval(); END $$;
CREATE FUNCTION f_date() RETURNS date LANGUAGE sql STABLE AS $$ SELECT CURRENT_DATE $$;
CREATE FUNCTION f_date_atomic() RETURNS date STABLE RETURN CURRENT_DATE;
CREATE FUNCTION f_date_plpgsql() RETURNS date LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN CURRENT_DATE; END $$;
CREATE FUNCTION f_dates() RETURNS SETOF date LANGUAGE sql STABLE AS $$ SELECT day FROM inside.ev WHERE day < CURRENT_DATE $$;
CREATE FUNCTION f_twice(n int) RETURNS date LANGUAGE sql STABLE AS $$ SELECT inside.f_date() + n $$;
CREATE FUNCTION f_sample() RETURNS SETOF int LANGUAGE sql STABLE AS $$ SELECT id FROM inside.ev TABLESAMPLE bernoulli (50) $$;
CREATE FUNCTION f_now_literal() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT 'now'::timestamptz $$;
CREATE FUNCTION f_now_assigned() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$ DECLARE t timestamptz; BEGIN t := 'now'; RETURN t; END $$;
CREATE FUNCTION f_now_cast() RETURNS boolean LANGUAGE plpgsql STABLE AS $$ DECLARE t text := 'now'; BEGIN RETURN t::timestamptz IS NULL; END $$;
CREATE FUNCTION f_as_time(t text) RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT t::timestamptz $$;
CREATE FUNCTION f_as_times(t text) RETURNS SETOF timestamptz LANGUAGE sql STABLE AS $$ SELECT t::timestamptz + id * interval '1 day' FROM inside.ev $$;
CREATE FUNCTION f_setting(name text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting(name, true) $$;
CREATE FUNCTION f_memory() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('work_mem') $$;
CREATE FUNCTION f_zone() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('timezone'); END $$;
CREATE FUNCTION f_zone_sql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('TimeZone') $$;
CREATE FUNCTION f_any(a anyelement) RETURNS anyelement LANGUAGE sql STABLE AS $$ SELECT a $$;
CREATE FUNCTION f_recursive(n int) RETURNS int LANGUAGE sql STABLE AS $$ SELECT CASE WHEN n > 0 THEN inside.f_recursive(n - 1) ELSE 0 END $$;
CREATE FUNCTION f_good(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(0); RETURN count(*) FROM inside.ev WHERE id = n; END $$;
CREATE FUNCTION f_trusted() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION f_calls_it() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN inside.f_trusted(); END $$;
CREATE VIEW v_random AS SELECT inside.f_random() AS r FROM ev;
SELECT * FROM verdicts(
  'SELECT f_random() > 2 FROM ev',
  'SELECT f_random_sql() > 2 FROM ev',
  'SELECT f_random_query() > 2 FROM ev',
  'SELECT f_random_dynamic() > 2 FROM ev',
  'SELECT f_random_condition() FROM ev',
  'SELECT f_nextval() FROM ev',
  'SELECT f_deep() FROM ev',
  'SELECT r > 2 FROM v_random',
  'SELECT f_date() > day FROM ev',
  'SELECT f_date_atomic() > day FROM ev',
  'SELECT f_date_plpgsql() > day FROM ev',
  'SELECT count(*) FROM f_dates()',
  'SELECT f_twice(id) > day FROM ev',
  'SELECT count(*) FROM f_sample()',
  'SELECT f_now_literal() > at FROM ev',
  'SELECT f_now_assigned() > at FROM ev',
  'SELECT f_now_cast() FROM ev',
  'SELECT f_as_time(note) > at FROM ev',
  'SELECT count(*) FROM ev, f_as_times(note)',
  'SELECT f_memory() FROM ev',
  'SELECT f_setting(note) FROM ev',
  'SELECT f_calls_it() FROM ev');
-- ... or are
SELECT * FROM verdicts(
  'SELECT f_as_time(''2020-01-01'') > at FROM ev',
  'SELECT count(*) FROM ev, f_as_times(''2020-01-01'')',
  'SELECT f_zone() FROM ev',
  'SELECT f_zone_sql() FROM ev',
  'SELECT f_any(id) FROM ev',
  'SELECT f_any(f_date()) FROM ev WHERE false',
  'SELECT f_recursive(id) FROM ev',
  'SELECT f_good(id) FROM ev');
-- The result is the same the second time, with plans that are kept.
SELECT verdict('SELECT f_random() > 3 FROM ev'), verdict('SELECT f_memory() || 1 FROM ev'),
       verdict('SELECT f_now_assigned() < at FROM ev'), verdict('SELECT f_as_time(note) < at FROM ev');
SELECT f_as_time('now') > now() - interval '1 day' AS ordinary, f_now_cast();

DROP SCHEMA inside CASCADE;
