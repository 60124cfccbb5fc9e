--
-- dogpile_key(): the same values give the same key, others another one.
--

SELECT dogpile_key('user', 42);
-- Types do not matter, texts do.
SELECT dogpile_key('user', 42) = dogpile_key('user'::varchar, '42'::numeric) AS same;
SELECT dogpile_key(1.0), dogpile_key(1.00), dogpile_key(1);
SELECT dogpile_key(true, 'x'::"char", 'n'::name, 7::int2, 7::int8, 1::oid, '{"a": 1}'::jsonb,
                   'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid);
SELECT dogpile_key(ARRAY['a', 'b:c'], row(1, 'x'), '[1,2)'::int4range);

-- What the separator could make the same is not.
SELECT dogpile_key('a:b', 'c'), dogpile_key('a', 'b:c'), dogpile_key('a', 'b', 'c');
SELECT dogpile_key('a\', 'b'), dogpile_key('a\:b'), dogpile_key('a', '\b');
SELECT dogpile_key('a', NULL), dogpile_key('a', ''), dogpile_key('a'),
       dogpile_key('a', '\N'), dogpile_key('a', 'NULL');
SELECT dogpile_key(NULL), dogpile_key(''), dogpile_key('', ''), dogpile_key(NULL, NULL);
-- All lists of up to three such texts.
WITH texts(t) AS (VALUES (NULL), (''), (':'), ('\'), ('N'), ('\N'), ('E'), ('\E'), ('\\'), (':N'), ('\:'), ('a')),
lists AS (SELECT ARRAY[a.t] AS l FROM texts AS a
          UNION ALL SELECT ARRAY[a.t, b.t] FROM texts AS a, texts AS b
          UNION ALL SELECT ARRAY[a.t, b.t, c.t] FROM texts AS a, texts AS b, texts AS c
          UNION ALL SELECT '{}')
SELECT count(*) AS lists, count(DISTINCT dogpile_key(VARIADIC l)) AS keys FROM lists;

-- An array in place of arguments.
SELECT dogpile_key(VARIADIC ARRAY['user', NULL, 'a:b']);
SELECT dogpile_key(VARIADIC ARRAY['user', '42']) = dogpile_key('user', 42) AS same;
SELECT dogpile_key(VARIADIC '{}'::int[]);
SELECT dogpile_key(VARIADIC NULL::int[]) IS NULL AS is_null;
SELECT dogpile_get('reports', dogpile_key(VARIADIC NULL::int[]));
SELECT dogpile_key();
-- The same call with arrays of different lengths, an empty one first.
SELECT dogpile_key(VARIADIC a)
  FROM (VALUES ('{}'::date[]), ('{2020-01-01,2020-01-02}'), (NULL), ('{2021-01-01}')) AS v(a);

-- Settings of the session do not matter, and are as before afterwards.
CREATE TABLE keys_table (i int);
CREATE VIEW keys_all AS SELECT dogpile_key(
  timestamptz '2026-01-01 00:00:00+00', date '2026-02-01', interval '1 day 02:00',
  0.1::float8 + 0.2, 0.1::float4, '\x00ff'::bytea, 'keys_table'::regclass,
  ARRAY[date '2026-02-01'], row(date '2026-02-01', 0.1::float8 + 0.2)) AS key;
SELECT key FROM keys_all;
SELECT key AS before FROM keys_all \gset
SET timezone = 'Europe/Berlin';
SET datestyle = 'German';
SET intervalstyle = 'iso_8601';
SET extra_float_digits = -3;
SET bytea_output = 'escape';
CREATE SCHEMA keys_schema;
SET search_path = keys_schema;
SELECT key = :'before' AS same FROM public.keys_all;
SELECT timestamptz '2026-01-01 00:00:00+00', interval '1 day 02:00', 0.1::float8 + 0.2, '\x00ff'::bytea;
SHOW search_path;
-- Also after an error in the midst of it, from an output function.
CREATE FUNCTION public.keys_fail() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.dogpile_key(date '2026-02-01', command) FROM pg_event_trigger_ddl_commands();
EXCEPTION WHEN feature_not_supported THEN
  RAISE NOTICE '% (%)', SQLERRM, date '2026-02-01';
END $$;
CREATE EVENT TRIGGER keys_fail ON ddl_command_end WHEN TAG IN ('COMMENT')
  EXECUTE FUNCTION public.keys_fail();
COMMENT ON SCHEMA keys_schema IS 'x';
DROP EVENT TRIGGER keys_fail;
SELECT date '2026-02-01';
SHOW search_path;
RESET ALL;

-- Any worker may make keys.
CREATE TABLE keys_rows AS SELECT i, date '2026-01-01' + i AS d FROM generate_series(1, 5000) AS i;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT count(*) FROM keys_rows WHERE dogpile_key(d, i) <> '';
SELECT count(*) FROM keys_rows WHERE dogpile_key(d, i) <> '';
SET datestyle = 'German';
SELECT min(dogpile_key(d)), max(dogpile_key(d)) FROM keys_rows;
RESET ALL;

-- As a key.
SELECT dogpile_get_or_create('reports', dogpile_key('keys', i), 'SELECT $1', row(i))
  FROM generate_series(1, 3) AS i;
SELECT dogpile_get('reports', 'keys:2');

DROP FUNCTION keys_fail();
DROP VIEW keys_all;
DROP TABLE keys_table, keys_rows;
DROP SCHEMA keys_schema;
