--
-- A stored value that does not fit the type that is asked for, because the type was
-- altered since, is created again.
--
CREATE TABLE misfits (a int, b text, c numeric);
INSERT INTO misfits VALUES (1, 'x', 1.5);
SELECT * FROM dogpile_query('reports', 'misfits', 'SELECT * FROM misfits', result_type => NULL::misfits);
SELECT dogpile_get_or_create('reports', 'misfits row', 'SELECT * FROM misfits', result_type => NULL::misfits);
-- More columns are stored than it has now, the last ones or others.
ALTER TABLE misfits DROP c;
SELECT * FROM dogpile_query('reports', 'misfits', 'SELECT * FROM misfits', result_type => NULL::misfits);
SELECT dogpile_get_or_create('reports', 'misfits row', 'SELECT * FROM misfits', result_type => NULL::misfits);
ALTER TABLE misfits DROP a;
SELECT * FROM dogpile_query('reports', 'misfits', 'SELECT * FROM misfits', result_type => NULL::misfits);
SELECT dogpile_get_or_create('reports', 'misfits row', 'SELECT * FROM misfits', result_type => NULL::misfits);
-- Fewer; and others.
ALTER TABLE misfits ADD d int DEFAULT 7;
SELECT * FROM dogpile_query('reports', 'misfits', 'SELECT * FROM misfits', result_type => NULL::misfits);
ALTER TABLE misfits ALTER d TYPE text;
SELECT * FROM dogpile_query('reports', 'misfits', 'SELECT * FROM misfits', result_type => NULL::misfits);
SELECT * FROM dogpile_query('reports', 'misfits', '1/0', result_type => NULL::misfits);
-- All of them.
ALTER TABLE misfits DROP b, DROP d;
SELECT FROM dogpile_query('reports', 'misfits', 'SELECT * FROM misfits', result_type => NULL::misfits);
SELECT dogpile_get_or_create('reports', 'misfits row', 'SELECT * FROM misfits', result_type => NULL::misfits);
SELECT dogpile_get_or_create('reports', 'misfits none', 'SELECT 1', result_type => NULL::misfits);

-- A domain is as its base type is laid out, at any depth.
CREATE TYPE misfits_pair AS (a int, b text);
CREATE DOMAIN misfits_domain AS misfits_pair;
CREATE DOMAIN misfits_outer AS misfits_domain;
SELECT dogpile_set(region, 'misfits d', ROW(1, 'x')::misfits_pair::misfits_domain), dogpile_set(region, 'misfits dd', ROW(2, 'y')::misfits_pair::misfits_outer),
       dogpile_set(region, 'misfits ds', ARRAY[ROW(3, 'z')::misfits_pair::misfits_domain])
  FROM unnest('{reports,outside}'::text[]) AS region;
SELECT region, dogpile_get(region, 'misfits d', NULL::misfits_domain), dogpile_get(region, 'misfits dd', NULL::misfits_outer), dogpile_get(region, 'misfits ds')
  FROM unnest('{reports,outside}'::text[]) AS region;
ALTER TYPE misfits_pair ALTER ATTRIBUTE a TYPE text;
SELECT region, dogpile_exists(region, 'misfits d'), dogpile_exists(region, 'misfits dd'), dogpile_exists(region, 'misfits ds')
  FROM unnest('{reports,outside}'::text[]) AS region;
SELECT region, dogpile_get(region, 'misfits d', NULL::misfits_domain), dogpile_get(region, 'misfits dd', NULL::misfits_outer), dogpile_get(region, 'misfits ds')
  FROM unnest('{reports,outside}'::text[]) AS region;

SET client_min_messages = warning;
DROP TABLE misfits;
DROP TYPE misfits_pair CASCADE;
