--
-- Settings: of the module and of each region.
--

-- Names, units and contexts.
SELECT name, vartype, context, unit, boot_val, min_val, max_val
  FROM pg_settings WHERE name LIKE 'dogpile.%'
  ORDER BY name COLLATE "C";
SELECT substr(name, 17) AS setting, vartype, context, unit, boot_val,
       min_val, max_val, enumvals
  FROM pg_settings WHERE name LIKE 'dogpile\_reports.%'
  ORDER BY name COLLATE "C";

-- Each region has all of them, and so has the default region.
SELECT prefix, count(*) = max(count(*)) OVER () AS has_all
  FROM (SELECT split_part(name, '.', 1) COLLATE "C" AS prefix
          FROM pg_settings WHERE name LIKE 'dogpile\_%') AS settings
  GROUP BY prefix ORDER BY prefix;

-- What the configuration file says; the rest is the default.
SHOW dogpile.regions;
SHOW dogpile.shared_memory;
SELECT name, setting, unit, source FROM pg_settings
  WHERE name LIKE 'dogpile%' AND source <> 'default'
  ORDER BY name COLLATE "C";
SHOW dogpile_reports.expiration_time;
SHOW dogpile_reports.vary;
SHOW dogpile_default.expiration_time;

-- All have a description.
SELECT name FROM pg_settings
  WHERE name LIKE 'dogpile%' AND short_desc !~ '^(Sets|Makes) .*\.$';

-- A region that is not configured.
SELECT dogpile_exists('users', 'k');
SELECT dogpile_exists('Reports', 'k');
SELECT dogpile_exists('report', 'k');
SELECT dogpile_exists('', 'k');
SELECT dogpile_exists('default', 'k');

-- Units are PostgreSQL's.
SET dogpile_reports.expiration_time = '90 min';
SHOW dogpile_reports.expiration_time;
SET dogpile_reports.expiration_time = '250ms';
SHOW dogpile_reports.expiration_time;
SET dogpile_reports.expiration_time = 0;
SHOW dogpile_reports.expiration_time;
SET dogpile_reports.expiration_time = -1;
SHOW dogpile_reports.expiration_time;
SET dogpile_reports.expiration_time = -0.5;
SET dogpile_reports.expiration_time = 'never';
SET dogpile_reports.expiration_time = '7 parsecs';
SHOW dogpile_reports.expiration_time;
RESET dogpile_reports.expiration_time;
SHOW dogpile_reports.expiration_time;
SET dogpile_reports.lock_timeout = '1.5s';
SHOW dogpile_reports.lock_timeout;
RESET dogpile_reports.lock_timeout;
SET dogpile_reports.lock_timeout_action = 'Compute';
SHOW dogpile_reports.lock_timeout_action;
SET dogpile_reports.lock_timeout_action = 'hang';
RESET dogpile_reports.lock_timeout_action;
SET dogpile_reports.snapshot_reads = maybe;

-- So are ranges; the wording depends on the version.
\set VERBOSITY sqlstate
SET dogpile_reports.expiration_time = -2;
SET dogpile_reports.expiration_time = '100000d';
SET dogpile_reports.lock_timeout = -1;
ALTER SYSTEM SET dogpile_reports.hard_expiration_factor = 0.5;
ALTER SYSTEM SET dogpile_reports.max_value_size = 0;
ALTER SYSTEM SET dogpile_reports.max_value_size = '2GB';
ALTER SYSTEM SET dogpile.shared_memory = '100kB';
\set VERBOSITY default

-- Transactions.
BEGIN;
SET LOCAL dogpile_reports.expiration_time = '1h';
SAVEPOINT a;
SET LOCAL dogpile_reports.expiration_time = '2h';
SHOW dogpile_reports.expiration_time;
ROLLBACK TO a;
SHOW dogpile_reports.expiration_time;
COMMIT;
SHOW dogpile_reports.expiration_time;
BEGIN;
SET dogpile_reports.lock_timeout = '10s';
ROLLBACK;
SHOW dogpile_reports.lock_timeout;

-- What a session cannot decide for itself.
SET dogpile.regions = 'users';
SET dogpile.shared_memory = '1GB';
SET dogpile_reports.backend = 'null';
SET dogpile_reports.hard_expiration_factor = 2;
SET dogpile_reports.max_value_size = '1MB';
SET dogpile_reports.vary = '';
ALTER ROLE CURRENT_USER SET dogpile_reports.vary = '';

-- Misspelled settings.
SET dogpile.regoins = 'users';
SET dogpile_reports.expiration = '1h';
ALTER ROLE CURRENT_USER SET dogpile_default.expiration = '1h';

-- ALTER SYSTEM checks values before it writes them.
ALTER SYSTEM SET dogpile.regions = reports, users;
ALTER SYSTEM RESET dogpile.regions;
ALTER SYSTEM SET dogpile.regions = 'reports, Users';
ALTER SYSTEM SET dogpile.regions = 'reports, 2nd';
ALTER SYSTEM SET dogpile.regions = 'reports, my-users';
ALTER SYSTEM SET dogpile.regions = 'reports, ';
ALTER SYSTEM SET dogpile.regions = 'a, b, a';
ALTER SYSTEM SET dogpile.regions = 'a23456789_123456789_123456789_12';
ALTER SYSTEM RESET dogpile.regions;
ALTER SYSTEM SET dogpile.regions = 'a23456789_123456789_123456789_123';
SELECT string_agg('r' || i, ',' ORDER BY i) AS names63
  FROM generate_series(1, 63) i \gset
ALTER SYSTEM SET dogpile.regions = :'names63';
ALTER SYSTEM SET dogpile.regions = 'default', :'names63';
ALTER SYSTEM RESET dogpile.regions;
\set names64 :names63 ',r64'
\set VERBOSITY terse
ALTER SYSTEM SET dogpile.regions = :'names64';
\set VERBOSITY default
ALTER SYSTEM SET dogpile_reports.vary = 'role, "app.tenant_id", TimeZone';
ALTER SYSTEM SET dogpile_reports.vary = 'role, app.tenant id';
ALTER SYSTEM SET dogpile_reports.vary = 'role, app.';
ALTER SYSTEM SET dogpile_reports.vary = 'role, 2nd';
ALTER SYSTEM SET dogpile_reports.vary = 'role, current_user';
ALTER SYSTEM SET dogpile_reports.vary = '""';
ALTER SYSTEM RESET dogpile_reports.vary;
ALTER SYSTEM SET dogpile_reports.backend = 'nosuch';

-- None of them was written, and what was is reset.
SELECT count(*) FROM pg_file_settings
  WHERE sourcefile LIKE '%postgresql.auto.conf' AND name LIKE 'dogpile%';
