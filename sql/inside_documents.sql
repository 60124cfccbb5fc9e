--
-- depends = 'auto': texts that depend on the time within documents, and literals that
-- PL/pgSQL itself converts to times.  Region "auto" has depends = 'auto'.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned
CREATE SCHEMA documents;
SET search_path = documents, public;

CREATE FUNCTION verdict(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text;
BEGIN
  PERFORM dogpile_get_or_create('auto', query, query);
  RETURN CASE WHEN dogpile_exists('auto', query) THEN 'stored' ELSE 'not stored' END;
EXCEPTION WHEN feature_not_supported THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RETURN detail;
END $$;
CREATE FUNCTION verdicts(VARIADIC queries text[]) RETURNS TABLE (query text, verdict text) LANGUAGE sql AS $$
  SELECT q, verdict(q) FROM unnest(queries) WITH ORDINALITY AS u(q, n) ORDER BY n $$;

CREATE TYPE span AS (begins date, note text);
CREATE TABLE docs (j jsonb, x text);
INSERT INTO docs VALUES ('{"begins": "tomorrow", "note": "a"}', '<r><begins>yesterday</begins></r>');
CREATE TABLE plain (j jsonb, x text);
INSERT INTO plain VALUES ('{"begins": "2020-01-01", "note": "what to do now, or later"}', '<now begins="2020-01-01"/>');

-- Columns of a document become times
SELECT * FROM verdicts(
  'SELECT (jsonb_populate_record(NULL::documents.span, j)).begins IS NULL FROM docs',
  'SELECT (json_populate_record(NULL::documents.span, ''{"begins": "today 10:00"}'')).begins IS NULL',
  'SELECT count(*) FROM jsonb_populate_recordset(NULL::documents.span, ''[{"begins": "10:00 pm today"}]'')',
  'SELECT count(*) FROM docs, jsonb_to_record(j) AS r(begins timestamptz)',
  'SELECT count(*) FROM json_to_recordset(''[{"begins": "NOW"}]'') AS r(begins date)',
  'SELECT count(*) FROM ROWS FROM (generate_series(1, 2), json_to_recordset(''[{"a": ["now"]}]'') AS (a date[])) AS r(n, a)');
-- ... or do not
SELECT * FROM verdicts(
  'SELECT (jsonb_populate_record(NULL::documents.span, j)).begins IS NULL FROM plain',
  'SELECT count(*) FROM plain, jsonb_to_record(j) AS r(begins date, note text)',
  'SELECT count(*) FROM docs, jsonb_to_record(j) AS r(begins text)',
  'SELECT j->>''begins'' FROM docs');

-- Literals in PL/pgSQL
CREATE FUNCTION f_default() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE d date := 'today'; BEGIN RETURN d; END $$;
CREATE FUNCTION f_constant() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE d CONSTANT timestamptz DEFAULT E'now'; BEGIN RETURN d; END $$;
CREATE FUNCTION f_block() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN DECLARE d date[] = '{today}'; BEGIN RETURN d; END; END $$;
CREATE FUNCTION f_return() RETURNS date STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 'tomorrow'; END $$;
CREATE FUNCTION f_next() RETURNS SETOF date STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN NEXT 'tomorrow'::text; END $$;
CREATE FUNCTION f_inner() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN documents.f_default(); END $$;
CREATE FUNCTION f_label() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE l text := 'now'; d date := '2020-01-01'; BEGIN l := 'today'; RETURN 'tomorrow'; END $$;
SELECT * FROM verdicts('SELECT f_default()', 'SELECT f_constant()', 'SELECT f_block()', 'SELECT f_return()', 'SELECT count(*) FROM f_next()',
                       'SELECT f_inner()', 'SELECT f_label()');
-- also if a query around it has called the same function before
CREATE FUNCTION f_nested() RETURNS text STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN documents.f_default() || dogpile_get_or_create('auto', 'nested', 'SELECT documents.f_default()'); END $$;
SELECT dogpile_get_or_create('auto_ignore', 'nested', 'SELECT f_nested()');
SELECT dogpile_exists('auto', 'nested');

SET client_min_messages = warning;
DROP SCHEMA documents CASCADE;
