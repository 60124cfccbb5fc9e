# Many sessions wait for a creator that leaves no value: it is cancelled or terminated,
# its query fails, its value is too large, or is invalidated.
#
# A loop of conditional EXCLUSIVE and SHARE locking hangs here: 90 sessions, once woken,
# keep each other from getting the lock.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# A session that has not ended after this time hangs.
my $limit = 60;

my $node = new_server(
	'main',
	"dogpile.shared_memory = '2MB'",
	"dogpile.regions = 'reports, limited'",
	"dogpile_limited.max_value_size = '1kB'",
	'max_connections = 130',
	"statement_timeout = '${limit}s'");

$node->start;
create_helpers($node);

sub get
{
	my ($region, $key, $seconds) = @_;

	return
	  "SELECT dogpile_get_or_create('$region', '$key', 'SELECT ran(''$key'', $seconds)');";
}

# Start a creator, and sessions that wait for it, all of them before its query goes on.
sub start_waiters
{
	my ($n, $creator_script, $script) = @_;
	my $gate = close_gate($node);
	my $creator = start_psql($node, "SET test.gate = on; $creator_script");
	my $pid = wait_for_creator($node);
	my @waiters = map { start_psql($node, $script) } 1 .. $n;

	wait_for_waiters($node, $n);
	$gate->quit;
	return ($pid, $creator, @waiters);
}

# How many sessions got exactly this?
sub count_outputs
{
	my ($expected, @sessions) = @_;
	my $count = 0;

	foreach my $session (@sessions)
	{
		my ($stdout, $stderr) = finish_psql($session);

		if ("$stdout$stderr" eq "$expected\n")
		{
			$count++;
		}
		else
		{
			note "instead of $expected: $stdout$stderr";
		}
	}
	return $count;
}

# ---------------------------------------------------------------------------
# The creator is cancelled or terminated: one other takes its place.

foreach my $how ('cancel', 'terminate')
{
	my $offset = log_offset($node);
	my ($pid, $creator, @waiters) = start_waiters(
		90,
		"SET test.seconds = 300; " . get('reports', $how, 1),
		get('reports', $how, 1));
	my $start = time;
	my $elapsed;

	$node->safe_psql('postgres', "SELECT pg_${how}_backend($pid)");
	is(count_outputs($how, @waiters), 90, "$how: all waiters have the value");
	$elapsed = time - $start;
	note sprintf('%s: %.1f s', $how, $elapsed);
	cmp_ok($elapsed, '<', $limit / 2, "$how: ... within seconds");
	finish_psql($creator);
	is(count_runs($node, $how, $offset),
		2, "$how: one of them has run the query");
	check_nothing_is_left($node, $how);
}

# Each of the first five to take its place is cancelled in turn.
my $offset = log_offset($node);
my ($pid, @sessions) = start_waiters(
	30,
	"SET test.seconds = 300; " . get('reports', 'again', 1),
	get('reports', 'again', 5));

foreach my $i (1 .. 5)
{
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	$node->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_locks WHERE objsubid = 208 AND granted AND mode = 'ExclusiveLock' AND pid <> $pid"
	) or die 'timed out waiting for the next creator';
	$pid = wait_for_creator($node);
}
is(count_outputs('again', @sessions),
	31 - 5, 'cancelled again and again: all others have the value');
is(count_runs($node, 'again', $offset),
	6, 'cancelled again and again: each creator has run the query once');

# ---------------------------------------------------------------------------
# The query fails: all waiters get the error, and no other session does.

$node->safe_psql('postgres', <<'EOT');
CREATE FUNCTION fails(what text, seconds float8) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ran(what, seconds);
	RAISE EXCEPTION 'no report today' USING ERRCODE = 'DP042',
		DETAIL = 'It is a holiday.', HINT = 'Come back tomorrow.';
END $$;
EOT

my $fails =
  "SELECT dogpile_get_or_create('reports', 'fails', 'SELECT fails(''fails'', 3)');";
my $count = 0;

$offset = log_offset($node);
($pid, my $creator, my @waiters) = start_waiters(20, $fails, $fails);
foreach my $session (@waiters)
{
	my ($stdout, $stderr) = finish_psql($session);

	if ($stderr =~
		qr/ERROR:  DP042: no report today\nDETAIL:  It is a holiday\.\nHINT:  Come back tomorrow\.\nCONTEXT:  creation of cache entry "fails" of region "reports" in another session/
	)
	{
		$count++;
	}
	else
	{
		note $stderr;
	}
}
is($count, 20, 'query fails: all waiters get the error');
my (undef, $stderr) = finish_psql($creator);
like($stderr, qr/ERROR:  DP042: no report today/,
	'query fails: the creator is, too');
unlike($stderr, qr/in another session/, 'query fails: ... as its own');
is(count_runs($node, 'fails', $offset), 1, 'query fails: it ran once');

$offset = log_offset($node);
$node->psql('postgres', $fails);
is(count_runs($node, 'fails', $offset),
	1, 'query fails: the next caller tries again');

# ---------------------------------------------------------------------------
# The value cannot be stored: waiters compute it side by side.

my $seconds = 2;
my $large =
  "SELECT length(dogpile_get_or_create('limited', 'large', 'SELECT repeat(ran(''large'', $seconds), 1000)'));";

$offset = log_offset($node);
($pid, @sessions) = start_waiters(20, $large, $large);

# Once the creator is done, all others compute.
my $start = time;

is(count_outputs(5000, @sessions), 21,
	'value too large: everybody has the value');
my $elapsed = time - $start;

note sprintf('value too large: %.1f s', $elapsed);
cmp_ok($elapsed, '<', 21 * $seconds / 3,
	'value too large: computed side by side');
is(count_runs($node, 'large', $offset), 21, 'value too large: by each');

# ---------------------------------------------------------------------------
# Invalidated again and again while twenty sessions wait.

$node->safe_psql('postgres', <<'EOT');
CREATE PROCEDURE storm() LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		PERFORM dogpile_invalidate('reports', 'storm');
		COMMIT;
		PERFORM pg_sleep(0.0002);
	END LOOP;
END $$;
SELECT dogpile_reset_stats();
EOT
$offset = log_offset($node);
($pid, @sessions) =
  start_waiters(20, get('reports', 'storm', 1), get('reports', 'storm', 1));

my $storm = start_psql($node, 'CALL storm();');

is(count_outputs('storm', @sessions),
	21, 'storm of invalidations: everybody has the value');
cmp_ok(count_runs($node, 'storm', $offset),
	'<=', 2, 'storm of invalidations: at most two creations');
$node->safe_psql('postgres',
	"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = 'CALL storm();'"
);
finish_psql($storm);
cmp_ok(
	$node->safe_psql('postgres',
		'SELECT sum(invalidations) FROM dogpile_stats'),
	'>', 100,
	'storm of invalidations: it was one');

check_nothing_is_left($node, 'end');
$node->stop;
done_testing();
