--
-- No role gets a value that it could not have computed itself.
--
-- Regions: "reports" varies by role and search_path, as is the default;
-- "tenants" by app.tenant_id in addition; "shared_all" by nothing.
--

SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_dogpile_alice, regress_dogpile_bob, regress_dogpile_stats;
RESET client_min_messages;
CREATE ROLE regress_dogpile_alice;
CREATE ROLE regress_dogpile_bob;
CREATE ROLE regress_dogpile_stats;
GRANT pg_read_all_stats TO regress_dogpile_stats;
CREATE SCHEMA sec;
GRANT USAGE ON SCHEMA sec TO PUBLIC;
SHOW dogpile_reports.vary;
SHOW dogpile_tenants.vary;
SHOW dogpile_shared_all.vary;

--
-- Another role
--

CREATE TABLE sec.salaries (name text, salary int);
INSERT INTO sec.salaries VALUES ('alice', 100), ('bob', 200);
GRANT SELECT ON sec.salaries TO regress_dogpile_alice;

-- Alice may read the table.
SET ROLE regress_dogpile_alice;
SELECT dogpile_get_or_create('reports', 'sec sum', 'SELECT sum(salary) FROM sec.salaries');
-- Bob may not, and no function returns what Alice has cached.
SET ROLE regress_dogpile_bob;
SELECT dogpile_get_or_create('reports', 'sec sum', 'SELECT sum(salary) FROM sec.salaries');
SELECT * FROM dogpile_query('reports', 'sec sum', 'SELECT sum(salary) FROM sec.salaries', NULL::bigint);
SELECT dogpile_get('reports', 'sec sum') IS NULL AS nothing,
       dogpile_get('reports', 'sec sum', NULL::bigint) IS NULL AS nothing,
       dogpile_exists('reports', 'sec sum'), dogpile_metadata('reports', 'sec sum');
-- Each role has an entry of its own.  That applies to values that are set, too: no role
-- can set one for another.
SELECT dogpile_get_or_create('reports', 'sec sum', 'SELECT 0');
SELECT dogpile_set('reports', 'sec sum', 'planted');
SET ROLE regress_dogpile_alice;
SELECT dogpile_get('reports', 'sec sum');
SELECT dogpile_add('reports', 'sec sum', 'planted');
-- A superuser has another one; SET ROLE and SET SESSION AUTHORIZATION to the
-- same role lead to the same one.
RESET ROLE;
SELECT dogpile_exists('reports', 'sec sum');
SET SESSION AUTHORIZATION regress_dogpile_alice;
SELECT dogpile_get('reports', 'sec sum');
RESET SESSION AUTHORIZATION;
-- An invalidation reaches the entries of all roles.
SET ROLE regress_dogpile_bob;
SELECT dogpile_invalidate('reports', 'sec sum');
SET ROLE regress_dogpile_alice;
SELECT dogpile_exists('reports', 'sec sum');
RESET ROLE;

-- A privilege that was revoked: what the role has computed while it had the privilege
-- stays until it is invalidated or expires.
SET ROLE regress_dogpile_alice;
SELECT dogpile_get_or_create('reports', 'sec sum', 'SELECT sum(salary) FROM sec.salaries');
RESET ROLE;
REVOKE SELECT ON sec.salaries FROM regress_dogpile_alice;
SELECT dogpile_invalidate('reports', 'sec sum');
SET ROLE regress_dogpile_alice;
SELECT dogpile_get_or_create('reports', 'sec sum', 'SELECT sum(salary) FROM sec.salaries');
RESET ROLE;
GRANT SELECT ON sec.salaries TO regress_dogpile_alice;

--
-- SECURITY DEFINER: the query has the rights of the function's owner, and the
-- entry is the owner's.
--

SET ROLE regress_dogpile_alice;
SELECT dogpile_get_or_create('reports', 'sec definer', 'SELECT current_user');
RESET ROLE;
GRANT CREATE ON SCHEMA sec TO regress_dogpile_alice;
SET ROLE regress_dogpile_alice;
CREATE FUNCTION sec.total() RETURNS text SECURITY DEFINER LANGUAGE sql VOLATILE
AS $$ SELECT dogpile_get_or_create('reports', 'sec definer', 'SELECT 1/0')
          || ' ' || dogpile_get_or_create('reports', 'sec total', 'SELECT sum(salary) FROM sec.salaries') $$;
CREATE FUNCTION sec.total_invoker() RETURNS text SECURITY INVOKER LANGUAGE sql VOLATILE
AS $$ SELECT dogpile_get_or_create('reports', 'sec total', 'SELECT sum(salary) FROM sec.salaries') $$;
SET ROLE regress_dogpile_bob;
SELECT sec.total();
-- Outside the function Bob is Bob.
SELECT dogpile_exists('reports', 'sec definer'), dogpile_exists('reports', 'sec total');
SELECT sec.total_invoker();
SELECT dogpile_get_or_create('reports', 'sec definer', 'SELECT current_user');
SELECT sec.total();
-- A function that belongs to Bob cannot read what belongs to Alice.
RESET ROLE;
GRANT CREATE ON SCHEMA sec TO regress_dogpile_bob;
SET ROLE regress_dogpile_bob;
CREATE FUNCTION sec.peek() RETURNS text SECURITY DEFINER LANGUAGE sql VOLATILE
AS $$ SELECT dogpile_get('reports', 'sec total') $$;
SET ROLE regress_dogpile_alice;
SELECT dogpile_get('reports', 'sec total') AS own, sec.peek() AS of_bob;
RESET ROLE;

-- A query that depends on session_user needs a region that varies by it.
SHOW dogpile_logins.vary;
SET ROLE regress_dogpile_alice;
CREATE FUNCTION sec.who() RETURNS text SECURITY DEFINER LANGUAGE sql VOLATILE
AS $$ SELECT dogpile_get_or_create('logins', 'sec who', 'SELECT current_user || '' for '' || session_user') $$;
RESET ROLE;
SET SESSION AUTHORIZATION regress_dogpile_bob;
SELECT sec.who();
SET SESSION AUTHORIZATION regress_dogpile_alice;
SELECT sec.who();
SET SESSION AUTHORIZATION regress_dogpile_bob;
SELECT sec.who();
RESET SESSION AUTHORIZATION;
SELECT variant FROM dogpile_entries WHERE key = 'sec who' ORDER BY variant COLLATE "C";
--
-- search_path: the same query means another table.
--

CREATE SCHEMA sec_tenant1 CREATE TABLE orders (n int);
CREATE SCHEMA sec_tenant2 CREATE TABLE orders (n int);
INSERT INTO sec_tenant1.orders VALUES (1);
INSERT INTO sec_tenant2.orders VALUES (2), (2);
SET search_path = sec_tenant1, public;
SELECT dogpile_get_or_create('reports', 'sec orders', 'SELECT sum(n) FROM orders');
SET search_path = sec_tenant2, public;
SELECT dogpile_exists('reports', 'sec orders');
SELECT dogpile_get_or_create('reports', 'sec orders', 'SELECT sum(n) FROM orders');
SET search_path = sec_tenant1, public;
SELECT dogpile_get_or_create('reports', 'sec orders', 'SELECT 1/0');
-- A function's own search_path counts inside it.
CREATE FUNCTION sec.orders() RETURNS text LANGUAGE sql VOLATILE
SET search_path = sec_tenant2, public
AS $$ SELECT dogpile_get_or_create('reports', 'sec orders', 'SELECT 1/0') $$;
SELECT sec.orders();
BEGIN;
SET LOCAL search_path = sec_tenant2, public;
SELECT dogpile_get_or_create('reports', 'sec orders', 'SELECT 1/0');
ROLLBACK;
SELECT dogpile_get_or_create('reports', 'sec orders', 'SELECT 1/0');
-- A temporary table is there for one session only, so what is computed from it
-- is not kept for others.
CREATE TEMPORARY TABLE orders (n int);
INSERT INTO orders VALUES (1000);
SELECT dogpile_get_or_create('reports', 'sec temporary', 'SELECT sum(n) FROM orders');
SELECT dogpile_exists('reports', 'sec temporary');
DROP TABLE pg_temp.orders;
SELECT dogpile_get_or_create('reports', 'sec temporary', 'SELECT sum(n) FROM orders');
RESET search_path;

--
-- Row-level security, by role: the default of vary is enough.
--

CREATE TABLE sec.documents (owner name, tenant int, title text);
INSERT INTO sec.documents VALUES
  ('regress_dogpile_alice', 1, 'a1'), ('regress_dogpile_alice', 2, 'a2'),
  ('regress_dogpile_bob', 1, 'b1'), ('regress_dogpile_bob', 2, 'b2');
GRANT SELECT ON sec.documents TO regress_dogpile_alice, regress_dogpile_bob;
ALTER TABLE sec.documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sec.documents USING (owner = current_user);
SET ROLE regress_dogpile_alice;
SELECT * FROM dogpile_query('reports', 'sec docs', 'SELECT title FROM sec.documents ORDER BY 1', ''::text);
SET ROLE regress_dogpile_bob;
SELECT * FROM dogpile_query('reports', 'sec docs', 'SELECT title FROM sec.documents ORDER BY 1', ''::text);
SET ROLE regress_dogpile_alice;
SELECT * FROM dogpile_query('reports', 'sec docs', 'SELECT 1/0', ''::text);
RESET ROLE;

--
-- Row-level security, by a setting: the region has to name it in vary.
--

DROP POLICY own ON sec.documents;
CREATE POLICY tenant ON sec.documents
  USING (tenant = current_setting('app.tenant_id', true)::int);
SET ROLE regress_dogpile_bob;
SET app.tenant_id = 1;
SELECT * FROM dogpile_query('tenants', 'sec docs', 'SELECT title FROM sec.documents ORDER BY 1', ''::text);
SET app.tenant_id = 2;
SELECT dogpile_exists('tenants', 'sec docs');
SELECT * FROM dogpile_query('tenants', 'sec docs', 'SELECT title FROM sec.documents ORDER BY 1', ''::text);
SET app.tenant_id = 1;
SELECT * FROM dogpile_query('tenants', 'sec docs', 'SELECT 1/0', ''::text);
-- Not set, and set to nothing, are two more.
RESET app.tenant_id;
SELECT dogpile_exists('tenants', 'sec docs');
BEGIN;
SET LOCAL app.tenant_id = '2';
SELECT * FROM dogpile_query('tenants', 'sec docs', 'SELECT 1/0', ''::text);
ROLLBACK;
SELECT dogpile_exists('tenants', 'sec docs');
-- Role and search_path count besides.
SET app.tenant_id = 1;
SET search_path = sec;
SELECT public.dogpile_exists('tenants', 'sec docs');
RESET search_path;
SET ROLE regress_dogpile_alice;
SELECT dogpile_exists('tenants', 'sec docs');
-- Values that run into each other: "vary" keeps them apart.
RESET ROLE;
SET app.tenant_id = 'x';
SET search_path = public, "y";
SELECT dogpile_set('tenants', 'sec mix', '1');
SET app.tenant_id = 'x, y';
SET search_path = public;
SELECT dogpile_exists('tenants', 'sec mix');
RESET search_path;
-- One that is longer than what an entry keeps as it is.
SELECT set_config('app.tenant_id', repeat('long', 500) || '1', false) IS NOT NULL AS set;
SELECT dogpile_set('tenants', 'sec long', '1');
SELECT set_config('app.tenant_id', repeat('long', 500) || '2', false) IS NOT NULL AS set;
SELECT dogpile_exists('tenants', 'sec long');
SELECT set_config('app.tenant_id', repeat('long', 500) || '1', false) IS NOT NULL AS set;
SELECT dogpile_get('tenants', 'sec long');
RESET app.tenant_id;

--
-- vary = '': one value for all, as the administrator has decided.
--

SET ROLE regress_dogpile_alice;
SELECT dogpile_get_or_create('shared_all', 'sec sum', 'SELECT sum(salary) FROM sec.salaries');
SET ROLE regress_dogpile_bob;
SET search_path = sec;
SELECT public.dogpile_get_or_create('shared_all', 'sec sum', 'SELECT sum(salary) FROM sec.salaries');
RESET search_path;
-- A role cannot decide that.
SET dogpile_reports.vary = '';
SELECT set_config('dogpile_reports.vary', '', false);
ALTER ROLE regress_dogpile_bob SET dogpile_reports.vary = '';

--
-- What not every role may do
--

SELECT count(*) FROM dogpile_entries;
SELECT count(*) FROM dogpile_entries();
SELECT dogpile_reset_stats();
SELECT count(*) > 0 AS regions FROM dogpile_stats;
SET ROLE regress_dogpile_stats;
SELECT region, key, variant FROM dogpile_entries
  WHERE database = current_database() AND key IN ('sec sum', 'sec docs') AND fresh
  ORDER BY region COLLATE "C", key COLLATE "C", variant COLLATE "C";
SELECT dogpile_reset_stats();
RESET ROLE;
SELECT dogpile_reset_stats();

--
-- The same key of another role, in the query of an entry: another entry.
--

SET ROLE regress_dogpile_alice;
CREATE FUNCTION sec.nested() RETURNS text SECURITY DEFINER LANGUAGE sql VOLATILE
AS $$ SELECT dogpile_get_or_create('reports', 'sec nested', 'SELECT current_user') $$;
SET ROLE regress_dogpile_bob;
SELECT dogpile_get_or_create('reports', 'sec nested', 'SELECT current_user || '' asked '' || sec.nested()');
SELECT dogpile_get('reports', 'sec nested') AS own, sec.nested() AS of_alice;
RESET ROLE;
SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();

--
-- A setting that is not known yet, and one that is empty, are two.
--

\c -
SELECT current_setting('app.tenant_id', true) IS NULL AS unknown;
SELECT dogpile_set('tenants', 'sec unset', 'x');
SET app.tenant_id = '';
SELECT dogpile_exists('tenants', 'sec unset');
\c -
SELECT dogpile_exists('tenants', 'sec unset');

--
-- Another database: entries, tags and regions are its own.
--

CREATE DATABASE regression_dogpile TEMPLATE template0;
SELECT current_database() AS first \gset
SELECT dogpile_set('shared_all', 'sec database', 'of the first', tags => '{sec}');
\c regression_dogpile
CREATE EXTENSION dogpile;
SELECT dogpile_exists('shared_all', 'sec database');
SELECT dogpile_delete('shared_all', 'sec database');
SELECT dogpile_invalidate_tags('{sec}'), dogpile_invalidate('shared_all');
SELECT dogpile_add('shared_all', 'sec database', 'of the other');
-- The administrator sees all.
SELECT database = :'first' AS of_first, database = current_database() AS of_other
  FROM dogpile_entries WHERE key = 'sec database' AND fresh ORDER BY 1;
SELECT dogpile_delete('shared_all', 'sec database');
\c :first
SELECT dogpile_get('shared_all', 'sec database');
DROP DATABASE regression_dogpile;

SET client_min_messages = warning;
DROP SCHEMA sec, sec_tenant1, sec_tenant2 CASCADE;
DROP ROLE regress_dogpile_alice, regress_dogpile_bob, regress_dogpile_stats;
