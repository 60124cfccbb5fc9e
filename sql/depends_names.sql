--
-- depends = 'auto': names that catalogs give to numbers, within constants, rows and texts.
-- Region "auto" has depends = 'auto'.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned

CREATE TABLE named (i int);
CREATE TABLE holds (o oid, c regclass);
INSERT INTO holds VALUES ('named'::regclass, 'named'::regclass);
CREATE FUNCTION shown(what regclass) RETURNS text STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN format('%s', what); END $$;
CREATE FUNCTION number_of() RETURNS boolean STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN 'named'::regclass = (SELECT o FROM holds); END $$;
CREATE TABLE queries (n int, query text);
INSERT INTO queries VALUES
  (1, 'SELECT format(''%s'', o::regclass) FROM holds'),
  (2, 'SELECT shown(o::regclass) FROM holds'),
  (3, 'SELECT (''named''::regclass = o)::text FROM holds'),
  (4, 'SELECT number_of()::text'),
  (5, 'SELECT (x = o)::text FROM holds, jsonb_to_record(''{"x": "named"}'') AS j(x regclass)');
-- Shows the value, and whether it is right; a stored value is returned twice.
CREATE FUNCTION compare() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  q record; truth text; given text;
BEGIN
  FOR q IN SELECT * FROM queries ORDER BY n LOOP
    EXECUTE q.query INTO truth;
    given := dogpile_get_or_create('auto', 'names ' || q.n, q.query);
    RETURN NEXT format('%s: %s, %s, %s', q.n, given, given = truth, dogpile_exists('auto', 'names ' || q.n));
  END LOOP;
END $$;
SELECT compare();
ALTER TABLE named RENAME TO renamed;
CREATE TABLE named (i int);
SELECT compare();
DROP TABLE named;
ALTER TABLE renamed RENAME TO named;
SELECT compare();

-- What has such a name within it is refused as the name itself is.
SELECT dogpile_get_or_create('auto', 'row', 'SELECT row_to_json(ROW(1, c)) FROM holds');
SELECT dogpile_get_or_create('auto', 'row', 'SELECT row_to_json(ROW(1, ROW(c))) FROM holds');
SELECT dogpile_get_or_create('auto', 'row', 'SELECT row_to_json(holds) FROM holds');
SELECT dogpile_get_or_create('auto', 'row', 'SELECT ROW(c)::text FROM holds');
SELECT dogpile_get_or_create('auto', 'row', 'SELECT holds::text FROM holds');
SELECT dogpile_get_or_create('auto', 'row', 'SELECT array_agg(holds)::text FROM holds');
SELECT dogpile_get_or_create('auto', 'row', 'SELECT xmlforest(c)::text FROM holds');
SELECT dogpile_get_or_create('auto', 'row', 'SELECT xmlelement(name x, c)::text FROM holds');
-- What has none is not.
SELECT dogpile_get_or_create('auto', 'row', 'SELECT row_to_json(ROW(1, o = 0)) FROM holds');
SELECT dogpile_get_or_create('auto', 'rows', 'SELECT ROW(o = 0, queries)::text FROM holds, queries LIMIT 1');

DROP FUNCTION compare, shown, number_of;
DROP TABLE queries, holds, named;
