-- Within a transaction, memory does not grow with the number of calls.
CREATE TABLE facts (id int, value int);
INSERT INTO facts VALUES (1, 1);
CREATE TABLE watched (id int);
INSERT INTO watched VALUES (1);
SELECT dogpile_watch('watched', 'watched:{id}');

-- What PL/pgSQL keeps of the expressions that it has evaluated, until the end.
CREATE FUNCTION plus_one(i int) RETURNS int STABLE LANGUAGE plpgsql AS $$
DECLARE
	a int;
	b text;
BEGIN
	a := i + 1;
	a := a * 2;
	b := a::text || 'x';
	IF length(b) > 100 THEN
		RETURN 0;
	END IF;
	RETURN a + (SELECT value FROM facts WHERE id = 1);
END $$;
CREATE FUNCTION plus_two(i int) RETURNS int STABLE LANGUAGE sql AS $$
	SELECT plus_one(i) + 1 FROM facts LIMIT 1
$$;
CREATE FUNCTION loop_over(i int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	sum int := 0;
BEGIN
	FOR j IN i * 3 .. i * 3 + 2 LOOP
		sum := sum + dogpile_get_or_create('auto', 'loop' || j, 'SELECT plus_one($1)', ROW(j))::int;
	END LOOP;
	RETURN sum;
END $$;
CREATE FUNCTION failing(i int) RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN i / 0;
END $$;

-- Bytes that this session has in use.
CREATE FUNCTION used() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts
$$;

-- How many bytes more each execution of a statement takes, with its number as $1; in
-- a subtransaction of its own, which is released or rolled back, if that is wanted.
CREATE FUNCTION growth(statement text, n int, sub text DEFAULT '') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	before bigint := used() + used();
BEGIN
	FOR i IN 1 .. n + n / 4 LOOP
		IF sub = '' THEN
			EXECUTE statement USING i;
		ELSE
			BEGIN
				EXECUTE statement USING i;
				IF sub = 'rollback' THEN
					RAISE division_by_zero;
				END IF;
			EXCEPTION WHEN division_by_zero THEN
				NULL;
			END;
		END IF;
		IF i = n / 4 THEN
			before := used();
		END IF;
	END LOOP;
	RETURN (used() - before) / n;
END $$;
CREATE TABLE statements (no serial, statement text);
INSERT INTO statements (statement) VALUES
	($$SELECT dogpile_get('reports', 'hit'), $1$$),
	($$SELECT dogpile_get('reports', 'miss' || $1)$$),
	($$SELECT dogpile_exists('reports', 'hit'), $1$$),
	($$SELECT key_is_locked, $1 FROM dogpile_metadata('reports', 'hit')$$),
	($$SELECT dogpile_get_or_create('reports', 'hit', 'SELECT 1'), $1$$),
	($$SELECT dogpile_get_or_create('reports', 'created' || $1, 'SELECT 1')$$),
	($$SELECT dogpile_get_or_create('reports', 'large' || $1, 'SELECT repeat(''x'', 10000)')$$),
	($$SELECT dogpile_get_or_create('reports', 'nested' || $1,
		'SELECT dogpile_get_or_create(''reports'', $1, ''SELECT 1'')', params => ROW('inner' || $1))$$),
	($$SELECT count(*) FROM dogpile_query('reports', 'rows' || $1, 'SELECT * FROM facts') AS t(id int, value int)$$),
	($$SELECT dogpile_get_or_create('auto', 'created' || $1, 'SELECT value FROM facts')$$),
	($$SELECT dogpile_get_or_create('reports', 'called' || $1, 'SELECT plus_one($1)', params => ROW($1))$$),
	($$SELECT dogpile_get_or_create('auto', 'called' || $1, 'SELECT plus_one($1)', params => ROW($1))$$),
	($$SELECT dogpile_get_or_create('auto', 'in sql' || $1, 'SELECT plus_two($1)', params => ROW($1))$$),
	($$SELECT loop_over($1)$$),
	($$SELECT dogpile_set('reports', 'same', repeat('x', 1000)), $1$$),
	($$SELECT dogpile_set('reports', 'same', repeat('x', 1000), tags => ARRAY['a']), $1$$),
	($$SELECT dogpile_add('reports', 'same', 1), $1$$),
	($$SELECT dogpile_delete('reports', 'same'), $1$$),
	($$SELECT dogpile_invalidate('reports', 'same', false), $1$$),
	($$SELECT dogpile_invalidate('reports', false), $1$$),
	($$SELECT dogpile_invalidate_tags(ARRAY['a', 'b']), $1$$),
	($$SELECT dogpile_set('reports', 'same', 1), dogpile_delete('reports', 'same'), $1$$),
	($$SELECT dogpile_increment('reports', 'counter'), $1$$);

SELECT dogpile_get_or_create('reports', 'hit', 'SELECT 1');
BEGIN;
SELECT no, statement FROM statements
WHERE least(growth(statement, 400), growth(statement, 400)) > 16 ORDER BY no;
ROLLBACK;

-- The same in subtransactions that are released, or rolled back.
BEGIN;
SELECT no, statement FROM statements
WHERE least(growth(statement, 400, 'release'), growth(statement, 400, 'release')) > 16 ORDER BY no;
ROLLBACK;
BEGIN;
SELECT no, statement FROM statements
WHERE least(growth(statement, 400, 'rollback'), growth(statement, 400, 'rollback')) > 16 ORDER BY no;
ROLLBACK;

-- Errors that are caught; whatever is rolled back leaves nothing.
BEGIN;
SELECT growth('SELECT failing($1)', 400, 'release') < 1000 AS ok;
SELECT growth($$SELECT dogpile_get_or_create('reports', 'failing', 'SELECT failing($1)', params => ROW($1))$$,
			  400, 'release') <= 16 AS ok;
SELECT growth($$SELECT dogpile_set('reports', 'set' || $1, repeat('x', 1000)), dogpile_delete('reports', 'key' || $1),
			  dogpile_invalidate_tags(ARRAY['tag' || $1])$$, 400, 'rollback') <= 16 AS ok;
ROLLBACK;

-- If it cannot be known what a function uses, PL/pgSQL looks everything up again for each
-- query, but a limited number of times.
CREATE FUNCTION by_chance() RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN 1 + 0 * random();
END $$;
BEGIN;
SELECT growth($$SELECT dogpile_get_or_create('auto_bypass', 'chance' || $1, 'SELECT by_chance()')$$, 1200) >= 0 AS ok;
SELECT growth($$SELECT dogpile_get_or_create('auto_bypass', 'chance' || $1, 'SELECT by_chance()')$$, 400) <= 16 AS ok;
SELECT growth($$SELECT dogpile_get_or_create('auto', 'called' || $1, 'SELECT plus_one($1)', params => ROW($1))$$, 400) <= 16 AS ok;
ROLLBACK;
DROP FUNCTION by_chance;

-- Rows of which tags are made, and counted.
BEGIN;
SELECT growth('UPDATE watched SET id = 1 WHERE $1 > 0', 400) < 1000 AS ok;
ROLLBACK;

-- In a session with temporary relations, plans are invalidated for each creation that calls
-- functions, but a limited number of times; after that their values are not stored.
CREATE TEMP TABLE mine (id int);
BEGIN;
SELECT growth($$ SELECT dogpile_get_or_create('auto', 'mine' || $1, 'SELECT plus_one($1)', ROW($1)) $$, 400) < 1000 AS ok;
SELECT dogpile_exists('auto', 'mine1') AS first, dogpile_exists('auto', 'mine500') AS last;
COMMIT;
SELECT dogpile_get_or_create('auto', 'mine500', 'SELECT plus_one($1)', ROW(500));
SELECT dogpile_exists('auto', 'mine500') AS last;
DROP TABLE mine;

-- A value that replaces another in an outer level is kept beside it until it is known
-- which of them stays.
BEGIN;
SELECT dogpile_set('reports', 'levels', 'outer');
SAVEPOINT s;
SELECT dogpile_set('reports', 'levels', 'first');
SELECT dogpile_set('reports', 'levels', 'second');
SELECT dogpile_get('reports', 'levels');
SAVEPOINT t;
SELECT dogpile_delete('reports', 'levels');
SELECT dogpile_set('reports', 'levels', 'third');
SELECT dogpile_delete('reports', 'levels');
SELECT dogpile_exists('reports', 'levels');
ROLLBACK TO t;
SELECT dogpile_get('reports', 'levels');
RELEASE s;
SAVEPOINT s;
SELECT dogpile_set('reports', 'levels', 'fourth');
ROLLBACK TO s;
SELECT dogpile_get('reports', 'levels');
COMMIT;
SELECT dogpile_get('reports', 'levels');

-- Values that wait for COMMIT are bounded.  What does not fit is not stored, nor is what
-- it would have replaced.
SELECT dogpile_set('reports', 'p3', 'old');
SELECT dogpile_reset_stats();
BEGIN;
SET LOCAL dogpile.max_pending_size = '1MB';
SELECT count(dogpile_set('reports', 'p' || i, repeat('x', 400000))) FROM generate_series(1, 4) AS i;
SELECT i, length(dogpile_get('reports', 'p' || i)), dogpile_exists('reports', 'p' || i)
FROM generate_series(1, 4) AS i;
-- what is replaced makes room, and so does what is rolled back
SELECT dogpile_set('reports', 'p1', 'short');
SAVEPOINT s;
SELECT dogpile_set('reports', 'p3', repeat('y', 400000));
SELECT dogpile_add('reports', 'p4', repeat('y', 400000)) AS added;
ROLLBACK TO s;
SELECT dogpile_exists('reports', 'p3');
SELECT dogpile_set('reports', 'p4', repeat('y', 400000));
-- a value that is created is returned all the same
INSERT INTO facts VALUES (2, 2);
SELECT length(dogpile_get_or_create('reports', 'p5', 'SELECT repeat(''z'', 400000)'));
SELECT dogpile_exists('reports', 'p5');
COMMIT;
SELECT i, left(dogpile_get('reports', 'p' || i), 1), length(dogpile_get('reports', 'p' || i))
FROM generate_series(1, 5) AS i;
SELECT sets, too_large FROM dogpile_stats WHERE region = 'reports';
-- the limit is one of each transaction: the next one begins with nothing, and warns again
BEGIN;
SET LOCAL dogpile.max_pending_size = '64kB';
SELECT dogpile_set('reports', 'p1', repeat('x', 100000));
COMMIT;

DROP TABLE facts, watched, statements;
DROP FUNCTION plus_one, plus_two, loop_over, failing, used, growth;
