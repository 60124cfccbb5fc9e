-- All variants of a key are invalidated together, however many there are.
-- ("tenants" has a variant for each value of app.tenant_id.)
\set VERBOSITY terse
CREATE PROCEDURE set_as_tenants(key text, n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		PERFORM set_config('app.tenant_id', i::text, false);
		PERFORM dogpile_set('tenants', key, i, tags => ARRAY['variants']);
	END LOOP;
	PERFORM set_config('app.tenant_id', 'none', false);
END $$;
CREATE FUNCTION stored(key text, OUT entries bigint, OUT fresh bigint) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE fresh) FROM dogpile_entries
	WHERE region = 'tenants' AND dogpile_entries.key = $1
$$;

-- none at all, and one of another tenant
SELECT dogpile_invalidate('tenants', 'many'), dogpile_delete('tenants', 'many');
CALL set_as_tenants('many', 1);
SELECT dogpile_exists('tenants', 'many') AS own, dogpile_invalidate('tenants', 'many') AS any;
SELECT dogpile_invalidate('tenants', 'many');

-- Their memory is free at the COMMIT that invalidates them.
CALL set_as_tenants('many', 200);
CALL set_as_tenants('other', 3);
SELECT * FROM stored('many');
SELECT dogpile_delete('tenants', 'many');
SELECT * FROM stored('many');
SELECT * FROM stored('other');

-- But not at a ROLLBACK, nor after a soft invalidation.
CALL set_as_tenants('many', 100);
BEGIN;
SELECT dogpile_delete('tenants', 'many'), dogpile_delete('tenants', 'many');
ROLLBACK;
SELECT dogpile_invalidate('tenants', 'many', hard => false);
SELECT * FROM stored('many');

-- Variants that are gone by their region or tags are not invalidated again, and a session
-- that passes many of them removes them.
SELECT dogpile_invalidate('tenants', true);
SELECT * FROM stored('many');
BEGIN;
SELECT dogpile_delete('tenants', 'many');
ROLLBACK;
SELECT * FROM stored('many');
SET app.tenant_id = 'living';
SELECT dogpile_set('tenants', 'many', 'living');
CALL set_as_tenants('many', 100);
SELECT dogpile_invalidate_tags(ARRAY['variants']);
SELECT * FROM stored('many');
SELECT dogpile_exists('tenants', 'many') AS own;
BEGIN;
SELECT dogpile_delete('tenants', 'many');
ROLLBACK;
SET app.tenant_id = 'living';
SELECT dogpile_get('tenants', 'many');
SELECT dogpile_delete('tenants', 'many'), dogpile_delete('tenants', 'other');
SELECT * FROM stored('many');

-- A variant that is set again takes the place of its own only.
CALL set_as_tenants('many', 3);
SET app.tenant_id = '2';
SELECT dogpile_set('tenants', 'many', 'again');
SELECT * FROM stored('many');
SELECT dogpile_get('tenants', 'many');
SET app.tenant_id = '3';
SELECT dogpile_get('tenants', 'many', NULL::int);

-- Statistics know of all that was removed.
SELECT dogpile_delete('tenants', 'many');
SELECT (SELECT (count(*), coalesce(sum(memory), 0)) FROM dogpile_entries WHERE region = 'tenants') =
	   (SELECT (entries, bytes::numeric) FROM dogpile_stats WHERE region = 'tenants') AS same;
DROP PROCEDURE set_as_tenants;
DROP FUNCTION stored;

-- Two keys with the same hash are two keys.  (The hash is that of key.c: of database,
-- region and key, with their lengths; there are enough keys for two to have the same.)
SET app.tenant_id = 'none';
CREATE TEMP TABLE hashed AS
	SELECT key, (hash_array_extended(ARRAY[prefix || set_byte('\x0000', 0, length(key)) ||
										   convert_to(key, 'UTF8')], 0) - 31) & 4294967295 AS hash
	FROM (SELECT set_byte(set_byte(set_byte(set_byte('\x00000000', 0, oid & 255),
											1, (oid >> 8) & 255), 2, (oid >> 16) & 255),
						  3, (oid >> 24) & 255) || '\x07' || 'tenants'::bytea AS prefix
		  FROM (SELECT oid::int8::int4 FROM pg_database WHERE datname = current_database()) AS d) AS p,
		 (SELECT 'k' || i AS key FROM generate_series(1, 300000) AS i) AS k;
SELECT min(key) AS one, max(key) AS two FROM hashed
GROUP BY hash HAVING count(*) > 1 LIMIT 1 \gset
SELECT dogpile_set('tenants', :'one', 'one');
BEGIN;
SELECT dogpile_delete('tenants', :'two') AS other, dogpile_get('tenants', :'one') AS "same slot";
ROLLBACK;
SELECT dogpile_get('tenants', :'one'), dogpile_get('tenants', :'two');
SELECT dogpile_delete('tenants', :'one');
