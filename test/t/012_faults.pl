# Stores fail under load, in every way that a store can: killed and started again,
# stopped, out of memory, refusing the password or the command, read-only, answering
# nonsense or nothing, with connections that break.
#
# No query fails, and none takes much longer than the timeouts of its region and its own
# work together.  No outdated value is returned.  Meanwhile only one session of this
# server creates a value.  The log is not flooded.  After the failure the cache works
# again, by itself.
#
# DOGPILE_FAULT_SECONDS says how long each fault lasts, DOGPILE_FAULTS names those
# to try, if not all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;
use Time::HiRes qw(sleep time);
use TwoServers;

my $seconds = $ENV{DOGPILE_FAULT_SECONDS} // 3;
my $nclients = 8;

# Of the regions, in seconds.
my $timeout = 0.3;

# What a statement may take besides: its creations, and what the machine does
# in the meantime.
my $slack = 5;

# How long a query of the load takes, in seconds.
my $creation = 0.01;

my $redis = start_redis('redis');
my $memcached = start_memcached('memcached');
my $full = start_memcached('full', '-m' => 2, '-M' => '');
my $redis_proxy = start_proxy('redis_proxy', $redis);
my $memcached_proxy = start_proxy('memcached_proxy', $memcached);

my %redis = (backend => 'redis', servers => $redis->address);
my %memcached = (backend => 'memcached', servers => $memcached->address);
my %patient = (connect_timeout => '60s', operation_timeout => '60s');
my %regions = (
	redis => {%redis},
	retried => { %redis, wrap => 'retry', key_prefix => 'retried:' },
	levels => { %redis, local_expiration_time => '200ms' },
	patient => { %redis, %patient },
	redis_proxied => { %redis, servers => $redis_proxy->address },
	memcached => {%memcached},
	memcached_retried => { %memcached, wrap => 'retry', key_prefix => 'retried:' },
	memcached_levels => { %memcached, local_expiration_time => '200ms' },
	memcached_patient => { %memcached, %patient },
	memcached_proxied => { %memcached, servers => $memcached_proxy->address },
	full => { %memcached, servers => $full->address });
my @redis_regions = ('redis', 'retried', 'levels');
my @memcached_regions = map { "memcached$_" } '', '_retried', '_levels';
my @all_regions = (@redis_regions, @memcached_regions);

my $node = new_server(
	'main',
	'max_connections = 60',
	"dogpile.regions = '" . join(', ', sort keys %regions) . "'",
	map {
		my $region = $_;
		my %settings = (
			connect_timeout => $timeout * 1000 . 'ms',
			operation_timeout => $timeout * 1000 . 'ms',
			expiration_time => '500ms',
			%{ $regions{$region} });

		map { "dogpile_$region.$_ = '$settings{$_}'" } sort keys %settings
	} sort keys %regions);

$node->start;
create_helpers($node);

# "truth" has the current version of each key; a session that changes it invalidates the
# key in the same transaction, so that sessions that ask afterwards must get that version
# or a later one.
$node->safe_psql('postgres', <<"EOT");
CREATE TABLE truth (region text, key int, version int NOT NULL, PRIMARY KEY (region, key));
INSERT INTO truth SELECT r, k, 1
FROM unnest('{@{[join ',', keys %regions]}}'::text[]) AS r, generate_series(0, 39) AS k;
EOT
$node->safe_psql('postgres', <<'EOT');
CREATE FUNCTION compute(r text, k int, seconds float8) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v int;
BEGIN
	SELECT version INTO STRICT v FROM truth WHERE region = r AND key = k;
	PERFORM pg_sleep(seconds);
	RETURN make_value(k::text, v, (k * k * k) % 7000);
END $$;

CREATE FUNCTION change(r text, k int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE truth SET version = version + 1 WHERE region = r AND key = k;
	PERFORM dogpile_invalidate(r, k::text);
END $$;

CREATE FUNCTION check_current(r text, k int, seconds float8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	expected int;
	found int;
BEGIN
	SELECT version INTO expected FROM truth WHERE region = r AND key = k;
	found := check_value(k::text,
		dogpile_get_or_create(r, k::text, 'SELECT compute($1, $2, $3)', ROW(r, k, seconds)));
	-- COMMIT makes changes visible some moments before it drops local copies.
	FOR i IN 1 .. 50 LOOP
		EXIT WHEN found >= expected;
		PERFORM pg_sleep(0.1);
		found := check_value(k::text, dogpile_get(r, k::text));
	END LOOP;
	IF found < expected THEN
		RAISE EXCEPTION 'wrong value for key % of %: version % instead of %',
			k, r, found, expected;
	END IF;
END $$;

-- Asks for many values in one statement.
CREATE FUNCTION look_around(r text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR k IN 0 .. 39 LOOP
		PERFORM check_value(k::text, dogpile_get(r, k::text)),
			check_value('set' || k, dogpile_get(r, 'set' || k));
	END LOOP;
END $$;
EOT

# ---------------------------------------------------------------------------
# The load, and what must hold under it

my $nloads = 0;

# Let clients use these regions, until finish_load().  Each client changes keys of
# its own, so that none waits for another's COMMIT.
sub start_load
{
	my (@regions) = @_;
	my $prefix = PostgreSQL::Test::Utils::tempdir() . '/load' . $nloads++;
	my $load = { prefix => $prefix, regions => [@regions] };

	foreach my $region (@regions)
	{
		append_to_file("$prefix.$region.sql", <<"EOT");
\\set key random(0, 39)
\\set own :client_id + 8 * random(0, 4)
\\set size random(0, 20000)
\\set dice random(1, 100)
\\sleep 5 ms
\\if :dice <= 60
SELECT check_current('$region', :key, $creation);
\\elif :dice <= 65
SELECT look_around('$region');
\\elif :dice <= 75
SELECT check_value(:key::text, dogpile_get('$region', :key::text));
\\elif :dice <= 85
SELECT change('$region', :own);
\\elif :dice <= 95
SELECT dogpile_set('$region', 'set' || :key, make_value('set' || :key, :dice, :size));
\\else
SELECT dogpile_invalidate('$region', 'set' || :key, :dice % 2 = 0);
\\endif
EOT
	}
	$load->{run} = IPC::Run::start(
		[
			'pgbench', '-n', '-c', $nclients, '-j', 2, '-T', 100_000, '-l',
			"--log-prefix=$prefix", (map { ('-f', "$prefix.$_.sql") } @regions),
			$node->connstr('postgres') . ' application_name=load'
		],
		'<', File::Spec->devnull, '>', "$prefix.out", '2>', "$prefix.err");
	$node->poll_query_until('postgres',
		"SELECT count(*) = $nclients FROM pg_stat_activity WHERE application_name = 'load'"
	) or die 'timed out waiting for pgbench';
	return $load;
}

# End it: no query has failed, and none has taken too long.
#
# A statement may contact the dead server several times before it is known to be dead:
# when it looks for the value, as the creator, and at COMMIT; and it may have waited for
# a creator that did the same.
sub finish_load
{
	my ($load, $name, $ntimeouts) = @_;
	my $limit = $ntimeouts * $timeout + $creation + $slack;
	my ($n, $nslow) = (0, 0);
	my %longest;

	# What tells pgbench that its time is over.
	$load->{run}->signal('ALRM');
	$load->{run}->finish;
	my $stdout = slurp_file("$load->{prefix}.out");
	my $stderr = slurp_file("$load->{prefix}.err");

	is($load->{run}->result(0), 0, "$name: the load has ended well");
	is(join("\n", grep { /ERROR|FATAL|PANIC|aborted/ } split /\n/, $stderr),
		'', "$name: no query has failed");
	like($stdout, qr/^number of failed transactions: 0 /m,
		"$name: no transaction has failed");
	foreach my $file (glob "$load->{prefix}.[0-9]*")
	{
		foreach my $line (split /\n/, slurp_file($file))
		{
			my (undef, undef, $us, $script) = split ' ', $line;
			my $region = $load->{regions}[$script];

			$n++;
			$nslow++ if $us > $timeout * 1e6;
			$longest{$region} = max($longest{$region} // 0, $us / 1e6);
		}
	}
	note "$name: $n transactions, $nslow longer than a timeout; longest: ",
	  join(', ', map { sprintf '%s %.2f s', $_, $longest{$_} } sort keys %longest);
	cmp_ok(max(values %longest), '<', $limit, "$name: none has hung");
	return;
}

# Many sessions ask for a missing value, and one creates it.
sub check_one_creator
{
	my ($name, $region) = @_;
	my $nsessions = 6;
	my $key = "$name $region";
	my $offset = log_offset($node);
	my $gate = close_gate($node);
	my @sessions = map {
		start_psql($node, "SET test.gate = on;\n"
			  . "SELECT dogpile_get_or_create('$region', '$key', 'SELECT ran(''$key'')');\n")
	} 1 .. $nsessions;

	$node->poll_query_until('postgres',
		"SELECT count(*) = $nsessions - 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE objsubid = 208 AND NOT granted AND application_name = 'beside'"
	) or die "$name: timed out waiting for waiters";
	$gate->quit;
	is(join('', map { join '', finish_psql($_) } @sessions),
		"$key\n" x $nsessions, "$name: $region: all sessions get the value");
	is(count_runs($node, $key, $offset), 1, "$name: $region: ... created once");
	return;
}

# The servers of these regions, as SQL.
sub servers_of
{
	my %addresses = map { $regions{$_}{servers} => 1 } @_;

	return join(', ', map { "'$_'" } sort keys %addresses);
}

sub wait_until_up
{
	my ($name, @regions) = @_;
	my $servers = servers_of(@regions);

	foreach my $region (@regions)
	{
		ok( $node->poll_query_until('postgres', <<"EOT"), "$name: $region: values are stored and found again");
SELECT dogpile_get_or_create('$region', '$name after', 'SELECT 1', expiration_time => '1h') = '1' AND
	dogpile_exists('$region', '$name after') AND
	dogpile_get('$region', '$name after') = '1' AND
	(SELECT count(*) = 1 FROM (SELECT dogpile_set('$region', '$name set', 1)) AS set)
EOT
	}
	ok( $node->poll_query_until('postgres',
			"SELECT bool_and(state = 'up') FROM dogpile_servers WHERE address IN ($servers)"),
		"$name: the servers are up");
	return;
}

# Under load on some regions, let something happen to their stores.
#
# begin, end: do and undo it.
# again: what to do until the failure shows.
# repeat: what to do from time to time after that.
# during: what to check besides, in the middle of it.
# state, error: what dogpile_servers has of them meanwhile.
# timeouts: how many timeouts a statement may take at most, 10 by default.
sub campaign
{
	my ($name, %fault) = @_;

	return if ($ENV{DOGPILE_FAULTS} // '') !~ /^$|\b$name\b/;
	my @regions = @{ $fault{regions} };
	my $servers = servers_of(@regions);
	my $offset = log_offset($node);
	my $started_at = time;
	my $failures = $node->safe_psql('postgres',
		"SELECT coalesce(sum(failures), 0) FROM dogpile_servers WHERE address IN ($servers)");

	note "$name begins";
	wait_until_up("before $name", @regions);
	my $load = start_load(@regions);

	$fault{begin}->();
	my $ends_at = time + $seconds;

	# While clients go on deleting, what was full may have room again.
	wait_until(
		sub {
			return 1 if $node->safe_psql('postgres', <<"EOT") eq 't';
SELECT bool_and(failures > 0 AND state ~ '$fault{state}' AND last_error ~ '$fault{error}')
FROM dogpile_servers WHERE address IN ($servers)
EOT
			$fault{again}->() if $fault{again};
			return 0;
		},
		"$name: dogpile_servers tells of it");
	pass("$name: dogpile_servers tells of it");
	check_one_creator($name, $_) foreach @regions;
	$fault{during}->() if $fault{during};
	while (time < $ends_at)
	{
		sleep 0.2;
		$fault{repeat}->() if $fault{repeat};
	}
	note $node->safe_psql('postgres',
		"SELECT address, state, operations, failures, last_error FROM dogpile_servers WHERE address IN ($servers)");
	cmp_ok(
		$node->safe_psql('postgres',
			"SELECT sum(failures) FROM dogpile_servers WHERE address IN ($servers)"),
		'>', $failures, "$name: failures are counted");
	$fault{end}->();
	finish_load($load, $name, $fault{timeouts} // 10);
	wait_until_up($name, @regions);
	check_nothing_is_left($node, $name);
	check_log($node, $name, $offset);

	# One line for each server and minute; each session also logs once a minute that
	# something cannot be decoded.
	my $log = slurp_file($node->logfile, $offset);
	my @lines = $log =~ /^.*LOG:  (?:cache backend .* failed:|entry .* cannot be used).*$/mg;
	my $minutes = 1 + int((time - $started_at) / 60);

	note $_ foreach @lines[ 0 .. ($#lines < 9 ? $#lines : 9) ];
	cmp_ok(scalar(@lines), '<=', (2 + $nclients + 6 * @regions) * $minutes,
		"$name: the log is not flooded");
	return;
}

# ---------------------------------------------------------------------------
# The faults

my @stores = ($redis, $memcached);

# Killed, and started again, in turn.
my $is_dead = 0;

campaign(
	'killed',
	regions => \@all_regions,
	state => 'down|probed',
	error => 'refused|lost|closed|reset|CONN|ERRNO|FAIL|timeout|no answer|SYSTEM',
	begin => sub { $_->kill9 foreach @stores; },
	repeat => sub {
		return if rand() < 0.5;
		$_->{pid} ? $_->kill9 : $_->start foreach @stores;
	},
	end => sub { $_->{pid} or $_->start foreach @stores; });

# Stopped: connections are still taken, and nothing is answered.
campaign(
	'stopped',
	regions => \@all_regions,
	state => 'down|probed',
	error => 'timeout|no answer',
	begin => sub { $_->pause foreach @stores; },
	end => sub { $_->resume foreach @stores; });

# The same, but it continues from time to time.
campaign(
	'halting',
	regions => \@all_regions,
	state => '',
	error => 'timeout|no answer',
	begin => sub { $_->pause foreach @stores; },
	repeat => sub {
		rand() < 0.5 ? $_->pause : $_->resume foreach @stores;
	},
	end => sub { $_->resume foreach @stores; });

# Connections are reset, requests and answers cut off in the middle.
campaign(
	'reset',
	regions => [ 'redis_proxied', 'memcached_proxied' ],
	state => '',
	error => '.',
	begin => sub { $_->disturb foreach $redis_proxy, $memcached_proxy; },
	end => sub { $_->calm foreach $redis_proxy, $memcached_proxy; });

my $nfills = 0;

# Out of memory.  memcached has none left once there is much that does not
# expire, which ends when that is deleted.
sub fill_memcached
{
	my $socket = $full->connect or die 'cannot connect';

	# Of each size, until there is no room for another one of it.
	for (my $length = 1; $length < 40000; $length = int(1.15 * $length) + 20)
	{
		my $value = 'x' x $length;

		foreach my $i (1 .. 20000)
		{
			print $socket "set fill-$length-" . $nfills++ . " 0 0 $length\r\n$value\r\n";
			last if <$socket> !~ /^STORED/;
		}
	}
	return;
}

campaign(
	'full redis',
	regions => \@redis_regions,
	state => 'up',
	error => 'OOM',
	begin => sub { $redis->cli('CONFIG', 'SET', 'maxmemory', '100kb'); },
	end => sub { $redis->cli('CONFIG', 'SET', 'maxmemory', '0'); });
campaign(
	'full memcached',
	regions => ['full'],
	state => 'up',
	error => 'ALLOCATE',
	begin => \&fill_memcached,
	again => \&fill_memcached,
	repeat => \&fill_memcached,
	end => sub {
		my $socket = $full->connect or die 'cannot connect';

		print $socket "flush_all\r\n";
		my $answer = <$socket>;
	});

# Another password, which matters to new connections; no rights to do anything; a replica
# that refuses writes.
campaign(
	'password',
	regions => \@redis_regions,
	state => '',
	error => 'NOAUTH|AUTH',
	begin => sub {
		$redis->cli('CONFIG', 'SET', 'requirepass', 'changed');
		$redis->{password} = 'changed';
		$redis->cli('CLIENT', 'KILL', 'TYPE', 'normal');
	},
	end => sub {
		$redis->cli('CONFIG', 'SET', 'requirepass', '');
		$redis->{password} = undef;
	});
campaign(
	'rights',
	regions => \@redis_regions,
	state => '',
	error => 'NOPERM',
	begin => sub { $redis->cli('ACL', 'SETUSER', 'default', '-@all', '+acl'); },
	end => sub { $redis->cli('ACL', 'SETUSER', 'default', '+@all'); });
my $master = start_redis('master');

campaign(
	'replica',
	regions => \@redis_regions,
	state => 'up',
	error => 'READONLY',
	begin => sub {
		$redis->cli('REPLICAOF', '127.0.0.1', ($master->address =~ /:(\d+)/)[0]);
	},
	end => sub { $redis->cli('REPLICAOF', 'NO', 'ONE'); });

# Nonsense, and silence, in place of the store.  Some nonsense looks like an answer, so
# that the server counts as up again.
foreach my $case ([ 'garbage', \&start_garbage ], [ 'silence', \&start_silence ])
{
	my ($name, $start) = @$case;
	my @impostors;

	campaign(
		$name,
		regions => \@all_regions,
		state => '',
		error => '.',
		timeouts => $name eq 'garbage' ? 40 : 10,
		begin => sub {
			$_->kill9 foreach @stores;
			@impostors = map { $start->($name, $_->address) } @stores;
		},
		end => sub {
			$_->kill9 foreach @impostors;
			$_->start foreach @stores;
		});
}

# ---------------------------------------------------------------------------
# Answers that never end

foreach my $case (
	[ 'redis', "\$2000000000\r\n", 'x' ],
	[ 'redis', "\$2000000000\r\n", 'x' x 16384 ],
	[ 'redis', "*1000000\r\n", "\$1\r\na\r\n" ],
	[ 'redis', '+', 'x' ],
	[ 'memcached', "VALUE a 0 2000000000\r\n", 'x' ],
	[ 'memcached', "VALUE a 0 2000000000\r\n", 'x' x 16384 ],
	[ 'memcached', '', "VALUE a 0 1\r\nx\r\n" ],
	[ 'memcached', 'VALUE ', 'x' ])
{
	my ($region, $beginning, $piece) = @$case;
	my $store = $region eq 'redis' ? $redis : $memcached;
	my $name = sprintf('%s: an endless answer, %s and %d bytes again and again',
		$region, $beginning =~ s/\s+$//r, length $piece);
	my $impostor;
	my $stderr;

	next if ($ENV{DOGPILE_FAULTS} // '') !~ /^$|endless/;
	wait_until_up($name, $region);
	$store->kill9;
	$impostor = start_garbage('endless', $store->address, $beginning, $piece);
	my $begin = time;
	is( $node->psql('postgres',
			"SELECT dogpile_get('$region', 'k'); SELECT dogpile_get_or_create('$region', 'k', 'SELECT 1'); SELECT dogpile_invalidate('$region', 'k')",
			timeout => 60),
		0, $name);
	cmp_ok(time - $begin, '<', 10 * $timeout + $slack, "$name: does not hold up anybody");
	$impostor->kill9;
	$store->start;
}

# ---------------------------------------------------------------------------
# Cancelling at once

# Let a session wait for the store that has stopped, for a minute if it could;
# end the wait, and see how long that takes.
sub check_cancel
{
	my ($name, $region, $statement, $how) = @_;
	my $servers = servers_of($region);
	my $begin = time;
	my $session = start_psql($node,
		($how eq 'statement_timeout' ? "SET statement_timeout = '1s';\n" : '')
		. "$statement\n");

	if ($how ne 'statement_timeout')
	{
		$node->poll_query_until('postgres',
			"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'beside' AND state = 'active' AND wait_event_type = 'Extension'"
		) or die "$name: timed out waiting for the session to wait";
		$node->safe_psql('postgres',
			"SELECT $how(pid) FROM pg_stat_activity WHERE application_name = 'beside'");
	}
	my (undef, $stderr) = finish_psql($session);

	cmp_ok(time - $begin, '<', 20, "$name: $how ends the wait");
	like($stderr, qr/57014|57P01/, "$name: $how is what ends it");
	$node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'beside'")
	  or die "$name: the session does not end";
	return;
}

my $offset = log_offset($node);

foreach my $case ([ 'patient', $redis ], [ 'memcached_patient', $memcached ])
{
	my ($region, $store) = @$case;
	my $gate;
	my $begin;

	wait_until_up('before cancel', $region);

	# A creator that holds the lock of all servers, while the store stops.
	$gate = close_gate($node);
	my $creator = start_psql($node,
		"SET test.gate = on;\nSELECT dogpile_get_or_create('$region', 'held', 'SELECT ran(''held'')');\n");
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'beside' AND wait_event_type = 'Lock'"
	) or die 'timed out waiting for the creator';

	$store->pause;
	$begin = time;
	$node->safe_psql('postgres',
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'beside'");
	finish_psql($creator);
	cmp_ok(time - $begin, '<', 20, "$region: a creator is cancelled at once");
	$gate->quit;

	foreach my $how ('statement_timeout', 'pg_cancel_backend', 'pg_terminate_backend')
	{
		check_cancel("$region: get", $region, "SELECT dogpile_get('$region', 'k');", $how);
		check_cancel("$region: get_or_create", $region,
			"SELECT dogpile_get_or_create('$region', 'k', 'SELECT 1');", $how);
		check_cancel("$region: invalidate", $region,
			"SELECT dogpile_invalidate('$region', 'k');", $how);

		# PostgreSQL ends statement_timeout before it begins to commit.
		next if $how eq 'statement_timeout';
		check_cancel("$region: COMMIT of set", $region,
			"SELECT dogpile_set('$region', 'k', 1);", $how);
		check_cancel("$region: COMMIT of invalidation", $region,
			"SELECT dogpile_invalidate('$region');", $how);
	}
	$store->resume;
	wait_until_up('after cancel', $region);
}

# An invalidation is not held up for longer than the timeouts.
foreach my $case ([ 'redis', $redis ], [ 'memcached', $memcached ], [ 'retried', $redis ])
{
	my ($region, $store) = @$case;

	wait_until_up('before COMMIT', $region);
	$node->safe_psql('postgres',
		"SELECT count(dogpile_set('$region', k::text, k)) FROM generate_series(1, 300) AS k");
	$store->pause;
	my $begin = time;

	$node->safe_psql('postgres',
		"SELECT count(dogpile_invalidate('$region', k::text)) FROM generate_series(1, 300) AS k");
	cmp_ok(time - $begin, '<', 10 * $timeout + $slack,
		"$region: COMMIT of many invalidations while the store has stopped");
	is( $node->safe_psql('postgres',
			"SELECT count(dogpile_get('$region', k::text)) FROM generate_series(1, 300) AS k"),
		0,
		"$region: ... after which it is gone");
	$store->resume;
	wait_until_up('after COMMIT', $region);
	is( $node->safe_psql('postgres',
			"SELECT count(dogpile_get('$region', k::text)) FROM generate_series(1, 300) AS k"),
		0,
		"$region: ... and nothing when the store is back");
}
check_nothing_is_left($node, 'cancel');
check_log($node, 'cancel', $offset);

$node->stop;
done_testing();
