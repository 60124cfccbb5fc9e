--
-- Settings that change results although no query names them
--
CREATE SCHEMA ambient;
SET search_path = ambient, public;
SET client_min_messages = warning;
SET escape_string_warning = off;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = 'postgres';
CREATE TABLE moments (at timestamptz, day date, note text);
INSERT INTO moments VALUES ('2026-03-01 23:30:00+00', '2026-03-04', 'a b');

CREATE FUNCTION cached(region text, query text) RETURNS text LANGUAGE sql AS
$$ SELECT dogpile_get_or_create(region, query, query) $$;
CREATE FUNCTION computed(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE query INTO result;
  RETURN result;
EXCEPTION WHEN data_exception OR syntax_error THEN RETURN SQLSTATE;
END $$;

-- One row for each setting: a query, and two values under which it gives
-- different results.
CREATE TABLE cases (setting text, a text, b text, query text);
INSERT INTO cases VALUES
  ('TimeZone', 'UTC', 'Asia/Tokyo', 'SELECT (at::date = day - 2)::int FROM moments'),
  ('TimeZone', 'UTC', 'Asia/Tokyo', 'SELECT date_trunc(''day'', at) FROM moments'),
  ('TimeZone', 'UTC', 'Asia/Tokyo', 'SELECT to_char(at, ''DD HH24'') FROM moments'),
  ('timezone_abbreviations', 'Default', 'India',
   'SELECT extract(epoch FROM (day || '' 00:00 IST'')::timestamptz) FROM moments'),
  ('DateStyle', 'ISO, MDY', 'German, DMY', 'SELECT day::text FROM moments'),
  ('DateStyle', 'ISO, MDY', 'ISO, DMY', 'SELECT day - ''02/03/2026''::date FROM moments'),
  ('IntervalStyle', 'postgres', 'iso_8601', 'SELECT (at - day)::text FROM moments'),
  ('extra_float_digits', '1', '0', 'SELECT (extract(epoch FROM at) / 7)::float8::text FROM moments'),
  ('bytea_output', 'hex', 'escape', 'SELECT note::bytea::text FROM moments'),
  ('array_nulls', 'on', 'off', 'SELECT (((''{'' || ''NULL'' || ''}'')::text[])[1] IS NULL)::int FROM moments'),
  ('default_text_search_config', 'pg_catalog.simple', 'pg_catalog.english',
   'SELECT to_tsvector(note || '' stones'')::text FROM moments'),
  ('quote_all_identifiers', 'off', 'on', 'SELECT quote_ident(''a'') || note FROM moments'),
  ('standard_conforming_strings', 'on', 'off', 'SELECT length(''a\\b'') FROM moments'),
  ('backslash_quote', 'on', 'off', 'SELECT E''\''''::text FROM moments'),
  ('transform_null_equals', 'off', 'on', 'SELECT ((note = NULL) IS NULL)::int FROM moments');
CREATE FUNCTION try_cases(region text)
RETURNS TABLE (name text, differs boolean, right_value boolean) LANGUAGE plpgsql AS $$
DECLARE c cases; first text; truth text; second text;
BEGIN
  FOR c IN SELECT * FROM cases LOOP
    PERFORM set_config(c.setting, c.a, false);
    first := cached(region, c.query);
    PERFORM set_config(c.setting, c.b, false);
    truth := computed(c.query);
    BEGIN
      second := cached(region, c.query);
    EXCEPTION WHEN data_exception OR syntax_error THEN second := SQLSTATE;
    END;
    PERFORM set_config(c.setting, c.a, false);
    name := c.setting;
    differs := first IS DISTINCT FROM truth;
    right_value := second IS NOT DISTINCT FROM truth AND cached(region, c.query) IS NOT DISTINCT FROM first;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT * FROM try_cases('auto');
-- a region that only expires tells them apart if "vary" names them
SELECT DISTINCT right_value FROM try_cases('formats');
SELECT DISTINCT right_value FROM try_cases('reports') WHERE name NOT IN ('backslash_quote');

-- all of them, whether or not a query is known whose result they change
CREATE FUNCTION count_variants() RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM dogpile_entries WHERE region = 'auto' AND key = 'variants' $$;
CREATE FUNCTION try_settings() RETURNS TABLE (name text, variants bigint) LANGUAGE plpgsql AS $$
DECLARE before bigint; other text;
BEGIN
  PERFORM dogpile_get_or_create('auto', 'variants', 'SELECT count(*) FROM moments');
  before := count_variants();
  FOR name, other IN
    SELECT s.name,
           CASE WHEN vartype = 'bool' THEN CASE setting WHEN 'on' THEN 'off' ELSE 'on' END
                WHEN vartype = 'integer' THEN (setting::int + 1)::text
                WHEN vartype = 'enum' THEN (SELECT min(v) FROM unnest(enumvals) v WHERE v <> setting)
                WHEN s.name ~ '^lc_' THEN CASE setting WHEN 'POSIX' THEN 'C' ELSE 'POSIX' END
                WHEN s.name = 'DateStyle' THEN 'SQL, DMY'
                WHEN s.name = 'TimeZone' THEN 'America/New_York'
                WHEN s.name = 'timezone_abbreviations' THEN 'Australia'
                WHEN s.name = 'default_text_search_config' THEN 'pg_catalog.german'
                WHEN s.name = 'restrict_nonsystem_relation_kind' THEN 'view'
           END
      FROM pg_settings s
     WHERE s.name IN ('array_nulls', 'backslash_quote', 'bytea_output', 'DateStyle',
        'default_text_search_config', 'extra_float_digits', 'gin_fuzzy_search_limit',
        'ignore_checksum_failure', 'IntervalStyle', 'lc_messages', 'lc_monetary', 'lc_numeric',
        'lc_time', 'quote_all_identifiers', 'standard_conforming_strings',
        'TimeZone', 'timezone_abbreviations', 'transform_null_equals', 'xmlbinary', 'xmloption',
        'zero_damaged_pages')
     ORDER BY lower(s.name)
  LOOP
    BEGIN
      PERFORM set_config(name, other, false);
      PERFORM dogpile_get_or_create('auto', 'variants', 'SELECT count(*) FROM moments');
      variants := count_variants() - before;
      RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN NULL;	-- which takes the setting back
    END;
    PERFORM dogpile_get_or_create('auto', 'variants', 'SELECT count(*) FROM moments');
    before := count_variants();
    RETURN NEXT;
  END LOOP;
END $$;
SELECT * FROM try_settings();

-- whatever changes a setting, and takes the change back
SELECT cached('auto', 'SELECT at::text FROM moments');
BEGIN;
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT cached('auto', 'SELECT at::text FROM moments');
SAVEPOINT s;
SET LOCAL TimeZone = 'America/New_York';
SELECT cached('auto', 'SELECT at::text FROM moments');
ROLLBACK TO s;
SELECT cached('auto', 'SELECT at::text FROM moments');
ROLLBACK;
SELECT cached('auto', 'SELECT at::text FROM moments');
CREATE FUNCTION cached_in_tokyo(query text) RETURNS text LANGUAGE sql SET TimeZone = 'Asia/Tokyo' AS
$$ SELECT dogpile_get_or_create('auto', query, query) $$;
SELECT cached_in_tokyo('SELECT at::text FROM moments'), cached('auto', 'SELECT at::text FROM moments');
-- within the query, the function decides
CREATE FUNCTION in_tokyo() RETURNS text LANGUAGE sql STABLE SET TimeZone = 'Asia/Tokyo' AS
$$ SELECT at::text FROM moments $$;
SELECT cached('auto', 'SELECT in_tokyo() || at FROM moments');
SET TimeZone = 'America/New_York';
SELECT cached('auto', 'SELECT in_tokyo() || at FROM moments');
DISCARD ALL;
SET search_path = ambient, public;
SET client_min_messages = warning;
SET DateStyle = 'ISO, MDY';
SET TimeZone = 'UTC';
SELECT cached('auto', 'SELECT at::text FROM moments');

-- what the variant says
SET TimeZone = 'Asia/Tokyo';
SELECT cached('auto', 'SELECT at::text || note FROM moments');
SELECT substring(variant FROM 'TimeZone=[^;]*') AS variant FROM dogpile_entries
 WHERE key = 'SELECT at::text || note FROM moments';
-- asking for one of these settings is allowed
SELECT dogpile_get_or_create('auto', 'zone', 'SELECT current_setting(''timezone'') || note FROM moments');
SELECT dogpile_get_or_create('auto', 'memory', 'SELECT current_setting(''work_mem'') || note FROM moments');
-- one key, all its variants
SELECT dogpile_invalidate('auto', 'SELECT at::text FROM moments');
SELECT cached('auto', 'SELECT at::text FROM moments');
SET TimeZone = 'UTC';
SELECT dogpile_exists('auto', 'SELECT at::text FROM moments');

DROP SCHEMA ambient CASCADE;
