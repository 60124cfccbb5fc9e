# What the TAP tests share: a server with the extension, sessions that run in the
# background, a function that logs creations, and the checks that every test ends with.

package DogpileTest;

use strict;
use warnings;

use Cwd qw(abs_path);

use Exporter 'import';
use File::Spec;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(
  new_server
  module_path
  create_helpers
  close_gate
  log_offset
  wait_for_log_line
  count_runs
  start_psql
  psql_is_running
  finish_psql
  count_waiters
  wait_for_waiters
  wait_for_creator
  measure_capacity
  check_nothing_is_left
  check_log
);

# A server that preloads the extension, not yet started; in UTF-8, whatever the
# environment says.
sub new_server
{
	my ($name, @lines) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf',
		join("\n", "shared_preload_libraries = 'dogpile'", @lines, ''));
	return $node;
}

# A module in test/modules, which "make installcheck" has built, as
# shared_preload_libraries takes it.
sub module_path
{
	my ($name) = @_;
	my $folder = $INC{'DogpileTest.pm'} =~ s{[^/]*$}{}r;

	return abs_path("$folder../modules/$name") . "/$name";
}

# The extension, and the functions that tests use.
#
# ran() records a creation by a line in the server's log; unlike a table or a sequence it
# does not make the transaction one that has written.  With "SET test.gate = on",
# close_gate() holds it up.
sub create_helpers
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;

CREATE FUNCTION ran(what text, seconds float8 DEFAULT 0) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	RAISE LOG 'ran: %', what;
	IF current_setting('test.gate', true) = 'on' THEN
		PERFORM pg_advisory_lock_shared(4711), pg_advisory_unlock_shared(4711);
	END IF;
	PERFORM pg_sleep(coalesce(nullif(current_setting('test.seconds', true), '')::float8,
							  seconds));
	RETURN what;
END $$;

-- Values that tell whether they are what was stored: a number, the key, a
-- body of some length, and a checksum of all of them.
CREATE FUNCTION make_value(key text, version int, length int) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT body || md5(body)
	FROM (SELECT version || ':' || key || ':' ||
			repeat(chr(97 + (version + length) % 26), length)) AS t(body)
$$;

CREATE FUNCTION check_value(key text, value text) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
	body text := left(value, -32);
BEGIN
	IF value IS NULL THEN
		RETURN NULL;
	END IF;
	IF right(value, 32) IS DISTINCT FROM md5(body) OR
		split_part(left(body, 200), ':', 2) <> key THEN
		RAISE EXCEPTION 'wrong value of % bytes for key %: %',
			length(value), key, left(value, 60);
	END IF;
	RETURN split_part(left(body, 20), ':', 1)::int;
END $$;

CREATE PROCEDURE fill(region text, prefix text, n int)
LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		PERFORM dogpile_set(region, prefix || lpad(i::text, 8, '0'),
							repeat('x', 200));
		IF i % 50 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- In builds with assertions: check the whole store in shared memory, and tell how
-- many of its blocks are held by sessions.
DO $$
BEGIN
	IF current_setting('dogpile.stops', true) IS NOT NULL THEN
		CREATE FUNCTION check_store() RETURNS int
		LANGUAGE c AS '$libdir/dogpile', 'dogpile_check_store';
	END IF;
END $$;
EOT
	return;
}

# Hold up sessions with "SET test.gate = on" that call ran(), until $gate->quit.
sub close_gate
{
	my ($node) = @_;
	my $gate = $node->background_psql('postgres');

	$gate->query_safe('SELECT pg_advisory_lock(4711)');
	return $gate;
}

# Where the server's log ends now.
sub log_offset
{
	my ($node) = @_;

	return -s $node->logfile;
}

# Wait for a line in the server's log; returns whether it has appeared.
sub wait_for_log_line
{
	my ($node, $pattern, $offset) = @_;

	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if slurp_file($node->logfile, $offset) =~ $pattern;
		usleep(100_000);
	}
	return 0;
}

# How often ran() was called with this argument since then.
sub count_runs
{
	my ($node, $what, $offset) = @_;
	my $log = slurp_file($node->logfile, $offset // 0);
	my @runs = $log =~ /LOG:  ran: \Q$what\E$/mg;

	return scalar(@runs);
}

# Let psql execute a script in the background.
#
# It goes on after errors, which it reports verbosely.  Its application_name is "beside",
# so that others can find it.
sub start_psql
{
	my ($node, $script, @options) = @_;
	my $base = PostgreSQL::Test::Utils::tempdir() . '/session';
	my $session = { out => "$base.out", err => "$base.err" };

	append_to_file("$base.sql", $script);
	$session->{run} = IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d',
			$node->connstr('postgres') . ' application_name=beside',
			@options, '-f', "$base.sql"
		],
		'<', File::Spec->devnull, '>', $session->{out}, '2>', $session->{err});
	return $session;
}

sub psql_is_running
{
	my ($session) = @_;

	return $session->{run}->pumpable;
}

# Wait for its end; returns what it has printed.
sub finish_psql
{
	my ($session) = @_;

	$session->{run}->finish;
	return (slurp_file($session->{out}), slurp_file($session->{err}));
}

# Number of sessions that wait for a creator lock.
sub count_waiters
{
	my ($node) = @_;

	return $node->safe_psql('postgres',
		'SELECT count(*) FROM pg_locks WHERE objsubid = 208 AND NOT granted');
}

# Wait until at least this many sessions wait for a creator lock.
sub wait_for_waiters
{
	my ($node, $n) = @_;

	$node->poll_query_until('postgres',
		"SELECT count(*) >= $n FROM pg_locks WHERE objsubid = 208 AND NOT granted"
	) or die "timed out waiting for $n waiters";
	return;
}

# Wait until there is a creator; returns its process id.
sub wait_for_creator
{
	my ($node) = @_;
	my $query =
	  "FROM pg_locks WHERE objsubid = 208 AND granted AND mode = 'ExclusiveLock'";

	$node->poll_query_until('postgres', "SELECT count(*) > 0 $query")
	  or die 'timed out waiting for a creator';
	return $node->safe_psql('postgres', "SELECT min(pid) $query");
}

# How many entries of one size fit?
#
# Invalidates all entries of these regions, and stores twice as many as fit into the last
# of them.  The number returned is exact, so memory that is lost makes it smaller.
my $nfills = 0;

sub measure_capacity
{
	my ($node, $megabytes, @regions) = @_;
	my $fills = 2 * 4000 * $megabytes;
	my $prefix = sprintf('fill%02d-', $nfills++);

	$node->safe_psql('postgres', "SELECT dogpile_invalidate('$_')")
	  foreach @regions;
	$node->safe_psql('postgres', "CALL fill('$regions[-1]', '$prefix', $fills)");
	my $capacity = $node->safe_psql('postgres',
		"SELECT count(*) FROM dogpile_entries WHERE key LIKE '$prefix%'");

	note "capacity for $prefix: $capacity";
	die "$fills are not enough to fill it" if $capacity > 0.8 * $fills;
	return $capacity;
}

# What must hold whenever nothing is going on.
sub check_nothing_is_left
{
	my ($node, $name) = @_;

	is( $node->safe_psql(
			'postgres', 'SELECT count(*) FROM pg_locks WHERE objsubid = 208'),
		0,
		"$name: no creator lock is left");
	is( $node->safe_psql(
			'postgres',
			'SELECT count(*), coalesce(sum(memory), 0) FROM dogpile_entries'),
		$node->safe_psql(
			'postgres', 'SELECT sum(entries), sum(bytes) FROM dogpile_stats'),
		"$name: entries and bytes are those that the statistics tell");
	is($node->safe_psql('postgres', 'SELECT check_store()'),
		0, "$name: no block of the store is lost")
	  if $node->safe_psql('postgres', "SELECT to_regproc('check_store') IS NOT NULL") eq
	  't';
	return;
}

# The server's log must have no sign of an internal error, except what matches the last
# arguments.
sub check_log
{
	my ($node, $name, $offset, @expected) = @_;
	my $log = slurp_file($node->logfile, $offset // 0);
	my $harmless = join '|', @expected, 'there is no transaction in progress',
	  'value is too large for the store',
	  # a region of 015 that asks for what this build may not have
	  'cache region "encrypted" cannot be used',
	  # a victim that has ended by itself meanwhile
	  'PID \d+ is not a PostgreSQL';
	my @bad = grep { !/$harmless/ } $log =~
	  /^(\d.*?\[.*?(?:PANIC:  |WARNING:  |ERROR:  wrong value|terminated by signal).*|TRAP: .*)$/mg;

	is(join("\n", @bad[ 0 .. ($#bad < 4 ? $#bad : 4) ]),
		'', "$name: the log tells of nothing that has gone wrong");
	return;
}

1;
