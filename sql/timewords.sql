--
-- 'now' and similar words where no expression of the query converts them to times
--
CREATE SCHEMA timewords;
SET search_path = timewords, public;
\set VERBOSITY terse
CREATE TABLE ev AS SELECT 1 AS id, timestamptz '2026-03-01 12:00+00' AS at, text 'do it now' AS note, text '2026-03-01' AS day;
CREATE TYPE span AS (begins timestamptz, note text);
CREATE TABLE bodies (id int GENERATED ALWAYS AS IDENTITY, what text, body text);
-- Makes functions of the bodies.
CREATE FUNCTION define_functions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
  FOR r IN SELECT * FROM timewords.bodies LOOP
    EXECUTE format('CREATE FUNCTION timewords.f%s() RETURNS text LANGUAGE plpgsql STABLE AS %L', r.id, r.body);
  END LOOP;
END $$;
-- Shows whether a query that calls a function is cached, or why not: in a first creation, and
-- in one that finds what another has prepared, perhaps before an error.
CREATE FUNCTION judge(id int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answers text[]; detail text;
BEGIN
  FOR i IN 1..2 LOOP
    BEGIN
      PERFORM dogpile_get_or_create('auto', id || ':' || i, format('SELECT timewords.f%s()', id));
      answers := answers || CASE WHEN dogpile_exists('auto', id || ':' || i) THEN 'cached' ELSE 'not cached' END;
    EXCEPTION WHEN feature_not_supported THEN
      GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
      answers := answers || detail;
    END;
  END LOOP;
  RETURN CASE WHEN answers[1] = answers[2] THEN answers[1] ELSE answers::text END;
END $$;
CREATE FUNCTION given_today() RETURNS date LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 'today'; END $$;
CREATE FUNCTION given_day() RETURNS date LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN '2026-03-01'; END $$;
CREATE FUNCTION opened() RETURNS refcursor LANGUAGE plpgsql STABLE AS $$
DECLARE c refcursor; BEGIN OPEN c FOR SELECT 'today'; RETURN c; END $$;
CREATE FUNCTION deep(n int) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE t date; BEGIN IF n = 0 THEN SELECT 'today' INTO t; RETURN t; END IF; RETURN timewords.deep(n - 1); END $$;
CREATE FUNCTION same(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1; END $$;
CREATE FUNCTION by_text(d date DEFAULT timewords.same('today')::date) RETURNS date LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN d; END $$;
CREATE FUNCTION by_call(d date DEFAULT now()::date) RETURNS date LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN d; END $$;
CREATE FUNCTION by_day(d date DEFAULT timewords.same('2026-03-01')::date) RETURNS date LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN d; END $$;
CREATE FUNCTION by_body() RETURNS date LANGUAGE sql STABLE AS 'SELECT timewords.by_text()';
INSERT INTO bodies (what, body) SELECT 'assigned', body FROM unnest(ARRAY[
  'DECLARE t timestamptz := ''now''; BEGIN RETURN t; END',
  'DECLARE t CONSTANT time NOT NULL DEFAULT ''now''; BEGIN RETURN t; END',
  'BEGIN DECLARE t timestamp := '' NOW ''; BEGIN RETURN t; END; END',
  'DECLARE t date; BEGIN t := ''today''; RETURN t; END',
  'DECLARE s text := ''now''; t date; BEGIN t := s; RETURN t; END',
  'DECLARE s text := ''no''; t date; BEGIN t := s || ''w''; RETURN t; END',
  'DECLARE t date; BEGIN t := CASE WHEN true THEN ''today'' ELSE ''epoch'' END; RETURN t; END',
  'DECLARE t date; BEGIN PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN t := ''today''; RETURN t; END',
  'DECLARE t date[] := ''{today}''; BEGIN RETURN t[1]; END',
  'DECLARE t daterange := ''[today,tomorrow)''; BEGIN RETURN t; END',
  'DECLARE t timewords.span; BEGIN t := ROW(''now'', ''x''); RETURN t.begins; END',
  'DECLARE t timetz := ''10:00''; BEGIN RETURN t; END',
  'DECLARE s text; t date; BEGIN SELECT ''a'', ''today'' INTO s, t; RETURN t; END',
  'DECLARE t timewords.span; BEGIN SELECT ''now'', ''x'' INTO t; RETURN t.begins; END',
  'DECLARE t date; BEGIN EXECUTE ''SELECT ''''today'''''' INTO t; RETURN t; END',
  'DECLARE t date; BEGIN FOR t IN SELECT ''today'' LOOP RETURN t; END LOOP; END',
  'DECLARE t date; BEGIN FOR t IN EXECUTE ''SELECT ''''today'''''' LOOP RETURN t; END LOOP; END',
  'DECLARE t date; BEGIN FOR t IN SELECT x FROM (VALUES (''today'')) AS v(x) GROUP BY x ORDER BY x LOOP RETURN t; END LOOP; END',
  'DECLARE t date; BEGIN FOREACH t IN ARRAY ARRAY[''today''] LOOP RETURN t; END LOOP; END',
  'DECLARE c CURSOR (d date) FOR SELECT d; t date; BEGIN OPEN c(''today''); FETCH c INTO t; CLOSE c; RETURN t; END',
  'DECLARE c CURSOR FOR SELECT ''today''; t date; BEGIN OPEN c; FETCH c INTO t; CLOSE c; RETURN t; END',
  'DECLARE c CURSOR (d date) FOR SELECT d; BEGIN FOR r IN c(''today'') LOOP RETURN r.d; END LOOP; END',
  'DECLARE c refcursor := timewords.opened(); t date; BEGIN FETCH c INTO t; CLOSE c; RETURN t; END',
  'DECLARE t date; BEGIN FOR t IN SELECT note FROM timewords.ev UNION (SELECT ''today'' EXCEPT SELECT ''a'') ORDER BY 1 DESC LOOP RETURN t; END LOOP; END',
  'DECLARE t date; BEGIN SELECT DISTINCT ''today'' INTO t; RETURN t; END',
  'DECLARE t date; BEGIN SELECT DISTINCT x INTO t FROM (VALUES (''2026-03-01'')) AS v(x) GROUP BY x; RETURN t; END',
  'DECLARE t date; BEGIN FOR t IN SELECT unnest(ARRAY[''today'']) ORDER BY 1 LOOP RETURN t; END LOOP; END',
  'BEGIN RETURN timewords.deep(80); END',
  'BEGIN RETURN timewords.given_today(); END']) WITH ORDINALITY AS u(body, n) ORDER BY n;
INSERT INTO bodies (what, body) SELECT 'texts', body FROM unnest(ARRAY[
  'DECLARE t date := ''2026-03-01''; s text := ''now''; e timestamptz := ''epoch''; BEGIN t := ''2026-03-02''; RETURN s || t; END',
  'DECLARE t date; y text := ''2026''; BEGIN t := y || ''-01-01''; RETURN t; END',
  'DECLARE r timewords.ev; q timewords.ev; t date; BEGIN SELECT * INTO r FROM timewords.ev; q := r; t := r.day; RETURN q.note || t; END',
  'DECLARE s text; t date; BEGIN SELECT note, at INTO s, t FROM timewords.ev; RETURN s || t; END',
  'DECLARE r record; t date; BEGIN FOR r IN SELECT note, max(at) AS m FROM timewords.ev GROUP BY note ORDER BY note LOOP t := r.m; END LOOP; RETURN t; END',
  'DECLARE t date; n int; BEGIN FOR t, n IN SELECT day, rank() OVER w FROM timewords.ev GROUP BY day WINDOW w AS (ORDER BY day) ORDER BY day DESC LOOP RETURN t; END LOOP; END',
  'DECLARE t date; BEGIN FOR t IN SELECT DISTINCT day FROM timewords.ev UNION SELECT day FROM timewords.ev LOOP RETURN t; END LOOP; END',
  'DECLARE t date; BEGIN FOR t IN SELECT unnest(ARRAY[''2026-03-01'']) ORDER BY 1 LOOP RETURN t; END LOOP; END',
  'BEGIN RETURN timewords.given_day(); END']) WITH ORDINALITY AS u(body, n) ORDER BY n;
INSERT INTO bodies (what, body) SELECT 'functions in C', 'BEGIN RETURN (' || body || '); END' FROM unnest(ARRAY[
  'SELECT (jsonb_populate_record(NULL::timewords.span, ''{"begins": "now"}'')).begins',
  'SELECT t FROM json_to_record(''{"t": "now"}'') AS r(t date)',
  'SELECT t FROM jsonb_to_recordset(''[{"t": "now"}]'') AS r(t date)',
  'SELECT begins FROM json_populate_recordset(NULL::timewords.span, ''[{"begins": "now"}]'')',
  'SELECT array_in(''{now}'', 1082, -1)',
  'SELECT t FROM json_to_record(''{"t": "2026-03-01"}'') AS r(t date)',
  'SELECT t FROM json_to_record(''{"t": "now"}'') AS r(t text)']) WITH ORDINALITY AS u(body, n) ORDER BY n;
INSERT INTO bodies (what, body) SELECT 'defaults', 'BEGIN RETURN ' || body || '; END' FROM unnest(ARRAY[
  'timewords.by_text()', 'timewords.by_call()', 'timewords.by_text(''2026-03-01'')', 'timewords.by_body()',
  'timewords.by_day()']) WITH ORDINALITY AS u(body, n) ORDER BY n;
SELECT define_functions();

-- What PL/pgSQL assigns, and returns
SELECT body, judge(id) FROM bodies WHERE what = 'assigned' ORDER BY id;
-- Not: other texts, and the same words where they stay texts
SELECT body, judge(id) FROM bodies WHERE what = 'texts' ORDER BY id;

-- What functions in C make of texts
SELECT body, judge(id) FROM bodies WHERE what = 'functions in C' ORDER BY id;

-- Default values of arguments, in functions and in the query itself
SELECT body, judge(id) FROM bodies WHERE what = 'defaults' ORDER BY id;
SELECT dogpile_get_or_create('auto', 'default', 'SELECT timewords.by_text()');
SELECT dogpile_get_or_create('auto', 'default', 'SELECT timewords.by_call()');
SELECT dogpile_get_or_create('auto', 'default', 'SELECT timewords.by_body()');
-- A view
CREATE VIEW days AS SELECT same('today')::date AS day;
SELECT dogpile_get_or_create('auto', 'view', 'SELECT day FROM timewords.days');

-- A literal in several parts
SELECT dogpile_get_or_create('auto', 'parts', $$ SELECT 'n'
  'ow'::date > day::date FROM ev $$);
SELECT dogpile_get_or_create('auto', 'parts', $$ SELECT 'n' -- and
  'ow'::date > day::date FROM ev $$);

-- What had failed does not matter to what runs next
BEGIN;
SAVEPOINT s;
SELECT dogpile_get_or_create('auto', 'failed', 'SELECT timewords.given_today()');
ROLLBACK TO s;
SELECT dogpile_get_or_create('auto', 'after', 'SELECT timewords.given_day()');
COMMIT;

SET client_min_messages = warning;
DROP SCHEMA timewords CASCADE;
