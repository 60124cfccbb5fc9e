--
-- Row tags, made from the rows that change: dogpile_watch() and its trigger.
--

-- An entry for each user, without an automatic dependency.
CREATE FUNCTION watch_fill() RETURNS void LANGUAGE sql AS $$
  SELECT dogpile_set('reports', 'watch ' || i, 'x', tags => ARRAY['user:' || i])
    FROM generate_series(1, 4) AS i
$$;
-- Which entries are left, after which they are all there again.
CREATE FUNCTION watch_left() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  SELECT string_agg(i::text, ' ' ORDER BY i) INTO result
    FROM generate_series(1, 4) AS i WHERE dogpile_exists('reports', 'watch ' || i);
  PERFORM watch_fill();
  RETURN result;
END $$;

CREATE TABLE watch_orders (id int PRIMARY KEY, user_id int, amount numeric,
                           at timestamptz, price float8, state text);
INSERT INTO watch_orders SELECT i, i, 100 FROM generate_series(1, 3) AS i;

--
-- What is watched
--

SELECT * FROM dogpile_watched;
SELECT dogpile_watch('watch_orders', 'user:{user_id}', 'reports');
SELECT * FROM dogpile_watched;
SELECT dogpile_watch('watch_orders', 'user:{user_id}', 'reports');
SELECT dogpile_watch('watch_orders', 'user:{user_id}');
SELECT dogpile_watch('watch_orders', 'it''s \ {{{state}}} of {user_id}{id}', 'sessions');
SELECT * FROM dogpile_watched;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'watch_orders'::regclass;
SELECT dogpile_unwatch('watch_orders', 'user:{id}');
SELECT dogpile_unwatch('watch_orders', region => 'default');
SELECT dogpile_unwatch('watch_orders', region => 'sessions');
SELECT * FROM dogpile_watched;
SELECT dogpile_unwatch('watch_orders', 'user:{user_id}');
SELECT dogpile_unwatch('watch_orders');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'watch_orders'::regclass;
BEGIN;
SELECT dogpile_watch('watch_orders', 'user:{user_id}', 'reports');
SELECT dogpile_watch('watch_orders', 'order:{id}');
ROLLBACK;
SELECT * FROM dogpile_watched;
-- Names that need quotes.
CREATE SCHEMA "watch Schema";
CREATE TABLE "watch Schema"."the ""Table" ("a Column" int);
SELECT dogpile_watch('"watch Schema"."the ""Table"', 'x:{a Column}');
SELECT * FROM dogpile_watched;
SELECT dogpile_unwatch('"watch Schema"."the ""Table"');
DROP SCHEMA "watch Schema" CASCADE;
-- A trigger that was disabled is enabled again.
SELECT dogpile_watch('watch_orders', 'user:{user_id}', 'reports');
ALTER TABLE watch_orders DISABLE TRIGGER dogpile_watch;
SELECT enabled FROM dogpile_watched;
SELECT dogpile_watch('watch_orders', 'user:{user_id}', 'reports');
SELECT enabled FROM dogpile_watched;
SELECT dogpile_unwatch('watch_orders');
-- Anything can be given to the function of the view.
SELECT * FROM dogpile_watch_arguments('');
SELECT * FROM dogpile_watch_arguments('a');
SELECT * FROM dogpile_watch_arguments('a\000');
SELECT * FROM dogpile_watch_arguments('a\000b');
SELECT * FROM dogpile_watch_arguments('\000\000a\000\000b');

--
-- Errors
--

SELECT dogpile_watch(NULL, 'user:{user_id}');
SELECT dogpile_watch('watch_orders', NULL);
SELECT dogpile_unwatch(NULL);
SELECT dogpile_watch('watch_orders', 'user:{user_id}', 'nowhere');
SELECT dogpile_watch(1::regclass, 'user:{user_id}');
SELECT dogpile_unwatch(1::regclass);
-- Templates
SELECT dogpile_watch('watch_orders', '');
SELECT dogpile_watch('watch_orders', 'user');
SELECT dogpile_watch('watch_orders', 'user:{{user_id}}');
SELECT dogpile_watch('watch_orders', 'user:{user_id');
SELECT dogpile_watch('watch_orders', 'user:user_id}');
SELECT dogpile_watch('watch_orders', '}user:{user_id}');
SELECT dogpile_watch('watch_orders', 'user:{}');
SELECT dogpile_watch('watch_orders', 'user:{USER_ID}');
SELECT dogpile_watch('watch_orders', 'user:{ctid}');
SELECT dogpile_watch('watch_orders', repeat('x', 256) || '{id}');
SELECT dogpile_unwatch('watch_orders');
SELECT dogpile_watch('watch_orders', repeat('x', 257) || '{id}');
-- Types whose text is not always the same
CREATE TYPE watch_mood AS ENUM ('good', 'bad');
CREATE TABLE watch_types (a timestamptz, b float8, c bytea, d watch_mood, e int[],
                          f date, g regclass, h point, i watch_orders,
                          j text, k uuid, l numeric, m bool, n "char", o jsonb, p inet, q name);
DO $$
DECLARE
  col text;
BEGIN
  FOR col IN SELECT attname FROM pg_attribute
              WHERE attrelid = 'watch_types'::regclass AND attnum > 0 ORDER BY attnum LOOP
    BEGIN
      PERFORM dogpile_watch('watch_types', format('tag:{%s}', col));
      RAISE NOTICE '%: watched', col;
    EXCEPTION WHEN feature_not_supported THEN
      RAISE NOTICE '%', SQLERRM;
    END;
  END LOOP;
END $$;
SELECT dogpile_watch('watch_orders', 'user:{user_id} at {at}');
-- Relations
CREATE VIEW watch_view AS SELECT * FROM watch_orders;
SELECT dogpile_watch('watch_view', 'user:{user_id}');
CREATE MATERIALIZED VIEW watch_matview AS SELECT * FROM watch_orders;
SELECT dogpile_watch('watch_matview', 'user:{user_id}');
CREATE FOREIGN DATA WRAPPER watch_fdw;
CREATE SERVER watch_server FOREIGN DATA WRAPPER watch_fdw;
CREATE FOREIGN TABLE watch_foreign (user_id int) SERVER watch_server;
SELECT dogpile_watch('watch_foreign', 'user:{user_id}');
CREATE SEQUENCE watch_sequence;
SELECT dogpile_watch('watch_sequence', 'user:{last_value}');
SELECT dogpile_watch('watch_orders_pkey', 'user:{id}');
CREATE TEMP TABLE watch_temp (user_id int);
SELECT dogpile_watch('watch_temp', 'user:{user_id}');
SELECT dogpile_watch('pg_class', 'user:{relname}');
SELECT dogpile_unwatch('watch_view');
DROP FOREIGN DATA WRAPPER watch_fdw CASCADE;
DROP MATERIALIZED VIEW watch_matview;
DROP VIEW watch_view;
-- Too many
SELECT count(dogpile_watch('watch_types', repeat('x', i) || '{j}')) FROM generate_series(1, 56) AS i;
SELECT count(*) FROM dogpile_watched;
SELECT dogpile_watch('watch_types', 'one more {j}');
SELECT dogpile_unwatch('watch_types');
-- Another owner's
CREATE ROLE regress_watch_owner;
CREATE ROLE regress_watch_other;
CREATE TABLE watch_own (user_id int);
ALTER TABLE watch_own OWNER TO regress_watch_owner;
GRANT TRIGGER ON watch_own TO regress_watch_other;
SET ROLE regress_watch_other;
SELECT dogpile_watch('watch_own', 'user:{user_id}');
SELECT dogpile_unwatch('watch_own');
SET ROLE regress_watch_owner;
SELECT dogpile_watch('watch_own', 'user:{user_id}');
RESET ROLE;
SET ROLE regress_watch_other;
SELECT * FROM dogpile_watched;
RESET ROLE;
DROP TABLE watch_own;
SELECT * FROM dogpile_watched;
DROP ROLE regress_watch_owner, regress_watch_other;
-- Triggers that others have made
CREATE TRIGGER dogpile_watch BEFORE INSERT ON watch_orders
  FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT dogpile_watch('watch_orders', 'user:{user_id}');
SELECT dogpile_unwatch('watch_orders');
DROP TRIGGER dogpile_watch ON watch_orders;
CREATE TRIGGER wrong BEFORE INSERT ON watch_orders
  FOR EACH ROW EXECUTE FUNCTION dogpile_watch_changes('user:{user_id}', '');
INSERT INTO watch_orders VALUES (10, 1);
DROP TRIGGER wrong ON watch_orders;
CREATE TRIGGER wrong AFTER INSERT ON watch_orders
  EXECUTE FUNCTION dogpile_watch_changes('user:{user_id}', '');
INSERT INTO watch_orders VALUES (10, 1);
DROP TRIGGER wrong ON watch_orders;
SELECT dogpile_watch_changes();

--
-- Which tags are invalidated
--

SELECT dogpile_watch('watch_orders', 'user:{user_id}', 'reports');
SELECT watch_fill();
INSERT INTO watch_orders VALUES (4, 4, 100);
SELECT watch_left();
UPDATE watch_orders SET amount = 200 WHERE id = 2;
SELECT watch_left();
-- From one user to another
UPDATE watch_orders SET user_id = 3 WHERE id = 2;
SELECT watch_left();
DELETE FROM watch_orders WHERE id = 1;
SELECT watch_left();
-- Several rows, and none
UPDATE watch_orders SET amount = 300 WHERE id IN (2, 4);
SELECT watch_left();
UPDATE watch_orders SET amount = 300 WHERE id = 99;
SELECT watch_left();
SELECT count(*) FROM (SELECT * FROM watch_orders FOR UPDATE) AS t;
SELECT watch_left();
COPY watch_orders (id, user_id) FROM stdin;
5	1
6	2
\.
SELECT watch_left();
INSERT INTO watch_orders VALUES (6, 4) ON CONFLICT DO NOTHING;
SELECT watch_left();
INSERT INTO watch_orders VALUES (6, 4) ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id;
SELECT watch_left();
MERGE INTO watch_orders AS o USING (VALUES (5), (7)) AS v(id) ON o.id = v.id
  WHEN MATCHED THEN DELETE
  WHEN NOT MATCHED THEN INSERT (id, user_id) VALUES (v.id, 3);
SELECT watch_left();
WITH changed AS (UPDATE watch_orders SET amount = 0 WHERE id = 7 RETURNING id)
  SELECT * FROM changed;
SELECT watch_left();
-- NULL becomes nothing at all.
SELECT dogpile_set('reports', 'watch none', 'x', tags => '{user:}');
UPDATE watch_orders SET user_id = NULL WHERE id = 7;
SELECT watch_left(), dogpile_exists('reports', 'watch none');
-- Cascades
CREATE TABLE watch_users (id int PRIMARY KEY);
INSERT INTO watch_users SELECT generate_series(1, 4);
ALTER TABLE watch_orders ADD FOREIGN KEY (user_id) REFERENCES watch_users ON DELETE CASCADE;
DELETE FROM watch_users WHERE id = 4;
SELECT watch_left();
ALTER TABLE watch_orders DROP CONSTRAINT watch_orders_user_id_fkey;
DROP TABLE watch_users;
-- Under replication
SET session_replication_role = replica;
INSERT INTO watch_orders VALUES (8, 1);
RESET session_replication_role;
SELECT watch_left();

--
-- In transactions
--

BEGIN;
INSERT INTO watch_orders VALUES (9, 2);
-- At once for the transaction itself
SELECT dogpile_exists('reports', 'watch 2'), dogpile_exists('reports', 'watch 3');
ROLLBACK;
SELECT watch_left();
BEGIN;
INSERT INTO watch_orders VALUES (9, 2);
SAVEPOINT s;
INSERT INTO watch_orders VALUES (10, 3);
SELECT dogpile_exists('reports', 'watch 3');
ROLLBACK TO s;
SELECT dogpile_exists('reports', 'watch 3');
SAVEPOINT s;
DELETE FROM watch_orders WHERE id = 8;
RELEASE s;
COMMIT;
SELECT watch_left();
-- A statement that fails
INSERT INTO watch_orders VALUES (11, 3), (9, 3);
SELECT watch_left();
-- What is stored between two changes of the same tag
BEGIN;
INSERT INTO watch_orders VALUES (11, 3);
SELECT dogpile_set('reports', 'watch 3', 'between', tags => '{user:3}');
SELECT dogpile_get('reports', 'watch 3');
UPDATE watch_orders SET amount = 1 WHERE id = 11;
SELECT dogpile_get('reports', 'watch 3');
COMMIT;
SELECT watch_left();
-- ... of one statement
CREATE FUNCTION watch_store() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_set('reports', 'watch 3', NEW.id::text, tags => '{user:3}');
  RETURN NULL;
END $$;
CREATE TRIGGER a_store AFTER UPDATE ON watch_orders FOR EACH ROW EXECUTE FUNCTION watch_store();
UPDATE watch_orders SET amount = 2 WHERE user_id = 3;
SELECT dogpile_get('reports', 'watch 3');
DROP TRIGGER a_store ON watch_orders;
CREATE TRIGGER z_store AFTER UPDATE ON watch_orders FOR EACH ROW EXECUTE FUNCTION watch_store();
UPDATE watch_orders SET amount = 2 WHERE user_id = 3 AND id = 11;
SELECT dogpile_get('reports', 'watch 3');
DROP TRIGGER z_store ON watch_orders;
CREATE TRIGGER z_store AFTER INSERT ON watch_orders FOR EACH ROW
  WHEN (NEW.id = 21) EXECUTE FUNCTION watch_store();
INSERT INTO watch_orders SELECT i, 3 FROM generate_series(20, 23) AS i;
SELECT dogpile_get('reports', 'watch 3');
DROP TRIGGER z_store ON watch_orders;
SELECT watch_fill();
-- Nothing to announce or to be refused without a change.
BEGIN;
UPDATE watch_orders SET amount = 2 WHERE id = 99;
PREPARE TRANSACTION 'watch';
COMMIT PREPARED 'watch';
BEGIN;
UPDATE watch_orders SET amount = 2 WHERE id = 9;
PREPARE TRANSACTION 'watch';

--
-- Templates
--

SELECT dogpile_unwatch('watch_orders');
SELECT dogpile_watch('watch_orders', '{{{state}}}:{user_id}{id}');
SELECT dogpile_watch('watch_orders', '{{{state}}}:{user_id}{id}', 'sessions');
SELECT dogpile_watch('watch_orders', '{state}');
CREATE FUNCTION watch_try(tag text, command text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_set('reports', 'watch try', 'x', tags => ARRAY[tag]);
  EXECUTE command;
  RETURN NOT dogpile_exists('reports', 'watch try');
END $$;
SELECT watch_try('{new}:21', 'UPDATE watch_orders SET id = 1, user_id = 2, state = ''new'' WHERE id = 9');
SELECT watch_try('{new}:21', 'UPDATE watch_orders SET state = ''old'' WHERE id = 1');
SELECT watch_try('{new}:21', 'UPDATE watch_orders SET state = ''older'' WHERE id = 1');
SELECT watch_try('{}:1000', 'INSERT INTO watch_orders VALUES (1000)');
SELECT watch_try('', 'DELETE FROM watch_orders WHERE id = 1000');
SELECT watch_try('new', 'UPDATE watch_orders SET state = ''new'' WHERE id = 1');
-- A tag that is longer than any that an entry can have
SELECT watch_try(repeat('x', 256), 'UPDATE watch_orders SET state = repeat(''x'', 257) WHERE id = 1');
SELECT watch_try(repeat('x', 256), 'UPDATE watch_orders SET state = repeat(''x'', 256) WHERE id = 1');
SELECT watch_try(repeat('x', 256), 'UPDATE watch_orders SET state = repeat(''x'', 100000) WHERE id = 1');
SELECT watch_try('y', 'UPDATE watch_orders SET state = ''y'' WHERE id = 1');
SELECT dogpile_unwatch('watch_orders');

--
-- Columns that are renamed, altered or dropped: the statement succeeds.
--

SELECT dogpile_watch('watch_orders', 'user:{user_id}');
SELECT dogpile_watch('watch_orders', 'order:{id}');
ALTER TABLE watch_types DROP i;
ALTER TABLE watch_orders RENAME user_id TO customer;
UPDATE watch_orders SET amount = 3 WHERE customer = 3;
SELECT watch_try('order:1', 'UPDATE watch_orders SET amount = 4 WHERE id = 1');
ALTER TABLE watch_orders RENAME customer TO user_id;
SELECT watch_try('user:3', 'UPDATE watch_orders SET amount = 3 WHERE user_id = 3');
ALTER TABLE watch_orders ALTER user_id TYPE float8;
UPDATE watch_orders SET amount = 3 WHERE user_id = 3;
ALTER TABLE watch_orders ALTER user_id TYPE text;
SELECT watch_try('user:3', 'UPDATE watch_orders SET amount = 3 WHERE user_id = ''3''');
ALTER TABLE watch_orders DROP user_id;
DELETE FROM watch_orders WHERE id = 1;
SELECT dogpile_unwatch('watch_orders', 'user:{user_id}');
SELECT watch_try('order:11', 'DELETE FROM watch_orders');
SELECT dogpile_unwatch('watch_orders');
-- A trigger with arguments that dogpile_watch() would not give it
CREATE TRIGGER dogpile_watch AFTER INSERT ON watch_orders
  FOR EACH ROW EXECUTE FUNCTION dogpile_watch_changes('order:{', '', 'order:{id}');
SELECT watch_try('order:1', 'INSERT INTO watch_orders VALUES (1)');
SELECT * FROM dogpile_watched;
DROP TABLE watch_orders, watch_types;
DROP TYPE watch_mood;

--
-- Partitions
--

CREATE TABLE watch_parts (user_id int, amount int) PARTITION BY RANGE (amount);
CREATE TABLE watch_parts_1 PARTITION OF watch_parts FOR VALUES FROM (0) TO (100);
CREATE TABLE watch_parts_2 PARTITION OF watch_parts FOR VALUES FROM (100) TO (200) PARTITION BY LIST (user_id);
CREATE TABLE watch_parts_2a PARTITION OF watch_parts_2 DEFAULT;
-- Columns in another order
CREATE TABLE watch_parts_3 (amount int, gone int, user_id int);
ALTER TABLE watch_parts_3 DROP gone;
SELECT dogpile_watch('watch_parts_1', 'user:{user_id}', 'reports');
SELECT dogpile_watch('watch_parts', 'user:{user_id}', 'reports');
SELECT dogpile_unwatch('watch_parts_1');
SELECT dogpile_watch('watch_parts', 'other:{amount}');
SELECT dogpile_watch('watch_parts', 'user:{user_id}', 'reports');
ALTER TABLE watch_parts ATTACH PARTITION watch_parts_3 FOR VALUES FROM (200) TO (300);
CREATE TABLE watch_parts_4 PARTITION OF watch_parts FOR VALUES FROM (300) TO (400);
SELECT * FROM dogpile_watched;
SELECT tgrelid::regclass, tgenabled, tgnargs, tgparentid <> 0 AS is_clone
  FROM pg_trigger WHERE tgname = 'dogpile_watch' ORDER BY tgrelid::regclass::text;
SELECT watch_fill();
INSERT INTO watch_parts VALUES (1, 50), (2, 250);
SELECT watch_left();
INSERT INTO watch_parts_2 VALUES (3, 150);
SELECT watch_left();
INSERT INTO watch_parts_3 VALUES (250, 4);
SELECT watch_left();
-- Into another partition, and to another user
UPDATE watch_parts SET amount = 350 WHERE user_id = 1;
SELECT watch_left();
UPDATE watch_parts SET amount = 10, user_id = 1 WHERE user_id = 2;
SELECT watch_left();
SET session_replication_role = replica;
DELETE FROM watch_parts_2a;
RESET session_replication_role;
SELECT watch_left();
-- A partition is watched with its table, or by itself once it is detached.
SELECT dogpile_watch('watch_parts_1', 'user:{user_id}');
SELECT dogpile_unwatch('watch_parts_1');
ALTER TABLE watch_parts_1 DISABLE TRIGGER dogpile_watch;
SELECT * FROM dogpile_watched;
SELECT dogpile_watch('watch_parts', 'more:{amount}');
SELECT * FROM dogpile_watched;
ALTER TABLE watch_parts DETACH PARTITION watch_parts_1;
INSERT INTO watch_parts_1 VALUES (1, 1);
SELECT watch_left();
SELECT dogpile_watch('watch_parts_1', 'user:{user_id}');
ALTER TABLE watch_parts ATTACH PARTITION watch_parts_1 FOR VALUES FROM (0) TO (100);
SELECT dogpile_unwatch('watch_parts');
SELECT * FROM dogpile_watched;
DROP TABLE watch_parts, watch_parts_1;

DROP FUNCTION watch_try, watch_left, watch_fill, watch_store;

--
-- Entries that know the tables that they depend on
--

CREATE TABLE watch_orders (id int PRIMARY KEY, user_id int, amount int);
INSERT INTO watch_orders SELECT i, i % 3, i FROM generate_series(1, 9) AS i;
CREATE TABLE watch_users (id int PRIMARY KEY, name text);
INSERT INTO watch_users SELECT i, 'user ' || i FROM generate_series(0, 2) AS i;
-- Users 0, 1, and 2; one by another name, the sum of all; one that reads more.
CREATE FUNCTION watch_fill(region text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_get_or_create(region, 'user ' || i, 'SELECT sum(amount) FROM watch_orders WHERE user_id = $1',
                                params => ROW(i), tags => ARRAY['user:' || i])
    FROM generate_series(0, 2) AS i;
  PERFORM dogpile_get_or_create(region, 'mine', 'SELECT sum(amount) FROM watch_orders WHERE user_id = 1',
                                tags => '{mine}');
  PERFORM dogpile_get_or_create(region, 'all', 'SELECT sum(amount) FROM watch_orders');
  PERFORM dogpile_get_or_create(region, 'named', 'SELECT name || sum(amount) FROM watch_orders AS o JOIN watch_users AS u
                                                   ON u.id = o.user_id WHERE u.id = 1 GROUP BY name',
                                tags => '{user:1,named}');
END $$;
CREATE FUNCTION watch_left(region text DEFAULT 'auto') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  SELECT coalesce(string_agg(key, ', ' ORDER BY key), 'none') INTO result
    FROM unnest(ARRAY['user 0', 'user 1', 'user 2', 'mine', 'all', 'named']) AS key
   WHERE dogpile_exists(region, key);
  PERFORM watch_fill(region);
  RETURN result;
END $$;
SELECT watch_left();
SELECT watch_left();
UPDATE watch_orders SET amount = 100 WHERE id = 1;
SELECT watch_left();
SELECT dogpile_watch('watch_orders', 'user:{user_id}', 'auto');
SELECT watch_left();
UPDATE watch_orders SET amount = 101 WHERE id = 1;
SELECT watch_left();
UPDATE watch_orders SET user_id = 2 WHERE id = 1;
SELECT watch_left();
INSERT INTO watch_orders VALUES (10, 7, 1);
SELECT watch_left();
UPDATE watch_orders SET user_id = NULL WHERE id = 2;
SELECT watch_left();
DELETE FROM watch_orders WHERE id = 3;
SELECT watch_left();
COPY watch_orders FROM stdin;
11	0	1
12	2	1
\.
SELECT watch_left();
UPDATE watch_orders SET amount = 1 WHERE id = 99;
SELECT watch_left();
-- Another table that is read counts as ever.
UPDATE watch_users SET name = 'X' WHERE id = 2;
SELECT watch_left();
-- Replication
SET session_replication_role = replica;
UPDATE watch_orders SET amount = 102 WHERE user_id = 2;
RESET session_replication_role;
SELECT watch_left();
-- Changes that are rolled back, all of them or some
BEGIN;
UPDATE watch_orders SET amount = 103 WHERE user_id = 2;
ROLLBACK;
SELECT watch_left();
BEGIN;
UPDATE watch_orders SET amount = 103 WHERE user_id = 2;
SAVEPOINT s;
UPDATE watch_orders SET amount = 103 WHERE user_id = 1;
ROLLBACK TO s;
SAVEPOINT s;
UPDATE watch_orders SET amount = 103 WHERE user_id = 0;
RELEASE s;
COMMIT;
SELECT watch_left();
-- The transaction's own
BEGIN;
UPDATE watch_orders SET amount = 104 WHERE user_id = 2;
SELECT dogpile_exists('auto', 'user ' || i) FROM generate_series(0, 2) AS i;
SELECT dogpile_get_or_create('auto', 'user 2', 'SELECT sum(amount) FROM watch_orders WHERE user_id = 2',
                             tags => '{user:2}') = sum(amount)::text AS is_right
  FROM watch_orders WHERE user_id = 2;
ROLLBACK;
SELECT dogpile_get_or_create('auto', 'user 2', 'SELECT sum(amount) FROM watch_orders WHERE user_id = 2',
                             tags => '{user:2}') = sum(amount)::text AS is_right
  FROM watch_orders WHERE user_id = 2;
-- A row that is changed several times in one statement or transaction
WITH changed AS (UPDATE watch_orders SET amount = 105 WHERE user_id = 1 RETURNING *)
  INSERT INTO watch_orders SELECT id + 100, user_id, amount FROM changed;
SELECT watch_left();
BEGIN;
INSERT INTO watch_orders VALUES (200, 0, 1);
UPDATE watch_orders SET amount = 2 WHERE id = 200;
DELETE FROM watch_orders WHERE id = 200;
COMMIT;
SELECT watch_left();
-- Conflicts
INSERT INTO watch_orders VALUES (4, 1, 1) ON CONFLICT DO NOTHING;
SELECT watch_left();
INSERT INTO watch_orders VALUES (4, 1, 1) ON CONFLICT (id) DO UPDATE SET amount = 0;
SELECT watch_left();
-- Foreign keys
ALTER TABLE watch_orders ADD FOREIGN KEY (user_id) REFERENCES watch_users ON DELETE CASCADE NOT VALID;
SELECT watch_left();
UPDATE watch_users SET name = 'Y' WHERE id = 2;
SELECT watch_left();
DELETE FROM watch_users WHERE id = 2;
SELECT watch_left();
ALTER TABLE watch_orders DROP CONSTRAINT watch_orders_user_id_fkey;
SELECT watch_left();

--
-- Changes that the trigger does not see invalidate all.
--

-- Not a row that another trigger has kept from being changed: none was.
CREATE FUNCTION watch_skip() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RETURN NULL;
END $$;
CREATE TRIGGER skip BEFORE UPDATE ON watch_orders FOR EACH ROW EXECUTE FUNCTION watch_skip();
SELECT watch_left();
UPDATE watch_orders SET amount = 3 WHERE id = 7;
SELECT watch_left();
DROP TRIGGER skip ON watch_orders;
SELECT watch_left();
BEGIN;
UPDATE watch_orders SET amount = 3 WHERE id = 7;
TRUNCATE watch_users;
COMMIT;
SELECT watch_left();
CREATE TABLE watch_copy AS SELECT * FROM watch_orders;
TRUNCATE watch_orders;
SELECT watch_left();
INSERT INTO watch_orders SELECT * FROM watch_copy;
SELECT watch_left();
ALTER TABLE watch_orders DISABLE TRIGGER dogpile_watch;
SELECT watch_left();
UPDATE watch_orders SET amount = 4 WHERE id = 7;
SELECT watch_left();
ALTER TABLE watch_orders ENABLE TRIGGER dogpile_watch;
SELECT watch_left();
-- It is not enabled ALWAYS.
UPDATE watch_orders SET amount = 5 WHERE id = 7;
SELECT watch_left();
ALTER TABLE watch_orders ENABLE ALWAYS TRIGGER dogpile_watch;
SELECT watch_left();
UPDATE watch_orders SET amount = 6 WHERE id = 7;
SELECT watch_left();
-- It can make no tags any more, while an entry relies on it.
ALTER TABLE watch_orders RENAME user_id TO customer;
SELECT dogpile_get_or_create('auto', 'user 0', 'SELECT count(*) > 0 FROM watch_orders WHERE customer = 0',
                             tags => '{user:0}');
UPDATE watch_orders SET amount = 7 WHERE id = 7;
SELECT dogpile_exists('auto', 'user 0');
ALTER TABLE watch_orders RENAME customer TO user_id;
SELECT watch_left();
-- A trigger that sees some of the changes only
SELECT dogpile_unwatch('watch_orders');
SELECT watch_left();
UPDATE watch_orders SET amount = 8 WHERE id = 7;
SELECT watch_left();
CREATE TRIGGER dogpile_watch AFTER INSERT OR UPDATE OR DELETE ON watch_orders
  FOR EACH ROW WHEN (pg_trigger_depth() > 9)
  EXECUTE FUNCTION dogpile_watch_changes('user:{user_id}', '');
ALTER TABLE watch_orders ENABLE ALWAYS TRIGGER dogpile_watch;
SELECT watch_left();
UPDATE watch_orders SET amount = 9 WHERE id = 7;
SELECT watch_left();
DROP TRIGGER dogpile_watch ON watch_orders;
CREATE TRIGGER dogpile_watch AFTER INSERT OR UPDATE OR DELETE ON watch_orders
  FOR EACH ROW EXECUTE FUNCTION dogpile_watch_changes('user:{user_id}', '');
ALTER TABLE watch_orders ENABLE ALWAYS TRIGGER dogpile_watch;
CREATE TRIGGER second AFTER INSERT OR UPDATE OR DELETE ON watch_orders
  FOR EACH ROW EXECUTE FUNCTION dogpile_watch_changes('user:{user_id}', '');
SELECT watch_left();
UPDATE watch_orders SET amount = 10 WHERE id = 7;
SELECT watch_left();
DROP TRIGGER second ON watch_orders;
SELECT dogpile_unwatch('watch_orders');

--
-- Which tags a template could have made, and for which region
--

CREATE PROCEDURE watch_covers(template text, tag text, region text DEFAULT NULL)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_unwatch('watch_orders'), dogpile_watch('watch_orders', template, region);
  COMMIT;
  PERFORM dogpile_get_or_create('auto', 'covered', 'SELECT sum(amount) FROM watch_orders', tags => ARRAY[tag]);
  COMMIT;
  UPDATE watch_orders SET amount = amount + 1 WHERE id = 7;
  COMMIT;
  RAISE NOTICE '% %: %', template, tag, dogpile_exists('auto', 'covered');
END $$;
CALL watch_covers('user:{user_id}', 'user:42');
CALL watch_covers('user:{user_id}', 'user:');
CALL watch_covers('user:{user_id}', 'user');
CALL watch_covers('user:{user_id}', 'User:42');
CALL watch_covers('user:{user_id}', 'a user:42');
CALL watch_covers('user:{user_id}', 'user:42', 'auto');
CALL watch_covers('user:{user_id}', 'user:42', 'reports');
CALL watch_covers('{user_id}', 'whatever');
CALL watch_covers('{user_id}', '');
CALL watch_covers('{{{user_id}}}', '{42}');
CALL watch_covers('{{{user_id}}}', '42');
CALL watch_covers('{{{user_id}}}', '{}');
CALL watch_covers('{{{user_id}}}', '{');
CALL watch_covers('{user_id} of {id}', '1 of 2');
CALL watch_covers('{user_id} of {id}', '1 of');
CALL watch_covers('{user_id} of {id}', ' of ');
CALL watch_covers('{user_id}{id}', 'x');
CALL watch_covers('a{user_id}ab{id}ab', 'aab');
CALL watch_covers('a{user_id}ab{id}ab', 'aabab');
CALL watch_covers('a{user_id}ab{id}ab', 'axabxabxab');
CALL watch_covers('a{user_id}ab{id}ab', 'axabxabxabx');
CALL watch_covers('a{user_id}ab{id}ab', 'aaaab');
-- That of the row itself
CALL watch_covers('user:{user_id}', 'user:1');

--
-- Partitions, together and one by one
--

CREATE TABLE watch_parts (user_id int, amount int) PARTITION BY RANGE (amount);
CREATE TABLE watch_parts_1 PARTITION OF watch_parts FOR VALUES FROM (0) TO (100);
CREATE TABLE watch_parts_2 PARTITION OF watch_parts FOR VALUES FROM (100) TO (200);
INSERT INTO watch_parts SELECT i % 3, i FROM generate_series(0, 150) AS i;
CREATE OR REPLACE FUNCTION watch_fill(region text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_get_or_create(region, 'user ' || i, 'SELECT sum(amount) FROM watch_parts WHERE user_id = $1',
                                params => ROW(i), tags => ARRAY['user:' || i])
    FROM generate_series(0, 2) AS i;
  PERFORM dogpile_get_or_create(region, 'all', 'SELECT sum(amount) FROM watch_parts');
END $$;
SELECT dogpile_invalidate('auto');
SELECT dogpile_watch('watch_parts', 'user:{user_id}', 'auto');
SELECT watch_fill('auto');
INSERT INTO watch_parts VALUES (1, 1);
SELECT watch_left();
UPDATE watch_parts_2 SET user_id = 2 WHERE amount = 102;
SELECT watch_left();
UPDATE watch_parts SET amount = 199 WHERE amount = 1;
SELECT watch_left();
CREATE TABLE watch_parts_3 (LIKE watch_parts);
INSERT INTO watch_parts_3 VALUES (1, 250);
ALTER TABLE watch_parts ATTACH PARTITION watch_parts_3 FOR VALUES FROM (200) TO (300);
SELECT watch_left();
UPDATE watch_parts SET amount = 251 WHERE amount = 250;
SELECT watch_left();
ALTER TABLE watch_parts_2 DISABLE TRIGGER dogpile_watch;
SELECT watch_left();
UPDATE watch_parts_1 SET amount = 5 WHERE amount = 6;
SELECT watch_left();
UPDATE watch_parts_2 SET amount = 105 WHERE amount = 106;
SELECT watch_left();
ALTER TABLE watch_parts DETACH PARTITION watch_parts_3;
SELECT watch_left();
TRUNCATE watch_parts_1;
SELECT watch_left();

DROP TABLE watch_parts, watch_parts_3, watch_orders, watch_users, watch_copy;
DROP PROCEDURE watch_covers;
DROP FUNCTION watch_left, watch_fill, watch_skip;
