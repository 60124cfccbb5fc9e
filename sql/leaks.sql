--
-- Rights that were revoked: what a role has cached while it had them is not served to it
-- any more, and never to another role.
--
-- Regions: "auto" varies by role and search_path, "auto_tenants" by app.tenant
-- in addition.
--

\set SHOW_CONTEXT never
\pset tuples_only on
\pset format unaligned

SET client_min_messages = error;
DROP ROLE IF EXISTS regress_dogpile_ann, regress_dogpile_ben, regress_dogpile_group, regress_dogpile_owner,
  regress_dogpile_parent, regress_dogpile_super;
RESET client_min_messages;
CREATE ROLE regress_dogpile_ann;
CREATE ROLE regress_dogpile_ben;
CREATE ROLE regress_dogpile_group;
CREATE ROLE regress_dogpile_parent;
CREATE ROLE regress_dogpile_owner;
CREATE ROLE regress_dogpile_super SUPERUSER;

CREATE SCHEMA leak;
GRANT USAGE ON SCHEMA leak TO PUBLIC;
CREATE FUNCTION leak.computed() RETURNS void STABLE LANGUAGE plpgsql
AS $$ BEGIN RAISE NOTICE 'computed'; END $$;
-- Computes as the caller; "computed" says that the query was run.
CREATE FUNCTION leak.ask(query text, region text DEFAULT 'auto') RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT dogpile_get_or_create(region, 'leak ' || query,
           format('SELECT (%s)::text FROM leak.computed()', query))
$$;

CREATE TABLE leak.pay (name text, salary int);
INSERT INTO leak.pay VALUES ('ann', 100), ('ben', 200);
CREATE TABLE leak.other (id int);

--
-- Privileges
--

\set total 'SELECT leak.ask(''SELECT sum(salary) FROM leak.pay'')'

-- On a table.
GRANT SELECT ON leak.pay, leak.other TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
:total;
RESET ROLE;
REVOKE SELECT ON leak.pay FROM regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
SELECT dogpile_get('auto', 'leak SELECT sum(salary) FROM leak.pay') IS NULL AS gone,
       dogpile_exists('auto', 'leak SELECT sum(salary) FROM leak.pay');
RESET ROLE;
-- Of the transaction itself, and undone.
GRANT SELECT ON leak.pay TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
BEGIN;
REVOKE SELECT ON leak.pay FROM regress_dogpile_ann;
SET LOCAL ROLE regress_dogpile_ann;
SAVEPOINT a;
:total;
ROLLBACK TO a;
ROLLBACK;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
BEGIN;
SAVEPOINT a;
REVOKE ALL ON leak.pay FROM regress_dogpile_ann;
ROLLBACK TO a;
SET LOCAL ROLE regress_dogpile_ann;
:total;
COMMIT;
-- On columns.
REVOKE ALL ON leak.pay FROM regress_dogpile_ann;
GRANT SELECT (salary) ON leak.pay TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
:total;
RESET ROLE;
REVOKE SELECT (salary) ON leak.pay FROM regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
-- On the schema.
GRANT SELECT ON leak.pay TO regress_dogpile_ann;
CREATE SCHEMA inner_leak;
GRANT USAGE ON SCHEMA inner_leak TO regress_dogpile_ann;
CREATE TABLE inner_leak.secret AS SELECT 42 AS v;
GRANT SELECT ON inner_leak.secret TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT v FROM inner_leak.secret');
SELECT leak.ask('SELECT v FROM inner_leak.secret');
RESET ROLE;
REVOKE USAGE ON SCHEMA inner_leak FROM regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT v FROM inner_leak.secret');
RESET ROLE;
-- On functions, whatever they do, and however they are called.
CREATE FUNCTION leak.f_sql() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION leak.f_plpgsql() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 2; END $$;
CREATE FUNCTION leak.f_folded() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 3; END $$;
CREATE FUNCTION leak.f_inner() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN leak.f_plpgsql() + 10; END $$;
CREATE FUNCTION leak.f_step(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2';
CREATE AGGREGATE leak.f_agg(int) (SFUNC = leak.f_step, STYPE = int, INITCOND = 0);
CREATE FUNCTION leak.functions() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE q text;
BEGIN
  FOREACH q IN ARRAY '{leak.f_sql(),leak.f_plpgsql(),leak.f_folded(),leak.f_inner(),leak.f_agg(5)}'::text[] LOOP
    BEGIN
      RETURN NEXT leak.ask('SELECT ' || q);
    EXCEPTION WHEN insufficient_privilege THEN
      RETURN NEXT q || ': ' || SQLERRM;
    END;
  END LOOP;
END $$;
SET ROLE regress_dogpile_ann;
SELECT leak.functions();
SELECT leak.functions();
RESET ROLE;
REVOKE EXECUTE ON FUNCTION leak.f_sql(), leak.f_folded(), leak.f_agg(int) FROM PUBLIC;
SET ROLE regress_dogpile_ann;
SELECT leak.functions();
RESET ROLE;
REVOKE EXECUTE ON FUNCTION leak.f_plpgsql() FROM PUBLIC;
SET ROLE regress_dogpile_ann;
SELECT leak.functions();
RESET ROLE;
-- Of the owner of a view.
GRANT SELECT ON leak.pay TO regress_dogpile_owner;
CREATE VIEW leak.totals AS SELECT sum(salary) AS total FROM leak.pay;
ALTER VIEW leak.totals OWNER TO regress_dogpile_owner;
GRANT SELECT ON leak.totals TO regress_dogpile_ben;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT total FROM leak.totals');
SELECT leak.ask('SELECT total FROM leak.totals');
RESET ROLE;
REVOKE SELECT ON leak.pay FROM regress_dogpile_owner;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT total FROM leak.totals');
RESET ROLE;
-- ... which gets another owner.
GRANT SELECT ON leak.pay TO regress_dogpile_owner;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT total FROM leak.totals');
RESET ROLE;
ALTER VIEW leak.totals OWNER TO regress_dogpile_group;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT total FROM leak.totals');
RESET ROLE;
-- A view that runs with the rights of its user.
ALTER VIEW leak.totals OWNER TO regress_dogpile_owner;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT total FROM leak.totals');
RESET ROLE;
ALTER VIEW leak.totals SET (security_invoker = true);
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT total FROM leak.totals');
RESET ROLE;
-- The view of a role that is no longer a superuser.
CREATE VIEW leak.of_super AS SELECT sum(salary) + 5 AS total FROM leak.pay;
ALTER VIEW leak.of_super OWNER TO regress_dogpile_super;
GRANT SELECT ON leak.of_super TO regress_dogpile_ben;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT total FROM leak.of_super');
RESET ROLE;
ALTER ROLE regress_dogpile_super NOSUPERUSER;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT total FROM leak.of_super');
RESET ROLE;
ALTER ROLE regress_dogpile_super SUPERUSER;
DROP VIEW leak.totals, leak.of_super;
-- By membership, also of a group in a group.
REVOKE ALL ON leak.pay FROM regress_dogpile_ann;
GRANT SELECT ON leak.pay TO regress_dogpile_parent;
GRANT regress_dogpile_parent TO regress_dogpile_group;
GRANT regress_dogpile_group TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
:total;
RESET ROLE;
REVOKE regress_dogpile_group FROM regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
GRANT regress_dogpile_group TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
REVOKE regress_dogpile_parent FROM regress_dogpile_group;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
GRANT regress_dogpile_parent TO regress_dogpile_group;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
-- NOINHERIT is an attribute of the role, or since PostgreSQL 16 of the membership.
\set noinherit 'ALTER ROLE regress_dogpile_ann NOINHERIT'
\set inherit 'ALTER ROLE regress_dogpile_ann INHERIT'
SELECT :SERVER_VERSION_NUM >= 160000 AS by_membership \gset
\if :by_membership
\set noinherit 'GRANT regress_dogpile_group TO regress_dogpile_ann WITH INHERIT FALSE'
\set inherit 'GRANT regress_dogpile_group TO regress_dogpile_ann WITH INHERIT TRUE'
\endif
:noinherit;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
:inherit;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
ALTER TABLE leak.pay OWNER TO regress_dogpile_ben;
REVOKE SELECT ON leak.pay FROM regress_dogpile_parent;
SET ROLE regress_dogpile_ann;
:total;
-- An owner has rights without any grant, until the table gets another owner.
SET ROLE regress_dogpile_ben;
:total;
RESET ROLE;
ALTER TABLE leak.pay OWNER TO CURRENT_USER;
SET ROLE regress_dogpile_ben;
:total;
RESET ROLE;
REVOKE regress_dogpile_group FROM regress_dogpile_ann;
-- A role that is no longer a superuser.
SET ROLE regress_dogpile_super;
:total;
:total;
RESET ROLE;
ALTER ROLE regress_dogpile_super NOSUPERUSER;
SET ROLE regress_dogpile_super;
:total;
RESET ROLE;
ALTER ROLE regress_dogpile_super SUPERUSER;
-- One of the same name is not the same role.
GRANT SELECT ON leak.pay TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
DROP OWNED BY regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
DROP ROLE regress_dogpile_ann;
CREATE ROLE regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
-- Rights that all roles have, through PUBLIC and a predefined role.
GRANT SELECT ON leak.pay TO PUBLIC;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
REVOKE SELECT ON leak.pay FROM PUBLIC;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
GRANT pg_read_all_data TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;
REVOKE pg_read_all_data FROM regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
:total;
RESET ROLE;

--
-- One session, several roles, the same plans
--

GRANT SELECT ON leak.pay TO regress_dogpile_ann;
PREPARE total AS SELECT dogpile_get_or_create('auto', 'leak prepared', 'SELECT sum(salary) FROM leak.pay, leak.computed()');
CREATE FUNCTION leak.total() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN dogpile_get_or_create('auto', 'leak plan', 'SELECT sum(salary) FROM leak.pay, leak.computed()');
END $$;
SET plan_cache_mode = force_generic_plan;
EXECUTE total;
SELECT leak.total();
SET ROLE regress_dogpile_ann;
EXECUTE total;
EXECUTE total;
SELECT leak.total();
SET ROLE regress_dogpile_ben;
EXECUTE total;
SELECT leak.total();
RESET ROLE;
EXECUTE total;
SELECT leak.total();
SET SESSION AUTHORIZATION regress_dogpile_ben;
EXECUTE total;
SELECT leak.total();
SET SESSION AUTHORIZATION regress_dogpile_ann;
EXECUTE total;
RESET SESSION AUTHORIZATION;
BEGIN;
SET LOCAL ROLE regress_dogpile_ben;
SAVEPOINT a;
EXECUTE total;
ROLLBACK TO a;
SAVEPOINT a;
SET LOCAL ROLE regress_dogpile_ann;
EXECUTE total;
ROLLBACK TO a;
EXECUTE total;
ROLLBACK;
EXECUTE total;
REVOKE SELECT ON leak.pay FROM regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
EXECUTE total;
SELECT leak.total();
RESET ROLE;
RESET plan_cache_mode;
DEALLOCATE total;

-- SECURITY DEFINER: with the rights of the owner and of no other role, until the function
-- gets another owner.
GRANT SELECT ON leak.pay TO regress_dogpile_owner;
CREATE FUNCTION leak.definer() RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  RETURN leak.ask('SELECT sum(salary) + 1 FROM leak.pay');
END $$;
CREATE FUNCTION leak.definer_inside() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
AS 'SELECT sum(salary) + 2 FROM leak.pay';
ALTER FUNCTION leak.definer() OWNER TO regress_dogpile_owner;
ALTER FUNCTION leak.definer_inside() OWNER TO regress_dogpile_owner;
SET ROLE regress_dogpile_ben;
SELECT leak.definer(), leak.ask('SELECT leak.definer_inside()');
SELECT leak.definer(), leak.ask('SELECT leak.definer_inside()');
SELECT leak.ask('SELECT sum(salary) + 1 FROM leak.pay');
RESET ROLE;
INSERT INTO leak.pay VALUES ('cat', 300);
SET ROLE regress_dogpile_ben;
SELECT leak.definer(), leak.ask('SELECT leak.definer_inside()');
RESET ROLE;
REVOKE SELECT ON leak.pay FROM regress_dogpile_owner;
SET ROLE regress_dogpile_ben;
SELECT leak.definer();
SELECT leak.ask('SELECT leak.definer_inside()');
RESET ROLE;
GRANT SELECT ON leak.pay TO regress_dogpile_owner;
SET ROLE regress_dogpile_ben;
SELECT leak.definer(), leak.ask('SELECT leak.definer_inside()');
RESET ROLE;
ALTER FUNCTION leak.definer_inside() SECURITY INVOKER;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT leak.definer_inside()');
RESET ROLE;
ALTER FUNCTION leak.definer_inside() SECURITY DEFINER;
ALTER FUNCTION leak.definer_inside() OWNER TO regress_dogpile_ann;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT leak.definer_inside()');
RESET ROLE;

--
-- Row-level security
--

CREATE TABLE leak.rows (owner name, v int);
INSERT INTO leak.rows VALUES ('regress_dogpile_ann', 1), ('regress_dogpile_ben', 10), ('nobody', 100);
GRANT SELECT ON leak.rows TO regress_dogpile_ann, regress_dogpile_ben, regress_dogpile_owner;
CREATE FUNCTION leak.each() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
  FOREACH r IN ARRAY '{regress_dogpile_ann,regress_dogpile_ben,regress_dogpile_super}'::text[] LOOP
    PERFORM set_config('role', r, true);
    RETURN NEXT r || ': ' || coalesce(leak.ask('SELECT sum(v) FROM leak.rows'), 'nothing');
  END LOOP;
  PERFORM set_config('role', 'none', true);
END $$;
SELECT leak.each();
SELECT leak.each();
-- Enabled: without a policy there is nothing to see.
ALTER TABLE leak.rows ENABLE ROW LEVEL SECURITY;
SELECT leak.each();
SELECT leak.each();
CREATE POLICY own ON leak.rows USING (owner = current_user);
SELECT leak.each();
ALTER POLICY own ON leak.rows USING (owner = current_user OR v > 50);
SELECT leak.each();
ALTER POLICY own ON leak.rows TO regress_dogpile_ben;
SELECT leak.each();
ALTER POLICY own ON leak.rows TO PUBLIC;
SELECT leak.each();
CREATE POLICY small ON leak.rows AS RESTRICTIVE USING (v < 50);
SELECT leak.each();
DROP POLICY small ON leak.rows;
SELECT leak.each();
-- Of the transaction itself.
BEGIN;
ALTER POLICY own ON leak.rows USING (true);
SELECT leak.each();
ROLLBACK;
SELECT leak.each();
-- A policy that reads another table.
CREATE TABLE leak.visible (v int);
GRANT SELECT ON leak.visible TO PUBLIC;
INSERT INTO leak.visible VALUES (1);
ALTER POLICY own ON leak.rows USING (v IN (SELECT visible.v FROM leak.visible));
SELECT leak.each();
INSERT INTO leak.visible VALUES (10);
SELECT leak.each();
DELETE FROM leak.visible;
SELECT leak.each();
-- ... or calls a function.
CREATE FUNCTION leak.may_see(int) RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 < 50; END $$;
ALTER POLICY own ON leak.rows USING (leak.may_see(v));
SELECT leak.each();
CREATE OR REPLACE FUNCTION leak.may_see(int) RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 < 5; END $$;
SELECT leak.each();
ALTER POLICY own ON leak.rows USING (owner = current_user);
SELECT leak.each();
-- Roles that bypass it, for a time.
ALTER ROLE regress_dogpile_ann BYPASSRLS;
SELECT leak.each();
SELECT leak.each();
ALTER ROLE regress_dogpile_ann NOBYPASSRLS;
SELECT leak.each();
ALTER ROLE regress_dogpile_super NOSUPERUSER;
GRANT SELECT ON leak.rows TO regress_dogpile_super;
SELECT leak.each();
ALTER ROLE regress_dogpile_super SUPERUSER;
ALTER TABLE leak.rows OWNER TO regress_dogpile_ben;
SELECT leak.each();
ALTER TABLE leak.rows FORCE ROW LEVEL SECURITY;
SELECT leak.each();
ALTER TABLE leak.rows NO FORCE ROW LEVEL SECURITY;
SELECT leak.each();
ALTER TABLE leak.rows OWNER TO CURRENT_USER;
GRANT SELECT ON leak.rows TO regress_dogpile_ben;
SELECT leak.each();
-- Through a view: the rows are those that its owner may see.
CREATE VIEW leak.view AS SELECT * FROM leak.rows;
GRANT SELECT ON leak.view TO regress_dogpile_ann;
ALTER VIEW leak.view OWNER TO regress_dogpile_owner;
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT sum(v) FROM leak.view');
RESET ROLE;
ALTER ROLE regress_dogpile_owner BYPASSRLS;
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT sum(v) FROM leak.view');
RESET ROLE;
ALTER ROLE regress_dogpile_owner NOBYPASSRLS;
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT sum(v) FROM leak.view');
RESET ROLE;
DROP VIEW leak.view;
-- A policy for the members of a group.
CREATE POLICY members ON leak.rows TO regress_dogpile_group USING (v = 100);
SELECT leak.each();
GRANT regress_dogpile_group TO regress_dogpile_ann;
SELECT leak.each();
REVOKE regress_dogpile_group FROM regress_dogpile_ann;
SELECT leak.each();
DROP POLICY members ON leak.rows;
-- With row_security = off, a query is refused instead of filtered; a value that
-- was filtered does not take its place.
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT sum(v) FROM leak.rows');
SET row_security = off;
SELECT leak.ask('SELECT sum(v) FROM leak.rows');
SELECT leak.ask('SELECT sum(v) + 1 FROM leak.rows');
RESET row_security;
SELECT leak.ask('SELECT sum(v) FROM leak.rows');
RESET ROLE;
ALTER TABLE leak.rows DISABLE ROW LEVEL SECURITY;
SELECT leak.each();

-- A policy that reads a setting which the region's "vary" does not name.
ALTER TABLE leak.rows ENABLE ROW LEVEL SECURITY;
ALTER POLICY own ON leak.rows USING (v = current_setting('app.tenant')::int);
SET app.tenant = 1;
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT sum(v) FROM leak.rows');
SELECT leak.ask('SELECT sum(v) FROM leak.rows', 'auto_tenants');
SELECT leak.ask('SELECT sum(v) FROM leak.rows', 'auto_tenants');
SET app.tenant = 10;
SELECT leak.ask('SELECT sum(v) FROM leak.rows', 'auto_tenants');
SELECT leak.ask('SELECT sum(v) FROM leak.rows');
SET app.tenant = 1;
SELECT leak.ask('SELECT sum(v) FROM leak.rows', 'auto_tenants');
RESET ROLE;
-- Hidden in a function, in a view.
CREATE FUNCTION leak.tenant() RETURNS int STABLE LANGUAGE sql AS $$ SELECT current_setting('app.tenant')::int $$;
CREATE VIEW leak.of_tenant AS SELECT sum(v) AS total FROM leak.rows WHERE v = leak.tenant();
SELECT leak.ask('SELECT total FROM leak.of_tenant');
SELECT leak.ask('SELECT total FROM leak.of_tenant', 'auto_tenants');
SET app.tenant = 100;
SELECT leak.ask('SELECT total FROM leak.of_tenant', 'auto_tenants');
SELECT leak.ask('SELECT total FROM leak.of_tenant', 'auto_tenants');
-- ... that does not look it up until it runs.
CREATE OR REPLACE FUNCTION leak.tenant() RETURNS int STABLE LANGUAGE plpgsql
AS $$ DECLARE v int; BEGIN v := current_setting('app.tenant'); RETURN v; END $$;
SELECT leak.ask('SELECT total FROM leak.of_tenant');
SELECT leak.ask('SELECT total FROM leak.of_tenant', 'auto_tenants');
-- ... in a session that has called it before.
SET app.tenant = 10;
SELECT leak.tenant(), leak.ask('SELECT total + 1 FROM leak.of_tenant');
SELECT leak.ask('SELECT total + 1 FROM leak.of_tenant');
-- ... and in a policy.
ALTER POLICY own ON leak.rows USING (v = leak.tenant());
SET ROLE regress_dogpile_ann;
SELECT leak.tenant(), leak.ask('SELECT sum(v) FROM leak.rows');
SELECT leak.ask('SELECT sum(v) FROM leak.rows');
SELECT leak.ask('SELECT sum(v) FROM leak.rows', 'auto_tenants');
SET app.tenant = 1;
SELECT leak.ask('SELECT sum(v) FROM leak.rows', 'auto_tenants');
RESET ROLE;
-- current_user in a function of another owner is another user.
CREATE FUNCTION leak.who() RETURNS text STABLE LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text';
ALTER FUNCTION leak.who() OWNER TO regress_dogpile_owner;
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT current_user || '' '' || leak.who()');
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT current_user || '' '' || leak.who()');
RESET ROLE;
ALTER FUNCTION leak.who() OWNER TO regress_dogpile_ann;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT current_user || '' '' || leak.who()');
RESET ROLE;
ALTER ROLE regress_dogpile_ann RENAME TO regress_dogpile_anna;
SET ROLE regress_dogpile_ben;
SELECT leak.ask('SELECT current_user || '' '' || leak.who()');
RESET ROLE;
ALTER ROLE regress_dogpile_anna RENAME TO regress_dogpile_ann;

-- A prepared transaction that revokes a right.
CREATE TABLE leak.prepared AS SELECT 1 AS v;
GRANT SELECT ON leak.prepared TO regress_dogpile_ann;
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT v FROM leak.prepared');
RESET ROLE;
BEGIN;
REVOKE SELECT ON leak.prepared FROM regress_dogpile_ann;
PREPARE TRANSACTION 'leak';
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT v FROM leak.prepared');
RESET ROLE;
COMMIT PREPARED 'leak';
SET ROLE regress_dogpile_ann;
SELECT leak.ask('SELECT v FROM leak.prepared');
RESET ROLE;

RESET app.tenant;
SET client_min_messages = warning;
DROP SCHEMA leak, inner_leak CASCADE;
DROP OWNED BY regress_dogpile_ann, regress_dogpile_ben, regress_dogpile_group, regress_dogpile_owner,
  regress_dogpile_parent, regress_dogpile_super;
DROP ROLE regress_dogpile_ann, regress_dogpile_ben, regress_dogpile_group, regress_dogpile_owner,
  regress_dogpile_parent, regress_dogpile_super;
