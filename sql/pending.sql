-- What a transaction has pending, in all orders, and its effects.
CREATE FUNCTION stored(key text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM dogpile_entries WHERE region = 'reports' AND dogpile_entries.key = $1
$$;

-- Set after an invalidation and softly invalidated after that: it must be after the one
-- and before the other, which is impossible, so it is not stored.
BEGIN;
SELECT dogpile_invalidate('reports', 'between'),
	   dogpile_set('reports', 'between', 'value'),
	   dogpile_invalidate('reports', 'between', hard => false);
SELECT dogpile_get('reports', 'between');
COMMIT;
SELECT dogpile_get('reports', 'between'), stored('between');
-- With a part of that, it is.
BEGIN;
SELECT dogpile_invalidate('reports', 'between'), dogpile_set('reports', 'between', 'value');
COMMIT;
SELECT dogpile_get('reports', 'between'), stored('between');
BEGIN;
SELECT dogpile_set('reports', 'between', 'stale'), dogpile_invalidate('reports', 'between', hard => false);
COMMIT;
SELECT dogpile_get('reports', 'between'), stored('between'),
	   (SELECT fresh FROM dogpile_metadata('reports', 'between'));
BEGIN;
SELECT dogpile_set('reports', 'between', 'gone'), dogpile_invalidate('reports', 'between');
COMMIT;
SELECT dogpile_get('reports', 'between'), stored('between');
-- An invalidation that is repeated counts from where it was done last.
BEGIN;
SELECT dogpile_invalidate('reports', 'between'), dogpile_set('reports', 'between', 'value'),
	   dogpile_invalidate('reports', 'between');
SELECT dogpile_exists('reports', 'between');
SAVEPOINT s;
SELECT dogpile_set('reports', 'between', 'again');
SAVEPOINT t;
SELECT dogpile_invalidate('reports', 'between');
SELECT dogpile_exists('reports', 'between');
ROLLBACK TO t;
SELECT dogpile_get('reports', 'between');
RELEASE s;
SELECT dogpile_get('reports', 'between');
COMMIT;
SELECT dogpile_get('reports', 'between');

-- What is computed from uncommitted data is for no other session, whether it is a value
-- or the removal of one.
SELECT dogpile_set('reports', 'inner', 'committed', tags => ARRAY['inner']);
BEGIN;
SELECT dogpile_set('reports', 'inner', 'pending');
SELECT dogpile_get_or_create('reports', 'outer1', $$SELECT dogpile_get('reports', 'inner')$$);
ROLLBACK;
BEGIN;
SELECT dogpile_delete('reports', 'inner');
SELECT dogpile_get_or_create('reports', 'outer2', $$SELECT dogpile_exists('reports', 'inner')$$),
	   dogpile_get_or_create('reports', 'outer3', $$SELECT coalesce(dogpile_get('reports', 'inner'), 'none')$$);
ROLLBACK;
BEGIN;
SELECT dogpile_invalidate_tags(ARRAY['inner']);
SELECT dogpile_get_or_create('reports', 'outer4', $$SELECT dogpile_exists('reports', 'inner')$$);
ROLLBACK;
BEGIN;
SELECT dogpile_invalidate('reports', true);
SELECT dogpile_get_or_create('reports', 'outer5', $$SELECT dogpile_exists('reports', 'inner')$$);
ROLLBACK;
BEGIN;
SELECT dogpile_invalidate('reports', 'inner', hard => false);
SELECT dogpile_get_or_create('reports', 'outer6', $$SELECT fresh FROM dogpile_metadata('reports', 'inner')$$);
ROLLBACK;
SELECT i, dogpile_get('reports', 'outer' || i) FROM generate_series(1, 6) AS i;
-- what concerns others only is no obstacle
BEGIN;
SELECT dogpile_delete('reports', 'another');
SELECT dogpile_get_or_create('reports', 'outer7', $$SELECT dogpile_get('reports', 'inner')$$);
ROLLBACK;
SELECT dogpile_get('reports', 'outer7');

-- Waiters that were woken for a value may find it for a moment, although it was
-- invalidated; so its memory is not freed at once.
CREATE PROCEDURE count_kept(OUT kept bigint) LANGUAGE plpgsql AS $$
BEGIN
	-- If this session is held up for a second, it tries again.
	FOR i IN 1 .. 20 LOOP
		PERFORM dogpile_get_or_create('reports', 'awaited', 'SELECT 1');
		COMMIT;
		PERFORM dogpile_delete('reports', 'awaited');
		COMMIT;
		kept := stored('awaited');
		EXIT WHEN kept = 1;
	END LOOP;
END $$;
CALL count_kept(NULL);
SELECT dogpile_exists('reports', 'awaited');
-- No session waits for a value that was set.
SELECT dogpile_set('reports', 'awaited', 1);
SELECT dogpile_delete('reports', 'awaited');
SELECT stored('awaited');

DROP PROCEDURE count_kept;
DROP FUNCTION stored;
