# A transaction that invalidates very many entries in external stores: few calls for each
# store, whatever the number of regions; a COMMIT that can be cancelled, and that ends when
# its time is over; and no outdated value on any server in any case.

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
my $memcached = start_memcached('memcached');
my %redis = (backend => 'redis', servers => $redis->address, wrap => 'log');
my %memcached = (backend => 'memcached', servers => $memcached->address, wrap => 'log');

# Regions that share a store, with one database between them that is another one; and
# those for checks of one kind.
my %regions = (
	redis1 => \%redis,
	redis2 => \%redis,
	redis3 => { %redis, database => 1 },
	redis4 => \%redis,
	memcached1 => \%memcached,
	memcached2 => \%memcached,
	memcached3 => \%memcached,
	file1 => { backend => 'file', wrap => 'log' },
	file2 => { backend => 'file' });
my @shared = grep { !/file/ } sort keys %regions;
my @all = sort keys %regions;

# Tags concern all regions, so those that are slow are on servers of their own.
my %slow = (
	slow => {
		%redis,
		wrap => 'failing, log',
		database => 2,
		namespace => 'slow',
		grace_time => '1h',
		operation_timeout => '20s'
	});

sub start_node
{
	my ($name, @lines) = @_;
	my $node = new_server($name, @lines);

	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'dogpile, " . module_path('failing') . "'");
	$node->start;
	create_helpers($node);
	ask($node, 'CREATE TABLE data (a int)');
	return $node;
}

my $gate = PostgreSQL::Test::Utils::tempdir() . '/gate';
my $gate_offset;
my ($one, $two) = map { start_node($_, server_setting(%regions)) } 'one', 'two';
my ($three, $four) = map { start_node($_, server_setting(%slow)) } 'three', 'four';

# SQL that invalidates so many tags.
sub many_tags
{
	my ($prefix, $n) = @_;

	return
	  "SELECT count(dogpile_invalidate_tags(ARRAY['$prefix' || i])) FROM generate_series(1, $n) AS i;";
}

sub fill
{
	my ($node, $key, $tag, @regions) = @_;

	ask($node, "SELECT dogpile_set('$_', '$key', 'old'::text, tags => ARRAY['$tag'])")
	  foreach @regions;
	return;
}

sub found
{
	my ($node, $key, @regions) = @_;

	return join ',', grep { ask($node, "SELECT dogpile_exists('$_', '$key')") eq 't' } @regions;
}

# How many calls of a kind the log has since then.
sub count_calls
{
	my ($node, $backend, $kind, $offset) = @_;
	my @calls = slurp_file($node->logfile, $offset) =~ /cache backend "$backend": $kind "/g;

	return scalar @calls;
}

sub count_suspects
{
	my ($node) = @_;
	my @files = glob $node->data_dir . '/dogpile/suspect.*';

	return scalar @files;
}

# ---------------------------------------------------------------------------
# Few calls

sub check_calls
{
	my $n = 1000;

	fill($one, 'k', 't777', @all);
	fill($one, 'other', 'u1', @all);
	is(found($two, 'k', @shared), join(',', @shared), 'the other server finds the values');

	# Time enough, however slow the machine.
	my $sql = "SET dogpile.commit_timeout = '1min'; BEGIN; INSERT INTO data VALUES (1); "
	  . many_tags('t', $n)
	  . many_tags('t', $n)
	  . ' COMMIT';
	my $offset = log_offset($one);

	ask($one, $sql);
	is(found($one, 'k', @all), '', "$n tags: their values are gone");
	is(found($two, 'k', @shared), '', "$n tags: ... nor by the other server");
	is(found($one, 'other', @all), join(',', @all), "$n tags: others still are");

	# Two batches: marks are put in place, tokens follow.  Redis is two stores.
	my %stores = (redis => 2, memcached => 1, file => 1);

	foreach my $backend (sort keys %stores)
	{
		is(count_calls($one, $backend, 'set', $offset) / $stores{$backend},
			4, "$backend: four calls have stored all that there is to say");
	}
	return;
}

# Keys, regions, and soft invalidations.
sub check_other_kinds
{
	my $n = 700;
	my $offset = log_offset($one);

	fill($one, "key 1", 's1', 'redis1', 'memcached1');
	fill($one, "key $n", "s$n", 'redis1', 'memcached1');
	ask($one, <<"EOT");
SET dogpile.commit_timeout = '1min';
BEGIN;
INSERT INTO data VALUES (1);
SELECT count(dogpile_invalidate('redis1', 'key ' || i)) FROM generate_series(1, $n) AS i;
SELECT count(dogpile_invalidate_tags(ARRAY['s' || i], hard => false)) FROM generate_series(1, $n) AS i;
COMMIT;
EOT
	is(found($two, $_, 'redis1'), '', "$_ is gone") foreach 'key 1', "key $n";
	foreach my $key ('key 1', "key $n")
	{
		is( ask($two, "SELECT dogpile_get_or_create('memcached1', '$key', 'SELECT ''new''')"),
			'new', "$key: soft, it is created again");
	}
	cmp_ok(count_calls($one, 'memcached', 'set', $offset),
		'<=', 2 + 4, 'soft parts are replaced in few calls');
	return;
}

# ---------------------------------------------------------------------------
# A COMMIT that is cancelled or terminated undoes what it has done.

# how: what to do while the first marks have just been put in place.
sub check_cancel
{
	my ($name, $how, $message) = @_;

	fill($three, 'k', 'c2000', 'slow');
	append_to_file($gate, '');
	my $session = start_psql($three,
		"SET failing.gate = '$gate'; SET statement_timeout = '5s'; SET dogpile.commit_timeout = '1min'; "
		  . "BEGIN; INSERT INTO data VALUES (42); " . many_tags('c', 2000) . "\nCOMMIT;\n");

	wait_for_activity('COMMIT;', '0s');
	$how->();
	my (undef, $error) = finish_psql($session);

	unlink $gate;
	like($error, $message, "$name: a COMMIT ends by an error");
	is(ask($three, 'SELECT count(*) FROM data WHERE a = 42'), 0, "$name: ... and is none");

	# Marks would last for an hour.
	foreach my $tag ('c1', 'c400', 'c2000')
	{
		is( ask($four,
				"SET dogpile_slow.lock_timeout = '60s'; SELECT dogpile_get_or_create('slow', 'new', 'SELECT 1', tags => ARRAY['$tag']); SELECT dogpile_exists('slow', 'new'); SELECT dogpile_delete('slow', 'new')"
			),
			"1\nt\nt",
			"$name: what has the tag $tag is cached at once");
	}
	return;
}

# Wait until the session in the background has run a statement for this long.
sub wait_for_activity
{
	my ($query, $time) = @_;

	$three->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'beside' AND query = '$query' AND clock_timestamp() > query_start + interval '$time'")
	  or die "timed out waiting for $query";
	return;
}

# Let pg_cancel_backend() or pg_terminate_backend() take effect at the gate.
sub call_for
{
	my ($function) = @_;

	wait_for_log_line($three, qr/failing: waits at the gate/, $gate_offset)
	  or die 'no mark is put in place';
	ask($three, "SELECT $function(pid) FROM pg_stat_activity WHERE application_name = 'beside'");
	return;
}

sub check_cancellations
{
	foreach my $case (
		[ 'cancelled', 'pg_cancel_backend', qr/57014: canceling statement due to user request/ ],
		[ 'terminated', 'pg_terminate_backend', qr/57P01: terminating connection/ ])
	{
		my ($name, $function, $message) = @$case;

		$gate_offset = log_offset($three);
		check_cancel($name, sub { call_for($function) }, $message);
	}

	# PostgreSQL has switched its own timer off by then.
	check_cancel('timeout',
		sub { wait_for_activity('COMMIT;', '5.1s'); unlink $gate },
		qr/57014: canceling statement due to statement timeout/);
	return;
}

# ---------------------------------------------------------------------------
# Not enough time

sub check_no_time_to_mark
{
	my ($node, $other, $region) = ($three, $four, 'slow');

	fill($node, 'k', 'm1', $region);
	fill($node, 'l', 'm20000', $region);
	my $offset = log_offset($node);
	my $worker = worker_of($node);

	# Without the worker, only the COMMIT itself can have delivered to the other server.
	kill 'STOP', $worker;
	ask($node,
		"SET dogpile.commit_timeout = '10ms'; BEGIN; INSERT INTO data VALUES (1); "
		  . many_tags('m', 20000) . ' COMMIT');
	is(found($other, 'l', $region), '', 'no time for all marks: the other server gives nothing old');
	is(found($node, 'k', $region), '', '... nor does this one');
	kill 'CONT', $worker;
	cmp_ok(count_calls($node, 'redis', 'set', $offset),
		'<', 20, '... though few of them were put in place');
	is(ask($other, "SELECT dogpile_get_or_create('slow', 'k', 'SELECT 2'); SELECT dogpile_exists('slow', 'k')"),
		"2\nt", '... and the region can be used at once');
	return;
}

sub check_no_time_to_deliver
{
	my ($node, $other, $region) = ($three, $four, 'slow');

	fill($node, 'k', 'd3000', $region);
	my $offset = log_offset($node);

	# Six batches take 1.2 s.
	ask($node,
		"SET dogpile.commit_timeout = '500ms'; SET failing.delay = '200ms'; BEGIN; INSERT INTO data VALUES (1); "
		  . many_tags('d', 3000) . ' COMMIT');
	is(found($other, 'k', $region), '', 'no time to replace all marks: the old value is not given');
	my @calls = slurp_file($node->logfile, $offset) =~ /: set .*!tag:d.* and \d+ more/g;

	cmp_ok(scalar @calls, '<', 6 + 5, '... and some batches are left out');
	wait_until(sub { count_suspects($node) == 0 }, 'the region is settled');
	is( ask($other,
			"SELECT dogpile_get_or_create('slow', 'k', 'SELECT 3', tags => '{x}'); SELECT dogpile_exists('slow', 'k')"
		),
		"3\nt",
		'... the region can be used at once');
	return;
}

# When the time is over, values that are set are not published either, and the old ones
# are removed.
sub check_no_time_to_publish
{
	my ($node, $other, $region) = ($three, $four, 'slow');

	fill($node, "p$_", 'p', $region) foreach 1, 20;
	ask($node,
		"SET dogpile.commit_timeout = '300ms'; SET failing.delay = '100ms'; BEGIN; INSERT INTO data VALUES (1); "
		  . "SELECT count(dogpile_set('slow', 'p' || i, 'new'::text)) FROM generate_series(1, 20) AS i; COMMIT");
	wait_until(sub { count_suspects($node) == 0 }, 'the region is settled');
	foreach my $server ($node, $other)
	{
		unlike(ask($server, "SELECT dogpile_get('slow', 'p$_')"),
			qr/old/, 'no time to publish: server ' . $server->name . " does not give the old value of p$_")
		  foreach 1, 20;
	}
	return;
}

check_calls();
check_other_kinds();
check_cancellations();
check_no_time_to_mark();
check_no_time_to_deliver();
check_no_time_to_publish();

foreach my $node ($one, $two, $three, $four)
{
	unlike(slurp_file($node->logfile), qr/PANIC: |TRAP: |terminated by signal/,
		$node->name . ': the log tells of nothing that has gone wrong');
	$node->stop;
}
done_testing();
