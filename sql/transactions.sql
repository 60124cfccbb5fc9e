--
-- What a transaction sees of its own changes, and what is left of them.
-- test/isolation has what others see meanwhile.
--

CREATE FUNCTION compute(value anyelement) RETURNS anyelement
LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE 'computing %', value;
  RETURN value;
END $$;
-- Creator locks of this session: advisory locks of a class of their own.
CREATE VIEW tx_creator_locks AS
  SELECT count(*) AS creator_locks FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 208 AND pid = pg_backend_pid();
CREATE TABLE tx_items (id int PRIMARY KEY, price int);
INSERT INTO tx_items VALUES (1, 10);

--
-- Sets, deletes and invalidations: at once for the transaction, and for good
-- at COMMIT.
--

BEGIN;
SELECT dogpile_set('reports', 'tx set', 'new');
SELECT dogpile_get('reports', 'tx set');
ROLLBACK;
SELECT dogpile_exists('reports', 'tx set');
BEGIN;
SELECT dogpile_set('reports', 'tx set', 'new');
SELECT dogpile_set('reports', 'tx set', 'newer');
COMMIT;
SELECT dogpile_get('reports', 'tx set');
BEGIN;
SELECT dogpile_set('reports', 'tx set', 'newest');
SELECT dogpile_get('reports', 'tx set');
ROLLBACK;
SELECT dogpile_get('reports', 'tx set');

BEGIN;
SELECT dogpile_delete('reports', 'tx set');
SELECT dogpile_exists('reports', 'tx set');
-- It is gone for the transaction, so there is nothing to delete.
SELECT dogpile_delete('reports', 'tx set');
ROLLBACK;
SELECT dogpile_get('reports', 'tx set');
BEGIN;
SELECT dogpile_invalidate('reports', 'tx set');
SELECT dogpile_exists('reports', 'tx set');
ROLLBACK;
SELECT dogpile_get('reports', 'tx set');
BEGIN;
SELECT dogpile_invalidate('reports', 'tx set', hard => false);
SELECT dogpile_get('reports', 'tx set'), fresh FROM dogpile_metadata('reports', 'tx set');
ROLLBACK;
SELECT fresh FROM dogpile_metadata('reports', 'tx set');
BEGIN;
SELECT dogpile_invalidate('reports');
SELECT dogpile_exists('reports', 'tx set');
ROLLBACK;
SELECT dogpile_exists('reports', 'tx set');
BEGIN;
SELECT dogpile_invalidate('reports', hard => false);
SELECT fresh FROM dogpile_metadata('reports', 'tx set');
ROLLBACK;
SELECT fresh FROM dogpile_metadata('reports', 'tx set');
BEGIN;
SELECT dogpile_set('reports', 'tx tag', 'x', tags => '{tx}');
COMMIT;
BEGIN;
SELECT dogpile_invalidate_tags('{tx}');
SELECT dogpile_exists('reports', 'tx tag');
ROLLBACK;
SELECT dogpile_exists('reports', 'tx tag');
BEGIN;
SELECT dogpile_add('reports', 'tx add', 'x'), dogpile_add('reports', 'tx add', 'y');
ROLLBACK;
SELECT dogpile_add('reports', 'tx add', 'z');
SELECT dogpile_get('reports', 'tx add');

-- The order of changes within a transaction counts.
BEGIN;
SELECT dogpile_set('reports', 'tx order 1', 'x'), dogpile_delete('reports', 'tx order 1');
SELECT dogpile_delete('reports', 'tx order 2'), dogpile_set('reports', 'tx order 2', 'x');
SELECT dogpile_set('reports', 'tx order 3', 'x'), dogpile_invalidate('reports', 'tx order 3', false);
SELECT dogpile_invalidate('reports', 'tx order 4', false), dogpile_set('reports', 'tx order 4', 'x');
SELECT dogpile_set('reports', 'tx order 5', 'x', tags => '{tx}'), dogpile_invalidate_tags('{tx}');
SELECT dogpile_invalidate_tags('{tx}'), dogpile_set('reports', 'tx order 6', 'x', tags => '{tx}');
SELECT dogpile_set('sessions', 'tx order 7', 'x'), dogpile_invalidate('sessions');
SELECT dogpile_invalidate('sessions'), dogpile_set('sessions', 'tx order 8', 'x');
SELECT r, i, fresh FROM generate_series(1, 8) AS i,
       LATERAL (SELECT CASE WHEN i < 7 THEN 'reports' ELSE 'sessions' END) AS t(r),
       dogpile_metadata(r, 'tx order ' || i);
COMMIT;
SELECT r, i, fresh FROM generate_series(1, 8) AS i,
       LATERAL (SELECT CASE WHEN i < 7 THEN 'reports' ELSE 'sessions' END) AS t(r),
       dogpile_metadata(r, 'tx order ' || i);
-- Several times over.
BEGIN;
SELECT dogpile_set('reports', 'tx order', i), dogpile_delete('reports', 'tx order')
  FROM generate_series(1, 3) AS i;
SELECT dogpile_set('reports', 'tx order', 4);
COMMIT;
SELECT dogpile_get('reports', 'tx order');
-- Set, softly invalidated, set again: fresh.
BEGIN;
SELECT dogpile_set('reports', 'tx order', 5), dogpile_invalidate('reports', 'tx order', false);
SELECT dogpile_set('reports', 'tx order', 6);
COMMIT;
SELECT dogpile_get('reports', 'tx order'), fresh FROM dogpile_metadata('reports', 'tx order');
-- Invalidated, set, softly invalidated: the old value must not come back.
BEGIN;
SELECT dogpile_invalidate('reports', 'tx order'), dogpile_set('reports', 'tx order', 7),
       dogpile_invalidate('reports', 'tx order', false);
SELECT dogpile_get('reports', 'tx order'), fresh FROM dogpile_metadata('reports', 'tx order');
COMMIT;
SELECT dogpile_get('reports', 'tx order') IS DISTINCT FROM '6' AS not_revived,
       fresh IS NOT TRUE AS not_fresh FROM dogpile_metadata('reports', 'tx order');

-- A value that is set and cannot be stored, or is not valid any more at COMMIT,
-- takes the place of what was there all the same.
SELECT dogpile_set('sessions', 'tx lost 1', 'old'), dogpile_set('sessions', 'tx lost 2', 'old');
SELECT dogpile_set('sessions', 'tx lost 1', repeat('x', 60000000));
BEGIN;
SELECT dogpile_set('sessions', 'tx lost 2', 'new', tags => '{tx}'), dogpile_invalidate_tags('{tx}');
COMMIT;
SELECT dogpile_get('sessions', 'tx lost 1') IS NULL AS gone,
       dogpile_get('sessions', 'tx lost 2') IS NULL AS gone;
SELECT dogpile_get_or_create('sessions', 'tx lost 3', 'SELECT ''old''::text');
SELECT dogpile_set('sessions', 'tx lost 3', repeat('x', 60000000));
SELECT dogpile_get('sessions', 'tx lost 3') IS NULL AS gone;
--
-- Savepoints
--

SELECT dogpile_set('reports', 'tx save', 'before');
BEGIN;
SELECT dogpile_set('reports', 'tx save', 'one');
SAVEPOINT a;
SELECT dogpile_set('reports', 'tx save', 'two');
SAVEPOINT b;
SELECT dogpile_delete('reports', 'tx save');
SELECT dogpile_exists('reports', 'tx save');
ROLLBACK TO b;
SELECT dogpile_get('reports', 'tx save');
RELEASE b;
ROLLBACK TO a;
SELECT dogpile_get('reports', 'tx save');
-- What was done in a released savepoint belongs to the outer transaction.
SAVEPOINT c;
SAVEPOINT d;
SELECT dogpile_set('reports', 'tx save', 'three');
RELEASE d;
ROLLBACK TO c;
SELECT dogpile_get('reports', 'tx save');
SAVEPOINT e;
SELECT dogpile_set('reports', 'tx save 2', 'released');
RELEASE e;
COMMIT;
SELECT dogpile_get('reports', 'tx save'), dogpile_get('reports', 'tx save 2');
-- An invalidation that was rolled back has no effect.
BEGIN;
SAVEPOINT a;
SELECT dogpile_invalidate('reports', 'tx save'), dogpile_invalidate('reports'),
       dogpile_invalidate_tags('{tx}');
SELECT dogpile_exists('reports', 'tx save');
ROLLBACK TO a;
SELECT dogpile_get('reports', 'tx save');
COMMIT;
SELECT dogpile_get('reports', 'tx save');
-- Blocks that catch errors are savepoints.
DO $$
BEGIN
  PERFORM dogpile_set('reports', 'tx save', 'outer');
  BEGIN
    PERFORM dogpile_set('reports', 'tx save', 'inner');
    PERFORM dogpile_delete('reports', 'tx save 2');
    PERFORM 1/0;
  EXCEPTION WHEN division_by_zero THEN
    RAISE NOTICE '%, %', dogpile_get('reports', 'tx save'), dogpile_get('reports', 'tx save 2');
  END;
END $$;
SELECT dogpile_get('reports', 'tx save'), dogpile_get('reports', 'tx save 2');
-- A creator that fails in one leaves nothing behind, nor does it stay locked.
DO $$
BEGIN
  PERFORM dogpile_get_or_create('reports', 'tx caught', 'SELECT 1/0');
EXCEPTION WHEN division_by_zero THEN
  RAISE NOTICE '%', dogpile_get_or_create('reports', 'tx caught', 'SELECT compute(1)');
END $$;
SELECT dogpile_get('reports', 'tx caught');
SELECT * FROM tx_creator_locks;
-- Many.
BEGIN;
DO $$
BEGIN
  FOR i IN 1..1000 LOOP
    BEGIN
      PERFORM dogpile_set('reports', 'tx many', i), dogpile_invalidate_tags(ARRAY['tx ' || i]);
      IF i % 10 <> 0 THEN
        RAISE division_by_zero;
      END IF;
    EXCEPTION WHEN division_by_zero THEN
    END;
  END LOOP;
END $$;
SELECT dogpile_get('reports', 'tx many');
ROLLBACK;
SELECT dogpile_exists('reports', 'tx many');

--
-- Values that are computed by a transaction that has written
--

-- Published at COMMIT, and never if there is none.
BEGIN;
INSERT INTO tx_items VALUES (2, 20);
SELECT dogpile_get_or_create('reports', 'tx sum', 'SELECT compute(sum(price)) FROM tx_items', 0::bigint);
-- The transaction itself computes it once.
SELECT dogpile_get_or_create('reports', 'tx sum', 'SELECT compute(sum(price)) FROM tx_items', 0::bigint);
-- No session has to wait for it.
SELECT * FROM tx_creator_locks;
ROLLBACK;
SELECT dogpile_exists('reports', 'tx sum');
BEGIN;
INSERT INTO tx_items VALUES (2, 20);
SELECT dogpile_get_or_create('reports', 'tx sum', 'SELECT compute(sum(price)) FROM tx_items', 0::bigint);
COMMIT;
SELECT dogpile_get_or_create('reports', 'tx sum', 'SELECT compute(sum(price)) FROM tx_items', 0::bigint);
-- After a rollback to a savepoint before the value.
BEGIN;
SELECT dogpile_invalidate('reports', 'tx sum');
SAVEPOINT a;
INSERT INTO tx_items VALUES (3, 30);
SELECT dogpile_get_or_create('reports', 'tx sum', 'SELECT compute(sum(price)) FROM tx_items', 0::bigint);
ROLLBACK TO a;
SELECT dogpile_get_or_create('reports', 'tx sum', 'SELECT compute(sum(price)) FROM tx_items', 0::bigint);
COMMIT;
SELECT dogpile_get('reports', 'tx sum');
-- Computed before and after the transaction's own invalidation: only the
-- latter is right.
BEGIN;
UPDATE tx_items SET price = 100 WHERE id = 1;
SELECT dogpile_get_or_create('reports', 'tx before', 'SELECT compute(sum(price)) FROM tx_items', 0::bigint);
UPDATE tx_items SET price = 200 WHERE id = 1;
SELECT dogpile_invalidate('reports', 'tx before'), dogpile_invalidate('reports', 'tx sum');
SELECT dogpile_get_or_create('reports', 'tx sum', 'SELECT compute(sum(price)) FROM tx_items', 0::bigint);
COMMIT;
SELECT dogpile_exists('reports', 'tx before'), dogpile_get('reports', 'tx sum');
-- A query that writes itself: its effects are those of one creation, and no other session
-- repeats them before it is known whether they last.
CREATE TABLE tx_log (message text);
CREATE FUNCTION tx_logged(value int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tx_log VALUES ('computed ' || value);
  RETURN value;
END $$;
BEGIN;
SELECT dogpile_get_or_create('reports', 'tx log', 'SELECT tx_logged(1)');
SELECT * FROM tx_creator_locks;
SELECT dogpile_get_or_create('reports', 'tx log', 'SELECT tx_logged(2)');
COMMIT;
SELECT dogpile_get_or_create('reports', 'tx log', 'SELECT tx_logged(3)');
SELECT * FROM tx_creator_locks;
BEGIN;
SELECT dogpile_get_or_create('reports', 'tx log 2', 'SELECT tx_logged(4)');
ROLLBACK;
SELECT dogpile_exists('reports', 'tx log 2');
SELECT dogpile_get_or_create('reports', 'tx log 2', 'SELECT tx_logged(5)');
SELECT * FROM tx_log;
-- So is one that takes a number from a sequence.
CREATE SEQUENCE tx_sequence;
BEGIN;
SELECT dogpile_get_or_create('reports', 'tx nextval', 'SELECT nextval(''tx_sequence'')');
SELECT * FROM tx_creator_locks;
COMMIT;
SELECT dogpile_get_or_create('reports', 'tx nextval', 'SELECT nextval(''tx_sequence'')');
-- One that invalidates what it is about to create: the value is older than that, so it is
-- returned, but not stored.
CREATE TABLE tx_own (v int);
INSERT INTO tx_own VALUES (1);
CREATE FUNCTION tx_own_write(hard boolean) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  UPDATE tx_own SET v = v + 1;
  PERFORM dogpile_invalidate('reports', 'tx own', hard);
  RETURN 0;
END $$;
SELECT dogpile_get_or_create('reports', 'tx own', 'SELECT v + tx_own_write(true) FROM tx_own');
SELECT v, dogpile_get('reports', 'tx own') IS DISTINCT FROM '1' AS not_outdated FROM tx_own;
SELECT dogpile_get_or_create('reports', 'tx own', 'SELECT v FROM tx_own');
SELECT dogpile_delete('reports', 'tx own');
SELECT dogpile_get_or_create('reports', 'tx own', 'SELECT v + tx_own_write(false) FROM tx_own');
SELECT v, fresh IS TRUE AS outdated_as_fresh FROM tx_own, dogpile_metadata('reports', 'tx own');
-- By a tag that its value carries, in a trigger of a table that it writes to.
CREATE TABLE tx_own_log (v int);
CREATE FUNCTION tx_own_invalidate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_invalidate_tags('{tx own}');
  RETURN NULL;
END $$;
CREATE TRIGGER tx_own AFTER INSERT ON tx_own_log
  FOR EACH STATEMENT EXECUTE FUNCTION tx_own_invalidate();
CREATE FUNCTION tx_own_append() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tx_own_log VALUES (1);
  RETURN 0;
END $$;
SELECT dogpile_get_or_create('reports', 'tx own tag', 'SELECT count(*) FROM tx_own_log, tx_own_append()',
                             tags => '{tx own}');
SELECT count(*), dogpile_exists('reports', 'tx own tag') AS outdated FROM tx_own_log;
-- Nor in a transaction that has written before.
BEGIN;
INSERT INTO tx_own VALUES (0);
SELECT dogpile_get_or_create('reports', 'tx own tag', 'SELECT count(*) FROM tx_own_log, tx_own_append()',
                             tags => '{tx own}');
SELECT count(*), dogpile_exists('reports', 'tx own tag') AS outdated FROM tx_own_log;
COMMIT;
SELECT count(*), dogpile_exists('reports', 'tx own tag') AS outdated FROM tx_own_log;
-- What it sets itself is newer than what it returns.
BEGIN;
INSERT INTO tx_own VALUES (0);
SELECT dogpile_get_or_create('reports', 'tx own set', $$ SELECT 'old' || dogpile_set('reports', 'tx own set', 'new')::text $$);
SELECT dogpile_get('reports', 'tx own set');
COMMIT;
SELECT dogpile_get('reports', 'tx own set');
-- What it has undone does not count.
CREATE FUNCTION tx_own_undone() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_set('reports', 'tx own undone', 'set'), dogpile_invalidate('reports', 'tx own undone');
  RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
  RETURN 'computed';
END $$;
SELECT dogpile_get_or_create('reports', 'tx own undone', 'SELECT tx_own_undone()');
SELECT dogpile_get('reports', 'tx own undone');
DROP TABLE tx_own, tx_own_log;
DROP SEQUENCE tx_sequence;
DROP FUNCTION tx_own_write, tx_own_invalidate, tx_own_append, tx_own_undone;
-- In a transaction that has written, then in its trigger, then at its end.
CREATE FUNCTION tx_invalidate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_invalidate_tags(ARRAY['tx_items']);
  RETURN NULL;
END $$;
CREATE TRIGGER tx_now AFTER INSERT OR UPDATE OR DELETE ON tx_items
  FOR EACH STATEMENT EXECUTE FUNCTION tx_invalidate();
SELECT dogpile_get_or_create('reports', 'tx trigger', 'SELECT sum(price) FROM tx_items', tags => '{tx_items}');
UPDATE tx_items SET price = 300 WHERE id = 1;
SELECT dogpile_get_or_create('reports', 'tx trigger', 'SELECT sum(price) FROM tx_items', tags => '{tx_items}');
BEGIN;
UPDATE tx_items SET price = 400 WHERE id = 1;
SELECT dogpile_get_or_create('reports', 'tx trigger', 'SELECT sum(price) FROM tx_items', tags => '{tx_items}');
ROLLBACK;
SELECT dogpile_get('reports', 'tx trigger');
DROP TRIGGER tx_now ON tx_items;
CREATE CONSTRAINT TRIGGER tx_at_commit AFTER INSERT OR UPDATE OR DELETE ON tx_items
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tx_invalidate();
BEGIN;
UPDATE tx_items SET price = 500 WHERE id = 1;
SELECT dogpile_get('reports', 'tx trigger');
COMMIT;
SELECT dogpile_exists('reports', 'tx trigger');
DROP TRIGGER tx_at_commit ON tx_items;
-- Procedures that commit.
CREATE PROCEDURE tx_commit() LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dogpile_set('reports', 'tx procedure', 'committed');
  COMMIT;
  PERFORM dogpile_set('reports', 'tx procedure', 'rolled back');
  ROLLBACK;
  RAISE NOTICE '%', dogpile_get('reports', 'tx procedure');
  PERFORM dogpile_get_or_create('reports', 'tx procedure 2', 'SELECT compute(1)');
  COMMIT;
END $$;
CALL tx_commit();
SELECT dogpile_get('reports', 'tx procedure'), dogpile_get('reports', 'tx procedure 2');

--
-- Statements and transactions that fail
--

SELECT dogpile_set('reports', 'tx failed', 'x'), 1/0;
SELECT dogpile_exists('reports', 'tx failed');
BEGIN;
SELECT dogpile_set('reports', 'tx failed', 'x');
SELECT 1/0;
SELECT dogpile_get('reports', 'tx failed');
COMMIT;
SELECT dogpile_exists('reports', 'tx failed');
-- A constraint that fails at COMMIT.
CREATE TABLE tx_unique (i int UNIQUE DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO tx_unique VALUES (1), (1);
SELECT dogpile_set('reports', 'tx failed', 'x');
COMMIT;
SELECT dogpile_exists('reports', 'tx failed');

--
-- Two-phase commit: refused, because COMMIT PREPARED may run in any session.
--

BEGIN;
SELECT dogpile_set('reports', 'tx prepared', 'x');
PREPARE TRANSACTION 'dogpile';
SELECT dogpile_exists('reports', 'tx prepared');
BEGIN;
SELECT dogpile_invalidate_tags('{tx}');
PREPARE TRANSACTION 'dogpile';
BEGIN;
INSERT INTO tx_items VALUES (10, 0);
SELECT dogpile_get_or_create('reports', 'tx prepared', 'SELECT compute(1)');
PREPARE TRANSACTION 'dogpile';
SELECT dogpile_exists('reports', 'tx prepared'), count(*) FROM tx_items WHERE id = 10;
-- Reading, and creating what depends on nothing uncommitted, does not hinder it.
BEGIN;
SELECT dogpile_get_or_create('reports', 'tx prepared', 'SELECT compute(1)');
INSERT INTO tx_items VALUES (10, 0);
SELECT dogpile_get('reports', 'tx prepared');
PREPARE TRANSACTION 'dogpile';
ROLLBACK PREPARED 'dogpile';
SELECT dogpile_get('reports', 'tx prepared'), count(*) FROM tx_items WHERE id = 10;

--
-- Read-only transactions, and those with a snapshot of their own
--

BEGIN READ ONLY;
SELECT dogpile_get_or_create('reports', 'tx read only', 'SELECT compute(1)');
SELECT dogpile_set('reports', 'tx read only 2', 'x'), dogpile_delete('reports', 'tx save');
-- The query has no more rights than the transaction.
SELECT dogpile_get_or_create('reports', 'tx read only 3', 'SELECT tx_logged(6)');
COMMIT;
SELECT dogpile_exists('reports', 'tx read only'), dogpile_exists('reports', 'tx read only 2');
BEGIN READ ONLY;
SELECT dogpile_get_or_create('reports', 'tx read only', 'SELECT compute(1)');
SELECT dogpile_set('reports', 'tx read only 2', 'x'), dogpile_delete('reports', 'tx save');
COMMIT;
SELECT dogpile_get('reports', 'tx read only'), dogpile_get('reports', 'tx read only 2'),
       dogpile_exists('reports', 'tx save');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT dogpile_get_or_create('reports', 'tx repeatable', 'SELECT compute(1)');
SELECT dogpile_get_or_create('reports', 'tx repeatable', 'SELECT compute(1)');
SELECT dogpile_set('reports', 'tx repeatable 2', 'x', tags => '{tx}');
SELECT dogpile_get('reports', 'tx repeatable 2');
COMMIT;
SELECT dogpile_get('reports', 'tx repeatable'), dogpile_get('reports', 'tx repeatable 2');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT dogpile_get_or_create('reports', 'tx repeatable', 'SELECT compute(1)');
SELECT dogpile_get('reports', 'tx repeatable 2');
SELECT dogpile_invalidate('reports', 'tx repeatable');
SELECT dogpile_get_or_create('reports', 'tx repeatable', 'SELECT compute(2)');
COMMIT;
SELECT dogpile_get('reports', 'tx repeatable');

DROP VIEW tx_creator_locks;
DROP TABLE tx_items, tx_log, tx_unique;
DROP FUNCTION compute(anyelement), tx_logged(int), tx_invalidate();
DROP PROCEDURE tx_commit();
