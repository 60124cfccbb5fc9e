# Regions and their settings follow the configuration files, at start and at reload, also
# in running sessions.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
my $log_offset = 0;

# Write the lines for the module, and no others, to a file of their own.
sub configure
{
	my (@lines) = @_;
	my $file = $node->data_dir . '/dogpile.conf';

	unlink $file;
	append_to_file($file, join("\n", @lines, ''));
	return;
}

# Reload, and wait until the postmaster has done so: it counts "marker", a
# setting of the default region, which new sessions inherit.
my $marker = 0;

sub reload
{
	my (@lines) = @_;

	$marker++;
	configure(@lines, "dogpile_default.lock_timeout = $marker");
	$log_offset = -s $node->logfile;
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW dogpile_default.lock_timeout',
		"${marker}ms")
	  or die 'timed out waiting for the postmaster to reload';
	return;
}

# What the server has logged since the last reload or start.
sub new_log
{
	return slurp_file($node->logfile, $log_offset);
}

# Wait until a running session has reloaded too.
sub wait_for
{
	my ($session) = @_;

	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my $seen = $session->query('SHOW dogpile_default.lock_timeout');

		return if $seen eq "${marker}ms";
		select(undef, undef, undef, 0.1);
	}
	die 'timed out waiting for a session to reload';
}

# The result of a query in a session, or its error.
sub result
{
	my ($session, $query) = @_;

	$session->{stderr} = '';
	my $stdout = $session->query($query);
	my $stderr = $session->{stderr};

	$session->{stderr} = '';
	return $stderr ne '' ? $stderr : $stdout;
}

sub region_exists
{
	my ($session, $region) = @_;

	return result($session, "SELECT dogpile_exists('$region', 'k')") eq 'f';
}

# A session that survives errors.
sub open_session
{
	return $node->background_psql('postgres', on_error_stop => 0);
}

# ---------------------------------------------------------------------------
# Start: lines before and after dogpile.regions, some of them misspelled.

$node->init;
$node->append_conf('postgresql.conf', <<'EOT');
shared_preload_libraries = 'dogpile'
include 'dogpile.conf'
EOT
configure(
	"dogpile_reports.expiration_time = '5min'",
	"dogpile_reports.expiry = '5min'",
	"dogpile_lost.backend = 'null'",
	"dogpile.regions = 'reports, sessions'",
	"dogpile_sessions.lock_timeout = '250ms'",
	"dogpile_sessions.hard_expiration_factor = 0.5",
	"dogpile_sessions.timeout = '250ms'",
	"dogpile_stray.expiration_time = '5min'",
	"dogpile.regoins = 'lost'",
	"dogpiles.regions = 'lost'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dogpile');

my $log = new_log();
my $file = qr/in file ".*dogpile\.conf" line/;

is($node->safe_psql('postgres', 'SHOW dogpile_reports.expiration_time'),
	'5min', 'start: line before dogpile.regions');
is($node->safe_psql('postgres', 'SHOW dogpile_sessions.lock_timeout'),
	'250ms', 'start: line after dogpile.regions');
is( $node->safe_psql(
		'postgres', 'SHOW dogpile_sessions.hard_expiration_factor'),
	'8',
	'start: bad value leaves the default');
like($log, qr/WARNING: .*"dogpile_sessions\.hard_expiration_factor"/,
	'start: bad value is reported');
foreach my $name (
	'dogpile_reports.expiry', 'dogpile_sessions.timeout',
	'dogpile.regoins')
{
	like(
		$log,
		qr/WARNING:  invalid configuration parameter name "\Q$name\E"/,
		"start: $name is reported");
}
foreach my $line ([ 'lost', 'lost.backend', 3 ],
	[ 'stray', 'stray.expiration_time', 8 ])
{
	my ($region, $name, $number) = @$line;

	like(
		$log,
		qr/WARNING:  unrecognized configuration parameter "dogpile_$name" $file $number\n.*DETAIL:  Cache region "$region" does not exist\.\n.*HINT:  Add it to "dogpile\.regions"\./,
		"start: region $region is reported");
}
like(
	$log,
	qr/WARNING:  unrecognized configuration parameter "dogpiles\.regions" $file 10\n.*HINT:  Settings of cache regions begin with "dogpile_"/,
	'start: misspelt prefix is reported');

# ---------------------------------------------------------------------------
# One reload adds, changes and removes regions, whatever the order of lines.

my @orders = (
	"dogpile_orders.expiration_time = '1h'",
	"dogpile_orders.vary = ''",
	"dogpile_reports.expiration_time = '10min'");
my @before =
  ("dogpile.regions = 'reports, sessions'",
	"dogpile_reports.expiration_time = '5min'");

foreach my $case (
	[ 'lines before', @orders, "dogpile.regions = 'reports, orders'" ],
	[ 'lines after', "dogpile.regions = 'orders, reports'", @orders ],
	[
		'lines around', $orders[0],
		"dogpile.regions = 'reports, orders'", @orders[ 1, 2 ]
	])
{
	my ($name, @lines) = @$case;

	# Each case needs a server that does not know the region yet.
	configure(@before);
	$node->restart;

	my $session = open_session();
	my @sessions = ($session, open_session());

	ok(region_exists($session, 'sessions'), "$name: region to be removed");
	ok(!region_exists($session, 'orders'), "$name: region to be added");

	reload(@lines);
	push @sessions, open_session();
	foreach my $s (@sessions)
	{
		wait_for($s);
		ok(region_exists($s, 'orders'), "$name: region is added");
		is(result($s, 'SHOW dogpile_orders.expiration_time'),
			'1h', "$name: with its setting");
		is(result($s, 'SHOW dogpile_reports.expiration_time'),
			'10min', "$name: region is changed");
		like(
			result($s, "SELECT dogpile_exists('sessions', 'k')"),
			qr/ERROR:  cache region "sessions" does not exist\nHINT:  Add it to "dogpile\.regions"\./,
			"$name: region is removed");
		is( result($s,
				"SELECT count(*) FROM pg_settings WHERE name LIKE 'dogpile\\_orders.%' AND sourceline IS NOT NULL"
			),
			2,
			"$name: pg_settings knows the lines");
	}
	unlike(new_log(), qr/WARNING|ERROR:  (?!cache region "sessions")/,
		"$name: nothing to report");

	# And back: a region that was removed is like a new one.
	reload(@before);
	wait_for($session);
	ok(region_exists($session, 'sessions'), "$name: region is back");
	ok(!region_exists($session, 'orders'), "$name: region is gone again");
	is(result($session, 'SHOW dogpile_reports.expiration_time'),
		'5min', "$name: setting is changed back");

	# Without any line for them, settings return to their defaults.
	reload("dogpile.regions = 'reports, orders'");
	wait_for($session);
	ok(region_exists($session, 'orders'), "$name: region is added again");
	is(result($session, 'SHOW dogpile_orders.expiration_time'),
		'-1', "$name: with the default of its setting");
	is(result($session, 'SHOW dogpile_reports.expiration_time'),
		'-1', "$name: removed line restores the default");
	reload();
	wait_for($session);
	ok(!region_exists($session, 'orders'),
		"$name: without dogpile.regions there are none");
	ok(region_exists($session, 'default'), "$name: but the default one");
	$_->quit foreach @sessions;
}

# ---------------------------------------------------------------------------
# Running sessions follow a reload that changes where values are stored, and which roles
# share them.

configure(@before);
$node->restart;
$node->safe_psql('postgres', 'CREATE ROLE ordinary LOGIN');

my $owner = open_session();
my $other = $node->background_psql(
	'postgres',
	on_error_stop => 0,
	extra_params => [ '-U', 'ordinary' ]);

foreach my $case (
	[ 'values in memory', 't', 'f', "dogpile_reports.vary = 'role'" ],
	[ 'values shared by all', 't', 't', "dogpile_reports.vary = ''" ],
	[
		'values nowhere', 'f',
		'f', "dogpile_reports.vary = ''",
		"dogpile_reports.backend = 'null'"
	],
	[ 'values in memory again', 't', 'f' ])
{
	my ($name, $for_owner, $for_other, @lines) = @$case;

	reload(@before, @lines);
	foreach my $s ($owner, $other)
	{
		wait_for($s);
	}
	result($owner, "SELECT dogpile_set('reports', '$name', 'x'::text)");
	is(result($owner, "SELECT dogpile_exists('reports', '$name')"),
		$for_owner, "$name: for the role that has set one");
	is(result($other, "SELECT dogpile_exists('reports', '$name')"),
		$for_other, "$name: for another role");
}
$_->quit foreach $owner, $other;

# ---------------------------------------------------------------------------
# Misspelled settings and regions are reported at reload.

configure(@before);
$node->restart;
reload(
	"dogpile_users.expiry = '1h'",
	"dogpile_lost.backend = 'null'",
	"dogpile.regions = 'reports, users'",
	"dogpile_users.timeout = '1s'",
	"dogpile_reports.timeout = '1s'",
	"dogpile_sessions.lock_timeout = '1s'",
	"dogpile_stray.backend = 'null'",
	"dogpile.regoins = 'lost'");
$log = new_log();
foreach my $name (
	'dogpile_users.expiry', 'dogpile_users.timeout',
	'dogpile_reports.timeout', 'dogpile.regoins')
{
	like(
		$log,
		qr/invalid configuration parameter name "\Q$name\E"/,
		"reload: $name is reported");
}
foreach my $name ('dogpile_lost.backend', 'dogpile_sessions.lock_timeout',
	'dogpile_stray.backend')
{
	like(
		$log,
		qr/WARNING:  unrecognized configuration parameter "\Q$name\E" $file/,
		"reload: region of $name is reported");

	# Only the postmaster reports.
	my @times = $log =~ /unrecognized .*"\Q$name\E"/g;
	is(scalar(@times), 1, "reload: $name is reported once");
}
is( $node->safe_psql(
		'postgres',
		"SELECT string_agg(name, ' ' ORDER BY name COLLATE \"C\") FROM pg_file_settings WHERE name LIKE 'dogpile%' AND NOT applied"
	),
	'dogpile.regoins dogpile_reports.timeout dogpile_users.expiry dogpile_users.timeout',
	'pg_file_settings shows misspelt settings');

# ---------------------------------------------------------------------------
# An invalid value is refused with PostgreSQL's own message, and the old one stays.

my @good = (
	"dogpile.regions = 'reports, sessions'",
	"dogpile_reports.expiration_time = '5min'",
	"dogpile_reports.lock_timeout = '7s'",
	"dogpile_reports.vary = 'role'",
	"dogpile_reports.backend = 'shared_memory'");
my $session = open_session();

reload(@good);
wait_for($session);
reload(
	"dogpile.regions = 'reports, Users'",
	"dogpile_reports.expiration_time = '7 parsecs'",
	"dogpile_reports.lock_timeout = 'soon'",
	"dogpile_reports.vary = 'role, 1st'",
	"dogpile_reports.backend = 'nosuch'");
wait_for($session);
$log = new_log();
foreach my $setting (
	[ 'dogpile.regions', 'reports, sessions' ],
	[ 'dogpile_reports.expiration_time', '5min' ],
	[ 'dogpile_reports.lock_timeout', '7s' ],
	[ 'dogpile_reports.vary', 'role' ],
	[ 'dogpile_reports.backend', 'shared_memory' ])
{
	my ($name, $old) = @$setting;

	is(result($session, "SHOW $name"), $old, "bad value: $name is kept");
	is($node->safe_psql('postgres', "SHOW $name"),
		$old, "bad value: $name is kept for new sessions");
	like($log, qr/LOG:  invalid value for parameter "\Q$name\E"/,
		"bad value: $name is reported")
	  if $name ne 'dogpile_reports.backend';
}
like($log, qr/HINT:  Valid units for this parameter are "us", "ms"/,
	'bad value: PostgreSQL names the units');
like($log, qr/DETAIL:  Region name "Users" is not valid\./,
	'bad value: detail of the check');
like(
	$log,
	qr/LOG:  cache backend "nosuch" is not supported by this build/,
	'bad value: backend is reported');
ok(region_exists($session, 'sessions'), 'bad value: regions are kept');

# A name of three parts is a syntax error of the whole file.
configure(@good, 'dogpile.reports.expiration_time = 1');
$log_offset = -s $node->logfile;
$node->reload;
$node->wait_for_log(qr/contains errors; no changes were applied/,
	$log_offset);
$log = new_log();
like($log, qr/LOG:  syntax error in file/, 'three parts: syntax error');
is($node->safe_psql('postgres', 'SHOW dogpile_reports.lock_timeout'),
	'7s', 'three parts: settings are kept');

# Neither our messages nor PostgreSQL's suggest such a name.
unlike(
	slurp_file($node->logfile),
	qr/^.*(?:WARNING|DETAIL|HINT): .*dogpile\.\w+\.\w+(?<!\.conf)"/m,
	'three parts: never suggested');

# ---------------------------------------------------------------------------
# Other ways to set: ALTER SYSTEM, ALTER DATABASE, sessions.

reload(@good);
wait_for($session);
$node->safe_psql('postgres', 'ALTER SYSTEM SET dogpile.regions = reports, late');
reload(@good);
wait_for($session);
ok(region_exists($session, 'late'), 'ALTER SYSTEM: region is added');
$node->safe_psql('postgres',
	"ALTER SYSTEM SET dogpile_late.backend = 'null'");
$node->safe_psql('postgres',
	"ALTER DATABASE postgres SET dogpile_late.expiration_time = '7min'");
reload(@good);
wait_for($session);
is(result($session, 'SHOW dogpile_late.backend'),
	'null', 'ALTER SYSTEM: setting of the new region');
is($node->safe_psql('postgres', 'SHOW dogpile_late.expiration_time'),
	'7min', 'ALTER DATABASE: setting of the new region');
$node->safe_psql('postgres',
	'ALTER DATABASE postgres RESET dogpile_late.expiration_time');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');

# Settings of a session from before the region exists are checked when it does: values,
# units, and whether a session may set them.
$session->quit;
configure("dogpile.regions = 'reports'");
$node->restart;
$session = $node->background_psql(
	'postgres',
	on_error_stop => 0,
	extra_params => [ '-U', 'ordinary' ]);
result($session, "SET dogpile_late.expiration_time = '9min'");
result($session, "SET dogpile_late.lock_timeout = 'soon'");
result($session, "SET dogpile_late.vary = ''");
result($session, "SET dogpile_late.typo = ''");
result($session, 'BEGIN');
result($session, "SET LOCAL dogpile_late.snapshot_reads = on");
result($session, "SET LOCAL dogpile_late.other_typo = on");
reload("dogpile.regions = 'reports, late'", "dogpile_late.vary = 'role'");
wait_for($session);
is(result($session, 'SHOW dogpile_late.expiration_time'),
	'9min', 'placeholder: kept');
is(result($session, 'SHOW dogpile_late.lock_timeout'),
	'0', 'placeholder: bad value is dropped');
is(result($session, 'SHOW dogpile_late.vary'),
	'role', "placeholder: the administrator's setting wins");
is(result($session, 'SHOW dogpile_late.snapshot_reads'),
	'on', 'placeholder: SET LOCAL is kept');
ok(region_exists($session, 'late'), 'placeholder: region is usable');
result($session, 'ROLLBACK');
is(result($session, 'SHOW dogpile_late.snapshot_reads'),
	'off', 'placeholder: SET LOCAL is undone');
like(
	result($session, 'SHOW dogpile_late.typo'),
	qr/ERROR:  unrecognized configuration parameter/,
	'placeholder: misspelt one is dropped');
ok($session->quit, 'session ends as it should');

$node->stop;
done_testing();
