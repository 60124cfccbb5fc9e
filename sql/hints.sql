--
-- Names that are no settings: the messages of SET and similar commands.
--

-- A region that does not exist may be misspelled; PostgreSQL accepts the name.
SET dogpile_nosuch.vary = 'role';
SHOW dogpile_nosuch.vary;
SET LOCAL Dogpile_Nosuch.Vary TO DEFAULT;
SET dogpiles.vary = 'role';
RESET dogpile_nosuch.vary;
CREATE ROLE hints;
ALTER ROLE hints SET dogpile_nosuch.expiration_time = '5min';
ALTER ROLE hints RESET ALL;
ALTER ROLE hints IN DATABASE contrib_regression SET dogpile_nosuch.vary = '';
ALTER DATABASE contrib_regression SET dogpile_nosuch.expiration_time = '5min';
ALTER DATABASE contrib_regression RESET dogpile_nosuch.expiration_time;
DROP ROLE hints;

-- One that exists has no such setting.
SET dogpile_reports.varry = 'role';
SET dogpile_reports.expiration_time = '7min';
RESET dogpile_reports.expiration_time;

-- Three parts.
SET dogpile.reports.expiration_time = '5min';
SET LOCAL dogpile.reports.expiration_time = '5min';
SHOW dogpile.reports.expiration_time;
RESET dogpile.reports.expiration_time;
ALTER SYSTEM SET dogpile.reports.expiration_time = '5min';
ALTER DATABASE contrib_regression SET dogpile.reports.expiration_time = '5min';

-- Names of other modules do not concern this one.
SET app.tenant.id = 1;
SHOW app.tenant.id;
