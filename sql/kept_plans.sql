-- What a function uses is found although it has been prepared before: by another query
-- of the transaction, or while dependencies were not collected.
\set VERBOSITY terse
CREATE TABLE facts (value int);
INSERT INTO facts VALUES (1);
CREATE FUNCTION steady(i int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN i + 1; END $$;

-- Not to be known, in an expression that PL/pgSQL evaluates itself.
CREATE FUNCTION chance(i int) RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
	IF i > 0 THEN
		RETURN i + 0 * random();
	END IF;
	RETURN i;
END $$;
CREATE FUNCTION calls_chance(i int) RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN chance(i);
END $$;
-- ... of a statement that fails, and is caught
CREATE FUNCTION caught(i int) RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN chance(i) / 0;
EXCEPTION WHEN division_by_zero THEN
	RETURN chance(i);
END $$;
-- Creates a value by itself, while it runs.
CREATE FUNCTION creates(i int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	result int;
BEGIN
	FOR j IN 1 .. 2 LOOP
		result := i + 0 * random();
		EXIT WHEN i = 0;
		result := dogpile_get_or_create('auto', 'creates' || j,
			CASE j WHEN 1 THEN 'SELECT steady(1)' ELSE 'SELECT steady(creates(0))' END);
	END LOOP;
	RETURN result;
END $$;
ALTER FUNCTION creates STABLE;

-- first by others
BEGIN;
SELECT dogpile_get_or_create('auto', 'k1', 'SELECT steady(1)');
SELECT chance(1), calls_chance(1), caught(1);
SAVEPOINT s;
SELECT dogpile_get_or_create('auto', 'k2', 'SELECT chance(1)');
ROLLBACK TO s;
SELECT dogpile_get_or_create('auto', 'k3', 'SELECT calls_chance(1)');
ROLLBACK TO s;
SELECT dogpile_get_or_create('auto', 'k4', 'SELECT caught(1)');
ROLLBACK TO s;
-- what is not reached is no obstacle, as without all that
SELECT dogpile_get_or_create('auto', 'k5', 'SELECT chance(0)');
COMMIT;
-- first by another creation
BEGIN;
SELECT dogpile_get_or_create('auto', 'k6', 'SELECT steady(1)');
SELECT dogpile_get_or_create('auto_bypass', 'k6', 'SELECT calls_chance(1)');
SAVEPOINT s;
SELECT dogpile_get_or_create('auto', 'k7', 'SELECT chance(1)');
ROLLBACK TO s;
SELECT dogpile_get_or_create('auto', 'k8', 'SELECT calls_chance(1)');
ROLLBACK TO s;
SELECT dogpile_get_or_create('auto', 'k9', 'SELECT chance(0)');
COMMIT;
-- by one that runs and creates
SELECT creates(1);

-- Row types that an expression uses.
CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION of_pair(i int) RETURNS jsonb STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN to_jsonb(ROW(i, 2)::pair);
END $$;
CREATE FUNCTION calls_of_pair(i int) RETURNS jsonb STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN of_pair(i);
END $$;
BEGIN;
SELECT dogpile_get_or_create('auto', 'pair1', 'SELECT calls_of_pair(1)'),
	   dogpile_get_or_create('auto', 'pair2', 'SELECT calls_of_pair(1)'),
	   dogpile_get_or_create('auto', 'pair3', 'SELECT of_pair(1)');
COMMIT;
ALTER TYPE pair RENAME ATTRIBUTE a TO c;
SELECT dogpile_get('auto', 'pair1'), dogpile_get('auto', 'pair2'), dogpile_get('auto', 'pair3');

-- What was read when a statement was planned is in its plan as a constant.
CREATE FUNCTION reads() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT value FROM facts); END';
CREATE FUNCTION reads_in_plan() RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) + reads() FROM (SELECT 1) AS one);
END $$;
BEGIN;
SELECT dogpile_get_or_create('auto', 'plan1', 'SELECT reads_in_plan()'),
	   dogpile_get_or_create('auto', 'plan2', 'SELECT reads_in_plan()');
COMMIT;
-- in another transaction, too
SELECT dogpile_get_or_create('auto', 'plan3', 'SELECT reads_in_plan()');
UPDATE facts SET value = 2;
SELECT dogpile_get('auto', 'plan1'), dogpile_get('auto', 'plan2'), dogpile_get('auto', 'plan3');

-- More functions than are remembered.
DO $$
BEGIN
	FOR i IN 1 .. 70 LOOP
		EXECUTE format('CREATE FUNCTION many%s() RETURNS int STABLE LANGUAGE plpgsql AS %L', i,
					   CASE WHEN i < 70 THEN 'BEGIN RETURN 1; END'
					   ELSE 'BEGIN RETURN 1 + 0 * random(); END' END);
	END LOOP;
END $$;
SELECT 'SELECT ' || string_agg(format('many%s()', i), ' + ' ORDER BY i) AS many,
	   string_agg(format('many%s', i), ', ') AS names FROM generate_series(1, 70) AS i \gset
BEGIN;
SELECT dogpile_get_or_create('auto', 'many1', 'SELECT steady(1)');
:many;
SELECT dogpile_get_or_create('auto', 'many2', 'SELECT many70()');
ROLLBACK;

DROP FUNCTION steady, chance, calls_chance, caught, creates, of_pair, calls_of_pair, reads, reads_in_plan, :names;
DROP TYPE pair;
DROP TABLE facts;
