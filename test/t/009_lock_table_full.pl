# When the lock table is full, a value may be created more than once, but nothing else
# fails.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server(
	'main',
	"dogpile.shared_memory = '2MB'",
	"dogpile.regions = 'reports'",
	'max_locks_per_transaction = 10',
	'max_connections = 20');

$node->start;
create_helpers($node);

# Takes locks until there is no room for more.  Returns how many.
$node->safe_psql('postgres', <<'EOT');
CREATE FUNCTION fill_lock_table() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 1000000 LOOP
		BEGIN
			PERFORM pg_advisory_lock(i);
		EXCEPTION WHEN out_of_memory THEN
			RETURN i - 1;
		END;
	END LOOP;
END $$;
EOT

# Sessions must exist before: connecting takes a lock, too.
my @sessions =
  map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
my $filler = $node->background_psql('postgres', on_error_stop => 0);

# The output of a statement, and its error.
sub run
{
	my ($session, $sql) = @_;

	$session->{stderr} = '';
	my $stdout = $session->query($sql);
	my $stderr = $session->{stderr};

	$session->{stderr} = '';
	return $stdout . $stderr;
}

# Let sessions load what they need.
foreach my $session (@sessions)
{
	run($session,
		"SELECT dogpile_get_or_create('reports', 'k', 'SELECT ran(''k'')')");
	run($session, "SET dogpile_reports.lock_timeout = 0");
}

my $locks = run($filler, 'SELECT fill_lock_table()');

like($locks, qr/^\d+$/, 'the lock table is full');
note "$locks locks";
like(
	run($sessions[0], 'SELECT pg_advisory_xact_lock(0)'),
	qr/ERROR:  out of shared memory/,
	'no session can take one more lock');

my $offset = log_offset($node);

foreach my $timeout ('0', '1s')
{
	foreach my $session (@sessions)
	{
		run($session, "SET dogpile_reports.lock_timeout = '$timeout'");
		is( run($session,
				"SELECT dogpile_get_or_create('reports', 'full$timeout', 'SELECT ran(''full$timeout'')')"
			),
			"full$timeout",
			"lock_timeout $timeout: get_or_create");
	}
	is(count_runs($node, "full$timeout", $offset),
		1, "lock_timeout $timeout: what is stored is hit");
}
like(
	run($sessions[0],
		"SELECT dogpile_get_or_create('reports', 'fails', 'SELECT 1 / 0')"),
	qr/ERROR:  division by zero/,
	'a failing query fails');
is(run($sessions[0], "SELECT dogpile_add('reports', 'added', 'x')"),
	't', 'add');
is(run($sessions[1], "SELECT dogpile_add('reports', 'added', 'y')"),
	'f', 'add: there is a value');
is(run($sessions[1], "SELECT dogpile_set('reports', 'set', 'x')"), '', 'set');
is( run($sessions[0],
		"SELECT dogpile_get('reports', 'set') || dogpile_get('reports', 'added')"
	),
	'xx', 'get');
is(run($sessions[0], "SELECT dogpile_invalidate('reports', 'set')"),
	't', 'invalidate');
is( run($sessions[1], "SELECT key_is_locked FROM dogpile_metadata('reports', 'set')"),
	'f', 'metadata');

# Stale values are created again, too.
run($sessions[0], "SELECT dogpile_invalidate('reports', 'full0', false)");
run($sessions[0],
	"SELECT dogpile_get_or_create('reports', 'full0', 'SELECT ran(''full0'')')");

# With room again, everything is as before.
run($filler, 'SELECT pg_advisory_unlock_all()');
$offset = log_offset($node);
my @beside = map {
	start_psql($node,
		"SELECT dogpile_get_or_create('reports', 'after', 'SELECT ran(''after'', 2)');")
} 1 .. 3;
finish_psql($_) foreach @beside;
is(count_runs($node, 'after', $offset),
	1, 'with room again, a value is created once');
check_nothing_is_left($node, 'end');
check_log($node, 'end');

$_->quit foreach @sessions, $filler;
$node->stop;
done_testing();
