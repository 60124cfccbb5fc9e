# What one server does to values of a store that another server uses, at moments where
# the order matters, or which server is first.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;
use TwoServers;

my $redis = start_redis('redis');
my $memcached = start_memcached('memcached');
my %common = (operation_timeout => '5s', grace_time => '1h', lock_timeout => '20s');
my @regions = ('memcached', 'redis');
my ($one, $two) = map {
	my $node = new_server(
		$_,
		server_setting(
			redis => { %common, backend => 'redis', servers => $redis->address },
			memcached => { %common, backend => 'memcached', servers => $memcached->address }));

	$node->start;
	create_helpers($node);
	$node;
} 'one', 'two';

sub set
{
	my ($node, $region, $key, $value, $tags) = @_;

	ask($node, "SELECT dogpile_set('$region', '$key', '$value'::text, tags => " . ($tags ? "'{$tags}'" : 'NULL') . ')');
	return;
}

sub found
{
	my ($node, $region, $key) = @_;

	return ask($node, "SELECT dogpile_get('$region', '$key')");
}

foreach my $region (@regions)
{
	# A soft invalidation does not undo a hard one, in any order.
	foreach my $case ([ 'hard, soft', 'true', 'false' ], [ 'soft, hard', 'false', 'true' ])
	{
		my ($name, @hard) = @$case;
		my %calls = (
			key => "dogpile_invalidate('$region', 'k', hard => %s)",
			region => "dogpile_invalidate('$region', hard => %s)",
			tag => "dogpile_invalidate_tags('{t}', hard => %s)");

		foreach my $kind (sort keys %calls)
		{
			set($one, $region, 'k', 'old', 't');
			is(found($two, $region, 'k'), 'old', "$region, $kind, $name: the other server finds the value");
			ask($one, 'BEGIN; ' . join('', map { sprintf("SELECT $calls{$kind};", $_) } @hard) . 'COMMIT');
			is(found($two, $region, 'k'), '', "$region, $kind, $name: and does not any more");
		}
	}

	# A transaction with an older snapshot does not see what is newer.
	set($one, $region, 'k', 'old', 't');
	my $session = $two->background_psql('postgres');

	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	ask($one, "SELECT dogpile_invalidate_tags('{t}')");
	is( ask($one, "SELECT dogpile_get_or_create('$region', 'k', 'SELECT ''new''::text', tags => '{t}')"),
		'new',
		"$region: a newer value");
	is(found($two, $region, 'k'), 'new', "$region: ... which the other server finds");
	is( $session->query_safe(
			"SELECT dogpile_get_or_create('$region', 'k', 'SELECT ''its own''::text', tags => '{t}')"),
		'its own',
		"$region: REPEATABLE READ is not given it");
	$session->query_safe('COMMIT');
	$session->quit;
	is(found($two, $region, 'k'), 'new', "$region: ... nor does it store its own");

	# A value that is computed but not stored keeps no session waiting, although the transaction
	# goes on: made from uncommitted data, outdated by its own query, or too large.
	my %unstored = (
		pending => "SELECT dogpile_get('$region', 'inner')",
		outdated => "SELECT ''x''::text FROM (SELECT dogpile_invalidate(''$region'', ''outdated'')) AS t",
		large => "SELECT repeat(''x'', 20000000)");

	$unstored{pending} =~ s/'/''/g;
	foreach my $key (sort keys %unstored)
	{
		$session = $one->background_psql('postgres');
		$session->query_safe("BEGIN; SELECT dogpile_set('$region', 'inner', 'x'::text)");
		is( $session->query_safe(
				"SELECT left(dogpile_get_or_create('$region', '$key', '$unstored{$key}'), 1)"),
			'x',
			"$region, $key: a value that is not stored");
		is( ask($_, "SET dogpile_$region.lock_timeout = '2s'; SELECT dogpile_get_or_create('$region', '$key', 'SELECT 2')"),
			2,
			"$region, $key: ... keeps no session waiting on server " . $_->name)
		  foreach $one, $two;
		$session->query_safe('ROLLBACK');
		$session->quit;
	}

	# What a transaction computes after its own invalidation is outdated if another server
	# invalidates before the transaction commits; otherwise it is stored.
	foreach my $between ([], [$two])
	{
		$session = $one->background_psql('postgres');
		$session->query_safe("BEGIN; SELECT dogpile_invalidate('$region', 'own')");
		$session->query_safe("SELECT dogpile_get_or_create('$region', 'own', 'SELECT 1')");
		ask($_, "SELECT dogpile_invalidate('$region', 'own')") foreach @$between;
		$session->query_safe('COMMIT');
		$session->quit;
		is( ask($one, "SELECT dogpile_get('$region', 'own')"),
			@$between ? '' : 1,
			"$region: what was invalidated " . (@$between ? 'meanwhile is not stored' : 'before is'));
	}

	# A lock taken in a released savepoint belongs to the surrounding transaction.
	$session = $one->background_psql('postgres');
	$session->query_safe("BEGIN; SAVEPOINT outer_one; SAVEPOINT inner_one; SELECT dogpile_add('$region', 'locked', 1); RELEASE inner_one");
	like(
		(   $two->psql('postgres',
				"SET dogpile_$region.lock_timeout = '100ms'; SELECT dogpile_get_or_create('$region', 'locked', 'SELECT 2')"
			))[2],
		qr/lock timeout|could not|timed out|other session/i,
		"$region: others wait for what is about to be added");
	$session->query_safe('ROLLBACK TO outer_one');
	is( ask($two, "SELECT dogpile_get_or_create('$region', 'locked', 'SELECT 2')"),
		2,
		"$region: ... and not when that was rolled back");
	$session->query_safe('COMMIT');
	$session->quit;
}

foreach my $node ($one, $two)
{
	unlike(slurp_file($node->logfile), qr/PANIC: |TRAP: |terminated by signal/,
		$node->name . ': the log tells of nothing that has gone wrong');
	$node->stop;
}
done_testing();
