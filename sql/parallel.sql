-- What a parallel worker changes would be lost, so it is refused; and what it reads
-- might be outdated, because the leader alone knows what is pending.
CREATE TABLE large AS SELECT id FROM generate_series(1, 10000) AS id;
ANALYZE large;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
\set VERBOSITY terse

-- Calls that are labeled as they must not be; only one row gets to them.  They are
-- made by the filter of a scan, for what is above it is the leader's.
CREATE FUNCTION mislabeled(call text) RETURNS text
LANGUAGE plpgsql PARALLEL SAFE AS $$
DECLARE
	result text;
BEGIN
	EXECUTE 'SELECT ' || call INTO result;
	RETURN result;
END $$;
CREATE TABLE calls (no int, call text);
INSERT INTO calls VALUES
	(1, $$dogpile_set('reports', 'parallel', 'new'::text)$$),
	(2, $$dogpile_set('reports', 'parallel', 1)$$),
	(3, $$dogpile_add('reports', 'other', 'new'::text)$$),
	(4, $$dogpile_delete('reports', 'parallel')$$),
	(5, $$dogpile_invalidate('reports', 'parallel')$$),
	(6, $$dogpile_invalidate('reports', 'parallel', false)$$),
	(7, $$dogpile_invalidate('reports', true)$$),
	(8, $$dogpile_invalidate_tags(ARRAY['parallel'])$$),
	(9, $$dogpile_flush('reports')$$),
	(10, $$dogpile_increment('reports', 'parallel')$$),
	(11, $$dogpile_get_or_create('reports', 'parallel', 'SELECT 1')$$),
	(12, $$dogpile_get_or_create('reports', 'other', 'SELECT 1', NULL::int)$$),
	(13, $$count(*) FROM dogpile_query('reports', 'other', 'SELECT 1') AS t(a int)$$),
	(14, $$count(*) FROM dogpile_query('reports', 'other', 'SELECT 1', NULL::int)$$);

SELECT dogpile_set('reports', 'parallel', 'old', tags => ARRAY['parallel']);

-- in a worker
SET parallel_leader_participation = off;
SELECT format('SELECT %s FROM large WHERE id = 5 AND mislabeled(%L) IS NULL', no, call)
FROM calls ORDER BY no \gexec
SELECT dogpile_get('reports', 'parallel'), dogpile_exists('reports', 'other');

-- in the leader, in place of workers
SET parallel_leader_participation = on;
SET max_parallel_workers = 0;
SELECT format('SELECT %s FROM large WHERE id = 5 AND mislabeled(%L) IS NULL', no, call)
FROM calls ORDER BY no \gexec
SELECT dogpile_get('reports', 'parallel'), dogpile_exists('reports', 'other');
RESET max_parallel_workers;

-- Reading: what this transaction has pending, a worker cannot know of.
SET parallel_leader_participation = off;
BEGIN;
SELECT dogpile_set('reports', 'parallel', 'new');
SELECT dogpile_get('reports', 'parallel');
SELECT id FROM large WHERE id = 5 AND mislabeled($$dogpile_get('reports', 'parallel')$$) IS NOT NULL;
SELECT id FROM large WHERE id = 5 AND mislabeled($$dogpile_exists('reports', 'parallel')$$) = 'true';
ROLLBACK;
SET parallel_leader_participation = on;
SET max_parallel_workers = 0;
SELECT id FROM large WHERE id = 5 AND mislabeled($$dogpile_get('reports', 'parallel')$$) = 'old';

DROP FUNCTION mislabeled;
DROP TABLE large, calls;
