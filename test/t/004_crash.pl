# When a session is killed, the server restarts, and the store is empty and has all of
# its memory.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server(
	'main',
	"dogpile.shared_memory = '2MB'",
	"dogpile.regions = 'reports'",
	'restart_after_crash = on',
	'log_min_messages = warning');

$node->start;
create_helpers($node);

# What a new store holds.
my $capacity = measure_capacity($node, 2, 'reports', 'default');

# Kill a session and wait until the server is up again.
sub crash
{
	my ($pid) = @_;
	my $offset = log_offset($node);

	kill 'KILL', $pid;

	# Do not connect before that: a psql that is refused may end before its input is
	# written, and the writer would die of SIGPIPE.
	$node->wait_for_log(
		qr/all server processes terminated; reinitializing.*database system is ready to accept connections/s,
		$offset);
	return;
}

sub check_after_crash
{
	my ($name) = @_;
	my $offset;

	is($node->safe_psql('postgres', 'SELECT count(*) FROM dogpile_entries'),
		0, "$name: the store is empty");
	is( $node->safe_psql(
			'postgres', 'SELECT sum(entries), sum(bytes) FROM dogpile_stats'),
		'0|0',
		"$name: ... as the statistics tell");
	is( $node->safe_psql(
			'postgres', 'SELECT count(*) FROM pg_locks WHERE objsubid = 208'),
		0,
		"$name: no creator lock is left");

	$offset = log_offset($node);
	foreach (1 .. 2)
	{
		is( $node->safe_psql(
				'postgres',
				"SELECT dogpile_get_or_create('reports', 'k', 'SELECT ran(''again'')')"
			),
			'again',
			"$name: values are created");
	}
	is(count_runs($node, 'again', $offset), 1, "$name: ... once");
	is( $node->safe_psql(
			'postgres',
			"SELECT dogpile_set('reports', 'k', 'new', tags => '{t}'); SELECT dogpile_get('reports', 'k'); SELECT dogpile_invalidate_tags('{t}'); SELECT dogpile_exists('reports', 'k')"
		),
		"\nnew\n\nf",
		"$name: values are set and invalidated");
	return;
}

# ---------------------------------------------------------------------------
# A creator in the middle of its query, with others waiting for it.

my $script =
  "SELECT dogpile_get_or_create('reports', 'k', 'SELECT ran(''first'', 300)');";
my @sessions = (start_psql($node, $script));
my $creator = wait_for_creator($node);

push @sessions, map { start_psql($node, $script) } 1 .. 5;
wait_for_waiters($node, 5);
$node->safe_psql('postgres', "CALL fill('default', 'x', 1000)");
crash($creator);
foreach my $session (@sessions)
{
	my ($stdout, $stderr) = finish_psql($session);

	is($stdout, '', 'creator killed: no session was given a value');
	like(
		$stderr,
		qr/server closed the connection|terminating connection because of crash/,
		'creator killed: every session gets an error');
}
check_after_crash('creator killed');
is(measure_capacity($node, 2, 'reports', 'default'),
	$capacity, 'creator killed: no memory is missing');

# ---------------------------------------------------------------------------
# A session that has written much and has not committed.

my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');

$session->query('BEGIN');
$session->query(
	"SELECT count(dogpile_set('reports', 'big' || i, repeat('x', 10000))) FROM generate_series(1, 200) AS i"
);
$session->query(
	"SELECT dogpile_get_or_create('reports', 'mine', 'SELECT ran(''mine'')')"
);
crash($pid);
eval { $session->quit };
check_after_crash('uncommitted changes');
is(measure_capacity($node, 2, 'reports', 'default'),
	$capacity, 'uncommitted changes: no memory is missing');

# ---------------------------------------------------------------------------
# Sessions that only change the store are killed at any instruction: while they reserve,
# publish, remove and evict.

$node->safe_psql('postgres', <<'EOT');
CREATE PROCEDURE churn(client int)
LANGUAGE plpgsql AS $$
DECLARE
	key text;
BEGIN
	LOOP
		FOR i IN 1 .. 20 LOOP
			key := (random() * 3000)::int;
			IF random() < 0.2 THEN
				PERFORM dogpile_invalidate('reports', key);
			ELSE
				PERFORM dogpile_set('reports', key,
									repeat('x', (random() ^ 3 * 5000)::int),
									expiration_time => '10 ms', tags => ARRAY[key]);
			END IF;
			PERFORM dogpile_get('reports', key);
		END LOOP;
		COMMIT;
	END LOOP;
END $$;
EOT

foreach my $round (1 .. 5)
{
	@sessions = map { start_psql($node, "CALL churn($_);") } 1 .. 3;
	$node->poll_query_until('postgres',
		"SELECT (SELECT count(*) = 3 FROM pg_stat_activity WHERE application_name = 'beside') AND (SELECT sum(evictions) > 100 FROM dogpile_stats)"
	) or die 'timed out waiting for sessions to work';
	usleep(rand(100_000));
	crash(
		$node->safe_psql(
			'postgres',
			"SELECT pid FROM pg_stat_activity WHERE application_name = 'beside' LIMIT 1"
		));
	finish_psql($_) foreach @sessions;
	check_after_crash("round $round");
}
is(measure_capacity($node, 2, 'reports', 'default'),
	$capacity, 'all rounds: no memory is missing');
check_nothing_is_left($node, 'all rounds');

$node->stop;
done_testing();
