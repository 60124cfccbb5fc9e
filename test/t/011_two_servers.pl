# Two servers share a store.  Of all their sessions one creates a value; what is set or
# invalidated on one server takes effect on the other.  The other server waits for a
# long creation as long as the creating server lives, and takes over when it has died; a
# creator that has lost its lock overwrites nothing.  With Redis and with memcached; and
# with a standby that shares a store with its primary.

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

my $nsessions = 25;
my $lease = 2;
my %servers = (
	redis => start_redis('redis'),
	memcached => start_memcached('memcached'));
my @stores = sort keys %servers;

# For each store: a region with default settings, one with a short lease, and one without
# a lock in the store.  Timeouts are long, since none must occur here.
my @lines = server_setting(
	map {
		my %common = (
			backend => $_,
			servers => $servers{$_}->address,
			connect_timeout => '20s',
			operation_timeout => '20s',
			hard_expiration_factor => 1000);

		($_ => {%common},
			"${_}_short" => { %common, grace_time => "${lease}s" },
			"${_}_unlocked" => { %common, distributed_lock => 'off' });
	} @stores);

my ($one, $two) = map { new_server($_, @lines, 'max_connections = 60') } 'one', 'two';
my @nodes = ($one, $two);

foreach my $node (@nodes)
{
	$node->start;
	create_helpers($node);
}

# A standby that has not replayed an invalidation stores nothing, so wait for it.
my $catch_up = sub { };

# A statement that gets a value: the query returns which session has run it.
sub get
{
	my ($region, $key, $by) = @_;
	my $value = defined $by ? " || '' by $by''" : '';

	return
	  "SELECT dogpile_get_or_create('$region', '$key', 'SELECT ran(''$region $key'')$value')";
}

# ---------------------------------------------------------------------------
# All sessions of both servers at one key.

# Begin: each session must get one of the values, or pgbench fails.
sub begin_stampede
{
	my ($node, $sql, @values) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/stampede.sql';
	my $list = join(', ', map { "'$_'" } @values);
	my $run = { out => '', node => $node };

	append_to_file($file, "SELECT 1 / (($sql) IN ($list))::int;\n");
	local %ENV = (%ENV, PGOPTIONS => '-c test.gate=on');
	$run->{run} = IPC::Run::start(
		[
			'pgbench', '-n', '-c', $nsessions, '-j', 2, '-t', 1, '-f', $file,
			$node->connstr('postgres')
		],
		'<', '/dev/null', '>&', \$run->{out});
	return $run;
}

sub finish_stampede
{
	my ($run, $name) = @_;

	ok($run->{run}->finish,
		"$name: sessions of server " . $run->{node}->name . ' were given a value')
	  or diag $run->{out};
	return;
}

# The sum of a counter of a region over both servers.
sub sum_counter
{
	my ($counter, $region) = @_;
	my $sum = 0;

	$sum += ask($_, "SELECT $counter FROM dogpile_stats WHERE region = '$region'")
	  foreach @nodes;
	return $sum;
}

# Nothing is there: one session creates, all others wait.
sub check_cold
{
	my ($store) = @_;
	my $sql = get($store, 'cold');
	my @gates = map { close_gate($_) } @nodes;
	my @runs = map { begin_stampede($_, $sql, "$store cold") } @nodes;

	# The last one of each server creates, or waits for the other server.
	wait_for_waiters($_, $nsessions - 1) foreach @nodes;
	wait_until(sub { count_all_runs("$store cold", @nodes) > 0 },
		'the query runs');
	$_->quit foreach @gates;
	finish_stampede($_, "$store, cold") foreach @runs;
	is(count_all_runs("$store cold", @nodes),
		1, "$store, cold: the query ran once");
	return;
}

# There is an expired value: all sessions but one get it at once.
sub check_expired
{
	my ($store) = @_;
	my $sql = get($store, 'expired');

	ask($nodes[0], "SELECT dogpile_set('$store', 'expired', 'old'::text, expiration_time => '500ms')");
	foreach my $node (@nodes)
	{
		$node->poll_query_until('postgres',
			"SELECT NOT fresh FROM dogpile_metadata('$store', 'expired')")
		  or die 'timed out waiting for a value to expire';
		ask($node, 'SELECT dogpile_reset_stats()');
	}
	$catch_up->();

	my @gates = map { close_gate($_) } @nodes;
	my @runs = map { begin_stampede($_, $sql, 'old', "$store expired") } @nodes;

	# As long as the query runs.
	wait_until(sub { sum_counter('stale_hits', $store) == 2 * $nsessions - 1 },
		'all sessions but one were given the expired value');
	is(count_all_runs("$store expired", @nodes),
		1, "$store, expired: one session creates, the others do not wait for it");
	is(sum_counter('waits', $store), 0, "$store, expired: no session has waited");
	$_->quit foreach @gates;
	finish_stampede($_, "$store, expired") foreach @runs;
	is(count_all_runs("$store expired", @nodes),
		1, "$store, expired: the query ran once");
	is( ask($_, "SELECT dogpile_get('$store', 'expired'), fresh FROM dogpile_metadata('$store', 'expired')"),
		"$store expired|t",
		"$store, expired: the new value is on server " . $_->name)
	  foreach @nodes;
	return;
}

# Without the lock in the store, each server has a creator.
sub check_unlocked
{
	my ($store) = @_;
	my $region = "${store}_unlocked";
	my @gates = map { close_gate($_) } @nodes;
	my @runs = map { begin_stampede($_, get($region, 'cold'), "$region cold") } @nodes;

	foreach my $node (@nodes)
	{
		wait_for_waiters($node, $nsessions - 1);
		wait_until(sub { count_runs($node, "$region cold") > 0 },
			'the query runs on this server');
	}
	$_->quit foreach @gates;
	finish_stampede($_, "$store, unlocked") foreach @runs;
	is(count_runs($_, "$region cold"),
		1, "$store, unlocked: the query ran once on server " . $_->name)
	  foreach @nodes;
	return;
}

# ---------------------------------------------------------------------------
# What is done on one server takes effect on the other.

sub check_changes
{
	my ($store, $node, $other) = @_;
	my $name = "$store, from " . $node->name . ' to ' . $other->name;
	my $get = "SELECT dogpile_get('$store', 'k')";
	my $is_fresh = "SELECT fresh FROM dogpile_metadata('$store', 'k')";
	my $set =
	  "SELECT dogpile_set('$store', 'k', 'a value'::text, tags => '{one tag,another}')";

	# Each of them removes the value, or makes it stale.
	my %hard = (
		'delete' => "SELECT dogpile_delete('$store', 'k')",
		'invalidate a key' => "SELECT dogpile_invalidate('$store', 'k')",
		'invalidate a region' => "SELECT dogpile_invalidate('$store')",
		'invalidate a tag' => "SELECT dogpile_invalidate_tags('{none,another}')");
	my %soft = (
		'a key' => "SELECT dogpile_invalidate('$store', 'k', hard => false)",
		'a region' => "SELECT dogpile_invalidate('$store', hard => false)");

	# A standby stores nothing before it has replayed what was invalidated last.
	$catch_up->();
	foreach my $what (sort keys %hard)
	{
		ask($node, $set);
		is(ask($other, $get), 'a value', "$name: set");
		ask($node, $hard{$what});
		is(ask($other, $get), '', "$name: $what");
	}
	ask($node, $set);
	ask($other, $get);
	ask($node, "SELECT dogpile_set('$store', 'k', 'another one'::text)");
	is(ask($other, $get), 'another one', "$name: set again");
	foreach my $what (sort keys %soft)
	{
		ask($node, $set);
		is(ask($other, $is_fresh), 't', "$name: fresh");
		ask($node, $soft{$what});
		is(ask($other, "$get; $is_fresh"), "a value\nf", "$name: invalidate $what softly");
	}

	# A created value behaves like one that was set.
	$catch_up->();
	is(ask($other, get($store, 'k', 'other')),
		"$store k by other", "$name: stale, created by the other server");
	is(ask($node, get($store, 'k', 'one')),
		"$store k by other", "$name: ... and found by the one");
	ask($node, $hard{'invalidate a key'});
	is(ask($other, $get), '', "$name: what was created is invalidated");
	return;
}

# Changes take effect on the other server after COMMIT, and only then.
sub check_transactions
{
	my ($store, $node, $other) = @_;
	my $get = "SELECT dogpile_get('$store', 'xact')";
	my $session = $node->background_psql('postgres');

	ask($node, "SELECT dogpile_set('$store', 'xact', 'first'::text)");
	$session->query_safe("BEGIN; SELECT dogpile_set('$store', 'xact', 'second'::text)");
	is(ask($other, $get), 'first', "$store: a set is not seen before COMMIT");
	$session->query_safe('COMMIT');
	is(ask($other, $get), 'second', "$store: ... and is seen after it");
	foreach my $end ('ROLLBACK', 'COMMIT')
	{
		$session->query_safe("BEGIN; SELECT dogpile_invalidate('$store', 'xact')");
		is(ask($other, $get), 'second', "$store: an invalidation is not seen before $end");
		$session->query_safe($end);
		is( ask($other, $get),
			$end eq 'COMMIT' ? '' : 'second',
			"$store: an invalidation after $end");
	}
	$session->quit;
	return;
}

# ---------------------------------------------------------------------------
# Long creations, and servers that die.

# One server creates a value in each store while its gate is closed, and the other server
# waits for it.
sub begin_creations
{
	my ($key) = @_;
	my %sessions;

	foreach my $store (@stores)
	{
		my $region = "${store}_short";

		$sessions{$store}{creator} =
		  start_psql($one, 'SET test.gate = on; ' . get($region, $key, 'one') . ';');
		wait_until(sub { count_runs($one, "$region $key") == 1 }, 'the query runs');
		$sessions{$store}{waiter} =
		  start_psql($two, 'SET test.gate = on; ' . get($region, $key, 'two') . ';');
	}
	$two->poll_query_until('postgres',
		"SELECT count(*) = 2 FROM pg_locks WHERE objsubid = 208 AND granted AND mode = 'ExclusiveLock'"
	) or die 'timed out waiting for the waiters';
	return %sessions;
}

# The creation takes longer than the lease, which is renewed.
sub check_renewal
{
	my $gate = close_gate($one);
	my %sessions = begin_creations('lasting');

	# There is nothing else to wait for but the time.
	sleep(2.5 * $lease);
	foreach my $store (@stores)
	{
		is(count_runs($two, "${store}_short lasting"),
			0, "$store: a creation that lasts is not repeated");
		ok(psql_is_running($sessions{$store}{waiter}),
			"$store: ... but waited for by the other server");
	}
	$gate->quit;
	foreach my $store (@stores)
	{
		foreach my $who ('creator', 'waiter')
		{
			my ($value, $error) = finish_psql($sessions{$store}{$who});

			is("$value$error", "${store}_short lasting by one\n",
				"$store: the $who gets the value of a long creation");
		}
		is(count_all_runs("${store}_short lasting", @nodes),
			1, "$store: a creation that lasts is the only one");
	}
	return;
}

# A transaction that has the lock of an entry waits for that of another one,
# whose holder may in its turn wait for the first one.  No server can know that,
# so the wait has an end.
sub check_deadlock
{
	foreach my $store (@stores)
	{
		my $region = "${store}_short";
		my ($mine, $yours) =
		  map { $_->background_psql('postgres', on_error_stop => 0) } @nodes;

		$mine->query_safe("BEGIN; SELECT dogpile_add('$region', 'mine', 1)");
		$yours->query_safe("BEGIN; SELECT dogpile_add('$region', 'yours', 1)");
		is( $mine->query_safe(get($region, 'yours', 'me')),
			"$region yours by me",
			"$store: the holder of a lock does not wait without end for that of another server");
		$mine->query("SELECT dogpile_add('$region', 'yours', 2)");
		like($mine->{stderr}, qr/timed out.*two servers might be waiting for each other/s,
			"$store: ... nor to add a value");
		$mine->query('ROLLBACK');
		$yours->query_safe('COMMIT');
		is(ask($one, "SELECT dogpile_get('$region', 'yours', 0)"), 1, "$store: the other one goes on");
		$_->quit foreach $mine, $yours;
	}
	return;
}

# The creating server dies.
sub check_takeover
{
	my $gate = close_gate($one);
	my %sessions = begin_creations('killed');

	my $killed_at = time;

	kill_server($one);
	foreach my $store (@stores)
	{
		my ($value, $error) = finish_psql($sessions{$store}{waiter});

		note sprintf('%s: taken over after %.1f s', $store, time - $killed_at);
		is("$value$error", "${store}_short killed by two\n",
			"$store: the other server takes over from one that was killed");
		is(count_runs($two, "${store}_short killed"),
			1, "$store: ... and runs the query once");
		finish_psql($sessions{$store}{creator});
	}
	eval { $gate->quit };

	$one->start;
	foreach my $store (@stores)
	{
		is(ask($one, get("${store}_short", 'killed', 'one')),
			"${store}_short killed by two",
			"$store: the server that was killed finds the value");
	}
	return;
}

# The creator and the worker that would renew its lease are stopped; when they continue,
# the other server is creating, or has done so.
sub check_fencing
{
	my ($has_ended) = @_;
	my $key = $has_ended ? 'fenced' : 'half fenced';
	my $gate = close_gate($one);
	my $other_gate = $has_ended ? undef : close_gate($two);
	my %sessions = begin_creations($key);
	my @stopped = (
		worker_of($one),
		split /\n/,
		ask($one,
			"SELECT pid FROM pg_locks WHERE objsubid = 208 AND granted AND mode = 'ExclusiveLock'"
		));
	my %late;

	is(scalar(@stopped), 3, "$key: the creators and the worker are known");
	kill 'STOP', @stopped;
	foreach my $store (@stores)
	{
		my $region = "${store}_short";

		wait_until(sub { count_runs($two, "$region $key") == 1 },
			'the other server takes over');
		next if !$has_ended;
		my ($value, $error) = finish_psql($sessions{$store}{waiter});

		is("$value$error", "$region $key by two\n",
			"$store, $key: the other server takes over");
	}

	# The others go on.
	$gate->quit;
	kill 'CONT', @stopped;
	foreach my $store (@stores)
	{
		my ($value, $error) = finish_psql($sessions{$store}{creator});

		is("$value$error", "${store}_short $key by one\n",
			"$store, $key: the stopped session gets what it has computed");
	}

	# They have stored nothing, and not released a lock that is not theirs.
	foreach my $store (@stores)
	{
		my $region = "${store}_short";
		my ($value, $error);

		next if $has_ended;
		is(ask($one, "SELECT dogpile_exists('$region', '$key')"),
			'f', "$store, $key: the stopped session has stored nothing");
		$late{$store} = start_psql($one, get($region, $key, 'late') . ';');
	}
	if (!$has_ended)
	{
		$one->poll_query_until('postgres',
			"SELECT count(*) = 2 FROM pg_locks WHERE objsubid = 208 AND granted AND mode = 'ExclusiveLock'"
		) or die 'timed out waiting for late sessions';
		$other_gate->quit;
	}
	foreach my $store (@stores)
	{
		my $region = "${store}_short";

		if (!$has_ended)
		{
			foreach my $session ($sessions{$store}{waiter}, $late{$store})
			{
				my ($value, $error) = finish_psql($session);

				is("$value$error", "$region $key by two\n",
					"$store, $key: all sessions get the newer value");
			}
		}
		is(ask($_, "SELECT dogpile_get('$region', '$key')"),
			"$region $key by two",
			"$store, $key: the newer value is on server " . $_->name)
		  foreach @nodes;
		is(count_all_runs("$region $key", @nodes),
			2, "$store, $key: the query ran once on each server");
	}
	return;
}

foreach my $store (@stores)
{
	check_cold($store);
	check_expired($store);
	check_unlocked($store);
	check_changes($store, $one, $two);
	check_changes($store, $two, $one);
	check_transactions($store, $one, $two);
}
check_renewal();
check_deadlock();
check_fencing(1);
check_fencing(0);
check_takeover();
foreach my $node (@nodes)
{
	check_nothing_is_left($node, $node->name);
	check_log($node, $node->name);
	is(ask($node, "SELECT address, last_error FROM dogpile_servers WHERE failures > 0"),
		'', $node->name . ': no store has failed');
	$node->stop;
}

# ---------------------------------------------------------------------------
# A standby and its primary.

my $primary = PostgreSQL::Test::Cluster->new('primary');

$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf',
	join("\n", "shared_preload_libraries = 'dogpile'", 'max_connections = 60', @lines, ''));
$primary->start;
create_helpers($primary);
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$catch_up = sub { $primary->wait_for_catchup($standby) };
$catch_up->();
@nodes = ($primary, $standby);

foreach my $store (@stores)
{
	my $offset = log_offset($standby);

	# Keys that the first two servers have not used.
	ask($primary, "SELECT dogpile_invalidate('$_')")
	  foreach $store, "${store}_short", "${store}_unlocked";

	# A standby stores nothing that is older than the key's token, which the first session
	# that asks makes: make it, without a value, and let the standby replay up to it.
	ask($primary, "BEGIN; SELECT dogpile_set('$store', 'cold', 'none'::text); ROLLBACK");
	$catch_up->();
	check_cold($store);
	check_expired($store);
	check_changes($store, $primary, $standby);
	check_changes($store, $standby, $primary);
	check_transactions($store, $standby, $primary);

	# Read-only transactions of the primary.
	is( ask($primary, "BEGIN READ ONLY; SELECT dogpile_set('$store', 'ro', 'set'::text); COMMIT"),
		'', "$store, read only: set");
	is(ask($standby, "SELECT dogpile_get('$store', 'ro')"), 'set', "$store, read only: ... is seen");
	ask($primary, "BEGIN READ ONLY; SELECT dogpile_invalidate('$store', 'ro'); COMMIT");
	is(ask($standby, "SELECT dogpile_exists('$store', 'ro')"),
		'f', "$store, read only: invalidate");
	is( ask($primary, 'BEGIN READ ONLY; ' . get($store, 'ro', 'the primary') . '; COMMIT'),
		"$store ro by the primary", "$store, read only: create");
	is(ask($standby, get($store, 'ro', 'the standby')),
		"$store ro by the primary", "$store, read only: ... is found by the standby");
	unlike(slurp_file($standby->logfile, $offset), qr/ERROR: /, "$store, standby: no errors");
}

# What a lagging standby computes is outdated, although its snapshot was taken after the
# invalidation.
ask($primary, "CREATE TABLE data AS SELECT 'old'::text AS value");
$primary->wait_for_catchup($standby);
ask($standby, 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres',
	"SELECT pg_get_wal_replay_pause_state() = 'paused'")
  or die 'timed out waiting for replay to pause';
foreach my $store (@stores)
{
	my $sql = "SELECT dogpile_get_or_create('$store', 'lag', 'SELECT value FROM data')";

	ask($primary,
		"UPDATE data SET value = 'new'; SELECT dogpile_invalidate('$store', 'lag')");
	is(ask($standby, $sql), 'old', "$store, standby that lags: computes what it sees");
	is(ask($primary, $sql), 'new', "$store, standby that lags: does not store it");
}

# Nor is it stored if the store has lost the token of the invalidation, whichever server
# asks first.
foreach my $store (@stores)
{
	foreach my $first ('the standby', 'the primary')
	{
		my $key = "forgotten, $first";
		my $sql = "SELECT dogpile_get_or_create('$store', '$key', 'SELECT value FROM data')";

		ask($primary, "SELECT dogpile_invalidate('$store', '$key')");
		$servers{$store}->kill9;
		$servers{$store}->start;

		# A set that is rolled back leaves tokens, but no value.
		ask($primary, "BEGIN; SELECT dogpile_set('$store', '$key', 'none'::text); ROLLBACK")
		  if $first eq 'the primary';
		is(ask($standby, $sql), 'old', "$store, $key: the standby computes what it sees");
		is(ask($primary, $sql), 'new', "$store, $key: ... and does not store it");
	}
}
ask($standby, 'SELECT pg_wal_replay_resume()');
check_log($_, $_->name) foreach @nodes;
$standby->stop;
$primary->stop;
done_testing();
