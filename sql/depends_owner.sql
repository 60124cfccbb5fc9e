--
-- depends = 'auto': the owner of the database.  Region "auto" has depends = 'auto'.
--

\pset tuples_only on
\pset format unaligned
CREATE SCHEMA rows;
SET search_path = rows, public;

-- It is a member of pg_database_owner.
CREATE ROLE regress_dogpile_owner;
GRANT USAGE ON SCHEMA rows TO regress_dogpile_owner;
CREATE TABLE guarded AS SELECT generate_series(1, 3);
GRANT SELECT ON guarded TO regress_dogpile_owner;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner_sees ON guarded TO pg_database_owner USING (true);
SET ROLE regress_dogpile_owner;
SELECT dogpile_get_or_create('auto', 'guarded', 'SELECT count(*) FROM guarded');
RESET ROLE;
SELECT current_user AS me, current_database() AS db \gset
ALTER DATABASE :"db" OWNER TO regress_dogpile_owner;
SET ROLE regress_dogpile_owner;
SELECT dogpile_get_or_create('auto', 'guarded', 'SELECT count(*) FROM guarded');
RESET ROLE;
REASSIGN OWNED BY regress_dogpile_owner TO :"me";
SET ROLE regress_dogpile_owner;
SELECT dogpile_get_or_create('auto', 'guarded', 'SELECT count(*) FROM guarded');
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA rows CASCADE;
DROP ROLE regress_dogpile_owner;
