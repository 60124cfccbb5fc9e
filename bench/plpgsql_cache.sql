-- bench/plpgsql_cache.sql
--
-- What one would write by hand: a cache with an expiration time in an UNLOGGED
-- table.  On a hit it is one lookup by primary key.  Otherwise one session
-- creates the value under an advisory lock; the others get the stale value if
-- there is one, else they wait and look again.

CREATE UNLOGGED TABLE plpgsql_cache (
    key text PRIMARY KEY,
    value text,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE FUNCTION plpgsql_get_or_create(
    key text,
    query text,
    expiration_time interval DEFAULT '1 hour')
RETURNS text
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    lock_id bigint;
    entry record;
    result text;
BEGIN
    SELECT value, expires_at INTO entry FROM plpgsql_cache WHERE key = $1;
    IF FOUND AND entry.expires_at > clock_timestamp() THEN
        RETURN entry.value;
    END IF;

    lock_id := hashtextextended($1, 0);
    IF NOT pg_try_advisory_xact_lock(lock_id) THEN
        IF entry.expires_at IS NOT NULL THEN
            RETURN entry.value;
        END IF;
        PERFORM pg_advisory_xact_lock(lock_id);
    END IF;

    -- Somebody may have been faster.
    SELECT value, expires_at INTO entry FROM plpgsql_cache WHERE key = $1;
    IF FOUND AND entry.expires_at > clock_timestamp() THEN
        RETURN entry.value;
    END IF;

    EXECUTE query INTO result;
    INSERT INTO plpgsql_cache
        VALUES ($1, result, clock_timestamp() + expiration_time)
        ON CONFLICT (key) DO UPDATE
            SET value = excluded.value, expires_at = excluded.expires_at;
    RETURN result;
END;
$$;
