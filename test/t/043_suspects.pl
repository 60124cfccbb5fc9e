# Invalidations that did not reach a store make regions suspect, and this server settles
# all of them by itself: however many there are, in any order, and even if some become
# suspect while another one is being settled.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;
use Time::HiRes qw(sleep time);
use TwoServers;

my $redis = start_redis('redis');
my %common = (
	backend => 'redis',
	servers => $redis->address,
	connect_timeout => '1s',
	operation_timeout => '1s');

# Some share a connection, others have one of their own.
my @many = map { "many$_" } 1 .. 12;
my %regions = map { ($many[$_] => { %common, database => $_ % 4 }) } 0 .. $#many;
my @probes = map { "probe$_" } 0 .. 3;

$regions{ $probes[$_] } = { %common, database => $_ } foreach 0 .. 3;

$regions{raced} = { %common, wrap => 'failing' };
$regions{lost} = { %common, grace_time => '1h' };
my @lines = server_setting(%regions);
my $gate = PostgreSQL::Test::Utils::tempdir() . '/gate';

my ($one, $two) = map {
	my $node = new_server($_, @lines,
		'wal_level = replica',
		'max_wal_senders = 1',
		"synchronous_standby_names = 'missing'",
		'synchronous_commit = local',
		"failing.gate = '$gate'");

	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'dogpile, " . module_path('failing') . "'");
	$node->start;
	create_helpers($node);
	ask($node, 'CREATE TABLE data (a int)');
	$node;
} 'one', 'two';

sub found
{
	my ($node, $region) = @_;

	return ask($node, "SET failing.gate = ''; SELECT dogpile_get('$region', 'k')");
}

# How many regions are suspect, according to the files.
sub count_suspects
{
	my ($node) = @_;
	my @files = glob $node->data_dir . '/dogpile/suspect.*';

	return scalar @files;
}

# ---------------------------------------------------------------------------
# Many regions at a time, which no session uses on the server that knows.  Its worker is
# stopped until it can settle all of them at once.

sub check_many
{
	my $invalidate = join '', map { "SELECT dogpile_invalidate('$_');" } @many;
	my @old;

	foreach my $region (@many)
	{
		ask($one, "SELECT dogpile_set('$region', 'k', 'old'::text)");
		is(found($two, $region), 'old', "$region: the other server finds the value");
	}
	my $worker = worker_of($one);

	kill 'STOP', $worker;
	$redis->pause;
	ask($one, "BEGIN; INSERT INTO data VALUES (1); $invalidate COMMIT");
	is(count_suspects($one), scalar @many, 'the store does not answer: all regions are suspect');
	$redis->resume;
	foreach my $probe (@probes)
	{
		wait_until(
			sub {
				ask($one,
					"SELECT dogpile_get_or_create('$probe', 'k', 'SELECT 1'), dogpile_exists('$probe', 'k')") eq '1|t';
			},
			"$probe is used again");
	}
	kill 'CONT', $worker;
	wait_until(sub { count_suspects($one) == 0 }, 'the worker has settled all regions');
	@old = grep { found($two, $_) ne '' } @many;
	is("@old", '', 'the other server gives none of what was invalidated');
	return;
}

# ---------------------------------------------------------------------------
# While the worker settles a region, a session does so as well, stores something, and
# cannot invalidate that: the worker must not consider this suspicion settled.

sub check_race
{
	my $here = "SET failing.gate = '';";
	my $fail = 'SET failing.failures = 1000';

	ask($one, "$here SELECT dogpile_set('raced', 'k', 'first'::text)");
	append_to_file($gate, '');
	ask($one, "$here $fail; SELECT dogpile_invalidate('raced', 'k')");
	wait_for_log_line($one, qr/LOG:  failing: waits at the gate/, 0)
	  or die 'the worker does not settle the region';
	ask($one, "$here SELECT dogpile_set('raced', 'k', 'second'::text)");
	is(found($one, 'raced'), 'second', 'a session settles a region that the worker is at');
	ask($one, "$here $fail; SELECT dogpile_invalidate('raced', 'k')");
	unlink $gate;
	wait_for_log_line($one, qr/LOG:  failing: has passed the gate/, 0)
	  or die 'the worker does not go on';
	wait_until(sub { count_suspects($one) == 0 }, 'the region is settled');
	is(found($_, 'raced'), '', 'server ' . $_->name . ': what became suspect meanwhile is not given')
	  foreach $one, $two;
	return;
}

# ---------------------------------------------------------------------------
# The store has its earlier state again when the mark should be replaced, and then does
# not answer.

sub check_lost_mark
{
	my $name;

	ask($one, "SELECT dogpile_set('lost', 'k', 'old'::text)");
	is(found($two, 'lost'), 'old', 'a value that is to be invalidated');
	($name) = grep { /!version$/ } split /\n/, $redis->cli('KEYS', '*:lost:k}*');
	my $token = $redis->cli('GET', $name);
	my $session = start_psql($one,
		"SET synchronous_commit = on; BEGIN; INSERT INTO data VALUES (1); SELECT dogpile_invalidate('lost', 'k'); COMMIT;");

	$one->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	  or die 'timed out waiting for a commit';
	isnt($redis->cli('GET', $name), $token, 'there is a mark while the transaction commits');
	$redis->cli('SET', $name, $token);
	$redis->pause;
	ask($one, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
	finish_psql($session);
	is(count_suspects($one), 1, 'a mark that could not be replaced makes its region suspect');
	$redis->resume;
	wait_until(sub { count_suspects($one) == 0 }, 'the region is settled');
	is(found($_, 'lost'), '', 'server ' . $_->name . ': the old value is not given')
	  foreach $one, $two;
	return;
}

check_many();
check_race();
check_lost_mark();

foreach my $node ($one, $two)
{
	unlike(slurp_file($node->logfile), qr/PANIC: |TRAP: |terminated by signal/,
		$node->name . ': the log tells of nothing that has gone wrong');
	$node->stop;
}
done_testing();
