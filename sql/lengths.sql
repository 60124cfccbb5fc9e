--
-- Rows fit what the caller asks for, lengths and scales included: as for PL/pgSQL's
-- RETURN QUERY.  Else a table could hold what its columns do not allow.
--
CREATE TABLE lengths (a varchar(3), b numeric(5,1), c char(2));
INSERT INTO lengths SELECT * FROM dogpile_query('reports', 'lengths', 'SELECT ''abcdef''::varchar(6), 1.234::numeric(5,3), ''wxyz''::char(4)')
    AS t(a varchar(3), b numeric(5,1), c char(2));
INSERT INTO lengths SELECT * FROM dogpile_query('reports', 'lengths', 'SELECT ''abc''::varchar(3), 1.234::numeric(5,3), ''wx''::char(2)')
    AS t(a varchar(3), b numeric(5,1), c char(2));
INSERT INTO lengths SELECT * FROM dogpile_query('reports', 'lengths', 'SELECT ''abc''::varchar(3), 1.2::numeric(5,1), ''wx''::char(2)')
    AS t(a varchar(3), b numeric(5,1), c char(2));
TABLE lengths;
-- A hit is refused like a creation; without a length anything of the type will do.
SELECT * FROM dogpile_query('reports', 'lengths', '1/0') AS t(a varchar(2), b numeric(5,1), c char(2));
SELECT * FROM dogpile_query('reports', 'lengths', '1/0') AS t(a varchar(3), b numeric(5,1), c char(3));
SELECT * FROM dogpile_query('reports', 'lengths', '1/0') AS t(a varchar, b numeric, c bpchar);
SELECT * FROM dogpile_query('reports', 'lengths', '1/0') AS t(a text, b numeric, c char(2));
-- A table's rows: an error if the query returns something else, and what is stored is
-- created again if the table has changed.
SELECT * FROM dogpile_query('reports', 'lengths of', 'SELECT ''abcd''::varchar(4), 1.2::numeric(5,1), ''wx''::char(2)', result_type => NULL::lengths);
SELECT dogpile_get_or_create('reports', 'lengths of', 'SELECT ''abcd''::varchar(4), 1.2::numeric(5,1), ''wx''::char(2)', result_type => NULL::lengths);
SELECT * FROM dogpile_query('reports', 'lengths of', 'SELECT * FROM lengths', result_type => NULL::lengths);
SELECT dogpile_get_or_create('reports', 'lengths of one', 'SELECT * FROM lengths', result_type => NULL::lengths);
ALTER TABLE lengths ALTER a TYPE varchar(5);
SELECT dogpile_get('reports', 'lengths of one', result_type => NULL::lengths);
SELECT * FROM dogpile_query('reports', 'lengths of', 'SELECT ''anew''::varchar(5), b, c FROM lengths', result_type => NULL::lengths);
SELECT dogpile_get_or_create('reports', 'lengths of one', 'SELECT ''anew''::varchar(5), b, c FROM lengths', result_type => NULL::lengths);
-- Single values, and sets of them.
SELECT dogpile_get_or_create('reports', 'lengths one', 'SELECT ''abcdef''::varchar(6)', NULL::varchar(3));
SELECT dogpile_get_or_create('reports', 'lengths one', 'SELECT ''abc''::varchar(3)', NULL::varchar(3));
SELECT dogpile_get('reports', 'lengths one', NULL::varchar(4));
SELECT dogpile_get('reports', 'lengths one', NULL::varchar(3)), dogpile_get('reports', 'lengths one', NULL::varchar), dogpile_get('reports', 'lengths one');
SELECT * FROM dogpile_query('reports', 'lengths set', 'SELECT 1.25::numeric(4,2)', NULL::numeric(4,1));
SELECT * FROM dogpile_query('reports', 'lengths set', 'SELECT 1.25::numeric(4,2)', NULL::numeric(4,2));
SELECT * FROM dogpile_query('reports', 'lengths set', '1/0', NULL::numeric(3,2));
-- A domain has the length of its base type; the same typmod means something else for another type.
CREATE DOMAIN lengths_three AS varchar(3);
SELECT * FROM dogpile_query('reports', 'lengths domain', 'SELECT ''abc''::lengths_three') AS t(v varchar(3));
SELECT * FROM dogpile_query('reports', 'lengths domain', '1/0') AS t(v varchar(4));
SELECT * FROM dogpile_query('reports', 'lengths domain', '1/0') AS t(v lengths_three);
SELECT * FROM dogpile_query('reports', 'lengths padded', 'SELECT ''a''::varchar(3)') AS t(v char(3));
SELECT * FROM dogpile_query('reports', 'lengths padded', 'SELECT ''a''::lengths_three') AS t(v char(3));
-- What is within a type has the lengths of the type.
CREATE TYPE lengths_pair AS (a varchar(3), b lengths_three);
SELECT dogpile_set(region, 'lengths pair', ROW('abc', 'xyz')::lengths_pair), dogpile_set(region, 'lengths pairs', ARRAY[ROW('abc', 'xyz')]::lengths_pair[])
  FROM unnest('{reports,outside}'::text[]) AS region;
SELECT dogpile_get(region, 'lengths pair', NULL::lengths_pair), dogpile_get(region, 'lengths pairs', NULL::lengths_pair[])
  FROM unnest('{reports,outside}'::text[]) AS region;
ALTER TYPE lengths_pair ALTER ATTRIBUTE a TYPE varchar(2);
SELECT dogpile_get(region, 'lengths pair', NULL::lengths_pair), dogpile_get(region, 'lengths pairs', NULL::lengths_pair[])
  FROM unnest('{reports,outside}'::text[]) AS region;
SELECT dogpile_set('outside', 'lengths domains', ARRAY['abc']::lengths_three[]), dogpile_set('outside', 'lengths domain', 'abc'::lengths_three);
DROP DOMAIN lengths_three CASCADE;
CREATE DOMAIN lengths_three AS varchar(2);
SELECT dogpile_get('outside', 'lengths domains', NULL::lengths_three[]), dogpile_get('outside', 'lengths domain', NULL::lengths_three),
       dogpile_get('outside', 'lengths domain');
-- Nor is a number rounded because it is of another scale here.
CREATE TYPE lengths_scaled AS (n numeric(5,2));
CREATE DOMAIN lengths_scale AS numeric(5,2);
SELECT dogpile_set('outside', 'lengths scaled', ROW(1.25)::lengths_scaled), dogpile_set('outside', 'lengths scale', ARRAY[1.25]::lengths_scale[]);
SELECT dogpile_get('outside', 'lengths scaled', NULL::lengths_scaled), dogpile_get('outside', 'lengths scale', NULL::lengths_scale[]);
ALTER TYPE lengths_scaled ALTER ATTRIBUTE n TYPE numeric(5,1);
DROP DOMAIN lengths_scale;
CREATE DOMAIN lengths_scale AS numeric(5,1);
SELECT dogpile_get('outside', 'lengths scaled', NULL::lengths_scaled), dogpile_get('outside', 'lengths scale', NULL::lengths_scale[]);

-- Every pair of these, in both stores, for a creation and for a hit: as PL/pgSQL does, which
-- knows no types that are the same by their bytes.
CREATE TABLE lengths_types (n serial, type text, value text);
INSERT INTO lengths_types (type, value) VALUES
  ('varchar', '1'), ('varchar(3)', '1'), ('varchar(6)', '1'), ('char(2)', '1'), ('char(4)', '1'), ('bpchar', '1'), ('text', '1'),
  ('numeric', '1'), ('numeric(5,1)', '1'), ('numeric(5,3)', '1'), ('numeric(5,1)[]', '{1}'), ('numeric[]', '{1}'), ('numeric(5,3)[]', '{1}'),
  ('bit(1)', '1'), ('bit(2)', '10'), ('varbit', '1'), ('varbit(2)', '1'),
  ('time(1)', '01:02'), ('time', '01:02'), ('timestamp(1)', '2020-01-01'), ('timestamp(3)', '2020-01-01'), ('timestamp', '2020-01-01'),
  ('timestamptz(0)', '2020-01-01'), ('timestamptz', '2020-01-01'),
  ('interval', '1 day'), ('interval day', '1 day'), ('interval day to hour', '1 day'), ('interval(2)', '1 day'), ('interval second(2)', '1 s');
CREATE FUNCTION lengths_try(statement text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RETURN true;
EXCEPTION WHEN datatype_mismatch THEN
  RETURN false;
END $$;
-- RETURN QUERY of a value of one type from a function that promises another.
CREATE FUNCTION lengths_plpgsql(given text, value text, wanted text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TYPE lengths_wanted AS (a %s, b int)', wanted);
  EXECUTE format('CREATE FUNCTION lengths_asked() RETURNS SETOF lengths_wanted LANGUAGE plpgsql AS %L',
                 format('BEGIN RETURN QUERY SELECT %L::text::%s, 1; END', value, given));
  value := lengths_try('SELECT * FROM lengths_asked()');
  DROP FUNCTION lengths_asked;
  DROP TYPE lengths_wanted;
  RETURN value;
END $$;
CREATE FUNCTION lengths_dogpile(region text, given text, value text, wanted text, OUT created bool, OUT hit bool) LANGUAGE plpgsql AS $$
DECLARE
  query text := format('SELECT %L::text::%s AS a, 1 AS b', value, given);
BEGIN
  PERFORM dogpile_delete(region, 'lengths try');
  created := lengths_try(format('SELECT * FROM dogpile_query(%L, ''lengths try'', %L) AS t(a %s, b int)', region, query, wanted));
  EXECUTE format('SELECT FROM dogpile_query(%L, ''lengths try'', %L) AS t(a %s, b int)', region, query, given);
  hit := lengths_try(format('SELECT * FROM dogpile_query(%L, ''lengths try'', %L) AS t(a %s, b int)', region, query, wanted));
END $$;
CREATE TABLE lengths_results AS
  SELECT g.type AS given, w.type AS wanted, region, p AS plpgsql, d.*
    FROM lengths_types AS g, lengths_types AS w, lengths_plpgsql(g.type, g.value, w.type) AS p, unnest('{reports,outside}'::text[]) AS region,
         lengths_dogpile(region, g.type, g.value, w.type) AS d;
SELECT region, plpgsql, count(*) > 10 AS many, count(*) FILTER (WHERE created) > 20 AS created, count(*) FILTER (WHERE hit) > 20 AS hit
  FROM lengths_results GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM lengths_results WHERE created IS DISTINCT FROM hit;
-- Only types without a length are given for others.
SELECT given, wanted, region FROM lengths_results WHERE created AND NOT plpgsql ORDER BY given, wanted, region;
SELECT * FROM lengths_results WHERE plpgsql AND NOT created;
SET client_min_messages = warning;
DROP TABLE lengths, lengths_types, lengths_results;
DROP TYPE lengths_pair, lengths_scaled CASCADE;
DROP DOMAIN lengths_three, lengths_scale CASCADE;
DROP FUNCTION lengths_try, lengths_plpgsql, lengths_dogpile;
