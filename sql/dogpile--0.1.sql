/* sql/dogpile--0.1.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION dogpile" to load this file. \quit

--
-- How calls resolve to one of two functions with the same name
--
-- "params" is the first optional argument of all functions that take a query.
-- If it were "expiration_time", an interval given by position would silently
-- become that instead of a result type.
--
-- dogpile_set() and dogpile_add() have a form for literals and parameters of unknown
-- type besides the polymorphic one, which alone would refuse them.  Its type must be in
-- the string category, or PostgreSQL would not choose it for these, and must not be text,
-- which PostgreSQL prefers for strings of every other type, so that they would lose their
-- type.  So it is a type of our own, to which nothing else can be cast.
--
-- dogpile_invalidate(text, text) is for a key, dogpile_invalidate(text, boolean)
-- for a region.  A second argument of unknown type is a key, whatever it looks
-- like, because PostgreSQL prefers strings then.
--
-- Functions that may create, change or invalidate an entry are PARALLEL UNSAFE:
-- parallel workers share the locks of their leader, so that a creator lock
-- would not keep them apart, and cannot hand over what is to take effect at
-- COMMIT.  Functions that read are RESTRICTED, because what the transaction has
-- pending is known to the leader only.
--

--
-- Get or create
--

CREATE FUNCTION dogpile_get_or_create(
    region text,
    key text,
    query text,
    params record DEFAULT NULL,
    expiration_time interval DEFAULT NULL,
    tags text[] DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'dogpile_get_or_create_text'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_get_or_create(text, text, text, record, interval, text[])
IS 'get a cached value as text; if there is none or it is stale, let one session create it with the query';

CREATE FUNCTION dogpile_get_or_create(
    region text,
    key text,
    query text,
    result_type anyelement,
    params record DEFAULT NULL,
    expiration_time interval DEFAULT NULL,
    tags text[] DEFAULT NULL)
RETURNS anyelement
AS 'MODULE_PATHNAME', 'dogpile_get_or_create_any'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_get_or_create(text, text, text, anyelement, record, interval, text[])
IS 'get a cached value of a given type; if there is none or it is stale, let one session create it with the query';

CREATE FUNCTION dogpile_query(
    region text,
    key text,
    query text,
    params record DEFAULT NULL,
    expiration_time interval DEFAULT NULL,
    tags text[] DEFAULT NULL)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dogpile_query_record'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_query(text, text, text, record, interval, text[])
IS 'get a cached result set; if there is none or it is stale, let one session create it with the query';

CREATE FUNCTION dogpile_query(
    region text,
    key text,
    query text,
    result_type anyelement,
    params record DEFAULT NULL,
    expiration_time interval DEFAULT NULL,
    tags text[] DEFAULT NULL)
RETURNS SETOF anyelement
AS 'MODULE_PATHNAME', 'dogpile_query_any'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_query(text, text, text, anyelement, record, interval, text[])
IS 'get a cached result set with rows of a given type; if there is none or it is stale, let one session create it with the query';

--
-- Read
--

CREATE FUNCTION dogpile_get(region text, key text)
RETURNS text
AS 'MODULE_PATHNAME', 'dogpile_get_text'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION dogpile_get(text, text)
IS 'get a cached value as text, fresh or stale; NULL if there is none';

CREATE FUNCTION dogpile_get(region text, key text, result_type anyelement)
RETURNS anyelement
AS 'MODULE_PATHNAME', 'dogpile_get_any'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION dogpile_get(text, text, anyelement)
IS 'get a cached value of a given type, fresh or stale; NULL if there is none';

CREATE FUNCTION dogpile_exists(region text, key text)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION dogpile_exists(text, text)
IS 'whether a value is cached, fresh or stale, including NULL';

CREATE FUNCTION dogpile_metadata(
    region text,
    key text,
    OUT created_at timestamptz,
    OUT expires_at timestamptz,
    OUT gone_at timestamptz,
    OUT age interval,
    OUT fresh boolean,
    OUT type text,
    OUT rows bigint,
    OUT bytes bigint,
    OUT creation_time interval,
    OUT tags text[],
    OUT relations regclass[],
    OUT key_is_locked boolean)
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION dogpile_metadata(text, text)
IS 'properties of a cached value, and whether another session is creating it';

--
-- Change
--

CREATE TYPE dogpile_literal;

CREATE FUNCTION dogpile_literal_in(cstring)
RETURNS dogpile_literal
AS 'textin'
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION dogpile_literal_in(cstring)
IS 'I/O';

CREATE FUNCTION dogpile_literal_out(dogpile_literal)
RETURNS cstring
AS 'textout'
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION dogpile_literal_out(dogpile_literal)
IS 'I/O';

CREATE FUNCTION dogpile_literal_recv(internal)
RETURNS dogpile_literal
AS 'textrecv'
LANGUAGE internal STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION dogpile_literal_recv(internal)
IS 'I/O';

CREATE FUNCTION dogpile_literal_send(dogpile_literal)
RETURNS bytea
AS 'textsend'
LANGUAGE internal STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION dogpile_literal_send(dogpile_literal)
IS 'I/O';

CREATE TYPE dogpile_literal (
    INPUT = dogpile_literal_in,
    OUTPUT = dogpile_literal_out,
    RECEIVE = dogpile_literal_recv,
    SEND = dogpile_literal_send,
    LIKE = pg_catalog.text,
    CATEGORY = 'S');

COMMENT ON TYPE dogpile_literal
IS 'a literal or parameter of unknown type, as an argument of dogpile_set() and dogpile_add()';

CREATE FUNCTION dogpile_set(
    region text,
    key text,
    value dogpile_literal,
    expiration_time interval DEFAULT NULL,
    tags text[] DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'dogpile_set_literal'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_set(text, text, dogpile_literal, interval, text[])
IS 'store a text';

CREATE FUNCTION dogpile_set(
    region text,
    key text,
    value anyelement,
    expiration_time interval DEFAULT NULL,
    tags text[] DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_set(text, text, anyelement, interval, text[])
IS 'store a value';

CREATE FUNCTION dogpile_add(
    region text,
    key text,
    value dogpile_literal,
    expiration_time interval DEFAULT NULL,
    tags text[] DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'dogpile_add_literal'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_add(text, text, dogpile_literal, interval, text[])
IS 'store a text unless there is a value; return whether it was stored';

CREATE FUNCTION dogpile_add(
    region text,
    key text,
    value anyelement,
    expiration_time interval DEFAULT NULL,
    tags text[] DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_add(text, text, anyelement, interval, text[])
IS 'store a value unless there is one; return whether it was stored';

CREATE FUNCTION dogpile_increment(
    region text,
    key text,
    delta bigint DEFAULT 1,
    expiration_time interval DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_increment(text, text, bigint, interval)
IS 'add to a counter, at once, and return its value; NULL if the store does not keep it';

CREATE FUNCTION dogpile_delete(region text, key text)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_delete(text, text)
IS 'remove a cached value; return whether there was one';

CREATE FUNCTION dogpile_invalidate(region text, key text, hard boolean DEFAULT true)
RETURNS boolean
AS 'MODULE_PATHNAME', 'dogpile_invalidate_key'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_invalidate(text, text, boolean)
IS 'invalidate a cached value, or make it stale (hard => false); return whether there was one';

CREATE FUNCTION dogpile_invalidate(region text, hard boolean DEFAULT true)
RETURNS void
AS 'MODULE_PATHNAME', 'dogpile_invalidate_region'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_invalidate(text, boolean)
IS 'invalidate all values of a region, or make them stale (hard => false)';

CREATE FUNCTION dogpile_invalidate_tags(tags text[], hard boolean DEFAULT true)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_invalidate_tags(text[], boolean)
IS 'invalidate all values that carry one of the tags, or make them stale (hard => false)';

--
-- What values depend on
--

-- Called only by plans of queries that are run for regions with depends = 'auto';
-- RESTRICTED, because a parallel worker could not report what it finds.
CREATE FUNCTION dogpile_note_time(value anyelement, type oid)
RETURNS anyelement
AS 'MODULE_PATHNAME'
LANGUAGE C IMMUTABLE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION dogpile_note_time(anyelement, oid)
IS 'internal: return a text, and note whether it stands for the time, as ''now'' does';

--
-- Invalidation by the row
--

CREATE FUNCTION dogpile_watch_changes()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE;

COMMENT ON FUNCTION dogpile_watch_changes()
IS 'internal: trigger function of dogpile_watch()';

CREATE FUNCTION dogpile_watch(
    relation regclass,
    tags text,
    region text DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_watch(regclass, text, text)
IS 'invalidate the tags made of a table''s rows whenever these change';

CREATE FUNCTION dogpile_unwatch(
    relation regclass,
    tags text DEFAULT NULL,
    region text DEFAULT NULL)
RETURNS integer
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_unwatch(regclass, text, text)
IS 'undo dogpile_watch(); return the number of templates removed';

CREATE FUNCTION dogpile_watch_arguments(
    arguments bytea,
    OUT tags text,
    OUT region text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1;

COMMENT ON FUNCTION dogpile_watch_arguments(bytea)
IS 'internal: templates in pg_trigger.tgargs of a watched table';

-- A partition's trigger is its partitioned table's, and of interest only if it
-- was disabled.
CREATE VIEW dogpile_watched AS
    SELECT t.tgrelid::pg_catalog.regclass AS relation,
           a.tags,
           a.region,
           t.tgenabled = 'A' AS enabled
      FROM pg_catalog.pg_trigger AS t
     CROSS JOIN LATERAL dogpile_watch_arguments(t.tgargs) AS a
     WHERE t.tgname = 'dogpile_watch'
       AND t.tgfoid = 'dogpile_watch_changes'::pg_catalog.regproc
       AND (t.tgparentid = 0 OR t.tgenabled <> 'A');

COMMENT ON VIEW dogpile_watched
IS 'watched tables, and the templates of the tags made of their rows';

GRANT SELECT ON dogpile_watched TO PUBLIC;

--
-- Keys
--

-- STABLE because output functions of types are; nothing else depends on
-- settings.
CREATE FUNCTION dogpile_key(VARIADIC "any")
RETURNS text
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION dogpile_key("any")
IS 'make an unambiguous key from values';

--
-- Statistics
--

CREATE FUNCTION dogpile_stats(
    OUT region text,
    OUT hits bigint,
    OUT stale_hits bigint,
    OUT misses bigint,
    OUT waits bigint,
    OUT wait_time double precision,
    OUT wait_timeouts bigint,
    OUT creations bigint,
    OUT creation_time double precision,
    OUT failed_creations bigint,
    OUT time_saved double precision,
    OUT sets bigint,
    OUT invalidations bigint,
    OUT refused bigint,
    OUT too_large bigint,
    OUT unstorable bigint,
    OUT evictions bigint,
    OUT bypasses bigint,
    OUT verifications bigint,
    OUT mismatches bigint,
    OUT entries bigint,
    OUT bytes bigint,
    OUT stats_reset timestamptz,
    OUT mismatch_bound double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;

COMMENT ON FUNCTION dogpile_stats()
IS 'counters of each cache region; times in milliseconds';

CREATE VIEW dogpile_stats AS
    SELECT region,
           hits,
           stale_hits,
           misses,
           (hits + stale_hits)::double precision
               / nullif(hits + stale_hits + misses, 0) AS hit_ratio,
           waits,
           wait_time,
           wait_timeouts,
           creations,
           creation_time,
           failed_creations,
           time_saved,
           sets,
           invalidations,
           refused,
           too_large,
           unstorable,
           evictions,
           bypasses,
           verifications,
           mismatches,
           mismatch_bound,
           entries,
           bytes,
           stats_reset
      FROM dogpile_stats();

COMMENT ON VIEW dogpile_stats
IS 'counters of each cache region; times in milliseconds';

GRANT SELECT ON dogpile_stats TO PUBLIC;

CREATE FUNCTION dogpile_entries(
    OUT database oid,
    OUT region text,
    OUT key text,
    OUT variant text,
    OUT created_at timestamptz,
    OUT expires_at timestamptz,
    OUT gone_at timestamptz,
    OUT fresh boolean,
    OUT creation_time interval,
    OUT bytes bigint,
    OUT memory bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION dogpile_entries()
IS 'all entries in shared memory, of all databases and roles';

CREATE VIEW dogpile_entries AS
    SELECT d.datname AS database,
           e.region,
           e.key,
           e.variant,
           e.created_at,
           e.expires_at,
           e.gone_at,
           e.fresh,
           e.creation_time,
           e.bytes,
           e.memory
      FROM dogpile_entries() AS e
      LEFT JOIN pg_catalog.pg_database AS d ON d.oid = e.database;

COMMENT ON VIEW dogpile_entries
IS 'all entries in shared memory, of all databases and roles';

-- Keys and variants show what other roles do.
REVOKE ALL ON FUNCTION dogpile_entries() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dogpile_entries() TO pg_read_all_stats;
GRANT SELECT ON dogpile_entries TO pg_read_all_stats;

CREATE FUNCTION dogpile_reset_stats()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_reset_stats()
IS 'set the counters of all cache regions to zero';

REVOKE ALL ON FUNCTION dogpile_reset_stats() FROM PUBLIC;

-- External stores.

CREATE FUNCTION dogpile_servers(
    OUT backend text,
    OUT address text,
    OUT state text,
    OUT since timestamptz,
    OUT last_error text,
    OUT last_error_at timestamptz,
    OUT operations bigint,
    OUT failures bigint,
    OUT latency double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE;

COMMENT ON FUNCTION dogpile_servers()
IS 'state of the servers of external cache stores; latency in milliseconds';

CREATE VIEW dogpile_servers AS
    SELECT backend,
           address,
           state,
           since,
           last_error,
           last_error_at,
           operations,
           failures,
           latency
      FROM dogpile_servers();

COMMENT ON VIEW dogpile_servers
IS 'state of the servers of external cache stores; latency in milliseconds';

CREATE FUNCTION dogpile_server_stats(
    region text,
    OUT server text,
    OUT name text,
    OUT value text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_server_stats(text)
IS 'statistics that the servers of a cache region report';

-- Addresses are not shown to other roles either.
REVOKE ALL ON FUNCTION dogpile_servers() FROM PUBLIC;
REVOKE ALL ON FUNCTION dogpile_server_stats(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dogpile_servers() TO pg_read_all_stats;
GRANT EXECUTE ON FUNCTION dogpile_server_stats(text) TO pg_read_all_stats;
GRANT SELECT ON dogpile_servers TO pg_read_all_stats;

CREATE FUNCTION dogpile_flush(region text)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dogpile_flush(text)
IS 'invalidate all entries of a cache region, and delete them from its store';

REVOKE ALL ON FUNCTION dogpile_flush(text) FROM PUBLIC;
