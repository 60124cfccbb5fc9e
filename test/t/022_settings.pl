# Settings that are not valid: the region cannot be used, or keeps the settings that it
# had, and all sessions agree.  Only superusers see secrets.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('main', "include 'dogpile.conf'", 'log_statement = none');
my $file = $node->data_dir . '/dogpile.conf';
my $in_file = qr/in file "\Q$file\E" line/;
my $log_offset = 0;

# Write the lines for the module, and no others, to a file of their own.
sub configure
{
	my (@lines) = @_;

	unlink $file;
	append_to_file($file, join("\n", @lines, ''));
	return;
}

# Reload, and wait until the postmaster has done so: new sessions see "test.marker".
my $marker = 0;

sub reload
{
	my (@lines) = @_;

	$marker++;
	configure(@lines, "test.marker = $marker");
	$log_offset = -s $node->logfile;
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW test.marker', $marker)
	  or die 'timed out waiting for the postmaster to reload';
	return;
}

sub new_log
{
	return slurp_file($node->logfile, $log_offset);
}

# A session that survives errors, and the result of a query in it or its error.
sub open_session
{
	my ($role) = @_;

	return $node->background_psql(
		'postgres',
		on_error_stop => 0,
		extra_params => [ defined $role ? ('-U', $role) : () ]);
}

sub result
{
	my ($session, $query) = @_;

	$session->{stderr} = '';
	my $stdout = $session->query($query);
	my $stderr = $session->{stderr};

	$session->{stderr} = '';
	$stderr =~ s/psql:<stdin>:\d+: //g;
	return $stderr =~ /ERROR/ ? $stderr : $stdout;
}

# Wait until a running session has reloaded too.
sub wait_for
{
	my ($session) = @_;

	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if result($session, 'SHOW test.marker') eq $marker;
		select(undef, undef, undef, 0.1);
	}
	die 'timed out waiting for a session to reload';
}

# The error of a statement in a session of its own.
sub error_of
{
	my ($statement, @options) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', $statement, @options);

	return $stderr;
}

# ---------------------------------------------------------------------------
# At start: one invalid line, one region that cannot be used.  Two lines precede each of
# them, so that its number is 3 * n.

my @cases = (
	[ 'vary', "vary = 'role, serch_path'", 'The value "role, serch_path" of ', 'There is no setting "serch_path"\.' ],
	[ 'vary_form', "vary = 'role, 1st'", 'The value "role, 1st" of ', '"1st" is not a valid setting name\.' ],
	[ 'varry', "varry = 'app.tenant'", 'There is no setting ', '' ],
	[ 'backend', "backend = 'redsi'", 'The value "redsi" of ', 'There is no such backend' ],
	[ 'depends', "depends = 'atuo'", 'The value "atuo" of ', 'Available values: none, auto\.' ],
	[ 'tls', "tls = 'verfy'", 'The value "verfy" of ', 'Available values: off, on, verify\.' ],
	[ 'unit', "expiration_time = '5 minutes'", 'The value "5 minutes" of ', 'Valid units for this parameter are' ],
	[ 'negative', "expiration_time = '-5'", 'The value "-5" of ', 'It must be between -1 and' ],
	[ 'odd', "expiration_time = '-1ms'", 'The value "-1ms" of ', 'The value must be -1' ],
	[ 'range', "hard_expiration_factor = 0.5", 'The value "0.5" of ', 'It must be between 1 and 1000\.' ],
	[ 'number', "database = 'one'", 'The value "one" of ', '' ],
	[ 'switch', "cluster = 'maybe'", 'The value "maybe" of ', 'It must be "on" or "off"\.' ],
	[ 'prefix', "key_prefix = 'a b'", 'The value "a b" of ', 'printable ASCII' ],
	[ 'mangler', "key_mangler = 'a.b.c'", 'The value "a.b.c" of ', 'md5' ],
	[ 'wrapper', "wrap = 'nosuch'", 'The value "nosuch" of ', 'There is no wrapper "nosuch"\.' ],
	[ 'secrets', "secrett = 'hush-1'", 'There is no setting ', '' ]);
my @lines;

foreach my $case (@cases)
{
	push @lines, '#', '#', "dogpile_$case->[0].$case->[1]";
}
my $regions = "dogpile.regions = 'good, " . join(', ', map { $_->[0] } @cases) . "'";

configure(@lines, $regions);
$node->start;
create_helpers($node);
$node->safe_psql('postgres', 'CREATE ROLE ordinary LOGIN; CREATE ROLE reader LOGIN IN ROLE pg_read_all_settings');

my $log = new_log();
my $number = 0;

foreach my $case (@cases)
{
	my ($region, $line, $begin, $end) = @$case;
	my ($name) = $line =~ /(\w+)/;

	$number += 3;
	my $detail = qr/DETAIL:  \Q$begin\E"dogpile_$region\.$name", $in_file $number(?:, is not valid)?\.[^\n]*$end/;
	like($log, qr/WARNING:  cache region "$region" cannot be used\n[^\n]*$detail/,
		"start: $region is reported");
	foreach my $call ("dogpile_get('$region', 'k')",
		"dogpile_get_or_create('$region', 'k', 'SELECT 1')",
		"dogpile_set('$region', 'k', 1)", "dogpile_invalidate('$region')",
		"dogpile_increment('$region', 'k')", "dogpile_flush('$region')")
	{
		like(error_of("SELECT $call"),
			qr/ERROR:  cache region "$region" cannot be used\n$detail/, "start: $call");
	}
}
is($node->safe_psql('postgres', "SELECT dogpile_get_or_create('good', 'k', 'SELECT 1')"),
	'1', 'start: another region is not concerned');

# Roles that may not see a value do not get it in the message either.
reload(@lines, $regions, "dogpile_tls.tls_ca_file = 'hidden-file'", "dogpile_tls.user = 'hidden-user'",
	"dogpile_tls.sentinels = 'localhost'");
like(error_of("SET ROLE ordinary; SELECT dogpile_get('tls', 'k')"),
	qr/cannot be used\nDETAIL:  The value "verfy" of "dogpile_tls\.tls", $in_file/, 'others: get what all roles may see');
reload($regions, "dogpile_tls.backend = 'redis'", "dogpile_tls.servers = 'hidden-server:99999'");
like(error_of("SET ROLE ordinary; SELECT dogpile_get('tls', 'k')"),
	qr/cannot be used\nDETAIL:  Its settings do not go together: "backend" $in_file/, 'others: get the names of the settings');
unlike(error_of("SET ROLE ordinary; SELECT dogpile_get('tls', 'k')"), qr/hidden/, '... but not their values');
like(error_of("SET ROLE reader; SELECT dogpile_get('tls', 'k')"), qr/"hidden-server:99999" is not the address/,
	'roles that may see settings get it');

# ---------------------------------------------------------------------------
# A reload of valid lines makes the region usable, in running sessions, too; and after a
# restart with invalid lines it is unusable again.

my $session = open_session();

reload($regions);
wait_for($session);
foreach my $case (@cases)
{
	is(result($session, "SELECT dogpile_get_or_create('$case->[0]', 'k', 'SELECT 1')"),
		'1', "corrected: $case->[0]");
}
unlike(new_log(), qr/cannot be used|keeps/, 'corrected: nothing to report');
$session->quit;

# ---------------------------------------------------------------------------
# A reload of invalid lines changes nothing, neither for running sessions nor for new ones.

my @good = (
	"dogpile.regions = 'tenants'",
	"dogpile_tenants.vary = 'app.tenant'",
	"dogpile_tenants.max_value_size = '12kB'",
	"dogpile_tenants.hard_expiration_factor = 3",
	"dogpile_tenants.distributed_lock = off",
	"dogpile_tenants.expiration_time = '1h'");

sub settings_of
{
	my ($s) = @_;

	return result($s,
		"SELECT dogpile_exists('tenants', 'none'); SELECT string_agg(current_setting('dogpile_tenants.' || name), ' ' ORDER BY name) FROM unnest('{vary,max_value_size,hard_expiration_factor,distributed_lock,expiration_time,lock_timeout_action}'::text[]) AS name"
	);
}

my $expected = "f\noff 1h 3 error 12kB app.tenant";

foreach my $case (
	[ 'refused value', "dogpile_tenants.vary = '1st'", '"dogpile_tenants.vary"' ],
	[ 'misspelt name', "dogpile_tenants.varry = 'app.tenant'", '"dogpile_tenants.varry"' ],
	[ 'refused unit', "dogpile_tenants.vary = ''", '"dogpile_tenants.expiration_time"', "dogpile_tenants.expiration_time = '1 hour'" ],
	[ 'left-out lines', "dogpile_tenants.nosuch = 1", '"dogpile_tenants.nosuch"', undef ],
	[ 'mismatch', "dogpile_tenants.vary = ''", '"depends" cannot be "auto" with backend "file"',
		"dogpile_tenants.backend = 'file'", "dogpile_tenants.depends = 'auto'" ])
{
	my ($name, $vary, $reason, @others) = @$case;
	my $left_out = @others == 1 && !defined $others[0];

	configure(@good);
	$node->restart;

	my $old = open_session();

	is(settings_of($old), $expected, "$name: before");
	result($old, "SET app.tenant = 'a'");
	is(result($old, "SELECT dogpile_get_or_create('tenants', 'k', 'SELECT 1')"), '1', "$name: a value");
	reload($left_out ? ($good[0], $vary) : ($good[0], @good[ 2 .. 5 ], $vary, grep { defined } @others));
	wait_for($old);

	my $new = open_session();

	is(settings_of($old), $expected, "$name: an old session keeps its settings");
	is(settings_of($new), $expected, "$name: a new session has the same");
	result($_, "SET app.tenant = 'a'") foreach $old, $new;
	is(result($_, "SELECT dogpile_get('tenants', 'k')"), '1', "$name: ... and values") foreach $old, $new;
	result($_, "SET app.tenant = 'b'") foreach $old, $new;
	is(result($_, "SELECT dogpile_get('tenants', 'k')"), '', "$name: entries of no other role") foreach $old, $new;
	like(new_log(),
		qr/WARNING:  cache region "tenants" keeps the settings that it had\n[^\n]*DETAIL:  [^\n]*$reason/,
		"$name: reported");

	# Invalid again, in another way; then corrected.
	reload($good[0], "dogpile_tenants.varyy = 'role'");
	wait_for($_) foreach $old, $new;
	is(settings_of($_), $expected, "$name: still the same") foreach $old, $new, open_session();
	reload($good[0], "dogpile_tenants.vary = 'role'");
	wait_for($_) foreach $old, $new;
	is(settings_of($_), "f\non -1 8 error 8MB role", "$name: corrected") foreach $old, $new, open_session();

	# A server that starts does not know the settings that were kept.
	configure($good[0], $vary, grep { defined } @others);
	$node->restart;
	like(error_of("SELECT dogpile_exists('tenants', 'k')"), qr/ERROR:  cache region "tenants" cannot be used/,
		"$name: at start it cannot be used");
}

# A session that was idle during two reloads has seen only the second one.
configure($good[0], "dogpile_tenants.vary = ''");
$node->restart;
my $idle = open_session();
result($idle, "SET app.tenant = 'b'");
is(result($idle, "SELECT dogpile_exists('tenants', 'k')"), 'f', 'idle: before');
reload(@good);
is($node->safe_psql('postgres', "SET app.tenant = 'a'; SELECT dogpile_get_or_create('tenants', 'k', 'SELECT 1')"),
	'1', 'idle: another session varies by tenant');
reload($good[0], "dogpile_tenants.varry = 'app.tenant'");
wait_for($idle);
like(result($idle, "SELECT dogpile_get('tenants', 'k')"),
	qr/ERROR:  cache region "tenants" cannot be used\nDETAIL:  Other sessions have settings that this one has never seen/,
	'idle: it does not go on as before');
my $new = open_session();
result($new, "SET app.tenant = 'a'");
is(result($new, "SELECT dogpile_get('tenants', 'k')"), '1', 'idle: a new session does as others');
reload(@good);
wait_for($idle);
is(result($idle, "SELECT dogpile_get('tenants', 'k')"), '', 'idle: corrected');

# It may use the region if its lines were the same in between.
configure(reverse @good);
$node->restart;
$idle->quit;
$idle = open_session();
is(settings_of($idle), $expected, 'idle since the start: before');
reload(@good, "dogpile_default.vary = 'role'");
reload($good[0], "dogpile_tenants.varry = 'app.tenant'");
wait_for($idle);
is(settings_of($_), $expected, 'idle since the start: as before, and as others') foreach $idle, open_session();
reload(@good);
wait_for($idle);

# What a session has set for itself stays, also in a transaction.
result($idle, "SET dogpile_tenants.expiration_time = '7min'");
result($idle, 'BEGIN');
result($idle, "SET LOCAL dogpile_tenants.lock_timeout = '7s'");
reload($good[0], "dogpile_tenants.varry = 'app.tenant'");
result($idle, "SELECT dogpile_get('tenants', 'k')");
is(result($idle, 'SHOW dogpile_tenants.vary; SHOW dogpile_tenants.expiration_time; SHOW dogpile_tenants.lock_timeout'),
	"app.tenant\n7min\n7s", 'SET: stays');
result($idle, 'COMMIT');
is(result($idle, 'SHOW dogpile_tenants.expiration_time; SHOW dogpile_tenants.lock_timeout'),
	"7min\n0", 'SET LOCAL: ends');
result($idle, 'RESET dogpile_tenants.expiration_time');
is(result($idle, 'SHOW dogpile_tenants.expiration_time'), '1h', 'RESET: to what is kept');

# ---------------------------------------------------------------------------
# Regions that a reload adds; reloads that call none of our hooks.

reload("dogpile_late.varry = 'role'", "dogpile.regions = 'tenants, late, later'",
	"dogpile_later.depends = 'atuo'", @good[ 1 .. 5 ]);
foreach my $region ('late', 'later')
{
	wait_for($idle);
	like(result($idle, "SELECT dogpile_exists('$region', 'k')"),
		qr/ERROR:  cache region "$region" cannot be used\nDETAIL:  .*"dogpile_$region\.\w+", $in_file/,
		"added: $region, for an old session");
	like(error_of("SELECT dogpile_exists('$region', 'k')"),
		qr/ERROR:  cache region "$region" cannot be used/, "added: $region, for a new one");
	like(new_log(), qr/WARNING:  cache region "$region" cannot be used/, "added: $region is reported");
}
$idle->quit;

configure('#');
$node->restart;
$session = open_session();
is(result($session, "SELECT dogpile_exists('default', 'k')"), 'f', 'no line: works');
reload("dogpile_default.varry = ''");
wait_for($session);
is(result($session, "SELECT dogpile_exists('default', 'k'); SHOW dogpile_default.vary"), "f\nrole, search_path",
	'only a misspelt line: an old session keeps what it had');
is($node->safe_psql('postgres', "SELECT dogpile_exists('default', 'k')"), 'f', 'only a misspelt line: a new one too');
$node->restart;
like(error_of("SELECT dogpile_exists('default', 'k')"), qr/There is no setting "dogpile_default.varry", $in_file 1\./,
	'only a misspelt line: at start the region cannot be used');
reload('#');
is($node->safe_psql('postgres', "SELECT dogpile_exists('default', 'k')"), 'f', 'no line again: corrected');
$session->quit;

# If the list of regions is not valid, the error about an unknown region says so.
configure("dogpile.regions = 'tenants, Users'");
$node->restart;
like(error_of("SELECT dogpile_exists('tenants', 'k')"),
	qr/ERROR:  cache region "tenants" does not exist\nDETAIL:  "dogpile.regions", $in_file 1, is not valid\./,
	'list of regions: the error names the line');
configure("dogpile.regoins = 'tenants'");
$node->restart;
like(error_of("SELECT dogpile_exists('tenants', 'k')"), qr/DETAIL:  "dogpile.regoins", $in_file 1, is not valid\./,
	'... and a misspelt one');

# ---------------------------------------------------------------------------
# Other places: the command line, ALTER SYSTEM, ALTER ROLE and ALTER DATABASE

configure("dogpile.regions = 'tenants'");
$node->stop;
PostgreSQL::Test::Utils::system_or_bail('pg_ctl', '-s', '-w', '-D', $node->data_dir, '-l', $node->logfile,
	'-o', "-c dogpile_tenants.vary=1st --cluster-name=main", 'start');
$node->_update_pid(1);
like(error_of("SELECT dogpile_exists('tenants', 'k')"),
	qr/DETAIL:  The value "1st" of "dogpile_tenants.vary", on the command line of the server, is not valid\./,
	'command line: the region cannot be used');
reload("dogpile.regions = 'tenants'", "dogpile_tenants.vary = 'role'");
like(error_of("SELECT dogpile_exists('tenants', 'k')"), qr/on the command line/, 'command line: a reload does not mend it');
$node->restart;
like(error_of("SELECT dogpile_exists('tenants', 'k')"), qr/on the command line/, 'command line: nor does a line in a file');
$node->stop;
$node->start;
is($node->safe_psql('postgres', "SELECT dogpile_exists('tenants', 'k')"), 'f', 'command line: a restart without it does');

like(error_of("ALTER SYSTEM SET dogpile_tenants.vary = '1st'"), qr/ERROR:  invalid value for parameter/, 'ALTER SYSTEM: a refused value');
like(error_of("ALTER SYSTEM SET dogpile_tenants.varry = 'role'"), qr/ERROR:  (?:invalid|unrecognized) configuration parameter/, 'ALTER SYSTEM: a misspelt name');
$node->safe_psql('postgres', "ALTER SYSTEM SET dogpile_tenants.sentinels = 'localhost'");
$node->safe_psql('postgres', "ALTER SYSTEM SET dogpile_tenants.backend = 'file'");
$node->safe_psql('postgres', "ALTER SYSTEM SET dogpile_tenants.depends = 'auto'");
$node->restart;
like(error_of("SELECT dogpile_exists('tenants', 'k')"), qr/"depends" in file "postgresql.auto.conf" line \d+|"depends" in file "[^"]*postgresql.auto.conf" line \d+/,
	'ALTER SYSTEM: settings that do not go together');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$node->restart;

# A role may set anything for a region that does not exist.
$node->safe_psql('postgres', <<'EOT');
ALTER ROLE ordinary SET dogpile_late.expiration_time = '5 minutes';
ALTER DATABASE postgres SET dogpile_later.expiration = '5min';
ALTER ROLE reader SET dogpile_late.vary = '';
ALTER ROLE ordinary SET dogpile_fine.expiration_time = '7min';
EOT
configure("dogpile.regions = 'late, later, fine'");
$node->restart;
$session = open_session('ordinary');
like(result($session, "SELECT dogpile_exists('late', 'k')"),
	qr/The value "5 minutes" of "dogpile_late.expiration_time", as set by ALTER ROLE or ALTER DATABASE, is not valid\. Valid units/,
	'ALTER ROLE: a refused value');
like(result($session, "SELECT dogpile_exists('later', 'k')"),
	qr/There is no setting "dogpile_later.expiration", as set by ALTER ROLE or ALTER DATABASE\./, 'ALTER DATABASE: a misspelt name');
is(result($session, "SELECT dogpile_exists('fine', 'k'); SHOW dogpile_fine.expiration_time"), "f\n7min", 'ALTER ROLE: a valid one');
$session->quit;
$session = open_session('reader');
like(result($session, "SELECT dogpile_exists('late', 'k')"), qr/"dogpile_late.vary".* It can be changed in configuration files only\./,
	'ALTER ROLE: what is not for roles');
$session->quit;
is($node->safe_psql('postgres', "SELECT dogpile_exists('late', 'k')"), 'f', 'ALTER ROLE: other roles are not concerned');
$node->safe_psql('postgres', 'ALTER ROLE ordinary RESET ALL; ALTER ROLE reader RESET ALL; ALTER DATABASE postgres RESET ALL');

# ---------------------------------------------------------------------------
# Secrets

my @secret = (
	"dogpile.regions = 'outside'",
	"dogpile_outside.backend = 'file'",
	"dogpile_outside.password = 'hush-2'",
	"dogpile_outside.secret = 'hush-3'");

configure(@secret);
$node->restart;
$session = open_session();
result($session, "SELECT dogpile_set('outside', 'k', 'x'::text)");
is(result($session, "SELECT dogpile_get('outside', 'k')"), 'x', 'secret: a value');

# The reload adds a region, and passwords before the list, after it, for an unknown region,
# and with misspelled names.
reload("dogpile_new.password = 'hush-4'", "dogpile_lost.secret = 'hush-5'", "dogpile_lost.pasword = 'hush-6'",
	"dogpile.regions = 'outside, new'", "dogpile_outside.backend = 'file'", "dogpile_outside.secret = 'hush-7'",
	"dogpile_lost.password = 'hush-8'", "dogpile_new.secret = 'hush-9'", "dogpile_outside.secrte = 'hush-10'");
like(new_log(), qr/parameter "dogpile_lost.pasword" changed\n/, 'the log tells that something changed');
wait_for($session);
is(result($session, "SELECT dogpile_get('outside', 'k')"), 'x', 'secret: kept, as there is a misspelt name');
reload("dogpile.regions = 'outside, new'", "dogpile_outside.backend = 'file'", "dogpile_outside.secret = 'hush-7'",
	"dogpile_new.secret = 'hush-9'", "dogpile_new.password = 'hush-4'", "dogpile_lost.password = 'hush-8'", "dogpile_lost.secret = 'hush-5'");
wait_for($session);
is(result($session, "SELECT dogpile_get('outside', 'k')"), '', 'secret: another one does not fit');
$node->safe_psql('postgres', "ALTER SYSTEM SET dogpile_outside.secret = 'hush-3'");
$node->safe_psql('postgres', "ALTER SYSTEM SET dogpile_outside.password = 'hush-11'");
reload(@secret);
wait_for($session);
is(result($session, "SELECT dogpile_get('outside', 'k')"), 'x', 'secret: fits again, by ALTER SYSTEM');

$session->quit;

# Nor does PostgreSQL itself have them, where other modules could read them.
reload("dogpile.regions = 'outside, spy'", @secret[ 1 .. 3 ], "dogpile_spy.vary = 'dogpile_outside.secret, dogpile_outside.password'");
$node->safe_psql('postgres', "SELECT dogpile_set('spy', 'k', 1)");
is($node->safe_psql('postgres', "SELECT count(*), count(*) FILTER (WHERE variant ~ 'hush') FROM dogpile_entries WHERE region = 'spy'"),
	'1|0', 'secret: PostgreSQL does not have it');
reload(@secret);

my $statements = <<'EOT';
SHOW dogpile_%s;
SELECT current_setting('dogpile_%s', true);
SELECT * FROM pg_settings WHERE name ILIKE 'dogpile_%s';
SELECT * FROM pg_show_all_settings() WHERE name ILIKE 'dogpile_%s';
CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql SET dogpile_%s FROM CURRENT AS 'SELECT 1'; SELECT proconfig FROM pg_proc WHERE proname = 'f';
SELECT sourcefile, setting FROM pg_file_settings WHERE name ILIKE 'dogpile_%s';
SHOW ALL;
EOT

foreach my $name ('outside.secret', 'outside.password', 'OUTSIDE.Password', 'lost.secret', 'lost.password', 'new.secret')
{
	foreach my $role ('ordinary', 'reader')
	{
		foreach my $statement (split /\n/, $statements)
		{
			$statement =~ s/%s/$name/g;
			my (undef, $stdout, $stderr) = $node->psql('postgres', $statement, extra_params => [ '-U', $role ]);

			unlike("$stdout$stderr", qr/hush/, "$role: $statement");
		}
	}
}
is($node->safe_psql('postgres', 'SHOW dogpile_outside.secret; SHOW dogpile_outside.password'), "hush-3\nhush-11",
	'a superuser sees secrets');
is($node->safe_psql('postgres', 'SET ROLE reader; SHOW dogpile_outside.secret'), '********', 'others see stars');
$node->restart;
is($node->safe_psql('postgres', "SELECT dogpile_get('outside', 'k'); SHOW dogpile_outside.password"), "x\nhush-11",
	'secret: after a restart, by ALTER SYSTEM');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
reload(@secret[ 0, 1 ]);
is($node->safe_psql('postgres', "SELECT dogpile_set('outside', 'k', 'x'::text); SELECT dogpile_get('outside', 'k'); SELECT current_setting('dogpile_outside.secret') = ''"),
	"\nx\nt", 'secret: none any more');

$node->stop;

# Statements are written to the log where log_statement says so, and none was.
unlike(slurp_file($node->logfile), qr/hush/, 'no secret is in the log');

done_testing();
