--
-- Messages that a new user gets.
--
-- Several columns, or rows, where one value is expected.
SELECT dogpile_get_or_create('reports', 'messages', 'SELECT 1, 2');
SELECT dogpile_get_or_create('reports', 'messages', 'SELECT generate_series(1, 2)');
SELECT dogpile_get_or_create('reports', 'messages', 'SELECT 1, 2', result_type => NULL::int);
-- Too few parameters, or too many.
SELECT dogpile_get_or_create('reports', 'messages', 'SELECT $1');
SELECT dogpile_get_or_create('reports', 'messages', 'SELECT $1 || $2', params => ROW('x'));
SELECT dogpile_get_or_create('reports', 'messages', 'SELECT $1', params => ROW('x', 2));
SELECT dogpile_get_or_create('reports', 'messages', 'SELECT 1', params => ROW('x'));
SELECT dogpile_get_or_create('reports', 'messages', 'SELECT 1', params => ROW());
SELECT dogpile_get_or_create('reports', 'messages used', 'SELECT (SELECT max(v) FROM (VALUES ($2)) AS t(v))', params => ROW('not used', 'x'));
-- Within a function that the query calls, it is another matter.
CREATE FUNCTION messages_execute() RETURNS int LANGUAGE plpgsql AS $$ DECLARE r int; BEGIN EXECUTE 'SELECT $1' INTO r; RETURN r; END $$;
SELECT dogpile_get_or_create('reports', 'messages inner', 'SELECT messages_execute()');
-- A region in upper case, and one that does not exist.
SELECT dogpile_get('REPORTS', 'messages');
SELECT dogpile_get('"reports"', 'messages');
SELECT dogpile_get('reprots', 'messages');
-- What depends on the session, and not on the query.
SET row_security = off;
SELECT dogpile_get_or_create('auto', 'messages', 'SELECT 1');
RESET row_security;
DROP FUNCTION messages_execute;
