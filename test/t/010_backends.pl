# Every backend meets the contract: the conformance suite runs on each of them, with one
# server and with several, wrapped, from another module, and with copies in shared memory.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileBackend;
use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;

my $redis = start_redis('redis');
my $secured = start_redis('secured', socket => 1, requirepass => 'pa ss');
my @cluster = start_redis_cluster('cluster');
my $sentinel = start_sentinel('sentinel', 'service', $redis);
my @memcached = map { start_memcached("memcached$_") } 1 .. 2;
my $local = start_memcached('local', socket => 1);

# A loaded machine may stop for a moment, which must not count as a failure of a server.
my %patient = (connect_timeout => '20s', operation_timeout => '20s');

# Each region, its settings, and what check_backend() has to know of it.
my @regions = (
	[ 'memory', { backend => 'shared_memory' } ],
	[ 'redis', { backend => 'redis', servers => $redis->address } ],
	[   'secured',
		{   backend => 'redis',
			servers => $secured->address,
			password => 'pa ss',
			database => 3,
			secret => 'not told',
			key_mangler => 'sha1'
		}
	],
	[   'cluster',
		{   backend => 'redis',
			cluster => 'on',
			servers => join(', ', map { $_->address } @cluster)
		}
	],
	[   'sentinel',
		{   backend => 'redis',
			sentinels => $sentinel->address,
			service_name => 'service',
			key_mangler => 'public.mangle',
			key_prefix => 'sent/',
			namespace => 'shared'
		}
	],
	[   'memcached',
		{ backend => 'memcached', servers => $local->address },
		large => 1_000_000,
		limit => 1_100_000
	],
	[   'ketama',
		{   backend => 'memcached',
			servers => join(', ', map { $_->address } @memcached),
			options => '--BINARY-PROTOCOL',
			key_mangler => 'md5'
		},
		large => 1_000_000,
		limit => 1_100_000
	],
	[ 'file', { backend => 'file' } ],
	[ 'lockless', { backend => 'lockless' } ],
	[   'example',
		{ backend => 'my_store' },
		large => 7000,
		limit => 9000
	],
	[   'wrapped',
		{   backend => 'redis',
			servers => $redis->address,
			key_prefix => 'wrapped:',
			key_mangler => 'sha256',
			wrap => 'log, retry'
		}
	],
	[   'levels',
		{   backend => 'redis',
			servers => $redis->address,
			local_expiration_time => '2s'
		}
	],
	[   'unlocked',
		{   backend => 'redis',
			servers => $redis->address,
			distributed_lock => 'off'
		}
	]);

my $node = new_server(
	'main',
	'max_connections = 60',
	"dogpile.regions = '" . join(', ', 'nothing', map { $_->[0] } @regions) . "'",
	"dogpile_nothing.backend = 'null'",
	map {
		my ($region, $settings) = @$_;
		my %all = (%patient, %$settings);

		map { "dogpile_$region.$_ = '$all{$_}'" } sort keys %all
	} @regions);

$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'dogpile, "
	  . module_path('my_store') . ', '
	  . module_path('lockless')
	  . "'");
$node->start;
create_helpers($node);
create_backend_helpers($node);
$node->safe_psql('postgres',
	q{CREATE FUNCTION public.mangle(key text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'k' || reverse(key) $$});

foreach my $region (@regions)
{
	my ($name, undef, %facts) = @$region;

	check_backend($node, $name, %facts);
}

# A session that has released the lock stores another value at its COMMIT: the session
# that holds the lock then releases it, too, and no session waits for the end of the lease.
$node->safe_psql('postgres', 'CREATE TABLE written (a int)');
foreach my $region ('redis', 'memcached', 'lockless')
{
	my $deferred = $node->background_psql('postgres');
	my $gate = close_gate($node);

	$deferred->query_safe(
		"BEGIN; INSERT INTO written VALUES (1); SELECT dogpile_get_or_create('$region', 'fenced', 'SELECT 1')");
	my $creator = start_psql($node,
		"SET test.gate = on; SELECT dogpile_get_or_create('$region', 'fenced', 'SELECT ran(''fenced'')');");
	wait_for_creator($node);
	$deferred->query_safe('COMMIT');
	$gate->quit;
	is((finish_psql($creator))[0], "fenced\n", "$region: created, while another value was stored");
	$deferred->quit;
	is( $node->safe_psql('postgres',
			"SET statement_timeout = '20s'; SELECT dogpile_invalidate('$region', 'fenced'); SELECT dogpile_get_or_create('$region', 'fenced', 'SELECT 2')"
		),
		"t\n2",
		"$region: ... no lock is left");
}

# The store that keeps nothing: there is still one creator at a time, which hands the
# value to the waiters.
my $offset = log_offset($node);
my $gate = close_gate($node);
my @sessions = map {
	start_psql($node,
		"SET test.gate = on; SELECT dogpile_get_or_create('nothing', 'k', 'SELECT ran(''nothing'')');")
} 1 .. 10;
wait_for_waiters($node, 9);
$gate->quit;
my @given = map { (finish_psql($_))[0] } @sessions;
is_deeply(\@given, [ ("nothing\n") x 10 ], 'null: 10 sessions were given a value');
is(count_runs($node, 'nothing', $offset), 1, 'null: ... that was created once');
is($node->safe_psql('postgres', "SELECT dogpile_set('nothing', 'k', 1); SELECT dogpile_exists('nothing', 'k')"),
	"\nf", 'null: nothing is kept');

# No server has failed.
is( $node->safe_psql('postgres',
		"SELECT backend, address, state, failures, last_error FROM dogpile_servers WHERE failures > 0 OR state <> 'up'"
	),
	'',
	'no server has failed');

$node->stop;
done_testing();
