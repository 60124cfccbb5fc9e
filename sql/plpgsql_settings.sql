--
-- PL/pgSQL's settings, which tell values apart where "vary" names them.  Region "auto_plpgsql"
-- has depends = 'auto', and names three in "vary".
--

\pset tuples_only on
\pset format unaligned
CREATE TABLE pairs (x int);
INSERT INTO pairs VALUES (1), (2);
CREATE FUNCTION asserts() RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
  ASSERT false;
  RETURN 'passed';
EXCEPTION WHEN assert_failure THEN
  RETURN 'failed';
END $$;
CREATE FUNCTION takes_one() RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  SELECT p.x INTO result FROM pairs p ORDER BY 1;
  RETURN result;
EXCEPTION WHEN too_many_rows THEN
  RETURN 'too many';
END $$;
CREATE FUNCTION prefers() RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE
  x text := 'variable';
BEGIN
  RETURN (SELECT min(x::text) FROM pairs);
END $$;
-- Both sessions have loaded PL/pgSQL, and compile the functions anew.
\set load 'DO $$ BEGIN END $$;'
\set ask 'SELECT dogpile_get_or_create(''auto_plpgsql'', q, ''SELECT '' || q) FROM unnest(ARRAY[''asserts()'', ''takes_one()'', ''prefers()'']) AS q;'
\c
:load
SET plpgsql.variable_conflict = use_column;
:ask
\c
:load
SET plpgsql.variable_conflict = use_variable;
SET plpgsql.check_asserts = off;
SET plpgsql.extra_errors = 'too_many_rows';
:ask
\c
:load
SET plpgsql.variable_conflict = use_column;
SELECT dogpile_exists('auto_plpgsql', q) FROM unnest(ARRAY['asserts()', 'takes_one()', 'prefers()']) AS q;
:ask
DROP FUNCTION asserts, takes_one, prefers;
DROP TABLE pairs;
