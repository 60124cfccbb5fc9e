--
-- depends = 'auto': what built-in functions read by themselves.  Each of them that is
-- not volatile is checked, so that none is forgotten, also in later versions.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned

-- A call of each, with arguments that are null, which is never made.
CREATE TYPE builtin_mood AS ENUM ('sad');
CREATE VIEW calls AS
  SELECT p.oid::regprocedure::text AS signature, p.proname::text AS name, p.provolatile = 's' AS stable,
         format('SELECT count(*) FROM (SELECT %s%I(%s)%s FROM (SELECT %s OFFSET 0) AS args WHERE false) AS call',
                CASE WHEN p.proname ~ '^(current|session|system)_' THEN 'pg_catalog.' END, p.proname,
                coalesce((SELECT string_agg(format('a%s', n), ', ' ORDER BY n)
                            FROM generate_series(1, p.pronargs) AS n), ''),
                CASE WHEN p.prokind = 'w' THEN ' OVER ()' END,
                coalesce((SELECT string_agg(format('NULL::%s AS a%s',
                                   CASE t.typname
                                     WHEN 'any' THEN 'int' WHEN 'anyelement' THEN 'int' WHEN 'anynonarray' THEN 'int'
                                     WHEN 'anycompatible' THEN 'int' WHEN 'anycompatiblenonarray' THEN 'int'
                                     WHEN 'anyarray' THEN 'int[]' WHEN 'anycompatiblearray' THEN 'int[]'
                                     WHEN 'anyenum' THEN 'builtin_mood' WHEN 'anyrange' THEN 'int4range'
                                     WHEN 'anycompatiblerange' THEN 'int4range'
                                     WHEN 'anymultirange' THEN 'int4multirange'
                                     WHEN 'anycompatiblemultirange' THEN 'int4multirange'
                                     ELSE format_type(t.oid, NULL)
                                   END, a.n), ', ' ORDER BY a.n)
                            FROM unnest(p.proargtypes) WITH ORDINALITY AS a(typ, n) JOIN pg_type AS t ON t.oid = a.typ), '1')) AS query
    FROM pg_proc AS p
    WHERE p.oid < 16384 AND p.pronamespace = 'pg_catalog'::regnamespace AND p.provolatile <> 'v'
      AND p.prokind IN ('f', 'a', 'w')
      AND NOT EXISTS (SELECT FROM unnest(p.proargtypes || p.prorettype) AS a(typ)
                        WHERE a.typ IN ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype,
                                        'event_trigger'::regtype, 'language_handler'::regtype));
CREATE TABLE verdicts (name text, stable boolean, refused text, signature text);
DO $$
DECLARE
  c record;
  why text;
BEGIN
  FOR c IN SELECT * FROM calls LOOP
    why := NULL;
    BEGIN
      PERFORM dogpile_get_or_create('auto', 'builtin ' || c.signature, c.query);
    EXCEPTION
      WHEN feature_not_supported THEN
        GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
        why := replace(why, c.name || '()', '%()');
        IF why LIKE 'Function % is volatile.' THEN
          why := 'Volatile.';
        END IF;
      WHEN wrong_object_type OR undefined_function THEN
        CONTINUE;               -- VARIADIC, or WITHIN GROUP
    END;
    INSERT INTO verdicts VALUES (c.name, c.stable, why, c.signature);
  END LOOP;
END $$;
SELECT count(*) > 2000, count(DISTINCT name) FILTER (WHERE refused IS NOT NULL) > 150 FROM verdicts;

-- No function is refused in one of its forms and not in another one, but for ...
SELECT signature, refused FROM verdicts
  WHERE name IN (SELECT name FROM verdicts GROUP BY name HAVING count(DISTINCT coalesce(refused, '')) > 1)
    AND signature !~ '^timezone\([^,]*\)$'     -- from 17 on
  ORDER BY signature COLLATE "C";

-- Those that are refused in PostgreSQL 15, by reason.  What later versions add to a
-- family is refused, too.
-- One function has become two in 18.
UPDATE verdicts SET name = 'pg_timezone_abbrevs' WHERE name ~ '^pg_timezone_abbrevs_(zone|abbrevs)$';
SELECT refused, string_agg(DISTINCT name, ' ' ORDER BY name) FROM verdicts
  WHERE refused IS NOT NULL AND name !~ '^(has_.*_privilege|pg_stat_get_.*|pg_get_.*|pg_.*_is_visible|to_reg.*)$'
    AND name NOT IN ('system_user', 'pg_basetype', 'pg_input_is_valid', 'pg_input_error_info', 'pg_numa_available', 'pg_split_walfile_name')
  GROUP BY refused ORDER BY refused COLLATE "C";
SELECT name, refused FROM verdicts
  WHERE name ~ '^(has_.*_privilege|pg_stat_get_.*|pg_get_.*|pg_.*_is_visible|to_reg.*)$' AND refused IS NULL
     OR name IN ('system_user', 'pg_basetype', 'pg_input_is_valid', 'pg_input_error_info', 'pg_numa_available', 'pg_split_walfile_name') AND refused IS NULL;

-- Those that are only STABLE and are not refused: by settings, which values are told
-- apart by, or by what entries depend on.
SELECT DISTINCT name FROM verdicts
  WHERE stable AND refused IS NULL
    -- formats, time zones, encodings
    AND name !~ '^(array_to_string|convert.*|date.*|extract|generate_series|in_range|interval_.*|length|make_timestamptz|to_char|to_date|to_number|to_timestamp)$'
    AND name !~ '^(time|timestamp|timestamptz|timetz)(_(lt|le|eq|gt|ge|ne|cmp)_(date|timestamp|timestamptz)|_(pl|mi)_interval)?$'
    AND name !~ '^(money|numeric|overlaps|quote_literal|quote_nullable|textanycat|anytextcat|concat.*|format)$'
    AND name !~ '^(json|jsonb|array_to_json|row_to_json|to_json|to_jsonb|xml)(_.*)?$'
    -- text search, enums, binary forms
    AND name !~ '^(.*to_tsquery|.*to_tsvector|ts_.*|get_current_ts_config|enum_.*|.*_?send)$'
    -- what "vary" names, what is the same while an entry lives, what reads only its arguments
    AND name NOT IN ('current_schema', 'current_schemas', 'current_user', 'getpgusername',
                     'current_database', 'getdatabaseencoding', 'version',
                     'aclexplode', 'fmgr_c_validator', 'fmgr_internal_validator', 'fmgr_sql_validator',
                     'pg_char_to_encoding', 'pg_encoding_to_char', 'pg_collation_for', 'pg_column_compression',
                     'pg_column_size', 'pg_column_toast_chunk_id', 'pg_mcv_list_items', 'pg_options_to_table',
                     'pg_typeof')
    -- AT LOCAL, since 17, but for timetz
    AND name <> 'timezone'
  ORDER BY name;
-- AT LOCAL, since 17: what time it is somewhere else depends on the date.
SELECT count(*) > 0, count(*) FILTER (WHERE refused IS NULL) FROM verdicts
  WHERE stable AND signature ~ '^timezone\(.*time with time zone\)$' AND signature !~ 'timestamp';
-- Conversions of names and numbers of catalogs.
CREATE TABLE builtin_t (o oid, c regclass, t text, a regclass[], acl aclitem);
CREATE TABLE conversions (query text);
INSERT INTO conversions VALUES
  ('SELECT c::text FROM builtin_t'), ('SELECT o::regclass::text FROM builtin_t'), ('SELECT t::regclass IS NULL FROM builtin_t'),
  ('SELECT tableoid::regclass::text FROM builtin_t'), ('SELECT a::text FROM builtin_t'), ('SELECT a::text[] IS NULL FROM builtin_t'),
  ('SELECT acl::text FROM builtin_t'), ('SELECT t::aclitem IS NULL FROM builtin_t'), ('SELECT c || t FROM builtin_t'),
  ('SELECT concat(c, 1) FROM builtin_t'), ('SELECT to_json(c) FROM builtin_t'), ('SELECT json_agg(c) FROM builtin_t'),
  ('SELECT array_to_string(a, t) FROM builtin_t'), ('SELECT string_agg(c::text, t) FROM builtin_t'),
  ('SELECT pg_typeof(t)::text FROM builtin_t'), ('SELECT t::regtype IS NULL FROM builtin_t'), ('SELECT t::regproc IS NULL FROM builtin_t'),
  ('SELECT t::regprocedure IS NULL FROM builtin_t'), ('SELECT t::regrole IS NULL FROM builtin_t'),
  ('SELECT o::regrole::text FROM builtin_t'), ('SELECT o::regnamespace::text FROM builtin_t'),
  ('SELECT t::regoper IS NULL FROM builtin_t'), ('SELECT o::regoperator::text FROM builtin_t'), ('SELECT o::regcollation::text FROM builtin_t');
DO $$
DECLARE
  c record;
  why text;
BEGIN
  FOR c IN SELECT * FROM conversions LOOP
    BEGIN
      PERFORM dogpile_get_or_create('auto', 'conversion', c.query);
      RAISE NOTICE '%: accepted', c.query;
    EXCEPTION WHEN feature_not_supported THEN
      GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
      RAISE NOTICE '%: %', c.query, why;
    END;
  END LOOP;
END $$;
-- What is a number still gets its name when it is shown.
INSERT INTO builtin_t VALUES ('builtin_t'::regclass, 'builtin_t');
SELECT dogpile_get_or_create('auto', 'number', 'SELECT c FROM builtin_t'),
       dogpile_get_or_create('auto', 'typeof', 'SELECT pg_typeof(m) FROM (VALUES (NULL::builtin_mood)) AS v(m)');
ALTER TABLE builtin_t RENAME TO builtin_u;
ALTER TYPE builtin_mood RENAME TO builtin_temper;
SELECT dogpile_get('auto', 'number'), dogpile_get_or_create('auto', 'number', 'SELECT c FROM builtin_u'),
       dogpile_get_or_create('auto', 'typeof', 'SELECT pg_typeof(m) FROM (VALUES (NULL::builtin_temper)) AS v(m)');
ALTER TABLE builtin_u RENAME TO builtin_t;

-- Within functions, and by "bypass" and "ignore".
CREATE FUNCTION may_read() RETURNS boolean STABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN has_table_privilege('builtin_t', 'SELECT'); END $$;
CREATE FUNCTION finds() RETURNS boolean STABLE LANGUAGE sql AS $$ SELECT to_regclass('builtin_none') IS NOT NULL $$;
\set VERBOSITY default
SELECT dogpile_get_or_create('auto', 'inside', 'SELECT may_read()');
SELECT dogpile_get_or_create('auto', 'inside', 'SELECT finds()');
SELECT dogpile_get_or_create('auto_bypass', 'inside', 'SELECT finds()'), dogpile_exists('auto_bypass', 'inside');
SELECT dogpile_get_or_create('auto_ignore', 'inside', 'SELECT finds()'), dogpile_exists('auto_ignore', 'inside');

DROP TABLE verdicts, conversions, builtin_t;
DROP VIEW calls;
DROP FUNCTION may_read, finds;
DROP TYPE builtin_temper;
