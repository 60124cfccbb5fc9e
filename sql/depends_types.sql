--
-- depends = 'auto': the types that a query uses, what ordering and comparing goes by, and
-- what was not found.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned

-- look() gets the result of a query from the cache, and computes it as well: the two must
-- be the same, even if it is an error.  "computed" says that the cache has run the
-- query, which it has to do only after a change of what the query uses.
CREATE FUNCTION computed(name text) RETURNS void STABLE LANGUAGE plpgsql
AS $$ BEGIN RAISE NOTICE 'computed: %', name; END $$;
CREATE FUNCTION answer(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  EXECUTE query INTO answer;
  RETURN answer;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLERRM;
END $$;
-- Nothing but the query itself, so that nothing else brings dependencies.
CREATE FUNCTION look(name text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before bigint := (SELECT creations FROM dogpile_stats WHERE region = 'auto');
  cached text := answer(format('SELECT dogpile_get_or_create(''auto'', %L, %L)', name, query));
  truth text := answer(query);
BEGIN
  IF cached IS DISTINCT FROM truth THEN
    RAISE WARNING 'WRONG: % is %, not %', name, truth, cached;
  END IF;
  IF (SELECT creations FROM dogpile_stats WHERE region = 'auto') > before OR NOT dogpile_exists('auto', name) THEN
    RETURN cached || ' (computed)';
  END IF;
  RETURN cached;
END $$;

CREATE TABLE t (v numeric);
INSERT INTO t VALUES (1.6), (2.7);

--
-- Types
--

-- Domains: dropped and created again, shadowed, renamed; their constraints and defaults.
CREATE DOMAIN num AS int;
SELECT look('domain', 'SELECT sum(v::num) FROM t'), look('none', 'SELECT sum(v) FROM t');
SELECT look('domain', 'SELECT sum(v::num) FROM t');
DROP DOMAIN num;
CREATE DOMAIN num AS numeric;
SELECT look('domain', 'SELECT sum(v::num) FROM t'), look('none', 'SELECT sum(v) FROM t');
BEGIN;
ALTER DOMAIN num RENAME TO num_old;
CREATE DOMAIN num AS numeric(3, 0);
SELECT look('domain', 'SELECT sum(v::num) FROM t');
COMMIT;
SELECT look('domain', 'SELECT sum(v::num) FROM t');
SELECT look('domain', 'SELECT sum(v::num) FROM t');
-- By others.
CREATE SCHEMA earlier;
SET search_path = earlier, public;
SELECT look('shadowed', 'SELECT sum(v::num) FROM t');
CREATE DOMAIN earlier.num AS int;
SELECT look('shadowed', 'SELECT sum(v::num) FROM t');
ALTER DOMAIN earlier.num RENAME TO number;
SELECT look('shadowed', 'SELECT sum(v::num) FROM t');
ALTER DOMAIN earlier.number RENAME TO num;
SELECT look('shadowed', 'SELECT sum(v::num) FROM t');
CREATE SCHEMA away;
ALTER DOMAIN earlier.num SET SCHEMA away;
SELECT look('shadowed', 'SELECT sum(v::num) FROM t');
DROP DOMAIN away.num;
-- ... by the row type of a table.
CREATE TABLE earlier.num (v int);
SELECT look('shadowed', 'SELECT sum(v::num) FROM t');
DROP TABLE earlier.num;
SELECT look('shadowed', 'SELECT sum(v::num) FROM t');
RESET search_path;
CREATE DOMAIN small AS int;
SELECT look('check', 'SELECT max(v)::small FROM t');
ALTER DOMAIN small ADD CONSTRAINT below CHECK (VALUE < 3);
SELECT look('check', 'SELECT max(v)::small FROM t');
ALTER DOMAIN small DROP CONSTRAINT below;
SELECT look('check', 'SELECT max(v)::small FROM t');
ALTER DOMAIN small ADD CONSTRAINT below CHECK (VALUE < 3) NOT VALID;
SELECT look('check', 'SELECT max(v)::small FROM t');
ALTER DOMAIN small DROP CONSTRAINT below;
CREATE DOMAIN smaller AS small;
SELECT look('not null', 'SELECT coalesce(NULL::small::text, ''none'') FROM t LIMIT 1'), look('array', 'SELECT ''{1,2}''::smaller[]');
ALTER DOMAIN small SET NOT NULL;
SELECT look('not null', 'SELECT coalesce(NULL::small::text, ''none'') FROM t LIMIT 1');
ALTER DOMAIN small DROP NOT NULL;
SELECT look('not null', 'SELECT coalesce(NULL::small::text, ''none'') FROM t LIMIT 1');
ALTER DOMAIN smaller ADD CONSTRAINT one CHECK (VALUE = 1);
SELECT look('array', 'SELECT ''{1,2}''::smaller[]');
ALTER DOMAIN smaller DROP CONSTRAINT one;

-- What a check reads.
CREATE TABLE limits (most int);
INSERT INTO limits VALUES (5);
CREATE FUNCTION is_within(int) RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 <= (SELECT most FROM limits); END $$;
CREATE DOMAIN limited AS int CHECK (is_within(VALUE));
SELECT look('limited', 'SELECT max(v)::limited FROM t');
UPDATE limits SET most = 2;
SELECT look('limited', 'SELECT max(v)::limited FROM t');
CREATE OR REPLACE FUNCTION is_within(int) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT true';
SELECT look('limited', 'SELECT max(v)::limited FROM t');
DROP TABLE limits;

-- Row types: of tables that the query does not read, of views, of their own.
CREATE TABLE pair (a int, b text);
CREATE VIEW pair_view AS SELECT 1 AS a, 'x'::text AS b;
CREATE TYPE pair_type AS (a int, b text);
CREATE DOMAIN pair_domain AS pair_type;
CREATE FUNCTION rows() RETURNS SETOF text LANGUAGE sql AS $$
  VALUES (look('row', 'SELECT row_to_json(row(1, ''x'')::pair)')),
         (look('row of view', 'SELECT row_to_json(row(1, ''x'')::pair_view)')),
         (look('row of type', 'SELECT row_to_json(row(1, ''x'')::pair_type)')),
         (look('row of domain', 'SELECT row_to_json(row(1, ''x'')::pair_domain)')),
         (look('rows in array', 'SELECT to_json(ARRAY[row(1, ''x'')]::pair[])')),
         (look('array', 'SELECT ''{"(1,x)"}''::pair[]')),
         (look('record', 'SELECT row_to_json(r) FROM json_populate_record(NULL::pair, ''{"a": 1, "b": "x"}'') AS r')),
         (look('recordset', 'SELECT count(r) FROM json_to_recordset(''[{"p": {"a": 1, "b": "x"}}]'') AS r(p pair)')),
         (look('field', 'SELECT (row(1, ''x'')::pair).b')),
         (look('none', 'SELECT sum(v) FROM t'))
$$;
SELECT rows();
SELECT rows();
ALTER TABLE pair RENAME COLUMN b TO c;
SELECT rows();
ALTER TABLE pair DROP COLUMN c;
ALTER TABLE pair ADD COLUMN b varchar(1);
SELECT rows();
ALTER TABLE pair ALTER COLUMN b TYPE text, ALTER COLUMN a TYPE numeric(5, 2);
SELECT rows();
ALTER TYPE pair_type RENAME ATTRIBUTE b TO c;
SELECT rows();
ALTER TYPE pair_type DROP ATTRIBUTE c, ADD ATTRIBUTE b text;
SELECT rows();
DROP VIEW pair_view;
CREATE VIEW pair_view AS SELECT 1 AS one, 'x'::text AS two;
SELECT rows();
CREATE OR REPLACE VIEW pair_view AS SELECT 1 AS one, 'x'::text AS two, 3 AS three;
SELECT look('row of view', 'SELECT row_to_json(row(1, ''x'')::pair_view)');
CREATE OR REPLACE FUNCTION rows() RETURNS SETOF text LANGUAGE sql AS $$
  VALUES (look('row', 'SELECT row_to_json(row(1, ''x'')::pair)')), (look('none', 'SELECT sum(v) FROM t'))
$$;
BEGIN;
DROP TABLE pair;
CREATE TABLE pair (d int, e text);
COMMIT;
SELECT rows();
ALTER TABLE pair RENAME TO pair_old;
SELECT rows();
CREATE TYPE pair AS (f int, g text);
SELECT rows();
DROP TYPE pair;
ALTER TABLE pair_old RENAME TO pair;
SELECT rows();
CREATE TABLE parent (d int, e text);
ALTER TABLE pair INHERIT parent;
ALTER TABLE parent RENAME COLUMN e TO h;
SELECT rows();
CREATE TABLE earlier.pair (i int, j text);
SELECT rows();
SET search_path = earlier, public;
SELECT rows();
DROP TABLE earlier.pair;
SELECT rows();
RESET search_path;

-- Enums, ranges.
CREATE TYPE mood AS ENUM ('sad', 'happy');
SELECT look('enum', 'SELECT enum_range(NULL::mood)'), look('label', 'SELECT ''happy''::mood'), look('none', 'SELECT sum(v) FROM t');
ALTER TYPE mood ADD VALUE 'glad' BEFORE 'happy';
SELECT look('enum', 'SELECT enum_range(NULL::mood)'), look('none', 'SELECT sum(v) FROM t');
ALTER TYPE mood RENAME VALUE 'happy' TO 'merry';
SELECT look('enum', 'SELECT enum_range(NULL::mood)'), look('label', 'SELECT ''happy''::mood'), look('none', 'SELECT sum(v) FROM t');
CREATE TYPE span AS RANGE (subtype = int);
SELECT look('range', 'SELECT ''[1,3)''::span'), look('multirange', 'SELECT ''{[1,3)}''::span_multirange');
DROP TYPE span;
CREATE TYPE span AS RANGE (subtype = text, collation = "C");
SELECT look('range', 'SELECT ''[1,3)''::span'), look('multirange', 'SELECT ''{[1,3)}''::span_multirange');
SELECT look('regtype name', 'SELECT ''mood''::regtype');
ALTER TYPE mood RENAME TO temper;
CREATE TYPE mood AS ENUM ('new');
SELECT look('regtype name', 'SELECT ''mood''::regtype'), look('enum', 'SELECT enum_range(NULL::mood)');

-- Within functions: variables, %TYPE, casts, what is returned; in views, defaults of arguments.
CREATE TABLE amounts (amount int);
CREATE FUNCTION by_variable() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE n num; BEGIN n := 1.6; RETURN n; END $$;
CREATE FUNCTION by_cast() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1.6::num; END $$;
CREATE FUNCTION by_sql() RETURNS text STABLE LANGUAGE sql AS $$ SELECT 1.6::num::text $$;
CREATE FUNCTION by_row() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE p pair; BEGIN p := row(1, 'x'); RETURN row_to_json(p); END $$;
CREATE FUNCTION by_rowtype() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE p pair%ROWTYPE; BEGIN SELECT 1, 'x' INTO p; RETURN row_to_json(p); END $$;
CREATE FUNCTION by_statement() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT row_to_json(row(1, 'x')::pair)); END $$;
CREATE FUNCTION by_inlined() RETURNS json STABLE LANGUAGE sql AS $$ SELECT row_to_json(row(1, 'x')::pair) $$;
CREATE FUNCTION by_field() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE p pair; BEGIN SELECT 1, 'x' INTO p; RETURN p.d; END $$;
CREATE FUNCTION by_type() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE a amounts.amount%TYPE; BEGIN a := 1.6; RETURN a; END $$;
CREATE FUNCTION by_dynamic() RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE a text; BEGIN EXECUTE 'SELECT 1.6::num' INTO a; RETURN a; END $$;
CREATE FUNCTION inside() RETURNS SETOF text LANGUAGE sql AS $$
  VALUES (look('by cast', 'SELECT by_cast()')), (look('by sql', 'SELECT by_sql()')),
         (look('by row', 'SELECT by_row()')), (look('by rowtype', 'SELECT by_rowtype()')),
         (look('by dynamic', 'SELECT by_dynamic()')), (look('by field', 'SELECT by_field()')),
         (look('by statement', 'SELECT by_statement()')), (look('by inlined', 'SELECT by_inlined()'))
$$;
SELECT inside();
SELECT inside();
BEGIN;
DROP DOMAIN num;
CREATE DOMAIN num AS int;
COMMIT;
SELECT inside();
ALTER TABLE pair NO INHERIT parent;
ALTER TABLE pair RENAME COLUMN d TO k;
SELECT inside();
-- What PL/pgSQL has compiled stays so within a session, so these are asked in others.
\c -
\pset tuples_only on
\pset format unaligned
\set SHOW_CONTEXT never
SELECT look('by variable', 'SELECT by_variable()'), look('by type', 'SELECT by_type()');
ALTER TABLE amounts ALTER amount TYPE numeric;
\c -
\pset tuples_only on
\pset format unaligned
\set SHOW_CONTEXT never
SELECT look('by variable', 'SELECT by_variable()'), look('by type', 'SELECT by_type()');
DROP DOMAIN num;
CREATE DOMAIN num AS numeric;
\c -
\pset tuples_only on
\pset format unaligned
\set SHOW_CONTEXT never
SELECT look('by variable', 'SELECT by_variable()'), look('by type', 'SELECT by_type()');
CREATE VIEW by_view AS SELECT 1.6::num AS n;
SELECT look('by view', 'SELECT n FROM by_view');
ALTER DOMAIN num ADD CONSTRAINT below CHECK (VALUE < 1);
SELECT look('by view', 'SELECT n FROM by_view');
ALTER DOMAIN num DROP CONSTRAINT below;

--
-- What ordering and comparing goes by
--

CREATE FUNCTION reverse_cmp(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN $1 > $2 THEN -1 WHEN $1 < $2 THEN 1 ELSE 0 END';
CREATE TYPE backward AS (i int);
CREATE FUNCTION b_lt(backward, backward) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1.i > $2.i';
CREATE FUNCTION b_le(backward, backward) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1.i >= $2.i';
CREATE FUNCTION b_eq(backward, backward) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1.i = $2.i';
CREATE FUNCTION b_ge(backward, backward) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1.i <= $2.i';
CREATE FUNCTION b_gt(backward, backward) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1.i < $2.i';
CREATE FUNCTION b_cmp(backward, backward) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT reverse_cmp($1.i, $2.i)';
CREATE OPERATOR <| (LEFTARG = backward, RIGHTARG = backward, FUNCTION = b_lt);
CREATE OPERATOR <=| (LEFTARG = backward, RIGHTARG = backward, FUNCTION = b_le);
CREATE OPERATOR =| (LEFTARG = backward, RIGHTARG = backward, FUNCTION = b_eq);
CREATE OPERATOR >=| (LEFTARG = backward, RIGHTARG = backward, FUNCTION = b_ge);
CREATE OPERATOR >| (LEFTARG = backward, RIGHTARG = backward, FUNCTION = b_gt);
SELECT look('order', 'SELECT array_agg(b ORDER BY b) FROM (VALUES (row(1)::backward), (row(2)::backward)) AS v(b)'), look('none', 'SELECT sum(v) FROM t');
CREATE OPERATOR CLASS backward_ops DEFAULT FOR TYPE backward USING btree AS
  OPERATOR 1 <| , OPERATOR 2 <=| , OPERATOR 3 =| , OPERATOR 4 >=| , OPERATOR 5 >| , FUNCTION 1 b_cmp(backward, backward);
SELECT look('order', 'SELECT array_agg(b ORDER BY b) FROM (VALUES (row(1)::backward), (row(2)::backward)) AS v(b)');
DROP OPERATOR CLASS backward_ops USING btree;
SELECT look('order', 'SELECT array_agg(b ORDER BY b) FROM (VALUES (row(1)::backward), (row(2)::backward)) AS v(b)');
-- The function that it compares with, which no plan names.
CREATE OPERATOR CLASS backward_ops DEFAULT FOR TYPE backward USING btree FAMILY backward_ops AS
  OPERATOR 1 <| , OPERATOR 2 <=| , OPERATOR 3 =| , OPERATOR 4 >=| , OPERATOR 5 >| , FUNCTION 1 b_cmp(backward, backward);
SELECT look('order', 'SELECT array_agg(b ORDER BY b) FROM (VALUES (row(1)::backward), (row(2)::backward)) AS v(b)');
CREATE OR REPLACE FUNCTION b_cmp(backward, backward) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT -reverse_cmp($1.i, $2.i)';
SELECT look('order', 'SELECT array_agg(b ORDER BY b) FROM (VALUES (row(1)::backward), (row(2)::backward)) AS v(b)');
DROP OPERATOR CLASS backward_ops USING btree;
SELECT look('order', 'SELECT array_agg(b ORDER BY b) FROM (VALUES (row(1)::backward), (row(2)::backward)) AS v(b)');
-- Within the transaction that changes it, too.
BEGIN;
CREATE OPERATOR CLASS backward_ops DEFAULT FOR TYPE backward USING btree FAMILY backward_ops AS
  OPERATOR 1 <| , OPERATOR 2 <=| , OPERATOR 3 =| , OPERATOR 4 >=| , OPERATOR 5 >| , FUNCTION 1 b_cmp(backward, backward);
SELECT look('order', 'SELECT array_agg(b ORDER BY b) FROM (VALUES (row(1)::backward), (row(2)::backward)) AS v(b)');
ROLLBACK;
SELECT look('order', 'SELECT array_agg(b ORDER BY b) FROM (VALUES (row(1)::backward), (row(2)::backward)) AS v(b)');
-- Collations.
CREATE COLLATION order_c (provider = libc, locale = 'C');
SELECT look('collation', 'SELECT string_agg(x, '''' ORDER BY x COLLATE order_c) FROM (VALUES (''a''), (''B'')) AS v(x)');
ALTER COLLATION order_c RENAME TO order_u;
SELECT look('collation', 'SELECT string_agg(x, '''' ORDER BY x COLLATE order_c) FROM (VALUES (''a''), (''B'')) AS v(x)');
ALTER COLLATION order_u RENAME TO order_c;
SELECT look('collation', 'SELECT string_agg(x, '''' ORDER BY x COLLATE order_c) FROM (VALUES (''a''), (''B'')) AS v(x)');
ALTER COLLATION order_c REFRESH VERSION;
SELECT look('collation', 'SELECT string_agg(x, '''' ORDER BY x COLLATE order_c) FROM (VALUES (''a''), (''B'')) AS v(x)');
DROP COLLATION order_c;
SELECT look('collation', 'SELECT string_agg(x, '''' ORDER BY x COLLATE order_c) FROM (VALUES (''a''), (''B'')) AS v(x)');
-- Casts, also between built-in types.
SELECT look('cast', 'SELECT true::numeric');
CREATE FUNCTION to_numeric(boolean) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN $1 THEN 1.5 ELSE 0 END';
CREATE CAST (boolean AS numeric) WITH FUNCTION to_numeric(boolean);
SELECT look('cast', 'SELECT true::numeric');
DROP CAST (boolean AS numeric);
SELECT look('cast', 'SELECT true::numeric');
DROP FUNCTION to_numeric;
-- Text search.
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION words (COPY = english);
SELECT look('search', 'SELECT to_tsvector(''words'', ''the dogs'')');
ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR asciiword WITH plain;
SELECT look('search', 'SELECT to_tsvector(''words'', ''the dogs'')');
ALTER TEXT SEARCH DICTIONARY plain (stopwords = english);
SELECT look('search', 'SELECT to_tsvector(''words'', ''the dogs'')');
DROP TEXT SEARCH CONFIGURATION words;
SELECT look('search', 'SELECT to_tsvector(''words'', ''the dogs'')');
-- Conversions between encodings.
SELECT look('conversion', 'SELECT convert_to(''x'', ''LATIN1'')');
CREATE DEFAULT CONVERSION public.to_latin1 FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
SELECT look('conversion', 'SELECT convert_to(''x'', ''LATIN1'')');
DROP CONVERSION public.to_latin1;
-- Operators and aggregates.
CREATE OPERATOR ## (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = numeric_add);
SELECT look('operator', 'SELECT 1.5 ## 2');
CREATE FUNCTION minus(numeric, int) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT $1 - $2';
CREATE OPERATOR ## (LEFTARG = numeric, RIGHTARG = int, FUNCTION = minus);
SELECT look('operator', 'SELECT 1.5 ## 2');
CREATE AGGREGATE total (numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = 0);
SELECT look('aggregate', 'SELECT total(v) FROM t');
CREATE OR REPLACE AGGREGATE total (numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = 10);
SELECT look('aggregate', 'SELECT total(v) FROM t');
DROP OPERATOR ## (numeric, int);
DROP FUNCTION minus;

--
-- Built-in functions
--

-- A new one that fits better.
CREATE FUNCTION plain_abs(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0';
SELECT look('built in', 'SELECT factorial(3::smallint)'), look('none', 'SELECT sum(v) FROM t');
CREATE FUNCTION factorial(smallint) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT -1::numeric';
SELECT look('built in', 'SELECT factorial(3::smallint)');
ALTER FUNCTION factorial(smallint) RENAME TO factor;
SELECT look('built in', 'SELECT factorial(3::smallint)');
ALTER FUNCTION factor(smallint) RENAME TO factorial;
SELECT look('built in', 'SELECT factorial(3::smallint)');
DROP FUNCTION factorial(smallint);
SELECT look('built in', 'SELECT factorial(3::smallint)');
-- One of another name changes nothing for entries that call only built-in ones.
SELECT look('none', 'SELECT sum(v) FROM t');
CREATE FUNCTION of_another_name(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0';
DROP FUNCTION of_another_name, plain_abs;
SELECT look('none', 'SELECT sum(v) FROM t');
-- One of the same name in an earlier schema.
SET search_path = public, pg_catalog;
SELECT look('hidden', 'SELECT abs(-1)');
CREATE FUNCTION abs(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 42';
SELECT look('hidden', 'SELECT abs(-1)');
DROP FUNCTION abs(int);
SELECT look('hidden', 'SELECT abs(-1)'), look('hidden type', 'SELECT 1.6::int8');
CREATE DOMAIN public.int8 AS numeric;
SELECT look('hidden type', 'SELECT 1.6::int8');
DROP DOMAIN public.int8;
RESET search_path;
-- One that may not be called any more.
CREATE ROLE regress_dogpile_types;
GRANT SELECT ON t TO regress_dogpile_types;
GRANT EXECUTE ON FUNCTION look TO regress_dogpile_types;
SET ROLE regress_dogpile_types;
SELECT look('rights', 'SELECT sign(sum(v)) FROM t');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION pg_catalog.sign(numeric) FROM PUBLIC;
SET ROLE regress_dogpile_types;
SELECT look('rights', 'SELECT sign(sum(v)) FROM t');
RESET ROLE;
GRANT EXECUTE ON FUNCTION pg_catalog.sign(numeric) TO PUBLIC;
SET ROLE regress_dogpile_types;
SELECT look('rights', 'SELECT sign(sum(v)) FROM t');
RESET ROLE;
DROP OWNED BY regress_dogpile_types;
DROP ROLE regress_dogpile_types;

--
-- What was not found
--

CREATE FUNCTION missing(query text) RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE
  r text;
BEGIN
  EXECUTE query INTO r;
  RETURN r;
EXCEPTION WHEN undefined_table OR undefined_column OR undefined_function OR undefined_object
            OR invalid_schema_name OR insufficient_privilege OR ambiguous_function THEN
  RETURN SQLSTATE;
END $$;
CREATE FUNCTION n() RETURNS bigint STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT count(*) FROM later);
EXCEPTION WHEN undefined_table THEN
  RETURN -1;
END $$;
CREATE FUNCTION lookups() RETURNS SETOF text LANGUAGE sql AS $$
  VALUES (look('table', 'SELECT n()')),
         (look('column', 'SELECT missing(''SELECT sum(w) FROM t'')')),
         (look('function', 'SELECT missing(''SELECT sum(later(v)) FROM t'')')),
         (look('type', 'SELECT missing(''SELECT sum(v::later_type) FROM t'')')),
         (look('schema', 'SELECT missing(''SELECT sum(v) FROM later_schema.t'')')),
         (look('operator', 'SELECT missing(''SELECT sum(v !## v) FROM t'')')),
         (look('collation', 'SELECT missing(''SELECT max(v::text COLLATE later_collation) FROM t'')')),
         (look('none', 'SELECT sum(v) FROM t'))
$$;
SELECT lookups();
SELECT lookups();
CREATE TABLE later AS SELECT generate_series(1, 5);
SELECT lookups();
INSERT INTO later VALUES (6);
SELECT lookups();
ALTER TABLE t ADD COLUMN w int DEFAULT 1;
SELECT lookups();
CREATE FUNCTION later(numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT 7.0';
SELECT lookups();
CREATE DOMAIN later_type AS int;
SELECT lookups();
CREATE SCHEMA later_schema;
SELECT lookups();
CREATE VIEW later_schema.t AS SELECT 8 AS v;
SELECT lookups();
CREATE OPERATOR !## (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = numeric_sub);
SELECT lookups();
CREATE COLLATION later_collation (provider = libc, locale = 'C');
SELECT lookups();
DROP TABLE later;
SELECT lookups();
-- In the transaction that makes it.
BEGIN;
CREATE TABLE later AS SELECT 1;
SELECT look('table', 'SELECT n()');
ROLLBACK;
SELECT look('table', 'SELECT n()');
-- By a query within one that is cached itself.
CREATE FUNCTION outer_one() RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN dogpile_get_or_create('auto', 'inner missing', 'SELECT count(*) FROM later');
EXCEPTION WHEN undefined_table THEN
  RETURN 'none';
END $$;
SELECT dogpile_get_or_create('auto', 'outer missing', 'SELECT outer_one()');
CREATE TABLE later AS SELECT 1;
SELECT dogpile_get_or_create('auto', 'outer missing', 'SELECT outer_one()');
DROP TABLE later;
-- What was not allowed.
CREATE ROLE regress_dogpile_types;
GRANT EXECUTE ON FUNCTION look, missing TO regress_dogpile_types;
SET ROLE regress_dogpile_types;
SELECT look('right', 'SELECT missing(''SELECT sum(v) FROM t'')');
RESET ROLE;
GRANT SELECT ON t TO regress_dogpile_types;
SET ROLE regress_dogpile_types;
SELECT look('right', 'SELECT missing(''SELECT sum(v) FROM t'')');
RESET ROLE;
DROP OWNED BY regress_dogpile_types;
DROP ROLE regress_dogpile_types;

--
-- What goes on all the time, and changes nothing
--

CREATE TABLE busy (id int PRIMARY KEY, m mood);
INSERT INTO busy VALUES (1, 'new');
CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM busy;
CREATE FUNCTION steady() RETURNS SETOF text LANGUAGE sql AS $$
  VALUES (look('steady', 'SELECT count(m) FROM (VALUES (''new''::mood)) AS v(m)')), (look('steady row', 'SELECT row_to_json(row(1, ''x'')::pair)')),
         (look('steady function', 'SELECT by_cast()')), (look('none', 'SELECT sum(v) FROM t'))
$$;
SELECT steady();
CREATE TEMP TABLE scratch (a int PRIMARY KEY, b text);
SELECT steady();
ALTER TABLE scratch ADD COLUMN c int;
ALTER TABLE scratch RENAME COLUMN b TO d;
SELECT steady();
BEGIN;
CREATE TEMP TABLE scratch_2 ON COMMIT DROP AS SELECT 1 AS a;
COMMIT;
CREATE TEMP VIEW scratch_view AS SELECT 1 AS a;
DROP TABLE scratch;
DROP VIEW scratch_view;
SELECT steady();
CREATE TEMP TABLE scratch (a int);
DISCARD TEMP;
SELECT steady();
CREATE INDEX ON busy (m);
REINDEX TABLE busy;
ANALYZE busy;
VACUUM busy;
VACUUM FULL busy;
TRUNCATE busy;
REFRESH MATERIALIZED VIEW summary;
CLUSTER busy USING busy_pkey;
CREATE SEQUENCE numbers;
DROP SEQUENCE numbers;
SELECT steady();
-- A table that is made, or made and dropped in one transaction.
CREATE TABLE made (id int);
SELECT steady();
BEGIN;
CREATE TABLE made_2 (id int);
DROP TABLE made_2;
COMMIT;
SELECT steady();
BEGIN;
SAVEPOINT a;
CREATE DOMAIN undone AS int;
DROP TABLE made;
ROLLBACK TO a;
COMMIT;
SELECT steady();
-- Dropping one concerns entries that use row types.
DROP TABLE made;
SELECT steady();

DROP SCHEMA earlier, away, later_schema CASCADE;
DROP TABLE t, pair, parent, amounts, busy CASCADE;
DROP VIEW pair_view, by_view;
DROP OPERATOR FAMILY backward_ops USING btree CASCADE;
DROP TYPE pair_type, mood, temper, span, backward CASCADE;
DROP DOMAIN num, num_old, small, smaller, limited, later_type CASCADE;
DROP FUNCTION computed, answer, look, rows, inside, by_variable, by_cast, by_sql, by_row, by_rowtype, by_field, by_statement, by_inlined, by_type, by_dynamic,
  reverse_cmp, is_within, missing, n, lookups, outer_one, steady, later;
DROP AGGREGATE total(numeric);
DROP OPERATOR ## (numeric, numeric);
DROP OPERATOR !## (numeric, numeric);
DROP COLLATION later_collation;
DROP TEXT SEARCH DICTIONARY plain;
