# Connections to stores whose settings a reload has changed: the new settings are used,
# and no connection with the old ones stays open, in sessions and in the worker.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;

my $first = start_redis('first');
my $second = start_redis('second');
my $memcached = start_memcached('memcached');
my $node = new_server('main', "include 'dogpile.conf'", 'log_statement = none');
my $marker = 0;
my $beside = '';

# Settings of "shared", and a reload that running sessions have seen.
sub configure
{
	my (%settings) = @_;
	my $file = $node->data_dir . '/dogpile.conf';

	%settings = (
		backend => 'redis',
		servers => $first->address,
		grace_time => '1s',
		%settings);
	$marker++;
	unlink $file;
	append_to_file(
		$file, join("\n", "dogpile.regions = 'shared, beside'", "test.marker = $marker",
			"dogpile_beside.backend = '" . ($beside eq '' ? 'null' : 'redis') . "'",
			"dogpile_beside.servers = '$beside'",
			(map { "dogpile_shared.$_ = '$settings{$_}'" } sort keys %settings), ''));
	return;
}

sub reload
{
	my ($session, %settings) = @_;

	configure(%settings);
	$node->reload;
	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if $session->query_safe('SHOW test.marker') eq $marker;
		select(undef, undef, undef, 0.1);
	}
	die 'timed out waiting for a session to reload';
}

# Sockets of a process.
sub count_sockets
{
	my ($pid) = @_;

	return scalar grep { (readlink($_) // '') =~ /^socket:/ } glob "/proc/$pid/fd/*";
}

# Memory contexts of connections in the session, by name of their backends.
sub memory_of
{
	my ($session) = @_;

	return $session->query_safe(
		"SELECT string_agg(ident, ',') FROM pg_backend_memory_contexts WHERE name = 'dogpile connection'");
}

# Clients of a Redis server, except the one that asks.
sub count_clients
{
	my ($redis) = @_;

	return scalar(grep { /\bname=/ && !/cmd=client/ } split /\n/, $redis->cli(qw(CLIENT LIST)));
}

sub wait_until
{
	my ($what, $condition) = @_;

	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return ok(1, $what) if $condition->();
		select(undef, undef, undef, 0.1);
	}
	return ok(0, $what);
}

configure();
$node->start;
create_helpers($node);

my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
my $key = 0;

# Use the region, for long enough that the worker has to renew the lock.
sub use_region
{
	$key++;
	$session->query_safe("SELECT dogpile_get_or_create('shared', 'key $key', 'SELECT ran(''x'', 1.2)')");
	is($session->query_safe("SELECT dogpile_get('shared', 'key $key')"), 'x', "key $key is stored");
	return;
}

my $without = count_sockets($pid);

use_region();
my $worker = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'dogpile worker'");
my $with = count_sockets($pid);
my $worker_with = count_sockets($worker);

is($with, $without + 1, 'a session has one connection');
is(count_clients($first), 2, 'the server has two: the worker has the other one');

foreach my $settings (
	{ operation_timeout => '400ms' },
	{ connect_timeout => '400ms', operation_timeout => '500ms' },
	{ options => 'x' },
	{ database => 1 },
	{ wrap => 'retry' })
{
	my $name = join ', ', map { "$_ = $settings->{$_}" } sort keys %$settings;

	reload($session, %$settings);
	use_region();
	is(count_sockets($pid), $with, "$name: the session has no socket more");
	is(count_sockets($worker), $worker_with, "$name: nor has the worker");
	is(count_clients($first), 2, "$name: the server has two clients");
	is(memory_of($session), 'redis', "$name: one connection has memory");
}

# Another server: what was there is not found, what is stored goes there.
reload($session, servers => $second->address);
is($session->query_safe("SELECT dogpile_get('shared', 'key 1')"), '', 'another server: its own values');
use_region();
like($second->cli('--scan'), qr/key%20$key/, '... are there');
unlike($first->cli('--scan'), qr/key%20$key\b/, '... and not at the old server');
is(count_sockets($pid), $with, '... on one socket');
wait_until('... the old server has no client', sub { count_clients($first) == 0 });

# Another backend, and the store in shared memory.
# (memcached counts in seconds.)
reload($session, backend => 'memcached', servers => $memcached->address, grace_time => '3s');
use_region();
wait_until('memcached: the old server has no client', sub { count_clients($second) == 0 });
is(count_sockets($worker), $worker_with, 'memcached: one socket of the worker');
reload($session, backend => 'shared_memory');
use_region();
is(count_sockets($pid), $without, 'shared memory: no socket');

# A transaction that has something pending when it is reloaded.
reload($session);
use_region();
$session->query_safe('BEGIN');
$session->query_safe("SELECT dogpile_set('shared', 'pending', 1)");
$session->query_safe("SELECT dogpile_invalidate('shared', 'key 1')");
reload($session, operation_timeout => '600ms');
$session->query_safe("SELECT dogpile_set('shared', 'pending too', 1)");
reload($session, operation_timeout => '700ms');
$session->query_safe("SELECT dogpile_exists('shared', 'key 1')");
$session->query_safe('COMMIT');
is($session->query_safe("SELECT dogpile_get('shared', 'pending', 0) + dogpile_get('shared', 'pending too', 0)"),
	'2', 'transaction: what was pending is stored');
is(count_sockets($pid), $with, 'transaction: one socket after its end');

# Two regions share a connection; one of them moves.
$beside = $first->address;
reload($session);
$session->query_safe("SELECT dogpile_set('shared', 'both', 1); SELECT dogpile_set('beside', 'both', 1)");
is(count_sockets($pid), $with, 'two regions: one socket');
reload($session, servers => $second->address);
$session->query_safe("SELECT dogpile_set('beside', 'moved', 1); SELECT dogpile_set('shared', 'moved', 1)");
like($second->cli('--scan'), qr/shared:moved/, 'two regions: what has moved is stored there');
unlike($first->cli('--scan'), qr/shared:moved/, '... and not here');
like($first->cli('--scan'), qr/beside:moved/, '... where the other one still is');
is(count_sockets($pid), $with + 1, '... on two sockets');

$session->quit;
check_log($node, 'sockets');
$node->stop;
done_testing();
