# Settings of regions with an external store: a region whose settings do not go together
# cannot be used, unless it could be used before; names in the store are as documented;
# what the administrator's functions return and do.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;

my $redis = start_redis('redis');
my $memcached = start_memcached('memcached');
my $address = $redis->address;

# Settings that do not go together, and what the log says about them.
my %wrong = (
	no_servers => [ "backend = 'redis'", 'the list of servers is empty' ],
	bad_port => [ "backend = 'redis' servers = 'localhost:99999'", '"localhost:99999" is not the address of a server' ],
	no_service => [ "backend = 'redis' sentinels = 'localhost'", 'Redis Sentinels need the name of the master' ],
	two_ways => [ "backend = 'redis' sentinels = 'localhost' cluster = 'on'", 'a Redis Cluster has no Sentinels' ],
	numbered => [ "backend = 'redis' servers = '$address' cluster = 'on' database = '3'", 'a Redis Cluster has no database but number 0' ],
	no_ca => [ "backend = 'redis' servers = '$address' tls = 'verify' tls_ca_file = '/nowhere/ca.pem'", '(CA|ca.pem|TLS)' ],
	no_user => [ "backend = 'memcached' servers = 'localhost' password = 'x'", 'there is a password, but no user' ],
	no_tls => [ "backend = 'memcached' servers = 'localhost' tls = 'on'", 'libmemcached has no TLS' ],
	no_option => [ "backend = 'memcached' servers = 'localhost' options = '--NONSENSE'", 'libmemcached does not accept the options' ],
	no_reply => [ "backend = 'memcached' servers = 'localhost' options = '--NOREPLY'", 'the option "--NOREPLY" of libmemcached cannot be used here' ]);

sub settings
{
	my ($region, $settings) = @_;

	return map { "dogpile_$region.$_" } $settings =~ /(\w+ = '[^']*')/g;
}

my $node = new_server(
	'main',
	"dogpile.regions = 'good, mangled, cached, "
	  . join(', ', sort keys %wrong) . "'",
	settings('good', "backend = 'redis' servers = '$address' secret = 's3cret' password = ''"),
	settings('mangled', "backend = 'redis' servers = '$address' key_mangler = 'md5' key_prefix = 'm:' namespace = 'shared'"),
	settings('cached', "backend = 'memcached' servers = '" . $memcached->address . "'"),
	map { settings($_, $wrong{$_}[0]) } sort keys %wrong);

$node->start;
create_helpers($node);

# ---------------------------------------------------------------------------
# The message says what is wrong, and in which lines

foreach my $region (sort keys %wrong)
{
	my $reason = $wrong{$region}[1];
	my $what = qr/DETAIL:  Its settings do not go together: [^\n]*${reason}[^\n]*"backend" in file "[^"\n]*postgresql.conf" line \d+/;

	ok(wait_for_log_line($node, qr/WARNING:  cache region "$region" cannot be used\n.*$what/, 0),
		"$region: the log says what is wrong");
	foreach my $call ("dogpile_get_or_create('$region', 'k', 'SELECT 1')",
		"dogpile_get('$region', 'k')", "dogpile_invalidate('$region', 'k')")
	{
		my (undef, undef, $stderr) = $node->psql('postgres', "SELECT $call");

		like($stderr, qr/ERROR:  cache region "$region" cannot be used\n$what/,
			"$region: $call");
	}
}

my $offset = log_offset($node);
$node->append_conf('postgresql.conf', "dogpile_no_servers.servers = '$address'");
$node->append_conf('postgresql.conf', "dogpile_good.sentinels = '$address'");
$node->reload;
ok(wait_for_log_line($node,
		qr/WARNING:  cache region "good" keeps the settings that it had\n.*DETAIL:  .*Redis Sentinels need the name/, $offset),
	'reload: the log says what is wrong');
unlike(slurp_file($node->logfile, $offset), qr/region "no_servers"/,
	'reload: what was put right is no longer reported');
is($node->safe_psql('postgres',
		"SELECT dogpile_get_or_create('no_servers', 'k', 'SELECT 2'); SELECT dogpile_get('no_servers', 'k')"),
	"2\n2", 'reload: what was put right works');
is($node->safe_psql('postgres', "SELECT dogpile_set('good', 'kept', 1); SELECT dogpile_get('good', 'kept'); SELECT current_setting('dogpile_good.sentinels') = ''"),
	"\n1\nt", 'reload: a region that was good works as before');
$node->append_conf('postgresql.conf', "dogpile_good.sentinels = ''");
$offset = log_offset($node);
$node->reload;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_settings WHERE name = 'dogpile_good.sentinels' AND sourceline IS NOT NULL"),
	'reload: good again');
unlike(slurp_file($node->logfile, $offset), qr/region "good"/, 'reload: nothing to report');

foreach my $case (
	[ "dogpile_good.backend = 'nosuch'", 'There is no such backend, and no preloaded module has registered one.' ],
	[ "dogpile_good.wrap = 'log, nosuch'", 'There is no wrapper "nosuch".' ],
	[ "dogpile_good.key_prefix = 'with blank'", 'key_prefix' ],
	[ "dogpile_good.tls = 'perhaps'", 'Available values: off, on, verify.' ])
{
	my ($setting, $expected) = @$case;
	my (undef, undef, $stderr) = $node->psql('postgres', "ALTER SYSTEM SET $setting");

	like($stderr, qr/\Q$expected\E/, "refused: $setting");
}

# ---------------------------------------------------------------------------
# Names

$node->safe_psql('postgres', <<'EOT');
SELECT dogpile_set('good', 'user:42', 1, tags => '{a tag}');
SELECT dogpile_set('mangled', 'user:42', 1);
EOT
is_deeply(
	[ sort grep { /user:42/ } split /\n/, $redis->cli('--scan') ],
	[   'dogpile:{postgres:good:user:42}!version',
		'dogpile:{postgres:good:user:42}:role=' . $node->safe_psql('postgres', 'SELECT current_user')
		  . ';search_path="$user",%20public' ],
	'names tell region, key and variant')
  or note $redis->cli('--scan');
like($redis->cli('--scan'), qr/^dogpile:\{postgres:!tag:a%20tag\}!version$/m, 'name of a tag');
like($redis->cli('--scan'), qr/^m:\{shared:mangled:[0-9a-f]{32}\}!version$/m, 'mangled name');

# A mangler that does not exist is an error that says so.
$node->append_conf('postgresql.conf', "dogpile_mangled.key_mangler = 'public.nosuch'");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('dogpile_mangled.key_mangler') = 'public.nosuch'");
my (undef, undef, $stderr) = $node->psql('postgres', "SELECT dogpile_get('mangled', 'k')");
like($stderr, qr/function public.nosuch\(text\) that returns text does not exist.*key_mangler of cache region "mangled"/s,
	'mangler that does not exist');

# ---------------------------------------------------------------------------
# What administrators can see and do

like($node->safe_psql('postgres',
		"SELECT backend, state, operations > 0, latency > 0 FROM dogpile_servers WHERE address = '$address' AND backend = 'redis' ORDER BY operations DESC LIMIT 1"),
	qr/^redis\|up\|t\|t/, 'dogpile_servers');
like($node->safe_psql('postgres', "SELECT value FROM dogpile_server_stats('good') WHERE name = 'redis_version'"),
	qr/^\d+\.\d+/, 'dogpile_server_stats: redis');
like($node->safe_psql('postgres', "SELECT value FROM dogpile_server_stats('cached') WHERE name = 'version'"),
	qr/^\d+\.\d+/, 'dogpile_server_stats: memcached');
is($node->safe_psql('postgres', "SELECT count(*) FROM dogpile_server_stats('default')"),
	'0', 'dogpile_server_stats: shared memory has none');

$node->safe_psql('postgres', "SELECT dogpile_set('no_servers', 'other', 1); SELECT dogpile_flush('good')");
is(scalar(grep { /:good:/ } split /\n/, $redis->cli('--scan')), 0, 'dogpile_flush leaves nothing of the region');
is($node->safe_psql('postgres', "SELECT dogpile_get('no_servers', 'other', NULL::int)"), '1', '... and others alone');

$node->safe_psql('postgres', 'CREATE ROLE somebody; CREATE ROLE watcher IN ROLE pg_read_all_stats');
foreach my $case (
	[ 'somebody', 'SELECT count(*) FROM dogpile_servers', 'permission denied for view dogpile_servers' ],
	[ 'somebody', "SELECT dogpile_flush('good')", 'permission denied for function dogpile_flush' ],
	[ 'somebody', "SELECT count(*) FROM dogpile_server_stats('good')", 'permission denied for function dogpile_server_stats' ],
	[ 'somebody', 'SHOW dogpile_good.secret', 'must be superuser|permission denied to examine' ],
	[ 'somebody', 'SHOW dogpile_good.password', 'must be superuser|permission denied to examine' ],
	[ 'watcher', 'SELECT count(*) > 0 FROM dogpile_servers', '' ])
{
	my ($role, $statement, $expected) = @$case;
	my (undef, undef, $error) = $node->psql('postgres', "SET ROLE $role; $statement");

	like($error, $expected eq '' ? qr/^$/ : qr/$expected/, "$role: $statement");
}
is($node->safe_psql('postgres', 'SHOW dogpile_good.secret'), 's3cret', 'a superuser sees secrets');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_settings WHERE name ~ '^dogpile_.*(secret|password)'"),
	'0', 'pg_settings shows no secrets');

$node->stop;
done_testing();
