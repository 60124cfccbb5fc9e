--
-- What a single mistake in the sources would let pass
--
SET client_min_messages = warning;

-- "$user" in search_path names another schema for each role.
CREATE ROLE regress_dogpile_one;
CREATE ROLE regress_dogpile_two;
CREATE SCHEMA regress_dogpile_one AUTHORIZATION regress_dogpile_one;
CREATE SCHEMA regress_dogpile_two AUTHORIZATION regress_dogpile_two;
CREATE TABLE regress_dogpile_one.mine AS SELECT 'one' AS whose;
CREATE TABLE regress_dogpile_two.mine AS SELECT 'two' AS whose;
GRANT SELECT ON regress_dogpile_one.mine TO regress_dogpile_one;
GRANT SELECT ON regress_dogpile_two.mine TO regress_dogpile_two;
SHOW search_path;
SET ROLE regress_dogpile_one;
SELECT dogpile_get_or_create('paths', 'whose', 'SELECT whose FROM mine');
SET ROLE regress_dogpile_two;
SELECT dogpile_get('paths', 'whose');
SELECT dogpile_get_or_create('paths', 'whose', 'SELECT whose FROM mine');
-- where it is not named, they share the value
RESET ROLE;
SET search_path = regress_dogpile_one;
SELECT public.dogpile_get_or_create('paths', 'shared', 'SELECT whose FROM mine');
SET ROLE regress_dogpile_two;
SELECT public.dogpile_get('paths', 'shared');
RESET ROLE;
RESET search_path;
SELECT key, variant FROM dogpile_entries WHERE region = 'paths' ORDER BY key, variant COLLATE "C";

-- A value computed from one that was never committed is for this transaction only.
BEGIN;
SELECT dogpile_set('sessions', 'inner', 'never committed');
SELECT dogpile_get_or_create('sessions', 'outer', 'SELECT dogpile_get(''sessions'', ''inner'')');
SELECT pg_current_xact_id_if_assigned() IS NULL AS has_not_written;
ROLLBACK;
SELECT dogpile_get('sessions', 'outer') AS outer;
-- ... in whatever way it was returned
BEGIN;
SELECT dogpile_set('sessions', 'inner', 'never committed');
SELECT dogpile_get_or_create('sessions', 'outer', 'SELECT dogpile_get_or_create(''sessions'', ''inner'', ''SELECT 1'')');
ROLLBACK;
SELECT dogpile_get('sessions', 'outer') AS outer;
BEGIN;
SELECT dogpile_set('sessions', 'inner', 'never committed');
SELECT dogpile_get_or_create('sessions', 'outer', 'SELECT dogpile_exists(''sessions'', ''inner'')');
ROLLBACK;
SELECT dogpile_get('sessions', 'outer') AS outer;
BEGIN;
SELECT dogpile_set('sessions', 'inner', 'committed');
COMMIT;
SELECT dogpile_get_or_create('sessions', 'outer', 'SELECT dogpile_get(''sessions'', ''inner'')');
SELECT dogpile_get('sessions', 'outer') AS outer;

SELECT dogpile_invalidate('paths'), dogpile_delete('sessions', 'inner'), dogpile_delete('sessions', 'outer');
DROP SCHEMA regress_dogpile_one CASCADE;
DROP SCHEMA regress_dogpile_two CASCADE;
DROP ROLE regress_dogpile_one;
DROP ROLE regress_dogpile_two;
