--
-- dogpile_stats and dogpile_entries: what happened, counted.
--

SELECT dogpile_reset_stats();
-- Nothing has happened since, in any region, and all that are configured are
-- there.
SELECT sum(hits) + sum(stale_hits) + sum(misses) + sum(waits) + sum(wait_time)
       + sum(wait_timeouts) + sum(creations) + sum(creation_time) + sum(failed_creations)
       + sum(time_saved) + sum(sets) + sum(invalidations) + sum(refused) + sum(too_large)
       + sum(evictions) AS all_counts
  FROM dogpile_stats;
SELECT string_agg(region, ', ' ORDER BY region COLLATE "C")
       = (SELECT string_agg(trim(r), ', ' ORDER BY trim(r) COLLATE "C")
            FROM unnest(string_to_array('default,' || current_setting('dogpile.regions'), ',')) AS r)
       AS all_regions
  FROM dogpile_stats;
SELECT count(DISTINCT stats_reset) AS resets,
       bool_and(stats_reset BETWEEN now() - interval '1 minute' AND clock_timestamp()) AS just_now
  FROM dogpile_stats;

-- What counts, without what is zero.
CREATE VIEW stats_counts AS
  SELECT key AS counter, value::bigint
    FROM dogpile_stats, jsonb_each_text(to_jsonb(dogpile_stats))
    WHERE region = 'sessions' AND value <> '0'
      AND key NOT IN ('region', 'stats_reset', 'hit_ratio', 'wait_time', 'creation_time',
                      'time_saved', 'entries', 'bytes')
    ORDER BY key COLLATE "C";

-- One creation and three hits.
SELECT dogpile_get_or_create('sessions', 'stats', 'SELECT pg_sleep(0.02)') FROM generate_series(1, 4);
SELECT * FROM stats_counts;
SELECT hit_ratio, creation_time BETWEEN 20 AND 60000 AS creation_time,
       time_saved / creation_time BETWEEN 2.99 AND 3.01 AS time_saved, wait_time
  FROM dogpile_stats WHERE region = 'sessions';
-- Other regions are not affected.
SELECT hits, misses, hit_ratio FROM dogpile_stats WHERE region = 'reports';

-- Reading.
SELECT dogpile_reset_stats();
SELECT dogpile_get('sessions', 'stats'), dogpile_get('sessions', 'stats nothing') IS NULL,
       dogpile_exists('sessions', 'stats'), dogpile_exists('sessions', 'stats nothing');
SELECT fresh FROM dogpile_metadata('sessions', 'stats');
SELECT * FROM stats_counts;

-- Failures.
SELECT dogpile_reset_stats();
SELECT dogpile_get_or_create('sessions', 'stats failing', 'SELECT 1/0');
SELECT dogpile_get_or_create('sessions', 'stats failing', 'SELECT 1, 2');
SELECT dogpile_get_or_create('sessions', 'stats failing', '1/0');
SELECT * FROM stats_counts;

-- Changes.  A stale value is a stale hit for a session that gets it, but not for its
-- creator.
SELECT dogpile_reset_stats();
SELECT dogpile_set('sessions', 'stats set', 1), dogpile_set('sessions', 'stats set', 2),
       dogpile_add('sessions', 'stats set', 3), dogpile_add('sessions', 'stats add', 4);
SELECT dogpile_invalidate('sessions', 'stats set', false);
SELECT dogpile_get('sessions', 'stats set');
SELECT dogpile_get_or_create('sessions', 'stats set', 'SELECT 5');
SELECT dogpile_delete('sessions', 'stats add'), dogpile_invalidate('sessions', false);
SELECT * FROM stats_counts;

-- What was rolled back counts nevertheless.
SELECT dogpile_reset_stats();
BEGIN;
SELECT dogpile_get_or_create('sessions', 'stats rollback', 'SELECT 1');
SELECT dogpile_get('sessions', 'stats rollback');
SELECT * FROM stats_counts;
ROLLBACK;
SELECT * FROM stats_counts;

-- Too large a value.
SELECT dogpile_reset_stats();
SELECT length(dogpile_get_or_create('sessions', 'stats large', 'SELECT repeat(''x'', 9000000)'));
SELECT * FROM stats_counts;

-- Entries and bytes are those of now, and no reset changes them.
SELECT entries AS entries0, bytes AS bytes0 FROM dogpile_stats WHERE region = 'sessions' \gset
SELECT dogpile_set('sessions', 'stats entry 1', repeat('x', 1000)),
       dogpile_set('sessions', 'stats entry 2', repeat('x', 100000));
SELECT dogpile_reset_stats();
SELECT entries - :entries0 AS entries, bytes - :bytes0 BETWEEN 101000 AND 120000 AS bytes
  FROM dogpile_stats WHERE region = 'sessions';
SELECT dogpile_set('sessions', 'stats entry 2', 'x');
SELECT entries - :entries0 AS entries, bytes - :bytes0 BETWEEN 1000 AND 2000 AS bytes
  FROM dogpile_stats WHERE region = 'sessions';
SELECT dogpile_delete('sessions', 'stats entry 1'), dogpile_delete('sessions', 'stats entry 2');
SELECT entries - :entries0 AS entries, bytes - :bytes0 AS bytes
  FROM dogpile_stats WHERE region = 'sessions';

-- The same, one by one.
SELECT dogpile_set('sessions', 'stats entry 1', repeat('x', 1000), '5 min'),
       dogpile_set('sessions', 'stats entry 2', 'x', '-1');
SELECT dogpile_get_or_create('sessions', 'stats entry 3', 'SELECT pg_sleep(0.01)::text');
SELECT dogpile_invalidate('sessions', 'stats entry 2', false);
SELECT database = current_database() AS here, region, key, variant <> '' AS variant,
       created_at BETWEEN now() - interval '1 minute' AND now() AS created,
       CASE WHEN isfinite(expires_at) THEN expires_at - created_at END AS expires_in,
       CASE WHEN isfinite(gone_at) THEN gone_at - created_at END AS gone_in,
       fresh, creation_time >= interval '10 ms' AS slept,
       bytes BETWEEN 1 AND 2000 AS bytes, memory > bytes AS memory
  FROM dogpile_entries WHERE key LIKE 'stats entry%' ORDER BY key;
SELECT count(*) = sum(s.entries) / count(*) AS same_entries,
       sum(memory) = sum(s.bytes) / count(*) AS same_bytes
  FROM dogpile_entries JOIN dogpile_stats AS s USING (region) WHERE region = 'sessions';
SELECT dogpile_delete('sessions', 'stats entry 1'), dogpile_delete('sessions', 'stats entry 2');
SELECT key FROM dogpile_entries WHERE key LIKE 'stats entry%';
-- One that a session may still wait for is kept for a while, but no other session gets
-- it.
SELECT dogpile_delete('sessions', 'stats entry 3'), dogpile_exists('sessions', 'stats entry 3');
SELECT bool_or(fresh) IS NOT TRUE AS not_fresh FROM dogpile_entries WHERE key = 'stats entry 3';

DROP VIEW stats_counts;
