--
-- dogpile_set() and dogpile_add() keep the type of their argument, and report values that
-- cannot be stored outside this server.
--
SET client_min_messages = warning;
-- A type like citext.
CREATE TYPE kept_ci;
CREATE FUNCTION kept_ci_in(cstring) RETURNS kept_ci LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION kept_ci_out(kept_ci) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION kept_ci_recv(internal) RETURNS kept_ci LANGUAGE internal STABLE STRICT AS 'textrecv';
CREATE FUNCTION kept_ci_send(kept_ci) RETURNS bytea LANGUAGE internal STABLE STRICT AS 'textsend';
CREATE TYPE kept_ci (INPUT = kept_ci_in, OUTPUT = kept_ci_out, RECEIVE = kept_ci_recv, SEND = kept_ci_send,
                     LIKE = text, CATEGORY = 'S');
CREATE CAST (kept_ci AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (kept_ci AS varchar) WITHOUT FUNCTION AS ASSIGNMENT;
RESET client_min_messages;
CREATE DOMAIN kept_mail AS text CHECK (VALUE ~ '@');
CREATE DOMAIN kept_short AS varchar(5);
CREATE TABLE kept_table (id int, b varchar(3), c numeric(5, 1));
INSERT INTO kept_table VALUES (1, 'abc', 1.5);

-- Each value, by its key: set in one transaction, looked at in the next.
CREATE TABLE kept_literals (n serial, literal text);
INSERT INTO kept_literals (literal) VALUES
  ($$'x'$$), ('NULL'), ($$'x'::text$$), ($$'x'::name$$), ($$'x'::"char"$$), ($$'abcde'::varchar(7)$$), ($$'ab'::char(3)$$),
  ($$'Ab'::kept_ci$$), ($$'a@b'::kept_mail$$), ($$'abc'::kept_short$$), ('1.50::numeric(5, 2)'), ($$B'101'::bit(3)$$),
  ($$'2020-01-01 01:02:03.456'::timestamp(2)$$), ($$interval '1 day 2 hours' day to hour$$), ('ARRAY[1.5, 2]::numeric(4, 1)[]'),
  ($$'{"a": 1}'::json$$), ('(SELECT c FROM kept_table)'), ('(SELECT b FROM kept_table)'), ($$'{}'::text[]$$), ($$ARRAY['n']::name[]$$),
  ($$'pg_class'::regclass$$), ($$'kept_table'::regclass$$), ($$'lower(text)'::regprocedure$$), ($$'now'::regproc$$), ($$'+(int,int)'::regoperator$$),
  ($$'||/'::regoper$$), ($$'kept_mail'::regtype$$), ($$'int[]'::regtype$$), ($$'pg_read_all_stats'::regrole$$), ($$'public'::regnamespace$$), ($$'simple'::regconfig$$),
  ($$'simple'::regdictionary$$), ($$'"C"'::regcollation$$), ($$0::regclass$$), ($$ARRAY['pg_type', 'pg_proc']::regclass[]$$);
CREATE FUNCTION kept_store(region text, keep text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  l record;
BEGIN
  FOR l IN SELECT * FROM kept_literals ORDER BY n LOOP
    EXECUTE format('SELECT %s($1, $2, %s)', keep, l.literal) USING region, keep || ' ' || l.n;
  END LOOP;
END $$;
SET timezone = 'UTC';
SELECT kept_store('reports', 'dogpile_set'), kept_store('reports', 'dogpile_add');
SELECT kept_store('outside', 'dogpile_set'), kept_store('outside', 'dogpile_add');
SELECT literal, m.type, dogpile_get('reports', 'dogpile_set ' || n)
  FROM kept_literals, dogpile_metadata('reports', 'dogpile_set ' || n) AS m ORDER BY n;
-- The same by dogpile_add(), and outside.
SELECT literal, region, added, m.type, dogpile_get(region, key)
  FROM kept_literals, unnest('{reports,outside}'::text[]) AS region, unnest('{dogpile_set,dogpile_add}'::text[]) AS added,
       LATERAL (SELECT added || ' ' || n AS key) AS k, dogpile_metadata(region, key) AS m,
       dogpile_metadata('reports', 'dogpile_set ' || n) AS expected
 WHERE (m.type, dogpile_get(region, key)) IS DISTINCT FROM (expected.type, dogpile_get('reports', 'dogpile_set ' || n));
-- As what they are.
SELECT dogpile_get(region, 'dogpile_set 4', NULL::name) AS name, dogpile_get(region, 'dogpile_set 5', NULL::"char") AS char,
       dogpile_get(region, 'dogpile_set 8', NULL::kept_ci) AS ci, dogpile_get(region, 'dogpile_set 9', NULL::kept_mail) AS mail,
       dogpile_get(region, 'dogpile_set 11', NULL::numeric(5, 2)) AS n, dogpile_get(region, 'dogpile_set 17', NULL::numeric(5, 1)) AS c,
       dogpile_get(region, 'dogpile_set 21', NULL::regclass)::oid = 'pg_class'::regclass AS reg
  FROM unnest('{reports,outside}'::text[]) AS region;
-- Parameters of unknown type, NULL, and named arguments.
PREPARE kept_set AS SELECT dogpile_set('reports', 'kept param', $1), dogpile_add('reports', 'kept param 2', $2);
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'kept_set';
EXECUTE kept_set('a', NULL);
SELECT key, dogpile_exists('reports', key), type, dogpile_get('reports', key, NULL::text)
  FROM unnest('{kept param,kept param 2}'::text[]) AS key, dogpile_metadata('reports', key);
SELECT dogpile_set(region => 'reports', key => 'kept named', value => 'x', expiration_time => '1h', tags => '{t}'),
       dogpile_set('reports', 'kept node', (SELECT conbin FROM pg_constraint WHERE conname = 'kept_mail_check'));
SELECT dogpile_get('reports', 'kept named'), dogpile_get('reports', 'kept node') <> '' AS node, type
  FROM dogpile_metadata('reports', 'kept node');

-- Rows with NULLs, literals and anything else in them.
SELECT * FROM dogpile_query('outside', 'kept u', 'SELECT ROW(1, ROW(2, NULL)) AS r') AS t(r record);
SELECT dogpile_exists('outside', 'kept u'), dogpile_get('outside', 'kept u');
SELECT dogpile_set('outside', 'kept row', ROW('x', NULL, 'y'::name, 'pg_class'::regclass)), dogpile_set('outside', 'kept cstring', 'x y'::cstring);
SELECT dogpile_get('outside', 'kept row'), dogpile_get('outside', 'kept row', NULL::record), dogpile_get('outside', 'kept cstring');
SELECT dogpile_get_or_create('outside', 'kept void', 'SELECT pg_sleep(0)') = '' AS empty, dogpile_exists('outside', 'kept void');

-- Values that can never be stored outside are counted, and a set says why.
SELECT unstorable AS before FROM dogpile_stats WHERE region = 'outside' \gset
SELECT dogpile_set('outside', 'kept no', (SELECT conbin FROM pg_constraint WHERE conname = 'kept_mail_check'));
CREATE TEMP TABLE kept_temp (a int);
SELECT dogpile_set('outside', 'kept no', 'kept_temp'::regclass), dogpile_set('outside', 'kept no 2', ROW(1)::kept_temp);
SELECT dogpile_set('outside', 'kept no', ROW(1, 999999999::regtype));
SELECT dogpile_get_or_create('outside', 'kept no', 'SELECT conbin FROM pg_constraint WHERE conname = ''kept_mail_check''') <> '' AS given;
SELECT dogpile_get_or_create('outside', 'kept no', 'SELECT count(*) FROM kept_temp');
SELECT dogpile_exists('outside', 'kept no'), dogpile_exists('outside', 'kept no 2');
SELECT unstorable - :before AS unstorable FROM dogpile_stats WHERE region = 'outside';

SELECT name, setting, unit, max_val FROM pg_settings WHERE name = 'dogpile_outside.max_value_size';

SET client_min_messages = warning;
DROP FUNCTION kept_store;
DROP TABLE kept_table, kept_literals;
DROP TYPE kept_ci CASCADE;
DROP DOMAIN kept_mail, kept_short;
