# With synchronous_commit = off a crash can lose transactions that other sessions have
# seen.  External stores and files must not have values that were made from them.
#
# The WAL writer is stopped meanwhile, so that nothing else flushes WAL.

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
my @regions = ('redis', 'files');
my $node = new_server(
	'main',
	server_setting(
		redis => { backend => 'redis', servers => $redis->address, operation_timeout => '2s' },
		files => { backend => 'file' }),
	'autovacuum = off',
	'wal_level = minimal',
	'max_wal_senders = 0',
	'wal_writer_delay = 10s',
	'bgwriter_lru_maxpages = 0',
	'checkpoint_timeout = 1h');

$node->start;
create_helpers($node);
ask($node, 'CREATE TABLE data (a int); CREATE TABLE lost (a int)');

my $async = 'SET synchronous_commit = off;';

sub stop_wal_writer
{
	my $pid = ask($node,
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");

	kill 'STOP', $pid;
	return;
}

sub flushed { return ask($node, 'SELECT pg_current_wal_flush_lsn()'); }

# Crash after something was done; cached values must be made from the data that are left.
#
# code: does it, for a region.
sub check_crash
{
	my ($name, $code) = @_;

	stop_wal_writer();
	$code->($_) foreach @regions;
	my %cached = map { $_ => ask($node, "SELECT dogpile_get('$_', 'count')") } @regions;

	ask($node, "$async INSERT INTO lost VALUES (1)");
	kill_server($node);
	$node->start;
	is(ask($node, 'SELECT count(*) FROM lost'), 0, "$name: a crash takes back what was not flushed");
	my $count = ask($node, 'SELECT count(*) FROM data');

	foreach my $region (@regions)
	{
		is(ask($node, "SELECT dogpile_get('$region', 'count')"),
			$cached{$region}, "$name, $region: a value is cached");
		cmp_ok($cached{$region}, '<=', $count, "$name, $region: ... which counts only rows that are there");
		ask($node, "SELECT dogpile_invalidate('$region')");
	}
	return;
}

# By the transaction itself, set and computed.
check_crash(
	'set',
	sub {
		ask($node,
			"$async BEGIN; INSERT INTO data VALUES (1); SELECT dogpile_set('$_[0]', 'count', (SELECT count(*) FROM data)); COMMIT");
	});
check_crash(
	'created by a transaction that has written',
	sub {
		ask($node,
			"$async BEGIN; INSERT INTO data VALUES (1); SELECT dogpile_get_or_create('$_[0]', 'count', 'SELECT count(*) FROM data'); COMMIT");
	});

# By other sessions that have seen it, whatever their own setting.
check_crash(
	'created by others',
	sub {
		ask($node, "$async INSERT INTO data VALUES (1)");
		ask($node, "SELECT dogpile_get_or_create('$_[0]', 'count', 'SELECT count(*) FROM data')");
	});
check_crash(
	'set by others',
	sub {
		ask($node, "$async INSERT INTO data VALUES (1)");
		ask($node, "SELECT dogpile_set('$_[0]', 'count', (SELECT count(*) FROM data))");
	});

# While a transaction is held up after its commit is visible, other sessions see it.
sub check_in_between
{
	my $gate = PostgreSQL::Test::Utils::tempdir() . '/gate';
	my $before = ask($node, 'SELECT count(*) FROM data');

	$node->stop;
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'dogpile, " . module_path('slow_commit') . "'");
	$node->start;
	check_crash(
		'in between',
		sub {
			append_to_file($gate, '') if !-e $gate;
			my $session = start_psql($node,
				"SET slow_commit.file = '$gate'; $async INSERT INTO data VALUES (1);");

			$node->poll_query_until('postgres',
				"SELECT count(*) > $before FROM data")
			  or die 'the transaction does not become visible';
			$before++;
			ask($node, "SELECT dogpile_get_or_create('$_[0]', 'count', 'SELECT count(*) FROM data')");
		});
	return;
}

# A session that commits synchronously makes no other session wait.
sub check_no_flush
{
	my $session = $node->background_psql('postgres');
	my $before;

	stop_wal_writer();
	ask($node, 'CHECKPOINT');
	$session->query_safe('BEGIN; INSERT INTO data SELECT generate_series(1, 1000)');
	$before = flushed();
	ask($node, "SELECT dogpile_get_or_create('$_', 'synchronous', 'SELECT 1')") foreach @regions;
	is(flushed(), $before, 'no WAL is flushed for values that do not depend on it');
	is(ask($node, "SELECT dogpile_exists('$_', 'synchronous')"), 't', "$_: ... which are cached")
	  foreach @regions;
	$session->query_safe('ROLLBACK');
	$session->quit;
	return;
}

check_in_between();
check_no_flush();

unlike(slurp_file($node->logfile), qr/PANIC: |TRAP: |flush request|terminated by signal/,
	'the log tells of nothing that has gone wrong');
kill_server($node);
done_testing();
