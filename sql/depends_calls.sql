--
-- depends = 'auto': functions that no expression names, and workers of parallel plans.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned

--
-- The functions that an aggregate is made of
--

CREATE FUNCTION calls_step(bigint, int) RETURNS bigint VOLATILE LANGUAGE sql AS 'SELECT $1 + $2';
CREATE FUNCTION calls_step_ok(bigint, int) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2';
CREATE FUNCTION calls_end(bigint) RETURNS bigint VOLATILE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION calls_both(bigint, bigint) RETURNS bigint VOLATILE LANGUAGE sql AS 'SELECT $1 + $2';
CREATE AGGREGATE calls_sum (int) (SFUNC = calls_step_ok, STYPE = bigint, INITCOND = 0);
CREATE AGGREGATE calls_sum_step (int) (SFUNC = calls_step, STYPE = bigint, INITCOND = 0);
CREATE AGGREGATE calls_sum_end (int) (SFUNC = calls_step_ok, STYPE = bigint, INITCOND = 0, FINALFUNC = calls_end);
CREATE AGGREGATE calls_sum_both (int) (SFUNC = calls_step_ok, STYPE = bigint, INITCOND = 0, COMBINEFUNC = calls_both);
CREATE AGGREGATE calls_sum_moving (int) (SFUNC = calls_step_ok, STYPE = bigint, INITCOND = 0,
  MSFUNC = calls_step, MINVFUNC = calls_step_ok, MSTYPE = bigint, MINITCOND = 0);
CREATE AGGREGATE calls_sum_back (int) (SFUNC = calls_step_ok, STYPE = bigint, INITCOND = 0,
  MSFUNC = calls_step_ok, MINVFUNC = calls_step, MSTYPE = bigint, MINITCOND = 0);
CREATE AGGREGATE calls_sum_moving_end (int) (SFUNC = calls_step_ok, STYPE = bigint, INITCOND = 0,
  MSFUNC = calls_step_ok, MINVFUNC = calls_step_ok, MSTYPE = bigint, MINITCOND = 0, MFINALFUNC = calls_end);
DO $$
DECLARE
  name text;
  why text;
BEGIN
  FOREACH name IN ARRAY '{calls_sum,calls_sum_step,calls_sum_end,calls_sum_both,calls_sum_moving,calls_sum_back,calls_sum_moving_end}'::text[] LOOP
    FOREACH why IN ARRAY ARRAY['', ' OVER ()'] LOOP
      BEGIN
        PERFORM dogpile_get_or_create('auto', 'calls ' || name || why, format('SELECT %I(i)%s FROM (VALUES (1)) AS v(i)', name, why));
        RAISE NOTICE '%: accepted', name;
      EXCEPTION WHEN feature_not_supported THEN
        GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
        RAISE NOTICE '%: %', name, why;
      END;
    END LOOP;
  END LOOP;
END $$;

--
-- A function that only a plan within tells of: the statement is that of a built-in one
--

CREATE FUNCTION calls_words() RETURNS tsvector STABLE LANGUAGE sql AS $$ SELECT 'a b'::tsvector $$;
SELECT dogpile_get_or_create('auto_ignore', 'calls words', $$ SELECT count(*) FROM ts_stat('SELECT calls_words()') $$);
CREATE OR REPLACE FUNCTION calls_words() RETURNS tsvector STABLE LANGUAGE sql AS $$ SELECT 'a b c'::tsvector $$;
SELECT dogpile_get_or_create('auto_ignore', 'calls words', $$ SELECT count(*) FROM ts_stat('SELECT calls_words()') $$);

--
-- What functions read in workers would not be seen, so there are none
--

CREATE TABLE calls_t AS SELECT i AS id FROM generate_series(1, 5000) AS i;
CREATE TABLE calls_other (id int);
INSERT INTO calls_other VALUES (1), (2), (3);
ALTER TABLE calls_other SET (parallel_workers = 0);
ANALYZE calls_t;
CREATE FUNCTION calls_reads(which int) RETURNS bigint STABLE PARALLEL SAFE LANGUAGE plpgsql
AS $$ BEGIN RETURN (SELECT count(*) FROM calls_other WHERE id = which); END $$;
-- ... by comparing rows, whose columns are compared by functions that no plan names.
CREATE TABLE calls_modulus (m int);
INSERT INTO calls_modulus VALUES (2);
CREATE TYPE calls_key AS (i int);
CREATE TYPE calls_row AS (k calls_key, b boolean);
CREATE FUNCTION calls_equal(calls_key, calls_key) RETURNS boolean IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql
AS $$ BEGIN RETURN (SELECT $1.i % m = $2.i % m FROM calls_modulus); END $$;
CREATE FUNCTION calls_hash(calls_key) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE sql AS 'SELECT 1';
CREATE OPERATOR =| (LEFTARG = calls_key, RIGHTARG = calls_key, FUNCTION = calls_equal, COMMUTATOR = =|, HASHES);
CREATE OPERATOR CLASS calls_ops DEFAULT FOR TYPE calls_key USING hash AS OPERATOR 1 =| , FUNCTION 1 calls_hash(calls_key);
CREATE FUNCTION calls_cmp(calls_key, calls_key) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql
AS $$ BEGIN RETURN (SELECT $1.i % m - $2.i % m FROM calls_modulus); END $$;
CREATE OPERATOR CLASS calls_order DEFAULT FOR TYPE calls_key USING btree AS OPERATOR 3 =| , FUNCTION 1 calls_cmp(calls_key, calls_key);
CREATE TABLE calls_rows AS SELECT row(row(i)::calls_key, true)::calls_row AS r FROM generate_series(1, 40) AS i;
-- Not analyzed, or the planner would compare some rows itself.
ALTER TABLE calls_rows SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SET max_parallel_workers_per_gather = 2;
-- These would have workers.
CREATE FUNCTION has_workers(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
  found boolean := false;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    found := found OR line LIKE '%Gather%';
  END LOOP;
  RETURN found;
END $$;
SELECT has_workers('SELECT sum(calls_reads(id)) FROM calls_t'), has_workers('SELECT count(*) FROM calls_rows AS a JOIN calls_rows AS b ON a.r = b.r');
SELECT dogpile_get_or_create('auto', 'calls reads', 'SELECT sum(calls_reads(id)) FROM calls_t');
INSERT INTO calls_other VALUES (3);
SELECT dogpile_get_or_create('auto', 'calls reads', 'SELECT sum(calls_reads(id)) FROM calls_t');
DELETE FROM calls_other WHERE id >= 2;
SELECT dogpile_get_or_create('auto', 'calls reads', 'SELECT sum(calls_reads(id)) FROM calls_t');
SELECT dogpile_get_or_create('auto', 'calls compares', 'SELECT count(*) FROM calls_rows AS a JOIN calls_rows AS b ON a.r = b.r');
UPDATE calls_modulus SET m = 4;
SELECT dogpile_get_or_create('auto', 'calls compares', 'SELECT count(*) FROM calls_rows AS a JOIN calls_rows AS b ON a.r = b.r');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;
RESET max_parallel_workers_per_gather;

--
-- TRUNCATE, seen by the transaction itself
--

INSERT INTO calls_other VALUES (2);
SELECT dogpile_get_or_create('auto', 'calls truncated', 'SELECT count(*) FROM calls_other');
BEGIN;
TRUNCATE calls_other;
SELECT dogpile_get_or_create('auto', 'calls truncated', 'SELECT count(*) FROM calls_other');
SAVEPOINT a;
INSERT INTO calls_other VALUES (1);
TRUNCATE calls_other;
SELECT dogpile_get_or_create('auto', 'calls truncated', 'SELECT count(*) FROM calls_other');
ROLLBACK TO a;
SAVEPOINT b;
TRUNCATE calls_other;
TRUNCATE calls_other;
RELEASE b;
SELECT dogpile_get_or_create('auto', 'calls truncated', 'SELECT count(*) FROM calls_other');
ROLLBACK;
SELECT dogpile_get_or_create('auto', 'calls truncated', 'SELECT count(*) FROM calls_other');
BEGIN;
SAVEPOINT a;
TRUNCATE calls_other;
INSERT INTO calls_other VALUES (1), (2), (3);
SAVEPOINT b;
TRUNCATE calls_other;
RELEASE b;
RELEASE a;
COMMIT;
SELECT dogpile_get_or_create('auto', 'calls truncated', 'SELECT count(*) FROM calls_other');
-- With row tags.
SELECT dogpile_watch('calls_other', 'calls:{id}', 'auto');
INSERT INTO calls_other VALUES (1);
SELECT dogpile_get_or_create('auto', 'calls tagged', 'SELECT count(*) FROM calls_other WHERE id = 1', tags => '{calls:1}');
BEGIN;
TRUNCATE calls_other;
INSERT INTO calls_other VALUES (2);
SELECT dogpile_get_or_create('auto', 'calls tagged', 'SELECT count(*) FROM calls_other WHERE id = 1', tags => '{calls:1}');
COMMIT;
SELECT dogpile_get_or_create('auto', 'calls tagged', 'SELECT count(*) FROM calls_other WHERE id = 1', tags => '{calls:1}');

DROP TABLE calls_t, calls_other, calls_modulus, calls_rows;
DROP OPERATOR FAMILY calls_ops USING hash;
DROP OPERATOR FAMILY calls_order USING btree;
DROP OPERATOR =| (calls_key, calls_key);
DROP TYPE calls_row;
DROP AGGREGATE calls_sum(int), calls_sum_step(int), calls_sum_end(int), calls_sum_both(int), calls_sum_moving(int),
  calls_sum_back(int), calls_sum_moving_end(int);
DROP FUNCTION calls_step, calls_step_ok, calls_end, calls_both, calls_words, calls_reads, calls_equal, calls_hash, calls_cmp, has_workers;
DROP TYPE calls_key;
