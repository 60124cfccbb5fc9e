--
-- depends = 'auto': names that catalogs give to numbers, within rows that subqueries make, in
-- arrays, by input and output functions; names of roles; schemas of a session.
-- Region "auto" has depends = 'auto'.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned
CREATE SCHEMA rows;
SET search_path = rows, public;

CREATE TABLE named (i int);
CREATE TABLE holds (o oid, c regclass);
INSERT INTO holds VALUES ('named'::regclass, 'named'::regclass);

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

-- Rows whose columns their type does not tell
SELECT * FROM verdicts(
  'SELECT row_to_json(x) FROM (SELECT c FROM holds) x',
  'SELECT x::text FROM (SELECT c FROM holds) x',
  'SELECT json_agg(x) FROM (SELECT o::regclass AS c FROM holds OFFSET 0) x',
  'WITH x AS MATERIALIZED (SELECT c FROM holds) SELECT to_jsonb(x)::text FROM x',
  'SELECT array_agg(ROW(c))::text FROM holds',
  'SELECT (SELECT x FROM (SELECT c FROM holds) x)::text',
  'SELECT quote_literal(x) FROM (SELECT c FROM holds) x',
  'SELECT xmlelement(name e, x)::text FROM (SELECT c FROM holds) x',
  'SELECT row_to_json(y) FROM (SELECT x FROM (SELECT ROW(c) FROM holds) x) y',
  'SELECT row_to_json(x) FROM jsonb_to_record(''{"c": "named"}'') AS x(c regclass)');
-- ... or in which there are none
SELECT * FROM verdicts(
  'SELECT row_to_json(x) FROM (SELECT o > 0 AS b FROM holds) x',
  'SELECT json_agg(x) FROM (SELECT o = ''named''::regclass AS b FROM holds) x',
  'SELECT count(*) FROM (SELECT c FROM holds) x WHERE x IS NOT NULL');

-- Input and output functions, called by their names
SELECT * FROM verdicts(
  'SELECT regclassout(c)::text FROM holds',
  'SELECT textin(record_out(ROW(c))) FROM holds',
  'SELECT array_out(ARRAY[c])::text FROM holds',
  'SELECT (o = regclassin(''named''))::text FROM holds',
  'SELECT int4out(7)::text');

-- What is given when names change their numbers
CREATE ROLE regress_dogpile_named;
CREATE TABLE owners (o oid, a aclitem);
INSERT INTO owners VALUES ('regress_dogpile_named'::regrole, 'regress_dogpile_named=r/regress_dogpile_named');
CREATE TABLE queries (n int, query text);
INSERT INTO queries VALUES
  (1, 'SELECT (o = ANY(''{named}''::regclass[]))::text FROM holds'),
  (2, 'SELECT format(''%s'', ROW(c)) FROM holds'),
  (3, 'SELECT format(''%s'', x) FROM (SELECT c FROM holds) x'),
  (4, 'SELECT (o = ''regress_dogpile_named''::regrole)::text FROM owners'),
  (5, 'SELECT (o = ANY(''{regress_dogpile_named}''::regrole[]))::text FROM owners'),
  (6, 'SELECT format(''%s'', o::regrole) FROM owners'),
  (7, 'SELECT (a = ''regress_dogpile_named=r/regress_dogpile_named''::aclitem)::text FROM owners');
-- Shows whether it is right; a stored value is returned twice.
CREATE FUNCTION compare() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  q record; truth text; given text; result text := '';
BEGIN
  FOR q IN SELECT * FROM queries ORDER BY n LOOP
    EXECUTE q.query INTO truth;
    given := dogpile_get_or_create('auto', 'rows ' || q.n, q.query);
    result := result || format(' %s: %s, %s', q.n, given = truth, dogpile_exists('auto', 'rows ' || q.n));
  END LOOP;
  RETURN result;
END $$;
SELECT compare();
ALTER TABLE named RENAME TO renamed;
CREATE TABLE named (i int);
SELECT compare();
ALTER ROLE regress_dogpile_named RENAME TO regress_dogpile_renamed;
CREATE ROLE regress_dogpile_named;
SELECT compare();
-- ... seen by the transaction itself
BEGIN;
ALTER ROLE regress_dogpile_named RENAME TO regress_dogpile_other;
ALTER ROLE regress_dogpile_renamed RENAME TO regress_dogpile_named;
SELECT compare();
ROLLBACK;
SELECT compare();
DROP TABLE queries, owners;
DROP ROLE regress_dogpile_named, regress_dogpile_renamed;

-- A schema for temporary objects belongs to the session.
SELECT * FROM verdicts('SELECT current_schemas(false)::text', 'SELECT current_schemas(true)::text',
                       'SELECT current_schemas(o > 0)::text FROM holds', 'SELECT current_schema()::text');
SET search_path = pg_temp, rows, public;
SELECT * FROM rows.verdicts('SELECT current_schemas(false)::text', 'SELECT current_schema()::text', 'SELECT current_schema::text');
SET search_path = rows, public;

SET client_min_messages = warning;
DROP SCHEMA rows CASCADE;
