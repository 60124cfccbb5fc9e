# Invalidations that do not reach the store: the store is down at COMMIT, or the server
# dies after the commit is durable and before the invalidation was delivered.  Afterwards
# no session may get an invalidated value, or one computed from older data; and the cache
# must work again by itself.
#
# A transaction is held between the two halves of its COMMIT by waiting for a synchronous
# standby that does not exist: the commit is on disk, the marks are in the store, and the
# callbacks that would deliver the invalidation have not run.

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

my $lease = 2;

# Redis keeps what it has when it is killed.
my %servers = (
	redis => start_redis('redis', appendonly => 'yes', appendfsync => 'always'),
	memcached => start_memcached('memcached'));
my @stores = sort keys %servers;

# For each store a region for each kind of invalidation, since one that was not
# delivered can cost the whole region; two for tags, which concern all regions;
# one where nothing happens; and two for transactions that overlap.
my @kinds = ('key', 'region', 'tag', 'tag_too');
my @lines = server_setting(
	map {
		my $store = $_;
		my %common = (
			backend => $store,
			servers => $servers{$store}->address,
			connect_timeout => '1s',
			operation_timeout => '1s');

		# The mark of a tag lasts for a minute, which is too long to wait.
		my %patience = (lock_timeout => '200ms', lock_timeout_action => 'compute');

		(   (map {
					("${store}_$_" =>
						  { %common, grace_time => "${lease}s", /tag/ ? %patience : () })
				} @kinds, 'quiet', 'short'),
			"${store}_long" => { %common, grace_time => '1h' });
	} @stores);
my @regions = map {
	my $store = $_;

	map { "${store}_$_" } @kinds
} @stores;

my ($one, $two) = map {
	new_server($_, @lines,
		'wal_level = replica',
		'max_wal_senders = 1',
		"synchronous_standby_names = 'missing'",
		'synchronous_commit = local')
} 'one', 'two';
my @nodes = ($one, $two);

foreach my $node (@nodes)
{
	$node->start;
	create_helpers($node);
	ask($node, 'CREATE TABLE data (a int); CREATE TABLE more (a int)');
}

# ---------------------------------------------------------------------------
# Pieces

# The tag in use; each check has its own, because the marks of tags last long.
my $tag = 'none';

sub tags_of
{
	my ($region) = @_;

	return $region =~ /tag/ ? "'{$tag}'" : 'NULL';
}

# Get or create a value.
sub create
{
	my ($region, $value) = @_;
	my $tags = tags_of($region);

	return
	  "SELECT dogpile_get_or_create('$region', 'k', 'SELECT ''$value''::text', tags => $tags)";
}

# What is there.
sub found
{
	my ($node, $region) = @_;

	return ask($node, "SELECT dogpile_get('$region', 'k')");
}

# Give each region an old value, which both servers find.
sub fill
{
	my ($name, @which) = @_;

	$tag = $name;
	foreach my $region (@which)
	{
		my $tags = tags_of($region);

		ask($one, "SELECT dogpile_set('$region', 'k', 'old'::text, tags => $tags)");
		is(found($_, $region), 'old', "$name, $region: server " . $_->name . ' finds the old value')
		  foreach @nodes;
	}
	return;
}

# Invalidate the values in all these regions, each in its way.
sub invalidate
{
	return "SELECT dogpile_invalidate_tags('{$tag}');" . invalidate_without_tags();
}

sub invalidate_without_tags
{
	return join '', map {
		"SELECT dogpile_invalidate('${_}_key', 'k'); SELECT dogpile_invalidate('${_}_region');"
	} @stores;
}

# Create values until they are cached again.  None may be outdated.
#
# is_last: whether to wait for those of tags, too.
sub check_recovery
{
	my ($name, $node, $region, $is_last) = @_;
	my %seen;
	my $started_at = time;

	wait_until(
		sub {
			my $value = ask($node, create($region, 'new'));

			$seen{$value} = 1;
			return found($node, $region) ne '' || ($region =~ /tag/ && !$is_last);
		},
		"$region is cached again");
	note sprintf('%s, %s: cached again after %.1f s', $name, $region, time - $started_at);
	$seen{ found($_, $region) || 'new' } = 1 foreach @nodes;
	is(join(',', sort keys %seen), 'new', "$name, $region: only new values were given");
	return;
}

# Begin a transaction that hangs in its COMMIT.
sub begin_commit
{
	my ($node, $sql) = @_;
	my $session = start_psql($node,
		"SET synchronous_commit = on; BEGIN; INSERT INTO data VALUES (1); $sql COMMIT;");

	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	  or die 'timed out waiting for a commit';
	return $session;
}

# Let it go on.
sub finish_commit
{
	my ($node, $session) = @_;

	ask($node, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
	my (undef, $error) = finish_psql($session);

	unlike($error, qr/ERROR/, 'a commit that was held up is one');
	return;
}

# Kill its server instead.
sub kill_commit
{
	my ($node, $session) = @_;

	kill_server($node);
	finish_psql($session);
	$node->start;
	return;
}

# A transaction that fails in its COMMIT, after all that a callback before it
# may do: two serializable transactions that each miss what the other writes.
sub fail_commit
{
	my ($node, $sql) = @_;
	my $other = $node->background_psql('postgres');
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $begin = 'BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM';

	$session->query_safe("$begin data");
	$other->query_safe("$begin more");
	$session->query_safe("INSERT INTO more VALUES (1); $sql");
	$other->query_safe('INSERT INTO data VALUES (1); COMMIT');
	$session->query('COMMIT');
	like($session->{stderr}, qr/could not serialize access/, 'a transaction fails in its COMMIT');
	$session->quit;
	$other->quit;
	return;
}

# Create a value without seeing the transaction that hangs in its COMMIT; sessions that
# wait for its mark must not wait without end.
sub create_between
{
	my ($node, $region, $seconds) = @_;

	is( ask($node,
			"SET dogpile_$region.lock_timeout = '${seconds}s'; SET dogpile_$region.lock_timeout_action = 'compute'; "
			  . create($region, 'between')),
		'between',
		"$region: a value is computed in between");
	return;
}

# ---------------------------------------------------------------------------
# The store is down at the moment of COMMIT.

sub stop_stores
{
	$servers{redis}->kill9;
	$servers{memcached}->pause;
	return;
}

# Go on, and wait until servers ask them again.
sub start_stores
{
	$servers{redis}->start;
	$servers{memcached}->resume;
	foreach my $store (@stores)
	{
		foreach my $node (@nodes)
		{
			$node->poll_query_until('postgres',
				"SELECT dogpile_get_or_create('${store}_quiet', 'k', 'SELECT 1') = '1' AND dogpile_exists('${store}_quiet', 'k')")
			  or die 'timed out waiting for a store to be used again';
		}
	}
	return;
}

# Commit, and return how long that has taken.
sub check_commit
{
	my ($name, $session) = @_;
	my $started_at = time;
	my $output = $session->query_safe('COMMIT; SELECT 1');
	my $elapsed = time - $started_at;

	is($output, '1', "$name: the session does not fail");
	note sprintf('%s: COMMIT has taken %.1f s', $name, $elapsed);

	# Each of some twenty calls could have taken a second.
	cmp_ok($elapsed, '<', 30, "$name: ... and is not held up beyond the timeouts");
	$session->quit;
	return;
}

sub check_while_down
{
	my ($name) = @_;

	foreach my $region (@regions)
	{
		is(found($one, $region), '', "$name, $region: nothing is found");
		is(ask($one, create($region, 'new')), 'new', "$name, $region: values are computed");
	}
	return;
}

sub check_after_return
{
	my ($name) = @_;

	start_stores();
	foreach my $region (@regions)
	{
		isnt(found($one, $region), 'old', "$name, $region: the old value is not given");
		check_recovery($name, $one, $region);
	}
	return;
}

# All of the COMMIT.
sub check_store_down
{
	my $name = 'store down';
	my $session = $one->background_psql('postgres');

	fill($name, @regions);
	$session->query_safe("BEGIN; INSERT INTO data VALUES (1); " . invalidate());
	stop_stores();
	check_commit($name, $session);
	check_while_down($name);
	check_after_return($name);
	return;
}

# After the marks are there, before they are replaced.
sub check_store_down_in_between
{
	my $name = 'store down in between';

	fill($name, @regions);
	my $session = begin_commit($one, invalidate());

	stop_stores();
	finish_commit($one, $session);
	check_while_down($name);
	check_after_return($name);
	return;
}

# No session uses the region on the server that could not deliver: its worker delivers.
sub check_later_delivery
{
	my $name = 'delivered later';
	my $session = $one->background_psql('postgres');

	fill($name, @regions);
	$session->query_safe("BEGIN; INSERT INTO data VALUES (1); " . invalidate());
	stop_stores();
	check_commit($name, $session);
	start_stores();
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my @old;

	do
	{
		sleep 0.2;
		@old = grep { found($two, $_) eq 'old' } @regions;
	} while (@old && time < $deadline);
	is("@old", '', "$name: the other server no longer gives old values");
	check_recovery($name, $one, $_) foreach @regions;
	return;
}

# The server is restarted before it could deliver.
sub check_restart
{
	my $name = 'killed before the store is back';
	my $session = $one->background_psql('postgres');

	fill($name, @regions);
	$session->query_safe("BEGIN; INSERT INTO data VALUES (1); " . invalidate());
	stop_stores();
	check_commit($name, $session);
	kill_server($one);
	$one->start;
	check_while_down($name);
	check_after_return($name);
	return;
}

# ---------------------------------------------------------------------------
# The server dies between COMMIT and delivery.

# The store was down when the marks should have been put there, and is back when the
# server dies.  What was stored meanwhile is outdated.
sub check_killed_without_marks
{
	my $name = 'killed without marks';
	my @which = map { ("${_}_key", "${_}_region") } @stores;
	my $deadline;

	# No tags, which concern the regions that nothing happens to as well.
	fill($name, @which);
	stop_stores();
	my $session = begin_commit($one, invalidate_without_tags());

	start_stores();
	foreach my $region (@which)
	{
		like(ask($_, create($region, 'between')), qr/^(old|between)$/,
			"$name, $region: server " . $_->name . ' computes what is not yet committed')
		  foreach @nodes;
	}
	kill_commit($one, $session);
	foreach my $region (@which)
	{
		unlike(found($one, $region), qr/old|between/,
			"$name, $region: no outdated value is returned");
	}

	# It delivers to the other one as soon as it can.
	$deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	foreach my $region (@which)
	{
		sleep 0.2 while found($two, $region) =~ /old|between/ && time < $deadline;
		unlike(found($two, $region), qr/old|between/, "$name, $region: nor by the other server");
		check_recovery($name, $one, $region);
	}
	return;
}

# A file of suspicions is damaged: then all regions are suspect.
sub check_damaged_file
{
	my $name = 'damaged file';
	my $file = $one->data_dir . '/dogpile/suspect.0123456789abcdef';

	fill($name, @regions);
	$one->stop;
	append_to_file($file, "a region without a name\n");
	$one->start;
	is(found($one, $_), '', "$name, $_: the old value is not given") foreach @regions;
	like(slurp_file($one->logfile), qr/WARNING:  file "[^"]*suspect[^"]*" is damaged/,
		"$name: the log tells");
	unlink $file or die "$file: $!";
	$one->restart;
	check_recovery($name, $one, $_) foreach @regions;
	return;
}

sub check_killed
{
	my $name = 'killed';

	fill($name, @regions);
	my $session = begin_commit($one, invalidate());

	foreach my $region (@regions)
	{
		is(found($_, $region), '', "$name, $region: server " . $_->name . ' no longer gives the old value')
		  foreach @nodes;
	}
	kill_commit($one, $session);
	is(ask($one, 'SELECT count(*) > 0 FROM data'), 't', "$name: the commit has lasted");
	foreach my $region (@regions)
	{
		is(found($_, $region), '', "$name, $region: nor after the server was killed")
		  foreach @nodes;
	}

	# Those of tags last longest.
	check_recovery($name, $two, $_, 1) foreach sort { ($a =~ /tag/) <=> ($b =~ /tag/) } @regions;
	check_recovery($name, $one, $_, 1) foreach @regions;
	return;
}

# ---------------------------------------------------------------------------
# Transactions that do not commit remove their marks.

sub check_failures
{
	my $name = 'failed';
	my @long = map { "${_}_long" } @stores;
	my $sql = join '', map { "SELECT dogpile_invalidate('$_', 'k');" } @long;

	fill($name, @long);
	ask($one, "BEGIN; $sql ROLLBACK");
	foreach my $region (@long)
	{
		is(found($_, $region), 'old', "$name, $region: ROLLBACK leaves the value to server " . $_->name)
		  foreach @nodes;
	}
	fail_commit($one, $sql);
	foreach my $region (@long)
	{
		# A mark would last for an hour.
		is( ask($two,
				"SET dogpile_$region.lock_timeout = '30s'; "
				  . create($region, 'old')
				  . "; SELECT dogpile_exists('$region', 'k')"),
			"old\nt",
			"$name, $region: values are cached at once");
	}
	return;
}

# ---------------------------------------------------------------------------
# Two transactions at the same time, and a value that is computed when one has committed
# and the other has not.

# end: what becomes of the transaction that began first.
sub check_overlap
{
	my ($name, $region_kind, $end) = @_;
	my @which = map { "${_}_$region_kind" } @stores;
	my $sql = join '', map { "SELECT dogpile_invalidate('$_', 'k');" } @which;

	fill($name, @which);
	my $first = begin_commit($one, $sql);
	my $second = begin_commit($two, $sql);

	finish_commit($two, $second);
	create_between($one, $_, 1) foreach @which;
	$end->($one, $first);
	check_nothing_between($name, @which);
	return;
}

# The second one fails: it removes its own mark, and not that of the first.
sub check_overlap_failure
{
	my $name = 'overlap with a failure';
	my @which = map { "${_}_long" } @stores;
	my $sql = join '', map { "SELECT dogpile_invalidate('$_', 'k');" } @which;

	fill($name, @which);
	my $first = begin_commit($one, $sql);

	fail_commit($two, $sql);
	create_between($one, $_, 1) foreach @which;
	finish_commit($one, $first);
	check_nothing_between($name, @which);
	return;
}

# A COMMIT that takes longer than the lease of its marks.
sub check_long_commit
{
	my ($name, $end) = @_;
	my @which = map { "${_}_short" } @stores;
	my $sql = join '', map { "SELECT dogpile_invalidate('$_', 'k');" } @which;

	fill($name, @which);
	my $session = begin_commit($one, $sql);

	create_between($one, $_, 3 * $lease) foreach @which;
	$end->($one, $session);
	check_nothing_between($name, @which);
	return;
}

sub check_nothing_between
{
	my ($name, @which) = @_;

	foreach my $region (@which)
	{
		isnt(found($_, $region), 'between',
			"$name, $region: server " . $_->name . ' does not give a value of the time between')
		  foreach @nodes;

		# What comes next must not depend on how that went.
		ask($two, "SELECT dogpile_invalidate('$region', 'k')");
		check_recovery($name, $two, $region);
	}
	return;
}

check_store_down();
check_store_down_in_between();
check_later_delivery();
check_restart();
check_failures();
check_overlap('overlap', 'long', \&finish_commit);
check_overlap('overlap, killed', 'short', \&kill_commit);
check_overlap_failure();
check_long_commit('long commit', \&finish_commit);
check_long_commit('long commit, killed', \&kill_commit);
check_killed_without_marks();
check_damaged_file();
check_killed();

foreach my $node (@nodes)
{
	is(ask($node, 'SELECT count(*) FROM pg_locks WHERE objsubid = 208'),
		0, $node->name . ': no creator lock is left');
	unlike(slurp_file($node->logfile), qr/PANIC: |TRAP: |terminated by signal/,
		$node->name . ': the log tells of nothing that has gone wrong');
	$node->stop;
}
done_testing();
